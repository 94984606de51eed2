//! What was measured, as it is kept in `docs/benchmarks/`.

use serde::{Deserialize, Serialize};

/// Several values of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// # Panics
    /// Without values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (values[0], values[values.len() - 1]);
        let middle = values.len() / 2;
        let is_even = values.len().is_multiple_of(2);
        let median = if is_even {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Self { min, median, max }
    }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Something a second, or a plain number.
    Count,
    /// Microseconds, of a clock or a CPU.
    Micros,
    Millis,
    Kib,
    Mib,
    /// Hundredths of one core.
    PercentOfACore,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) unit: Unit,
}

/// One case on one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) server: String,
    /// What an acknowledged record has behind it.
    pub(crate) durability: String,
    /// One for each column, or nothing where it does not apply.
    pub(crate) cells: Vec<Option<Spread>>,
}

/// A ratio that was set as a goal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Budget {
    pub(crate) text: String,
    pub(crate) measured: String,
    pub(crate) budget: String,
    pub(crate) is_met: bool,
}

/// All that one group of cases has shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Section {
    /// That of the cases.
    pub(crate) name: String,
    /// Where and when.
    pub(crate) machine: String,
    pub(crate) date: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    pub(crate) budgets: Vec<Budget>,
    /// The column that is drawn.
    pub(crate) plotted: usize,
}

impl Section {
    /// The value of a column, of the row of this case and server.
    pub(crate) fn median(&self, case: &str, kind: crate::servers::Kind, column: usize) -> f64 {
        let row = self.rows.iter().find(|row| {
            row.case == case && row.server == kind.name() && row.durability == kind.durability()
        });
        let cell = row.and_then(|row| row.cells[column]);
        cell.unwrap_or_else(|| panic!("{case} was measured with {kind:?}")).median
    }

    /// Sets a value that must be at least so large.
    pub(crate) fn at_least(&mut self, text: &str, measured: f64, budget: f64) {
        self.budgets.push(Budget {
            text: text.to_owned(),
            measured: format!("{measured:.2}"),
            budget: format!("at least {budget}"),
            is_met: measured >= budget,
        });
    }

    /// Sets a value that may be at most so large.
    pub(crate) fn at_most(&mut self, text: &str, measured: f64, budget: f64) {
        self.budgets.push(Budget {
            text: text.to_owned(),
            measured: format!("{measured:.2}"),
            budget: format!("at most {budget}"),
            is_met: measured <= budget,
        });
    }
}

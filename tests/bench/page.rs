//! `docs/benchmarks.md`, of all that was ever measured. Each group of cases has
//! a file of its figures and one of its plot in `docs/benchmarks/`, so that one
//! of them can be measured again without the others.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cases::{self, Cases};
use crate::plot;
use crate::results::{Section, Spread, Unit};

fn folder(docs: &Path) -> PathBuf {
    docs.join("benchmarks")
}

/// Writes the figures of a group down.
pub(crate) fn keep(docs: &Path, section: &Section) {
    let folder = folder(docs);
    std::fs::create_dir_all(&folder).unwrap();
    let json = serde_json::to_string_pretty(section).unwrap() + "\n";
    std::fs::write(folder.join(format!("{}.json", section.name)), json).unwrap();
}

/// Writes page and plots of all groups that have been measured.
pub(crate) fn write(docs: &Path) {
    let mut page = String::from(
        "# Benchmarks\n\n\
        Written by `scripts/bench`: that command measures all of this again. Servers and load generators shared a machine, and \
        servers took turns; a figure is the median of the runs, with the least and the most in brackets. CPU time is that of \
        the server alone. Beside each figure stands what an acknowledged record had behind it: Ottla's default syncs before it \
        answers, Apache Kafka's does not.\n",
    );
    let sections = cases::ALL.iter().filter_map(|cases| {
        let file = folder(docs).join(format!("{}.json", cases.name));
        let json = std::fs::read(file).ok()?;
        Some((cases, serde_json::from_slice::<Section>(&json).unwrap()))
    });
    let sections: Vec<_> = sections.collect();
    page.push_str("\n## Budgets\n\n| what | measured | budget | |\n|---|---|---|---|\n");
    for (cases, section) in &sections {
        for budget in &section.budgets {
            let verdict = if budget.is_met { "met" } else { "**missed**" };
            let (title, text) = (cases.title, &budget.text);
            let _ = writeln!(
                page,
                "| {title}: {text} | {} | {} | {verdict} |",
                budget.measured, budget.budget
            );
        }
    }
    for (cases, it) in &sections {
        let _ = write!(page, "\n{}", section(cases, it));
        let plot = folder(docs).join(format!("{}.svg", cases.name));
        std::fs::write(plot, plot::svg(cases.title, it)).unwrap();
    }
    std::fs::write(docs.join("benchmarks.md"), page).unwrap();
}

/// The part of the page that tells of one group.
pub(crate) fn section(cases: &Cases, section: &Section) -> String {
    let mut text = format!("## {}\n", cases.title);
    for paragraph in cases.text {
        let _ = write!(text, "\n{paragraph}\n");
    }
    let _ = write!(text, "\nMeasured on {}: {}.\n", section.date, section.machine);
    let plotted = &section.columns[section.plotted].title;
    let _ = write!(text, "\n![{}: {plotted}](benchmarks/{}.svg)\n", cases.title, section.name);
    let titles: Vec<&str> = section.columns.iter().map(|column| &*column.title).collect();
    let _ = write!(text, "\n| case | server | durability | {} |\n", titles.join(" | "));
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(titles.len()));
    for row in &section.rows {
        let _ = write!(text, "| {} | {} | {} |", row.case, row.server, row.durability);
        for (cell, column) in row.cells.iter().zip(&section.columns) {
            let cell = cell.map(|cell| spread(cell, column.unit)).unwrap_or_default();
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}

/// The median with its unit, and in brackets, in the same unit, the least and the most.
fn spread(cell: Spread, unit: Unit) -> String {
    let (scale, unit) = scale(cell.median, unit);
    let [min, median, max] = [cell.min, cell.median, cell.max].map(|value| number(value * scale));
    if min == max { format!("{median}{unit}") } else { format!("{median}{unit} ({min}–{max})") }
}

/// A value as people write it.
pub(crate) fn value_text(value: f64, unit: Unit) -> String {
    spread(Spread { min: value, median: value, max: value }, unit)
}

/// What to multiply with, and the unit that the values have then.
fn scale(value: f64, unit: Unit) -> (f64, &'static str) {
    match unit {
        Unit::Count => (1.0, ""),
        Unit::Micros if value >= 1_000.0 => (1e-3, " ms"),
        Unit::Micros => (1.0, " µs"),
        Unit::Millis => (1.0, " ms"),
        Unit::Kib => (1.0, " KiB"),
        Unit::Mib => (1.0, " MiB"),
        Unit::PercentOfACore => (1.0, " %"),
    }
}

/// With three digits that count, and more only before the point.
fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => thousands(value),
    }
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

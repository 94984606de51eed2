//! What became of the records of one call.

use super::ProduceError;

/// Where a row of records was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record; the others follow it. -1 when the
    /// broker did not say: with acks=0, and for a duplicate that is long past.
    pub base_offset: i64,
    /// The time that the broker gave the records, in ms since the epoch; -1
    /// when they keep their own.
    pub log_append_time: i64,
}

/// A row of records that have their fate in common.
#[derive(Debug, Clone)]
pub struct Run {
    /// The index of the first one among the records of the call.
    pub first_record: usize,
    /// How many they are.
    pub count: usize,
    /// What became of them.
    pub outcome: Result<Appended, ProduceError>,
}

/// What became of the records of one call, all of them, in order.
#[derive(Debug, Clone)]
pub struct Delivery {
    runs: Vec<Run>,
}

impl Delivery {
    pub(super) fn new(mut runs: Vec<Run>) -> Self {
        runs.sort_unstable_by_key(|run| run.first_record);
        Self { runs }
    }

    /// The records in rows of the same fate, in order and without gaps.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The offset of each record, or why it was not written. In order.
    pub fn records(&self) -> impl Iterator<Item = Result<i64, &ProduceError>> {
        self.runs.iter().flat_map(|run| {
            (0..run.count).map(move |index| match &run.outcome {
                Ok(Appended { base_offset: -1, .. }) => Ok(-1),
                Ok(appended) => Ok(appended.base_offset + i64::try_from(index).unwrap_or(i64::MAX)),
                Err(error) => Err(error),
            })
        })
    }

    /// Where the first record was written.
    ///
    /// # Errors
    /// The first error, if there is one.
    pub fn into_result(self) -> Result<Appended, ProduceError> {
        let mut first = None;
        for run in self.runs {
            let appended = run.outcome?;
            first.get_or_insert(appended);
        }
        Ok(first.unwrap_or(Appended { base_offset: -1, log_append_time: -1 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first_record: usize, count: usize, base_offset: i64) -> Run {
        Run { first_record, count, outcome: Ok(Appended { base_offset, log_append_time: -1 }) }
    }

    #[test]
    fn runs_are_told_in_the_order_of_the_records() {
        let delivery = Delivery::new(vec![run(3, 1, -1), run(0, 2, 10), run(2, 1, 20)]);
        let offsets: Vec<i64> = delivery.records().map(|offset| offset.unwrap()).collect();
        assert_eq!(offsets, [10, 11, 20, -1]);
        assert_eq!(delivery.into_result().unwrap().base_offset, 10);
    }

    #[test]
    fn one_failed_record_fails_the_whole() {
        let failed = Run { first_record: 1, count: 2, outcome: Err(ProduceError::Closed) };
        let delivery = Delivery::new(vec![failed, run(0, 1, 7)]);
        assert_eq!(delivery.records().filter(Result::is_err).count(), 2);
        assert!(matches!(delivery.into_result(), Err(ProduceError::Closed)));
    }
}

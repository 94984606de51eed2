//! Producer ids, epochs and sequence numbers.

/// Who writes, as the broker tells apart retries and new records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

impl Identity {
    /// Whether the next epoch of the same id exists. The last one is left to
    /// the brokers, which use it to fence.
    pub(super) fn has_next_epoch(self) -> bool {
        self.epoch < i16::MAX - 1
    }
}

/// The sequence number `count` records after `sequence`. They go from 0 to
/// `i32::MAX` and on with 0.
pub(super) fn advance(sequence: i32, count: usize) -> i32 {
    // A batch is smaller than 2 GiB and so has fewer records than there are numbers.
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    sequence.wrapping_add(count) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_on_with_zero_behind_the_largest_number() {
        for (sequence, count, expected) in [
            (0, 1, 1),
            (i32::MAX - 1, 1, i32::MAX),
            (i32::MAX, 1, 0),
            (i32::MAX - 2, 5, 2),
            (5, 0, 5),
        ] {
            assert_eq!(advance(sequence, count), expected, "{count} after {sequence}");
        }
    }

    #[test]
    fn epochs_end() {
        assert!(Identity { id: 1, epoch: 0 }.has_next_epoch());
        assert!(!Identity { id: 1, epoch: i16::MAX - 1 }.has_next_epoch());
    }
}

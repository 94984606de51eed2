//! Old segments: which are past their retention, and how they go.
//!
//! Whole segments go, from the oldest on, as far as one after the other is past
//! its time, or surplus: a segment with a timestamp of the future keeps those
//! behind it, as in Kafka. The newest segment goes by time or size only after a
//! new one was begun; it is never without a place to append to.
//!
//! Readers lose a segment in three steps: the log start offset moves past it,
//! the log forgets it, and, when the new log start is durable, its files get another
//! name and are removed later. Whoever is sending from them has them open. A crash in
//! between leaves any of them; the log start tells that they do not count.

use std::sync::Arc;

use super::partition::Partition;
use super::segment::Segment;

/// What decides whether a segment is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentFacts {
    pub(super) base_offset: i64,
    /// In bytes.
    pub(super) size: u64,
    /// The largest timestamp of its records, or when it was last written to, in ms.
    pub(super) newest_ms: i64,
}

/// What a log has to keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) now_ms: i64,
    /// `None`: for ever.
    pub(super) retention_ms: Option<i64>,
    /// `None`: everything.
    pub(super) retention_bytes: Option<u64>,
    pub(super) log_start: i64,
    pub(super) high_watermark: i64,
    pub(super) log_end: i64,
}

/// How many segments, from the first on, are to go. It may be all of them.
pub(super) fn expired(segments: &[SegmentFacts], limits: &Limits) -> usize {
    let end_of = |index: usize| {
        segments.get(index + 1).map_or(limits.log_end, |next: &SegmentFacts| next.base_offset)
    };
    let may_go = |index: usize, segment: &SegmentFacts| {
        let is_last = index + 1 == segments.len();
        !(is_last && segment.size == 0) && end_of(index) <= limits.high_watermark
    };
    let mut surplus = limits.retention_bytes.map_or(0, |kept| {
        let total: u64 = segments.iter().map(|segment| segment.size).sum();
        total.saturating_sub(kept)
    });
    let mut count = 0;
    for (index, segment) in segments.iter().enumerate() {
        let is_old = limits
            .retention_ms
            .is_some_and(|kept| limits.now_ms.saturating_sub(segment.newest_ms) > kept);
        let is_surplus = segment.size > 0 && segment.size <= surplus;
        let is_below_start = index + 1 < segments.len() && end_of(index) <= limits.log_start;
        if !may_go(index, segment) || !(is_old || is_surplus || is_below_start) {
            break;
        }
        surplus = surplus.saturating_sub(segment.size);
        count = index + 1;
    }
    count
}

impl Partition {
    /// Takes what is past its retention out of the log. Waits for the writer, if
    /// the newest segment has to go too. The caller discards the segments.
    pub(super) fn apply_retention(self: &Arc<Self>) -> Vec<Arc<Segment>> {
        // Not while compaction writes these segments anew; there is a next time.
        let Some(_turn) = self.maintenance.try_lock() else { return Vec::new() };
        let (count, segments) = self.expired_segments();
        if count == 0 {
            return Vec::new();
        }
        if count == segments && !self.roll() {
            return Vec::new();
        }
        self.remove_segments(count)
    }

    /// How many segments are past their retention, and how many there are.
    fn expired_segments(&self) -> (usize, usize) {
        let facts = self.log.segment_facts();
        let config = self.config();
        let limits = Limits {
            now_ms: self.directory.now_ms(),
            retention_ms: config.retention_ms.filter(|_| config.delete),
            retention_bytes: config.retention_bytes.filter(|_| config.delete),
            log_start: self.log_start_offset(),
            high_watermark: self.high_watermark(),
            log_end: self.log_end_offset(),
        };
        (expired(&facts, &limits), facts.len())
    }

    /// Takes the first segments out of the log, at most all but the newest. The
    /// caller holds the lock of maintenance.
    fn remove_segments(&self, count: usize) -> Vec<Arc<Segment>> {
        let first_kept = self.log.segment_facts().get(count).copied();
        let Some(first_kept) = first_kept.filter(|_| count > 0) else { return Vec::new() };
        // What producers wrote into these segments is to be remembered.
        if let Err(error) = self.snapshot() {
            tracing::warn!(topic = %self.topic(), partition = self.index(), %error, "a snapshot of producers cannot be written; old segments stay");
            return Vec::new();
        }
        self.raise_log_start(first_kept.base_offset);
        let removed = self.log.remove_before(first_kept.base_offset);
        tracing::info!(
            topic = %self.topic(), partition = self.index(), segments = removed.len(),
            log_start_offset = first_kept.base_offset, "old segments are removed"
        );
        self.log.trim_epochs(self.log_start_offset());
        if let Err(error) = self.write_small_files() {
            tracing::warn!(topic = %self.topic(), partition = self.index(), %error, "the leader epochs cannot be written");
        }
        removed
    }

    /// Takes the oldest segment out of the log, if it is not the newest, for a
    /// directory that holds more than it may. The caller discards it.
    pub(super) fn remove_oldest_segment(&self) -> Vec<Arc<Segment>> {
        let Some(_turn) = self.maintenance.try_lock() else { return Vec::new() };
        match self.log.segment_facts().as_slice() {
            [_, next, ..] if next.base_offset <= self.high_watermark() => self.remove_segments(1),
            _ => Vec::new(),
        }
    }

    /// How old the oldest segment is that could go; `None` when none could.
    pub(super) fn oldest_removable(&self) -> Option<i64> {
        if !self.config().delete {
            return None;
        }
        match self.log.segment_facts().as_slice() {
            [oldest, _, ..] => Some(oldest.newest_ms),
            _ => None,
        }
    }

    /// Makes `offset` the first that can be read, for good (DeleteRecords); the
    /// high watermark when it is -1. Blocks on the disk.
    ///
    /// # Errors
    /// With the offsets between which the log can begin.
    pub(crate) fn delete_records(self: &Arc<Self>, offset: i64) -> Result<i64, DeleteRecordsError> {
        let high_watermark = self.high_watermark();
        let offset = if offset == -1 { high_watermark } else { offset };
        if offset < 0 || offset > high_watermark {
            return Err(DeleteRecordsError::OffsetOutOfRange);
        }
        self.raise_log_start(offset);
        // Even if it was that high before: an earlier call may have failed here.
        self.directory.write_log_starts().map_err(|error| {
            tracing::error!(topic = %self.topic(), partition = self.index(), %error, "the log start offset cannot be written");
            DeleteRecordsError::Storage
        })?;
        // What is left to do is done by the next look at the retention, if not now.
        let turn = self.maintenance.try_lock();
        if turn.is_some() {
            let (count, segments) = self.expired_segments();
            let removed = self.remove_segments(count.min(segments.saturating_sub(1)));
            drop(turn);
            self.directory.discard_segments(&[(Arc::clone(self), removed)]);
        }
        Ok(self.log_start_offset())
    }
}

/// Why records are not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeleteRecordsError {
    /// The offset is negative, or behind the high watermark.
    OffsetOutOfRange,
    /// The new start could not be made durable.
    Storage,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_000_000;

    /// Segments of 100 offsets and 100 bytes each, as old as said, in ms.
    fn segments(ages: &[i64]) -> Vec<SegmentFacts> {
        let segment = |(index, age): (usize, &i64)| SegmentFacts {
            base_offset: 100 * index as i64,
            size: 100,
            newest_ms: NOW_MS - age,
        };
        ages.iter().enumerate().map(segment).collect()
    }

    fn limits(segments: &[SegmentFacts]) -> Limits {
        let log_end = 100 * segments.len() as i64;
        Limits {
            now_ms: NOW_MS,
            retention_ms: None,
            retention_bytes: None,
            log_start: 0,
            high_watermark: log_end,
            log_end,
        }
    }

    #[test]
    fn segments_go_by_age_from_the_oldest_on() {
        let check = |ages: &[i64], retention_ms, expected: usize| {
            let segments = segments(ages);
            let limits = Limits { retention_ms, ..limits(&segments) };
            assert_eq!(expired(&segments, &limits), expected, "{ages:?} with {retention_ms:?}");
        };
        check(&[500, 400, 10], None, 0);
        check(&[500, 400, 10], Some(500), 0);
        check(&[500, 400, 10], Some(499), 1);
        check(&[500, 400, 10], Some(300), 2);
        check(&[500, 400, 10], Some(5), 3);
        // A timestamp of the future keeps what is behind it.
        check(&[-5_000, 400, 300], Some(100), 0);
        check(&[400, -5_000, 300], Some(100), 1);
    }

    #[test]
    fn segments_go_by_size_until_the_rest_is_small_enough() {
        for (retention_bytes, expected) in [
            (None, 0),
            (Some(300), 0),
            (Some(299), 0),
            (Some(201), 0),
            (Some(200), 1),
            (Some(100), 2),
            (Some(0), 3),
        ] {
            let segments = segments(&[0, 0, 0]);
            let limits = Limits { retention_bytes, ..limits(&segments) };
            assert_eq!(expired(&segments, &limits), expected, "{retention_bytes:?}");
        }
    }

    #[test]
    fn what_is_not_readable_yet_and_an_empty_segment_stay() {
        let all = segments(&[500, 500, 500]);
        let old = Limits { retention_ms: Some(1), ..limits(&all) };
        assert_eq!(expired(&all, &Limits { high_watermark: 199, ..old }), 1);
        assert_eq!(expired(&all, &Limits { high_watermark: 299, ..old }), 2);
        let mut with_empty = all.clone();
        with_empty.push(SegmentFacts { base_offset: 300, size: 0, newest_ms: 0 });
        assert_eq!(expired(&with_empty, &old), 3);
    }

    #[test]
    fn segments_below_the_log_start_go_but_not_the_newest() {
        let all = segments(&[0, 0, 0]);
        for (log_start, expected) in [(0, 0), (99, 0), (100, 1), (250, 2), (300, 2)] {
            let limits = Limits { log_start, ..limits(&all) };
            assert_eq!(expired(&all, &limits), expected, "{log_start}");
        }
    }
}

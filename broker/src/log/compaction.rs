//! Compaction of one partition: of each key the newest record stays.
//!
//! ```text
//! clean                │ dirty                         │ not compacted
//! ─────────────────────┼───────────────────────────────┼──────────────────────
//! read once, keys of   │ its keys go into a map, as    │ the newest segment, what may
//! the map are dropped  │ far as that has room          │ not be read yet, what is young
//! ```
//!
//! Segments are written anew from the first to the last that the map covers,
//! small ones together, and each group takes the place of its segments at once.
//! Offsets stay: a record keeps its own, a batch its first and last, and of the
//! records that are gone there are only gaps.
//!
//! An empty batch stays where it is the last of its producer, whose sequence it
//! tells (KIP-98), and at the end of a written segment, so that segments follow
//! on each other without a gap.
//!
//! A tombstone stays until `delete.retention.ms` after a compaction has first
//! seen it: that time is written into its batch (KAFKA-8522).
//!
//! # A crash in the middle
//! New files are called `….cleaned` until they are durable: those are thrown
//! away at the next start. Then they are called `….swap`, and the next start
//! finishes what was begun: see [`recovery`](super::recovery).

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use protocol::records::{Batch, BatchHeader, Record, RecordError, RecordIter};
use twox_hash::XxHash3_128;

use super::partition::Partition;
use super::partition_log::ReadError;
use super::segment::Segment;
use crate::topic_config::TopicConfig;

/// What a batch may come to when it is unpacked.
const MAX_BATCH_BYTES: usize = 128 * 1024 * 1024;

/// What one key takes in the map: hash and offset, at seven eighths of what is allocated.
const BYTES_PER_KEY: usize = 32;

/// 128 bits of a key.
type KeyHash = [u64; 2];

/// The newest offset of each key in a range of the log.
#[derive(Debug)]
pub(super) struct KeyMap {
    offsets: HashMap<KeyHash, i64, Identity>,
    seed: u64,
    limit: usize,
    /// Behind the last record that the map knows of.
    end: i64,
}

/// The keys of the map are hashes already.
#[derive(Debug, Clone, Copy, Default)]
struct Identity;

#[derive(Debug, Default)]
struct IdentityHasher(u64);

impl BuildHasher for Identity {
    type Hasher = IdentityHasher;

    fn build_hasher(&self) -> IdentityHasher {
        IdentityHasher::default()
    }
}

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let half = bytes.first_chunk::<8>().copied().unwrap_or_default();
        self.0 ^= u64::from_ne_bytes(half);
    }
}

impl KeyMap {
    /// A map of as many keys as fit into `budget_bytes`, at least one. Two keys
    /// that a client makes up to look the same would cost one of them its
    /// record, so nobody outside may know the `seed`.
    pub(super) fn new(budget_bytes: usize, start: i64, seed: u64) -> Self {
        let limit = (budget_bytes / BYTES_PER_KEY).max(1);
        Self { offsets: HashMap::default(), seed, limit, end: start }
    }

    fn hash(&self, key: &[u8]) -> KeyHash {
        let hash = XxHash3_128::oneshot_with_seed(self.seed, key);
        [hash as u64, (hash >> 64) as u64]
    }

    /// Notes the records of a batch. Says whether there was room for all.
    fn add(&mut self, batch: &Batch) -> Result<bool, RecordError> {
        let header = batch.header();
        if header.next_offset() <= self.end {
            return Ok(true);
        }
        if !header.attributes.is_control() {
            let section = batch.record_section(MAX_BATCH_BYTES)?;
            for record in RecordIter::new(header, &section) {
                let record = record?;
                let Some(key) = record.key else { continue };
                if record.offset < self.end {
                    continue;
                }
                let hash = self.hash(key);
                let is_full = self.offsets.len() >= self.limit;
                match self.offsets.get_mut(&hash) {
                    Some(offset) => *offset = record.offset,
                    None if is_full => {
                        self.end = record.offset;
                        return Ok(false);
                    }
                    None => {
                        self.offsets.insert(hash, record.offset);
                    }
                }
            }
        }
        self.end = header.next_offset();
        Ok(true)
    }

    /// Whether the map knows a newer record of the key than the one at `offset`.
    fn has_newer(&self, key: &[u8], offset: i64) -> bool {
        self.offsets.get(&self.hash(key)).is_some_and(|newest| *newest > offset)
    }
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Unchanged,
    Anew(Bytes),
    /// Nothing of it is left.
    Gone,
}

/// Decides over batches.
#[derive(Debug)]
pub(super) struct Compactor<'a> {
    map: &'a KeyMap,
    now_ms: i64,
    delete_retention_ms: i64,
    /// Where the last batch ends of each producer that is remembered; `None`
    /// where nobody knows.
    producers: &'a HashMap<i64, Option<i64>>,
}

impl Compactor<'_> {
    /// What is left of the batch. At the end of a segment it stays, if only as
    /// an empty one.
    fn judge(&self, batch: &Batch, is_last: bool) -> Result<Fate, RecordError> {
        let header = batch.header();
        // Markers of transactions say what became of records that may be anywhere.
        if header.attributes.is_control() || header.base_offset >= self.map.end {
            return Ok(Fate::Unchanged);
        }
        let section = batch.record_section(MAX_BATCH_BYTES)?;
        let horizon = header.attributes.has_delete_horizon().then_some(header.base_timestamp);
        let keep = |record: &Record<'_>| {
            if record.offset >= self.map.end {
                return true;
            }
            // Nothing without a key is accepted; what a foreign log has of it goes.
            let Some(key) = record.key else { return false };
            let is_past = record.value.is_none() && horizon.is_some_and(|at| self.now_ms >= at);
            !is_past && !self.map.has_newer(key, record.offset)
        };
        let (mut kept, mut tombstones) = (0, 0);
        for record in RecordIter::new(header, &section) {
            let record = record?;
            if keep(&record) {
                kept += 1;
                tombstones += i32::from(record.value.is_none());
            }
        }
        let new_horizon = (tombstones > 0 && horizon.is_none())
            .then(|| self.now_ms.saturating_add(self.delete_retention_ms));
        if kept == header.records_count && new_horizon.is_none() {
            let is_needed = kept > 0 || is_last || self.is_last_of_producer(batch);
            return Ok(if is_needed { Fate::Unchanged } else { Fate::Gone });
        }
        if kept == 0 && !is_last && !self.is_last_of_producer(batch) {
            return Ok(Fate::Gone);
        }
        Ok(Fate::Anew(batch.compacted(&section, new_horizon, keep)?))
    }

    fn is_last_of_producer(&self, batch: &Batch) -> bool {
        let header = batch.header();
        header.has_producer_id()
            && self.producers.get(&header.producer_id).is_some_and(|last| {
                last.is_none_or(|last_offset| last_offset == header.last_offset())
            })
    }
}

/// What a partition has to clean.
#[derive(Debug, Clone)]
pub(super) struct Cleanable {
    segments: Arc<[Arc<Segment>]>,
    /// Everything before it was compacted once.
    first_dirty: i64,
    /// How many segments may be compacted.
    count: usize,
    clean_bytes: u64,
    dirty_bytes: u64,
    is_overdue: bool,
}

impl Cleanable {
    /// The part that was not compacted yet, 0 to 1.
    pub(super) fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes + self.dirty_bytes;
        if total == 0 { 0.0 } else { self.dirty_bytes as f64 / total as f64 }
    }

    /// Whether the oldest dirty record is older than it may be.
    pub(super) fn is_overdue(&self) -> bool {
        self.is_overdue
    }

    fn segments(&self) -> &[Arc<Segment>] {
        self.segments.get(..self.count).unwrap_or_default()
    }
}

/// What stops compaction, and how fast it may go.
pub(super) trait Pace {
    /// Called with the bytes that were read or written; `Err` ends the compaction.
    fn went(&self, bytes: u64) -> io::Result<()>;
}

impl Partition {
    /// What could be compacted now, if compaction is worth its while.
    pub(super) fn cleanable(&self, first_dirty: i64) -> io::Result<Option<Cleanable>> {
        let config = self.config();
        if !config.compact || self.is_deleted() {
            return Ok(None);
        }
        let now_ms = self.directory.now_ms();
        let segments = self.log.segments();
        let readable_segment = self.high_mark().segment;
        let first_dirty = first_dirty.clamp(self.log.start_offset(), self.log_end_offset());
        let mut cleanable = Cleanable {
            count: 0,
            first_dirty,
            clean_bytes: 0,
            dirty_bytes: 0,
            is_overdue: false,
            segments: Arc::clone(&segments),
        };
        // The newest is written to.
        let closed = segments.split_last().map_or(&[][..], |(_, closed)| closed);
        for (index, segment) in closed.iter().enumerate() {
            let end = segments.get(index + 1).map_or(i64::MAX, |next| next.base_offset());
            let is_dirty = end > first_dirty;
            let is_young =
                segment.newest_ms() > now_ms.saturating_sub(config.min_compaction_lag_ms);
            if segment.base_offset() >= readable_segment || (is_dirty && is_young) {
                break;
            }
            cleanable.count = index + 1;
            if is_dirty {
                cleanable.dirty_bytes += segment.size();
                if config.max_compaction_lag_ms < i64::MAX && !cleanable.is_overdue {
                    let first = segment.first_timestamp()?.unwrap_or(now_ms);
                    cleanable.is_overdue =
                        now_ms.saturating_sub(first) > config.max_compaction_lag_ms;
                }
            } else {
                cleanable.clean_bytes += segment.size();
            }
        }
        let is_worth_it =
            cleanable.is_overdue || cleanable.dirty_ratio() > config.min_cleanable_dirty_ratio;
        Ok((cleanable.dirty_bytes > 0 && is_worth_it).then_some(cleanable))
    }

    /// Compacts, and gives the offset up to which the partition is clean then.
    ///
    /// # Errors
    /// The log is as good as before then, if not as small.
    pub(super) fn compact(
        &self,
        cleanable: &Cleanable,
        budget_bytes: usize,
        seed: u64,
        pace: &dyn Pace,
    ) -> Result<i64, ReadError> {
        let _turn = self.maintenance.lock();
        let mut map = KeyMap::new(budget_bytes, cleanable.first_dirty, seed);
        let mut has_room = true;
        for segment in cleanable.segments() {
            segment.try_walk(|position, header| {
                if header.next_offset() <= cleanable.first_dirty {
                    return Ok(true);
                }
                let batch = whole_batch(segment, position, header, pace)?;
                has_room = map.add(&batch)?;
                Ok(has_room)
            })?;
            if !has_room {
                break;
            }
        }
        if map.end == cleanable.first_dirty {
            return Ok(map.end);
        }
        let producers = self.last_offsets_of_producers();
        let config = self.config();
        let compactor = Compactor {
            map: &map,
            now_ms: self.directory.now_ms(),
            delete_retention_ms: config.delete_retention_ms,
            producers: &producers,
        };
        for group in groups(&cleanable.segments, cleanable.count, map.end, &config) {
            self.compact_group(group, &compactor, pace)?;
        }
        Ok(map.end)
    }

    /// Writes some segments anew as one, and puts it in their place.
    fn compact_group(
        &self,
        group: &[Arc<Segment>],
        compactor: &Compactor<'_>,
        pace: &dyn Pace,
    ) -> Result<(), ReadError> {
        let Some(first) = group.first() else { return Ok(()) };
        let cleaned = self.begin_cleaned(first.base_offset())?;
        match self.write_cleaned(group, &cleaned, compactor, pace) {
            Ok(true) => self.put_in_place(group, cleaned)?,
            Ok(false) => self.throw_away(&cleaned)?,
            Err(error) => {
                // The next start would do it, after a failure of the disk.
                let _ = self.throw_away(&cleaned);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes what is left of some segments, and says whether that differs from them.
    fn write_cleaned(
        &self,
        group: &[Arc<Segment>],
        cleaned: &Segment,
        compactor: &Compactor<'_>,
        pace: &dyn Pace,
    ) -> Result<bool, ReadError> {
        let interval_bytes = self.config().index_interval_bytes;
        let mut has_changed = group.len() > 1;
        for (index, segment) in group.iter().enumerate() {
            let is_last_segment = index + 1 == group.len();
            let size = segment.size();
            segment.try_walk(|position, header| {
                let batch = whole_batch(segment, position, header, pace)?;
                let is_last = is_last_segment && position + header.size_in_bytes() as u64 == size;
                let fate = compactor.judge(&batch, is_last)?;
                has_changed |= fate != Fate::Unchanged;
                let left = match fate {
                    Fate::Unchanged => batch.into_bytes(),
                    Fate::Anew(bytes) => bytes,
                    Fate::Gone => return Ok(true),
                };
                pace.went(left.len() as u64)?;
                cleaned.append(&left, interval_bytes)?;
                Ok(true)
            })?;
        }
        Ok(has_changed)
    }
}

impl Segment {
    /// Writes one batch, which has its offset already, behind the others.
    fn append(&self, batch: &Bytes, interval_bytes: u32) -> Result<(), ReadError> {
        let header = BatchHeader::parse(batch)?;
        let written = self.write(&mut [IoSlice::new(batch)], batch.len() as u64);
        written.map_err(|(error, _)| error)?;
        self.publish(&header, interval_bytes);
        Ok(())
    }
}

/// A batch as it was stored, checked.
fn whole_batch(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
    pace: &dyn Pace,
) -> Result<Batch, ReadError> {
    pace.went(header.size_in_bytes() as u64)?;
    let batch = segment.batch(position, header)?;
    batch.verify_crc()?;
    Ok(batch)
}

/// Those of the first `count` segments that begin before `end`, neighbours
/// together that can become one, by their sizes before.
fn groups<'a>(
    segments: &'a [Arc<Segment>],
    count: usize,
    end: i64,
    config: &TopicConfig,
) -> Vec<&'a [Arc<Segment>]> {
    let covered = segments.iter().take(count).take_while(|segment| segment.base_offset() < end);
    let mut left = covered.count();
    let mut groups = Vec::new();
    let mut rest = segments;
    while let Some(first) = rest.first().filter(|_| left > 0) {
        let (mut size, mut index_size, mut count) = (0, 0, 0);
        for (index, segment) in rest.iter().take(left).enumerate() {
            size += segment.size();
            index_size += segment.index_size();
            let next = rest.get(index + 1).map_or(segment.base_offset(), |next| next.base_offset());
            let reach = next - first.base_offset();
            let fits = size <= u64::from(config.segment_bytes)
                && index_size <= config.segment_index_bytes as usize
                && reach <= i64::from(i32::MAX);
            if count > 0 && !fits {
                break;
            }
            count += 1;
        }
        let (group, others) = rest.split_at(count);
        groups.push(group);
        rest = others;
        left -= count;
    }
    groups
}

#[cfg(test)]
mod tests {
    use protocol::records::{BatchBuilder, Compression};

    use super::*;

    const NOW_MS: i64 = 1_000_000;

    /// A batch of keys and values at an offset; a missing value is a tombstone.
    fn batch(offset: i64, records: &[(&str, Option<&str>)]) -> Batch {
        let mut builder = BatchBuilder::new(Compression::Gzip);
        builder.set_base_offset(offset);
        for (key, value) in records {
            builder.append(1_000, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
        }
        Batch::from_bytes(builder.build()).unwrap()
    }

    fn left(batch: &Batch) -> Vec<String> {
        let section = batch.record_section(MAX_BATCH_BYTES).unwrap();
        RecordIter::new(batch.header(), &section)
            .map(|record| {
                let record = record.unwrap();
                let text = |bytes: Option<&[u8]>| {
                    bytes
                        .map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
                };
                format!("{}:{}={}", record.offset, text(record.key), text(record.value))
            })
            .collect()
    }

    fn map(batches: &[Batch], budget: usize) -> KeyMap {
        let mut map = KeyMap::new(budget, 0, 7);
        for batch in batches {
            if !map.add(batch).unwrap() {
                break;
            }
        }
        map
    }

    fn compactor<'a>(map: &'a KeyMap, producers: &'a HashMap<i64, Option<i64>>) -> Compactor<'a> {
        Compactor { map, now_ms: NOW_MS, delete_retention_ms: 500, producers }
    }

    fn judged(compactor: &Compactor<'_>, batch: &Batch, is_last: bool) -> Option<Vec<String>> {
        match compactor.judge(batch, is_last).unwrap() {
            Fate::Unchanged => Some(left(batch)),
            Fate::Anew(bytes) => Some(left(&Batch::from_bytes(bytes).unwrap())),
            Fate::Gone => None,
        }
    }

    #[test]
    fn of_each_key_the_newest_record_stays() {
        let batches = [
            batch(0, &[("a", Some("1")), ("b", Some("1"))]),
            batch(2, &[("a", Some("2")), ("c", Some("1")), ("a", Some("3"))]),
            batch(5, &[("c", Some("2"))]),
        ];
        let (map, none) = (map(&batches, 1000), HashMap::new());
        let compactor = compactor(&map, &none);
        let left: Vec<_> = batches.iter().map(|batch| judged(&compactor, batch, false)).collect();
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(left, [texts(&["1:b=1"]), texts(&["4:a=3"]), texts(&["5:c=2"])]);
    }

    #[test]
    fn a_batch_without_records_stays_where_it_says_something() {
        let batches = [batch(0, &[("a", Some("1"))]), batch(1, &[("a", Some("2"))])];
        let (map, none) = (map(&batches, 1000), HashMap::new());
        assert_eq!(judged(&compactor(&map, &none), &batches[0], false), None);
        assert_eq!(judged(&compactor(&map, &none), &batches[0], true), Some(Vec::new()));
        let mut builder = BatchBuilder::new(Compression::None);
        builder.set_producer(9, 0, 0);
        builder.append(1_000, Some(b"a"), Some(b"0"), &[]);
        let of_producer = Batch::from_bytes(builder.build()).unwrap();
        let producers = HashMap::from([(9, Some(0))]);
        assert_eq!(judged(&compactor(&map, &producers), &of_producer, false), Some(Vec::new()));
        let went_on = HashMap::from([(9, Some(5))]);
        assert_eq!(judged(&compactor(&map, &went_on), &of_producer, false), None);
        let unknown = HashMap::from([(9, None)]);
        assert_eq!(judged(&compactor(&map, &unknown), &of_producer, false), Some(Vec::new()));
    }

    #[test]
    fn a_tombstone_gets_a_time_and_goes_after_it() {
        let tombstone = batch(0, &[("a", None)]);
        let map = map(std::slice::from_ref(&tombstone), 1000);
        let none = HashMap::new();
        let first = compactor(&map, &none);
        let Fate::Anew(bytes) = first.judge(&tombstone, false).unwrap() else {
            panic!("it gets a horizon")
        };
        let marked = Batch::from_bytes(bytes).unwrap();
        assert_eq!(marked.header().base_timestamp, NOW_MS + 500);
        assert_eq!(first.judge(&marked, false).unwrap(), Fate::Unchanged, "not yet");
        let later = Compactor { now_ms: NOW_MS + 500, ..first };
        assert_eq!(later.judge(&marked, false).unwrap(), Fate::Gone);
    }

    #[test]
    fn a_full_map_covers_what_it_knows_and_no_more() {
        let batches = [
            batch(0, &[("a", Some("1")), ("b", Some("1"))]),
            batch(2, &[("b", Some("2")), ("c", Some("1")), ("a", Some("2"))]),
        ];
        let map = map(&batches, 2 * BYTES_PER_KEY);
        assert_eq!(map.end, 3, "there is no room for c");
        let none = HashMap::new();
        let compactor = compactor(&map, &none);
        assert_eq!(judged(&compactor, &batches[0], false).unwrap(), ["0:a=1"]);
        assert_eq!(judged(&compactor, &batches[1], false).unwrap(), ["2:b=2", "3:c=1", "4:a=2"]);
    }
}

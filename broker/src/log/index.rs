//! The sparse indexes of a segment: from offsets and from times to positions.
//!
//! One entry is made for every `index.interval.bytes` of the segment, as Kafka
//! makes them. They are kept in memory and written behind: an index can always
//! be made again from its segment, so a crash may cost entries, but nothing else.
//!
//! ```text
//! .index      relative offset of a batch's last record (4), position of the batch (4)
//! .timeindex  largest timestamp so far (8), relative offset of the batch that has it (4)
//! ```

use std::io::{self, IoSlice};

use super::file::LogFile;

/// Bytes of an entry in `.index`.
const OFFSET_ENTRY: usize = 8;
/// Bytes of an entry in `.timeindex`.
const TIME_ENTRY: usize = 12;

/// Where a batch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OffsetEntry {
    /// Of the batch's last record, counted from the segment's base offset.
    relative_offset: u32,
    position: u32,
}

/// The largest timestamp up to an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TimeEntry {
    timestamp: i64,
    relative_offset: u32,
}

/// Both indexes of one segment.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    offsets: Vec<OffsetEntry>,
    times: Vec<TimeEntry>,
    /// Entries that are in the files already.
    written_offsets: usize,
    written_times: usize,
    bytes_since_entry: u64,
    /// The largest timestamp of the segment and the relative offset of the batch that has it.
    newest: Option<(i64, u32)>,
}

/// What the indexes need to know of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexedBatch {
    pub(crate) last_relative_offset: u32,
    pub(crate) position: u32,
    pub(crate) size: u32,
    pub(crate) max_timestamp: i64,
}

impl Indexes {
    /// Notes a batch that was appended behind all others.
    pub(crate) fn append(&mut self, batch: IndexedBatch, interval_bytes: u32) {
        if self.newest.is_none_or(|(timestamp, _)| batch.max_timestamp > timestamp) {
            self.newest = Some((batch.max_timestamp, batch.last_relative_offset));
        }
        if self.bytes_since_entry > u64::from(interval_bytes) {
            self.offsets.push(OffsetEntry {
                relative_offset: batch.last_relative_offset,
                position: batch.position,
            });
            self.append_time();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += u64::from(batch.size);
    }

    /// The last entry of a segment's time index tells its newest record.
    pub(crate) fn append_time(&mut self) {
        let Some((timestamp, relative_offset)) = self.newest else { return };
        if self.times.last().is_none_or(|last| timestamp > last.timestamp) {
            self.times.push(TimeEntry { timestamp, relative_offset });
        }
    }

    /// A position at or before the batch that holds the relative offset.
    pub(crate) fn position_of(&self, relative_offset: u32) -> u32 {
        let later = self.offsets.partition_point(|entry| entry.relative_offset <= relative_offset);
        later.checked_sub(1).and_then(|at| self.offsets.get(at)).map_or(0, |entry| entry.position)
    }

    /// The start of a batch at or before a position.
    pub(crate) fn batch_before(&self, position: u32) -> u32 {
        let later = self.offsets.partition_point(|entry| entry.position <= position);
        later.checked_sub(1).and_then(|at| self.offsets.get(at)).map_or(0, |entry| entry.position)
    }

    /// A position before which every record is older than `timestamp`.
    pub(crate) fn position_of_time(&self, timestamp: i64) -> u32 {
        let later = self.times.partition_point(|entry| entry.timestamp < timestamp);
        let before = later.checked_sub(1).and_then(|at| self.times.get(at));
        before.map_or(0, |entry| self.position_of(entry.relative_offset))
    }

    /// The largest timestamp of the segment, and the relative offset of the batch that has it.
    pub(crate) fn newest(&self) -> Option<(i64, u32)> {
        self.newest
    }

    /// Position of the last entry: what is behind it has to be walked.
    pub(crate) fn last_position(&self) -> u32 {
        self.offsets.last().map_or(0, |entry| entry.position)
    }

    /// Bytes of `.index` with every entry.
    pub(crate) fn size_in_bytes(&self) -> usize {
        self.offsets.len() * OFFSET_ENTRY
    }

    /// Writes entries that are not in the files yet.
    pub(crate) fn write(&mut self, offsets: &dyn LogFile, times: &dyn LogFile) -> io::Result<()> {
        let fresh = self.offsets.get(self.written_offsets..).unwrap_or_default();
        let mut bytes = Vec::with_capacity(fresh.len() * OFFSET_ENTRY);
        for entry in fresh {
            bytes.extend_from_slice(&entry.relative_offset.to_be_bytes());
            bytes.extend_from_slice(&entry.position.to_be_bytes());
        }
        write(offsets, &bytes, self.written_offsets * OFFSET_ENTRY)?;
        self.written_offsets = self.offsets.len();
        let fresh = self.times.get(self.written_times..).unwrap_or_default();
        let mut bytes = Vec::with_capacity(fresh.len() * TIME_ENTRY);
        for entry in fresh {
            bytes.extend_from_slice(&entry.timestamp.to_be_bytes());
            bytes.extend_from_slice(&entry.relative_offset.to_be_bytes());
        }
        write(times, &bytes, self.written_times * TIME_ENTRY)?;
        self.written_times = self.times.len();
        Ok(())
    }

    /// Reads the files of a segment of `segment_size` bytes; `None` when what
    /// they hold cannot be true, so that they have to be made again.
    pub(crate) fn read(
        offsets: &dyn LogFile,
        times: &dyn LogFile,
        segment_size: u64,
    ) -> io::Result<Option<Self>> {
        let (offset_bytes, time_bytes) = (read(offsets)?, read(times)?);
        let (offset_chunks, offset_rest) = offset_bytes.as_chunks::<OFFSET_ENTRY>();
        let (time_chunks, time_rest) = time_bytes.as_chunks::<TIME_ENTRY>();
        let mut indexes = Self::default();
        for [o0, o1, o2, o3, p0, p1, p2, p3] in offset_chunks {
            indexes.offsets.push(OffsetEntry {
                relative_offset: u32::from_be_bytes([*o0, *o1, *o2, *o3]),
                position: u32::from_be_bytes([*p0, *p1, *p2, *p3]),
            });
        }
        for [t0, t1, t2, t3, t4, t5, t6, t7, o0, o1, o2, o3] in time_chunks {
            indexes.times.push(TimeEntry {
                timestamp: i64::from_be_bytes([*t0, *t1, *t2, *t3, *t4, *t5, *t6, *t7]),
                relative_offset: u32::from_be_bytes([*o0, *o1, *o2, *o3]),
            });
        }
        indexes.written_offsets = indexes.offsets.len();
        indexes.written_times = indexes.times.len();
        indexes.newest = indexes.times.last().map(|entry| (entry.timestamp, entry.relative_offset));
        let grows = indexes.offsets.is_sorted_by(|one, next| {
            one.relative_offset < next.relative_offset && one.position < next.position
        }) && indexes.times.is_sorted_by(|one, next| {
            one.timestamp < next.timestamp && one.relative_offset < next.relative_offset
        });
        let fits =
            indexes.offsets.last().is_none_or(|last| u64::from(last.position) < segment_size);
        let whole = offset_rest.is_empty() && time_rest.is_empty();
        Ok((grows && fits && whole).then_some(indexes))
    }
}

fn write(file: &dyn LogFile, bytes: &[u8], position: usize) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    file.write_at(&mut [IoSlice::new(bytes)], position as u64)
}

fn read(file: &dyn LogFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::log::Disk;
    use crate::log::file::FileSystem;

    /// Batches of 100 bytes with ten records each and these timestamps.
    fn indexes(timestamps: &[i64]) -> Indexes {
        let mut indexes = Indexes::default();
        for (number, timestamp) in (0..).zip(timestamps) {
            let batch = IndexedBatch {
                last_relative_offset: number * 10 + 9,
                position: number * 100,
                size: 100,
                max_timestamp: *timestamp,
            };
            indexes.append(batch, 150);
        }
        indexes
    }

    fn files(directory: &Path) -> (std::sync::Arc<dyn LogFile>, std::sync::Arc<dyn LogFile>) {
        let open = |name| Disk.open(&directory.join(name), true).unwrap();
        (open("0.index"), open("0.timeindex"))
    }

    #[test]
    fn an_entry_leads_to_its_batch_or_one_before() {
        // Entries: after 200 bytes at batch 2, then at 4, 6, ...
        let indexes = indexes(&[1, 2, 3, 4, 5, 6, 7]);
        for (offset, position) in [(0, 0), (28, 0), (29, 200), (48, 200), (49, 400), (1000, 600)] {
            assert_eq!(indexes.position_of(offset), position, "offset {offset}");
        }
        for (position, before) in [(0, 0), (199, 0), (200, 200), (599, 400), (9999, 600)] {
            assert_eq!(indexes.batch_before(position), before, "position {position}");
        }
    }

    #[test]
    fn times_may_jump_back_and_the_index_never_does() {
        let indexes = indexes(&[10, 50, 20, 30, 60, 40, 70]);
        assert_eq!(indexes.newest(), Some((70, 69)));
        // The entry at batch 2 says that 50 was seen up to batch 1.
        for (timestamp, position) in [(10, 0), (50, 0), (51, 0), (60, 0), (61, 400), (71, 600)] {
            assert!(indexes.position_of_time(timestamp) <= position, "time {timestamp}");
        }
    }

    #[test]
    fn files_hold_what_was_indexed_and_nonsense_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let (offsets, times) = files(directory.path());
        let mut indexes = indexes(&[1, 2, 3, 4, 5, 6, 7]);
        indexes.append_time();
        indexes.write(&*offsets, &*times).unwrap();
        indexes.write(&*offsets, &*times).unwrap();
        let read = Indexes::read(&*offsets, &*times, 700).unwrap().unwrap();
        assert_eq!((&read.offsets, &read.times), (&indexes.offsets, &indexes.times));
        assert_eq!(read.newest(), Some((7, 69)));
        assert!(Indexes::read(&*offsets, &*times, 600).unwrap().is_none(), "beyond the segment");
        offsets.set_len(17).unwrap();
        assert!(Indexes::read(&*offsets, &*times, 700).unwrap().is_none(), "cut");
    }
}

//! One segment of a partition's log: a file of record batches, with its indexes.
//!
//! A log is a row of segments, each named after the first offset it may hold.
//! Only the newest is written to; the others never change again.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;
use protocol::records::{Batch, BatchHeader, HEADER_SIZE};

use super::file::{FileRange, FileSystem, LogFile, Reads};
use super::index::{IndexedBatch, Indexes};
use super::open_files::{OpenFiles, SegmentFile};
use super::partition_log::ReadError;

/// How much is read at a time while looking for a batch.
const WALK_BYTES: usize = 4096;
/// How much is read at a time when a whole segment is checked.
const SCAN_BYTES: usize = 1024 * 1024;

/// A segment, for reading, and for appending if it is the newest.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    path: PathBuf,
    file: Arc<SegmentFile>,
    /// For the indexes, which are only open while they are read or written.
    files: Arc<dyn FileSystem>,
    index_paths: [PathBuf; 2],
    size: AtomicU64,
    /// Space that is allocated for the file, at least its size.
    allocated: AtomicU64,
    /// Written to since it was opened.
    has_changed: AtomicBool,
    indexes: RwLock<Indexes>,
}

/// What a scan of a segment's bytes found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// The offset behind the last whole batch.
    pub(crate) next_offset: i64,
    /// Bytes behind the last whole batch, which were cut off, and why.
    pub(crate) cut: Option<(u64, String)>,
}

/// The largest file of batches, so that positions fit the index.
pub(crate) const MAX_BYTES: u64 = i32::MAX as u64;

impl Segment {
    /// Makes or opens the files of the segment that begins at `base_offset`.
    pub(crate) fn open(
        open_files: &Arc<OpenFiles>,
        files: &Arc<dyn FileSystem>,
        directory: &Path,
        base_offset: i64,
        create: bool,
    ) -> io::Result<Self> {
        let [log, offset_index, time_index] =
            Self::file_names(base_offset).map(|name| directory.join(name));
        let file = files.open(&log, create)?;
        let index_paths = [offset_index, time_index];
        for path in &index_paths {
            // Kafka's tools look for them even if there is nothing in them.
            files.open(path, true)?;
        }
        let segment = Self::of_files(open_files, files, base_offset, log, file, index_paths)?;
        segment.file.settle();
        Ok(segment)
    }

    /// Makes an empty segment whose files have `suffix` behind their names. Its batches
    /// stay open until the name is settled.
    pub(crate) fn create_aside(
        open_files: &Arc<OpenFiles>,
        files: &Arc<dyn FileSystem>,
        directory: &Path,
        base_offset: i64,
        suffix: &str,
    ) -> io::Result<Self> {
        let make = |path: &Path| {
            let file = files.open(path, true)?;
            file.set_len(0)?;
            Ok::<_, io::Error>(file)
        };
        let [log, offset_index, time_index] =
            Self::file_names(base_offset).map(|name| directory.join(format!("{name}{suffix}")));
        let file = make(&log)?;
        make(&offset_index)?;
        make(&time_index)?;
        let path = directory.join(file_name(base_offset, "log"));
        Self::of_files(open_files, files, base_offset, path, file, [offset_index, time_index])
    }

    fn of_files(
        open_files: &Arc<OpenFiles>,
        files: &Arc<dyn FileSystem>,
        base_offset: i64,
        path: PathBuf,
        file: Arc<dyn LogFile>,
        index_paths: [PathBuf; 2],
    ) -> io::Result<Self> {
        let size = file.len()?;
        Ok(Self {
            base_offset,
            file: SegmentFile::new(open_files, files, path.clone(), file),
            path,
            files: Arc::clone(files),
            index_paths,
            size: AtomicU64::new(size),
            allocated: AtomicU64::new(size),
            has_changed: AtomicBool::new(false),
            indexes: RwLock::default(),
        })
    }

    /// The first offset that the segment may hold.
    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Where the batches are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of batches.
    pub(crate) fn file(&self) -> &Arc<SegmentFile> {
        &self.file
    }

    /// Bytes of batches.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Bytes of the offset index.
    pub(crate) fn index_size(&self) -> usize {
        self.indexes.read().size_in_bytes()
    }

    /// The largest timestamp in the segment.
    pub(crate) fn max_timestamp(&self) -> Option<i64> {
        self.indexes.read().newest().map(|(timestamp, _)| timestamp)
    }

    /// Writes batches behind those that are there. They count only after
    /// [`Segment::publish`]. After an error the file is cut back.
    ///
    /// # Errors
    /// The write's error, and whether the file is as it was before.
    pub(crate) fn write(
        &self,
        slices: &mut [IoSlice<'_>],
        length: u64,
    ) -> Result<(), (io::Error, bool)> {
        let size = self.size();
        let file = self.file.get_for_writing().map_err(|error| (error, true))?;
        self.has_changed.store(true, Ordering::Relaxed);
        self.allocate(&*file, size + length).map_err(|error| (error, true))?;
        file.write_at(slices, size).map_err(|error| {
            let restored = file.set_len(size).is_ok();
            self.allocated.store(size, Ordering::Relaxed);
            (error, restored)
        })
    }

    /// Asks for space ahead of the writes, in steps that grow with the segment,
    /// so that syncs find the space already there.
    ///
    /// # Errors
    /// When the disk is full. A write might still succeed then, and the sync fail.
    fn allocate(&self, file: &dyn LogFile, needed: u64) -> io::Result<()> {
        const FIRST_STEP: u64 = 64 * 1024;
        const LARGEST_STEP: u64 = 16 * 1024 * 1024;
        let allocated = self.allocated.load(Ordering::Relaxed);
        if needed <= allocated {
            return Ok(());
        }
        for target in [needed + allocated.clamp(FIRST_STEP, LARGEST_STEP), needed] {
            match file.allocate(allocated, target - allocated) {
                Ok(()) => {
                    self.allocated.store(target, Ordering::Relaxed);
                    return Ok(());
                }
                // There may be room for what is needed now.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
                // A file system that cannot do it.
                Err(_) => return Ok(()),
            }
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Makes a batch that was written visible to readers.
    pub(crate) fn publish(&self, header: &BatchHeader, interval_bytes: u32) {
        let position = self.size();
        let size = header.size_in_bytes() as u64;
        self.indexes.write().append(indexed(self.base_offset, header, position), interval_bytes);
        self.size.store(position + size, Ordering::Release);
    }

    /// Nothing more will be appended: gives back space and completes the indexes,
    /// which somebody has to sync before the segment is believed after a crash.
    pub(crate) fn close(&self) -> io::Result<()> {
        let size = self.size();
        if self.allocated.swap(size, Ordering::Relaxed) > size {
            self.file.get_for_writing()?.set_len(size)?;
        }
        let mut indexes = self.indexes.write();
        indexes.append_time();
        let [offsets, times] = self.index_files()?;
        indexes.write(&*offsets, &*times)
    }

    /// Whether anything was written since the segment was opened.
    pub(crate) fn has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Relaxed)
    }

    /// The files of the indexes.
    ///
    /// # Errors
    /// When they cannot be opened, or the segment was compacted: it is complete.
    pub(crate) fn index_files(&self) -> io::Result<[Arc<dyn LogFile>; 2]> {
        let [offsets, times] = &self.index_paths;
        Ok([self.files.open(offsets, true)?, self.files.open(times, true)?])
    }

    /// Makes batches and indexes durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()?;
        self.sync_indexes()
    }

    /// Makes the indexes durable. What is gone need not be.
    pub(super) fn sync_indexes(&self) -> io::Result<()> {
        for path in &self.index_paths {
            match self.files.open(path, false) {
                Err(_) if self.file.is_gone() => {}
                file => file?.sync()?,
            }
        }
        Ok(())
    }

    /// The position and header of the first batch, below `limit`, that ends at
    /// or behind an offset.
    pub(crate) fn locate(
        &self,
        offset: i64,
        limit: u64,
        reads: Reads,
    ) -> io::Result<Option<(u64, BatchHeader)>> {
        let relative = u32::try_from(offset.saturating_sub(self.base_offset)).unwrap_or(0);
        let start = self.indexes.read().position_of(relative);
        let mut walk = Walk { reads, ..Walk::new(self, start.into(), limit) };
        while let Some((position, header)) = walk.next()? {
            if header.last_offset() >= offset {
                return Ok(Some((position, header)));
            }
        }
        Ok(None)
    }

    /// How many bytes the whole batches have that begin at `start` and end
    /// within `max_bytes` and below `limit`.
    pub(crate) fn whole_batches(
        &self,
        start: u64,
        max_bytes: u64,
        limit: u64,
        reads: Reads,
    ) -> io::Result<u64> {
        if limit - start <= max_bytes {
            return Ok(limit - start);
        }
        let bound = start + max_bytes;
        let from = self.indexes.read().batch_before(u32::try_from(bound).unwrap_or(u32::MAX));
        let from = u64::from(from).max(start);
        let mut walk = Walk { reads, ..Walk::new(self, from, limit) };
        let mut end = from;
        while let Some((position, header)) = walk.next()? {
            let next = position + header.size_in_bytes() as u64;
            if next > bound {
                break;
            }
            end = next;
        }
        Ok(end - start)
    }

    /// The header of the first batch below `limit` whose newest record is not
    /// older than `timestamp`, with its position.
    pub(crate) fn locate_time(
        &self,
        timestamp: i64,
        limit: u64,
    ) -> io::Result<Option<(u64, BatchHeader)>> {
        let start = self.indexes.read().position_of_time(timestamp);
        let mut walk = Walk::new(self, start.into(), limit);
        while let Some((position, header)) = walk.next()? {
            if header.max_timestamp >= timestamp {
                return Ok(Some((position, header)));
            }
        }
        Ok(None)
    }

    /// The largest timestamp, or, where records have none, when the file was last
    /// written to, in ms.
    pub(crate) fn newest_ms(&self) -> i64 {
        let newest = self.max_timestamp().filter(|timestamp| *timestamp >= 0);
        let modified = || self.file.get(Reads::Blocking)?.modified_ms();
        newest.or_else(|| modified().ok()).unwrap_or(i64::MAX)
    }

    /// The largest timestamp of the first batch.
    pub(crate) fn first_timestamp(&self) -> io::Result<Option<i64>> {
        let first = Walk::new(self, 0, self.size()).next()?;
        Ok(first.map(|(_, header)| header.max_timestamp))
    }

    /// Calls `visit` with position and header of each batch, until it says no or fails.
    pub(super) fn try_walk(
        &self,
        mut visit: impl FnMut(u64, &BatchHeader) -> Result<bool, ReadError>,
    ) -> Result<(), ReadError> {
        let mut walk = Walk::new(self, 0, self.size());
        while let Some((position, header)) = walk.next()? {
            if !visit(position, &header)? {
                break;
            }
        }
        Ok(())
    }

    /// Calls `visit` with the header of each batch from a position on.
    pub(crate) fn walk(
        &self,
        start: u64,
        limit: u64,
        mut visit: impl FnMut(u64, &BatchHeader),
    ) -> io::Result<()> {
        let mut walk = Walk::new(self, start, limit);
        while let Some((position, header)) = walk.next()? {
            visit(position, &header);
        }
        Ok(())
    }

    /// The batch at a position.
    pub(crate) fn batch(&self, position: u64, header: &BatchHeader) -> io::Result<Batch> {
        let file = self.file.get(Reads::Blocking)?;
        let range = FileRange::new(file, position, header.size_in_bytes());
        Batch::from_bytes(range.read()?).map_err(invalid_data)
    }

    /// Takes the indexes from their files and finds the end of the log, after a
    /// clean stop. `None` when something does not fit together.
    pub(crate) fn load(&self, interval_bytes: u32) -> io::Result<Option<i64>> {
        let size = self.size();
        let [offsets, times] = self.index_files()?;
        let Some(indexes) = Indexes::read(&*offsets, &*times, size)? else {
            return Ok(None);
        };
        let start = indexes.last_position();
        *self.indexes.write() = indexes;
        let (mut next_offset, mut end) = (self.base_offset, u64::from(start));
        let mut walk = Walk::new(self, start.into(), size);
        let mut is_indexed = start > 0;
        loop {
            match walk.next() {
                Ok(Some((position, header))) => {
                    if header.next_offset() <= next_offset || header.base_offset < next_offset {
                        return Ok(None);
                    }
                    next_offset = header.next_offset();
                    end = position + header.size_in_bytes() as u64;
                    if !std::mem::take(&mut is_indexed) {
                        let batch = indexed(self.base_offset, &header, position);
                        self.indexes.write().append(batch, interval_bytes);
                    }
                }
                Ok(None) => return Ok((end == size).then_some(next_offset)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Checks every batch, cuts the file at the first one that is not whole, and
    /// makes the indexes again.
    ///
    /// Calls `visit` with each batch that is good. Offsets have to be in `expected`: where
    /// the next segment begins, this one has ended, whatever a failed write left behind.
    pub(crate) fn recover(
        &self,
        mut expected: Range<i64>,
        interval_bytes: u32,
        mut visit: impl FnMut(&BatchHeader),
    ) -> io::Result<Scanned> {
        let mut indexes = Indexes::default();
        let file = self.file.get_for_writing()?;
        let size = file.len()?;
        let mut position = 0;
        let mut cut = None;
        let mut window = Window { file: &*file, size, start: 0, bytes: Vec::new() };
        while position < size {
            let header = BatchHeader::parse(window.at(position, HEADER_SIZE)?);
            let length = header.map_or(HEADER_SIZE, |header| header.size_in_bytes());
            match whole_batch(window.at(position, length)?, &expected) {
                Ok(header) => {
                    visit(&header);
                    indexes.append(indexed(self.base_offset, &header, position), interval_bytes);
                    expected.start = header.next_offset();
                    position += header.size_in_bytes() as u64;
                }
                Err(reason) => {
                    cut = Some((size - position, reason));
                    break;
                }
            }
        }
        if cut.is_some() {
            file.set_len(position)?;
        }
        self.size.store(position, Ordering::Release);
        self.allocated.store(position, Ordering::Relaxed);
        let [offsets, times] = self.index_files()?;
        offsets.set_len(0)?;
        times.set_len(0)?;
        indexes.append_time();
        indexes.write(&*offsets, &*times)?;
        *self.indexes.write() = indexes;
        Ok(Scanned { next_offset: expected.start, cut })
    }

    /// Where the batches of a file end that begins at `base_offset`.
    ///
    /// # Errors
    /// `InvalidData` when the file does not consist of whole batches.
    pub(crate) fn next_offset_in(
        open_files: &Arc<OpenFiles>,
        files: &Arc<dyn FileSystem>,
        base_offset: i64,
        path: PathBuf,
    ) -> io::Result<i64> {
        let file = files.open(&path, false)?;
        let index_paths = Default::default();
        let segment = Self::of_files(open_files, files, base_offset, path, file, index_paths)?;
        let mut next_offset = base_offset;
        segment.walk(0, segment.size(), |_, header| next_offset = header.next_offset())?;
        Ok(next_offset)
    }

    /// The names of the segment's files.
    pub(crate) fn file_names(base_offset: i64) -> [String; 3] {
        ["log", "index", "timeindex"].map(|suffix| file_name(base_offset, suffix))
    }
}

/// Kafka's name: twenty digits and what the file is for.
pub(crate) fn file_name(base_offset: i64, suffix: &str) -> String {
    format!("{base_offset:020}.{suffix}")
}

fn indexed(segment_base: i64, header: &BatchHeader, position: u64) -> IndexedBatch {
    IndexedBatch {
        last_relative_offset: u32::try_from(header.last_offset() - segment_base)
            .unwrap_or(u32::MAX),
        position: u32::try_from(position).unwrap_or(u32::MAX),
        size: u32::try_from(header.size_in_bytes()).unwrap_or(u32::MAX),
        max_timestamp: header.max_timestamp,
    }
}

/// The batch that `bytes` begin with, if all of it is there and its checksum is right.
fn whole_batch(bytes: &[u8], expected: &Range<i64>) -> Result<BatchHeader, String> {
    let header = BatchHeader::parse(bytes).map_err(|error| error.to_string())?;
    let batch = bytes.get(..header.size_in_bytes()).ok_or("the batch is not whole")?;
    if header.base_offset < expected.start {
        let (found, due) = (header.base_offset, expected.start);
        return Err(format!("offset {found} is below {due}, which is due"));
    }
    if header.next_offset() > expected.end {
        return Err(format!("offset {} is of the next segment", header.last_offset()));
    }
    let batch =
        Batch::from_bytes(Bytes::copy_from_slice(batch)).map_err(|error| error.to_string())?;
    batch.verify_crc().map_err(|error| error.to_string())?;
    Ok(header)
}

/// A file that is read from its start to its end, in large pieces.
pub(super) struct Window<'a> {
    pub(super) file: &'a dyn LogFile,
    pub(super) size: u64,
    /// Where in the file the bytes in memory begin.
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes from `position` on: at least `length`, or as many as there are.
    pub(super) fn at(&mut self, position: u64, length: usize) -> io::Result<&[u8]> {
        let length = (length as u64).min(self.size - position);
        let skipped = position - self.start;
        if (self.bytes.len() as u64).saturating_sub(skipped) < length {
            let wanted = length.max(SCAN_BYTES as u64).min(self.size - position);
            self.bytes.resize(wanted as usize, 0);
            let read = self.file.read_at(&mut self.bytes, position)?;
            self.bytes.truncate(read);
            self.start = position;
        }
        Ok(self.bytes.get((position - self.start) as usize..).unwrap_or_default())
    }
}

/// Goes from batch to batch by their headers.
struct Walk<'a> {
    segment: &'a Segment,
    position: u64,
    limit: u64,
    reads: Reads,
    buffer: [u8; WALK_BYTES],
    /// Where in the file the buffer begins, and how much of it is filled.
    buffer_start: u64,
    filled: usize,
}

impl<'a> Walk<'a> {
    fn new(segment: &'a Segment, position: u64, limit: u64) -> Self {
        let (reads, buffer) = (Reads::Blocking, [0; WALK_BYTES]);
        Self { segment, position, limit, reads, buffer, buffer_start: 0, filled: 0 }
    }

    /// The next batch and where it begins.
    fn next(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        if self.position >= self.limit {
            return Ok(None);
        }
        let position = self.position;
        let header = BatchHeader::parse(self.header_bytes()?).map_err(invalid_data)?;
        self.position += header.size_in_bytes() as u64;
        if self.position > self.limit {
            return Err(invalid_data(format!("the batch at {position} is not whole")));
        }
        Ok(Some((position, header)))
    }

    fn header_bytes(&mut self) -> io::Result<&[u8]> {
        let in_buffer = self
            .position
            .checked_sub(self.buffer_start)
            .and_then(|start| usize::try_from(start).ok())
            .filter(|start| start + HEADER_SIZE <= self.filled);
        let start = match in_buffer {
            Some(start) => start,
            None => {
                // Behind the limit nothing is certain to be in memory, or to be there at all.
                let left = usize::try_from(self.limit - self.position).unwrap_or(usize::MAX);
                let wanted = self.buffer.get_mut(..left.min(WALK_BYTES)).unwrap_or_default();
                let file = self.segment.file.get(self.reads)?;
                self.filled = file.read(wanted, self.position, self.reads)?;
                self.buffer_start = self.position;
                0
            }
        };
        Ok(self.buffer.get(start..self.filled).unwrap_or_default())
    }
}

fn invalid_data(reason: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_string())
}

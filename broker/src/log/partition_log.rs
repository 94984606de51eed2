//! The log of one partition: a row of segments in a directory of its own.
//!
//! ```text
//! orders-0/
//!   00000000000000000000.log  .index  .timeindex
//!   00000000000000012345.log  .index  .timeindex     the newest is appended to
//!   leader-epoch-checkpoint
//!   partition.metadata
//! ```
//!
//! One thread appends; any number of others read meanwhile. Readers bring the
//! mark up to which they may see records, and never look behind it. Nothing here
//! syncs what is appended: [`PartitionLog::take_unsynced`] says what somebody has
//! to sync before a mark is durable.
//!
//! A partition without records has no directory: the first append makes it.

use std::io::{self, IoSlice};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use protocol::Uuid;
use protocol::records::{BatchHeader, RecordError, RecordIter};

use super::file::{FileRange, FileSystem, Reads};
use super::journal::AppendedRange;
use super::leader_epochs::LeaderEpochs;
use super::open_files::{OpenFiles, SegmentFile};
use super::partition_metadata;
use super::recovery;
use super::retention::SegmentFacts;
use super::segment::{self, Segment};
use crate::topic_config::TopicConfig;

/// Bytes at the start of a batch that the broker fills in: base offset, length,
/// leader epoch. None of them is covered by the checksum.
const PREFIX_BYTES: usize = 16;

/// The most that a decompressed batch may take while a timestamp is looked for.
const MAX_DECOMPRESSED_BYTES: usize = 128 * 1024 * 1024;

/// A place in the log: everything below it may be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The next offset.
    pub(crate) offset: i64,
    /// The segment it falls in, by base offset, and the position there.
    pub(crate) segment: i64,
    pub(crate) position: u64,
    /// Bytes that were appended since the log was opened.
    pub(crate) bytes: u64,
}

/// A batch that was found good, ready to be appended.
#[derive(Debug, Clone)]
pub(crate) struct PreparedBatch {
    /// As it will be stored but for base offset and leader epoch.
    pub(crate) header: BatchHeader,
    /// The whole batch with its header.
    pub(crate) bytes: Bytes,
}

/// A record found by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimestampOffset {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
    /// -1 when it is unknown.
    pub(crate) leader_epoch: i32,
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("offset {offset} is outside {log_start_offset}..={log_end_offset}")]
    OffsetOutOfRange { offset: i64, log_start_offset: i64, log_end_offset: i64 },
    #[error("the topic is deleted")]
    Deleted,
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("a batch in the log cannot be read: {0}")]
    Records(#[from] RecordError),
}

impl ReadError {
    /// Whether the file is not there any more.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether what is read is not in memory, and the caller did not want to
    /// wait for the disk: see [`Reads::Cached`].
    pub(crate) fn is_cold(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Files and directories that are not durable yet. In which order they are synced
/// does not matter, but all have to be before the mark is durable.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    pub(super) files: Vec<Arc<SegmentFile>>,
    /// Directories with new files.
    pub(crate) directories: Vec<PathBuf>,
    /// The name of the partition's own directory is new.
    pub(super) is_new: bool,
    /// Segments that were closed, whose indexes are not durable.
    pub(super) closed: Vec<Arc<Segment>>,
    /// What was appended, which stands for the files where a journal takes it.
    pub(super) ranges: Vec<AppendedRange>,
}

impl Unsynced {
    /// Makes it durable, but for the name of a new directory. Blocks on the disk.
    pub(super) fn sync(&self, files: &dyn FileSystem) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.sync())?;
        self.closed.iter().try_for_each(|segment| segment.sync_indexes())?;
        self.directories.iter().try_for_each(|path| files.sync_directory(path))
    }

    /// Whether anything but batches has to be made durable.
    pub(super) fn has_more_than_batches(&self) -> bool {
        self.is_new || !self.closed.is_empty() || !self.directories.is_empty()
    }

    /// As [`Unsynced::sync`], for everything but the batches.
    pub(super) fn sync_all_but_batches(&mut self, files: &dyn FileSystem) -> io::Result<()> {
        let batches = std::mem::take(&mut self.files);
        let synced = self.sync(files);
        let ranges = std::mem::take(&mut self.ranges);
        *self = Self { files: batches, ranges, ..Self::default() };
        synced
    }

    /// Adds what has to be synced, but for what was appended.
    pub(super) fn add(&mut self, other: Self) {
        for file in other.files {
            self.add_file(&file);
        }
        self.closed.extend(other.closed);
        for directory in other.directories {
            if !self.directories.contains(&directory) {
                self.directories.push(directory);
            }
        }
    }

    fn add_file(&mut self, file: &Arc<SegmentFile>) {
        if !self.files.iter().any(|known| Arc::ptr_eq(known, file)) {
            self.files.push(Arc::clone(file));
        }
    }

    fn add_range(&mut self, segment: &Arc<Segment>, position: u64, length: u64) {
        self.add_file(segment.file());
        match self.ranges.last_mut() {
            Some(last) if Arc::ptr_eq(&last.segment, segment) => last.length += length,
            _ => self.ranges.push(AppendedRange { segment: Arc::clone(segment), position, length }),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct PartitionLog {
    pub(super) open_files: Arc<OpenFiles>,
    files: Arc<dyn FileSystem>,
    directory: PathBuf,
    topic_id: Uuid,
    segments: RwLock<Arc<[Arc<Segment>]>>,
    epochs: RwLock<LeaderEpochs>,
    /// What the small files beside the segments do not say yet. Locked before the epochs
    /// by whoever changes those.
    small_files: Mutex<SmallFiles>,
    /// Held while the small files are written.
    writing_small_files: Mutex<()>,
    /// Only the appending thread takes it for long.
    writer: Mutex<Writer>,
}

/// `partition.metadata` and `leader-epoch-checkpoint`. No append waits for them: as long
/// as they may be missing after a crash, the recovery point stays so low that the next
/// start reads the batches that tell the same.
#[derive(Debug, Default)]
struct SmallFiles {
    /// The directory is new, and the file that says whose it is may not be synced.
    has_new_metadata: bool,
    /// The first epoch that the checkpoint has not, or has otherwise, begins here.
    unwritten_from: Option<i64>,
    /// How often the above was changed.
    changes: u64,
}

impl SmallFiles {
    fn note_epochs(&mut self, from: i64) {
        self.unwritten_from = Some(self.unwritten_from.map_or(from, |before| before.min(from)));
        self.changes += 1;
    }
}

#[derive(Debug, Default)]
struct Writer {
    end: Mark,
    unsynced: Unsynced,
    has_directory: bool,
    /// When the newest segment got its first batch: the batch's own time, as in Kafka.
    first_timestamp: Option<i64>,
    /// This segment's share of `segment.jitter.ms`, 0 to 1.
    jitter: f64,
}

/// What opening a log found.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) log: PartitionLog,
    /// What was cut off, for whoever reads the broker's own log.
    pub(crate) cut: Option<String>,
}

impl PartitionLog {
    /// A log without records, which is nowhere on disk.
    pub(crate) fn new(
        open_files: Arc<OpenFiles>,
        files: Arc<dyn FileSystem>,
        directory: PathBuf,
        topic_id: Uuid,
    ) -> Self {
        Self {
            open_files,
            files,
            directory,
            topic_id,
            segments: RwLock::default(),
            epochs: RwLock::default(),
            small_files: Mutex::default(),
            writing_small_files: Mutex::default(),
            writer: Mutex::default(),
        }
    }

    /// Opens the log in a directory that exists.
    ///
    /// After an unclean stop every batch from the segment of `recovery_point` on
    /// is checked, what is not whole is cut off, and what is kept is synced.
    /// `visit` gets the header of each batch from `visit_from` on, or from the
    /// start of the first segment that is checked, if that comes earlier.
    ///
    /// # Errors
    /// When files cannot be read, or are not what their names say. Nothing is
    /// deleted then.
    pub(crate) fn open(
        open_files: Arc<OpenFiles>,
        files: Arc<dyn FileSystem>,
        directory: PathBuf,
        topic_id: Uuid,
        options: recovery::Options,
        visit: &mut dyn FnMut(&BatchHeader),
    ) -> io::Result<Opened> {
        let written = LeaderEpochs::read(&*files, &directory)?;
        let mut epochs = written.clone();
        let mut visit = |header: &BatchHeader| {
            // No checksum covers the epoch of a batch.
            if (0..=options.latest_epoch).contains(&header.partition_leader_epoch) {
                epochs.begin(header.partition_leader_epoch, header.base_offset);
            }
            visit(header);
        };
        let recovered =
            recovery::open_segments(&open_files, &files, &directory, options, &mut visit)?;
        epochs.truncate(recovered.next_offset);
        let mut log = Self::new(open_files, files, directory, topic_id);
        *log.small_files.get_mut() = SmallFiles {
            // A process that was killed may have left it in memory only.
            has_new_metadata: !options.is_clean && options.recovery_point == 0,
            unwritten_from: epochs.first_difference(&written),
            changes: 0,
        };
        *log.epochs.get_mut() = epochs;
        let newest = recovered.segments.last();
        *log.writer.get_mut() = Writer {
            end: Mark {
                offset: recovered.next_offset,
                segment: newest.map_or(0, |segment| segment.base_offset()),
                position: newest.map_or(0, |segment| segment.size()),
                bytes: 0,
            },
            has_directory: true,
            ..Writer::default()
        };
        *log.segments.get_mut() = recovered.segments.into();
        Ok(Opened { log, cut: recovered.cut })
    }

    /// The topic that the log belongs to.
    pub(super) fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// Where the log is, or will be.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Behind the last record that was appended.
    pub(crate) fn end(&self) -> Mark {
        self.writer.lock().end
    }

    /// The first offset of the first segment.
    pub(crate) fn start_offset(&self) -> i64 {
        self.segments.read().first().map_or(0, |segment| segment.base_offset())
    }

    /// All segments, the oldest first.
    pub(super) fn segments(&self) -> Arc<[Arc<Segment>]> {
        Arc::clone(&self.segments.read())
    }

    /// What decides how long each segment is kept.
    pub(super) fn segment_facts(&self) -> Vec<SegmentFacts> {
        let facts = |segment: &Arc<Segment>| SegmentFacts {
            base_offset: segment.base_offset(),
            size: segment.size(),
            newest_ms: segment.newest_ms(),
        };
        self.segments().iter().map(facts).collect()
    }

    /// Forgets the segments that lie wholly before `offset`, and gives them
    /// back. The newest stays.
    pub(super) fn remove_before(&self, offset: i64) -> Vec<Arc<Segment>> {
        let mut segments = self.segments.write();
        let begun = segments.partition_point(|segment| segment.base_offset() <= offset);
        let removed = segments.get(..begun.saturating_sub(1)).unwrap_or_default().to_vec();
        *segments = segments.iter().skip(removed.len()).cloned().collect();
        removed
    }

    /// Puts one segment in the place of neighbouring ones.
    pub(super) fn replace(&self, old: &[Arc<Segment>], new: Arc<Segment>) {
        let mut new = Some(new);
        let mut segments = self.segments.write();
        let is_old = |segment: &Arc<Segment>| old.iter().any(|old| Arc::ptr_eq(old, segment));
        *segments = segments
            .iter()
            .filter_map(
                |segment| if is_old(segment) { new.take() } else { Some(Arc::clone(segment)) },
            )
            .collect();
    }

    /// Begins a new segment, unless the newest is empty. For the appending thread.
    pub(super) fn roll(&self) -> io::Result<()> {
        let mut writer = self.writer.lock();
        match self.segments().last() {
            Some(newest) if newest.size() > 0 => {
                writer.close(newest)?;
                self.begin_segment(&mut writer)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Forgets epochs that end before the log begins now.
    pub(super) fn trim_epochs(&self, log_start_offset: i64) {
        let mut small_files = self.small_files.lock();
        if self.epochs.write().trim(log_start_offset) {
            // No start needs to read anything for it.
            small_files.note_epochs(i64::MAX);
        }
    }

    /// Makes the small files say what they should. Blocks on the disk.
    pub(super) fn write_small_files(&self) -> io::Result<()> {
        let _turn = self.writing_small_files.lock();
        let (has_new_metadata, epochs, changes) = {
            let small_files = self.small_files.lock();
            let epochs = small_files.unwritten_from.map(|_| self.epochs.read().clone());
            (small_files.has_new_metadata, epochs, small_files.changes)
        };
        if has_new_metadata {
            partition_metadata::sync(&*self.files, &self.directory)?;
            self.small_files.lock().has_new_metadata = false;
        }
        if let Some(epochs) = epochs {
            epochs.write(&*self.files, &self.directory)?;
            let mut small_files = self.small_files.lock();
            if small_files.changes == changes {
                small_files.unwritten_from = None;
            }
        }
        Ok(())
    }

    /// Up to where a start may believe the log without reading it, of what is durable
    /// below `synced`.
    pub(super) fn recovery_point(&self, synced: i64) -> i64 {
        let small_files = self.small_files.lock();
        let from = small_files.unwritten_from.unwrap_or(synced);
        if small_files.has_new_metadata { 0 } else { synced.min(from) }
    }

    /// Bytes of batches in all segments.
    pub(crate) fn size(&self) -> u64 {
        self.segments.read().iter().map(|segment| segment.size()).sum()
    }

    /// Appends batches and gives them offsets, in their order. They may be read
    /// up to the mark that is given back.
    ///
    /// # Errors
    /// The first batches may have been appended; the error comes with how many,
    /// and with whether the log can go on. What did not fit is not in the file.
    pub(crate) fn append(
        &self,
        batches: &[PreparedBatch],
        leader_epoch: i32,
        config: &TopicConfig,
    ) -> Result<Mark, AppendFailure> {
        let mut writer = self.writer.lock();
        let mut done = 0;
        while let Some(rest) = batches.get(done..).filter(|rest| !rest.is_empty()) {
            let appended = self.append_some(&mut writer, rest, leader_epoch, config);
            done += appended.map_err(|(error, is_usable)| AppendFailure {
                appended: done,
                error,
                is_usable,
            })?;
        }
        Ok(writer.end)
    }

    /// Appends as many batches as one segment takes, at least one.
    fn append_some(
        &self,
        writer: &mut Writer,
        batches: &[PreparedBatch],
        leader_epoch: i32,
        config: &TopicConfig,
    ) -> Result<usize, (io::Error, bool)> {
        let Some(first) = batches.first() else { return Ok(0) };
        let segment =
            self.segment_for(writer, &first.header, config).map_err(|error| (error, true))?;
        self.begin_epoch(writer, leader_epoch);

        let mut headers = Vec::with_capacity(batches.len());
        let mut prefixes = Vec::with_capacity(batches.len());
        let mut size = segment.size();
        let mut offset = writer.end.offset;
        for batch in batches {
            let header = BatchHeader {
                base_offset: offset,
                partition_leader_epoch: leader_epoch,
                ..batch.header
            };
            let is_first = headers.is_empty();
            if !is_first && needs_roll(&segment, size, writer, &header, config) {
                break;
            }
            size += header.size_in_bytes() as u64;
            offset = header.next_offset();
            prefixes.push(prefix(&header));
            headers.push(header);
            writer.first_timestamp.get_or_insert(header.max_timestamp);
        }
        let mut slices = Vec::with_capacity(2 * headers.len());
        for (prefix, batch) in prefixes.iter().zip(batches) {
            slices.push(IoSlice::new(prefix));
            slices.push(IoSlice::new(batch.bytes.get(PREFIX_BYTES..).unwrap_or_default()));
        }
        let start = segment.size();
        segment.write(&mut slices, size - start)?;
        for header in &headers {
            segment.publish(header, config.index_interval_bytes);
        }
        writer.end = Mark {
            offset,
            segment: segment.base_offset(),
            position: size,
            bytes: writer.end.bytes + (size - writer.end_position_in(&segment)),
        };
        writer.unsynced.add_range(&segment, start, size - start);
        Ok(headers.len())
    }

    /// The newest segment, or a new one when a batch does not belong there any more.
    fn segment_for(
        &self,
        writer: &mut Writer,
        header: &BatchHeader,
        config: &TopicConfig,
    ) -> io::Result<Arc<Segment>> {
        let header = BatchHeader { base_offset: writer.end.offset, ..*header };
        let newest = self.segments.read().last().cloned();
        if let Some(newest) = &newest {
            if !needs_roll(newest, newest.size(), writer, &header, config) {
                return Ok(Arc::clone(newest));
            }
            writer.close(newest)?;
        }
        self.make_directory(writer)?;
        let segment = self.begin_segment(writer)?;
        // What a crash left under this name held nothing that was acknowledged.
        if segment.size() > 0 {
            segment.recover(i64::MAX..i64::MAX, config.index_interval_bytes, |_| {})?;
        }
        Ok(segment)
    }

    /// Makes the segment that begins where the log ends.
    fn begin_segment(&self, writer: &mut Writer) -> io::Result<Arc<Segment>> {
        let (files, offset) = (&self.files, writer.end.offset);
        let segment =
            Arc::new(Segment::open(&self.open_files, files, &self.directory, offset, true)?);
        let mut segments = self.segments.write();
        *segments = segments.iter().cloned().chain([Arc::clone(&segment)]).collect();
        writer.unsynced.directories.push(self.directory.clone());
        writer.first_timestamp = None;
        writer.jitter = random();
        Ok(segment)
    }

    fn make_directory(&self, writer: &mut Writer) -> io::Result<()> {
        if writer.has_directory {
            return Ok(());
        }
        self.files.create_directory(&self.directory)?;
        partition_metadata::write(&*self.files, &self.directory, self.topic_id)?;
        self.small_files.lock().has_new_metadata = true;
        writer.unsynced.is_new = true;
        writer.has_directory = true;
        Ok(())
    }

    fn begin_epoch(&self, writer: &Writer, leader_epoch: i32) {
        if self.epochs.read().latest().is_some_and(|latest| leader_epoch <= latest) {
            return;
        }
        let mut small_files = self.small_files.lock();
        if self.epochs.write().begin(leader_epoch, writer.end.offset) {
            small_files.note_epochs(writer.end.offset);
        }
    }

    /// Whether a segment was closed that is not durable.
    pub(super) fn has_unsynced_closed(&self) -> bool {
        !self.writer.lock().unsynced.closed.is_empty()
    }

    /// What has to be synced, and the mark that is durable then.
    pub(crate) fn take_unsynced(&self) -> (Unsynced, Mark) {
        let mut writer = self.writer.lock();
        (std::mem::take(&mut writer.unsynced), writer.end)
    }

    /// Writes index entries and gives back space, before a clean stop.
    pub(crate) fn close(&self) -> io::Result<()> {
        match self.segments().last().filter(|newest| newest.has_changed()) {
            Some(newest) => {
                newest.close()?;
                newest.sync()
            }
            None => Ok(()),
        }
    }

    /// The whole batches from the one that holds `offset` on, below `end`: at
    /// most `max_bytes`, but at least one batch if `at_least_one` is set. One
    /// segment at a time; nothing when `offset` is at the end.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        end: Mark,
        at_least_one: bool,
        reads: Reads,
    ) -> io::Result<Option<FileRange>> {
        if offset >= end.offset {
            return Ok(None);
        }
        let segments = Arc::clone(&self.segments.read());
        for segment in from_offset(&segments, offset) {
            let Some(limit) = limit_in(segment, end) else { break };
            let Some((position, header)) = segment.locate(offset, limit, reads)? else { continue };
            let first = header.size_in_bytes();
            let length = if first <= max_bytes {
                segment.whole_batches(position, max_bytes as u64, limit, reads)?
            } else if at_least_one {
                first as u64
            } else {
                return Ok(None);
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let file = segment.file().get(reads)?;
            return Ok(Some(FileRange::new(file, position, length)));
        }
        Ok(None)
    }

    /// The first record below `end`, from `start_offset` on, that is not older
    /// than `timestamp`.
    pub(crate) fn offset_for_timestamp(
        &self,
        timestamp: i64,
        start_offset: i64,
        end: Mark,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let segments = Arc::clone(&self.segments.read());
        for segment in from_offset(&segments, start_offset) {
            let Some(limit) = limit_in(segment, end) else { break };
            if segment.max_timestamp().is_none_or(|newest| newest < timestamp) {
                continue;
            }
            let Some((position, _)) = segment.locate_time(timestamp, limit)? else { continue };
            let mut candidates = Vec::new();
            segment.walk(position, limit, |position, header| {
                if candidates.len() < 2
                    && header.max_timestamp >= timestamp
                    && header.last_offset() >= start_offset
                {
                    candidates.push((position, *header));
                }
            })?;
            for (position, header) in candidates {
                let found = first_record(segment, position, &header, |found| {
                    found.0 >= timestamp && found.1 >= start_offset
                })?;
                if let Some((timestamp, offset)) = found {
                    let leader_epoch = header.partition_leader_epoch;
                    return Ok(Some(TimestampOffset { timestamp, offset, leader_epoch }));
                }
            }
        }
        Ok(None)
    }

    /// The first record with the largest timestamp below `end`.
    pub(crate) fn max_timestamp(&self, end: Mark) -> Result<Option<TimestampOffset>, ReadError> {
        let segments = Arc::clone(&self.segments.read());
        let mut newest: Option<(i64, &Arc<Segment>)> = None;
        for segment in segments.iter().take_while(|segment| limit_in(segment, end).is_some()) {
            let timestamp = segment.max_timestamp();
            if let Some(timestamp) = timestamp
                && newest.is_none_or(|(largest, _)| timestamp > largest)
            {
                newest = Some((timestamp, segment));
            }
        }
        let Some((_, segment)) = newest else { return Ok(None) };
        // The index may know of records behind the mark, so the batches decide.
        let limit = limit_in(segment, end).unwrap_or(0);
        let mut largest: Option<(u64, BatchHeader)> = None;
        segment.walk(0, limit, |position, header| {
            if largest.is_none_or(|(_, known)| header.max_timestamp > known.max_timestamp) {
                largest = Some((position, *header));
            }
        })?;
        let Some((position, header)) = largest else { return Ok(None) };
        let found =
            first_record(segment, position, &header, |found| found.0 == header.max_timestamp)?;
        Ok(found.map(|(timestamp, offset)| TimestampOffset {
            timestamp,
            offset,
            leader_epoch: header.partition_leader_epoch,
        }))
    }

    /// Which epochs began where.
    pub(crate) fn epochs(&self) -> impl Deref<Target = LeaderEpochs> + '_ {
        self.epochs.read()
    }
}

/// An append that did not come to its end.
#[derive(Debug)]
pub(crate) struct AppendFailure {
    /// Batches that were appended before.
    pub(crate) appended: usize,
    pub(crate) error: io::Error,
    /// Whether the file is whole, so that appending can be tried again.
    pub(crate) is_usable: bool,
}

impl Writer {
    /// Ends the newest segment before another one begins.
    fn close(&mut self, newest: &Arc<Segment>) -> io::Result<()> {
        newest.close()?;
        self.unsynced.closed.push(Arc::clone(newest));
        Ok(())
    }

    fn end_position_in(&self, segment: &Segment) -> u64 {
        if self.end.segment == segment.base_offset() { self.end.position } else { 0 }
    }
}

/// The segments that may hold records from `offset` on.
fn from_offset(segments: &[Arc<Segment>], offset: i64) -> &[Arc<Segment>] {
    let later = segments.partition_point(|segment| segment.base_offset() <= offset);
    segments.get(later.saturating_sub(1)..).unwrap_or_default()
}

/// How far a segment may be read; `None` when it lies behind the mark.
fn limit_in(segment: &Segment, end: Mark) -> Option<u64> {
    match segment.base_offset().cmp(&end.segment) {
        std::cmp::Ordering::Less => Some(segment.size()),
        std::cmp::Ordering::Equal => Some(end.position),
        std::cmp::Ordering::Greater => None,
    }
}

/// Whether a batch has to go to a new segment.
fn needs_roll(
    segment: &Segment,
    size: u64,
    writer: &Writer,
    header: &BatchHeader,
    config: &TopicConfig,
) -> bool {
    if size == 0 {
        return false;
    }
    let limit = u64::from(config.segment_bytes).min(segment::MAX_BYTES);
    let jitter = (config.segment_jitter_ms as f64 * writer.jitter) as i64;
    let age_limit = config.segment_ms.saturating_sub(jitter);
    let is_old = writer
        .first_timestamp
        .is_some_and(|first| header.max_timestamp.saturating_sub(first) > age_limit);
    size + header.size_in_bytes() as u64 > limit
        || is_old
        || segment.index_size() + 12 > config.segment_index_bytes as usize
        || header.last_offset() - segment.base_offset() > i64::from(i32::MAX)
}

/// What the broker fills in of a batch's first bytes.
fn prefix(header: &BatchHeader) -> [u8; PREFIX_BYTES] {
    let bytes = header.to_bytes();
    let mut prefix = [0; PREFIX_BYTES];
    for (to, from) in prefix.iter_mut().zip(bytes) {
        *to = from;
    }
    prefix
}

/// The first record of a batch, as timestamp and offset, that is looked for.
fn first_record(
    segment: &Segment,
    position: u64,
    header: &BatchHeader,
    is_wanted: impl Fn((i64, i64)) -> bool,
) -> Result<Option<(i64, i64)>, ReadError> {
    let batch = segment.batch(position, header)?;
    let section = batch.record_section(MAX_DECOMPRESSED_BYTES)?;
    for record in RecordIter::new(batch.header(), &section) {
        let record = record?;
        if is_wanted((record.timestamp, record.offset)) {
            return Ok(Some((record.timestamp, record.offset)));
        }
    }
    Ok(None)
}

/// A number in `0.0..1.0`, so that segments of many partitions do not roll together.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::file::Disk;
    use super::*;

    #[test]
    fn retention_and_appends_take_turns_at_the_leader_epochs() {
        const EPOCHS: i32 = 200;
        let directory = tempfile::tempdir().unwrap();
        let open_files = OpenFiles::new(None);
        let log =
            PartitionLog::new(open_files, Arc::new(Disk), directory.path().into(), Uuid::default());
        std::thread::scope(|scope| {
            let appends = scope.spawn(|| {
                for epoch in 0..EPOCHS {
                    let end = Mark { offset: i64::from(epoch), ..Mark::default() };
                    log.begin_epoch(&Writer { end, ..Writer::default() }, epoch);
                    log.write_small_files().unwrap();
                }
            });
            // Each epoch begins at the offset of its own number.
            while !appends.is_finished() {
                let latest = log.epochs().latest().unwrap_or(0);
                log.trim_epochs(i64::from(latest));
                log.write_small_files().unwrap();
            }
        });
        let on_disk = LeaderEpochs::read(&Disk, directory.path()).unwrap();
        assert_eq!(on_disk.latest(), Some(EPOCHS - 1));
    }
}

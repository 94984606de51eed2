//! Looking for damage in a log directory: every checksum, index, order and
//! checkpoint.
//!
//! After a clean stop everything has to fit together. After any other end, what
//! lies behind the recovery points may be unfinished: the next start puts that
//! in order, so it is told, but it is no damage.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use protocol::records::{Batch, RecordIter};

use super::super::checkpoint::{self, OffsetCheckpoint};
use super::super::directory::{DELETED_SUFFIX, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS};
use super::super::file::FileSystem;
use super::super::journal;
use super::super::leader_epochs::LeaderEpochs;
use super::super::meta_properties::{self, MetaProperties};
use super::super::store::{CLEAN_SHUTDOWN_FILE, split_partition};
use super::super::validation::MAX_DECOMPRESSED_BYTES;
use super::super::{cleaner, partition_metadata, recovery, segment};
use super::read_only::ReadOnlyDisk;
use super::stopped::StoppedDirectory;
use super::{
    Batches, OffsetIndexEntry, SegmentError, TimeIndexEntry, read_kafka_snapshot,
    read_offset_index, read_snapshot, read_time_index,
};
use crate::groups::check_record;
use crate::metadata::{MetadataImage, MetadataLog};
use crate::topics;

/// Findings about one file that are told one by one.
const TOLD_PER_FILE: u64 = 10;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something is not as it was written, or is missing.
    Damage,
    /// Something that the next start puts in order, or that is only odd.
    Note,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub text: String,
}

/// Whoever wants to know meanwhile.
pub trait Watcher {
    /// So many bytes more of batches were checked.
    fn checked(&mut self, bytes: u64);
    /// Something was found.
    fn found(&mut self, finding: &Finding);
}

/// What was checked, and how it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether the last stop was a clean one.
    pub is_clean: bool,
    /// Partitions that have a directory.
    pub partitions: u64,
    /// Files of batches.
    pub segments: u64,
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of batches.
    pub bytes: u64,
    /// Findings that are damage, told or not.
    pub damages: u64,
    /// Other findings.
    pub notes: u64,
}

/// Reads all of a log directory. Nothing in it is changed.
///
/// # Errors
/// When the directory itself cannot be listed. What cannot be read in it is a finding.
pub fn verify(directory: &StoppedDirectory, watcher: &mut dyn Watcher) -> io::Result<Report> {
    let root = directory.path();
    let names = ReadOnlyDisk.list(root)?;
    let mut verifier = Verifier::new(root, watcher);
    verifier.read_root();
    let mut names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
    names.sort_unstable();
    for name in names {
        let path = root.join(name);
        if name.ends_with(DELETED_SUFFIX) && path.is_dir() {
            verifier.note(&path, "belongs to a deleted topic and goes at the next start");
        } else if let Some((topic, index)) = split_partition(name).filter(|_| path.is_dir()) {
            verifier.check_partition(&path, topic, index);
        }
    }
    verifier.check_checkpoints();
    Ok(verifier.report)
}

struct Verifier<'a> {
    root: &'a Path,
    watcher: &'a mut dyn Watcher,
    report: Report,
    /// Absent in directories of Apache Kafka, and when it cannot be read.
    image: Option<MetadataImage>,
    recovery_points: OffsetCheckpoint,
    /// The first offset and the next one of each partition.
    bounds: HashMap<(String, i32), (i64, i64)>,
    /// The file of the last finding, and how many there were about it.
    last_path: PathBuf,
    told: u64,
}

impl<'a> Verifier<'a> {
    fn new(root: &'a Path, watcher: &'a mut dyn Watcher) -> Self {
        Self {
            root,
            watcher,
            report: Report::default(),
            image: None,
            recovery_points: OffsetCheckpoint::new(),
            bounds: HashMap::new(),
            last_path: PathBuf::new(),
            told: 0,
        }
    }

    fn damage(&mut self, path: &Path, text: impl Into<String>) {
        self.find(Severity::Damage, path, text.into());
    }

    fn note(&mut self, path: &Path, text: impl Into<String>) {
        self.find(Severity::Note, path, text.into());
    }

    /// Damage, unless the next start is going to look at it anyway.
    fn flaw(&mut self, is_trusted: bool, path: &Path, text: impl Into<String>) {
        let severity = if is_trusted { Severity::Damage } else { Severity::Note };
        self.find(severity, path, text.into());
    }

    fn find(&mut self, severity: Severity, path: &Path, text: String) {
        match severity {
            Severity::Damage => self.report.damages += 1,
            Severity::Note => self.report.notes += 1,
        }
        if self.last_path != path {
            path.clone_into(&mut self.last_path);
            self.told = 0;
        }
        self.told += 1;
        let text = match self.told {
            ..=TOLD_PER_FILE => text,
            told if told == TOLD_PER_FILE + 1 => "there is more of this".to_owned(),
            _ => return,
        };
        self.watcher.found(&Finding { severity, path: path.to_owned(), text });
    }

    /// The files beside the partitions.
    fn read_root(&mut self) {
        let files: &dyn FileSystem = &ReadOnlyDisk;
        self.report.is_clean = files.exists(&self.root.join(CLEAN_SHUTDOWN_FILE));
        if !self.report.is_clean {
            self.note(self.root, "the last stop was not clean; the next start checks the logs");
        }
        let path = self.root.join(meta_properties::FILE_NAME);
        match MetaProperties::read(files, &path) {
            Ok(Some(_)) => {}
            Ok(None) => self.damage(&path, "is missing"),
            Err(error) => self.damage(&path, error.to_string()),
        }
        match MetadataLog::look(files, self.root) {
            Ok(Some((image, torn))) => {
                if torn > 0 {
                    let text =
                        format!("{torn} bytes at its end are of a change that was not finished");
                    self.flaw(self.report.is_clean, &self.root.join("cluster-metadata"), text);
                }
                self.image = Some(image);
            }
            Ok(None) => self.note(
                self.root,
                "there is no cluster-metadata: which topics there are is not known",
            ),
            Err(error) => self.damage(&self.root.join("cluster-metadata"), error.to_string()),
        }
        for name in journal::FILE_NAMES {
            let path = self.root.join(name);
            match files.read(&path) {
                Ok(bytes) => self.check_journal(&path, bytes.unwrap_or_default()),
                Err(error) => self.damage(&path, error.to_string()),
            }
        }
        if let Some(points) = self.offsets(RECOVERY_POINTS) {
            self.recovery_points = points;
        }
    }

    fn check_journal(&mut self, path: &Path, bytes: bytes::Bytes) {
        let pieces = journal::count_pieces(bytes);
        if pieces > 0 {
            let text =
                format!("{pieces} appends are written to their partitions at the next start");
            self.flaw(self.report.is_clean, path, text);
        }
    }

    fn offsets(&mut self, name: &str) -> Option<OffsetCheckpoint> {
        let path = self.root.join(name);
        match checkpoint::read_offsets(&ReadOnlyDisk, &path) {
            Ok(offsets) => Some(offsets),
            Err(error) => {
                self.damage(&path, error.to_string());
                None
            }
        }
    }

    /// No checkpoint may name what its log does not have.
    fn check_checkpoints(&mut self) {
        for name in [RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS, cleaner::FILE_NAME] {
            let Some(offsets) = self.offsets(name) else { continue };
            let path = self.root.join(name);
            let mut offsets: Vec<_> = offsets.into_iter().collect();
            offsets.sort_unstable();
            for ((topic, index), offset) in offsets {
                match self.bounds.get(&(topic.clone(), index)) {
                    None if offset > 0 => self.note(
                        &path,
                        format!("names {topic}-{index}, which is not in this directory"),
                    ),
                    None => {}
                    Some((_, end)) if offset > *end => {
                        // What it says was durable once; the journal may still have it.
                        let text = format!(
                            "says {offset} for {topic}-{index}, and its log ends with {end}"
                        );
                        let is_certain = self.report.is_clean || name == LOG_STARTS;
                        self.flaw(is_certain, &path, text);
                    }
                    Some(_) => {}
                }
            }
        }
    }

    fn check_partition(&mut self, path: &Path, topic: &str, index: i32) {
        self.report.partitions += 1;
        self.check_owner(path, topic, index);
        let files: &dyn FileSystem = &ReadOnlyDisk;
        let (names, bases) = match (files.list(path), recovery::base_offsets(files, path)) {
            (Ok(names), Ok(bases)) => (names, bases),
            (Err(error), _) | (_, Err(error)) => return self.damage(path, error.to_string()),
        };
        for name in names.iter().filter_map(|name| name.to_str()) {
            let unfinished = [".cleaned", ".swap", ".deleted", ".tmp"];
            if unfinished.iter().any(|suffix| name.ends_with(suffix)) {
                self.note(&path.join(name), "is finished or removed at the next start");
            }
        }
        let epochs = match LeaderEpochs::read(files, path) {
            Ok(epochs) => epochs,
            Err(error) => {
                self.damage(&path.join("leader-epoch-checkpoint"), error.to_string());
                LeaderEpochs::default()
            }
        };
        let key = (topic.to_owned(), index);
        let recovery_point = self.recovery_points.get(&key).copied().unwrap_or(0);
        let first = bases.first().copied().unwrap_or(0);
        let mut next_offset = first;
        for (at, base) in bases.iter().enumerate() {
            let end = bases.get(at + 1).copied();
            let is_trusted = self.report.is_clean || end.is_some_and(|end| end <= recovery_point);
            let segment = SegmentCheck {
                path: path.join(segment::file_name(*base, "log")),
                base: *base,
                end,
                is_trusted,
                is_of_groups: topic == topics::name::CONSUMER_OFFSETS,
                epochs: &epochs,
            };
            if *base > next_offset.max(recovery_point) && !is_trusted {
                let text = format!("the segment with offset {next_offset} is missing before it");
                self.note(&segment.path, text);
            } else if *base < next_offset {
                let text =
                    format!("begins before offset {next_offset}, where the segment before it ends");
                self.flaw(is_trusted, &segment.path, text);
            }
            next_offset = self.check_segment(&segment).max(next_offset);
        }
        self.bounds.insert(key, (first, next_offset));
        self.check_snapshots(path, &names, next_offset);
    }

    /// Whose directory it is.
    fn check_owner(&mut self, path: &Path, topic: &str, index: i32) {
        let file = path.join("partition.metadata");
        let id = match partition_metadata::read(&ReadOnlyDisk, path) {
            Ok(id) => id,
            Err(error) => {
                // After a crash the next start knows whose it is.
                let is_certain =
                    self.report.is_clean || error.kind() != io::ErrorKind::UnexpectedEof;
                return self.flaw(is_certain, &file, error.to_string());
            }
        };
        let Some(image) = &self.image else { return };
        let known = image.topic(topic).map(|topic| (topic.id, topic.created_at.len()));
        match (known, id) {
            (None, _) => self.note(path, "belongs to no topic and is left alone"),
            (Some((_, partitions)), _)
                if usize::try_from(index).is_ok_and(|at| at >= partitions) =>
            {
                self.note(
                    path,
                    format!("{topic} has {partitions} partitions, and this is none of them"),
                );
            }
            (Some((known, _)), Some(id)) if known != id => {
                let text =
                    format!("is of a deleted topic with id {id}, and goes at the next start");
                self.note(path, text);
            }
            (Some(_), None) => self.note(&file, "is missing"),
            _ => {}
        }
    }

    fn check_snapshots(&mut self, path: &Path, names: &[std::ffi::OsString], end: i64) {
        for name in names.iter().filter_map(|name| name.to_str()) {
            let file = path.join(name);
            let read = match name.rsplit_once('.') {
                Some((_, "snapshot")) => read_kafka_snapshot(&file),
                Some((_, "producers")) => read_snapshot(&file),
                _ => continue,
            };
            let is_clean = self.report.is_clean;
            match read {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.flaw(is_clean, &file, error.to_string()),
                Err(error) => self.damage(&file, error.to_string()),
            }
            if super::base_offset_of(&file).is_none_or(|offset| offset > end) {
                let text = format!("is for an offset that the log, which ends with {end}, has not");
                self.flaw(is_clean, &file, text);
            }
        }
    }

    /// Gives the offset behind the segment's last batch.
    fn check_segment(&mut self, segment: &SegmentCheck<'_>) -> i64 {
        self.report.segments += 1;
        let mut indexes = IndexChecks::open(self, segment);
        let mut next_offset = segment.base;
        let mut batches = match Batches::open(&segment.path, u64::MAX) {
            Ok(batches) => batches,
            Err(error) => {
                self.damage(&segment.path, error.to_string());
                return next_offset;
            }
        };
        let mut is_whole = true;
        for found in batches.by_ref() {
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    is_whole = false;
                    self.end_early(segment, &error);
                    break;
                }
            };
            let size = found.batch.bytes().len() as u64;
            self.report.batches += 1;
            self.report.bytes += size;
            self.watcher.checked(size);
            for text in segment.flaws(&found.batch, next_offset) {
                let text = format!("{text}, in the batch at position {}", found.position);
                self.flaw(segment.is_trusted, &segment.path, text);
            }
            match records(&found.batch, segment.is_of_groups) {
                Ok(records) => self.report.records += records,
                Err(text) => {
                    let text = format!("{text}, in the batch at position {}", found.position);
                    self.flaw(segment.is_trusted, &segment.path, text);
                }
            }
            next_offset = next_offset.max(found.batch.header().next_offset());
            indexes.see(self, segment, found.position, &found.batch);
        }
        if is_whole && batches.left() > 0 {
            let text =
                format!("{} bytes behind offset {next_offset} are no whole batch", batches.left());
            self.flaw(segment.is_trusted, &segment.path, text);
        }
        indexes.finish(self, segment);
        next_offset
    }

    fn end_early(&mut self, segment: &SegmentCheck<'_>, error: &SegmentError) {
        let is_trusted = segment.is_trusted || matches!(error, SegmentError::Io { .. });
        self.flaw(is_trusted, &segment.path, error.to_string());
    }
}

/// A segment and what has to hold for it.
struct SegmentCheck<'a> {
    path: PathBuf,
    base: i64,
    /// Where the next one begins.
    end: Option<i64>,
    /// Whether nothing in it may be unfinished.
    is_trusted: bool,
    /// Whether its records are those of groups.
    is_of_groups: bool,
    epochs: &'a LeaderEpochs,
}

impl SegmentCheck<'_> {
    /// What is wrong with a batch that should begin at `next_offset` or later.
    fn flaws(&self, batch: &Batch, next_offset: i64) -> Vec<String> {
        let header = batch.header();
        let mut flaws = Vec::new();
        if let Err(error) = batch.verify_crc() {
            flaws.push(error.to_string());
            return flaws;
        }
        if header.base_offset < next_offset {
            flaws.push(format!("offset {} where {next_offset} is due", header.base_offset));
        }
        if self.end.is_some_and(|end| header.next_offset() > end) {
            flaws.push(format!(
                "offset {}, which belongs to the next segment",
                header.last_offset()
            ));
        }
        let epoch = self.epochs.epoch_of(header.base_offset);
        if epoch >= 0 && header.partition_leader_epoch != epoch {
            flaws.push(format!(
                "leader epoch {} where leader-epoch-checkpoint says {epoch}",
                header.partition_leader_epoch
            ));
        }
        flaws
    }
}

/// Counts the records of a batch, or says what is wrong with them.
fn records(batch: &Batch, is_of_groups: bool) -> Result<u64, String> {
    let header = batch.header();
    let section =
        batch.record_section(MAX_DECOMPRESSED_BYTES).map_err(|error| error.to_string())?;
    let mut next_offset = header.base_offset;
    let mut count = 0;
    for record in RecordIter::new(header, &section) {
        let record = record.map_err(|error| error.to_string())?;
        if record.offset < next_offset || record.offset > header.last_offset() {
            return Err(format!("a record has offset {}, out of order", record.offset));
        }
        if is_of_groups && !header.attributes.is_control() {
            check_record(record.key.unwrap_or_default(), record.value)
                .map_err(|error| format!("the record of a group at {}: {error}", record.offset))?;
        }
        next_offset = record.offset + 1;
        count += 1;
    }
    Ok(count)
}

/// The indexes of a segment, beside a walk over its batches.
struct IndexChecks {
    offsets: std::vec::IntoIter<OffsetIndexEntry>,
    offset: Option<OffsetIndexEntry>,
    offset_path: PathBuf,
    times: std::vec::IntoIter<TimeIndexEntry>,
    time: Option<TimeIndexEntry>,
    time_path: PathBuf,
    max_timestamp: i64,
}

impl IndexChecks {
    fn open(verifier: &mut Verifier<'_>, segment: &SegmentCheck<'_>) -> Self {
        let (offset_path, time_path) =
            (segment.path.with_extension("index"), segment.path.with_extension("timeindex"));
        let offsets = read_offset_index(&offset_path, segment.base);
        let offsets = checked(verifier, segment, &offset_path, offsets, |one, next| {
            one.offset < next.offset && one.position < next.position
        });
        let times = read_time_index(&time_path, segment.base);
        let times = checked(verifier, segment, &time_path, times, |one, next| {
            one.timestamp < next.timestamp && one.offset <= next.offset
        });
        let (mut offsets, mut times) = (offsets.into_iter(), times.into_iter());
        Self {
            offset: offsets.next(),
            offsets,
            offset_path,
            time: times.next(),
            times,
            time_path,
            max_timestamp: i64::MIN,
        }
    }

    /// The next batch of the segment.
    fn see(
        &mut self,
        verifier: &mut Verifier<'_>,
        segment: &SegmentCheck<'_>,
        position: u64,
        batch: &Batch,
    ) {
        let header = batch.header();
        while let Some(entry) = self.offset.filter(|entry| u64::from(entry.position) <= position) {
            if u64::from(entry.position) < position {
                let text = format!("no batch begins at position {}", entry.position);
                verifier.flaw(segment.is_trusted, &self.offset_path, text);
            } else if entry.offset != header.last_offset() {
                let text = format!(
                    "says offset {} for position {position}, and there it is {}",
                    entry.offset,
                    header.last_offset()
                );
                verifier.flaw(segment.is_trusted, &self.offset_path, text);
            }
            self.offset = self.offsets.next();
        }
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        while let Some(entry) = self.time.filter(|entry| entry.offset <= header.last_offset()) {
            if entry.timestamp != self.max_timestamp {
                let text = format!(
                    "says time {} up to offset {}, and it is {}",
                    entry.timestamp, entry.offset, self.max_timestamp
                );
                verifier.flaw(segment.is_trusted, &self.time_path, text);
            }
            self.time = self.times.next();
        }
    }

    /// The segment ends here.
    fn finish(self, verifier: &mut Verifier<'_>, segment: &SegmentCheck<'_>) {
        if let Some(entry) = self.offset {
            let text = format!("leads to position {}, where the segment has ended", entry.position);
            verifier.flaw(segment.is_trusted, &self.offset_path, text);
        }
        if let Some(entry) = self.time {
            let text = format!("names offset {}, where the segment has ended", entry.offset);
            verifier.flaw(segment.is_trusted, &self.time_path, text);
        }
    }
}

/// The entries of an index, if they ascend.
fn checked<E>(
    verifier: &mut Verifier<'_>,
    segment: &SegmentCheck<'_>,
    path: &Path,
    entries: io::Result<Vec<E>>,
    ascends: impl Fn(&E, &E) -> bool,
) -> Vec<E> {
    let wrong = match entries {
        Ok(entries) if entries.is_sorted_by(ascends) => return entries,
        Ok(_) => "its entries do not ascend".to_owned(),
        Err(error) => error.to_string(),
    };
    verifier.flaw(segment.is_trusted, path, wrong);
    Vec::new()
}

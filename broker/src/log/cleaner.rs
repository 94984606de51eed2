//! The thread of a log directory that compacts.
//!
//! It takes the partition that needs it most, again and again until none does,
//! and rests for `log.cleaner.backoff.ms`. How far each partition is clean is
//! in Kafka's `cleaner-offset-checkpoint`; when that is lost, segments are
//! compacted once more, which changes nothing.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use protocol::Str;

use super::checkpoint;
use super::compaction::{Cleanable, Pace};
use super::directory::Directory;
use super::file::FileSystem;
use super::partition::Partition;
use crate::config::CleanerConfig;

/// How far each partition was compacted.
pub(super) const FILE_NAME: &str = "cleaner-offset-checkpoint";

/// The state of the cleaner of one directory.
#[derive(Debug)]
pub(super) struct Cleaner {
    settings: CleanerConfig,
    /// A number that nobody outside knows.
    seed: u64,
    first_dirty: Mutex<BTreeMap<(Str, i32), i64>>,
    /// Partitions with a batch that cannot be read: told once, and left alone until the next start.
    uncleanable: Mutex<HashSet<(Str, i32)>>,
    writing_checkpoint: Mutex<()>,
    is_stopping: Mutex<bool>,
    stopped: Condvar,
}

impl Cleaner {
    /// Goes on where the checkpoint of the directory ends.
    ///
    /// # Errors
    /// When the checkpoint cannot be read.
    pub(super) fn open(
        settings: CleanerConfig,
        files: &dyn FileSystem,
        directory: &Path,
    ) -> io::Result<Self> {
        let checkpoint = checkpoint::read_offsets(files, &directory.join(FILE_NAME))?;
        let first_dirty = checkpoint.into_iter();
        let first_dirty =
            first_dirty.map(|((topic, index), offset)| ((Str::from(topic), index), offset));
        Ok(Self {
            settings,
            seed: RandomState::new().hash_one(0_u8),
            first_dirty: Mutex::new(first_dirty.collect()),
            uncleanable: Mutex::default(),
            writing_checkpoint: Mutex::default(),
            is_stopping: Mutex::new(false),
            stopped: Condvar::new(),
        })
    }

    /// Whether there is anything for a thread to do.
    pub(super) fn is_enabled(&self) -> bool {
        self.settings.enabled && self.settings.threads > 0
    }

    /// Ends the thread as soon as what it has in hand allows.
    pub(super) fn stop(&self) {
        *self.is_stopping.lock() = true;
        self.stopped.notify_all();
    }

    /// A partition with this name begins anew.
    pub(super) fn forget(&self, topic: &Str, index: i32) {
        let key = (topic.clone(), index);
        self.first_dirty.lock().remove(&key);
        self.uncleanable.lock().remove(&key);
    }

    fn rest(&self) -> bool {
        let mut is_stopping = self.is_stopping.lock();
        if !*is_stopping {
            self.stopped.wait_for(&mut is_stopping, self.settings.backoff);
        }
        !*is_stopping
    }

    /// Compacts the partition that needs it most. Says whether there was one.
    pub(super) fn clean_one(&self, directory: &Directory) -> bool {
        let Some((partition, cleanable)) = self.filthiest(directory) else { return false };
        let key = (partition.topic().clone(), partition.index());
        let pace = Throttle::new(self);
        let budget = self.settings.dedupe_buffer_bytes / self.settings.threads.max(1);
        match partition.compact(&cleanable, budget, self.seed, &pace) {
            Ok(clean) => {
                tracing::debug!(topic = %key.0, partition = key.1, offset = clean, "compacted");
                self.first_dirty.lock().insert(key, clean);
                if let Err(error) = self.write_checkpoint(directory) {
                    tracing::warn!(path = %directory.path().display(), %error, "the cleaner's checkpoint cannot be written");
                }
                true
            }
            Err(_) if *self.is_stopping.lock() || partition.is_deleted() => false,
            Err(error) => {
                tracing::error!(topic = %key.0, partition = key.1, %error, "the partition cannot be compacted; it is left alone until the next start");
                self.uncleanable.lock().insert(key);
                true
            }
        }
    }

    fn filthiest(&self, directory: &Directory) -> Option<(Arc<Partition>, Cleanable)> {
        let mut filthiest: Option<(Arc<Partition>, Cleanable)> = None;
        for partition in directory.partitions() {
            if !partition.config().compact {
                continue;
            }
            let key = (partition.topic().clone(), partition.index());
            if self.uncleanable.lock().contains(&key) {
                continue;
            }
            let first_dirty = self.first_dirty.lock().get(&key).copied().unwrap_or(0);
            let cleanable = match partition.cleanable(first_dirty) {
                Ok(Some(cleanable)) => cleanable,
                Ok(None) => continue,
                // Retention or deletion was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::error!(topic = %key.0, partition = key.1, %error, "the partition cannot be compacted");
                    self.uncleanable.lock().insert(key);
                    continue;
                }
            };
            let rank = |cleanable: &Cleanable| (cleanable.is_overdue(), cleanable.dirty_ratio());
            if filthiest.as_ref().is_none_or(|(_, other)| rank(&cleanable) > rank(other)) {
                filthiest = Some((partition, cleanable));
            }
        }
        filthiest
    }

    /// Forgets partitions that do not exist. Says whether there were any.
    pub(super) fn forget_unknown(&self, directory: &Directory) -> bool {
        let mut first_dirty = self.first_dirty.lock();
        let before = first_dirty.len();
        first_dirty.retain(|(topic, index), _| directory.partition(topic, *index).is_some());
        first_dirty.len() < before
    }

    /// Writes how far each partition is clean.
    pub(super) fn write_checkpoint(&self, directory: &Directory) -> io::Result<()> {
        let _turn = self.writing_checkpoint.lock();
        let lines: Vec<_> = self
            .first_dirty
            .lock()
            .iter()
            .map(|((topic, index), offset)| (topic.to_string(), *index, *offset))
            .collect();
        checkpoint::write_offsets(&*directory.files, &directory.path().join(FILE_NAME), lines)
    }
}

/// Works until the cleaner is stopped.
pub(super) fn run(directory: &Directory) {
    let cleaner = directory.cleaner();
    while cleaner.rest() {
        while !directory.is_offline() && cleaner.clean_one(directory) {}
    }
}

/// Keeps compaction below `log.cleaner.io.max.bytes.per.second`.
struct Throttle<'a> {
    cleaner: &'a Cleaner,
    begun: Instant,
    bytes: std::cell::Cell<f64>,
}

impl<'a> Throttle<'a> {
    /// How long one rest may be, so that a stop does not wait.
    const LONGEST_REST: Duration = Duration::from_millis(100);

    fn new(cleaner: &'a Cleaner) -> Self {
        Self { cleaner, begun: Instant::now(), bytes: std::cell::Cell::new(0.0) }
    }
}

impl Pace for Throttle<'_> {
    fn went(&self, bytes: u64) -> io::Result<()> {
        self.bytes.set(self.bytes.get() + bytes as f64);
        loop {
            if *self.cleaner.is_stopping.lock() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let due = self.bytes.get() / self.cleaner.settings.io_max_bytes_per_second;
            let ahead = due - self.begun.elapsed().as_secs_f64();
            if ahead <= 0.001 {
                return Ok(());
            }
            let rest = Duration::from_secs_f64(ahead.min(1.0)).min(Self::LONGEST_REST);
            std::thread::sleep(rest);
        }
    }
}

//! One log directory while the broker runs: who writes to it, who waits for its
//! disk, and what is in it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use protocol::Str;
use tokio::sync::mpsc;

use super::append::AppendError;
use super::checkpoint;
use super::file::FileSystem;
use super::flusher::{self, Task, Tasks};
use super::partition::{CheckpointEntry, Partition};
use super::partition_log::Unsynced;
use super::writer::{self, Job};
use crate::config::Config;
use crate::durable;

/// Everything below was synced once.
pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// Where clients may begin to read.
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// Up to where clients may read.
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// What the directory of a deleted partition ends in.
pub(super) const DELETED_SUFFIX: &str = "-delete";

/// See the module.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    pub(super) files: Arc<dyn FileSystem>,
    is_offline: AtomicBool,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    tasks: Tasks,
    partitions: Mutex<BTreeMap<(Str, i32), Arc<Partition>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// `log.flush.offset.checkpoint.interval.ms`
    checkpoint_interval: Duration,
    /// `producer.id.expiration.ms`
    producer_expiration_ms: i64,
}

impl Directory {
    /// The directory, before anything is in it.
    pub(super) fn new(path: PathBuf, files: Arc<dyn FileSystem>, config: &Config) -> Arc<Self> {
        let expiration = config.transactions.producer_id_expiration;
        Arc::new(Self {
            path,
            files,
            is_offline: AtomicBool::new(false),
            jobs: Mutex::default(),
            tasks: Tasks::default(),
            partitions: Mutex::default(),
            threads: Mutex::default(),
            checkpoint_interval: config.log.recovery_point_checkpoint_interval,
            producer_expiration_ms: i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX),
        })
    }

    /// Starts the writer and the flushers.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        let mut threads = self.threads.lock();
        let directory = Arc::clone(self);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(work)
        };
        threads.push(spawn("log-writer", Box::new(move || writer::run(&directory, queue)))?);
        for _ in 0..flusher::THREADS {
            let directory = Arc::clone(self);
            threads.push(spawn("log-flusher", Box::new(move || flusher::run(&directory)))?);
        }
        *self.jobs.lock() = Some(jobs);
        self.flush_at(Instant::now() + self.checkpoint_interval, Task::Checkpoint);
        Ok(())
    }

    /// In place of the threads: whoever gets the queue does the work of them all.
    #[cfg(test)]
    pub(super) fn start_by_hand(&self) -> mpsc::Receiver<Job> {
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        *self.jobs.lock() = Some(jobs);
        queue
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The time that records are stamped with, in ms since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether a sync failed once. What was synced before can still be read.
    pub(crate) fn is_offline(&self) -> bool {
        self.is_offline.load(Ordering::Acquire)
    }

    /// Refuses appends from now on, until the broker is started again.
    pub(super) fn go_offline(&self) {
        if !self.is_offline.swap(true, Ordering::AcqRel) {
            tracing::error!(
                path = %self.path.display(),
                "the log directory is offline: nothing more is written to it until the next start"
            );
        }
    }

    /// Puts a job into the writer's queue, and waits while that is full.
    pub(super) async fn hand_over(&self, job: Job) -> Result<(), AppendError> {
        let jobs = self.jobs.lock().clone();
        match jobs {
            Some(jobs) => jobs.send(job).await.map_err(|_| AppendError::Stopping),
            None => Err(AppendError::Stopping),
        }
    }

    /// As [`Directory::hand_over`], for threads that may block. Says whether the
    /// writer will do the job.
    pub(super) fn hand_over_blocking(&self, job: Job) -> bool {
        let jobs = self.jobs.lock().clone();
        jobs.is_some_and(|jobs| jobs.blocking_send(job).is_ok())
    }

    /// The work of the flushers.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(super) fn flush_now(&self, task: Task) {
        self.tasks.push(task);
    }

    pub(super) fn flush_at(&self, time: Instant, task: Task) {
        self.tasks.push_at(time, task);
    }

    /// Makes files and names durable.
    pub(super) fn sync(&self, unsynced: &Unsynced) -> io::Result<()> {
        for file in &unsynced.files {
            file.sync()?;
        }
        unsynced.directories.iter().try_for_each(|path| self.files.sync_directory(path))
    }

    /// How many partitions there are.
    pub(super) fn partition_count(&self) -> usize {
        self.partitions.lock().len()
    }

    /// A partition of this directory.
    pub(super) fn partition(&self, topic: &Str, index: i32) -> Option<Arc<Partition>> {
        self.partitions.lock().get(&(topic.clone(), index)).cloned()
    }

    /// Takes a partition in.
    pub(super) fn insert(&self, partition: &Arc<Partition>) {
        let key = (partition.topic().clone(), partition.index());
        self.partitions.lock().insert(key, Arc::clone(partition));
    }

    /// Forgets a partition and has its files removed. The name changes at once,
    /// so that a topic of the same name can begin anew.
    pub(super) fn remove_partition(&self, partition: &Arc<Partition>) {
        let key = (partition.topic().clone(), partition.index());
        let mut partitions = self.partitions.lock();
        if partitions.get(&key).is_some_and(|known| Arc::ptr_eq(known, partition)) {
            partitions.remove(&key);
        }
        drop(partitions);
        self.discard(partition.log.directory());
    }

    /// Renames a directory out of the way, and has it removed.
    pub(super) fn discard(&self, path: &Path) {
        if !self.files.exists(path) {
            return;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = uuid::Uuid::new_v4().simple();
        let discarded = path.with_file_name(format!("{name}.{id}{DELETED_SUFFIX}"));
        match durable::rename(&*self.files, path, &discarded) {
            Ok(()) => self.tasks.push(Task::Remove(discarded)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a deleted partition cannot be removed");
            }
        }
    }

    /// Removes the directory of a deleted partition. Files that are being sent
    /// stay readable for whoever has them open.
    pub(super) fn remove_files(&self, path: &Path) {
        if let Err(error) = self.files.remove_directory(path) {
            tracing::warn!(path = %path.display(), %error, "a deleted partition cannot be removed; the next start tries again");
        }
    }

    /// Writes the checkpoints and plans the next time.
    pub(super) fn checkpoint(&self) {
        if !self.is_offline() {
            let partitions: Vec<_> = self.partitions.lock().values().cloned().collect();
            for partition in &partitions {
                partition.expire_producers(self.producer_expiration_ms);
                if let Err(error) = partition.snapshot() {
                    tracing::warn!(topic = %partition.topic(), partition = partition.index(), %error, "a snapshot of producers cannot be written");
                }
            }
            if let Err(error) = self.write_checkpoints() {
                tracing::warn!(path = %self.path.display(), %error, "checkpoints cannot be written");
            }
        }
        self.flush_at(Instant::now() + self.checkpoint_interval, Task::Checkpoint);
    }

    fn write_checkpoints(&self) -> io::Result<()> {
        let partitions: Vec<_> = self.partitions.lock().values().cloned().collect();
        let mut entries: Vec<(String, i32, CheckpointEntry)> = partitions
            .iter()
            .filter_map(|partition| {
                let topic = partition.topic().to_string();
                Some((topic, partition.index(), partition.checkpoint()?))
            })
            .collect();
        entries.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        let write = |name: &str, offset: fn(&CheckpointEntry) -> i64| {
            let lines = entries
                .iter()
                .map(|(topic, partition, entry)| (topic.clone(), *partition, offset(entry)));
            checkpoint::write_offsets(&*self.files, &self.path.join(name), lines)
        };
        write(RECOVERY_POINTS, |entry| entry.recovery_point)?;
        write(LOG_STARTS, |entry| entry.log_start)?;
        write(HIGH_WATERMARKS, |entry| entry.high_watermark)
    }

    /// Finishes what was handed over, syncs everything and ends the threads.
    /// Says whether the directory is as a clean stop leaves it. Blocks.
    pub(super) fn close(&self) -> bool {
        *self.jobs.lock() = None;
        let mut threads = std::mem::take(&mut *self.threads.lock()).into_iter();
        // The writer first: it still has work for the flushers.
        let mut ended_well = threads.next().is_none_or(|writer| writer.join().is_ok());
        self.tasks.close();
        for flusher in threads {
            ended_well &= flusher.join().is_ok();
        }
        let partitions: Vec<_> = self.partitions.lock().values().cloned().collect();
        for partition in &partitions {
            if let Err(error) = partition.close() {
                tracing::error!(topic = %partition.topic(), partition = partition.index(), %error, "a partition cannot be closed");
                ended_well = false;
            }
        }
        if let Err(error) = self.write_checkpoints() {
            tracing::error!(path = %self.path.display(), %error, "checkpoints cannot be written");
            ended_well = false;
        }
        ended_well && !self.is_offline()
    }
}

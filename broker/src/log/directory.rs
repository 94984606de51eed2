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
use super::cleaner::{self, Cleaner};
use super::disk_space::DiskSpace;
use super::file::FileSystem;
use super::flusher::{self, Task, Tasks};
use super::journal::Journal;
use super::open_files::OpenFiles;
use super::partition::{CheckpointEntry, Partition};
use super::partition_log::Unsynced;
use super::segment::Segment;
use super::writer::{self, Job};
use crate::config::Config;
use crate::durable;

/// Everything below was synced once.
pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// Where clients may begin to read.
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// Up to where clients may read.
pub(super) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// What the directory of a deleted partition ends in.
pub(super) const DELETED_SUFFIX: &str = "-delete";

/// See the module.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    pub(super) files: Arc<dyn FileSystem>,
    pub(super) open_files: Arc<OpenFiles>,
    is_offline: AtomicBool,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    tasks: Tasks,
    journal: Journal,
    /// Partitions that the writer appended to in its present round.
    round: Mutex<Vec<Arc<Partition>>>,
    cleaner: Cleaner,
    space: DiskSpace,
    writing_checkpoint: Mutex<()>,
    partitions: Mutex<BTreeMap<(Str, i32), Arc<Partition>>>,
    /// The writer, then the flushers.
    threads: Mutex<Vec<JoinHandle<()>>>,
    cleaner_thread: Mutex<Option<JoinHandle<()>>>,
    /// `log.flush.offset.checkpoint.interval.ms`
    checkpoint_interval: Duration,
    /// `log.retention.check.interval.ms`
    retention_check_interval: Duration,
    /// `log.disk.max.bytes`
    max_bytes: Option<u64>,
    /// `producer.id.expiration.ms`
    producer_expiration_ms: i64,
}

impl Directory {
    /// The directory, before its partitions are in it.
    ///
    /// # Errors
    /// When the cleaner's checkpoint cannot be read.
    pub(super) fn new(
        path: PathBuf,
        files: Arc<dyn FileSystem>,
        open_files: Arc<OpenFiles>,
        config: &Config,
    ) -> io::Result<Arc<Self>> {
        let cleaner = Cleaner::open(config.cleaner.clone(), &*files, &path)?;
        let expiration = config.transactions.producer_id_expiration;
        Ok(Arc::new(Self {
            journal: Journal::new(Arc::clone(&files), path.clone()),
            path,
            files,
            open_files,
            is_offline: AtomicBool::new(false),
            jobs: Mutex::default(),
            tasks: Tasks::default(),
            round: Mutex::default(),
            cleaner,
            space: DiskSpace::new(config.log.disk_reserve_bytes),
            writing_checkpoint: Mutex::default(),
            partitions: Mutex::default(),
            threads: Mutex::default(),
            cleaner_thread: Mutex::default(),
            retention_check_interval: config.log.retention_check_interval,
            max_bytes: config.log.disk_max_bytes,
            checkpoint_interval: config.log.recovery_point_checkpoint_interval,
            producer_expiration_ms: i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX),
        }))
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
        if self.cleaner.is_enabled() {
            let directory = Arc::clone(self);
            let cleaner = spawn("log-cleaner", Box::new(move || cleaner::run(&directory)))?;
            *self.cleaner_thread.lock() = Some(cleaner);
        }
        self.flush_at(Instant::now() + self.checkpoint_interval, Task::Checkpoint);
        self.flush_at(Instant::now() + self.retention_check_interval, Task::Retention);
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

    /// Makes room in the journal.
    pub(super) fn empty_journal(&self) {
        if let Err(error) = self.journal.empty_full() {
            tracing::error!(path = %self.path.display(), %error, "records cannot be synced");
            self.go_offline();
        }
    }

    /// Has a partition synced, together with the others of the writer's round.
    pub(super) fn flush_after_round(&self, partition: &Arc<Partition>) {
        self.round.lock().push(Arc::clone(partition));
    }

    /// The writer's round is over.
    pub(super) fn end_round(&self) {
        let round = std::mem::take(&mut *self.round.lock());
        self.tasks.flush_all(round);
    }

    /// Makes the names of the partitions' directories durable.
    pub(super) fn sync_own_names(&self) -> io::Result<()> {
        self.files.sync_directory(&self.path)
    }

    /// Makes everything but the batches of partitions durable, some side by side, and
    /// leaves with each how that went.
    pub(super) fn sync_names<'a>(
        &self,
        unsynced: impl Iterator<Item = (&'a mut Unsynced, &'a mut io::Result<()>)>,
    ) {
        let changed: Vec<_> =
            unsynced.filter(|(unsynced, _)| unsynced.has_more_than_batches()).collect();
        let own = if changed.iter().any(|(unsynced, _)| unsynced.is_new) {
            self.sync_own_names()
        } else {
            Ok(())
        };
        let count = changed.len();
        let queue = Mutex::new(changed.into_iter());
        side_by_side(count, || {
            loop {
                // Not in the condition of the loop, where it would be held meanwhile.
                let next = queue.lock().next();
                let Some((unsynced, result)) = next else { return };
                *result = match &own {
                    Err(error) if unsynced.is_new => {
                        Err(io::Error::new(error.kind(), error.to_string()))
                    }
                    // A partition that is deleted meanwhile must not fail the others.
                    _ => unsynced.sync_all_but_batches(&*self.files),
                };
            }
        });
    }

    pub(super) fn flush_at(&self, time: Instant, task: Task) {
        self.tasks.push_at(time, task);
    }

    /// Where rounds over many partitions are made durable.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What compacts the partitions.
    pub(super) fn cleaner(&self) -> &Cleaner {
        &self.cleaner
    }

    /// All partitions that have something on disk, or may have.
    pub(super) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.lock().values().cloned().collect()
    }

    /// Whether only the reserve of the disk is left.
    pub(super) fn is_low_on_space(&self) -> bool {
        self.space.is_low()
    }

    /// Finds out how much room there is.
    pub(super) fn look_at_space(&self) {
        if self.space.look(&*self.files, &self.path) {
            // Room that is only waiting for its time is made now.
            self.tasks.hasten_unlinking();
        }
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
            self.cleaner.forget(partition.topic(), partition.index());
        }
        drop(partitions);
        let path = partition.log.directory();
        if let Err(error) = self.discard(path) {
            tracing::error!(path = %path.display(), %error, "a deleted partition cannot be removed; the next topic of its name tries again");
        }
    }

    /// Removes files at a time, or at once when the disk is full.
    pub(super) fn unlink_later(&self, paths: Vec<PathBuf>, delay_ms: i64) {
        let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
        if delay.is_zero() || self.is_low_on_space() {
            self.tasks.push(Task::Unlink(paths));
        } else {
            self.flush_at(Instant::now() + delay, Task::Unlink(paths));
        }
    }

    /// Removes files of deleted segments.
    pub(super) fn unlink(&self, paths: &[PathBuf]) {
        for path in paths {
            match self.files.remove(path) {
                // Its partition was deleted meanwhile, and the file with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a deleted file cannot be removed; the next start tries again");
                }
                Ok(()) => {}
            }
        }
    }

    /// Removes what is past its retention, and plans the next time.
    pub(super) fn check_retention(&self) {
        if !self.is_offline() {
            let partitions = self.partitions();
            let removed = partitions.into_iter().map(|partition| {
                let segments = partition.apply_retention();
                (partition, segments)
            });
            self.discard_segments(&removed.collect::<Vec<_>>());
            self.keep_below_max();
        }
        self.look_at_space();
        self.flush_at(Instant::now() + self.retention_check_interval, Task::Retention);
    }

    /// Removes the oldest segments of all partitions while the directory holds
    /// more than `log.disk.max.bytes`.
    fn keep_below_max(&self) {
        let Some(max_bytes) = self.max_bytes else { return };
        let partitions = self.partitions();
        let mut total: u64 = partitions.iter().map(|partition| partition.log.size()).sum();
        let mut removed = Vec::new();
        while total > max_bytes {
            let candidates = partitions
                .iter()
                .filter_map(|partition| Some((partition.oldest_removable()?, partition)));
            let Some((_, oldest)) = candidates.min_by_key(|(age, _)| *age) else { break };
            let segments = oldest.remove_oldest_segment();
            if segments.is_empty() {
                break;
            }
            total = total.saturating_sub(segments.iter().map(|segment| segment.size()).sum());
            removed.push((Arc::clone(oldest), segments));
        }
        self.discard_segments(&removed);
    }

    /// Removes the files of segments that their logs have forgotten.
    pub(super) fn discard_segments(&self, removed: &[(Arc<Partition>, Vec<Arc<Segment>>)]) {
        if removed.iter().all(|(_, segments)| segments.is_empty()) {
            return;
        }
        // Until the new log starts are durable, and while the journal could bring
        // some of them back, all have to stay.
        if let Err(error) = self.write_log_starts() {
            tracing::error!(path = %self.path.display(), %error, "the files of old segments cannot be removed before the next start");
            return;
        }
        if let Err(error) = self.journal.empty_all() {
            tracing::error!(path = %self.path.display(), %error, "records cannot be synced");
            return self.go_offline();
        }
        for (partition, segments) in removed {
            partition.discard(segments);
        }
    }

    /// Makes the first offsets of all partitions durable.
    pub(super) fn write_log_starts(&self) -> io::Result<()> {
        self.write_checkpoint(LOG_STARTS, |entry| entry.log_start)
    }

    /// Renames a directory out of the way, and has it removed.
    ///
    /// # Errors
    /// It may have its old name then.
    pub(super) fn discard(&self, path: &Path) -> io::Result<()> {
        if !self.files.exists(path) {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let id = uuid::Uuid::new_v4().simple();
        let discarded = path.with_file_name(format!("{name}.{id}{DELETED_SUFFIX}"));
        durable::rename(&*self.files, path, &discarded)?;
        self.tasks.push(Task::Remove(discarded));
        Ok(())
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
            let partitions = self.partitions();
            for partition in &partitions {
                partition.expire_producers(self.producer_expiration_ms);
                if let Err(error) = partition.write_small_files() {
                    tracing::warn!(topic = %partition.topic(), partition = partition.index(), %error, "the leader epochs cannot be written");
                }
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

    /// Writes all checkpoints.
    pub(super) fn write_checkpoints(&self) -> io::Result<()> {
        self.cleaner.write_checkpoint(self)?;
        self.write_checkpoint(RECOVERY_POINTS, |entry| entry.recovery_point)?;
        self.write_log_starts()?;
        self.write_checkpoint(HIGH_WATERMARKS, |entry| entry.high_watermark)
    }

    fn write_checkpoint(
        &self,
        name: &str,
        offset: impl Fn(&CheckpointEntry) -> i64,
    ) -> io::Result<()> {
        // One at a time, and each with what was known when its turn came.
        let _turn = self.writing_checkpoint.lock();
        let partitions = self.partitions();
        let lines = partitions.iter().filter_map(|partition| {
            let entry = partition.checkpoint()?;
            Some((partition.topic().to_string(), partition.index(), offset(&entry)))
        });
        checkpoint::write_offsets(&*self.files, &self.path.join(name), lines)
    }

    /// Finishes what was handed over, syncs everything and ends the threads.
    /// Says whether the directory is as a clean stop leaves it. Blocks.
    pub(super) fn close(&self) -> bool {
        self.cleaner.stop();
        let cleaner = self.cleaner_thread.lock().take();
        let mut ended_well = cleaner.is_none_or(|cleaner| cleaner.join().is_ok());
        *self.jobs.lock() = None;
        let mut threads = std::mem::take(&mut *self.threads.lock()).into_iter();
        // The writer first: it still has work for the flushers.
        ended_well &= threads.next().is_none_or(|writer| writer.join().is_ok());
        self.tasks.close();
        for flusher in threads {
            ended_well &= flusher.join().is_ok();
        }
        if let Err(error) = self.journal.close() {
            tracing::error!(path = %self.path.display(), %error, "the journal cannot be emptied");
            ended_well = false;
        }
        ended_well &= self.close_partitions();
        if let Err(error) = self.write_checkpoints() {
            tracing::error!(path = %self.path.display(), %error, "checkpoints cannot be written");
            ended_well = false;
        }
        ended_well && !self.is_offline()
    }

    /// Syncs every partition, some side by side. Says whether that went well.
    fn close_partitions(&self) -> bool {
        let partitions = self.partitions();
        let count = partitions.len();
        let queue = Mutex::new(partitions.into_iter());
        let ended_well = AtomicBool::new(true);
        side_by_side(count, || {
            loop {
                // Not in the condition of the loop, where it would be held meanwhile.
                let next = queue.lock().next();
                let Some(partition) = next else { return };
                if let Err(error) = partition.close() {
                    tracing::error!(topic = %partition.topic(), partition = partition.index(), %error, "a partition cannot be closed");
                    ended_well.store(false, Ordering::Relaxed);
                }
            }
        });
        ended_well.into_inner()
    }
}

/// Works on as many threads as wait for the disk, if there is enough to do.
fn side_by_side(count: usize, work: impl Fn() + Sync) {
    // Alone in tests, where the same seed has to do the same things.
    let others = if cfg!(test) { 0 } else { count.clamp(1, flusher::THREADS) - 1 };
    std::thread::scope(|scope| {
        for _ in 0..others {
            scope.spawn(&work);
        }
        work();
    });
}

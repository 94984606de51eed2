//! All log directories of the node.
//!
//! ```text
//! ottla-data/
//!   .lock                 held while a broker uses the directory
//!   meta.properties       whose directory it is
//!   .kafka_cleanshutdown  the last stop was clean; gone while the broker runs
//!   …-checkpoint          offsets of all partitions, written now and then
//!   orders-0/ …           one directory for each partition that has records
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::{Str, Uuid};
use rustix::fs::FlockOperation;

use super::checkpoint::{self, OffsetCheckpoint};
use super::directory::{DELETED_SUFFIX, Directory, LOG_STARTS, RECOVERY_POINTS};
#[cfg(test)]
use super::faults;
use super::file::FileSystem;
use super::journal;
use super::meta_properties::MetaProperties;
use super::open_files::OpenFiles;
use super::partition::{Partition, Start};
use super::partition_log::PartitionLog;
use super::progress::Progress;
use super::recovery::{self, Options};
use super::{partition_metadata, snapshots};
use crate::config::Config;
use crate::producers::Producers;
use crate::topic_config::TopicConfig;

/// Locked while a broker uses the directory.
pub(super) const LOCK_FILE: &str = ".lock";
/// There after a clean stop.
pub(super) const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";

/// Why a log directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has it.
    #[error("{} is in use by another broker", .0.display())]
    InUse(PathBuf),
    /// It belongs to another node or cluster, or to a newer version.
    #[error("{} {what}", path.display())]
    Foreign {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        what: String,
    },
    /// The system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl StorageError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// The log directories of this node, locked against others.
#[derive(Debug)]
pub(crate) struct LockedDirectories {
    paths: Vec<PathBuf>,
    files: Arc<dyn FileSystem>,
    cluster_id: String,
    /// The locks end with the process, or when these are dropped.
    locks: Vec<File>,
}

impl LockedDirectories {
    /// Makes the directories of `log.dirs` where they are missing, and locks them.
    ///
    /// # Errors
    /// When one is in use, or is not of this node. It is left as it is then.
    pub(crate) fn lock(config: &Config, files: Arc<dyn FileSystem>) -> Result<Self, StorageError> {
        let mut locks = Vec::new();
        for path in &config.log_dirs {
            make(&*files, path)?;
            locks.push(lock(path)?);
        }
        Self::prepare(config, files, locks)
    }

    /// For a file system that no other process can see.
    #[cfg(test)]
    pub(super) fn private(
        config: &Config,
        files: Arc<dyn FileSystem>,
    ) -> Result<Self, StorageError> {
        for path in &config.log_dirs {
            make(&*files, path)?;
        }
        Self::prepare(config, files, Vec::new())
    }

    fn prepare(
        config: &Config,
        files: Arc<dyn FileSystem>,
        locks: Vec<File>,
    ) -> Result<Self, StorageError> {
        let cluster_id = MetaProperties::prepare(&*files, &config.log_dirs, config.node_id)?;
        Ok(Self { paths: config.log_dirs.clone(), files, cluster_id, locks })
    }

    /// The directory that also keeps the metadata.
    pub(crate) fn first(&self) -> &Path {
        self.paths.first().map_or_else(|| Path::new("."), PathBuf::as_path)
    }
}

/// Makes a log directory where it is missing. Its name has to last as long as
/// what will be in it, also where a process made it that was killed at once.
fn make(files: &dyn FileSystem, directory: &Path) -> Result<(), StorageError> {
    let failed = |source| StorageError::io("create", directory, source);
    files.create_directory(directory).map_err(failed)?;
    for parent in directory.ancestors().skip(1) {
        // The parent of a relative name is where the process runs.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match files.sync_directory(parent) {
            // Somebody else made it, and what is above it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            synced => synced.map_err(failed)?,
        }
    }
    Ok(())
}

fn lock(directory: &Path) -> Result<File, StorageError> {
    let path = directory.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| StorageError::io("open", &path, source))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StorageError::InUse(directory.to_owned())),
        Err(error) => Err(StorageError::io("lock", &path, error.into())),
    }
}

/// A partition that the metadata knows.
#[derive(Debug, Clone)]
pub(crate) struct KnownPartition {
    pub(crate) topic: Str,
    pub(crate) index: i32,
    pub(crate) topic_id: Uuid,
    pub(crate) leader_epoch: i32,
    pub(crate) config: Arc<TopicConfig>,
}

/// All partitions of the node. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LogStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directories: Vec<Arc<Directory>>,
    cluster_id: String,
    /// Taken to find a place for a new partition, so that two do not get the same name.
    placing: Mutex<()>,
    _locks: Vec<File>,
}

impl LogStore {
    /// Opens what is on disk of the known partitions, checks what a crash left
    /// behind, and starts the threads. Blocks.
    ///
    /// # Errors
    /// When a partition cannot be read. Nothing is deleted then.
    pub(crate) fn open(
        locked: LockedDirectories,
        config: &Config,
        known: Vec<KnownPartition>,
    ) -> Result<Self, StorageError> {
        let store = Self::load(locked, config, known)?;
        for directory in &store.shared.directories {
            let started = directory.start();
            let path = directory.path();
            started.map_err(|source| StorageError::io("start the writer of", path, source))?;
        }
        Ok(store)
    }

    /// Opens what is on disk, without the threads.
    pub(super) fn load(
        locked: LockedDirectories,
        config: &Config,
        known: Vec<KnownPartition>,
    ) -> Result<Self, StorageError> {
        let known: HashMap<String, KnownPartition> = known
            .into_iter()
            .map(|known| (format!("{}-{}", known.topic, known.index), known))
            .collect();
        let mut directories = Vec::with_capacity(locked.paths.len());
        let open_files = OpenFiles::new(config.log.open_files_max);
        for path in &locked.paths {
            let files = Arc::clone(&locked.files);
            let directory = Directory::new(path.clone(), files, Arc::clone(&open_files), config)
                .map_err(|source| StorageError::io("read", path, source))?;
            let replayed = journal::replay(&*directory.files, path, &known);
            let has_replayed =
                replayed.map_err(|source| StorageError::io("read the journal of", path, source))?;
            Loading::new(&directory, &known, has_replayed)?.load(config.log.recovery_threads)?;
            directories.push(directory);
        }
        let shared = Shared {
            directories,
            cluster_id: locked.cluster_id,
            placing: Mutex::default(),
            _locks: locked.locks,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    #[cfg(test)]
    pub(super) fn directories(&self) -> &[Arc<Directory>] {
        &self.shared.directories
    }

    /// The cluster's id, as the log directories have it.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.shared.cluster_id
    }

    /// Sees to it that new partitions of a topic find nothing in their directories that
    /// others left. To be called before anybody is told that they exist: a directory
    /// may lose the file that says whose it is, and is of the topic with its name then.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// When something is there and stays.
    pub(crate) fn clear(&self, topic: &str, partitions: Range<i32>) -> Result<(), StorageError> {
        let _placing = self.shared.placing.lock();
        for directory in &self.shared.directories {
            for index in partitions.clone() {
                let path = directory.path().join(format!("{topic}-{index}"));
                let discarded = directory.discard(&path);
                discarded.map_err(|source| StorageError::io("move away", &path, source))?;
            }
        }
        Ok(())
    }

    /// The partition, as it was opened, or as a new one in the directory with
    /// the fewest partitions. A new one has no files before its first append.
    pub(crate) fn partition(&self, known: KnownPartition) -> Arc<Partition> {
        let directories = &self.shared.directories;
        let _placing = self.shared.placing.lock();
        let existing =
            directories.iter().find_map(|directory| directory.partition(&known.topic, known.index));
        if let Some(partition) = existing {
            return partition;
        }
        let emptiest = directories.iter().min_by_key(|directory| directory.partition_count());
        let directory = emptiest.expect("log.dirs names at least one directory");
        let path = directory.path().join(format!("{}-{}", known.topic, known.index));
        let (open_files, files) = (Arc::clone(&directory.open_files), Arc::clone(&directory.files));
        let log = PartitionLog::new(open_files, files, path, known.topic_id);
        let partition = Arc::new(Partition::new(
            Start {
                topic: known.topic,
                index: known.index,
                leader_epoch: known.leader_epoch,
                config: known.config,
                log,
                producers: Producers::default(),
                snapshot_offset: 0,
                log_start: 0,
            },
            Arc::clone(directory),
        ));
        directory.insert(&partition);
        partition
    }

    /// Takes what the checkpoints say of deleted partitions out of them: it must
    /// not be taken for something about later partitions with their names. Blocks
    /// on the disk.
    pub(crate) fn forget_deleted(&self) {
        for directory in &self.shared.directories {
            if let Err(error) = directory.write_checkpoints() {
                tracing::error!(path = %directory.path().display(), %error, "checkpoints cannot be written");
                // Whoever began a partition of the same name now could lose it in a crash.
                directory.go_offline();
            }
        }
    }

    /// Syncs everything and marks the directories as cleanly closed. Appends are
    /// refused from now on.
    pub(crate) async fn close(&self) {
        let shared = Arc::clone(&self.shared);
        let closed = tokio::task::spawn_blocking(move || {
            shared.directories.iter().for_each(|directory| close(directory));
        });
        if closed.await.is_err() {
            tracing::error!("the log directories could not be closed");
        }
    }
}

/// Syncs everything in a directory and marks it as cleanly closed. Blocks.
pub(super) fn close(directory: &Directory) {
    if directory.close()
        && let Err(error) = mark_clean(&*directory.files, directory.path())
    {
        tracing::error!(path = %directory.path().display(), %error, "the clean stop cannot be noted");
    }
}

fn mark_clean(files: &dyn FileSystem, directory: &Path) -> io::Result<()> {
    let file = files.open(&directory.join(CLEAN_SHUTDOWN_FILE), true)?;
    file.write_at(&mut [IoSlice::new(b"{\"version\":0}")], 0)?;
    file.sync()?;
    files.sync_directory(directory)
}

/// A log directory that is being opened.
struct Loading<'a> {
    directory: &'a Arc<Directory>,
    known: &'a HashMap<String, KnownPartition>,
    is_clean: bool,
    recovery_points: OffsetCheckpoint,
    log_starts: OffsetCheckpoint,
}

impl<'a> Loading<'a> {
    fn new(
        directory: &'a Arc<Directory>,
        known: &'a HashMap<String, KnownPartition>,
        has_replayed: bool,
    ) -> Result<Self, StorageError> {
        let files = &*directory.files;
        let mark = directory.path().join(CLEAN_SHUTDOWN_FILE);
        let is_marked = files.exists(&mark);
        if is_marked {
            // Before anything is written, so that a crash is not taken for a clean stop.
            files
                .remove(&mark)
                .and_then(|()| files.sync_directory(directory.path()))
                .map_err(|source| StorageError::io("remove", &mark, source))?;
        }
        let read = |name: &str| {
            let path = directory.path().join(name);
            checkpoint::read_offsets(files, &path).map_err(|source| match source.kind() {
                // It says itself which file it is.
                io::ErrorKind::InvalidData => StorageError::io("use", directory.path(), source),
                _ => StorageError::io("read", &path, source),
            })
        };
        let (recovery_points, log_starts) = (read(RECOVERY_POINTS)?, read(LOG_STARTS)?);
        let is_clean = is_marked && !has_replayed;
        #[cfg(test)]
        let recovery_points = if faults::is_committed(faults::Fault::LosesRecoveryPoint) {
            let all =
                known.values().map(|known| ((known.topic.to_string(), known.index), i64::MAX));
            all.collect()
        } else {
            recovery_points
        };
        Ok(Self { directory, known, is_clean, recovery_points, log_starts })
    }

    /// Opens every partition, on that many threads.
    fn load(&self, threads: usize) -> Result<(), StorageError> {
        let path = self.directory.path();
        let names = self.directory.files.list(path);
        let names = names.map_err(|source| StorageError::io("list", path, source))?;
        let mut partitions = Vec::new();
        for name in names.iter().filter_map(|name| name.to_str()) {
            if name.ends_with(DELETED_SUFFIX) {
                self.directory.remove_files(&path.join(name));
            } else if let Some(known) = self.known.get(name) {
                partitions.push(known);
            } else if is_partition(name) {
                tracing::warn!(path = %path.join(name).display(), "this directory belongs to no topic and is left alone");
            }
        }
        if !self.is_clean && !partitions.is_empty() {
            tracing::info!(path = %path.display(), partitions = partitions.len(), "the last stop was not clean; checking the logs");
        }
        let progress = Progress::new("partitions are being opened", path, partitions.len());
        let queue = Mutex::new(partitions.into_iter());
        let work = || {
            loop {
                // Not in the condition of the loop, where it would be held meanwhile.
                let next = queue.lock().next();
                match next {
                    Some(known) => self.open(known)?,
                    None => return Ok(()),
                }
                progress.one_done();
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            let results = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            results.collect::<Result<Vec<()>, StorageError>>()
        })?;
        self.correct_checkpoints()?;
        if !self.is_clean {
            // The names of directories that a killed process made may be in memory only.
            let synced = self.directory.files.sync_directory(path);
            synced.map_err(|source| StorageError::io("sync", path, source))?;
        }
        Ok(())
    }

    /// As [`LogStore::forget_deleted`], where that was not done before a crash. Also
    /// notes that everything is synced, where the checkpoints do not say so after a
    /// clean stop: partitions that another broker wrote.
    fn correct_checkpoints(&self) -> Result<(), StorageError> {
        let is_unknown = |(topic, index): &(String, i32)| {
            self.directory.partition(&Str::from(topic.as_str()), *index).is_none()
        };
        let mut named = self.recovery_points.keys().chain(self.log_starts.keys());
        let is_behind = |partition: &Arc<Partition>| {
            let key = (partition.topic().to_string(), partition.index());
            let known = self.recovery_points.get(&key).copied().unwrap_or(0);
            partition.checkpoint().is_some_and(|entry| known < entry.recovery_point)
        };
        let has_foreign = self.is_clean && self.directory.partitions().iter().any(is_behind);
        if self.directory.cleaner().forget_unknown(self.directory)
            || named.any(is_unknown)
            || has_foreign
        {
            let path = self.directory.path();
            let written = self.directory.write_checkpoints();
            written.map_err(|source| StorageError::io("write the checkpoints of", path, source))?;
        }
        Ok(())
    }

    fn open(&self, known: &KnownPartition) -> Result<(), StorageError> {
        let name = format!("{}-{}", known.topic, known.index);
        let path = self.directory.path().join(&name);
        let failed = |source| StorageError::io("open", &path, source);
        let files = &self.directory.files;
        let id = match partition_metadata::read(&**files, &path) {
            // The power was lost before it was synced, or the disk was full. The names of
            // directories that are not of this topic were changed before there was this topic.
            Err(error)
                if error.kind() == io::ErrorKind::UnexpectedEof
                    && (!self.is_clean || !has_segments(&**files, &path).map_err(failed)?) =>
            {
                tracing::warn!(partition = name, %error, "what a crash left is written anew");
                None
            }
            read => read.map_err(failed)?,
        };
        match id {
            Some(id) if id == known.topic_id => {}
            Some(_) => {
                // Of a topic of the same name that was deleted when the broker stopped.
                self.directory.discard(&path).map_err(failed)?;
                return Ok(());
            }
            // Put here by hand. A later topic of the same name must not take it for its own.
            None => {
                partition_metadata::replace(&**files, &path, known.topic_id).map_err(failed)?;
            }
        }
        let (log, producers, snapshot_offset) =
            self.open_log(known, &name, &path).map_err(failed)?;
        let key = (known.topic.to_string(), known.index);
        let start = Start {
            topic: known.topic.clone(),
            index: known.index,
            leader_epoch: known.leader_epoch,
            config: Arc::clone(&known.config),
            log,
            producers,
            snapshot_offset,
            log_start: self.log_starts.get(&key).copied().unwrap_or(0),
        };
        self.directory.insert(&Arc::new(Partition::new(start, Arc::clone(self.directory))));
        Ok(())
    }

    /// Opens the log, and finds out about its producers: from the newest snapshot
    /// that can be read, and the batches behind it. Says which offset the snapshot
    /// stands at, 0 without one.
    fn open_log(
        &self,
        known: &KnownPartition,
        name: &str,
        path: &Path,
    ) -> io::Result<(PartitionLog, Producers, i64)> {
        let files = &self.directory.files;
        let key = (known.topic.to_string(), known.index);
        let now_ms = self.directory.now_ms();
        let mut snapshots = snapshots::offsets(&**files, path)?;
        // One from before the log's first record does not know what is gone between the two.
        let first_offset = recovery::first_offset(&**files, path)?;
        snapshots.retain(|offset| *offset >= first_offset);
        loop {
            let mut snapshot = None;
            while let Some(offset) = snapshots.pop() {
                if let Some(producers) = snapshots::read(&**files, path, offset)? {
                    snapshot = Some((offset, producers));
                    break;
                }
                snapshots::remove(&**files, path, offset)?;
            }
            let (snapshot_offset, mut producers) = snapshot.unwrap_or_default();
            let options = Options {
                is_clean: self.is_clean,
                recovery_point: self.recovery_points.get(&key).copied().unwrap_or(0),
                latest_epoch: known.leader_epoch,
                log_start: self.log_starts.get(&key).copied().unwrap_or(0),
                visit_from: snapshot_offset,
                index_interval_bytes: known.config.index_interval_bytes,
            };
            let mut visit = |header: &protocol::records::BatchHeader| {
                if header.base_offset >= snapshot_offset {
                    // Taking it back is for appends that fail.
                    let _ = producers.append(header, now_ms);
                }
            };
            let opened = PartitionLog::open(
                Arc::clone(&self.directory.open_files),
                Arc::clone(files),
                path.to_owned(),
                known.topic_id,
                options,
                &mut visit,
            )?;
            if let Some(cut) = &opened.cut {
                tracing::warn!(partition = name, "{cut}");
            }
            if snapshot_offset <= opened.log.end().offset {
                return Ok((opened.log, producers, snapshot_offset));
            }
            // It tells of batches that the crash took away.
            snapshots::remove(&*self.directory.files, path, snapshot_offset)?;
        }
    }
}

fn has_segments(files: &dyn FileSystem, directory: &Path) -> io::Result<bool> {
    Ok(!recovery::base_offsets(files, directory)?.is_empty())
}

/// Whether a name is `<topic>-<partition>`.
fn is_partition(name: &str) -> bool {
    split_partition(name).is_some()
}

/// Topic and partition of a directory's name.
pub(super) fn split_partition(name: &str) -> Option<(&str, i32)> {
    let (topic, index) = name.rsplit_once('-')?;
    Some((topic, index.parse().ok().filter(|index| *index >= 0)?))
}

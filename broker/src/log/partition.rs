//! One partition as the rest of the broker sees it: appends go in, record
//! batches and offsets come out.
//!
//! ```text
//! append ── validation ── writer thread ── file ──┬─ acks 0, 1 answered
//!                                                 └─ flusher ── sync ── high watermark
//!                                                                       acks all answered,
//!                                                                       waiting fetches woken
//! ```
//!
//! With `durability` `group` or `strict` the high watermark is what is on disk;
//! with `interval` and `os` it is the log end offset.
//!
//! Locks, in the order in which they may be taken: `maintenance`, `paths`, `syncing`,
//! `producers`, `flush`, `marks`.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use protocol::Str;
use protocol::records::BatchHeader;
use tokio::sync::oneshot;

use super::append::{Acks, AppendError, AppendOptions, AppendResult, Appended, Completion};
use super::directory::Directory;
use super::file::{FileRange, Reads};
use super::flusher::Task;
use super::journal::{Piece, Round};
use super::partition_log::{Mark, PartitionLog, PreparedBatch, ReadError, TimestampOffset};
use super::snapshots::{self, Snapshot};
use super::validation::{self, Rules};
use super::writer::Job;
use crate::producers::{Producers, Undo, Verdict};
use crate::topic_config::{Durability, TimestampPolicy, TopicConfig};
use crate::waiters::Waiters;

/// See the module.
#[derive(Debug)]
pub(crate) struct Partition {
    topic: Str,
    index: i32,
    leader_epoch: i32,
    config: RwLock<Arc<TopicConfig>>,
    pub(super) log: PartitionLog,
    pub(super) directory: Arc<Directory>,
    /// Held while old segments are removed or written anew.
    pub(super) maintenance: Mutex<()>,
    /// Held while files get other names, so that none of a deleted partition gets
    /// into the directory of the next one with its name.
    pub(super) paths: Mutex<()>,
    producers: Mutex<Producers>,
    syncing: Mutex<()>,
    flush: Mutex<FlushState>,
    marks: RwLock<Marks>,
    waiters: Waiters,
    /// Where the newest snapshot of the producers stands; 0 when there is none.
    snapshot_offset: AtomicI64,
    is_deleted: AtomicBool,
}

/// Offsets behind the newest snapshot that a start may read to learn that no
/// producer wrote them: so many partitions with little in them need no files for it.
const OFFSETS_WITHOUT_PRODUCERS: i64 = 1000;

#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    log_start: i64,
    end: Mark,
    high: Mark,
}

/// The offsets between which clients may read: from the log start up to the high
/// watermark, or up to the last stable offset if open transactions are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) log_start_offset: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) high_watermark: i64,
}

#[derive(Debug, Default)]
struct FlushState {
    /// Answers that wait for the disk, in the order of the offsets they wait for.
    waiting: VecDeque<Waiting>,
    stage: FlushStage,
    /// Everything below is on disk.
    synced: Mark,
    /// Records since the last sync, for `flush.messages`.
    records: i64,
    /// A sync is due at a later time.
    is_scheduled: bool,
}

/// One partition is synced by one thread at a time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum FlushStage {
    #[default]
    Idle,
    Queued,
    Running,
    /// More was appended while the sync ran.
    RunningAgain,
}

#[derive(Debug)]
struct Waiting {
    end_offset: i64,
    appended: Appended,
    answer: Answer,
}

/// Where the result of an append goes.
pub(super) type Answer = oneshot::Sender<AppendResult>;

/// One batch for the writer.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) batch: PreparedBatch,
    pub(super) acks: Acks,
    pub(super) may_use_reserve: bool,
    pub(super) answer: Answer,
}

/// What a partition begins with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) topic: Str,
    pub(super) index: i32,
    pub(super) leader_epoch: i32,
    pub(super) config: Arc<TopicConfig>,
    pub(super) log: PartitionLog,
    pub(super) producers: Producers,
    /// Where the newest snapshot of the producers stands; 0 when there is none.
    pub(super) snapshot_offset: i64,
    /// Where the log begins, if that is behind its first segment's start.
    pub(super) log_start: i64,
}

impl Partition {
    /// A partition whose records are all on disk.
    pub(super) fn new(start: Start, directory: Arc<Directory>) -> Self {
        let end = start.log.end();
        let log_start = start.log_start.clamp(start.log.start_offset(), end.offset);
        Self {
            topic: start.topic,
            index: start.index,
            leader_epoch: start.leader_epoch,
            config: RwLock::new(start.config),
            log: start.log,
            directory,
            maintenance: Mutex::default(),
            paths: Mutex::default(),
            producers: Mutex::new(start.producers),
            syncing: Mutex::default(),
            flush: Mutex::new(FlushState { synced: end, ..FlushState::default() }),
            marks: RwLock::new(Marks { log_start, end, high: end }),
            waiters: Waiters::default(),
            snapshot_offset: AtomicI64::new(start.snapshot_offset),
            is_deleted: AtomicBool::new(false),
        }
    }

    /// The topic's name.
    pub(crate) fn topic(&self) -> &Str {
        &self.topic
    }

    /// The number of the partition in its topic.
    pub(crate) fn index(&self) -> i32 {
        self.index
    }

    /// The epoch of this run of the node.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// The topic's settings.
    pub(crate) fn config(&self) -> Arc<TopicConfig> {
        Arc::clone(&self.config.read())
    }

    /// Replaces the topic's settings.
    pub(crate) fn set_config(&self, config: Arc<TopicConfig>) {
        *self.config.write() = config;
    }

    /// The first offset that can be read.
    pub(crate) fn log_start_offset(&self) -> i64 {
        self.marks.read().log_start
    }

    /// Behind the last record, whether it may be read or not.
    pub(crate) fn log_end_offset(&self) -> i64 {
        self.marks.read().end.offset
    }

    /// Behind the last record that clients may read.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.marks.read().high.offset
    }

    /// Where clients may read, at one moment.
    pub(crate) fn bounds(&self) -> Bounds {
        let marks = *self.marks.read();
        Bounds {
            log_start_offset: marks.log_start,
            last_stable_offset: marks.high.offset,
            high_watermark: marks.high.offset,
        }
    }

    /// As far as no transaction is open.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.high_watermark()
    }

    /// Everything below is on disk.
    pub(super) fn recovery_point(&self) -> i64 {
        self.flush.lock().synced.offset
    }

    /// Fetches that wait for this partition.
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// The epoch of the record at an offset; -1 when it is unknown.
    pub(crate) fn epoch_of(&self, offset: i64) -> i32 {
        if offset >= self.log_end_offset() {
            return self.leader_epoch;
        }
        self.log.epochs().epoch_of(offset)
    }

    /// The largest epoch up to `epoch` with the offset behind its last record;
    /// (-1, -1) for an unknown one.
    pub(crate) fn end_offset_for_epoch(&self, epoch: i32) -> (i32, i64) {
        // As far as clients can have read.
        self.log.epochs().end_offset(epoch, self.leader_epoch, self.high_watermark())
    }

    /// Whole batches from the one with `offset` on, below the high watermark: at
    /// most `max_bytes`, but at least one batch if `at_least_one` is set.
    ///
    /// # Errors
    /// When the offset is below the log start or above the log end; between the
    /// high watermark and the log end there is nothing yet. When the disk fails;
    /// [`ReadError::is_cold`] when `reads` does not let it be asked.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
        reads: Reads,
    ) -> Result<Option<FileRange>, ReadError> {
        self.look(|marks| {
            if offset < marks.log_start || offset > marks.end.offset {
                return Err(ReadError::OffsetOutOfRange {
                    offset,
                    log_start_offset: marks.log_start,
                    log_end_offset: marks.end.offset,
                });
            }
            Ok(self.log.read(offset, max_bytes, marks.high, at_least_one, reads)?)
        })
    }

    /// Of how many files one reader may hold ranges.
    pub(crate) fn files_at_once(&self) -> usize {
        self.directory.open_files.limit_of_one()
    }

    /// Looks into the log, and again where a segment went away meanwhile.
    fn look<T>(&self, look: impl Fn(Marks) -> Result<T, ReadError>) -> Result<T, ReadError> {
        /// A segment goes away once; nobody is that unlucky.
        const TRIES: usize = 100;
        let mut tries = 0;
        loop {
            let marks = *self.marks.read();
            match look(marks) {
                Err(error) if error.is_gone() && self.is_deleted() => {
                    return Err(ReadError::Deleted);
                }
                Err(error) if error.is_gone() && tries < TRIES => tries += 1,
                looked => return looked,
            }
        }
    }

    /// The first record that is not older than `timestamp`. Blocks on the disk.
    pub(crate) fn offset_for_timestamp(
        &self,
        timestamp: i64,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        self.look(|marks| self.log.offset_for_timestamp(timestamp, marks.log_start, marks.high))
    }

    /// The first record with the largest timestamp. Blocks on the disk.
    pub(crate) fn max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        self.look(|marks| self.log.max_timestamp(marks.high))
    }

    /// Checks a batch and hands it to the writer, behind what was handed over
    /// before. The batch is appended even if the completion is dropped.
    ///
    /// # Errors
    /// Why the batch is refused. What only the writer can find comes with the completion.
    pub(crate) async fn append(
        self: &Arc<Self>,
        records: Bytes,
        options: AppendOptions,
    ) -> Result<Completion, AppendError> {
        let config = self.config();
        if options.acks == Acks::All && config.min_insync_replicas > 1 {
            return Err(AppendError::NotEnoughReplicas(config.min_insync_replicas));
        }
        let batch = prepare(records, config, options, self.directory.now_ms()).await?;
        let (answer, completion) = Completion::new();
        let AppendOptions { acks, may_use_reserve, .. } = options;
        let append = Append { batch, acks, may_use_reserve, answer };
        self.directory.hand_over(Job::Append(Arc::clone(self), append)).await?;
        Ok(completion)
    }

    /// Whether the partition is on its way out.
    pub(super) fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Acquire)
    }

    /// Up to where clients may read.
    pub(super) fn high_mark(&self) -> Mark {
        self.marks.read().high
    }

    /// Moves the first offset that can be read, unless it is there or behind.
    pub(super) fn raise_log_start(&self, offset: i64) {
        let mut marks = self.marks.write();
        marks.log_start = marks.log_start.max(offset);
    }

    /// Where the last batch of each producer ends, of those that clients may read:
    /// what comes after may yet be lost. `None` where that is not remembered.
    pub(super) fn last_offsets_of_producers(&self) -> HashMap<i64, Option<i64>> {
        let high_watermark = self.high_watermark();
        self.producers.lock().last_offsets(high_watermark).collect()
    }

    /// Asks the writer to begin a new segment, and waits for it. Says whether it did.
    pub(super) fn roll(self: &Arc<Self>) -> bool {
        let (done, rolled) = oneshot::channel();
        self.directory.hand_over_blocking(Job::Roll(Arc::clone(self), done));
        rolled.blocking_recv().is_ok()
    }

    /// Asks the writer to remove the partition with its records. Appends that were
    /// handed over before are carried out, later ones refused. When the receiver
    /// that is given back resolves, the partition's name is free. Blocks while the
    /// writer's queue is full.
    pub(crate) fn delete(self: &Arc<Self>) -> oneshot::Receiver<()> {
        let (done, deleted) = oneshot::channel();
        // A writer that stops first drops its end, and the next start removes the files.
        self.directory.hand_over_blocking(Job::Delete(Arc::clone(self), done));
        deleted
    }
}

/// Brings what a producer sent into the form that is stored; large batches off
/// the async threads.
async fn prepare(
    records: Bytes,
    config: Arc<TopicConfig>,
    options: AppendOptions,
    now_ms: i64,
) -> Result<PreparedBatch, AppendError> {
    let is_heavy = validation::is_heavy(&records, &config);
    let prepare = move || {
        let rules = Rules { config: &config, api_version: options.api_version, now_ms };
        validation::prepare(records, &rules)
    };
    if !is_heavy {
        return prepare();
    }
    match tokio::task::spawn_blocking(prepare).await {
        Ok(prepared) => prepared,
        // The request that brought the records is answered as any that panics.
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// What the writer thread does.
impl Partition {
    /// Appends batches in one write and answers those that do not wait for the disk.
    pub(super) fn append_all(self: &Arc<Self>, appends: Vec<Append>) {
        let refusal = if self.is_deleted.load(Ordering::Acquire) {
            Some(AppendError::Deleted)
        } else {
            self.directory.is_offline().then_some(AppendError::Offline)
        };
        let is_low_on_space = self.directory.is_low_on_space();
        if let Some(refusal) = refusal {
            for append in appends {
                let _ = append.answer.send(Err(refusal.clone()));
            }
            return;
        }
        let config = self.config();
        if config.durability == Durability::Strict && appends.len() > 1 {
            for append in appends {
                self.append_all(vec![append]);
            }
            return;
        }
        let mut producers = self.producers.lock();
        let Admission { admitted, duplicates } =
            self.admit(&mut producers, appends, is_low_on_space);
        let batches: Vec<PreparedBatch> =
            admitted.iter().map(|admitted| admitted.batch.clone()).collect();
        let written = self.log.append(&batches, self.leader_epoch, &config);
        let (count, failure) = match &written {
            Ok(_) => (batches.len(), None),
            Err(failure) => (failure.appended, Some(failure)),
        };
        let mut admitted = admitted;
        for refused in admitted.drain(count..).rev() {
            if let Some(undo) = refused.undo {
                producers.undo(undo);
            }
            let _ = refused.answer.send(Err(AppendError::NotWritten));
        }
        drop(producers);
        if let Some(failure) = failure {
            self.report(&failure.error, failure.is_usable);
        }
        if !admitted.is_empty() {
            self.publish(admitted, &config);
        }
        let end_offset = self.log.end().offset;
        for (duplicate, acks) in duplicates {
            if duplicate.end_offset <= end_offset {
                self.answer_when_durable(duplicate, acks);
            } else {
                // Its original came with it and could not be written.
                let _ = duplicate.answer.send(Err(AppendError::NotWritten));
            }
        }
    }

    /// Sorts out what is refused or was appended before, and gives offsets to the rest.
    fn admit(
        &self,
        producers: &mut Producers,
        appends: Vec<Append>,
        is_low_on_space: bool,
    ) -> Admission {
        let mut admitted = Vec::with_capacity(appends.len());
        let mut duplicates = Vec::new();
        let mut next_offset = self.log.end().offset;
        for Append { batch, acks, may_use_reserve, answer } in appends {
            match producers.check(&batch.header) {
                // After the check for duplicates: those are here already.
                Ok(Verdict::New) if is_low_on_space && !may_use_reserve => {
                    let _ = answer.send(Err(AppendError::DiskFull));
                }
                Err(error) => {
                    let _ = answer.send(Err(AppendError::Producer(error)));
                }
                Ok(Verdict::Duplicate(original)) => {
                    let appended = Appended {
                        base_offset: original.base_offset(),
                        log_append_time_ms: self.append_time(original.timestamp),
                        log_start_offset: self.log_start_offset(),
                    };
                    // Even if it is still on its way to the disk.
                    let end_offset = original.last_offset + 1;
                    duplicates.push((Waiting { end_offset, appended, answer }, acks));
                }
                Ok(Verdict::New) => {
                    let header = BatchHeader { base_offset: next_offset, ..batch.header };
                    next_offset = header.next_offset();
                    let undo = producers.append(&header, self.directory.now_ms());
                    let batch = PreparedBatch { header, ..batch };
                    admitted.push(Admitted { batch, acks, answer, undo });
                }
            }
        }
        Admission { admitted, duplicates }
    }

    fn append_time(&self, timestamp: i64) -> i64 {
        match self.config().timestamp_policy {
            TimestampPolicy::LogAppendTime => timestamp,
            TimestampPolicy::CreateTime => -1,
        }
    }

    /// Moves the log end offset behind what was written, and sees to it that
    /// it gets to disk.
    fn publish(self: &Arc<Self>, admitted: Vec<Admitted>, config: &TopicConfig) {
        let end = self.log.end();
        let waits_for_disk = config.durability.waits_for_disk();
        let advanced = {
            let mut marks = self.marks.write();
            if end.offset > marks.end.offset {
                marks.end = end;
            }
            if waits_for_disk { 0 } else { marks.raise_high(end) }
        };
        let mut records = 0;
        let log_start_offset = self.log_start_offset();
        for Admitted { batch, acks, answer, .. } in admitted {
            records += i64::from(batch.header.records_count);
            let appended = Appended {
                base_offset: batch.header.base_offset,
                log_append_time_ms: self.append_time(batch.header.max_timestamp),
                log_start_offset,
            };
            let end_offset = batch.header.next_offset();
            let is_strict = config.durability == Durability::Strict;
            let waits = waits_for_disk && (acks == Acks::All || is_strict);
            if waits {
                let waiting = Waiting { end_offset, appended, answer };
                self.flush.lock().enter(waiting);
            } else {
                let _ = answer.send(Ok(appended));
            }
        }
        self.waiters.advanced(advanced);
        self.see_to_sync(records, config);
    }

    fn see_to_sync(self: &Arc<Self>, records: i64, config: &TopicConfig) {
        if config.durability == Durability::Strict {
            return self.sync();
        }
        let mut flush = self.flush.lock();
        flush.records = flush.records.saturating_add(records);
        let is_due = config.durability == Durability::Group
            || flush.records >= config.flush_messages
            // As in Kafka: a start after a crash need not read segments that are closed.
            || self.log.has_unsynced_closed();
        if is_due {
            if flush.queue() {
                drop(flush);
                self.directory.flush_after_round(self);
            }
        } else if config.flush_ms < i64::MAX && !flush.is_scheduled {
            flush.is_scheduled = true;
            drop(flush);
            let delay = Duration::from_millis(u64::try_from(config.flush_ms).unwrap_or(0));
            self.directory.flush_at(Instant::now() + delay, Task::Flush(Arc::clone(self)));
        }
    }

    fn answer_when_durable(&self, waiting: Waiting, acks: Acks) {
        let config = self.config();
        let mut flush = self.flush.lock();
        let is_durable = waiting.end_offset <= flush.synced.offset;
        if is_durable || acks != Acks::All || !config.durability.waits_for_disk() {
            let _ = waiting.answer.send(Ok(waiting.appended));
        } else {
            flush.enter(waiting);
        }
    }

    /// Takes the partition out of use and gives its directory a name that says so.
    pub(super) fn remove(self: &Arc<Self>) {
        let _paths = self.paths.lock();
        self.is_deleted.store(true, Ordering::Release);
        // Their names may be those of the next topic with this one's name.
        self.log.segments().iter().for_each(|segment| segment.file().forget());
        self.waiters.wake_all();
        self.directory.remove_partition(self);
    }

    /// Begins a new segment.
    pub(super) fn begin_segment(&self) -> bool {
        let begun = self.log.roll();
        if let Err(error) = &begun {
            self.report(error, true);
        }
        begun.is_ok()
    }

    fn report(&self, error: &io::Error, is_usable: bool) {
        tracing::error!(topic = %self.topic, partition = self.index, %error, "records cannot be written");
        if !is_usable {
            self.directory.go_offline();
        }
    }
}

/// What the flusher threads do.
impl Partition {
    /// Syncs what was appended, unless another thread is at it; that one goes on then.
    pub(super) fn run_flush(self: &Arc<Self>) {
        if !self.begin_flush() {
            return;
        }
        self.sync();
        if self.end_flush() {
            self.directory.tasks().flush_all([Arc::clone(self)]);
        }
    }

    /// Syncs several partitions of one directory together, through its journal.
    pub(super) fn run_flushes(directory: &Directory, partitions: Vec<Arc<Self>>) {
        let begun: Vec<_> =
            partitions.into_iter().filter(|partition| partition.begin_flush()).collect();
        let turns: Vec<_> = begun.iter().map(|partition| partition.syncing.lock()).collect();
        let (mut pieces, mut ends) = (Vec::new(), Vec::new());
        for partition in &begun {
            let (unsynced, mark) = partition.log.take_unsynced();
            let (topic, topic_id) = (partition.topic.as_str(), partition.log.topic_id());
            pieces.push(Piece { topic, index: partition.index, topic_id, unsynced });
            ends.push((partition, Ok(()), mark));
        }
        let pieces_and_names = pieces.iter_mut().zip(&mut ends);
        directory.sync_names(
            pieces_and_names.map(|(piece, (_, named, _))| (&mut piece.unsynced, named)),
        );
        let round = if directory.is_offline() {
            Err(io::Error::other("the log directory is offline"))
        } else {
            directory.journal().commit(&mut pieces)
        };
        for ((partition, named, mark), piece) in ends.into_iter().zip(&pieces) {
            let synced = named.and_then(|()| match &round {
                Ok(Round::Declined) => piece.unsynced.sync(&*directory.files),
                Ok(Round::Durable | Round::DurableAndFull) => Ok(()),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            });
            partition.end_sync(synced, mark);
        }
        let is_full = matches!(round, Ok(Round::DurableAndFull));
        drop(turns);
        let again = begun.iter().filter(|partition| partition.end_flush()).cloned();
        directory.tasks().flush_all(again);
        if is_full {
            directory.tasks().push(Task::EmptyJournal);
        }
    }

    /// Whether the caller is the one to sync now. Otherwise whoever is at it goes on.
    fn begin_flush(&self) -> bool {
        let mut flush = self.flush.lock();
        flush.is_scheduled = false;
        match flush.stage {
            FlushStage::Idle | FlushStage::Queued => {
                flush.stage = FlushStage::Running;
                true
            }
            FlushStage::Running | FlushStage::RunningAgain => {
                flush.stage = FlushStage::RunningAgain;
                false
            }
        }
    }

    /// Whether more was appended meanwhile, so that the partition has to be
    /// synced once more.
    fn end_flush(&self) -> bool {
        let mut flush = self.flush.lock();
        let again = flush.stage == FlushStage::RunningAgain;
        flush.stage = if again { FlushStage::Queued } else { FlushStage::Idle };
        again
    }

    /// Syncs what was appended so far and moves the marks. Blocks on the disk.
    pub(super) fn sync(&self) {
        // The mark of one sync is durable only if what earlier ones took is.
        let _in_order = self.syncing.lock();
        let (unsynced, mark) = self.log.take_unsynced();
        let synced = if self.directory.is_offline() {
            Err(io::Error::other("the log directory is offline"))
        } else {
            let directory = if unsynced.is_new { self.directory.sync_own_names() } else { Ok(()) };
            directory.and_then(|()| unsynced.sync(&*self.directory.files))
        };
        self.end_sync(synced, mark);
    }

    /// Moves the marks and answers who waits, after a sync up to `mark`.
    fn end_sync(&self, synced: io::Result<()>, mark: Mark) {
        if let Err(error) = synced {
            // What the system could not write may be gone from its memory too:
            // a second try could succeed and still have lost it.
            if !self.is_deleted.load(Ordering::Acquire) {
                tracing::error!(topic = %self.topic, partition = self.index, %error, "records cannot be synced");
                self.directory.go_offline();
            }
            let is_deleted = self.is_deleted.load(Ordering::Acquire);
            let why = if is_deleted { AppendError::Deleted } else { AppendError::Offline };
            let waiting = std::mem::take(&mut self.flush.lock().waiting);
            for waiting in waiting {
                let _ = waiting.answer.send(Err(why.clone()));
            }
            return;
        }
        let durable = {
            let mut flush = self.flush.lock();
            if mark.offset > flush.synced.offset {
                flush.synced = mark;
            }
            flush.records = 0;
            flush.take_durable(mark.offset)
        };
        // Whoever is told of a record can read it.
        let advanced = self.marks.write().raise_high(mark);
        for waiting in durable {
            let _ = waiting.answer.send(Ok(waiting.appended));
        }
        self.waiters.advanced(advanced);
    }

    /// Before a clean stop: everything is on disk, and the next start can trust it.
    pub(super) fn close(&self) -> io::Result<()> {
        if self.is_deleted.load(Ordering::Acquire) {
            return Ok(());
        }
        self.sync();
        self.log.close()?;
        self.write_small_files()?;
        self.snapshot()
    }

    /// See [`PartitionLog::write_small_files`].
    pub(super) fn write_small_files(&self) -> io::Result<()> {
        let _paths = self.paths.lock();
        if self.is_deleted() { Ok(()) } else { self.log.write_small_files() }
    }

    /// Writes what is known of producers beside the log, so that the next start
    /// reads it instead of all batches. That there are none is worth knowing, too,
    /// unless few batches tell it.
    pub(super) fn snapshot(&self) -> io::Result<()> {
        // The directory of a deleted partition may be the next one's.
        let _paths = self.paths.lock();
        if self.is_deleted() {
            return Ok(());
        }
        let (offset, snapshot) = {
            // The writer holds this lock while it appends: both are of the same moment.
            let producers = self.producers.lock();
            let offset = self.log.end().offset;
            let behind = offset - self.snapshot_offset.load(Ordering::Relaxed);
            if behind == 0 || (producers.is_empty() && behind < OFFSETS_WITHOUT_PRODUCERS) {
                return Ok(());
            }
            (offset, Snapshot::of(&producers))
        };
        snapshots::write(&*self.directory.files, self.log.directory(), offset, &snapshot)?;
        self.snapshot_offset.store(offset, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets producers that were silent for long.
    pub(super) fn expire_producers(&self, expiration_ms: i64) {
        self.producers.lock().expire(self.directory.now_ms(), expiration_ms);
    }

    /// What the checkpoints of the directory say about the partition; nothing
    /// while it has no files.
    pub(super) fn checkpoint(&self) -> Option<CheckpointEntry> {
        // An empty segment counts: those before it may come back in a crash.
        if self.log.segments().is_empty() || self.is_deleted() {
            return None;
        }
        let recovery_point = self.log.recovery_point(self.recovery_point());
        let marks = *self.marks.read();
        Some(CheckpointEntry {
            recovery_point,
            log_start: marks.log_start,
            high_watermark: marks.high.offset,
        })
    }
}

/// One partition's lines in the checkpoints.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckpointEntry {
    pub(super) recovery_point: i64,
    pub(super) log_start: i64,
    pub(super) high_watermark: i64,
}

/// What becomes of batches that came together.
struct Admission {
    admitted: Vec<Admitted>,
    /// Batches that were appended before, or stand in `admitted`.
    duplicates: Vec<(Waiting, Acks)>,
}

/// A batch that will be written.
struct Admitted {
    batch: PreparedBatch,
    acks: Acks,
    answer: Answer,
    undo: Option<Undo>,
}

impl Marks {
    /// Lets clients read up to a mark, and says how many bytes that adds.
    fn raise_high(&mut self, mark: Mark) -> u64 {
        if mark.offset <= self.high.offset {
            return 0;
        }
        let bytes = mark.bytes.saturating_sub(self.high.bytes);
        self.high = mark;
        // The sync may be faster than the writer's own note.
        if mark.offset > self.end.offset {
            self.end = mark;
        }
        bytes
    }
}

impl FlushState {
    /// Whether the partition has to be put into the queue of the flushers.
    fn queue(&mut self) -> bool {
        match self.stage {
            FlushStage::Idle => {
                self.stage = FlushStage::Queued;
                true
            }
            FlushStage::Running => {
                self.stage = FlushStage::RunningAgain;
                false
            }
            FlushStage::Queued | FlushStage::RunningAgain => false,
        }
    }

    fn enter(&mut self, waiting: Waiting) {
        // A duplicate waits for its original, which may stand before others.
        let at = self.waiting.partition_point(|other| other.end_offset <= waiting.end_offset);
        self.waiting.insert(at, waiting);
    }

    fn take_durable(&mut self, offset: i64) -> Vec<Waiting> {
        let count = self.waiting.partition_point(|waiting| waiting.end_offset <= offset);
        self.waiting.drain(..count).collect()
    }
}

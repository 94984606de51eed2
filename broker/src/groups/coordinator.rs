//! The coordinator of all groups: takes requests to their group, parks those that
//! wait, stores what has to be stored, and wakes groups when their time comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use protocol::records::Compression;
use protocol::{ErrorCode, Str};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cell::{Group, GroupCell};
use super::clock::Clock;
use super::offsets::GroupOffsets;
use super::records::{CommittedOffset, GroupRecord, MAX_TEXT_BYTES, partition_of};
use super::state::{Action, ClassicGroup, GroupLimits};
use super::storage::{GroupStorage, StorageError};
use super::timers::Timers;
use super::writer::{self, Outcome, Queue, Then, Write};
use crate::config::Config;

/// The coordinator of all groups. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct GroupCoordinator {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) compression: Compression,
    pub(super) storage: Arc<dyn GroupStorage>,
    /// One for each partition of `__consumer_offsets`.
    pub(super) shards: Vec<Shard>,
    pub(super) timers: Timers,
    pub(super) clock: Clock,
    pub(super) runtime: Handle,
    pub(super) tasks: TaskTracker,
    stopping: CancellationToken,
    last_serial: AtomicU64,
}

/// The groups whose records are in one partition.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Whether the partition was read. Nothing is known of its groups before.
    pub(super) is_loaded: AtomicBool,
    /// Taken before the lock of any group.
    pub(super) groups: Mutex<HashMap<Str, Arc<GroupCell>>>,
    queue: Mutex<Queue>,
}

/// What the coordinator has from the configuration.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) limits: GroupLimits,
    /// `group.min.session.timeout.ms`, `group.max.session.timeout.ms`
    pub(super) session_timeout_ms: std::ops::RangeInclusive<u128>,
    /// `offset.metadata.max.bytes`, at most what a record has room for.
    pub(super) metadata_max_bytes: usize,
    /// `offsets.commit.timeout.ms`
    commit_timeout: Duration,
    /// `offsets.retention.minutes`
    pub(super) retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    retention_check_interval: Duration,
}

/// Who commits.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) member_id: Str,
    pub(crate) instance_id: Option<Str>,
    /// -1 for somebody who is not a member.
    pub(crate) generation: i32,
    /// Version 9 and later of OffsetCommit, where a group that does not exist has an
    /// error of its own.
    pub(crate) knows_missing_groups: bool,
}

/// An offset to be stored.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) topic: Str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Str,
}

impl GroupCoordinator {
    /// A coordinator that knows no group yet and refuses all requests with
    /// "load in progress" until [`GroupCoordinator::load`] is done. Starts its timer
    /// on the runtime it is called on.
    pub(crate) fn new(config: &Config, storage: Arc<dyn GroupStorage>) -> Self {
        let shards = usize::try_from(storage.partition_count()).unwrap_or(1).max(1);
        let shared = Arc::new(Shared {
            settings: Settings::new(config),
            compression: writer::compression(config.offsets.topic_compression_codec),
            storage,
            shards: (0..shards).map(|_| Shard::default()).collect(),
            timers: Timers::default(),
            clock: Clock::start(),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            last_serial: AtomicU64::new(0),
        });
        let timer = Arc::clone(&shared);
        shared.tasks.spawn_on(async move { timer.keep_time().await }, &shared.runtime);
        Self { shared }
    }

    /// Makes sure that offsets can be stored: called before a client is told where
    /// the coordinator is.
    ///
    /// # Errors
    /// When `__consumer_offsets` cannot be created.
    pub(crate) async fn prepare(&self) -> Result<(), ErrorCode> {
        self.shared.storage.prepare().await.map_err(|error| {
            tracing::warn!(%error, "__consumer_offsets cannot be created");
            ErrorCode::CoordinatorNotAvailable
        })
    }

    /// Stops the timer and waits until everything that was accepted is stored or has failed.
    /// Whoever is parked is not answered: their requests end with the token of their context.
    pub(crate) async fn shutdown(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Stores offsets, all or none, and waits until they are durable.
    ///
    /// # Errors
    /// The error that holds for every one of them.
    pub(crate) async fn commit(
        &self,
        group_id: &Str,
        committer: Committer,
        commits: Vec<Commit>,
    ) -> Result<(), ErrorCode> {
        self.shared.check_group_id(group_id)?;
        let is_simple = committer.generation < 0;
        let now = self.shared.clock.now_ms();
        let queued = self.shared.with_group(group_id, is_simple, |cell, group| {
            group.state.check_commit(
                &committer.member_id,
                committer.instance_id.as_deref(),
                committer.generation,
                now,
            )?;
            self.shared.queue_commits(cell, group, commits)
        });
        let Some(queued) = queued.await else {
            return Err(if committer.knows_missing_groups {
                ErrorCode::GroupIdNotFound
            } else {
                ErrorCode::IllegalGeneration
            });
        };
        let Some(stored) = queued? else { return Ok(()) };
        match tokio::time::timeout(self.shared.settings.commit_timeout, stored).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(StorageError::TooLarge))) => Err(ErrorCode::InvalidCommitOffsetSize),
            Ok(Ok(Err(error))) => Err(error.error_code()),
            // The offsets may be stored all the same; the client will send them again.
            Ok(Err(_)) | Err(_) => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }

    /// Shows the durable offsets of a group, none for a group that does not exist.
    ///
    /// # Errors
    /// While groups are being loaded.
    pub(crate) fn read_offsets<T>(
        &self,
        group_id: &str,
        read: impl FnOnce(&GroupOffsets) -> T,
    ) -> Result<T, ErrorCode> {
        self.shared.check_loaded(group_id)?;
        Ok(match self.shared.find(group_id) {
            Some(cell) => read(&cell.group.lock().offsets),
            None => read(&GroupOffsets::default()),
        })
    }

    /// The longest text that may be stored with an offset, in bytes.
    pub(crate) fn metadata_max_bytes(&self) -> usize {
        self.shared.settings.metadata_max_bytes
    }
}

impl Settings {
    fn new(config: &Config) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self {
            limits: GroupLimits {
                initial_rebalance_delay_ms: ms(config.groups.initial_rebalance_delay),
                max_size: config.groups.max_size,
            },
            session_timeout_ms: config.groups.min_session_timeout.as_millis()
                ..=config.groups.max_session_timeout.as_millis(),
            metadata_max_bytes: config.offsets.metadata_max_bytes.min(MAX_TEXT_BYTES),
            commit_timeout: config.offsets.commit_timeout,
            retention_ms: ms(config.offsets.retention),
            retention_check_interval: config.offsets.retention_check_interval,
        }
    }
}

impl Shared {
    pub(super) fn new_state(&self) -> ClassicGroup {
        ClassicGroup::new(self.settings.limits)
    }

    fn shard_of(&self, group_id: &str) -> usize {
        let partitions = i32::try_from(self.shards.len()).unwrap_or(i32::MAX);
        usize::try_from(partition_of(group_id, partitions)).unwrap_or(0)
    }

    pub(super) fn queue(&self, shard: usize) -> Option<&Mutex<Queue>> {
        self.shards.get(shard).map(|shard| &shard.queue)
    }

    /// Whether the groups that this one belongs to are known.
    pub(super) fn check_loaded(&self, group_id: &str) -> Result<(), ErrorCode> {
        let shard = self.shards.get(self.shard_of(group_id));
        if shard.is_some_and(|shard| shard.is_loaded.load(Ordering::Acquire)) {
            Ok(())
        } else {
            Err(ErrorCode::CoordinatorLoadInProgress)
        }
    }

    /// Whether there can be such a group: a name that fits a record and is not empty.
    pub(super) fn check_group_id(&self, group_id: &str) -> Result<(), ErrorCode> {
        if group_id.is_empty() || group_id.len() > MAX_TEXT_BYTES {
            return Err(ErrorCode::InvalidGroupId);
        }
        self.check_loaded(group_id)
    }

    pub(super) fn find(&self, group_id: &str) -> Option<Arc<GroupCell>> {
        let shard = self.shards.get(self.shard_of(group_id))?;
        shard.groups.lock().get(group_id).cloned()
    }

    fn find_or_create(&self, group_id: &str) -> Option<Arc<GroupCell>> {
        let index = self.shard_of(group_id);
        let mut groups = self.shards.get(index)?.groups.lock();
        if let Some(cell) = groups.get(group_id) {
            return Some(Arc::clone(cell));
        }
        let cell = self.new_cell(Str::from(group_id), Group::new(self.new_state()));
        groups.insert(cell.id.clone(), Arc::clone(&cell));
        Some(cell)
    }

    pub(super) fn new_cell(&self, id: Str, group: Group) -> Arc<GroupCell> {
        let shard = self.shard_of(&id);
        let serial = self.last_serial.fetch_add(1, Ordering::Relaxed);
        Arc::new(GroupCell { id, shard, serial, group: Mutex::new(group) })
    }

    /// Lets `work` have a group, and then does what came of it. `None` when there is no
    /// such group. Waits only for a group that is being removed.
    pub(super) async fn with_group<T>(
        self: &Arc<Self>,
        group_id: &str,
        may_create: bool,
        work: impl FnOnce(&Arc<GroupCell>, &mut Group) -> T,
    ) -> Option<T> {
        loop {
            let cell =
                if may_create { self.find_or_create(group_id) } else { self.find(group_id) }?;
            let removed = {
                let mut group = cell.group.lock();
                if group.is_gone {
                    continue;
                }
                match &mut group.removal {
                    Some(waiters) => {
                        let (sender, receiver) = oneshot::channel();
                        waiters.push(sender);
                        receiver
                    }
                    None => {
                        let done = work(&cell, &mut group);
                        self.finish(&cell, group);
                        return Some(done);
                    }
                }
            };
            // Without an answer the removal has failed: the next look will tell.
            let _ = removed.await;
        }
    }

    /// Does what a group wants done after an event, and lets it go if nothing is left of it.
    pub(super) fn finish(
        self: &Arc<Self>,
        cell: &Arc<GroupCell>,
        mut group: MutexGuard<'_, Group>,
    ) {
        for action in group.state.take_actions() {
            match action {
                Action::AnswerJoin(ticket, answer) => {
                    if let Some(sender) = group.joins.remove(&ticket) {
                        let _ = sender.send(*answer);
                    }
                }
                Action::AnswerSync(ticket, answer) => {
                    if let Some(sender) = group.syncs.remove(&ticket) {
                        let _ = sender.send(answer);
                    }
                }
                Action::Store(id, mut metadata) => {
                    metadata.state_timestamp = Clock::date_ms();
                    let is_empty = metadata.members.is_empty();
                    group.empty_since = Some(metadata.state_timestamp).filter(|_| is_empty);
                    let record =
                        GroupRecord::Group { group: cell.id.clone(), value: Some(*metadata) };
                    self.write(cell, &mut group, vec![record], Then::Stored(id));
                }
            }
        }
        if let Some(wake_at) = group.state.wake_at()
            && group.armed_at.is_none_or(|armed_at| wake_at < armed_at)
        {
            self.timers.arm(cell, group.armed_at, wake_at);
            group.armed_at = Some(wake_at);
        }
        let is_vacant = group.is_vacant();
        drop(group);
        if is_vacant {
            self.forget(cell);
        }
    }

    /// Queues records of a group.
    pub(super) fn write(
        self: &Arc<Self>,
        cell: &Arc<GroupCell>,
        group: &mut Group,
        records: Vec<GroupRecord>,
        then: Then,
    ) {
        group.writes += 1;
        self.enqueue(Write { cell: Arc::clone(cell), records, then });
    }

    fn queue_commits(
        self: &Arc<Self>,
        cell: &Arc<GroupCell>,
        group: &mut Group,
        commits: Vec<Commit>,
    ) -> Result<Option<oneshot::Receiver<Outcome>>, ErrorCode> {
        if commits.is_empty() {
            return Ok(None);
        }
        let has_room = self.queue(cell.shard).is_some_and(|queue| queue.lock().has_room());
        if !has_room {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let now = Clock::date_ms();
        let records = commits.into_iter().map(|commit| GroupRecord::Offset {
            group: cell.id.clone(),
            topic: commit.topic,
            partition: commit.partition,
            value: Some(CommittedOffset {
                offset: commit.offset,
                leader_epoch: commit.leader_epoch,
                metadata: commit.metadata.detached(),
                commit_timestamp: now,
                expire_timestamp: None,
            }),
        });
        let (sender, receiver) = oneshot::channel();
        let records = records.collect();
        self.write(cell, group, records, Then::Tell(sender));
        Ok(Some(receiver))
    }

    /// Takes a group of which nothing is left out of the map.
    fn forget(&self, cell: &Arc<GroupCell>) {
        let Some(shard) = self.shards.get(cell.shard) else { return };
        let mut groups = shard.groups.lock();
        let mut group = cell.group.lock();
        if group.is_gone || !group.is_vacant() {
            return;
        }
        group.is_gone = true;
        if let Some(armed_at) = group.armed_at.take() {
            self.timers.disarm(cell, armed_at);
        }
        groups.remove(&cell.id);
    }

    /// Every group there is.
    pub(super) fn cells(&self) -> Vec<Arc<GroupCell>> {
        let groups = |shard: &Shard| shard.groups.lock().values().cloned().collect::<Vec<_>>();
        self.shards.iter().flat_map(groups).collect()
    }

    /// Wakes groups at their time, and looks for expired offsets now and then.
    async fn keep_time(self: Arc<Self>) {
        let pause = self.settings.retention_check_interval;
        let mut check_at = tokio::time::Instant::now() + pause;
        loop {
            let now = self.clock.now_ms();
            while let Some(cell) = self.timers.pop_due(now) {
                let mut group = cell.group.lock();
                group.armed_at = None;
                if !group.is_gone {
                    group.state.tick(now);
                    self.finish(&cell, group);
                }
            }
            let wake_at = self.timers.next_ms().map(|next_ms| self.clock.instant(next_ms));
            let wake_at = wake_at.map_or(check_at, |wake_at| wake_at.min(check_at));
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = self.timers.earlier() => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
            if check_at <= tokio::time::Instant::now() {
                self.expire_offsets(Clock::date_ms());
                check_at = tokio::time::Instant::now() + pause;
            }
        }
    }
}

impl Shard {
    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded.load(Ordering::Acquire)
    }
}

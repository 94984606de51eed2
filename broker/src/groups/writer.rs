//! Writing to one partition of `__consumer_offsets`: whatever comes while an
//! append is under way goes into the next batch together.
//!
//! Writes of a group take effect in the order of the log, each when it is durable:
//! so what the coordinator shows is what the log says.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use protocol::records::{BatchBuilder, Compression};
use tokio::sync::oneshot;

use super::cell::GroupCell;
use super::clock::Clock;
use super::coordinator::Shared;
use super::records::GroupRecord;
use super::state::StoreId;
use super::storage::StorageError;

/// Writes are gathered up to this size. One that is larger goes alone.
const BATCH_BYTES: usize = 512 * 1024;

/// Commits are refused while this much waits to be written to a partition.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// What comes of an append.
pub(super) type Outcome = Result<(), StorageError>;

/// Records of one group that belong together.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) cell: Arc<GroupCell>,
    pub(super) records: Vec<GroupRecord>,
    pub(super) then: Then,
}

/// What follows when the records are durable, or cannot be.
#[derive(Debug)]
pub(super) enum Then {
    /// Nobody waits for it.
    Nothing,
    /// Somebody waits.
    Tell(oneshot::Sender<Outcome>),
    /// The state machine waits.
    Stored(StoreId),
    /// The group is gone, and somebody may wait for that.
    Removed(Option<oneshot::Sender<Outcome>>),
}

/// The writes that wait for one partition.
#[derive(Debug, Default)]
pub(super) struct Queue {
    writes: VecDeque<Write>,
    bytes: usize,
    /// Whether a task is at it.
    is_drained: bool,
    /// Those who want to know when everything up to here is written: how many
    /// writes are before them.
    barriers: VecDeque<(u64, oneshot::Sender<()>)>,
    /// Writes ever queued, and ever done.
    queued: u64,
    done: u64,
}

impl Queue {
    /// Whether another commit may be queued.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < MAX_QUEUED_BYTES
    }

    /// Fires when everything that is queued by now is done.
    pub(super) fn barrier(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.done == self.queued {
            let _ = sender.send(());
        } else {
            self.barriers.push_back((self.queued, sender));
        }
        receiver
    }

    fn finish(&mut self, writes: u64) {
        self.done += writes;
        while let Some((_, sender)) = self.barriers.pop_front_if(|(before, _)| *before <= self.done)
        {
            let _ = sender.send(());
        }
    }
}

impl Shared {
    /// Queues a write; a task takes care of it from here. The lock of the group is held.
    pub(super) fn enqueue(self: &Arc<Self>, write: Write) {
        let shard = write.cell.shard;
        let Some(queue) = self.queue(shard) else { return };
        let mut queue = queue.lock();
        queue.bytes += write.size();
        queue.queued += 1;
        queue.writes.push_back(write);
        if !queue.is_drained {
            queue.is_drained = true;
            let shared = Arc::clone(self);
            self.tasks.spawn_on(async move { shared.drain(shard).await }, &self.runtime);
        }
    }

    /// Writes until nothing waits any more.
    async fn drain(self: Arc<Self>, shard: usize) {
        let Some(queue) = self.queue(shard) else { return };
        while let Some((writes, batch)) = self.next_batch(shard) {
            let outcome = self.append(shard, batch).await;
            if let Err(error) = &outcome {
                tracing::warn!(partition = shard, %error, "changes of groups are not stored");
            }
            let count = writes.len() as u64;
            for write in writes {
                self.finish_write(write, outcome.clone());
            }
            queue.lock().finish(count);
        }
    }

    async fn append(&self, shard: usize, batch: Bytes) -> Outcome {
        self.storage.prepare().await?;
        self.storage.append(i32::try_from(shard).unwrap_or(i32::MAX), batch).await
    }

    /// Takes the next writes off the queue, and their batch.
    fn next_batch(&self, shard: usize) -> Option<(Vec<Write>, Bytes)> {
        let now = Clock::date_ms();
        let mut queue = self.queue(shard)?.lock();
        let mut writes = Vec::new();
        let mut batch = BatchBuilder::new(self.compression);
        while let Some(write) = queue.writes.front() {
            let size = write.size();
            if !writes.is_empty() && batch.size_in_bytes() + size > BATCH_BYTES {
                break;
            }
            let Some(write) = queue.writes.pop_front() else { break };
            queue.bytes = queue.bytes.saturating_sub(size);
            for record in &write.records {
                let (key, value) = record.encode();
                batch.append(now, Some(&key), value.as_deref(), &[]);
            }
            writes.push(write);
        }
        if writes.is_empty() {
            queue.is_drained = false;
            return None;
        }
        drop(queue);
        Some((writes, batch.build()))
    }

    fn finish_write(self: &Arc<Self>, write: Write, outcome: Outcome) {
        let Write { cell, records, then } = write;
        let mut group = cell.group.lock();
        group.writes -= 1;
        if outcome.is_ok() {
            records.into_iter().for_each(|record| group.apply(record));
        }
        match then {
            Then::Nothing => {}
            Then::Tell(sender) => {
                let _ = sender.send(outcome);
            }
            Then::Stored(id) => {
                let outcome = outcome.map_err(|error| error.error_code());
                group.state.stored(id, outcome, self.clock.now_ms());
            }
            Then::Removed(sender) => {
                if outcome.is_ok() {
                    group.state = self.new_state();
                    group.empty_since = None;
                }
                for waiter in group.removal.take().into_iter().flatten() {
                    let _ = waiter.send(());
                }
                if let Some(sender) = sender {
                    let _ = sender.send(outcome);
                }
            }
        }
        if group.writes == 0 {
            for waiter in group.settled.drain(..) {
                let _ = waiter.send(());
            }
        }
        self.finish(&cell, group);
    }
}

impl Write {
    /// About what it takes in a batch.
    fn size(&self) -> usize {
        self.records.iter().map(GroupRecord::size).sum()
    }
}

/// The codec with this number (`offsets.topic.compression.codec`), none for one that does not exist.
pub(super) fn compression(codec: i16) -> Compression {
    let all = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    all.into_iter().find(|one| i16::from(one.id()) == codec).unwrap_or(Compression::None)
}

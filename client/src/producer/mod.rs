//! Writing records.
//!
//! A [`Producer`] takes the records of many callers and sends them together:
//! everything that waits for a partition goes into the next batch, and the
//! batches of all partitions that one node leads go into one request. Nothing
//! waits for a timer: a record that finds nothing under way is sent at once.
//!
//! # Promises
//! - Records for one partition are written in the order of the calls, each at
//!   most once, with the defaults of [`ProducerConfig`].
//! - A failure of one caller does not hurt another.
//! - Once a call has been taken, its records are sent even if the caller's
//!   future is dropped.
//!
//! # Map
//! `partition` has the rules for one partition and `accumulator` those for all,
//! both without I/O; `answer` says what an error code means; `sender` has the tasks.

mod accumulator;
mod answer;
mod call;
mod config;
mod delivery;
mod error;
mod identity;
mod partition;
mod partitioner;
mod pending;
mod request;
mod sender;
#[cfg(test)]
mod simulation;

use std::iter;
use std::ops::Range;
use std::sync::Arc;

pub use config::{Acks, ProducerConfig};
pub use delivery::{Appended, Delivery, Run};
pub use error::ProduceError;
pub use partitioner::{Partitioner, murmur2, partition_for_key};
pub use pending::{PendingDelivery, WakeGroup};

use protocol::Str;
use protocol::records::{HEADER_SIZE, RecordBuffer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::DropGuard;

use self::call::Call;
use self::partitioner::Sticky;
use self::pending::Endings;
use self::sender::Shared;
use crate::{Client, Error, Topic};

/// Bytes that a call takes besides its records.
const CALL_OVERHEAD: usize = 512;

/// Writes records to topics. Clones share everything.
///
/// When the last clone is dropped, what has not been sent is lost;
/// [`Producer::close`] sends it first.
#[derive(Debug, Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    sticky: Sticky,
    memory: Arc<Semaphore>,
    memory_bytes: usize,
    _stop_on_drop: DropGuard,
}

impl Producer {
    /// A producer that writes through `client`. Must be called within a tokio
    /// runtime, whose threads then do the work, whichever runtime a call comes from.
    pub fn new(client: Client, config: ProducerConfig) -> Self {
        let memory_bytes =
            config.buffer_memory.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let shared = Shared::start(client, config);
        let inner = Inner {
            _stop_on_drop: shared.cancel.clone().drop_guard(),
            shared,
            sticky: Sticky::default(),
            memory: Arc::new(Semaphore::new(memory_bytes)),
            memory_bytes,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The settings it was made with.
    pub fn config(&self) -> &ProducerConfig {
        &self.inner.shared.config
    }

    /// The client it writes through.
    pub fn client(&self) -> &Client {
        &self.inner.shared.client
    }

    /// Chooses partitions for the records of one call, as the Java client does.
    pub fn partitioner(&self, topic: &Topic) -> Partitioner {
        self.inner.sticky.partitioner(topic)
    }

    /// The partition for one record; see [`Producer::partitioner`] for many.
    pub fn partition_for(&self, topic: &Topic, key: Option<&[u8]>) -> i32 {
        self.partitioner(topic).partition_for(key)
    }

    /// Writes records to one partition, and tells for each of them what became of it.
    ///
    /// Records may be written although the future is dropped.
    ///
    /// # Errors
    /// When none of the records was sent; otherwise the [`Delivery`] has the errors.
    pub async fn send(
        &self,
        topic: &Str,
        partition: i32,
        records: RecordBuffer,
    ) -> Result<Delivery, ProduceError> {
        self.enqueue(topic, partition, records).await?.await
    }

    /// The first half of [`Producer::send`]: done when the records have their
    /// place in the order of the partition, and will be sent whatever the
    /// caller does.
    ///
    /// # Errors
    /// When the topic or the partition does not exist, when the records do not
    /// fit into the memory in time, and when the producer is closed.
    pub async fn enqueue(
        &self,
        topic: &Str,
        partition: i32,
        records: RecordBuffer,
    ) -> Result<PendingDelivery, ProduceError> {
        let shared = &self.inner.shared;
        let deadline = Instant::now() + shared.config.max_block;
        let topic = self.topic(topic, partition, deadline).await?;
        if records.is_empty() {
            return Ok(PendingDelivery::of_nothing());
        }
        let memory = self.reserve(&records, deadline).await?;
        self.take(&topic, partition, records, memory)
    }

    /// As [`Producer::enqueue`] for a topic that is known, if that takes no waiting;
    /// otherwise gives the records back.
    pub fn try_enqueue(
        &self,
        topic: &Topic,
        partition: i32,
        records: RecordBuffer,
    ) -> Result<Result<PendingDelivery, ProduceError>, RecordBuffer> {
        if topic.partition(partition).is_none() {
            return Err(records);
        }
        if records.is_empty() {
            return Ok(Ok(PendingDelivery::of_nothing()));
        }
        let size = records.wire_size(0..records.len()) + CALL_OVERHEAD;
        let memory = u32::try_from(size).ok().and_then(|permits| {
            Arc::clone(&self.inner.memory).try_acquire_many_owned(permits).ok()
        });
        match memory {
            Some(memory) => Ok(self.take(topic, partition, records, memory)),
            None => Err(records),
        }
    }

    /// Gives records that have their memory a place in the order of the partition.
    fn take(
        &self,
        topic: &Topic,
        partition: i32,
        records: RecordBuffer,
        memory: OwnedSemaphorePermit,
    ) -> Result<PendingDelivery, ProduceError> {
        let Inner { shared, sticky, .. } = &*self.inner;
        let bytes = records.size_in_bytes();
        let ranges = self.sendable(&records);
        let since = Instant::now();
        let (call, delivery) =
            Call::new(records, since, since + shared.config.delivery_timeout, Some(memory));
        self.refuse_too_large(&call, &ranges);
        if !ranges.is_empty() {
            shared.accumulate(|accumulator| accumulator.push(topic, partition, &call, &ranges))?;
        }
        sticky.count(topic, partition, bytes);
        Ok(delivery)
    }

    /// The topic, which has this partition.
    async fn topic(
        &self,
        name: &Str,
        partition: i32,
        deadline: Instant,
    ) -> Result<Arc<Topic>, ProduceError> {
        let Shared { client, config, .. } = &*self.inner.shared;
        let has = |topic: &Arc<Topic>| topic.partition(partition).is_some();
        if let Some(topic) = client.cached_topic(name).filter(has) {
            return Ok(topic);
        }
        let look_up = async {
            let Some(topic) = client.topic(name, config.auto_create).await? else {
                return Err(ProduceError::UnknownTopic(name.clone()));
            };
            if has(&topic) {
                return Ok(topic);
            }
            // It may be new.
            client.refresh_topics(std::slice::from_ref(name)).await?;
            client
                .cached_topic(name)
                .filter(has)
                .ok_or_else(|| ProduceError::UnknownPartition { topic: name.clone(), partition })
        };
        let late = |_| Error::Timeout { what: "metadata (max.block.ms)", after: config.max_block };
        timeout_at(deadline, look_up).await.map_err(late)?
    }

    /// Waits for the memory that the records take.
    async fn reserve(
        &self,
        records: &RecordBuffer,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, ProduceError> {
        let Inner { shared, memory, memory_bytes, .. } = &*self.inner;
        let size = records.wire_size(0..records.len()) + CALL_OVERHEAD;
        let permits = u32::try_from(size).ok().filter(|_| size <= *memory_bytes);
        let Some(permits) = permits else {
            return Err(ProduceError::LargerThanBuffer { size, limit: *memory_bytes });
        };
        if let Ok(permit) = Arc::clone(memory).try_acquire_many_owned(permits) {
            return Ok(permit);
        }
        let exhausted = |_| ProduceError::BufferExhausted { size, waited: shared.config.max_block };
        timeout_at(deadline, Arc::clone(memory).acquire_many_owned(permits))
            .await
            .map_err(exhausted)?
            .map_err(|_| ProduceError::Closed)
    }

    /// The records without those that are larger than a request may be.
    fn sendable(&self, records: &RecordBuffer) -> Vec<Range<usize>> {
        let limit = self.config().max_request_size;
        if HEADER_SIZE + records.wire_size(0..records.len()) <= limit {
            return iter::once(0..records.len()).collect();
        }
        let mut ranges = Vec::new();
        let mut start = 0;
        for index in 0..records.len() {
            if HEADER_SIZE + records.wire_size(index..index + 1) > limit {
                ranges.push(start..index);
                start = index + 1;
            }
        }
        ranges.push(start..records.len());
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    /// Settles what lies between the ranges.
    fn refuse_too_large(&self, call: &Call, ranges: &[Range<usize>]) {
        let end = call.records.len();
        let mut endings = Endings::default();
        let mut next = 0;
        for range in ranges.iter().cloned().chain(iter::once(end..end)) {
            for index in next..range.start {
                let size = HEADER_SIZE + call.records.wire_size(index..index + 1);
                let limit = self.config().max_request_size;
                let error = ProduceError::RecordTooLarge { size, limit };
                call.settle(index..index + 1, Err(error), &mut endings);
            }
            next = range.end;
        }
        endings.tell();
    }

    /// Waits until the fate of all records that were handed over so far is known.
    pub async fn flush(&self) {
        let shared = &self.inner.shared;
        let flush = Flush::begin(shared);
        let (watcher, mut settled) = mpsc::channel(1);
        shared.accumulate(|accumulator| accumulator.watch(&watcher));
        drop(watcher);
        // Nobody sends anything: it ends when the last call has dropped its end.
        while settled.recv().await.is_some() {}
        drop(flush);
    }

    /// Takes no more records, sends what it has, and ends all tasks. Takes no
    /// longer than [`ProducerConfig::delivery_timeout`].
    pub async fn close(&self) {
        let shared = &self.inner.shared;
        self.inner.memory.close();
        shared.accumulate(|accumulator| accumulator.close());
        self.flush().await;
        shared.cancel.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
        shared.abandon();
    }
}

/// Nothing lingers while it lives.
struct Flush<'a>(&'a Arc<Shared>);

impl<'a> Flush<'a> {
    fn begin(shared: &'a Arc<Shared>) -> Self {
        shared.accumulate(|accumulator| accumulator.begin_flush());
        Self(shared)
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.0.accumulate(|accumulator| accumulator.end_flush());
    }
}

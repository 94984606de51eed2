//! Fetch, versions 4 to 18: whole batches from many partitions, as soon as there
//! are enough of them.
//!
//! 5 log start offset · 7 sessions · 9 leader epochs of the client are checked ·
//! 10 zstd · 12 diverging epochs · 13 topics by id · 15 to 18 only concern replicas.
//!
//! Fetch sessions (KIP-227) are declined: a client that asks for one is answered
//! in full with session 0, and one that comes with a session of an earlier run
//! is told that it is gone.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::fetch::{
    EpochEndOffset, FetchPartition, FetchTopic, FetchableTopicResponse, LeaderIdAndEpoch,
    PartitionData,
};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Records};
use tokio::time::{Instant, timeout_at};

use crate::context::Context;
use crate::error::{check_leader_epoch, read_error_code};
use crate::log::{FileRange, Partition};
use crate::node::Node;
use crate::topic_config::CompressionPolicy;
use crate::waiters::Waiter;

/// The isolation level that hides records of open transactions.
const READ_COMMITTED: i8 = 1;
/// Since this version a client can read zstd.
const ZSTD_VERSION: i16 = 10;
/// Since this version topics are named by their ids.
const TOPIC_ID_VERSION: i16 = 13;

/// One partition that is asked for.
struct Asked {
    request: FetchPartition,
    /// `Err` when there is no such partition.
    partition: Result<Arc<Partition>, ErrorCode>,
}

/// What one look at all partitions found.
#[derive(Default)]
struct Found {
    responses: Vec<FetchableTopicResponse>,
    files: Vec<FileRange>,
    bytes: usize,
    has_error: bool,
}

/// Answers a Fetch; the deferred record sets of the response are in the file ranges, in order.
pub(crate) async fn fetch(
    request: FetchRequest,
    node: &Node,
    context: &Context,
) -> (FetchResponse, Vec<FileRange>) {
    // A full fetch has epoch 0 (a session is wanted) or -1 (none is).
    if request.session_epoch > 0 {
        return (session_is_gone(), Vec::new());
    }
    let fetch = Fetch::new(&request, node, context);
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut found = fetch.look();
    if !found.is_enough(min_bytes) && request.max_wait_ms > 0 {
        let parked = Parked::new(&fetch, min_bytes);
        loop {
            // What came before the waiter was entered woke nobody.
            parked.waiter.reset(min_bytes.saturating_sub(found.bytes));
            found = fetch.look();
            if found.is_enough(min_bytes) || Instant::now() >= deadline {
                break;
            }
            tokio::select! {
                woken = timeout_at(deadline, parked.waiter.woken()) => {
                    if woken.is_err() {
                        found = fetch.look();
                        break;
                    }
                }
                () = context.stopping.cancelled() => break,
            }
        }
    }
    let response = FetchResponse { responses: found.responses, ..Default::default() };
    (response, found.files)
}

fn session_is_gone() -> FetchResponse {
    FetchResponse { error_code: ErrorCode::FetchSessionIdNotFound, ..Default::default() }
}

impl Found {
    fn is_enough(&self, min_bytes: usize) -> bool {
        self.has_error || self.bytes >= min_bytes
    }
}

/// Entered with every partition of a fetch while it lives.
struct Parked<'a> {
    fetch: &'a Fetch<'a>,
    waiter: Arc<Waiter>,
}

impl<'a> Parked<'a> {
    fn new(fetch: &'a Fetch<'a>, min_bytes: usize) -> Self {
        let waiter = Waiter::new(min_bytes);
        fetch.partitions().for_each(|partition| partition.waiters().add(&waiter));
        Self { fetch, waiter }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.fetch.partitions().for_each(|partition| partition.waiters().remove(&self.waiter));
    }
}

/// A fetch with its partitions looked up.
struct Fetch<'a> {
    request: &'a FetchRequest,
    node: &'a Node,
    api_version: i16,
    max_bytes: usize,
    topics: Vec<Vec<Asked>>,
}

impl<'a> Fetch<'a> {
    fn new(request: &'a FetchRequest, node: &'a Node, context: &Context) -> Self {
        let api_version = context.api_version;
        let topics = request.topics.iter().map(|topic| asked(topic, node, api_version)).collect();
        let limit = node.config().fetch.max_bytes;
        let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(limit);
        Self { request, node, api_version, max_bytes, topics }
    }

    fn partitions(&self) -> impl Iterator<Item = &Partition> {
        let asked = self.topics.iter().flatten();
        asked.filter_map(|asked| asked.partition.as_deref().ok())
    }

    /// Plans what can be read now. Reads no records.
    fn look(&self) -> Found {
        let mut found = Found::default();
        for (topic, partitions) in self.request.topics.iter().zip(&self.topics) {
            let partitions = partitions.iter().map(|asked| self.look_at(asked, &mut found));
            let partitions = partitions.collect();
            found.responses.push(FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions,
            });
        }
        found
    }

    fn look_at(&self, asked: &Asked, found: &mut Found) -> PartitionData {
        let index = asked.request.partition;
        let partition = match &asked.partition {
            Ok(partition) => partition,
            Err(error_code) => {
                found.has_error = true;
                return refused(index, *error_code);
            }
        };
        match self.read(partition, &asked.request, found) {
            Ok(data) => data,
            Err(error_code) => {
                found.has_error = true;
                PartitionData {
                    current_leader: self.leader(partition, error_code),
                    ..refused(index, error_code)
                }
            }
        }
    }

    fn read(
        &self,
        partition: &Partition,
        asked: &FetchPartition,
        found: &mut Found,
    ) -> Result<PartitionData, ErrorCode> {
        check_leader_epoch(asked.current_leader_epoch, partition.leader_epoch())?;
        let compression = partition.config().compression;
        if self.api_version < ZSTD_VERSION && matches!(compression, CompressionPolicy::Zstd(_)) {
            return Err(ErrorCode::UnsupportedCompressionType);
        }
        let is_committed_only = self.request.isolation_level == READ_COMMITTED;
        let mut data = PartitionData {
            partition_index: asked.partition,
            high_watermark: partition.high_watermark(),
            last_stable_offset: partition.last_stable_offset(),
            log_start_offset: partition.log_start_offset(),
            aborted_transactions: is_committed_only.then(Vec::new),
            records: Some(Records::Deferred(0)),
            ..Default::default()
        };
        if let Some(diverging) = diverging_epoch(partition, asked)? {
            data.diverging_epoch = diverging;
            found.has_error = true;
            return Ok(data);
        }
        let room = self.max_bytes.saturating_sub(found.bytes);
        let max_bytes = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(room);
        // The first records of the answer may be larger than all limits, so
        // that a client with small buffers goes on (KIP-74).
        let at_least_one = found.bytes == 0;
        let range = partition.read(asked.fetch_offset, max_bytes, at_least_one);
        if let Some(range) = range.map_err(|error| read_error_code(&error))? {
            data.records = Some(Records::Deferred(range.length));
            found.bytes += range.length;
            found.files.push(range);
        }
        Ok(data)
    }

    /// Spares the client a look at the metadata when its own was wrong (KIP-951).
    fn leader(&self, partition: &Partition, error_code: ErrorCode) -> LeaderIdAndEpoch {
        match error_code {
            ErrorCode::FencedLeaderEpoch => LeaderIdAndEpoch {
                leader_id: self.node.id(),
                leader_epoch: partition.leader_epoch(),
            },
            _ => LeaderIdAndEpoch::default(),
        }
    }
}

/// Where the log of somebody who read up to an offset of an epoch is no longer ours (KIP-595).
fn diverging_epoch(
    partition: &Partition,
    asked: &FetchPartition,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if asked.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let (epoch, end_offset) = partition.end_offset_for_epoch(asked.last_fetched_epoch);
    if epoch < 0 || end_offset < 0 {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let diverges = epoch < asked.last_fetched_epoch || end_offset < asked.fetch_offset;
    Ok(diverges.then_some(EpochEndOffset { epoch, end_offset }))
}

fn asked(topic: &FetchTopic, node: &Node, api_version: i16) -> Vec<Asked> {
    let (found, unknown) = if api_version >= TOPIC_ID_VERSION {
        (node.topics().by_id(topic.topic_id), ErrorCode::UnknownTopicId)
    } else {
        (node.topics().by_name(&topic.topic), ErrorCode::UnknownTopicOrPartition)
    };
    let asked = topic.partitions.iter().map(|request| Asked {
        request: request.clone(),
        partition: match &found {
            None => Err(unknown),
            Some(topic) => {
                topic.partition(request.partition).ok_or(ErrorCode::UnknownTopicOrPartition)
            }
        },
    });
    asked.collect()
}

fn refused(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        // Empty, never null: librdkafka takes a null record set for a broken one.
        records: Some(Records::Deferred(0)),
        ..Default::default()
    }
}

/// The same error for everything that was asked.
pub(crate) fn refuse(request: FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let responses = request.topics.into_iter().map(|topic| FetchableTopicResponse {
        topic: topic.topic,
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|asked| refused(asked.partition, error_code))
            .collect(),
    });
    FetchResponse { responses: responses.collect(), ..Default::default() }
}

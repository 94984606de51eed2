//! One fetch with its partitions looked up, and what a look at them finds.

use std::sync::Arc;

use protocol::messages::fetch::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Records, Uuid};

use crate::error::{check_leader_epoch, read_error_code};
use crate::fetch_sessions::{AskedPartition, AskedTopic, Told, TopicKey, Wanted};
use crate::log::{Bounds, FileRange, Partition, ReadError, Reads};
use crate::node::Node;
use crate::topic_config::CompressionPolicy;

/// The isolation level that hides records of open transactions.
const READ_COMMITTED: i8 = 1;
/// Since this version a client can read zstd.
const ZSTD_VERSION: i16 = 10;

/// What holds for a whole fetch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    max_bytes: usize,
    is_committed_only: bool,
    knows_zstd: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    node_id: i32,
    limits: Limits,
    topics: Vec<TopicKey>,
    /// Topic by topic, in the order of the answer.
    partitions: Vec<Asked>,
}

/// One partition that is asked for.
#[derive(Debug)]
struct Asked {
    /// The number of its topic in the plan.
    topic: usize,
    index: i32,
    wanted: Wanted,
    /// See [`AskedPartition::told`].
    told: Option<Told>,
    /// `Err` when there is no such partition.
    partition: Result<Arc<Partition>, ErrorCode>,
}

/// What one look at all partitions found.
#[derive(Debug)]
pub(super) struct Found {
    /// Partitions that the answer has to name, in the order of the plan.
    answered: Vec<Answered>,
    pub(super) bytes: usize,
    /// Files with records of the answer.
    files: usize,
    has_error: bool,
    /// The number of the partition that should be looked at first next time.
    pub(super) next_first: usize,
}

#[derive(Debug)]
struct Answered {
    /// The number of its topic in the plan.
    topic: usize,
    wanted: Wanted,
    data: PartitionData,
    records: Option<FileRange>,
}

/// What has to be read to go on is not in memory.
#[derive(Debug)]
struct Cold;

/// Why there is nothing to tell of a partition, or not yet.
enum Miss {
    Cold,
    Refused(ErrorCode),
}

impl Limits {
    /// `max_bytes` is `fetch.max.bytes`.
    pub(super) fn new(request: &FetchRequest, api_version: i16, max_bytes: usize) -> Self {
        Self {
            max_bytes: usize::try_from(request.max_bytes).unwrap_or(0).min(max_bytes),
            is_committed_only: request.isolation_level == READ_COMMITTED,
            knows_zstd: api_version >= ZSTD_VERSION,
        }
    }
}

impl Plan {
    pub(super) fn new(asked: Vec<AskedTopic>, limits: Limits, node: &Node) -> Self {
        let mut topics = Vec::with_capacity(asked.len());
        let mut partitions =
            Vec::with_capacity(asked.iter().map(|topic| topic.partitions.len()).sum());
        for (number, AskedTopic { key, partitions: asked }) in asked.into_iter().enumerate() {
            let (found, unknown) = match &key {
                TopicKey::Id(id) => (node.topics().by_id(*id), ErrorCode::UnknownTopicId),
                TopicKey::Name(name) => {
                    (node.topics().by_name(name), ErrorCode::UnknownTopicOrPartition)
                }
            };
            let found = found.ok_or(unknown);
            partitions.extend(asked.into_iter().map(|AskedPartition { index, wanted, told }| {
                let partition = found.as_ref().map_err(|unknown| *unknown).and_then(|topic| {
                    topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)
                });
                Asked { topic: number, index, wanted, told, partition }
            }));
            topics.push(key);
        }
        Self { node_id: node.id(), limits, topics, partitions }
    }

    /// The partitions that exist.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().filter_map(|asked| asked.partition.as_deref().ok())
    }

    /// Plans what can be read now, beginning with the partition of number `first`.
    /// Reads no records, but looks for their batches: in memory if that is enough,
    /// else off the async threads.
    pub(super) async fn look(self: &Arc<Self>, first: usize) -> Found {
        if let Ok(found) = self.try_look(first, Reads::Cached) {
            return found;
        }
        let plan = Arc::clone(self);
        let look = move || plan.try_look(first, Reads::Blocking);
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(found)) => found,
            Ok(Err(Cold)) => unreachable!("a read that may block does not give up"),
            // The request is answered as any that panics.
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    fn try_look(&self, first: usize, reads: Reads) -> Result<Found, Cold> {
        let first = first.checked_rem(self.partitions.len()).unwrap_or(0);
        let (later, sooner) = self.partitions.split_at(first);
        let mut look = Look {
            plan: self,
            reads,
            found: Found {
                answered: Vec::new(),
                bytes: 0,
                files: 0,
                has_error: false,
                next_first: first,
            },
            is_next_known: false,
        };
        for (number, asked) in (first..).zip(sooner) {
            look.at(number, asked)?;
        }
        let wrapped = look.found.answered.len();
        for (number, asked) in (0..).zip(later) {
            look.at(number, asked)?;
        }
        look.found.answered.rotate_left(wrapped);
        Ok(look.found)
    }

    /// What the client is told, partition by partition.
    pub(super) fn told<'a>(
        &'a self,
        found: &'a Found,
    ) -> impl Iterator<Item = (&'a TopicKey, i32, Wanted, Told)> {
        found.answered.iter().filter_map(|answered| {
            let key = self.topics.get(answered.topic)?;
            let data = &answered.data;
            Some((key, data.partition_index, answered.wanted, Told::by(data)))
        })
    }

    /// The answer, and the record sets that belong into it. A full one names
    /// every topic, an incremental one those of which it tells something.
    pub(super) fn answer(
        &self,
        found: Found,
        is_full: bool,
        session_id: i32,
    ) -> (FetchResponse, Vec<FileRange>) {
        let mut files = Vec::new();
        let mut responses = Vec::new();
        let mut answered = found.answered.into_iter().peekable();
        for (number, key) in self.topics.iter().enumerate() {
            let mut partitions = Vec::new();
            while let Some(answered) = answered.next_if(|answered| answered.topic == number) {
                files.extend(answered.records);
                partitions.push(answered.data);
            }
            if is_full || !partitions.is_empty() {
                let (topic, topic_id) = match key {
                    TopicKey::Name(name) => (name.clone(), Uuid::default()),
                    TopicKey::Id(id) => (Default::default(), *id),
                };
                responses.push(FetchableTopicResponse { topic, topic_id, partitions });
            }
        }
        (FetchResponse { session_id, responses, ..Default::default() }, files)
    }
}

impl Found {
    pub(super) fn is_enough(&self, min_bytes: usize) -> bool {
        self.has_error || self.bytes >= min_bytes
    }
}

/// A look at the partitions under way.
struct Look<'a> {
    plan: &'a Plan,
    reads: Reads,
    found: Found,
    is_next_known: bool,
}

impl Look<'_> {
    fn at(&mut self, number: usize, asked: &Asked) -> Result<(), Cold> {
        let (data, records) = match self.news(number, asked) {
            Ok(None) => return Ok(()),
            Ok(Some(news)) => news,
            Err(Miss::Cold) => return Err(Cold),
            Err(Miss::Refused(error_code)) => {
                self.found.has_error = true;
                let current_leader = self.leader(asked, error_code);
                (PartitionData { current_leader, ..refused(asked.index, error_code) }, None)
            }
        };
        let Asked { topic, wanted, .. } = *asked;
        self.found.answered.push(Answered { topic, wanted, data, records });
        Ok(())
    }

    /// What there is to tell of a partition, if anything, and its records.
    fn news(
        &mut self,
        number: usize,
        asked: &Asked,
    ) -> Result<Option<(PartitionData, Option<FileRange>)>, Miss> {
        let partition = asked.partition.as_ref().map_err(|error_code| *error_code)?;
        let wanted = &asked.wanted;
        check_leader_epoch(wanted.current_leader_epoch, partition.leader_epoch())?;
        if !self.plan.limits.knows_zstd
            && matches!(partition.config().compression, CompressionPolicy::Zstd(_))
        {
            return Err(Miss::Refused(ErrorCode::UnsupportedCompressionType));
        }
        let bounds = partition.bounds();
        let diverging = diverging_epoch(partition, wanted, bounds)?;
        let records = match diverging {
            Some(_) => None,
            None => self.read(number, wanted, partition, bounds)?,
        };
        self.found.has_error |= diverging.is_some();
        let has_changed = asked.told.is_none_or(|told| told != Told::from(bounds));
        if !has_changed && diverging.is_none() && records.is_none() {
            return Ok(None);
        }
        // What is sent is never ahead of the high watermark that is told with it.
        let bounds = if records.is_some() { partition.bounds() } else { bounds };
        let length = records.as_ref().map_or(0, |range| range.length);
        let data = PartitionData {
            partition_index: asked.index,
            high_watermark: bounds.high_watermark,
            last_stable_offset: bounds.last_stable_offset,
            log_start_offset: bounds.log_start_offset,
            diverging_epoch: diverging.unwrap_or_default(),
            aborted_transactions: self.plan.limits.is_committed_only.then(Vec::new),
            records: Some(Records::Deferred(length)),
            ..Default::default()
        };
        Ok(Some((data, records)))
    }

    fn read(
        &mut self,
        number: usize,
        wanted: &Wanted,
        partition: &Partition,
        bounds: Bounds,
    ) -> Result<Option<FileRange>, Miss> {
        if wanted.fetch_offset == bounds.high_watermark {
            return Ok(None);
        }
        // The answer holds its files open until it is sent.
        let is_full = self.found.files >= partition.files_at_once();
        let max_bytes = if is_full { 0 } else { self.plan.limits.max_bytes };
        let room = max_bytes.saturating_sub(self.found.bytes);
        let wanted_bytes = usize::try_from(wanted.max_bytes).unwrap_or(0);
        // The first records of the answer may be larger than all limits, so
        // that a client with small buffers goes on (KIP-74).
        let is_first = self.found.bytes == 0;
        let has_more = wanted.fetch_offset < bounds.high_watermark;
        if !is_first && has_more && room < wanted_bytes {
            // Whoever comes too short because of others is the first next time.
            if !std::mem::replace(&mut self.is_next_known, true) {
                self.found.next_first = number;
            }
            if room == 0 && wanted.fetch_offset >= bounds.log_start_offset {
                return Ok(None);
            }
        }
        let max_bytes = wanted_bytes.min(room);
        let range = partition.read(wanted.fetch_offset, max_bytes, is_first, self.reads)?;
        self.found.bytes += range.as_ref().map_or(0, |range| range.length);
        self.found.files += usize::from(range.is_some());
        Ok(range)
    }

    /// Spares the client a look at the metadata when its own was wrong (KIP-951).
    fn leader(&self, asked: &Asked, error_code: ErrorCode) -> LeaderIdAndEpoch {
        match (&asked.partition, error_code) {
            (Ok(partition), ErrorCode::FencedLeaderEpoch) => LeaderIdAndEpoch {
                leader_id: self.plan.node_id,
                leader_epoch: partition.leader_epoch(),
            },
            _ => LeaderIdAndEpoch::default(),
        }
    }
}

impl From<ErrorCode> for Miss {
    fn from(error_code: ErrorCode) -> Self {
        Self::Refused(error_code)
    }
}

impl From<ReadError> for Miss {
    fn from(error: ReadError) -> Self {
        if error.is_cold() { Self::Cold } else { Self::Refused(read_error_code(&error)) }
    }
}

/// Where the log of somebody who read up to an offset of an epoch is no longer ours (KIP-595).
fn diverging_epoch(
    partition: &Partition,
    wanted: &Wanted,
    bounds: Bounds,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    let is_of_this_epoch = wanted.last_fetched_epoch == partition.leader_epoch()
        && wanted.fetch_offset <= bounds.high_watermark;
    if wanted.last_fetched_epoch < 0 || is_of_this_epoch {
        return Ok(None);
    }
    let (epoch, end_offset) = partition.end_offset_for_epoch(wanted.last_fetched_epoch);
    if epoch < 0 || end_offset < 0 {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let diverges = epoch < wanted.last_fetched_epoch || end_offset < wanted.fetch_offset;
    Ok(diverges.then_some(EpochEndOffset { epoch, end_offset }))
}

/// What tells a client that it gets nothing of a partition.
pub(super) fn refused(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        // Empty, never null: librdkafka takes a null record set for a broken one.
        records: Some(Records::Deferred(0)),
        // As Kafka has it.
        aborted_transactions: (error_code == ErrorCode::UnknownTopicOrPartition).then(Vec::new),
        ..Default::default()
    }
}

//! Fetches batches for those who read, and only while somebody reads.
//!
//! At most one request per leader is under way. It belongs to the consumer and
//! not to the call that sent it: when that call is dropped, the answer is kept
//! for the next one. Answers go into the partitions' buffers; positions move
//! only when records are taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use protocol::{ErrorCode, Records, Str, Uuid};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::config::millis;
use super::error::ConsumerError;
use super::shared::{Leader, Shared};
use super::state::{Wanted, is_stale_metadata};
use super::topic_partition::{TopicPartition, group_by_topic};
use crate::Error;

/// The least time that a read takes to look up what it needs and to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// The requests under way. Whoever holds it reads for everybody.
#[derive(Default)]
pub(super) struct Fetcher {
    in_flight: FuturesUnordered<BoxFuture<'static, Answer>>,
    nodes: BTreeSet<i32>,
    /// How many of the requests do not wait for records.
    short: usize,
}

struct Answer {
    node: i32,
    is_short: bool,
    wanted: BTreeMap<TopicPartition, Wanted>,
    names: BTreeMap<Uuid, Str>,
    result: Result<FetchResponse, Error>,
}

impl Shared {
    /// Sees to it that records are buffered, waiting at most `wait` for some.
    /// Takes longer only for requests that do not wait, and not much.
    pub(super) async fn fetch(self: &Arc<Self>, wait: Duration) -> Result<(), ConsumerError> {
        let now = Instant::now();
        // What is under way then is there for the next read.
        let read = timeout_at(now + wait.max(PATIENCE), self.fetch_until(now + wait));
        read.await.unwrap_or(Ok(()))
    }

    async fn fetch_until(self: &Arc<Self>, deadline: Instant) -> Result<(), ConsumerError> {
        let _reader = self.reader();
        let mut fetcher = tokio::select! {
            fetcher = self.fetcher.lock() => fetcher,
            () = sleep_until(deadline) => return Ok(()),
        };
        let mut is_first_round = true;
        loop {
            let changed = self.changed.notified();
            if self.cancel.is_cancelled() {
                fetcher.stop();
            }
            self.state.lock().check_readable()?;
            tokio::select! {
                () = self.prepare() => {}
                () = self.cancel.cancelled() => continue,
            }
            let now = Instant::now();
            let is_ready = self.state.lock().is_ready();
            if is_first_round || (!is_ready && now < deadline) {
                let waits = !is_ready && (!is_first_round || fetcher.in_flight.is_empty());
                let until =
                    if waits { deadline.saturating_duration_since(now) } else { Duration::ZERO };
                fetcher.send(self, until, is_first_round);
            }
            is_first_round = false;
            // Answers that do not wait for records are waited for even beyond the
            // deadline, unless there is something already.
            let is_asking = fetcher.short > 0;
            if if is_asking { is_ready && now >= deadline } else { is_ready || now >= deadline } {
                return Ok(());
            }
            let retry_at = self.state.lock().next_retry(now).filter(|_| !is_asking);
            let timer = retry_at.map_or(deadline, |retry_at| retry_at.min(deadline));
            tokio::select! {
                Some(answer) = fetcher.in_flight.next() => fetcher.receive(self, answer),
                () = changed, if !is_asking => {}
                () = sleep_until(timer), if timer > now => {}
                () = self.cancel.cancelled() => {}
            }
        }
    }

    /// Looks up positions and leaders that are missing.
    async fn prepare(&self) {
        let unresolved = !self.state.lock().unresolved(Instant::now()).is_empty();
        if unresolved {
            self.resolve().await;
        }
        let wanted = self.state.lock().wanted(Instant::now(), &self.config);
        self.refresh_if_stale(wanted.iter().map(|wanted| &wanted.name)).await;
        let retry_at = Instant::now() + self.config.retry_backoff;
        let mut unchecked = Vec::new();
        for wanted in wanted {
            match self.leader(&wanted.name) {
                None => self.state.lock().retry_later(&wanted.asked(), retry_at),
                Some(leader) if leader.epoch <= wanted.validated_epoch => {}
                // Nothing was read that could be compared.
                Some(leader) if wanted.read_to.leader_epoch < 0 => {
                    self.state.lock().validated(&wanted.asked(), leader.epoch);
                }
                Some(leader) => unchecked.push((wanted, leader)),
            }
        }
        if !unchecked.is_empty() {
            self.validate(unchecked).await;
        }
    }
}

impl Fetcher {
    /// Sends a request to every leader that has none under way. With more than
    /// one leader, none waits for records in the first round, so that those of
    /// all leaders are there at once.
    fn send(&mut self, shared: &Arc<Shared>, wait: Duration, is_first_round: bool) {
        let room = {
            let state = shared.state.lock();
            shared.config.fetch_max_bytes.saturating_sub(state.buffered_bytes())
        };
        if room == 0 {
            return;
        }
        let wanted = shared.state.lock().wanted(Instant::now(), &shared.config);
        let mut by_node: BTreeMap<i32, Vec<(Wanted, Leader)>> = BTreeMap::new();
        for wanted in wanted {
            if let Some(leader) = shared.leader(&wanted.name)
                && !self.nodes.contains(&leader.node)
            {
                by_node.entry(leader.node).or_default().push((wanted, leader));
            }
        }
        let wait = if is_first_round && by_node.len() > 1 { Duration::ZERO } else { wait };
        let wait = wait.min(shared.config.fetch_max_wait);
        for (node, partitions) in by_node {
            let is_short = wait.is_zero();
            let names = partitions
                .iter()
                .map(|(wanted, leader)| (leader.topic_id, wanted.name.topic.clone()))
                .collect();
            let request = request(shared, &partitions, room, wait);
            let wanted =
                partitions.into_iter().map(|(wanted, _)| (wanted.name.clone(), wanted)).collect();
            let shared = Arc::clone(shared);
            self.nodes.insert(node);
            self.short += usize::from(is_short);
            self.in_flight.push(Box::pin(async move {
                let result = shared.call_fetch(node, request).await;
                Answer { node, is_short, wanted, names, result }
            }));
        }
    }

    /// Forgets what is under way.
    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }

    fn receive(&mut self, shared: &Shared, answer: Answer) {
        self.nodes.remove(&answer.node);
        self.short -= usize::from(answer.is_short);
        let Answer { wanted, names, result, .. } = answer;
        let failed = match result {
            Ok(response) if response.error_code.is_error() => {
                Some(Error::Kafka { code: response.error_code, message: None })
            }
            Ok(response) => {
                for topic in response.responses {
                    let name = if topic.topic.is_empty() {
                        names.get(&topic.topic_id).cloned()
                    } else {
                        Some(topic.topic)
                    };
                    let Some(topic_name) = name else { continue };
                    for data in topic.partitions {
                        let name = TopicPartition {
                            topic: topic_name.clone(),
                            partition: data.partition_index,
                        };
                        if let Some(wanted) = wanted.get(&name) {
                            shared.partition_answered(wanted, data);
                        }
                    }
                }
                None
            }
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            tracing::debug!(node = answer.node, %error, "a fetch failed");
            shared.metadata_is_stale();
            let retry_at = Instant::now() + shared.config.retry_backoff;
            let mut state = shared.state.lock();
            for wanted in wanted.values() {
                if error.is_retriable() {
                    state.retry_later(&wanted.asked(), retry_at);
                } else {
                    state.partition_failed(&wanted.asked(), error.clone().into());
                }
            }
        }
    }
}

impl Shared {
    fn partition_answered(&self, wanted: &Wanted, data: PartitionData) {
        match data.error_code {
            ErrorCode::None => {
                let records = data.records.map(Records::into_bytes).unwrap_or_default();
                let aborted = data.aborted_transactions.unwrap_or_default();
                self.state.lock().fetched(wanted, data.high_watermark, records, aborted);
            }
            ErrorCode::OffsetOutOfRange => self.position_is_out_of_range(wanted),
            code if is_stale_metadata(code)
                || code.is_retriable()
                || code == ErrorCode::UnknownServerError =>
            {
                self.metadata_is_stale();
                let retry_at = Instant::now() + self.config.retry_backoff;
                self.state.lock().retry_later(&wanted.asked(), retry_at);
            }
            ErrorCode::CorruptMessage => {
                let failure = ConsumerError::BrokenBatch {
                    partition: wanted.name.clone(),
                    offset: wanted.offset,
                    reason: data.error_code.message().to_owned(),
                };
                self.state.lock().partition_failed(&wanted.asked(), failure);
            }
            code => {
                let failure = ConsumerError::Partition { partition: wanted.name.clone(), code };
                self.state.lock().partition_failed(&wanted.asked(), failure);
            }
        }
    }
}

/// A full fetch without a session (KIP-227).
fn request(
    shared: &Shared,
    partitions: &[(Wanted, Leader)],
    room: usize,
    wait: Duration,
) -> FetchRequest {
    let config = &shared.config;
    let limit = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
    let ids: BTreeMap<_, _> = partitions
        .iter()
        .map(|(wanted, leader)| (wanted.name.topic.clone(), leader.topic_id))
        .collect();
    // Those that had data last are last, wherever that puts their topics.
    let wanted = partitions.iter().map(|(wanted, leader)| {
        let partition = FetchPartition {
            partition: wanted.name.partition,
            current_leader_epoch: leader.epoch,
            fetch_offset: wanted.offset,
            partition_max_bytes: limit(config.max_partition_fetch_bytes),
            ..FetchPartition::default()
        };
        (wanted.name.topic.clone(), partition)
    });
    let topics = group_by_topic(wanted).into_iter().map(|(topic, partitions)| FetchTopic {
        topic_id: ids.get(&topic).copied().unwrap_or(Uuid::ZERO),
        topic,
        partitions,
    });
    FetchRequest {
        max_wait_ms: millis(wait),
        min_bytes: limit(config.fetch_min_bytes),
        max_bytes: limit(room),
        isolation_level: config.isolation.code(),
        topics: topics.collect(),
        ..FetchRequest::default()
    }
}

//! Finds out where partitions are read from: committed offsets, offsets of
//! timestamps, and whether a position still means the same records after its
//! partition got another leader (KIP-320).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use tokio::time::Instant;

use super::buffer::ReadTo;
use super::config::{OffsetReset, millis};
use super::error::ConsumerError;
use super::shared::{Leader, Shared};
use super::state::{Asked, EARLIEST, LATEST, Partition, Position, Wanted, is_stale_metadata};
use super::topic_partition::{TopicPartition, group_by_topic};

/// An offset and the epoch of the leader that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// `None`: there is no record as new as the timestamp.
    pub(super) offset: Option<i64>,
    pub(super) leader_epoch: i32,
}

impl Shared {
    /// One round of lookups for the positions that are not known yet. What
    /// failed for now is tried again in a later round, not before its pause is over.
    pub(super) async fn resolve(&self) {
        let _turn = self.resolving.lock().await;
        let unresolved = self.state.lock().unresolved(Instant::now());
        let committed: Vec<_> =
            unresolved.into_iter().filter(|asked| asked.position == Position::Committed).collect();
        if !committed.is_empty() {
            self.resolve_committed(committed).await;
        }
        let timestamps = self.state.lock().unresolved(Instant::now());
        let timestamps: Vec<_> = timestamps
            .into_iter()
            .filter_map(|asked| match asked.position {
                Position::Timestamp(timestamp) => Some((asked, timestamp)),
                Position::Committed | Position::At(_) => None,
            })
            .collect();
        if !timestamps.is_empty() {
            self.resolve_timestamps(timestamps).await;
        }
        self.changed.notify_waiters();
    }

    async fn resolve_committed(&self, asked: Vec<Asked>) {
        let names: Vec<_> = asked.iter().map(|asked| asked.name.clone()).collect();
        let committed = match &self.config.group_id {
            None => Ok(None),
            Some(_) => self.fetch_committed(&names).await,
        };
        let mut state = self.state.lock();
        let retry_at = Instant::now() + self.config.retry_backoff;
        let committed = match committed {
            Ok(Some(committed)) => committed,
            // Without a group nothing is committed.
            Ok(None) if self.config.group_id.is_none() => BTreeMap::new(),
            Ok(None) => {
                asked.iter().for_each(|asked| state.retry_later(asked, retry_at));
                return;
            }
            Err(error) => {
                asked.iter().for_each(|asked| state.partition_failed(asked, error.clone()));
                return;
            }
        };
        for asked in &asked {
            match committed.get(&asked.name) {
                Some(committed) => {
                    let leader_epoch = committed.leader_epoch.unwrap_or(-1);
                    let position = Position::At(ReadTo { offset: committed.offset, leader_epoch });
                    state.resolved(asked, position, -1);
                }
                None => match state.reset_to(&asked.name, self.config.auto_offset_reset) {
                    Some(timestamp) => state.resolved(asked, Position::Timestamp(timestamp), -1),
                    None => {
                        state.partition_failed(asked, ConsumerError::NoOffset(asked.name.clone()))
                    }
                },
            }
        }
    }

    async fn resolve_timestamps(&self, asked: Vec<(Asked, i64)>) {
        let names = asked.iter().map(|(asked, timestamp)| (asked.name.clone(), *timestamp));
        let found = self.list_offsets(names.collect()).await;
        let mut state = self.state.lock();
        let retry_at = Instant::now() + self.config.retry_backoff;
        for (asked, timestamp) in asked {
            match found.get(&asked.name) {
                Some(Ok(Found { offset: Some(offset), leader_epoch })) => {
                    let position = Position::At(ReadTo { offset: *offset, leader_epoch: -1 });
                    state.resolved(&asked, position, *leader_epoch);
                }
                // No record is that new: what is written next will be.
                Some(Ok(Found { offset: None, .. })) if timestamp != LATEST => {
                    state.resolved(&asked, Position::Timestamp(LATEST), -1);
                }
                Some(Err(code)) if !code.is_retriable() => {
                    let failure =
                        ConsumerError::Partition { partition: asked.name.clone(), code: *code };
                    state.partition_failed(&asked, failure);
                }
                Some(Ok(_) | Err(_)) | None => state.retry_later(&asked, retry_at),
            }
        }
    }

    /// Asks each leader once. Partitions without an answer are left out.
    pub(super) async fn list_offsets(
        &self,
        wanted: Vec<(TopicPartition, i64)>,
    ) -> BTreeMap<TopicPartition, Result<Found, ErrorCode>> {
        let mut found = BTreeMap::new();
        let by_leader = self.by_leader(wanted, |(name, _)| name).await;
        let isolation_level = self.config.isolation.code();
        let requests = by_leader.into_iter().map(|(node, partitions)| async move {
            let partitions = partitions.into_iter().map(|((name, timestamp), leader)| {
                let partition = ListOffsetsPartition {
                    partition_index: name.partition,
                    current_leader_epoch: leader.epoch,
                    timestamp,
                };
                (name.topic, partition)
            });
            let topics = group_by_topic(partitions)
                .into_iter()
                .map(|(name, partitions)| ListOffsetsTopic { name, partitions });
            let timeout_ms = millis(self.config.api_timeout);
            let request = ListOffsetsRequest {
                replica_id: -1,
                isolation_level,
                topics: topics.collect(),
                timeout_ms,
            };
            self.call(node, request).await
        });
        for answer in join_all(requests).await {
            let Ok(answer) = answer else {
                self.metadata_is_stale();
                continue;
            };
            for topic in answer.topics {
                let name = topic.name.detached();
                for partition in topic.partitions {
                    if is_stale_metadata(partition.error_code) {
                        self.metadata_is_stale();
                    }
                    let offset = (partition.offset >= 0).then_some(partition.offset);
                    let result = match partition.error_code {
                        ErrorCode::None => {
                            Ok(Found { offset, leader_epoch: partition.leader_epoch })
                        }
                        code => Err(code),
                    };
                    found.insert(
                        TopicPartition {
                            topic: name.clone(),
                            partition: partition.partition_index,
                        },
                        result,
                    );
                }
            }
        }
        found
    }

    /// Checks positions whose partitions have other leaders than when they were
    /// read. Until a check has succeeded, nothing is fetched.
    pub(super) async fn validate(&self, positions: Vec<(Wanted, Leader)>) {
        let mut by_node: BTreeMap<i32, Vec<(Wanted, Leader)>> = BTreeMap::new();
        for (wanted, leader) in positions {
            by_node.entry(leader.node).or_default().push((wanted, leader));
        }
        let checks = by_node.into_iter().map(|(node, positions)| async move {
            let partitions = positions.iter().map(|(wanted, leader)| {
                let partition = OffsetForLeaderPartition {
                    partition: wanted.name.partition,
                    current_leader_epoch: leader.epoch,
                    leader_epoch: wanted.read_to.leader_epoch,
                };
                (wanted.name.topic.clone(), partition)
            });
            let topics = group_by_topic(partitions).into_iter();
            let topics = topics
                .map(|(topic, partitions)| OffsetForLeaderTopic { topic, partitions })
                .collect();
            let answer =
                self.call(node, OffsetForLeaderEpochRequest { replica_id: -1, topics }).await;
            (positions, answer)
        });
        for (positions, answer) in join_all(checks).await {
            let ends: BTreeMap<_, _> = answer
                .into_iter()
                .flat_map(|answer| answer.topics)
                .flat_map(|topic| {
                    let name = topic.topic.detached();
                    topic
                        .partitions
                        .into_iter()
                        .map(move |end| (TopicPartition::new(name.clone(), end.partition), end))
                })
                .collect();
            let mut state = self.state.lock();
            for (wanted, leader) in positions {
                let asked = wanted.asked();
                match ends.get(&wanted.name) {
                    Some(end) if end.error_code == ErrorCode::None => {
                        if end.end_offset < 0 || end.end_offset >= wanted.read_to.offset {
                            state.validated(&asked, leader.epoch);
                            continue;
                        }
                        let position =
                            ReadTo { offset: end.end_offset, leader_epoch: end.leader_epoch };
                        if self.config.auto_offset_reset == OffsetReset::None {
                            let failure = ConsumerError::Truncated {
                                partition: wanted.name.clone(),
                                offset: wanted.read_to.offset,
                                end_offset: end.end_offset,
                            };
                            state.partition_failed(&asked, failure);
                        } else {
                            tracing::warn!(
                                topic = %wanted.name.topic.as_str(), partition = wanted.name.partition,
                                offset = wanted.read_to.offset, end_offset = end.end_offset,
                                "the partition was truncated before the position: reading goes on at its end"
                            );
                            state.reset(&asked, Position::At(position));
                        }
                    }
                    // Old records carry no epoch, or the broker does not know it: nothing to compare.
                    Some(end) if !end.error_code.is_retriable() => {
                        state.validated(&asked, leader.epoch)
                    }
                    Some(_) | None => {
                        self.metadata_is_stale();
                        state.retry_later(&asked, Instant::now() + self.config.retry_backoff);
                    }
                }
            }
        }
    }

    /// Moves positions to the offsets of a timestamp, at once.
    pub(super) async fn seek_to(
        &self,
        names: &[TopicPartition],
        timestamp: i64,
    ) -> Result<(), ConsumerError> {
        {
            let mut state = self.state.lock();
            state.check_open()?;
            for name in names {
                state.partition(name)?;
            }
            for name in names {
                state.seek(name, Position::Timestamp(timestamp))?;
            }
        }
        let resolve_all = async {
            loop {
                self.resolve().await;
                {
                    let mut state = self.state.lock();
                    if let Some(failure) = names.iter().find_map(|name| state.take_failure(name)) {
                        return Err(failure);
                    }
                    // A partition that went away meanwhile needs no position.
                    let waits = |name| state.partition(name).is_ok_and(Partition::is_unresolved);
                    if !names.iter().any(waits) {
                        return Ok(());
                    }
                }
                self.pause().await;
            }
        };
        self.in_time(resolve_all).await
    }

    /// What the policy says for a position outside of its partition.
    pub(super) fn position_is_out_of_range(&self, wanted: &Wanted) {
        let mut state = self.state.lock();
        let asked = wanted.asked();
        match self.config.auto_offset_reset {
            OffsetReset::None => {
                let failure = ConsumerError::OffsetOutOfRange {
                    partition: wanted.name.clone(),
                    offset: wanted.read_to.offset,
                };
                state.partition_failed(&asked, failure);
            }
            policy => {
                let timestamp = if policy == OffsetReset::Earliest { EARLIEST } else { LATEST };
                tracing::info!(
                    topic = %wanted.name.topic.as_str(), partition = wanted.name.partition,
                    offset = wanted.read_to.offset, "the position is out of range: it is reset"
                );
                state.reset(&asked, Position::Timestamp(timestamp));
            }
        }
    }
}

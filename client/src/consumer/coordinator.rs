//! Calls to the group's coordinator outside of joining: where it is, which
//! offsets are committed, committing.

use std::collections::BTreeMap;

use protocol::messages::find_coordinator::FindCoordinatorRequest;
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use protocol::{ErrorCode, Str, Uuid};

use super::config::IsolationLevel;
use super::consumer_protocol::NO_GENERATION;
use super::error::ConsumerError;
use super::membership::Identity;
use super::record::OffsetAndMetadata;
use super::shared::Shared;
use super::topic_partition::{TopicPartition, group_by_topic};

/// The kind of key that names a group in a coordinator lookup.
const GROUP_KEY: i8 = 0;

/// Committed offsets by partition; partitions without one are left out.
pub(super) type Committed = BTreeMap<TopicPartition, OffsetAndMetadata>;

impl Shared {
    pub(super) fn group_id(&self) -> Result<Str, ConsumerError> {
        self.config.group_id.clone().ok_or(ConsumerError::NoGroup)
    }

    fn group_failure(&self, code: ErrorCode) -> ConsumerError {
        ConsumerError::Group { group: self.config.group_id.clone().unwrap_or_default(), code }
    }

    /// The coordinator's node; `None` when there is none for now.
    pub(super) async fn find_coordinator(&self) -> Result<Option<i32>, ConsumerError> {
        if let Some(node) = self.state.lock().coordinator {
            return Ok(Some(node));
        }
        let key = self.group_id()?;
        let coordinator_keys = vec![key.clone()];
        let request = FindCoordinatorRequest { key, key_type: GROUP_KEY, coordinator_keys };
        let answer = match self.call_any(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_retriable() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (code, node) = match answer.coordinators.first() {
            Some(coordinator) => (coordinator.error_code, coordinator.node_id),
            None => (answer.error_code, answer.node_id),
        };
        match code {
            ErrorCode::None => {
                self.state.lock().coordinator = Some(node);
                Ok(Some(node))
            }
            code if code.is_retriable() => Ok(None),
            code => Err(self.group_failure(code)),
        }
    }

    /// Whether an answer of the coordinator says to try again, perhaps elsewhere.
    fn is_passing(&self, code: ErrorCode) -> bool {
        if matches!(code, ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable) {
            self.state.lock().coordinator = None;
        }
        code.is_retriable() || code == ErrorCode::UnstableOffsetCommit
    }

    /// One try; `Ok(None)` when it failed for now, which it also does where the
    /// coordinator does not know a topic: it may only be new to it.
    pub(super) async fn fetch_committed(
        &self,
        names: &[TopicPartition],
    ) -> Result<Option<Committed>, ConsumerError> {
        let Some(node) = self.find_coordinator().await? else { return Ok(None) };
        let mut sorted = names.to_vec();
        sorted.sort();
        let topics = group_by_topic(sorted.into_iter().map(|name| (name.topic, name.partition)));
        let ids = self.topic_ids(topics.iter().map(|(topic, _)| topic)).await;
        let group_id = self.group_id()?;
        let old = |(name, partition_indexes): &(Str, Vec<i32>)| OffsetFetchRequestTopic {
            name: name.clone(),
            partition_indexes: partition_indexes.clone(),
        };
        let new = |(name, partition_indexes): &(Str, Vec<i32>)| OffsetFetchRequestTopics {
            name: name.clone(),
            topic_id: ids.get(name).copied().unwrap_or(Uuid::ZERO),
            partition_indexes: partition_indexes.clone(),
        };
        let request = OffsetFetchRequest {
            topics: Some(topics.iter().map(old).collect()),
            groups: vec![OffsetFetchRequestGroup {
                group_id: group_id.clone(),
                topics: Some(topics.iter().map(new).collect()),
                ..OffsetFetchRequestGroup::default()
            }],
            group_id,
            // What a transaction may still take back is not waited for by those who read everything.
            require_stable: self.config.isolation == IsolationLevel::ReadCommitted,
        };
        let answer = match self.call(node, request).await {
            Ok(answer) => answer,
            Err(error) if error.is_retriable() => {
                self.state.lock().coordinator = None;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let mut committed = Committed::new();
        for (name, offset, code) in flatten(answer, &ids) {
            match code {
                ErrorCode::None => {
                    if offset.offset >= 0 {
                        committed.insert(name, offset);
                    }
                }
                code if self.is_passing(code) => return Ok(None),
                code if name.topic.is_empty() => return Err(self.group_failure(code)),
                code => return Err(ConsumerError::Partition { partition: name, code }),
            }
        }
        Ok(Some(committed))
    }

    /// The committed offsets, with retries. Nothing is committed for topics that
    /// do not exist.
    pub(super) async fn committed(
        &self,
        names: &[TopicPartition],
    ) -> Result<Committed, ConsumerError> {
        self.group_id()?;
        let mut topics: Vec<Str> = names.iter().map(|name| name.topic.clone()).collect();
        topics.sort();
        topics.dedup();
        let exists = |topic: &Str| self.client.cached_topic(topic).is_some();
        let try_until_answered = async {
            let unknown: Vec<Str> = topics.iter().filter(|topic| !exists(topic)).cloned().collect();
            self.client.refresh_topics(&unknown).await?;
            loop {
                let asked: Vec<TopicPartition> =
                    names.iter().filter(|name| exists(&name.topic)).cloned().collect();
                if asked.is_empty() {
                    return Ok(Committed::new());
                }
                if let Some(committed) = self.fetch_committed(&asked).await? {
                    return Ok(committed);
                }
                self.pause().await;
                // One of them may be gone since it was looked up.
                self.client.refresh_topics(&topics).await?;
            }
        };
        self.in_time(try_until_answered).await
    }

    /// Commits, with retries. While the group rebalances, the commit waits for
    /// the new generation and goes out in it, if the partitions stay.
    pub(super) async fn commit(
        &self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
    ) -> Result<(), ConsumerError> {
        let group_id = self.group_id()?;
        let mut sorted = offsets.to_vec();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.in_time(self.commit_sorted(group_id, sorted)).await
    }

    async fn commit_sorted(
        &self,
        group_id: Str,
        sorted: Vec<(TopicPartition, OffsetAndMetadata)>,
    ) -> Result<(), ConsumerError> {
        if sorted.is_empty() {
            return Ok(());
        }
        let mut ids = self.topics_of_commit(&sorted).await?;
        loop {
            let Some(node) = self.find_coordinator().await? else {
                self.pause().await;
                continue;
            };
            let identity = self.state.lock().identity.clone();
            let request = commit_request(group_id.clone(), identity.as_ref(), &sorted, &ids);
            let answer = match self.call(node, request).await {
                Ok(answer) => answer,
                Err(error) if error.is_retriable() => {
                    self.state.lock().coordinator = None;
                    self.pause().await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match first_error(answer, &ids) {
                None => return Ok(()),
                Some((_, code)) if is_about_generation(code) => {
                    let Some(identity) = identity else { return Err(self.group_failure(code)) };
                    self.commit_refused(identity.generation, code);
                    self.wait_for_next_generation(&identity, &sorted, code).await?;
                }
                // Deleted since it was looked up, or not known everywhere yet.
                Some((_, ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId)) => {
                    let topics: Vec<Str> = ids.keys().cloned().collect();
                    self.client.refresh_topics(&topics).await?;
                    ids = self.topics_of_commit(&sorted).await?;
                    self.pause().await;
                }
                Some((_, code)) if self.is_passing(code) => self.pause().await,
                Some((partition, code)) => {
                    return Err(ConsumerError::Partition { partition, code });
                }
            }
        }
    }

    /// The ids of the topics, which must all exist with their partitions: the
    /// broker would only say so after a long while, or not at all.
    async fn topics_of_commit(
        &self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
    ) -> Result<BTreeMap<Str, Uuid>, ConsumerError> {
        let mut ids = BTreeMap::new();
        for (name, _) in offsets {
            let topic = self.topic(&name.topic).await?;
            let exists =
                topic.as_ref().is_some_and(|topic| topic.partition(name.partition).is_some());
            let Some(topic) = topic.filter(|_| exists) else {
                let code = ErrorCode::UnknownTopicOrPartition;
                return Err(ConsumerError::Partition { partition: name.clone(), code });
            };
            ids.insert(name.topic.clone(), topic.id);
        }
        Ok(ids)
    }

    /// After a commit in a generation that is over or about to be.
    async fn wait_for_next_generation(
        &self,
        refused: &Identity,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        code: ErrorCode,
    ) -> Result<(), ConsumerError> {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.state.lock();
                state.check_open()?;
                if code == ErrorCode::FencedInstanceId {
                    return Err(self.group_failure(code));
                }
                if state.revoking || !state.uses_group() {
                    return Err(ConsumerError::Rebalanced);
                }
                state.check_readable()?;
                let renewed = state.identity.as_ref().is_some_and(|identity| {
                    identity.generation != NO_GENERATION
                        && identity.generation != refused.generation
                });
                if renewed && state.has_assignment {
                    let kept = offsets.iter().all(|(name, _)| state.partitions.contains_key(name));
                    return if kept { Ok(()) } else { Err(ConsumerError::Rebalanced) };
                }
            }
            changed.await;
        }
    }
}

fn is_about_generation(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RebalanceInProgress
            | ErrorCode::IllegalGeneration
            | ErrorCode::UnknownMemberId
            | ErrorCode::FencedInstanceId
    )
}

fn commit_request(
    group_id: Str,
    identity: Option<&Identity>,
    offsets: &[(TopicPartition, OffsetAndMetadata)],
    ids: &BTreeMap<Str, Uuid>,
) -> OffsetCommitRequest {
    let partitions = offsets.iter().map(|(name, offset)| {
        let partition = OffsetCommitRequestPartition {
            partition_index: name.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(offset.metadata.clone()),
        };
        (name.topic.clone(), partition)
    });
    let topic = |(name, partitions): (Str, Vec<_>)| OffsetCommitRequestTopic {
        topic_id: ids.get(&name).copied().unwrap_or(Uuid::ZERO),
        name,
        partitions,
    };
    OffsetCommitRequest {
        group_id,
        // Without membership: a commit from outside, which the group takes while it has no members.
        generation_id_or_member_epoch: identity
            .map_or(NO_GENERATION, |identity| identity.generation),
        member_id: identity.map(|identity| identity.member_id.clone()).unwrap_or_default(),
        group_instance_id: identity.and_then(|identity| identity.instance_id.clone()),
        topics: group_by_topic(partitions).into_iter().map(topic).collect(),
        ..OffsetCommitRequest::default()
    }
}

fn first_error(
    answer: OffsetCommitResponse,
    ids: &BTreeMap<Str, Uuid>,
) -> Option<(TopicPartition, ErrorCode)> {
    answer.topics.into_iter().find_map(|topic| {
        let refused = topic.partitions.iter().find(|partition| partition.error_code.is_error())?;
        let name = topic_name(topic.name, topic.topic_id, ids);
        Some((
            TopicPartition { topic: name, partition: refused.partition_index },
            refused.error_code,
        ))
    })
}

/// Answers of version 10 and later name topics by their ids only.
fn topic_name(name: Str, id: Uuid, ids: &BTreeMap<Str, Uuid>) -> Str {
    if !name.is_empty() {
        return name.detached();
    }
    ids.iter().find(|(_, known)| **known == id).map(|(name, _)| name.clone()).unwrap_or_default()
}

/// The answer's partitions in one form for all versions. An error of the group
/// as a whole is that of a partition without a name.
fn flatten(
    answer: OffsetFetchResponse,
    ids: &BTreeMap<Str, Uuid>,
) -> Vec<(TopicPartition, OffsetAndMetadata, ErrorCode)> {
    let mut all = Vec::new();
    let mut push =
        |topic: &Str, partition, offset, leader_epoch: i32, metadata: Option<Str>, code| {
            let leader_epoch = (leader_epoch >= 0).then_some(leader_epoch);
            let metadata = metadata.map(|metadata| metadata.detached()).unwrap_or_default();
            let name = TopicPartition { topic: topic.clone(), partition };
            all.push((name, OffsetAndMetadata { offset, leader_epoch, metadata }, code));
        };
    if answer.error_code.is_error() {
        push(&Str::default(), -1, -1, -1, None, answer.error_code);
    }
    for topic in answer.topics {
        let name = topic.name.detached();
        for p in topic.partitions {
            push(
                &name,
                p.partition_index,
                p.committed_offset,
                p.committed_leader_epoch,
                p.metadata,
                p.error_code,
            );
        }
    }
    for group in answer.groups {
        if group.error_code.is_error() {
            push(&Str::default(), -1, -1, -1, None, group.error_code);
        }
        for topic in group.topics {
            let name = topic_name(topic.name, topic.topic_id, ids);
            for p in topic.partitions {
                push(
                    &name,
                    p.partition_index,
                    p.committed_offset,
                    p.committed_leader_epoch,
                    p.metadata,
                    p.error_code,
                );
            }
        }
    }
    all
}

//! Committed offsets of a group that is not ours.

use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
};
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponsePartition,
};
use protocol::{ErrorCode, Str, Uuid};

use super::coordinator::call_coordinator;
use super::{PerItem, unanswered};
use crate::consumer::{OffsetAndMetadata, TopicPartition, group_by_topic};
use crate::{Client, Error};

/// The last version of OffsetFetch and OffsetCommit that names topics. Later
/// ones have only their ids, which say nothing about a topic that is gone.
const LAST_WITH_NAMES: i16 = 9;

/// The committed offsets of a group, sorted by partition: of `partitions`, or
/// of all that have one. `None` where nothing is committed.
pub async fn list_consumer_group_offsets(
    client: &Client,
    group: &Str,
    partitions: Option<&[TopicPartition]>,
) -> Result<PerItem<TopicPartition, Option<OffsetAndMetadata>>, Error> {
    let topics = partitions.map(|partitions| by_topic(partitions.to_vec()));
    let old = |(name, partition_indexes): &(Str, Vec<i32>)| OffsetFetchRequestTopic {
        name: name.clone(),
        partition_indexes: partition_indexes.clone(),
    };
    let new = |(name, partition_indexes): &(Str, Vec<i32>)| OffsetFetchRequestTopics {
        name: name.clone(),
        topic_id: Uuid::ZERO,
        partition_indexes: partition_indexes.clone(),
    };
    let request_group = OffsetFetchRequestGroup {
        group_id: group.clone(),
        topics: topics.as_ref().map(|topics| topics.iter().map(new).collect()),
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest {
        group_id: group.clone(),
        topics: topics.as_ref().map(|topics| topics.iter().map(old).collect()),
        groups: vec![request_group],
        require_stable: false,
    };
    let code = |answer: &OffsetFetchResponse| {
        answer.groups.first().map_or(answer.error_code, |group| group.error_code)
    };
    let answer = call_coordinator(client, group, LAST_WITH_NAMES, &request, code).await?;
    Error::check(code(&answer), None)?;
    let mut offsets = fetched(answer);
    offsets.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(offsets)
}

/// Sets committed offsets of a group that has no members.
pub async fn alter_consumer_group_offsets(
    client: &Client,
    group: &Str,
    offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
) -> Result<PerItem<TopicPartition, ()>, Error> {
    let mut sorted = offsets;
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let names: Vec<TopicPartition> =
        sorted.iter().map(|(partition, _)| partition.clone()).collect();
    let partition = |(partition, offset): (TopicPartition, OffsetAndMetadata)| {
        let committed = OffsetCommitRequestPartition {
            partition_index: partition.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(offset.metadata),
        };
        (partition.topic, committed)
    };
    let topics = group_by_topic(sorted.into_iter().map(partition)).into_iter();
    let topics = topics.map(|(name, partitions)| OffsetCommitRequestTopic {
        name,
        topic_id: Uuid::ZERO,
        partitions,
    });
    // No generation and no member: allowed while the group is empty.
    let request = OffsetCommitRequest {
        group_id: group.clone(),
        topics: topics.collect(),
        ..OffsetCommitRequest::default()
    };
    let code = |answer: &OffsetCommitResponse| {
        let first = answer.topics.first().and_then(|topic| topic.partitions.first());
        first.map_or(ErrorCode::None, |partition| partition.error_code)
    };
    let answer = call_coordinator(client, group, LAST_WITH_NAMES, &request, code).await?;
    let results = answer.topics.into_iter().flat_map(|topic| {
        let name = topic.name;
        topic
            .partitions
            .into_iter()
            .map(move |result| (name.clone(), result.partition_index, result.error_code))
    });
    Ok(in_order(names, results.collect()))
}

/// Forgets committed offsets of topics that no member of the group reads (KIP-496).
pub async fn delete_consumer_group_offsets(
    client: &Client,
    group: &Str,
    partitions: &[TopicPartition],
) -> Result<PerItem<TopicPartition, ()>, Error> {
    let topics = by_topic(partitions.to_vec()).into_iter().map(|(name, partitions)| {
        let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
        OffsetDeleteRequestTopic {
            name,
            partitions: partitions.into_iter().map(partition).collect(),
        }
    });
    let request = OffsetDeleteRequest { group_id: group.clone(), topics: topics.collect() };
    let code = |answer: &OffsetDeleteResponse| answer.error_code;
    let answer = call_coordinator(client, group, i16::MAX, &request, code).await?;
    Error::check(answer.error_code, None)?;
    let results = answer.topics.into_iter().flat_map(|topic| {
        let name = topic.name;
        topic
            .partitions
            .into_iter()
            .map(move |result| (name.clone(), result.partition_index, result.error_code))
    });
    Ok(in_order(partitions.to_vec(), results.collect()))
}

fn by_topic(mut partitions: Vec<TopicPartition>) -> Vec<(Str, Vec<i32>)> {
    partitions.sort_unstable();
    partitions.dedup();
    group_by_topic(partitions.into_iter().map(|partition| (partition.topic, partition.partition)))
}

fn fetched(answer: OffsetFetchResponse) -> PerItem<TopicPartition, Option<OffsetAndMetadata>> {
    let old = answer.topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |partition| (topic.name.clone(), partition))
    });
    let groups = answer.groups.into_iter().flat_map(|group| group.topics);
    let new = groups.flat_map(|topic| {
        topic.partitions.into_iter().map(move |partition| {
            let same = OffsetFetchResponsePartition {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata,
                error_code: partition.error_code,
            };
            (topic.name.clone(), same)
        })
    });
    let committed = |partition: OffsetFetchResponsePartition| {
        Error::check(partition.error_code, None)?;
        let offset = OffsetAndMetadata {
            offset: partition.committed_offset,
            leader_epoch: Some(partition.committed_leader_epoch).filter(|&epoch| epoch >= 0),
            metadata: partition.metadata.unwrap_or_default(),
        };
        Ok(Some(offset).filter(|offset| offset.offset >= 0))
    };
    let all = old.chain(new);
    all.map(|(topic, partition)| {
        (TopicPartition::new(topic, partition.partition_index), committed(partition))
    })
    .collect()
}

fn in_order(
    names: Vec<TopicPartition>,
    results: Vec<(Str, i32, ErrorCode)>,
) -> PerItem<TopicPartition, ()> {
    let results: std::collections::HashMap<(Str, i32), ErrorCode> =
        results.into_iter().map(|(topic, partition, code)| ((topic, partition), code)).collect();
    let in_order = names.into_iter().map(|name| {
        let code = results.get(&(name.topic.clone(), name.partition));
        let result = code.map_or_else(|| Err(unanswered()), |&code| Error::check(code, None));
        (name, result)
    });
    in_order.collect()
}

//! OffsetFetch, versions 1 to 10.
//!
//! 2 null topics mean all, and an error for the group · 5 leader epoch · 7 stable
//! offsets only: there are no others here, because no transaction holds offsets back ·
//! 8 several groups · 9 member epoch, which classic groups do not have · 10 topics by id.
//!
//! A partition without an offset has offset -1 and no error, and so has a group that
//! does not exist.

use protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use protocol::{ErrorCode, Str, Uuid};

use super::Handler;
use crate::context::Context;
use crate::groups::{CommittedOffset, GroupOffsets};
use crate::node::Node;
use crate::topics::Topics;

impl Handler for OffsetFetchRequest {
    async fn handle(self, node: &Node, context: &Context) -> OffsetFetchResponse {
        let (version, topics) = (context.api_version, node.topics());
        let fetched = |group: OffsetFetchRequestGroup| {
            let by_id = version >= 10;
            let asked = group.topics.clone();
            let read = |offsets: &GroupOffsets| match group.topics {
                Some(asked) => asked
                    .into_iter()
                    .map(|topic| one_topic(topic, by_id, topics, offsets))
                    .collect(),
                None => all_topics(by_id, topics, offsets),
            };
            match node.groups().read_offsets(&group.group_id, read) {
                Ok(topics) => OffsetFetchResponseGroup {
                    group_id: group.group_id,
                    topics,
                    error_code: ErrorCode::None,
                },
                Err(error_code) => refused(group.group_id, asked, error_code),
            }
        };
        if version >= 8 {
            let groups = self.groups.into_iter().map(fetched).collect();
            OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }
        } else {
            alone(fetched(only_group(self)))
        }
    }

    fn refuse(mut self, error_code: ErrorCode) -> OffsetFetchResponse {
        let groups = std::mem::take(&mut self.groups).into_iter();
        let groups = groups.map(|group| refused(group.group_id, group.topics, error_code));
        let groups = groups.collect();
        let only = only_group(self);
        OffsetFetchResponse { groups, ..alone(refused(only.group_id, only.topics, error_code)) }
    }
}

/// What versions up to 7 ask for, in the words of those that ask for several groups.
fn only_group(request: OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics,
        ..OffsetFetchRequestGroup::default()
    }
}

/// Up to version 7 the one group is the answer itself.
fn alone(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic
            .partitions
            .into_iter()
            .map(|partition| OffsetFetchResponsePartition {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata,
                error_code: partition.error_code,
            })
            .collect(),
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}

fn refused(
    group_id: Str,
    topics: Option<Vec<OffsetFetchRequestTopics>>,
    error_code: ErrorCode,
) -> OffsetFetchResponseGroup {
    let topics = topics.into_iter().flatten().map(|topic| OffsetFetchResponseTopics {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic
            .partition_indexes
            .into_iter()
            .map(|index| partition(index, None, error_code))
            .collect(),
    });
    OffsetFetchResponseGroup { group_id, topics: topics.collect(), error_code }
}

fn one_topic(
    asked: OffsetFetchRequestTopics,
    by_id: bool,
    topics: &Topics,
    offsets: &GroupOffsets,
) -> OffsetFetchResponseTopics {
    let name = match by_id {
        true => topics.by_id(asked.topic_id).map(|topic| topic.name.clone()),
        false => Some(asked.name.clone()),
    };
    let partitions = asked.partition_indexes.into_iter().map(|index| match &name {
        Some(name) => partition(index, offsets.get(name, index), ErrorCode::None),
        None => partition(index, None, ErrorCode::UnknownTopicId),
    });
    let partitions = partitions.collect();
    OffsetFetchResponseTopics { name: asked.name, topic_id: asked.topic_id, partitions }
}

/// Every offset of the group. By id only those of topics that still have one.
fn all_topics(
    by_id: bool,
    topics: &Topics,
    offsets: &GroupOffsets,
) -> Vec<OffsetFetchResponseTopics> {
    let id_of = |name: &Str| match by_id {
        true => topics.by_name(name).map(|topic| topic.id),
        false => Some(Uuid::ZERO),
    };
    let found = offsets.topics().filter_map(|(name, partitions)| {
        let partitions = partitions
            .iter()
            .map(|(index, offset)| partition(*index, Some(offset), ErrorCode::None));
        Some(OffsetFetchResponseTopics {
            name: name.clone(),
            topic_id: id_of(name)?,
            partitions: partitions.collect(),
        })
    });
    found.collect()
}

fn partition(
    partition_index: i32,
    offset: Option<&CommittedOffset>,
    error_code: ErrorCode,
) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: offset.map_or(-1, |offset| offset.offset),
        committed_leader_epoch: offset.map_or(-1, |offset| offset.leader_epoch),
        metadata: Some(offset.map(|offset| offset.metadata.clone()).unwrap_or_default()),
        error_code,
    }
}

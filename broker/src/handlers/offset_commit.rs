//! OffsetCommit, versions 2 to 10.
//!
//! Up to 4 a retention time, which is ignored · 6 leader epoch · 7 static members ·
//! 9 a missing group has an error of its own · 10 topics by id.

use protocol::messages::offset_commit::{
    OffsetCommitRequestTopic, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use protocol::{ErrorCode, Str};

use super::Handler;
use crate::context::Context;
use crate::groups::{Commit, Committer};
use crate::node::Node;

impl Handler for OffsetCommitRequest {
    async fn handle(self, node: &Node, context: &Context) -> OffsetCommitResponse {
        let mut commits = Vec::new();
        let by_id = context.api_version >= 10;
        let topics = self.topics.into_iter().map(|topic| check(topic, by_id, node, &mut commits));
        let mut topics: Vec<OffsetCommitResponseTopic> = topics.collect();
        if !commits.is_empty() {
            let committer = Committer {
                member_id: self.member_id,
                instance_id: self.group_instance_id,
                generation: self.generation_id_or_member_epoch,
                knows_missing_groups: context.api_version >= 9,
            };
            let committed = node.groups().commit(&self.group_id, committer, commits).await;
            if let Err(error_code) = committed {
                let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
                partitions
                    .filter(|partition| !partition.error_code.is_error())
                    .for_each(|partition| partition.error_code = error_code);
            }
        }
        OffsetCommitResponse { throttle_time_ms: 0, topics }
    }

    fn refuse(self, error_code: ErrorCode) -> OffsetCommitResponse {
        let topics = self.topics.into_iter().map(|topic| OffsetCommitResponseTopic {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .into_iter()
                .map(|partition| OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                })
                .collect(),
        });
        OffsetCommitResponse { throttle_time_ms: 0, topics: topics.collect() }
    }
}

/// What can be stored goes to `commits`, the rest has its error in the answer.
fn check(
    asked: OffsetCommitRequestTopic,
    by_id: bool,
    node: &Node,
    commits: &mut Vec<Commit>,
) -> OffsetCommitResponseTopic {
    let topic = if by_id {
        node.topics().by_id(asked.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        node.topics().by_name(&asked.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    };
    let metadata_max_bytes = node.groups().metadata_max_bytes();
    let partitions = asked.partitions.into_iter().map(|partition| {
        let partition_index = partition.partition_index;
        let metadata = partition.committed_metadata.unwrap_or_default();
        let error_code = match &topic {
            Err(error_code) => *error_code,
            Ok(topic) if !(0..topic.partition_count()).contains(&partition_index) => {
                ErrorCode::UnknownTopicOrPartition
            }
            Ok(_) if metadata.len() > metadata_max_bytes => ErrorCode::OffsetMetadataTooLarge,
            Ok(topic) => {
                commits.push(Commit {
                    topic: Str::clone(&topic.name),
                    partition: partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata,
                });
                ErrorCode::None
            }
        };
        OffsetCommitResponsePartition { partition_index, error_code }
    });
    let partitions = partitions.collect();
    OffsetCommitResponseTopic { name: asked.name, topic_id: asked.topic_id, partitions }
}

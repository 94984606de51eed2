//! OffsetDelete, version 0.
//!
//! Offsets of topics that members subscribe to are refused, one by one; a group whose
//! members do not speak the consumers' protocol is refused as a whole.

use protocol::ErrorCode;
use protocol::messages::offset_delete::{
    OffsetDeleteRequestPartition, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

/// Kafka keeps what is stored for a partition that does not exist.
fn unknown(asked: OffsetDeleteRequestPartition) -> OffsetDeleteResponsePartition {
    OffsetDeleteResponsePartition {
        partition_index: asked.partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition,
    }
}

impl Handler for OffsetDeleteRequest {
    async fn handle(mut self, node: &Node, _: &Context) -> OffsetDeleteResponse {
        let mut missing = Vec::new();
        for asked in &mut self.topics {
            let topic = node.topics().by_name(&asked.name);
            let exists =
                |index| topic.as_ref().is_some_and(|topic| topic.partition(index).is_some());
            let (there, gone) =
                asked.partitions.drain(..).partition(|asked| exists(asked.partition_index));
            asked.partitions = there;
            missing.push(gone);
        }
        match node.groups().delete_offsets(&self.group_id, self.topics).await {
            Ok(topics) => {
                let topics = topics.into_iter().zip(missing).map(|((name, found), missing)| {
                    let missing = missing.into_iter().map(unknown);
                    let partitions = missing.chain(found).collect();
                    OffsetDeleteResponseTopic { name, partitions }
                });
                OffsetDeleteResponse { topics: topics.collect(), ..OffsetDeleteResponse::default() }
            }
            Err(error_code) => {
                OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() }
            }
        }
    }

    fn refuse(self, error_code: ErrorCode) -> OffsetDeleteResponse {
        let topics = self.topics.into_iter().map(|topic| OffsetDeleteResponseTopic {
            name: topic.name,
            partitions: topic
                .partitions
                .into_iter()
                .map(|partition| OffsetDeleteResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                })
                .collect(),
        });
        OffsetDeleteResponse { error_code, throttle_time_ms: 0, topics: topics.collect() }
    }
}

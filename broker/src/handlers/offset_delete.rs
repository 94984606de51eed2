//! OffsetDelete, version 0.
//!
//! Offsets of topics that members subscribe to are refused, one by one; a group whose
//! members do not speak the consumers' protocol is refused as a whole.

use protocol::ErrorCode;
use protocol::messages::offset_delete::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for OffsetDeleteRequest {
    async fn handle(self, node: &Node, _: &Context) -> OffsetDeleteResponse {
        match node.groups().delete_offsets(&self.group_id, self.topics).await {
            Ok(topics) => {
                let topics = topics
                    .into_iter()
                    .map(|(name, partitions)| OffsetDeleteResponseTopic { name, partitions });
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

//! DeleteRecords, versions 0 to 2: partitions begin at another offset.
//!
//! The new start is durable before the answer leaves. In Kafka a crash within
//! the next minute can bring the records back.

use protocol::ErrorCode;
use protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::Handler;
use crate::context::Context;
use crate::log::DeleteRecordsError;
use crate::node::Node;
use crate::topics::Topic;

impl Handler for DeleteRecordsRequest {
    async fn handle(self, node: &Node, _: &Context) -> DeleteRecordsResponse {
        let mut topics = Vec::with_capacity(self.topics.len());
        for asked in self.topics {
            let topic = node.topics().by_name(&asked.name);
            let mut partitions = Vec::with_capacity(asked.partitions.len());
            for partition in asked.partitions {
                partitions.push(match delete(topic.as_deref(), &partition).await {
                    Ok(low_watermark) => DeleteRecordsPartitionResult {
                        partition_index: partition.partition_index,
                        low_watermark,
                        error_code: ErrorCode::None,
                    },
                    Err(error_code) => refused(&partition, error_code),
                });
            }
            topics.push(DeleteRecordsTopicResult { name: asked.name, partitions });
        }
        DeleteRecordsResponse { throttle_time_ms: 0, topics }
    }

    fn refuse(self, error_code: ErrorCode) -> DeleteRecordsResponse {
        let topics = self.topics.into_iter().map(|asked| DeleteRecordsTopicResult {
            name: asked.name,
            partitions: asked
                .partitions
                .iter()
                .map(|partition| refused(partition, error_code))
                .collect(),
        });
        DeleteRecordsResponse { throttle_time_ms: 0, topics: topics.collect() }
    }
}

async fn delete(topic: Option<&Topic>, asked: &DeleteRecordsPartition) -> Result<i64, ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if topic.is_internal() {
        return Err(ErrorCode::InvalidTopicException);
    }
    let partition = topic.partition(asked.partition_index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if !partition.config().delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let offset = asked.offset;
    let deleted = tokio::task::spawn_blocking(move || partition.delete_records(offset)).await;
    match deleted {
        Ok(deleted) => deleted.map_err(|error| match error {
            DeleteRecordsError::OffsetOutOfRange => ErrorCode::OffsetOutOfRange,
            DeleteRecordsError::Storage => ErrorCode::KafkaStorageError,
        }),
        // The request that asked for it is answered as any that panics.
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn refused(asked: &DeleteRecordsPartition, error_code: ErrorCode) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index: asked.partition_index,
        low_watermark: -1,
        error_code,
    }
}

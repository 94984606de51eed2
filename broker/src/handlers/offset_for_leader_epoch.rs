//! OffsetForLeaderEpoch, versions 2 to 4: where an epoch of a partition ended.
//!
//! 3 names the replica that asks. A client that finds the end before its own
//! position knows that the log was cut and records were lost (KIP-320).

use protocol::ErrorCode;
use protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::Handler;
use crate::context::Context;
use crate::error::check_leader_epoch;
use crate::node::Node;
use crate::topics::Topic;

impl Handler for OffsetForLeaderEpochRequest {
    async fn handle(self, node: &Node, _: &Context) -> OffsetForLeaderEpochResponse {
        let topics = self.topics.into_iter().map(|asked| {
            let topic = node.topics().by_name(&asked.topic);
            let partitions = asked.partitions.iter().map(|asked| {
                find(topic.as_deref(), asked).unwrap_or_else(|error| refused(asked, error))
            });
            let partitions = partitions.collect();
            OffsetForLeaderTopicResult { topic: asked.topic, partitions }
        });
        OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics: topics.collect() }
    }

    fn refuse(self, error_code: ErrorCode) -> OffsetForLeaderEpochResponse {
        let topics = self.topics.into_iter().map(|asked| OffsetForLeaderTopicResult {
            topic: asked.topic,
            partitions: asked.partitions.iter().map(|asked| refused(asked, error_code)).collect(),
        });
        OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics: topics.collect() }
    }
}

fn find(
    topic: Option<&Topic>,
    asked: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ErrorCode> {
    let partition = topic.and_then(|topic| topic.partition(asked.partition));
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    check_leader_epoch(asked.current_leader_epoch, partition.leader_epoch())?;
    let (leader_epoch, end_offset) = partition.end_offset_for_epoch(asked.leader_epoch);
    Ok(EpochEndOffset {
        error_code: ErrorCode::None,
        partition: asked.partition,
        leader_epoch,
        end_offset,
    })
}

fn refused(asked: &OffsetForLeaderPartition, error_code: ErrorCode) -> EpochEndOffset {
    EpochEndOffset { error_code, partition: asked.partition, ..Default::default() }
}

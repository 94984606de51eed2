//! ListOffsets, versions 1 to 11: offsets by time, or by one of the marks.
//!
//! 2 isolation level · 4 leader epochs · 7 the newest timestamp (-3) · 8 the
//! earliest local offset (-4) · 9 the latest tiered offset (-5) · 11 the earliest
//! offset not yet tiered (-6). Nothing is tiered here, so -5 and -6 find nothing.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::Handler;
use crate::context::Context;
use crate::error::{check_leader_epoch, read_error_code};
use crate::log::{Partition, TimestampOffset};
use crate::node::Node;
use crate::topics::Topic;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The isolation level that ends a partition at the last stable offset.
const READ_COMMITTED: i8 = 1;

impl Handler for ListOffsetsRequest {
    async fn handle(self, node: &Node, context: &Context) -> ListOffsetsResponse {
        let is_committed_only = self.isolation_level == READ_COMMITTED;
        let mut topics = Vec::with_capacity(self.topics.len());
        for asked in self.topics {
            let topic = node.topics().by_name(&asked.name);
            let mut seen = HashSet::new();
            let mut partitions = Vec::with_capacity(asked.partitions.len());
            for asked in asked.partitions {
                let found = if seen.insert(asked.partition_index) {
                    match check_version(asked.timestamp, context.api_version) {
                        Ok(()) => find(topic.as_deref(), &asked, is_committed_only).await,
                        Err(error) => Err(error),
                    }
                } else {
                    Err(ErrorCode::InvalidRequest)
                };
                partitions.push(found.unwrap_or_else(|error| refused(&asked, error)));
            }
            topics.push(ListOffsetsTopicResponse { name: asked.name, partitions });
        }
        ListOffsetsResponse { throttle_time_ms: 0, topics }
    }

    fn refuse(self, error_code: ErrorCode) -> ListOffsetsResponse {
        let topics = self.topics.into_iter().map(|asked| ListOffsetsTopicResponse {
            name: asked.name,
            partitions: asked.partitions.iter().map(|asked| refused(asked, error_code)).collect(),
        });
        ListOffsetsResponse { throttle_time_ms: 0, topics: topics.collect() }
    }
}

/// The marks that a version knows.
fn check_version(timestamp: i64, version: i16) -> Result<(), ErrorCode> {
    let since = match timestamp {
        EARLIEST_PENDING_UPLOAD => 11,
        LATEST_TIERED => 9,
        EARLIEST_LOCAL => 8,
        MAX_TIMESTAMP => 7,
        ..EARLIEST_PENDING_UPLOAD => return Err(ErrorCode::UnsupportedVersion),
        _ => 0,
    };
    if version >= since { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) }
}

async fn find(
    topic: Option<&Topic>,
    asked: &ListOffsetsPartition,
    is_committed_only: bool,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let partition = topic.and_then(|topic| topic.partition(asked.partition_index));
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    check_leader_epoch(asked.current_leader_epoch, partition.leader_epoch())?;
    let end =
        if is_committed_only { partition.last_stable_offset() } else { partition.high_watermark() };
    let mark = |offset, leader_epoch| ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        error_code: ErrorCode::None,
        timestamp: -1,
        offset,
        leader_epoch,
    };
    let start = partition.log_start_offset();
    Ok(match asked.timestamp {
        LATEST => mark(end, partition.leader_epoch()),
        EARLIEST | EARLIEST_LOCAL => mark(start, partition.epoch_of(start)),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => mark(-1, -1),
        timestamp => match by_time(partition, timestamp).await? {
            Some(found) if found.offset < end || timestamp == MAX_TIMESTAMP => {
                ListOffsetsPartitionResponse {
                    timestamp: found.timestamp,
                    ..mark(found.offset, found.leader_epoch)
                }
            }
            _ => mark(-1, -1),
        },
    })
}

/// Looks into index and log files, off the async threads.
async fn by_time(
    partition: Arc<Partition>,
    timestamp: i64,
) -> Result<Option<TimestampOffset>, ErrorCode> {
    let found = tokio::task::spawn_blocking(move || {
        if timestamp == MAX_TIMESTAMP {
            partition.max_timestamp()
        } else {
            partition.offset_for_timestamp(timestamp)
        }
    });
    match found.await {
        Ok(found) => found.map_err(|error| read_error_code(&error)),
        // The request that asked for it is answered as any that panics.
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn refused(asked: &ListOffsetsPartition, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        error_code,
        ..Default::default()
    }
}

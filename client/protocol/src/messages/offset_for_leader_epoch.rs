//! Finds where a leader epoch ends.
//!
//! Versions: 3 replica id · 4 flexible.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for OffsetForLeaderEpochRequest {
    const KEY: ApiKey = ApiKey::OffsetForLeaderEpoch;
    type Response = OffsetForLeaderEpochResponse;
}

messages! {
    /// The epochs asked for.
    struct OffsetForLeaderEpochRequest {
        replica_id: i32 = -2, 3..;
        topics: Vec<OffsetForLeaderTopic>, 0..;
    }

    /// An element of [`OffsetForLeaderEpochRequest::topics`].
    struct OffsetForLeaderTopic {
        topic: Str, 0..;
        partitions: Vec<OffsetForLeaderPartition>, 0..;
    }

    /// An element of [`OffsetForLeaderTopic::partitions`].
    struct OffsetForLeaderPartition {
        partition: i32, 0..;
        current_leader_epoch: i32 = -1, 2..;
        leader_epoch: i32, 0..;
    }

    /// The end offset of the largest epoch that is not above the one asked for.
    struct OffsetForLeaderEpochResponse {
        throttle_time_ms: i32, 2..;
        topics: Vec<OffsetForLeaderTopicResult>, 0..;
    }

    /// An element of [`OffsetForLeaderEpochResponse::topics`].
    struct OffsetForLeaderTopicResult {
        topic: Str, 0..;
        partitions: Vec<EpochEndOffset>, 0..;
    }

    /// An element of [`OffsetForLeaderTopicResult::partitions`].
    struct EpochEndOffset {
        error_code: ErrorCode, 0..;
        partition: i32, 0..;
        leader_epoch: i32 = -1, 1..;
        end_offset: i64 = -1, 0..;
    }
}

//! Deletes the oldest records of partitions.
//!
//! Versions: 2 flexible.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for DeleteRecordsRequest {
    const KEY: ApiKey = ApiKey::DeleteRecords;
    type Response = DeleteRecordsResponse;
}

messages! {
    /// Where partitions are to begin.
    struct DeleteRecordsRequest {
        topics: Vec<DeleteRecordsTopic>, 0..;
        timeout_ms: i32, 0..;
    }

    /// An element of [`DeleteRecordsRequest::topics`].
    struct DeleteRecordsTopic {
        name: Str, 0..;
        partitions: Vec<DeleteRecordsPartition>, 0..;
    }

    /// An element of [`DeleteRecordsTopic::partitions`]. Offset -1 stands for
    /// the high watermark.
    struct DeleteRecordsPartition {
        partition_index: i32, 0..;
        offset: i64, 0..;
    }

    /// One result for each partition.
    struct DeleteRecordsResponse {
        throttle_time_ms: i32, 0..;
        topics: Vec<DeleteRecordsTopicResult>, 0..;
    }

    /// An element of [`DeleteRecordsResponse::topics`].
    struct DeleteRecordsTopicResult {
        name: Str, 0..;
        partitions: Vec<DeleteRecordsPartitionResult>, 0..;
    }

    /// An element of [`DeleteRecordsTopicResult::partitions`].
    struct DeleteRecordsPartitionResult {
        partition_index: i32, 0..;
        low_watermark: i64, 0..;
        error_code: ErrorCode, 0..;
    }
}

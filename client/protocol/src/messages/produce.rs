//! Appends record batches to partitions.
//!
//! Versions 0 to 2 are listed because old clients look for them, and refused.
//! 5 log start offset · 8 record errors (KIP-467) · 10 current leader ·
//! 12 implicit start of transactions (KIP-890) · 13 topic ids.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Records, Request, Str, Uuid};

impl Request for ProduceRequest {
    const KEY: ApiKey = ApiKey::Produce;
    type Response = ProduceResponse;
}

messages! {
    /// Record sets to append, each as one batch per partition.
    struct ProduceRequest {
        transactional_id: Option<Str>, 3..;
        acks: i16, 0..;
        timeout_ms: i32, 0..;
        topic_data: Vec<TopicProduceData>, 0..;
    }

    /// An element of [`ProduceRequest::topic_data`].
    struct TopicProduceData {
        name: Str, 0..=12;
        topic_id: Uuid, 13..;
        partition_data: Vec<PartitionProduceData>, 0..;
    }

    /// An element of [`TopicProduceData::partition_data`].
    struct PartitionProduceData {
        index: i32, 0..;
        records: Option<Records>, 0..;
    }

    /// Where each record set was appended, or why not.
    struct ProduceResponse {
        responses: Vec<TopicProduceResponse>, 0..;
        throttle_time_ms: i32, 1..;
        node_endpoints: Vec<NodeEndpoint>, 10.., tag 0;
    }

    /// An element of [`ProduceResponse::responses`].
    struct TopicProduceResponse {
        name: Str, 0..=12;
        topic_id: Uuid, 13..;
        partition_responses: Vec<PartitionProduceResponse>, 0..;
    }

    /// An element of [`TopicProduceResponse::partition_responses`].
    struct PartitionProduceResponse {
        index: i32, 0..;
        error_code: ErrorCode, 0..;
        base_offset: i64, 0..;
        log_append_time_ms: i64 = -1, 2..;
        log_start_offset: i64 = -1, 5..;
        record_errors: Vec<BatchIndexAndErrorMessage>, 8..;
        error_message: Option<Str>, 8..;
        current_leader: LeaderIdAndEpoch, 10.., tag 0;
    }

    /// An element of [`PartitionProduceResponse::record_errors`].
    struct BatchIndexAndErrorMessage {
        batch_index: i32, 8..;
        batch_index_error_message: Option<Str>, 8..;
    }

    /// The value of [`PartitionProduceResponse::current_leader`].
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1, 10..;
        leader_epoch: i32 = -1, 10..;
    }

    /// An element of [`ProduceResponse::node_endpoints`].
    struct NodeEndpoint {
        node_id: i32, 10..;
        host: Str, 10..;
        port: i32, 10..;
        rack: Option<Str>, 10..;
    }
}

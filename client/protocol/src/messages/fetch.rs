//! Reads record batches from partitions.
//!
//! Versions: 7 fetch sessions (KIP-227) · 9 leader epochs (KIP-320) · 12 diverging epochs ·
//! 13 topic ids · 15 replica state · 17, 18 fields of followers only.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Records, Request, Str, Uuid};

impl Request for FetchRequest {
    const KEY: ApiKey = ApiKey::Fetch;
    type Response = FetchResponse;
}

messages! {
    /// Offsets to read from, with the limits of the answer.
    struct FetchRequest {
        cluster_id: Option<Str>, 12.., tag 0;
        replica_id: i32 = -1, 0..=14;
        replica_state: ReplicaState, 15.., tag 1;
        max_wait_ms: i32, 0..;
        min_bytes: i32, 0..;
        max_bytes: i32 = i32::MAX, 3..;
        isolation_level: i8, 4..;
        session_id: i32, 7..;
        session_epoch: i32 = -1, 7..;
        topics: Vec<FetchTopic>, 0..;
        forgotten_topics_data: Vec<ForgottenTopic>, 7..;
        rack_id: Str, 11..;
    }

    /// The value of [`FetchRequest::replica_state`].
    struct ReplicaState {
        replica_id: i32 = -1, 15..;
        replica_epoch: i64 = -1, 15..;
    }

    /// An element of [`FetchRequest::topics`].
    struct FetchTopic {
        topic: Str, 0..=12;
        topic_id: Uuid, 13..;
        partitions: Vec<FetchPartition>, 0..;
    }

    /// An element of [`FetchTopic::partitions`].
    struct FetchPartition {
        partition: i32, 0..;
        current_leader_epoch: i32 = -1, 9..;
        fetch_offset: i64, 0..;
        last_fetched_epoch: i32 = -1, 12..;
        log_start_offset: i64 = -1, 5..;
        partition_max_bytes: i32, 0..;
        replica_directory_id: Uuid, 17.., tag 0;
        high_watermark: i64 = 9223372036854775807, 18.., tag 1;
    }

    /// An element of [`FetchRequest::forgotten_topics_data`].
    struct ForgottenTopic {
        topic: Str, 7..=12;
        topic_id: Uuid, 13..;
        partitions: Vec<i32>, 7..;
    }

    /// Record sets, whole batches each, with the bounds of the partitions.
    struct FetchResponse {
        throttle_time_ms: i32, 1..;
        error_code: ErrorCode, 7..;
        session_id: i32, 7..;
        responses: Vec<FetchableTopicResponse>, 0..;
        node_endpoints: Vec<NodeEndpoint>, 16.., tag 0;
    }

    /// An element of [`FetchResponse::responses`].
    struct FetchableTopicResponse {
        topic: Str, 0..=12;
        topic_id: Uuid, 13..;
        partitions: Vec<PartitionData>, 0..;
    }

    /// An element of [`FetchableTopicResponse::partitions`].
    struct PartitionData {
        partition_index: i32, 0..;
        error_code: ErrorCode, 0..;
        high_watermark: i64, 0..;
        last_stable_offset: i64 = -1, 4..;
        log_start_offset: i64 = -1, 5..;
        diverging_epoch: EpochEndOffset, 12.., tag 0;
        current_leader: LeaderIdAndEpoch, 12.., tag 1;
        snapshot_id: SnapshotId, 12.., tag 2;
        aborted_transactions: Option<Vec<AbortedTransaction>> = Some(Default::default()), 4..;
        preferred_read_replica: i32 = -1, 11..;
        records: Option<Records>, 0..;
    }

    /// The value of [`PartitionData::diverging_epoch`].
    struct EpochEndOffset {
        epoch: i32 = -1, 12..;
        end_offset: i64 = -1, 12..;
    }

    /// The value of [`PartitionData::current_leader`].
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1, 12..;
        leader_epoch: i32 = -1, 12..;
    }

    /// The value of [`PartitionData::snapshot_id`].
    struct SnapshotId {
        end_offset: i64 = -1, 0..;
        epoch: i32 = -1, 0..;
    }

    /// An element of [`PartitionData::aborted_transactions`].
    struct AbortedTransaction {
        producer_id: i64, 4..;
        first_offset: i64, 4..;
    }

    /// An element of [`FetchResponse::node_endpoints`].
    struct NodeEndpoint {
        node_id: i32, 16..;
        host: Str, 16..;
        port: i32, 16..;
        rack: Option<Str>, 16..;
    }
}

//! Reads the stored offsets of groups.
//!
//! Versions: 2 null topics mean all · 7 stable offsets only · 8 several groups ·
//! 9 member epoch · 10 topic ids.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str, Uuid};

impl Request for OffsetFetchRequest {
    const KEY: ApiKey = ApiKey::OffsetFetch;
    type Response = OffsetFetchResponse;
}

messages! {
    /// The groups and partitions asked for.
    struct OffsetFetchRequest {
        group_id: Str, 0..=7;
        topics: Option<Vec<OffsetFetchRequestTopic>> = Some(Default::default()), 0..=7;
        groups: Vec<OffsetFetchRequestGroup>, 8..;
        require_stable: bool, 7..;
    }

    /// An element of [`OffsetFetchRequest::topics`].
    struct OffsetFetchRequestTopic {
        name: Str, 0..=7;
        partition_indexes: Vec<i32>, 0..=7;
    }

    /// An element of [`OffsetFetchRequest::groups`].
    struct OffsetFetchRequestGroup {
        group_id: Str, 8..;
        member_id: Option<Str>, 9..;
        member_epoch: i32 = -1, 9..;
        topics: Option<Vec<OffsetFetchRequestTopics>> = Some(Default::default()), 8..;
    }

    /// An element of [`OffsetFetchRequestGroup::topics`].
    struct OffsetFetchRequestTopics {
        name: Str, 8..=9;
        topic_id: Uuid, 10..;
        partition_indexes: Vec<i32>, 8..;
    }

    /// Stored offsets; -1 where there is none.
    struct OffsetFetchResponse {
        throttle_time_ms: i32, 3..;
        topics: Vec<OffsetFetchResponseTopic>, 0..=7;
        error_code: ErrorCode, 2..=7;
        groups: Vec<OffsetFetchResponseGroup>, 8..;
    }

    /// An element of [`OffsetFetchResponse::topics`].
    struct OffsetFetchResponseTopic {
        name: Str, 0..=7;
        partitions: Vec<OffsetFetchResponsePartition>, 0..=7;
    }

    /// An element of [`OffsetFetchResponseTopic::partitions`].
    struct OffsetFetchResponsePartition {
        partition_index: i32, 0..=7;
        committed_offset: i64, 0..=7;
        committed_leader_epoch: i32 = -1, 5..=7;
        metadata: Option<Str> = Some(Default::default()), 0..=7;
        error_code: ErrorCode, 0..=7;
    }

    /// An element of [`OffsetFetchResponse::groups`].
    struct OffsetFetchResponseGroup {
        group_id: Str, 8..;
        topics: Vec<OffsetFetchResponseTopics>, 8..;
        error_code: ErrorCode, 8..;
    }

    /// An element of [`OffsetFetchResponseGroup::topics`].
    struct OffsetFetchResponseTopics {
        name: Str, 8..=9;
        topic_id: Uuid, 10..;
        partitions: Vec<OffsetFetchResponsePartitions>, 8..;
    }

    /// An element of [`OffsetFetchResponseTopics::partitions`].
    struct OffsetFetchResponsePartitions {
        partition_index: i32, 8..;
        committed_offset: i64, 8..;
        committed_leader_epoch: i32 = -1, 8..;
        metadata: Option<Str> = Some(Default::default()), 8..;
        error_code: ErrorCode, 8..;
    }
}

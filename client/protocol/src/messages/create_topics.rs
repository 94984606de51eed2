//! Creates topics.
//!
//! Versions: 4 counts may be -1 for the broker's defaults · 5 answers with counts and configs ·
//! 7 topic ids.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str, Uuid};

impl Request for CreateTopicsRequest {
    const KEY: ApiKey = ApiKey::CreateTopics;
    type Response = CreateTopicsResponse;
}

messages! {
    /// The topics to create.
    struct CreateTopicsRequest {
        topics: Vec<CreatableTopic>, 0..;
        timeout_ms: i32 = 60000, 0..;
        validate_only: bool, 1..;
    }

    /// An element of [`CreateTopicsRequest::topics`].
    struct CreatableTopic {
        name: Str, 0..;
        num_partitions: i32, 0..;
        replication_factor: i16, 0..;
        assignments: Vec<CreatableReplicaAssignment>, 0..;
        configs: Vec<CreatableTopicConfig>, 0..;
    }

    /// An element of [`CreatableTopic::assignments`].
    struct CreatableReplicaAssignment {
        partition_index: i32, 0..;
        broker_ids: Vec<i32>, 0..;
    }

    /// An element of [`CreatableTopic::configs`].
    struct CreatableTopicConfig {
        name: Str, 0..;
        value: Option<Str> = Some(Default::default()), 0..;
    }

    /// One result for each topic.
    struct CreateTopicsResponse {
        throttle_time_ms: i32, 2..;
        topics: Vec<CreatableTopicResult>, 0..;
    }

    /// An element of [`CreateTopicsResponse::topics`].
    struct CreatableTopicResult {
        name: Str, 0..;
        topic_id: Uuid, 7..;
        error_code: ErrorCode, 0..;
        error_message: Option<Str> = Some(Default::default()), 1..;
        topic_config_error_code: ErrorCode, 5.., tag 0;
        num_partitions: i32 = -1, 5..;
        replication_factor: i16 = -1, 5..;
        configs: Option<Vec<CreatableTopicConfigs>> = Some(Default::default()), 5..;
    }

    /// An element of [`CreatableTopicResult::configs`].
    struct CreatableTopicConfigs {
        name: Str, 5..;
        value: Option<Str> = Some(Default::default()), 5..;
        read_only: bool, 5..;
        config_source: i8 = -1, 5..;
        is_sensitive: bool, 5..;
    }
}

//! Names brokers, topics and partition leaders.
//!
//! Versions: 1 null means all topics · 4 automatic creation can be declined ·
//! 8 to 10 authorized operations · 10 topic ids · 13 an error for the whole answer.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str, Uuid};

impl Request for MetadataRequest {
    const KEY: ApiKey = ApiKey::Metadata;
    type Response = MetadataResponse;
}

messages! {
    /// The topics to describe; null means all of them.
    struct MetadataRequest {
        topics: Option<Vec<MetadataRequestTopic>> = Some(Default::default()), 0..;
        allow_auto_topic_creation: bool = true, 4..;
        include_cluster_authorized_operations: bool, 8..=10;
        include_topic_authorized_operations: bool, 8..;
    }

    /// An element of [`MetadataRequest::topics`].
    struct MetadataRequestTopic {
        topic_id: Uuid, 10..;
        name: Option<Str> = Some(Default::default()), 0..;
    }

    /// The cluster as this broker knows it.
    struct MetadataResponse {
        throttle_time_ms: i32, 3..;
        brokers: Vec<MetadataResponseBroker>, 0..;
        cluster_id: Option<Str>, 2..;
        controller_id: i32 = -1, 1..;
        topics: Vec<MetadataResponseTopic>, 0..;
        cluster_authorized_operations: i32 = i32::MIN, 8..=10;
        error_code: ErrorCode, 13..;
    }

    /// An element of [`MetadataResponse::brokers`].
    struct MetadataResponseBroker {
        node_id: i32, 0..;
        host: Str, 0..;
        port: i32, 0..;
        rack: Option<Str>, 1..;
    }

    /// An element of [`MetadataResponse::topics`].
    struct MetadataResponseTopic {
        error_code: ErrorCode, 0..;
        name: Option<Str> = Some(Default::default()), 0..;
        topic_id: Uuid, 10..;
        is_internal: bool, 1..;
        partitions: Vec<MetadataResponsePartition>, 0..;
        topic_authorized_operations: i32 = i32::MIN, 8..;
    }

    /// An element of [`MetadataResponseTopic::partitions`].
    struct MetadataResponsePartition {
        error_code: ErrorCode, 0..;
        partition_index: i32, 0..;
        leader_id: i32, 0..;
        leader_epoch: i32 = -1, 7..;
        replica_nodes: Vec<i32>, 0..;
        isr_nodes: Vec<i32>, 0..;
        offline_replicas: Vec<i32>, 5..;
    }
}

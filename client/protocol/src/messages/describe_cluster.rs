//! Describes the cluster.
//!
//! Versions: 1 endpoint type · 2 fenced brokers.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for DescribeClusterRequest {
    const KEY: ApiKey = ApiKey::DescribeCluster;
    type Response = DescribeClusterResponse;
}

messages! {
    /// Which endpoints are asked for.
    struct DescribeClusterRequest {
        include_cluster_authorized_operations: bool, 0..;
        endpoint_type: i8 = 1, 1..;
        include_fenced_brokers: bool, 2..;
    }

    /// The cluster id, the controller and the brokers.
    struct DescribeClusterResponse {
        throttle_time_ms: i32, 0..;
        error_code: ErrorCode, 0..;
        error_message: Option<Str>, 0..;
        endpoint_type: i8 = 1, 1..;
        cluster_id: Str, 0..;
        controller_id: i32 = -1, 0..;
        brokers: Vec<DescribeClusterBroker>, 0..;
        cluster_authorized_operations: i32 = i32::MIN, 0..;
    }

    /// An element of [`DescribeClusterResponse::brokers`].
    struct DescribeClusterBroker {
        broker_id: i32, 0..;
        host: Str, 0..;
        port: i32, 0..;
        rack: Option<Str>, 0..;
        is_fenced: bool, 2..;
    }
}

//! Names the broker that coordinates a group or transaction.
//!
//! Versions: 1 key type · 4 several keys · 6 share groups.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for FindCoordinatorRequest {
    const KEY: ApiKey = ApiKey::FindCoordinator;
    type Response = FindCoordinatorResponse;
}

messages! {
    /// The keys whose coordinators are asked for.
    struct FindCoordinatorRequest {
        key: Str, 0..=3;
        key_type: i8, 1..;
        coordinator_keys: Vec<Str>, 4..;
    }

    /// The coordinator of each key.
    struct FindCoordinatorResponse {
        throttle_time_ms: i32, 1..;
        error_code: ErrorCode, 0..=3;
        error_message: Option<Str> = Some(Default::default()), 1..=3;
        node_id: i32, 0..=3;
        host: Str, 0..=3;
        port: i32, 0..=3;
        coordinators: Vec<Coordinator>, 4..;
    }

    /// An element of [`FindCoordinatorResponse::coordinators`].
    struct Coordinator {
        key: Str, 4..;
        node_id: i32, 4..;
        host: Str, 4..;
        port: i32, 4..;
        error_code: ErrorCode, 4..;
        error_message: Option<Str> = Some(Default::default()), 4..;
    }
}

//! Keeps a member of a classic group alive.
//!
//! Versions: 3 static members.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for HeartbeatRequest {
    const KEY: ApiKey = ApiKey::Heartbeat;
    type Response = HeartbeatResponse;
}

messages! {
    /// The member and its generation.
    struct HeartbeatRequest {
        group_id: Str, 0..;
        generation_id: i32, 0..;
        member_id: Str, 0..;
        group_instance_id: Option<Str>, 3..;
    }

    /// Whether the member is still one.
    struct HeartbeatResponse {
        throttle_time_ms: i32, 1..;
        error_code: ErrorCode, 0..;
    }
}

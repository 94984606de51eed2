//! Hands out the assignment of a classic group.
//!
//! Versions: 3 static members · 5 protocol type and name are checked.

use bytes::Bytes;

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for SyncGroupRequest {
    const KEY: ApiKey = ApiKey::SyncGroup;
    type Response = SyncGroupResponse;
}

messages! {
    /// The member; from the leader also everybody's assignment.
    struct SyncGroupRequest {
        group_id: Str, 0..;
        generation_id: i32, 0..;
        member_id: Str, 0..;
        group_instance_id: Option<Str>, 3..;
        protocol_type: Option<Str>, 5..;
        protocol_name: Option<Str>, 5..;
        assignments: Vec<SyncGroupRequestAssignment>, 0..;
    }

    /// An element of [`SyncGroupRequest::assignments`].
    struct SyncGroupRequestAssignment {
        member_id: Str, 0..;
        assignment: Bytes, 0..;
    }

    /// The member's assignment.
    struct SyncGroupResponse {
        throttle_time_ms: i32, 1..;
        error_code: ErrorCode, 0..;
        protocol_type: Option<Str>, 5..;
        protocol_name: Option<Str>, 5..;
        assignment: Bytes, 0..;
    }
}

//! Joins a classic group.
//!
//! Versions: 4 member ids come from the broker first · 5 static members ·
//! 9 the leader may be told to keep the assignment.

use bytes::Bytes;

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for JoinGroupRequest {
    const KEY: ApiKey = ApiKey::JoinGroup;
    type Response = JoinGroupResponse;
}

messages! {
    /// The member with its protocols.
    struct JoinGroupRequest {
        group_id: Str, 0..;
        session_timeout_ms: i32, 0..;
        rebalance_timeout_ms: i32 = -1, 1..;
        member_id: Str, 0..;
        group_instance_id: Option<Str>, 5..;
        protocol_type: Str, 0..;
        protocols: Vec<JoinGroupRequestProtocol>, 0..;
        reason: Option<Str>, 8..;
    }

    /// An element of [`JoinGroupRequest::protocols`].
    struct JoinGroupRequestProtocol {
        name: Str, 0..;
        metadata: Bytes, 0..;
    }

    /// The generation; for the leader also the members.
    struct JoinGroupResponse {
        throttle_time_ms: i32, 2..;
        error_code: ErrorCode, 0..;
        generation_id: i32 = -1, 0..;
        protocol_type: Option<Str>, 7..;
        protocol_name: Option<Str> = Some(Default::default()), 0..;
        leader: Str, 0..;
        skip_assignment: bool, 9..;
        member_id: Str, 0..;
        members: Vec<JoinGroupResponseMember>, 0..;
    }

    /// An element of [`JoinGroupResponse::members`].
    struct JoinGroupResponseMember {
        member_id: Str, 0..;
        group_instance_id: Option<Str>, 5..;
        metadata: Bytes, 0..;
    }
}

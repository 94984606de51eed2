//! Leaves a classic group.
//!
//! Versions: 3 several members at once, also by instance id · 5 a reason.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for LeaveGroupRequest {
    const KEY: ApiKey = ApiKey::LeaveGroup;
    type Response = LeaveGroupResponse;
}

messages! {
    /// The members that leave.
    struct LeaveGroupRequest {
        group_id: Str, 0..;
        member_id: Str, 0..=2;
        members: Vec<MemberIdentity>, 3..;
    }

    /// An element of [`LeaveGroupRequest::members`].
    struct MemberIdentity {
        member_id: Str, 3..;
        group_instance_id: Option<Str>, 3..;
        reason: Option<Str>, 5..;
    }

    /// One result for each member.
    struct LeaveGroupResponse {
        throttle_time_ms: i32, 1..;
        error_code: ErrorCode, 0..;
        members: Vec<MemberResponse>, 3..;
    }

    /// An element of [`LeaveGroupResponse::members`].
    struct MemberResponse {
        member_id: Str, 3..;
        group_instance_id: Option<Str> = Some(Default::default()), 3..;
        error_code: ErrorCode, 3..;
    }
}

//! Describes classic groups.
//!
//! Versions: 3 authorized operations · 4 static members · 6 an error for unknown groups.

use bytes::Bytes;

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for DescribeGroupsRequest {
    const KEY: ApiKey = ApiKey::DescribeGroups;
    type Response = DescribeGroupsResponse;
}

messages! {
    /// The groups to describe.
    struct DescribeGroupsRequest {
        groups: Vec<Str>, 0..;
        include_authorized_operations: bool, 3..;
    }

    /// State and members of each group.
    struct DescribeGroupsResponse {
        throttle_time_ms: i32, 1..;
        groups: Vec<DescribedGroup>, 0..;
    }

    /// An element of [`DescribeGroupsResponse::groups`].
    struct DescribedGroup {
        error_code: ErrorCode, 0..;
        error_message: Option<Str>, 6..;
        group_id: Str, 0..;
        group_state: Str, 0..;
        protocol_type: Str, 0..;
        protocol_data: Str, 0..;
        members: Vec<DescribedGroupMember>, 0..;
        authorized_operations: i32 = i32::MIN, 3..;
    }

    /// An element of [`DescribedGroup::members`].
    struct DescribedGroupMember {
        member_id: Str, 0..;
        group_instance_id: Option<Str>, 4..;
        client_id: Str, 0..;
        client_host: Str, 0..;
        member_metadata: Bytes, 0..;
        member_assignment: Bytes, 0..;
    }
}

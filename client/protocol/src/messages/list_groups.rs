//! Lists groups.
//!
//! Versions: 4 filter by state · 5 filter by type.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for ListGroupsRequest {
    const KEY: ApiKey = ApiKey::ListGroups;
    type Response = ListGroupsResponse;
}

messages! {
    /// What kind of groups to list.
    struct ListGroupsRequest {
        states_filter: Vec<Str>, 4..;
        types_filter: Vec<Str>, 5..;
    }

    /// Name, state and type of each group.
    struct ListGroupsResponse {
        throttle_time_ms: i32, 1..;
        error_code: ErrorCode, 0..;
        groups: Vec<ListedGroup>, 0..;
    }

    /// An element of [`ListGroupsResponse::groups`].
    struct ListedGroup {
        group_id: Str, 0..;
        protocol_type: Str, 0..;
        group_state: Str, 4..;
        group_type: Str, 5..;
    }
}

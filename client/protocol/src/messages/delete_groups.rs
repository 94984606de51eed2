//! Deletes groups.
//!
//! Versions: 2 flexible.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for DeleteGroupsRequest {
    const KEY: ApiKey = ApiKey::DeleteGroups;
    type Response = DeleteGroupsResponse;
}

messages! {
    /// The groups to delete.
    struct DeleteGroupsRequest {
        groups_names: Vec<Str>, 0..;
    }

    /// One result for each group.
    struct DeleteGroupsResponse {
        throttle_time_ms: i32, 0..;
        results: Vec<DeletableGroupResult>, 0..;
    }

    /// An element of [`DeleteGroupsResponse::results`].
    struct DeletableGroupResult {
        group_id: Str, 0..;
        error_code: ErrorCode, 0..;
    }
}

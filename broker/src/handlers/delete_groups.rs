//! DeleteGroups, versions 0 to 2.
//!
//! Only groups without members can be deleted; their offsets go with them.

use std::collections::HashSet;

use protocol::ErrorCode;
use protocol::messages::delete_groups::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for DeleteGroupsRequest {
    async fn handle(self, node: &Node, _: &Context) -> DeleteGroupsResponse {
        let mut results = Vec::with_capacity(self.groups_names.len());
        let mut names = HashSet::new();
        for group_id in self.groups_names {
            // Named twice, it is deleted and answered once.
            if !names.insert(group_id.clone()) {
                continue;
            }
            let error_code = node.groups().delete_group(&group_id).await.err().unwrap_or_default();
            results.push(DeletableGroupResult { group_id, error_code });
        }
        DeleteGroupsResponse { throttle_time_ms: 0, results }
    }

    fn refuse(self, error_code: ErrorCode) -> DeleteGroupsResponse {
        let results = self
            .groups_names
            .into_iter()
            .map(|group_id| DeletableGroupResult { group_id, error_code });
        DeleteGroupsResponse { throttle_time_ms: 0, results: results.collect() }
    }
}

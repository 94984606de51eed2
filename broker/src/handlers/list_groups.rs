//! ListGroups, versions 0 to 5.
//!
//! 4 filter by state · 5 filter by type.

use protocol::ErrorCode;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for ListGroupsRequest {
    async fn handle(self, node: &Node, _: &Context) -> ListGroupsResponse {
        match node.groups().list(&self.states_filter, &self.types_filter) {
            Ok(groups) => ListGroupsResponse { groups, ..ListGroupsResponse::default() },
            Err(error_code) => self.refuse(error_code),
        }
    }

    fn refuse(self, error_code: ErrorCode) -> ListGroupsResponse {
        ListGroupsResponse { error_code, ..ListGroupsResponse::default() }
    }
}

//! JoinGroup, versions 0 to 9.
//!
//! 1 rebalance timeout · 4 new members come back with the id they are given, older
//! ones are admitted at once (some clients never learned to come back) · 5 static
//! members · 7 the protocol may be null · 9 the leader may keep the assignment.

use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use protocol::{ErrorCode, Str};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for JoinGroupRequest {
    async fn handle(self, node: &Node, context: &Context) -> JoinGroupResponse {
        let mut response = node.groups().join(self, context).await;
        if context.api_version < 7 {
            // Null was not allowed yet.
            response.protocol_name.get_or_insert_default();
        }
        response
    }

    fn refuse(self, error_code: ErrorCode) -> JoinGroupResponse {
        JoinGroupResponse {
            error_code,
            protocol_name: Some(Str::default()),
            member_id: self.member_id,
            ..JoinGroupResponse::default()
        }
    }
}

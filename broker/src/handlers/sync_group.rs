//! SyncGroup, versions 0 to 5.
//!
//! 3 static members · 5 protocol type and name are checked and returned.

use protocol::ErrorCode;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for SyncGroupRequest {
    async fn handle(self, node: &Node, context: &Context) -> SyncGroupResponse {
        node.groups().sync(self, context).await
    }

    fn refuse(self, error_code: ErrorCode) -> SyncGroupResponse {
        SyncGroupResponse { error_code, ..SyncGroupResponse::default() }
    }
}

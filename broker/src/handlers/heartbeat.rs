//! Heartbeat, versions 0 to 4.
//!
//! 3 static members.

use protocol::ErrorCode;
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for HeartbeatRequest {
    async fn handle(self, node: &Node, _: &Context) -> HeartbeatResponse {
        HeartbeatResponse { throttle_time_ms: 0, error_code: node.groups().heartbeat(&self).await }
    }

    fn refuse(self, error_code: ErrorCode) -> HeartbeatResponse {
        HeartbeatResponse { throttle_time_ms: 0, error_code }
    }
}

//! LeaveGroup, versions 0 to 5.
//!
//! 3 several members at once, static ones also by their instance id alone, which is how
//! administrators remove them · 5 a reason.

use protocol::ErrorCode;
use protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for LeaveGroupRequest {
    async fn handle(mut self, node: &Node, context: &Context) -> LeaveGroupResponse {
        let is_one = context.api_version < 3;
        if is_one {
            let member_id = std::mem::take(&mut self.member_id);
            self.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
        }
        for member in &self.members {
            if let Some(reason) = member.reason.as_deref().filter(|reason| !reason.is_empty()) {
                tracing::info!(group = %self.group_id, member = %member.member_id, reason, "a member leaves");
            }
        }
        match node.groups().leave(&self.group_id, self.members).await {
            Ok(members) if is_one => {
                let error_code = members.first().map(|member| member.error_code);
                LeaveGroupResponse {
                    error_code: error_code.unwrap_or_default(),
                    ..LeaveGroupResponse::default()
                }
            }
            Ok(members) => LeaveGroupResponse { members, ..LeaveGroupResponse::default() },
            Err(error_code) => LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() },
        }
    }

    fn refuse(self, error_code: ErrorCode) -> LeaveGroupResponse {
        let members = self.members.into_iter().map(|member| MemberResponse {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            error_code,
        });
        LeaveGroupResponse { throttle_time_ms: 0, error_code, members: members.collect() }
    }
}

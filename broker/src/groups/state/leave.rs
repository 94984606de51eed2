//! LeaveGroup: members go because they say so, or because an administrator does.

use protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use protocol::{ErrorCode, Str};

use super::ClassicGroup;

impl ClassicGroup {
    /// Members go. Static members may be named by their instance id alone.
    pub(crate) fn leave(&mut self, members: Vec<MemberIdentity>, now: i64) -> Vec<MemberResponse> {
        let mut gone = false;
        let mut responses = Vec::with_capacity(members.len());
        for member in members {
            let result = self.leave_one(&member.member_id, member.group_instance_id.as_ref());
            gone |= result.is_ok();
            responses.push(MemberResponse {
                member_id: member.member_id,
                group_instance_id: member.group_instance_id,
                error_code: result.err().unwrap_or_default(),
            });
        }
        if gone {
            self.react_to_removal(now);
        }
        responses
    }

    fn leave_one(&mut self, member_id: &Str, instance_id: Option<&Str>) -> Result<(), ErrorCode> {
        let member_id = if member_id.is_empty() {
            let current = instance_id.and_then(|id| self.instances.get(id));
            current.cloned().ok_or(ErrorCode::UnknownMemberId)?
        } else if self.pending.remove(member_id).is_some() {
            return Ok(());
        } else {
            self.check_member(member_id, instance_id.map(Str::as_str))?;
            member_id.clone()
        };
        // A join that is parked is answered, in case its client still waits for it.
        self.remove_member(&member_id, ErrorCode::UnknownMemberId);
        Ok(())
    }
}

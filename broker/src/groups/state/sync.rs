//! SyncGroup: the leader hands in the assignment, everybody gets a part of it.

use std::collections::HashMap;

use bytes::Bytes;
use protocol::messages::SyncGroupResponse;
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::{ErrorCode, Str};

use super::{Action, ClassicGroup, GroupState, Ticket};

/// A member asks for its assignment.
#[derive(Debug)]
pub(crate) struct MemberSync {
    pub(crate) member_id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) generation: i32,
    /// Version 5 and later.
    pub(crate) protocol_type: Option<Str>,
    /// Version 5 and later.
    pub(crate) protocol: Option<Str>,
    /// From the leader: what everybody gets.
    pub(crate) assignments: Vec<SyncGroupRequestAssignment>,
}

impl ClassicGroup {
    /// A member asks for its assignment, and waits for it if need be.
    pub(crate) fn sync(&mut self, ticket: Ticket, sync: MemberSync, now: i64) {
        if let Err(error_code) = self.check_sync(&sync) {
            let answer = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
            self.actions.push(Action::AnswerSync(ticket, answer));
            return;
        }
        let Some(member) = self.members.get_mut(&sync.member_id) else { return };
        member.owes_sync = false;
        if self.state == GroupState::Stable {
            self.answer_with_assignment(ticket, &sync.member_id, now);
            return;
        }
        member.deadline = None;
        // A client that asks twice has lost the first answer.
        if let Some(former) = member.sync.replace(ticket) {
            let error_code = ErrorCode::RebalanceInProgress;
            let answer = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
            self.actions.push(Action::AnswerSync(former, answer));
        }
        if self.leader.as_ref() == Some(&sync.member_id) && self.storing.is_none() {
            // Who is left out gets nothing, and who is not a member is not stored.
            let assignments: HashMap<Str, Bytes> = sync
                .assignments
                .into_iter()
                .map(|one| (one.member_id, Bytes::copy_from_slice(&one.assignment)))
                .collect();
            self.store_assignments(Some(assignments));
        }
    }

    fn check_sync(&self, sync: &MemberSync) -> Result<(), ErrorCode> {
        self.check_member(&sync.member_id, sync.instance_id.as_deref())?;
        let differs = |given: &Option<Str>, own: &Option<Str>| given.is_some() && given != own;
        if sync.generation != self.generation {
            Err(ErrorCode::IllegalGeneration)
        } else if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol, &self.protocol)
        {
            Err(ErrorCode::InconsistentGroupProtocol)
        } else if self.state == GroupState::PreparingRebalance {
            Err(ErrorCode::RebalanceInProgress)
        } else {
            Ok(())
        }
    }

    fn answer_with_assignment(&mut self, ticket: Ticket, member_id: &Str, now: i64) {
        let assignment = self.members.get(member_id).map(|member| member.assignment.clone());
        let answer = SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: assignment.unwrap_or_default(),
            ..SyncGroupResponse::default()
        };
        self.actions.push(Action::AnswerSync(ticket, answer));
        self.touch(member_id, now);
    }

    /// The assignment is stored: everybody who waits gets a part.
    pub(super) fn hand_out(&mut self, assignments: &HashMap<Str, Bytes>, now: i64) {
        self.state = GroupState::Stable;
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for member_id in ids {
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            member.assignment = assignments.get(&member_id).cloned().unwrap_or_default();
            if let Some(ticket) = member.sync.take() {
                self.answer_with_assignment(ticket, &member_id, now);
            }
        }
    }

    /// Takes all assignments back and answers whoever waits for one with an error.
    pub(super) fn refuse_syncs(&mut self, error_code: ErrorCode, now: i64) {
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for member_id in ids {
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            member.assignment = Bytes::new();
            if let Some(ticket) = member.sync.take() {
                let answer = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
                self.actions.push(Action::AnswerSync(ticket, answer));
                self.touch(&member_id, now);
            }
        }
    }

    /// The time to sync is up. Whoever did not ask for an assignment has joined in vain.
    pub(super) fn drop_members_that_did_not_sync(&mut self, now: i64) {
        self.sync_deadline = None;
        let owing = self.members.values().filter(|member| member.owes_sync);
        let owing: Vec<Str> = owing.map(|member| member.id.clone()).collect();
        if owing.is_empty() {
            return;
        }
        for member_id in owing {
            tracing::info!(member = %member_id, "a group member did not sync in time");
            self.remove_member(&member_id, ErrorCode::UnknownMemberId);
        }
        self.react_to_removal(now);
    }
}

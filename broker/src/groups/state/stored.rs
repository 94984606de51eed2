//! What of a group is in the log: writing it, hearing that it is there, reading it back.

use std::collections::HashMap;

use bytes::Bytes;
use protocol::messages::JoinGroupResponse;
use protocol::{ErrorCode, Str};

use super::{Action, ClassicGroup, GroupLimits, GroupState, Member, Protocol, StoreId, Ticket};
use crate::groups::records::{GroupMetadata, MemberMetadata};

/// An assignment on its way to the log.
#[derive(Debug)]
pub(super) struct Assignment {
    id: StoreId,
    assignments: HashMap<Str, Bytes>,
}

/// A static member whose new id is on its way to the log.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) id: StoreId,
    pub(super) ticket: Ticket,
    pub(super) generation: i32,
    pub(super) old: Member,
    pub(super) new_id: Str,
    pub(super) former_leader: Option<Str>,
    pub(super) can_skip_assignment: bool,
}

impl ClassicGroup {
    /// Asks for the group to be stored, with these assignments or those it has.
    pub(super) fn store_assignments(
        &mut self,
        assignments: Option<HashMap<Str, Bytes>>,
    ) -> StoreId {
        self.last_store += 1;
        let id = self.last_store;
        let metadata = self.metadata(assignments.as_ref());
        self.actions.push(Action::Store(id, Box::new(metadata)));
        if let Some(assignments) = assignments {
            self.storing = Some(Assignment { id, assignments });
        }
        id
    }

    /// The group as the log keeps it; with its time left out.
    pub(crate) fn metadata(&self, assignments: Option<&HashMap<Str, Bytes>>) -> GroupMetadata {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| MemberMetadata {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: match assignments {
                Some(assignments) => assignments.get(&member.id).cloned().unwrap_or_default(),
                None => member.assignment.clone(),
            },
        });
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_timestamp: -1,
            members: members.collect(),
        }
    }

    /// What was to be stored is, or cannot be. The group may have moved on meanwhile;
    /// then nobody waits for this any more.
    pub(crate) fn stored(&mut self, id: StoreId, result: Result<(), ErrorCode>, now: i64) {
        if let Some(storing) = self.storing.take_if(|storing| storing.id == id) {
            match result {
                Ok(()) => self.hand_out(&storing.assignments, now),
                Err(error_code) => {
                    self.refuse_syncs(error_code, now);
                    self.prepare_rebalance(now);
                }
            }
        } else if let Some(index) = self.replacing.iter().position(|one| one.id == id) {
            let replacement = self.replacing.swap_remove(index);
            self.end_replacement(replacement, result, now);
        }
    }

    fn end_replacement(
        &mut self,
        replacement: Replacement,
        result: Result<(), ErrorCode>,
        now: i64,
    ) {
        let Replacement {
            ticket, generation, old, new_id, former_leader, can_skip_assignment, ..
        } = replacement;
        // During a rebalance the member has joined like any other, and is answered with them.
        if self.state != GroupState::Stable || self.generation != generation {
            return;
        }
        let Some(member) = self.members.get_mut(&new_id) else { return };
        let waits = member.join.take_if(|join| *join == ticket).is_some();
        match result {
            Ok(()) => {
                self.touch(&new_id, now);
                if waits {
                    let mut answer = self.joined(&new_id);
                    if can_skip_assignment {
                        answer.skip_assignment = self.leader.as_ref() == Some(&new_id);
                    } else {
                        // Older clients would assign again if they took themselves for the leader.
                        answer.leader = former_leader.unwrap_or_default();
                        answer.members = Vec::new();
                    }
                    self.answer_join(ticket, answer);
                }
            }
            Err(error_code) => {
                let old_id = old.id.clone();
                self.take_member(&new_id);
                self.insert_member(old);
                if self.leader.as_ref() == Some(&new_id) {
                    self.leader = Some(old_id.clone());
                }
                self.touch(&old_id, now);
                if waits {
                    let answer = JoinGroupResponse {
                        error_code,
                        protocol_name: None,
                        ..JoinGroupResponse::default()
                    };
                    self.answer_join(ticket, answer);
                }
            }
        }
    }

    /// A group as it was stored. Sessions begin now, except that members whose host
    /// is `dead_host` are dropped: their processes cannot be alive.
    pub(crate) fn restore(
        metadata: GroupMetadata,
        dead_host: &str,
        limits: GroupLimits,
        now: i64,
    ) -> Self {
        let mut group = Self::new(limits);
        group.generation = metadata.generation;
        group.protocol_type = Some(metadata.protocol_type).filter(|name| !name.is_empty());
        group.protocol = metadata.protocol;
        group.leader = metadata.leader;
        let was_empty = metadata.members.is_empty();
        let (dead, alive): (Vec<_>, Vec<_>) =
            metadata.members.into_iter().partition(|member| member.client_host == dead_host);
        for member in alive {
            let id = member.member_id.clone();
            group.insert_member(restored(member, group.protocol.as_ref()));
            group.touch(&id, now);
        }
        if was_empty {
            group.leader = None;
            group.update_subscribed();
        } else if group.members.is_empty() {
            group.become_empty();
        } else {
            group.state = GroupState::Stable;
            group.update_subscribed();
            let leads = |id: &Str| group.members.contains_key(id);
            if !group.leader.as_ref().is_some_and(leads) {
                group.leader = group.members.keys().next().cloned();
            }
            if !dead.is_empty() || group.members.len() > limits.max_size {
                group.prepare_rebalance(now);
            }
        }
        group
    }
}

fn restored(member: MemberMetadata, protocol: Option<&Str>) -> Member {
    let name = protocol.cloned().unwrap_or_default();
    Member {
        id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout_ms,
        protocols: vec![Protocol { name, metadata: member.subscription }],
        assignment: member.assignment,
        join: None,
        sync: None,
        is_nameless: false,
        owes_sync: false,
        deadline: None,
    }
}

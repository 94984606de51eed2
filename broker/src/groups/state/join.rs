//! JoinGroup: who becomes a member, who stays one, and who has to wait.

use bytes::Bytes;
use protocol::messages::JoinGroupResponse;
use protocol::messages::join_group::JoinGroupResponseMember;
use protocol::{ErrorCode, Str};

use super::stored::Replacement;
use super::{
    Action, ClassicGroup, GroupState, MAX_PENDING_MEMBERS, MAX_SUBSCRIPTION_BYTES, Member,
    NEW_MEMBER_JOIN_TIMEOUT_MS, Ticket, subscription,
};

/// A request to join.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// Empty for somebody new.
    pub(crate) member_id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) client_host: Str,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) protocol_type: Str,
    /// What the member can do, what it likes best first. No name twice.
    pub(crate) protocols: Vec<Protocol>,
    /// The id of the member if it gets a new one.
    pub(crate) new_member_id: Str,
    /// Version 4 and later: a member has to come back with its id before it counts (KIP-394).
    pub(crate) must_know_id: bool,
    /// Version 9 and later: a leader may be told to keep the assignment (KIP-814).
    pub(crate) can_skip_assignment: bool,
}

/// A way to assign that a member knows, and what it says to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: Str,
    pub(crate) metadata: Bytes,
}

impl ClassicGroup {
    /// Somebody joins, or joins again.
    pub(crate) fn join(&mut self, ticket: Ticket, join: Join, now: i64) {
        let refused = |error_code, join: &Join| JoinGroupResponse {
            error_code,
            member_id: join.member_id.clone(),
            protocol_name: None,
            ..JoinGroupResponse::default()
        };
        if !self.has_room_for(&join) {
            let answer = JoinGroupResponse {
                member_id: Str::default(),
                ..refused(ErrorCode::GroupMaxSizeReached, &join)
            };
            self.answer_join(ticket, answer);
            let was_there = self.remove_member(&join.member_id, ErrorCode::GroupMaxSizeReached)
                | self.pending.remove(&join.member_id).is_some();
            if was_there {
                self.react_to_removal(now);
            }
        } else if !self.supports(&join) {
            self.answer_join(ticket, refused(ErrorCode::InconsistentGroupProtocol, &join));
        } else if join.member_id.is_empty() {
            self.join_new(ticket, join, now);
        } else if join.instance_id.is_none() && self.pending.remove(&join.member_id).is_some() {
            let member_id = join.member_id.clone();
            self.add_member(ticket, join, member_id, false, now);
        } else if let Err(error) = self.check_member(&join.member_id, join.instance_id.as_deref()) {
            self.answer_join(ticket, refused(error, &join));
        } else {
            self.join_again(ticket, join, now);
        }
    }

    fn join_new(&mut self, ticket: Ticket, join: Join, now: i64) {
        let member_id = join.new_member_id.clone();
        let existing = join.instance_id.as_ref().and_then(|id| self.instances.get(id)).cloned();
        if let Some(existing) = existing {
            self.replace_static_member(ticket, join, &existing, member_id, now);
        } else if join.instance_id.is_none() && join.must_know_id {
            let deadline = now.saturating_add(i64::from(join.session_timeout_ms));
            self.pending.insert(member_id.clone(), deadline);
            self.wake_by(deadline);
            let answer = JoinGroupResponse {
                error_code: ErrorCode::MemberIdRequired,
                member_id,
                protocol_name: None,
                ..JoinGroupResponse::default()
            };
            self.answer_join(ticket, answer);
        } else {
            let is_nameless = join.instance_id.is_none();
            self.add_member(ticket, join, member_id, is_nameless, now);
        }
    }

    /// A member joins again. In a stable group only the leader or a changed member
    /// is reason for a rebalance; others may have missed the answer.
    fn join_again(&mut self, ticket: Ticket, join: Join, now: i64) {
        let Some(member) = self.members.get(&join.member_id) else { return };
        let is_changed = member.protocols != join.protocols;
        let is_leader = self.leader.as_ref() == Some(&join.member_id);
        let rebalances = match self.state {
            GroupState::Empty | GroupState::PreparingRebalance => true,
            GroupState::CompletingRebalance => is_changed,
            GroupState::Stable => is_changed || is_leader,
        };
        if rebalances {
            let member_id = join.member_id.clone();
            self.update_member(&member_id, join, ticket);
            self.rebalance_or_complete(now);
        } else {
            self.touch(&join.member_id, now);
            let answer = self.joined(&join.member_id);
            self.answer_join(ticket, answer);
        }
    }

    fn add_member(
        &mut self,
        ticket: Ticket,
        join: Join,
        member_id: Str,
        is_nameless: bool,
        now: i64,
    ) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        let deadline = now.saturating_add(NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.wake_by(deadline);
        self.insert_member(Member {
            id: member_id,
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            join: Some(ticket),
            sync: None,
            is_nameless,
            owes_sync: false,
            deadline: Some(deadline),
        });
        if let Some(initial_delay) = &mut self.initial_delay {
            initial_delay.member_added = true;
        }
        self.rebalance_or_complete(now);
    }

    /// Takes over what a member says of itself, and parks its join.
    fn update_member(&mut self, member_id: &Str, join: Join, ticket: Ticket) {
        let Some(mut member) = self.take_member(member_id) else { return };
        // A client that joins twice has lost the first answer.
        self.end_requests(&mut member, ErrorCode::RebalanceInProgress);
        member.protocols = join.protocols;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.session_timeout_ms = join.session_timeout_ms;
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        member.join = Some(ticket);
        member.deadline = None;
        self.insert_member(member);
    }

    /// The same instance comes with a new process: it takes over (KIP-345).
    fn replace_static_member(
        &mut self,
        ticket: Ticket,
        join: Join,
        old_id: &Str,
        new_id: Str,
        now: i64,
    ) {
        let former_leader = self.leader.clone();
        let Some(mut old) = self.take_member(old_id) else { return };
        self.end_requests(&mut old, ErrorCode::FencedInstanceId);
        let can_skip_assignment = join.can_skip_assignment;
        let is_same_subscription = is_same_subscription(self.protocol.as_deref(), &old, &join);
        self.insert_member(Member {
            id: new_id.clone(),
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols,
            assignment: old.assignment.clone(),
            join: Some(ticket),
            sync: None,
            is_nameless: false,
            owes_sync: old.owes_sync,
            deadline: None,
        });
        if former_leader.as_ref() == Some(old_id) {
            self.leader = Some(new_id.clone());
        }
        let keeps_assignment = self.state == GroupState::Stable
            && is_same_subscription
            && self.select_protocol() == self.protocol;
        if keeps_assignment {
            let id = self.store_assignments(None);
            self.replacing.push(Replacement {
                id,
                ticket,
                generation: self.generation,
                old,
                new_id,
                former_leader,
                can_skip_assignment,
            });
        } else {
            self.rebalance_or_complete(now);
        }
    }

    /// The answer of this generation for one of its members.
    pub(super) fn joined(&self, member_id: &Str) -> JoinGroupResponse {
        let is_leader = self.leader.as_ref() == Some(member_id);
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.clone(),
            members: if is_leader { self.joined_members() } else { Vec::new() },
            ..JoinGroupResponse::default()
        }
    }

    fn joined_members(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        });
        members.collect()
    }

    pub(super) fn answer_join(&mut self, ticket: Ticket, answer: JoinGroupResponse) {
        self.actions.push(Action::AnswerJoin(ticket, Box::new(answer)));
    }

    /// Whether there is room. Members keep their place against newcomers. When
    /// `group.max.size` was lowered, the last to rejoin lose theirs.
    fn has_room_for(&self, join: &Join) -> bool {
        let bytes: usize = join.protocols.iter().map(Protocol::size).sum();
        let known = self.members.get(&join.member_id);
        let replaced = known.map_or(0, |member| member.protocols.iter().map(Protocol::size).sum());
        let subscription_bytes = self.subscription_bytes.saturating_sub(replaced) + bytes;
        let is_nobody_yet = join.member_id.is_empty() && join.must_know_id;
        if subscription_bytes > MAX_SUBSCRIPTION_BYTES
            || (is_nobody_yet && self.pending.len() >= MAX_PENDING_MEMBERS)
        {
            return false;
        }
        let Some(known) = known else {
            return self.members.len() < self.limits.max_size || self.replaces(join);
        };
        let joined = || self.members.values().filter(|member| member.join.is_some()).count();
        self.state != GroupState::PreparingRebalance
            || known.join.is_some()
            || self.members.len() <= self.limits.max_size
            || joined() < self.limits.max_size
    }

    /// Whether the join takes the place of a member that is there.
    fn replaces(&self, join: &Join) -> bool {
        join.instance_id.as_ref().is_some_and(|id| self.instances.contains_key(id))
    }

    /// Whether the member fits: same type of protocol, and one that all members have.
    fn supports(&self, join: &Join) -> bool {
        if self.state == GroupState::Empty {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(&join.protocol_type)
            && join.protocols.iter().any(|protocol| self.is_candidate(&protocol.name))
    }
}

impl Protocol {
    pub(super) fn size(&self) -> usize {
        self.name.len() + self.metadata.len()
    }
}

/// Whether a new process of a static member subscribes to what the old one did.
///
/// Consumers also say what they own, which a new process does not know and which
/// is no change. What other types of members say is not looked into.
fn is_same_subscription(protocol: Option<&str>, old: &Member, join: &Join) -> bool {
    if join.protocol_type != super::CONSUMER {
        return true;
    }
    let Some(protocol) = protocol else { return false };
    let Some(new) = join.protocols.iter().find(|new| new.name == protocol) else { return false };
    let old = old.metadata(protocol);
    old == new.metadata
        || subscription::topics(&old)
            .is_some_and(|old| subscription::topics(&new.metadata) == Some(old))
}

//! A group of the classic protocol: who its members are, in which generation,
//! with which assignment.
//!
//! ```text
//!                 join                     all joined, or time is up
//!       Empty ───────────► PreparingRebalance ───────────► CompletingRebalance
//!         ▲                    ▲    │    ▲                    │    │
//!         └────────────────────│────┘    └────────────────────┘    │ assignment
//!            nobody is left    │           join, leave, expiry     ▼ is stored
//!                              └────────────────────────────────Stable
//!                                   join, leave, expiry
//! ```
//!
//! A plain value: events and the time go in, [`Action`]s come out with
//! [`ClassicGroup::take_actions`]. It has no clock, no lock and no task.
//! Requests that have to wait are known by a [`Ticket`] and answered by an action.
//!
//! # Invariants
//! - Every ticket that came in is answered once, unless it is abandoned.
//! - A member whose request is parked has no deadline: its client cannot send
//!   heartbeats. Only one that is new can be parked for too long.
//! - Nobody learns an assignment before it is stored.
//!
//! # Time
//! All times are milliseconds of a clock that never goes back. Deadlines are
//! lazy: a heartbeat moves that of its member and nothing else.
//! [`ClassicGroup::wake_at`] may name a time at which nothing is due; it never
//! misses one.

mod join;
mod leave;
mod member;
mod rebalance;
#[cfg(test)]
mod simulation;
mod stored;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use protocol::{ErrorCode, Str};

use super::records::GroupMetadata;

pub(crate) use join::{Join, Protocol};
pub(crate) use member::Member;
pub(crate) use sync::MemberSync;

/// The protocol type of consumers, the only one whose subscriptions are looked into.
const CONSUMER: &str = "consumer";

/// A new member whose join is parked longer than this is dropped, as in Kafka:
/// its client may have given up and come back under another id.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1000;

/// Member ids that were given out and not used yet, in one group.
const MAX_PENDING_MEMBERS: usize = 10_000;

/// What the subscriptions of one group may take, for all protocols together.
const MAX_SUBSCRIPTION_BYTES: usize = 64 * 1024 * 1024;

/// A request that waits for its answer.
pub(crate) type Ticket = u64;

/// Something that has to be stored.
pub(crate) type StoreId = u64;

/// What a group wants done.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// The answer to a join.
    AnswerJoin(Ticket, Box<JoinGroupResponse>),
    /// The answer to a sync.
    AnswerSync(Ticket, SyncGroupResponse),
    /// Store this, then tell [`ClassicGroup::stored`] how it went. The time in it is for
    /// the caller to fill in.
    Store(StoreId, Box<GroupMetadata>),
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl GroupState {
    /// Kafka's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// What holds for all groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    /// `group.initial.rebalance.delay.ms`
    pub(crate) initial_rebalance_delay_ms: i64,
    /// `group.max.size`
    pub(crate) max_size: usize,
}

/// One group.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    limits: GroupLimits,
    state: GroupState,
    generation: i32,
    /// None until somebody joined.
    protocol_type: Option<Str>,
    /// The protocol of this generation.
    protocol: Option<Str>,
    leader: Option<Str>,
    members: BTreeMap<Str, Member>,
    /// Member ids by instance id.
    instances: HashMap<Str, Str>,
    /// Ids that were given out and not used yet, and how long they hold.
    pending: BTreeMap<Str, i64>,
    /// How many members support a protocol.
    supported: HashMap<Str, usize>,
    /// Bytes of all members' protocols.
    subscription_bytes: usize,
    /// The topics that consumers of this generation subscribe to; None when not known.
    subscribed: Option<BTreeSet<Str>>,
    /// When the join phase ends at the latest.
    join_deadline: Option<i64>,
    /// Set during the first join phase of a group that was empty.
    initial_delay: Option<InitialDelay>,
    /// When those are dropped who did not sync.
    sync_deadline: Option<i64>,
    /// The assignment on its way to the log.
    storing: Option<stored::Assignment>,
    /// Static members on their way to the log.
    replacing: Vec<stored::Replacement>,
    last_store: StoreId,
    wake_at: Option<i64>,
    actions: Vec<Action>,
}

/// The time that a new group waits for more members.
#[derive(Debug)]
struct InitialDelay {
    remaining_ms: i64,
    member_added: bool,
}

impl ClassicGroup {
    /// A group that nobody ever joined.
    pub(crate) fn new(limits: GroupLimits) -> Self {
        Self {
            limits,
            state: GroupState::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: BTreeMap::new(),
            supported: HashMap::new(),
            subscription_bytes: 0,
            subscribed: None,
            join_deadline: None,
            initial_delay: None,
            sync_deadline: None,
            storing: None,
            replacing: Vec::new(),
            last_store: 0,
            wake_at: None,
            actions: Vec::new(),
        }
    }

    /// What has to be done since the last call, in order.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// When [`ClassicGroup::tick`] wants to be called next, at the latest.
    pub(crate) fn wake_at(&self) -> Option<i64> {
        self.wake_at
    }

    pub(crate) fn state(&self) -> GroupState {
        self.state
    }

    #[cfg(test)]
    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    /// None until somebody joined.
    pub(crate) fn protocol_type(&self) -> Option<&Str> {
        self.protocol_type.as_ref()
    }

    /// The protocol of this generation.
    pub(crate) fn protocol(&self) -> Option<&Str> {
        self.protocol.as_ref()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Whether nobody is a member or about to be one.
    pub(crate) fn is_deserted(&self) -> bool {
        self.state == GroupState::Empty && self.members.is_empty() && self.pending.is_empty()
    }

    /// Whether offsets of the topic are in use. Of consumers whose subscriptions cannot
    /// be read, every topic may be.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_consumer_group(),
        }
    }

    /// Whether the members speak the consumers' protocol.
    pub(crate) fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether the topics that the members subscribe to are known.
    pub(crate) fn knows_subscriptions(&self) -> bool {
        self.subscribed.is_some()
    }

    /// A heartbeat; also says how the group is.
    pub(crate) fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: i64,
    ) -> ErrorCode {
        if let Err(error) = self.check_member(member_id, instance_id) {
            return error;
        }
        if generation != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.touch(member_id, now);
        match self.state {
            // There are no members then.
            GroupState::Empty => ErrorCode::UnknownMemberId,
            GroupState::PreparingRebalance => ErrorCode::RebalanceInProgress,
            GroupState::CompletingRebalance | GroupState::Stable => ErrorCode::None,
        }
    }

    /// Whether whoever asks may store offsets. A commit of a member counts as a heartbeat.
    ///
    /// A negative generation without a member is somebody who does not take part in
    /// the group: that works while nobody else does.
    pub(crate) fn check_commit(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: i64,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        if generation < 0 && member_id.is_empty() && instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.check_member(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        match self.state {
            // The member knows the generation already, but not what it owns.
            GroupState::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
            // During a join phase members commit what they did so far.
            GroupState::Empty | GroupState::PreparingRebalance | GroupState::Stable => {
                self.touch(member_id, now);
                Ok(())
            }
        }
    }

    /// Whether somebody is a member, and under its instance id the latest one (KIP-345).
    fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.instances.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if current != member_id => {
                    return Err(ErrorCode::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Starts the session of a member anew, unless it is parked.
    fn touch(&mut self, member_id: &str, now: i64) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if member.join.is_none() && member.sync.is_none() {
            let deadline = now.saturating_add(i64::from(member.session_timeout_ms));
            member.deadline = Some(deadline);
            self.wake_by(deadline);
        }
    }

    fn wake_by(&mut self, deadline: i64) {
        self.wake_at = Some(self.wake_at.map_or(deadline, |wake_at| wake_at.min(deadline)));
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: i64) {
        let is_due = |deadline: i64| deadline <= now;
        let expired: Vec<Str> = self
            .pending
            .iter()
            .filter(|(_, deadline)| is_due(**deadline))
            .map(|(id, _)| id.clone())
            .collect();
        if !expired.is_empty() {
            for id in &expired {
                self.pending.remove(id);
            }
            self.complete_join_if_all_joined(now);
        }
        let expired: Vec<Str> = self
            .members
            .values()
            .filter(|member| member.deadline.is_some_and(is_due))
            .map(|member| member.id.clone())
            .collect();
        for id in expired {
            // An expired member may have been seen off by the one before it.
            if self.remove_member(&id, ErrorCode::UnknownMemberId) {
                tracing::info!(member = %id, "a group member was not heard of in time");
                self.react_to_removal(now);
            }
        }
        if self.join_deadline.is_some_and(is_due) {
            self.end_join_phase(now);
        }
        if self.sync_deadline.is_some_and(is_due) {
            self.drop_members_that_did_not_sync(now);
        }
        self.wake_at = self.next_deadline();
    }

    fn next_deadline(&self) -> Option<i64> {
        let members = self.members.values().filter_map(|member| member.deadline);
        let phases = self.join_deadline.into_iter().chain(self.sync_deadline);
        members.chain(self.pending.values().copied()).chain(phases).min()
    }

    /// The client behind a parked request has gone.
    ///
    /// Whoever knows its member id may come back within its session. A member that
    /// was never told its id cannot, so it is dropped.
    pub(crate) fn abandon(&mut self, ticket: Ticket, now: i64) {
        let parked = self.members.values_mut().find(|member| member.is_parked_with(ticket));
        let Some(member) = parked else { return };
        if member.join.take_if(|join| *join == ticket).is_none() {
            member.sync = None;
        }
        let id = member.id.clone();
        if member.is_nameless {
            self.remove_member(&id, ErrorCode::UnknownMemberId);
            self.react_to_removal(now);
        } else {
            self.touch(&id, now);
        }
    }
}

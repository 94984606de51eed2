//! The join phase: from the first reason for a rebalance to the next generation.

use protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use protocol::{ErrorCode, Str};

use super::{Action, ClassicGroup, GroupState, InitialDelay, Member, subscription};

impl ClassicGroup {
    /// Starts a rebalance, or sees whether the one under way can end.
    pub(super) fn rebalance_or_complete(&mut self, now: i64) {
        match self.state {
            GroupState::PreparingRebalance => self.complete_join_if_all_joined(now),
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => {
                self.prepare_rebalance(now);
            }
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now: i64) {
        if self.state == GroupState::CompletingRebalance {
            self.refuse_syncs(ErrorCode::RebalanceInProgress, now);
        }
        self.storing = None;
        self.sync_deadline = None;
        self.members.values_mut().for_each(|member| member.owes_sync = false);
        let was_empty = self.state == GroupState::Empty;
        self.state = GroupState::PreparingRebalance;
        if !was_empty {
            self.await_joins(now);
            return;
        }
        let delay_ms = self.limits.initial_rebalance_delay_ms;
        if delay_ms == 0 {
            self.complete_join(now);
            return;
        }
        // More members of a new group will come: one generation for all of them.
        let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
        self.initial_delay = Some(InitialDelay { remaining_ms, member_added: false });
        self.set_join_deadline(now + delay_ms);
    }

    fn await_joins(&mut self, now: i64) {
        if self.have_all_joined() {
            self.complete_join(now);
        } else {
            self.set_join_deadline(now + self.rebalance_timeout_ms());
        }
    }

    fn set_join_deadline(&mut self, deadline: i64) {
        self.join_deadline = Some(deadline);
        self.wake_by(deadline);
    }

    /// The longest that any member wants to be waited for.
    fn rebalance_timeout_ms(&self) -> i64 {
        let timeouts = self.members.values().map(|member| i64::from(member.rebalance_timeout_ms));
        timeouts.max().unwrap_or(0).max(0)
    }

    fn have_all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.values().all(|member| member.join.is_some())
    }

    /// Ends the join phase if nobody is missing. A new group waits its time all the
    /// same, unless nobody is left.
    pub(super) fn complete_join_if_all_joined(&mut self, now: i64) {
        if self.state == GroupState::PreparingRebalance
            && self.have_all_joined()
            && (self.initial_delay.is_none() || self.members.is_empty())
        {
            self.complete_join(now);
        }
    }

    /// The time of the join phase is up.
    pub(super) fn end_join_phase(&mut self, now: i64) {
        let delay_ms = self.limits.initial_rebalance_delay_ms;
        match &mut self.initial_delay {
            Some(delay) if delay.member_added && delay.remaining_ms > 0 => {
                let next_ms = delay_ms.min(delay.remaining_ms);
                delay.member_added = false;
                delay.remaining_ms -= next_ms;
                self.set_join_deadline(now + next_ms);
            }
            _ => self.complete_join(now),
        }
    }

    /// Begins the next generation with those who joined. Static members keep their
    /// place until their session ends.
    fn complete_join(&mut self, now: i64) {
        self.join_deadline = None;
        self.initial_delay = None;
        let missing = self.members.values().filter(|member| member.join.is_none());
        let missing: Vec<Str> = missing
            .filter(|member| member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for member_id in missing {
            tracing::info!(member = %member_id, "a group member did not rejoin in time");
            self.remove_member(&member_id, ErrorCode::UnknownMemberId);
        }
        if self.members.is_empty() {
            self.become_empty();
        } else if self.elect_leader() {
            self.begin_generation(now);
        } else {
            // Only static members are left and none of them is back: their sessions decide.
            self.set_join_deadline(now + self.rebalance_timeout_ms().max(1));
        }
    }

    /// Keeps the leader when it has joined, or takes somebody who has.
    fn elect_leader(&mut self) -> bool {
        let has_joined =
            |id: &Str| self.members.get(id).is_some_and(|member| member.join.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self.members.values().find(|member| member.join.is_some());
        match joined {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    pub(super) fn become_empty(&mut self) {
        self.next_generation();
        self.state = GroupState::Empty;
        self.protocol = None;
        self.leader = None;
        self.join_deadline = None;
        self.initial_delay = None;
        self.sync_deadline = None;
        self.storing = None;
        self.update_subscribed();
        self.store_assignments(None);
    }

    fn begin_generation(&mut self, now: i64) {
        self.next_generation();
        self.protocol = self.select_protocol();
        self.update_subscribed();
        self.state = GroupState::CompletingRebalance;
        let joined: Vec<Str> = self.members.keys().cloned().collect();
        for member_id in joined {
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            let Some(ticket) = member.join.take() else { continue };
            member.is_nameless = false;
            member.owes_sync = true;
            let answer = self.joined(&member_id);
            self.answer_join(ticket, answer);
            self.touch(&member_id, now);
        }
        let deadline = now + self.rebalance_timeout_ms();
        self.sync_deadline = Some(deadline);
        self.wake_by(deadline);
    }

    /// Generations count from 1, and again from 1 after the largest number.
    fn next_generation(&mut self) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
    }

    /// The protocol with the most votes among those that all members have; of two with
    /// as many, the one that the leader likes better.
    pub(super) fn select_protocol(&self) -> Option<Str> {
        let votes: Vec<&Str> = self
            .members
            .values()
            .filter_map(|member| member.vote(|name| self.is_candidate(name)))
            .collect();
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        let rank = |name: &Str| {
            let liked = leader.and_then(|leader| {
                leader.protocols.iter().position(|protocol| protocol.name == *name)
            });
            std::cmp::Reverse(liked.unwrap_or(usize::MAX))
        };
        let count = |name: &Str| votes.iter().filter(|vote| **vote == name).count();
        let names: std::collections::BTreeSet<&Str> = votes.iter().copied().collect();
        names.into_iter().max_by_key(|name| (count(name), rank(name))).cloned()
    }

    /// Whether all members have the protocol.
    pub(super) fn is_candidate(&self, protocol: &str) -> bool {
        self.supported.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    pub(super) fn update_subscribed(&mut self) {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let mut topics = Some(std::collections::BTreeSet::new());
        for member in self.members.values() {
            let own = subscription::topics(&member.metadata(protocol));
            topics = topics.zip(own).map(|(mut all, own)| {
                all.extend(own);
                all
            });
        }
        self.subscribed = topics.filter(|_| self.is_consumer_group());
    }

    /// Puts a member in its place.
    pub(super) fn insert_member(&mut self, member: Member) {
        for protocol in &member.protocols {
            *self.supported.entry(protocol.name.clone()).or_default() += 1;
            self.subscription_bytes += protocol.size();
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(instance_id.clone(), member.id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out without a word to anybody. Who leads stays open.
    pub(super) fn take_member(&mut self, member_id: &str) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        for protocol in &member.protocols {
            self.subscription_bytes = self.subscription_bytes.saturating_sub(protocol.size());
            if let Some(count) = self.supported.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(&protocol.name);
                }
            }
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        Some(member)
    }

    /// Takes a member out for good; what it has parked is answered with the error.
    pub(super) fn remove_member(&mut self, member_id: &str, error: ErrorCode) -> bool {
        let Some(mut member) = self.take_member(member_id) else { return false };
        self.end_requests(&mut member, error);
        if self.leader.as_ref() == Some(&member.id) {
            self.leader = self.members.keys().next().cloned();
        }
        true
    }

    /// After members went: a rebalance for those who stay, or the end of one that
    /// waited for the ones who went.
    pub(super) fn react_to_removal(&mut self, now: i64) {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(now),
            GroupState::PreparingRebalance => self.complete_join_if_all_joined(now),
            GroupState::Empty => {}
        }
    }

    /// Answers what a member has parked with an error.
    pub(super) fn end_requests(&mut self, member: &mut Member, error_code: ErrorCode) {
        if let Some(ticket) = member.join.take() {
            // Whoever is fenced keeps its id; the others are to come back as new members.
            let keeps_id =
                matches!(error_code, ErrorCode::FencedInstanceId | ErrorCode::RebalanceInProgress);
            let member_id = if keeps_id { member.id.clone() } else { Str::default() };
            let answer = JoinGroupResponse {
                error_code,
                member_id,
                protocol_name: None,
                ..JoinGroupResponse::default()
            };
            self.answer_join(ticket, answer);
        }
        if let Some(ticket) = member.sync.take() {
            let answer = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
            self.actions.push(Action::AnswerSync(ticket, answer));
        }
    }
}

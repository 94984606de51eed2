//! Membership in a classic consumer group, without I/O: answers and the time
//! go in, the next step comes out.
//!
//! ```text
//!            joined as follower              synced
//!  Joining ───────────────────────► Syncing ───────► Stable ─┐ heartbeats
//!   ▲  ▲ │ joined as leader            ▲              │  ▲   │
//!   │  │ └────────► Assigning ─────────┘              │  └───┘
//!   │  └────────────────────────────────┬─────────────┘
//!   │   rebalance, new subscription,    │ member or generation unknown:
//!   │   topics changed                  │ partitions are lost, not given up
//!   └───────────────────────────────────┘
//! ```
//!
//! Before `Joining`, an eager member gives up all its partitions. A cooperative
//! member keeps them (KIP-429); after `Syncing` it gives up what went to others,
//! and then joins again so that the others get it. At any stage the coordinator
//! may have to be looked up first, or a pause be made before the next try.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use protocol::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use protocol::{ErrorCode, Str};
use tokio::time::Instant;

use super::assignor::{Assignments, Assignor, Member, RebalanceProtocol};
use super::config::{ConsumerConfig, millis};
use super::consumer_protocol::{NO_GENERATION, Subscription, decode_assignment, encode_assignment};
use super::topic_partition::TopicPartition;

/// The kind of group whose members speak the consumer protocol.
const PROTOCOL_TYPE: Str = Str::from_static("consumer");

/// Who this member is to the group's coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Empty until the coordinator has given one.
    pub(super) member_id: Str,
    pub(super) instance_id: Option<Str>,
    /// [`NO_GENERATION`] while not a member.
    pub(super) generation: i32,
}

/// What is to be done next. Every step is answered by the method it names.
#[derive(Debug)]
pub(super) enum Step {
    /// Look the coordinator up: [`Membership::coordinator_found`].
    FindCoordinator,
    /// Let the application finish with these partitions, then stop reading them: [`Membership::revoked`].
    Revoke(Vec<TopicPartition>),
    /// Stop reading these at once; others may have them already: [`Membership::revoked`].
    Lose(Vec<TopicPartition>),
    /// May take as long as the group's rebalance: [`Membership::joined`].
    Join(i32, JoinGroupRequest),
    /// Spread the partitions of the group's topics: [`Membership::group_assigned`].
    AssignGroup(Assignor, Vec<Member>),
    /// May take until the leader has answered: [`Membership::synced`].
    Sync(i32, SyncGroupRequest),
    /// Read these and no others, going on in those that are read already: [`Membership::adopted`].
    Adopt(Vec<TopicPartition>),
    /// [`Membership::heartbeat_answered`].
    Heartbeat(i32, HeartbeatRequest),
    /// Nothing until then.
    Wait(Instant),
    /// The coordinator will not have this member: nothing more comes.
    Failed(ErrorCode),
}

#[derive(Debug, PartialEq)]
enum Stage {
    Joining,
    Assigning {
        assignor: Assignor,
        members: Vec<JoinedMember>,
        skip: bool,
    },
    Syncing(Vec<SyncGroupRequestAssignment>),
    /// Synced; partitions that went to others are still to be given up.
    Adopting(Vec<TopicPartition>),
    Stable,
    Failed(ErrorCode),
}

/// A member in the leader's answer, not yet decoded.
type JoinedMember = protocol::messages::join_group::JoinGroupResponseMember;

/// See the module.
#[derive(Debug)]
pub(super) struct Membership {
    group_id: Str,
    identity: Identity,
    session_timeout: Duration,
    heartbeat_interval: Duration,
    rebalance_timeout: Duration,
    retry_backoff: Duration,
    assignors: Vec<Assignor>,
    protocol: RebalanceProtocol,
    topics: Vec<Str>,
    coordinator: Option<i32>,
    stage: Stage,
    /// Why the member has to join again, if it has to.
    rejoin: Option<&'static str>,
    /// Partitions that were taken from the member without its consent.
    lost: bool,
    /// What is read now; sorted.
    owned: Vec<TopicPartition>,
    /// The last assignment and its generation, for sticky assignors.
    previous: (Vec<TopicPartition>, i32),
    is_leader: bool,
    /// What the group agreed on in the last join.
    assignor: Option<Assignor>,
    retry_at: Option<Instant>,
    heartbeat_at: Instant,
}

impl Membership {
    /// A member of `group_id` that has not joined.
    pub(super) fn new(group_id: Str, config: &ConsumerConfig, now: Instant) -> Self {
        Self {
            group_id,
            identity: Identity {
                member_id: Str::default(),
                instance_id: config.group_instance_id.clone(),
                generation: NO_GENERATION,
            },
            session_timeout: config.session_timeout,
            heartbeat_interval: config.heartbeat_interval,
            rebalance_timeout: config.rebalance_timeout,
            retry_backoff: config.retry_backoff,
            protocol: Assignor::common_protocol(&config.assignors),
            assignors: config.assignors.clone(),
            topics: Vec::new(),
            coordinator: None,
            stage: Stage::Joining,
            rejoin: None,
            lost: false,
            owned: Vec::new(),
            previous: (Vec::new(), NO_GENERATION),
            is_leader: false,
            assignor: None,
            retry_at: None,
            heartbeat_at: now,
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn coordinator(&self) -> Option<i32> {
        self.coordinator
    }

    /// Whether this member spreads the group's partitions, and so must watch all the group's topics.
    pub(super) fn is_leader(&self) -> bool {
        self.is_leader
    }

    /// Whether the member has its partitions and needs no new ones.
    pub(super) fn is_stable(&self) -> bool {
        self.stage == Stage::Stable && self.rejoin.is_none() && !self.lost
    }

    /// What the member subscribes to. Another set than before makes it join again.
    pub(super) fn set_topics(&mut self, topics: Vec<Str>) {
        if topics != self.topics {
            self.topics = topics;
            self.rejoin("the subscription changed");
        }
    }

    /// Makes the member join again as soon as it can.
    pub(super) fn rejoin(&mut self, reason: &'static str) {
        self.rejoin.get_or_insert(reason);
    }

    /// What is to be done at `now`.
    pub(super) fn next_step(&mut self, now: Instant) -> Step {
        if self.lost && !self.owned.is_empty() {
            return Step::Lose(self.owned.clone());
        }
        self.lost = false;
        if let Stage::Failed(code) = self.stage {
            return Step::Failed(code);
        }
        if let Some(retry_at) = self.retry_at.filter(|retry_at| *retry_at > now) {
            return Step::Wait(retry_at);
        }
        self.retry_at = None;
        if self.stage == Stage::Stable && self.rejoin.is_some() {
            self.stage = Stage::Joining;
        }
        if let Stage::Adopting(assigned) = &self.stage {
            let mut given_up = self.owned.clone();
            given_up.retain(|owned| assigned.binary_search(owned).is_err());
            return if given_up.is_empty() {
                Step::Adopt(assigned.clone())
            } else {
                Step::Revoke(given_up)
            };
        }
        if self.stage == Stage::Joining
            && self.protocol == RebalanceProtocol::Eager
            && !self.owned.is_empty()
        {
            return Step::Revoke(self.owned.clone());
        }
        let Some(coordinator) = self.coordinator else { return Step::FindCoordinator };
        match &mut self.stage {
            Stage::Joining => Step::Join(coordinator, self.join_request()),
            Stage::Assigning { assignor, members, .. } => {
                let assignor = *assignor;
                match decode_members(std::mem::take(members)) {
                    Some(members) => Step::AssignGroup(assignor, members),
                    None => self.fail(ErrorCode::InconsistentGroupProtocol),
                }
            }
            Stage::Syncing(assignments) => {
                let assignments = std::mem::take(assignments);
                Step::Sync(coordinator, self.sync_request(assignments))
            }
            Stage::Stable if self.heartbeat_at > now => Step::Wait(self.heartbeat_at),
            Stage::Stable => Step::Heartbeat(coordinator, self.heartbeat_request()),
            Stage::Adopting(_) | Stage::Failed(_) => unreachable!("returned above"),
        }
    }

    /// Answers [`Step::FindCoordinator`]; `None` when it is not known for now.
    pub(super) fn coordinator_found(&mut self, now: Instant, coordinator: Option<i32>) {
        self.coordinator = coordinator;
        if coordinator.is_none() {
            self.pause(now);
        }
    }

    /// Answers [`Step::Revoke`] and [`Step::Lose`].
    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.owned.retain(|owned| !partitions.contains(owned));
        self.lost = false;
        if matches!(self.stage, Stage::Adopting(_)) {
            // Only when it is said that they are free will they be given to others.
            self.rejoin("partitions were given up");
        }
    }

    /// Answers [`Step::Join`]; `None` when no answer came.
    pub(super) fn joined(&mut self, now: Instant, answer: Option<JoinGroupResponse>) {
        let Some(answer) = answer else { return self.no_answer(now) };
        match answer.error_code {
            ErrorCode::None => self.accepted(answer),
            // KIP-394: the coordinator wants to see the id that it just gave.
            ErrorCode::MemberIdRequired => self.identity.member_id = answer.member_id.detached(),
            code => self.refused(now, code),
        }
    }

    fn accepted(&mut self, answer: JoinGroupResponse) {
        let name = answer.protocol_name.unwrap_or_default();
        let Some(assignor) =
            self.assignors.iter().copied().find(|assignor| assignor.name() == &*name)
        else {
            self.fail(ErrorCode::InconsistentGroupProtocol);
            return;
        };
        self.identity.member_id = answer.member_id.detached();
        self.identity.generation = answer.generation_id;
        self.is_leader = answer.leader == answer.member_id;
        self.assignor = Some(assignor);
        self.stage = if self.is_leader {
            // A static leader that comes back looks at its group's topics, to
            // watch them, but leaves everything as it is (KIP-814).
            Stage::Assigning { assignor, members: answer.members, skip: answer.skip_assignment }
        } else {
            Stage::Syncing(Vec::new())
        };
    }

    /// Answers [`Step::AssignGroup`].
    pub(super) fn group_assigned(&mut self, assignments: &Assignments) {
        let encode =
            |(member_id, partitions): (&Str, &Vec<TopicPartition>)| SyncGroupRequestAssignment {
                member_id: member_id.clone(),
                assignment: encode_assignment(partitions),
            };
        let skip = matches!(self.stage, Stage::Assigning { skip: true, .. });
        self.stage = Stage::Syncing(if skip {
            Vec::new()
        } else {
            assignments.iter().map(encode).collect()
        });
    }

    /// Answers [`Step::Join`] and [`Step::AssignGroup`] when the topics cannot be
    /// looked up: the join begins anew after a pause.
    pub(super) fn join_later(&mut self, now: Instant) {
        self.stage = Stage::Joining;
        self.pause(now);
    }

    /// Answers [`Step::Sync`]; `None` when no answer came.
    pub(super) fn synced(&mut self, now: Instant, answer: Option<SyncGroupResponse>) {
        let Some(answer) = answer else {
            // Whether the leader's assignment arrived is unknown: ask by joining again.
            self.stage = Stage::Joining;
            return self.no_answer(now);
        };
        self.heartbeat_at = now + self.heartbeat_interval;
        match answer.error_code {
            ErrorCode::None => match decode_assignment(answer.assignment) {
                Ok(assigned) => self.stage = Stage::Adopting(assigned),
                Err(_) => {
                    self.fail(ErrorCode::InconsistentGroupProtocol);
                }
            },
            code => {
                self.stage = Stage::Joining;
                self.refused(now, code);
            }
        }
    }

    /// Answers [`Step::Adopt`].
    pub(super) fn adopted(&mut self) {
        if let Stage::Adopting(assigned) = std::mem::replace(&mut self.stage, Stage::Stable) {
            self.previous = (assigned.clone(), self.identity.generation);
            self.owned = assigned;
        }
    }

    /// Lets the next heartbeat go out at `at`, if it would be later.
    pub(super) fn heartbeat_by(&mut self, at: Instant) {
        self.heartbeat_at = self.heartbeat_at.min(at);
    }

    /// Answers [`Step::Heartbeat`]; `None` when no answer came.
    pub(super) fn heartbeat_answered(&mut self, now: Instant, answer: Option<HeartbeatResponse>) {
        self.heartbeat_at = now + self.heartbeat_interval;
        match answer.map(|answer| answer.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::RebalanceInProgress) => self.rejoin("the group rebalances"),
            Some(code) => self.refused(now, code),
            None => {
                // The session may be short: as soon as there is a coordinator again.
                self.heartbeat_at = now;
                self.no_answer(now);
            }
        }
    }

    /// Another call of this member, a commit, was answered with an error.
    pub(super) fn call_refused(&mut self, now: Instant, generation: i32, code: ErrorCode) {
        if generation != self.identity.generation {
            return; // Since then the member has joined anew.
        }
        match code {
            ErrorCode::RebalanceInProgress => self.rejoin("the group rebalances"),
            ErrorCode::IllegalGeneration
            | ErrorCode::UnknownMemberId
            | ErrorCode::FencedInstanceId => {
                self.refused(now, code);
            }
            _ => {}
        }
    }

    /// By which the member leaves, so that the group need not wait for its
    /// session to end. Static members stay, for their return.
    pub(super) fn leave_request(&self) -> Option<LeaveGroupRequest> {
        let member_id = self.identity.member_id.clone();
        if member_id.is_empty()
            || self.identity.instance_id.is_some()
            || matches!(self.stage, Stage::Failed(_))
        {
            return None;
        }
        let member = MemberIdentity {
            member_id: member_id.clone(),
            reason: Some(Str::from_static("the consumer is being closed")),
            ..MemberIdentity::default()
        };
        Some(LeaveGroupRequest {
            group_id: self.group_id.clone(),
            member_id,
            members: vec![member],
        })
    }

    /// After leaving: nothing is owned, and the next join is a new member's.
    pub(super) fn left(&mut self) {
        self.forget_member();
        self.owned.clear();
        self.lost = false;
        self.topics.clear();
        self.rejoin = None;
        self.retry_at = None;
        self.previous = (Vec::new(), NO_GENERATION);
        self.stage = Stage::Joining;
    }

    /// What one error code means, whatever was asked.
    fn refused(&mut self, now: Instant, code: ErrorCode) {
        match code {
            ErrorCode::RebalanceInProgress => self.stage = Stage::Joining,
            ErrorCode::UnknownMemberId => {
                self.forget_member();
                self.lose();
            }
            ErrorCode::IllegalGeneration => {
                self.identity.generation = NO_GENERATION;
                self.lose();
            }
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
                self.coordinator = None;
                self.pause(now);
            }
            code if code.is_retriable() => self.pause(now),
            code => {
                // Fenced: another process has taken the place of this static member.
                self.lost = !self.owned.is_empty();
                self.fail(code);
            }
        }
    }

    fn no_answer(&mut self, now: Instant) {
        self.coordinator = None;
        self.pause(now);
    }

    fn pause(&mut self, now: Instant) {
        self.retry_at = Some(now + self.retry_backoff);
    }

    fn lose(&mut self) {
        self.lost = true;
        self.stage = Stage::Joining;
    }

    fn forget_member(&mut self) {
        self.identity.member_id = Str::default();
        self.identity.generation = NO_GENERATION;
        self.is_leader = false;
    }

    fn fail(&mut self, code: ErrorCode) -> Step {
        self.stage = Stage::Failed(code);
        self.identity.generation = NO_GENERATION;
        Step::Failed(code)
    }

    fn join_request(&mut self) -> JoinGroupRequest {
        let reason = self.rejoin.take();
        let (previous, previous_generation) = &self.previous;
        let protocol = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: Str::from_static(assignor.name()),
            metadata: Subscription {
                topics: self.topics.clone(),
                user_data: assignor.user_data(previous, *previous_generation),
                owned_partitions: self.owned.clone(),
                generation: Some(self.identity.generation),
                rack: None,
            }
            .encode(),
        };
        JoinGroupRequest {
            group_id: self.group_id.clone(),
            session_timeout_ms: millis(self.session_timeout),
            rebalance_timeout_ms: millis(self.rebalance_timeout),
            member_id: self.identity.member_id.clone(),
            group_instance_id: self.identity.instance_id.clone(),
            protocol_type: PROTOCOL_TYPE,
            protocols: self.assignors.iter().map(protocol).collect(),
            reason: reason.map(Str::from_static),
        }
    }

    fn sync_request(&self, assignments: Vec<SyncGroupRequestAssignment>) -> SyncGroupRequest {
        SyncGroupRequest {
            group_id: self.group_id.clone(),
            generation_id: self.identity.generation,
            member_id: self.identity.member_id.clone(),
            group_instance_id: self.identity.instance_id.clone(),
            // Mandatory from version 5 on (KIP-559).
            protocol_type: Some(PROTOCOL_TYPE),
            protocol_name: self.assignor.map(|assignor| Str::from_static(assignor.name())),
            assignments,
        }
    }

    fn heartbeat_request(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group_id.clone(),
            generation_id: self.identity.generation,
            member_id: self.identity.member_id.clone(),
            group_instance_id: self.identity.instance_id.clone(),
        }
    }
}

/// The members as assignors see them; `None` when a subscription cannot be read.
fn decode_members(members: Vec<JoinedMember>) -> Option<Vec<Member>> {
    let decode = |member: JoinedMember| {
        Some(Member {
            id: member.member_id.detached(),
            instance_id: member.group_instance_id.as_ref().map(Str::detached),
            subscription: Subscription::decode(member.metadata).ok()?,
        })
    };
    members.into_iter().map(decode).collect()
}

/// The topics that any of the members wants, each once.
pub(super) fn group_topics(members: &[Member]) -> BTreeMap<Str, i32> {
    members
        .iter()
        .flat_map(|member| &member.subscription.topics)
        .map(|topic| (topic.clone(), 0))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::super::assignor::testing::{partitions, written};
    use super::*;

    /// Plays a script of answers, one per line, and writes down every step that
    /// comes before, between and after them.
    ///
    /// `topics a b` subscribes · `rejoin` · `coordinator 1|none` · `revoked` ·
    /// `joined GENERATION leader|follower PROTOCOL` or an error · `assigned m: a-0; n: a-1` ·
    /// `synced a-0 a-1` or an error · `adopted` · `heartbeat` or an error ·
    /// `after SECONDS` lets time pass · `leave`.
    fn play(config: &ConsumerConfig, script: &str) -> String {
        let mut now = Instant::now();
        let start = now;
        let mut membership = Membership::new("g".into(), config, now);
        let mut log = String::new();
        let mut given_up = Vec::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (event, rest) = line.split_once(' ').unwrap_or((line, ""));
            let error = ErrorCode::ALL.iter().copied().find(|code| code.name() == rest);
            match event {
                "topics" => membership.set_topics(rest.split(' ').map(Str::from).collect()),
                "rejoin" => membership.rejoin("the test says so"),
                "coordinator" => membership.coordinator_found(now, rest.parse().ok()),
                "revoked" => membership.revoked(&given_up),
                "joined" => {
                    membership.joined(now, (rest != "nothing").then(|| join_answer(rest, error)))
                }
                "assigned" => {
                    let assignments = rest.split("; ").map(|entry| {
                        let (member, owned) = entry.split_once(':').unwrap();
                        (Str::from(member), partitions(owned))
                    });
                    membership.group_assigned(&assignments.collect());
                }
                "synced" => {
                    let assignment = if error.is_some() { Vec::new() } else { partitions(rest) };
                    let answer = SyncGroupResponse {
                        error_code: error.unwrap_or_default(),
                        assignment: encode_assignment(&assignment),
                        ..SyncGroupResponse::default()
                    };
                    membership.synced(now, Some(answer));
                }
                "adopted" => membership.adopted(),
                "heartbeat" => {
                    let answer = HeartbeatResponse {
                        error_code: error.unwrap_or_default(),
                        ..Default::default()
                    };
                    membership.heartbeat_answered(now, (rest != "nothing").then_some(answer));
                }
                "after" => now += Duration::from_secs_f64(rest.parse().unwrap()),
                "leave" => {
                    writeln!(
                        log,
                        "leave {:?}",
                        membership.leave_request().map(|r| r.member_id.to_string())
                    )
                    .unwrap();
                    membership.left();
                    continue;
                }
                other => panic!("unknown event {other}"),
            }
            let step = membership.next_step(now);
            if let Step::Revoke(partitions) | Step::Lose(partitions) = &step {
                given_up = partitions.clone();
            }
            writeln!(log, "{}", describe(step, start)).unwrap();
        }
        log
    }

    fn join_answer(text: &str, error: Option<ErrorCode>) -> JoinGroupResponse {
        if let Some(error_code) = error {
            return JoinGroupResponse { error_code, member_id: "m".into(), ..Default::default() };
        }
        let mut words = text.split(' ');
        let generation_id = words.next().unwrap().parse().unwrap();
        let is_leader = words.next() == Some("leader");
        let protocol_name = words.next().map(Str::from);
        let skip_assignment = words.next() == Some("skip");
        let member = |id: &str| JoinedMember {
            member_id: id.into(),
            metadata: Subscription { topics: vec!["a".into()], ..Subscription::default() }.encode(),
            ..JoinedMember::default()
        };
        JoinGroupResponse {
            generation_id,
            protocol_name,
            skip_assignment,
            leader: if is_leader { "m".into() } else { "n".into() },
            member_id: "m".into(),
            members: if is_leader { vec![member("m"), member("n")] } else { vec![] },
            ..Default::default()
        }
    }

    fn list(partitions: &[TopicPartition]) -> String {
        partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    fn describe(step: Step, start: Instant) -> String {
        match step {
            Step::FindCoordinator => "find coordinator".to_owned(),
            Step::Revoke(partitions) => format!("revoke {}", list(&partitions)),
            Step::Lose(partitions) => format!("lose {}", list(&partitions)),
            Step::Join(node, request) => {
                let metadata = request.protocols.last().unwrap().metadata.clone();
                let subscription = Subscription::decode(metadata).unwrap();
                format!(
                    "join at {node} as '{}' owning '{}' of {}",
                    request.member_id.as_str(),
                    list(&subscription.owned_partitions),
                    subscription.generation.unwrap()
                )
            }
            Step::AssignGroup(assignor, members) => {
                format!("assign {} members by {assignor}", members.len())
            }
            Step::Sync(node, request) => {
                let assignments: Assignments = request
                    .assignments
                    .into_iter()
                    .map(|entry| (entry.member_id, decode_assignment(entry.assignment).unwrap()))
                    .collect();
                format!("sync at {node} in {}: {:?}", request.generation_id, written(&assignments))
            }
            Step::Adopt(partitions) => format!("adopt {}", list(&partitions)),
            Step::Heartbeat(node, request) => {
                format!("heartbeat at {node} in {}", request.generation_id)
            }
            Step::Wait(until) => {
                format!("wait until {:.1}", until.duration_since(start).as_secs_f64())
            }
            Step::Failed(code) => format!("failed {}", code.name()),
        }
    }

    fn cooperative() -> ConsumerConfig {
        ConsumerConfig { assignors: vec![Assignor::CooperativeSticky], ..ConsumerConfig::default() }
    }

    #[test]
    fn a_member_gets_its_id_before_it_joins() {
        let log = play(
            &ConsumerConfig::default(),
            "topics a
             coordinator 1
             joined MEMBER_ID_REQUIRED
             joined 1 follower range
             synced a-0
             adopted
             after 3
             heartbeat",
        );
        assert_eq!(
            log,
            "find coordinator
join at 1 as '' owning '' of -1
join at 1 as 'm' owning '' of -1
sync at 1 in 1: []
adopt a-0
wait until 3.0
heartbeat at 1 in 1
wait until 6.0
"
        );
    }

    #[test]
    fn the_leader_assigns() {
        let log = play(
            &ConsumerConfig::default(),
            "topics a
             coordinator 1
             joined 1 leader range
             assigned m: a-0; n: a-1",
        );
        assert_eq!(
            log,
            "find coordinator
join at 1 as '' owning '' of -1
assign 2 members by range
sync at 1 in 1: [\"m: a-0\", \"n: a-1\"]
"
        );
    }

    #[test]
    fn a_static_leader_that_comes_back_changes_nothing() {
        let log = play(
            &ConsumerConfig { group_instance_id: Some("i".into()), ..ConsumerConfig::default() },
            "topics a
             coordinator 1
             joined 4 leader range skip
             assigned m: a-0; n: a-1
             leave",
        );
        assert_eq!(
            log,
            "find coordinator
join at 1 as '' owning '' of -1
assign 2 members by range
sync at 1 in 4: []
leave None
"
        );
    }

    const JOINED: &str = "topics a
        coordinator 1
        joined 1 follower cooperative-sticky
        synced a-0 a-1
        adopted
        ";

    /// What follows a first join that ended at time 0.
    fn play_on(config: &ConsumerConfig, script: &str) -> String {
        let log = play(config, &format!("{JOINED}{script}"));
        let (_, rest) = log.split_once("wait until 3.0\n").unwrap();
        rest.to_owned()
    }

    #[test]
    fn an_eager_member_gives_everything_up_before_it_joins_again() {
        let log = play_on(
            &ConsumerConfig::default(),
            "heartbeat REBALANCE_IN_PROGRESS
             revoked
             joined 2 follower range
             synced a-0
             adopted",
        );
        assert_eq!(
            log,
            "revoke a-0 a-1
join at 1 as 'm' owning '' of 1
sync at 1 in 2: []
adopt a-0
wait until 3.0
"
        );
    }

    #[test]
    fn a_cooperative_member_gives_up_only_what_went_to_others_and_joins_again() {
        let log = play_on(
            &cooperative(),
            "heartbeat REBALANCE_IN_PROGRESS
             joined 2 follower cooperative-sticky
             synced a-0
             revoked
             adopted
             joined 3 follower cooperative-sticky
             synced a-0
             adopted",
        );
        assert_eq!(
            log,
            "join at 1 as 'm' owning 'a-0 a-1' of 1
sync at 1 in 2: []
revoke a-1
adopt a-0
join at 1 as 'm' owning 'a-0' of 2
sync at 1 in 3: []
adopt a-0
wait until 3.0
"
        );
    }

    #[test]
    fn a_removed_member_loses_its_partitions_and_joins_as_a_new_one() {
        for config in [ConsumerConfig::default(), cooperative()] {
            let log = play_on(&config, "heartbeat UNKNOWN_MEMBER_ID\nrevoked");
            assert_eq!(log, "lose a-0 a-1\njoin at 1 as '' owning '' of -1\n");
            let log = play_on(&config, "heartbeat ILLEGAL_GENERATION\nrevoked");
            assert_eq!(log, "lose a-0 a-1\njoin at 1 as 'm' owning '' of -1\n");
        }
    }

    #[test]
    fn a_fenced_member_stops_for_good() {
        let log = play_on(
            &ConsumerConfig::default(),
            "heartbeat FENCED_INSTANCE_ID
             revoked
             after 60
             leave",
        );
        assert_eq!(
            log,
            "lose a-0 a-1\nfailed FENCED_INSTANCE_ID\nfailed FENCED_INSTANCE_ID\nleave None\n"
        );
    }

    #[test]
    fn the_coordinator_is_looked_up_anew_after_a_pause() {
        let log = play_on(
            &ConsumerConfig::default(),
            "heartbeat NOT_COORDINATOR
             after 0.2
             coordinator none
             after 0.2
             coordinator 2
             after 3
             heartbeat nothing
             after 0.1
             coordinator 1",
        );
        assert_eq!(
            log,
            "wait until 0.1
find coordinator
wait until 0.3
find coordinator
wait until 3.0
heartbeat at 2 in 1
wait until 3.5
find coordinator
heartbeat at 1 in 1
"
        );
    }

    #[test]
    fn a_loading_coordinator_is_asked_again() {
        let log = play(
            &ConsumerConfig::default(),
            "topics a
             coordinator 1
             joined COORDINATOR_LOAD_IN_PROGRESS
             after 0.1
             joined nothing
             after 0.1",
        );
        assert_eq!(
            log,
            "find coordinator
join at 1 as '' owning '' of -1
wait until 0.1
join at 1 as '' owning '' of -1
wait until 0.2
find coordinator
"
        );
    }

    #[test]
    fn a_rebalance_during_sync_begins_anew() {
        let log = play(
            &ConsumerConfig::default(),
            "topics a
             coordinator 1
             joined 1 follower range
             synced REBALANCE_IN_PROGRESS
             joined 2 follower range",
        );
        assert_eq!(
            log,
            "find coordinator
join at 1 as '' owning '' of -1
sync at 1 in 1: []
join at 1 as 'm' owning '' of 1
sync at 1 in 2: []
"
        );
    }

    #[test]
    fn what_no_retry_can_mend_ends_the_membership() {
        for code in
            ["INCONSISTENT_GROUP_PROTOCOL", "GROUP_AUTHORIZATION_FAILED", "GROUP_MAX_SIZE_REACHED"]
        {
            let log = play(
                &ConsumerConfig::default(),
                &format!("topics a\ncoordinator 1\njoined {code}"),
            );
            assert!(log.ends_with(&format!("failed {code}\n")), "{log}");
        }
        let log = play(
            &ConsumerConfig::default(),
            "topics a\ncoordinator 1\njoined 1 follower unheard-of",
        );
        assert!(log.ends_with("failed INCONSISTENT_GROUP_PROTOCOL\n"), "{log}");
    }

    #[test]
    fn a_new_subscription_joins_again_after_the_join_under_way() {
        let log = play(
            &cooperative(),
            "topics a
             coordinator 1
             topics a b
             joined 1 follower cooperative-sticky
             topics a b c
             synced a-0
             adopted",
        );
        assert!(log.ends_with("adopt a-0\njoin at 1 as 'm' owning 'a-0' of 1\n"), "{log}");
    }

    #[test]
    fn a_refused_commit_counts_only_in_its_own_generation() {
        let now = Instant::now();
        let mut membership = Membership::new("g".into(), &ConsumerConfig::default(), now);
        membership.identity.generation = 5;
        membership.stage = Stage::Stable;
        membership.call_refused(now, 4, ErrorCode::UnknownMemberId);
        assert!(membership.is_stable());
        membership.call_refused(now, 5, ErrorCode::RebalanceInProgress);
        assert!(!membership.is_stable());
    }
}

//! Random lives of a group: clients that join, leave, lose their connection and come
//! back, a log that fails, a broker that restarts. Every run is given by its seed,
//! which a failure names.
//!
//! # What must hold
//! - A request is answered once.
//! - A generation has one leader and one set of members, and only they are told of it.
//! - A member gets what the leader gave it, of its own generation.
//! - When nothing goes wrong any more, everybody who wants to be is a member of one
//!   generation, and nobody else is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use protocol::messages::leave_group::MemberIdentity;
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use protocol::{ErrorCode, Str};

use super::{
    Action, ClassicGroup, GroupLimits, GroupState, Join, MemberSync, Protocol, StoreId, Ticket,
};
use crate::groups::records::GroupMetadata;
use crate::random::Random;

const SEEDS: u64 = 400;
const STEPS: usize = 400;
const CLIENTS: usize = 5;
const SESSION_MS: i64 = 100;
const REBALANCE_MS: i64 = 60;

#[derive(Debug, PartialEq)]
enum Phase {
    /// Takes no part.
    Out,
    /// Will join next.
    Joins,
    AwaitsJoin(Ticket),
    /// Will sync next, with what it gives if it leads.
    Syncs(Vec<Str>),
    AwaitsSync(Ticket),
    Works,
}

struct Client {
    name: String,
    is_static: bool,
    version: i16,
    topics: u8,
    phase: Phase,
    member_id: Str,
    generation: i32,
    last_heartbeat: i64,
}

struct Simulation {
    seed: u64,
    random: Random,
    now: i64,
    group: ClassicGroup,
    limits: GroupLimits,
    clients: Vec<Client>,
    last_ticket: Ticket,
    last_id: u32,
    stores: VecDeque<(StoreId, GroupMetadata)>,
    durable: Option<GroupMetadata>,
    /// Leader and members of each generation since the last restart.
    generations: BTreeMap<i32, (Str, BTreeSet<Str>)>,
    is_calm: bool,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let delay = if random.one_in(3) { 20 } else { 0 };
        let limits = GroupLimits { initial_rebalance_delay_ms: delay, max_size: usize::MAX };
        let clients = (0..CLIENTS).map(|index| Client {
            name: format!("c{index}"),
            is_static: random.one_in(3),
            version: [3, 5, 9][random.below(3) as usize],
            topics: 0,
            phase: Phase::Out,
            member_id: Str::default(),
            generation: -1,
            last_heartbeat: 0,
        });
        let clients = clients.collect();
        Self {
            seed,
            random,
            now: 0,
            group: ClassicGroup::new(limits),
            limits,
            clients,
            last_ticket: 0,
            last_id: 0,
            stores: VecDeque::new(),
            durable: None,
            generations: BTreeMap::new(),
            is_calm: false,
        }
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        self.calm_down();
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..60 => {
                let index = self.random.below(CLIENTS as u64) as usize;
                self.advance(index);
            }
            60..75 => {
                let pause = self.random.below(20) as i64;
                self.pass_time(pause);
            }
            75..88 => {
                let works = !self.random.one_in(8);
                self.end_store(works);
            }
            88..94 => {
                let index = self.random.below(CLIENTS as u64) as usize;
                self.disturb(index);
            }
            94..98 => {
                let index = self.random.below(CLIENTS as u64) as usize;
                self.leave(index);
            }
            98 => self.restart(),
            _ => self.pass_time(SESSION_MS),
        }
    }

    /// Nothing goes wrong any more: everybody must come to rest.
    fn calm_down(&mut self) {
        self.is_calm = true;
        for _ in 0..200 {
            for index in 0..CLIENTS {
                self.advance(index);
                while !self.stores.is_empty() {
                    self.end_store(true);
                }
            }
            self.pass_time(10);
        }
        let seed = self.seed;
        for client in &self.clients {
            assert!(
                matches!(client.phase, Phase::Works | Phase::Out),
                "seed {seed}: {} hangs in {:?}",
                client.name,
                client.phase
            );
        }
        let working: BTreeSet<&Str> = self
            .clients
            .iter()
            .filter(|client| client.phase == Phase::Works)
            .map(|client| &client.member_id)
            .collect();
        let members: BTreeSet<&Str> = self.group.members().map(|member| &member.id).collect();
        assert_eq!(members, working, "seed {seed}");
        let generation = self.group.generation();
        for client in self.clients.iter().filter(|client| client.phase == Phase::Works) {
            assert_eq!(client.generation, generation, "seed {seed}: {}", client.name);
        }
        let state = if members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        assert_eq!(self.group.state(), state, "seed {seed}");
    }

    /// The client does what it would do next.
    fn advance(&mut self, index: usize) {
        let now = self.now;
        match self.clients[index].phase {
            Phase::Out if !self.is_calm => {
                self.clients[index].member_id = Str::default();
                self.clients[index].phase = Phase::Joins;
            }
            Phase::Joins => self.join(index),
            Phase::Syncs(_) => self.sync(index),
            Phase::Works => {
                if !self.is_calm && self.random.one_in(12) {
                    self.clients[index].topics ^= 1;
                    self.clients[index].phase = Phase::Joins;
                    return;
                }
                let client = &mut self.clients[index];
                client.last_heartbeat = now;
                let (id, generation) = (client.member_id.clone(), client.generation);
                let instance = client.is_static.then(|| client.name.clone());
                let error = if self.random.one_in(2) {
                    self.group.heartbeat(&id, instance.as_deref(), generation, now)
                } else {
                    let checked =
                        self.group.check_commit(&id, instance.as_deref(), generation, now);
                    checked.err().unwrap_or_default()
                };
                self.react(index, error);
                self.act();
            }
            Phase::Out | Phase::AwaitsJoin(_) | Phase::AwaitsSync(_) => {}
        }
    }

    fn react(&mut self, index: usize, error: ErrorCode) {
        let client = &mut self.clients[index];
        match error {
            ErrorCode::None => {}
            ErrorCode::RebalanceInProgress | ErrorCode::NotCoordinator => {
                client.phase = Phase::Joins;
            }
            ErrorCode::MemberIdRequired => client.phase = Phase::Joins,
            ErrorCode::IllegalGeneration
            | ErrorCode::UnknownMemberId
            | ErrorCode::FencedInstanceId => {
                client.member_id = Str::default();
                client.phase = Phase::Joins;
            }
            other => panic!("seed {}: {} got {other:?}", self.seed, client.name),
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    fn join(&mut self, index: usize) {
        let ticket = self.ticket();
        self.last_id += 1;
        let client = &mut self.clients[index];
        client.phase = Phase::AwaitsJoin(ticket);
        let metadata = Bytes::from(vec![0, 0, 0, 0, 0, 1, 0, 1, b'a' + client.topics]);
        let join = Join {
            member_id: client.member_id.clone(),
            instance_id: client.is_static.then(|| Str::from(&client.name)),
            client_id: Str::from(&client.name),
            client_host: Str::default(),
            session_timeout_ms: SESSION_MS as i32,
            rebalance_timeout_ms: REBALANCE_MS as i32,
            protocol_type: Str::from_static("consumer"),
            protocols: vec![Protocol { name: Str::from_static("range"), metadata }],
            new_member_id: Str::from(format!("{}-{}", client.name, self.last_id)),
            must_know_id: client.version >= 4,
            can_skip_assignment: client.version >= 9,
        };
        self.group.join(ticket, join, self.now);
        self.act();
    }

    fn sync(&mut self, index: usize) {
        let ticket = self.ticket();
        let client = &mut self.clients[index];
        let phase = std::mem::replace(&mut client.phase, Phase::AwaitsSync(ticket));
        let Phase::Syncs(members) = phase else { panic!("only a client that syncs does") };
        let generation = client.generation;
        let assignments = members.into_iter().map(|member_id| {
            let owner = member_id.split('-').next().unwrap().to_owned();
            let assignment = Bytes::from(format!("{generation} {owner}"));
            SyncGroupRequestAssignment { member_id, assignment }
        });
        let sync = MemberSync {
            member_id: client.member_id.clone(),
            instance_id: client.is_static.then(|| Str::from(&client.name)),
            generation,
            protocol_type: Some(Str::from_static("consumer")),
            protocol: Some(Str::from_static("range")),
            assignments: assignments.collect(),
        };
        self.group.sync(ticket, sync, self.now);
        self.act();
    }

    /// The connection of the client is lost, or its process.
    fn disturb(&mut self, index: usize) {
        let is_restart = self.random.one_in(2);
        let client = &mut self.clients[index];
        let parked = match client.phase {
            Phase::AwaitsJoin(ticket) | Phase::AwaitsSync(ticket) => Some(ticket),
            Phase::Out => return,
            _ => None,
        };
        client.phase = Phase::Joins;
        if is_restart {
            client.member_id = Str::default();
        }
        if let Some(ticket) = parked {
            self.group.abandon(ticket, self.now);
            self.act();
        }
    }

    fn leave(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if !matches!(client.phase, Phase::Works | Phase::Joins | Phase::Syncs(_)) {
            return;
        }
        client.phase = Phase::Out;
        let member = MemberIdentity {
            member_id: client.member_id.clone(),
            group_instance_id: client.is_static.then(|| Str::from(&client.name)),
            reason: None,
        };
        self.group.leave(vec![member], self.now);
        self.act();
    }

    fn restart(&mut self) {
        self.stores.clear();
        self.generations.clear();
        self.group = match self.durable.clone() {
            Some(durable) => ClassicGroup::restore(durable, "dead", self.limits, self.now),
            None => ClassicGroup::new(self.limits),
        };
        for client in &mut self.clients {
            if matches!(client.phase, Phase::AwaitsJoin(_) | Phase::AwaitsSync(_)) {
                client.phase = Phase::Joins;
            }
        }
        self.act();
    }

    fn end_store(&mut self, works: bool) {
        let Some((id, metadata)) = self.stores.pop_front() else { return };
        if works {
            self.durable = Some(metadata);
        }
        let result = if works { Ok(()) } else { Err(ErrorCode::NotCoordinator) };
        self.group.stored(id, result, self.now);
        self.act();
    }

    fn pass_time(&mut self, pause: i64) {
        let until = self.now + pause;
        while let Some(wake_at) = self.group.wake_at().filter(|wake_at| *wake_at <= until) {
            self.now = self.now.max(wake_at);
            self.group.tick(self.now);
            self.act();
        }
        self.now = until;
    }

    fn act(&mut self) {
        for action in self.group.take_actions() {
            match action {
                Action::AnswerJoin(ticket, answer) => self.joined(ticket, &answer),
                Action::AnswerSync(ticket, answer) => self.synced(ticket, &answer),
                Action::Store(id, metadata) => self.stores.push_back((id, *metadata)),
            }
        }
    }

    fn joined(&mut self, ticket: Ticket, answer: &JoinGroupResponse) {
        let seed = self.seed;
        let waiting = |client: &Client| client.phase == Phase::AwaitsJoin(ticket);
        // Nobody waits for the answer to a request that was sent again.
        let Some(index) = self.clients.iter().position(waiting) else {
            assert!(answer.error_code.is_error(), "seed {seed}: {answer:?} for nobody");
            return;
        };
        let client = &mut self.clients[index];
        if answer.error_code == ErrorCode::MemberIdRequired {
            assert!(client.version >= 4 && !client.is_static, "seed {seed}");
            client.member_id = answer.member_id.clone();
        }
        if answer.error_code.is_error() {
            self.react(index, answer.error_code);
            return;
        }
        client.member_id = answer.member_id.clone();
        client.generation = answer.generation_id;
        let members: Vec<Str> =
            answer.members.iter().map(|member| member.member_id.clone()).collect();
        let gives = if answer.skip_assignment { Vec::new() } else { members.clone() };
        client.phase = Phase::Syncs(gives);
        if members.is_empty() || answer.skip_assignment {
            return;
        }
        assert_eq!(answer.leader, answer.member_id, "seed {seed}");
        let members: BTreeSet<Str> = members.into_iter().collect();
        assert!(members.contains(&answer.leader), "seed {seed}");
        let told = (answer.leader.clone(), members);
        let former = self.generations.insert(answer.generation_id, told.clone());
        assert!(
            former.is_none_or(|former| former == told),
            "seed {seed}: generation {} is not the one it was",
            answer.generation_id
        );
    }

    fn synced(&mut self, ticket: Ticket, answer: &SyncGroupResponse) {
        let seed = self.seed;
        let waiting = |client: &Client| client.phase == Phase::AwaitsSync(ticket);
        let Some(index) = self.clients.iter().position(waiting) else {
            assert!(answer.error_code.is_error(), "seed {seed}: {answer:?} for nobody");
            return;
        };
        if answer.error_code.is_error() {
            self.react(index, answer.error_code);
            return;
        }
        let client = &mut self.clients[index];
        let given = String::from_utf8(answer.assignment.to_vec()).unwrap();
        let expected = format!("{} {}", client.generation, client.name);
        assert_eq!(given, expected, "seed {seed}: assignment of {}", client.name);
        client.phase = Phase::Works;
    }
}

#[test]
fn whatever_happens_the_group_comes_to_rest_with_everybody_in_one_generation() {
    for seed in 0..SEEDS {
        Simulation::new(seed).run();
    }
}

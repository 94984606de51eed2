//! The rules of classic groups, each as a script and what comes of it.
//!
//! A line is a time and a command: `t=5 join a v=4 static=i p=range+rr topics=x`.
//! Clients go by names; their member ids are the name and a number, so `a1` is the
//! first id that `a` was given. Versions default to 3, where new members are admitted at
//! once, sessions to 10 and rebalances to 20. Before each command everything
//! happens that is due by then. What is to be stored is stored at once, unless the
//! script says `hold`; then `stored` and `lost` decide about the oldest.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use bytes::Bytes;
use protocol::messages::JoinGroupResponse;
use protocol::messages::leave_group::MemberIdentity;
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::{ErrorCode, Str};

use super::{
    Action, ClassicGroup, GroupLimits, Join, MemberSync, NEW_MEMBER_JOIN_TIMEOUT_MS, Protocol,
    StoreId, Ticket,
};
use crate::groups::records::GroupMetadata;

#[derive(Default)]
struct Client {
    member_id: Str,
    ids: u32,
    generation: i32,
    instance: Option<Str>,
}

struct Play {
    group: ClassicGroup,
    limits: GroupLimits,
    clients: BTreeMap<String, Client>,
    /// Who sent the request, and which.
    tickets: BTreeMap<Ticket, (String, &'static str)>,
    last_ticket: Ticket,
    holds: bool,
    stores: VecDeque<(StoreId, GroupMetadata)>,
    durable: Option<GroupMetadata>,
    log: String,
}

fn play_with(limits: GroupLimits, script: &str) -> String {
    let mut play = Play::new(limits);
    play.run(script);
    play.log
}

fn play(script: &str) -> String {
    play_with(GroupLimits { initial_rebalance_delay_ms: 0, max_size: usize::MAX }, script)
}

#[track_caller]
fn check(script: &str, expected: &str) {
    check_log(&play(script), expected);
}

#[track_caller]
fn check_log(log: &str, expected: &str) {
    let lines = |text: &str| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(log), lines(expected));
}

impl Play {
    fn new(limits: GroupLimits) -> Self {
        Self {
            group: ClassicGroup::new(limits),
            limits,
            clients: BTreeMap::new(),
            tickets: BTreeMap::new(),
            last_ticket: 0,
            holds: false,
            stores: VecDeque::new(),
            durable: None,
            log: String::new(),
        }
    }

    fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let time = words.next().unwrap().strip_prefix("t=").unwrap().parse().unwrap();
            self.pass_time(time);
            let command = words.next().unwrap();
            let name = words.clone().next().unwrap_or_default().to_owned();
            let options: BTreeMap<&str, &str> =
                words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
            self.command(time, command, &name, &options);
            self.act(time);
        }
    }

    fn pass_time(&mut self, until: i64) {
        while let Some(wake_at) = self.group.wake_at().filter(|wake_at| *wake_at <= until) {
            self.group.tick(wake_at);
            self.act(wake_at);
        }
    }

    fn ticket(&mut self, name: &str, kind: &'static str) -> Ticket {
        self.last_ticket += 1;
        self.tickets.insert(self.last_ticket, (name.to_owned(), kind));
        self.last_ticket
    }

    fn command(&mut self, time: i64, command: &str, name: &str, options: &BTreeMap<&str, &str>) {
        let say = |log: &mut String, what: &str| {
            writeln!(log, "t={time} {command} {name}: {what}").unwrap()
        };
        match command {
            "join" => {
                let ticket = self.ticket(name, "join");
                let join = self.join(name, options);
                self.group.join(ticket, join, time);
            }
            "sync" => {
                let ticket = self.ticket(name, "sync");
                let sync = self.sync(name, options);
                self.group.sync(ticket, sync, time);
            }
            "heartbeat" | "commit" => {
                let client = self.clients.get(name);
                let (id, instance) = client.map_or((Str::from(name), None), |client| {
                    (client.member_id.clone(), client.instance.clone())
                });
                let id = options.get("id").map_or(id, |id| Str::from(*id));
                let generation = client.map_or(-1, |client| client.generation);
                let generation =
                    options.get("generation").map_or(generation, |number| number.parse().unwrap());
                let error = if command == "heartbeat" {
                    self.group.heartbeat(&id, instance.as_deref(), generation, time)
                } else {
                    let checked =
                        self.group.check_commit(&id, instance.as_deref(), generation, time);
                    checked.err().unwrap_or_default()
                };
                say(&mut self.log, error.name());
            }
            "leave" => {
                let member_id = self.clients.get(name).map(|client| client.member_id.clone());
                let member = MemberIdentity {
                    member_id: member_id
                        .filter(|_| !options.contains_key("static"))
                        .unwrap_or_default(),
                    group_instance_id: options.get("static").map(|id| Str::from(*id)),
                    reason: None,
                };
                let left = self.group.leave(vec![member], time);
                say(&mut self.log, left[0].error_code.name());
            }
            "drop" => {
                let ticket = self.tickets.iter().find(|(_, (owner, _))| owner == name);
                let ticket = *ticket.unwrap().0;
                self.tickets.remove(&ticket);
                self.group.abandon(ticket, time);
            }
            "hold" => self.holds = true,
            "stored" => self.end_store(time, Ok(())),
            "lost" => self.end_store(time, Err(ErrorCode::NotCoordinator)),
            "restart" => {
                self.tickets.clear();
                self.stores.clear();
                let dead = options.get("dead").copied().unwrap_or("nowhere");
                let durable = self.durable.clone().unwrap();
                self.group = ClassicGroup::restore(durable, dead, self.limits, time);
            }
            "look" => {
                let members: Vec<_> = self.group.members().map(|member| &*member.id).collect();
                let what = format!(
                    "{} {} {members:?}",
                    self.group.state().name(),
                    self.group.generation()
                );
                writeln!(self.log, "t={time} {what}").unwrap();
            }
            _ => panic!("no such command: {command}"),
        }
    }

    fn join(&mut self, name: &str, options: &BTreeMap<&str, &str>) -> Join {
        let number = |key: &str, default: i32| {
            options.get(key).map_or(default, |number| number.parse().unwrap())
        };
        let client = self.clients.entry(name.to_owned()).or_default();
        let version = number("v", 3);
        if options.contains_key("new") {
            client.member_id = Str::default();
        }
        if let Some(id) = options.get("id") {
            client.member_id = Str::from(*id);
        }
        client.ids += 1;
        client.instance = options.get("static").map(|id| Str::from(*id));
        let topics: Vec<&str> = options.get("topics").unwrap_or(&"t").split('+').collect();
        let protocols =
            options.get("p").unwrap_or(&"range").split('+').filter(|name| !name.is_empty());
        Join {
            member_id: client.member_id.clone(),
            instance_id: client.instance.clone(),
            client_id: Str::from(name),
            client_host: Str::from(*options.get("host").unwrap_or(&"/1.2.3.4")),
            session_timeout_ms: number("session", 10),
            rebalance_timeout_ms: number("rebalance", 20),
            protocol_type: Str::from(*options.get("type").unwrap_or(&"consumer")),
            protocols: protocols
                .map(|name| Protocol { name: Str::from(name), metadata: subscription(&topics) })
                .collect(),
            new_member_id: Str::from(format!("{name}{}", client.ids)),
            must_know_id: version >= 4,
            can_skip_assignment: version >= 9,
        }
    }

    fn sync(&self, name: &str, options: &BTreeMap<&str, &str>) -> MemberSync {
        let client = &self.clients[name];
        let assignments = options.get("give").into_iter().flat_map(|give| give.split('+'));
        let assignments = assignments.map(|one| {
            let (to, what) = one.split_once(':').unwrap();
            let member_id =
                self.clients.get(to).map_or(Str::from(to), |client| client.member_id.clone());
            SyncGroupRequestAssignment {
                member_id,
                assignment: Bytes::copy_from_slice(what.as_bytes()),
            }
        });
        MemberSync {
            member_id: options.get("id").map_or(client.member_id.clone(), |id| Str::from(*id)),
            instance_id: client.instance.clone(),
            generation: options
                .get("generation")
                .map_or(client.generation, |number| number.parse().unwrap()),
            protocol_type: options.get("type").map(|name| Str::from(*name)),
            protocol: options.get("protocol").map(|name| Str::from(*name)),
            assignments: assignments.collect(),
        }
    }

    fn end_store(&mut self, time: i64, result: Result<(), ErrorCode>) {
        let (id, metadata) = self.stores.pop_front().unwrap();
        if result.is_ok() {
            self.durable = Some(metadata);
        }
        self.group.stored(id, result, time);
    }

    fn act(&mut self, time: i64) {
        for action in self.group.take_actions() {
            match action {
                Action::AnswerJoin(ticket, answer) => {
                    let (name, _) = self.tickets.remove(&ticket).expect("answered once");
                    let client = self.clients.get_mut(&name).unwrap();
                    if !answer.error_code.is_error()
                        || answer.error_code == ErrorCode::MemberIdRequired
                    {
                        client.member_id = answer.member_id.clone();
                        client.generation = answer.generation_id;
                    }
                    let what = joined(&answer);
                    writeln!(self.log, "t={time} {name} joined: {what}").unwrap();
                }
                Action::AnswerSync(ticket, answer) => {
                    let (name, _) = self.tickets.remove(&ticket).expect("answered once");
                    let what = match answer.error_code {
                        ErrorCode::None => String::from_utf8_lossy(&answer.assignment).into_owned(),
                        error => error.name().to_owned(),
                    };
                    writeln!(self.log, "t={time} {name} synced: {what}").unwrap();
                }
                Action::Store(id, metadata) => {
                    let members = metadata.members.iter().map(|member| {
                        let assignment = String::from_utf8_lossy(&member.assignment).into_owned();
                        format!(" {}={assignment}", member.member_id)
                    });
                    let members: String = members.collect();
                    writeln!(self.log, "t={time} store {}{members}", metadata.generation).unwrap();
                    self.stores.push_back((id, *metadata));
                    if !self.holds {
                        self.end_store(time, Ok(()));
                        self.act(time);
                    }
                }
            }
        }
    }
}

fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0, 0, 0, 0, u8::try_from(topics.len()).unwrap()];
    for topic in topics {
        bytes.extend([0, u8::try_from(topic.len()).unwrap()]);
        bytes.extend(topic.as_bytes());
    }
    bytes.into()
}

fn joined(answer: &JoinGroupResponse) -> String {
    if answer.error_code.is_error() {
        return format!("{} {}", answer.error_code.name(), answer.member_id).trim_end().to_owned();
    }
    let members: Vec<_> = answer.members.iter().map(|member| &*member.member_id).collect();
    let protocol = answer.protocol_name.as_deref().unwrap_or("-");
    let mut text = format!(
        "{} of {} {protocol}, {} leads{}",
        answer.member_id,
        answer.generation_id,
        answer.leader,
        if answer.skip_assignment { ", assignment kept" } else { "" },
    );
    if !members.is_empty() {
        write!(text, " {}", members.join(" ")).unwrap();
    }
    text
}

#[test]
fn the_first_member_leads_and_gets_its_assignment_when_it_is_stored() {
    check(
        "
        t=0 hold
        t=0 join a
        t=1 sync a give=a:x
        t=2 look
        t=3 stored
        t=3 look
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 store 1 a1=x
        t=2 CompletingRebalance 1 [\"a1\"]
        t=3 a synced: x
        t=3 Stable 1 [\"a1\"]
        ",
    );
}

#[test]
fn from_version_4_on_a_new_member_comes_back_with_its_id() {
    check(
        "
        t=0 join a v=4
        t=1 join a v=4
        t=2 join b v=3
        t=3 join a v=4
        ",
        "
        t=0 a joined: MEMBER_ID_REQUIRED a1
        t=1 a joined: a1 of 1 range, a1 leads a1
        t=3 a joined: a1 of 2 range, a1 leads a1 b1
        t=3 b joined: b1 of 2 range, a1 leads
        ",
    );
}

#[test]
fn versions_0_to_3_are_never_asked_to_come_back() {
    for version in 0..=3 {
        let log = play(&format!("t=0 join a v={version}"));
        check_log(&log, "t=0 a joined: a1 of 1 range, a1 leads a1");
    }
}

#[test]
fn a_member_that_was_given_an_id_is_waited_for_until_its_session_ends() {
    check(
        "
        t=0 join a session=100
        t=0 sync a give=a:x
        t=1 join b v=4 session=10
        t=2 join c session=100
        t=3 join a session=100
        t=10 look
        t=11 look
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 store 1 a1=x
        t=0 a synced: x
        t=1 b joined: MEMBER_ID_REQUIRED b1
        t=10 PreparingRebalance 1 [\"a1\", \"c1\"]
        t=11 a joined: a1 of 2 range, a1 leads a1 c1
        t=11 c joined: c1 of 2 range, a1 leads
        t=11 CompletingRebalance 2 [\"a1\", \"c1\"]
        ",
    );
}

#[test]
fn members_that_do_not_rejoin_are_dropped_at_the_longest_rebalance_timeout() {
    check(
        "
        t=0 join a session=100 rebalance=30
        t=0 sync a give=a:x
        t=1 join b session=100 rebalance=20
        t=30 look
        t=31 look
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 store 1 a1=x
        t=0 a synced: x
        t=30 PreparingRebalance 1 [\"a1\", \"b1\"]
        t=31 b joined: b1 of 2 range, b1 leads b1
        t=31 CompletingRebalance 2 [\"b1\"]
        ",
    );
}

#[test]
fn a_member_without_heartbeats_is_dropped_at_the_end_of_its_session() {
    check(
        "
        t=0 join a
        t=0 sync a give=a:x
        t=9 heartbeat a
        t=18 heartbeat a
        t=27 look
        t=28 look
        t=29 heartbeat a
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 store 1 a1=x
        t=0 a synced: x
        t=9 heartbeat a: NONE
        t=18 heartbeat a: NONE
        t=27 Stable 1 [\"a1\"]
        t=28 store 2
        t=28 Empty 2 []
        t=29 heartbeat a: UNKNOWN_MEMBER_ID
        ",
    );
}

#[test]
fn sessions_stand_still_while_a_request_is_parked() {
    check(
        "
        t=0 join a session=10 rebalance=100
        t=0 join b session=10 rebalance=100
        t=0 join a session=10 rebalance=100
        t=1 sync b
        t=9 heartbeat a
        t=18 heartbeat a
        t=27 sync a give=a:x+b:y
        t=36 look
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=9 heartbeat a: NONE
        t=18 heartbeat a: NONE
        t=27 store 2 a1=x b1=y
        t=27 a synced: x
        t=27 b synced: y
        t=36 Stable 2 [\"a1\", \"b1\"]
        ",
    );
}

#[test]
fn a_new_member_that_is_parked_for_five_minutes_is_told_to_start_again() {
    let log = play(&format!(
        "
        t=0 join a session=1000000 rebalance=1000000
        t=0 sync a give=a:x
        t=0 join b session=1000 rebalance=1000000
        t={NEW_MEMBER_JOIN_TIMEOUT_MS} look
        "
    ));
    check_log(
        &log,
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 store 1 a1=x
        t=0 a synced: x
        t=300000 b joined: UNKNOWN_MEMBER_ID
        t=300000 PreparingRebalance 1 [\"a1\"]
        ",
    );
}

#[test]
fn in_a_stable_group_only_the_leader_or_a_change_is_reason_for_a_rebalance() {
    let start = "
        t=0 join a session=100
        t=0 join b session=100
        t=0 join a session=100
        t=0 sync b
        t=0 sync a give=a:x+b:y
    ";
    let skip = play(start).len();
    for (case, command, expected) in [
        (
            "a follower repeats itself",
            "t=1 join b session=100",
            "t=1 b joined: b1 of 2 range, a1 leads",
        ),
        (
            "a follower subscribes anew",
            "t=1 join b session=100 topics=u\nt=1 heartbeat a",
            "t=1 heartbeat a: REBALANCE_IN_PROGRESS",
        ),
        (
            "the leader repeats itself",
            "t=1 join a session=100\nt=1 heartbeat b",
            "t=1 heartbeat b: REBALANCE_IN_PROGRESS",
        ),
    ] {
        let log = play(&format!("{start}\n{command}"));
        assert_eq!(log[skip..].trim(), expected, "{case}");
    }
}

#[test]
fn while_assignments_are_awaited_a_repeated_join_gets_the_same_answer() {
    check(
        "
        t=0 join a
        t=1 join a
        t=2 join a topics=u
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 a joined: a1 of 1 range, a1 leads a1
        t=2 a joined: a1 of 2 range, a1 leads a1
        ",
    );
}

#[test]
fn a_member_that_comes_while_others_sync_sends_them_back() {
    check(
        "
        t=0 join a
        t=0 join b
        t=0 join a
        t=1 sync b
        t=2 join c
        t=3 sync a give=a:x+b:y
        t=4 join a
        t=4 join b
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=2 b synced: REBALANCE_IN_PROGRESS
        t=3 a synced: REBALANCE_IN_PROGRESS
        t=4 a joined: a1 of 3 range, a1 leads a1 b1 c1
        t=4 b joined: b1 of 3 range, a1 leads
        t=4 c joined: c1 of 3 range, a1 leads
        ",
    );
}

#[test]
fn an_assignment_that_is_stored_too_late_is_not_handed_out() {
    check(
        "
        t=0 hold
        t=0 join a
        t=1 sync a give=a:old
        t=2 join b
        t=3 stored
        t=4 join a
        t=5 sync a give=a:new+b:y
        t=5 sync b
        t=6 stored
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 store 1 a1=old
        t=2 a synced: REBALANCE_IN_PROGRESS
        t=4 a joined: a1 of 2 range, a1 leads a1 b1
        t=4 b joined: b1 of 2 range, a1 leads
        t=5 store 2 a1=new b1=y
        t=6 a synced: new
        t=6 b synced: y
        ",
    );
}

#[test]
fn when_the_assignment_cannot_be_stored_everybody_starts_again() {
    check(
        "
        t=0 hold
        t=0 join a session=100
        t=0 join b session=100
        t=0 join a session=100
        t=1 sync b
        t=1 sync a give=a:x+b:y
        t=2 lost
        t=3 heartbeat b
        t=3 join a session=100
        t=3 join b session=100
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=1 store 2 a1=x b1=y
        t=2 a synced: NOT_COORDINATOR
        t=2 b synced: NOT_COORDINATOR
        t=3 heartbeat b: REBALANCE_IN_PROGRESS
        t=3 a joined: a1 of 3 range, a1 leads a1 b1
        t=3 b joined: b1 of 3 range, a1 leads
        ",
    );
}

#[test]
fn members_that_do_not_sync_in_time_are_dropped() {
    check(
        "
        t=0 join a session=100 rebalance=20
        t=0 join b session=100 rebalance=20
        t=0 join a session=100 rebalance=20
        t=1 sync b
        t=20 look
        t=21 join b session=100
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=20 b synced: REBALANCE_IN_PROGRESS
        t=20 PreparingRebalance 2 [\"b1\"]
        t=21 b joined: b1 of 3 range, b1 leads b1
        ",
    );
}

#[test]
fn the_protocol_is_the_one_with_the_most_votes_that_all_members_have() {
    check(
        "
        t=0 join a p=sticky+range
        t=0 join b p=range+sticky
        t=0 join c p=rr+range+sticky
        t=1 join a p=sticky+range
        ",
        "
        t=0 a joined: a1 of 1 sticky, a1 leads a1
        t=1 a joined: a1 of 2 range, a1 leads a1 b1 c1
        t=1 b joined: b1 of 2 range, a1 leads
        t=1 c joined: c1 of 2 range, a1 leads
        ",
    );
}

#[test]
fn members_must_have_the_type_of_the_group_and_a_protocol_of_all() {
    check(
        "
        t=0 join a p=range
        t=1 join b p=sticky
        t=2 join c type=connect
        t=3 join d type=
        t=4 join e p=
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 b joined: INCONSISTENT_GROUP_PROTOCOL
        t=2 c joined: INCONSISTENT_GROUP_PROTOCOL
        t=3 d joined: INCONSISTENT_GROUP_PROTOCOL
        t=4 e joined: INCONSISTENT_GROUP_PROTOCOL
        ",
    );
}

#[test]
fn other_types_of_members_are_none_of_our_business() {
    check(
        "
        t=0 join a type=connect p=compatible topics=anything
        t=1 sync a give=a:opaque
        t=2 leave a
        t=3 join b type=sr p=v0
        ",
        "
        t=0 a joined: a1 of 1 compatible, a1 leads a1
        t=1 store 1 a1=opaque
        t=1 a synced: opaque
        t=2 leave a: NONE
        t=2 store 2
        t=3 b joined: b1 of 3 v0, b1 leads b1
        ",
    );
}

#[test]
fn a_full_group_takes_nobody_else() {
    let limits = GroupLimits { initial_rebalance_delay_ms: 0, max_size: 2 };
    let log = play_with(
        limits,
        "
        t=0 join a
        t=0 join b
        t=0 join c
        t=0 join a
        t=1 join c
        t=1 join a
        ",
    );
    check_log(
        &log,
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 c joined: GROUP_MAX_SIZE_REACHED
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=1 c joined: GROUP_MAX_SIZE_REACHED
        t=1 a joined: a1 of 2 range, a1 leads a1 b1
        ",
    );
}

#[test]
fn when_a_group_is_too_large_the_last_to_rejoin_lose_their_place() {
    let limits = GroupLimits { initial_rebalance_delay_ms: 0, max_size: 2 };
    let mut play = Play::new(limits);
    play.run(
        "
        t=0 join a
        t=0 join b
        t=0 join a
        t=1 sync b
        t=1 sync a give=a:x+b:y
    ",
    );
    play.limits.max_size = 1;
    play.log.clear();
    play.run(
        "
        t=2 restart
        t=3 join b
        t=4 join a
    ",
    );
    check_log(
        &play.log,
        "
        t=4 a joined: GROUP_MAX_SIZE_REACHED
        t=4 b joined: b1 of 3 range, b1 leads b1
        ",
    );
}

#[test]
fn a_new_group_waits_for_more_members_and_longer_when_they_come() {
    let limits = GroupLimits { initial_rebalance_delay_ms: 10, max_size: usize::MAX };
    let log = play_with(
        limits,
        "
        t=0 join a rebalance=25
        t=5 join b rebalance=25
        t=12 join c rebalance=25
        t=22 join d rebalance=25
        t=40 look
        ",
    );
    check_log(
        &log,
        "
        t=25 a joined: a1 of 1 range, a1 leads a1 b1 c1 d1
        t=25 b joined: b1 of 1 range, a1 leads
        t=25 c joined: c1 of 1 range, a1 leads
        t=25 d joined: d1 of 1 range, a1 leads
        t=35 store 2
        t=40 Empty 2 []
        ",
    );
}

#[test]
fn the_last_member_to_leave_ends_the_generation() {
    check(
        "
        t=0 join a
        t=1 sync a give=a:x
        t=2 leave a
        t=2 look
        t=3 join b
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 store 1 a1=x
        t=1 a synced: x
        t=2 leave a: NONE
        t=2 store 2
        t=2 Empty 2 []
        t=3 b joined: b1 of 3 range, b1 leads b1
        ",
    );
}

#[test]
fn a_rebalance_does_not_wait_for_members_that_leave() {
    check(
        "
        t=0 join a session=100
        t=0 join b session=100
        t=0 join a session=100
        t=1 join c session=100
        t=2 join a session=100
        t=3 leave b
        t=4 leave b
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=3 leave b: NONE
        t=3 a joined: a1 of 3 range, a1 leads a1 c1
        t=3 c joined: c1 of 3 range, a1 leads
        t=4 leave b: UNKNOWN_MEMBER_ID
        ",
    );
}

#[test]
fn a_static_member_that_restarts_keeps_its_assignment_without_a_rebalance() {
    check(
        "
        t=0 hold
        t=0 join a v=5 static=i session=100
        t=0 join b v=5 static=j session=100
        t=0 join a v=5 static=i session=100
        t=1 sync a give=a:x+b:y
        t=1 sync b
        t=1 stored
        t=2 join b new v=5 static=j session=100
        t=3 stored
        t=4 sync b
        t=5 heartbeat a
        t=6 heartbeat b id=b1
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=1 store 2 a1=x b1=y
        t=1 a synced: x
        t=1 b synced: y
        t=2 store 2 a1=x b2=y
        t=3 b joined: b2 of 2 range, a1 leads
        t=4 b synced: y
        t=5 heartbeat a: NONE
        t=6 heartbeat b: FENCED_INSTANCE_ID
        ",
    );
}

#[test]
fn a_leader_that_restarts_is_told_so_from_version_9_on() {
    let start = "
        t=0 join a v=5 static=i session=100
        t=1 sync a give=a:x
    ";
    let skip = play(start).len();
    for (version, expected) in [
        (9, "t=2 store 1 a2=x\nt=2 a joined: a2 of 1 range, a2 leads, assignment kept a2"),
        (8, "t=2 store 1 a2=x\nt=2 a joined: a2 of 1 range, a1 leads"),
    ] {
        let log = play(&format!("{start}\nt=2 join a new v={version} static=i session=100"));
        assert_eq!(log[skip..].trim(), expected, "version {version}");
    }
}

#[test]
fn a_static_member_that_changes_its_topics_is_reason_for_a_rebalance() {
    check(
        "
        t=0 join a v=5 static=i topics=t
        t=1 sync a give=a:x
        t=2 join a new v=5 static=i topics=t+u
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 store 1 a1=x
        t=1 a synced: x
        t=2 a joined: a2 of 2 range, a2 leads a2
        ",
    );
}

#[test]
fn a_static_member_that_cannot_be_stored_is_as_before() {
    check(
        "
        t=0 hold
        t=0 join a v=5 static=i
        t=1 sync a give=a:x
        t=1 stored
        t=2 join a new v=5 static=i
        t=3 lost
        t=4 heartbeat a id=a1
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 store 1 a1=x
        t=1 a synced: x
        t=2 store 1 a2=x
        t=3 a joined: NOT_COORDINATOR
        t=4 heartbeat a: NONE
        ",
    );
}

#[test]
fn a_second_process_of_a_static_member_fences_the_first_at_once() {
    check(
        "
        t=0 join a v=5 static=i session=100
        t=1 join b v=5 static=j session=100
        t=2 join c v=5 static=j session=100
        t=3 join a v=5 static=i session=100
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=2 b joined: FENCED_INSTANCE_ID b1
        t=3 a joined: a1 of 2 range, a1 leads a1 c1
        t=3 c joined: c1 of 2 range, a1 leads
        ",
    );
}

#[test]
fn static_members_stay_until_their_session_ends_and_can_be_removed_by_name() {
    check(
        "
        t=0 join a v=5 static=i session=100 rebalance=10
        t=0 join b v=5 static=j session=50 rebalance=10
        t=0 join a v=5 static=i session=100 rebalance=10
        t=1 sync b
        t=1 sync a give=a:x+b:y
        t=2 join a v=5 static=i session=100 rebalance=10
        t=12 sync a give=a:x+b:y
        t=13 look
        t=51 look
        t=52 leave a static=i
        t=52 look
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=1 store 2 a1=x b1=y
        t=1 a synced: x
        t=1 b synced: y
        t=12 a joined: a1 of 3 range, a1 leads a1 b1
        t=12 store 3 a1=x b1=y
        t=12 a synced: x
        t=13 Stable 3 [\"a1\", \"b1\"]
        t=51 PreparingRebalance 3 [\"a1\"]
        t=52 leave a: NONE
        t=52 store 4
        t=52 Empty 4 []
        ",
    );
}

#[test]
fn commits_are_judged_by_member_generation_and_state() {
    check(
        "
        t=0 commit nobody id= generation=-1
        t=0 join a session=100
        t=1 commit a
        t=2 sync a give=a:x
        t=3 commit a
        t=3 commit a generation=0
        t=3 commit a id=other
        t=3 commit nobody id= generation=-1
        t=4 join b session=100
        t=5 commit a
        t=6 leave a
        t=6 commit a
        ",
        "
        t=0 commit nobody: NONE
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 commit a: REBALANCE_IN_PROGRESS
        t=2 store 1 a1=x
        t=2 a synced: x
        t=3 commit a: NONE
        t=3 commit a: ILLEGAL_GENERATION
        t=3 commit a: UNKNOWN_MEMBER_ID
        t=3 commit nobody: UNKNOWN_MEMBER_ID
        t=5 commit a: NONE
        t=6 leave a: NONE
        t=6 b joined: b1 of 2 range, b1 leads b1
        t=6 commit a: UNKNOWN_MEMBER_ID
        ",
    );
}

#[test]
fn a_sync_must_fit_the_generation_and_its_protocol() {
    check(
        "
        t=0 join a session=100
        t=1 sync a generation=7
        t=1 sync a id=other
        t=1 sync a type=connect
        t=1 sync a protocol=rr
        t=1 sync a type=consumer protocol=range give=a:x
        t=2 sync a
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 a synced: ILLEGAL_GENERATION
        t=1 a synced: UNKNOWN_MEMBER_ID
        t=1 a synced: INCONSISTENT_GROUP_PROTOCOL
        t=1 a synced: INCONSISTENT_GROUP_PROTOCOL
        t=1 store 1 a1=x
        t=1 a synced: x
        t=2 a synced: x
        ",
    );
}

#[test]
fn who_gets_no_assignment_gets_an_empty_one() {
    check(
        "
        t=0 join a
        t=0 join b
        t=0 join a
        t=1 sync a give=a:x+stranger:z
        t=1 sync b
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=1 store 2 a1=x b1=
        t=1 a synced: x
        t=1 b synced:
        ",
    );
}

#[test]
fn a_client_that_is_gone_while_it_joins_leaves_nothing_behind() {
    check(
        "
        t=0 join a session=100
        t=0 sync a give=a:x
        t=1 join b session=100
        t=2 drop b
        t=3 look
        t=3 join a session=100
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 store 1 a1=x
        t=0 a synced: x
        t=3 PreparingRebalance 1 [\"a1\"]
        t=3 a joined: a1 of 2 range, a1 leads a1
        ",
    );
}

#[test]
fn a_member_whose_connection_is_lost_has_its_session_to_come_back() {
    check(
        "
        t=0 join a session=100
        t=0 join b v=4 session=10
        t=0 join b v=4 session=10
        t=1 drop b
        t=2 join a session=100
        t=10 look
        t=11 look
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 b joined: MEMBER_ID_REQUIRED b1
        t=10 PreparingRebalance 1 [\"a1\", \"b1\"]
        t=11 a joined: a1 of 2 range, a1 leads a1
        t=11 CompletingRebalance 2 [\"a1\"]
        ",
    );
}

#[test]
fn a_request_that_is_sent_twice_ends_the_first() {
    check(
        "
        t=0 join a session=100
        t=0 join b session=100
        t=0 join a session=100
        t=1 sync b
        t=2 sync b
        t=3 join a session=100 topics=u
        t=4 join a session=100 topics=u
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=2 b synced: REBALANCE_IN_PROGRESS
        t=3 b synced: REBALANCE_IN_PROGRESS
        t=4 a joined: REBALANCE_IN_PROGRESS a1
        ",
    );
}

#[test]
fn after_a_restart_members_go_on_in_their_generation() {
    check(
        "
        t=0 join a session=50
        t=0 join b session=50
        t=0 join a session=50
        t=1 sync b
        t=1 sync a give=a:x+b:y
        t=40 restart
        t=80 heartbeat a
        t=80 commit b
        t=81 sync b
        t=120 look
        t=131 look
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=1 store 2 a1=x b1=y
        t=1 a synced: x
        t=1 b synced: y
        t=80 heartbeat a: NONE
        t=80 commit b: NONE
        t=81 b synced: y
        t=120 Stable 2 [\"a1\", \"b1\"]
        t=131 store 3
        t=131 Empty 3 []
        ",
    );
}

#[test]
fn after_a_restart_members_of_the_former_process_are_gone_at_once() {
    check(
        "
        t=0 join a session=50 host=here
        t=1 sync a give=a:x
        t=2 restart dead=here
        t=2 look
        t=3 join b session=50
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 store 1 a1=x
        t=1 a synced: x
        t=2 store 2
        t=2 Empty 2 []
        t=3 b joined: b1 of 3 range, b1 leads b1
        ",
    );
}

#[test]
fn after_a_restart_without_some_members_the_others_rebalance() {
    check(
        "
        t=0 join a session=50 host=here
        t=0 join b session=50
        t=0 join a session=50 host=here
        t=1 sync b
        t=1 sync a give=a:x+b:y
        t=2 restart dead=here
        t=3 heartbeat b
        t=4 join b session=50
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=0 a joined: a1 of 2 range, a1 leads a1 b1
        t=0 b joined: b1 of 2 range, a1 leads
        t=1 store 2 a1=x b1=y
        t=1 a synced: x
        t=1 b synced: y
        t=3 heartbeat b: REBALANCE_IN_PROGRESS
        t=4 b joined: b1 of 3 range, b1 leads b1
        ",
    );
}

#[test]
fn two_rebalances_in_a_row_keep_the_leader_and_let_members_commit() {
    check(
        "
        t=0 join a p=cooperative-sticky
        t=0 join b p=cooperative-sticky
        t=0 join a p=cooperative-sticky
        t=1 sync b
        t=1 sync a give=a:x+b:y
        t=2 join b p=cooperative-sticky topics=u
        t=3 commit a
        t=3 heartbeat a
        t=4 join a p=cooperative-sticky
        t=5 sync b
        t=5 sync a give=a:x+b:z
        ",
        "
        t=0 a joined: a1 of 1 cooperative-sticky, a1 leads a1
        t=0 a joined: a1 of 2 cooperative-sticky, a1 leads a1 b1
        t=0 b joined: b1 of 2 cooperative-sticky, a1 leads
        t=1 store 2 a1=x b1=y
        t=1 a synced: x
        t=1 b synced: y
        t=3 commit a: NONE
        t=3 heartbeat a: REBALANCE_IN_PROGRESS
        t=4 a joined: a1 of 3 cooperative-sticky, a1 leads a1 b1
        t=4 b joined: b1 of 3 cooperative-sticky, a1 leads
        t=5 store 3 a1=x b1=z
        t=5 a synced: x
        t=5 b synced: z
        ",
    );
}

#[test]
fn concurrent_rejoins_of_three_members_lose_nobody() {
    check(
        "
        t=0 join a session=100
        t=0 join b session=100
        t=0 join c session=100
        t=1 join a session=100
        t=2 sync b
        t=2 sync c
        t=2 sync a give=a:x+b:y+c:z
        t=3 join c session=100 topics=u
        t=3 join b session=100
        t=3 join a session=100
        t=4 heartbeat c
        ",
        "
        t=0 a joined: a1 of 1 range, a1 leads a1
        t=1 a joined: a1 of 2 range, a1 leads a1 b1 c1
        t=1 b joined: b1 of 2 range, a1 leads
        t=1 c joined: c1 of 2 range, a1 leads
        t=2 store 2 a1=x b1=y c1=z
        t=2 a synced: x
        t=2 b synced: y
        t=2 c synced: z
        t=3 a joined: a1 of 3 range, a1 leads a1 b1 c1
        t=3 b joined: b1 of 3 range, a1 leads
        t=3 c joined: c1 of 3 range, a1 leads
        t=4 heartbeat c: NONE
        ",
    );
}

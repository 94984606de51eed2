//! Whether cost grows with what a server holds, or only with what it does.

use super::produce::{BASE, Load};
use super::{Cases, warm};
use crate::Bench;
use crate::generator::{Sample, create_topic, delete_topic, in_turns};
use crate::results::Section;
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "growth",
    about: "the base case of produce at 10 times the partitions, topics, connections, history",
    title: "Growth",
    text: &[
        "The base case of producing, and the same with ten times the partitions or connections, with 100 topics of 16 partitions \
        besides, and with 8 GB in the topic before.",
    ],
    measure,
};

/// Topics besides the one that is written to; ten times the usual.
const TOPICS: u32 = 100;
/// Bytes that are in the topic before.
const HISTORY: u64 = 8_000_000_000;

fn measure(bench: &Bench, mut section: Section) -> Section {
    let servers = warm(bench, &[Kind::Ottla, Kind::Kafka]);
    let topic = "growth";
    let measure = |section: &mut Section, case: &str, load: Load, prepare: &dyn Fn(&Server)| {
        servers.iter().for_each(|server| create_topic(server, topic, load.partitions));
        servers.iter().for_each(prepare);
        let run = |server: &Server, records| -> Sample { load.run(server, topic, records) };
        section.rows.extend(in_turns(bench, case, &servers, run));
        servers.iter().for_each(|server| delete_topic(server, topic));
    };
    let nothing = |_: &Server| ();
    measure(&mut section, BASE, Load::BASE, &nothing);
    let partitions = Load { partitions: 160, ..Load::BASE };
    measure(&mut section, "10 times the partitions", partitions, &nothing);
    let connections = Load { callers: 640, ..Load::BASE };
    measure(&mut section, "10 times the connections", connections, &nothing);
    let history = |server: &Server| {
        let load = Load { batch_records: 100, callers: 4, ..Load::BASE };
        load.run(server, topic, HISTORY / 1024);
    };
    measure(&mut section, "10 times the history", Load::BASE, &history);
    let topics = |server: &Server| {
        (0..TOPICS).for_each(|number| create_topic(server, &format!("growth-{number}"), 16));
    };
    measure(&mut section, "10 times the topics", Load::BASE, &topics);
    section
}

//! The groups of cases, in the order in which the page shows them. Cases of a
//! group differ from its base case in one thing.

mod consume;
mod growth;
mod idle;
mod kafka_tools;
mod latency;
mod produce;
mod registry;
mod rest;
mod start;

pub(crate) use produce::Load as Produce;
pub(crate) use rest::Load as Rest;

use crate::results::Section;
use crate::servers::{Kind, Server};
use crate::{Bench, generator, machine};

/// A group of cases.
pub(crate) struct Cases {
    pub(crate) name: &'static str,
    /// For the usage.
    pub(crate) about: &'static str,
    pub(crate) title: &'static str,
    /// Paragraphs: what is done, and what explains the figures.
    pub(crate) text: &'static [&'static str],
    /// Fills the section.
    pub(crate) measure: fn(&Bench, Section) -> Section,
}

pub(crate) const ALL: &[Cases] = &[
    produce::CASES,
    consume::CASES,
    latency::CASES,
    kafka_tools::CASES,
    rest::CASES,
    registry::CASES,
    start::CASES,
    idle::CASES,
    growth::CASES,
];

impl Cases {
    /// The section that is to be filled.
    pub(crate) fn section(&self, bench: &Bench) -> Section {
        Section {
            name: self.name.to_owned(),
            machine: machine::describe(&bench.folder),
            date: machine::date(),
            columns: generator::columns(),
            rows: Vec::new(),
            budgets: Vec::new(),
            plotted: generator::RATE,
        }
    }
}

/// Starts one of each, and lets them run until they are warm.
fn warm(bench: &Bench, kinds: &[Kind]) -> Vec<Server> {
    let servers: Vec<Server> =
        kinds.iter().map(|kind| Server::start(*kind, &bench.folder)).collect();
    for server in servers.iter().filter(|server| server.kind != Kind::Floor) {
        eprintln!("warming up: {:?}", server.kind);
        let run = |records| produce::Load::BASE.run(server, "warm-up", records);
        // Java compiles what is used often, again and again, and that takes a while.
        let runs = if matches!(server.kind, Kind::Kafka | Kind::KafkaDurable) { 8 } else { 1 };
        let records = generator::records_of_a_run(bench, run);
        (0..runs).for_each(|_| _ = run(records));
        generator::delete_topic(server, "warm-up");
    }
    servers
}

/// All four brokers.
const BROKERS: [Kind; 4] = [Kind::Ottla, Kind::KafkaDurable, Kind::OttlaOs, Kind::Kafka];

//! The Schema Registry.

use super::{Cases, warm};
use crate::Bench;
use crate::generator::{Sample, in_turns, run_and_count};
use crate::results::Section;
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "registry",
    about: "Schema Registry: registrations and look-ups by id",
    title: "Schema Registry",
    text: &[
        "Small Avro schemas, each registered under a subject of its own; an answer waits until the schema is on the disk. Look-ups \
        by id go around 1,000 schemas. A record is a request here.",
    ],
    measure,
};

fn measure(bench: &Bench, mut section: Section) -> Section {
    let servers = warm(bench, &[Kind::Ottla]);
    for (case, option, connections) in [
        ("register, 1 connection", "--schemas", "1"),
        ("register, 64 connections", "--schemas", "64"),
        ("look up, 1 connection", "--lookups", "1"),
        ("look up, 64 connections", "--lookups", "64"),
    ] {
        let run = |server: &Server, count| -> Sample {
            run_and_count(server, "registry", option, count, &["--connections", connections])
        };
        section.rows.extend(in_turns(bench, case, &servers, run));
    }
    section
}

//! Producing and consuming over REST, beside a server that does the least it can.

use super::{Cases, warm};
use crate::Bench;
use crate::generator::{CPU, P50, Sample, create_topic, delete_topic, in_turns, in_turns_of, run};
use crate::results::Section;
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "rest",
    about: "REST: records per request, formats, connections, beside a bare HTTP server",
    title: "REST",
    text: &[
        "`POST /topics/{topic}` with values of 100 B to 1 partition; if nothing else is said JSON over 64 keep-alive connections with \
        one request in flight each. The floor is a bare actix-web server that parses the same bodies and answers as many bytes, \
        without Kafka and without a disk: no server of this kind can cost less.",
        "Consuming: one consumer instance reads 2 million records of 100 B with `GET …/records`.",
        "What Ottla does beyond the floor: it hands a request over to the broker and waits with it for the disk (with one record a \
        request about half of the difference is that of threads that wake each other), scans each value as JSON, builds the \
        batch with its checksum, and writes it (with 1,000 records the copy into the page cache alone is a sixth of all).",
    ],
    measure,
};

/// A load of `ottla bench rest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) format: &'static str,
    pub(crate) records_per_request: u32,
    pub(crate) connections: u32,
}

impl Load {
    pub(crate) const BASE: Self =
        Self { format: "json", records_per_request: 100, connections: 64 };

    /// Produces to a topic, which is there.
    pub(crate) fn run(&self, server: &Server, topic: &str, records: u64) -> Sample {
        let [each, connections] =
            [self.records_per_request, self.connections].map(|number| number.to_string());
        let mut arguments = vec!["--topic", topic, "--record-size", "100", "--format", self.format];
        arguments.extend(["--records-per-request", &each, "--connections", &connections]);
        run(server, "rest", records, &arguments)
    }
}

/// With the budget of the CPU time by that of the floor.
const LOADS: &[(&str, Load, Option<f64>)] = &[
    ("1 record a request", Load { records_per_request: 1, ..Load::BASE }, Some(2.0)),
    ("100 records a request", Load::BASE, Some(2.4)),
    ("1,000 records a request", Load { records_per_request: 1000, ..Load::BASE }, Some(2.4)),
    (SINGLE, Load { records_per_request: 1, connections: 1, ..Load::BASE }, None),
    (
        "1 record, 512 connections",
        Load { records_per_request: 1, connections: 512, ..Load::BASE },
        None,
    ),
    ("binary, 100 records", Load { format: "binary", ..Load::BASE }, None),
    ("Avro, 100 records", Load { format: "avro", ..Load::BASE }, None),
];

const SINGLE: &str = "1 record, 1 connection";
const CONSUME: &str = "consume JSON";
/// Of 100 B, that are consumed.
const RECORDS: u64 = 2_000_000;

fn measure(bench: &Bench, mut section: Section) -> Section {
    let servers = warm(bench, &[Kind::Ottla, Kind::Floor]);
    let ottla = &servers[..1];
    let topic = "rest";
    for (case, load, budget) in LOADS {
        create_topic(&ottla[0], topic, 1);
        let run = |server: &Server, records| load.run(server, topic, records);
        section.rows.extend(in_turns(bench, case, &servers, run));
        delete_topic(&ottla[0], topic);
        if let Some(budget) = budget {
            let [ours, floor] =
                [Kind::Ottla, Kind::Floor].map(|kind| section.median(case, kind, CPU));
            let text = format!("CPU per request by the floor's, {case}");
            section.at_most(&text, ours / floor, *budget);
        }
    }
    for (case, format) in [(CONSUME, "json"), ("consume Avro", "avro")] {
        create_topic(&ottla[0], topic, 1);
        Load { format, records_per_request: 1000, ..Load::BASE }.run(&ottla[0], topic, RECORDS);
        let arguments = ["--topic", topic, "--format", format];
        let consume = |server: &Server, records| run(server, "rest-consume", records, &arguments);
        section.rows.extend(in_turns_of(bench, case, ottla, RECORDS, consume));
        delete_topic(&ottla[0], topic);
    }
    let p50 = section.median(SINGLE, Kind::Ottla, P50);
    section.at_most("p50 of 1 record, 1 connection, durable, in ms", p50 / 1e3, 0.6);
    let consumed = 1.0 / section.median(CONSUME, Kind::Ottla, CPU);
    section.at_least("million JSON records consumed per CPU-second", consumed, 0.8);
    section
}

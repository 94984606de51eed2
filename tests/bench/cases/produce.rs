//! Producing with Kafka's protocol.

use super::{BROKERS, Cases, warm};
use crate::Bench;
use crate::generator::{CPU, RATE, Sample, create_topic, delete_topic, in_turns, run};
use crate::results::Section;
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "produce",
    about: "Kafka's protocol: record sizes, partitions, acks, codecs, callers",
    title: "Produce",
    text: &[
        "Base case: records of 1 KiB in batches of 16, 16 partitions, acks=all, no compression, 64 callers (connections with one \
        request in flight each). All other cases differ from it in what their name says.",
        "Batches are prepared before the clock starts and sent by `ottla bench produce`, which takes its share of the same cores. \
        With acks=1 Ottla's default does not wait for the disk either.",
    ],
    measure,
};

/// A load of `ottla bench produce`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(super) partitions: u32,
    pub(super) record_size: u32,
    pub(super) batch_records: u32,
    /// Connections, each with one request in flight.
    pub(super) callers: u32,
    pub(super) acks: &'static str,
    pub(super) compression: &'static str,
    pub(super) is_idempotent: bool,
}

impl Load {
    /// Batches of 16 KiB, as Kafka's producer makes them.
    pub(crate) const BASE: Self = Self {
        partitions: 16,
        record_size: 1024,
        batch_records: 16,
        callers: 64,
        acks: "all",
        compression: "none",
        is_idempotent: false,
    };

    /// Produces to a topic, which is created if it is missing.
    pub(crate) fn run(&self, server: &Server, topic: &str, records: u64) -> Sample {
        let [partitions, record_size, batch_records, callers] =
            [self.partitions, self.record_size, self.batch_records, self.callers]
                .map(|number| number.to_string());
        let mut arguments = vec!["--topic", topic, "--partitions", &partitions];
        arguments.extend(["--record-size", &record_size, "--batch-records", &batch_records]);
        arguments.extend(["--connections", &callers, "--in-flight", "1", "--acks", self.acks]);
        arguments.extend(["--compression", self.compression]);
        if self.is_idempotent {
            arguments.push("--idempotent");
        }
        run(server, "produce", records, &arguments)
    }
}

pub(super) const BASE: &str = "base";

const LOADS: &[(&str, Load)] = &[
    (BASE, Load::BASE),
    ("records of 100 B", Load { record_size: 100, batch_records: 160, ..Load::BASE }),
    ("1 partition", Load { partitions: 1, ..Load::BASE }),
    ("100 partitions", Load { partitions: 100, ..Load::BASE }),
    ("1,000 partitions", Load { partitions: 1000, ..Load::BASE }),
    ("acks=1", Load { acks: "1", ..Load::BASE }),
    ("idempotent", Load { is_idempotent: true, ..Load::BASE }),
    ("lz4", Load { compression: "lz4", ..Load::BASE }),
    ("zstd", Load { compression: "zstd", ..Load::BASE }),
    ("1 caller, 1 record a request", Load { callers: 1, batch_records: 1, ..Load::BASE }),
    ("64 callers, 1 record a request", Load { batch_records: 1, ..Load::BASE }),
    ("512 callers, 1 record a request", Load { callers: 512, batch_records: 1, ..Load::BASE }),
];

fn measure(bench: &Bench, mut section: Section) -> Section {
    let servers = warm(bench, &BROKERS);
    for (case, load) in LOADS {
        let topic = "produce";
        servers.iter().for_each(|server| create_topic(server, topic, load.partitions));
        let run = |server: &Server, records| load.run(server, topic, records);
        section.rows.extend(in_turns(bench, case, &servers, run));
        servers.iter().for_each(|server| delete_topic(server, topic));
    }
    let ratio = |section: &Section, ours, kafkas, column| {
        section.median(BASE, ours, column) / section.median(BASE, kafkas, column)
    };
    for (what, kafkas, rate, cpu) in [
        ("both durable", Kind::KafkaDurable, 4.0, 0.25),
        ("neither waits for the disk", Kind::Kafka, 1.0, 0.5),
    ] {
        let ours = if kafkas == Kind::Kafka { Kind::OttlaOs } else { Kind::Ottla };
        let measured = ratio(&section, ours, kafkas, RATE);
        section.at_least(&format!("throughput by Apache Kafka's, {what}"), measured, rate);
        let measured = ratio(&section, ours, kafkas, CPU);
        section.at_most(&format!("CPU per record by Apache Kafka's, {what}"), measured, cpu);
    }
    let measured = ratio(&section, Kind::Ottla, Kind::Kafka, RATE);
    section.at_least("throughput of our durable default by Apache Kafka's default", measured, 0.9);
    section
}

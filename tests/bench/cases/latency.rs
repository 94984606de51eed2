//! The time from producing a record to consuming it.

use super::{BROKERS, Cases, warm};
use crate::Bench;
use crate::generator::{P50, P99, Sample, create_topic, in_turns, in_turns_of, run};
use crate::results::Section;
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "latency",
    about: "from producing a record to consuming it, at four rates",
    title: "Produce to consume",
    text: &[
        "Records of 1 KiB to 16 partitions, acks=all, one record a request, by `ottla bench latency`. With a rate the load is open: \
        each record has a time at which it is meant to be sent, its latency counts from then, and up to 512 are under way. A \
        server that cannot keep up shows that as latency.",
    ],
    measure,
};

const TOPIC: &str = "latency";
const ONE: &str = "one at a time";

fn measure(bench: &Bench, mut section: Section) -> Section {
    section.plotted = P50;
    let servers = warm(bench, &BROKERS);
    servers.iter().for_each(|server| create_topic(server, TOPIC, 16));
    let base = ["--topic", TOPIC, "--record-size", "1024"];
    let one = |server: &Server, records| run(server, "latency", records, &base);
    // As many as the slowest gets through in some seconds.
    section.rows.extend(in_turns_of(bench, ONE, &servers, 2_000, one));
    for (case, rate) in
        [("1,000 records/s", "1000"), ("10,000 records/s", "10000"), ("50,000 records/s", "50000")]
    {
        let open = |server: &Server, records| -> Sample {
            let mut arguments = base.to_vec();
            arguments.extend(["--rate", rate, "--in-flight", "512"]);
            run(server, "latency", records, &arguments)
        };
        section.rows.extend(in_turns(bench, case, &servers, open));
    }
    let (p50, p99) = (section.median(ONE, Kind::Ottla, P50), section.median(ONE, Kind::Ottla, P99));
    section.at_most("p50 of one record at a time, durable, in ms", p50 / 1e3, 0.5);
    section.at_most("p99 of one record at a time, durable, in ms", p99 / 1e3, 2.0);
    section
}

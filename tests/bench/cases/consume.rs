//! Consuming with Kafka's protocol.

use std::path::Path;

use super::produce::Load;
use super::{Cases, warm};
use crate::Bench;
use crate::generator::{CPU, RATE, in_turns_of, run};
use crate::results::Section;
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "consume",
    about: "Kafka's protocol: hot and cold, 1 and 16 consumers",
    title: "Consume",
    text: &[
        "4 million records of 1 KiB in 16 partitions, read from their beginning by `ottla bench consume`. Hot: the data is in the \
        page cache. Cold: it was dropped from there before each run. At 1 KiB a record, 1 µs per record is 1.05 s of CPU time \
        per GiB.",
        "Both servers let the kernel send the files (`sendfile`), and nearly all CPU time of both is its own and that of TCP over \
        the loopback device: a profile of Ottla has less than a tenth outside the kernel. That is why half of Apache Kafka's \
        CPU time is out of reach here.",
    ],
    measure,
};

/// Of 1 KiB.
const RECORDS: u64 = 4_000_000;
const TOPIC: &str = "consume";
const HOT: &str = "hot, 1 consumer";

fn measure(bench: &Bench, mut section: Section) -> Section {
    let servers = warm(bench, &[Kind::Ottla, Kind::Kafka]);
    for server in &servers {
        Load { batch_records: 100, callers: 4, ..Load::BASE }.run(server, TOPIC, RECORDS);
    }
    rustix::fs::sync();
    for (case, consumers, is_cold) in [
        (HOT, "1", false),
        ("hot, 16 consumers", "16", false),
        ("cold, 1 consumer", "1", true),
        ("cold, 16 consumers", "16", true),
    ] {
        let run = |server: &Server, records| {
            if is_cold {
                forget(&bench.folder);
            }
            run(server, "consume", records, &["--topic", TOPIC, "--consumers", consumers])
        };
        section.rows.extend(in_turns_of(bench, case, &servers, RECORDS, run));
    }
    let ratio = |column| {
        section.median(HOT, Kind::Ottla, column) / section.median(HOT, Kind::Kafka, column)
    };
    let (rate, cpu) = (ratio(RATE), ratio(CPU));
    section.at_least("throughput by Apache Kafka's, hot", rate, 1.0);
    section.at_most("CPU per record by Apache Kafka's, hot", cpu, 0.5);
    section
}

/// Drops all files below the folder from the page cache. They must have been written.
fn forget(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            forget(&path);
        } else if let Ok(file) = std::fs::File::open(&path) {
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        }
    }
}

//! Kafka's own performance tools, on both brokers.

use std::path::PathBuf;
use std::process::Command;

use super::{BROKERS, Cases, warm};
use crate::Bench;
use crate::generator::{P50, RATE, Sample, create_topic, in_turns_of, measured};
use crate::results::{Row, Section};
use crate::servers::Server;

pub(super) const CASES: Cases = Cases {
    name: "kafka-tools",
    about: "Kafka's ProducerPerformance, ConsumerPerformance and EndToEndLatency",
    title: "Kafka's own tools",
    text: &[
        "Kafka's ProducerPerformance (acks=all, idempotent, batches of 16 KiB: its defaults), ConsumerPerformance and \
        EndToEndLatency; records of 1 KiB, 16 partitions. These Java programs take most of the cores, so the CPU time of the \
        server says more than the throughput. EndToEndLatency tells whole milliseconds.",
    ],
    measure,
};

const TOPIC: &str = "tools";
/// Of 1 KiB; also consumed.
const RECORDS: u64 = 200_000;
/// As many as EndToEndLatency sends, one at a time.
const ROUND_TRIPS: u64 = 2_000;

fn measure(bench: &Bench, mut section: Section) -> Section {
    let jars = jars();
    let servers = warm(bench, &BROKERS);
    servers.iter().for_each(|server| create_topic(server, TOPIC, 16));
    let produce = |server: &Server, records| produce(&jars, server, records);
    section.rows.extend(in_turns_of(bench, "ProducerPerformance", &servers, RECORDS, produce));
    let consume = |server: &Server, records| consume(&jars, server, records);
    let rows = in_turns_of(bench, "ConsumerPerformance", &servers, RECORDS, consume);
    section.rows.extend(rows.into_iter().map(without_latency));
    let round_trip = |server: &Server, records| round_trip(&jars, server, records);
    let mut rows = in_turns_of(bench, "EndToEndLatency", &servers, ROUND_TRIPS, round_trip);
    // It does not tell how long it took.
    rows.iter_mut().for_each(|row| row.cells[RATE] = None);
    section.rows.extend(rows);
    section
}

fn without_latency(mut row: Row) -> Row {
    row.cells[P50..P50 + 3].fill(None);
    row
}

fn jars() -> PathBuf {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("scripts/apache-kafka-jars")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// Runs a tool and gives what it printed and what the server took.
fn tool(jars: &std::path::Path, server: &Server, arguments: &[&str]) -> (String, f64, f64) {
    let mut command = Command::new("java");
    command.arg("-cp").arg(jars.join("*"));
    command.arg(format!("org.apache.kafka.tools.{}", arguments[0])).args(&arguments[1..]);
    rustix::fs::sync();
    let (output, cpu, peak_mib) = measured(server, || command.output().unwrap());
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), cpu.as_micros() as f64, peak_mib)
}

/// The number before a word.
fn before(line: &str, word: &str) -> f64 {
    let number =
        line.split(word).next().and_then(|rest| rest.trim().rsplit([' ', '(', ',']).next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{word}: {line}"))
}

fn produce(jars: &std::path::Path, server: &Server, records: u64) -> Sample {
    let count = records.to_string();
    let bootstrap = server.bootstrap.as_str();
    let mut arguments = vec!["ProducerPerformance", "--topic", TOPIC, "--num-records", &count];
    arguments.extend(["--record-size", "1024", "--throughput", "-1"]);
    arguments.extend(["--bootstrap-server", bootstrap, "--command-property", "acks=all"]);
    let (printed, cpu, peak_mib) = tool(jars, server, &arguments);
    let line = printed.lines().rfind(|line| line.contains("99.9th")).expect("a summary");
    Sample {
        rate: before(line, "records/sec"),
        cpu_micros: cpu / records as f64,
        p50: before(line, "ms 50th") * 1e3,
        p99: before(line, "ms 99th") * 1e3,
        p99_9: before(line, "ms 99.9th") * 1e3,
        peak_mib,
    }
}

fn consume(jars: &std::path::Path, server: &Server, records: u64) -> Sample {
    let count = records.to_string();
    let bootstrap = server.bootstrap.as_str();
    let mut arguments = vec!["ConsumerPerformance", "--bootstrap-server", bootstrap];
    arguments.extend(["--topic", TOPIC, "--num-records", &count, "--timeout", "30000"]);
    let (printed, cpu, peak_mib) = tool(jars, server, &arguments);
    let mut lines = printed.lines().filter(|line| line.contains(", "));
    let names = lines.next().expect("names of columns").split(", ");
    let values = lines.next_back().expect("figures").split(", ");
    let figures: std::collections::HashMap<&str, &str> = names.zip(values).collect();
    let consumed: f64 = figures["data.consumed.in.nMsg"].parse().unwrap();
    Sample {
        // Without the time that joining the group took.
        rate: figures["fetch.nMsg.sec"].parse().unwrap(),
        cpu_micros: cpu / consumed,
        p50: 0.0,
        p99: 0.0,
        p99_9: 0.0,
        peak_mib,
    }
}

fn round_trip(jars: &std::path::Path, server: &Server, records: u64) -> Sample {
    let count = records.to_string();
    let arguments = ["EndToEndLatency", &server.bootstrap, TOPIC, &count, "all", "1024"];
    let (printed, cpu, peak_mib) = tool(jars, server, &arguments);
    let line = printed.lines().find(|line| line.contains("99.9th")).expect("percentiles");
    let after = |name: &str| {
        let rest = line.split(name).nth(1).and_then(|rest| rest.split(',').next());
        let number =
            rest.and_then(|rest| rest.trim_start_matches([' ', '=']).trim().parse::<f64>().ok());
        number.unwrap_or_else(|| panic!("{name}: {line}")) * 1e3
    };
    Sample {
        rate: 0.0,
        cpu_micros: cpu / records as f64,
        p50: after("50th"),
        p99: after("99th"),
        p99_9: after("99.9th"),
        peak_mib,
    }
}

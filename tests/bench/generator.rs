//! Loads on servers, and what they cost there.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Bench;
use crate::page;
use crate::results::{Column, Row, Spread, Unit};
use crate::servers::{Kind, Server};

/// What one run of a load has shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Records a second.
    pub(crate) rate: f64,
    /// Of the server for each record, in microseconds.
    pub(crate) cpu_micros: f64,
    /// Latencies in microseconds: the median, and of one in 100 and in 1,000.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) peak_mib: f64,
}

/// The columns of [`row`].
pub(crate) fn columns() -> Vec<Column> {
    [
        ("records/s", Unit::Count),
        ("server CPU per record", Unit::Micros),
        ("p50", Unit::Micros),
        ("p99", Unit::Micros),
        ("p99.9", Unit::Micros),
        ("peak memory", Unit::Mib),
    ]
    .map(|(title, unit)| Column { title: title.to_owned(), unit })
    .into()
}

pub(crate) const RATE: usize = 0;
pub(crate) const CPU: usize = 1;
pub(crate) const P50: usize = 2;
pub(crate) const P99: usize = 3;

/// The row of a case on a server.
pub(crate) fn row(case: &str, kind: Kind, samples: &[Sample]) -> Row {
    let spread = |take: fn(&Sample) -> f64| Some(Spread::of(samples.iter().map(take)));
    Row {
        case: case.to_owned(),
        server: kind.name().to_owned(),
        durability: kind.durability().to_owned(),
        cells: vec![
            spread(|sample| sample.rate),
            spread(|sample| sample.cpu_micros),
            spread(|sample| sample.p50),
            spread(|sample| sample.p99),
            spread(|sample| sample.p99_9),
            spread(|sample| sample.peak_mib),
        ],
    }
}

/// Runs `ottla bench LOAD` against the server. Everything but `--records` and
/// the addresses is in `arguments`.
pub(crate) fn run(server: &Server, load: &str, records: u64, arguments: &[&str]) -> Sample {
    run_and_count(server, load, "--records", records, arguments)
}

/// As [`run`], where another option says how much there is to do.
pub(crate) fn run_and_count(
    server: &Server,
    load: &str,
    option: &str,
    count: u64,
    arguments: &[&str],
) -> Sample {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(["bench", load, option, &count.to_string()]).args(arguments);
    match load {
        "rest" | "rest-consume" => command.args(["--rest-url", &server.rest]),
        "registry" => command.args(["--registry-url", &server.registry]),
        _ => &mut command,
    };
    if server.kind != Kind::Floor && load != "registry" {
        command.args(["--bootstrap-servers", &server.bootstrap]);
    }
    // What earlier runs have left to be written is not this one's burden.
    rustix::fs::sync();
    let (report, cpu, peak_mib) = measured(server, || {
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{command:?} failed on {:?}", server.kind);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    let latency = |name: &str| report["latency_us"][name].as_f64().unwrap();
    Sample {
        rate: report["records_per_second"].as_f64().unwrap(),
        cpu_micros: cpu.as_micros() as f64 / report["records"].as_f64().unwrap(),
        p50: latency("p50"),
        p99: latency("p99"),
        p99_9: latency("p99_9"),
        peak_mib,
    }
}

/// Does something, and gives the CPU time and the most memory in MiB that the
/// server took for it.
pub(crate) fn measured<T>(server: &Server, work: impl FnOnce() -> T) -> (T, Duration, f64) {
    server.forget_peak();
    let before = server.cpu_time();
    let outcome = work();
    (outcome, server.cpu_time() - before, server.peak_kib() as f64 / 1024.0)
}

/// How many records the server takes in one measurement. Finding that out
/// warms it up.
pub(crate) fn records_of_a_run(bench: &Bench, once: impl Fn(u64) -> Sample) -> u64 {
    let mut records = 1_000;
    loop {
        let seconds = records as f64 / once(records).rate;
        if seconds > bench.seconds / 4.0 {
            return ((records as f64 * bench.seconds / seconds) as u64).max(100);
        }
        // Short runs say little: not more than eight times as much at once.
        records = (records as f64 * (bench.seconds / 2.0 / seconds).clamp(2.0, 8.0)) as u64;
    }
}

/// Runs a load on all servers in turns, each time about as long as a
/// measurement takes. `run` gets the server and the number of records.
pub(crate) fn in_turns(
    bench: &Bench,
    case: &str,
    servers: &[Server],
    run: impl Fn(&Server, u64) -> Sample,
) -> Vec<Row> {
    let count = |server| records_of_a_run(bench, |records| run(server, records));
    let counts: Vec<u64> = servers.iter().map(count).collect();
    rounds(bench, case, servers, &counts, run)
}

/// As [`in_turns`], with the same number of records for all, and one run of
/// each to warm up.
pub(crate) fn in_turns_of(
    bench: &Bench,
    case: &str,
    servers: &[Server],
    records: u64,
    run: impl Fn(&Server, u64) -> Sample,
) -> Vec<Row> {
    servers.iter().for_each(|server| _ = run(server, records));
    rounds(bench, case, servers, &vec![records; servers.len()], run)
}

fn rounds(
    bench: &Bench,
    case: &str,
    servers: &[Server],
    counts: &[u64],
    run: impl Fn(&Server, u64) -> Sample,
) -> Vec<Row> {
    eprintln!("{case}");
    let mut samples = vec![Vec::new(); servers.len()];
    for _ in 0..bench.rounds {
        for (index, server) in servers.iter().enumerate() {
            samples[index].push(run(server, counts[index]));
        }
    }
    let row = |(server, samples): (&Server, &Vec<Sample>)| {
        let row = row(case, server.kind, samples);
        let texts: Vec<String> = row.cells.iter().zip(columns()).map(cell_text).collect();
        eprintln!("  {:?}: {}", server.kind, texts.join(", "));
        row
    };
    servers.iter().zip(&samples).map(row).collect()
}

/// For whoever watches.
fn cell_text((cell, column): (&Option<Spread>, Column)) -> String {
    let value = cell.map(|cell| page::value_text(cell.median, column.unit));
    format!("{} {}", value.unwrap_or_default(), column.title)
}

/// Creates a topic.
pub(crate) fn create_topic(server: &Server, topic: &str, partitions: u32) {
    topics(server, &["--create", "--topic", topic, "--partitions", &partitions.to_string()]);
}

/// Deletes a topic, so that its data does not fill the disk.
pub(crate) fn delete_topic(server: &Server, topic: &str) {
    topics(server, &["--delete", "--topic", topic]);
}

fn topics(server: &Server, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(["topics", "--bootstrap-server", &server.bootstrap]).args(arguments);
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} failed on {:?}", server.kind);
}

//! The page of the results.

use std::fmt::Write;
use std::time::Duration;

use crate::load::{Load, Outcome};
use crate::{CONNECTIONS, ROUNDS, schemas};

/// One load on both servers.
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) ottla: Outcome,
    pub(crate) floor: Outcome,
}

/// All that was measured.
pub(crate) struct Results {
    /// Of Ottla on an empty directory, to its first answer.
    pub(crate) start_time: Duration,
    /// Of Ottla, before the first load.
    pub(crate) idle_mib: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) schemas: Vec<schemas::Row>,
}

/// The page, as Markdown.
pub(crate) fn page(results: &Results) -> String {
    let rows = &results.rows;
    let mut page = format!(
        "# Benchmarks\n\n\
        Written by `scripts/bench`. Server and clients ran on the same machine: {}.\n\n\
        REST produce: `POST /topics/{{topic}}`, JSON records of 100 bytes, {CONNECTIONS} keep-alive connections with one request in \
        flight each, {ROUNDS} rounds in turns with the floor. Ottla ran with its defaults: broker, log and proxy in one process, and \
        every answer waited until its records were on the disk. The floor is a bare actix-web server that parses the same bodies and \
        answers as many bytes, without Kafka and without a disk: no server of this kind can cost less. Times of a CPU are those of the \
        server alone.\n\n\
        | records per request | connections | server | requests/s | records/s | requests/CPU-s | records/CPU-s | p50 | p99 | memory |\n\
        |---|---|---|---|---|---|---|---|---|---|\n",
        machine()
    );
    for row in rows {
        for (name, outcome) in [("Ottla", &row.ottla), ("floor", &row.floor)] {
            let records = row.load.records as f64;
            let per_second = outcome.requests as f64 / outcome.elapsed.as_secs_f64();
            let per_cpu_second = outcome.requests as f64 / outcome.cpu_time.as_secs_f64();
            let _ = writeln!(
                page,
                "| {} | {} | {name} | {} | {} | {} | {} | {} | {} | {} MiB |",
                row.load.records,
                row.load.connections,
                thousands(per_second),
                thousands(per_second * records),
                thousands(per_cpu_second),
                thousands(per_cpu_second * records),
                milliseconds(outcome.latencies.value_at_quantile(0.5)),
                milliseconds(outcome.latencies.value_at_quantile(0.99)),
                outcome.resident_mib,
            );
        }
    }
    let _ = writeln!(
        page,
        "\nOttla's start, on an empty directory, to its first answer: {} ms. Its memory then: {} MiB.",
        results.start_time.as_millis(),
        results.idle_mib
    );
    page.push_str("\nCPU time per request, Ottla to floor:\n\n");
    for row in rows {
        let _ = writeln!(
            page,
            "- {} records per request, {} connections: {:.2}",
            row.load.records,
            row.load.connections,
            per_request(&row.ottla) / per_request(&row.floor)
        );
    }
    page.push_str(
        "\nSchemas: the registry's own API, and records of a number and a text of 64 characters in Avro over REST. Every \
        registration is of a schema of its own, under a subject of its own.\n\n\
        | what | connections | requests/s | schemas or records/s | schemas or records/CPU-s | p50 | p99 | memory |\n\
        |---|---|---|---|---|---|---|---|\n",
    );
    for schemas::Row { what, connections, items, outcome } in &results.schemas {
        let _ = writeln!(
            page,
            "| {what} | {connections} | {} | {} | {} | {} | {} | {} MiB |",
            thousands(outcome.requests as f64 / outcome.elapsed.as_secs_f64()),
            thousands(*items as f64 / outcome.elapsed.as_secs_f64()),
            thousands(*items as f64 / outcome.cpu_time.as_secs_f64()),
            milliseconds(outcome.latencies.value_at_quantile(0.5)),
            milliseconds(outcome.latencies.value_at_quantile(0.99)),
            outcome.resident_mib,
        );
    }
    page
}

fn per_request(outcome: &Outcome) -> f64 {
    outcome.cpu_time.as_secs_f64() / outcome.requests as f64
}

fn milliseconds(micros: u64) -> String {
    format!("{:.2} ms", micros as f64 / 1000.0)
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

/// Processor, cores, memory, system.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name")
        .unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let memory: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = read("/proc/sys/kernel/osrelease");
    format!("{processor}, {cores} cores, {} GiB of memory, Linux {}", memory >> 20, system.trim())
}

//! `scripts/bench`: what producing over REST costs, beside a bare HTTP server
//! that parses the same bodies and answers the same bytes (the floor).
//!
//! Server and clients share the machine, so throughput alone says little: what
//! counts is the work done per second of the server's CPU time, and the ratio
//! of the two servers in one run. They take turns, so that a change of the
//! machine's speed hits both.
//!
//! Called with a file name, the program writes the page of the results there.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, reason = "its output is for a terminal")]

mod floor;
mod load;
mod report;
mod schemas;
mod servers;

use std::path::PathBuf;

use load::{Load, Outcome};
use report::{Results, Row};
use servers::Server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keep-alive connections of the clients.
const CONNECTIONS: usize = 64;
/// How often each server is measured, in turns.
const ROUNDS: usize = 3;
/// Records of each request, and requests of each measurement.
const LOADS: [(usize, u64); 3] = [(1, 400_000), (100, 60_000), (1000, 10_000)];

fn main() {
    // `cargo bench` adds flags of its own.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match arguments.next().as_deref() {
        Some("--floor") => floor::serve(),
        page => {
            let text = report::page(&measure());
            println!("{text}");
            if let Some(page) = page {
                std::fs::write(PathBuf::from(page), text).unwrap();
            }
        }
    }
}

/// Runs all loads against both servers.
fn measure() -> Results {
    let folder = tempfile::tempdir().unwrap();
    let floor = Server::floor(folder.path());
    let ottla = Server::ottla(folder.path());
    let (start_time, idle_mib) = (ottla.start_time, ottla.resident_mib());
    let mut rows = vec![];
    for (records, requests) in LOADS {
        let load = Load { records, requests, connections: CONNECTIONS };
        // So that the topic is there, and both have warmed up.
        for server in [&floor, &ottla] {
            Load { requests: requests / 10, ..load }.run(server);
        }
        let (mut of_floor, mut of_ottla) = (Outcome::default(), Outcome::default());
        for round in 0..ROUNDS {
            eprintln!("{records} records per request, round {} of {ROUNDS}", round + 1);
            of_ottla.add(load.run(&ottla));
            of_floor.add(load.run(&floor));
        }
        rows.push(Row { load, ottla: of_ottla, floor: of_floor });
    }
    let single = Load { records: 1, requests: 20_000, connections: 1 };
    single.run(&ottla);
    rows.push(Row { load: single, ottla: single.run(&ottla), floor: single.run(&floor) });
    let schemas = schemas::measure(&ottla);
    Results { start_time, idle_mib, rows, schemas }
}

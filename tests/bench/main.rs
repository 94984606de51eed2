//! `scripts/bench`: what Ottla does in a second, and what that costs, beside
//! Apache Kafka and beside a bare HTTP server.
//!
//! Servers and load generators share the machine, so throughput alone says
//! little: the work done per second of the server's CPU time counts as much.
//! Servers take turns, so that a change of the machine's speed hits all of them.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, reason = "its output is for a terminal")]

mod cases;
mod floor;
mod generator;
mod guard;
mod machine;
mod page;
mod plot;
mod results;
mod servers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cases::Cases;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: scripts/bench [all] [CASES...]
       scripts/bench guard | page

Without names every case runs, which takes at most 20 minutes after the build; with
`all` also what takes long or much space. Each run writes docs/benchmarks.md. `guard`
prints five ratios to compare with those of another version, and writes nothing. `page`
writes docs/benchmarks.md again from the figures that were kept.

Cases:";

/// How it is measured.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Where the servers keep their data.
    pub(crate) folder: PathBuf,
    /// How often each server is measured, in turns.
    pub(crate) rounds: usize,
    /// About how long one measurement takes.
    pub(crate) seconds: f64,
    /// Whether that what takes long or much space is wanted, too.
    pub(crate) is_full: bool,
}

fn main() -> ExitCode {
    // `cargo bench` adds flags of its own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if names == ["--floor"] {
        floor::serve();
        return ExitCode::SUCCESS;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = root.join("docs");
    if names == ["page"] {
        page::write(&docs);
        return ExitCode::SUCCESS;
    }
    let is_guard = names == ["guard"];
    let is_full = names.first() == Some(&"all");
    let names = if is_full || is_guard { &names[1..] } else { &names[..] };
    let chosen: Option<Vec<&Cases>> = if names.is_empty() {
        Some(cases::ALL.iter().collect())
    } else {
        names.iter().map(|name| cases::ALL.iter().find(|it| it.name == *name)).collect()
    };
    let Some(chosen) = chosen else {
        eprintln!("{USAGE}");
        cases::ALL.iter().for_each(|cases| eprintln!("  {:12}{}", cases.name, cases.about));
        return ExitCode::from(2);
    };
    let target = root.join("target");
    std::fs::create_dir_all(&target).unwrap();
    let folder = tempfile::Builder::new().prefix("bench").tempdir_in(&target).unwrap();
    // There a sync costs nothing.
    if machine::file_system(folder.path()) == "tmpfs" {
        eprintln!("{} is on tmpfs: put it on a disk", target.display());
        return ExitCode::FAILURE;
    }
    let bench = Bench { folder: folder.path().to_owned(), rounds: 3, seconds: 1.5, is_full };
    if is_guard {
        println!("{}", guard::ratios(&bench));
        return ExitCode::SUCCESS;
    }
    for cases in chosen {
        eprintln!("== {}", cases.name);
        let section = (cases.measure)(&bench, cases.section(&bench));
        page::keep(&docs, &section);
        println!("{}", page::section(cases, &section));
    }
    page::write(&docs);
    ExitCode::SUCCESS
}

//! Five figures that say at a glance whether a change has made something dear:
//! CPU time, in that of the floor for a request of one record. Unlike times,
//! such figures may be compared between machines, roughly.

use std::fmt::Write as _;

use crate::Bench;
use crate::cases::{Produce, Rest};
use crate::generator::{Sample, create_topic, records_of_a_run, run};
use crate::results::Spread;
use crate::servers::{Kind, Server};

/// How far from its reference a figure may be without a remark.
const MARGIN: f64 = 1.5;

const TOPIC: &str = "guard";
/// Records that are consumed; fewer than were produced.
const CONSUMED: u64 = 100_000;

/// What the figures were when they were last looked at, in the profile `release`.
const REFERENCES: [(&str, f64); 5] = [
    ("REST, 1 record a request", 2.05),
    ("REST, 100 records a request", 0.037),
    ("REST, 100 binary records a request", 0.045),
    ("produce, 1 KiB", 0.25),
    ("consume, 1 KiB", 0.02),
];

/// A line for each figure.
pub(crate) fn ratios(bench: &Bench) -> String {
    let ottla = Server::start(Kind::Ottla, &bench.folder);
    let floor = Server::start(Kind::Floor, &bench.folder);
    let one = Rest { records_per_request: 1, ..Rest::BASE };
    let binary = Rest { format: "binary", ..Rest::BASE };
    create_topic(&ottla, "rest", 1);
    let rest = |load: Rest| median(bench, |records| load.run(&ottla, "rest", records));
    let unit = median(bench, |records| one.run(&floor, "rest", records));
    let figures = [
        rest(one),
        rest(Rest::BASE),
        rest(binary),
        median(bench, |records| Produce::BASE.run(&ottla, TOPIC, records)),
        // As much as has just been produced at least.
        median(bench, |records| run(&ottla, "consume", records.min(CONSUMED), &["--topic", TOPIC])),
    ];
    let mut lines = String::from("CPU per record, in that of the floor for a request of one:\n");
    for ((name, reference), micros) in REFERENCES.iter().zip(figures) {
        let ratio = micros / unit;
        let is_far = ratio > reference * MARGIN || ratio < reference / MARGIN;
        let remark = if is_far { "  <- look at this" } else { "" };
        let _ = writeln!(lines, "  {name}: {ratio:.3} (it was {reference}){remark}");
    }
    lines
}

/// CPU time of a record in microseconds.
fn median(bench: &Bench, run: impl Fn(u64) -> Sample) -> f64 {
    let records = records_of_a_run(bench, &run);
    Spread::of((0..bench.rounds).map(|_| run(records).cpu_micros)).median
}

//! How long a start takes, by what there is to start with.

use super::Cases;
use super::produce::Load;
use crate::Bench;
use crate::results::{Column, Row, Section, Spread, Unit};
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "start",
    about: "time to the first answer, by data and partitions, after a clean stop and kill -9",
    title: "Start",
    text: &[
        "From the start of the process to its first answer over REST, five starts each, page cache warm. The registry answers then, \
        too. Before each kill -9 something was written to every partition, 100 MB where there is one. Memory is what was \
        resident after each of these starts.",
    ],
    measure,
};

/// Starts of each kind that are measured.
const STARTS: usize = 5;

/// What a data directory grows to, step by step.
struct Growth {
    unit: &'static str,
    steps: &'static [u64],
    /// Steps of a full run only.
    more: &'static [u64],
    /// Adds to what an earlier step has left.
    grow: fn(&Server, u64, u64),
    /// Writes something everywhere, so that a kill leaves much to look at.
    touch: fn(&Server, u64),
}

const GROWTHS: [Growth; 2] = [
    Growth {
        unit: "GB in 1 partition",
        steps: &[1],
        more: &[5, 20],
        grow: |server, before, after| write_records(server, (after - before) * 1_000_000),
        touch: |server, _| write_records(server, 100_000),
    },
    Growth {
        unit: "partitions",
        steps: &[100, 1_000],
        more: &[10_000],
        grow: |server, before, after| write_everywhere(server, before, after - before),
        touch: |server, partitions| {
            let steps = [0, 100, 1_000, 10_000];
            let pairs = steps.windows(2).filter(|pair| pair[1] <= partitions);
            pairs.for_each(|pair| write_everywhere(server, pair[0], pair[1] - pair[0]));
        },
    },
];

fn measure(bench: &Bench, mut section: Section) -> Section {
    section.columns = [("time to the first answer", Unit::Millis), ("memory", Unit::Mib)]
        .map(|(title, unit)| Column { title: title.to_owned(), unit })
        .into();
    section.plotted = 0;
    let empty = samples(|| started(&Server::start(Kind::Ottla, &bench.folder)));
    let limit = empty.cells[0].unwrap().median;
    section.rows.push(Row { case: "empty directory".to_owned(), ..empty });
    for growth in &GROWTHS {
        let folder = tempfile::tempdir_in(&bench.folder).unwrap();
        let data = folder.path().join("data");
        let more = if bench.is_full { growth.more } else { &[] };
        let mut before = 0;
        for step in growth.steps.iter().chain(more) {
            let case = format!("{step} {}", growth.unit);
            eprintln!("{case}");
            let start = || Server::ottla_on(Kind::Ottla, data.clone());
            let server = start();
            (growth.grow)(&server, before, *step);
            before = *step;
            server.stop();
            let clean = samples(|| {
                let server = start();
                let figures = started(&server);
                server.stop();
                figures
            });
            section.rows.push(Row { case: format!("{case}, clean stop"), ..clean });
            let killed = samples(|| {
                let server = start();
                (growth.touch)(&server, *step);
                server.kill();
                started(&start())
            });
            section.rows.push(Row { case: format!("{case}, kill -9"), ..killed });
        }
    }
    section.at_most("start on an empty directory, in ms", limit, 50.0);
    section
}

/// Milliseconds until its first answer, and MiB that are resident now.
fn started(server: &Server) -> (f64, f64) {
    (server.start_time.as_secs_f64() * 1e3, server.resident_kib() as f64 / 1024.0)
}

/// A row, without its case, of several starts.
fn samples(mut start: impl FnMut() -> (f64, f64)) -> Row {
    let samples: Vec<(f64, f64)> = (0..STARTS).map(|_| start()).collect();
    Row {
        case: String::new(),
        server: Kind::Ottla.name().to_owned(),
        durability: Kind::Ottla.durability().to_owned(),
        cells: vec![
            Some(Spread::of(samples.iter().map(|sample| sample.0))),
            Some(Spread::of(samples.iter().map(|sample| sample.1))),
        ],
    }
}

fn write_records(server: &Server, records: u64) {
    let load = Load { partitions: 1, batch_records: 100, callers: 4, ..Load::BASE };
    // Of 1,000 bytes.
    Load { record_size: 1000, ..load }.run(server, "start", records);
}

/// Some records to each of `count` partitions, of a topic that is called after
/// how many there were before.
fn write_everywhere(server: &Server, before: u64, count: u64) {
    let partitions = u32::try_from(count).unwrap();
    let load = Load { partitions, record_size: 100, batch_records: 20, callers: 4, ..Load::BASE };
    load.run(server, &format!("start-{before}"), 20 * count);
}

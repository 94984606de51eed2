//! What a server costs that has nothing to do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Cases;
use crate::Bench;
use crate::generator::create_topic;
use crate::results::{Column, Row, Section, Spread, Unit};
use crate::servers::{Kind, Server};

pub(super) const CASES: Cases = Cases {
    name: "idle",
    about: "memory and CPU when idle: topics, connections, consumer instances",
    title: "Idle",
    text: &[
        "CPU time over 5 s in which nobody asked for anything, as a share of one core. Each kind of thing is made on a server of its \
        own and costs what memory has grown by, divided by their number. Instances have subscribed and read once.",
        "Some 15 MiB of Ottla's memory after the start are pages of the program's file, which the system maps around everything that \
        ran once. A consumer instance holds a member of a group, two connections inside the process, and what it has read.",
    ],
    measure,
};

/// How long the CPU time of an idle server is counted.
const WATCHED: Duration = Duration::from_secs(5);
/// Until what a start or a case has left to do is done.
const SETTLING: Duration = Duration::from_secs(2);

/// Something that a server has many of. What it returns keeps them.
struct Many {
    name: &'static str,
    count: u64,
    kinds: &'static [Kind],
    make: fn(&Server, u64) -> Vec<TcpStream>,
}

const MANY: [Many; 4] = [
    Many {
        name: "topics of 1 partition",
        count: 1_000,
        kinds: &[Kind::Ottla, Kind::Kafka],
        make: |server, count| {
            (0..count).for_each(|number| create_topic(server, &format!("idle-{number}"), 1));
            Vec::new()
        },
    },
    Many {
        name: "connections to the broker",
        count: 10_000,
        kinds: &[Kind::Ottla, Kind::Kafka],
        make: |server, count| (0..count).map(|_| connect_to_broker(&server.bootstrap)).collect(),
    },
    Many {
        name: "connections to the proxy",
        count: 10_000,
        kinds: &[Kind::Ottla],
        make: |server, count| {
            let connect = |_| {
                let mut connection = Http::open(&server.rest);
                connection.call("GET", "/topics/none", "");
                connection.into_stream()
            };
            (0..count).map(connect).collect()
        },
    },
    Many {
        name: "consumer instances",
        count: 1_000,
        kinds: &[Kind::Ottla],
        make: |server, count| {
            create_topic(server, "instances", 1);
            let mut connection = Http::open(&server.rest);
            for number in 0..count {
                let group = format!("/consumers/group-{number}");
                connection.call("POST", &group, r#"{"name":"one","format":"json"}"#);
                let instance = format!("{group}/instances/one");
                let topics = r#"{"topics":["instances"]}"#;
                connection.call("POST", &format!("{instance}/subscription"), topics);
                connection.call("GET", &format!("{instance}/records?timeout=1"), "");
            }
            Vec::new()
        },
    },
];

fn measure(bench: &Bench, mut section: Section) -> Section {
    section.columns =
        [("memory", Unit::Mib), ("memory of each", Unit::Kib), ("CPU", Unit::PercentOfACore)]
            .map(|(title, unit)| Column { title: title.to_owned(), unit })
            .into();
    section.plotted = 0;
    for kind in [Kind::Ottla, Kind::Kafka] {
        eprintln!("after the start: {kind:?}");
        let server = Server::start(kind, &bench.folder);
        let (kib, cpu) = watch(&server);
        section.rows.push(row("after the start", kind, kib, None, cpu));
    }
    for many in &MANY {
        let case = format!("{} {}", many.count, many.name);
        for kind in many.kinds {
            eprintln!("{case}: {kind:?}");
            let server = Server::start(*kind, &bench.folder);
            std::thread::sleep(SETTLING);
            let before = server.resident_kib();
            let kept = (many.make)(&server, many.count);
            let (kib, cpu) = watch(&server);
            let each = kib.saturating_sub(before) as f64 / many.count as f64;
            section.rows.push(row(&case, *kind, kib, Some(each), cpu));
            if *kind == Kind::Ottla {
                section.at_most(&format!("KiB of each, {case}"), each, 20.0);
            }
            drop(kept);
        }
    }
    let idle = section.median("after the start", Kind::Ottla, 0);
    section.at_most("MiB after the start", idle, 20.0);
    section
}

/// Memory in KiB and the share of a core, in hundredths, of a server that is let alone.
fn watch(server: &Server) -> (u64, f64) {
    std::thread::sleep(SETTLING);
    let before = server.cpu_time();
    std::thread::sleep(WATCHED);
    let cpu = server.cpu_time() - before;
    (server.resident_kib(), 100.0 * cpu.as_secs_f64() / WATCHED.as_secs_f64())
}

fn row(case: &str, kind: Kind, kib: u64, each: Option<f64>, cpu: f64) -> Row {
    let one = |value| Spread::of([value]);
    Row {
        case: case.to_owned(),
        server: kind.name().to_owned(),
        durability: kind.durability().to_owned(),
        cells: vec![Some(one(kib as f64 / 1024.0)), each.map(one), Some(one(cpu))],
    }
}

/// A connection over which the versions of the broker have been asked.
fn connect_to_broker(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    // ApiVersions 0, correlation id 1, no client id.
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    stream
}

/// A connection to the proxy, kept alive.
struct Http {
    stream: BufReader<TcpStream>,
}

impl Http {
    fn open(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        Self { stream: BufReader::with_capacity(1 << 10, TcpStream::connect(address).unwrap()) }
    }

    fn call(&mut self, method: &str, path: &str, body: &str) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/vnd.kafka.v2+json\r\n\
             Accept: application/vnd.kafka.json.v2+json, application/vnd.kafka.v2+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        self.stream.read_exact(&mut vec![0; length]).unwrap();
    }

    fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

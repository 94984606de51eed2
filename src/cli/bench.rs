//! `ottla bench`: measures how fast a cluster, or a REST proxy, takes and gives
//! records, and how fast a Schema Registry answers. Works against any of them.
//!
//! What is sent is prepared before the clock starts, so that little of what is
//! measured is the load generator's own. With `--rate` the load is open: each
//! request has a time at which it is meant to be sent, and its latency counts
//! from then. A server that stalls cannot hide that by keeping the load away.

mod consume;
mod display;
mod http;
mod latency;
mod load;
mod meter;
mod produce;
mod registry;
mod report;
mod rest;
mod rest_consume;
mod schedule;
mod topic;

use std::ops::RangeInclusive;

use client::Client;
use protocol::records::Compression;
use serde_json::Value;

use super::client_settings::ClientSettings;
use super::options::{Argument, Options, Spec, Tool, UsageError, value};
use super::session::{Failure, with_client};
use super::{FAILED, Invocation, USAGE, complain, print};
use crate::open_files;
use report::Report;

const HELP: &str = "Measure how fast a cluster, a REST proxy or a Schema Registry is.

Usage: ottla bench COMMAND [OPTIONS]

Commands:
  produce       Send record batches over any number of connections
  consume       Read what a topic holds with any number of consumers
  latency       Measure the time from producing a record to consuming it
  rest          Send records to a REST proxy
  rest-consume  Read what a topic holds through consumer instances of a REST proxy
  registry      Register schemas with a Schema Registry, or look them up

A terminal shows how it goes and the result as text. Anything else gets the result
as one JSON object.
Run ottla bench COMMAND --help for the options of a command.
";

/// Records that a run has at most.
const MAX_RECORDS: u64 = 1_000_000_000_000;
/// Bytes of one request at most, before compression.
const MAX_REQUEST_BYTES: u64 = 256 << 20;

const TOPIC: Spec = value("topic", "topic", "The topic to use.");
const PARTITIONS: Spec = value(
    "partitions",
    "count",
    "Create the topic with so many partitions when it is missing. An existing one must have as many.",
);
const RECORD_SIZE: Spec = value("record-size", "bytes", "The size of a value. (default: 1024)");
const RATE: Spec = value(
    "rate",
    "records/s",
    "Send at this rate, whatever the answers do; latency counts from the time at which a request was meant to be sent. (default: as fast as answers come)",
);
const ACKS: Spec =
    value("acks", "0|1|all", "Who has to have a record before it is acknowledged. (default: all)");
const JSON: Spec =
    Spec { name: "json", argument: Argument::None, help: "Print JSON on a terminal, too." };

/// A kind of load.
struct Bench {
    name: &'static str,
    tool: Tool,
    /// Reads the options of the load.
    read: fn(&Options) -> Result<Box<dyn Work>, UsageError>,
}

/// A load that is ready to run.
trait Work {
    /// Runs it to its end. `client` has connected to nothing yet.
    fn run<'a>(
        &'a self,
        client: &'a Client,
    ) -> futures_util::future::LocalBoxFuture<'a, Result<Report, Failure>>;
}

const BENCHES: &[&Bench] = &[
    &produce::BENCH,
    &consume::BENCH,
    &latency::BENCH,
    &rest::BENCH,
    &rest_consume::BENCH,
    &registry::BENCH,
];

pub(super) fn run(mut invocation: Invocation) -> u8 {
    let first = invocation.arguments.first().map(|first| first.to_string_lossy().into_owned());
    let name = match first.as_deref() {
        None | Some("help" | "--help" | "-h") => return print(HELP),
        Some(name) => name.to_owned(),
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        complain(&format!("there is no command {name} (see ottla bench --help)"));
        return USAGE;
    };
    invocation.arguments.remove(0);
    invocation.program = format!("{} {name}", invocation.program);
    let options = match Options::read(&bench.tool, invocation) {
        Ok(options) => options,
        Err(code) => return code,
    };
    match measure(bench, &options) {
        Ok(report) => print(&if wants_json(&options) { report.json() } else { report.text() }),
        Err(Failure::Usage(error)) => {
            options.refuse(&error);
            FAILED
        }
        Err(failure) => {
            complain(&failure.message());
            FAILED
        }
    }
}

fn measure(bench: &Bench, options: &Options) -> Result<Report, Failure> {
    let work = (bench.read)(options)?;
    open_files::allow_as_many_as_possible();
    let config = ClientSettings::read(options, &["command-config"], &[])?;
    let config = config.client(options, "ottla-bench")?;
    with_client(config, async |client| work.run(&client).await)
}

fn wants_json(options: &Options) -> bool {
    use std::io::IsTerminal;
    options.has("json") || !std::io::stdout().is_terminal()
}

/// A number within bounds.
fn number(
    options: &Options,
    name: &str,
    bounds: RangeInclusive<u64>,
) -> Result<Option<u64>, UsageError> {
    match options.number::<u64>(name)? {
        Some(number) if !bounds.contains(&number) => Err(UsageError(format!(
            "--{name} must be between {} and {}",
            bounds.start(),
            bounds.end()
        ))),
        number => Ok(number),
    }
}

/// A number of connections, consumers, or requests in flight.
fn count(options: &Options, name: &str, default: usize) -> Result<usize, UsageError> {
    let count = number(options, name, 1..=10_000)?;
    Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(default))
}

fn partitions(options: &Options) -> Result<Option<i32>, UsageError> {
    let partitions = number(options, PARTITIONS.name, 1..=100_000)?;
    Ok(partitions.and_then(|partitions| i32::try_from(partitions).ok()))
}

fn rate(options: &Options) -> Result<Option<u64>, UsageError> {
    number(options, RATE.name, 1..=1_000_000_000)
}

fn acks(options: &Options) -> Result<i16, UsageError> {
    match options.value(ACKS.name)? {
        None | Some("all" | "-1") => Ok(-1),
        Some("1") => Ok(1),
        Some("0") => Ok(0),
        Some(_) => Err(UsageError("--acks must be 0, 1 or all".into())),
    }
}

/// As `--acks` names them.
fn acks_name(acks: i16) -> Value {
    if acks == -1 { "all".into() } else { acks.to_string().into() }
}

fn compression(options: &Options) -> Result<Compression, UsageError> {
    let Some(name) = options.value("compression")? else { return Ok(Compression::None) };
    let all = Compression::ALL.map(Compression::name).join(", ");
    name.parse().map_err(|_| UsageError(format!("--compression must be one of {all}")))
}

/// The shape of what one request carries.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Records of the whole run.
    records: u64,
    /// Records of each request but the last.
    per_request: u64,
    /// Bytes of a value.
    record_size: usize,
}

impl Shape {
    /// `per_request` is the option that says how many records a request has.
    fn read(
        options: &Options,
        per_request: &str,
        default_per_request: u64,
    ) -> Result<Self, UsageError> {
        let records = number(options, "records", 1..=MAX_RECORDS)?.unwrap_or(100_000);
        let each = number(options, per_request, 1..=1_000_000)?.unwrap_or(default_per_request);
        let size = number(options, RECORD_SIZE.name, 1..=MAX_REQUEST_BYTES)?.unwrap_or(1024);
        if size.saturating_mul(each) > MAX_REQUEST_BYTES {
            return Err(UsageError(format!(
                "--{per_request} times --record-size must be at most {MAX_REQUEST_BYTES} bytes"
            )));
        }
        let record_size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(Self { records, per_request: each.min(records), record_size })
    }

    fn requests(self) -> u64 {
        self.records.div_ceil(self.per_request)
    }

    /// Records of the request with this number, from 0.
    fn records_of(self, request: u64) -> u64 {
        self.records.saturating_sub(request * self.per_request).min(self.per_request)
    }
}

/// Random letters, the same in each run (xorshift64): values that are alike would
/// make compression look better than it is.
#[derive(Debug)]
struct Letters(u64);

impl Letters {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let mut letter = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            b'A' + u8::try_from(self.0 % 26).unwrap_or_default()
        };
        (0..count).map(|_| letter()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_has_the_rest() {
        for (records, per_request, expected) in
            [(10, 4, vec![4, 4, 2]), (8, 4, vec![4, 4]), (3, 4, vec![3]), (1, 1, vec![1])]
        {
            let shape = Shape { records, per_request, record_size: 1 };
            let sizes: Vec<u64> = (0..shape.requests()).map(|it| shape.records_of(it)).collect();
            assert_eq!(sizes, expected, "{records} by {per_request}");
            assert_eq!(shape.records_of(shape.requests()), 0);
        }
    }

    #[test]
    fn letters_are_letters_and_differ() {
        let mut letters = Letters::new();
        let (first, second) = (letters.take(100), letters.take(100));
        assert!(first.iter().all(u8::is_ascii_uppercase));
        assert_ne!(first, second);
    }

    #[test]
    fn every_load_prints_json_and_is_in_the_help() {
        for bench in BENCHES {
            let has = |name| bench.tool.options.iter().any(|option| option.name == name);
            assert!(has("json"), "{}", bench.name);
            assert!(HELP.contains(&format!("\n  {} ", bench.name)), "{}", bench.name);
        }
    }
}

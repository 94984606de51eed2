//! kill -9 at random moments: nothing acknowledged with acks=all is lost, order
//! holds, and idempotent writers have each record once.
//!
//! `OTTLA_TEST_KILLS` says how often the program is killed.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use protocol::ErrorCode;
use protocol::records::Compression;

use crate::harness::kafka::{Cluster, Connection, Stored, produce_request};
use crate::harness::programs::{Dialogue, python, root};
use crate::harness::{Random, Server, Setup, until};

const TOPIC: &str = "crashed";
const PARTITIONS: i32 = 4;

#[test]
fn acknowledged_records_survive_kills() {
    crash(8, 0, kills(5));
}

#[test]
#[ignore = "needs python"]
fn acknowledged_records_of_idempotent_writers_survive_kills() {
    crash(4, 4, kills(20));
}

fn kills(default: u32) -> u32 {
    std::env::var("OTTLA_TEST_KILLS").map_or(default, |text| text.parse().unwrap())
}

/// Kills the program while writers write, two to a partition, and checks what
/// is there in the end.
fn crash(plain: usize, idempotent: usize, kills: u32) {
    let mut random = Random::new();
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    // The smallest segments, so that some kills meet a roll.
    cluster.create_topic_with(TOPIC, PARTITIONS, &[("segment.bytes", "1048576")]);
    // All starts use the ports of the first one.
    let setup = server.setup().clone().on_ports_of(&server);
    let address = server.broker().to_owned();

    let mut foreign: Vec<ForeignWriter> =
        (0..idempotent).map(|index| ForeignWriter::start(&address, index)).collect();
    let writers: Vec<PlainWriter> =
        (0..plain).map(|index| PlainWriter::new(&address, index)).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The writers end even when what follows fails.
        let _stop = StopAtEnd(&stop);
        for writer in &writers {
            scope.spawn(|| writer.write(&stop));
        }
        let mut server = server;
        for kill in 0..kills {
            // Most kills meet writers at work, some a start.
            if random.below(8) > 0 {
                wait_for_progress(&writers, &mut foreign, kill);
                std::thread::sleep(Duration::from_micros(random.below(150_000)));
            }
            server.kill();
            if random.below(4) == 0 {
                kill_at_start(&setup, random.below(40_000));
            }
            server = setup.start();
        }
        wait_for_progress(&writers, &mut foreign, kills);
        stop.store(true, Ordering::Relaxed);
        finish(server, &writers, foreign);
    });
}

/// Waits until each writer has got an acknowledgement that is new; every tenth
/// time until all have, otherwise until one has.
fn wait_for_progress(writers: &[PlainWriter], foreign: &mut [ForeignWriter], kill: u32) {
    let plain: Vec<i64> = writers.iter().map(PlainWriter::acknowledged).collect();
    for writer in foreign.iter_mut() {
        // What is printed already is not new.
        writer.progress();
        writer.has_progress = false;
    }
    until("acknowledgements", || {
        let moved =
            writers.iter().zip(&plain).map(|(writer, before)| writer.acknowledged() > *before);
        let foreign = foreign.iter_mut().map(|writer| {
            writer.has_progress |= writer.progress();
            writer.has_progress
        });
        let moved: Vec<bool> = moved.chain(foreign).collect();
        let enough = if kill.is_multiple_of(10) {
            moved.iter().all(|moved| *moved)
        } else {
            moved.iter().any(|moved| *moved)
        };
        enough.then_some(())
    });
}

/// Starts the program and kills it before it answers, perhaps in its recovery.
fn kill_at_start(setup: &Setup, micros: u64) {
    let mut command = setup.command();
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_micros(micros));
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Ends the writers and reads what they wrote.
fn finish(server: Server, writers: &[PlainWriter], foreign: Vec<ForeignWriter>) {
    let idempotent: Vec<(String, i32, i64)> =
        foreign.into_iter().map(ForeignWriter::stop).collect();
    until("the plain writers' end", || {
        writers.iter().all(|writer| writer.ended.load(Ordering::Acquire)).then_some(())
    });
    // What is in memory only must not help.
    let server = server.kill_and_restart();
    let cluster = Cluster::new(server.broker());
    let records: Vec<Vec<Stored>> =
        (0..PARTITIONS).map(|partition| cluster.records(TOPIC, partition)).collect();
    for records in &records {
        let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
        let wanted: Vec<i64> = (0..records.len() as i64).collect();
        assert_eq!(offsets, wanted, "offsets have no gaps");
    }
    for (name, partition, acknowledged) in idempotent {
        let got = numbers(&records[partition as usize], &name);
        let wanted: Vec<i64> = (0..acknowledged).collect();
        assert_eq!(first_difference(&got, &wanted), None, "{name}: each record once, in order");
    }
    for writer in writers {
        let mut got = numbers(&records[writer.partition as usize], &writer.name);
        let acknowledged = writer.acknowledged();
        // What was sent again after a kill may be there twice, one after the other.
        got.dedup();
        let wanted: Vec<i64> = (0..acknowledged.max(got.len() as i64)).collect();
        assert_eq!(first_difference(&got, &wanted), None, "{}", writer.name);
        assert!(got.len() as i64 <= acknowledged + 1, "{}: at most one was in flight", writer.name);
    }
}

/// The numbers of a writer's records, in the order of the log.
fn numbers(records: &[Stored], name: &str) -> Vec<i64> {
    let texts = records.iter().map(Stored::value_text);
    let own =
        texts.filter_map(|text| text.split(' ').next()?.strip_prefix(name)?.strip_prefix('-'));
    own.map(|number| number.parse().unwrap()).collect()
}

/// Where the lists differ, with what follows.
fn first_difference(got: &[i64], wanted: &[i64]) -> Option<String> {
    let at = (0..got.len().max(wanted.len())).find(|at| got.get(*at) != wanted.get(*at))?;
    let some =
        |list: &[i64]| list.iter().skip(at.saturating_sub(2)).take(8).copied().collect::<Vec<_>>();
    Some(format!("at {at} got {:?} for {:?}", some(got), some(wanted)))
}

/// Stops the writers when it is dropped.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A writer that sends one record at a time, and again when it got no answer.
struct PlainWriter {
    name: String,
    partition: i32,
    address: String,
    /// How many records are acknowledged.
    acknowledged: AtomicI64,
    ended: AtomicBool,
}

impl PlainWriter {
    fn new(address: &str, index: usize) -> Self {
        Self {
            name: format!("plain{index}"),
            partition: index as i32 % PARTITIONS,
            address: address.to_owned(),
            acknowledged: AtomicI64::new(0),
            ended: AtomicBool::new(false),
        }
    }

    fn acknowledged(&self) -> i64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    fn write(&self, stop: &AtomicBool) {
        let mut connection = None;
        while !stop.load(Ordering::Relaxed) {
            match self.write_next(&mut connection) {
                Some(()) => _ = self.acknowledged.fetch_add(1, Ordering::AcqRel),
                None => {
                    connection = None;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        self.ended.store(true, Ordering::Release);
    }

    /// Writes the record behind the acknowledged ones, if the broker says so.
    fn write_next(&self, connection: &mut Option<Connection>) -> Option<()> {
        if connection.is_none() {
            *connection = Some(Connection::open(&self.address).ok()?);
        }
        let value = format!("{}-{} {}", self.name, self.acknowledged(), "y".repeat(300));
        let records = [(None, Some(value.as_bytes()))];
        let request = produce_request(Compression::None, TOPIC, self.partition, &records);
        let answer = connection.as_mut()?.call(9, &request).ok()?;
        let answer = answer.responses.first()?.partition_responses.first()?;
        (answer.error_code == ErrorCode::None).then_some(())
    }
}

/// `tests/interop/python/crash_writer.py`
struct ForeignWriter {
    name: String,
    partition: i32,
    program: Dialogue,
    has_progress: bool,
}

impl ForeignWriter {
    fn start(address: &str, index: usize) -> Self {
        let name = format!("idempotent{index}");
        let partition = index as i32 % PARTITIONS;
        let mut command = python();
        command.arg(root().join("tests/interop/python/crash_writer.py"));
        command.args([address, TOPIC, &partition.to_string(), &name]);
        Self { name, partition, program: Dialogue::start(&mut command), has_progress: false }
    }

    /// Whether something was acknowledged since the last call.
    fn progress(&self) -> bool {
        !self.program.lines_so_far().is_empty()
    }

    /// Name, partition, and how many records were acknowledged in all.
    fn stop(mut self) -> (String, i32, i64) {
        self.program.say("stop");
        let lines = self.program.finish();
        let last = lines.last().and_then(|line| line.strip_prefix("acked "));
        let acknowledged: i64 = last.unwrap_or_else(|| panic!("{lines:?}")).parse().unwrap();
        assert!(acknowledged > 0, "{} wrote", self.name);
        (self.name, self.partition, acknowledged)
    }
}

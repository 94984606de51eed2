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
use crate::log::restless;

const TOPIC: &str = "crashed";
/// Its partitions are compacted all the time.
const COMPACTED: &str = "compacted";
/// Its partitions lose their oldest records all the time.
const RETAINED: &str = "retained";
/// Enough that many are written to at a time, so that kills meet the journal: see
/// `docs/decisions/001-journal.md`.
const PARTITIONS: i32 = 16;
/// Of each topic that is compacted or loses old records.
const MAINTAINED_PARTITIONS: i32 = 4;
/// How many keys a writer uses in turn.
const KEYS: i64 = 7;

#[test]
fn acknowledged_records_survive_kills() {
    crash(32, 0, kills(5));
}

#[test]
#[ignore = "needs python"]
fn acknowledged_records_of_idempotent_writers_survive_kills() {
    crash(16, 4, kills(20));
}

/// Neither may compaction and retention take what is to be kept, when they are
/// killed in the middle of their work.
#[test]
fn what_is_kept_survives_kills_of_compaction_and_retention() {
    let mut random = Random::new();
    let server = restless().set("log.cleaner.backoff.ms", "1").start();
    let cluster = Cluster::new(server.broker());
    let small = [("internal.segment.bytes", "16384"), ("file.delete.delay.ms", "0")];
    let compact = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01")];
    cluster.create_topic_with(COMPACTED, MAINTAINED_PARTITIONS, &[&small[..], &compact].concat());
    let retained = [("retention.bytes", "65536")];
    cluster.create_topic_with(RETAINED, MAINTAINED_PARTITIONS, &[&small[..], &retained].concat());
    let address = server.broker().to_owned();
    let writers: Vec<PlainWriter> = (0..8)
        .map(|index| {
            let topic = if index < 4 { COMPACTED } else { RETAINED };
            PlainWriter::new(&address, topic, index, MAINTAINED_PARTITIONS)
        })
        .collect();
    let (server, _) = write_over_kills(server, &writers, &mut [], kills(10), &mut random);
    let cluster = Cluster::new(server.broker());
    for writer in &writers {
        let read = || cluster.records(writer.topic, writer.partition);
        if writer.topic == RETAINED {
            check_retained(writer, &read());
        } else {
            let acknowledged = writer.acknowledged();
            let is_compacted = |records: &Vec<Stored>| {
                acknowledged < 500 || (numbers(records, &writer.name).len() as i64) < acknowledged
            };
            check_compacted(writer, &until("compaction", || Some(read()).filter(is_compacted)));
        }
    }
    // On a slow machine the writers had not written enough for it.
    until("old records to be removed", || {
        cluster.produce_values(RETAINED, 0, &["more"; 100]);
        (cluster.start_offset(RETAINED, 0) > 0).then_some(())
    });
}

/// The newest records are there, without a gap.
fn check_retained(writer: &PlainWriter, records: &[Stored]) {
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    let wanted: Vec<i64> =
        offsets.first().map_or(0..0, |first| *first..first + offsets.len() as i64).collect();
    assert_eq!(first_difference(&offsets, &wanted), None, "{}: offsets have no gaps", writer.name);
    let mut got = numbers(records, &writer.name);
    got.dedup();
    let (first, acknowledged) = (*got.first().unwrap(), writer.acknowledged());
    let wanted: Vec<i64> = (first..acknowledged.max(first + got.len() as i64)).collect();
    assert_eq!(first_difference(&got, &wanted), None, "{}", writer.name);
    assert!(*got.last().unwrap() <= acknowledged, "{}: at most one was in flight", writer.name);
}

/// Of each key the newest record is there, and no key has gone.
fn check_compacted(writer: &PlainWriter, records: &[Stored]) {
    assert!(records.is_sorted_by_key(|record| record.offset));
    let got = numbers(records, &writer.name);
    let acknowledged = writer.acknowledged();
    for key in 0..KEYS.min(acknowledged) {
        let newest = got.iter().filter(|number| *number % KEYS == key).max();
        // The last number below `acknowledged` with this key.
        let wanted = acknowledged - 1 - (acknowledged - 1 - key) % KEYS;
        let is_kept = newest.is_some_and(|newest| *newest == wanted || *newest == acknowledged);
        assert!(
            is_kept,
            "{}: key {key} has {newest:?}, and {wanted} was acknowledged",
            writer.name
        );
    }
}

fn kills(default: u32) -> u32 {
    std::env::var("OTTLA_TEST_KILLS").map_or(default, |text| text.parse().unwrap())
}

/// Kills the program while writers write, some to the same partition, and checks what
/// is there in the end.
fn crash(plain: usize, idempotent: usize, kills: u32) {
    let mut random = Random::new();
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    // The smallest segments, so that some kills meet a roll.
    cluster.create_topic_with(TOPIC, PARTITIONS, &[("segment.bytes", "1048576")]);
    let address = server.broker().to_owned();
    let mut foreign: Vec<ForeignWriter> =
        (0..idempotent).map(|index| ForeignWriter::start(&address, index)).collect();
    let writers: Vec<PlainWriter> =
        (0..plain).map(|index| PlainWriter::new(&address, TOPIC, index, PARTITIONS)).collect();
    let (server, journals) = write_over_kills(server, &writers, &mut foreign, kills, &mut random);
    assert!(journals > 0, "no kill left anything in the journal");
    finish(&server, &writers, foreign);
}

/// Has the writers write while the program is killed again and again. Says how many
/// kills left acknowledged records in the journal.
fn write_over_kills(
    mut server: Server,
    writers: &[PlainWriter],
    foreign: &mut [ForeignWriter],
    kills: u32,
    random: &mut Random,
) -> (Server, usize) {
    // All starts use the ports of the first one.
    let setup = server.setup().clone().on_ports_of(&server);
    let stop = AtomicBool::new(false);
    let mut journals = 0;
    let server = std::thread::scope(|scope| {
        // The writers end even when what follows fails.
        let _stop = StopAtEnd(&stop);
        for writer in writers {
            scope.spawn(|| writer.write(&stop));
        }
        for kill in 0..kills {
            // Most kills meet writers at work, some a start.
            if random.below(8) > 0 {
                wait_for_progress(writers, foreign, kill);
                std::thread::sleep(Duration::from_micros(random.below(150_000)));
            }
            server.kill();
            journals += usize::from(journal_bytes(&setup) > 0);
            if random.below(4) == 0 {
                kill_at_start(&setup, random.below(40_000));
            }
            server = setup.start();
        }
        wait_for_progress(writers, foreign, kills);
        for writer in foreign {
            writer.stop();
        }
        stop.store(true, Ordering::Relaxed);
        until("the plain writers' end", || {
            writers.iter().all(|writer| writer.ended.load(Ordering::Acquire)).then_some(())
        });
        // What is in memory only must not help.
        server.kill_and_restart()
    });
    (server, journals)
}

/// What the next start will find in the journal.
fn journal_bytes(setup: &Setup) -> u64 {
    let halves = ["journal.0", "journal.1"].map(|name| setup.data().join(name).metadata());
    // Halves are made when they are needed.
    halves.into_iter().flatten().map(|half| half.len()).sum()
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

/// Reads what the writers wrote.
fn finish(server: &Server, writers: &[PlainWriter], foreign: Vec<ForeignWriter>) {
    let cluster = Cluster::new(server.broker());
    let records: Vec<Vec<Stored>> =
        (0..PARTITIONS).map(|partition| cluster.records(TOPIC, partition)).collect();
    for records in &records {
        let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
        let wanted: Vec<i64> = (0..records.len() as i64).collect();
        assert_eq!(offsets, wanted, "offsets have no gaps");
    }
    for writer in foreign {
        let name = &writer.name;
        let got = numbers(&records[writer.partition as usize], name);
        let wanted: Vec<i64> = (0..writer.acknowledged).collect();
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
    topic: &'static str,
    partition: i32,
    address: String,
    /// How many records are acknowledged.
    acknowledged: AtomicI64,
    ended: AtomicBool,
}

impl PlainWriter {
    fn new(address: &str, topic: &'static str, index: usize, partitions: i32) -> Self {
        Self {
            name: format!("plain{index}"),
            topic,
            partition: index as i32 % partitions,
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
        let number = self.acknowledged();
        let value = format!("{}-{number} {}", self.name, "y".repeat(300));
        let key = format!("{}-{}", self.name, number % KEYS);
        let key = (self.topic == COMPACTED).then_some(key.as_bytes());
        let records = [(key, Some(value.as_bytes()))];
        let request = produce_request(Compression::None, self.topic, self.partition, &records);
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
    /// How many records were acknowledged, when it has ended.
    acknowledged: i64,
}

impl ForeignWriter {
    fn start(address: &str, index: usize) -> Self {
        let name = format!("idempotent{index}");
        let partition = index as i32 % PARTITIONS;
        let mut command = python();
        command.arg(root().join("tests/interop/python/crash_writer.py"));
        command.args([address, TOPIC, &partition.to_string(), &name]);
        let program = Dialogue::start(&mut command);
        Self { name, partition, program, has_progress: false, acknowledged: 0 }
    }

    /// Whether something was acknowledged since the last call.
    fn progress(&self) -> bool {
        !self.program.lines_so_far().is_empty()
    }

    /// Has it end, and tell how many records were acknowledged in all.
    fn stop(&mut self) {
        self.program.say("stop");
        let lines = self.program.finish();
        let last = lines.last().and_then(|line| line.strip_prefix("acked "));
        self.acknowledged = last.unwrap_or_else(|| panic!("{lines:?}")).parse().unwrap();
        assert!(self.acknowledged > 0, "{} wrote", self.name);
    }
}

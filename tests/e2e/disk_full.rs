//! A disk that is full: producers are refused, everything else goes on, and it
//! ends by itself when there is room again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use protocol::ErrorCode;
use protocol::messages::DeleteTopicsRequest;
use protocol::records::Compression;

use crate::harness::kafka::{Cluster, Connection, produce_request};
use crate::harness::programs::{both, finish};
use crate::harness::{Setup, until};
use crate::log::{commit, committed, delete_records};

/// A file system of 64 MB in memory, until this is dropped.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    /// Says why there is none, where mounting is not allowed.
    fn mount(path: &'a Path) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(path);
        let mounted = finish(&mut mount);
        if mounted.status.success() {
            return Some(Self(path));
        }
        eprintln!("NOT RUN, because no file system can be mounted: {}", both(&mounted));
        None
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Writes one batch after the other, and again when it is refused.
struct Writer {
    partition: i32,
    acknowledged: AtomicI64,
    refused: AtomicI64,
}

impl Writer {
    fn write(&self, address: &str, stop: &AtomicBool) {
        let mut connection = Connection::open(address).unwrap();
        while !stop.load(Ordering::Relaxed) {
            let number = self.acknowledged.load(Ordering::Relaxed);
            let value = format!("{number} {}", "d".repeat(50_000));
            let records = [(None, Some(value.as_bytes()))];
            let request = produce_request(Compression::None, "filled", self.partition, &records);
            let answer = connection.call(9, &request).expect("the connection stays");
            match answer.responses[0].partition_responses[0].error_code {
                ErrorCode::None => _ = self.acknowledged.fetch_add(1, Ordering::Release),
                ErrorCode::KafkaStorageError => {
                    self.refused.fetch_add(1, Ordering::Release);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                error => panic!("{error:?}"),
            }
        }
    }
}

fn totals(writers: &[Writer], of: fn(&Writer) -> &AtomicI64) -> Vec<i64> {
    writers.iter().map(|writer| of(writer).load(Ordering::Acquire)).collect()
}

/// Waits until each writer was answered so again.
fn wait_for(what: &str, writers: &[Writer], of: fn(&Writer) -> &AtomicI64) {
    let before = totals(writers, of);
    until(what, || {
        let now = totals(writers, of);
        // Twice: the first answer may be to an older request.
        before.iter().zip(now).all(|(before, now)| now > before + 1).then_some(())
    });
}

#[test]
fn a_full_disk_refuses_producers_and_nothing_else() {
    let setup = Setup::new();
    let data = setup.data();
    let Some(_tmpfs) = Tmpfs::mount(&data) else { return };
    let server = setup
        .set("log.segment.delete.delay.ms", "0")
        .set("offsets.topic.num.partitions", "1")
        .start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic_with("filled", 4, &[("segment.bytes", "1048576")]);
    cluster.create_topic_with("ballast", 1, &[("segment.bytes", "1048576")]);
    cluster.create_topic("read", 1);
    let large = vec![b'b'; 900_000];
    for _ in 0..12 {
        cluster.produce("ballast", 0, &[(None, Some(&large))]);
    }
    let mut connection = Connection::open(server.broker()).unwrap();
    commit(&mut connection, "readers", 1);

    let address = server.broker().to_owned();
    let stop = AtomicBool::new(false);
    let writers = writers();
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        let threads: Vec<_> =
            writers.iter().map(|writer| scope.spawn(|| writer.write(&address, &stop))).collect();
        wait_for("producers to be refused", &writers, |writer| &writer.refused);
        assert!(server.log().contains("log.disk.reserve.bytes"), "the setting is named");
        // There is a reserve for what keeps the broker alive.
        commit(&mut connection, "readers", 2);
        assert_eq!(committed(&cluster, "readers"), 2);
        assert_eq!(cluster.records("ballast", 0).len(), 12);

        // Somebody else takes the reserve, too.
        fill(&data.join("somebody-else"));
        wait_for("producers to be refused still", &writers, |writer| &writer.refused);
        assert_eq!(cluster.records("ballast", 0).len(), 12, "reads go on");
        assert_eq!(committed(&cluster, "readers"), 2);
        std::fs::remove_file(data.join("somebody-else")).unwrap();
        commit(&mut connection, "readers", 3);

        // What is deleted makes room at once.
        assert_eq!(delete_records(&cluster, "ballast", 6), (6, ErrorCode::None));
        wait_for("producers to be let in", &writers, |writer| &writer.acknowledged);
        wait_for("producers to be refused again", &writers, |writer| &writer.refused);
        let request = DeleteTopicsRequest {
            topic_names: vec!["ballast".into()],
            timeout_ms: 30_000,
            ..DeleteTopicsRequest::default()
        };
        assert_eq!(cluster.call(5, &request).responses[0].error_code, ErrorCode::None);
        wait_for("producers to be let in again", &writers, |writer| &writer.acknowledged);
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });

    check(&cluster, &writers);
    let server = server.kill_and_restart();
    let cluster = Cluster::new(server.broker());
    check(&cluster, &writers);
    until("the groups", || (committed(&cluster, "readers") == 3).then_some(()));
}

#[test]
fn a_disk_that_is_full_to_its_last_byte_costs_no_acknowledged_record() {
    let setup = Setup::new();
    let data = setup.data();
    let Some(_tmpfs) = Tmpfs::mount(&data) else { return };
    let server = setup.set("log.disk.reserve.bytes", "0").start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic_with("filled", 4, &[("segment.bytes", "1048576")]);
    let somebody_else = data.join("somebody-else");
    let address = server.broker().to_owned();
    let stop = AtomicBool::new(false);
    let writers = writers();
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        let threads: Vec<_> =
            writers.iter().map(|writer| scope.spawn(|| writer.write(&address, &stop))).collect();
        wait_for("producers to write", &writers, |writer| &writer.acknowledged);
        for _ in 0..3 {
            fill(&somebody_else);
            wait_for("producers to be refused", &writers, |writer| &writer.refused);
            let acknowledged = writers[0].acknowledged.load(Ordering::Acquire);
            assert!(cluster.records("filled", 0).len() as i64 >= acknowledged, "reads go on");
            std::fs::remove_file(&somebody_else).unwrap();
            wait_for("producers to be let in", &writers, |writer| &writer.acknowledged);
        }
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });
    check(&cluster, &writers);
    let server = server.kill_and_restart();
    check(&Cluster::new(server.broker()), &writers);
}

/// One for each partition.
fn writers() -> Vec<Writer> {
    let writer = |partition| Writer {
        partition,
        acknowledged: AtomicI64::new(0),
        refused: AtomicI64::new(0),
    };
    (0..4).map(writer).collect()
}

/// Fills the file system to its last byte.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut size = 1 << 20;
    while size > 0 {
        match file.write(&vec![0; size]) {
            Ok(0) | Err(_) => size /= 2,
            Ok(_) => {}
        }
    }
}

/// Each acknowledged record is there once, in order; what was refused is not.
fn check(cluster: &Cluster, writers: &[Writer]) {
    for writer in writers {
        let acknowledged = writer.acknowledged.load(Ordering::Acquire);
        let records = cluster.records("filled", writer.partition);
        let numbers: BTreeMap<i64, i64> = records
            .iter()
            .map(|record| {
                let number = record.value_text().split(' ').next().unwrap();
                (record.offset, number.parse().unwrap())
            })
            .collect();
        let expected: BTreeMap<i64, i64> =
            (0..acknowledged).map(|number| (number, number)).collect();
        assert!(numbers == expected, "partition {}", writer.partition);
    }
}

/// Stops the writers when it is dropped.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

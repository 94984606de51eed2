//! Partition directories that move from one broker to the other.

use std::path::Path;
use std::process::Command;

use crate::harness::apache_kafka::ApacheKafka;
use crate::harness::kafka::{Cluster, Stored};
use crate::harness::{Setup, program};
use crate::logs::{write_batches, write_compacted};

const TOPICS: [&str; 3] = ["varied", "stamped", "compacted"];

fn records(cluster: &Cluster) -> Vec<Vec<Stored>> {
    TOPICS.iter().map(|topic| cluster.records(topic, 0)).collect()
}

/// Puts the partitions of one directory in the place of those of the other, as of
/// the topics that are there.
fn move_partitions(from: &Path, to: &Path) {
    for topic in TOPICS {
        let (from, to) = (from.join(format!("{topic}-0")), to.join(format!("{topic}-0")));
        // The topic has another id here, if it has one already.
        let id = std::fs::read(to.join("partition.metadata"));
        let _ = std::fs::remove_dir_all(&to);
        let copied = Command::new("cp").arg("-a").args([&from, &to]).status().unwrap();
        assert!(copied.success());
        match id {
            Ok(id) => std::fs::write(to.join("partition.metadata"), id).unwrap(),
            Err(_) => std::fs::remove_file(to.join("partition.metadata")).unwrap(),
        }
    }
}

#[track_caller]
fn verify(directory: &Path) {
    let verified = Command::new(program()).args(["logs", "verify"]).arg(directory).output();
    let verified = verified.unwrap();
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{said}");
}

#[test]
#[ignore = "needs Java and Maven"]
fn each_broker_opens_what_the_other_wrote() {
    let mut kafka = ApacheKafka::start(&["log.cleaner.backoff.ms=100"]);
    write_batches(&kafka.cluster());
    write_compacted(&kafka.cluster(), "10000");
    let server = Setup::new().start();
    for topic in TOPICS {
        Cluster::new(server.broker()).create_topic(topic, 1);
    }
    let setup = server.setup().clone();
    assert!(server.stop().success());
    let mut written = vec![];
    kafka.restart(|data| {
        verify(data);
        move_partitions(data, &setup.data());
        let server = setup.start();
        let cluster = Cluster::new(server.broker());
        written = records(&cluster);
        for topic in TOPICS {
            let end = cluster.end_offset(topic, 0);
            assert_eq!(cluster.produce(topic, 0, &[(Some(b"key"), Some(b"ours"))]), end);
        }
        let server = server.kill_and_restart();
        let server = server.restart();
        assert!(server.stop().success());
        verify(&setup.data());
        move_partitions(&setup.data(), data);
    });
    let back = records(&kafka.cluster());
    for ((topic, written), back) in TOPICS.iter().zip(&written).zip(&back) {
        assert!(written.len() > 10, "{topic}");
        let (last, before) = back.split_last().unwrap();
        assert_eq!(last.value.as_deref(), Some(&b"ours"[..]), "{topic}");
        assert_eq!(before, written, "{topic}");
        let next = kafka.cluster().produce(topic, 0, &[(Some(b"key"), Some(b"theirs"))]);
        assert_eq!(next, last.offset + 1, "{topic}");
    }
}

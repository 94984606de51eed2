//! The log through the ports: what retention, deletion and compaction leave, on
//! request and by themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::ErrorCode;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch::OffsetFetchRequestTopic;
use protocol::messages::{DeleteRecordsRequest, OffsetCommitRequest, OffsetFetchRequest};
use protocol::records::{BatchBuilder, Compression};

use crate::harness::kafka::{
    Cluster, Connection, KeyValue, Stored, fetch_request, now_ms, produce_batch,
};
use crate::harness::{Server, Setup, until};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A broker that looks for old records and compacts without rest.
pub(crate) fn restless() -> Setup {
    Setup::new()
        .set("log.retention.check.interval.ms", "20")
        .set("log.cleaner.backoff.ms", "20")
        .set("log.flush.offset.checkpoint.interval.ms", "100")
}

/// Bytes of batches in the files of a partition.
fn log_bytes(setup: &Setup, partition: &str) -> u64 {
    let segments = files(&setup.data().join(partition), "log");
    // A file may go between the list and the look.
    segments.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum()
}

pub(crate) fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

/// Produces one record of a time, and gives its offset.
fn produce_at(cluster: &Cluster, topic: &str, time_ms: i64, record: KeyValue<'_>) -> i64 {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(time_ms, record.0, record.1, &[]);
    let answer = cluster.call(9, &produce_batch(topic, 0, batch.build()));
    let answer = &answer.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, ErrorCode::None, "{answer:?}");
    answer.base_offset
}

/// What a fetch at an offset is answered with.
fn fetch_error(cluster: &Cluster, topic: &str, offset: i64) -> ErrorCode {
    cluster.call(11, &fetch_request(topic, 0, offset)).responses[0].partitions[0].error_code
}

#[test]
fn retention_by_size_keeps_the_newest_segments() {
    let server = restless().start();
    let cluster = Cluster::new(server.broker());
    let configs = [
        ("segment.bytes", "1048576"),
        ("retention.bytes", "2097152"),
        ("file.delete.delay.ms", "0"),
    ];
    cluster.create_topic_with("sized", 1, &configs);
    let value = vec![b'x'; 100_000];
    for _ in 0..60 {
        cluster.produce("sized", 0, &[(None, Some(&value))]);
    }
    // Segments go while what is left without them is still as large as the limit.
    let bytes = until("old segments to go", || {
        let bytes = log_bytes(server.setup(), "sized-0");
        (bytes < 2_097_152 + 1_048_576).then_some(bytes)
    });
    assert!(bytes >= 2_097_152, "{bytes} bytes are left");
    let start = cluster.start_offset("sized", 0);
    assert!(start > 20, "begins with {start}");
    assert_eq!(fetch_error(&cluster, "sized", start - 1), ErrorCode::OffsetOutOfRange);
    let offsets: Vec<i64> =
        cluster.records("sized", 0).iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (start..60).collect::<Vec<_>>());

    let server = server.kill_and_restart();
    let cluster = Cluster::new(server.broker());
    assert_eq!((cluster.start_offset("sized", 0), cluster.end_offset("sized", 0)), (start, 60));
}

#[test]
fn a_data_directory_stays_below_its_maximum() {
    let server = restless().set("log.disk.max.bytes", "6000000").start();
    let cluster = Cluster::new(server.broker());
    let segment = ("segment.bytes", "1048576");
    let delete = [segment, ("file.delete.delay.ms", "0")];
    cluster.create_topic_with("older", 1, &delete);
    cluster.create_topic_with("newer", 1, &delete);
    cluster.create_topic_with("compacted", 1, &[segment, ("cleanup.policy", "compact")]);
    let value = vec![b'x'; 100_000];
    for key in 0..20 {
        let key = format!("key {key}");
        cluster.produce("compacted", 0, &[(Some(key.as_bytes()), Some(&value))]);
    }
    for topic in ["older", "newer"] {
        for _ in 0..40 {
            cluster.produce(topic, 0, &[(None, Some(&value))]);
        }
    }
    // 10 MB were written, of which 2 MB are not to be removed.
    let all = ["older-0", "newer-0", "compacted-0"];
    until("the oldest segments to go", || {
        let bytes: u64 = all.iter().map(|name| log_bytes(server.setup(), name)).sum();
        (bytes <= 6_000_000).then_some(())
    });
    let starts = ["older", "newer", "compacted"].map(|topic| cluster.start_offset(topic, 0));
    assert!(starts[0] > starts[1], "the oldest go first: {starts:?}");
    assert_eq!(starts[2], 0, "not those of a compacted topic");
    assert_eq!(cluster.records("compacted", 0).len(), 20);
    let newest = cluster.records("newer", 0).last().map(|record| record.offset);
    assert_eq!(newest, Some(39), "what is being written stays");
}

#[test]
fn retention_by_time_removes_even_the_segment_that_is_written_to() {
    let server = restless().start();
    let cluster = Cluster::new(server.broker());
    let configs = [("retention.ms", "3600000"), ("file.delete.delay.ms", "0")];
    cluster.create_topic_with("timed", 1, &configs);
    for _ in 0..5 {
        produce_at(&cluster, "timed", now_ms() - DAY_MS, (None, Some(b"old")));
    }
    until("all to go", || (cluster.start_offset("timed", 0) == 5).then_some(()));
    assert_eq!(cluster.end_offset("timed", 0), 5, "offsets go on");
    assert!(cluster.records("timed", 0).is_empty());
    assert_eq!(produce_at(&cluster, "timed", now_ms(), (None, Some(b"new"))), 5);
    until("only one segment", || {
        (files(&server.setup().data().join("timed-0"), "log").len() == 1).then_some(())
    });
    let server = server.restart();
    let cluster = Cluster::new(server.broker());
    let records = cluster.records("timed", 0);
    assert_eq!(records.iter().map(Stored::value_text).collect::<Vec<_>>(), ["new"]);
    assert_eq!(records[0].offset, 5);
}

/// Has the records before an offset deleted, and gives the answer.
pub(crate) fn delete_records(cluster: &Cluster, topic: &str, offset: i64) -> (i64, ErrorCode) {
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic.into(),
            partitions: vec![DeleteRecordsPartition { partition_index: 0, offset }],
        }],
        timeout_ms: 30_000,
    };
    let answer = cluster.call(2, &request);
    let partition = &answer.topics[0].partitions[0];
    (partition.low_watermark, partition.error_code)
}

#[test]
fn deleted_records_are_gone_for_readers_at_once_and_for_ever() {
    let mut server = restless().start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic_with("cut", 1, &[("segment.bytes", "1048576")]);
    let value = vec![b'x'; 200_000];
    for _ in 0..30 {
        cluster.produce("cut", 0, &[(None, Some(&value))]);
    }
    assert_eq!(delete_records(&cluster, "cut", 31).1, ErrorCode::OffsetOutOfRange);
    assert_eq!(delete_records(&cluster, "cut", 17), (17, ErrorCode::None));
    assert_eq!(delete_records(&cluster, "cut", 3), (17, ErrorCode::None), "nothing comes back");
    assert_eq!(fetch_error(&cluster, "cut", 16), ErrorCode::OffsetOutOfRange);
    assert_eq!(fetch_error(&cluster, "cut", 17), ErrorCode::None);
    until("the files of the first segments to go", || {
        let first = files(&server.setup().data().join("cut-0"), "log").remove(0);
        first.to_string_lossy().ends_with("00000000000000000015.log").then_some(())
    });
    for restart in [Server::kill_and_restart, Server::restart] {
        server = restart(server);
        let cluster = Cluster::new(server.broker());
        assert_eq!((cluster.start_offset("cut", 0), cluster.end_offset("cut", 0)), (17, 30));
    }
    let cluster = Cluster::new(server.broker());
    assert_eq!(delete_records(&cluster, "cut", -1), (30, ErrorCode::None));
    assert_eq!(cluster.produce("cut", 0, &[(None, Some(b"next"))]), 30);
}

/// A compacted topic with segments of a few kilobytes.
fn create_compacted(cluster: &Cluster, topic: &str, configs: &[(&str, &str)]) {
    let mut all = vec![
        ("internal.segment.bytes", "4096"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("file.delete.delay.ms", "0"),
    ];
    if !configs.iter().any(|(name, _)| *name == "cleanup.policy") {
        all.push(("cleanup.policy", "compact"));
    }
    all.extend(configs);
    cluster.create_topic_with(topic, 1, &all);
}

/// The newest value of each key.
fn newest(records: &[Stored]) -> BTreeMap<String, Option<String>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    records
        .iter()
        .map(|record| (text(record.key.as_deref().unwrap()), record.value.as_deref().map(text)))
        .collect()
}

/// Fills segments with a key of its own, so that those before can be compacted.
fn roll(cluster: &Cluster, topic: &str) {
    let value = vec![b'r'; 3_000];
    for _ in 0..3 {
        cluster.produce(topic, 0, &[(Some(b"filler"), Some(&value))]);
    }
}

#[test]
fn compaction_keeps_the_newest_record_of_each_key_where_it_was() {
    let mut server = restless().start();
    let cluster = Cluster::new(server.broker());
    create_compacted(&cluster, "compacted", &[]);
    let mut expected = BTreeMap::new();
    let mut offsets = BTreeMap::new();
    let codecs = [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd];
    for round in 0..100_usize {
        let records: Vec<(String, String)> = (0..5)
            .map(|at| {
                (
                    format!("key{}", (round * 3 + at) % 11),
                    format!("{round}-{at}-{}", "v".repeat(100)),
                )
            })
            .collect();
        let bytes: Vec<KeyValue<'_>> = records
            .iter()
            .map(|(key, value)| (Some(key.as_bytes()), Some(value.as_bytes())))
            .collect();
        let first = cluster.produce_with(codecs[round % 4], "compacted", 0, &bytes);
        for (offset, (key, value)) in (first..).zip(records) {
            offsets.insert(key.clone(), offset);
            expected.insert(key, Some(value));
        }
    }
    roll(&cluster, "compacted");
    let records = until("few records to be left", || {
        let records = cluster.records("compacted", 0);
        (records.len() < 11 + 10).then_some(records)
    });
    let mut found = newest(&records);
    found.remove("filler");
    assert_eq!(found, expected);
    for (key, offset) in &offsets {
        let of_key = records.iter().filter(|record| record.key.as_deref() == Some(key.as_bytes()));
        assert_eq!(of_key.map(|record| record.offset).max(), Some(*offset), "{key} has moved");
    }
    assert_eq!(cluster.start_offset("compacted", 0), 0, "the log begins where it began");
    assert_eq!(fetch_error(&cluster, "compacted", 1), ErrorCode::None, "a hole can be read from");
    let end = cluster.end_offset("compacted", 0);
    for restart in [Server::kill_and_restart, Server::restart] {
        server = restart(server);
        let cluster = Cluster::new(server.broker());
        let mut found = newest(&cluster.records("compacted", 0));
        found.remove("filler");
        assert_eq!(found, expected);
        assert_eq!(cluster.end_offset("compacted", 0), end);
    }
}

#[test]
fn tombstones_stay_for_their_time_and_go_then() {
    let server = restless().start();
    let cluster = Cluster::new(server.broker());
    create_compacted(&cluster, "kept-tombstones", &[]);
    create_compacted(&cluster, "short-tombstones", &[("delete.retention.ms", "0")]);
    for topic in ["kept-tombstones", "short-tombstones"] {
        let records: [KeyValue<'_>; 2] = [(Some(b"a"), Some(b"1")), (Some(b"b"), Some(b"1"))];
        cluster.produce(topic, 0, &records);
        cluster.produce(topic, 0, &[(Some(b"a"), None)]);
    }
    // A first pass gives the tombstone its time, a later one takes it away.
    until("the tombstone to go", || {
        roll(&cluster, "short-tombstones");
        let found = newest(&cluster.records("short-tombstones", 0));
        assert_eq!(found["b"].as_deref(), Some("1"));
        (!found.contains_key("a")).then_some(())
    });
    let tombstones = until("what the tombstone is for to go", || {
        roll(&cluster, "kept-tombstones");
        let records = cluster.records("kept-tombstones", 0);
        let of_a = records.iter().filter(|record| record.key.as_deref() == Some(b"a"));
        let of_a: Vec<Option<Vec<u8>>> = of_a.map(|record| record.value.clone()).collect();
        (of_a.len() == 1).then_some(of_a)
    });
    assert_eq!(tombstones, [None], "it stays for delete.retention.ms");
}

#[test]
fn a_topic_can_be_compacted_and_lose_what_is_old() {
    let server = restless().start();
    let cluster = Cluster::new(server.broker());
    create_compacted(
        &cluster,
        "both",
        &[("cleanup.policy", "compact,delete"), ("retention.ms", "3600000")],
    );
    let old = now_ms() - DAY_MS;
    let value = vec![b'o'; 3_000];
    for key in [&b"gone"[..], b"also gone"] {
        for _ in 0..3 {
            produce_at(&cluster, "both", old, (Some(key), Some(&value)));
        }
    }
    // Before what is new: compaction may put neighbours into one segment, and that
    // goes when the newest of its records is old.
    until("the old to go", || (cluster.start_offset("both", 0) == 6).then_some(()));
    for number in 0..20 {
        let value = format!("{number}-{}", "n".repeat(1_000));
        produce_at(&cluster, "both", now_ms(), (Some(b"kept"), Some(value.as_bytes())));
    }
    roll(&cluster, "both");
    let records = until("the new to be compacted", || {
        let records = cluster.records("both", 0);
        (records.len() < 10).then_some(records)
    });
    let found = newest(&records);
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["filler", "kept"]);
    assert!(found["kept"].as_deref().unwrap().starts_with("19-"));
}

/// Compaction by Apache Kafka may leave nothing of a segment, and no checkpoint of
/// ours knows of a directory that it wrote. What lies behind such a hole stays.
#[test]
fn a_hole_between_segments_that_another_broker_left_costs_nothing() {
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic_with("holey", 1, &[("internal.segment.bytes", "2000")]);
    let value = "h".repeat(900);
    for _ in 0..10 {
        cluster.produce_values("holey", 0, &[&value]);
    }
    let setup = server.setup().clone().on_ports_of(&server);
    assert!(server.stop().success());
    let directory = setup.data().join("holey-0");
    let gone = files(&directory, "log").remove(2);
    assert!(gone.ends_with("00000000000000000004.log"), "{}", gone.display());
    for extension in ["log", "index", "timeindex"] {
        std::fs::remove_file(gone.with_extension(extension)).unwrap();
    }
    std::fs::remove_file(directory.join("partition.metadata")).unwrap();
    let checkpoint = setup.data().join("recovery-point-offset-checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    assert!(text.contains("\nholey 0 10\n"), "{text}");
    std::fs::write(&checkpoint, "0\n0\n").unwrap();

    let mut server = setup.start();
    assert_eq!(Cluster::new(server.broker()).produce_values("holey", 0, &["more"]), 10);
    for restart in [Server::kill_and_restart, Server::kill_and_restart, Server::restart] {
        server = restart(server);
        let records = Cluster::new(server.broker()).records("holey", 0);
        let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, [0, 1, 2, 3, 6, 7, 8, 9, 10]);
    }
    assert!(directory.join("partition.metadata").exists(), "it belongs to its topic now");
}

/// A crash may bring back some of the segments that were removed, and not the next ones.
#[test]
fn a_hole_among_deleted_records_costs_nothing() {
    let server = restless().start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic_with("trimmed", 1, &[("internal.segment.bytes", "2000")]);
    let value = "t".repeat(900);
    for _ in 0..10 {
        cluster.produce_values("trimmed", 0, &[&value]);
    }
    let directory = server.setup().data().join("trimmed-0");
    let first = files(&directory, "log").remove(0);
    let bytes = std::fs::read(&first).unwrap();
    assert_eq!(delete_records(&cluster, "trimmed", 8), (8, ErrorCode::None));
    until("the first segment to go", || (files(&directory, "log").len() == 1).then_some(()));
    let setup = server.setup().clone().on_ports_of(&server);
    server.kill();
    std::fs::write(&first, bytes).unwrap();
    std::fs::write(setup.data().join("recovery-point-offset-checkpoint"), "0\n0\n").unwrap();

    let server = setup.start();
    let cluster = Cluster::new(server.broker());
    assert_eq!(cluster.produce_values("trimmed", 0, &["more"]), 10);
    let offsets: Vec<i64> =
        cluster.records("trimmed", 0).iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [8, 9, 10]);
}

/// Without it, a start after a crash would read all that was ever written since the last.
#[test]
fn segments_that_are_closed_become_durable_whatever_the_durability() {
    let server = restless().start();
    let cluster = Cluster::new(server.broker());
    let configs = [("durability", "os"), ("internal.segment.bytes", "2000")];
    cluster.create_topic_with("lazy", 1, &configs);
    let value = "l".repeat(900);
    cluster.produce_values("lazy", 0, &[&value]);
    cluster.produce_values("lazy", 0, &[&value]);
    cluster.produce_values("lazy", 0, &[&value]);
    let checkpoint = server.setup().data().join("recovery-point-offset-checkpoint");
    until("the recovery point to pass the first segment", || {
        let text = std::fs::read_to_string(&checkpoint).unwrap_or_default();
        let point = text.lines().find_map(|line| line.strip_prefix("lazy 0 "))?;
        (point.parse::<i64>().unwrap() >= 2).then_some(())
    });
}

/// Segment files are opened when they are needed, and others closed for them.
#[test]
fn few_files_are_open_however_many_segments_there_are() {
    const PARTITIONS: i32 = 30;
    const RECORDS: usize = 6;
    const MAX: usize = 20;
    let mut server = restless().set("log.open.files.max", &MAX.to_string()).start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic_with("many", PARTITIONS, &[("internal.segment.bytes", "2000")]);
    for number in 0..RECORDS {
        let value = format!("{number}{}", "m".repeat(900));
        for partition in 0..PARTITIONS {
            cluster.produce_values("many", partition, &[&value]);
        }
    }
    let segments = |setup: &Setup| -> usize {
        let directories = (0..PARTITIONS).map(|at| setup.data().join(format!("many-{at}")));
        directories.map(|directory| files(&directory, "log").len()).sum()
    };
    let count = segments(server.setup());
    assert!(count > 3 * MAX, "{count}");
    let restarts: [fn(Server) -> Server; 3] =
        [std::convert::identity, Server::kill_and_restart, Server::restart];
    for restart in restarts {
        server = restart(server);
        let cluster = Cluster::new(server.broker());
        for partition in 0..PARTITIONS {
            let records = cluster.records("many", partition);
            let numbers: Vec<_> =
                records.iter().map(|record| record.value_text()[..1].to_owned()).collect();
            assert_eq!(numbers, ["0", "1", "2", "3", "4", "5"], "{partition}");
        }
        // More than there may be are open while they are read.
        let open = open_segments(&server);
        assert!(open > 0 && open <= MAX + 2, "{open}");
    }
    let cluster = Cluster::new(server.broker());
    assert_eq!(delete_records(&cluster, "many", 5), (5, ErrorCode::None));
    until("old segments to go", || (segments(server.setup()) == count - 2).then_some(()));
    assert_eq!(cluster.records("many", 0).len(), 1);
}

/// Files of batches that the program has open.
fn open_segments(server: &Server) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let opened = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    opened.filter(|path| path.extension().is_some_and(|extension| extension == "log")).count()
}

/// Commits an offset without being a member.
pub(crate) fn commit(connection: &mut Connection, group: &str, offset: i64) {
    let request = OffsetCommitRequest {
        group_id: group.into(),
        topics: vec![OffsetCommitRequestTopic {
            name: "read".into(),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: offset,
                committed_metadata: Some("m".repeat(4_000).into()),
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    until("the coordinator", || {
        let answer = connection.call(8, &request).unwrap();
        let error = answer.topics[0].partitions[0].error_code;
        let is_loading = matches!(
            error,
            ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::NotCoordinator
        );
        assert!(is_loading || error == ErrorCode::None, "{error:?}");
        (!is_loading).then_some(())
    });
}

pub(crate) fn committed(cluster: &Cluster, group: &str) -> i64 {
    let request = OffsetFetchRequest {
        group_id: group.into(),
        topics: Some(vec![OffsetFetchRequestTopic {
            name: "read".into(),
            partition_indexes: vec![0],
        }]),
        ..OffsetFetchRequest::default()
    };
    cluster.call(7, &request).topics[0].partitions[0].committed_offset
}

#[test]
fn offsets_of_groups_are_compacted_and_none_is_lost() {
    let setup = restless()
        .set("offsets.topic.segment.bytes", "1048576")
        .set("offsets.topic.num.partitions", "1")
        .set("log.cleaner.min.cleanable.ratio", "0.01")
        .set("log.segment.delete.delay.ms", "0");
    let mut server = setup.start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic("read", 1);
    let mut connection = Connection::open(server.broker()).unwrap();
    for offset in 0..400 {
        for group in ["one", "two", "three"] {
            commit(&mut connection, group, offset);
        }
    }
    until("the offsets topic to be small", || {
        // Almost five megabytes were written; the segment that is written to stays as it is.
        (log_bytes(server.setup(), "__consumer_offsets-0") < 1_200_000).then_some(())
    });
    for restart in [Server::kill_and_restart, Server::restart] {
        server = restart(server);
        let cluster = Cluster::new(server.broker());
        for group in ["one", "two", "three"] {
            until("the groups", || (committed(&cluster, group) == 399).then_some(()));
        }
    }
}

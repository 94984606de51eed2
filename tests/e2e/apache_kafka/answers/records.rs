//! Records: produced in all ways and in all wrong ones, found, fetched, deleted.

use std::time::Duration;

use bytes::Bytes;
use protocol::Records;
use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::offset_for_leader_epoch::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::{
    DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    ProduceRequest,
};
use protocol::records::{BatchBuilder, Compression, batches};

use super::Script;
use crate::harness::kafka::{Cluster, now_ms, produce_batch};
use crate::harness::until;

/// A time long ago, so that it is the same for both.
const TIME_MS: i64 = 1_700_000_000_000;

pub(super) fn play(script: &mut Script<'_>) {
    script.cluster.create_topic_with("records", 2, &[("retention.ms", "-1")]);
    script.cluster.create_topic_with(
        "stamped",
        1,
        &[("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1")],
    );
    script.cluster.create_topic_with("keyed", 1, &[("cleanup.policy", "compact")]);
    script.cluster.create_topic_with(
        "zipped",
        1,
        &[("compression.type", "gzip"), ("retention.ms", "-1")],
    );
    script.cluster.create_topic_with(
        "small",
        1,
        &[("max.message.bytes", "300"), ("retention.ms", "-1")],
    );
    // For batches that only one of both takes.
    script.cluster.create_topic_with("odd", 1, &[("retention.ms", "-1")]);
    script.cluster.create_topic_with(
        "timely",
        1,
        &[("message.timestamp.before.max.ms", "1000"), ("message.timestamp.after.max.ms", "1000")],
    );
    good_batches(script);
    bad_batches(script);
    idempotence(script);
    list_offsets(script);
    fetch(script);
    leader_epochs(script);
    delete_records(script);
    compaction(script);
}

/// Time, key and value.
type Timed<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>);

fn batch(compression: Compression, records: &[Timed<'_>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression);
    for (time, key, value) in records {
        builder.append(*time, *key, *value, &[("header", Some(b"1")), ("header", None)]);
    }
    builder.build().to_vec()
}

fn plain() -> Vec<u8> {
    batch(
        Compression::None,
        &[(TIME_MS, Some(b"key"), Some(b"value")), (TIME_MS + 5, None, Some(b"second"))],
    )
}

/// Writes the checksum anew.
fn sealed(mut batch: Vec<u8>) -> Vec<u8> {
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

fn put(mut batch: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    sealed(batch)
}

fn produce(script: &mut Script<'_>, case: &str, topic: &str, version: i16, bytes: Vec<u8>) {
    let request = produce_batch(topic, 0, Bytes::from(bytes));
    script.ask(&format!("produce {case} v{version}"), version, &request);
}

fn good_batches(script: &mut Script<'_>) {
    for codec in Compression::ALL {
        let records = [
            (TIME_MS, Some(&b"key"[..]), Some(&b"value"[..])),
            (TIME_MS + 7_000, None, Some(b"newest")),
            (TIME_MS + 3_000, Some(b""), None),
        ];
        for topic in ["records", "zipped", "stamped"] {
            let name = format!("{} to {topic}", codec.name());
            produce(script, &name, topic, 9, batch(codec, &records));
        }
    }
    for version in [3, 5, 7, 8, 10, 11, 12] {
        produce(script, "in a version", "records", version, plain());
    }
    let empty = Vec::new();
    produce(script, "nothing", "records", 9, empty);
    let request = ProduceRequest { acks: 1, ..produce_batch("records", 0, plain().into()) };
    script.ask("produce with acks=1", 9, &request);
    for acks in [2, -2] {
        let request = ProduceRequest { acks, ..produce_batch("records", 0, plain().into()) };
        script.ask(&format!("produce with acks={acks}"), 9, &request);
    }
    let request = produce_batch("missing", 0, plain().into());
    script.ask("produce to a missing topic", 9, &request);
    let request = produce_batch("records", 7, plain().into());
    script.ask("produce to a missing partition", 9, &request);
}

fn bad_batches(script: &mut Script<'_>) {
    let corrupt = |at: usize| {
        let mut bytes = plain();
        bytes[at] ^= 1;
        bytes
    };
    let length = plain().len();
    let batch_length = |length: i32| {
        let mut bytes = plain();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let two = [plain(), plain()].concat();
    let with = |at: usize, bytes: &[u8]| put(plain(), at, bytes);
    let zipped = batch(Compression::Gzip, &[(TIME_MS, Some(b"key"), Some(b"value"))]);
    let mut broken_zip = zipped.clone();
    broken_zip.truncate(zipped.len() - 10);
    let broken_length = (broken_zip.len() - 12) as i32;
    broken_zip[8..12].copy_from_slice(&broken_length.to_be_bytes());
    let mut trailing = plain();
    trailing.push(0);
    trailing[8..12].copy_from_slice(&((length - 11) as i32).to_be_bytes());
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("a flipped bit", "records", corrupt(length - 2)),
        ("a wrong checksum", "records", corrupt(18)),
        ("format 0", "records", with(16, &[0])),
        ("format 1", "records", with(16, &[1])),
        ("format 3", "records", with(16, &[3])),
        ("a cut end", "records", plain()[..length - 3].to_vec()),
        ("a cut header", "records", plain()[..40].to_vec()),
        ("few bytes", "records", plain()[..10].to_vec()),
        ("a short length", "records", batch_length(20)),
        ("no length", "records", batch_length(0)),
        ("a negative length", "records", batch_length(-5)),
        ("a long length", "records", batch_length(100_000)),
        ("two batches", "records", two),
        ("bytes behind the batch", "records", [plain(), vec![1, 2, 3]].concat()),
        ("codec 5", "records", with(21, &[0, 5])),
        ("codec 7", "records", with(21, &[0, 7])),
        ("a control batch", "records", with(21, &[0, 0x20])),
        ("a time stamp of the broker", "odd", with(21, &[0, 0x08])),
        ("a delete horizon", "odd", with(21, &[0, 0x40])),
        ("an unknown attribute", "records", with(21, &[1, 0])),
        ("too large a last offset", "records", with(23, &5_i32.to_be_bytes())),
        ("too small a last offset", "records", with(23, &0_i32.to_be_bytes())),
        ("a negative last offset", "records", with(23, &(-1_i32).to_be_bytes())),
        ("too many records", "records", with(57, &3_i32.to_be_bytes())),
        ("too few records", "records", with(57, &1_i32.to_be_bytes())),
        ("no records", "records", with(57, &0_i32.to_be_bytes())),
        ("-1 records", "records", with(57, &(-1_i32).to_be_bytes())),
        ("a base offset", "records", {
            let mut bytes = plain();
            bytes[7] = 9;
            bytes
        }),
        ("a leader epoch", "records", {
            let mut bytes = plain();
            bytes[12..16].copy_from_slice(&3_i32.to_be_bytes());
            bytes
        }),
        ("another largest time", "records", with(35, &(TIME_MS + 99).to_be_bytes())),
        ("no largest time", "records", with(35, &(-1_i64).to_be_bytes())),
        ("bytes behind the records", "records", sealed(trailing)),
        ("half a compressed batch", "records", sealed(broken_zip)),
        ("plain records called gzip", "records", with(21, &[0, 1])),
        ("plain records called lz4", "records", with(21, &[0, 3])),
        ("plain records called zstd", "records", with(21, &[0, 4])),
        ("a record without a key", "keyed", plain()),
        (
            "records without keys",
            "keyed",
            batch(
                Compression::None,
                &[
                    (now_ms(), None, Some(b"a")),
                    (now_ms(), Some(b"k"), Some(b"b")),
                    (now_ms(), None, Some(b"c")),
                ],
            ),
        ),
        (
            "too large a batch",
            "small",
            batch(Compression::None, &[(TIME_MS, None, Some(&[b'x'; 400]))]),
        ),
        (
            "a large batch that is small",
            "small",
            batch(Compression::Gzip, &[(TIME_MS, None, Some(&[b'x'; 4_000]))]),
        ),
        ("an old record", "timely", plain()),
        (
            "a record of the future",
            "timely",
            batch(
                Compression::None,
                &[(now_ms(), None, Some(b"a")), (now_ms() + 500_000, None, Some(b"a"))],
            ),
        ),
        (
            "a record of a far future",
            "records",
            batch(Compression::None, &[(now_ms() + 7_200_000, None, Some(b"a"))]),
        ),
        ("a record without a time", "records", batch(Compression::None, &[(-1, None, Some(b"a"))])),
        ("a record without a time", "timely", batch(Compression::None, &[(-1, None, Some(b"a"))])),
        ("a record without a time", "stamped", batch(Compression::None, &[(-1, None, Some(b"a"))])),
        ("a transaction", "records", {
            let mut builder = BatchBuilder::new(Compression::None);
            builder.set_transactional(true);
            builder.set_producer(1, 0, 0);
            builder.append(TIME_MS, None, Some(b"a"), &[]);
            builder.build().to_vec()
        }),
    ];
    for (case, topic, bytes) in cases {
        produce(script, &format!("{case} to {topic}"), topic, 9, bytes);
    }
    let zstd = batch(Compression::Zstd, &[(TIME_MS, None, Some(b"zstd"))]);
    produce(script, "zstd in an old version", "records", 6, zstd);
    // Wrong records: a negative offset delta, and an attribute that means nothing.
    let mut bytes = plain();
    bytes[63] = 3;
    produce(script, "a wrong time of a record", "records", 9, sealed(bytes));
    let mut bytes = plain();
    bytes[61 + 3] = 8;
    produce(script, "a wrong offset of a record", "odd", 9, sealed(bytes));
    let mut bytes = plain();
    bytes[62] = 1;
    produce(script, "an attribute of a record", "records", 9, sealed(bytes));
    let mut bytes = plain();
    bytes[61] = 0x7f;
    produce(script, "a wrong length of a record", "records", 9, sealed(bytes));
}

fn idempotence(script: &mut Script<'_>) {
    let send = |script: &mut Script<'_>, case: &str, epoch: i16, sequence: i32, count: usize| {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.set_producer(4_711, epoch, sequence);
        for _ in 0..count {
            builder.append(TIME_MS, None, Some(b"i"), &[]);
        }
        let request = produce_batch("records", 1, builder.build());
        script.ask(&format!("produce idempotent, {case}"), 9, &request);
    };
    send(script, "in the middle", 0, 5, 2);
    for sequence in [7, 9, 11, 13, 15] {
        send(script, "the next", 0, sequence, 2);
    }
    send(script, "a duplicate", 0, 13, 2);
    send(script, "the oldest duplicate", 0, 7, 2);
    send(script, "one that is forgotten", 0, 5, 2);
    send(script, "a gap", 0, 19, 2);
    send(script, "half a duplicate", 0, 15, 1);
    send(script, "a newer epoch in the middle", 1, 3, 1);
    send(script, "a newer epoch", 1, 0, 1);
    send(script, "an older epoch", 0, 17, 1);
    send(script, "without a sequence", 1, -1, 1);
    let mut builder = BatchBuilder::new(Compression::None);
    builder.set_producer(4_712, -1, 0);
    builder.append(TIME_MS, None, Some(b"i"), &[]);
    let request = produce_batch("records", 1, builder.build());
    script.ask("produce idempotent, without an epoch", 9, &request);
}

fn list_offsets(script: &mut Script<'_>) {
    let ask = |script: &mut Script<'_>,
               case: &str,
               version: i16,
               topic: &str,
               partition: i32,
               epoch: i32,
               time: i64| {
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: topic.into(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: partition,
                    current_leader_epoch: epoch,
                    timestamp: time,
                }],
            }],
            ..ListOffsetsRequest::default()
        };
        script.ask(&format!("list offsets {case} v{version}"), version, &request);
    };
    for version in [1, 2, 4, 5, 6, 7, 8, 9, 10, 11] {
        for (case, time) in [
            ("latest", -1),
            ("earliest", -2),
            ("max timestamp", -3),
            ("earliest local", -4),
            ("latest tiered", -5),
            ("earliest pending", -6),
            ("-9", -9),
            ("at 0", 0),
            ("exactly", TIME_MS + 7_000),
            ("in between", TIME_MS + 6_000),
            ("after", TIME_MS + 8_000),
            ("in the future", now_ms() + 3_600_000),
        ] {
            ask(script, case, version, "records", 0, -1, time);
        }
    }
    ask(script, "of an empty partition", 7, "small", 0, -1, -3);
    ask(script, "of an empty partition by time", 7, "timely", 0, -1, 5);
    ask(script, "of a missing topic", 7, "missing", 0, -1, -1);
    ask(script, "of a missing partition", 7, "records", 9, -1, -1);
    ask(script, "of a negative partition", 7, "records", -1, -1, -1);
    ask(script, "with the epoch", 7, "records", 0, 0, -1);
    ask(script, "with a later epoch", 7, "records", 0, 5, -1);
}

fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    FetchRequest {
        max_wait_ms: 10,
        min_bytes: 0,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                partition,
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    }
}

/// Keeps an answer with its batches taken apart.
fn fetched(script: &mut Script<'_>, case: &str, version: i16, request: &FetchRequest) {
    let mut answer = script.connection.call(version, request).unwrap();
    let mut found = vec![];
    for partition in answer.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let set = partition.records.take().map_or_else(Bytes::new, Records::into_bytes);
        for batch in batches(set) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            let mut header = *batch.header();
            let section = batch.record_section(1 << 20).unwrap();
            if header.attributes.bits() & 8 != 0 || header.max_timestamp > now_ms() - 3_600_000 {
                header.crc = 0;
                header.max_timestamp = 0;
                header.base_timestamp = 0;
            }
            found.push((header, section));
        }
    }
    script.keep(&format!("fetch {case} v{version}"), &(answer, found));
}

fn fetch(script: &mut Script<'_>) {
    for version in [4, 5, 7, 9, 11, 12] {
        fetched(script, "all", version, &fetch_request("records", 0, 0));
    }
    for topic in ["zipped", "stamped", "small", "timely"] {
        fetched(script, topic, 11, &fetch_request(topic, 0, 0));
    }
    fetched(script, "idempotent", 11, &fetch_request("records", 1, 0));
    fetched(script, "from the middle of a batch", 11, &fetch_request("records", 0, 1));
    let end = script.cluster.end_offset("records", 0);
    fetched(script, "at the end", 11, &fetch_request("records", 0, end));
    fetched(script, "behind the end", 11, &fetch_request("records", 0, end + 1));
    fetched(script, "before the start", 11, &fetch_request("records", 0, -1));
    fetched(script, "of a missing topic", 11, &fetch_request("missing", 0, 0));
    fetched(script, "of a missing partition", 11, &fetch_request("records", 9, 0));
    let mut request = fetch_request("records", 0, 0);
    request.topics[0].partitions[0].current_leader_epoch = 7;
    fetched(script, "with a later epoch", 11, &request);
    let mut request = fetch_request("records", 0, 3);
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    fetched(script, "with the last epoch", 12, &request);
    request.topics[0].partitions[0].last_fetched_epoch = 5;
    fetched(script, "with an unknown last epoch", 12, &request);
    let mut request = fetch_request("records", 0, 0);
    request.topics[0].partitions[0].partition_max_bytes = 1;
    fetched(script, "of one byte of a partition", 11, &request);
    request.max_bytes = 1;
    fetched(script, "of one byte", 11, &request);
    request.topics[0].partitions[0].partition_max_bytes = 400;
    request.max_bytes = 400;
    fetched(script, "of a few bytes", 11, &request);
    let mut request = fetch_request("records", 0, 0);
    request.session_id = 12_345;
    request.session_epoch = 3;
    fetched(script, "of an unknown session", 11, &request);
    request.session_id = 0;
    fetched(script, "of no session in its middle", 11, &request);
    request.isolation_level = 1;
    request.session_epoch = -1;
    fetched(script, "of what is committed", 11, &request);
}

fn leader_epochs(script: &mut Script<'_>) {
    for (case, topic, partition, current, epoch) in [
        ("the current", "records", 0, -1, 0),
        ("a later one", "records", 0, -1, 5),
        ("an earlier one", "records", 0, -1, -1),
        ("with the current", "records", 0, 0, 0),
        ("with a later", "records", 0, 4, 0),
        ("of a missing topic", "missing", 0, -1, 0),
        ("of a missing partition", "records", 9, -1, 0),
        ("of an empty partition", "keyed", 0, -1, 0),
    ] {
        let request = OffsetForLeaderEpochRequest {
            replica_id: -1,
            topics: vec![OffsetForLeaderTopic {
                topic: topic.into(),
                partitions: vec![OffsetForLeaderPartition {
                    partition,
                    current_leader_epoch: current,
                    leader_epoch: epoch,
                }],
            }],
        };
        for version in [2, 4] {
            script.ask(&format!("leader epoch {case} v{version}"), version, &request);
        }
    }
}

fn delete_records(script: &mut Script<'_>) {
    for (case, topic, partition, offset) in [
        ("behind the end", "records", 0, 100_000),
        ("before -1", "records", 0, -2),
        ("the first", "records", 0, 4),
        ("fewer", "records", 0, 2),
        ("none", "records", 0, 0),
        ("of a missing topic", "missing", 0, 1),
        ("of a missing partition", "records", 9, 1),
        ("of a compacted topic", "keyed", 0, 0),
        ("all", "records", 1, -1),
    ] {
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: topic.into(),
                partitions: vec![DeleteRecordsPartition { partition_index: partition, offset }],
            }],
            timeout_ms: 30_000,
        };
        script.ask(&format!("delete records {case}"), 2, &request);
    }
    fetched(script, "after a deletion", 11, &fetch_request("records", 0, 4));
    fetched(script, "of what is deleted", 11, &fetch_request("records", 0, 3));
    produce(script, "after a deletion", "records", 9, plain());
    let starts =
        (script.cluster.start_offset("records", 0), script.cluster.start_offset("records", 1));
    script.keep("starts after a deletion", &starts);
}

/// What is left of a topic when nothing more can go.
fn compaction(script: &mut Script<'_>) {
    script.cluster.create_topic_with(
        "compacting",
        1,
        &[
            ("cleanup.policy", "compact"),
            ("internal.segment.bytes", "2000"),
            ("min.cleanable.dirty.ratio", "0.001"),
            ("index.interval.bytes", "0"),
        ],
    );
    for round in 0..20_i64 {
        let value = format!("{round} {}", "v".repeat(150));
        let (one, two) = (format!("key{}", round % 3), format!("key{}", round % 5));
        let records = [
            (TIME_MS + round, Some(one.as_bytes()), Some(value.as_bytes())),
            (
                TIME_MS + round + 100,
                Some(two.as_bytes()),
                if round == 11 { None } else { Some(value.as_bytes()) },
            ),
        ];
        let codec = if round % 2 == 0 { Compression::None } else { Compression::Gzip };
        let bytes = batch(codec, &records);
        produce(script, "to be compacted", "compacting", 9, bytes);
    }
    let cluster = script.cluster;
    settled(cluster, "compacting");
    let records = cluster.records("compacting", 0);
    assert!(records.len() > 5, "{records:?}");
    script.keep("what is compacted", &records);
}

/// Waits until compaction has nothing more to do: of each key there is one record
/// before the segment that is written to.
fn settled(cluster: &Cluster, topic: &str) {
    let mut before = 0;
    let mut same = 0;
    until("compaction to settle", || {
        let now = cluster.records(topic, 0).len();
        same = if now == before { same + 1 } else { 0 };
        before = now;
        std::thread::sleep(Duration::from_millis(20));
        (now < 25 && same > 25).then_some(())
    });
}

//! `ottla logs`: the files of a stopped broker, printed, checked and measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::messages::InitProducerIdRequest;
use protocol::records::{BatchBuilder, Compression};

use crate::harness::http::{BINARY_V2, V2};
use crate::harness::kafka::{Cluster, KeyValue, now_ms, produce_batch};
use crate::harness::programs::{both, finish, java};
use crate::harness::{Server, Setup, program, until};
use crate::log::{files, restless};

/// `ottla logs …` in an environment without settings.
fn logs(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("logs").args(arguments).env_remove("OTTLA_CONFIG");
    command
}

/// What a command printed, and its exit code.
fn run(command: &mut Command) -> (String, Option<i32>) {
    let output = finish(command);
    (both(&output), output.status.code())
}

/// A broker's directory with all kinds of batches, groups and producers in it.
fn varied() -> Setup {
    let server = restless().set("offsets.topic.num.partitions", "2").start();
    let cluster = Cluster::new(server.broker());
    write_batches(&cluster);
    write_compacted(&cluster, "0");
    commit_through_proxy(&server);
    let setup = server.setup().clone();
    assert!(server.stop().success());
    setup
}

pub(crate) fn write_batches(cluster: &Cluster) {
    let configs = [("index.interval.bytes", "0"), ("internal.segment.bytes", "16384")];
    cluster.create_topic_with("varied", 1, &configs);
    let configs = [("index.interval.bytes", "100"), ("message.timestamp.type", "LogAppendTime")];
    cluster.create_topic_with("stamped", 1, &configs);
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    let producer_id = cluster.call(4, &request).producer_id;
    let mut sequence = 0;
    for round in 0..20_i64 {
        for codec in Compression::ALL {
            let mut batch = BatchBuilder::new(codec);
            if round % 2 == 0 {
                batch.set_producer(producer_id, 0, sequence);
                sequence += 3;
            }
            let time = now_ms() + round * 1_000;
            let value = format!("value {round} \u{fc}\u{20ac} {}", "z".repeat(200));
            batch.append(time, Some(b"key"), Some(value.as_bytes()), &[]);
            batch.append(
                time - 5_000,
                None,
                Some(b"\xff\xfebytes"),
                &[("a", Some(b"1")), ("b", None)],
            );
            batch.append(time - 7_000, Some(b""), None, &[]);
            let bytes = batch.build();
            for topic in ["varied", "stamped"] {
                let answer = cluster.call(9, &produce_batch(topic, 0, bytes.clone()));
                let code = answer.responses[0].partition_responses[0].error_code;
                assert_eq!(code as i16, 0, "{answer:?}");
            }
        }
    }
}

/// `delete_delay_ms`: 0 leaves nothing that waits for its removal, but Apache Kafka
/// closes connections over which it sends what it deletes.
pub(crate) fn write_compacted(cluster: &Cluster, delete_delay_ms: &str) {
    let configs = [
        ("internal.segment.bytes", "4096"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("cleanup.policy", "compact"),
        ("file.delete.delay.ms", delete_delay_ms),
        ("index.interval.bytes", "0"),
    ];
    cluster.create_topic_with("compacted", 1, &configs);
    for number in 0..150 {
        let value = format!("{number} {}", "v".repeat(300));
        let key = format!("key{}", number % 7);
        let records: [KeyValue<'_>; 2] =
            [(Some(key.as_bytes()), Some(value.as_bytes())), (Some(b"gone"), None)];
        cluster.produce_with(Compression::Lz4, "compacted", 0, &records);
        cluster.produce("compacted", 0, &records[..1]);
    }
    until("compaction", || (cluster.records("compacted", 0).len() < 60).then_some(()));
}

fn commit_through_proxy(server: &Server) {
    let http = server.http();
    let create = r#"{"name":"one","format":"binary","auto.offset.reset":"earliest"}"#;
    http.post("/consumers/readers", V2, create).send().expect(200);
    let instance = "/consumers/readers/instances/one";
    let topics = r#"{"topics":["varied"]}"#;
    http.post(&format!("{instance}/subscription"), V2, topics).send().expect(204);
    http.get(&format!("{instance}/records")).accept(BINARY_V2).send().expect(200);
    http.request("POST", &format!("{instance}/offsets")).send().expect(200);
}

/// Files, their content, and when they were changed.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut snapshot(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            found.insert(path.clone(), (std::fs::read(&path).unwrap(), changed));
        }
    }
    found
}

#[test]
fn a_directory_in_order_is_found_in_order_and_left_as_it_is() {
    let setup = varied();
    let data = setup.data();
    let before = snapshot(&data);
    let path = data.display().to_string();
    let (printed, code) = run(&mut logs(&["verify", &path]));
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("no damage, 0 notes"), "{printed}");

    let (printed, code) = run(&mut logs(&["size", &path]));
    assert_eq!(code, Some(0), "{printed}");
    let bytes: u64 = files(&data.join("varied-0"), "log")
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    let columns: Vec<Vec<&str>> =
        printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let varied = columns.iter().find(|columns| columns.starts_with(&["varied", "0"])).unwrap();
    assert_eq!(varied[3], bytes.to_string(), "{printed}");
    let (printed, _) = run(logs(&["size", "--topic", "varied"]).env("OTTLA_LOG_DIRS", &path));
    assert!(printed.contains("varied") && !printed.contains("stamped"), "{printed}");

    let list = files(&data.join("varied-0"), "log");
    let list: Vec<String> = list.iter().map(|path| path.display().to_string()).collect();
    let (printed, code) = run(&mut logs(&[
        "dump",
        "--deep-iteration",
        "--print-data-log",
        "--files",
        &list.join(","),
    ]));
    assert_eq!(code, Some(0));
    assert!(printed.contains("key: key payload: value 19 \u{fc}\u{20ac}"), "{printed}");
    assert_eq!(snapshot(&data), before, "nothing was changed");
    let server = setup.start();
    assert_eq!(Cluster::new(server.broker()).end_offset("varied", 0), 300);
}

#[test]
fn a_directory_in_use_is_refused_by_name() {
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic("busy", 1);
    cluster.produce_values("busy", 0, &["a"]);
    let data = server.setup().data();
    let path = data.display().to_string();
    let file = data.join("busy-0/00000000000000000000.log").display().to_string();
    for arguments in [&["verify", &path][..], &["size", &path], &["dump", "--files", &file]] {
        let (said, code) = run(&mut logs(arguments));
        assert_ne!(code, Some(0), "{said}");
        assert!(said.contains(&path) && said.contains("in use"), "{arguments:?}: {said}");
    }
    let missing = data.join("missing").display().to_string();
    let (said, code) = run(&mut logs(&["verify", &missing]));
    assert_eq!(code, Some(2));
    assert!(said.contains(&missing), "{said}");
}

/// Changes one thing, and says what verify is to say about it.
type Injury = (&'static str, fn(&Path) -> PathBuf, &'static str);

#[test]
fn each_kind_of_damage_is_found() {
    let injuries: &[Injury] = &[
        ("a flipped bit", |data| change(&first_log(data), |bytes| bytes[300] ^= 4), "checksum"),
        (
            "a missing end",
            |data| change(&first_log(data), |bytes| bytes.truncate(bytes.len() - 7)),
            "no whole batch",
        ),
        (
            "zeros at the end",
            |data| change(&first_log(data), |bytes| bytes.extend_from_slice(&[0; 200])),
            "no batch begins",
        ),
        (
            "an offset that comes twice",
            |data| {
                change(&first_log(data), |bytes| {
                    let length = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
                    // Base offset and leader epoch are not under the checksum.
                    bytes[length..length + 8].fill(0);
                })
            },
            "offset 0 where 3 is due",
        ),
        (
            "another leader epoch",
            |data| change(&first_log(data), |bytes| bytes[15] = 9),
            "leader epoch 9",
        ),
        (
            "an index that leads astray",
            |data| {
                let index = first_log(data).with_extension("index");
                change(&index, |bytes| {
                    // Earlier, so that the entries still ascend.
                    let time = i64::from_be_bytes(bytes[..8].try_into().unwrap());
                    bytes[..8].copy_from_slice(&(time - 1).to_be_bytes());
                })
            },
            "no batch begins at position",
        ),
        (
            "a time index that lies",
            |data| {
                let index = first_log(data).with_extension("timeindex");
                change(&index, |bytes| {
                    // Earlier, so that the entries still ascend.
                    let time = i64::from_be_bytes(bytes[..8].try_into().unwrap());
                    bytes[..8].copy_from_slice(&(time - 1).to_be_bytes());
                })
            },
            "says time",
        ),
        (
            "half an index entry",
            |data| {
                let index = first_log(data).with_extension("index");
                change(&index, |bytes| bytes.truncate(bytes.len() - 3))
            },
            "ends inside an entry",
        ),
        (
            "a snapshot that is damaged",
            |data| {
                let path = files(&data.join("varied-0"), "producers").remove(0);
                change(&path, |bytes| bytes[30] ^= 1)
            },
            "checksum is wrong",
        ),
        (
            "a snapshot of Kafka's that is damaged",
            |data| {
                let path = files(&data.join("varied-0"), "snapshot").remove(0);
                change(&path, |bytes| bytes[15] ^= 1)
            },
            "checksum is wrong",
        ),
        (
            "a checkpoint that knows more than the log",
            |data| {
                let path = data.join("recovery-point-offset-checkpoint");
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, text.replace("varied 0 300", "varied 0 301")).unwrap();
                path
            },
            "says 301 for varied-0, and its log ends with 300",
        ),
        (
            "half a checkpoint",
            |data| {
                let path = data.join("replication-offset-checkpoint");
                change(&path, |bytes| bytes.truncate(bytes.len() / 2))
            },
            "",
        ),
        (
            "metadata that are damaged",
            |data| change(&data.join("cluster-metadata"), |bytes| bytes[20] ^= 1),
            "damaged",
        ),
        (
            "no meta.properties",
            |data| {
                let path = data.join("meta.properties");
                std::fs::remove_file(&path).unwrap();
                path
            },
            "missing",
        ),
        (
            "a segment that is gone",
            |data| {
                std::fs::remove_file(files(&data.join("varied-0"), "log").pop().unwrap()).unwrap();
                data.join("recovery-point-offset-checkpoint")
            },
            "says 300 for varied-0",
        ),
        (
            "an offset of a group that cannot be read",
            |data| {
                let find = |index: u32| {
                    let path = data.join(format!("__consumer_offsets-{index}"));
                    path.is_dir().then(|| files(&path, "log").remove(0))
                };
                let path = (0..2).find_map(find).unwrap();
                change(&path, cut_key_of_group)
            },
            "the record of a group at",
        ),
    ];
    let setup = varied();
    for (case, injure, expected) in injuries {
        let copy = tempfile::tempdir().unwrap();
        let data = copy.path().join("data");
        let copied = Command::new("cp").arg("-a").arg(setup.data()).arg(&data).status();
        assert!(copied.unwrap().success());
        let injured = injure(&data);
        let before = snapshot(&data);
        let (printed, code) = run(&mut logs(&["verify", &data.display().to_string()]));
        assert_eq!(code, Some(1), "{case}: {printed}");
        let about = format!("damage: {}: ", injured.display());
        let told = printed.lines().find_map(|line| line.strip_prefix(&about));
        assert!(told.is_some_and(|told| told.contains(expected)), "{case}: {printed}");
        assert_eq!(snapshot(&data), before, "{case}: nothing was changed");
    }
}

fn first_log(data: &Path) -> PathBuf {
    files(&data.join("varied-0"), "log").remove(0)
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    path.to_owned()
}

/// Puts a batch in front of all whose record is an offset without an end.
fn cut_key_of_group(bytes: &mut Vec<u8>) {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(now_ms(), Some(b"\0\x01\0\x09g"), None, &[]);
    let next = bytes[..8].to_vec();
    let mut batch = batch.build().to_vec();
    batch[12..16].copy_from_slice(&bytes[12..16]);
    batch[..8].copy_from_slice(&next);
    bytes.splice(.., batch);
}

#[test]
fn what_a_kill_leaves_is_no_damage() {
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic("killed", 3);
    for partition in 0..3 {
        cluster.produce_values("killed", partition, &["a", "b", "c"]);
    }
    let setup = server.setup().clone();
    server.kill();
    let data = setup.data().display().to_string();
    let log = setup.data().join("killed-0/00000000000000000000.log");
    for cut in [0, 5] {
        change(&log, |bytes| bytes.truncate(bytes.len() - cut));
        let (printed, code) = run(&mut logs(&["verify", &data]));
        assert_eq!(code, Some(0), "{printed}");
        assert!(printed.contains("the last stop was not clean"), "{printed}");
        assert_eq!(printed.contains("no whole batch"), cut > 0, "{printed}");
    }
}

const DUMP: &str = "org.apache.kafka.tools.DumpLogSegments";

/// Kafka's tool and ours over the same files.
#[track_caller]
fn compare(list: &[PathBuf], arguments: &[&str]) -> String {
    let list: Vec<String> = list.iter().map(|path| path.display().to_string()).collect();
    let list = list.join(",");
    let theirs = finish(java().args([DUMP, "--files", &list]).args(arguments));
    let ours = finish(logs(&["dump", "--files", &list]).args(arguments));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (their_text, our_text) = (text(&theirs.stdout), text(&ours.stdout));
    let differs = their_text.lines().zip(our_text.lines()).find(|(theirs, ours)| theirs != ours);
    assert_eq!(differs, None, "{arguments:?} (theirs, ours)");
    let (their_count, our_count) = (their_text.lines().count(), our_text.lines().count());
    let errors = text(&theirs.stderr);
    assert_eq!(their_count, our_count, "{arguments:?} (theirs, ours)\n{our_text}\n{errors}");
    let sorted = |bytes: &[u8]| {
        let errors = text(bytes);
        let mut lines: Vec<String> = errors
            .lines()
            .filter(|line| !line.contains("StatusConsoleListener"))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&theirs.stderr), sorted(&ours.stderr), "{arguments:?} (theirs, ours)");
    assert_eq!(theirs.status.code(), ours.status.code(), "{arguments:?} (theirs, ours)");
    our_text
}

#[test]
#[ignore = "needs java"]
fn our_dump_prints_what_kafkas_prints() {
    let setup = varied();
    let data = setup.data();
    let (mut of_logs, mut of_indexes, mut of_snapshots, mut of_groups) =
        (vec![], vec![], vec![], vec![]);
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let is_of_groups = path.to_string_lossy().contains("__consumer_offsets-");
        let logs = if is_of_groups { &mut of_groups } else { &mut of_logs };
        logs.extend(files(&path, "log"));
        of_indexes.extend(files(&path, "index"));
        of_indexes.extend(files(&path, "timeindex"));
        of_snapshots.extend(files(&path, "snapshot"));
    }
    for arguments in [
        &[][..],
        &["--deep-iteration"],
        &["--print-data-log"],
        &["--print-data-log", "--skip-record-metadata"],
        &["--deep-iteration", "--skip-record-metadata"],
        &["--max-bytes", "1000", "--print-data-log"],
        &["--value-decoder-class", "org.apache.kafka.tools.api.StringDecoder"],
    ] {
        let printed = compare(&of_logs, arguments);
        assert!(printed.contains("baseOffset: "), "{printed}");
    }
    let printed = compare(&of_groups, &["--offsets-decoder"]);
    assert!(printed.contains(r#"key: {"type":"1","data":{"group":"readers""#), "{printed}");
    assert!(printed.contains(r#""subscription":{"topics":["varied"]"#), "{printed}");
    compare(&of_groups, &["--offsets-decoder", "--skip-record-metadata"]);
    for arguments in [&[][..], &["--verify-index-only"], &["--index-sanity-check"]] {
        let printed = compare(&of_indexes, arguments);
        assert!(!printed.contains("mismatch") && !printed.contains("Corrupt"), "{printed}");
    }
    compare(&of_snapshots, &[]);
    let unknown = [data.join("meta.properties"), data.join(".lock")];
    compare(&unknown, &[]);
    // Indexes that lead astray, and a torn end.
    let log = first_log(&data);
    change(&log.with_extension("index"), |bytes| bytes[3] ^= 1);
    change(&log.with_extension("timeindex"), |bytes| bytes[7] ^= 1);
    compare(&[log.with_extension("index")], &[]);
    compare(&[log.with_extension("timeindex")], &["--verify-index-only"]);
    change(&log, |bytes| bytes.truncate(bytes.len() - 9));
    let printed = compare(&[log], &["--deep-iteration"]);
    assert!(printed.contains("invalid bytes at the end"), "{printed}");
}

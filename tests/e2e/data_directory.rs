//! The data directory: who may use it, what outlives a restart, and what is
//! said when something in it is not as it should be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use protocol::messages::describe_configs::DescribeConfigsResource;
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::{DescribeConfigsRequest, InitProducerIdRequest, MetadataRequest};
use protocol::records::{BatchBuilder, Compression};
use protocol::{ErrorCode, Records};

use crate::harness::http::{JSON_V1, JSON_V2, V1, V2};
use crate::harness::kafka::{Cluster, Connection, produce_request};
use crate::harness::programs::both;
use crate::harness::{Http, Server, Setup, until};

/// Starts the program where it must not start, and gives what it said.
#[track_caller]
fn refused(setup: &Setup) -> String {
    let attempt = attempt(setup);
    assert_eq!(attempt.exit_code, Some(1), "{}", attempt.said);
    attempt.said
}

/// A start that may fail.
struct Attempt {
    /// Absent when the program started; it is killed then.
    exit_code: Option<i32>,
    said: String,
}

fn attempt(setup: &Setup) -> Attempt {
    let ready_file = setup.folder().join("attempt.json");
    let mut command = setup.command();
    command.arg("--ready-file").arg(&ready_file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    until("the program's start or end", || {
        (process.try_wait().unwrap().is_some() || ready_file.exists()).then_some(())
    });
    let _ = process.kill();
    let output = process.wait_with_output().unwrap();
    let _ = std::fs::remove_file(&ready_file);
    Attempt { exit_code: output.status.code(), said: both(&output) }
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_by_name() {
    let server = Setup::new().start();
    let said = refused(server.setup());
    let data = server.setup().data().display().to_string();
    assert!(said.contains(&data) && said.contains("in use"), "{said}");
    let answer =
        server.http().post("/topics/still", JSON_V2, r#"{"records":[{"value":1}]}"#).send();
    answer.expect(200);
    let setup = server.setup().clone();
    server.kill();
    // The lock went with the process.
    setup.start();
}

/// A directory that a stopped program left, with records and offsets in it.
fn used_directory() -> Setup {
    let server = Setup::new().start();
    write_something(&server.http());
    let setup = server.setup().clone();
    assert!(server.stop().success());
    setup
}

fn write_something(http: &Http) {
    let body = r#"{"records":[{"key":"a","value":1},{"key":"b","value":2}]}"#;
    http.post("/topics/kept", JSON_V2, body).send().expect(200);
    http.post(
        "/consumers/readers",
        V2,
        r#"{"name":"one","format":"json","auto.offset.reset":"earliest"}"#,
    )
    .send()
    .expect(200);
    let instance = "/consumers/readers/instances/one";
    http.post(&format!("{instance}/subscription"), V2, r#"{"topics":["kept"]}"#).send().expect(204);
    let answer = http.get(&format!("{instance}/records")).accept(JSON_V2).send().expect(200);
    assert_eq!(answer.json().as_array().unwrap().len(), 2);
    http.request("POST", &format!("{instance}/offsets")).send().expect(200);
}

#[test]
fn files_of_a_newer_format_or_half_a_file_are_named_and_left_alone() {
    let change = |name: &str, change: fn(Vec<u8>) -> Vec<u8>| (name.to_owned(), change);
    for (case, (name, change), expected) in [
        (
            "newer meta.properties",
            change("meta.properties", |bytes| replace_text(bytes, "version=1", "version=2")),
            "format 2",
        ),
        (
            "meta.properties of another node",
            change("meta.properties", |bytes| replace_text(bytes, "node.id=", "node.id=9")),
            "node.id=9",
        ),
        ("empty meta.properties", change("meta.properties", |_| vec![]), "cut short"),
        (
            "newer metadata",
            change("cluster-metadata", |mut bytes| {
                bytes[7] += 1;
                bytes
            }),
            "format 2",
        ),
        ("half a header of metadata", change("cluster-metadata", |bytes| bytes[..5].to_vec()), ""),
        ("empty metadata", change("cluster-metadata", |_| vec![]), ""),
        (
            "other file",
            change("cluster-metadata", |_| b"{\"hello\":\"world\"}".to_vec()),
            "is not a",
        ),
        (
            "damaged metadata",
            change("cluster-metadata", |mut bytes| {
                bytes[20] ^= 0x55;
                bytes
            }),
            "damaged",
        ),
        (
            "half a checkpoint",
            change("recovery-point-offset-checkpoint", |bytes| bytes[..bytes.len() / 2].to_vec()),
            "",
        ),
        (
            "newer checkpoint",
            change("log-start-offset-checkpoint", |bytes| [&b"1"[..], &bytes[1..]].concat()),
            "format 1",
        ),
    ] {
        let setup = used_directory();
        let path = setup.data().join(name);
        let changed = change(std::fs::read(&path).unwrap());
        std::fs::write(&path, &changed).unwrap();
        let before = all_files(&setup.data());
        let said = refused(&setup);
        assert_eq!(said.matches(&path.display().to_string()).count(), 1, "{case}: {said}");
        assert!(said.contains(expected), "{case}: {said}");
        assert_eq!(std::fs::read(&path).unwrap(), changed, "{case}");
        for (path, bytes) in before {
            // The mark of the clean stop may go, because what follows is none.
            if !path.ends_with(".kafka_cleanshutdown") {
                let now = std::fs::read(&path).unwrap_or_default();
                assert!(now.starts_with(&bytes), "{case}: {} is changed", path.display());
            }
        }
    }
}

/// A journal may hold more appends than files can be open.
#[test]
fn a_start_after_a_kill_needs_few_open_files() {
    let partitions = 16;
    let rounds = 60;
    let setup = Setup::new().set("num.partitions", &partitions.to_string());
    let server = setup.start();
    let records: Vec<String> = (0..partitions)
        .map(|partition| format!(r#"{{"value":1,"partition":{partition}}}"#))
        .collect();
    let body = format!(r#"{{"records":[{}]}}"#, records.join(","));
    for _ in 0..rounds {
        server.http().post("/topics/t", JSON_V2, &body).send().expect(200);
    }
    server.kill();
    let journal = std::fs::metadata(setup.data().join("journal.0")).unwrap();
    assert!(journal.len() > 0, "the rounds went through the journal");

    let ready_file = setup.folder().join("few-files.json");
    let program = setup.command();
    let mut limited = Command::new("sh");
    program.get_envs().for_each(|(name, _)| _ = limited.env_remove(name));
    let mut process = limited
        .args(["-c", "ulimit -n 300; exec \"$@\"", "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .arg("--ready-file")
        .arg(&ready_file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the program's start or end", || {
        (process.try_wait().unwrap().is_some() || ready_file.exists()).then_some(())
    });
    let has_started = ready_file.exists();
    let _ = process.kill();
    let said = both(&process.wait_with_output().unwrap());
    assert!(has_started, "{said}");
    let server = setup.start();
    let cluster = Cluster::new(server.broker());
    for partition in 0..partitions {
        assert_eq!(cluster.records("t", partition).len(), rounds);
    }
}

/// Names of partitions and of our own files share a directory.
#[test]
fn no_topic_takes_the_place_of_a_file_of_ours() {
    let setup = used_directory();
    let files = std::fs::read_dir(setup.data()).unwrap().map(Result::unwrap);
    let files: Vec<String> = files
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(files.iter().any(|name| name == "meta.properties"), "{files:?}");
    for name in &files {
        let end = name.rsplit_once('-').map_or("", |(_, end)| end);
        assert!(end.parse::<u32>().is_err(), "{name} could be a partition");
    }
    let server = setup.start();
    let cluster = Cluster::new(server.broker());
    let topics = ["journal", "cluster", "cluster-metadata", "meta.properties", "recovery-point"];
    for topic in topics {
        cluster.create_topic(topic, 2);
        cluster.produce_values(topic, 0, &["a"]);
        cluster.produce_values(topic, 1, &["b"]);
    }
    let server = server.kill_and_restart();
    let cluster = Cluster::new(server.broker());
    for topic in topics {
        assert_eq!(cluster.records(topic, 0).len(), 1, "{topic}");
        assert_eq!(cluster.records(topic, 1).len(), 1, "{topic}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "no crash comes in between")]
fn records_without_their_metadata_are_not_met_with_an_empty_broker() {
    let setup = used_directory();
    let metadata = setup.data().join("cluster-metadata");
    let kept = setup.folder().join("kept-metadata");
    std::fs::rename(&metadata, &kept).unwrap();
    let before = all_files(&setup.data());
    let said = refused(&setup);
    assert!(said.contains(&metadata.display().to_string()), "{said}");
    assert!(said.contains("is missing, but there are records"), "{said}");
    assert_eq!(all_files(&setup.data()), before);
    std::fs::rename(&kept, &metadata).unwrap();
    let server = setup.start();
    assert_eq!(Cluster::new(server.broker()).records("kept", 0).len(), 2);
}

fn replace_text(bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into_bytes()
}

fn all_files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.append(&mut all_files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.insert(path, bytes);
        }
    }
    files
}

/// Each file of the directory cut in half, one at a time: the program starts
/// with what can be had without it, or it says which file it is and leaves it.
#[test]
fn no_file_cut_in_half_is_met_with_silence_or_panic() {
    let used = used_directory();
    let original = all_files(&used.data());
    for (path, bytes) in &original {
        if bytes.is_empty() {
            continue;
        }
        let name = path.strip_prefix(used.data()).unwrap();
        let setup = Setup::new();
        assert!(
            Command::new("cp")
                .arg("-a")
                .arg(used.data())
                .arg(setup.data())
                .status()
                .unwrap()
                .success()
        );
        let damaged = setup.data().join(name);
        let half = &bytes[..bytes.len() / 2];
        std::fs::write(&damaged, half).unwrap();
        let Attempt { exit_code, said } = attempt(&setup);
        assert!(!said.contains("panicked"), "{}: {said}", name.display());
        if exit_code.is_some() {
            assert!(said.contains(&damaged.display().to_string()), "{}: {said}", name.display());
            assert_eq!(std::fs::read(&damaged).unwrap(), half, "{}", name.display());
            continue;
        }
        let server = setup.start();
        let cluster = Cluster::new(server.broker());
        let is_log_of_topic =
            name.starts_with("kept-0") && name.extension().is_some_and(|end| end == "log");
        let expected = if is_log_of_topic { 0 } else { 2 };
        assert_eq!(cluster.records("kept", 0).len(), expected, "{}", name.display());
        // A cut is told.
        assert!(!is_log_of_topic || said.contains("kept"), "{said}");
        cluster.produce_values("kept", 0, &["more"]);
    }
}

#[test]
fn topics_settings_and_ids_outlive_stop_and_kill() {
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic_with(
        "orders",
        3,
        &[("retention.ms", "86400001"), ("cleanup.policy", "compact")],
    );
    cluster.produce("orders", 1, &[(Some(b"k"), Some(b"v")), (Some(b"l"), None)]);
    let before = (description(&server, "orders"), settings(&server, "orders"));
    assert_eq!(before.1["retention.ms"], "86400001");
    let records = cluster.records("orders", 1);
    let first_producer = new_producer_id(&server);

    let server = server.restart();
    assert_eq!((description(&server, "orders"), settings(&server, "orders")), before);
    assert_eq!(Cluster::new(server.broker()).records("orders", 1), records);
    let second_producer = new_producer_id(&server);
    assert!(second_producer > first_producer);

    let server = server.kill_and_restart();
    assert_eq!((description(&server, "orders"), settings(&server, "orders")), before);
    assert_eq!(Cluster::new(server.broker()).records("orders", 1), records);
    assert!(new_producer_id(&server) > second_producer);
    assert_eq!(Cluster::new(server.broker()).end_offset("orders", 1), 2);
}

/// Cluster id, topic id and number of partitions.
fn description(server: &Server, topic: &str) -> (String, String, usize) {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(topic.into()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let answer = Connection::open(server.broker()).unwrap().call(12, &request).unwrap();
    let topic = &answer.topics[0];
    assert_eq!(topic.error_code, ErrorCode::None);
    assert!(!topic.topic_id.is_zero());
    (answer.cluster_id.unwrap().to_string(), topic.topic_id.to_string(), topic.partitions.len())
}

/// The settings of a topic that are its own.
fn settings(server: &Server, topic: &str) -> BTreeMap<String, String> {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: 2,
            resource_name: topic.into(),
            configuration_keys: None,
        }],
        ..DescribeConfigsRequest::default()
    };
    let answer = Connection::open(server.broker()).unwrap().call(4, &request).unwrap();
    let configs = answer.results[0].configs.iter();
    // 1: set for this topic.
    let own = configs.filter(|config| config.config_source == 1);
    own.map(|config| (config.name.to_string(), config.value.clone().unwrap().to_string())).collect()
}

fn new_producer_id(server: &Server) -> i64 {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    let answer = Connection::open(server.broker()).unwrap().call(4, &request).unwrap();
    assert_eq!(answer.error_code, ErrorCode::None);
    answer.producer_id
}

#[test]
fn a_batch_that_is_sent_again_after_a_restart_is_known() {
    let mut server = Setup::new().start();
    Cluster::new(server.broker()).create_topic("once", 1);
    let producer_id = new_producer_id(&server);
    let send = |server: &Server, sequence: i32| {
        let mut batch = BatchBuilder::new(Compression::None);
        batch.set_producer(producer_id, 0, sequence);
        batch.append(1_700_000_000_000, None, Some(format!("{sequence}").as_bytes()), &[]);
        let mut request = produce_request(Compression::None, "once", 0, &[]);
        request.topic_data[0].partition_data[0].records = Some(Records::Bytes(batch.build()));
        let answer = Connection::open(server.broker()).unwrap().call(9, &request).unwrap();
        let partition = answer.responses[0].partition_responses[0].clone();
        (partition.error_code, partition.base_offset)
    };
    for sequence in 0..7 {
        assert_eq!(send(&server, sequence), (ErrorCode::None, sequence.into()));
    }
    for restart in [Server::restart, Server::kill_and_restart] {
        server = restart(server);
        // The last five are remembered.
        for sequence in 2..7 {
            assert_eq!(send(&server, sequence), (ErrorCode::None, sequence.into()));
        }
        assert_eq!(send(&server, 9).0, ErrorCode::OutOfOrderSequenceNumber);
        assert_eq!(Cluster::new(server.broker()).end_offset("once", 0), 7);
    }
    assert_eq!(send(&server, 7), (ErrorCode::None, 7));
}

/// A group whose members went with the program does not keep the next one
/// waiting for their session to end: its first read returns the records.
#[test]
fn the_first_read_after_a_restart_returns_records() {
    let mut server = Setup::new().start();
    write_something(&server.http());
    let v1 = r#"{"name":"one","format":"json","auto.offset.reset":"smallest"}"#;
    let read_v1 = "/consumers/v1readers/instances/one/topics/kept";
    server.http().post("/consumers/v1readers", V1, v1).send().expect(200);
    server.http().get(read_v1).accept(JSON_V1).send().expect(200);
    server.http().post("/consumers/v1readers/instances/one/offsets", V1, "").send().expect(200);

    for (number, restart) in [Server::restart, Server::kill_and_restart].into_iter().enumerate() {
        server = restart(server);
        let http = server.http();
        let body = format!(r#"{{"records":[{{"value":"after {number}"}}]}}"#);
        http.post("/topics/kept", JSON_V2, body).send().expect(200);

        let name = format!("next{number}");
        let create =
            format!(r#"{{"name":"{name}","format":"json","auto.offset.reset":"earliest"}}"#);
        http.post("/consumers/readers", V2, create).send().expect(200);
        let instance = format!("/consumers/readers/instances/{name}");
        let topics = r#"{"topics":["kept"]}"#;
        http.post(&format!("{instance}/subscription"), V2, topics).send().expect(204);
        let answer = http.get(&format!("{instance}/records")).accept(JSON_V2).send().expect(200);
        let records = answer.json();
        let values: Vec<&str> = records
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|record| record["value"].as_str())
            .collect();
        assert_eq!(values, [format!("after {number}")], "{}", answer.text());
        http.request("POST", &format!("{instance}/offsets")).send().expect(200);

        http.post("/consumers/v1readers", V1, v1).send().expect(200);
        let answer = http.get(read_v1).accept(JSON_V1).send().expect(200);
        assert_eq!(answer.json()[0]["value"], format!("after {number}"), "{}", answer.text());
        http.post("/consumers/v1readers/instances/one/offsets", V1, "").send().expect(200);
    }
}

#[test]
fn a_start_need_not_read_a_log_to_learn_that_it_has_no_producers() {
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    let many = vec!["value"; 1000];
    for (topic, values) in [("long", many.as_slice()), ("short", &many[..10])] {
        cluster.create_topic(topic, 1);
        cluster.produce_values(topic, 0, values);
    }
    let data = server.setup().data();
    let snapshot = |topic: &str, offset: usize| {
        data.join(format!("{topic}-0")).join(format!("{offset:020}.producers"))
    };
    let server = server.restart();
    assert!(snapshot("long", 1000).exists());
    // Ten records are read faster than a file is written.
    assert!(!snapshot("short", 10).exists());

    // What a start has read is not written again.
    let written = || std::fs::metadata(snapshot("long", 1000)).unwrap().modified().unwrap();
    let before = written();
    let server = server.restart();
    assert_eq!(written(), before);
    assert_eq!(Cluster::new(server.broker()).end_offset("long", 0), 1000);
}

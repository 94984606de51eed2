//! Programs of other people: their clients talk to our broker, their tools read
//! our files. What the clients do is told in `tests/interop/README.md`.

use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::records::Compression;

use crate::harness::http::{BINARY_V2, JSON_V2, V2};
use crate::harness::kafka::Cluster;
use crate::harness::programs::{
    Dialogue, both, finish_with_input, java, node, prepared, python, root, run,
};
use crate::harness::{Server, Setup, unique};

fn source(path: &str) -> PathBuf {
    root().join("tests/interop").join(path)
}

/// Plays a client's program, with the broker restarted in its middle.
fn play(mut program: Command, restart: fn(Server) -> Server) {
    let server = Setup::new().start();
    let mut program = Dialogue::start(program.args([server.broker(), &unique("interop")]));
    while program.line() != "restart" {}
    let _server = restart(server);
    program.say("go on");
    assert_eq!(program.finish().last().map(String::as_str), Some("done"));
}

fn python_program(name: &str) -> Command {
    let mut command = python();
    command.arg(source("python").join(name));
    command
}

#[test]
#[ignore = "needs python"]
fn confluent_kafka() {
    play(python_program("confluent.py"), Server::restart);
}

#[test]
#[ignore = "needs python"]
fn confluent_kafka_over_a_kill() {
    play(python_program("confluent.py"), Server::kill_and_restart);
}

#[test]
#[ignore = "needs python"]
fn kafka_python() {
    play(python_program("kafka_python.py"), Server::restart);
}

#[test]
#[ignore = "needs node"]
fn kafkajs() {
    let mut command = node();
    command.arg(source("node/kafkajs.cjs"));
    play(command, Server::restart);
}

#[test]
#[ignore = "needs go"]
fn franz_go() {
    play(Command::new(prepared("interop/franz-go")), Server::restart);
}

#[test]
#[ignore = "needs java"]
fn java_clients() {
    let mut command = java();
    command.arg(source("java/Client.java"));
    play(command, Server::restart);
}

#[test]
#[ignore = "needs java"]
fn java_clients_over_a_kill() {
    let mut command = java();
    command.arg(source("java/Client.java"));
    play(command, Server::kill_and_restart);
}

/// One of Apache Kafka's console tools.
struct Tool<'a> {
    server: &'a Server,
}

impl Tool<'_> {
    fn command(&self, class: &str, arguments: &[&str]) -> Command {
        let mut command = java();
        command.arg(class).args(["--bootstrap-server", self.server.broker()]).args(arguments);
        command
    }

    #[track_caller]
    fn run(&self, class: &str, arguments: &[&str]) -> String {
        run(&mut self.command(class, arguments))
    }
}

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

#[test]
#[ignore = "needs java"]
fn apache_console_tools() {
    let server = Setup::new().start();
    let tool = Tool { server: &server };

    tool.run(
        TOPICS,
        &["--create", "--topic", "tools", "--partitions", "2", "--replication-factor", "1"],
    );
    assert_eq!(tool.run(TOPICS, &["--list"]).trim(), "tools");
    tool.run(TOPICS, &["--alter", "--topic", "tools", "--partitions", "3"]);
    let described = tool.run(TOPICS, &["--describe", "--topic", "tools"]);
    assert!(described.contains("PartitionCount: 3"), "{described}");

    let mut producer = tool.command(
        "org.apache.kafka.tools.ConsoleProducer",
        &[
            "--topic",
            "tools",
            "--reader-property",
            "parse.key=true",
            "--reader-property",
            "key.separator=:",
        ],
    );
    let output = finish_with_input(&mut producer, "a:1\nb:2\nc:3\na:4\n");
    assert!(output.status.success(), "{}", both(&output));

    let arguments =
        ["--topic", "tools", "--from-beginning", "--max-messages", "4", "--group", "readers"];
    let mut consumer = tool.command(CONSUMER, &arguments);
    consumer.args([
        "--formatter-property",
        "print.key=true",
        "--formatter-property",
        "key.separator=:",
    ]);
    let printed = run(&mut consumer);
    let mut lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines.iter().position(|line| *line == "a:1") < lines.iter().position(|line| *line == "a:4"),
        "{printed}"
    );
    lines.sort_unstable();
    assert_eq!(lines, ["a:1", "a:4", "b:2", "c:3"]);

    assert_eq!(tool.run(GROUPS, &["--list"]).trim(), "readers");
    let described = tool.run(GROUPS, &["--describe", "--group", "readers"]);
    assert_eq!(lags(&described), [0, 0, 0], "{described}");
    tool.run(
        GROUPS,
        &[
            "--reset-offsets",
            "--group",
            "readers",
            "--topic",
            "tools",
            "--to-earliest",
            "--execute",
        ],
    );
    let described = tool.run(GROUPS, &["--describe", "--group", "readers"]);
    assert_eq!(lags(&described).iter().sum::<i64>(), 4, "{described}");
    tool.run(GROUPS, &["--delete", "--group", "readers"]);
    assert_eq!(tool.run(GROUPS, &["--list"]).trim(), "");

    let ends = tool.run("org.apache.kafka.tools.GetOffsetShell", &["--topic", "tools"]);
    let ends: i64 =
        ends.lines().map(|line| line.rsplit(':').next().unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(ends, 4);

    let of_topic = ["--entity-type", "topics", "--entity-name", "tools"];
    let change = [&of_topic[..], &["--alter", "--add-config", "retention.ms=12345"]].concat();
    tool.run(CONFIGS, &change);
    let described = tool.run(CONFIGS, &[&of_topic[..], &["--describe"]].concat());
    assert!(described.contains("retention.ms=12345"), "{described}");
    let undo = [&of_topic[..], &["--alter", "--delete-config", "retention.ms"]].concat();
    tool.run(CONFIGS, &undo);
    let described = tool.run(CONFIGS, &[&of_topic[..], &["--describe"]].concat());
    assert!(!described.contains("12345"), "{described}");

    let versions = tool.run("org.apache.kafka.tools.BrokerApiVersionsCommand", &[]);
    assert!(versions.contains("Produce(0): 0 to 13"), "{versions}");

    tool.run(TOPICS, &["--delete", "--topic", "tools"]);
    assert_eq!(tool.run(TOPICS, &["--list", "--exclude-internal"]).trim(), "");
}

/// The column LAG, without what is no number.
fn lags(described: &str) -> Vec<i64> {
    let mut lines = described.lines().filter(|line| !line.trim().is_empty());
    let column = lines
        .find_map(|line| line.split_whitespace().position(|word| word == "LAG"))
        .unwrap_or_else(|| panic!("no LAG in {described}"));
    lines.filter_map(|line| line.split_whitespace().nth(column)?.parse().ok()).collect()
}

#[test]
#[ignore = "needs java"]
fn apache_performance_tools() {
    let server = Setup::new().start();
    Cluster::new(server.broker()).create_topic("perf", 4);
    let tool = Tool { server: &server };
    let produced = tool.run(
        "org.apache.kafka.tools.ProducerPerformance",
        &[
            "--topic",
            "perf",
            "--num-records",
            "20000",
            "--record-size",
            "100",
            "--throughput",
            "-1",
        ],
    );
    assert!(produced.contains("20000 records sent"), "{produced}");
    let consumed = tool.run(
        "org.apache.kafka.tools.ConsumerPerformance",
        &["--topic", "perf", "--num-records", "20000", "--timeout", "60000"],
    );
    let count =
        consumed.lines().last().and_then(|line| line.split(", ").nth(4)?.parse::<u64>().ok());
    assert!(count.is_some_and(|count| count >= 20_000), "{consumed}");
}

#[test]
#[ignore = "needs java"]
fn dump_log_segments_reads_our_files() {
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    // An entry of the indexes for each batch, and more than one segment.
    let configs = [("index.interval.bytes", "0"), ("segment.bytes", "1048576")];
    cluster.create_topic_with("dumped", 1, &configs);
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    let mut written = 0;
    for round in 0..30 {
        for codec in codecs {
            // What does not compress, so that segments fill.
            let values: Vec<Vec<u8>> = (0..10).map(|number| noise(round * 10 + number)).collect();
            let records: Vec<_> =
                values.iter().map(|value| (Some(&b"key"[..]), Some(value.as_slice()))).collect();
            cluster.produce_with(codec, "dumped", 0, &records);
            written += records.len();
        }
    }
    // What the proxy writes: an idempotent producer's batches, and offsets of a group.
    let http = server.http();
    let body = r#"{"records":[{"key":"a2V5","value":"dmFsdWU="}]}"#;
    http.post("/topics/dumped", BINARY_V2, body).send().expect(200);
    written += 1;
    let instance = "/consumers/dumpers/instances/one";
    http.post(
        "/consumers/dumpers",
        V2,
        r#"{"name":"one","format":"binary","auto.offset.reset":"earliest"}"#,
    )
    .send()
    .expect(200);
    http.post(&format!("{instance}/subscription"), V2, r#"{"topics":["dumped"]}"#)
        .send()
        .expect(204);
    http.get(&format!("{instance}/records")).accept(BINARY_V2).send().expect(200);
    http.request("POST", &format!("{instance}/offsets")).send().expect(200);
    http.get(&format!("{instance}/records")).accept(JSON_V2).send().expect_error(406, 40601);

    let data = server.setup().data();
    let setup = server.setup().clone();
    assert!(server.stop().success());

    let dumped = data.join("dumped-0");
    let segments = files(&dumped, "log");
    assert!(segments.len() > 1, "{segments:?}");
    let printed =
        dump(&segments, &["--deep-iteration", "--print-data-log", "--skip-record-metadata"]);
    assert_eq!(
        printed.matches("payload: ").count() + printed.matches("key: key").count(),
        2 * written,
        "records in {} bytes of print",
        printed.len()
    );
    let printed = dump(&segments, &["--deep-iteration"]);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        assert!(printed.contains(&format!("compresscodec: {codec}")), "{codec}");
    }
    assert_eq!(printed.matches("isvalid: true").count(), printed.matches("baseOffset: ").count());
    assert!(!printed.contains("isvalid: false"));
    for kind in ["index", "timeindex"] {
        let indexes = files(&dumped, kind);
        assert_eq!(indexes.len(), segments.len(), "each segment has a .{kind}");
        let plain = dump(&indexes, &[]);
        let entry = if kind == "index" { "offset: " } else { "timestamp: " };
        assert!(plain.matches(entry).count() > 30, "{plain}");
        dump(&indexes, &["--index-sanity-check"]);
        dump(&indexes, &["--verify-index-only"]);
    }
    let snapshots = files(&dumped, "snapshot");
    assert!(!snapshots.is_empty());
    let printed = dump(&snapshots, &[]);
    assert!(printed.contains("producerId: "), "{printed}");

    let mut offsets = String::new();
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("__consumer_offsets-") {
            offsets += &dump(&files(&path, "log"), &["--offsets-decoder"]);
            dump(&files(&path, "index"), &["--index-sanity-check"]);
        }
    }
    assert!(offsets.contains(r#""group":"dumpers""#), "{offsets}");
    assert!(offsets.contains(r#""topic":"dumped""#), "{offsets}");

    // Reading did not change them.
    let server = setup.start();
    assert_eq!(Cluster::new(server.broker()).end_offset("dumped", 0), written as i64);
}

/// A kilobyte that no codec makes much smaller.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = vec![];
    while bytes.len() < 1000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Letters, so that the tool prints each record as one line.
        bytes.extend(state.to_le_bytes().map(|byte| b'0' + byte % 64));
    }
    bytes
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

/// Runs Kafka's DumpLogSegments over the files, which must not complain.
#[track_caller]
fn dump(files: &[PathBuf], arguments: &[&str]) -> String {
    assert!(!files.is_empty());
    let list: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let mut command = java();
    command.args(["org.apache.kafka.tools.DumpLogSegments", "--files", &list.join(",")]);
    let output = crate::harness::programs::finish(command.args(arguments));
    let printed = both(&output);
    assert!(output.status.success(), "{printed}");
    for complaint in
        ["Exception", "corrupt", "mismatch", "Mismatch", "out of order", "Found timestamp"]
    {
        let complains = |line: &&str| line.contains(complaint) && !line.contains("payload");
        let lines: Vec<&str> =
            printed.lines().skip_while(|line| !complains(line)).take(10).collect();
        assert!(lines.is_empty(), "{arguments:?}: {lines:?}");
    }
    // The tool takes the first record of a segment that does not begin with offset 0 for one behind offset -1.
    let gap = printed.lines().find(|line| {
        line.contains(" is followed by ") && !line.starts_with("  -1 is followed by ")
    });
    assert_eq!(gap, None, "{arguments:?}");
    printed
}

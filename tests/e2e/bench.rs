//! `ottla bench`: the loads do what they were asked to, and say so in JSON. How
//! fast that was is nobody's business here.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::kafka::Cluster;
use crate::harness::programs::{both, finish, run};
use crate::harness::{Server, Setup, program, until};

/// `ottla bench LOAD` against this server.
fn bench(server: &Server, load: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["bench", load, "--bootstrap-servers", server.broker()]).args(arguments);
    command
}

/// The one object that a run has printed.
#[track_caller]
fn report(command: &mut Command) -> Value {
    let printed = run(command);
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    for figure in ["seconds", "records_per_second", "mib_per_second"] {
        assert!(report[figure].as_f64().is_some_and(|figure| figure > 0.0), "{figure}: {report}");
    }
    let latency = |name: &str| report["latency_us"][name].as_u64().unwrap();
    let percentiles = ["min", "p50", "p90", "p99", "p99_9", "max"].map(latency);
    assert!(percentiles.is_sorted(), "{report}");
    report
}

/// What it complained about, after it ended with 1 and without a report.
#[track_caller]
fn refusal(command: &mut Command) -> String {
    let output = finish(command);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(output.stdout.is_empty(), "{}", both(&output));
    String::from_utf8(output.stderr).unwrap()
}

/// How many records all partitions of the topic hold.
fn stored(server: &Server, topic: &str, partitions: i32) -> usize {
    let cluster = Cluster::new(server.broker());
    (0..partitions).map(|partition| cluster.records(topic, partition).len()).sum()
}

#[test]
fn what_is_produced_is_in_the_topic_and_is_consumed() {
    let server = Setup::new().start();
    let shape = ["--records", "1005", "--record-size", "50", "--batch-records", "10"];
    for (topic, arguments) in [
        ("plain", &["--connections", "3"][..]),
        ("leader", &["--acks", "1", "--compression", "lz4"]),
        ("nobody", &["--acks", "0", "--in-flight", "1"]),
        ("open", &["--rate", "50000", "--compression", "zstd"]),
        ("idempotent", &["--idempotent", "--in-flight", "3"]),
    ] {
        let mut command = bench(&server, "produce", &["--topic", topic, "--partitions", "4"]);
        let produced = report(command.args(shape).args(arguments));
        assert_eq!(produced["records"], 1005, "{produced}");
        assert_eq!(produced["requests"], 101, "{produced}");
        assert_eq!(produced["bytes"], 1005 * 50, "{produced}");
        assert_eq!(produced["settings"]["partitions"], 4, "{produced}");
        if produced["settings"]["acks"] == "all" {
            assert_eq!(stored(&server, topic, 4), 1005, "{topic}");
        } else {
            // What not all replicas have acknowledged is readable a little later.
            until(topic, || (stored(&server, topic, 4) == 1005).then_some(()));
        }
        let mut command = bench(&server, "consume", &["--topic", topic, "--consumers", "3"]);
        let consumed = report(&mut command);
        assert_eq!(consumed["records"], 1005, "{consumed}");
    }
    let mut command = bench(&server, "consume", &["--topic", "plain", "--records", "500"]);
    let consumed = report(&mut command);
    assert!((500..=1005).contains(&consumed["records"].as_u64().unwrap()), "{consumed}");
    assert_eq!(consumed["settings"]["records"], 500);
    let mut command = bench(&server, "consume", &["--topic", "plain", "--records", "2000"]);
    assert_eq!(
        refusal(&mut command),
        "ottla: topic plain holds 1005 records, 2000 are to be read\n"
    );
}

#[test]
fn latency_counts_every_record_once_and_nobody_elses() {
    let server = Setup::new().start();
    Cluster::new(server.broker()).create_topic("shared", 2);
    let shape = ["--topic", "shared", "--records", "100", "--record-size", "16"];
    let one = report(&mut bench(&server, "latency", &shape));
    assert_eq!((&one["records"], &one["settings"]["in_flight"]), (&json!(100), &json!(1)));
    let mut open = bench(&server, "latency", &shape);
    let open = report(open.args(["--rate", "2000", "--acks", "1"]));
    assert_eq!((&open["records"], &open["settings"]["rate"]), (&json!(100), &json!(2000)));
    assert_eq!(open["latency_of"], "intended send time to arrival at the consumer");
    assert_eq!(stored(&server, "shared", 2), 200);
}

#[test]
fn a_rest_proxy_takes_and_gives_every_format() {
    let server = Setup::new().start();
    for (topic, format) in [("text", "json"), ("bytes", "binary"), ("schemas", "avro")] {
        let mut command = bench(&server, "rest", &["--rest-url", server.rest(), "--topic", topic]);
        command.args(["--partitions", "2", "--records", "95", "--records-per-request", "10"]);
        let sent = report(command.args(["--connections", "3", "--format", format]));
        assert_eq!((&sent["records"], &sent["requests"]), (&json!(95), &json!(10)), "{sent}");
        // One record more has carried the schema.
        let expected = if format == "avro" { 96 } else { 95 };
        assert_eq!(stored(&server, topic, 2), expected, "{topic}");
        let rest = ["--rest-url", server.rest(), "--topic", topic, "--format", format];
        let mut command = bench(&server, "rest-consume", &rest);
        let read = report(command.args(["--consumers", "2"]));
        assert_eq!(read["records"], expected, "{read}");
    }
    let mut command = bench(&server, "rest", &["--rest-url", server.rest(), "--topic", "text"]);
    let open = report(command.args(["--records", "10", "--rate", "1000", "--record-size", "2"]));
    assert_eq!(open["latency_of"], "intended send time to answer");
    assert_eq!(stored(&server, "text", 2), 105);
}

#[test]
fn a_registry_registers_and_looks_up() {
    let server = Setup::new().start();
    let registry = ["--registry-url", server.registry(), "--schemas", "20", "--connections", "3"];
    let registered = report(&mut bench(&server, "registry", &registry));
    assert_eq!((&registered["requests"], &registered["records"]), (&json!(20), &json!(20)));
    let mut command = bench(&server, "registry", &registry);
    let found = report(command.args(["--lookups", "50"]));
    assert_eq!((&found["requests"], &found["settings"]["lookups"]), (&json!(50), &json!(50)));
    let subjects = server.registry_http().get("/subjects").send().expect(200).json();
    assert_eq!(subjects.as_array().unwrap().len(), 40, "{subjects}");
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_sentence() {
    let server = Setup::new().start();
    Cluster::new(server.broker()).create_topic("three", 3);
    for (load, arguments, sentence) in [
        ("produce", &["--topic", "none"][..], "there is no topic none (--partitions creates it)"),
        (
            "produce",
            &["--topic", "three", "--partitions", "2"],
            "topic three exists with another number of partitions than 2: 3",
        ),
        ("produce", &["--topic", "three", "--acks", "2"], "--acks must be 0, 1 or all"),
        ("produce", &["--topic", "three", "--compression", "rar"], "--compression must be one of"),
        (
            "produce",
            &["--topic", "three", "--acks", "1", "--idempotent"],
            "--idempotent needs --acks all",
        ),
        ("produce", &["--records", "1"], "Missing required argument \"[topic]\""),
        ("consume", &["--topic", "none"], "there is no topic none\n"),
        ("consume", &["--topic", "three"], "topic three holds 0 records, 1 are to be read"),
        ("latency", &["--topic", "three", "--record-size", "8"], "--record-size must be between"),
        ("rest", &["--topic", "three", "--rest-url", "https://h"], "is not a URL that begins with"),
        (
            "rest",
            &["--topic", "three", "--rest-url", &format!("http://{}", server.broker())],
            "the request to ",
        ),
    ] {
        let complaint = refusal(&mut bench(&server, load, arguments));
        assert!(complaint.contains(sentence), "{load} {arguments:?}: {complaint}");
    }
    let help = run(Command::new(program()).args(["bench", "--help"]));
    assert!(help.contains("Usage: ottla bench COMMAND"), "{help}");
    for load in ["produce", "consume", "latency", "rest", "rest-consume"] {
        let help = run(Command::new(program()).args(["bench", load, "--help"]));
        assert!(help.contains("--topic <topic>"), "{help}");
    }
}

//! The command line: the tools, under their own names and under Kafka's, and
//! what the program says when it starts and when it cannot.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::harness::http::{JSON_V2, V1, V2};
use crate::harness::programs::java;
use crate::harness::{Server, Setup, unique, until};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ottla"))
}

/// A tool that talks to this server.
fn tool(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    let (name, rest) = arguments.split_first().unwrap();
    command.arg(name).args(["--bootstrap-server", server.broker()]).args(rest);
    command
}

/// Starts it with pipes at all ends.
fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs it to its end with this input.
fn run_with(command: &mut Command, input: &[u8]) -> Output {
    let mut child = spawn(command);
    // A program that has seen enough may close its input early.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn run(command: &mut Command) -> Output {
    run_with(command, b"")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it printed, after it ended well.
#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What it complained about, after it ended with this code.
#[track_caller]
fn complaint(output: &Output, code: i32) -> String {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stderr)
}

fn signal(child: &Child, signal: &str) {
    assert!(
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success()
    );
}

#[track_caller]
fn produce(server: &Server, topic: &str, properties: &[&str], input: &str) {
    let mut command = tool(server, &["produce", "--topic", topic]);
    for property in properties {
        command.args(["--property", property]);
    }
    printed(&run_with(&mut command, input.as_bytes()));
}

#[track_caller]
fn consume(server: &Server, topic: &str, arguments: &[&str]) -> String {
    let mut command = tool(server, &["consume", "--topic", topic, "--from-beginning"]);
    printed(&run(command.args(arguments)))
}

#[test]
fn lines_that_are_produced_are_consumed() {
    let server = Setup::new().start();
    // The last line has no end.
    let keyed = ["parse.key=true", "key.separator=:", "null.marker=NULL"];
    produce(&server, "keyed", &keyed, "k1:v1\nk2:v:2\r\nNULL:\nk3:NULL\nk4:last");
    let columns =
        ["--max-messages", "5", "--property", "print.key=true", "--property", "print.offset=true"];
    assert_eq!(
        consume(&server, "keyed", &columns),
        "Offset:0\tk1\tv1\nOffset:1\tk2\tv:2\nOffset:2\tnull\t\nOffset:3\tk3\tnull\nOffset:4\tk4\tlast\n"
    );
    let headers = ["parse.headers=true"];
    produce(&server, "headers", &headers, "a:1,a:2\tvalue\n");
    let columns = ["--max-messages", "1", "--formatter-property", "print.headers=true"];
    assert_eq!(consume(&server, "headers", &columns), "a:1,a:2\tvalue\n");
}

#[test]
fn every_codec_and_way_of_sending_brings_all_lines_over() {
    let server = Setup::new().start();
    let lines: String = (0..2_000).map(|number| format!("line {number}\n")).collect();
    for (topic, flags) in [
        ("none", &["--request-required-acks", "1"][..]),
        ("gzip", &["--compression-codec"]),
        ("snappy", &["--compression-codec", "snappy"]),
        ("lz4", &["--compression-codec=lz4"]),
        ("zstd", &["--producer-property", "compression.type=zstd"]),
    ] {
        let mut command = tool(&server, &["produce", "--topic", topic]);
        printed(&run_with(command.args(flags), lines.as_bytes()));
        assert!(consume(&server, topic, &["--max-messages", "2000"]) == lines, "{topic}");
    }
    let mut command = tool(&server, &["produce", "--topic", "sync", "--sync"]);
    printed(&run_with(&mut command, b"a\nb\nc"));
    assert_eq!(consume(&server, "sync", &["--max-messages", "3"]), "a\nb\nc\n");
}

#[test]
fn a_line_that_cannot_be_parsed_ends_producing_after_those_before_it() {
    let server = Setup::new().start();
    let mut command = tool(&server, &["produce", "--topic", "t", "--property", "parse.key=true"]);
    let output = run_with(&mut command, b"a\t1\nb\t2\nno tab\nc\t3\n");
    assert!(complaint(&output, 1).contains("No key separator found on line number 3: 'no tab'"));
    assert_eq!(consume(&server, "t", &["--max-messages", "2"]), "1\n2\n");
}

#[test]
fn a_line_that_is_too_long_ends_producing_after_those_before_it() {
    let server = Setup::new().start();
    let mut command =
        tool(&server, &["produce", "--topic", "t", "--producer-property", "max.request.size=1000"]);
    let input = format!("first\n{}\n", "x".repeat(200_000));
    let complaint = complaint(&run_with(&mut command, input.as_bytes()), 1);
    assert!(
        complaint.contains("line 2 of the input cannot be read: it is longer than 1000 bytes"),
        "{complaint}"
    );
    assert_eq!(consume(&server, "t", &["--max-messages", "1"]), "first\n");
}

#[test]
fn a_record_that_is_refused_is_told_by_its_line() {
    let server = Setup::new().start();
    printed(&run(&mut tool(
        &server,
        &["topics", "--create", "--topic", "small", "--config", "max.message.bytes=200"],
    )));
    let input = format!("short\n{}\n", "x".repeat(1_000));
    for flags in [&[][..], &["--sync"]] {
        let mut command = tool(&server, &["produce", "--topic", "small"]);
        let output = run_with(command.args(flags), input.as_bytes());
        let complaint = complaint(&output, 1);
        assert!(complaint.contains("line"), "{complaint}");
    }
    assert!(consume(&server, "small", &["--max-messages", "1"]).starts_with("short"));
}

#[test]
fn a_group_goes_on_where_it_stopped() {
    let server = Setup::new().start();
    produce(&server, "t", &[], "a\nb\nc\nd\ne\n");
    let group = ["--group", "readers", "--max-messages", "2"];
    assert_eq!(consume(&server, "t", &group), "a\nb\n");
    assert_eq!(consume(&server, "t", &group), "c\nd\n");
    let described =
        printed(&run(&mut tool(&server, &["groups", "--describe", "--group", "readers"])));
    let row: Vec<&str> = described.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["readers", "t", "0", "4", "5", "1"], "{described}");
    let reset = [
        "groups",
        "--reset-offsets",
        "--group",
        "readers",
        "--topic",
        "t",
        "--to-earliest",
        "--execute",
    ];
    printed(&run(&mut tool(&server, &reset)));
    assert_eq!(consume(&server, "t", &group), "a\nb\n");
    // Nothing is left of the groups that nobody asked for.
    consume(&server, "t", &["--max-messages", "1"]);
    let groups = printed(&run(&mut tool(&server, &["groups", "--list"])));
    assert!(groups.lines().any(|line| line == "readers"), "{groups}");
}

#[test]
fn one_partition_is_read_from_an_offset() {
    let server = Setup::new().start();
    produce(&server, "t", &[], "a\nb\nc\n");
    let mut command = tool(&server, &["consume", "--topic", "t", "--partition", "0"]);
    let output = run(command.args(["--offset", "1", "--max-messages", "2"]));
    assert_eq!(printed(&output), "b\nc\n");
    assert!(text(&output.stderr).ends_with("Processed a total of 2 messages\n"));
}

#[test]
fn consuming_ends_when_nothing_comes() {
    let server = Setup::new().start();
    produce(&server, "t", &[], "a\n");
    let mut command = tool(&server, &["consume", "--topic", "t", "--timeout-ms", "200"]);
    let output = run(&mut command);
    assert_eq!(printed(&output), "");
    assert!(text(&output.stderr).ends_with("Processed a total of 0 messages\n"));
}

#[test]
fn a_group_that_found_nothing_goes_on_from_there() {
    let server = Setup::new().start();
    produce(&server, "t", &[], "old\n");
    let group = ["consume", "--topic", "t", "--group", "g"];
    let mut often = tool(&server, &group);
    let idle = spawn(often.args(["--consumer-property", "auto.commit.interval.ms=10"]));
    let describe = ["groups", "--describe", "--group", "g"];
    until("a commit", || {
        let described = text(&run(&mut tool(&server, &describe)).stdout);
        let row: Vec<&str> = described.lines().last()?.split_whitespace().collect();
        row.starts_with(&["g", "t", "0", "1"]).then_some(())
    });
    signal(&idle, "-TERM");
    assert_eq!(text(&idle.wait_with_output().unwrap().stdout), "");
    produce(&server, "t", &[], "new\n");
    let mut next = tool(&server, &group);
    assert_eq!(printed(&run(next.args(["--max-messages", "1"]))), "new\n");
}

#[test]
fn a_signal_ends_consuming_and_commits() {
    let server = Setup::new().start();
    produce(&server, "t", &[], "a\n");
    let mut command =
        tool(&server, &["consume", "--topic", "t", "--from-beginning", "--group", "g"]);
    let mut child = spawn(&mut command);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "a\n");
    signal(&child, "-INT");
    let ended = child.wait_with_output().unwrap();
    // As shells and Kafka's tool count.
    assert!(complaint(&ended, 130).ends_with("Processed a total of 1 messages\n"));
    let described = printed(&run(&mut tool(&server, &["groups", "--describe", "--group", "g"])));
    let row: Vec<&str> = described.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["g", "t", "0", "1", "1", "0"], "{described}");
}

#[test]
fn a_reader_that_goes_away_ends_consuming_quietly() {
    let server = Setup::new().start();
    // More than a pipe holds.
    let lines: String = (0..50_000).map(|number| format!("line {number}\n")).collect();
    produce(&server, "t", &[], &lines);
    let mut child = spawn(&mut tool(&server, &["consume", "--topic", "t", "--from-beginning"]));
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "line 0\n");
    drop(output);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_link_with_kafkas_name_is_kafkas_tool() {
    let server = Setup::new().start();
    let folder = server.setup().folder().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let kafka = |name: &str, arguments: &[&str]| {
        let path = folder.join(name);
        if !path.exists() {
            symlink(program(), &path).unwrap();
        }
        let mut command = Command::new(path);
        command.args(["--bootstrap-server", server.broker()]).args(arguments);
        command
    };
    let topic = unique("links");
    let create = ["--create", "--topic", &topic, "--partitions", "2", "--replication-factor", "1"];
    let created = printed(&run(&mut kafka("kafka-topics.sh", &create)));
    assert_eq!(created, format!("Created topic {topic}.\n"));
    let old = run(&mut kafka("kafka-topics", &["--list", "--zookeeper", "localhost:2181"]));
    assert!(printed(&old).lines().any(|line| line == topic));
    assert!(text(&old.stderr).contains("--zookeeper is not needed"));
    let again = run(&mut kafka("kafka-topics", &create));
    assert!(text(&again.stdout).contains(&format!("Topic '{topic}' already exists.")));
    assert_eq!(again.status.code(), Some(1));
    printed(&run(kafka("kafka-topics", &create).arg("--if-not-exists")));

    let mut producer = kafka("kafka-console-producer.sh", &["--topic", &topic]);
    printed(&run_with(&mut producer, b"hello\n"));
    let read = ["--topic", &topic, "--from-beginning", "--max-messages", "1"];
    assert_eq!(printed(&run(&mut kafka("kafka-console-consumer", &read))), "hello\n");

    let entity = ["--entity-type", "topics", "--entity-name", &topic];
    let mut alter = kafka("kafka-configs.sh", &["--alter", "--add-config", "retention.ms=77"]);
    printed(&run(alter.args(entity)));
    let described = printed(&run(kafka("kafka-configs", &["--describe"]).args(entity)));
    assert!(described.contains("retention.ms=77"), "{described}");

    let unknown = run(&mut kafka("kafka-consumer-groups.sh", &["--nonsense"]));
    assert!(complaint(&unknown, 1).starts_with("nonsense is not a recognized option"));
}

#[test]
fn a_cluster_that_does_not_answer_is_named() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    for arguments in [
        &["produce", "--topic", "t", "--max-block-ms", "300"][..],
        &["topics", "--list", "--command-config"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let properties = folder.path().join("client.properties");
        std::fs::write(&properties, "default.api.timeout.ms=300\nretry.backoff.ms=10\n").unwrap();
        let mut command = Command::new(program());
        command.args(arguments);
        if arguments.ends_with(&["--command-config"]) {
            command.arg(&properties);
        }
        let output = run_with(command.args(["--bootstrap-server", &address]), b"x\n");
        let said = complaint(&output, 1);
        assert!(said.contains(&format!("cannot connect to {address}, trying again")), "{said}");
    }
}

#[test]
fn mistakes_are_told_with_what_was_meant() {
    for (arguments, code, expected) in [
        (&["toppics"][..], 2, "there is no command toppics, did you mean topics?"),
        (&["serve", "--set", "log.retntion.ms=1"], 2, "did you mean log.retention.ms?"),
        (
            &["serve", "--config", "/no/such/file.toml"],
            2,
            "cannot read the configuration file /no/such/file.toml",
        ),
        (&["produce", "--sync"], 1, "Missing required argument \"[topic]\""),
        (
            &["consume", "--topic", "t", "--property", "print.kye=true"],
            1,
            "did you mean print.key?",
        ),
    ] {
        let output = run(Command::new(program()).args(arguments));
        let said = complaint(&output, code);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn the_start_is_told_in_one_message_and_a_taken_place_by_name() {
    let server = Setup::new().start();
    let log = server.log();
    for part in ["is ready.", server.broker(), server.rest(), server.registry(), "curl -X POST"] {
        assert!(log.contains(part), "{part} is missing in\n{log}");
    }
    let same_port = Setup::new().set("listeners", &format!("PLAINTEXT://{}", server.broker()));
    let said = complaint(&run(&mut same_port.command()), 1);
    assert!(said.contains(&format!("cannot listen on {}", server.broker())), "{said}");
    assert!(said.contains("--set listeners="), "{said}");
    let same_url = Setup::new().set("rest.listeners", server.rest());
    let said = complaint(&run(&mut same_url.command()), 1);
    assert!(said.contains(&format!("cannot listen on {}", server.rest())), "{said}");
    let same_registry = Setup::new().set("registry.listeners", server.registry());
    let said = complaint(&run(&mut same_registry.command()), 1);
    assert!(said.contains(&format!("cannot listen on {}", server.registry())), "{said}");
    assert!(said.contains("--set registry.listeners="), "{said}");
    // The broker that had started before was stopped in order.
    assert!(same_url.set("rest.listeners", "http://127.0.0.1:0").start().stop().success());
}

#[test]
fn the_ready_file_is_there_while_everything_answers() {
    let server = Setup::new().start();
    let ready = server.setup().folder().join("ready.json");
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    assert_eq!(written["pid"], server.pid());
    assert_eq!(written["broker"], server.broker());
    assert_eq!(written["rest"], server.rest());
    assert_eq!(written["registry"], server.registry());
    assert_eq!(written.as_object().unwrap().len(), 4, "what does not run is left out");
    assert!(server.stop().success());
    assert!(!ready.exists());
}

#[test]
fn a_proxy_alone_waits_for_its_cluster() {
    let setup = Setup::new();
    let broker = setup.start();
    let address = broker.broker().to_owned();
    let setup = setup.on_ports_of(&broker);
    assert!(broker.stop().success());

    let alone = Setup::proxy_of(&address);
    let ready = alone.folder().join("ready.json");
    let mut command = alone.command();
    command.arg("--ready-file").arg(&ready).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut proxy = command.spawn().unwrap();
    let mut log = BufReader::new(proxy.stderr.take().unwrap()).lines();
    let waits = |line: &String| line.contains(&format!("waiting for the cluster at {address}"));
    assert!(log.by_ref().map(Result::unwrap).any(|line| waits(&line)), "it says what it waits for");
    assert!(!ready.exists());

    let broker = setup.start();
    until("the ready file", || ready.exists().then_some(()));
    signal(&proxy, "-TERM");
    assert!(proxy.wait().unwrap().success());
    produce(&broker, "t", &[], "a\n");

    let proxy = alone.start();
    assert_eq!(proxy.http().get("/topics").send().expect(200).json(), serde_json::json!(["t"]));
    assert!(proxy.stop().success());
}

#[test]
fn a_proxy_whose_cluster_is_gone_says_so() {
    let broker = Setup::new().start();
    let setup = Setup::proxy_of(broker.broker())
        .set("admin.default.api.timeout.ms", "300")
        .set("consumer.default.api.timeout.ms", "300");
    let proxy = setup.start();
    let http = proxy.http();
    http.post("/topics/old", JSON_V2, r#"{"records":[{"value":1}]}"#).send().expect(200);
    http.post("/consumers/g", V2, r#"{"name":"c","format":"json"}"#).send().expect(200);
    let instance = "/consumers/g/instances/c";
    http.post(&format!("{instance}/subscription"), V2, r#"{"topics":["old"]}"#).send().expect(204);
    broker.kill();
    for path in ["/topics", "/topics/new", "/topics/new/partitions"] {
        http.get(path).send().expect_error(503, 50302);
        http.get(path).accept(V1).send().expect_error(500, 50003);
    }
    let records = r#"{"records":[{"value":1},{"value":2}]}"#;
    let produced = http.post("/topics/new", JSON_V2, records).send().expect(200).json();
    for record in produced["offsets"].as_array().unwrap() {
        assert_eq!(record["error_code"], 50003, "{produced}");
    }
    let commit = r#"{"offsets":[{"topic":"old","partition":0,"offset":0}]}"#;
    http.post(&format!("{instance}/offsets"), V2, commit).send().expect_error(500, 50003);
    let read = http.get(&format!("{instance}/records?timeout=100")).accept(JSON_V2).send();
    assert_eq!(read.expect(200).text(), "[]");
    http.delete(instance).send().expect(204);
}

#[test]
fn a_stop_waits_for_requests_and_a_second_signal_does_not() {
    let patient = [("shutdown.graceful.ms", "3600000"), ("shutdown.timeout.ms", "7200000")];
    let setup = patient.iter().fold(Setup::new(), |setup, (name, value)| setup.set(name, value));
    let mut server = setup.start();
    // Its body never comes, so it is in hand until the end.
    let mut request = std::net::TcpStream::connect(server.http().address()).unwrap();
    let head = "POST /topics/t HTTP/1.1\r\nHost: t\r\nContent-Type: application/vnd.kafka.json.v2+json\r\n\
                Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    request.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(&request).read_line(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.1 100 Continue\r\n");
    server.signal("-TERM");
    until("the message", || server.log().contains("a second signal ends at once").then_some(()));
    // One that comes at once counts as the same.
    let status = until("the end", || {
        server.signal("-TERM");
        server.ended()
    });
    assert_eq!(status.code(), Some(128 + 15));
}

/// Command lines of Kafka's tools, in an order in which each finds what it needs.
const SIDE_BY_SIDE: &[(&str, &str, &str)] = &[
    (
        "topics",
        "--create --topic T --partitions 3 --replication-factor 1 --config retention.ms=1000",
        "",
    ),
    ("topics", "--create --topic T", ""),
    ("topics", "--create --topic T --if-not-exists", ""),
    ("topics", "--create --topic T.x", ""),
    ("topics", "--create --topic T2 --replication-factor 3", ""),
    ("topics", "--create --topic T2 --config nope=1", ""),
    ("topics", "--list --topic T.*", ""),
    ("topics", "--describe --topic T", ""),
    ("topics", "--describe --topic T2", ""),
    ("topics", "--alter --topic T --partitions 4", ""),
    ("topics", "--alter --topic T --partitions 2", ""),
    ("topics", "--delete --topic T.x", ""),
    ("topics", "--delete --topic T.x", ""),
    (
        "configs",
        "--alter --topic T --add-config retention.ms=77,cleanup.policy=[compact,delete]",
        "",
    ),
    ("configs", "--describe --topic T", ""),
    ("configs", "--describe --entity-type topics --entity-name T", ""),
    ("configs", "--alter --topic T --delete-config retention.ms", ""),
    ("configs", "--describe --topic T2", ""),
    (
        "produce",
        "--topic T --reader-property parse.key=true --reader-property key.separator=: --reader-property null.marker=N",
        "a:1\nb:N\r\n:2\nlong:line",
    ),
    (
        "produce",
        "--topic T --reader-property parse.key=true --reader-property parse.headers=true --sync",
        "h:1,h:2\tkey\tv\n",
    ),
    ("produce", "--topic T --reader-property parse.key=true --sync", "k\tv\nno tab\nk\tw\n"),
    (
        "consume",
        "--topic T --partition 0 --from-beginning --max-messages 4 --formatter-property print.key=true \
         --formatter-property print.offset=true --formatter-property print.partition=true \
         --formatter-property print.headers=true --formatter-property null.literal=-",
        "",
    ),
    ("consume", "--topic T --from-beginning --max-messages 0", ""),
    (
        "consume",
        "--topic T --group g-T --from-beginning --max-messages 1 --formatter NoOpMessageFormatter",
        "",
    ),
    ("groups", "--list --group g-T", ""),
    ("groups", "--describe --group g-T", ""),
    ("groups", "--describe --group g-T --state", ""),
    ("groups", "--describe --group nobody", ""),
    ("groups", "--delete --group g-T", ""),
    ("groups", "--delete --group g-T", ""),
];

#[test]
#[ignore = "needs java"]
fn kafkas_own_tools_say_the_same() {
    let server = Setup::new().start();
    for (tool, arguments, input) in SIDE_BY_SIDE {
        let class = match *tool {
            "topics" => "org.apache.kafka.tools.TopicCommand",
            "configs" => "kafka.admin.ConfigCommand",
            "produce" => "org.apache.kafka.tools.ConsoleProducer",
            "consume" => "org.apache.kafka.tools.consumer.ConsoleConsumer",
            _ => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        };
        let said = |command: &mut Command, topic: &str| {
            let arguments = arguments.split_whitespace().map(|argument| match argument {
                // Kafka wants the class with its package.
                "NoOpMessageFormatter" => {
                    "org.apache.kafka.tools.consumer.NoOpMessageFormatter".to_owned()
                }
                argument => argument
                    .split_inclusive(|letter: char| !letter.is_alphanumeric())
                    .map(|word| {
                        if word.starts_with('T') {
                            word.replacen('T', topic, 1)
                        } else {
                            word.to_owned()
                        }
                    })
                    .collect(),
            });
            let output = run_with(command.args(arguments), input.as_bytes());
            (plain(&text(&output.stdout), topic), output.status.code())
        };
        let theirs =
            said(java().arg(class).args(["--bootstrap-server", server.broker()]), "their-topic");
        let ours = said(&mut self::tool(&server, &[tool]), "our-topic");
        assert_eq!(ours, theirs, "{tool} {arguments}");
    }
}

/// What a tool printed, without the log of Java and with the names that differ masked.
fn plain(printed: &str, topic: &str) -> Vec<String> {
    let is_log = |line: &str| {
        line.contains(" ERROR ")
            || line.starts_with("org.apache.kafka.")
            || line.starts_with('\t') && line.contains("at ")
    };
    let mask = |line: &str| {
        let line = line.replace(topic, "T");
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if let Some(at) = words.iter().position(|word| word == "TopicId:") {
            words[at + 1] = "ID".to_owned();
        }
        words.join(" ")
    };
    let mut lines: Vec<String> =
        printed.lines().filter(|line| !is_log(line) && !line.is_empty()).map(mask).collect();
    // Their order is that of a hash table.
    lines.sort();
    lines
}

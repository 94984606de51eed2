//! Records with schemas on the command line, and what clients of other people
//! make of them.

use std::process::{Command, Output};

use serde_json::json;

use crate::harness::http::{AVRO_V2, JSONSCHEMA_V2, PROTOBUF_V2, REGISTRY};
use crate::harness::kafka::Cluster;
use crate::harness::programs::{Dialogue, both, finish, finish_with_input, python, root, run};
use crate::harness::{Server, Setup, unique};

const STUDENT: &str = r#"{"type":"record","name":"StudentName","fields":[{"name":"first","type":["null","string"]},{"name":"last","type":["null","string"]}]}"#;

/// `ottla` with the addresses of this server behind its arguments.
fn tool(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(arguments);
    match arguments.first() {
        Some(&"schemas") => command.args(["--schema-registry", server.registry()]),
        _ => command
            .args(["--bootstrap-server", server.broker()])
            .args(["--property", &format!("schema.registry.url={}", server.registry())]),
    };
    command
}

#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", both(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", both(output));
    both(output)
}

/// What a newcomer types, from a book about Kafka and schemas.
#[test]
fn a_newcomer_registers_a_schema_by_writing_with_it() {
    let server = Setup::new().start();
    let registry = server.registry_http();
    let producer = [
        "kafka-avro-console-producer",
        "--topic",
        "schema_names",
        "--property",
        "parse.key=true",
        "--property",
        "key.separator=:",
        "--property",
        r#"key.schema={"type":"string"}"#,
        "--property",
        &format!("value.schema={STUDENT}"),
    ];
    let typed = concat!(
        r#""2411242":{"first": {"string": "Ian"}, "last": {"string": "Whitney"}}"#,
        "\n",
        r#""2411243":{"first": {"string": "Ada"}, "last": null}"#,
        "\n",
        r#""2411244":{"first": null, "last": {"string": "Hopper"}}"#,
        "\n",
        r#""2411245":{"first": null, "last": null}"#,
        "\n",
    );
    printed(&finish_with_input(&mut tool(&server, &producer), typed));

    let refusal =
        finish_with_input(&mut tool(&server, &producer), "\"2411242\":{\"last\": null}\n");
    let refusal = refused(&refusal);
    assert!(refusal.contains("line 1") && refusal.contains("first"), "{refusal}");

    let consumer = [
        "kafka-avro-console-consumer",
        "--topic",
        "schema_names",
        "--from-beginning",
        "--max-messages",
        "4",
        "--property",
        "print.key=true",
        "--property",
        "key.separator=:",
    ];
    let shown = printed(&finish(&mut tool(&server, &consumer)));
    // But for the white space.
    let mut lines: Vec<&str> = shown.lines().collect();
    lines.sort_unstable();
    let as_typed = typed.replace(": ", ":").replace(", ", ",");
    assert_eq!(lines, as_typed.lines().collect::<Vec<_>>());

    // The plain consumer shows the bytes with their frame.
    let plain = ["consume", "--topic", "schema_names", "--from-beginning", "--max-messages", "4"];
    let output = finish(&mut tool(&server, &plain));
    assert!(output.status.success(), "{}", both(&output));
    let id = registry.get("/subjects/schema_names-value/versions/latest").send().expect(200);
    let id = i32::try_from(id.json()["id"].as_i64().unwrap()).unwrap();
    let frame = [&[0][..], &id.to_be_bytes(), b"\x02\x06Ian\x02\x0eWhitney\n"].concat();
    assert!(
        output.stdout.windows(frame.len()).any(|window| window == frame),
        "{:?}",
        String::from_utf8_lossy(&output.stdout)
    );

    let required = STUDENT.replacen(r#"["null","string"]"#, r#""string""#, 1);
    let path = "/compatibility/subjects/schema_names-value/versions/latest";
    let body = json!({ "schema": required }).to_string();
    let answer = registry.post(path, REGISTRY, &body).send().expect(200);
    assert_eq!(answer.text(), r#"{"is_compatible":false}"#);
}

#[test]
fn our_own_options_say_the_same_in_fewer_words() {
    let server = Setup::new().start();
    for (schema_type, schema, line, shown, extension) in [
        ("avro", r#"{"type":"string"}"#, r#""a b""#, r#""a b""#, "avsc"),
        ("json", r#"{"type":"object"}"#, r#"{"a": 1}"#, r#"{"a": 1}"#, "json"),
        (
            "protobuf",
            "syntax = \"proto3\"; message M { int64 n = 1; }",
            r#"{"n":5}"#,
            r#"{"n":"5"}"#,
            "proto",
        ),
    ] {
        let topic = unique(schema_type);
        let file = server.setup().folder().join(format!("schema.{extension}"));
        std::fs::write(&file, schema).unwrap();
        let file = file.to_str().unwrap();
        let produce = |rest: &[&str], line: &str| {
            let mut command = tool(&server, &["produce", "--topic", &topic]);
            finish_with_input(command.args(rest), &format!("{line}\n"))
        };
        printed(&produce(&["--value-schema", schema, "--schema-type", schema_type], line));
        printed(&produce(&["--value-schema-file", file, "--schema-type", schema_type], line));
        let version = format!("/subjects/{topic}-value/versions/1");
        let answer = server.registry_http().get(&version).send().expect(200);
        let id = answer.json()["id"].to_string();
        printed(&produce(&["--value-schema-id", &id], line));
        refused(&produce(&["--value-schema-id", &id], "[1]"));
        refused(&produce(&["--value-schema-id", "987654"], line));
        let flag = if schema_type == "json" { "json-schema" } else { schema_type };
        let mut consume = tool(&server, &["consume", "--topic", &topic, &format!("--{flag}")]);
        consume.args(["--from-beginning", "--max-messages", "3"]);
        consume.args(["--property", "print.schema.ids=true"]);
        let expected = format!("{shown}\t{id}\n").repeat(3);
        assert_eq!(printed(&finish(&mut consume)), expected);
    }
}

#[test]
fn records_without_schema_are_errors_that_can_be_skipped() {
    let server = Setup::new().start();
    let topic = unique("mixed");
    let cluster = Cluster::new(server.broker());
    cluster.create_topic(&topic, 1);
    let produce = ["produce", "--topic", &topic, "--value-schema", r#""int""#];
    printed(&finish_with_input(&mut tool(&server, &produce), "1\n"));
    cluster.produce(&topic, 0, &[(None, Some(b"plain"))]);
    cluster.produce(&topic, 0, &[(Some(b"key"), Some(b"\0\0\x01\0\0x"))]);
    cluster.produce(&topic, 0, &[(Some(b"key"), None)]);
    printed(&finish_with_input(&mut tool(&server, &produce), "2\n"));
    let consume =
        ["consume", "--avro", "--topic", &topic, "--from-beginning", "--max-messages", "5"];
    let refusal = finish(&mut tool(&server, &consume));
    assert!(refused(&refusal).contains("offset 1 of mixed"), "{}", both(&refusal));
    let mut command = tool(&server, &consume);
    let output = finish(command.args(["--skip-message-on-error", "--property", "print.key=true"]));
    assert_eq!(printed(&output), "null\t1\nkey\tnull\nnull\t2\n");
    let complaints = both(&output);
    assert!(complaints.contains("names no schema"), "{complaints}");
    assert!(complaints.contains("Schema 65536 not found"), "{complaints}");
}

#[test]
fn schemas_are_listed_compared_and_deleted() {
    let server = Setup::new().start();
    let schemas =
        |arguments: &[&str]| finish(&mut tool(&server, &[&["schemas"][..], arguments].concat()));
    let first = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
    let second = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}"#;
    let third = r#"{"type":"record","name":"R","fields":[{"name":"c","type":"int"}]}"#;
    let id = printed(&schemas(&["register", "s-value", "--schema", first]));
    assert_eq!(printed(&schemas(&["register", "s-value", "--schema", first])), id);
    assert_ne!(printed(&schemas(&["register", "s-value", "--schema", second])), id);
    assert_eq!(printed(&schemas(&["list"])), "s-value\n");
    assert_eq!(printed(&schemas(&["list", "--prefix", "x"])), "");
    assert_eq!(printed(&schemas(&["list", "s-value"])), "1\n2\n");
    let shown = printed(&schemas(&["get", "s-value", "--version", "1"]));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["name"], "R");
    assert_eq!(printed(&schemas(&["get", "--id", id.trim()])), shown);
    assert!(printed(&schemas(&["get", "s-value", "--details"])).contains("\"version\": 2"));
    assert_eq!(printed(&schemas(&["check", "s-value", "--schema", first])), "compatible\n");
    let refusal = refused(&schemas(&["check", "s-value", "--schema", third]));
    assert!(refusal.starts_with("incompatible\n") && refusal.contains("/fields/0"), "{refusal}");
    let refusal = refused(&schemas(&["register", "s-value", "--schema", third]));
    assert!(refusal.contains("incompatible with an earlier schema"), "{refusal}");
    let difference = printed(&schemas(&["diff", "s-value"]));
    assert!(
        difference.starts_with("--- s-value version 1\n+++ s-value version 2\n"),
        "{difference}"
    );
    assert!(difference.contains("+      \"default\": 0\n"), "{difference}");
    assert_eq!(printed(&schemas(&["diff", "s-value", "--schema", second])), "");
    assert_eq!(
        printed(&schemas(&["config", "s-value", "--set", "NONE"])),
        "{\"compatibility\":\"NONE\"}\n"
    );
    assert_eq!(printed(&schemas(&["config"])), "{\"compatibilityLevel\":\"BACKWARD\"}\n");
    printed(&schemas(&["register", "s-value", "--schema", third]));
    printed(&schemas(&["config", "s-value", "--delete"]));
    assert_eq!(
        printed(&schemas(&["config", "s-value"])),
        "{\"compatibilityLevel\":\"BACKWARD\"}\n"
    );
    assert_eq!(printed(&schemas(&["mode", "--set", "READONLY"])), "{\"mode\":\"READONLY\"}\n");
    refused(&schemas(&["register", "t-value", "--schema", first]));
    printed(&schemas(&["mode", "--set", "READWRITE"]));
    assert_eq!(printed(&schemas(&["delete", "s-value", "--version", "3"])), "3\n");
    refused(&schemas(&["delete", "s-value", "--permanent"]));
    assert_eq!(printed(&schemas(&["delete", "s-value"])), "[1,2]\n");
    assert_eq!(printed(&schemas(&["delete", "s-value", "--permanent"])), "[1,2,3]\n");
    assert_eq!(printed(&schemas(&["list", "--deleted"])), "");
    let usage = schemas(&["register", "s"]);
    assert_eq!(usage.status.code(), Some(2), "{}", both(&usage));
}

/// The program of the training course, word for word.
#[test]
#[ignore = "needs python"]
fn the_courses_avro_program() {
    let server = Setup::new().start();
    let program = root().join("examples/python/course_avro.py");
    let shown = run(python().arg(program).arg(server.rest()));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.first(), Some(&"schemas were sent, and have ids now"), "{shown}");
    assert_eq!(lines.len(), 6, "{shown}");
    assert!(
        lines.iter().any(|line| line.ends_with("Message Value: {'name': 'testUser'}")),
        "{shown}"
    );
}

/// A registry behind HTTPS that wants a token: the proxy and the tools get to it
/// with the certificate that it was given, and not without.
#[test]
#[ignore = "needs python"]
fn a_registry_behind_tls() {
    let owner = Setup::new().start();
    let folder = owner.setup().folder();
    let mut front = python();
    front.arg(root().join("tests/interop/python/tls_front.py")).arg(owner.registry()).arg(folder);
    let mut front = Dialogue::start(&mut front);
    let url = front.line();
    assert!(url.starts_with("https://"), "{url}");
    let certificate = folder.join("certificate.pem").display().to_string();
    let proxy = |settings: &[(&str, &str)]| {
        // Its own registry is to keep away from that of the cluster.
        let mut setup = Setup::proxy_of(owner.broker())
            .set("leader.eligibility", "false")
            .set("schema.registry.url", &url);
        for (name, value) in settings {
            setup = setup.set(name, value);
        }
        setup.start()
    };
    let trusted = ("schema.registry.ssl.truststore.location", certificate.as_str());
    let token = ("schema.registry.bearer.auth.token", "a-token");
    let body = json!({ "value_schema": STUDENT, "records": [{ "value": { "first": null, "last": null } }] });
    for (settings, status) in [(&[trusted, token][..], 200), (&[trusted], 422), (&[token], 422)] {
        let server = proxy(settings);
        let path = format!("/topics/{}", unique("tls"));
        let answer = server.http().post(&path, AVRO_V2, body.to_string()).send();
        let answer = answer.expect(status);
        if settings.len() == 1 && settings[0] == trusted {
            assert!(answer.text().contains("a token, please"), "{}", answer.text());
        }
    }
    let produce = |properties: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.args(["kafka-avro-console-producer", "--topic", "tls"]);
        command.args(["--bootstrap-server", owner.broker()]);
        command.args(["--property", &format!("schema.registry.url={url}")]);
        command.args([
            "--property",
            "value.schema=\"int\"",
            "--property",
            "bearer.auth.token=a-token",
        ]);
        for property in properties {
            command.args(["--property", property]);
        }
        finish_with_input(&mut command, "1\n")
    };
    let trusted = format!("schema.registry.ssl.truststore.location={certificate}");
    printed(&produce(&[&trusted]));
    assert!(refused(&produce(&[])).contains("certificate"));
}

/// A registry that talks only to those who show a certificate.
#[test]
#[ignore = "needs python"]
fn a_registry_that_wants_a_certificate() {
    let owner = Setup::new().start();
    let folder = owner.setup().folder();
    let mut front = python();
    front.arg(root().join("tests/interop/python/tls_front.py"));
    front.arg(owner.registry()).arg(folder).arg("mutual");
    let mut front = Dialogue::start(&mut front);
    let url = front.line();
    let file = |name: &str| folder.join(name).display().to_string();
    let (trusted, own) = (file("certificate.pem"), file("client.pem"));
    let body = json!({ "value_schema": "\"int\"", "records": [{ "value": 1 }] }).to_string();
    for (keystore, status) in [(Some(&own), 200), (None, 422)] {
        // Its own registry is to keep away from that of the cluster.
        let mut setup = Setup::proxy_of(owner.broker())
            .set("leader.eligibility", "false")
            .set("schema.registry.url", &url)
            .set("schema.registry.bearer.auth.token", "a-token")
            .set("schema.registry.ssl.truststore.location", &trusted);
        if let Some(file) = keystore {
            setup = setup.set("schema.registry.ssl.keystore.location", file);
        }
        let server = setup.start();
        let path = format!("/topics/{}", unique("mutual"));
        server.http().post(&path, AVRO_V2, body.clone()).send().expect(status);
    }
    let produce = |properties: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.args(["kafka-avro-console-producer", "--topic", "mutual"]);
        command.args(["--bootstrap-server", owner.broker()]);
        let given = [
            &format!("schema.registry.url={url}"),
            "value.schema=\"int\"",
            "bearer.auth.token=a-token",
            &format!("schema.registry.ssl.truststore.location={trusted}"),
        ];
        for property in given.iter().chain(properties) {
            command.args(["--property", property]);
        }
        finish_with_input(&mut command, "1\n")
    };
    let keystore = format!("ssl.keystore.location={own}");
    printed(&produce(&[&keystore]));
    refused(&produce(&[]));
    assert!(refused(&produce(&[&keystore, "ssl.keystore.type=JKS"])).contains("can only be PEM"));
    let list = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.args(["schemas", "list", "--registry", &url, "--cacert", &trusted]);
        finish(command.args(options))
    };
    // The front wants a token as well, which comes after the certificate.
    assert!(refused(&list(&["--cert", &own])).contains("a token, please"));
    assert!(!refused(&list(&[])).contains("a token, please"));
}

/// What confluent-kafka's serializers write, our tools and the proxy read, and
/// the other way round.
#[test]
#[ignore = "needs python"]
fn confluents_python_serializers() {
    let server = Setup::new().start();
    let http = server.http();
    let topic = unique("serializers");
    let program = |action: &str| {
        let mut command = python();
        command.arg(root().join("tests/interop/python/serializers.py"));
        run(command.args([action, server.broker(), server.registry(), &topic]))
    };
    assert_eq!(program("write"), "written\n");
    for (format, media_type, value) in [
        ("avro", AVRO_V2, json!({ "name": { "string": "somebody" }, "n": 5 })),
        ("jsonschema", JSONSCHEMA_V2, json!({ "name": "somebody", "n": 5 })),
        ("protobuf", PROTOBUF_V2, json!({ "name": "somebody", "n": "5" })),
    ] {
        let topic = format!("{topic}-{format}");
        // What Python wrote, to us.
        let path = format!("/consumers/{}", unique("group"));
        let create = json!({ "name": "i", "format": format, "auto.offset.reset": "earliest" });
        let v2 = "application/vnd.kafka.v2+json";
        http.post(&path, v2, create.to_string()).send().expect(200);
        let instance = format!("{path}/instances/i");
        let subscription = json!({ "topics": [topic] });
        let subscribe = format!("{instance}/subscription");
        http.post(&subscribe, v2, subscription.to_string()).send().expect(204);
        let read = http.get(&format!("{instance}/records")).accept(media_type).send().expect(200);
        let records = read.json();
        assert_eq!(records.as_array().map(Vec::len), Some(2), "{records}");
        for record in records.as_array().unwrap() {
            // The second one has its schema in a header.
            assert_eq!(record["value"], value, "{format}");
        }
        let mut consume = tool(&server, &["consume", "--avro", "--topic", &topic]);
        consume.args(["--from-beginning", "--max-messages", "2"]);
        let shown = printed(&finish(&mut consume));
        for line in shown.lines() {
            assert_eq!(serde_json::from_str::<serde_json::Value>(line).unwrap(), value, "{format}");
        }
        // And back, by the same schema.
        let latest = format!("/subjects/{topic}-value/versions/latest");
        let id = server.registry_http().get(&latest).send().expect(200).json()["id"].clone();
        let body = json!({ "value_schema_id": id, "records": [{ "value": value }] });
        http.post(&format!("/topics/{topic}"), media_type, body.to_string()).send().expect(200);
        let mut produce = tool(&server, &["produce", "--topic", &topic]);
        produce.args(["--value-schema-id", &id.to_string()]);
        printed(&finish_with_input(&mut produce, &format!("{value}\n")));
    }
    assert_eq!(program("read"), "read\n");
}

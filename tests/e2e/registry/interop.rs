//! Registry clients of other people, each with a program that a user of it
//! would write: see `tests/interop/README.md`.

use std::process::Command;

use crate::harness::Setup;
use crate::harness::programs::{java_with, node, prepared, python, root, run};

/// Runs a program against a server of its own.
#[track_caller]
fn check(mut program: Command) {
    let server = Setup::new().start();
    let output = run(program.args([server.registry(), server.broker()]));
    assert!(matches!(output.lines().last(), Some("done" | "all done")), "{output}");
}

#[test]
#[ignore = "needs python"]
fn confluent_kafka() {
    let mut command = python();
    command.arg(root().join("tests/interop/python/confluent_registry.py"));
    check(command);
}

#[test]
#[ignore = "needs python"]
fn python_schema_registry_client() {
    let mut command = python();
    command.arg(root().join("tests/interop/python/schema_registry_client.py"));
    check(command);
}

#[test]
#[ignore = "needs node"]
fn kafkajs() {
    let mut command = node();
    command.arg(root().join("tests/interop/node/registry.cjs"));
    check(command);
}

/// `@confluentinc/schemaregistry`.
#[test]
#[ignore = "needs node"]
fn javascript_schemaregistry() {
    let mut command = node();
    command.arg(root().join("tests/interop/node/schemaregistry.cjs"));
    check(command);
}

#[test]
#[ignore = "needs go"]
fn franz_go() {
    check(Command::new(prepared("interop/franz-go-registry")));
}

/// The client of `confluent-kafka-go`.
#[test]
#[ignore = "needs go"]
fn go_schemaregistry() {
    check(Command::new(prepared("interop/go-schemaregistry")));
}

#[test]
#[ignore = "needs go"]
fn srclient() {
    check(Command::new(prepared("interop/srclient")));
}

/// `flink-sql-avro-confluent-registry`: Confluent's own client for Java, and Flink's Avro format.
#[test]
#[ignore = "needs java"]
fn flink() {
    let mut command = java_with(&prepared("interop/flink"));
    command.arg(root().join("tests/interop/java/flink/Registry.java"));
    check(command);
}

#[test]
#[ignore = "needs rust"]
fn schema_registry_converter() {
    check(Command::new(prepared("interop/rust/debug/schema-registry-converter-interop")));
}

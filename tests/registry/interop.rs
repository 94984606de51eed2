//! Foreign registry clients, each with a program that a user of it would write.

use std::path::Path;
use std::process::Command;

use super::server::Setup;

/// Runs a program against a server of its own.
#[track_caller]
fn check(program: &str, prepare: impl FnOnce(&Path, &mut Command)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let server = Setup::new().start();
    let program = if program.contains('/') { root.join(program) } else { program.into() };
    let mut command = Command::new(&program);
    prepare(root, &mut command);
    let output = command.args([server.url(), server.broker()]).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout).trim().lines().last(), Some("all done"));
}

#[test]
#[ignore = "needs target/interop/registry-python, with the packages of tests/interop/registry/requirements.txt"]
fn the_python_client_of_confluent_registers_writes_and_reads() {
    check("target/interop/registry-python/bin/python", |root, command| {
        command.arg(root.join("tests/interop/registry/confluent.py"));
    });
}

#[test]
#[ignore = "needs Node.js and target/interop/registry-node, with the packages of tests/interop/registry/package.json"]
fn the_client_of_kafkajs_registers_writes_and_reads() {
    check("node", |root, command| {
        command
            .env("NODE_PATH", root.join("target/interop/registry-node/node_modules"))
            .arg(root.join("tests/interop/registry/kafkajs.cjs"));
    });
}

#[test]
#[ignore = "needs Go"]
fn the_client_of_franz_go_registers_compares_and_deletes() {
    check("go", |root, command| {
        command.current_dir(root.join("tests/interop/registry/go")).args(["run", "."]);
    });
}

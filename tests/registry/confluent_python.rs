//! Confluent's own client: its registry client and its three serializers.

use std::path::Path;
use std::process::Command;

use super::server::Setup;

#[test]
#[ignore = "needs target/interop/registry-python, with the packages of tests/interop/registry/requirements.txt"]
fn the_client_of_confluent_registers_writes_and_reads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/interop/registry-python/bin/python");
    assert!(python.exists(), "{} is missing", python.display());
    let server = Setup::new().start();
    let output = Command::new(python)
        .arg(root.join("tests/interop/registry/confluent.py"))
        .args([server.url(), server.broker()])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout).trim().lines().last(), Some("all done"));
}

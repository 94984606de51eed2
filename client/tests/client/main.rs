//! The client against a real cluster: Apache Kafka or the bundled broker,
//! whichever `OTTLA_TEST_BOOTSTRAP` names (`host:port`, several with commas).
//!
//! Without it a test does nothing but write `not run: TEST` to standard error,
//! past the capture of the test runner; with `CI=true` that is a failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod admin;

mod broken_connections;

mod cluster;

mod consumer;

mod group_member;

mod producer;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use client::{Client, ClientConfig, TcpConnector};
use protocol::Str;

/// The cluster to test against.
fn bootstrap() -> Option<String> {
    let bootstrap =
        std::env::var("OTTLA_TEST_BOOTSTRAP").ok().filter(|servers| !servers.is_empty());
    if bootstrap.is_none() {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs OTTLA_TEST_BOOTSTRAP");
        let line = format!("not run: {test} (OTTLA_TEST_BOOTSTRAP is not set)\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    bootstrap
}

fn client(bootstrap: &str) -> Client {
    let config = ClientConfig {
        bootstrap_servers: bootstrap.split(',').map(str::to_owned).collect(),
        client_id: "client-tests".to_owned(),
        ..ClientConfig::default()
    };
    Client::new(config, Arc::new(TcpConnector))
}

/// A name that no other test, and no other run on the same cluster, has.
fn unique(prefix: &str) -> Str {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{started}-{number}", std::process::id()).into()
}

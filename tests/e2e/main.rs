//! End-to-end tests: the program as its users meet it, through its ports, its
//! command line and its files.
//!
//! Tests of the proxy (`proxy::`) run against the bundled broker, or against
//! the cluster that `OTTLA_TEST_BOOTSTRAP` names. Tests that need a foreign
//! toolchain are marked `ignore`, with what they need; `scripts/test` prepares
//! that and runs them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod apache_kafka;
mod bad_input;
mod cli;
mod crash;
mod data_directory;
mod disk_full;
mod docs;
mod examples;
mod harness;
mod interop;
mod log;
mod logs;
mod proxy;
mod registry;
mod schemas;

//! End-to-end tests of the Schema Registry: the program, through its ports.
//!
//! Tests that need a foreign toolchain are marked `ignore`, with what they need.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod confluent_python;
mod crash;
mod http;
mod limits;
mod replay;
mod server;
mod several;
mod topic;

//! The codec against others: frames of Kafka's own message classes, the crate
//! `kafka-protocol`, and input that nobody would send.

#![allow(clippy::unwrap_used, reason = "tests")]

mod allocation;
#[macro_use]
mod apis;
mod golden;
mod hostile;
mod messages;
mod oracle;
mod records;
mod tree;

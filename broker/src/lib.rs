//! The Kafka broker of one node: listeners, handlers, log on disk, groups and
//! transactions.
//!
//! ```text
//! listener ─┐
//!           ├─ connection ── dispatch ── handlers ─┬─ topics, controller ── metadata
//! in process┘                                      ├─ log (partitions)
//!                                                  └─ groups ── __consumer_offsets
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod authorized_operations;
mod broker;
pub mod config;
mod connection;
mod context;
mod controller;
mod dispatch;
mod durable;
mod error;
mod fetch_sessions;
mod groups;
mod handlers;
mod listener;
mod log;
mod metadata;
mod node;
mod offsets_topic;
mod producers;
#[cfg(test)]
mod random;
pub mod topic_config;
mod topics;
mod waiters;

pub use broker::{Broker, InProcess, StartError};
pub use config::Config;
pub use log::{StorageError, inspect};

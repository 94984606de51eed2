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

pub mod config;
mod durable;
mod log;
mod metadata;
pub mod topic_config;
mod waiters;

pub use config::Config;

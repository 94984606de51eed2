//! The Kafka broker of one node: listeners, handlers, log on disk, groups and
//! transactions.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;
pub mod topic_config;
mod waiters;

pub use config::Config;

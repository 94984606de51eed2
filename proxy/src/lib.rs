//! The REST proxy: Confluent's API v1, v2 and v3 over any Kafka cluster.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;

pub use config::Config;

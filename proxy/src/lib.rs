//! The REST proxy: Confluent's API v1, v2 and v3 over any Kafka cluster.
//!
//! A request comes in through `server` and `middleware`, finds its handler
//! in the table of `app`, settles its media types (`content_type`), and ends
//! in `v1` or `v2`, one file for each resource. `consumers` holds what outlives
//! a request: Kafka consumers that clients read through. `formats` turns keys and
//! values into bytes and back; `error` says what is told about failures.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod app;
mod body;
mod clients;
mod coerce;
pub mod config;
mod consumers;
mod content_type;
mod error;
mod formats;
mod instances;
mod json;
mod links;
mod memory;
mod metadata;
mod middleware;
mod produce;
mod query;
mod server;
mod timestamp;
mod v1;
mod v2;

pub use config::Config;
pub use server::{Server, serve};

//! A client for Kafka clusters: connections, metadata, producer, consumer, administration.
//!
//! [`Client`] sends any request of the `protocol` crate to the node that has to
//! answer it and knows topics and nodes. [`producer`], [`consumer`] and
//! [`admin`] are built on its public functions alone.
//!
//! The client does not know what a connection is made of: a [`Connector`] that
//! it is given opens them, over TCP or within the process.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admin;
mod client;
mod config;
mod connection;
pub mod consumer;
mod error;
mod group_member;
mod lookup;
mod metadata;
mod pool;
pub mod producer;
mod retry;
#[cfg(test)]
mod tests;
mod transport;
mod versions;

pub use client::{Client, Purpose, Target};
pub use config::ClientConfig;
pub use connection::InFlight;
pub use error::Error;
pub use group_member::{GroupMember, GroupMemberConfig, GroupProtocol};
pub use metadata::{AutoCreate, Broker, Cluster, Partition, Topic};
pub use retry::Backoff;
pub use transport::{BrokerAddress, Connector, ParseAddressError, TcpConnector, Transport};

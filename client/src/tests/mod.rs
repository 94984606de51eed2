//! The client against a broker that answers as a script says, over the
//! in-process transport and with a clock that stands still while something happens.

mod metadata;
mod producer;
mod requests;
mod script;

use std::time::Duration;

use crate::ClientConfig;

/// Bootstrap servers at these ports.
fn config(ports: &[u16]) -> ClientConfig {
    ClientConfig {
        bootstrap_servers: ports.iter().map(|port| format!("node:{port}")).collect(),
        request_timeout: Duration::from_secs(30),
        api_timeout: Duration::from_secs(60),
        ..ClientConfig::default()
    }
}

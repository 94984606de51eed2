//! What the program logs about itself, on standard error.
//!
//! Lines say what happened and where (`topic`, `partition`, `offset`, `group`,
//! `correlation_id`). Keys and values of records, credentials and tokens are
//! never logged, at no level.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LoggingFormat, Program};

/// Starts logging for a tool of the command line: only what a user has to know.
pub(crate) fn start_tool() {
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time();
    if builder.try_init().is_err() {
        tracing::debug!("logging had been started before");
    }
}

/// Starts logging. The first call counts: tests of one process may call it
/// again.
pub(crate) fn start(program: &Program) {
    // What the HTTP library tells of its start is in our own message, and what a client
    // sends that is not HTTP is nothing that somebody here must act upon.
    let quiet = "actix_server=warn,actix_http::h1=off";
    let filter = format!("{quiet},{}", program.logging_filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match program.logging_format {
        LoggingFormat::Text => builder.try_init(),
        LoggingFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}

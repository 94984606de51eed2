//! Ottla: a Kafka-compatible broker, a REST proxy and a Schema Registry in one program.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cli;
mod config;
mod embedded;
mod open_files;
mod ready_file;
mod server;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(std::env::args_os().collect())
}

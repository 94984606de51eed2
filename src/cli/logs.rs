//! `ottla logs`: prints, checks and measures the files of a stopped broker.
//!
//! `dump` is Kafka's `kafka-dump-log`. Nothing here changes a file, and a
//! directory that a broker uses is refused.

mod dump;
mod offsets_decoder;
mod size;
mod verify;

use std::path::PathBuf;

use broker::StorageError;
use broker::inspect::StoppedDirectory;

use super::{FAILED, Invocation, OK, USAGE, complain, print};
use crate::config::{Config, Sources};

const HELP: &str = "Print, check and measure the files of a stopped broker. No file is changed.

Usage: ottla logs COMMAND [OPTIONS]

Commands:
  dump    Print segments, indexes and snapshots of producers, as kafka-dump-log does
  verify  Read whole log directories, and tell what is damaged in them
  size    Tell how large topics and partitions are

Run ottla logs COMMAND --help for the options of a command.
";

pub(super) fn run(mut invocation: Invocation) -> u8 {
    let first = invocation.arguments.first().map(|first| first.to_string_lossy().into_owned());
    let is_own_name = invocation.program.starts_with("ottla ");
    let command = match first.as_deref() {
        None | Some("help" | "--help" | "-h") if is_own_name => return print(HELP),
        Some(command) if is_own_name && !command.starts_with("--") => command.to_owned(),
        // Kafka's tool has no commands.
        _ => return dump::run(invocation),
    };
    invocation.arguments.remove(0);
    invocation.program = format!("{} {command}", invocation.program);
    match command.as_str() {
        "dump" => dump::run(invocation),
        "verify" => verify::run(invocation),
        "size" => size::run(invocation),
        _ => {
            complain(&format!("there is no command {command} (see ottla logs --help)"));
            USAGE
        }
    }
}

/// The log directories that a command works on.
#[derive(Debug, clap::Args)]
struct Directories {
    /// Log directories. Without any, those of log.dirs in the configuration.
    #[arg(value_name = "DIRECTORY")]
    directories: Vec<PathBuf>,

    /// The configuration file of the broker. May be given several times.
    #[arg(long, value_name = "FILE", env = "OTTLA_CONFIG")]
    config: Vec<PathBuf>,
}

impl Directories {
    /// All of them, locked; or the exit code, when something was refused.
    fn open(self) -> Result<Vec<StoppedDirectory>, u8> {
        let paths =
            if self.directories.is_empty() { configured(self.config)? } else { self.directories };
        let opened: Result<Vec<_>, StorageError> =
            paths.iter().map(|path| StoppedDirectory::open(path)).collect();
        opened.map_err(|error| {
            complain(&error.to_string());
            USAGE
        })
    }
}

/// `log.dirs`
fn configured(files: Vec<PathBuf>) -> Result<Vec<PathBuf>, u8> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    let sources = Sources { files, variables: variables.collect(), flags: Vec::new() };
    let config = Config::load(&sources).map_err(|refused| {
        refused.0.iter().for_each(|message| complain(message));
        USAGE
    })?;
    Ok(config.broker.log_dirs)
}

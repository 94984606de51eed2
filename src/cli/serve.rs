//! `ottla serve`: broker, REST proxy and Schema Registry, until a signal ends them.

use std::path::PathBuf;

use super::{FAILED, Invocation, OK, USAGE, complain, print, signalled};
use crate::config::{Config, Flag, Sources};
use crate::server::{self, Ended};
use crate::shutdown::CutShort;
use crate::telemetry;

/// Start broker, REST proxy and Schema Registry.
///
/// Everything can be set in a file, in the environment and with --set; the
/// names are those of Kafka and of Confluent's REST Proxy and Schema Registry.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Arguments {
    /// Read settings from FILE: TOML when its name ends in .toml, Java properties otherwise.
    /// May be given several times, later files win.
    #[arg(long, value_name = "FILE", env = "OTTLA_CONFIG")]
    config: Vec<PathBuf>,

    /// Set one setting. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,

    /// Start no broker, work on this cluster instead.
    #[arg(long, value_name = "HOST:PORT,...", alias = "bootstrap-server")]
    bootstrap_servers: Option<String>,

    /// When everything answers, write a JSON object with the process id and the addresses to FILE.
    #[arg(long, value_name = "FILE", env = "OTTLA_READY_FILE")]
    ready_file: Option<PathBuf>,

    /// Print every setting that holds and where it comes from, and end.
    #[arg(long)]
    print_config: bool,
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("this is not NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

impl Arguments {
    fn sources(&self) -> Sources {
        let set = self.set.iter().map(|(name, text)| Flag {
            flag: "--set",
            name: name.clone(),
            text: text.clone(),
        });
        let servers = self.bootstrap_servers.iter().map(|servers| Flag {
            flag: "--bootstrap-servers",
            name: "bootstrap.servers".to_owned(),
            text: servers.clone(),
        });
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Sources {
            files: self.config.clone(),
            variables: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            flags: set.chain(servers).collect(),
        }
    }
}

/// Runs until a signal, and gives the exit code.
pub(super) fn run(invocation: Invocation) -> u8 {
    let arguments: Arguments = match invocation.parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let config = match Config::load(&arguments.sources()) {
        Ok(config) => config,
        Err(refused) => {
            refused.0.iter().for_each(|message| complain(message));
            return USAGE;
        }
    };
    if arguments.print_config {
        return print(&config.print());
    }
    telemetry::start(&config.program);
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    config.notes.iter().for_each(|note| tracing::info!("{note}"));
    match server::run(config, arguments.ready_file.as_deref()) {
        Ok(Ended::Stopped) => OK,
        Ok(Ended::CutShort(CutShort::ByDeadline)) => FAILED,
        Ok(Ended::CutShort(CutShort::BySignal(number))) => signalled(number),
        Err(error) => {
            complain(&error.to_string());
            FAILED
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, u8> {
        let arguments = line.split_whitespace().map(Into::into).collect();
        Invocation { program: "ottla serve".to_owned(), arguments }.parse()
    }

    #[test]
    fn flags_become_settings() {
        let arguments =
            parse("--config a.toml --config b.properties --set a.b=c=d --bootstrap-server h:1 --ready-file r").unwrap();
        let sources = arguments.sources();
        assert_eq!(sources.files, [PathBuf::from("a.toml"), PathBuf::from("b.properties")]);
        let flags: Vec<String> = sources
            .flags
            .iter()
            .map(|flag| format!("{} {}={}", flag.flag, flag.name, flag.text))
            .collect();
        assert_eq!(flags, ["--set a.b=c=d", "--bootstrap-servers bootstrap.servers=h:1"]);
        assert_eq!(arguments.ready_file, Some(PathBuf::from("r")));
    }

    #[test]
    fn both_spellings_of_the_bootstrap_flag_work() {
        for line in ["--bootstrap-server h:1", "--bootstrap-servers h:1", "--bootstrap-servers=h:1"]
        {
            assert_eq!(parse(line).unwrap().bootstrap_servers.as_deref(), Some("h:1"), "{line}");
        }
    }

    #[test]
    fn a_wrong_flag_is_a_usage_error() {
        assert_eq!(parse("--nonsense").unwrap_err(), USAGE);
        assert_eq!(parse("--set novalue").unwrap_err(), USAGE);
        assert_eq!(parse("--help").unwrap_err(), OK);
    }
}

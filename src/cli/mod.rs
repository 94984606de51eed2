//! The command line: subcommands, one file each.
//!
//! A subcommand is a row of [`COMMANDS`]. It runs as `ottla NAME …`, and under
//! the name that Kafka gave the tool when the program is started through a
//! link of that name (`kafka-topics`, `kafka-topics.sh`).

mod bench;
mod client_settings;
mod configs;
mod consume;
mod groups;
mod logs;
mod options;
mod produce;
mod progress;
mod schema_registry;
mod schemas;
mod serve;
mod session;
mod topics;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use protocol::config_def::nearest_name;

/// Everything went well.
pub(crate) const OK: u8 = 0;
/// The work failed.
pub(crate) const FAILED: u8 = 1;
/// The command line or the configuration is wrong, and nothing was done.
pub(crate) const USAGE: u8 = 2;

/// The exit code after a signal, as shells count: 128 and its number.
pub(crate) fn signalled(number: i32) -> u8 {
    u8::try_from(128 + number).unwrap_or(FAILED)
}

/// A subcommand.
struct Command {
    name: &'static str,
    /// What Kafka calls the tool. Further names are those of tools of
    /// Confluent's that do the same with more, and are known by their names.
    kafka_names: &'static [&'static str],
    /// One line for the help.
    about: &'static str,
    run: fn(Invocation) -> u8,
}

/// A call of a subcommand.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// What the user typed to get here, for usage texts: `ottla serve` or `kafka-topics`.
    pub(crate) program: String,
    /// What follows it.
    pub(crate) arguments: Vec<OsString>,
}

impl Invocation {
    /// Reads the arguments with clap, which answers `--help` and mistakes by
    /// itself.
    ///
    /// # Errors
    /// The exit code, when clap has answered.
    pub(crate) fn parse<T: clap::Parser>(self) -> Result<T, u8> {
        let command = T::command().bin_name(self.program.clone());
        let all = std::iter::once(OsString::from(self.program)).chain(self.arguments);
        let parsed =
            command.try_get_matches_from(all).and_then(|matches| T::from_arg_matches(&matches));
        parsed.map_err(|error| {
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            u8::try_from(error.exit_code()).unwrap_or(USAGE)
        })
    }
}

/// All subcommands, in the order of the help.
const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        kafka_names: &[],
        about: "Start broker, REST proxy and Schema Registry (what `ottla` alone does)",
        run: serve::run,
    },
    Command {
        name: "topics",
        kafka_names: &["kafka-topics"],
        about: "Create, list, describe, extend and delete topics",
        run: topics::run,
    },
    Command {
        name: "produce",
        kafka_names: &[
            "kafka-console-producer",
            "kafka-avro-console-producer",
            "kafka-json-schema-console-producer",
            "kafka-protobuf-console-producer",
        ],
        about: "Write the lines of standard input to a topic",
        run: produce::run,
    },
    Command {
        name: "consume",
        kafka_names: &[
            "kafka-console-consumer",
            "kafka-avro-console-consumer",
            "kafka-json-schema-console-consumer",
            "kafka-protobuf-console-consumer",
        ],
        about: "Print the records of topics",
        run: consume::run,
    },
    Command {
        name: "groups",
        kafka_names: &["kafka-consumer-groups"],
        about: "List, describe and delete consumer groups, move their offsets",
        run: groups::run,
    },
    Command {
        name: "configs",
        kafka_names: &["kafka-configs"],
        about: "Show and change settings of topics, brokers and groups",
        run: configs::run,
    },
    Command {
        name: "schemas",
        kafka_names: &[],
        about: "List, show, register, compare and delete schemas, change their rules",
        run: schemas::run,
    },
    Command {
        name: "logs",
        kafka_names: &["kafka-dump-log"],
        about: "Print, check and measure the files of a stopped broker",
        run: logs::run,
    },
    Command {
        name: "bench",
        kafka_names: &[],
        about: "Measure how fast a cluster or a REST proxy takes and gives records",
        run: bench::run,
    },
];

/// Runs what the arguments ask for; the first one is the name of the program.
pub(crate) fn run(mut arguments: Vec<OsString>) -> ExitCode {
    let started_as =
        if arguments.is_empty() { OsString::from("ottla") } else { arguments.remove(0) };
    ExitCode::from(match dispatch(&started_as, arguments) {
        Dispatch::Run(command, invocation) => (command.run)(invocation),
        Dispatch::Help => print(&help()),
        Dispatch::Version => print(&format!("ottla {}\n", env!("CARGO_PKG_VERSION"))),
        Dispatch::Unknown(message) => {
            complain(&message);
            USAGE
        }
    })
}

/// Prints one sentence about what is wrong.
pub(crate) fn complain(message: &str) {
    // Nothing can be done about a terminal that is gone.
    let _ = writeln!(std::io::stderr(), "ottla: {message}");
}

/// Prints to standard output; a reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => FAILED,
        _ => OK,
    }
}

enum Dispatch {
    Run(&'static Command, Invocation),
    Help,
    Version,
    Unknown(String),
}

fn dispatch(started_as: &OsString, mut arguments: Vec<OsString>) -> Dispatch {
    let file_name = Path::new(started_as).file_name().unwrap_or_default().to_string_lossy();
    let tool = file_name.strip_suffix(".sh").unwrap_or(&file_name);
    if let Some(command) = COMMANDS.iter().find(|command| command.kafka_names.contains(&tool)) {
        return Dispatch::Run(command, Invocation { program: tool.to_owned(), arguments });
    }
    let first = arguments.first().map(|first| first.to_string_lossy().into_owned());
    let name = match first.as_deref() {
        Some("help" | "--help" | "-h") => return Dispatch::Help,
        Some("version" | "--version" | "-V") => return Dispatch::Version,
        None => "serve",
        // `ottla --set a=b` serves too.
        Some(flag) if flag.starts_with('-') => "serve",
        Some(name) => {
            arguments.remove(0);
            name
        }
    };
    let is_meant = |command: &&Command| command.name == name || command.kafka_names.contains(&name);
    match COMMANDS.iter().find(is_meant) {
        Some(command) => {
            let is_special = command.kafka_names.iter().skip(1).any(|special| *special == name);
            let called = if is_special { name } else { command.name };
            Dispatch::Run(command, Invocation { program: format!("ottla {called}"), arguments })
        }
        None => {
            let nearest = nearest_name(name, COMMANDS.iter().map(|command| command.name));
            let hint =
                nearest.map_or_else(String::new, |nearest| format!(", did you mean {nearest}?"));
            Dispatch::Unknown(format!("there is no command {name}{hint} (see ottla --help)"))
        }
    }
}

fn help() -> String {
    let width = COMMANDS.iter().map(|command| command.name.len()).max().unwrap_or(0);
    let rows: String = COMMANDS
        .iter()
        .map(|command| format!("  {:width$}  {}\n", command.name, command.about))
        .collect();
    format!(
        "Kafka you can curl: a Kafka broker, a REST proxy and a Schema Registry in one program.\n\n\
         Usage: ottla [COMMAND] [OPTIONS]\n\n\
         Commands:\n{rows}\n\
         Run ottla COMMAND --help for the options of a command.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let mut words = line.split_whitespace().map(OsString::from);
        let started_as = words.next().unwrap();
        let answer = match dispatch(&started_as, words.collect()) {
            Dispatch::Run(_, Invocation { program, arguments }) => {
                let arguments: Vec<_> =
                    arguments.iter().map(|argument| argument.to_string_lossy()).collect();
                format!("{program}: {}", arguments.join(" ")).trim_end().to_owned()
            }
            Dispatch::Help => "help".to_owned(),
            Dispatch::Version => "version".to_owned(),
            Dispatch::Unknown(message) => message,
        };
        assert_eq!(answer, expected, "{line}");
    }

    #[test]
    fn without_a_command_the_program_serves() {
        check("ottla", "ottla serve:");
        check("/usr/bin/ottla --set a=b", "ottla serve: --set a=b");
        check("ottla serve --config x", "ottla serve: --config x");
        check("/opt/renamed serve", "ottla serve:");
    }

    #[test]
    fn a_link_with_the_name_of_a_tool_is_that_tool() {
        for tool in [
            "kafka-topics",
            "kafka-console-producer",
            "kafka-console-consumer",
            "kafka-configs",
            "kafka-consumer-groups",
            "kafka-avro-console-producer",
            "kafka-json-schema-console-consumer",
            "kafka-dump-log",
        ] {
            check(&format!("{tool} --topic t"), &format!("{tool}: --topic t"));
            check(&format!("/opt/kafka/bin/{tool}.sh --topic t"), &format!("{tool}: --topic t"));
        }
        check("ottla kafka-topics --list", "ottla topics: --list");
        // The name says which format is meant.
        let line = "ottla kafka-protobuf-console-consumer --topic t";
        check(line, "ottla kafka-protobuf-console-consumer: --topic t");
    }

    #[test]
    fn help_and_version_are_answered_for_the_whole_program() {
        check("ottla --help", "help");
        check("ottla help", "help");
        check("ottla -V", "version");
        check("ottla serve --help", "ottla serve: --help");
    }

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest_one() {
        check("ottla sreve", "there is no command sreve, did you mean serve? (see ottla --help)");
        check("ottla xyzzy", "there is no command xyzzy (see ottla --help)");
    }
}

//! The command lines of Kafka's tools: long options, in any order, that may be
//! shortened as long as they stay unique.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

use super::{FAILED, Invocation, OK, complain, print};

/// An option of a tool.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) argument: Argument,
    pub(super) help: &'static str,
}

/// An option that says something by being there.
pub(super) const fn flag(name: &'static str, help: &'static str) -> Spec {
    Spec { name, argument: Argument::None, help }
}

/// An option that takes a value, with a word for it.
pub(super) const fn value(name: &'static str, what: &'static str, help: &'static str) -> Spec {
    Spec { name, argument: Argument::Required(what), help }
}

/// What follows an option, with a word for it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Argument {
    None,
    Required(&'static str),
    Optional(&'static str),
}

/// A tool with its options.
#[derive(Debug)]
pub(super) struct Tool {
    /// One sentence for the help.
    pub(super) about: &'static str,
    pub(super) options: &'static [Spec],
    /// Options that it shares with others.
    pub(super) common: &'static [Spec],
}

/// Options of every tool that talks to a cluster.
pub(super) const CLUSTER: &[Spec] = &[
    Spec {
        name: "bootstrap-server",
        argument: Argument::Required("host:port,..."),
        help: "Where to ask for the cluster. (default: localhost:9092)",
    },
    Spec {
        name: "command-config",
        argument: Argument::Required("file"),
        help: "Property file with settings of the client.",
    },
    HELP,
    VERSION,
    Spec {
        name: "zookeeper",
        argument: Argument::Required("urls"),
        help: "Accepted from old scripts; no ZooKeeper is needed.",
    },
];

/// Options of every tool that works on files.
pub(super) const LOCAL: &[Spec] = &[HELP, VERSION];

const HELP: Spec =
    Spec { name: "help", argument: Argument::None, help: "Print usage information." };
const VERSION: Spec =
    Spec { name: "version", argument: Argument::None, help: "Print the version." };

/// Old names of options.
const ALIASES: &[(&str, &str)] =
    &[("bootstrap-servers", "bootstrap-server"), ("broker-list", "bootstrap-server")];

/// The command line is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsageError(pub(super) String);

/// The options of one call.
#[derive(Debug)]
pub(super) struct Options {
    tool: &'static Tool,
    /// The name that the tool was called by.
    pub(super) program: String,
    given: BTreeMap<&'static str, Vec<Option<String>>>,
    /// The command line as it came, for messages that repeat it.
    pub(super) line: String,
}

impl Options {
    /// Reads the command line and answers `--help` and `--version`.
    ///
    /// # Errors
    /// The exit code, when there is nothing more to do.
    pub(super) fn read(tool: &'static Tool, invocation: Invocation) -> Result<Self, u8> {
        let is_own_name = invocation.program.starts_with("ottla ");
        let arguments: Vec<String> =
            invocation.arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
        let line = arguments.join(" ");
        let program = invocation.program;
        let mut options = Self { tool, program, given: BTreeMap::new(), line };
        let parsed = options.parse(arguments);
        if options.has("version") {
            return Err(print(concat!(env!("CARGO_PKG_VERSION"), "\n")));
        }
        if options.has("help") || (options.given.is_empty() && parsed.is_ok()) {
            // Kafka's tools call this a failure.
            return Err(if is_own_name && options.has("help") {
                print(&tool.help());
                OK
            } else {
                eprint(&tool.help());
                FAILED
            });
        }
        if let Err(error) = parsed {
            return Err(options.refuse(&error));
        }
        if options.has("zookeeper") {
            complain("--zookeeper is not needed and has no effect");
        }
        Ok(options)
    }

    fn parse(&mut self, arguments: Vec<String>) -> Result<(), UsageError> {
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let Some(option) = argument.strip_prefix("--").filter(|option| !option.is_empty())
            else {
                complain(&format!("{argument} is not an option and has no effect"));
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            let spec = self.tool.find(name)?;
            let value = match spec.argument {
                Argument::None => None,
                Argument::Required(_) => {
                    Some(value.or_else(|| arguments.next()).ok_or_else(|| {
                        UsageError(format!("Option {} requires an argument", spec.name))
                    })?)
                }
                Argument::Optional(_) => {
                    value.or_else(|| arguments.next_if(|next| !next.starts_with('-')))
                }
            };
            self.given.entry(spec.name).or_default().push(value);
        }
        Ok(())
    }

    /// Says what is wrong and how it would be right.
    pub(super) fn refuse(&self, error: &UsageError) -> u8 {
        eprint(&format!("{}\n{}", error.0, self.tool.table()));
        FAILED
    }

    /// Whether the option was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The argument of an option that may be given once.
    pub(super) fn value(&self, name: &str) -> Result<Option<&str>, UsageError> {
        let mut values = self.values(name);
        let value = values.next();
        match values.next() {
            None => Ok(value),
            Some(_) => Err(UsageError(format!(
                "Found multiple arguments for option {name}, but you asked for only one"
            ))),
        }
    }

    /// The arguments of an option that may be given several times.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.given.get(name).into_iter().flatten().flatten().map(String::as_str)
    }

    /// An argument that is a number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, UsageError> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| UsageError(format!("Cannot parse argument '{text}' of option {name}")))
        };
        self.value(name)?.map(parse).transpose()
    }

    /// The pairs of an option whose arguments are `NAME=VALUE`.
    pub(super) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, UsageError> {
        let pair = |text: &str| match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(UsageError(format!("Missing value for key {text}"))),
        };
        self.values(name).map(pair).collect()
    }

    /// The argument of an option that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, UsageError> {
        let missing = || UsageError(format!("Missing required argument \"[{name}]\""));
        self.value(name)?.ok_or_else(missing)
    }

    /// Where to ask for the cluster: at home, if nothing else is said. Kafka's
    /// tools insist on an answer, except that old scripts only name ZooKeeper.
    pub(super) fn bootstrap_servers(&self) -> Result<&str, UsageError> {
        Ok(self.value("bootstrap-server")?.unwrap_or("localhost:9092"))
    }

    /// Refuses `option` beside any of `others`.
    pub(super) fn forbid(&self, option: &str, others: &[&str]) -> Result<(), UsageError> {
        let other = others.iter().find(|other| self.has(other));
        match other.filter(|_| self.has(option)) {
            Some(other) => Err(UsageError(format!(
                "Option \"[{option}]\" can't be used with option \"[{other}]\""
            ))),
            None => Ok(()),
        }
    }
}

impl Tool {
    fn all(&self) -> impl Iterator<Item = &'static Spec> {
        self.options.iter().chain(self.common)
    }

    /// The option with this name, or the only one that begins so.
    fn find(&self, name: &str) -> Result<&'static Spec, UsageError> {
        let name = ALIASES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new);
        if let Some(spec) = self.all().find(|spec| spec.name == name) {
            return Ok(spec);
        }
        let mut candidates = self.all().filter(|spec| spec.name.starts_with(name));
        match (candidates.next(), candidates.next()) {
            (Some(spec), None) => Ok(spec),
            _ => Err(UsageError(format!("{name} is not a recognized option"))),
        }
    }

    fn help(&self) -> String {
        format!("{}\n{}", self.about, self.table())
    }

    fn table(&self) -> String {
        let mut specs: Vec<_> = self.all().collect();
        specs.sort_unstable_by_key(|spec| spec.name);
        let left = |spec: &Spec| match spec.argument {
            Argument::None => format!("--{}", spec.name),
            Argument::Required(what) => format!("--{} <{what}>", spec.name),
            Argument::Optional(what) => format!("--{} [{what}]", spec.name),
        };
        let width = 40;
        let mut table =
            format!("{:width$} Description\n{:width$} -----------\n", "Option", "------");
        for spec in specs {
            let mut left = left(spec);
            if left.len() > width {
                let _ = writeln!(table, "{left}");
                left.clear();
            }
            for line in wrap(spec.help, 78 - width) {
                let _ = writeln!(table, "{left:width$} {line}");
                left.clear();
            }
        }
        table
    }
}

/// Lines of at most `width` letters, where words allow.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Prints to standard error.
pub(super) fn eprint(text: &str) {
    use std::io::Write;
    // Nothing can be done about a terminal that is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: Tool = Tool {
        about: "Tries things.",
        options: &[
            Spec { name: "list", argument: Argument::None, help: "List." },
            Spec { name: "state", argument: Argument::Optional("state"), help: "Only these." },
            Spec { name: "topic", argument: Argument::Required("topic"), help: "The topic." },
            Spec { name: "topic-id", argument: Argument::Required("id"), help: "Its id." },
            Spec { name: "partitions", argument: Argument::Required("count"), help: "How many." },
        ],
        common: CLUSTER,
    };

    fn options(line: &str) -> Result<Options, UsageError> {
        let mut options = Options {
            tool: &TOOL,
            program: "kafka-tool".to_owned(),
            given: BTreeMap::new(),
            line: line.to_owned(),
        };
        options.parse(line.split_whitespace().map(str::to_owned).collect())?;
        Ok(options)
    }

    fn refusal(line: &str) -> String {
        options(line).unwrap_err().0
    }

    #[test]
    fn options_are_read_as_kafkas_tools_read_them() {
        let read =
            options("--list --topic=a=b --topic -3 --part 4 --state --broker-list h:1").unwrap();
        assert!(read.has("list") && !read.has("topic-id"));
        assert_eq!(read.values("topic").collect::<Vec<_>>(), ["a=b", "-3"]);
        assert_eq!(read.number("partitions"), Ok(Some(4_i32)));
        assert!(read.has("state"));
        assert_eq!(read.value("state"), Ok(None));
        assert_eq!(read.bootstrap_servers().unwrap(), "h:1");
        assert_eq!(options("--state stable").unwrap().value("state"), Ok(Some("stable")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(refusal("--nonsense"), "nonsense is not a recognized option");
        assert_eq!(refusal("--to x"), "to is not a recognized option");
        assert_eq!(refusal("--topic"), "Option topic requires an argument");
        let read = options("--topic a --topic b --partitions x --list").unwrap();
        assert!(read.value("topic").unwrap_err().0.starts_with("Found multiple arguments"));
        assert_eq!(
            read.number::<i32>("partitions").unwrap_err().0,
            "Cannot parse argument 'x' of option partitions"
        );
        assert_eq!(
            read.forbid("list", &["state", "partitions"]).unwrap_err().0,
            "Option \"[list]\" can't be used with option \"[partitions]\""
        );
        assert_eq!(
            options("--list").unwrap().required("topic").unwrap_err().0,
            "Missing required argument \"[topic]\""
        );
    }

    #[test]
    fn the_help_fits_a_terminal() {
        let help = TOOL.help();
        assert!(help.starts_with("Tries things.\n"));
        for line in help.lines() {
            assert!(line.len() <= 80, "{line}");
        }
        for spec in TOOL.all() {
            assert!(help.contains(&format!("--{}", spec.name)), "{}", spec.name);
        }
    }
}

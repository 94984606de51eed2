//! The whole configuration: gathered from the crates that own the settings,
//! read from files, environment and flags.
//!
//! Later places win over earlier ones: default < file < environment < flag.
//! Every value remembers where it came from, for error messages and for
//! `ottla serve --print-config`.
//!
//! An unknown name is an error in TOML files, flags and `OTTLA_` variables,
//! which are written for this program. In properties files and the variables
//! of other programs it is one warning.

mod environment;
mod names;
mod print;
mod program;
mod properties;
#[cfg(test)]
mod reference;
mod toml_file;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use protocol::config_def::{ConfigError, ConfigValues};

use names::Owner;
pub(crate) use program::{LoggingFormat, Program};

/// Where settings are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Files, later ones over earlier ones.
    pub(crate) files: Vec<PathBuf>,
    /// Environment variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Flags that set something, later ones over earlier ones.
    pub(crate) flags: Vec<Flag>,
}

/// A flag that sets something.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// The flag as the user knows it: `--set`, `--bootstrap-servers`.
    pub(crate) flag: &'static str,
    /// The setting.
    pub(crate) name: String,
    /// The text it is set to.
    pub(crate) text: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    File { path: PathBuf, line: Option<usize> },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => {
                write!(formatter, "{}, line {line}", path.display())
            }
            Self::File { path, line: None } => write!(formatter, "{}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag(flag) => formatter.write_str(flag),
        }
    }
}

/// A value that was given, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    text: String,
    origin: Origin,
}

/// Takes settings in the order of their places and remembers what is wrong.
#[derive(Debug, Default)]
struct Sink {
    settings: BTreeMap<String, Setting>,
    errors: Vec<String>,
    /// Unknown names that are only warned about, by place.
    unknown: BTreeMap<String, Vec<String>>,
}

impl Sink {
    fn set(&mut self, name: String, text: &str, origin: Origin) {
        self.settings.insert(name, Setting { text: text.to_owned(), origin });
    }

    /// Takes a setting of a place that is written for this program.
    fn set_strictly(&mut self, name: String, text: &str, origin: Origin) {
        if names::find(&name).is_some() {
            self.set(name, text, origin);
        } else {
            self.refuse_unknown(&name, &origin);
        }
    }

    fn refuse_unknown(&mut self, name: &str, origin: &Origin) {
        let hint = names::nearest(name)
            .map_or_else(String::new, |nearest| format!(", did you mean {nearest}?"));
        self.errors.push(format!("{origin}: unknown setting {name}{hint}"));
    }

    fn ignore_unknown(&mut self, place: &str, name: &str) {
        self.unknown.entry(place.to_owned()).or_default().push(name.to_owned());
    }

    /// One sentence for each place with unknown names.
    fn unknown_warnings(&self) -> Vec<String> {
        let shown = |name: &String| match names::nearest(name) {
            Some(nearest) => format!("{name} (did you mean {nearest}?)"),
            None => name.clone(),
        };
        let sentence = |(place, names): (&String, &Vec<String>)| {
            let names: Vec<String> = names.iter().map(shown).collect();
            format!("unknown settings in {place} are ignored: {}", names.join(", "))
        };
        self.unknown.iter().map(sentence).collect()
    }
}

/// Everything the program runs with.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Threads, stopping and logging.
    pub(crate) program: Program,
    /// The bundled broker; not started when `proxy.bootstrap_servers` names a cluster.
    pub(crate) broker: broker::Config,
    /// The REST proxy.
    pub(crate) proxy: proxy::Config,
    /// The Schema Registry.
    pub(crate) registry: registry::Config,
    /// What the log should tell: `notes` for the curious, `warnings` for whoever operates this.
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    settings: BTreeMap<String, Setting>,
}

/// Why there is no configuration: one sentence for each thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct Refused(pub(crate) Vec<String>);

impl Config {
    /// Reads all places and puts them together.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub(crate) fn load(sources: &Sources) -> Result<Self, Refused> {
        let mut sink = Sink::default();
        for path in &sources.files {
            read_file(path, &mut sink);
        }
        environment::read(&sources.variables, &mut sink);
        for Flag { flag, name, text } in &sources.flags {
            sink.set_strictly(name.clone(), text, Origin::Flag(flag));
        }
        let warnings = sink.unknown_warnings();
        let Sink { settings, mut errors, .. } = sink;

        let mut refuse = |refused: Vec<ConfigError>| {
            errors.extend(refused.iter().map(|error| with_origin(error, &settings)));
        };
        let program =
            Program::from_values(&values_of(Owner::Program, &settings)).map_err(&mut refuse);
        let broker =
            broker::Config::from_values(values_of(Owner::Broker, &settings)).map_err(&mut refuse);
        let proxy =
            proxy::Config::from_values(&values_of(Owner::Proxy, &settings)).map_err(&mut refuse);
        let registry = registry::Config::from_values(&values_of(Owner::Registry, &settings))
            .map_err(&mut refuse);
        match (program, broker, proxy, registry) {
            (Ok(program), Ok(broker), Ok(proxy), Ok(registry)) if errors.is_empty() => {
                let notes = [without_effect(&settings), without_broker(&proxy, &settings)];
                let notes = notes.into_iter().flatten().collect();
                let mut warnings = warnings;
                warnings.extend(risky(&broker, &settings));
                Ok(Self { program, broker, proxy, registry, notes, warnings, settings })
            }
            _ => Err(Refused(errors)),
        }
    }
}

/// A file whose name ends in `.toml` is TOML, every other one Java properties.
fn read_file(path: &Path, sink: &mut Sink) {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            sink.errors
                .push(format!("cannot read the configuration file {}: {error}", path.display()));
            return;
        }
    };
    let text = properties::decode(bytes);
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let result =
        if is_toml { read_toml(path, &text, sink) } else { read_properties(path, &text, sink) };
    if let Err(message) = result {
        sink.errors.push(format!("{}: {message}", path.display()));
    }
}

fn read_toml(path: &Path, text: &str, sink: &mut Sink) -> Result<(), String> {
    for (name, text) in toml_file::parse(text)? {
        sink.set_strictly(name, &text, Origin::File { path: path.to_owned(), line: None });
    }
    Ok(())
}

/// The entries of a properties file that is not the program's configuration.
///
/// # Errors
/// When it cannot be read, with the reason.
pub(crate) fn load_properties(path: &Path) -> Result<Vec<(String, String)>, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let properties =
        properties::parse(&properties::decode(bytes)).map_err(|error| error.to_string())?;
    Ok(properties.into_iter().map(|property| (property.name, property.value)).collect())
}

fn read_properties(path: &Path, text: &str, sink: &mut Sink) -> Result<(), String> {
    for property in properties::parse(text).map_err(|error| error.to_string())? {
        let origin = Origin::File { path: path.to_owned(), line: Some(property.line) };
        if names::find(&property.name).is_some() {
            sink.set(property.name, &property.value, origin);
        } else {
            sink.ignore_unknown(&path.display().to_string(), &property.name);
        }
    }
    Ok(())
}

fn values_of(owner: Owner, settings: &BTreeMap<String, Setting>) -> ConfigValues {
    settings
        .iter()
        .filter(|(name, _)| names::find(name).is_some_and(|known| known.owner == owner))
        .map(|(name, setting)| (name.clone(), setting.text.clone()))
        .collect()
}

/// The error with the place that it comes from.
fn with_origin(error: &ConfigError, settings: &BTreeMap<String, Setting>) -> String {
    match error.name().and_then(|name| settings.get(name)) {
        Some(setting) => format!("{}: {error}", setting.origin),
        None => error.to_string(),
    }
}

/// One sentence that names the settings which change nothing, by reason.
fn without_effect(settings: &BTreeMap<String, Setting>) -> Option<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in settings.keys() {
        if let Some(why) = names::find(name).and_then(|known| known.key.no_effect) {
            by_reason.entry(why).or_default().push(name);
        }
    }
    if by_reason.is_empty() {
        return None;
    }
    let reasons: Vec<String> =
        by_reason.iter().map(|(why, names)| format!("{} ({why})", names.join(", "))).collect();
    Some(format!("accepted without effect: {}", reasons.join("; ")))
}

/// A sentence about settings of the broker where no broker is started.
fn without_broker(proxy: &proxy::Config, settings: &BTreeMap<String, Setting>) -> Option<String> {
    let has_effect = |name: &&String| {
        names::find(name)
            .is_some_and(|known| known.owner == Owner::Broker && known.key.no_effect.is_none())
    };
    let of_broker: Vec<&str> = settings.keys().filter(has_effect).map(String::as_str).collect();
    (!proxy.bootstrap_servers.is_empty() && !of_broker.is_empty()).then(|| {
        format!(
            "no broker is started because bootstrap.servers is set, so these change nothing: {}",
            of_broker.join(", ")
        )
    })
}

/// Sentences about settings that work but may not do what is wanted.
fn risky(broker: &broker::Config, settings: &BTreeMap<String, Setting>) -> Vec<String> {
    let mut warnings = Vec::new();
    if settings.get("min.insync.replicas").is_some_and(|setting| setting.text.trim() != "1") {
        warnings.push(
            "min.insync.replicas is above 1 on one node: producers with acks=all will fail"
                .to_owned(),
        );
    }
    if settings.get("authorizer.class.name").is_some_and(|setting| !setting.text.trim().is_empty())
    {
        warnings
            .push("authorizer.class.name has no effect: every client may do everything".to_owned());
    }
    if !settings.contains_key("advertised.listeners") {
        for listener in &broker.listeners {
            if matches!(listener.host.as_str(), "" | "0.0.0.0" | "::")
                && let Some(told) =
                    broker.advertised_listeners.iter().find(|told| told.name == listener.name)
            {
                warnings.push(format!(
                    "{listener} listens on every address and advertised.listeners is unset: clients are told to connect to {}",
                    told.host
                ));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        folder: tempfile::TempDir,
        sources: Sources,
    }

    impl Case {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), sources: Sources::default() }
        }

        fn file(mut self, name: &str, text: &str) -> Self {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            self.sources.files.push(path);
            self
        }

        fn variable(mut self, name: &str, text: &str) -> Self {
            self.sources.variables.push((name.to_owned(), text.to_owned()));
            self
        }

        fn set(mut self, name: &str, text: &str) -> Self {
            self.sources.flags.push(Flag {
                flag: "--set",
                name: name.to_owned(),
                text: text.to_owned(),
            });
            self
        }

        fn load(&self) -> Result<Config, String> {
            Config::load(&self.sources).map_err(|refused| {
                refused.to_string().replace(&format!("{}/", self.folder.path().display()), "")
            })
        }
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_a_file() {
        let case = Case::new().file("a.properties", "num.partitions=2");
        assert_eq!(Case::new().load().unwrap().broker.topics.num_partitions, 1);
        assert_eq!(case.load().unwrap().broker.topics.num_partitions, 2);
        let case = case.file("b.toml", "num.partitions = 3");
        assert_eq!(
            case.load().unwrap().broker.topics.num_partitions,
            3,
            "a later file wins over an earlier one"
        );
        let case = case.variable("KAFKA_NUM_PARTITIONS", "4");
        assert_eq!(case.load().unwrap().broker.topics.num_partitions, 4);
        let case = case.set("num.partitions", "5");
        assert_eq!(case.load().unwrap().broker.topics.num_partitions, 5);
        let case = case.set("num.partitions", "6");
        assert_eq!(case.load().unwrap().broker.topics.num_partitions, 6, "the last flag wins");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (case, expected) in [
            (
                Case::new().file("a.toml", "num.partitions = 0"),
                "a.toml: Invalid value 0 for configuration num.partitions: Value must be at least 1",
            ),
            (
                Case::new().file("server.properties", "\n\nlog.retention.ms=soon"),
                "server.properties, line 3: Invalid value soon for configuration log.retention.ms: Not a number of type LONG",
            ),
            (
                Case::new().variable("KAFKA_REST_API_DEFAULT_VERSION", "v9"),
                "KAFKA_REST_API_DEFAULT_VERSION: Invalid value v9 for configuration api.default.version: \
                 String must be one of: v1, v2",
            ),
            (
                Case::new().set("logging.format", "xml"),
                "--set: Invalid value xml for configuration logging.format: String must be one of: text, json",
            ),
            (
                Case::new().set("producer.acks", "7"),
                "--set: Invalid value 7 for configuration producer.acks: String must be one of: all, -1, 0, 1",
            ),
            (
                Case::new().file("kafka-rest.properties", "listeners=http://0.0.0.0:8082"),
                "kafka-rest.properties, line 1: Invalid value http://0.0.0.0:8082 for configuration listeners: \
                 http://0.0.0.0:8082 is a listener of the REST proxy, use rest.listeners",
            ),
            (
                Case::new().set("broker.id", "1").set("node.id", "2"),
                "node.id is 2 and broker.id is 1: they must be equal",
            ),
        ] {
            assert_eq!(case.load().unwrap_err(), expected);
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_where_it_was_written_for_us() {
        for (case, expected) in [
            (
                Case::new().file("a.toml", "[log]\nretention.mss = 1"),
                "a.toml: unknown setting log.retention.mss, did you mean log.retention.ms?",
            ),
            (
                Case::new().set("num.partition", "1"),
                "--set: unknown setting num.partition, did you mean num.partitions?",
            ),
            (Case::new().variable("OTTLA_XYZZY", "1"), "OTTLA_XYZZY: unknown setting xyzzy"),
        ] {
            assert_eq!(case.load().unwrap_err(), expected);
        }
    }

    #[test]
    fn an_unknown_name_is_one_warning_where_it_was_written_for_kafka() {
        let case = Case::new()
            .file("server.properties", "confluent.license=x\nnum.partition=3\n")
            .variable("KAFKA_NO_SUCH", "1");
        let warnings = case.load().unwrap().warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        let in_file = warnings.first().unwrap();
        let names = "confluent.license, num.partition (did you mean num.partitions?)";
        assert!(in_file.ends_with(&format!("server.properties are ignored: {names}")), "{in_file}");
        let in_variables = warnings.last().unwrap();
        assert_eq!(in_variables, "unknown settings in KAFKA_… variables are ignored: no.such");
    }

    #[test]
    fn a_server_properties_of_kafka_works_as_it_is() {
        let case = Case::new().file("server.properties", include_str!("config/server.properties"));
        let config = case.load().unwrap();
        let listeners: Vec<String> =
            config.broker.listeners.iter().map(ToString::to_string).collect();
        assert_eq!(listeners, ["PLAINTEXT://:9092"], "the controller's listener is not opened");
        let advertised = config.broker.advertised_listeners.first().unwrap();
        assert_eq!((advertised.host.as_str(), advertised.port), ("localhost", 9092));
        assert_eq!(config.broker.node_id, 1);
        assert_eq!(config.broker.log_dirs, [PathBuf::from("/var/lib/kafka/data")]);
        assert_eq!(config.broker.topics.num_partitions, 3);
        assert_eq!(config.warnings, Vec::<String>::new());
        assert_eq!(config.notes.len(), 1, "{:?}", config.notes);
        let note = config.notes.first().unwrap();
        for name in [
            "process.roles",
            "controller.quorum.voters",
            "num.io.threads",
            "inter.broker.listener.name",
        ] {
            assert!(note.contains(name), "{note}");
        }
    }

    #[test]
    fn settings_of_zookeeper_times_are_accepted_with_a_note() {
        let case =
            Case::new().file("old.properties", "broker.id=7\nzookeeper.connect=localhost:2181\n");
        let config = case.load().unwrap();
        assert_eq!(config.broker.node_id, 7);
        assert_eq!(
            config.notes,
            ["accepted without effect: zookeeper.connect (Kafka 4 removed it)"]
        );
    }

    #[test]
    fn settings_of_a_broker_that_is_not_started_are_pointed_out() {
        let config = Case::new()
            .set("bootstrap.servers", "kafka:9092")
            .set("num.partitions", "2")
            .load()
            .unwrap();
        assert_eq!(
            config.notes,
            [
                "no broker is started because bootstrap.servers is set, so these change nothing: num.partitions"
            ]
        );
    }

    #[test]
    fn a_missing_file_is_said_by_name() {
        let mut case = Case::new();
        case.sources.files.push(case.folder.path().join("none.toml"));
        assert!(
            case.load().unwrap_err().starts_with("cannot read the configuration file none.toml: ")
        );
    }

    #[test]
    fn listening_everywhere_says_what_clients_are_told() {
        let config = Case::new().set("listeners", "PLAINTEXT://0.0.0.0:9092").load().unwrap();
        assert_eq!(config.warnings.len(), 1);
        assert!(config.warnings.first().unwrap().contains("advertised.listeners is unset"));
    }
}

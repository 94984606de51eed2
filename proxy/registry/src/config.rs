//! The registry's settings: every name that exists and the typed values that
//! the rest of the crate reads.
//!
//! A setting is declared once, in `config/declarations.rs` (what has an
//! effect) or `config/accepted.rs` (what the reference has and this registry
//! does not need).

mod accepted;
mod declarations;

use std::sync::LazyLock;
use std::time::Duration;

use protocol::config_def::{ConfigDef, ConfigError, ConfigReader, ConfigValues};

use crate::compatibility::Level;
use crate::cors::CorsConfig;
use crate::listener::HttpListener;

static DEFINITION: LazyLock<ConfigDef> =
    LazyLock::new(|| ConfigDef::new(&[declarations::KEYS, accepted::KEYS]));

/// Every setting of the registry.
pub fn definition() -> &'static ConfigDef {
    &DEFINITION
}

/// What the registry runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Sockets to listen on. Never empty.
    pub listeners: Vec<HttpListener>,
    /// The host under which other registries reach this one; empty when unset.
    pub host_name: String,
    /// What is held in memory and open at a time.
    pub bounds: BoundsConfig,
    /// The topic with the schemas.
    pub topic: TopicConfig,
    /// Several registries on one cluster.
    pub election: ElectionConfig,
    /// Calls from browsers of another origin.
    pub cors: CorsConfig,
    /// The level where none is configured over the API.
    pub compatibility_level: Level,
    /// Whether reserved fields are checked where nothing else is configured.
    pub validate_fields: bool,
    /// Whether the subjects `` and `*` are refused.
    pub reject_empty_subject: bool,
    /// Whether Protobuf schemas are accepted as the reference accepts them.
    pub protobuf_lenient: bool,
    /// Parsed schemas in memory.
    pub cache_size: usize,
    /// The `error_code` of an incompatible schema.
    pub incompatible_error_code: u32,
    /// Whether modes can be changed.
    pub mode_mutability: bool,
    /// Lists of schemas.
    pub schema_limit: ListLimit,
    /// Lists of subjects and contexts.
    pub subject_limit: ListLimit,
    /// Lists of versions.
    pub version_limit: ListLimit,
}

/// What is held in memory and open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundsConfig {
    /// Largest request body, in bytes (`registry.max.request.bytes`).
    pub max_request_bytes: usize,
    /// Bytes of request bodies in memory (`registry.max.inflight.bytes`).
    pub max_inflight_bytes: usize,
    /// Open connections (`registry.max.connections`).
    pub max_connections: usize,
    /// A connection without traffic is closed after this time.
    pub idle_timeout: Duration,
    /// How long requests in hand may take at the stop.
    pub shutdown_grace: Duration,
}

/// The topic with the schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// Its name.
    pub name: String,
    /// How many replicas it is created with, as far as there are nodes.
    pub replication_factor: i16,
    /// Whether it is used as it is.
    pub skip_validation: bool,
    /// How long a write may take until it is read back.
    pub timeout: Duration,
}

/// Several registries on one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionConfig {
    /// The group in which they meet.
    pub group_id: String,
    /// Whether this one may write.
    pub is_eligible: bool,
    /// Whether the one that writes goes on when others come.
    pub is_sticky: bool,
    /// How long connecting to the leader may take.
    pub connect_timeout: Duration,
    /// How long the answer of the leader is waited for.
    pub read_timeout: Duration,
}

/// How long a list can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimit {
    /// When the request does not say.
    pub default: usize,
    /// At most.
    pub max: usize,
}

impl ListLimit {
    /// The length for what a request says; what is not possible is as good as nothing.
    pub fn of(self, asked: i32) -> usize {
        usize::try_from(asked)
            .ok()
            .filter(|&limit| limit > 0 && limit <= self.max)
            .unwrap_or(self.default)
    }
}

impl Config {
    /// Makes the configuration of the settings that were given. Names that
    /// this crate does not declare are left to the caller.
    ///
    /// # Errors
    /// Every value that was refused and every contradiction between settings.
    pub fn from_values(values: &ConfigValues) -> Result<Self, Vec<ConfigError>> {
        let mut reader = ConfigReader::new(&DEFINITION, values);
        reader.check_all();
        let config = Self::read(&mut reader);
        reader.finish(config)
    }

    fn read(reader: &mut ConfigReader<'_>) -> Self {
        let limit = |reader: &mut ConfigReader<'_>, what: &str| ListLimit {
            default: reader.size(&format!("{what}.search.default.limit")),
            max: reader.size(&format!("{what}.search.max.limit")),
        };
        let level = reader
            .optional_text("avro.compatibility.level")
            .filter(|_| !reader.is_set("schema.compatibility.level"))
            .unwrap_or_else(|| reader.text("schema.compatibility.level"));
        let is_eligible = match reader.is_set("master.eligibility") {
            true if !reader.is_set("leader.eligibility") => reader.boolean("master.eligibility"),
            _ => reader.boolean("leader.eligibility"),
        };
        Self {
            listeners: HttpListener::read(reader, "registry.listeners", "registry.port"),
            host_name: reader.text("registry.host.name"),
            bounds: BoundsConfig {
                max_request_bytes: reader.size("registry.max.request.bytes"),
                max_inflight_bytes: reader.size("registry.max.inflight.bytes"),
                max_connections: reader.size("registry.max.connections"),
                idle_timeout: reader.millis("registry.idle.timeout.ms"),
                shutdown_grace: reader.millis("registry.shutdown.graceful.ms"),
            },
            cors: CorsConfig::read(reader, "registry."),
            topic: TopicConfig {
                name: reader.text("kafkastore.topic"),
                replication_factor: i16::try_from(
                    reader.int("kafkastore.topic.replication.factor"),
                )
                .unwrap_or(i16::MAX),
                skip_validation: reader.boolean("kafkastore.topic.skip.validation"),
                timeout: reader.millis("kafkastore.timeout.ms"),
            },
            election: ElectionConfig {
                group_id: reader.text("schema.registry.group.id"),
                is_eligible,
                is_sticky: reader.boolean("leader.election.sticky"),
                connect_timeout: reader.millis("leader.connect.timeout.ms"),
                read_timeout: reader.millis("leader.read.timeout.ms"),
            },
            compatibility_level: level.parse().unwrap_or_default(),
            validate_fields: reader.boolean("schema.validate.fields"),
            reject_empty_subject: reader.boolean("schema.reject.empty.subject"),
            protobuf_lenient: reader.boolean("registry.protobuf.lenient"),
            cache_size: reader.size("schema.cache.size"),
            incompatible_error_code: reader
                .text("registry.incompatible.error.code")
                .parse()
                .unwrap_or(409),
            mode_mutability: reader.boolean("mode.mutability"),
            schema_limit: limit(reader, "schema"),
            subject_limit: limit(reader, "subject"),
            version_limit: limit(reader, "subject.version"),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::from_values(&ConfigValues::new()).expect("the defaults do not contradict each other")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let values = settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Config::from_values(&values.collect())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = Config::default();
        let listeners: Vec<String> = config.listeners.iter().map(ToString::to_string).collect();
        assert_eq!(listeners, ["http://127.0.0.1:8081", "http://[::1]:8081"]);
        assert_eq!(config.compatibility_level, Level::Backward);
        assert_eq!(config.topic.name, "_schemas");
        assert_eq!(config.incompatible_error_code, 409);
        assert!(config.election.is_eligible && config.mode_mutability);
    }

    #[test]
    fn old_names_count_where_the_new_ones_are_not_set() {
        let config =
            read(&[("avro.compatibility.level", "full"), ("master.eligibility", "false")]).unwrap();
        assert_eq!(config.compatibility_level, Level::Full);
        assert!(!config.election.is_eligible);
        let both = [("avro.compatibility.level", "full"), ("schema.compatibility.level", "NONE")];
        assert_eq!(read(&both).unwrap().compatibility_level, Level::None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (name, text) in [
            ("schema.compatibility.level", "sideways"),
            ("registry.listeners", "8081"),
            ("registry.listeners", "https://127.0.0.1:8081"),
            ("registry.incompatible.error.code", "410"),
            ("kafkastore.topic", ""),
        ] {
            assert_eq!(read(&[(name, text)]).unwrap_err().len(), 1, "{name}={text}");
        }
    }

    #[test]
    fn an_impossible_limit_is_the_default() {
        let limit = ListLimit { default: 10, max: 20 };
        for (asked, expected) in [(-1, 10), (0, 10), (1, 1), (20, 20), (21, 10)] {
            assert_eq!(limit.of(asked), expected, "{asked}");
        }
    }
}

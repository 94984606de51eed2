//! Topic settings: which exist, what they say for a topic, and how they change.
//!
//! A topic stores only what was set on it. Everything else comes from the
//! broker's setting of the matching name (`segment.bytes` from
//! `log.segment.bytes`), so a broker setting that changes at run time changes
//! its topics too. [`TopicConfig::resolve`] puts both together.

use std::sync::LazyLock;

use protocol::config_def::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValues, Validator, Value, split_list,
};

use crate::config::{
    CLEANUP_POLICIES, COMPRESSION_TYPES, Config, ConfigEntry, ConfigSource, ConfigSynonym,
    DURABILITIES, TIMESTAMP_TYPES,
};

use ConfigType::{Boolean, Double, Int, List, Long, String as Text};

const fn key(name: &'static str, kind: ConfigType) -> ConfigKey {
    ConfigKey::new(name, kind).dynamic()
}

const TIERED: &str = "there is no tiered storage";
const ONE_NODE: &str = "one node has no replication and no elections";

/// The settings of a topic. Defaults matter only where no broker setting has a
/// say; the others are Kafka's, for the reference page.
#[rustfmt::skip]
const KEYS: &[ConfigKey] = &[
    key("cleanup.policy", List).default("delete").validator(Validator::ListOf(CLEANUP_POLICIES))
        .doc("What becomes of old records: delete by age and size, compact by key, or both."),
    key("compression.gzip.level", Int).default("-1").validator(Validator::RangeOrUnset(1, 9))
        .doc("Level of gzip when the broker compresses; -1 is the codec's default."),
    key("compression.lz4.level", Int).default("9").range(1, 17)
        .doc("Level of lz4 when the broker compresses."),
    key("compression.type", Text).default("producer").validator(Validator::OneOf(COMPRESSION_TYPES))
        .doc("How batches are compressed on disk: as the producer sent them, not at all, or with one codec."),
    key("compression.zstd.level", Int).default("3").range(-131_072, 22)
        .doc("Level of zstd when the broker compresses."),
    key("delete.retention.ms", Long).default("86400000").at_least(0)
        .doc("How long a tombstone stays after compaction."),
    key("durability", Text).default("group").validator(Validator::OneOf(DURABILITIES))
        .doc("When an append counts as stored: group, strict, interval or os, as log.durability says. A setting of ours."),
    key("file.delete.delay.ms", Long).default("60000").at_least(0)
        .doc("How long the files of a deleted segment stay before they are removed."),
    key("flush.messages", Long).default("9223372036854775807").at_least(1)
        .doc("Sync after this many records, whatever durability says."),
    key("flush.ms", Long).default("9223372036854775807").at_least(0)
        .doc("Sync at the latest this long after a record, whatever durability says."),
    key("follower.replication.throttled.replicas", List).default("").validator(Validator::ThrottledReplicas).without_effect(ONE_NODE),
    key("index.interval.bytes", Int).default("4096").at_least(0)
        .doc("One index entry is written per this many bytes of log."),
    key("internal.segment.bytes", Int).internal()
        .doc("Replaces segment.bytes without its lower bound, for tests."),
    key("leader.replication.throttled.replicas", List).default("").validator(Validator::ThrottledReplicas).without_effect(ONE_NODE),
    key("local.retention.bytes", Long).default("-2").at_least(-2).without_effect(TIERED),
    key("local.retention.ms", Long).default("-2").at_least(-2).without_effect(TIERED),
    key("max.compaction.lag.ms", Long).default("9223372036854775807").at_least(1)
        .doc("Older records are compacted even when min.cleanable.dirty.ratio does not ask for it."),
    key("max.message.bytes", Int).default("1048588").at_least(0)
        .doc("The largest record batch that is accepted, after compression."),
    key("message.timestamp.after.max.ms", Long).default("3600000").at_least(0)
        .doc("How far a record's timestamp may lie after the broker's clock."),
    key("message.timestamp.before.max.ms", Long).default("9223372036854775807").at_least(0)
        .doc("How far a record's timestamp may lie before the broker's clock."),
    key("message.timestamp.type", Text).default("CreateTime").validator(Validator::OneOf(TIMESTAMP_TYPES))
        .doc("Whose clock stamps records: the producer's or the broker's."),
    key("min.cleanable.dirty.ratio", Double).default("0.5").validator(Validator::DoubleRange(0.0, 1.0))
        .doc("A partition is compacted when this part of it is not yet."),
    key("min.compaction.lag.ms", Long).default("0").at_least(0)
        .doc("Younger records are left alone by compaction."),
    key("min.insync.replicas", Int).default("1").at_least(1)
        .doc("Replicas that must have a record before acks=all is answered. One node has one: with more, acks=all fails as in Kafka."),
    key("preallocate", Boolean).default("false")
        .doc("Allocate the whole segment file when it is made."),
    key("remote.log.copy.disable", Boolean).default("false").without_effect(TIERED),
    key("remote.log.delete.on.disable", Boolean).default("false").without_effect(TIERED),
    key("remote.storage.enable", Boolean).default("false").without_effect(TIERED),
    key("retention.bytes", Long).default("-1")
        .doc("How much of a partition is kept; -1 means all of it."),
    key("retention.ms", Long).default("604800000").at_least(-1)
        .doc("How long records are kept; -1 means for ever."),
    key("segment.bytes", Int).default("1073741824").at_least(1_048_576)
        .doc("The largest segment file."),
    key("segment.index.bytes", Int).default("10485760").at_least(4)
        .doc("The largest index file. A segment rolls when its index is full."),
    key("segment.jitter.ms", Long).default("0").at_least(0)
        .doc("Up to this much is taken off segment.ms at random, so that segments do not all roll at once."),
    key("segment.ms", Long).default("604800000").at_least(1)
        .doc("The longest time a segment is written to."),
    key("unclean.leader.election.enable", Boolean).default("false").without_effect(ONE_NODE),
];

/// Settings that Kafka 4 dropped and old automation still sets. They are
/// neither stored nor refused.
const DROPPED: &[&str] = &[
    "message.format.version",
    "message.downconversion.enable",
    "message.timestamp.difference.max.ms",
];

static DEFINITION: LazyLock<ConfigDef> = LazyLock::new(|| ConfigDef::new(&[KEYS]));

/// Every setting of a topic.
pub fn definition() -> &'static ConfigDef {
    &DEFINITION
}

/// The broker setting that a topic without one of its own takes.
pub fn broker_name(topic_name: &str) -> Option<&'static str> {
    Some(match topic_name {
        "cleanup.policy" => "log.cleanup.policy",
        "compression.gzip.level" => "compression.gzip.level",
        "compression.lz4.level" => "compression.lz4.level",
        "compression.type" => "compression.type",
        "compression.zstd.level" => "compression.zstd.level",
        "delete.retention.ms" => "log.cleaner.delete.retention.ms",
        "durability" => "log.durability",
        "file.delete.delay.ms" => "log.segment.delete.delay.ms",
        "flush.messages" => "log.flush.interval.messages",
        "flush.ms" => "log.flush.interval.ms",
        "index.interval.bytes" => "log.index.interval.bytes",
        "local.retention.bytes" => "log.local.retention.bytes",
        "local.retention.ms" => "log.local.retention.ms",
        "max.compaction.lag.ms" => "log.cleaner.max.compaction.lag.ms",
        "max.message.bytes" => "message.max.bytes",
        "message.timestamp.after.max.ms" => "log.message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms" => "log.message.timestamp.before.max.ms",
        "message.timestamp.type" => "log.message.timestamp.type",
        "min.cleanable.dirty.ratio" => "log.cleaner.min.cleanable.ratio",
        "min.compaction.lag.ms" => "log.cleaner.min.compaction.lag.ms",
        "min.insync.replicas" => "min.insync.replicas",
        "preallocate" => "log.preallocate",
        "retention.bytes" => "log.retention.bytes",
        "retention.ms" => "log.retention.ms",
        "segment.bytes" => "log.segment.bytes",
        "segment.index.bytes" => "log.index.size.max.bytes",
        "segment.jitter.ms" => "log.roll.jitter.ms",
        "segment.ms" => "log.roll.ms",
        "unclean.leader.election.enable" => "unclean.leader.election.enable",
        _ => return None,
    })
}

/// When an append counts as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Synced together with whatever else arrived meanwhile.
    #[default]
    Group,
    /// Each append is synced by itself.
    Strict,
    /// Synced at most [`TopicConfig::flush_ms`] later (100 ms when that is unset); not waited for.
    Interval,
    /// Left to the system.
    Os,
}

impl Durability {
    /// Whether an append is acknowledged, and readable, only once it is on
    /// disk.
    pub fn waits_for_disk(self) -> bool {
        matches!(self, Self::Group | Self::Strict)
    }
}

/// How batches are compressed on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionPolicy {
    /// As the producer sent them.
    Producer,
    /// Not at all.
    Uncompressed,
    /// With gzip at a level, or the codec's own.
    Gzip(Option<i32>),
    /// With snappy.
    Snappy,
    /// With lz4 at a level.
    Lz4(i32),
    /// With zstd at a level.
    Zstd(i32),
}

/// Whose clock stamps records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampPolicy {
    /// The producer's.
    CreateTime,
    /// The broker's, when it appends.
    LogAppendTime,
}

/// What holds for one topic: its own settings over the broker's.
///
/// Times are in milliseconds, as records and indexes have them; `i64::MAX`
/// stands for never or no bound.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// Whether segments past their retention are deleted.
    pub delete: bool,
    /// Whether older records of a key are removed.
    pub compact: bool,
    /// How batches are compressed on disk.
    pub compression: CompressionPolicy,
    /// How long a tombstone stays after compaction.
    pub delete_retention_ms: i64,
    /// When an append counts as stored.
    pub durability: Durability,
    /// How long files of a deleted segment stay.
    pub file_delete_delay_ms: i64,
    /// Sync after this many records.
    pub flush_messages: i64,
    /// Sync at the latest this long after a record. With
    /// [`Durability::Interval`] it is 100 when nobody set it.
    pub flush_ms: i64,
    /// Bytes of log per index entry.
    pub index_interval_bytes: u32,
    /// Compact records that are older than this in any case.
    pub max_compaction_lag_ms: i64,
    /// Largest record batch.
    pub max_message_bytes: u32,
    /// How far a timestamp may lie after the broker's clock.
    pub timestamp_after_max_ms: i64,
    /// How far a timestamp may lie before the broker's clock.
    pub timestamp_before_max_ms: i64,
    /// Whose clock stamps records.
    pub timestamp_policy: TimestampPolicy,
    /// Compact when this part of a partition is not yet, 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// Leave younger records alone.
    pub min_compaction_lag_ms: i64,
    /// Replicas that acks=all asks for; above 1 it cannot be satisfied.
    pub min_insync_replicas: i32,
    /// Whether a segment file is allocated whole.
    pub preallocate: bool,
    /// How many bytes of a partition are kept; `None` for all.
    pub retention_bytes: Option<u64>,
    /// How long records are kept; `None` for ever.
    pub retention_ms: Option<i64>,
    /// Largest segment file.
    pub segment_bytes: u32,
    /// Largest index file.
    pub segment_index_bytes: u32,
    /// Up to this much comes off [`TopicConfig::segment_ms`] at random.
    pub segment_jitter_ms: i64,
    /// Longest time a segment is written to.
    pub segment_ms: i64,
}

/// How often a topic with `durability=interval` is synced when nobody says.
const INTERVAL_FLUSH_MS: i64 = 100;

impl TopicConfig {
    /// What holds for a topic with these settings of its own. A stored value
    /// that is no longer valid counts as unset.
    pub fn resolve(overrides: &ConfigValues, broker: &Config) -> Self {
        let view = View { overrides, broker };
        let policies = view.list("cleanup.policy");
        let durability = match view.text("durability").as_str() {
            "strict" => Durability::Strict,
            "interval" => Durability::Interval,
            "os" => Durability::Os,
            _ => Durability::Group,
        };
        let flush_ms = match view.long("flush.ms") {
            i64::MAX if durability == Durability::Interval => INTERVAL_FLUSH_MS,
            flush_ms => flush_ms,
        };
        let segment_bytes = match view.overrides.get("internal.segment.bytes") {
            Some(_) => view.unsigned("internal.segment.bytes"),
            None => view.unsigned("segment.bytes"),
        };
        Self {
            delete: policies.iter().any(|policy| policy == "delete"),
            compact: policies.iter().any(|policy| policy == "compact"),
            compression: view.compression(),
            delete_retention_ms: view.long("delete.retention.ms"),
            durability,
            file_delete_delay_ms: view.long("file.delete.delay.ms"),
            flush_messages: view.long("flush.messages"),
            flush_ms,
            index_interval_bytes: view.unsigned("index.interval.bytes"),
            max_compaction_lag_ms: view.long("max.compaction.lag.ms"),
            max_message_bytes: view.unsigned("max.message.bytes"),
            timestamp_after_max_ms: view.long("message.timestamp.after.max.ms"),
            timestamp_before_max_ms: view.long("message.timestamp.before.max.ms"),
            timestamp_policy: match view.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampPolicy::LogAppendTime,
                _ => TimestampPolicy::CreateTime,
            },
            min_cleanable_dirty_ratio: view.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: view.long("min.compaction.lag.ms"),
            min_insync_replicas: view.int("min.insync.replicas"),
            preallocate: view.value("preallocate") == Value::Boolean(true),
            retention_bytes: u64::try_from(view.long("retention.bytes")).ok(),
            retention_ms: Some(view.long("retention.ms")).filter(|millis| *millis >= 0),
            segment_bytes,
            segment_index_bytes: view.unsigned("segment.index.bytes"),
            segment_jitter_ms: view.long("segment.jitter.ms"),
            segment_ms: view.long("segment.ms"),
        }
    }
}

/// Typed reading of a topic's own settings over the broker's.
struct View<'a> {
    overrides: &'a ConfigValues,
    broker: &'a Config,
}

impl View<'_> {
    fn value(&self, name: &str) -> Value {
        let Some(key) = DEFINITION.get(name) else {
            unreachable!("{name} is read but not declared")
        };
        let own = self.overrides.get(name).and_then(|text| key.parse(text).ok());
        let from_broker = || default_text(name, self.broker).and_then(|text| key.parse(&text).ok());
        let declared = || key.default.and_then(|text| key.parse(text).ok());
        own.or_else(from_broker).or_else(declared).unwrap_or(Value::Integer(0))
    }

    fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Integer(number) => number,
            _ => 0,
        }
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or(i32::MAX)
    }

    fn unsigned(&self, name: &str) -> u32 {
        u32::try_from(self.long(name)).unwrap_or(0)
    }

    fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Double(number) => number,
            _ => 0.0,
        }
    }

    fn text(&self, name: &str) -> String {
        self.value(name).to_string()
    }

    fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::List(entries) => entries,
            _ => Vec::new(),
        }
    }

    fn compression(&self) -> CompressionPolicy {
        match self.text("compression.type").as_str() {
            "uncompressed" => CompressionPolicy::Uncompressed,
            "gzip" => CompressionPolicy::Gzip(
                Some(self.int("compression.gzip.level")).filter(|level| *level != -1),
            ),
            "snappy" => CompressionPolicy::Snappy,
            "lz4" => CompressionPolicy::Lz4(self.int("compression.lz4.level")),
            "zstd" => CompressionPolicy::Zstd(self.int("compression.zstd.level")),
            _ => CompressionPolicy::Producer,
        }
    }
}

/// What a topic without the setting takes: the broker's value in the topic's
/// unit, else the declared default.
fn default_text(name: &str, broker: &Config) -> Option<String> {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    let first_set = |names: &[(&str, i64)]| {
        names.iter().find_map(|(name, millis)| {
            let number: i64 = broker.text(name)?.trim().parse().ok()?;
            Some(if number < 0 { -1 } else { number.saturating_mul(*millis) }.to_string())
        })
    };
    match name {
        "segment.ms" => first_set(&[("log.roll.ms", 1), ("log.roll.hours", HOUR)]),
        "segment.jitter.ms" => {
            first_set(&[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR)])
        }
        "retention.ms" => first_set(&[
            ("log.retention.ms", 1),
            ("log.retention.minutes", MINUTE),
            ("log.retention.hours", HOUR),
        ]),
        "flush.ms" => {
            first_set(&[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)])
        }
        _ => match broker_name(name) {
            Some(broker_name) => broker.text(broker_name).map(str::to_owned),
            None => DEFINITION.get(name)?.default.map(str::to_owned),
        },
    }
}

/// What to do with one setting of a topic (IncrementalAlterConfigs, KIP-339).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterOperation {
    /// Set it.
    Set,
    /// Take it off the topic, so that the broker's value holds.
    Delete,
    /// Add entries to a list.
    Append,
    /// Remove entries from a list.
    Subtract,
}

/// A topic's own settings after a change that was found good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// What is set on the topic from now on.
    pub overrides: ConfigValues,
    /// What the log should tell the operator, one sentence each.
    pub warnings: Vec<String>,
}

/// Checks the settings that a topic is created with, or that replace all it
/// has (AlterConfigs).
///
/// # Errors
/// The first refusal, for `INVALID_CONFIG`: an unknown name, a value that is
/// missing or not taken, or settings that contradict each other.
pub fn check<'a>(
    settings: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    broker: &Config,
) -> Result<Accepted, ConfigError> {
    let mut accepted = Accepted::default();
    for (name, text) in settings {
        if accepted.skips(name) {
            continue;
        }
        match text {
            Some(text) => accepted.overrides.insert(name.to_owned(), text.to_owned()),
            None => {
                return Err(ConfigError::Conflict(format!(
                    "Null value not supported for topic configs: {name}"
                )));
            }
        };
    }
    accepted.checked(broker)
}

/// Checks changes of single settings against what the topic has.
///
/// # Errors
/// As [`check`]; also when entries are added to or taken from a setting that
/// is not a list.
pub fn alter<'a>(
    current: &ConfigValues,
    changes: impl IntoIterator<Item = (&'a str, AlterOperation, Option<&'a str>)>,
    broker: &Config,
) -> Result<Accepted, ConfigError> {
    let mut accepted = Accepted { overrides: current.clone(), warnings: Vec::new() };
    for (name, operation, text) in changes {
        if accepted.skips(name) {
            continue;
        }
        match (operation, text) {
            (AlterOperation::Delete, _) => {
                accepted.overrides.remove(name);
            }
            (_, None) => {
                return Err(ConfigError::Conflict(format!(
                    "Null value not supported for topic configs: {name}"
                )));
            }
            (AlterOperation::Set, Some(text)) => {
                accepted.overrides.insert(name.to_owned(), text.to_owned());
            }
            (AlterOperation::Append | AlterOperation::Subtract, Some(text)) => {
                check_is_list(DEFINITION.get(name), name, operation)?;
                let current = accepted.overrides.get(name).cloned();
                let current = current.or_else(|| default_text(name, broker)).unwrap_or_default();
                let entries = changed_list(&current, operation, text);
                accepted.overrides.insert(name.to_owned(), entries);
            }
        }
    }
    accepted.checked(broker)
}

/// A list after entries were added to it or taken from it.
pub(crate) fn changed_list(current: &str, operation: AlterOperation, text: &str) -> String {
    let mut entries = split_list(current);
    for entry in split_list(text) {
        if operation == AlterOperation::Subtract {
            entries.retain(|known| *known != entry);
        } else if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries.join(",")
}

/// Lists can grow and shrink, other settings only be set.
pub(crate) fn check_is_list(
    key: Option<&ConfigKey>,
    name: &str,
    operation: AlterOperation,
) -> Result<(), ConfigError> {
    if key.is_some_and(|key| key.kind == ConfigType::List) {
        return Ok(());
    }
    let word = if operation == AlterOperation::Append { "APPEND" } else { "SUBTRACT" };
    Err(ConfigError::Conflict(format!("Can't {word} to key {name} because its type is not LIST.")))
}

impl Accepted {
    /// Whether the name is one that Kafka dropped and nothing is done about.
    fn skips(&mut self, name: &str) -> bool {
        let dropped = DROPPED.contains(&name);
        if dropped {
            self.warnings.push(format!("{name} is ignored: Kafka 4 removed it"));
        }
        dropped
    }

    fn checked(mut self, broker: &Config) -> Result<Self, ConfigError> {
        for (name, text) in &self.overrides {
            let Some(key) = DEFINITION.get(name) else {
                return Err(ConfigError::Conflict(format!("Unknown topic config name: {name}")));
            };
            let value = key.parse(text)?;
            if name == "remote.storage.enable" && value == Value::Boolean(true) {
                return Err(ConfigError::Conflict(
                    "Tiered Storage functionality is disabled in the broker. \
                     Topic cannot be configured with remote log storage."
                        .to_owned(),
                ));
            }
        }
        let config = TopicConfig::resolve(&self.overrides, broker);
        check_compaction_lags(&config)?;
        if self.overrides.contains_key("min.insync.replicas") && config.min_insync_replicas > 1 {
            self.warnings.push(format!(
                "min.insync.replicas={} on one node: producers with acks=all will fail",
                config.min_insync_replicas
            ));
        }
        Ok(self)
    }
}

fn check_compaction_lags(config: &TopicConfig) -> Result<(), ConfigError> {
    let (min, max) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
    if min > max {
        return Err(ConfigError::Conflict(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )));
    }
    Ok(())
}

/// Whether the broker's settings make sense for a topic without its own.
pub(crate) fn check_defaults(broker: &Config) -> Result<(), ConfigError> {
    let config = TopicConfig::resolve(&ConfigValues::new(), broker);
    if config.min_compaction_lag_ms > config.max_compaction_lag_ms {
        return Err(ConfigError::Conflict(format!(
            "log.cleaner.min.compaction.lag.ms ({}) is larger than log.cleaner.max.compaction.lag.ms ({})",
            config.min_compaction_lag_ms, config.max_compaction_lag_ms
        )));
    }
    Ok(())
}

/// A topic's settings as DescribeConfigs and CreateTopics show them, sorted by
/// name.
pub fn describe(overrides: &ConfigValues, broker: &Config) -> Vec<ConfigEntry> {
    DEFINITION.iter().filter(|key| !key.internal).map(|key| entry(key, overrides, broker)).collect()
}

fn entry(key: &'static ConfigKey, overrides: &ConfigValues, broker: &Config) -> ConfigEntry {
    let own = overrides.get(key.name);
    let text = own.cloned().or_else(|| default_text(key.name, broker));
    let mut synonyms = broker_name(key.name).map(|name| broker.synonyms(name)).unwrap_or_default();
    let value = text.map(|text| key.normalize(&text));
    if own.is_some() {
        let own = ConfigSynonym {
            name: key.name.to_owned(),
            value: value.clone(),
            source: ConfigSource::Topic,
        };
        synonyms.insert(0, own);
    }
    ConfigEntry {
        name: key.name.to_owned(),
        value,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        synonyms,
        read_only: false,
        sensitive: key.is_sensitive(),
        kind: key.kind,
        doc: crate::config::documentation(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(settings: &[(&str, &str)]) -> ConfigValues {
        settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn broker(settings: &[(&str, &str)]) -> Config {
        Config::from_values(values(settings)).unwrap()
    }

    fn checked(settings: &[(&str, &str)]) -> Result<Accepted, String> {
        let settings = settings.iter().map(|(name, text)| (*name, Some(*text)));
        check(settings, &Config::default()).map_err(|error| error.to_string())
    }

    fn described(name: &str, overrides: &[(&str, &str)], broker: &Config) -> ConfigEntry {
        describe(&values(overrides), broker).into_iter().find(|entry| entry.name == name).unwrap()
    }

    #[test]
    fn a_topic_without_settings_has_kafkas_defaults() {
        let config = TopicConfig::resolve(&ConfigValues::new(), &Config::default());
        assert_eq!(
            config,
            TopicConfig {
                delete: true,
                compact: false,
                compression: CompressionPolicy::Producer,
                delete_retention_ms: 86_400_000,
                durability: Durability::Group,
                file_delete_delay_ms: 60_000,
                flush_messages: i64::MAX,
                flush_ms: i64::MAX,
                index_interval_bytes: 4096,
                max_compaction_lag_ms: i64::MAX,
                max_message_bytes: 1_048_588,
                timestamp_after_max_ms: 3_600_000,
                timestamp_before_max_ms: i64::MAX,
                timestamp_policy: TimestampPolicy::CreateTime,
                min_cleanable_dirty_ratio: 0.5,
                min_compaction_lag_ms: 0,
                min_insync_replicas: 1,
                preallocate: false,
                retention_bytes: None,
                retention_ms: Some(604_800_000),
                segment_bytes: 1_073_741_824,
                segment_index_bytes: 10_485_760,
                segment_jitter_ms: 0,
                segment_ms: 604_800_000,
            }
        );
    }

    #[test]
    fn declared_defaults_are_those_of_the_broker() {
        for key in definition().iter().filter(|key| key.default.is_some()) {
            let from_broker =
                default_text(key.name, &Config::default()).map(|text| key.normalize(&text));
            assert_eq!(from_broker, key.default.map(|text| key.normalize(text)), "{}", key.name);
        }
    }

    #[test]
    fn milliseconds_come_before_minutes_and_minutes_before_hours() {
        let hours = ("log.retention.hours", "1");
        let minutes = ("log.retention.minutes", "2");
        let millis = ("log.retention.ms", "3");
        for (settings, expected) in [
            (&[hours][..], Some(3_600_000)),
            (&[hours, minutes], Some(120_000)),
            (&[hours, minutes, millis], Some(3)),
            (&[("log.retention.hours", "-1")], None),
        ] {
            let config = TopicConfig::resolve(&ConfigValues::new(), &broker(settings));
            assert_eq!(config.retention_ms, expected, "{settings:?}");
        }
    }

    #[test]
    fn a_topics_own_setting_wins_over_the_brokers() {
        let broker = broker(&[("log.segment.bytes", "2097152"), ("log.durability", "interval")]);
        let config = TopicConfig::resolve(&values(&[("durability", "os")]), &broker);
        assert_eq!((config.segment_bytes, config.durability), (2_097_152, Durability::Os));
        let config = TopicConfig::resolve(&values(&[("segment.bytes", "1048576")]), &broker);
        assert_eq!((config.segment_bytes, config.durability), (1_048_576, Durability::Interval));
    }

    #[test]
    fn interval_durability_syncs_every_100_ms_unless_told_otherwise() {
        let interval = ("log.durability", "interval");
        for (settings, expected) in [
            (&[interval][..], 100),
            (&[interval, ("log.flush.interval.ms", "250")], 250),
            (&[("log.durability", "group")], i64::MAX),
        ] {
            let config = TopicConfig::resolve(&ConfigValues::new(), &broker(settings));
            assert_eq!(config.flush_ms, expected, "{settings:?}");
        }
    }

    #[test]
    fn refusals_read_as_kafkas() {
        for (settings, expected) in [
            (&[("foo.bar", "1")][..], "Unknown topic config name: foo.bar"),
            (
                &[("segment.bytes", "100")],
                "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576",
            ),
            (
                &[("min.compaction.lag.ms", "100"), ("max.compaction.lag.ms", "10")],
                "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (10)",
            ),
            (
                &[("remote.storage.enable", "true")],
                "Tiered Storage functionality is disabled in the broker. \
                 Topic cannot be configured with remote log storage.",
            ),
        ] {
            assert_eq!(checked(settings).unwrap_err(), expected, "{settings:?}");
        }
        let error = check([("retention.ms", None)], &Config::default()).unwrap_err();
        assert_eq!(error.to_string(), "Null value not supported for topic configs: retention.ms");
    }

    #[test]
    fn settings_that_kafka_dropped_are_ignored_with_a_warning() {
        let accepted =
            checked(&[("message.format.version", "3.0"), ("retention.ms", "5")]).unwrap();
        assert_eq!(accepted.overrides, values(&[("retention.ms", "5")]));
        assert_eq!(accepted.warnings, ["message.format.version is ignored: Kafka 4 removed it"]);
    }

    #[test]
    fn asking_for_more_replicas_than_there_are_is_warned_about() {
        let accepted = checked(&[("min.insync.replicas", "2")]).unwrap();
        assert_eq!(accepted.warnings.len(), 1);
    }

    #[test]
    fn lists_grow_and_shrink_by_entry() {
        let broker = Config::default();
        let append = |current: &ConfigValues| {
            alter(current, [("cleanup.policy", AlterOperation::Append, Some("compact"))], &broker)
                .unwrap()
                .overrides
        };
        let both = append(&ConfigValues::new());
        assert_eq!(
            both,
            values(&[("cleanup.policy", "delete,compact")]),
            "the default is what is added to"
        );
        assert_eq!(append(&both), both, "an entry is there once");
        let one =
            alter(&both, [("cleanup.policy", AlterOperation::Subtract, Some("delete"))], &broker)
                .unwrap();
        assert_eq!(one.overrides, values(&[("cleanup.policy", "compact")]));
        let none =
            alter(&both, [("cleanup.policy", AlterOperation::Delete, None)], &broker).unwrap();
        assert_eq!(none.overrides, ConfigValues::new());
        let error = alter(&both, [("retention.ms", AlterOperation::Append, Some("1"))], &broker)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "Can't APPEND to key retention.ms because its type is not LIST."
        );
    }

    /// As Apache Kafka 4.3.1 describes them.
    #[test]
    fn a_value_is_described_with_every_place_it_comes_from() {
        let shown = |entry: ConfigEntry| {
            let synonyms: Vec<String> = entry
                .synonyms
                .iter()
                .map(|synonym| {
                    format!(
                        "{}={} {:?}",
                        synonym.name,
                        synonym.value.clone().unwrap_or_default(),
                        synonym.source
                    )
                })
                .collect();
            (entry.value.unwrap_or_default(), entry.source, synonyms)
        };
        let plain = Config::default();
        assert_eq!(
            shown(described("segment.bytes", &[], &plain)),
            (
                "1073741824".into(),
                ConfigSource::Default,
                vec!["log.segment.bytes=1073741824 Default".to_owned()]
            )
        );
        assert_eq!(
            shown(described("retention.ms", &[], &plain)),
            ("604800000".into(), ConfigSource::Default, vec![]),
            "log.retention.ms is not set anywhere, so log.retention.hours is not shown either"
        );
        let configured = broker(&[("log.retention.ms", "7")]);
        assert_eq!(
            shown(described("retention.ms", &[("retention.ms", "9")], &configured)),
            (
                "9".into(),
                ConfigSource::Topic,
                vec![
                    "retention.ms=9 Topic".to_owned(),
                    "log.retention.ms=7 StaticBroker".to_owned(),
                    "log.retention.hours=168 Default".to_owned(),
                ]
            )
        );
    }

    #[test]
    fn what_changes_at_run_time_reaches_the_topics() {
        let changed = Config::default()
            .with_dynamic(&values(&[("log.segment.bytes", "5000000")]), &ConfigValues::new())
            .unwrap();
        assert_eq!(TopicConfig::resolve(&ConfigValues::new(), &changed).segment_bytes, 5_000_000);
        assert_eq!(
            described("segment.bytes", &[], &changed).source,
            ConfigSource::DynamicDefaultBroker
        );
    }
}

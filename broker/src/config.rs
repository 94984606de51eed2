//! The broker's settings: every name that exists and the typed values that
//! the rest of the crate reads.
//!
//! A setting is declared once, in `config/declarations.rs` (what has an effect) or
//! `config/accepted.rs` (what Kafka has and one node does not need). The texts
//! that were given stay beside the typed values, because DescribeConfigs shows
//! where each came from and a change at run time is a new [`Config`] made from
//! the old texts and the new ones.

mod accepted;
mod declarations;
mod describe;
mod limits;
mod listeners;

use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use protocol::config_def::{ConfigDef, ConfigError, ConfigReader, ConfigValues, Update};

pub(crate) use declarations::{CLEANUP_POLICIES, COMPRESSION_TYPES, DURABILITIES, TIMESTAMP_TYPES};
pub(crate) use describe::documentation;
pub use describe::{ConfigEntry, ConfigSource, ConfigSynonym};
pub use limits::NetworkConfig;
pub use listeners::{AdvertisedListener, Listener, SecurityProtocol, authority};

static DEFINITION: LazyLock<ConfigDef> =
    LazyLock::new(|| ConfigDef::new(&[declarations::KEYS, accepted::KAFKA, accepted::FORMER]));

/// Every setting of the broker, with and without effect.
pub fn definition() -> &'static ConfigDef {
    &DEFINITION
}

/// What the broker runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The node's id, at least 0.
    pub node_id: i32,
    /// The node's rack, as metadata shows it.
    pub rack: Option<String>,
    /// Sockets to listen on. Never empty; names repeat only across IPv4 and IPv6.
    pub listeners: Vec<Listener>,
    /// One entry for each name in `listeners`.
    pub advertised_listeners: Vec<AdvertisedListener>,
    /// Directories of the data, as given; the first one also holds the metadata. Never empty.
    pub log_dirs: Vec<PathBuf>,
    /// Connections and requests.
    pub network: NetworkConfig,
    /// Making and removing topics.
    pub topics: TopicsConfig,
    /// The log of all topics; what single topics may change is in [`crate::topic_config::TopicConfig`].
    pub log: LogConfig,
    /// Compaction.
    pub cleaner: CleanerConfig,
    /// Fetching and describing.
    pub fetch: FetchConfig,
    /// Groups of both protocols.
    pub groups: GroupsConfig,
    /// Committed offsets.
    pub offsets: OffsetsConfig,
    /// Transactions and idempotent producers.
    pub transactions: TransactionsConfig,
    sources: Sources,
}

/// The texts that a [`Config`] was made of, by where they came from.
#[derive(Clone, Default, PartialEq)]
struct Sources {
    /// File, environment and flags.
    fixed: ConfigValues,
    /// Set at run time for all brokers.
    dynamic_default: ConfigValues,
    /// Set at run time for this broker.
    dynamic: ConfigValues,
}

impl fmt::Debug for Sources {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sources")
            .field("fixed", &self.fixed.keys())
            .field("dynamic_default", &self.dynamic_default.keys())
            .field("dynamic", &self.dynamic.keys())
            .finish()
    }
}

impl Sources {
    /// What counts for each name: of this broker, else of all, else fixed.
    fn merged(&self) -> ConfigValues {
        let mut values = self.fixed.clone();
        for changes in [&self.dynamic_default, &self.dynamic] {
            values.extend(changes.iter().map(|(name, text)| (name.clone(), text.clone())));
        }
        values
    }
}

/// Making and removing topics.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicsConfig {
    /// Partitions of a topic that is created without saying how many.
    pub num_partitions: i32,
    /// Replication factor of a topic that is created without one.
    pub default_replication_factor: i32,
    /// Whether a replication factor above 1 becomes 1 instead of an error.
    pub clamp_replication_factor: bool,
    /// Whether asking for a topic's metadata may create it.
    pub auto_create: bool,
    /// Whether topics may be deleted.
    pub delete_enabled: bool,
}

/// What all logs share.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// Pause between looks for segments that are past their retention.
    pub retention_check_interval: Duration,
    /// Pause between writings of the recovery points.
    pub recovery_point_checkpoint_interval: Duration,
    /// Pause between writings of the log start offsets.
    pub start_offset_checkpoint_interval: Duration,
    /// Threads per data directory that check logs at start.
    pub recovery_threads: usize,
    /// Files of batches that may be open (`log.open.files.max`); `None` for half of what
    /// the system allows.
    pub open_files_max: Option<usize>,
    /// Room on the disk that producers may not use; `None` for the smaller of 1 GiB and 5 % of the file system.
    pub disk_reserve_bytes: Option<u64>,
    /// The most that one data directory may hold; the oldest segments go then.
    pub disk_max_bytes: Option<u64>,
}

/// Compaction.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerConfig {
    /// Whether compaction runs at all.
    pub enabled: bool,
    /// Threads that compact; 0 pauses compaction.
    pub threads: usize,
    /// Sleep when no partition needs compaction.
    pub backoff: Duration,
    /// Memory for the maps of keys, all threads together, in bytes.
    pub dedupe_buffer_bytes: usize,
    /// Memory for reading and writing, all threads together, in bytes.
    pub io_buffer_bytes: usize,
    /// How full a map of keys may get, 0 to 1.
    pub io_buffer_load_factor: f64,
    /// Bytes read and written a second, all threads together; infinite by default.
    pub io_max_bytes_per_second: f64,
}

/// Fetching and describing.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchConfig {
    /// The most that one Fetch answers, in bytes.
    pub max_bytes: usize,
    /// Fetch sessions that are kept (KIP-227).
    pub max_sessions: usize,
    /// Partitions that one DescribeTopicPartitions is answered for.
    pub max_described_partitions: usize,
}

/// Groups of both protocols.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupsConfig {
    /// How long a new classic group waits for more members.
    pub initial_rebalance_delay: Duration,
    /// The shortest session timeout a classic member may ask for.
    pub min_session_timeout: Duration,
    /// The longest session timeout a classic member may ask for.
    pub max_session_timeout: Duration,
    /// The most members of a classic group.
    pub max_size: usize,
    /// Whether the consumer protocol (KIP-848) may be used.
    pub consumer_protocol: bool,
    /// Groups of the consumer protocol.
    pub consumer: ConsumerGroupsConfig,
}

/// Groups of the consumer protocol (KIP-848).
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupsConfig {
    /// Session timeout of members.
    pub session_timeout: Duration,
    /// Bounds of a session timeout that a group sets for itself.
    pub session_timeout_bounds: (Duration, Duration),
    /// How often members are told to send heartbeats.
    pub heartbeat_interval: Duration,
    /// Bounds of a heartbeat interval that a group sets for itself.
    pub heartbeat_interval_bounds: (Duration, Duration),
    /// The most members of a group.
    pub max_size: usize,
    /// Names of assignors, the default first. Never empty.
    pub assignors: Vec<String>,
    /// Which changes between the protocols a living group may make.
    pub migration: GroupMigration,
}

/// Which changes between the classic and the consumer protocol a group with
/// members may make (`group.consumer.migration.policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupMigration {
    /// None.
    Disabled,
    /// From classic to consumer.
    Upgrade,
    /// From consumer to classic.
    Downgrade,
    /// Both.
    Bidirectional,
}

/// Committed offsets.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetsConfig {
    /// Partitions of `__consumer_offsets` when it is created.
    pub topic_partitions: i32,
    /// Segment size of `__consumer_offsets`, in bytes.
    pub topic_segment_bytes: i32,
    /// Codec number of batches in `__consumer_offsets`, 0 to 4.
    pub topic_compression_codec: i16,
    /// How long offsets of a group without members are kept.
    pub retention: Duration,
    /// Pause between looks for expired offsets.
    pub retention_check_interval: Duration,
    /// Longest text stored with an offset, in bytes.
    pub metadata_max_bytes: usize,
    /// How long a commit may wait to be stored.
    pub commit_timeout: Duration,
}

/// Transactions and idempotent producers.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionsConfig {
    /// Partitions of `__transaction_state` when it is created.
    pub topic_partitions: i32,
    /// Segment size of `__transaction_state`, in bytes.
    pub topic_segment_bytes: i32,
    /// The longest timeout a transaction may ask for.
    pub max_timeout: Duration,
    /// An unused transactional id is forgotten after this time.
    pub transactional_id_expiration: Duration,
    /// Pause between looks for transactions past their timeout.
    pub abort_check_interval: Duration,
    /// Pause between looks for expired transactional ids.
    pub expiration_check_interval: Duration,
    /// Whether a partition's part in a transaction is checked before the first append.
    pub verify_partitions: bool,
    /// A silent producer's sequence numbers are forgotten after this time.
    pub producer_id_expiration: Duration,
    /// Pause between looks for silent producers.
    pub producer_id_check_interval: Duration,
}

impl Config {
    /// Makes the configuration of the settings that were given in file,
    /// environment and flags. Names that this crate does not declare are left
    /// to the caller.
    ///
    /// # Errors
    /// Every value that was refused and every contradiction between settings.
    pub fn from_values(mut values: ConfigValues) -> Result<Self, Vec<ConfigError>> {
        // As in Kafka, each name of the id shows what the other was set to.
        for (name, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
            let id = values.get(name).filter(|id| id.trim() != "-1").cloned();
            if let (Some(id), false) = (id, values.contains_key(other)) {
                values.insert(other.to_owned(), id);
            }
        }
        Self::from_sources(Sources { fixed: values, ..Sources::default() })
    }

    /// This configuration with the settings that were changed at run time:
    /// those of all brokers, and those of this one.
    ///
    /// # Errors
    /// As [`Config::from_values`].
    pub fn with_dynamic(
        &self,
        default: &ConfigValues,
        broker: &ConfigValues,
    ) -> Result<Self, Vec<ConfigError>> {
        Self::from_sources(Sources {
            fixed: self.sources.fixed.clone(),
            dynamic_default: default.clone(),
            dynamic: broker.clone(),
        })
    }

    fn from_sources(sources: Sources) -> Result<Self, Vec<ConfigError>> {
        let values = sources.merged();
        let mut reader = ConfigReader::new(&DEFINITION, &values);
        let config = Self::read(&mut reader, sources);
        if let Err(error) = crate::topic_config::check_defaults(&config) {
            reader.refuse(error);
        }
        reader.finish(config)
    }

    fn read(reader: &mut ConfigReader<'_>, sources: Sources) -> Self {
        reader.check_all();
        check_access_rules(reader);
        let (listeners, advertised_listeners) = listeners::read(reader);
        Self {
            node_id: read_node_id(reader),
            rack: reader.optional_text("broker.rack"),
            listeners,
            advertised_listeners,
            log_dirs: read_log_dirs(reader),
            network: NetworkConfig::read(reader),
            topics: read_topics(reader),
            log: read_log(reader),
            cleaner: read_cleaner(reader),
            fetch: FetchConfig {
                max_bytes: reader.size("fetch.max.bytes"),
                max_sessions: reader.size("max.incremental.fetch.session.cache.slots"),
                max_described_partitions: reader.size("max.request.partition.size.limit"),
            },
            groups: read_groups(reader),
            offsets: read_offsets(reader),
            transactions: read_transactions(reader),
            sources,
        }
    }

    /// The text that counts for a setting: what was set at run time, else what
    /// was given, else the default.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let Sources { fixed, dynamic_default, dynamic } = &self.sources;
        let given =
            [dynamic, dynamic_default, fixed].into_iter().find_map(|values| values.get(name));
        given.map(String::as_str).or_else(|| DEFINITION.get(name).and_then(|key| key.default))
    }

    /// Checks a change of one setting at run time, of this broker or of all.
    /// Kafka answers a refusal with `INVALID_REQUEST`.
    ///
    /// # Errors
    /// When the name is unknown or cannot be changed at run time, or the value
    /// is refused.
    pub fn check_dynamic(name: &str, text: &str, per_broker: bool) -> Result<(), ConfigError> {
        let key = DEFINITION.get(name).ok_or_else(|| DEFINITION.unknown(name))?;
        match key.update {
            Update::ReadOnly => Err(ConfigError::Conflict(format!(
                "Cannot update these configs dynamically: [{name}]"
            ))),
            Update::PerBroker if !per_broker => Err(ConfigError::Conflict(format!(
                "Cannot update these configs at default cluster level, broker id must be specified: [{name}]"
            ))),
            Update::PerBroker | Update::ClusterWide => key.parse(text).map(|_| ()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::from_values(ConfigValues::new()).expect("the defaults do not contradict each other")
    }
}

/// Refuses rules about who may do what while nothing enforces them, unless
/// they let everyone in anyway.
fn check_access_rules(reader: &mut ConfigReader<'_>) {
    if !reader.text("authorizer.class.name").is_empty()
        && !reader.boolean("allow.everyone.if.no.acl.found")
    {
        reader.invalid(
            "authorizer.class.name",
            "access rules are not supported yet, so nothing would be denied; remove the setting, \
             or set allow.everyone.if.no.acl.found=true to say that this is wanted",
        );
    }
}

fn read_node_id(reader: &mut ConfigReader<'_>) -> i32 {
    let node_id = reader.optional_integer("node.id").and_then(|id| i32::try_from(id).ok());
    let broker_id = Some(reader.int("broker.id")).filter(|id| *id >= 0);
    if let (Some(node_id), Some(broker_id)) = (node_id, broker_id)
        && node_id != broker_id
    {
        reader.conflict(format!(
            "node.id is {node_id} and broker.id is {broker_id}: they must be equal"
        ));
    }
    node_id.or(broker_id).unwrap_or(1)
}

fn read_log_dirs(reader: &mut ConfigReader<'_>) -> Vec<PathBuf> {
    let dirs = reader.list("log.dirs");
    let dirs = if dirs.is_empty() { reader.list("log.dir") } else { dirs };
    dirs.into_iter().map(PathBuf::from).collect()
}

fn read_topics(reader: &mut ConfigReader<'_>) -> TopicsConfig {
    let topics = TopicsConfig {
        num_partitions: reader.int("num.partitions"),
        default_replication_factor: reader.int("default.replication.factor"),
        clamp_replication_factor: reader.boolean("default.replication.factor.clamp"),
        auto_create: reader.boolean("auto.create.topics.enable"),
        delete_enabled: reader.boolean("delete.topic.enable"),
    };
    if topics.default_replication_factor > 1 && !topics.clamp_replication_factor {
        reader.conflict(format!(
            "default.replication.factor is {}, but this broker is one node: set default.replication.factor.clamp=true \
             to make topics with one replica",
            topics.default_replication_factor
        ));
    }
    topics
}

fn read_log(reader: &mut ConfigReader<'_>) -> LogConfig {
    LogConfig {
        retention_check_interval: reader.millis("log.retention.check.interval.ms"),
        recovery_point_checkpoint_interval: reader
            .millis("log.flush.offset.checkpoint.interval.ms"),
        start_offset_checkpoint_interval: reader
            .millis("log.flush.start.offset.checkpoint.interval.ms"),
        recovery_threads: reader.size("num.recovery.threads.per.data.dir"),
        open_files_max: reader
            .optional_integer("log.open.files.max")
            .and_then(|count| count.try_into().ok()),
        disk_reserve_bytes: reader
            .optional_integer("log.disk.reserve.bytes")
            .and_then(|bytes| bytes.try_into().ok()),
        disk_max_bytes: reader
            .optional_integer("log.disk.max.bytes")
            .and_then(|bytes| bytes.try_into().ok()),
    }
}

fn read_cleaner(reader: &mut ConfigReader<'_>) -> CleanerConfig {
    CleanerConfig {
        enabled: reader.boolean("log.cleaner.enable"),
        threads: reader.size("log.cleaner.threads"),
        backoff: reader.millis("log.cleaner.backoff.ms"),
        dedupe_buffer_bytes: reader.size("log.cleaner.dedupe.buffer.size"),
        io_buffer_bytes: reader.size("log.cleaner.io.buffer.size"),
        io_buffer_load_factor: reader.double("log.cleaner.io.buffer.load.factor"),
        io_max_bytes_per_second: reader.double("log.cleaner.io.max.bytes.per.second"),
    }
}

fn read_groups(reader: &mut ConfigReader<'_>) -> GroupsConfig {
    check_order(reader, &["group.min.session.timeout.ms", "group.max.session.timeout.ms"]);
    check_order(
        reader,
        &[
            "group.consumer.min.session.timeout.ms",
            "group.consumer.session.timeout.ms",
            "group.consumer.max.session.timeout.ms",
        ],
    );
    check_order(
        reader,
        &[
            "group.consumer.min.heartbeat.interval.ms",
            "group.consumer.heartbeat.interval.ms",
            "group.consumer.max.heartbeat.interval.ms",
        ],
    );
    let protocols = reader.list("group.coordinator.rebalance.protocols");
    if !protocols.iter().any(|protocol| protocol == "classic") {
        reader.invalid(
            "group.coordinator.rebalance.protocols",
            "the classic protocol cannot be switched off",
        );
    }
    let migration =
        match reader.text("group.consumer.migration.policy").to_ascii_lowercase().as_str() {
            "disabled" => GroupMigration::Disabled,
            "upgrade" => GroupMigration::Upgrade,
            "downgrade" => GroupMigration::Downgrade,
            _ => GroupMigration::Bidirectional,
        };
    GroupsConfig {
        initial_rebalance_delay: reader.millis("group.initial.rebalance.delay.ms"),
        min_session_timeout: reader.millis("group.min.session.timeout.ms"),
        max_session_timeout: reader.millis("group.max.session.timeout.ms"),
        max_size: reader.size("group.max.size"),
        consumer_protocol: protocols.iter().any(|protocol| protocol == "consumer"),
        consumer: ConsumerGroupsConfig {
            session_timeout: reader.millis("group.consumer.session.timeout.ms"),
            session_timeout_bounds: (
                reader.millis("group.consumer.min.session.timeout.ms"),
                reader.millis("group.consumer.max.session.timeout.ms"),
            ),
            heartbeat_interval: reader.millis("group.consumer.heartbeat.interval.ms"),
            heartbeat_interval_bounds: (
                reader.millis("group.consumer.min.heartbeat.interval.ms"),
                reader.millis("group.consumer.max.heartbeat.interval.ms"),
            ),
            max_size: reader.size("group.consumer.max.size"),
            assignors: read_assignors(reader),
            migration,
        },
    }
}

/// The assignors of the consumer protocol; Kafka's class names mean the same.
fn read_assignors(reader: &mut ConfigReader<'_>) -> Vec<String> {
    let mut assignors = Vec::new();
    for name in reader.list("group.consumer.assignors") {
        match name.as_str() {
            "uniform" | "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => {
                assignors.push("uniform".to_owned());
            }
            "range" | "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => {
                assignors.push("range".to_owned());
            }
            other => {
                let message = format!(
                    "{other} is not an assignor of this broker, which has uniform and range"
                );
                reader.invalid("group.consumer.assignors", message);
            }
        }
    }
    assignors
}

/// Refuses numbers that are not in ascending order.
fn check_order(reader: &mut ConfigReader<'_>, names: &[&str]) {
    for pair in names.windows(2) {
        if let [low, high] = pair {
            let (low_value, high_value) = (reader.integer(low), reader.integer(high));
            if low_value > high_value {
                reader
                    .conflict(format!("{low} ({low_value}) is larger than {high} ({high_value})"));
            }
        }
    }
}

fn read_offsets(reader: &mut ConfigReader<'_>) -> OffsetsConfig {
    OffsetsConfig {
        topic_partitions: reader.int("offsets.topic.num.partitions"),
        topic_segment_bytes: reader.int("offsets.topic.segment.bytes"),
        topic_compression_codec: i16::try_from(reader.int("offsets.topic.compression.codec"))
            .unwrap_or(0),
        retention: reader.millis("offsets.retention.minutes").saturating_mul(60_000),
        retention_check_interval: reader.millis("offsets.retention.check.interval.ms"),
        metadata_max_bytes: reader.size("offset.metadata.max.bytes"),
        commit_timeout: reader.millis("offsets.commit.timeout.ms"),
    }
}

fn read_transactions(reader: &mut ConfigReader<'_>) -> TransactionsConfig {
    TransactionsConfig {
        topic_partitions: reader.int("transaction.state.log.num.partitions"),
        topic_segment_bytes: reader.int("transaction.state.log.segment.bytes"),
        max_timeout: reader.millis("transaction.max.timeout.ms"),
        transactional_id_expiration: reader.millis("transactional.id.expiration.ms"),
        abort_check_interval: reader
            .millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        expiration_check_interval: reader
            .millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
        verify_partitions: reader.boolean("transaction.partition.verification.enable"),
        producer_id_expiration: reader.millis("producer.id.expiration.ms"),
        producer_id_check_interval: reader.millis("producer.id.expiration.check.interval.ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<Config, String> {
        let values =
            settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Config::from_values(values)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn every_declared_default_is_one_that_the_setting_takes() {
        for key in DEFINITION.iter() {
            if let Some(text) = key.default {
                assert!(key.parse(text).is_ok(), "{} = {text}: {:?}", key.name, key.parse(text));
            }
        }
    }

    #[test]
    fn every_setting_is_declared_once_and_says_what_it_does() {
        let tables = [declarations::KEYS, accepted::KAFKA, accepted::FORMER];
        let mut seen = std::collections::BTreeSet::new();
        for key in tables.iter().flat_map(|table| table.iter()) {
            assert!(seen.insert(key.name), "{} is declared twice", key.name);
            assert!(!documentation(key).is_empty(), "{} says nothing", key.name);
        }
    }

    #[test]
    fn contradictions_name_the_settings() {
        for (settings, expected) in [
            (&[("node.id", "1"), ("broker.id", "2")][..], "node.id is 1 and broker.id is 2"),
            (
                &[("group.min.session.timeout.ms", "5000000")],
                "group.min.session.timeout.ms (5000000) is larger than group.max.session.timeout.ms (1800000)",
            ),
            (&[("default.replication.factor", "3")], "set default.replication.factor.clamp=true"),
            (
                &[("queued.max.request.bytes", "1000")],
                "queued.max.request.bytes is smaller than socket.request.max",
            ),
            (
                &[("group.coordinator.rebalance.protocols", "consumer")],
                "the classic protocol cannot be switched off",
            ),
            (
                &[("group.consumer.assignors", "com.example.Mine")],
                "com.example.Mine is not an assignor",
            ),
            (
                &[("authorizer.class.name", "x.StandardAuthorizer")],
                "access rules are not supported yet",
            ),
            (
                &[
                    ("log.cleaner.min.compaction.lag.ms", "9"),
                    ("log.cleaner.max.compaction.lag.ms", "8"),
                ],
                "(9) is larger",
            ),
        ] {
            let error = with(settings).unwrap_err();
            assert!(error.contains(expected), "{settings:?}: {error}");
        }
    }

    #[test]
    fn all_errors_are_found_at_once() {
        let error =
            with(&[("num.partitions", "0"), ("log.retention.ms", "x"), ("listeners", "nowhere")])
                .unwrap_err();
        assert_eq!(error.lines().count(), 3, "{error}");
    }

    #[test]
    fn log_dirs_come_before_log_dir() {
        let dirs = |settings: &[(&str, &str)]| with(settings).unwrap().log_dirs;
        assert_eq!(dirs(&[]), [PathBuf::from("./ottla-data")]);
        assert_eq!(dirs(&[("log.dir", "/a")]), [PathBuf::from("/a")]);
        assert_eq!(
            dirs(&[("log.dir", "/a"), ("log.dirs", "/b, /c")]),
            [PathBuf::from("/b"), PathBuf::from("/c")]
        );
    }

    #[test]
    fn an_access_rule_that_lets_everyone_in_is_accepted() {
        let settings =
            [("authorizer.class.name", "x.Y"), ("allow.everyone.if.no.acl.found", "true")];
        assert!(with(&settings).is_ok());
    }

    #[test]
    fn only_some_settings_change_at_run_time() {
        for (name, text, per_broker, works) in [
            ("log.retention.ms", "5", false, true),
            ("log.retention.ms", "x", false, false),
            ("node.id", "5", true, false),
            ("ssl.keystore.location", "x", true, true),
            ("ssl.keystore.location", "x", false, false),
            ("no.such.name", "x", true, false),
        ] {
            assert_eq!(
                Config::check_dynamic(name, text, per_broker).is_ok(),
                works,
                "{name}={text}"
            );
        }
    }

    #[test]
    fn both_names_of_the_id_show_it() {
        for (settings, expected) in [
            (
                &[][..],
                [
                    ("broker.id", "1", ConfigSource::Default),
                    ("node.id", "1", ConfigSource::Default),
                ],
            ),
            (
                &[("node.id", "7")],
                [
                    ("broker.id", "7", ConfigSource::StaticBroker),
                    ("node.id", "7", ConfigSource::StaticBroker),
                ],
            ),
        ] {
            let entries = with(settings).unwrap().describe(true);
            for (name, value, source) in expected {
                let entry = entries.iter().find(|entry| entry.name == name).unwrap();
                assert_eq!(
                    (entry.value.as_deref(), entry.source),
                    (Some(value), source),
                    "{name} of {settings:?}"
                );
            }
        }
    }

    #[test]
    fn secrets_are_described_without_their_value() {
        let config = with(&[("ssl.key.password", "hunter2")]).unwrap();
        let entry = config
            .describe(true)
            .into_iter()
            .find(|entry| entry.name == "ssl.key.password")
            .unwrap();
        assert_eq!((entry.sensitive, entry.value.as_deref()), (true, None));
        assert!(entry.synonyms.iter().all(|synonym| synonym.value.is_none()));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

//! Settings of the Kafka clients that the REST proxy runs: `client.*` for all
//! of them, `admin.*`, `consumer.*` and `producer.*` for one kind.
//!
//! The prefix comes off and the rest is a setting of Kafka's Java client. The
//! prefix of one kind wins over `client.`. A name that the proxy itself
//! declares (`consumer.request.timeout.ms`) never reaches a client.

use std::sync::LazyLock;
use std::time::Duration;

use protocol::config_def::{
    ConfigDef, ConfigError, ConfigKey, ConfigReader, ConfigType, ConfigValues, Validator,
};

use ConfigType::{Boolean, Class, Double, Int, List, Long, Password, Short, String as Text};

const NOT_USED: &str = "the client of this program has no use for it";

const fn key(name: &'static str, kind: ConfigType) -> ConfigKey {
    ConfigKey::new(name, kind)
}

/// Settings of Kafka's clients of all kinds, without prefix. They have no
/// defaults here: what is not set is left to the client.
#[rustfmt::skip]
const KEYS: &[ConfigKey] = &[
    key("acks", Text).validator(Validator::OneOf(&["all", "-1", "0", "1"])).doc("Who must have a record before it counts as produced: all, 1 or 0."),
    key("allow.auto.create.topics", Boolean).doc("Let a subscription create its topic."),
    key("auto.commit.interval.ms", Int).at_least(0).doc("How often delivered offsets are committed."),
    key("auto.offset.reset", Text).validator(Validator::OneOf(&["latest", "earliest", "none"])).doc("Where reading begins without a committed offset: earliest, latest or none."),
    key("batch.size", Int).at_least(0).doc("A batch that waits takes records up to this size."),
    key("buffer.memory", Long).at_least(0).doc("How many bytes of records may wait to be sent."),
    key("client.id", Text).doc("What connections call themselves to the cluster."),
    key("client.rack", Text).doc("The rack of this client."),
    key("compression.type", Text).validator(Validator::OneOf(&["none", "gzip", "snappy", "lz4", "zstd"])).doc("Codec of produced batches: none, gzip, snappy, lz4 or zstd."),
    key("connections.max.idle.ms", Long).doc("A connection without traffic is closed after this time."),
    key("default.api.timeout.ms", Int).at_least(0).doc("How long a call to the cluster may take in all, with everything that is tried again. Our default is 10000 for questions about brokers, topics and partitions (admin.): whoever asks is still there then."),
    key("delivery.timeout.ms", Int).at_least(0).doc("How long sending a record may take in all."),
    key("enable.auto.commit", Boolean).doc("Commit delivered offsets by itself."),
    key("enable.idempotence", Boolean).doc("Let the cluster drop what a retry sends twice."),
    key("fetch.max.bytes", Int).at_least(0).doc("The most that one fetch asks for."),
    key("fetch.max.wait.ms", Int).at_least(0).doc("How long one fetch waits for data."),
    key("fetch.min.bytes", Int).at_least(0).doc("How much one fetch waits for."),
    key("group.instance.id", Text).validator(Validator::NonEmpty).doc("The name of a static member."),
    key("heartbeat.interval.ms", Int).doc("How often group members send heartbeats."),
    key("isolation.level", Text).validator(Validator::OneOf(&["read_committed", "read_uncommitted"])).doc("Whether records of open and aborted transactions are read."),
    key("linger.ms", Long).at_least(0).doc("How long a batch waits for more records when nothing else is on its way. Our default is 0."),
    key("max.block.ms", Long).at_least(0).doc("How long a record may wait for metadata or memory."),
    key("max.partition.fetch.bytes", Int).at_least(0).doc("The most that one fetch asks for of one partition."),
    key("max.poll.interval.ms", Int).at_least(1).doc("How long a member may take between reads before its group gives up on it."),
    key("max.poll.records", Int).at_least(1).doc("The most records taken at a time."),
    key("max.request.size", Int).at_least(0).doc("The largest request and record."),
    key("metadata.max.age.ms", Long).at_least(0).doc("How old metadata may get before it is asked for again."),
    key("partition.assignment.strategy", List).doc("Assignors that members offer, best first."),
    key("reconnect.backoff.max.ms", Long).at_least(0).doc("The longest pause before a lost connection is made again."),
    key("reconnect.backoff.ms", Long).at_least(0).doc("The first pause before a lost connection is made again."),
    key("request.timeout.ms", Int).at_least(0).doc("How long an answer of the cluster is waited for."),
    key("retry.backoff.max.ms", Long).at_least(0).doc("The longest pause before something is tried again."),
    key("retry.backoff.ms", Long).at_least(0).doc("The first pause before something is tried again."),
    key("security.protocol", Text).validator(Validator::OneOfIgnoringCase(&["SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"])).doc("How connections are protected. Only PLAINTEXT is supported so far."),
    key("session.timeout.ms", Int).doc("A group member without heartbeats is removed after this time."),
    key("socket.connection.setup.timeout.ms", Long).doc("How long making a connection may take."),

    // Accepted
    key("bootstrap.controllers", List).without_effect(NOT_USED),
    key("check.crcs", Boolean).without_effect(NOT_USED),
    key("client.dns.lookup", Text).without_effect(NOT_USED),
    key("compression.gzip.level", Int).without_effect(NOT_USED),
    key("compression.lz4.level", Int).without_effect(NOT_USED),
    key("compression.zstd.level", Int).without_effect(NOT_USED),
    key("config.providers", List).without_effect(NOT_USED),
    key("enable.metrics.push", Boolean).without_effect(NOT_USED),
    key("exclude.internal.topics", Boolean).without_effect(NOT_USED),
    key("group.id", Text).without_effect(NOT_USED),
    key("group.protocol", Text).without_effect(NOT_USED),
    key("group.remote.assignor", Text).without_effect(NOT_USED),
    key("interceptor.classes", List).without_effect(NOT_USED),
    key("internal.throw.on.fetch.stable.offset.unsupported", Boolean).without_effect(NOT_USED),
    key("key.deserializer", Class).without_effect(NOT_USED),
    key("key.serializer", Class).without_effect(NOT_USED),
    key("max.in.flight.requests.per.connection", Int).without_effect(NOT_USED),
    key("metadata.max.idle.ms", Long).without_effect(NOT_USED),
    key("metadata.recovery.rebootstrap.trigger.ms", Long).without_effect(NOT_USED),
    key("metadata.recovery.strategy", Text).without_effect(NOT_USED),
    key("metric.reporters", List).without_effect(NOT_USED),
    key("metrics.num.samples", Int).without_effect(NOT_USED),
    key("metrics.recording.level", Text).without_effect(NOT_USED),
    key("metrics.sample.window.ms", Long).without_effect(NOT_USED),
    key("partitioner.adaptive.partitioning.enable", Boolean).without_effect(NOT_USED),
    key("partitioner.availability.timeout.ms", Long).without_effect(NOT_USED),
    key("partitioner.class", Class).without_effect(NOT_USED),
    key("partitioner.ignore.keys", Boolean).without_effect(NOT_USED),
    key("receive.buffer.bytes", Int).without_effect(NOT_USED),
    key("retries", Int).without_effect(NOT_USED),
    key("sasl.client.callback.handler.class", Class).without_effect(NOT_USED),
    key("sasl.jaas.config", Password).without_effect(NOT_USED),
    key("sasl.kerberos.kinit.cmd", Text).without_effect(NOT_USED),
    key("sasl.kerberos.min.time.before.relogin", Long).without_effect(NOT_USED),
    key("sasl.kerberos.service.name", Text).without_effect(NOT_USED),
    key("sasl.kerberos.ticket.renew.jitter", Double).without_effect(NOT_USED),
    key("sasl.kerberos.ticket.renew.window.factor", Double).without_effect(NOT_USED),
    key("sasl.login.callback.handler.class", Class).without_effect(NOT_USED),
    key("sasl.login.class", Class).without_effect(NOT_USED),
    key("sasl.login.connect.timeout.ms", Int).without_effect(NOT_USED),
    key("sasl.login.read.timeout.ms", Int).without_effect(NOT_USED),
    key("sasl.login.refresh.buffer.seconds", Short).without_effect(NOT_USED),
    key("sasl.login.refresh.min.period.seconds", Short).without_effect(NOT_USED),
    key("sasl.login.refresh.window.factor", Double).without_effect(NOT_USED),
    key("sasl.login.refresh.window.jitter", Double).without_effect(NOT_USED),
    key("sasl.login.retry.backoff.max.ms", Long).without_effect(NOT_USED),
    key("sasl.login.retry.backoff.ms", Long).without_effect(NOT_USED),
    key("sasl.mechanism", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.algorithm", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.claim.aud", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.claim.exp.seconds", Int).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.claim.iss", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.claim.jti.include", Boolean).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.claim.nbf.seconds", Int).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.claim.sub", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.file", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.private.key.file", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.private.key.passphrase", Password).without_effect(NOT_USED),
    key("sasl.oauthbearer.assertion.template.file", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.client.credentials.client.id", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.client.credentials.client.secret", Password).without_effect(NOT_USED),
    key("sasl.oauthbearer.clock.skew.seconds", Int).without_effect(NOT_USED),
    key("sasl.oauthbearer.expected.audience", List).without_effect(NOT_USED),
    key("sasl.oauthbearer.expected.issuer", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.header.urlencode", Boolean).without_effect(NOT_USED),
    key("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long).without_effect(NOT_USED),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long).without_effect(NOT_USED),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long).without_effect(NOT_USED),
    key("sasl.oauthbearer.jwks.endpoint.url", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.jwt.retriever.class", Class).without_effect(NOT_USED),
    key("sasl.oauthbearer.jwt.validator.class", Class).without_effect(NOT_USED),
    key("sasl.oauthbearer.scope", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.scope.claim.name", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.sub.claim.name", Text).without_effect(NOT_USED),
    key("sasl.oauthbearer.token.endpoint.url", Text).without_effect(NOT_USED),
    key("security.providers", Text).without_effect(NOT_USED),
    key("send.buffer.bytes", Int).without_effect(NOT_USED),
    key("share.acknowledgement.mode", Text).without_effect(NOT_USED),
    key("share.acquire.mode", Text).without_effect(NOT_USED),
    key("socket.connection.setup.timeout.max.ms", Long).without_effect(NOT_USED),
    key("ssl.cipher.suites", List).without_effect(NOT_USED),
    key("ssl.enabled.protocols", List).without_effect(NOT_USED),
    key("ssl.endpoint.identification.algorithm", Text).without_effect(NOT_USED),
    key("ssl.engine.factory.class", Class).without_effect(NOT_USED),
    key("ssl.key.password", Password).without_effect(NOT_USED),
    key("ssl.keymanager.algorithm", Text).without_effect(NOT_USED),
    key("ssl.keystore.certificate.chain", Password).without_effect(NOT_USED),
    key("ssl.keystore.key", Password).without_effect(NOT_USED),
    key("ssl.keystore.location", Text).without_effect(NOT_USED),
    key("ssl.keystore.password", Password).without_effect(NOT_USED),
    key("ssl.keystore.type", Text).without_effect(NOT_USED),
    key("ssl.protocol", Text).without_effect(NOT_USED),
    key("ssl.provider", Text).without_effect(NOT_USED),
    key("ssl.secure.random.implementation", Text).without_effect(NOT_USED),
    key("ssl.trustmanager.algorithm", Text).without_effect(NOT_USED),
    key("ssl.truststore.certificates", Password).without_effect(NOT_USED),
    key("ssl.truststore.location", Text).without_effect(NOT_USED),
    key("ssl.truststore.password", Password).without_effect(NOT_USED),
    key("ssl.truststore.type", Text).without_effect(NOT_USED),
    key("transaction.timeout.ms", Int).without_effect(NOT_USED),
    key("transaction.two.phase.commit.enable", Boolean).without_effect(NOT_USED),
    key("transactional.id", Text).without_effect(NOT_USED),
    key("value.deserializer", Class).without_effect(NOT_USED),
    key("value.serializer", Class).without_effect(NOT_USED),
];

static DEFINITION: LazyLock<ConfigDef> = LazyLock::new(|| ConfigDef::new(&[KEYS]));

/// Settings of Kafka's clients, by the name that follows a prefix.
pub fn client_definition() -> &'static ConfigDef {
    &DEFINITION
}

/// Prefixes of settings that go to Kafka clients.
pub const CLIENT_PREFIXES: [&str; 4] = ["client.", "admin.", "consumer.", "producer."];

/// The declaration of a prefixed client setting such as
/// `consumer.fetch.max.bytes`.
pub fn client_key(name: &str) -> Option<&'static ConfigKey> {
    CLIENT_PREFIXES.iter().find_map(|prefix| DEFINITION.get(name.strip_prefix(prefix)?))
}

/// What every kind of client can be told. `None` leaves it to the client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionSettings {
    /// What connections call themselves.
    pub client_id: Option<String>,
    /// How long an answer is waited for.
    pub request_timeout: Option<Duration>,
    /// How long a call may take in all.
    pub api_timeout: Option<Duration>,
    /// How old metadata may get.
    pub metadata_max_age: Option<Duration>,
    /// First and longest pause before something is tried again.
    pub retry_backoff: (Option<Duration>, Option<Duration>),
    /// First and longest pause before a lost connection is made again.
    pub reconnect_backoff: (Option<Duration>, Option<Duration>),
    /// A connection without traffic is closed after this time.
    pub connections_max_idle: Option<Duration>,
    /// How long making a connection may take.
    pub connection_setup_timeout: Option<Duration>,
}

/// What producers are told. `None` leaves it to the client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProducerSettings {
    /// Connections of producers.
    pub connection: ConnectionSettings,
    /// -1 for all, 1 or 0.
    pub acks: Option<i16>,
    /// Bytes up to which a waiting batch takes records.
    pub batch_size: Option<usize>,
    /// Bytes of records that may wait.
    pub buffer_memory: Option<usize>,
    /// Kafka's name of the codec.
    pub compression_type: Option<String>,
    /// How long sending a record may take in all.
    pub delivery_timeout: Option<Duration>,
    /// Whether the cluster drops what a retry sends twice.
    pub enable_idempotence: Option<bool>,
    /// How long a batch waits for more records.
    pub linger: Option<Duration>,
    /// Largest request and record, in bytes.
    pub max_request_size: Option<usize>,
    /// How long a record may wait for metadata or memory.
    pub max_block: Option<Duration>,
}

/// What consumers are told. `None` leaves it to the client or to the settings
/// of a consumer instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerSettings {
    /// Connections of consumers.
    pub connection: ConnectionSettings,
    /// Whether a subscription may create its topic.
    pub allow_auto_create_topics: Option<bool>,
    /// How often delivered offsets are committed.
    pub auto_commit_interval: Option<Duration>,
    /// `earliest`, `latest` or `none`.
    pub auto_offset_reset: Option<String>,
    /// Whether delivered offsets are committed by themselves.
    pub enable_auto_commit: Option<bool>,
    /// Most bytes of one fetch.
    pub fetch_max_bytes: Option<usize>,
    /// How long one fetch waits.
    pub fetch_max_wait: Option<Duration>,
    /// How many bytes one fetch waits for.
    pub fetch_min_bytes: Option<usize>,
    /// How often heartbeats are sent.
    pub heartbeat_interval: Option<Duration>,
    /// A member without heartbeats is removed after this time.
    pub session_timeout: Option<Duration>,
    /// `read_committed` or `read_uncommitted`.
    pub isolation_level: Option<String>,
    /// Most bytes of one partition in one fetch.
    pub max_partition_fetch_bytes: Option<usize>,
    /// How long a member may take between reads.
    pub max_poll_interval: Option<Duration>,
    /// Most records taken at a time.
    pub max_poll_records: Option<usize>,
    /// Assignors, best first; empty leaves it to the client.
    pub partition_assignment_strategy: Vec<String>,
    /// Name of a static member.
    pub group_instance_id: Option<String>,
    /// Rack of this client.
    pub client_rack: Option<String>,
}

/// Settings of the clients by kind, prefixes resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientsConfig {
    /// The client that metadata and administration go through.
    pub admin: ConnectionSettings,
    /// Clients that read.
    pub consumer: ConsumerSettings,
    /// Clients that write.
    pub producer: ProducerSettings,
}

impl ClientsConfig {
    pub(super) fn read(values: &ConfigValues, own: &ConfigDef) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let admin = read_kind(values, own, "admin.", &mut errors, |reader| {
            ConnectionSettings::read(reader)
        });
        let consumer = read_kind(values, own, "consumer.", &mut errors, |reader| {
            ConsumerSettings::read(reader)
        });
        let producer = read_kind(values, own, "producer.", &mut errors, |reader| {
            ProducerSettings::read(reader)
        });
        errors.dedup();
        if errors.is_empty() { Ok(Self { admin, consumer, producer }) } else { Err(errors) }
    }
}

/// Reads the settings of one kind. Refusals name the setting with its prefix.
fn read_kind<T>(
    values: &ConfigValues,
    own: &ConfigDef,
    prefix: &str,
    errors: &mut Vec<ConfigError>,
    read: impl FnOnce(&mut ConfigReader<'_>) -> T,
) -> T {
    let mut stripped = ConfigValues::new();
    let mut prefixes = std::collections::BTreeMap::new();
    for prefix in ["client.", prefix] {
        for (full, text) in values.iter().filter(|(name, _)| own.get(name).is_none()) {
            if let Some(name) = full.strip_prefix(prefix) {
                stripped.insert(name.to_owned(), text.clone());
                prefixes.insert(name.to_owned(), prefix.to_owned());
            }
        }
    }
    let mut reader = ConfigReader::new(&DEFINITION, &stripped);
    reader.check_all();
    if !matches!(reader.text("security.protocol").to_ascii_uppercase().as_str(), "" | "PLAINTEXT") {
        reader.invalid("security.protocol", "only PLAINTEXT is supported so far");
    }
    let settings = read(&mut reader);
    for error in reader.into_errors() {
        let prefix = error.name().and_then(|name| prefixes.get(name)).cloned().unwrap_or_default();
        let error = error.with_prefix(&prefix);
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    settings
}

impl ConnectionSettings {
    fn read(reader: &mut ConfigReader<'_>) -> Self {
        Self {
            client_id: reader.optional_text("client.id"),
            request_timeout: duration(reader, "request.timeout.ms"),
            api_timeout: duration(reader, "default.api.timeout.ms"),
            metadata_max_age: duration(reader, "metadata.max.age.ms"),
            retry_backoff: (
                duration(reader, "retry.backoff.ms"),
                duration(reader, "retry.backoff.max.ms"),
            ),
            reconnect_backoff: (
                duration(reader, "reconnect.backoff.ms"),
                duration(reader, "reconnect.backoff.max.ms"),
            ),
            connections_max_idle: duration(reader, "connections.max.idle.ms"),
            connection_setup_timeout: duration(reader, "socket.connection.setup.timeout.ms"),
        }
    }
}

impl ProducerSettings {
    fn read(reader: &mut ConfigReader<'_>) -> Self {
        Self {
            connection: ConnectionSettings::read(reader),
            acks: reader.optional_text("acks").map(|acks| acks.parse().unwrap_or(-1)),
            batch_size: size(reader, "batch.size"),
            buffer_memory: size(reader, "buffer.memory"),
            compression_type: reader.optional_text("compression.type"),
            delivery_timeout: duration(reader, "delivery.timeout.ms"),
            enable_idempotence: boolean(reader, "enable.idempotence"),
            linger: duration(reader, "linger.ms"),
            max_request_size: size(reader, "max.request.size"),
            max_block: duration(reader, "max.block.ms"),
        }
    }
}

impl ConsumerSettings {
    fn read(reader: &mut ConfigReader<'_>) -> Self {
        Self {
            connection: ConnectionSettings::read(reader),
            allow_auto_create_topics: boolean(reader, "allow.auto.create.topics"),
            auto_commit_interval: duration(reader, "auto.commit.interval.ms"),
            auto_offset_reset: reader.optional_text("auto.offset.reset"),
            enable_auto_commit: boolean(reader, "enable.auto.commit"),
            fetch_max_bytes: size(reader, "fetch.max.bytes"),
            fetch_max_wait: duration(reader, "fetch.max.wait.ms"),
            fetch_min_bytes: size(reader, "fetch.min.bytes"),
            heartbeat_interval: duration(reader, "heartbeat.interval.ms"),
            session_timeout: duration(reader, "session.timeout.ms"),
            isolation_level: reader.optional_text("isolation.level"),
            max_partition_fetch_bytes: size(reader, "max.partition.fetch.bytes"),
            max_poll_interval: duration(reader, "max.poll.interval.ms"),
            max_poll_records: size(reader, "max.poll.records"),
            partition_assignment_strategy: reader.list("partition.assignment.strategy"),
            group_instance_id: reader.optional_text("group.instance.id"),
            client_rack: reader.optional_text("client.rack"),
        }
    }
}

fn duration(reader: &mut ConfigReader<'_>, name: &str) -> Option<Duration> {
    reader.optional_integer(name).map(|millis| Duration::from_millis(millis.max(0).unsigned_abs()))
}

fn size(reader: &mut ConfigReader<'_>, name: &str) -> Option<usize> {
    reader.optional_integer(name).map(|size| usize::try_from(size.max(0)).unwrap_or(usize::MAX))
}

fn boolean(reader: &mut ConfigReader<'_>, name: &str) -> Option<bool> {
    reader.is_set(name).then(|| reader.boolean(name))
}

//! Every setting of the REST proxy, declared once.
//!
//! Names are those of Confluent's REST Proxy. Where the broker has a setting
//! of the same name, ours carries the prefix `rest.`. Ours too, where nothing
//! of the kind existed, are `api.default.version`, `api.v1.enable`,
//! `consumer.instances.max`, `rest.max.connections`, `rest.max.inflight.bytes`
//! and `rest.max.request.bytes`.

use protocol::config_def::{ConfigKey, ConfigType, Validator};

use ConfigType::{Boolean, Int, List, Long, Password, String};

const fn key(name: &'static str, kind: ConfigType) -> ConfigKey {
    ConfigKey::new(name, kind)
}

/// Settings with an effect.
#[rustfmt::skip]
pub(crate) const KEYS: &[ConfigKey] = &[
    // Where it listens and what it calls itself
    key("rest.listeners", List).default("http://127.0.0.1:8082,http://[::1]:8082")
        .doc("Where the REST proxy listens: http://host:port, separated by commas. 0.0.0.0 means every address, port 0 any free port. Empty: every address, port rest.port. \
              Our default is the loopback address only; the reference's is every address."),
    key("rest.port", Int).default("8082").range(0, 65_535)
        .doc("The port when rest.listeners is empty. Deprecated: use rest.listeners."),
    key("rest.advertised.listeners", List).default("")
        .doc("URLs that links in answers start with, one per scheme. Unset: rest.host.name, else the Host header of each request."),
    key("rest.host.name", String).default("")
        .doc("The host that links in answers name. Deprecated: use rest.advertised.listeners."),
    key("rest.id", String).default("")
        .doc("A name of this proxy that generated consumer names contain."),
    key("network.forwarded.request.customizer.enable", Boolean).default("false")
        .doc("Let Forwarded and X-Forwarded-* headers replace scheme and host in links. Only for a proxy behind a trusted one."),

    // Where Kafka is
    key("bootstrap.servers", List).default("")
        .doc("The Kafka cluster to work on: host:port, separated by commas. Empty: the broker of this program, which is not started otherwise."),
    key("schema.registry.url", List)
        .doc("The Schema Registry to use: URLs, separated by commas. Unset: the one of this program; empty: none, and schema formats are refused."),
    key("schema.registry.basic.auth.credentials.source", String).default("URL").validator(Validator::OneOf(&["URL", "USER_INFO", "SASL_INHERIT"]))
        .doc("Where user and password for the registry come from: its URL, or schema.registry.basic.auth.user.info."),
    key("schema.registry.basic.auth.user.info", Password)
        .doc("user:password for the registry."),
    key("schema.registry.bearer.auth.credentials.source", String).default("STATIC_TOKEN").validator(Validator::OneOf(&["STATIC_TOKEN"]))
        .doc("Where the token for the registry comes from: schema.registry.bearer.auth.token."),
    key("schema.registry.bearer.auth.token", Password)
        .doc("A token for the registry, sent when there is no user."),
    key("schema.registry.ssl.truststore.location", String)
        .doc("A file of certificates (PEM) that vouch for a registry at an https URL. Unset: those that the system trusts."),
    key("schema.registry.ssl.truststore.type", String).default("PEM").validator(Validator::OneOf(&["PEM"]))
        .doc("What kind of file schema.registry.ssl.truststore.location is."),
    key("schema.registry.ssl.keystore.location", String)
        .doc("A file (PEM) with the certificate of this side, those that vouch for it, and its private key, not encrypted, for a registry that wants to see a certificate."),
    key("schema.registry.ssl.keystore.type", String).default("PEM").validator(Validator::OneOf(&["PEM"]))
        .doc("What kind of file schema.registry.ssl.keystore.location is."),

    // The interfaces
    key("api.default.version", String).default("v2").validator(Validator::OneOf(&["v1", "v2"]))
        .doc("The API of a request that names no version, for paths that have more than one."),
    key("api.v1.enable", Boolean).default("true")
        .doc("Serve API v1."),
    key("api.v2.enable", Boolean).default("true")
        .doc("Serve API v2."),
    key("api.v3.enable", Boolean).default("true")
        .doc("Serve API v3."),
    key("api.endpoints.allowlist", List).default("")
        .doc("Names of the only endpoints that are served, such as api.v3.topics.*; empty means all."),
    key("api.endpoints.blocklist", List).default("")
        .doc("Names of endpoints that are not served."),
    key("confluent.resource.name.authority", String).default("")
        .doc("The authority in resource names of API v3: crn://AUTHORITY/kafka=..."),
    key("response.mediatype.default", String).default("application/json").validator(Validator::NonEmpty)
        .doc("The Content-Type of answers to requests whose type is not supported."),
    key("response.mediatype.preferred", List).default("application/json,application/vnd.kafka.v2+json")
        .doc("The types that an answer without an acceptable type lists, best first."),
    key("rest.debug", Boolean).default("false")
        .doc("Add the cause of framework errors to their messages."),
    key("compression.enable", Boolean).default("true")
        .doc("Compress answers when the client accepts gzip."),
    key("access.control.allow.origin", String).default("")
        .doc("The origin that browsers may call from, or *; empty means none."),
    key("access.control.allow.methods", String).default("")
        .doc("Methods that browsers of another origin may use, separated by commas."),
    key("access.control.allow.headers", String).default("")
        .doc("Headers that browsers of another origin may send, separated by commas."),
    key("access.control.expose.headers", String).default("")
        .doc("Headers that browsers of another origin may read, separated by commas."),

    // Bounds
    key("rest.max.request.bytes", Long).default("67108864").at_least(1024)
        .doc("The largest request body; a larger one is answered with 413."),
    key("rest.max.inflight.bytes", Long).default("268435456").at_least(1024)
        .doc("How many bytes of request bodies may be in memory, and how many of records in answers. At the limit, requests are answered with 503 and Retry-After."),
    key("rest.max.connections", Int).default("25000").at_least(1)
        .doc("How many connections may be open. At the limit, new ones wait to be accepted."),
    key("idle.timeout.ms", Long).default("30000").at_least(1)
        .doc("A connection without traffic is closed after this time."),
    key("shutdown.graceful.ms", Int).default("5000").at_least(0)
        .doc("How long requests in hand may take when the program stops."),

    // Reading
    key("consumer.request.timeout.ms", Int).default("1000").at_least(0)
        .doc("The longest time a read waits for records."),
    key("consumer.request.max.bytes", Long).default("67108864").at_least(1)
        .doc("The most that one read answers; max_bytes of a request only makes it less."),
    key("consumer.instance.timeout.ms", Int).default("300000").at_least(1)
        .doc("A consumer instance that is not used for this long is closed."),
    key("consumer.instances.max", Int).default("10000").at_least(1)
        .doc("How many consumer instances may exist; further ones are answered with 429."),
    key("fetch.min.bytes", Int).default("-1").range(-1, 10_000_000)
        .doc("A read answers as soon as it has more than this many bytes; -1: as soon as it has a record."),
    key("simpleconsumer.pool.size.max", Int).default("25").at_least(1)
        .doc("How many reads of API v1 that name a partition run at a time."),
    key("simpleconsumer.pool.timeout.ms", Int).default("1000").at_least(0)
        .doc("How long such a read waits for its turn; 0 means as long as it takes."),

    // Writing
    key("null.request.body.always.publishes.empty.record", Boolean).default("true")
        .doc("A null value is stored as a record without value even where a schema is named. The reference's default is false."),
    key("api.v3.produce.batch.maximum.entries", Int).default("10").at_least(1)
        .doc("The most records of one records:batch request."),
    key("api.v3.produce.request.size.limit.max.bytes", Int).default("0").at_least(0)
        .doc("The largest record of a stream in API v3, in bytes of its JSON; 0 means no limit but rest.max.request.bytes."),
    key("streaming.connection.max.duration.ms", Long).default("86400000").at_least(1)
        .doc("Records of a stream that is open for longer are refused with 408."),
    key("streaming.connection.max.duration.grace.period.ms", Long).default("500").at_least(0)
        .doc("Such a stream is closed this much later."),

    // Rates
    key("api.v3.produce.rate.limit.enabled", Boolean).default("false")
        .doc("Limit how fast API v3 takes records."),
    key("api.v3.produce.rate.limit.max.requests.per.sec", Int).default("10000").at_least(1)
        .doc("Records a second for one cluster."),
    key("api.v3.produce.rate.limit.max.requests.global.per.sec", Int).default("10000").at_least(1)
        .doc("Records a second in all."),
    key("api.v3.produce.rate.limit.max.bytes.per.sec", Int).default("10000000").at_least(1)
        .doc("Bytes of records a second for one cluster."),
    key("api.v3.produce.rate.limit.max.bytes.global.per.sec", Int).default("10000000").at_least(1)
        .doc("Bytes of records a second in all."),
    key("api.v3.produce.rate.limit.cache.expiry.ms", Int).default("3600000").at_least(1)
        .doc("A cluster's count is forgotten after this long without records."),
    key("rate.limit.enable", Boolean).default("false")
        .doc("Limit the rate of all requests except produce in API v3."),
    key("rate.limit.permits.per.sec", Int).default("50").at_least(1)
        .doc("Permits a second in all."),
    key("rate.limit.per.cluster.permits.per.sec", Int).default("50").at_least(1)
        .doc("Permits a second for one cluster."),
    key("rate.limit.default.cost", Int).default("1").at_least(0)
        .doc("Permits that a request costs."),
    key("rate.limit.costs", String).default("").validator(Validator::Check(super::rates::check_costs))
        .doc("Costs of single endpoints, such as api.v3.clusters.*=1,api.v3.brokers.list=2."),
    key("rate.limit.timeout.ms", Int).default("0").at_least(0)
        .doc("How long a request waits for permits before it is answered with 429."),
    key("dos.filter.enabled", Boolean).default("false")
        .doc("Limit the rate of each client address."),
    key("dos.filter.max.requests.per.sec", Int).default("25").at_least(1)
        .doc("Requests a second of one address."),

    // Who may call
    key("authentication.method", String).default("NONE").validator(Validator::OneOf(&["NONE", "BASIC"]))
        .doc("How callers are identified. Only NONE is supported so far."),
];

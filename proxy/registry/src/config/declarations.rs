//! Every setting of the registry, declared once.
//!
//! Names are those of Confluent's Schema Registry. Where the broker or the
//! proxy has a setting of the same name, ours carries the prefix `registry.`.
//! Ours too, where nothing of the kind existed, are
//! `registry.incompatible.error.code`, `registry.max.connections`,
//! `registry.max.inflight.bytes`, `registry.max.request.bytes` and
//! `registry.protobuf.lenient`.

use protocol::config_def::{ConfigKey, ConfigType, Validator};

use ConfigType::{Boolean, Int, List, Long, String};

const fn key(name: &'static str, kind: ConfigType) -> ConfigKey {
    ConfigKey::new(name, kind)
}

const LEVELS: Validator = Validator::OneOfIgnoringCase(&[
    "none",
    "backward",
    "backward_transitive",
    "forward",
    "forward_transitive",
    "full",
    "full_transitive",
]);

/// Settings with an effect.
#[rustfmt::skip]
pub(crate) const KEYS: &[ConfigKey] = &[
    // Where it listens
    key("registry.listeners", List).default("http://127.0.0.1:8081,http://[::1]:8081")
        .doc("Where the Schema Registry listens: http://host:port, separated by commas. 0.0.0.0 means every address, port 0 any free port. Empty: every address, port registry.port. \
              Our default is the loopback address only; the reference's is every address."),
    key("registry.port", Int).default("8081").range(0, 65_535)
        .doc("The port when registry.listeners is empty. Deprecated: use registry.listeners."),
    key("registry.host.name", String).default("")
        .doc("The host under which other registries of the same cluster reach this one. Unset: that of the first listener, and the name of this machine where it listens on every address."),
    key("registry.max.request.bytes", Long).default("16777216").at_least(1024)
        .doc("The largest request body; a larger one is answered with 413."),
    key("registry.max.inflight.bytes", Long).default("134217728").at_least(1024)
        .doc("How many bytes of request bodies may be in memory. At the limit, requests are answered with 503 and Retry-After."),
    key("registry.max.connections", Int).default("25000").at_least(1)
        .doc("How many connections may be open. At the limit, new ones wait to be accepted."),
    key("registry.idle.timeout.ms", Long).default("30000").at_least(1)
        .doc("A connection without traffic is closed after this time."),
    key("registry.shutdown.graceful.ms", Int).default("5000").at_least(0)
        .doc("How long requests in hand may take when the program stops."),
    key("registry.access.control.allow.origin", String).default("")
        .doc("Origins that browsers may call from, separated by commas, or *; empty means none."),
    key("registry.access.control.allow.methods", String).default("")
        .doc("Methods that browsers of another origin may use, separated by commas."),
    key("registry.access.control.allow.headers", String).default("")
        .doc("Headers that browsers of another origin may send, separated by commas."),
    key("registry.access.control.expose.headers", String).default("")
        .doc("Headers that browsers of another origin may read, separated by commas."),

    // Where schemas are kept
    key("kafkastore.topic", String).default("_schemas").validator(Validator::NonEmpty)
        .doc("The topic that keeps the schemas. It is created with the first schema, with one partition and compacted."),
    key("kafkastore.topic.replication.factor", Int).default("3").range(1, 32_767)
        .doc("How many replicas the topic gets when it is created; at most as many as there are nodes."),
    key("kafkastore.topic.skip.validation", Boolean).default("false")
        .doc("Use the topic even if it is not compacted: then records are lost with time."),
    key("kafkastore.timeout.ms", Int).default("10000").at_least(1)
        .doc("How long a write to the topic may take until it is read back, and how long a request waits for a registry that is still reading the topic. The reference's default is 500."),

    // Several registries on one cluster
    key("schema.registry.group.id", String).default("schema-registry").validator(Validator::NonEmpty)
        .doc("The group in which the registries of a cluster agree on the one that writes."),
    key("leader.eligibility", Boolean).default("true")
        .doc("Whether this registry may be the one that writes."),
    key("master.eligibility", Boolean)
        .doc("The old name of leader.eligibility."),
    key("leader.election.sticky", Boolean).default("true")
        .doc("Let the registry that writes go on when others come; otherwise the one with the first URL becomes the writer."),
    key("leader.connect.timeout.ms", Int).default("10000").at_least(1)
        .doc("How long connecting to the registry that writes may take."),
    key("leader.read.timeout.ms", Int).default("60000").at_least(1)
        .doc("How long the answer of the registry that writes is waited for."),

    // Schemas
    key("schema.compatibility.level", String).default("backward").validator(LEVELS)
        .doc("The compatibility level where none is configured over the API."),
    key("avro.compatibility.level", String).validator(LEVELS)
        .doc("The old name of schema.compatibility.level."),
    key("schema.validate.fields", Boolean).default("false")
        .doc("Check reserved fields where validateFields is not configured over the API."),
    key("schema.reject.empty.subject", Boolean).default("false")
        .doc("Refuse schemas under the empty subject and under *."),
    key("schema.cache.size", Int).default("1000").at_least(1)
        .doc("How many parsed schemas are kept in memory."),
    key("registry.protobuf.lenient", Boolean).default("false")
        .doc("Accept new Protobuf schemas that protoc refuses and the reference accepts: repeated numbers and names, reserved numbers in use, enums that do not begin with 0."),
    key("registry.incompatible.error.code", String).default("409").validator(Validator::OneOf(&["409", "40901"]))
        .doc("The error_code of a schema that is incompatible: 409, or 40901 as in releases from 8.2 on."),
    key("mode.mutability", Boolean).default("true")
        .doc("Whether modes can be changed over the API."),

    // Lists
    key("schema.search.default.limit", Int).default("1000").at_least(1)
        .doc("How many schemas a list has when the request does not say."),
    key("schema.search.max.limit", Int).default("1000").at_least(1)
        .doc("The most schemas that a list can have."),
    key("subject.search.default.limit", Int).default("2147483647").at_least(1)
        .doc("How many subjects a list has when the request does not say."),
    key("subject.search.max.limit", Int).default("2147483647").at_least(1)
        .doc("The most subjects that a list can have."),
    key("subject.version.search.default.limit", Int).default("2147483647").at_least(1)
        .doc("How many versions a list has when the request does not say."),
    key("subject.version.search.max.limit", Int).default("2147483647").at_least(1)
        .doc("The most versions that a list can have."),
];

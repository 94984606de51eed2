//! Every broker setting that changes something, declared once.
//!
//! Names are Kafka's, and so are the defaults unless the sentence says
//! otherwise. What Kafka knows and this broker has no use for is in
//! [`super::accepted`].

use protocol::config_def::{ConfigKey, ConfigType, Validator};

use ConfigType::{Boolean, Double, Int, List, Long, String};

/// Values of `compression.type`, for brokers and topics.
pub(crate) const COMPRESSION_TYPES: &[&str] =
    &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
/// Values of `log.durability` and of the topic setting `durability`.
pub(crate) const DURABILITIES: &[&str] = &["group", "strict", "interval", "os"];
/// Values of `log.message.timestamp.type` and `message.timestamp.type`.
pub(crate) const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
/// Values that `log.cleanup.policy` and `cleanup.policy` are made of.
pub(crate) const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];

const fn key(name: &'static str, kind: ConfigType) -> ConfigKey {
    ConfigKey::new(name, kind)
}

/// The settings, grouped by what they are about.
#[rustfmt::skip]
pub(crate) const KEYS: &[ConfigKey] = &[
    // The node
    key("node.id", Int).at_least(0)
        .doc("The id of this node in metadata. Unset: what broker.id says, else 1."),
    key("broker.id", Int).default("-1").at_least(-1)
        .doc("The older name of node.id. Given both, they must be equal; -1 counts as unset."),
    key("broker.rack", String)
        .doc("The rack that metadata shows for this node."),

    // Listeners and connections
    key("listeners", List).default("PLAINTEXT://127.0.0.1:9092,PLAINTEXT://[::1]:9092").validator(Validator::NonEmptyList)
        .doc("Where the broker listens: NAME://host:port, separated by commas. An empty host or 0.0.0.0 means every address, port 0 any free port. \
              A name may appear once for IPv4 and once for IPv6. Our default is the loopback address only, Kafka's is every address; \
              where only advertised.listeners is set, its ports are opened on every address."),
    key("advertised.listeners", List).validator(Validator::NonEmptyList)
        .doc("The addresses that clients are told to use, one per listener name. Unset: the listeners themselves; a listener on every address is advertised under the machine's host name."),
    key("listener.security.protocol.map", String).default("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .doc("The security protocol of each listener name. PLAINTEXT is the only one that a listener can have today."),
    key("controller.listener.names", List)
        .doc("Names of listeners that belong to a controller. One node needs none, so listeners of these names are not opened."),
    key("socket.listen.backlog.size", Int).default("50").at_least(1)
        .doc("How many connections may wait to be accepted. The kernel's own limit applies too."),
    key("socket.send.buffer.bytes", Int).default("102400").at_least(-1)
        .doc("SO_SNDBUF of each connection; -1 leaves it to the system."),
    key("socket.receive.buffer.bytes", Int).default("102400").at_least(-1)
        .doc("SO_RCVBUF of each connection; -1 leaves it to the system."),
    key("socket.request.max.bytes", Int).default("104857600").at_least(1)
        .doc("The largest request that is read. A connection that announces a larger one is closed."),
    key("max.connections", Int).default("2147483647").at_least(0).dynamic()
        .doc("How many connections may be open at a time. At the limit, new ones wait to be accepted."),
    key("max.connections.per.ip", Int).default("2147483647").at_least(0).dynamic()
        .doc("How many connections one address may have open. Further ones are closed."),
    key("max.connections.per.ip.overrides", String).default("").validator(Validator::Check(super::limits::check_overrides)).dynamic()
        .doc("Limits of single addresses that replace max.connections.per.ip: host:count, separated by commas."),
    key("max.connection.creation.rate", Int).default("2147483647").at_least(0).dynamic()
        .doc("How many connections are accepted a second."),
    key("connections.max.idle.ms", Long).default("600000")
        .doc("A connection without traffic is closed after this time; a negative value means never."),
    key("queued.max.requests", Int).default("500").at_least(1)
        .doc("How many requests of all connections may be in hand. At the limit, no further ones are read."),
    key("queued.max.request.bytes", Long).default("-1")
        .doc("How many bytes of requests may be in memory. At the limit, no further ones are read; 0 and less means no limit."),

    // Topics
    key("num.partitions", Int).default("1").at_least(1)
        .doc("Partitions of a topic that is created without saying how many."),
    key("default.replication.factor", Int).default("1").at_least(1)
        .doc("Replication factor of a topic that is created without one. This broker is one node: more than 1 needs default.replication.factor.clamp."),
    key("default.replication.factor.clamp", Boolean).default("false")
        .doc("Create topics with one replica where more are asked for, instead of refusing them with INVALID_REPLICATION_FACTOR. A setting of ours, for recipes that hard-code 3."),
    key("auto.create.topics.enable", Boolean).default("true")
        .doc("Create a topic when a client asks for its metadata and allows creation."),
    key("delete.topic.enable", Boolean).default("true")
        .doc("Allow topics to be deleted."),
    key("message.max.bytes", Int).default("1048588").at_least(0).dynamic()
        .doc("The largest record batch that is accepted, after compression."),
    key("min.insync.replicas", Int).default("1").at_least(1).dynamic()
        .doc("Replicas that must have a record before acks=all is answered. One node has one: with more, acks=all fails as in Kafka."),
    key("compression.type", String).default("producer").validator(Validator::OneOf(COMPRESSION_TYPES)).dynamic()
        .doc("How batches are compressed on disk: as the producer sent them, not at all, or with one codec."),
    key("compression.gzip.level", Int).default("-1").validator(Validator::RangeOrUnset(1, 9)).dynamic()
        .doc("Level of gzip when this broker compresses; -1 is the codec's default."),
    key("compression.lz4.level", Int).default("9").range(1, 17).dynamic()
        .doc("Level of lz4 when this broker compresses."),
    key("compression.zstd.level", Int).default("3").range(-131_072, 22).dynamic()
        .doc("Level of zstd when this broker compresses."),

    // The log
    key("log.dirs", List).validator(Validator::NonEmptyList)
        .doc("Directories that hold the data, separated by commas. Unset: what log.dir says, else ./ottla-data."),
    key("log.dir", List).default("./ottla-data").validator(Validator::NonEmptyList)
        .doc("The directory that holds the data when log.dirs is unset. Kafka's default is /tmp/kafka-logs."),
    key("log.disk.reserve.bytes", Long).at_least(0)
        .doc("Room on the disk that producers may not use: below it they are refused, and everything else goes on. Unset: the smaller of 1 GiB and 5 % of the file system. A setting of ours."),
    key("log.open.files.max", Int).at_least(1)
        .doc("The most segment files that are open at a time: beyond it those are closed that were not used for long, and opened again when they are. Unset: half of the files that the system lets the program open, so that connections have the other half. A setting of ours."),
    key("log.disk.max.bytes", Long).at_least(1)
        .doc("The most that one data directory may hold: above it the oldest segments of topics with cleanup.policy=delete are removed, whatever their retention. Unset: no limit. A setting of ours."),
    key("log.durability", String).default("group").validator(Validator::OneOf(DURABILITIES)).dynamic()
        .doc("When an append counts as stored: group = synced to disk together with whatever else arrived, strict = synced by itself, \
              interval = synced every log.flush.interval.ms, os = left to the system as Kafka does. A setting of ours."),
    key("log.segment.bytes", Int).default("1073741824").at_least(1_048_576).dynamic()
        .doc("The largest segment file."),
    key("log.roll.ms", Long).at_least(1).dynamic()
        .doc("The longest time a segment is written to. Unset: what log.roll.hours says."),
    key("log.roll.hours", Int).default("168").at_least(1)
        .doc("The same in hours."),
    key("log.roll.jitter.ms", Long).at_least(0).dynamic()
        .doc("Up to this much is taken off log.roll.ms at random, so that segments do not all roll at once. Unset: what log.roll.jitter.hours says."),
    key("log.roll.jitter.hours", Int).default("0").at_least(0)
        .doc("The same in hours."),
    key("log.retention.ms", Long).at_least(-1).dynamic()
        .doc("How long records are kept; -1 means for ever. Unset: what log.retention.minutes says, else log.retention.hours."),
    key("log.retention.minutes", Int).at_least(-1)
        .doc("The same in minutes."),
    key("log.retention.hours", Int).default("168").at_least(-1)
        .doc("The same in hours."),
    key("log.retention.bytes", Long).default("-1").dynamic()
        .doc("How much of a partition is kept; -1 means all of it."),
    key("log.retention.check.interval.ms", Long).default("300000").at_least(1)
        .doc("How often partitions are looked through for segments that are past their retention."),
    key("log.segment.delete.delay.ms", Long).default("60000").at_least(0).dynamic()
        .doc("How long the files of a deleted segment or topic stay before they are removed."),
    key("log.flush.interval.messages", Long).default("9223372036854775807").at_least(1).dynamic()
        .doc("Sync a partition after this many records, whatever log.durability says."),
    key("log.flush.interval.ms", Long).at_least(0).dynamic()
        .doc("Sync a partition at the latest this long after a record, whatever log.durability says. Unset: what log.flush.scheduler.interval.ms says; with log.durability=interval, 100."),
    key("log.flush.scheduler.interval.ms", Long).default("9223372036854775807").at_least(1)
        .doc("The default of log.flush.interval.ms."),
    key("log.flush.offset.checkpoint.interval.ms", Int).default("60000").at_least(0)
        .doc("How often the recovery points are written down."),
    key("log.flush.start.offset.checkpoint.interval.ms", Int).default("60000").at_least(0)
        .doc("How often the log start offsets are written down."),
    key("log.index.interval.bytes", Int).default("4096").at_least(0).dynamic()
        .doc("One index entry is written per this many bytes of log."),
    key("log.index.size.max.bytes", Int).default("10485760").at_least(4).dynamic()
        .doc("The largest index file. A segment rolls when its index is full."),
    key("log.preallocate", Boolean).default("false").dynamic()
        .doc("Allocate the whole segment file when it is made."),
    key("log.cleanup.policy", List).default("delete").validator(Validator::ListOf(CLEANUP_POLICIES)).dynamic()
        .doc("What becomes of old records: delete by age and size, compact by key, or both."),
    key("log.message.timestamp.type", String).default("CreateTime").validator(Validator::OneOf(TIMESTAMP_TYPES)).dynamic()
        .doc("Whose clock stamps records: the producer's or this broker's."),
    key("log.message.timestamp.before.max.ms", Long).default("9223372036854775807").at_least(0).dynamic()
        .doc("How far a record's timestamp may lie before the broker's clock."),
    key("log.message.timestamp.after.max.ms", Long).default("3600000").at_least(0).dynamic()
        .doc("How far a record's timestamp may lie after the broker's clock."),
    key("num.recovery.threads.per.data.dir", Int).default("2").at_least(1).dynamic()
        .doc("Threads per data directory that check logs at start."),

    // Compaction
    key("log.cleaner.enable", Boolean).default("true")
        .doc("Run compaction. Without it, compacted topics grow without end."),
    key("log.cleaner.threads", Int).default("1").at_least(0).dynamic()
        .doc("Threads that compact."),
    key("log.cleaner.backoff.ms", Long).default("15000").at_least(0).dynamic()
        .doc("How long compaction sleeps when no partition needs it."),
    key("log.cleaner.dedupe.buffer.size", Long).default("134217728").at_least(1).dynamic()
        .doc("The most memory that all compaction threads use for their maps of keys. It is taken as keys are met, not in advance."),
    key("log.cleaner.io.buffer.size", Int).default("524288").at_least(0).dynamic()
        .doc("The most memory that all compaction threads use for reading and writing."),
    key("log.cleaner.io.buffer.load.factor", Double).default("0.9").validator(Validator::DoubleRange(0.1, 1.0)).dynamic()
        .doc("How full a map of keys may get."),
    key("log.cleaner.io.max.bytes.per.second", Double).default("1.7976931348623157E308").dynamic()
        .doc("The most that compaction reads and writes a second."),
    key("log.cleaner.min.cleanable.ratio", Double).default("0.5").validator(Validator::DoubleRange(0.0, 1.0)).dynamic()
        .doc("A partition is compacted when this part of it is not yet."),
    key("log.cleaner.min.compaction.lag.ms", Long).default("0").at_least(0).dynamic()
        .doc("Younger records are left alone by compaction."),
    key("log.cleaner.max.compaction.lag.ms", Long).default("9223372036854775807").at_least(1).dynamic()
        .doc("Older records are compacted even when the ratio does not ask for it."),
    key("log.cleaner.delete.retention.ms", Long).default("86400000").at_least(0).dynamic()
        .doc("How long a tombstone stays after compaction, for consumers that read from the start."),

    // Fetching
    key("fetch.max.bytes", Int).default("57671680").at_least(1024)
        .doc("The most that one fetch answers, except that a first batch that is larger is sent whole."),
    key("max.incremental.fetch.session.cache.slots", Int).default("1000").at_least(0)
        .doc("How many fetch sessions are kept."),
    key("max.request.partition.size.limit", Int).default("2000").at_least(1)
        .doc("The most partitions that one DescribeTopicPartitions request is answered for."),

    // Groups
    key("group.initial.rebalance.delay.ms", Int).default("0").at_least(0)
        .doc("How long a new group waits for more members before its first assignment. Kafka's default is 3000."),
    key("group.min.session.timeout.ms", Int).default("6000").at_least(0)
        .doc("The shortest session timeout that a member may ask for."),
    key("group.max.session.timeout.ms", Int).default("1800000").at_least(0)
        .doc("The longest session timeout that a member may ask for."),
    key("group.max.size", Int).default("2147483647").at_least(1)
        .doc("The most members of a group."),
    key("group.coordinator.rebalance.protocols", List).default("classic,consumer").validator(Validator::ListOf(&["consumer", "classic", "share", "streams"]))
        .doc("Group protocols that may be used. share and streams are accepted and change nothing; Kafka's default names streams too."),
    key("group.consumer.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("Session timeout of members of the consumer protocol (KIP-848)."),
    key("group.consumer.min.session.timeout.ms", Int).default("45000").at_least(1)
        .doc("The shortest session timeout that a group may be given."),
    key("group.consumer.max.session.timeout.ms", Int).default("60000").at_least(1)
        .doc("The longest session timeout that a group may be given."),
    key("group.consumer.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("How often members of the consumer protocol are told to send heartbeats."),
    key("group.consumer.min.heartbeat.interval.ms", Int).default("5000").at_least(1)
        .doc("The shortest heartbeat interval that a group may be given."),
    key("group.consumer.max.heartbeat.interval.ms", Int).default("15000").at_least(1)
        .doc("The longest heartbeat interval that a group may be given."),
    key("group.consumer.max.size", Int).default("2147483647").at_least(1)
        .doc("The most members of a group of the consumer protocol."),
    key("group.consumer.assignors", List).default("uniform,range").validator(Validator::NonEmptyList)
        .doc("Assignors of the consumer protocol; the first is the default. uniform and range exist."),
    key("group.consumer.migration.policy", String).default("bidirectional").validator(Validator::OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]))
        .doc("Whether a group may change between the classic and the consumer protocol while it has members."),

    // Committed offsets
    key("offsets.topic.num.partitions", Int).default("50").at_least(1)
        .doc("Partitions of __consumer_offsets when it is created."),
    key("offsets.topic.segment.bytes", Int).default("104857600").at_least(1_048_576)
        .doc("Segment size of __consumer_offsets."),
    key("offsets.topic.compression.codec", Int).default("0").range(0, 4)
        .doc("Codec of batches in __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    key("offsets.retention.minutes", Int).default("10080").at_least(1)
        .doc("Offsets of a group without members are kept this long."),
    key("offsets.retention.check.interval.ms", Long).default("600000").at_least(1)
        .doc("How often expired offsets are looked for."),
    key("offset.metadata.max.bytes", Int).default("4096").at_least(0)
        .doc("The longest text that a client may store with an offset."),
    key("offsets.commit.timeout.ms", Int).default("5000").at_least(1)
        .doc("How long a commit may wait to be stored before it is answered with an error."),

    // Transactions and idempotent producers
    key("transaction.state.log.num.partitions", Int).default("50").at_least(1)
        .doc("Partitions of __transaction_state when it is created."),
    key("transaction.state.log.segment.bytes", Int).default("104857600").at_least(1)
        .doc("Segment size of __transaction_state."),
    key("transaction.max.timeout.ms", Int).default("900000").at_least(1)
        .doc("The longest timeout that a transaction may ask for."),
    key("transactional.id.expiration.ms", Int).default("604800000").at_least(1)
        .doc("A transactional id without transactions is forgotten after this time."),
    key("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int).default("10000").at_least(1)
        .doc("How often transactions that are past their timeout are looked for and aborted."),
    key("transaction.remove.expired.transaction.cleanup.interval.ms", Int).default("3600000").at_least(1)
        .doc("How often expired transactional ids are looked for."),
    key("transaction.partition.verification.enable", Boolean).default("true").dynamic()
        .doc("Check with the coordinator that a partition belongs to the transaction before its first batch is appended."),
    key("producer.id.expiration.ms", Int).default("86400000").at_least(1).dynamic()
        .doc("A partition forgets the sequence numbers of a silent producer after this time."),
    key("producer.id.expiration.check.interval.ms", Int).default("600000").at_least(1).internal()
        .doc("How often silent producers are looked for."),
];

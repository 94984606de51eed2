//! How a consumer reads.

use std::time::Duration;

use protocol::Str;

use super::Assignor;

/// Where to begin in a partition for which no offset was committed, or whose
/// offset does not exist any more (`auto.offset.reset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetReset {
    /// At the oldest record there is.
    Earliest,
    /// Behind the newest record. Partitions that appear after the subscription
    /// was made still begin at their beginning: nothing of them is older.
    #[default]
    Latest,
    /// Nowhere: it is an error that names the partition.
    None,
}

/// Which records of transactions are read (`isolation.level`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IsolationLevel {
    /// All, whatever became of their transaction.
    #[default]
    ReadUncommitted,
    /// Only those of committed transactions.
    ReadCommitted,
}

impl IsolationLevel {
    /// The level as requests carry it.
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// The settings of one [`Consumer`](super::Consumer). Defaults are the Java client's.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// The group to join and to commit offsets for (`group.id`). Without one,
    /// only [`assign`](super::Consumer::assign) works, and nothing is committed.
    pub group_id: Option<Str>,
    /// Makes the member static: it keeps its partitions over a restart
    /// (`group.instance.id`, KIP-345) and does not leave the group when closed.
    pub group_instance_id: Option<Str>,
    /// See [`OffsetReset`].
    pub auto_offset_reset: OffsetReset,
    /// How long the group waits for a silent member (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// Time between two heartbeats (`heartbeat.interval.ms`); at most a third of the session timeout.
    pub heartbeat_interval: Duration,
    /// How long the group waits for this member to join again (`max.poll.interval.ms`).
    pub rebalance_timeout: Duration,
    /// Assignors in the order of preference (`partition.assignment.strategy`).
    pub assignors: Vec<Assignor>,
    /// See [`IsolationLevel`].
    pub isolation: IsolationLevel,
    /// Bytes of one answer, and bytes buffered (`fetch.max.bytes`). A single
    /// batch that is larger still comes through.
    pub fetch_max_bytes: usize,
    /// Bytes of one partition in an answer (`max.partition.fetch.bytes`); as above.
    pub max_partition_fetch_bytes: usize,
    /// Bytes that an answer which may wait should have (`fetch.min.bytes`).
    pub fetch_min_bytes: usize,
    /// The longest wait of one request (`fetch.max.wait.ms`); longer waits take several.
    pub fetch_max_wait: Duration,
    /// Whether a topic that is subscribed to may be created by the broker (`allow.auto.create.topics`).
    pub allow_auto_create_topics: bool,
    /// How old what is known of topics may become before a subscriber looks for
    /// new topics and partitions (`metadata.max.age.ms`).
    pub metadata_max_age: Duration,
    /// Pause before something that failed is tried again (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// How long one call tries, retries included (`default.api.timeout.ms`).
    pub api_timeout: Duration,
    /// The largest batch after decompression, in bytes. A larger one is an error, not memory.
    pub max_decompressed_bytes: usize,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group_id: None,
            group_instance_id: None,
            auto_offset_reset: OffsetReset::Latest,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
            isolation: IsolationLevel::ReadUncommitted,
            fetch_max_bytes: 50 * 1024 * 1024,
            max_partition_fetch_bytes: 1024 * 1024,
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            allow_auto_create_topics: true,
            metadata_max_age: Duration::from_secs(300),
            retry_backoff: Duration::from_millis(100),
            api_timeout: Duration::from_secs(60),
            max_decompressed_bytes: 128 * 1024 * 1024,
        }
    }
}

/// A duration as requests carry it: whole milliseconds, at most what 32 bits hold.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

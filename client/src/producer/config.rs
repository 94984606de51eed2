//! How a producer writes.

use std::time::Duration;

use protocol::records::Compression;

use crate::{AutoCreate, Backoff};

/// How many replicas have to hold a record before it counts as written (`acks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acks {
    /// Nobody answers. Records get no offsets, and nothing is retried.
    None,
    /// The leader alone.
    Leader,
    /// All replicas in sync.
    #[default]
    All,
}

impl Acks {
    /// The number that requests carry.
    pub fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }

    /// The reverse of [`Acks::code`].
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::None, Self::Leader, Self::All].into_iter().find(|acks| acks.code() == code)
    }
}

/// The settings of a [`Producer`](super::Producer). Names in parentheses are
/// Kafka's; defaults are the Java client's unless something else is said.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// See [`Acks`].
    pub acks: Acks,
    /// Whether brokers drop what a retry sends twice, and keep the order
    /// (`enable.idempotence`). Only with [`Acks::All`]; otherwise it is off.
    pub enable_idempotence: bool,
    /// The codec of batches (`compression.type`).
    pub compression: Compression,
    /// The compression level in the codec's own terms; `None` is its default
    /// (`compression.gzip.level` and so on).
    pub compression_level: Option<i32>,
    /// Bytes up to which one batch takes what waits (`batch.size`). Nothing
    /// waits for a batch to fill up, so this is much more than the Java
    /// client's 16 KiB.
    pub batch_size: usize,
    /// The largest request and the largest record, in bytes (`max.request.size`).
    pub max_request_size: usize,
    /// How long a batch that is not full waits for more (`linger.ms`). Without
    /// it a batch still takes everything that came while others were under way.
    pub linger: Duration,
    /// Bytes of records that may wait or be under way (`buffer.memory`).
    pub buffer_memory: usize,
    /// How long a call waits for metadata and for memory (`max.block.ms`).
    pub max_block: Duration,
    /// From the call until it gets an answer, retries included (`delivery.timeout.ms`).
    pub delivery_timeout: Duration,
    /// How long the broker may wait for other replicas, and we for the broker
    /// (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// The pause before a first retry; doubles (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest pause between retries (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
    /// Whether the cluster may create a topic that is written to and does not exist.
    pub auto_create: AutoCreate,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            enable_idempotence: true,
            compression: Compression::None,
            compression_level: None,
            batch_size: 1024 * 1024,
            max_request_size: 1024 * 1024,
            linger: Duration::ZERO,
            buffer_memory: 32 * 1024 * 1024,
            max_block: Duration::from_secs(60),
            delivery_timeout: Duration::from_secs(120),
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            auto_create: AutoCreate::Yes,
        }
    }
}

impl ProducerConfig {
    /// Whether batches carry sequence numbers.
    pub fn is_idempotent(&self) -> bool {
        self.enable_idempotence && self.acks == Acks::All
    }

    pub(super) fn backoff(&self) -> Backoff {
        Backoff { first: self.retry_backoff, max: self.retry_backoff_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_acks_all_is_idempotent() {
        for acks in [Acks::None, Acks::Leader, Acks::All] {
            let config = ProducerConfig { acks, ..ProducerConfig::default() };
            assert_eq!(config.is_idempotent(), acks == Acks::All);
            assert_eq!(Acks::from_code(acks.code()), Some(acks));
        }
        assert_eq!(Acks::from_code(2), None);
    }
}

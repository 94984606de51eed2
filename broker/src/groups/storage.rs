//! What groups need of `__consumer_offsets`: to append a batch, and to read it all at start.

use std::fmt::Debug;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::ErrorCode;

/// Why something about a group could not be stored or read.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StorageError {
    /// The batch is above the limit of the topic (`max.message.bytes`).
    #[error("the records are larger than __consumer_offsets takes (max.message.bytes)")]
    TooLarge,
    /// Anything else: a disk that is full or broken, a broker that stops. The text
    /// is for the log.
    #[error("__consumer_offsets cannot be used: {0}")]
    Unavailable(String),
}

impl StorageError {
    /// The code for requests about a group. No `_` arm: a new variant does not
    /// compile until it has been given a code here.
    ///
    /// "Not coordinator" sends clients to look for the coordinator and try again,
    /// which is what they should do while a disk is full.
    pub(crate) fn error_code(&self) -> ErrorCode {
        match self {
            Self::TooLarge => ErrorCode::UnknownServerError,
            Self::Unavailable(_) => ErrorCode::NotCoordinator,
        }
    }
}

/// The topic `__consumer_offsets`.
pub(crate) trait GroupStorage: Debug + Send + Sync + 'static {
    /// Makes sure that the topic exists, durably. Cheap when it does.
    fn prepare(&self) -> BoxFuture<'_, Result<(), StorageError>>;

    /// How many partitions the topic has, or will have. Never changes and is at least 1.
    fn partition_count(&self) -> i32;

    /// Appends one batch, whose base offset is still 0, and waits until it is
    /// durable. Called for one partition at a time, from several for different ones.
    fn append(&self, partition: i32, batch: Bytes) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Reads whole batches from the first one that holds `offset` or a later
    /// record. Empty at the end of the partition.
    fn read(&self, partition: i32, offset: i64) -> BoxFuture<'_, Result<Bytes, StorageError>>;
}

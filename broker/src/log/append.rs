//! What an append asks for and what it comes to.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use protocol::records::RecordError;
use protocol::{ErrorCode, Str};
use tokio::sync::oneshot;

use crate::producers::ProducerError;

/// When a producer wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acks {
    /// It wants none.
    None,
    /// When the records are written.
    Leader,
    /// When the records are as safe as the topic's durability makes them.
    All,
}

impl Acks {
    /// The number in a Produce request.
    pub(crate) fn from_wire(acks: i16) -> Option<Self> {
        match acks {
            0 => Some(Self::None),
            1 => Some(Self::Leader),
            -1 => Some(Self::All),
            _ => None,
        }
    }
}

/// How records are to be appended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppendOptions {
    /// When the append is complete.
    pub(crate) acks: Acks,
    /// The version of Produce that brought the records: older ones may hold less.
    pub(crate) api_version: i16,
    /// Whether the records are taken even when only the reserve of the disk is left.
    pub(crate) may_use_reserve: bool,
}

impl AppendOptions {
    /// For what the broker writes itself: complete when it is durable.
    pub(crate) fn coordinator() -> Self {
        Self { acks: Acks::All, api_version: i16::MAX, may_use_reserve: true }
    }

    /// For what producers send.
    pub(crate) fn producer(acks: Acks, api_version: i16) -> Self {
        Self { acks, api_version, may_use_reserve: false }
    }
}

/// Where records are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// The offset of the first record.
    pub(crate) base_offset: i64,
    /// The time all records got, in ms; -1 when they have their own.
    pub(crate) log_append_time_ms: i64,
    /// The first offset of the partition.
    pub(crate) log_start_offset: i64,
}

/// An append that is under way. Dropping it changes nothing: the records are
/// appended all the same.
#[derive(Debug)]
pub(crate) struct Completion {
    done: oneshot::Receiver<AppendResult>,
}

pub(super) type AppendResult = Result<Appended, AppendError>;

impl Completion {
    /// A completion, and what resolves it.
    pub(super) fn new() -> (oneshot::Sender<AppendResult>, Self) {
        let (sender, done) = oneshot::channel();
        (sender, Self { done })
    }
}

impl Future for Completion {
    type Output = AppendResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<AppendResult> {
        let done = Pin::new(&mut self.done).poll(context);
        // Whoever was to answer is gone with the log's threads.
        done.map(|result| result.unwrap_or(Err(AppendError::Stopping)))
    }
}

/// Why records are not appended, or nobody knows whether they are. The texts go
/// to clients; they name no files.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AppendError {
    /// Somebody else decided.
    #[error("{}", .0.message())]
    Refused(ErrorCode),
    #[error("A partition of a Produce request must have at least one record batch.")]
    NoBatch,
    #[error("A partition of a Produce request must have exactly one record batch.")]
    SeveralBatches,
    /// The bytes are not a batch that can be stored.
    #[error("{0}")]
    Records(#[from] RecordError),
    #[error(
        "The batch of {size} bytes exceeds the maximum configured value of {limit} (max.message.bytes)."
    )]
    TooLarge { size: usize, limit: u32 },
    #[error("The batch of {size} bytes exceeds the segment size of {limit} bytes (segment.bytes).")]
    LargerThanSegment { size: usize, limit: u32 },
    #[error("Produce requests with version {0} are not allowed to use zstd compression.")]
    ZstdInOldVersion(i16),
    #[error("Producers should not set the timestamp type to LogAppendTime.")]
    TimestampType,
    /// Records that the topic does not take, by their index.
    #[error("One or more records have been rejected.")]
    InvalidRecords(Arc<[(i32, String)]>),
    /// Records from too far in the past or the future, by their index.
    #[error("One or more records have been rejected due to invalid timestamp.")]
    InvalidTimestamps(Arc<[(i32, String)]>),
    #[error("{0}")]
    Producer(#[from] ProducerError),
    #[error("The topic asks for {0} replicas in sync (min.insync.replicas), and there is one.")]
    NotEnoughReplicas(i32),
    /// Nothing was appended.
    #[error("The disk is full up to its reserve (log.disk.reserve.bytes).")]
    DiskFull,
    /// Nothing was appended.
    #[error("The records cannot be written to disk.")]
    NotWritten,
    /// Nobody can tell whether the records would survive a crash.
    #[error("The log directory is offline.")]
    Offline,
    #[error("The topic is deleted.")]
    Deleted,
    #[error("The broker is stopping.")]
    Stopping,
}

impl AppendError {
    /// A refusal for a reason that has nothing to do with the log.
    pub(crate) fn refused(error_code: ErrorCode) -> Self {
        Self::Refused(error_code)
    }

    /// The code for a Produce response. No `_` arm: a new variant does not
    /// compile until it has been given a code here.
    pub(crate) fn error_code(&self) -> ErrorCode {
        match self {
            Self::Refused(error_code) => *error_code,
            Self::NoBatch | Self::SeveralBatches | Self::InvalidRecords(_) => {
                ErrorCode::InvalidRecord
            }
            Self::Records(error) => record_error_code(error),
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::ZstdInOldVersion(_) => ErrorCode::UnsupportedCompressionType,
            Self::TimestampType | Self::InvalidTimestamps(_) => ErrorCode::InvalidTimestamp,
            Self::Producer(error) => match error {
                ProducerError::OutOfOrderSequence { .. }
                | ProducerError::FirstSequenceOfEpoch { .. } => ErrorCode::OutOfOrderSequenceNumber,
                ProducerError::InvalidEpoch { .. } => ErrorCode::InvalidProducerEpoch,
                ProducerError::InvalidTransactionState { .. } => ErrorCode::InvalidTxnState,
            },
            Self::NotEnoughReplicas(_) => ErrorCode::NotEnoughReplicas,
            Self::DiskFull | Self::NotWritten | Self::Offline => ErrorCode::KafkaStorageError,
            Self::Deleted => ErrorCode::UnknownTopicOrPartition,
            Self::Stopping => ErrorCode::NotLeaderOrFollower,
        }
    }

    /// Whether the answer tells where the partition begins, as Kafka does when the
    /// batch is whole and its content is refused.
    pub(crate) fn is_about_content(&self) -> bool {
        match self {
            Self::TimestampType
            | Self::InvalidRecords(_)
            | Self::InvalidTimestamps(_)
            | Self::Producer(_) => true,
            Self::Records(error) => {
                !error.is_corrupt()
                    && !matches!(
                        error,
                        RecordError::UnsupportedMagic(_) | RecordError::TooLarge { .. }
                    )
            }
            _ => false,
        }
    }

    /// The records at fault, by their index in the batch.
    pub(crate) fn record_errors(&self) -> &[(i32, String)] {
        match self {
            Self::InvalidRecords(errors) | Self::InvalidTimestamps(errors) => errors,
            _ => &[],
        }
    }

    /// The sentence for the answer.
    pub(crate) fn message(&self) -> Option<Str> {
        match self {
            // The client has a sentence for each number.
            Self::Refused(_) => None,
            error => Some(Str::from(error.to_string())),
        }
    }
}

fn record_error_code(error: &RecordError) -> ErrorCode {
    match error {
        // Message formats of long ago are known, and refused; others are none.
        RecordError::UnsupportedMagic(0 | 1)
        | RecordError::Undecompressable { .. }
        | RecordError::Invalid(_) => ErrorCode::InvalidRecord,
        RecordError::Truncated { .. }
        | RecordError::UnsupportedMagic(_)
        | RecordError::InvalidLength(_)
        | RecordError::CrcMismatch { .. } => ErrorCode::CorruptMessage,
        RecordError::UnsupportedCompression(_) => ErrorCode::UnsupportedCompressionType,
        // Producers split a batch and try again at this one.
        RecordError::TooLarge { .. } => ErrorCode::MessageTooLarge,
    }
}

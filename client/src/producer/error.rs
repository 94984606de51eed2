//! Why records were not written.

use std::time::Duration;

use protocol::{ErrorCode, Str};

use crate::Error;

/// Why a record was not written, or may not have been.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProduceError {
    /// There is no such topic, and it is not created either.
    #[error("Topic {0} not present in metadata.")]
    UnknownTopic(Str),
    /// The topic has no such partition.
    #[error("Topic {topic} has no partition {partition}.")]
    UnknownPartition {
        /// The topic.
        topic: Str,
        /// The partition that it does not have.
        partition: i32,
    },
    /// One record is more than a request may hold.
    #[error(
        "The message is {size} bytes when serialized which is larger than {limit}, which is the value of the \
         max.request.size configuration."
    )]
    RecordTooLarge {
        /// Bytes that the record takes at most.
        size: usize,
        /// The value of `max.request.size`.
        limit: usize,
    },
    /// The records of one call are more than may ever wait.
    #[error(
        "The records are {size} bytes when serialized which is larger than the total memory buffer you have \
         configured with the buffer.memory configuration, {limit}."
    )]
    LargerThanBuffer {
        /// Bytes of the records.
        size: usize,
        /// The value of `buffer.memory`.
        limit: usize,
    },
    /// Other records kept the memory for too long.
    #[error(
        "Failed to allocate {size} bytes within the configured max blocking time {} ms (max.block.ms, buffer.memory).",
        waited.as_millis()
    )]
    BufferExhausted {
        /// Bytes of the records.
        size: usize,
        /// The value of `max.block.ms`.
        waited: Duration,
    },
    /// The broker refused the batch because of what it holds.
    #[error("{}", message.as_deref().unwrap_or(code.message()))]
    Refused {
        /// The broker's reason.
        code: ErrorCode,
        /// The broker's own sentence, where it sent one.
        message: Option<Str>,
    },
    /// The time for delivery is over.
    #[error(
        "Expiring record(s): {} ms has passed since they were handed over (delivery.timeout.ms); {}",
        after.as_millis(),
        if *maybe_written { "whether they were written is unknown" } else { "they were not written" }
    )]
    TimedOut {
        /// The value of `delivery.timeout.ms`.
        after: Duration,
        /// The broker may have written the record all the same.
        maybe_written: bool,
    },
    /// The cluster could not be asked.
    #[error(transparent)]
    Client(#[from] Error),
    /// The producer was closed before the record was written.
    #[error("Producer is closed")]
    Closed,
}

impl ProduceError {
    /// Kafka's number for the cause. No `_` arm: a new variant does not compile
    /// until it has been given a code here.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::UnknownTopic(_) | Self::UnknownPartition { .. } => {
                ErrorCode::UnknownTopicOrPartition
            }
            Self::RecordTooLarge { .. } | Self::LargerThanBuffer { .. } => {
                ErrorCode::MessageTooLarge
            }
            Self::BufferExhausted { .. } | Self::TimedOut { .. } => ErrorCode::RequestTimedOut,
            Self::Refused { code, .. } => *code,
            Self::Client(error) => error.error_code(),
            Self::Closed => ErrorCode::NetworkException,
        }
    }

    /// Whether the same record may be written when it is handed over again.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::BufferExhausted { .. } | Self::TimedOut { .. } => true,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Client(error) => error.is_retriable(),
            Self::UnknownTopic(_)
            | Self::UnknownPartition { .. }
            | Self::RecordTooLarge { .. }
            | Self::LargerThanBuffer { .. }
            | Self::Closed => false,
        }
    }

    /// The sentence that a user may read. Names no addresses.
    pub fn public_message(&self) -> String {
        match self {
            Self::Client(error) => error.public_message(),
            other => other.to_string(),
        }
    }
}

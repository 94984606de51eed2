//! Why the broker does not do what it was asked, and Kafka's number for each cause.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::Str;
use protocol::config_def::ConfigError;

use crate::log::{ReadError, StorageError};
use crate::metadata::MetadataError;

/// Why the broker refused, in its own terms. [`Display`](std::fmt::Display)
/// gives the sentence that clients may read, worded as Kafka words it where
/// tools match on it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Topic '{0}' already exists.")]
    TopicExists(Str),
    #[error("Topic name is invalid: {0}")]
    InvalidTopicName(String),
    #[error("Topic '{name}' collides with existing topic: {existing}")]
    TopicCollision { name: Str, existing: Str },
    #[error("This server does not host this topic-partition.")]
    UnknownTopic,
    #[error("This server does not host this topic ID.")]
    UnknownTopicId,
    #[error("Topic deletion is disabled.")]
    TopicDeletionDisabled,
    #[error("{0}")]
    InvalidPartitions(String),
    #[error("{0}")]
    InvalidReplicationFactor(String),
    #[error("{0}")]
    InvalidReplicaAssignment(String),
    #[error("Excessively large number of partitions per request.")]
    TooManyPartitions,
    #[error("{0}")]
    InvalidRequest(String),
    #[error("{0}")]
    InvalidConfig(#[from] ConfigError),
    #[error("The metadata log cannot be written; see the log of the broker.")]
    Metadata(#[source] Arc<MetadataError>),
    #[error("The log directory cannot be written; see the log of the broker.")]
    Storage(#[source] StorageError),
}

impl Error {
    /// The one place where the broker picks a Kafka error code for a change of
    /// its metadata. No `_` arm: a new variant does not compile until it has
    /// been given a code here.
    pub(crate) fn error_code(&self) -> ErrorCode {
        match self {
            Self::TopicExists(_) => ErrorCode::TopicAlreadyExists,
            Self::InvalidTopicName(_) | Self::TopicCollision { .. } => {
                ErrorCode::InvalidTopicException
            }
            Self::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
            Self::UnknownTopicId => ErrorCode::UnknownTopicId,
            Self::TopicDeletionDisabled => ErrorCode::TopicDeletionDisabled,
            Self::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
            Self::InvalidReplicationFactor(_) => ErrorCode::InvalidReplicationFactor,
            Self::InvalidReplicaAssignment(_) => ErrorCode::InvalidReplicaAssignment,
            Self::TooManyPartitions => ErrorCode::PolicyViolation,
            Self::InvalidRequest(_) => ErrorCode::InvalidRequest,
            Self::InvalidConfig(_) => ErrorCode::InvalidConfig,
            Self::Metadata(_) | Self::Storage(_) => ErrorCode::KafkaStorageError,
        }
    }

    /// The sentence for the answer, except for what only the log may tell.
    pub(crate) fn message(&self) -> Option<Str> {
        Some(Str::from(self.to_string()))
    }
}

/// The code for a record set or an offset that cannot be found.
pub(crate) fn read_error_code(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Deleted => ErrorCode::UnknownTopicOrPartition,
        ReadError::Io(_) => ErrorCode::KafkaStorageError,
        ReadError::Records(_) => ErrorCode::CorruptMessage,
    }
}

/// Compares the leader epoch that a client believes in with ours; -1 stands for
/// none (KIP-320).
pub(crate) fn check_leader_epoch(of_client: i32, ours: i32) -> Result<(), ErrorCode> {
    match of_client {
        ..0 => Ok(()),
        epoch if epoch < ours => Err(ErrorCode::FencedLeaderEpoch),
        epoch if epoch > ours => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

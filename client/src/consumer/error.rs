//! Why a consumer could not do what it was asked.

use protocol::{ErrorCode, Str};

use super::TopicPartition;
use crate::Error;

/// Why a [`Consumer`](super::Consumer) could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConsumerError {
    /// A subscription was made beside an assignment, or the reverse.
    #[error("Subscription to topics, partitions and pattern are mutually exclusive")]
    MixedSubscription,
    /// There is nothing to read from.
    #[error("Consumer is not subscribed to any topics or assigned any partitions")]
    NotSubscribed,
    /// The partition is not one of those that the consumer has now.
    #[error("No current assignment for partition {0}")]
    NotAssigned(TopicPartition),
    /// The call needs a group, and none is configured.
    #[error("To use the group management or offset commit APIs, you must provide a valid group.id")]
    NoGroup,
    /// No offset is committed, and `auto.offset.reset` is `none`.
    #[error("Undefined offset with no reset policy for partition {0}")]
    NoOffset(TopicPartition),
    /// The position is outside of the partition, and `auto.offset.reset` is `none`.
    #[error(
        "Offset {offset} of partition {partition} is out of range, and there is no reset policy"
    )]
    OffsetOutOfRange {
        /// Where reading was to go on.
        partition: TopicPartition,
        /// The offset there.
        offset: i64,
    },
    /// Records before the position are no longer those that were read: the
    /// partition lost its tail (KIP-320), and `auto.offset.reset` is `none`.
    #[error("Partition {partition} was truncated to offset {end_offset}, before position {offset}")]
    Truncated {
        /// The partition.
        partition: TopicPartition,
        /// Where reading was to go on.
        offset: i64,
        /// Where the partition ends for the epoch that was read last.
        end_offset: i64,
    },
    /// A batch that is broken, or too large when decompressed. It stays first in
    /// line until the position is moved past it.
    #[error("Record batch of partition {partition} at offset {offset} cannot be read: {reason}")]
    BrokenBatch {
        /// The partition.
        partition: TopicPartition,
        /// The position at which the batch was met.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The broker refused to serve the partition.
    #[error("Partition {partition}: {}", code.message())]
    Partition {
        /// The partition.
        partition: TopicPartition,
        /// The broker's reason.
        code: ErrorCode,
    },
    /// The group does not have this member, for good.
    #[error("Group {group}: {}", code.message())]
    Group {
        /// The group.
        group: Str,
        /// The coordinator's reason.
        code: ErrorCode,
    },
    /// The group gave the partitions of a commit to another member meanwhile.
    #[error("Offsets cannot be committed: the group has given the partitions to another member")]
    Rebalanced,
    /// The call did not end within `default.api.timeout.ms`.
    #[error("Not done within {0} ms (default.api.timeout.ms)")]
    Timeout(u128),
    /// The consumer was closed.
    #[error("This consumer has already been closed")]
    Closed,
    /// There cannot be a topic of this name.
    #[error("Invalid topics: [{0}]")]
    InvalidTopic(Str),
    /// The broker refused to name the topic's partitions.
    #[error("Topic {topic}: {}", code.message())]
    Topic {
        /// The topic.
        topic: Str,
        /// The broker's reason.
        code: ErrorCode,
    },
    /// The cluster could not be reached or refused a request as a whole.
    #[error(transparent)]
    Client(#[from] Error),
}

impl ConsumerError {
    /// Kafka's number for the cause. No `_` arm: a new variant does not compile
    /// until it has been given a code here.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::MixedSubscription | Self::NotSubscribed | Self::NotAssigned(_) => {
                ErrorCode::InvalidRequest
            }
            Self::NoGroup => ErrorCode::InvalidGroupId,
            Self::NoOffset(_) | Self::OffsetOutOfRange { .. } | Self::Truncated { .. } => {
                ErrorCode::OffsetOutOfRange
            }
            Self::BrokenBatch { .. } => ErrorCode::CorruptMessage,
            Self::InvalidTopic(_) => ErrorCode::InvalidTopicException,
            Self::Partition { code, .. } | Self::Group { code, .. } | Self::Topic { code, .. } => {
                *code
            }
            Self::Rebalanced => ErrorCode::RebalanceInProgress,
            Self::Timeout(_) => ErrorCode::RequestTimedOut,
            Self::Closed => ErrorCode::UnknownMemberId,
            Self::Client(error) => error.error_code(),
        }
    }

    /// The sentence that a user may read. Names no addresses.
    pub fn public_message(&self) -> String {
        match self {
            Self::Client(error) => error.public_message(),
            error => error.to_string(),
        }
    }
}

//! Reads records: alone or as a member of a consumer group.

mod assignor;
mod config;
mod consumer_protocol;
mod membership;
mod record;
mod topic_partition;

pub(crate) use consumer_protocol::decode_assignment;
pub(crate) use topic_partition::group_by_topic;

pub use assignor::{Assignor, UnknownAssignor};
pub use config::{ConsumerConfig, IsolationLevel, OffsetReset};
pub use record::OffsetAndMetadata;
pub use topic_partition::TopicPartition;

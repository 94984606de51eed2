//! Reads records: alone or as a member of a consumer group.

mod assignor;
mod config;
mod consumer_protocol;
mod membership;
mod topic_partition;

pub use assignor::{Assignor, UnknownAssignor};
pub use config::{ConsumerConfig, IsolationLevel, OffsetReset};
pub use topic_partition::TopicPartition;

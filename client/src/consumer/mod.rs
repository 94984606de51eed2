//! Reads records: alone or as a member of a consumer group.

mod assignor;
mod consumer_protocol;
mod topic_partition;

pub use assignor::{Assignor, UnknownAssignor};
pub use topic_partition::TopicPartition;

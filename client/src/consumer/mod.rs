//! Reads records: alone or as a member of a consumer group.
//!
//! A [`Consumer`] fetches only while somebody reads. What came and was not
//! taken stays in its buffer, so a call that is dropped loses nothing, and
//! callers that read at the same time share the records without doubles.
//!
//! | file | subject |
//! | --- | --- |
//! | `consumer.rs` | the public calls |
//! | `shared.rs` | what the calls, the group task and the fetches have in common |
//! | `state.rs`, `buffer.rs` | assignment, positions, fetched batches |
//! | `fetcher.rs`, `offsets.rs` | requests to the partitions' leaders |
//! | `group.rs`, `membership.rs`, `assignor/` | staying in the group |
//! | `neighbours.rs` | members of one group that share a client |
//! | `coordinator.rs` | committing and looking up committed offsets |

mod assignor;
mod buffer;
mod config;
#[expect(clippy::module_inception, reason = "the file of the type that the module is about")]
mod consumer;
mod consumer_protocol;
mod coordinator;
mod error;
mod fetcher;
mod group;
mod membership;
mod neighbours;
mod offsets;
mod record;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod topic_partition;

pub(crate) use consumer_protocol::decode_assignment;
pub(crate) use neighbours::Neighbourhoods;
pub(crate) use topic_partition::group_by_topic;

pub use assignor::{Assignor, UnknownAssignor};
pub use config::{ConsumerConfig, IsolationLevel, OffsetReset};
pub use consumer::{Consumer, RebalanceListener};
pub use error::ConsumerError;
pub use record::{ConsumerRecord, Mark, OffsetAndMetadata, Take, Taken};
pub use topic_partition::TopicPartition;

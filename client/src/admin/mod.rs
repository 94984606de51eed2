//! Administration: topics, settings, groups, offsets, nodes.
//!
//! Each function sends typed requests to the nodes that have to answer them,
//! tries again what may succeed the second time (within
//! [`ClientConfig::api_timeout`](crate::ClientConfig::api_timeout)), and answers
//! with one result for each item, in the order in which the items were given.
//! The outer result is an error only when a request as a whole had no answer.

mod cluster;
mod configs;
mod coordinator;
mod group_offsets;
mod groups;
mod list_offsets;
mod topics;

use tokio::time::{Instant, sleep_until};

use crate::{Backoff, Client, Error};

pub use cluster::describe_cluster;
pub(crate) use configs::auto_creates_topics;
pub use configs::{
    ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource, ConfigSynonym,
    DescribeConfigs, ResourceKind, describe_configs, incremental_alter_configs,
};
pub use coordinator::find_coordinator;
pub use group_offsets::{
    alter_consumer_group_offsets, delete_consumer_group_offsets, list_consumer_group_offsets,
};
pub use groups::{
    GroupDescription, GroupListing, GroupMember, delete_groups, describe_groups, list_groups,
};
pub use list_offsets::{ListedOffset, OffsetSpec, list_offsets};
pub use topics::{
    CreatedTopic, NewPartitions, NewTopic, create_partitions, create_topics, delete_topics,
};

/// One result for each item asked about.
pub type PerItem<K, T> = Vec<(K, Result<T, Error>)>;

/// Requests for many groups are sent to the brokers this many at a time.
const CALLS_AT_ONCE: usize = 16;

/// Counts the attempts of one function and paces them.
struct Attempts<'a> {
    client: &'a Client,
    deadline: Instant,
    failures: u32,
}

impl<'a> Attempts<'a> {
    fn new(client: &'a Client) -> Self {
        Self { client, deadline: Instant::now() + client.config().api_timeout, failures: 0 }
    }

    /// Waits before the next attempt. False, at once, when there is no time for one.
    async fn pause(&mut self) -> bool {
        self.failures += 1;
        let config = self.client.config();
        let backoff = Backoff { first: config.retry_backoff, max: config.retry_backoff_max };
        let next = Instant::now() + backoff.pause(self.failures);
        let in_time = next < self.deadline;
        if in_time {
            sleep_until(next).await;
        }
        in_time
    }
}

/// An item that the answer does not speak of.
fn unanswered() -> Error {
    Error::Kafka {
        code: protocol::ErrorCode::UnknownServerError,
        message: Some(protocol::Str::from_static("The broker's answer leaves this item out.")),
    }
}

/// Milliseconds for a request, at most what its field holds.
fn millis(duration: std::time::Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

//! What the broker does for each API, one file per API.

pub(crate) mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
pub(crate) mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub(crate) mod produce;
mod resource;
mod sync_group;

use std::future::Future;

use protocol::{ErrorCode, Request};

use crate::context::Context;
use crate::node::Node;

pub(crate) use resource::Resource;

/// A request that the broker answers.
pub(crate) trait Handler: Request + Send {
    /// Does what is asked. Errors are part of the response.
    fn handle(self, node: &Node, context: &Context) -> impl Future<Output = Self::Response> + Send;

    /// The same error for everything that was asked, in the shape of the answer:
    /// clients look for each topic, partition and group that they named.
    fn refuse(self, error_code: ErrorCode) -> Self::Response;
}

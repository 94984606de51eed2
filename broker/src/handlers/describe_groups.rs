//! DescribeGroups, versions 0 to 6.
//!
//! 3 authorized operations · 4 static members · 6 a missing group is an error; before
//! that it is a group in state "Dead".

use protocol::messages::describe_groups::DescribedGroup;
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use protocol::{ErrorCode, Str};

use super::Handler;
use crate::authorized_operations;
use crate::context::Context;
use crate::node::Node;

impl Handler for DescribeGroupsRequest {
    async fn handle(self, node: &Node, context: &Context) -> DescribeGroupsResponse {
        let authorized_operations = match self.include_authorized_operations {
            true => authorized_operations::GROUP,
            false => authorized_operations::NOT_ASKED,
        };
        let groups = self.groups.into_iter().map(|group_id| {
            let described = match node.groups().describe(&group_id) {
                Ok(Some(group)) => group,
                Ok(None) => missing(group_id, context.api_version),
                Err(error_code) => refused(group_id, error_code),
            };
            DescribedGroup { authorized_operations, ..described }
        });
        DescribeGroupsResponse { throttle_time_ms: 0, groups: groups.collect() }
    }

    fn refuse(self, error_code: ErrorCode) -> DescribeGroupsResponse {
        let groups = self.groups.into_iter().map(|group_id| refused(group_id, error_code));
        DescribeGroupsResponse { throttle_time_ms: 0, groups: groups.collect() }
    }
}

fn missing(group_id: Str, version: i16) -> DescribedGroup {
    let dead =
        DescribedGroup { group_state: Str::from_static("Dead"), ..DescribedGroup::default() };
    if version < 6 {
        return DescribedGroup { group_id, ..dead };
    }
    DescribedGroup {
        error_code: ErrorCode::GroupIdNotFound,
        error_message: Some(Str::from(format!("Group {group_id} not found."))),
        group_id,
        ..dead
    }
}

fn refused(group_id: Str, error_code: ErrorCode) -> DescribedGroup {
    DescribedGroup { error_code, group_id, ..DescribedGroup::default() }
}

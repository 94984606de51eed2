//! Lists, describes and deletes groups.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, ListGroupsResponse,
};
use protocol::{ErrorCode, Str};

use super::coordinator::{call_coordinator, find_coordinator};
use super::{Attempts, CALLS_AT_ONCE, PerItem, unanswered};
use crate::consumer::{TopicPartition, decode_assignment};
use crate::{Client, Error, Purpose, Target};

/// A group as the list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Its name.
    pub id: Str,
    /// What it is for: `consumer`, `connect`; empty while it only keeps offsets.
    pub protocol_type: Str,
    /// Its state, as in `Stable`; empty from brokers older than 2.6 (KIP-518).
    pub state: Str,
    /// The kind of protocol its members speak, `classic` or `consumer`; empty
    /// from brokers older than 3.8 (KIP-848).
    pub kind: Str,
}

/// A group and its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub id: Str,
    /// Its state: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`.
    pub state: Str,
    /// What it is for: `consumer`, `connect`; empty while it only keeps offsets.
    pub protocol_type: Str,
    /// The assignor that its members have agreed on.
    pub protocol: Str,
    /// The node that coordinates it.
    pub coordinator: i32,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the coordinator gave it.
    pub member_id: Str,
    /// The id that it keeps over restarts (`group.instance.id`).
    pub instance_id: Option<Str>,
    /// What its client calls itself.
    pub client_id: Str,
    /// Where it comes from, as the broker writes it: `/127.0.0.1`.
    pub host: Str,
    /// What it reads, in ascending order; empty outside of consumer groups.
    pub assignment: Vec<TopicPartition>,
    /// Its subscription as it sent it.
    pub metadata: Bytes,
}

/// The groups that all nodes coordinate, sorted by name. Empty filters let
/// every state and kind pass; brokers that know no filter are filtered here.
pub async fn list_groups(
    client: &Client,
    states: &[Str],
    kinds: &[Str],
) -> Result<Vec<GroupListing>, Error> {
    let cluster = client.cluster().await?;
    let calls =
        cluster.brokers.iter().map(|broker| list_groups_of(client, broker.id, states, kinds));
    let mut groups = BTreeMap::new();
    for answer in join_all(calls).await {
        for group in answer?.groups {
            let listing = GroupListing {
                id: group.group_id,
                protocol_type: group.protocol_type,
                state: group.group_state,
                kind: group.group_type,
            };
            groups.insert(listing.id.clone(), listing);
        }
    }
    let passes = |filter: &[Str], value: &Str| {
        filter.is_empty()
            || value.is_empty()
            || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let passing = groups.into_values();
    Ok(passing.filter(|group| passes(states, &group.state) && passes(kinds, &group.kind)).collect())
}

async fn list_groups_of(
    client: &Client,
    node: i32,
    states: &[Str],
    kinds: &[Str],
) -> Result<ListGroupsResponse, Error> {
    let mut attempts = Attempts::new(client);
    loop {
        let request =
            ListGroupsRequest { states_filter: states.to_vec(), types_filter: kinds.to_vec() };
        let answer = client.call(Target::Node(node), Purpose::General, request).await?;
        let passing = answer.error_code.is_retriable();
        if !passing || !attempts.pause().await {
            Error::check(answer.error_code, None)?;
            return Ok(answer);
        }
    }
}

/// State and members of each group. One that does not exist has the error
/// `GROUP_ID_NOT_FOUND`, or from brokers older than 4.0 the state `Dead`.
pub async fn describe_groups(
    client: &Client,
    groups: &[Str],
) -> Result<PerItem<Str, GroupDescription>, Error> {
    Ok(for_each(groups, async |group| describe_group(client, group).await).await)
}

async fn describe_group(client: &Client, group: &Str) -> Result<GroupDescription, Error> {
    let request =
        DescribeGroupsRequest { groups: vec![group.clone()], include_authorized_operations: false };
    let code = |answer: &protocol::messages::DescribeGroupsResponse| {
        answer.groups.first().map_or(ErrorCode::None, |described| described.error_code)
    };
    let answer = call_coordinator(client, group, i16::MAX, &request, code).await?;
    let described = answer.groups.into_iter().find(|described| described.group_id == *group);
    let described = described.ok_or_else(unanswered)?;
    Error::check(described.error_code, described.error_message.as_ref())?;
    Ok(description(described, find_coordinator(client, group).await?))
}

/// Deletes groups that have no members, with their offsets.
pub async fn delete_groups(client: &Client, groups: &[Str]) -> Result<PerItem<Str, ()>, Error> {
    Ok(for_each(groups, async |group| delete_group(client, group).await).await)
}

async fn delete_group(client: &Client, group: &Str) -> Result<(), Error> {
    let request = DeleteGroupsRequest { groups_names: vec![group.clone()] };
    let code = |answer: &protocol::messages::DeleteGroupsResponse| {
        answer.results.first().map_or(ErrorCode::None, |result| result.error_code)
    };
    let answer = call_coordinator(client, group, i16::MAX, &request, code).await?;
    let result = answer.results.iter().find(|result| result.group_id == *group);
    Error::check(result.ok_or_else(unanswered)?.error_code, None)
}

/// One call for each group, because their coordinators differ; some at a time.
async fn for_each<T>(
    groups: &[Str],
    call: impl AsyncFn(&Str) -> Result<T, Error>,
) -> PerItem<Str, T> {
    let call = &call;
    let calls = groups.iter().map(|group| async move { (group.clone(), call(group).await) });
    stream::iter(calls).buffered(CALLS_AT_ONCE).collect().await
}

fn description(described: DescribedGroup, coordinator: i32) -> GroupDescription {
    let is_consumer = described.protocol_type == "consumer";
    let member = |member: DescribedGroupMember| GroupMember {
        member_id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        assignment: assignment(is_consumer, member.member_assignment),
        metadata: member.member_metadata,
    };
    GroupDescription {
        id: described.group_id,
        state: described.group_state,
        protocol_type: described.protocol_type,
        protocol: described.protocol_data,
        coordinator,
        members: described.members.into_iter().map(member).collect(),
    }
}

/// What other clients write there is their own business: what cannot be read is left out.
fn assignment(is_consumer: bool, bytes: Bytes) -> Vec<TopicPartition> {
    if !is_consumer || bytes.is_empty() {
        return Vec::new();
    }
    let mut partitions = decode_assignment(bytes).unwrap_or_default();
    partitions.sort_unstable();
    partitions
}

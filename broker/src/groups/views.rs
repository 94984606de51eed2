//! Groups as tools see them.

use bytes::Bytes;
use protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use protocol::messages::list_groups::ListedGroup;
use protocol::{ErrorCode, Str};

use super::cell::GroupCell;
use super::coordinator::GroupCoordinator;
use super::state::GroupState;

/// The only type of group that is coordinated here, as ListGroups calls it.
const CLASSIC: &str = "classic";

impl GroupCoordinator {
    /// The groups in one of the states and of one of the types; an empty filter means any.
    /// Names are compared without regard to case.
    ///
    /// # Errors
    /// While groups are being loaded.
    pub(crate) fn list(
        &self,
        states: &[Str],
        types: &[Str],
    ) -> Result<Vec<ListedGroup>, ErrorCode> {
        let is_wanted = |filter: &[Str], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        if self.shared.shards.iter().any(|shard| !shard.is_loaded()) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        if !is_wanted(types, CLASSIC) {
            return Ok(Vec::new());
        }
        let mut groups: Vec<ListedGroup> = self
            .shared
            .cells()
            .iter()
            .map(|cell| listed(cell))
            .filter(|group| is_wanted(states, &group.group_state))
            .collect();
        groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        Ok(groups)
    }

    /// What there is to say about a group; `None` when it does not exist.
    ///
    /// # Errors
    /// While groups are being loaded.
    pub(crate) fn describe(&self, group_id: &str) -> Result<Option<DescribedGroup>, ErrorCode> {
        self.shared.check_loaded(group_id)?;
        Ok(self.shared.find(group_id).map(|cell| described(&cell)))
    }
}

fn listed(cell: &GroupCell) -> ListedGroup {
    let group = cell.group.lock();
    ListedGroup {
        group_id: cell.id.clone(),
        protocol_type: group.state.protocol_type().cloned().unwrap_or_default(),
        group_state: Str::from_static(group.state.state().name()),
        group_type: Str::from_static(CLASSIC),
    }
}

fn described(cell: &GroupCell) -> DescribedGroup {
    let group = cell.group.lock();
    let state = &group.state;
    // Between generations there is no protocol to go by.
    let protocol = state.protocol().filter(|_| state.state() == GroupState::Stable);
    let members = state.members().map(|member| DescribedGroupMember {
        member_id: member.id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        member_metadata: protocol.map_or(Bytes::new(), |protocol| member.metadata(protocol)),
        member_assignment: member.assignment.clone(),
    });
    DescribedGroup {
        group_id: cell.id.clone(),
        group_state: Str::from_static(state.state().name()),
        protocol_type: state.protocol_type().cloned().unwrap_or_default(),
        protocol_data: protocol.cloned().unwrap_or_default(),
        members: members.collect(),
        ..DescribedGroup::default()
    }
}

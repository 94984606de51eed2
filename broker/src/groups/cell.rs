//! A group as the coordinator holds it: the state machine, the offsets, and who waits.

use std::collections::HashMap;
use std::fmt;

use parking_lot::Mutex;
use protocol::Str;
use protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use tokio::sync::oneshot;

use super::offsets::GroupOffsets;
use super::records::GroupRecord;
use super::state::{ClassicGroup, Ticket};

/// One group with its lock.
pub(super) struct GroupCell {
    pub(super) id: Str,
    /// Index of the shard it belongs to.
    pub(super) shard: usize,
    /// Unlike that of any other group of this run.
    pub(super) serial: u64,
    /// Guards everything about the group. Taken after the map of its shard, never
    /// before; the queue of its shard and the timers may be locked after it.
    pub(super) group: Mutex<Group>,
}

impl fmt::Debug for GroupCell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GroupCell").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is behind the lock.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) state: ClassicGroup,
    /// The offsets that are durable.
    pub(super) offsets: GroupOffsets,
    pub(super) joins: HashMap<Ticket, oneshot::Sender<JoinGroupResponse>>,
    pub(super) syncs: HashMap<Ticket, oneshot::Sender<SyncGroupResponse>>,
    last_ticket: Ticket,
    /// Whether the log has a record of the group itself.
    pub(super) has_record: bool,
    /// When the last member went, in milliseconds since 1970.
    pub(super) empty_since: Option<i64>,
    /// Writes that are under way.
    pub(super) writes: usize,
    /// Those who want to know when there are none.
    pub(super) settled: Vec<oneshot::Sender<()>>,
    /// Set while the group is being removed: whoever comes waits until that is over.
    pub(super) removal: Option<Vec<oneshot::Sender<()>>>,
    /// Whether the group is no longer in the map: look it up again.
    pub(super) is_gone: bool,
    /// When the timers look at the group.
    pub(super) armed_at: Option<i64>,
}

impl Group {
    pub(super) fn new(state: ClassicGroup) -> Self {
        Self {
            state,
            offsets: GroupOffsets::default(),
            joins: HashMap::new(),
            syncs: HashMap::new(),
            last_ticket: 0,
            has_record: false,
            empty_since: None,
            writes: 0,
            settled: Vec::new(),
            removal: None,
            is_gone: false,
            armed_at: None,
        }
    }

    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Takes over what is durable now.
    pub(super) fn apply(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Offset { topic, partition, value, .. } => {
                self.offsets.apply(&topic, partition, value);
            }
            GroupRecord::Group { value, .. } => self.has_record = value.is_some(),
        }
    }

    /// Whether nothing would be lost with the group: no member, no offset, no record.
    pub(super) fn is_vacant(&self) -> bool {
        self.state.is_deserted()
            && self.offsets.is_empty()
            && !self.has_record
            && self.writes == 0
            && self.removal.is_none()
            && self.joins.is_empty()
            && self.syncs.is_empty()
    }
}

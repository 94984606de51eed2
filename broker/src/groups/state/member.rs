//! One member of a group.

use bytes::Bytes;
use protocol::Str;

use super::{Protocol, Ticket};

/// One member of a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) client_host: Str,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// What the member can do, what it likes best first. No name twice.
    pub(super) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// The join that waits for the end of the join phase.
    pub(super) join: Option<Ticket>,
    /// The sync that waits for the assignment.
    pub(super) sync: Option<Ticket>,
    /// Whether its client does not know the member's id and cannot find out.
    pub(super) is_nameless: bool,
    /// Whether the member has joined this generation and not asked for its assignment.
    pub(super) owes_sync: bool,
    /// When the session ends; None while a request is parked.
    pub(super) deadline: Option<i64>,
}

impl Member {
    /// What the member said about a protocol; empty for one that it does not have.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|own| own.name == protocol);
        found.map(|own| own.metadata.clone()).unwrap_or_default()
    }

    pub(super) fn is_parked_with(&self, ticket: Ticket) -> bool {
        self.join == Some(ticket) || self.sync == Some(ticket)
    }

    /// The candidate that the member likes best.
    pub(super) fn vote(&self, is_candidate: impl Fn(&str) -> bool) -> Option<&Str> {
        self.protocols.iter().map(|protocol| &protocol.name).find(|name| is_candidate(name))
    }
}

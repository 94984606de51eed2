//! The requests of members: join, sync, heartbeat, leave.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use protocol::{ErrorCode, Str};
use tokio::sync::oneshot;

use super::cell::GroupCell;
use super::coordinator::{GroupCoordinator, Shared};
use super::records::MAX_TEXT_BYTES;
use super::state::{Join, MemberSync, Protocol, Ticket};
use crate::context::Context;

/// Of the client's own name, so much goes into the ids of its members.
const MAX_ID_PREFIX_BYTES: usize = 255;

/// A request that waits. When it is dropped, its client has gone.
struct Parked<T> {
    shared: Arc<Shared>,
    cell: Arc<GroupCell>,
    ticket: Ticket,
    answer: oneshot::Receiver<T>,
    is_over: bool,
}

impl<T> Parked<T> {
    /// The answer, or "not coordinator" when the broker stops.
    async fn answered(mut self, context: &Context) -> Result<T, ErrorCode> {
        let answer = tokio::select! {
            biased;
            answer = &mut self.answer => answer.map_err(|_| ErrorCode::CoordinatorNotAvailable),
            () = context.stopping.cancelled() => Err(ErrorCode::NotCoordinator),
        };
        self.is_over = true;
        answer
    }
}

impl<T> Drop for Parked<T> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut group = self.cell.group.lock();
        let was_waiting =
            group.joins.remove(&self.ticket).is_some() | group.syncs.remove(&self.ticket).is_some();
        if was_waiting && !group.is_gone {
            group.state.abandon(self.ticket, self.shared.clock.now_ms());
            self.shared.finish(&self.cell, group);
        }
    }
}

impl GroupCoordinator {
    /// Joins a group. Waits for the end of the join phase, or until the broker stops.
    pub(crate) async fn join(
        &self,
        request: JoinGroupRequest,
        context: &Context,
    ) -> JoinGroupResponse {
        let member_id = request.member_id.detached();
        let refused = |error_code| JoinGroupResponse {
            error_code,
            member_id: member_id.clone(),
            protocol_name: None,
            ..JoinGroupResponse::default()
        };
        if let Err(error_code) = self.check_join(&request) {
            return refused(error_code);
        }
        let group_id = request.group_id.clone();
        let is_new = request.member_id.is_empty();
        let join = join_of(request, context);
        let parked = self.shared.with_group(&group_id, is_new, |cell, group| {
            let ticket = group.next_ticket();
            let (sender, answer) = oneshot::channel();
            group.joins.insert(ticket, sender);
            group.state.join(ticket, join, self.shared.clock.now_ms());
            self.parked(cell, ticket, answer)
        });
        match parked.await {
            None => refused(ErrorCode::UnknownMemberId),
            Some(parked) => parked.answered(context).await.unwrap_or_else(refused),
        }
    }

    fn check_join(&self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        self.shared.check_group_id(&request.group_id)?;
        let session_timeout_ms = u128::try_from(request.session_timeout_ms).unwrap_or(0);
        if !self.shared.settings.session_timeout_ms.contains(&session_timeout_ms) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        let names = request.protocols.iter().map(|protocol| &protocol.name);
        let mut texts = names
            .chain([&request.member_id, &request.protocol_type])
            .chain(&request.group_instance_id);
        if texts.any(|text| text.len() > MAX_TEXT_BYTES - MAX_ID_PREFIX_BYTES) {
            return Err(ErrorCode::InvalidRequest);
        }
        Ok(())
    }

    fn parked<T>(
        &self,
        cell: &Arc<GroupCell>,
        ticket: Ticket,
        answer: oneshot::Receiver<T>,
    ) -> Parked<T> {
        let (shared, cell) = (Arc::clone(&self.shared), Arc::clone(cell));
        Parked { shared, cell, ticket, answer, is_over: false }
    }

    /// Asks for a member's assignment. Waits until the leader brought it and it is
    /// stored, or until the broker stops.
    pub(crate) async fn sync(
        &self,
        request: SyncGroupRequest,
        context: &Context,
    ) -> SyncGroupResponse {
        let refused = |error_code| SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
        if let Err(error_code) = self.shared.check_group_id(&request.group_id) {
            return refused(error_code);
        }
        let sync = MemberSync {
            member_id: request.member_id,
            instance_id: request.group_instance_id,
            generation: request.generation_id,
            protocol_type: request.protocol_type,
            protocol: request.protocol_name,
            assignments: request.assignments,
        };
        let parked = self.shared.with_group(&request.group_id, false, |cell, group| {
            let ticket = group.next_ticket();
            let (sender, answer) = oneshot::channel();
            group.syncs.insert(ticket, sender);
            group.state.sync(ticket, sync, self.shared.clock.now_ms());
            self.parked(cell, ticket, answer)
        });
        match parked.await {
            None => refused(ErrorCode::UnknownMemberId),
            Some(parked) => parked.answered(context).await.unwrap_or_else(refused),
        }
    }

    /// Keeps a member alive and tells it how the group is.
    pub(crate) async fn heartbeat(&self, request: &HeartbeatRequest) -> ErrorCode {
        match self.shared.check_group_id(&request.group_id) {
            // Nobody expires meanwhile, so there is nothing to worry about.
            Err(ErrorCode::CoordinatorLoadInProgress) => return ErrorCode::None,
            Err(error_code) => return error_code,
            Ok(()) => {}
        }
        let now = self.shared.clock.now_ms();
        let alive = self.shared.with_group(&request.group_id, false, |_, group| {
            group.state.heartbeat(
                &request.member_id,
                request.group_instance_id.as_deref(),
                request.generation_id,
                now,
            )
        });
        alive.await.unwrap_or(ErrorCode::UnknownMemberId)
    }

    /// Takes members out of a group, with one result for each.
    ///
    /// # Errors
    /// The error that holds for the request as a whole.
    pub(crate) async fn leave(
        &self,
        group_id: &str,
        members: Vec<MemberIdentity>,
    ) -> Result<Vec<MemberResponse>, ErrorCode> {
        self.shared.check_group_id(group_id)?;
        let now = self.shared.clock.now_ms();
        let unknown: Vec<MemberResponse> = members
            .iter()
            .map(|member| MemberResponse {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                error_code: ErrorCode::UnknownMemberId,
            })
            .collect();
        let left =
            self.shared.with_group(group_id, false, |_, group| group.state.leave(members, now));
        Ok(left.await.unwrap_or(unknown))
    }
}

/// What outlives the request is copied out of its frame.
fn join_of(request: JoinGroupRequest, context: &Context) -> Join {
    let mut seen = HashSet::new();
    let protocols = request.protocols.iter().filter(|protocol| seen.insert(protocol.name.clone()));
    let protocols = protocols.map(|protocol| Protocol {
        name: protocol.name.detached(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    });
    let prefix = request.group_instance_id.as_deref().unwrap_or(&context.client_id);
    let prefix = prefix.get(..prefix.floor_char_boundary(MAX_ID_PREFIX_BYTES)).unwrap_or_default();
    Join {
        protocols: protocols.collect(),
        new_member_id: Str::from(format!("{prefix}-{}", uuid::Uuid::new_v4())),
        member_id: request.member_id.detached(),
        instance_id: request.group_instance_id.map(|id| id.detached()),
        client_id: context.client_id.detached(),
        client_host: context.client_host.detached(),
        session_timeout_ms: request.session_timeout_ms,
        // Version 0 has one timeout for both.
        rebalance_timeout_ms: if context.api_version == 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: request.protocol_type.detached(),
        must_know_id: context.api_version >= 4,
        can_skip_assignment: context.api_version >= 9,
    }
}

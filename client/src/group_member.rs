//! Membership in a classic group whose members are no consumers: they speak a
//! protocol of their own, such as the `sr` of Schema Registries, and the group
//! does no more for them than to agree on something.
//!
//! One task keeps the member in its group. It joins, lets the group's leader
//! assign, tells the outcome, and sends heartbeats until the group rebalances:
//! then all of that begins anew.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::heartbeat::HeartbeatRequest;
use protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use protocol::{ErrorCode, Request, Str};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::find_coordinator;
use crate::{Backoff, Client, Error, Purpose, Target};

/// How much longer than the rebalance timeout the answer to a join is waited for.
const PARKED_MARGIN: Duration = Duration::from_secs(5);
/// How long leaving may hold up closing.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many failures in a row may be expected to pass.
const PASSING_FAILURES: u32 = 5;
/// The generation of a member that has not joined.
const NO_GENERATION: i32 = -1;

/// What the members of a group say to each other. Called by the task of
/// [`GroupMember`]; must return soon.
pub trait GroupProtocol: Send + Sync + 'static {
    /// What this member tells the one that assigns.
    fn metadata(&self) -> Bytes;

    /// Makes the assignment of every member out of what they told. Called on
    /// the member that the coordinator has chosen.
    fn assign(&self, members: Vec<(Str, Bytes)>) -> Vec<(Str, Bytes)>;

    /// What was assigned to this member, which the group calls `member_id`.
    fn assigned(&self, member_id: &str, assignment: Bytes);

    /// The last assignment does not hold any more: the group rebalances, or has
    /// not been heard of for as long as a session lasts.
    fn revoked(&self);
}

/// The settings of a [`GroupMember`].
#[derive(Debug, Clone)]
pub struct GroupMemberConfig {
    /// The group to join.
    pub group_id: Str,
    /// What kind of group it is; the coordinator refuses members of another kind.
    pub protocol_type: Str,
    /// The one protocol that this member speaks.
    pub protocol_name: Str,
    /// How long the group waits for a silent member (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// Time between two heartbeats (`heartbeat.interval.ms`).
    pub heartbeat_interval: Duration,
    /// How long the group waits for this member to join again.
    pub rebalance_timeout: Duration,
}

/// A member of a group. It leaves in the background when it is dropped;
/// [`GroupMember::leave`] also waits for that.
#[derive(Debug)]
pub struct GroupMember {
    rejoin: Arc<Notify>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl GroupMember {
    /// Joins the group, and again whenever that is needed.
    pub fn join(
        client: Client,
        config: GroupMemberConfig,
        protocol: Arc<dyn GroupProtocol>,
    ) -> Self {
        let rejoin = Arc::new(Notify::new());
        let cancel = CancellationToken::new();
        let tasks = TaskTracker::new();
        let task = Task {
            purpose: Purpose::Group(client.unique_id()),
            rejoin: Arc::clone(&rejoin),
            cancel: cancel.clone(),
            member_id: Str::default(),
            generation: NO_GENERATION,
            heard_at: Instant::now(),
            client: client.clone(),
            config,
            protocol,
        };
        tasks.spawn_on(task.run(), client.runtime());
        Self { rejoin, cancel, tasks }
    }

    /// Makes the group assign anew, because [`GroupProtocol::metadata`] says something else.
    pub fn rejoin(&self) {
        self.rejoin.notify_one();
    }

    /// Leaves the group; takes at most five seconds.
    pub async fn leave(&self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for GroupMember {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// See the module.
struct Task {
    client: Client,
    config: GroupMemberConfig,
    protocol: Arc<dyn GroupProtocol>,
    purpose: Purpose,
    rejoin: Arc<Notify>,
    cancel: CancellationToken,
    /// Empty until the coordinator has given one.
    member_id: Str,
    generation: i32,
    /// When the coordinator last called this one a member.
    heard_at: Instant,
}

impl fmt::Debug for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Task").field("group", &self.config.group_id).finish_non_exhaustive()
    }
}

/// Why a round of the membership ended.
enum Interrupted {
    /// Begin anew at once.
    Again,
    /// Begin anew after a pause.
    Later(Error),
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        Self::Later(error)
    }
}

impl Task {
    async fn run(mut self) {
        let cancel = self.cancel.clone();
        cancel.run_until_cancelled(self.stay()).await;
        self.protocol.revoked();
        // Whatever the answer: the session ends by itself too.
        let _ = timeout(LEAVE_TIMEOUT, self.leave()).await;
        self.client.release(self.purpose);
    }

    async fn stay(&mut self) {
        let config = self.client.config();
        let backoff = Backoff { first: config.retry_backoff, max: config.retry_backoff_max };
        let mut failures = 0;
        loop {
            match self.round(&mut failures).await {
                Interrupted::Again => {}
                Interrupted::Later(error) => {
                    failures += 1;
                    // What passes by itself is worth a word only when it does not.
                    if failures == if error.is_retriable() { PASSING_FAILURES } else { 1 } {
                        tracing::warn!(group = %self.config.group_id, %error, "a call of a group member failed");
                    }
                    self.client.cache_coordinator(&self.config.group_id, None);
                    if self.heard_at.elapsed() >= self.config.session_timeout {
                        self.protocol.revoked();
                    }
                    sleep(backoff.pause(failures)).await;
                }
            }
        }
    }

    /// Joins and stays until something makes the member begin anew.
    async fn round(&mut self, failures: &mut u32) -> Interrupted {
        let outcome = async {
            if self.generation == NO_GENERATION {
                let joined = self.join().await?;
                self.sync(joined).await?;
            }
            *failures = 0;
            self.send_heartbeats().await
        };
        match outcome.await {
            Ok(()) => Interrupted::Again,
            Err(interrupted) => interrupted,
        }
    }

    async fn join(&mut self) -> Result<JoinGroupResponse, Interrupted> {
        let Self { config, .. } = self;
        let request = JoinGroupRequest {
            group_id: config.group_id.clone(),
            session_timeout_ms: millis(config.session_timeout),
            rebalance_timeout_ms: millis(config.rebalance_timeout),
            member_id: self.member_id.clone(),
            group_instance_id: None,
            protocol_type: config.protocol_type.clone(),
            protocols: vec![JoinGroupRequestProtocol {
                name: config.protocol_name.clone(),
                metadata: self.protocol.metadata(),
            }],
            reason: None,
        };
        let answer = self.parked(request).await?;
        if answer.error_code == ErrorCode::MemberIdRequired {
            // KIP-394: the coordinator wants to see the id that it just gave.
            self.member_id = answer.member_id.detached();
            return Err(Interrupted::Again);
        }
        self.check(answer.error_code)?;
        self.member_id = answer.member_id.detached();
        self.generation = answer.generation_id;
        Ok(answer)
    }

    async fn sync(&mut self, joined: JoinGroupResponse) -> Result<(), Interrupted> {
        let is_leader = joined.leader == joined.member_id;
        let assignments = if is_leader {
            let members = joined.members.into_iter();
            let members = members.map(|member| (member.member_id.detached(), member.metadata));
            self.protocol.assign(members.collect())
        } else {
            Vec::new()
        };
        let assignments = assignments.into_iter();
        let request = SyncGroupRequest {
            group_id: self.config.group_id.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: None,
            protocol_type: Some(self.config.protocol_type.clone()),
            protocol_name: Some(self.config.protocol_name.clone()),
            assignments: assignments
                .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment })
                .collect(),
        };
        // Whatever went wrong, another join tells.
        let generation = std::mem::replace(&mut self.generation, NO_GENERATION);
        let answer = self.parked(request).await?;
        self.check(answer.error_code)?;
        self.generation = generation;
        self.heard_at = Instant::now();
        self.protocol.assigned(&self.member_id, answer.assignment);
        Ok(())
    }

    /// Returns when the member has to join again, for whatever reason.
    async fn send_heartbeats(&mut self) -> Result<(), Interrupted> {
        loop {
            tokio::select! {
                () = sleep(self.config.heartbeat_interval) => {}
                () = self.rejoin.notified() => {
                    self.generation = NO_GENERATION;
                    return Ok(());
                }
            }
            let request = HeartbeatRequest {
                group_id: self.config.group_id.clone(),
                generation_id: self.generation,
                member_id: self.member_id.clone(),
                group_instance_id: None,
            };
            let node = self.coordinator().await?;
            let answer = self.client.call(Target::Node(node), Purpose::General, request).await?;
            if answer.error_code == ErrorCode::RebalanceInProgress {
                self.generation = NO_GENERATION;
                self.protocol.revoked();
                return Ok(());
            }
            self.check(answer.error_code)?;
            self.heard_at = Instant::now();
        }
    }

    /// Takes an error code apart: what it says about this member, and when to begin anew.
    fn check(&mut self, code: ErrorCode) -> Result<(), Interrupted> {
        match code {
            ErrorCode::None => return Ok(()),
            ErrorCode::UnknownMemberId => {
                self.member_id = Str::default();
                self.generation = NO_GENERATION;
                self.protocol.revoked();
                return Err(Interrupted::Again);
            }
            ErrorCode::IllegalGeneration | ErrorCode::RebalanceInProgress => {
                self.generation = NO_GENERATION;
                self.protocol.revoked();
                return Err(Interrupted::Again);
            }
            // The coordinator is elsewhere, or not there yet: the generation may still hold.
            ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress => {}
            // What pauses do not mend either is still tried: somebody may set it right.
            _ => {
                self.generation = NO_GENERATION;
                self.protocol.revoked();
            }
        }
        Err(Interrupted::Later(Error::Kafka { code, message: None }))
    }

    async fn coordinator(&self) -> Result<i32, Error> {
        find_coordinator(&self.client, &self.config.group_id).await
    }

    /// A call that the coordinator may hold back until the other members have come.
    async fn parked<R: Request>(&self, request: R) -> Result<R::Response, Error> {
        let node = self.coordinator().await?;
        let wait = self.config.rebalance_timeout + PARKED_MARGIN;
        self.client.call_within(Target::Node(node), self.purpose, request, wait).await
    }

    async fn leave(&self) -> Result<(), Error> {
        if self.member_id.is_empty() {
            return Ok(());
        }
        let member = MemberIdentity {
            member_id: self.member_id.clone(),
            reason: Some(Str::from_static("the member is being closed")),
            ..MemberIdentity::default()
        };
        let request = LeaveGroupRequest {
            group_id: self.config.group_id.clone(),
            member_id: self.member_id.clone(),
            members: vec![member],
        };
        let node = self.coordinator().await?;
        self.client.call(Target::Node(node), Purpose::General, request).await.map(drop)
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

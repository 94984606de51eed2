//! The task that keeps a subscribed consumer in its group: it does what
//! [`Membership`] says is next, and watches the topics.
//!
//! It needs nobody to read. Its only timer is that of the heartbeat, which goes
//! out earlier when another member of this client comes or goes; while somebody
//! reads and a subscribed topic does not exist, it looks for the topic in between.

use std::cmp::min;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use protocol::{Request, Str};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::assignor::{Assignor, Member};
use super::error::ConsumerError;
use super::membership::{Membership, Step, group_topics};
use super::neighbours::{HEARTBEAT_WHILE_JOINING, Neighbours};
use super::shared::Shared;
use super::state::Interest;
use super::topic_partition::TopicPartition;
use crate::Error;

/// How often a missing topic is looked for while somebody waits for its records.
const MISSING_TOPIC_INTERVAL: Duration = Duration::from_millis(100);
/// How long leaving may hold up closing.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct GroupTask {
    shared: Arc<Shared>,
    cancel: CancellationToken,
    group_id: Str,
    membership: Membership,
    neighbours: Neighbours,
    /// The subscription that is in force here; `State::interest_id`.
    interest_id: u64,
    /// Whether the topics of the subscription were looked at once.
    has_looked: bool,
    /// Whether they were looked at since the last assignment.
    topics_are_fresh: bool,
    /// Partition counts of the topics that the last join was made with.
    watched: BTreeMap<Str, i32>,
    looked_at: Instant,
}

impl GroupTask {
    pub(super) fn new(shared: Arc<Shared>, group_id: Str) -> Self {
        let now = Instant::now();
        Self {
            membership: Membership::new(group_id.clone(), &shared.config, now),
            neighbours: shared.client.neighbourhoods().enter(group_id.clone()),
            cancel: shared.cancel.clone(),
            shared,
            group_id,
            interest_id: 0,
            has_looked: false,
            topics_are_fresh: false,
            watched: BTreeMap::new(),
            looked_at: now,
        }
    }

    /// Runs until the consumer is closed, and leaves the group then.
    pub(super) async fn run(mut self) {
        while !self.cancel.is_cancelled() {
            if !self.follow_interest().await {
                self.wait(None).await;
                continue;
            }
            let cancel = self.cancel.clone();
            // All the time but for some moments a member waits: then it has no room for all
            // that it could do.
            let step: Pin<Box<dyn Future<Output = ()> + Send>> =
                match self.membership.next_step(Instant::now()) {
                    Step::Wait(until) => Box::pin(self.rest(until)),
                    step => Box::pin(self.do_step(step)),
                };
            tokio::select! {
                () = step => self.publish(),
                // Whatever the step was: what is left to do is to leave.
                () = cancel.cancelled() => {}
            }
        }
        Box::pin(self.leave()).await;
        self.shared.release_connections();
    }

    /// Takes over a new subscription. Returns whether there is one.
    async fn follow_interest(&mut self) -> bool {
        let (uses_group, interest_id, refused) = {
            let mut state = self.shared.state.lock();
            (state.uses_group(), state.interest_id, state.refused_commit.take())
        };
        if let Some((generation, code)) = refused {
            self.membership.call_refused(Instant::now(), generation, code);
        }
        if uses_group && interest_id != self.interest_id {
            self.interest_id = interest_id;
            self.has_looked = false;
            self.topics_are_fresh = false;
            self.membership.rejoin("the subscription changed");
        }
        if !uses_group && self.membership.leave_request().is_some() {
            Box::pin(self.leave()).await;
        }
        uses_group
    }

    async fn do_step(&mut self, step: Step) {
        let now = Instant::now;
        match step {
            Step::FindCoordinator => match self.shared.find_coordinator().await {
                Ok(node) => self.membership.coordinator_found(now(), node),
                Err(error) => self.fail(error).await,
            },
            Step::Revoke(partitions) => self.revoke(partitions).await,
            Step::Lose(partitions) => self.lose(&partitions),
            Step::Join(node, request) => {
                if !self.topics_are_fresh {
                    return self.look_before_joining().await;
                }
                {
                    let mut state = self.shared.state.lock();
                    // Those who wait for an assignment wait for the one to come.
                    state.has_assignment &= !state.partitions.is_empty();
                }
                let joining = self.neighbours.join();
                let answer = self.parked(node, request).await;
                drop(joining);
                if let Some(answer) = answer {
                    let answer = self.checked(answer).await;
                    self.membership.joined(now(), answer);
                }
            }
            Step::AssignGroup(assignor, members) => self.assign_group(assignor, &members).await,
            Step::Sync(node, request) => {
                let answer = match self.parked(node, request).await {
                    Some(answer) => self.checked(answer).await,
                    None => None,
                };
                self.membership.synced(now(), answer);
            }
            Step::Adopt(assigned) => self.adopt(assigned),
            Step::Heartbeat(node, request) => {
                let answer = self.shared.call_soon(node, request).await;
                let answer = self.checked(answer).await;
                self.membership.heartbeat_answered(now(), answer);
                self.look_if_due().await;
            }
            Step::Wait(until) => self.rest(until).await,
            Step::Failed(code) => {
                let failure = ConsumerError::Group { group: self.group_id.clone(), code };
                self.fail(failure).await;
            }
        }
    }

    /// The answer, or `None` where a call failed for now. What failed for good ends the membership.
    async fn checked<T>(&mut self, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) if error.is_retriable() => {
                self.shared.state.lock().coordinator = None;
                None
            }
            Err(error) => {
                self.fail(error.into()).await;
                None
            }
        }
    }

    /// Tells the readers, and rests until there is another subscription.
    async fn fail(&mut self, failure: ConsumerError) {
        tracing::warn!(group = %self.group_id.as_str(), error = %failure, "the consumer cannot stay in its group");
        {
            let mut state = self.shared.state.lock();
            if state.interest_id == self.interest_id {
                state.fail(failure);
            }
            state.has_assignment = false;
            if state.uses_group() {
                state.give_up_all();
            }
        }
        self.shared.changed.notify_waiters();
        while !self.cancel.is_cancelled()
            && self.shared.state.lock().interest_id == self.interest_id
        {
            self.wait(None).await;
        }
        Box::pin(self.leave()).await;
        self.membership =
            Membership::new(self.group_id.clone(), &self.shared.config, Instant::now());
    }

    /// A call that the coordinator may hold back. `None`: the consumer reads
    /// something else now, and the answer does not matter.
    async fn parked<R: Request>(
        &self,
        node: i32,
        request: R,
    ) -> Option<Result<R::Response, Error>> {
        let wait = self.shared.config.rebalance_timeout;
        let call = self.shared.call_parked(node, request, wait);
        tokio::pin!(call);
        loop {
            tokio::select! {
                answer = &mut call => return Some(answer),
                () = self.shared.wake.notified() => {
                    // Another subscription to topics can wait for the end of the join.
                    if !self.shared.state.lock().uses_group() {
                        return None;
                    }
                }
            }
        }
    }

    async fn wait(&mut self, until: Option<Instant>) {
        let look_at = {
            let state = self.shared.state.lock();
            (state.missing_topics && state.readers > 0)
                .then(|| self.looked_at + MISSING_TOPIC_INTERVAL)
        };
        let ask_at = (self.membership.is_stable() && self.neighbours.is_one_joining())
            .then(|| Instant::now() + HEARTBEAT_WHILE_JOINING);
        let until = until.map(|until| [look_at, ask_at].into_iter().flatten().fold(until, min));
        let timer = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            () = self.shared.wake.notified() => {}
            () = self.neighbours.stirred() => {}
            () = self.cancel.cancelled() => {}
        }
        if self.neighbours.take_news() && self.membership.is_stable() {
            self.membership.heartbeat_by(Instant::now());
        }
    }

    /// Lets the application finish with the partitions, then drops them.
    async fn revoke(&mut self, partitions: Vec<TopicPartition>) {
        self.shared.revoke(&partitions).await;
        {
            let mut state = self.shared.state.lock();
            state.give_up(&partitions);
            // An eager member has nothing now until the join is over.
            state.has_assignment &= !state.partitions.is_empty();
        }
        self.shared.changed.notify_waiters();
        self.membership.revoked(&partitions);
    }

    fn lose(&mut self, partitions: &[TopicPartition]) {
        tracing::info!(group = %self.group_id.as_str(), partitions = partitions.len(), "the group took partitions away");
        {
            let mut state = self.shared.state.lock();
            state.give_up(partitions);
            state.has_assignment = false;
        }
        if let Some(listener) = self.shared.listener() {
            listener.lost(partitions);
        }
        self.shared.changed.notify_waiters();
        self.membership.revoked(partitions);
    }

    async fn assign_group(&mut self, assignor: Assignor, members: &[Member]) {
        let topics: Vec<_> = group_topics(members).into_keys().collect();
        match self.shared.partition_counts(&topics, false).await {
            Ok(counts) => {
                self.membership.group_assigned(&assignor.assign(&counts, members));
                self.watched = counts;
            }
            Err(error) => {
                tracing::debug!(group = %self.group_id.as_str(), %error, "the group's topics cannot be looked up");
                self.membership.join_later(Instant::now());
            }
        }
    }

    fn adopt(&mut self, assigned: Vec<TopicPartition>) {
        self.membership.adopted();
        self.topics_are_fresh = false;
        {
            let mut state = self.shared.state.lock();
            // The application may read something else by now, without the group.
            if state.uses_group() {
                state.replace(assigned);
                state.has_assignment = state.interest_id == self.interest_id;
            }
        }
        self.publish();
        self.shared.changed.notify_waiters();
        self.shared.resolve_in_background();
    }

    /// Shows the membership to the consumer's calls.
    fn publish(&self) {
        let mut state = self.shared.state.lock();
        let identity = self.membership.identity();
        if state.identity.as_ref() != Some(identity) {
            state.identity = Some(identity.clone());
        }
        if self.membership.coordinator().is_none() {
            state.coordinator = None;
        }
    }

    /// Waits, and looks at the topics when it is time for that.
    async fn rest(&mut self, until: Instant) {
        self.wait(Some(until)).await;
        Box::pin(self.look_if_due()).await;
    }

    async fn look_if_due(&mut self) {
        if !self.membership.is_stable() {
            return;
        }
        let is_awaited = {
            let state = self.shared.state.lock();
            state.missing_topics && state.readers > 0
        };
        let age = self.looked_at.elapsed();
        let is_due = age >= self.shared.config.metadata_max_age
            || (is_awaited && age >= MISSING_TOPIC_INTERVAL);
        if is_due && let Err(error) = self.look().await {
            self.fail(error).await;
        }
    }

    /// A member joins knowing its topics, so that what it is assigned is what
    /// there was when it began.
    async fn look_before_joining(&mut self) {
        match self.look().await {
            Ok(()) if self.has_looked => self.topics_are_fresh = true,
            Ok(()) => self.membership.join_later(Instant::now()),
            Err(error) => self.fail(error).await,
        }
    }

    /// Looks at the subscription's topics; joins again when there are other
    /// topics or partitions than at the last join. A lookup that fails for now
    /// changes nothing.
    async fn look(&mut self) -> Result<(), ConsumerError> {
        let interest = self.shared.state.lock().interest.clone();
        self.looked_at = Instant::now();
        let counts = match &interest {
            Interest::Topics(topics) => {
                let create = self.shared.config.allow_auto_create_topics;
                self.shared.partition_counts(topics, create).await
            }
            Interest::Pattern(matches) => self.shared.matching_partition_counts(&**matches).await,
            Interest::Nothing | Interest::Partitions => return Ok(()),
        };
        let mut counts = match counts {
            Ok(counts) => counts,
            Err(error) if error.error_code().is_retriable() => return Ok(()),
            Err(error) => return Err(error),
        };
        let topics = match interest {
            Interest::Topics(topics) => topics,
            _ => counts.keys().cloned().collect(),
        };
        self.note_first_seen(&topics, &counts);
        let others: Vec<_> =
            self.watched.keys().filter(|topic| !topics.contains(topic)).cloned().collect();
        if self.membership.is_leader() && !others.is_empty() {
            match self.shared.partition_counts(&others, false).await {
                Ok(others) => counts.extend(others),
                Err(_) => return Ok(()),
            }
        }
        self.membership.set_topics(topics);
        if counts != self.watched {
            if self.membership.is_stable() {
                self.membership.rejoin("topics or partitions changed");
            }
            self.watched = counts;
        }
        Ok(())
    }

    fn note_first_seen(&mut self, topics: &[Str], counts: &BTreeMap<Str, i32>) {
        let mut state = self.shared.state.lock();
        let is_pattern = matches!(state.interest, Interest::Pattern(_));
        for topic in topics {
            let count = counts.get(topic).copied().unwrap_or(0);
            // A topic that a pattern matches only now was made since the subscription.
            let count = if is_pattern && self.has_looked { 0 } else { count };
            state.first_seen.entry(topic.clone()).or_insert(count);
        }
        state.missing_topics =
            topics.is_empty() || topics.iter().any(|topic| !counts.contains_key(topic));
        if is_pattern {
            state.topics = topics.to_vec();
        }
        self.has_looked = true;
    }

    async fn leave(&mut self) {
        if let Some(request) = self.membership.leave_request() {
            let leave = async {
                if let Ok(Some(node)) = self.shared.find_coordinator().await {
                    // Whatever the answer: the session ends by itself too.
                    let _ = self.shared.call(node, request).await;
                }
            };
            let _ = timeout(LEAVE_TIMEOUT, leave).await;
            self.neighbours.left();
        }
        self.membership.left();
        self.watched.clear();
        let mut state = self.shared.state.lock();
        state.identity = None;
        self.interest_id = 0;
        self.has_looked = false;
    }
}

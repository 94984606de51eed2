//! What the calls of a consumer, its group task and its fetches have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponseTopic};
use protocol::{ErrorCode, Request, Str, Uuid};
use tokio::sync::Notify;
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::RebalanceListener;
use super::config::ConsumerConfig;
use super::error::ConsumerError;
use super::fetcher::Fetcher;
use super::state::{State, TopicFilter};
use super::topic_partition::TopicPartition;
use crate::{AutoCreate, Backoff, Client, Error, Purpose, Target, Topic};

/// How much later than it should an answer may come that the coordinator holds back.
const PARKED_MARGIN: Duration = Duration::from_secs(5);

/// See the module. Locks are taken in the order of the fields, and only those
/// of tokio are held across an await.
pub(super) struct Shared {
    pub(super) client: Client,
    /// Tells the connections of this consumer from those of others.
    id: u64,
    pub(super) config: ConsumerConfig,
    /// Held by the call that reads for everybody.
    pub(super) fetcher: tokio::sync::Mutex<Fetcher>,
    /// Held by whoever looks up positions.
    pub(super) resolving: tokio::sync::Mutex<()>,
    pub(super) state: Mutex<State>,
    listener: Mutex<Option<Arc<dyn RebalanceListener>>>,
    /// Assignment, positions, membership or failure changed.
    pub(super) changed: Notify,
    /// There is something to do for the group task.
    pub(super) wake: Notify,
    pub(super) cancel: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// How often somebody learnt that leaders may be wrong.
    stale_hints: AtomicU64,
    /// Up to which of these hints leaders were looked up since.
    refreshed: AtomicU64,
    runtime: tokio::runtime::Handle,
}

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leader {
    pub(super) node: i32,
    pub(super) epoch: i32,
    pub(super) topic_id: Uuid,
}

/// Counts as a reader while it lives.
pub(super) struct Reader<'a>(&'a Shared);

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.0.state.lock().readers -= 1;
    }
}

impl Shared {
    pub(super) fn new(client: Client, config: ConsumerConfig) -> Self {
        Self {
            id: client.unique_id(),
            runtime: client.runtime().clone(),
            client,
            config,
            fetcher: tokio::sync::Mutex::default(),
            resolving: tokio::sync::Mutex::default(),
            state: Mutex::default(),
            listener: Mutex::default(),
            changed: Notify::new(),
            wake: Notify::new(),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            stale_hints: AtomicU64::new(0),
            refreshed: AtomicU64::new(0),
        }
    }

    pub(super) fn set_listener(&self, listener: Option<Arc<dyn RebalanceListener>>) {
        let former = std::mem::replace(&mut *self.listener.lock(), listener);
        // Outside of the lock: it may hold the last clone of this consumer.
        drop(former);
    }

    pub(super) fn listener(&self) -> Option<Arc<dyn RebalanceListener>> {
        self.listener.lock().clone()
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }

    /// There is another interest: for the group task and for those who wait.
    pub(super) fn interest_changed(&self) {
        self.wake.notify_one();
        self.changed.notify_waiters();
    }

    /// Ends everything. What the group task has left to do is to leave.
    pub(super) fn end(&self) {
        self.state.lock().close();
        self.cancel.cancel();
        self.changed.notify_waiters();
        self.set_listener(None);
        // Whoever holds it is about to end, and stops it then.
        if let Ok(mut fetcher) = self.fetcher.try_lock() {
            fetcher.stop();
        }
        self.release_connections();
    }

    /// Closes the connections of the consumer's own.
    pub(super) fn release_connections(&self) {
        self.client.release(Purpose::Fetch(self.id));
        self.client.release(Purpose::Group(self.id));
    }

    /// Counts the caller as one who waits for records.
    pub(super) fn reader(&self) -> Reader<'_> {
        let missing_topics = {
            let mut state = self.state.lock();
            state.readers += 1;
            state.missing_topics
        };
        if missing_topics {
            self.wake.notify_one();
        }
        Reader(self)
    }

    /// Lets the application finish with partitions that are about to go.
    pub(super) async fn revoke(&self, partitions: &[TopicPartition]) {
        self.state.lock().begin_revoking(partitions);
        let Some(listener) = self.listener() else { return };
        // Meanwhile there are no heartbeats.
        let limit = self.config.session_timeout / 3;
        if timeout(limit, listener.revoked(partitions.to_vec())).await.is_err() {
            tracing::warn!(
                partitions = partitions.len(),
                "revoked partitions are given up before their listener is done"
            );
        }
    }

    /// The group task has to know that a commit was refused.
    pub(super) fn commit_refused(&self, generation: i32, code: ErrorCode) {
        self.state.lock().refused_commit = Some((generation, code));
        self.wake.notify_one();
    }

    /// A call of the application with its retries: ends in time, whatever it waits for.
    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, ConsumerError>>,
    ) -> Result<T, ConsumerError> {
        let limit = self.config.api_timeout;
        self.state.lock().check_open()?;
        tokio::select! {
            biased;
            outcome = timeout(limit, call) => {
                outcome.unwrap_or_else(|_| Err(ConsumerError::Timeout(limit.as_millis())))
            }
            () = self.cancel.cancelled() => Err(ConsumerError::Closed),
        }
    }

    /// The pause before something is tried again.
    pub(super) async fn pause(&self) {
        sleep(self.config.retry_backoff).await;
    }

    /// Looks up the positions of a new assignment; ends with it.
    pub(super) fn resolve_in_background(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let assignment_id = shared.state.lock().assignment_id;
        let first = self.config.retry_backoff;
        let backoff = Backoff { first, max: first.saturating_mul(10) };
        self.spawn(async move {
            for round in 1.. {
                tokio::select! {
                    () = shared.resolve() => {}
                    () = shared.cancel.cancelled() => return,
                }
                {
                    let state = shared.state.lock();
                    if state.assignment_id != assignment_id || state.is_resolved() {
                        return;
                    }
                }
                tokio::select! {
                    () = sleep(backoff.pause(round)) => {}
                    () = shared.cancel.cancelled() => return,
                }
            }
        });
    }
}

/// Calls of the cluster, each on the connection that it may hold up.
impl Shared {
    /// On the connection that everybody shares: answered at once.
    pub(super) async fn call<R: Request>(
        &self,
        node: i32,
        request: R,
    ) -> Result<R::Response, Error> {
        self.client.call(Target::Node(node), Purpose::General, request).await
    }

    pub(super) async fn call_any<R: Request>(&self, request: R) -> Result<R::Response, Error> {
        self.client.call(Target::Any, Purpose::General, request).await
    }

    /// For calls between two heartbeats: the session must not end meanwhile.
    fn call_limit(&self) -> Duration {
        self.config.api_timeout.min(self.config.session_timeout / 3)
    }

    /// For calls of the group task that are answered at once.
    pub(super) async fn call_soon<R: Request>(
        &self,
        node: i32,
        request: R,
    ) -> Result<R::Response, Error> {
        let limit = self.call_limit();
        self.client.call_within(Target::Node(node), Purpose::General, request, limit).await
    }

    /// Current metadata, past the client's cache.
    async fn describe(
        &self,
        topics: Option<Vec<MetadataRequestTopic>>,
        allow_auto_topic_creation: bool,
    ) -> Result<Vec<MetadataResponseTopic>, ConsumerError> {
        let request =
            MetadataRequest { topics, allow_auto_topic_creation, ..MetadataRequest::default() };
        let limit = self.call_limit();
        let answer = self.client.call_within(Target::Any, Purpose::General, request, limit).await;
        Ok(answer?.topics)
    }

    /// How many partitions each topic has now. Topics that do not exist are left
    /// out; with `create`, the broker may make them.
    pub(super) async fn partition_counts(
        &self,
        topics: &[Str],
        create: bool,
    ) -> Result<BTreeMap<Str, i32>, ConsumerError> {
        let named =
            |topic: &Str| MetadataRequestTopic { name: Some(topic.clone()), ..Default::default() };
        let described = self.describe(Some(topics.iter().map(named).collect()), create).await?;
        let mut counts = BTreeMap::new();
        for topic in described {
            let Some(name) = topic.name else { continue };
            match topic.error_code {
                ErrorCode::InvalidTopicException => {
                    return Err(ConsumerError::InvalidTopic(name.detached()));
                }
                ErrorCode::TopicAuthorizationFailed => {
                    return Err(ConsumerError::Topic {
                        topic: name.detached(),
                        code: topic.error_code,
                    });
                }
                _ if topic.partitions.is_empty() => {}
                _ => {
                    counts.insert(name.detached(), topic.partitions.len() as i32);
                }
            }
        }
        Ok(counts)
    }

    /// As [`Shared::partition_counts`], of all topics that the filter lets pass.
    pub(super) async fn matching_partition_counts(
        &self,
        matches: &TopicFilter,
    ) -> Result<BTreeMap<Str, i32>, ConsumerError> {
        let described = self.describe(None, false).await?;
        let matching = described
            .into_iter()
            .filter(|topic| !topic.is_internal && !topic.partitions.is_empty());
        let counted =
            matching.filter_map(|topic| Some((topic.name?, topic.partitions.len() as i32)));
        Ok(counted
            .filter(|(name, _)| matches(name))
            .map(|(name, count)| (name.detached(), count))
            .collect())
    }

    /// The topic, looked up once if it is not known.
    pub(super) async fn topic(&self, name: &str) -> Result<Option<Arc<Topic>>, Error> {
        self.client.topic(name, AutoCreate::No).await
    }

    /// Ids of those of the topics that exist.
    pub(super) async fn topic_ids(&self, names: impl Iterator<Item = &Str>) -> BTreeMap<Str, Uuid> {
        let mut ids = BTreeMap::new();
        for name in names {
            if let Ok(Some(topic)) = self.topic(name).await {
                ids.insert(name.clone(), topic.id);
            }
        }
        ids
    }

    /// Who leads the partition, as far as that is known.
    pub(super) fn leader(&self, name: &TopicPartition) -> Option<Leader> {
        let topic = self.client.cached_topic(&name.topic)?;
        let partition = topic.partition(name.partition)?;
        Some(Leader { node: partition.leader?, epoch: partition.leader_epoch, topic_id: topic.id })
    }

    /// Elements by the leaders of their partitions; those without a leader are left out.
    pub(super) async fn by_leader<T>(
        &self,
        elements: Vec<T>,
        name: impl Fn(&T) -> &TopicPartition,
    ) -> BTreeMap<i32, Vec<(T, Leader)>> {
        let mut by_leader: BTreeMap<i32, Vec<(T, Leader)>> = BTreeMap::new();
        self.refresh_if_stale(elements.iter().map(&name)).await;
        for element in elements {
            if let Some(leader) = self.leader(name(&element)) {
                by_leader.entry(leader.node).or_default().push((element, leader));
            }
        }
        by_leader
    }

    /// Somebody learnt that what is known of leaders may be wrong.
    pub(super) fn metadata_is_stale(&self) {
        self.stale_hints.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks up the topics whose leaders are unknown; after a hint that
    /// leaders may be wrong, all of them.
    pub(super) async fn refresh_if_stale(&self, names: impl Iterator<Item = &TopicPartition>) {
        let hints = self.stale_hints.load(Ordering::Relaxed);
        let all = hints > self.refreshed.load(Ordering::Relaxed);
        let wanting =
            names.filter(|name| all || self.leader(name).is_none()).map(|name| name.topic.clone());
        let topics: Vec<_> = wanting.collect::<BTreeSet<_>>().into_iter().collect();
        if topics.is_empty() {
            return;
        }
        // The hints count as followed only now: the caller may stop waiting.
        match self.client.refresh_topics(&topics).await {
            Ok(()) => _ = self.refreshed.fetch_max(hints, Ordering::Relaxed),
            Err(error) => tracing::debug!(%error, "topics cannot be looked up"),
        }
    }

    /// On a connection of the consumer's own, since the broker holds it up until there are records.
    pub(super) async fn call_fetch<R: Request>(
        &self,
        node: i32,
        request: R,
    ) -> Result<R::Response, Error> {
        self.client.call(Target::Node(node), Purpose::Fetch(self.id), request).await
    }

    /// On a connection of the member's own, since the broker holds it up for up
    /// to `wait` until the other members have answered.
    pub(super) async fn call_parked<R: Request>(
        &self,
        node: i32,
        request: R,
        wait: Duration,
    ) -> Result<R::Response, Error> {
        self.client
            .call_within(Target::Node(node), Purpose::Group(self.id), request, wait + PARKED_MARGIN)
            .await
    }
}

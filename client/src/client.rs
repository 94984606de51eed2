//! Sends requests to the nodes that have to answer them.
//!
//! # What is tried again
//! A request that was not sent is. One that was sent and got no answer is only
//! if it merely reads, because the broker may have carried it out; see
//! [`is_safe_to_repeat`]. A node that is named with [`Target::Node`] and cannot be
//! connected to is not tried again: the caller knows why that node was asked,
//! and that another may be in charge by now. Error codes within answers are the
//! business of whoever made the request.

use std::collections::HashSet;
use std::collections::hash_map::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::messages::MetadataRequest;
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::{ApiKey, ErrorCode, Request, Str};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::connection::{Connection, Failure, InFlight, Surroundings};
use crate::consumer::Neighbourhoods;
use crate::lookup::{Answer, Lookups, Question};
use crate::metadata::{AutoCreate, Cache, Cached, Cluster, Topic};
use crate::pool::{Endpoint, Pool, Standing};
use crate::retry::random;
use crate::{Backoff, BrokerAddress, ClientConfig, Connector, Error};

/// Who has to answer a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Whoever can be reached.
    Any,
    /// The node that the metadata calls the controller.
    Controller,
    /// This node.
    Node(i32),
}

/// What a connection is for. Requests for different purposes do not wait for
/// each other, because they use connections of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Requests that are answered at once.
    General,
    /// Producing.
    Produce,
    /// The fetches of one consumer, which the broker holds until there are records.
    Fetch(u64),
    /// The group calls of one consumer, which the broker holds during rebalances.
    Group(u64),
}

/// A client of one cluster. Clones share everything.
///
/// Nothing is connected before the first call. When the last clone is dropped,
/// connections are closed; [`Client::close`] also waits for that.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Arc<ClientConfig>,
    bootstrap: Vec<BrokerAddress>,
    pool: Arc<Pool>,
    cache: Cache,
    lookups: Lookups,
    /// Group coordinators by group, bounded.
    coordinators: Mutex<HashMap<Str, i32>>,
    /// Groups that consumers of this client are in.
    neighbourhoods: Arc<Neighbourhoods>,
    /// Whether the cluster creates topics that somebody asks for, and since when that is known.
    auto_create: Mutex<Option<(bool, Instant)>>,
    next_id: AtomicU64,
    surroundings: Surroundings,
    _cancel_on_drop: DropGuard,
}

/// Group coordinators that are remembered at most.
const MAX_COORDINATORS: usize = 10_000;

/// How long a topic that was just created is waited for until it has leaders.
const CREATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of one call.
#[derive(Debug, Clone, Copy)]
struct Limits {
    max_version: i16,
    /// For one attempt to be answered.
    attempt: Duration,
    /// For everything.
    deadline: Instant,
}

impl Client {
    /// A client for the cluster that `config` names, over connections of
    /// `connector`. Must be called within a tokio runtime: its threads serve
    /// the connections, whichever runtime a call comes from.
    ///
    /// Bootstrap addresses that cannot be read are left out, with a warning.
    pub fn new(config: ClientConfig, connector: Arc<dyn Connector>) -> Self {
        let cancel = CancellationToken::new();
        let surroundings = Surroundings {
            tasks: TaskTracker::new(),
            cancel: cancel.clone(),
            runtime: Handle::current(),
        };
        let bootstrap = config.bootstrap_servers.iter().filter_map(|server| match server.parse() {
            Ok(address) => Some(address),
            Err(error) => {
                tracing::warn!(%error, "an entry of bootstrap.servers is left out");
                None
            }
        });
        let bootstrap = bootstrap.collect();
        let config = Arc::new(config);
        let inner = Inner {
            bootstrap,
            pool: Arc::new(Pool::new(Arc::clone(&config), connector, surroundings.clone())),
            cache: Cache::new(config.metadata_max_age),
            lookups: Lookups::default(),
            coordinators: Mutex::default(),
            neighbourhoods: Arc::default(),
            auto_create: Mutex::default(),
            next_id: AtomicU64::new(1),
            surroundings,
            config,
            _cancel_on_drop: cancel.drop_guard(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The settings it was made with.
    pub fn config(&self) -> &ClientConfig {
        &self.inner.config
    }

    /// A number that no other caller of this client gets, for
    /// [`Purpose::Fetch`] and [`Purpose::Group`].
    pub fn unique_id(&self) -> u64 {
        self.inner.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the work of this client is done, whichever runtime a call comes from.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.surroundings.runtime
    }

    /// Sends a request and waits for its answer, in the highest version that
    /// both sides speak. One attempt may take [`ClientConfig::request_timeout`],
    /// all of them [`ClientConfig::api_timeout`]; the module says what is tried again.
    ///
    /// An `Ok` answer may hold error codes of its own.
    pub async fn call<R: Request>(
        &self,
        target: Target,
        purpose: Purpose,
        request: R,
    ) -> Result<R::Response, Error> {
        self.call_at_most(target, purpose, request, i16::MAX).await
    }

    /// As [`Client::call`], in a version that is not above `max_version`: where
    /// a later one leaves something out that the caller needs.
    pub async fn call_at_most<R: Request>(
        &self,
        target: Target,
        purpose: Purpose,
        request: R,
        max_version: i16,
    ) -> Result<R::Response, Error> {
        let config = self.config();
        let limits = Limits {
            max_version,
            attempt: config.request_timeout,
            deadline: Instant::now() + config.api_timeout,
        };
        self.route(target, purpose, &request, limits).await
    }

    /// As [`Client::call`], with `timeout` for an attempt and for everything:
    /// for requests that the broker may hold longer than others.
    pub async fn call_within<R: Request>(
        &self,
        target: Target,
        purpose: Purpose,
        request: R,
        timeout: Duration,
    ) -> Result<R::Response, Error> {
        let limits =
            Limits { max_version: i16::MAX, attempt: timeout, deadline: Instant::now() + timeout };
        self.route(target, purpose, &request, limits).await
    }

    /// Sends a request to `node` and returns as soon as it is on its way.
    /// Requests that one caller begins one after the other arrive in that
    /// order, as long as the connection lasts. An error means that the request
    /// was not sent; nothing is tried again. `timeout` counts from now until
    /// the answer.
    pub async fn begin<R: Request>(
        &self,
        node: i32,
        purpose: Purpose,
        request: &R,
        timeout: Duration,
    ) -> Result<InFlight<R>, Error> {
        let connection = self.connect_to_node(node, purpose, Instant::now() + timeout).await?;
        connection.begin(request, i16::MAX, timeout).await
    }

    /// Sends a request that the broker does not answer, which is Produce with
    /// acks=0. Done when it is on its way; whether it arrives nobody knows.
    pub async fn send_unanswered<R: Request>(
        &self,
        node: i32,
        purpose: Purpose,
        request: R,
    ) -> Result<(), Error> {
        let timeout = self.config().request_timeout;
        let deadline = Instant::now() + timeout;
        let connection = self.connect_to_node(node, purpose, deadline).await?;
        connection.send_unanswered(&request, timeout).await.map_err(|failure| failure.error)
    }

    /// Closes the connections of a consumer that ended.
    pub fn release(&self, purpose: Purpose) {
        self.inner.pool.release(purpose);
    }

    /// Closes all connections and waits until they are. Calls under way, and
    /// calls of clones after that, get [`Error::Closed`] or [`Error::Disconnected`].
    pub async fn close(&self) {
        let Surroundings { tasks, cancel, .. } = &self.inner.surroundings;
        cancel.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

/// Topics and nodes.
impl Client {
    /// The topic, as far as it is known without asking. Takes no lock. What is
    /// older than [`ClientConfig::metadata_max_age`] is looked up again in the background.
    pub fn cached_topic(&self, name: &str) -> Option<Arc<Topic>> {
        match self.inner.cache.topic(name, Instant::now()) {
            Cached::Fresh(topic) => Some(topic),
            Cached::Aged(topic) => {
                self.ask(Question::Topics(AutoCreate::No), [topic.name.clone()], None);
                Some(topic)
            }
            Cached::Unknown => None,
        }
    }

    /// The topic; asks the cluster once if it is not known. `None` if there is no such topic.
    ///
    /// With [`AutoCreate::Yes`] on a cluster that creates topics, a topic that
    /// is new is waited for, up to five seconds, until its partitions have leaders.
    pub async fn topic(
        &self,
        name: &str,
        auto_create: AutoCreate,
    ) -> Result<Option<Arc<Topic>>, Error> {
        if let Some(topic) = self.cached_topic(name) {
            return Ok(Some(topic));
        }
        let name = Str::from(name);
        let topic = self.look_up(name.clone(), auto_create).await?;
        if auto_create == AutoCreate::No || topic.as_ref().is_some_and(|topic| !topic.is_settling())
        {
            return Ok(topic);
        }
        self.await_creation(name, topic).await
    }

    async fn await_creation(
        &self,
        name: Str,
        mut topic: Option<Arc<Topic>>,
    ) -> Result<Option<Arc<Topic>>, Error> {
        // "Unknown" is also what a cluster answers that has just begun to create the topic.
        if topic.is_none() && !self.creates_topics().await {
            return Ok(None);
        }
        let deadline = Instant::now() + CREATION_TIMEOUT;
        let backoff = Backoff { first: Duration::from_millis(20), max: Duration::from_millis(500) };
        let mut attempts = 0;
        while topic.as_ref().is_none_or(|topic| topic.is_settling()) {
            attempts += 1;
            let next = Instant::now() + backoff.pause(attempts);
            if next > deadline {
                break;
            }
            sleep_until(next).await;
            topic = self.look_up(name.clone(), AutoCreate::Yes).await?;
        }
        Ok(topic)
    }

    /// Whether `auto.create.topics.enable` is on; where the cluster does not
    /// say, it is taken to be.
    async fn creates_topics(&self) -> bool {
        let known = *self.inner.auto_create.lock();
        let max_age = self.config().metadata_max_age;
        if let Some((enabled, _)) = known.filter(|(_, since)| since.elapsed() < max_age) {
            return enabled;
        }
        let enabled = crate::admin::auto_creates_topics(self).await.unwrap_or(true);
        *self.inner.auto_create.lock() = Some((enabled, Instant::now()));
        enabled
    }

    async fn look_up(
        &self,
        name: Str,
        auto_create: AutoCreate,
    ) -> Result<Option<Arc<Topic>>, Error> {
        let topics = self.ask_and_wait(Question::Topics(auto_create), [name.clone()]).await?;
        let Ok(index) = topics.binary_search_by(|topic| topic.name.cmp(&name)) else {
            return Ok(None);
        };
        let Some(topic) = topics.get(index) else { return Ok(None) };
        match topic.error {
            ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => Ok(None),
            // The partitions say more; where there are none yet, they will come.
            ErrorCode::None | ErrorCode::LeaderNotAvailable => Ok(Some(Arc::clone(topic))),
            code => Err(Error::Kafka { code, message: None }),
        }
    }

    /// Asks the cluster about these topics, known or not. Those that do not
    /// exist any more are forgotten.
    pub async fn refresh_topics(&self, names: &[Str]) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        self.ask_and_wait(Question::Topics(AutoCreate::No), names.iter().cloned()).await.map(drop)
    }

    /// All topics of the cluster as they are now, sorted by name.
    pub async fn topics(&self) -> Result<Vec<Arc<Topic>>, Error> {
        Ok(self.ask_and_wait(Question::AllTopics, []).await?.to_vec())
    }

    /// The nodes of the cluster, at most [`ClientConfig::metadata_max_age`] old.
    pub async fn cluster(&self) -> Result<Arc<Cluster>, Error> {
        if let Some(cluster) = self.inner.cache.fresh_cluster(Instant::now()) {
            return Ok(cluster);
        }
        self.refresh_cluster().await
    }

    /// The nodes of the cluster as they are now.
    pub async fn refresh_cluster(&self) -> Result<Arc<Cluster>, Error> {
        self.ask_and_wait(Question::Cluster, []).await?;
        Ok(self.inner.cache.cluster().unwrap_or_default())
    }

    /// Groups that consumers of this client are in.
    pub(crate) fn neighbourhoods(&self) -> &Arc<Neighbourhoods> {
        &self.inner.neighbourhoods
    }

    /// What is known of the coordinator of a group.
    pub(crate) fn cached_coordinator(&self, group: &str) -> Option<i32> {
        self.inner.coordinators.lock().get(group).copied()
    }

    /// Remembers or, with `None`, forgets the coordinator of a group.
    pub(crate) fn cache_coordinator(&self, group: &Str, node: Option<i32>) {
        let mut coordinators = self.inner.coordinators.lock();
        let Some(node) = node else {
            coordinators.remove(group);
            return;
        };
        if coordinators.len() >= MAX_COORDINATORS {
            coordinators.clear();
        }
        coordinators.insert(group.detached(), node);
    }

    async fn ask_and_wait(
        &self,
        question: Question,
        names: impl IntoIterator<Item = Str>,
    ) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.ask(question, names, Some(sender));
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    fn ask(
        &self,
        question: Question,
        names: impl IntoIterator<Item = Str>,
        waiting: Option<oneshot::Sender<Answer>>,
    ) {
        if !self.inner.lookups.join(question, names, waiting) {
            return;
        }
        let client = self.clone();
        let Surroundings { tasks, cancel, runtime } = self.inner.surroundings.clone();
        let task = async move {
            tokio::select! {
                () = client.answer_all(question) => {}
                () = cancel.cancelled() => client.refuse_all(question),
            }
        };
        tasks.spawn_on(task, &runtime);
    }

    async fn answer_all(&self, question: Question) {
        while let Some(round) = self.inner.lookups.next(question) {
            let answer = self.describe(question, &round.names).await;
            round.answer(&answer);
        }
    }

    fn refuse_all(&self, question: Question) {
        while let Some(round) = self.inner.lookups.next(question) {
            round.answer(&Err(Error::Closed));
        }
    }

    /// Asks the cluster and remembers what it says.
    async fn describe(&self, question: Question, names: &HashSet<Str>) -> Answer {
        let named =
            |name: &Str| MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
        let (topics, asked) = match question {
            Question::Cluster => (Some(Vec::new()), None),
            Question::AllTopics => (None, None),
            Question::Topics(_) => (Some(names.iter().map(named).collect()), Some(names)),
        };
        let request = MetadataRequest {
            topics,
            allow_auto_topic_creation: question == Question::Topics(AutoCreate::Yes),
            ..MetadataRequest::default()
        };
        let config = self.config();
        let asked_at = Instant::now();
        let limits = Limits {
            max_version: i16::MAX,
            attempt: config.request_timeout,
            deadline: asked_at + config.api_timeout,
        };
        let cache = &self.inner.cache;
        let response = self.call_any(Purpose::General, &request, limits).await;
        let response = response
            .and_then(|response| Error::check(response.error_code, None).map(|()| response));
        let response = response.inspect_err(|_| cache.refresh_failed(names))?;
        let now = Instant::now();
        cache.store_cluster(&response, now);
        if question == Question::Cluster {
            return Ok(Arc::default());
        }
        Ok(cache.store_topics(response.topics, asked, asked_at, now).into())
    }
}

/// Routing and retries.
impl Client {
    async fn route<R: Request>(
        &self,
        target: Target,
        purpose: Purpose,
        request: &R,
        limits: Limits,
    ) -> Result<R::Response, Error> {
        match target {
            Target::Any => self.call_any(purpose, request, limits).await,
            Target::Controller => self.call_controller(purpose, request, limits).await,
            Target::Node(node) => self.call_node(node, purpose, request, limits).await,
        }
    }

    async fn call_any<R: Request>(
        &self,
        purpose: Purpose,
        request: &R,
        limits: Limits,
    ) -> Result<R::Response, Error> {
        let mut failures = 0;
        let mut earlier = None;
        loop {
            let attempt = async {
                let (endpoint, address) = self.choose(purpose).map_err(unsent)?;
                let connection = self.connect(endpoint, purpose, &address, limits.deadline);
                let connection = connection.await.map_err(unsent)?;
                connection.request(request, limits.max_version, limits.left()).await
            };
            let failure = match attempt.await {
                Ok(response) => return Ok(response),
                Err(failure) => cause(failure, &mut earlier),
            };
            failures += 1;
            self.pause_or_fail(R::KEY, failure, failures, limits).await?;
        }
    }

    async fn call_controller<R: Request>(
        &self,
        purpose: Purpose,
        request: &R,
        limits: Limits,
    ) -> Result<R::Response, Error> {
        let mut failures = 0;
        let mut earlier = None;
        loop {
            let attempt = async {
                let cluster = async {
                    if failures == 0 { self.cluster().await } else { self.refresh_cluster().await }
                };
                let cluster = before(limits.deadline, cluster).await.map_err(unsent)?;
                let controller = cluster.controller.ok_or(Error::NoController).map_err(unsent)?;
                let connection = self
                    .connect_to_node(controller, purpose, limits.deadline)
                    .await
                    .map_err(unsent)?;
                connection.request(request, limits.max_version, limits.left()).await
            };
            let failure = match attempt.await {
                Ok(response) => return Ok(response),
                Err(failure) => cause(failure, &mut earlier),
            };
            failures += 1;
            self.pause_or_fail(R::KEY, failure, failures, limits).await?;
        }
    }

    async fn call_node<R: Request>(
        &self,
        node: i32,
        purpose: Purpose,
        request: &R,
        limits: Limits,
    ) -> Result<R::Response, Error> {
        let connection = self.connect_to_node(node, purpose, limits.deadline).await?;
        let failure = match connection.request(request, limits.max_version, limits.left()).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        // The connection may have been dead for long: a fresh one tells.
        if !may_repeat(R::KEY, &failure) || !matches!(failure.error, Error::Disconnected { .. }) {
            return Err(failure.error);
        }
        let connection = self.connect_to_node(node, purpose, limits.deadline).await?;
        connection
            .request(request, limits.max_version, limits.left())
            .await
            .map_err(|failure| failure.error)
    }

    /// Waits before the next attempt, or says why there is none.
    async fn pause_or_fail(
        &self,
        api: ApiKey,
        failure: Failure,
        failures: u32,
        limits: Limits,
    ) -> Result<(), Error> {
        let config = self.config();
        let backoff = Backoff { first: config.retry_backoff, max: config.retry_backoff_max };
        let next = Instant::now() + backoff.pause(failures);
        if !may_repeat(api, &failure) || next >= limits.deadline || self.is_closed() {
            return Err(if self.is_closed() { Error::Closed } else { failure.error });
        }
        tracing::debug!(api = api.name(), error = %failure.error, "trying again");
        sleep_until(next).await;
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.inner.surroundings.cancel.is_cancelled()
    }

    async fn connect_to_node(
        &self,
        node: i32,
        purpose: Purpose,
        deadline: Instant,
    ) -> Result<Arc<Connection>, Error> {
        let address = match self.address_of(node) {
            Some(address) => address,
            None => {
                before(deadline, self.refresh_cluster()).await?;
                self.address_of(node).ok_or(Error::UnknownNode(node))?
            }
        };
        let connection = self.connect(Endpoint::Node(node), purpose, &address, deadline).await;
        if connection.is_err() {
            // The node may be gone, or have another address.
            self.ask(Question::Cluster, [], None);
        }
        connection
    }

    /// A connection, or why there is none by `deadline`. That other callers were
    /// refused, and that it was not yet time to try again, says more than a timeout.
    async fn connect(
        &self,
        endpoint: Endpoint,
        purpose: Purpose,
        address: &BrokerAddress,
        deadline: Instant,
    ) -> Result<Arc<Connection>, Error> {
        let pool = &self.inner.pool;
        let outcome = before(deadline, pool.get(endpoint, purpose, address)).await;
        outcome.map_err(|error| match error {
            Error::Timeout { what: CONNECTING, .. } => {
                pool.last_error(endpoint, purpose).unwrap_or(error)
            }
            error => error,
        })
    }

    fn address_of(&self, node: i32) -> Option<BrokerAddress> {
        self.inner.cache.cluster()?.broker(node)?.address()
    }

    /// The best node for a request that anybody can answer. Bootstrap servers
    /// are asked as long as no node is known, and again when none of them can
    /// be reached (KIP-899).
    fn choose(&self, purpose: Purpose) -> Result<(Endpoint, BrokerAddress), Error> {
        let cluster = self.inner.cache.cluster().unwrap_or_default();
        let nodes = cluster
            .brokers
            .iter()
            .filter_map(|broker| Some((Endpoint::Node(broker.id), broker.address()?)));
        let best = self.best(nodes, purpose);
        if let Some((standing, endpoint, address)) = &best
            && !matches!(standing, Standing::Failed(_))
        {
            return Ok((*endpoint, address.clone()));
        }
        let servers = self.inner.bootstrap.iter().enumerate();
        let servers = servers.map(|(index, address)| (Endpoint::Bootstrap(index), address.clone()));
        let fallback = self.best(servers, purpose);
        // On a tie, a node that is known is as good.
        let best = [best, fallback].into_iter().flatten().min_by_key(|&(standing, ..)| standing);
        best.map(|(_, endpoint, address)| (endpoint, address)).ok_or(Error::NoBootstrapServers)
    }

    fn best(
        &self,
        candidates: impl Iterator<Item = (Endpoint, BrokerAddress)>,
        purpose: Purpose,
    ) -> Option<(Standing, Endpoint, BrokerAddress)> {
        let candidates: Vec<_> = candidates.collect();
        let count = candidates.len();
        let first = (random() * count as f64) as usize;
        let in_random_order = candidates.into_iter().cycle().skip(first).take(count);
        let with_standing = in_random_order.map(|(endpoint, address)| {
            (self.inner.pool.standing(endpoint, purpose), endpoint, address)
        });
        with_standing.min_by_key(|&(standing, ..)| standing)
    }
}

impl Limits {
    /// For the next attempt.
    fn left(&self) -> Duration {
        self.attempt.min(self.deadline.saturating_duration_since(Instant::now()))
    }
}

fn unsent(error: Error) -> Failure {
    Failure { error, sent: false }
}

/// What is waited for when a timeout says so.
const CONNECTING: &str = "connecting";

/// Why an attempt failed. A pause before connecting again that does not end in
/// time says less than the attempt before it.
fn cause(failure: Failure, earlier: &mut Option<Error>) -> Failure {
    if matches!(failure.error, Error::Timeout { what: CONNECTING, .. })
        && let Some(error) = earlier.take()
    {
        return unsent(error);
    }
    *earlier = Some(failure.error.clone());
    failure
}

/// The outcome, or a timeout at `deadline`.
async fn before<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let start = Instant::now();
    let late =
        |_| Error::Timeout { what: CONNECTING, after: deadline.saturating_duration_since(start) };
    timeout_at(deadline, work).await.map_err(late)?
}

fn may_repeat(api: ApiKey, failure: &Failure) -> bool {
    failure.error.is_retriable() && (!failure.sent || is_safe_to_repeat(api))
}

/// Whether a request may be sent again although the broker may have carried it
/// out already: those that only read, or whose second time changes nothing.
pub(crate) fn is_safe_to_repeat(api: ApiKey) -> bool {
    match api {
        ApiKey::ApiVersions
        | ApiKey::Metadata
        | ApiKey::FindCoordinator
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::OffsetFetch
        | ApiKey::ListGroups
        | ApiKey::DescribeGroups
        | ApiKey::DescribeConfigs
        | ApiKey::DescribeCluster => true,
        // A fetch may move a session on; the rest changes something.
        ApiKey::Fetch
        | ApiKey::Produce
        | ApiKey::OffsetCommit
        | ApiKey::OffsetDelete
        | ApiKey::JoinGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::SyncGroup
        | ApiKey::CreateTopics
        | ApiKey::DeleteTopics
        | ApiKey::DeleteRecords
        | ApiKey::CreatePartitions
        | ApiKey::DeleteGroups
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::InitProducerId => false,
    }
}

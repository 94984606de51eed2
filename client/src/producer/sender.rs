//! The tasks of a producer: one for each node that sends to it, one that asks
//! for identities, one that looks for leaders, one that watches deadlines.
//! Each sleeps until it is called.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use protocol::messages::{InitProducerIdRequest, ProduceRequest};
use protocol::records::{BatchBuilder, Compression};
use protocol::{ErrorCode, Str};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accumulator::{Accumulator, Outcome, Planned, Signals};
use super::identity::Identity;
use super::partition::{MAX_IN_FLIGHT, Now};
use super::{Acks, ProduceError, ProducerConfig, request};
use crate::{Client, Error, InFlight, Purpose, Target};

/// Bytes from which on a request that is to be compressed is built on a thread
/// of its own.
const HEAVY_BYTES: usize = 64 * 1024;

/// The longest pause that a broker may impose at a time (KIP-219).
const MAX_THROTTLE: Duration = Duration::from_secs(60);

/// What calls and tasks have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) config: Arc<ProducerConfig>,
    accumulator: Mutex<Accumulator>,
    signals: Arc<Signals>,
    pub(super) cancel: CancellationToken,
    pub(super) tasks: TaskTracker,
    runtime: Handle,
}

impl Shared {
    /// Starts the tasks.
    pub(super) fn start(client: Client, config: ProducerConfig) -> Arc<Self> {
        let config = Arc::new(config);
        let signals = Arc::new(Signals::default());
        let shared = Arc::new(Self {
            client,
            accumulator: Mutex::new(Accumulator::new(Arc::clone(&config), Arc::clone(&signals))),
            config,
            signals,
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
        });
        shared.spawn(Arc::clone(&shared).identify());
        shared.spawn(Arc::clone(&shared).find_leaders());
        shared.spawn(Arc::clone(&shared).expire());
        shared
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cancelled = self.cancel.clone().cancelled_owned();
        let task = async move {
            tokio::select! {
                () = cancelled => {}
                () = task => {}
            }
        };
        self.tasks.spawn_on(task, &self.runtime);
    }

    /// Changes the accumulator. Calls that are over by that are told so; nodes that it
    /// meets for the first time get their task.
    pub(super) fn accumulate<T>(self: &Arc<Self>, change: impl FnOnce(&mut Accumulator) -> T) -> T {
        let (value, new_nodes, endings) = {
            let mut accumulator = self.accumulator.lock();
            let value = change(&mut accumulator);
            (value, accumulator.take_new_nodes(), accumulator.take_endings())
        };
        endings.tell();
        for (node, wake) in new_nodes {
            self.spawn(Arc::clone(self).send(node, wake));
        }
        value
    }

    /// Sends to one node what is led by it.
    async fn send(self: Arc<Self>, node: i32, wake: Arc<Notify>) {
        let mut in_flight = FuturesUnordered::new();
        let mut builder = BatchBuilder::new(self.config.compression);
        builder.set_level(self.config.compression_level);
        let mut resume_at = Instant::now();
        loop {
            let now = now();
            let mut wake_at = (now.instant < resume_at).then_some(resume_at);
            while wake_at.is_none() && in_flight.len() < MAX_IN_FLIGHT {
                let mut collected = self.accumulate(|accumulator| accumulator.collect(node, now));
                if collected.batches.is_empty() {
                    wake_at = collected.wake_at;
                    break;
                }
                let request;
                (request, collected.batches, builder) =
                    self.build(collected.batches, builder).await;
                match self.begin(node, request).await {
                    Ok(answer) => in_flight.push(self.finish(answer, collected.batches)),
                    Err(error) => {
                        tracing::debug!(node, %error, "a produce request could not be sent");
                        let outcomes = request::unsent(&collected.batches, &error);
                        self.answered(outcomes);
                    }
                }
            }
            tokio::select! {
                Some((outcomes, throttle)) = in_flight.next() => {
                    if !throttle.is_zero() {
                        resume_at = Instant::now() + throttle.min(MAX_THROTTLE);
                    }
                    self.answered(outcomes);
                }
                () = wake.notified() => {}
                () = sleep_until(wake_at.unwrap_or(now.instant)), if wake_at.is_some() => {}
            }
        }
    }

    fn answered(self: &Arc<Self>, outcomes: Vec<Outcome>) {
        self.accumulate(|accumulator| accumulator.answered(outcomes, Instant::now()));
    }

    async fn build(
        &self,
        mut batches: Vec<Planned>,
        mut builder: BatchBuilder,
    ) -> (ProduceRequest, Vec<Planned>, BatchBuilder) {
        let bytes: usize = batches.iter().map(|batch| batch.shipment.size).sum();
        if self.config.compression == Compression::None || bytes < HEAVY_BYTES {
            let request = request::build(&mut batches, &mut builder, &self.config);
            return (request, batches, builder);
        }
        let config = Arc::clone(&self.config);
        let work = move || {
            let request = request::build(&mut batches, &mut builder, &config);
            (request, batches, builder)
        };
        self.runtime.spawn_blocking(work).await.expect("building a request does not panic")
    }

    /// Sends a request; done when it has its place behind those that were sent
    /// before. `None` when nobody will answer it.
    async fn begin(
        &self,
        node: i32,
        request: ProduceRequest,
    ) -> Result<Option<InFlight<ProduceRequest>>, Error> {
        if self.config.acks == Acks::None {
            self.client.send_unanswered(node, Purpose::Produce, request).await?;
            return Ok(None);
        }
        self.client
            .begin(node, Purpose::Produce, &request, self.config.request_timeout)
            .await
            .map(Some)
    }

    /// Waits for the answer. Also returns how long the broker wants to be left alone.
    async fn finish(
        &self,
        in_flight: Option<InFlight<ProduceRequest>>,
        batches: Vec<Planned>,
    ) -> (Vec<Outcome>, Duration) {
        let Some(in_flight) = in_flight else {
            return (request::unanswered(&batches), Duration::ZERO);
        };
        let answer = in_flight.answer().await;
        if let Err(error) = &answer {
            tracing::debug!(%error, "a produce request has no answer");
        }
        let throttle = answer.as_ref().map_or(0, |response| response.throttle_time_ms);
        let throttle = Duration::from_millis(u64::try_from(throttle).unwrap_or(0));
        (request::outcomes(&batches, &answer), throttle)
    }

    /// Gets a producer id or the next epoch whenever partitions wait for it.
    async fn identify(self: Arc<Self>) {
        loop {
            self.signals.identity.notified().await;
            let mut failures = 0;
            while let Some(before) = self.accumulate(|accumulator| accumulator.wants_identity()) {
                match self.init_producer_id(before).await {
                    Ok(identity) => self.accumulate(|accumulator| accumulator.identified(identity)),
                    Err(error) if error.is_retriable() => {
                        tracing::debug!(%error, "no producer id yet");
                        failures += 1;
                        sleep(self.config.backoff().pause(failures)).await;
                    }
                    Err(error) => {
                        let error = error.into();
                        self.accumulate(|accumulator| accumulator.not_identified(&error));
                    }
                }
            }
        }
    }

    /// The next epoch after `before`, or a new id. Apache Kafka gives a new id
    /// to producers without transactions, whatever they ask for.
    async fn init_producer_id(&self, before: Option<Identity>) -> Result<Identity, Error> {
        let mut before = before.filter(|identity| identity.has_next_epoch());
        loop {
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                producer_id: before.map_or(-1, |identity| identity.id),
                producer_epoch: before.map_or(-1, |identity| identity.epoch),
                ..InitProducerIdRequest::default()
            };
            let answer = self.client.call(Target::Any, Purpose::General, request).await?;
            let identity = Identity { id: answer.producer_id, epoch: answer.producer_epoch };
            let fenced = matches!(
                answer.error_code,
                ErrorCode::InvalidProducerEpoch
                    | ErrorCode::ProducerFenced
                    | ErrorCode::UnknownProducerId
                    | ErrorCode::InvalidProducerIdMapping
            );
            if before.take().is_some_and(|before| fenced || identity == before) {
                continue;
            }
            Error::check(answer.error_code, None)?;
            return Ok(identity);
        }
    }

    /// Asks for the leaders of partitions that wait for one.
    async fn find_leaders(self: Arc<Self>) {
        loop {
            self.signals.metadata.notified().await;
            let mut failures = 0;
            loop {
                let topics = self.accumulate(|accumulator| accumulator.leaderless_topics());
                if topics.is_empty() {
                    break;
                }
                if failures > 0 {
                    sleep(self.config.backoff().pause(failures)).await;
                }
                failures += 1;
                self.find_leaders_of(&topics).await;
            }
        }
    }

    async fn find_leaders_of(self: &Arc<Self>, topics: &[Str]) {
        if let Err(error) = self.client.refresh_topics(topics).await {
            tracing::debug!(%error, "no metadata yet");
            return;
        }
        for name in topics {
            let topic = self.client.cached_topic(name);
            self.accumulate(|accumulator| {
                accumulator.described(name, topic.as_deref(), Instant::now())
            });
        }
    }

    /// Ends calls at their deadlines.
    async fn expire(self: Arc<Self>) {
        loop {
            self.signals.expiry.notified().await;
            while let Some(next) = self.accumulate(|accumulator| accumulator.expire(Instant::now()))
            {
                sleep_until(next).await;
            }
        }
    }

    /// Ends everything that is not settled; the tasks have ended.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.accumulate(|accumulator| accumulator.fail_all(&ProduceError::Closed));
    }
}

fn now() -> Now {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Now { instant: Instant::now(), millis: i64::try_from(millis).unwrap_or(i64::MAX) }
}

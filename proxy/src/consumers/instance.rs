//! One consumer instance: a Kafka consumer, and what HTTP adds to it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use client::consumer::{
    Consumer, ConsumerError, OffsetAndMetadata, RebalanceListener, TopicPartition,
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::{ErrorCode, Str};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, RwLock};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::creation::Creation;
use crate::config::{ApiVersion, ConsumersConfig};
use crate::content_type::MediaType;
use crate::error::Error;
use crate::formats::Codec;

/// How long an answer that holds delivered records may take to begin before a
/// commit gives up waiting for it, beyond the time that its read waits.
const TURN_MARGIN: Duration = Duration::from_secs(10);
/// How long the last commit may hold up closing.
const CLOSING_COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Offsets by partition.
pub(crate) type Offsets = Vec<(TopicPartition, OffsetAndMetadata)>;

/// See the module.
///
/// # Delivery
/// Who takes records holds the *turn* until the first byte of their answer
/// goes out, or until they are put back. Whoever wants to know what was
/// delivered takes the turn first, so that a commit never covers a record whose
/// answer was not begun.
#[derive(Debug)]
pub(crate) struct Instance {
    /// The API that it was created through.
    pub(crate) version: ApiVersion,
    pub(super) codec: Codec,
    pub(super) consumer: Consumer,
    pub(super) request_timeout: Duration,
    pub(super) request_max_bytes: usize,
    pub(super) fetch_min_bytes: Option<usize>,
    /// Reads end at once: the instance is being closed.
    pub(super) stop: CancellationToken,
    /// Whether there is a subscription, as opposed to an assignment.
    is_subscribed: AtomicBool,
    /// Whether a read, or the subscription itself, has waited for the first join.
    pub(super) has_awaited_join: AtomicBool,
    /// The one topic of an instance of API v1.
    topic: Mutex<Option<Str>>,
    usage: Usage,
    pub(super) turn: Arc<AsyncMutex<()>>,
    /// Held by reads, so that commits of API v1 can wait for them.
    pub(super) reads: Arc<RwLock<()>>,
    auto_commit: Option<AutoCommit>,
    /// Held while a commit is under way: an older one must not win.
    committing: AsyncMutex<()>,
}

#[derive(Debug)]
struct Usage {
    calls: AtomicUsize,
    last_call: Mutex<Instant>,
}

#[derive(Debug)]
struct AutoCommit {
    interval: Duration,
    progress: Mutex<AutoCommitProgress>,
}

#[derive(Debug)]
struct AutoCommitProgress {
    due: Instant,
    committed: Offsets,
}

/// An instance that does not expire while this exists.
#[derive(Debug)]
pub(crate) struct InUse(Arc<Instance>);

impl InUse {
    pub(super) fn new(instance: &Arc<Instance>) -> Self {
        instance.usage.calls.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(instance))
    }

    /// For work that goes on beside the call.
    pub(super) fn again(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        *self.usage.last_call.lock() = Instant::now();
        self.usage.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Deref for InUse {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.0
    }
}

impl Instance {
    pub(super) fn new(
        consumer: Consumer,
        creation: &Creation,
        config: &ConsumersConfig,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let now = Instant::now();
        let auto_commit = |interval| AutoCommit {
            interval,
            progress: Mutex::new(AutoCommitProgress { due: now + interval, committed: Vec::new() }),
        };
        let instance = Arc::new(Self {
            version: creation.version,
            codec: creation.codec,
            consumer,
            request_timeout: creation.request_timeout,
            request_max_bytes: config.request_max_bytes,
            fetch_min_bytes: creation.fetch_min_bytes,
            stop,
            is_subscribed: AtomicBool::new(false),
            has_awaited_join: AtomicBool::new(false),
            topic: Mutex::new(None),
            usage: Usage { calls: AtomicUsize::new(0), last_call: Mutex::new(now) },
            turn: Arc::default(),
            reads: Arc::default(),
            auto_commit: creation.auto_commit_interval.map(auto_commit),
            committing: AsyncMutex::default(),
        });
        if instance.auto_commit.is_some() {
            let listener = CommitBeforeRevoked(Arc::downgrade(&instance));
            instance.consumer.set_listener(Arc::new(listener));
        }
        instance
    }

    /// The type of answers that hold its records.
    pub(crate) fn media_type(&self) -> MediaType {
        MediaType::Api(self.version, Some(self.codec.format()))
    }

    /// # Errors
    /// When answers of this type cannot hold its records. A type that names no
    /// format is that of binary ones.
    pub(crate) fn check_format(&self, answer: MediaType) -> Result<(), Error> {
        let format = answer.format().unwrap_or(Codec::Binary.format());
        if format == self.codec.format() { Ok(()) } else { Err(Error::FormatMismatch) }
    }

    /// Since when it is not in use; `now` if it is.
    pub(super) fn idle_since(&self, now: Instant) -> Instant {
        if self.is_in_use() { now } else { *self.usage.last_call.lock() }
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.usage.calls.load(Ordering::SeqCst) > 0
    }

    fn error(&self) -> impl Fn(ConsumerError) -> Error + use<> {
        Error::consumer(self.version)
    }

    /// Lets reads end with what they have, commits what was delivered if that
    /// is to be done automatically, and leaves the group.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        if self.auto_commit.is_some() {
            match timeout(CLOSING_COMMIT_TIMEOUT, self.commit_delivered()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the last automatic commit failed"),
                Err(_) => tracing::warn!("the last automatic commit takes too long"),
            }
        }
        self.consumer.close().await;
    }
}

/// What is read.
impl Instance {
    /// Subscribes to these topics, in place of others; to none, it leaves the
    /// group. Joining goes on in the background.
    pub(crate) async fn subscribe_topics(&self, topics: Vec<Str>) -> Result<(), Error> {
        if topics.is_empty() {
            return self.unsubscribe().await;
        }
        self.consumer.subscribe_topics(topics).map_err(self.error())?;
        self.subscribed();
        Ok(())
    }

    /// Subscribes to all topics whose names `matches` lets pass.
    pub(crate) fn subscribe_pattern(
        &self,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.consumer.subscribe_pattern(matches).map_err(self.error())?;
        self.subscribed();
        Ok(())
    }

    /// Subscribes to the one topic of an instance of API v1, if it has none yet.
    ///
    /// # Errors
    /// When it has another one.
    pub(crate) fn subscribe_once(&self, topic: &str) -> Result<(), Error> {
        let mut current = self.topic.lock();
        match &*current {
            Some(current) if current.as_str() == topic => Ok(()),
            Some(_) => Err(Error::AlreadySubscribed),
            None => {
                let topic = Str::from(topic);
                self.consumer.subscribe_topics(vec![topic.clone()]).map_err(self.error())?;
                *current = Some(topic);
                self.subscribed();
                Ok(())
            }
        }
    }

    /// Whether it is an instance of API v1 that reads this topic already.
    pub(crate) fn reads_topic(&self, topic: &str) -> bool {
        self.topic.lock().as_ref().is_some_and(|current| current.as_str() == topic)
    }

    fn subscribed(&self) {
        self.is_subscribed.store(true, Ordering::Relaxed);
        self.has_awaited_join.store(false, Ordering::Relaxed);
    }

    /// Reads nothing any more.
    pub(crate) async fn unsubscribe(&self) -> Result<(), Error> {
        self.commit_before_change().await;
        self.consumer.unsubscribe();
        self.is_subscribed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Reads exactly these partitions.
    pub(crate) async fn assign(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        if !self.is_subscribed.load(Ordering::Relaxed) {
            self.commit_before_change().await;
        }
        self.consumer.assign(partitions).map_err(self.error())?;
        // There is nothing to join.
        self.has_awaited_join.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The topics subscribed to; of a pattern, those that it matched so far.
    pub(crate) fn subscription(&self) -> Vec<Str> {
        self.consumer.subscription()
    }

    /// The partitions that are read, after a join that is under way.
    pub(crate) async fn assignment(&self) -> Vec<TopicPartition> {
        self.wait_for_join().await;
        self.consumer.assignment()
    }

    /// Waits until there is an assignment, for `consumer.request.timeout.ms`
    /// at most. Why there is none is told by reads.
    pub(crate) async fn wait_for_join(&self) {
        if !self.is_subscribed.load(Ordering::Relaxed) {
            return;
        }
        let deadline = Instant::now() + self.request_timeout;
        tokio::select! {
            joined = self.consumer.wait_assigned(deadline) => {
                if joined.is_ok_and(|is_assigned| is_assigned) {
                    self.has_awaited_join.store(true, Ordering::Relaxed);
                }
            }
            () = self.stop.cancelled() => {}
        }
    }

    /// Goes on at `offset`.
    pub(crate) fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), Error> {
        self.consumer.seek(partition, offset).map_err(self.error())
    }

    /// Goes on at the first record that is not older, in milliseconds since 1970.
    pub(crate) async fn seek_to_timestamp(
        &self,
        partition: &TopicPartition,
        timestamp: i64,
    ) -> Result<(), Error> {
        self.consumer.seek_to_timestamp(partition, timestamp).await.map_err(self.error())
    }

    /// Goes on at the oldest records; without partitions, in all that are assigned.
    pub(crate) async fn seek_to_beginning(
        &self,
        partitions: Vec<TopicPartition>,
    ) -> Result<(), Error> {
        let partitions = self.or_all(partitions);
        self.consumer.seek_to_beginning(&partitions).await.map_err(self.error())
    }

    /// Goes on behind the newest records; without partitions, in all that are assigned.
    pub(crate) async fn seek_to_end(&self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        let partitions = self.or_all(partitions);
        self.consumer.seek_to_end(&partitions).await.map_err(self.error())
    }

    fn or_all(&self, partitions: Vec<TopicPartition>) -> Vec<TopicPartition> {
        if partitions.is_empty() { self.consumer.assignment() } else { partitions }
    }
}

/// Committing.
impl Instance {
    /// Commits these offsets, which are those of the next records to read.
    pub(crate) async fn commit(&self, offsets: Offsets) -> Result<(), Error> {
        let _committing = self.committing.lock().await;
        self.consumer.commit(&offsets).await.map_err(self.error())
    }

    /// Commits behind the last delivered record of each partition, or where it
    /// was sought. Returns what it committed.
    pub(crate) async fn commit_delivered(&self) -> Result<Offsets, Error> {
        // API v1 waits for the reads in hand; API v2 commits what is delivered now.
        let _reads = match self.version {
            ApiVersion::V1 => Some(self.reads.write().await),
            ApiVersion::V2 => None,
        };
        let _committing = self.committing.lock().await;
        let mut delivered = self.delivered().await?;
        while let Err(error) = self.consumer.commit(&delivered).await {
            let ConsumerError::Partition { partition, code: ErrorCode::UnknownTopicOrPartition } =
                &error
            else {
                return Err(self.error()(error));
            };
            // The end of one topic must not keep the others from being committed.
            delivered.retain(|(other, _)| other.topic != partition.topic);
            if delivered.is_empty() {
                return Err(self.error()(error));
            }
        }
        Ok(delivered)
    }

    /// What is committed for the group; `None` where nothing is.
    pub(crate) async fn committed(
        &self,
        partitions: Vec<TopicPartition>,
    ) -> Result<Vec<(TopicPartition, Option<OffsetAndMetadata>)>, Error> {
        self.consumer.committed(&partitions).await.map_err(self.error())
    }

    /// How far records were delivered.
    async fn delivered(&self) -> Result<Offsets, Error> {
        let _turn = self.take_turn().await?;
        Ok(self.consumer.moved_positions())
    }

    async fn take_turn(&self) -> Result<OwnedMutexGuard<()>, Error> {
        let turn = Arc::clone(&self.turn).lock_owned();
        timeout(self.request_timeout + TURN_MARGIN, turn).await.map_err(|_| {
            let message = "An answer with records of this instance has not begun yet";
            Error::Kafka {
                version: self.version,
                error: client::Error::Kafka {
                    code: ErrorCode::RequestTimedOut,
                    message: Some(Str::from_static(message)),
                },
            }
        })
    }

    /// Before partitions are given up that the group's listener is not called for.
    async fn commit_before_change(&self) {
        if self.auto_commit.is_none() {
            return;
        }
        if let Err(error) = self.commit_delivered().await {
            tracing::warn!(%error, "the automatic commit before a change failed");
        }
    }

    /// What is to be committed now by itself: what former reads delivered.
    pub(super) fn due_auto_commit(&self, now: Instant) -> Option<Offsets> {
        let auto_commit = self.auto_commit.as_ref()?;
        let mut progress = auto_commit.progress.lock();
        if progress.due > now {
            return None;
        }
        // While another read delivers, it is too early to tell; the next read will do.
        let _turn = self.turn.try_lock().ok()?;
        let delivered = self.consumer.moved_positions();
        progress.due = now + auto_commit.interval;
        if delivered.is_empty() || delivered == progress.committed {
            return None;
        }
        progress.committed.clone_from(&delivered);
        Some(delivered)
    }

    /// Commits what was due.
    pub(super) async fn auto_commit(&self, offsets: Offsets) {
        if let Err(error) = self.commit(offsets).await {
            tracing::warn!(%error, "an automatic commit failed");
            if let Some(auto_commit) = &self.auto_commit {
                // Again with the next one, even if nothing more is delivered.
                auto_commit.progress.lock().committed.clear();
            }
        }
    }
}

/// Commits what was delivered of partitions that the group takes away.
struct CommitBeforeRevoked(Weak<Instance>);

impl RebalanceListener for CommitBeforeRevoked {
    fn revoked(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'static, ()> {
        let instance = self.0.upgrade();
        Box::pin(async move {
            let Some(instance) = instance else { return };
            let Ok(mut delivered) = instance.delivered().await else { return };
            delivered.retain(|(partition, _)| partitions.contains(partition));
            // Not behind another commit: that may be waiting for the end of this rebalance.
            if let Err(error) = instance.consumer.commit(&delivered).await {
                tracing::warn!(%error, "the automatic commit of revoked partitions failed");
            }
        })
    }
}

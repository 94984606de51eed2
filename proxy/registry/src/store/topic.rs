//! The topic: creating it, reading it from its beginning, writing to it.

use std::sync::Arc;
use std::time::Duration;

use client::admin::{self, ConfigResource, DescribeConfigs, NewTopic, OffsetSpec, ResourceKind};
use client::consumer::{
    Consumer, ConsumerConfig, ConsumerError, IsolationLevel, OffsetReset, Take, TopicPartition,
};
use client::producer::{ProduceError, Producer, ProducerConfig};
use client::{AutoCreate, Client};
use parking_lot::{RwLock, RwLockReadGuard};
use protocol::records::RecordBuffer;
use protocol::{ErrorCode, Str};
use tokio::sync::{Notify, OnceCell, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::record::{self, Key};
use super::view::View;
use crate::config::TopicConfig;
use crate::error::Error;
use crate::worker::Worker;

/// The one partition.
const PARTITION: i32 = 0;
/// How often a topic that nobody has created yet is looked for.
const MISSING_TOPIC_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failed call to the cluster.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest wait of one fetch. The broker answers as soon as there is something.
const FETCH_WAIT: Duration = Duration::from_secs(10);

/// Records to be written together.
#[derive(Debug, Default)]
pub(crate) struct Records(Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl Records {
    /// A record with a value.
    pub(crate) fn put(&mut self, view: &View, key: &Key, value: &impl serde::Serialize) {
        self.0.push((view.key_bytes(key), Some(record::encode(value))));
    }

    /// A record that removes one.
    pub(crate) fn remove(&mut self, view: &View, key: &Key) {
        self.0.push((view.key_bytes(key), None));
    }

    /// Adds others behind these.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// The bytes of their keys and values.
    pub(crate) fn size(&self) -> usize {
        let of_value = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        self.0.iter().map(|(key, value)| key.len() + of_value(value)).sum()
    }

    /// Whether any of them removes one.
    pub(crate) fn removes(&self) -> bool {
        self.0.iter().any(|(_, value)| value.is_none())
    }
}

/// How far the reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// Whether everything is in the view that was in the topic at the start.
    is_loaded: bool,
    /// The offset of the next record to apply.
    next_offset: i64,
}

/// The topic and what its records amount to.
#[derive(Debug)]
pub(crate) struct Store {
    view: RwLock<View>,
    client: Client,
    producer: Producer,
    topic: Str,
    config: TopicConfig,
    progress: watch::Sender<Progress>,
    /// Told when this registry has created the topic.
    created: Notify,
    /// Whether the topic keeps what is written, once that is known.
    is_checked: OnceCell<()>,
    cancel: CancellationToken,
}

impl Store {
    /// Starts to read, on the thread of `worker`. Must be called within the
    /// runtime of `client`.
    pub(crate) fn open(client: Client, config: TopicConfig, worker: &Worker) -> Arc<Self> {
        let producer = ProducerConfig {
            delivery_timeout: config.timeout,
            request_timeout: config.timeout,
            max_block: config.timeout,
            auto_create: AutoCreate::No,
            ..ProducerConfig::default()
        };
        let store = Arc::new(Self {
            view: RwLock::default(),
            producer: Producer::new(client.clone(), producer),
            topic: Str::from(&config.name),
            progress: watch::Sender::new(Progress { is_loaded: false, next_offset: 0 }),
            created: Notify::new(),
            is_checked: OnceCell::new(),
            cancel: CancellationToken::new(),
            client,
            config,
        });
        let reader = Arc::clone(&store);
        let cancel = store.cancel.clone();
        worker.begin(move || async move {
            let _ = cancel.run_until_cancelled(reader.read()).await;
        });
        store
    }

    /// What the records amount to. Must not be held over an await.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read()
    }

    /// The cluster.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the view has everything that was in the topic at the start.
    pub(crate) fn is_loaded(&self) -> bool {
        self.progress.borrow().is_loaded
    }

    /// Waits for that.
    pub(crate) async fn loaded(&self) {
        let mut progress = self.progress.subscribe();
        // The sender lives as long as the store.
        let _ = progress.wait_for(|progress| progress.is_loaded).await;
    }

    /// Waits until the topic is loaded, as long as a request may.
    pub(crate) async fn check_loaded(&self) -> Result<(), Error> {
        if self.is_loaded() {
            return Ok(());
        }
        let deadline = Instant::now() + self.config.timeout;
        let late = |_| Error::Store("The schemas are still being read from the topic".to_owned());
        timeout_at(deadline, self.loaded()).await.map_err(late)
    }

    /// Lets the producer send what it has, and tells the reader to end.
    pub(crate) async fn close(&self) {
        self.producer.close().await;
        self.cancel.cancel();
    }
}

/// Reading.
impl Store {
    async fn read(&self) {
        self.await_topic().await;
        let partition = TopicPartition { topic: self.topic.clone(), partition: PARTITION };
        let mut failures = Failures::default();
        let end = loop {
            match self.end_offset().await {
                Ok(end) => break end,
                Err(error) => failures.note("find the end of the topic", &error).await,
            }
        };
        let config = ConsumerConfig {
            auto_offset_reset: OffsetReset::Earliest,
            isolation: IsolationLevel::ReadCommitted,
            fetch_max_wait: FETCH_WAIT,
            ..ConsumerConfig::default()
        };
        let consumer = Consumer::new(self.client.clone(), config);
        if let Err(error) = consumer.assign(vec![partition.clone()]) {
            tracing::error!(%error, "the topic of the registry cannot be read");
            return;
        }
        let mut failures = Failures::default();
        loop {
            match self.read_some(&consumer, &partition, end).await {
                Ok(()) => failures = Failures::default(),
                Err(error) => failures.note("read the topic", &error).await,
            }
        }
    }

    /// Waits until there is a topic. Meanwhile there are no schemas.
    async fn await_topic(&self) {
        let mut failures = Failures::default();
        loop {
            let created = self.created.notified();
            match self.client.topic(&self.topic, AutoCreate::No).await {
                Ok(Some(topic))
                    if topic.partition(PARTITION).is_some_and(|first| first.leader.is_some()) =>
                {
                    return self.check_partitions(topic.partitions.len());
                }
                Ok(Some(_)) => sleep(PAUSE / 10).await,
                Ok(None) => {
                    self.progress.send_if_modified(|progress| {
                        !std::mem::replace(&mut progress.is_loaded, true)
                    });
                    tokio::select! {
                        () = created => {}
                        () = sleep(MISSING_TOPIC_INTERVAL) => {}
                    }
                }
                Err(error) => failures.note("look for the topic", &error).await,
            }
        }
    }

    fn check_partitions(&self, partitions: usize) {
        if partitions != 1 {
            tracing::error!(
                topic = %self.topic, partitions,
                "the topic of the registry has more than one partition; only the first is used"
            );
        }
    }

    async fn end_offset(&self) -> Result<i64, client::Error> {
        let partition = TopicPartition { topic: self.topic.clone(), partition: PARTITION };
        let asked = vec![(partition, OffsetSpec::Latest)];
        let answer =
            admin::list_offsets(&self.client, asked, IsolationLevel::ReadUncommitted).await?;
        match answer.into_iter().next() {
            Some((_, listed)) => Ok(listed?.offset.unwrap_or(0)),
            None => Ok(0),
        }
    }

    async fn read_some(
        &self,
        consumer: &Consumer,
        partition: &TopicPartition,
        end: i64,
    ) -> Result<(), ConsumerError> {
        let is_loaded =
            self.is_loaded() && consumer.position(partition)?.is_some_and(|at| at >= end);
        consumer.fetch(if is_loaded { FETCH_WAIT } else { Duration::ZERO }).await?;
        {
            let mut view = self.view.write();
            consumer.take(&mut |record| {
                view.apply(record.key, record.value, record.offset, record.timestamp);
                Take::Yes
            })?;
        }
        let Some(next_offset) = consumer.position(partition)? else { return Ok(()) };
        self.progress.send_if_modified(|progress| {
            let now = Progress { is_loaded: progress.is_loaded || next_offset >= end, next_offset };
            std::mem::replace(progress, now) != now
        });
        Ok(())
    }

    /// Waits until the record at this offset is in the view.
    async fn applied(&self, offset: i64) {
        let mut progress = self.progress.subscribe();
        let _ = progress.wait_for(|progress| progress.next_offset > offset).await;
    }

    /// Waits until everything is in the view that is in the topic now.
    ///
    /// # Errors
    /// When the cluster does not answer, or the reader does not get there in time.
    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        if self.client.topic(&self.topic, AutoCreate::No).await.map_err(failed)?.is_none() {
            return Ok(());
        }
        let end = self.end_offset().await.map_err(failed)?;
        self.await_applied(end - 1).await
    }

    async fn await_applied(&self, offset: i64) -> Result<(), Error> {
        let deadline = Instant::now() + self.config.timeout;
        let late = |_| Error::StoreTimeout("the topic was not read back in time".to_owned());
        timeout_at(deadline, self.applied(offset)).await.map_err(late)
    }
}

/// Writing.
impl Store {
    /// Writes records, all or none of them, and waits until they are in the view.
    ///
    /// # Errors
    /// When they were not written, or that is not known.
    pub(crate) async fn append(&self, records: Records) -> Result<(), Error> {
        if records.0.is_empty() {
            return Ok(());
        }
        self.ensure_topic().await?;
        self.is_checked.get_or_try_init(|| self.check_policy()).await?;
        let mut buffer = RecordBuffer::new();
        for (key, value) in &records.0 {
            buffer.push(-1, Some(key), value.as_deref(), &[]);
        }
        let count = i64::try_from(buffer.len()).unwrap_or(i64::MAX);
        let size = buffer.wire_size(0..buffer.len());
        if size > self.producer.config().max_request_size && count == 1 {
            return Err(Error::SchemaTooLarge);
        }
        let delivery = self.producer.send(&self.topic, PARTITION, buffer).await.map_err(refused)?;
        let appended = delivery.into_result().map_err(refused)?;
        self.await_applied(appended.base_offset + count - 1).await
    }

    /// Creates the topic, unless it is there.
    async fn ensure_topic(&self) -> Result<(), Error> {
        if self.client.topic(&self.topic, AutoCreate::No).await.map_err(failed)?.is_some() {
            return Ok(());
        }
        let nodes = self.client.cluster().await.map_err(failed)?.brokers.len().max(1);
        let replicas = self.config.replication_factor.min(i16::try_from(nodes).unwrap_or(i16::MAX));
        let mut topic = NewTopic::new(self.topic.clone(), 1, replicas);
        topic.configs = vec![("cleanup.policy".into(), Some("compact".into()))];
        let created =
            admin::create_topics(&self.client, vec![topic], false).await.map_err(failed)?;
        for (_, outcome) in created {
            match outcome {
                Err(error) if error.error_code() != ErrorCode::TopicAlreadyExists => {
                    return Err(failed(error));
                }
                _ => {}
            }
        }
        tracing::info!(topic = %self.topic, replicas, "created the topic of the registry");
        self.created.notify_waiters();
        Ok(())
    }

    /// Makes sure that what is written stays.
    ///
    /// # Errors
    /// When the topic is not compacted.
    async fn check_policy(&self) -> Result<(), Error> {
        if self.config.skip_validation {
            return Ok(());
        }
        let resource = ConfigResource { kind: ResourceKind::Topic, name: self.topic.clone() };
        let asked = vec![(resource, Some(vec![Str::from_static("cleanup.policy")]))];
        let answer = admin::describe_configs(&self.client, asked, DescribeConfigs::default());
        let answer = answer.await.map_err(failed)?;
        let policy = answer.into_iter().filter_map(|(_, entries)| entries.ok()).flatten();
        let policy =
            policy.filter(|entry| &*entry.name == "cleanup.policy").find_map(|entry| entry.value);
        match policy {
            Some(policy) if &*policy != "compact" => Err(Error::Store(format!(
                "The topic {} has cleanup.policy={policy}; it must be compact, or schemas are lost with time. \
                 Change it, or set kafkastore.topic.skip.validation=true",
                self.topic
            ))),
            _ => Ok(()),
        }
    }
}

/// Failures in a row, of which the first is told.
#[derive(Debug, Default)]
struct Failures(u32);

impl Failures {
    async fn note(&mut self, what: &str, error: &impl std::fmt::Display) {
        if self.0 == 0 {
            tracing::warn!(%error, "cannot {what} of the registry; trying until it works");
        }
        self.0 += 1;
        sleep(PAUSE).await;
    }
}

/// What a failed call to the cluster means for the caller.
fn failed(error: client::Error) -> Error {
    tracing::warn!(%error, "a call to the cluster failed");
    match error {
        client::Error::Timeout { .. } => Error::StoreTimeout(error.public_message()),
        _ => Error::Store(error.public_message()),
    }
}

/// What a failed write means for the caller.
fn refused(error: ProduceError) -> Error {
    match &error {
        ProduceError::RecordTooLarge { .. } | ProduceError::LargerThanBuffer { .. } => {
            return Error::SchemaTooLarge;
        }
        _ if error.error_code() == ErrorCode::MessageTooLarge => return Error::SchemaTooLarge,
        _ => {}
    }
    tracing::warn!(%error, "a write to the topic of the registry failed");
    match error.error_code() {
        ErrorCode::RequestTimedOut => Error::StoreTimeout(error.to_string()),
        _ => Error::Store(error.to_string()),
    }
}

//! The controller: makes, changes and removes topics, one change at a time.
//!
//! A change is checked against the metadata as it is, made durable in the
//! metadata log, and then shown to clients, all under one lock. That takes a
//! sync of the disk, so it runs off the async threads, and it runs to its end
//! even when the client that asked has gone.

mod new_topic;

use std::ops::Range;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use protocol::config_def::ConfigValues;
use protocol::{Str, Uuid};

use crate::config::{self, Config};
use crate::error::Error;
use crate::log::{KnownPartition, LogStore, Partition};
use crate::metadata::{Metadata, MetadataImage, MetadataRecord};
use crate::topic_config::{self, AlterOperation, TopicConfig};
use crate::topics::{Topic, TopicSettings, Topics};

pub(crate) use new_topic::NewTopic;

/// Producer ids that are made durable at a time, as in Kafka.
const PRODUCER_ID_BLOCK: i64 = 1000;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Controller {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: LogStore,
    topics: Arc<Topics>,
    config: RwLock<Arc<Config>>,
    /// Guards the order of all changes. No other lock is held when it is taken.
    metadata: Mutex<Metadata>,
    /// Ids that are durable as given out, and not yet are. Taken after `metadata`, if at all.
    producer_ids: Mutex<std::ops::Range<i64>>,
}

/// A change of one setting.
#[derive(Debug, Clone)]
pub(crate) struct ConfigChange {
    pub(crate) name: Str,
    pub(crate) operation: AlterOperation,
    pub(crate) value: Option<Str>,
}

impl Controller {
    /// Takes over what was read at start and shows its topics.
    pub(crate) fn new(
        store: LogStore,
        topics: Arc<Topics>,
        config: Arc<Config>,
        metadata: Metadata,
    ) -> Self {
        let next = metadata.image().next_producer_id;
        let shared = Shared {
            store,
            topics,
            config: RwLock::new(config),
            metadata: Mutex::new(metadata),
            producer_ids: Mutex::new(next..next),
        };
        shared.show_all();
        Self { shared: Arc::new(shared) }
    }

    /// The topics that clients see.
    pub(crate) fn topics(&self) -> &Topics {
        &self.shared.topics
    }

    /// The broker's settings as they are now.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.shared.config()
    }

    /// Creates topics, each on its own: one result per topic, in order. With
    /// `validate_only` nothing happens, and the results say what would.
    pub(crate) async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Vec<Result<Created, Error>> {
        self.change(move |shared| shared.create_topics(&topics, validate_only)).await
    }

    /// The topic, created with the broker's defaults when there is none.
    pub(crate) async fn ensure_topic(&self, name: &Str) -> Result<Arc<Topic>, Error> {
        if let Some(topic) = self.shared.topics.by_name(name) {
            return Ok(topic);
        }
        let topic = NewTopic::for_use(name.detached(), &self.config());
        match self.create_topics(vec![topic], false).await.pop() {
            // Whoever else asked first made the same topic.
            None | Some(Ok(_) | Err(Error::TopicExists(_))) => {
                self.shared.topics.by_name(name).ok_or(Error::UnknownTopic)
            }
            Some(Err(error)) => Err(error),
        }
    }

    /// Deletes a topic with its records.
    pub(crate) async fn delete_topic(&self, id: Uuid) -> Result<Arc<Topic>, Error> {
        self.change(move |shared| shared.delete_topic(id)).await
    }

    /// Raises the number of partitions of a topic to `count`.
    pub(crate) async fn create_partitions(
        &self,
        name: Str,
        count: i32,
        assignments: Option<Vec<Vec<i32>>>,
        validate_only: bool,
    ) -> Result<(), Error> {
        self.change(move |shared| {
            shared.create_partitions(&name, count, assignments.as_deref(), validate_only)
        })
        .await
    }

    /// Changes settings of a topic, all or none.
    pub(crate) async fn alter_topic_configs(
        &self,
        name: Str,
        changes: Vec<ConfigChange>,
        validate_only: bool,
    ) -> Result<(), Error> {
        self.change(move |shared| shared.alter_topic_configs(&name, &changes, validate_only)).await
    }

    /// Changes settings of this broker, or of all (`is_default`), all or none.
    pub(crate) async fn alter_broker_configs(
        &self,
        is_default: bool,
        changes: Vec<ConfigChange>,
        validate_only: bool,
    ) -> Result<(), Error> {
        self.change(move |shared| shared.alter_broker_configs(is_default, &changes, validate_only))
            .await
    }

    /// A producer id that was never given out before, by this run or an earlier one.
    pub(crate) async fn next_producer_id(&self) -> Result<i64, Error> {
        if let Some(id) = self.shared.producer_ids.lock().next() {
            return Ok(id);
        }
        self.change(Shared::next_producer_id).await
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> T {
        let shared = Arc::clone(&self.shared);
        let changed = tokio::task::spawn_blocking(move || change(&shared)).await;
        match changed {
            Ok(changed) => changed,
            // The request that asked for it is answered as any that panics.
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// A topic that was created, or would have been.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) id: Uuid,
    pub(crate) partitions: i32,
    pub(crate) overrides: ConfigValues,
}

impl Shared {
    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read())
    }

    fn show_all(&self) {
        let metadata = self.metadata.lock();
        let image = metadata.image();
        for topic in image.topics() {
            let settings = self.settings(topic.configs.clone());
            let partitions = (0..topic.created_at.len())
                .map(|index| self.partition(image, topic.id, index as i32, &settings));
            let partitions = partitions.collect::<Option<_>>().unwrap_or_default();
            self.topics.insert(Arc::new(Topic::new(
                topic.name.clone(),
                topic.id,
                partitions,
                settings,
            )));
        }
    }

    fn settings(&self, overrides: ConfigValues) -> TopicSettings {
        let config = Arc::new(TopicConfig::resolve(&overrides, &self.config()));
        TopicSettings { overrides, config }
    }

    /// A partition that the image knows.
    fn partition(
        &self,
        image: &MetadataImage,
        id: Uuid,
        index: i32,
        settings: &TopicSettings,
    ) -> Option<Arc<Partition>> {
        let topic = image.topic_by_id(id)?;
        let created_at = *topic.created_at.get(usize::try_from(index).ok()?)?;
        let leader_epoch = image.leader_epoch(created_at);
        let config = Arc::clone(&settings.config);
        let topic = topic.name.clone();
        Some(self.store.partition(KnownPartition {
            topic,
            index,
            topic_id: id,
            leader_epoch,
            config,
        }))
    }

    fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Vec<Result<Created, Error>> {
        let config = self.config();
        let mut metadata = self.metadata.lock();
        let mut results: Vec<Result<Created, Error>> = Vec::with_capacity(topics.len());
        let mut records = Vec::new();
        let mut partitions_so_far = 0;
        for topic in topics {
            let planned = topic.plan(metadata.image(), &config, &mut partitions_so_far);
            results.push(planned.and_then(|planned| {
                if !validate_only {
                    self.clear(&topic.name, 0..planned.partitions)?;
                }
                let id = Uuid::from_bytes(uuid::Uuid::new_v4().into_bytes());
                records.push(MetadataRecord::TopicCreated {
                    name: topic.name.detached(),
                    id,
                    partitions: planned.partitions,
                    start_count: metadata.image().start_count,
                    configs: planned.overrides.clone(),
                });
                Ok(Created { id, partitions: planned.partitions, overrides: planned.overrides })
            }));
        }
        if validate_only || records.is_empty() {
            return results;
        }
        // One sync for all of them.
        if let Err(error) = metadata.commit(&records) {
            tracing::error!(%error, "topics cannot be created");
            let error = Arc::new(error);
            return results
                .into_iter()
                .map(|result| result.and_then(|_| Err(Error::Metadata(Arc::clone(&error)))))
                .collect();
        }
        for created in results.iter().flatten() {
            self.show(metadata.image(), created);
        }
        results
    }

    /// See [`LogStore::clear`].
    fn clear(&self, topic: &str, partitions: Range<i32>) -> Result<(), Error> {
        self.store.clear(topic, partitions).map_err(|error| {
            tracing::error!(topic, %error, "partitions cannot be created");
            Error::Storage(error)
        })
    }

    fn show(&self, image: &MetadataImage, created: &Created) {
        let Some(topic) = image.topic_by_id(created.id) else { return };
        let settings = self.settings(created.overrides.clone());
        let partitions = (0..created.partitions)
            .filter_map(|index| self.partition(image, created.id, index, &settings));
        let topic = Topic::new(topic.name.clone(), topic.id, partitions.collect(), settings);
        tracing::info!(topic = %topic.name, partitions = created.partitions, "topic created");
        self.topics.insert(Arc::new(topic));
    }

    fn delete_topic(&self, id: Uuid) -> Result<Arc<Topic>, Error> {
        if !self.config().topics.delete_enabled {
            return Err(Error::TopicDeletionDisabled);
        }
        let mut metadata = self.metadata.lock();
        if metadata.image().topic_by_id(id).is_none() {
            return Err(Error::UnknownTopicId);
        }
        metadata
            .commit(&[MetadataRecord::TopicDeleted { id }])
            .map_err(|error| Error::Metadata(Arc::new(error)))?;
        let topic = self.topics.remove(id).ok_or(Error::UnknownTopicId)?;
        // Before the next change: a topic of the same name must find nothing of this one.
        let deleted: Vec<_> = topic.partitions().iter().map(Partition::delete).collect();
        for deleted in deleted {
            // The writer drops its end when it stops first.
            let _ = deleted.blocking_recv();
        }
        self.store.forget_deleted();
        tracing::info!(topic = %topic.name, "topic deleted");
        Ok(topic)
    }

    fn create_partitions(
        &self,
        name: &str,
        count: i32,
        assignments: Option<&[Vec<i32>]>,
        validate_only: bool,
    ) -> Result<(), Error> {
        let mut metadata = self.metadata.lock();
        let image = metadata.image();
        let topic = image.topic(name).ok_or(Error::UnknownTopic)?;
        let (id, current) = (topic.id, topic.created_at.len() as i32);
        new_topic::check_added(name, current, count, assignments, self.config().node_id)?;
        if validate_only {
            return Ok(());
        }
        let start_count = image.start_count;
        let record = MetadataRecord::PartitionsAdded { id, partitions: count, start_count };
        self.clear(name, current..count)?;
        metadata.commit(&[record]).map_err(|error| Error::Metadata(Arc::new(error)))?;
        let topic = self.topics.by_id(id).ok_or(Error::UnknownTopic)?;
        let settings = self.settings(topic.overrides());
        topic.add_partitions(
            (current..count)
                .filter_map(|index| self.partition(metadata.image(), id, index, &settings)),
        );
        Ok(())
    }

    fn alter_topic_configs(
        &self,
        name: &str,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<(), Error> {
        let mut metadata = self.metadata.lock();
        let topic = metadata.image().topic(name).ok_or(Error::UnknownTopic)?;
        let id = topic.id;
        let changes = changes
            .iter()
            .map(|change| (change.name.as_str(), change.operation, change.value.as_deref()));
        let accepted = topic_config::alter(&topic.configs, changes, &self.config())?;
        for warning in &accepted.warnings {
            tracing::warn!(topic = name, "{warning}");
        }
        if validate_only || accepted.overrides == topic.configs {
            return Ok(());
        }
        let record = MetadataRecord::TopicConfigs { id, configs: accepted.overrides.clone() };
        metadata.commit(&[record]).map_err(|error| Error::Metadata(Arc::new(error)))?;
        if let Some(topic) = self.topics.by_id(id) {
            topic.set(self.settings(accepted.overrides));
        }
        Ok(())
    }

    fn alter_broker_configs(
        &self,
        is_default: bool,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<(), Error> {
        let mut metadata = self.metadata.lock();
        let image = metadata.image();
        let current = if is_default { &image.default_configs } else { &image.broker_configs };
        let configs = altered_broker_configs(current, changes, &self.config(), !is_default)?;
        let changed = if is_default {
            self.config().with_dynamic(&configs, &image.broker_configs)
        } else {
            self.config().with_dynamic(&image.default_configs, &configs)
        };
        let changed = changed.map_err(|errors| {
            let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Error::InvalidRequest(sentences.join("; "))
        })?;
        if validate_only || configs == *current {
            return Ok(());
        }
        let record = MetadataRecord::BrokerConfigs { is_default, configs };
        metadata.commit(&[record]).map_err(|error| Error::Metadata(Arc::new(error)))?;
        *self.config.write() = Arc::new(changed);
        // What a topic does not set for itself may have changed with it.
        for topic in self.topics.all() {
            topic.set(self.settings(topic.overrides()));
        }
        Ok(())
    }

    fn next_producer_id(&self) -> Result<i64, Error> {
        let mut metadata = self.metadata.lock();
        if let Some(id) = self.producer_ids.lock().next() {
            return Ok(id);
        }
        let first = metadata.image().next_producer_id;
        let next = first + PRODUCER_ID_BLOCK;
        metadata
            .commit(&[MetadataRecord::ProducerIds { next }])
            .map_err(|error| Error::Metadata(Arc::new(error)))?;
        *self.producer_ids.lock() = first + 1..next;
        Ok(first)
    }
}

/// The settings after the changes. Kafka refuses a wrong one with `INVALID_REQUEST`.
fn altered_broker_configs(
    current: &ConfigValues,
    changes: &[ConfigChange],
    config: &Config,
    per_broker: bool,
) -> Result<ConfigValues, Error> {
    let mut configs = current.clone();
    for ConfigChange { name, operation, value } in changes {
        let text = match (operation, value) {
            (AlterOperation::Delete, _) => {
                configs.remove(name.as_str());
                continue;
            }
            (AlterOperation::Set, Some(value)) => value.to_string(),
            (AlterOperation::Append | AlterOperation::Subtract, Some(value)) => {
                topic_config::check_is_list(config::definition().get(name), name, *operation)?;
                let current = configs.get(name.as_str()).map(String::as_str);
                let current = current.or_else(|| config.text(name)).unwrap_or_default();
                topic_config::changed_list(current, *operation, value)
            }
            (_, None) => {
                return Err(Error::InvalidRequest(format!(
                    "Null value not supported for broker configs: {name}"
                )));
            }
        };
        Config::check_dynamic(name, &text, per_broker)
            .map_err(|error| Error::InvalidRequest(error.to_string()))?;
        configs.insert(name.to_string(), text);
    }
    Ok(configs)
}

//! Creates, extends and deletes topics.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicConfigs,
    CreatableTopicResult,
};
use protocol::messages::delete_topics::DeleteTopicState;
use protocol::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use protocol::{ErrorCode, Str, Uuid};
use tokio::time::{Instant, sleep};

use super::configs::{ConfigEntry, ConfigSource};
use super::{Attempts, PerItem, millis, unanswered};
use crate::{AutoCreate, Client, Error, Purpose, Target, Topic};

/// How long a change that the controller has accepted is waited for until
/// other nodes know it.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: Str,
    /// How many partitions; `None` for the broker's default (`num.partitions`),
    /// and where [`NewTopic::assignments`] say it.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None` for the broker's default
    /// (`default.replication.factor`), and where [`NewTopic::assignments`] say it.
    pub replication_factor: Option<i16>,
    /// The nodes of each partition, the preferred leader first; empty to leave
    /// that to the controller.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// Settings that differ from the broker's defaults.
    pub configs: Vec<(Str, Option<Str>)>,
}

impl NewTopic {
    /// A topic without settings of its own.
    pub fn new(name: impl Into<Str>, partitions: i32, replication_factor: i16) -> Self {
        Self {
            name: name.into(),
            partitions: Some(partitions),
            replication_factor: Some(replication_factor),
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }
}

/// A topic that was created, or would have been. Brokers older than 2.4 say
/// less: counts are `None` then, and settings empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id; zero from older brokers and when nothing was created.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: Option<i32>,
    /// How many replicas each has.
    pub replication_factor: Option<i16>,
    /// Its settings, defaults included.
    pub configs: Vec<ConfigEntry>,
}

/// More partitions for a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub topic: Str,
    /// How many it is to have in all.
    pub count: i32,
    /// The nodes of each new partition; empty to leave that to the controller.
    pub assignments: Vec<Vec<i32>>,
}

/// Creates topics, or with `validate_only` checks whether that would work.
/// Returns when they can be used, as far as the node asked for metadata is
/// concerned (at most five seconds later).
pub async fn create_topics(
    client: &Client,
    topics: Vec<NewTopic>,
    validate_only: bool,
) -> Result<PerItem<Str, CreatedTopic>, Error> {
    let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
    let timeout_ms = millis(client.config().request_timeout);
    let topics = topics.into_iter().map(creatable).collect();
    let results = at_controller(client, topics, async |topics| {
        let request = CreateTopicsRequest { topics, timeout_ms, validate_only };
        let answer = client.call(Target::Controller, Purpose::General, request).await?;
        Ok(answer.topics.into_iter().map(|topic| (topic.name.clone(), created(topic))).collect())
    });
    let results = in_order(names, results.await?);
    if !validate_only {
        let created = results.iter().filter(|(_, result)| result.is_ok()).map(|(name, _)| name);
        await_change(client, created, |_, topic| topic.is_some_and(|topic| !topic.is_settling()))
            .await;
    }
    Ok(results)
}

/// Deletes topics. Returns when they are gone, as far as the node asked for
/// metadata is concerned (at most five seconds later).
pub async fn delete_topics(client: &Client, names: &[Str]) -> Result<PerItem<Str, ()>, Error> {
    let timeout_ms = millis(client.config().request_timeout);
    let results = at_controller(client, names.to_vec(), async |names| {
        let state =
            |name: &Str| DeleteTopicState { name: Some(name.clone()), topic_id: Uuid::ZERO };
        let topics = names.iter().map(state).collect();
        let request = DeleteTopicsRequest { topics, topic_names: names, timeout_ms };
        let answer = client.call(Target::Controller, Purpose::General, request).await?;
        let results = answer.responses.into_iter().filter_map(|result| {
            Some((result.name?, Error::check(result.error_code, result.error_message.as_ref())))
        });
        Ok(results.collect())
    });
    let results = in_order(names.to_vec(), results.await?);
    let deleted = results.iter().filter(|(_, result)| result.is_ok()).map(|(name, _)| name);
    await_change(client, deleted, |_, topic| topic.is_none()).await;
    Ok(results)
}

/// Adds partitions to topics, or with `validate_only` checks whether that
/// would work. Returns when the new ones can be used, as [`create_topics`] does.
pub async fn create_partitions(
    client: &Client,
    topics: Vec<NewPartitions>,
    validate_only: bool,
) -> Result<PerItem<Str, ()>, Error> {
    let timeout_ms = millis(client.config().request_timeout);
    let names: Vec<Str> = topics.iter().map(|topic| topic.topic.clone()).collect();
    let wanted: Vec<(Str, i32)> =
        topics.iter().map(|topic| (topic.topic.clone(), topic.count)).collect();
    let topics = topics.into_iter().map(extended).collect();
    let results = at_controller(client, topics, async |topics| {
        let request = CreatePartitionsRequest { topics, timeout_ms, validate_only };
        let answer = client.call(Target::Controller, Purpose::General, request).await?;
        let results = answer.results.into_iter();
        let results = results.map(|result| {
            (result.name, Error::check(result.error_code, result.error_message.as_ref()))
        });
        Ok(results.collect())
    });
    let results = in_order(names, results.await?);
    if !validate_only {
        let changed = results.iter().filter(|(_, result)| result.is_ok()).map(|(name, _)| name);
        await_change(client, changed, |name, topic| {
            let count =
                wanted.iter().find(|(wanted, _)| wanted == name).map_or(0, |&(_, count)| count);
            topic
                .is_some_and(|topic| !topic.is_settling() && topic.partitions.len() as i32 >= count)
        })
        .await;
    }
    Ok(results)
}

fn creatable(topic: NewTopic) -> CreatableTopic {
    let assignment = |(partition_index, broker_ids): (i32, Vec<i32>)| CreatableReplicaAssignment {
        partition_index,
        broker_ids,
    };
    let config = |(name, value): (Str, Option<Str>)| CreatableTopicConfig { name, value };
    CreatableTopic {
        name: topic.name,
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        assignments: topic.assignments.into_iter().map(assignment).collect(),
        configs: topic.configs.into_iter().map(config).collect(),
    }
}

fn created(result: CreatableTopicResult) -> Result<CreatedTopic, Error> {
    Error::check(result.error_code, result.error_message.as_ref())?;
    let entry = |config: CreatableTopicConfigs| ConfigEntry {
        name: config.name,
        value: config.value,
        is_read_only: config.read_only,
        is_sensitive: config.is_sensitive,
        source: ConfigSource::from_code(config.config_source),
        kind: None,
        documentation: None,
        synonyms: Vec::new(),
    };
    Ok(CreatedTopic {
        id: result.topic_id,
        partitions: Some(result.num_partitions).filter(|&count| count >= 0),
        replication_factor: Some(result.replication_factor).filter(|&count| count >= 0),
        configs: result.configs.unwrap_or_default().into_iter().map(entry).collect(),
    })
}

fn extended(topic: NewPartitions) -> CreatePartitionsTopic {
    let assignments: Vec<_> = topic
        .assignments
        .into_iter()
        .map(|broker_ids| CreatePartitionsAssignment { broker_ids })
        .collect();
    CreatePartitionsTopic {
        name: topic.topic,
        count: topic.count,
        assignments: Some(assignments).filter(|assignments| !assignments.is_empty()),
    }
}

/// An item of a request to the controller.
trait Named: Clone {
    fn name(&self) -> &Str;
}

impl Named for CreatableTopic {
    fn name(&self) -> &Str {
        &self.name
    }
}

impl Named for CreatePartitionsTopic {
    fn name(&self) -> &Str {
        &self.name
    }
}

impl Named for Str {
    fn name(&self) -> &Str {
        self
    }
}

/// Calls until every item has a result that lasts. Tried again is what the
/// controller was not asked about, because it is another node by now, and what
/// a quota has put off (KIP-599).
async fn at_controller<I: Named, T>(
    client: &Client,
    mut items: Vec<I>,
    call: impl AsyncFn(Vec<I>) -> Result<PerItem<Str, T>, Error>,
) -> Result<PerItem<Str, T>, Error> {
    let mut attempts = Attempts::new(client);
    let mut results = Vec::with_capacity(items.len());
    loop {
        let (passing, lasting): (Vec<_>, Vec<_>) =
            call(items.clone()).await?.into_iter().partition(|(_, result)| match result {
                Err(Error::Kafka { code, .. }) => {
                    matches!(code, ErrorCode::NotController | ErrorCode::ThrottlingQuotaExceeded)
                }
                _ => false,
            });
        results.extend(lasting);
        if passing.is_empty() {
            return Ok(results);
        }
        if !attempts.pause().await {
            results.extend(passing);
            return Ok(results);
        }
        items.retain(|item| passing.iter().any(|(name, _)| name == item.name()));
        // When that fails, the next call says why.
        _ = client.refresh_cluster().await;
    }
}

/// One result for each of `names`.
fn in_order<T>(names: Vec<Str>, mut results: PerItem<Str, T>) -> PerItem<Str, T> {
    let mut take = |name: &Str| {
        let index = results.iter().position(|(of, _)| of == name)?;
        Some(results.swap_remove(index).1)
    };
    let in_order = names.into_iter().map(|name| {
        let result = take(&name).unwrap_or_else(|| Err(unanswered()));
        (name, result)
    });
    in_order.collect()
}

/// Waits until the metadata shows the change. What it does not show in time,
/// or not to this user, is as good as done: the controller has said so.
async fn await_change(
    client: &Client,
    names: impl Iterator<Item = &Str>,
    shows: impl Fn(&Str, Option<&Arc<Topic>>) -> bool,
) {
    let deadline = Instant::now() + VISIBLE_WITHIN;
    let mut pending: Vec<Str> = names.cloned().collect();
    let mut pause = Duration::from_millis(5);
    while !pending.is_empty() && client.refresh_topics(&pending).await.is_ok() {
        let topics = pending.iter().map(|name| client.topic(name, AutoCreate::No));
        let topics = join_all(topics).await;
        let mut topics = topics.into_iter();
        pending.retain(|name| match topics.next() {
            Some(Ok(topic)) => !shows(name, topic.as_ref()),
            _ => false,
        });
        if pending.is_empty() || Instant::now() > deadline {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

//! Finds offsets by time, and the ends of partitions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::join_all;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use protocol::{ErrorCode, Str};

use super::{Attempts, PerItem, millis, unanswered};
use crate::consumer::{IsolationLevel, TopicPartition, group_by_topic};
use crate::{AutoCreate, Client, Error, Purpose, Target};

/// Which offset to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OffsetSpec {
    /// The first that is kept.
    Earliest,
    /// The one that the next record will get; for [`IsolationLevel::ReadCommitted`]
    /// the end of what is committed.
    Latest,
    /// That of the record with the largest timestamp (KIP-734, brokers from 3.0 on).
    MaxTimestamp,
    /// The first whose record is not older, in milliseconds since 1970.
    Timestamp(i64),
}

impl OffsetSpec {
    fn code(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::Timestamp(timestamp) => timestamp,
        }
    }
}

/// An offset that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; `None` when no record is young enough.
    pub offset: Option<i64>,
    /// The timestamp of its record; `None` for the ends of the partition.
    pub timestamp: Option<i64>,
    /// The leader epoch of its record, where the broker says.
    pub leader_epoch: Option<i32>,
}

/// Asks the leader of each partition. Topics and partitions that do not exist
/// have the error `UNKNOWN_TOPIC_OR_PARTITION` at once; leaders that move are followed.
pub async fn list_offsets(
    client: &Client,
    partitions: Vec<(TopicPartition, OffsetSpec)>,
    isolation: IsolationLevel,
) -> Result<PerItem<TopicPartition, ListedOffset>, Error> {
    let names: Vec<TopicPartition> = partitions.iter().map(|(name, _)| name.clone()).collect();
    let mut results: HashMap<TopicPartition, Result<ListedOffset, Error>> = HashMap::new();
    let mut pending = partitions;
    pending.sort_by(|(a, _), (b, _)| a.cmp(b));
    pending.dedup_by(|(a, _), (b, _)| a == b);
    let mut attempts = Attempts::new(client);
    loop {
        let mut passing = BTreeMap::new();
        let mut by_leader: BTreeMap<i32, Vec<(TopicPartition, OffsetSpec)>> = BTreeMap::new();
        for (name, spec) in &pending {
            match leader(client, name).await {
                Ok(leader) => by_leader.entry(leader).or_default().push((name.clone(), *spec)),
                // The metadata is certain that there is no such partition.
                Err(error) if error.error_code() == ErrorCode::UnknownTopicOrPartition => {
                    results.insert(name.clone(), Err(error));
                }
                Err(error) => _ = passing.insert(name.clone(), error),
            }
        }
        let calls =
            by_leader.into_iter().map(|(leader, wanted)| ask(client, leader, wanted, isolation));
        for (name, result) in join_all(calls).await.into_iter().flatten() {
            match result {
                Err(error) if error.is_retriable() => _ = passing.insert(name, error),
                result => _ = results.insert(name, result),
            }
        }
        pending.retain(|(name, _)| passing.contains_key(name));
        if pending.is_empty() {
            break;
        }
        if !attempts.pause().await {
            results.extend(passing.into_iter().map(|(name, error)| (name, Err(error))));
            break;
        }
        let topics: BTreeSet<Str> = pending.iter().map(|(name, _)| name.topic.clone()).collect();
        client.refresh_topics(&topics.into_iter().collect::<Vec<_>>()).await?;
    }
    let in_order = names.into_iter().map(|name| {
        let result = results.get(&name).cloned().unwrap_or_else(|| Err(unanswered()));
        (name, result)
    });
    Ok(in_order.collect())
}

async fn leader(client: &Client, name: &TopicPartition) -> Result<i32, Error> {
    let unknown = || Error::Kafka { code: ErrorCode::UnknownTopicOrPartition, message: None };
    let topic = client.topic(&name.topic, AutoCreate::No).await?.ok_or_else(unknown)?;
    let leader = match topic.partition(name.partition) {
        Some(partition) => partition.leader,
        None => {
            // It may have been added since the topic was looked up.
            client.refresh_topics(std::slice::from_ref(&name.topic)).await?;
            let topic = client.topic(&name.topic, AutoCreate::No).await?.ok_or_else(unknown)?;
            topic.partition(name.partition).ok_or_else(unknown)?.leader
        }
    };
    leader.ok_or(Error::Kafka { code: ErrorCode::LeaderNotAvailable, message: None })
}

/// One request to one leader; when it fails as a whole, so does every partition.
async fn ask(
    client: &Client,
    leader: i32,
    wanted: Vec<(TopicPartition, OffsetSpec)>,
    isolation: IsolationLevel,
) -> PerItem<TopicPartition, ListedOffset> {
    let partition = |(name, spec): &(TopicPartition, OffsetSpec)| {
        let partition = ListOffsetsPartition {
            partition_index: name.partition,
            current_leader_epoch: -1,
            timestamp: spec.code(),
        };
        (name.topic.clone(), partition)
    };
    let topics = group_by_topic(wanted.iter().map(partition)).into_iter();
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: isolation.code(),
        topics: topics.map(|(name, partitions)| ListOffsetsTopic { name, partitions }).collect(),
        timeout_ms: millis(client.config().request_timeout),
    };
    let answer = match client.call(Target::Node(leader), Purpose::General, request).await {
        Ok(answer) => answer,
        Err(error) => {
            return wanted.into_iter().map(|(name, _)| (name, Err(error.clone()))).collect();
        }
    };
    let mut found = HashMap::new();
    for topic in answer.topics {
        for partition in topic.partitions {
            found.insert(
                TopicPartition::new(topic.name.clone(), partition.partition_index),
                listed(&partition),
            );
        }
    }
    let results = wanted.into_iter().map(|(name, _)| {
        let result = found.remove(&name).unwrap_or_else(|| Err(unanswered()));
        (name, result)
    });
    results.collect()
}

fn listed(partition: &ListOffsetsPartitionResponse) -> Result<ListedOffset, Error> {
    Error::check(partition.error_code, None)?;
    Ok(ListedOffset {
        offset: Some(partition.offset).filter(|&offset| offset >= 0),
        timestamp: Some(partition.timestamp).filter(|&timestamp| timestamp >= 0),
        leader_epoch: Some(partition.leader_epoch).filter(|&epoch| epoch >= 0),
    })
}

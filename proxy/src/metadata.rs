//! What API v1 and v2 tell about topics and partitions in the same way.

use std::sync::Arc;

use client::admin::{self, ConfigEntry, ConfigResource, DescribeConfigs};
use client::{AutoCreate, Client, Partition, Topic};
use protocol::Str;

use crate::config::ApiVersion;
use crate::error::Error;
use crate::json::{write_integer, write_string};

/// Looks a topic up, not relying on what was known before.
///
/// # Errors
/// When there is no such topic, and when the cluster cannot be asked.
pub(crate) async fn topic(
    client: &Client,
    version: ApiVersion,
    name: &str,
) -> Result<Arc<Topic>, Error> {
    if !is_legal_name(name) {
        return Err(Error::TopicNotFound(version));
    }
    let kafka = Error::kafka(version);
    client.refresh_topics(&[Str::from(name)]).await.map_err(&kafka)?;
    let topic = client.topic(name, AutoCreate::No).await.map_err(&kafka)?;
    topic.ok_or(Error::TopicNotFound(version))
}

/// The partition of a topic that a path names.
///
/// # Errors
/// 404 without a code of its own for what is no number.
pub(crate) fn partition<'a>(topic: &'a Topic, id: &str) -> Result<&'a Partition, Error> {
    topic.partition(partition_id(id)?).ok_or(Error::PartitionNotFound)
}

/// The number of a partition that a path names.
pub(crate) fn partition_id(text: &str) -> Result<i32, Error> {
    text.parse().map_err(|_| Error::NotFound)
}

/// The settings of a topic, defaults included.
pub(crate) async fn configs(
    client: &Client,
    version: ApiVersion,
    topic: &Topic,
) -> Result<Vec<ConfigEntry>, Error> {
    let kafka = Error::kafka(version);
    let asked = vec![(ConfigResource::topic(topic.name.clone()), None)];
    let answer = admin::describe_configs(client, asked, DescribeConfigs::default()).await;
    let configs = answer.map_err(&kafka)?.pop().ok_or(Error::TopicNotFound(version))?.1;
    configs.map_err(&kafka)
}

/// Whether Kafka lets a topic have this name.
pub(crate) fn is_legal_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= 249 && name.bytes().all(is_legal)
}

/// Appends what is told about a topic.
pub(crate) fn write_topic<'a>(
    topic: &Topic,
    configs: impl Iterator<Item = &'a ConfigEntry>,
    partitions: impl Iterator<Item = &'a Partition>,
    answer: &mut Vec<u8>,
) {
    answer.extend_from_slice(br#"{"name":"#);
    write_string(&topic.name, answer);
    answer.extend_from_slice(br#","configs":"#);
    write_list(b"{}", configs, answer, |config, answer| {
        write_string(&config.name, answer);
        answer.push(b':');
        match &config.value {
            Some(value) => write_string(value, answer),
            None => answer.extend_from_slice(b"null"),
        }
    });
    answer.extend_from_slice(br#","partitions":"#);
    write_list(b"[]", partitions, answer, write_partition);
    answer.push(b'}');
}

/// Appends what is told about a partition. Without a leader, its leader is -1.
pub(crate) fn write_partition(partition: &Partition, answer: &mut Vec<u8>) {
    answer.extend_from_slice(br#"{"partition":"#);
    write_integer(partition.id, answer);
    answer.extend_from_slice(br#","leader":"#);
    write_integer(partition.leader.unwrap_or(-1), answer);
    answer.extend_from_slice(br#","replicas":"#);
    write_list(b"[]", partition.replicas.iter(), answer, |replica, answer| {
        answer.extend_from_slice(br#"{"broker":"#);
        write_integer(*replica, answer);
        answer.extend_from_slice(br#","leader":"#);
        write_boolean(partition.leader == Some(*replica), answer);
        answer.extend_from_slice(br#","in_sync":"#);
        write_boolean(partition.isr.contains(replica), answer);
        answer.push(b'}');
    });
    answer.push(b'}');
}

/// Appends items between two brackets, separated by commas.
pub(crate) fn write_list<T>(
    brackets: &[u8; 2],
    items: impl Iterator<Item = T>,
    answer: &mut Vec<u8>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    let [open, close] = *brackets;
    answer.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            answer.push(b',');
        }
        write(item, answer);
    }
    answer.push(close);
}

fn write_boolean(value: bool, answer: &mut Vec<u8>) {
    answer.extend_from_slice(if value { b"true" } else { b"false" });
}

/// The ids of all brokers, in ascending order.
pub(crate) async fn brokers(client: &Client, version: ApiVersion) -> Result<Vec<u8>, Error> {
    let cluster = client.cluster().await.map_err(Error::kafka(version))?;
    let mut ids: Vec<i32> = cluster.brokers.iter().map(|broker| broker.id).collect();
    ids.sort_unstable();
    let mut answer = br#"{"brokers":"#.to_vec();
    write_list(b"[]", ids.iter(), &mut answer, |id, answer| write_integer(*id, answer));
    answer.push(b'}');
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kafka_takes() {
        for name in ["a", "__consumer_offsets", "A.b-C_9", &"x".repeat(249)] {
            assert!(is_legal_name(name), "{name}");
        }
        for name in ["", ".", "..", "bad name!", "a/b", "é", &"x".repeat(250)] {
            assert!(!is_legal_name(name), "{name}");
        }
    }

    #[test]
    fn a_partition_is_told_with_its_replicas() {
        let partition = Partition {
            id: 3,
            leader: Some(1),
            leader_epoch: 0,
            replicas: vec![2, 1],
            isr: vec![1],
            error: protocol::ErrorCode::None,
        };
        let mut answer = vec![];
        write_partition(&partition, &mut answer);
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            r#"{"partition":3,"leader":1,"replicas":[{"broker":2,"leader":false,"in_sync":false},{"broker":1,"leader":true,"in_sync":true}]}"#
        );
    }
}

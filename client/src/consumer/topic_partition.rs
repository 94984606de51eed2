//! The name of one partition.

use std::fmt;

use protocol::Str;

/// One partition of one topic. Ordered by topic, then by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Str,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<Str>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

/// As Kafka's tools write it: `orders-3`.
impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic.as_str(), self.partition)
    }
}

/// Puts the elements of each topic together, as messages of the protocol want
/// them. Neighbours of one topic share an entry; input sorted by topic gives
/// one entry per topic.
pub(crate) fn group_by_topic<T>(
    elements: impl IntoIterator<Item = (Str, T)>,
) -> Vec<(Str, Vec<T>)> {
    let mut topics: Vec<(Str, Vec<T>)> = Vec::new();
    for (topic, element) in elements {
        match topics.last_mut() {
            Some((last, elements)) if *last == topic => elements.push(element),
            _ => topics.push((topic, vec![element])),
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_written_as_kafka_writes_them() {
        assert_eq!(TopicPartition::new("a.b-c", 12).to_string(), "a.b-c-12");
    }

    #[test]
    fn neighbours_of_one_topic_share_an_entry() {
        let grouped = group_by_topic(
            [("a", 0), ("a", 2), ("b", 0), ("a", 1)].map(|(topic, n)| (Str::from(topic), n)),
        );
        assert_eq!(
            grouped,
            [("a".into(), vec![0, 2]), ("b".into(), vec![0]), ("a".into(), vec![1])]
        );
    }
}

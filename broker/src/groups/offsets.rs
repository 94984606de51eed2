//! The offsets that one group stored.

use std::collections::BTreeMap;

use protocol::Str;

use super::records::CommittedOffset;

/// The offsets that one group stored, by topic and partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct GroupOffsets {
    topics: BTreeMap<Str, BTreeMap<i32, CommittedOffset>>,
}

impl GroupOffsets {
    /// The offset of one partition.
    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.topics.get(topic)?.get(&partition)
    }

    /// Every topic with the offsets of its partitions, in order.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (&Str, &BTreeMap<i32, CommittedOffset>)> {
        self.topics.iter()
    }

    /// The partitions of one topic that have an offset, in order.
    pub(crate) fn partitions(&self, topic: &str) -> impl Iterator<Item = i32> {
        self.topics.get(topic).into_iter().flat_map(|partitions| partitions.keys().copied())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Does what a record of the log says: a value is kept, no value is forgotten.
    /// The same for records that were just stored and for those read at start, so
    /// that both come to the same.
    pub(crate) fn apply(&mut self, topic: &Str, partition: i32, value: Option<CommittedOffset>) {
        match value {
            Some(value) => {
                if !self.topics.contains_key(topic) {
                    self.topics.insert(topic.detached(), BTreeMap::new());
                }
                if let Some(partitions) = self.topics.get_mut(topic) {
                    partitions.insert(partition, value);
                }
            }
            None => {
                let Some(partitions) = self.topics.get_mut(topic) else { return };
                partitions.remove(&partition);
                if partitions.is_empty() {
                    self.topics.remove(topic);
                }
            }
        }
    }
}

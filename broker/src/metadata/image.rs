//! What the metadata log says when it is read to its end.

use std::collections::{BTreeMap, HashMap};

use protocol::config_def::ConfigValues;
use protocol::{Str, Uuid};

use super::record::MetadataRecord;

/// The state that the records before a point in the metadata log add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataImage {
    /// How often the node has started. Leader epochs grow with it.
    pub(crate) start_count: i32,
    /// Producer ids from here on were never given out.
    pub(crate) next_producer_id: i64,
    /// Settings made at run time for all brokers.
    pub(crate) default_configs: ConfigValues,
    /// Settings made at run time for this broker.
    pub(crate) broker_configs: ConfigValues,
    topics: HashMap<Uuid, TopicImage>,
    ids: BTreeMap<Str, Uuid>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicImage {
    pub(crate) name: Str,
    pub(crate) id: Uuid,
    /// The node's start count when each partition was created.
    pub(crate) created_at: Vec<i32>,
    /// What is set on the topic itself.
    pub(crate) configs: ConfigValues,
}

impl MetadataImage {
    /// The topic with this name.
    pub(crate) fn topic(&self, name: &str) -> Option<&TopicImage> {
        self.topics.get(self.ids.get(name)?)
    }

    /// The topic with this id.
    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<&TopicImage> {
        self.topics.get(&id)
    }

    /// Every topic, by name.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &TopicImage> {
        self.ids.values().filter_map(|id| self.topics.get(id))
    }

    /// The epoch of a partition's leader in this run of the node: 0 in the run
    /// that created it, and one more with each start.
    pub(crate) fn leader_epoch(&self, created_at: i32) -> i32 {
        self.start_count.saturating_sub(created_at).max(0)
    }

    /// Makes the change that the record stands for.
    pub(crate) fn apply(&mut self, record: &MetadataRecord) {
        match record {
            MetadataRecord::Started { count } => self.start_count = *count,
            MetadataRecord::TopicCreated { name, id, partitions, start_count, configs } => {
                let topic = TopicImage {
                    name: name.clone(),
                    id: *id,
                    created_at: vec![*start_count; usize::try_from(*partitions).unwrap_or(0)],
                    configs: configs.clone(),
                };
                self.ids.insert(name.clone(), *id);
                self.topics.insert(*id, topic);
            }
            MetadataRecord::PartitionsAdded { id, partitions, start_count } => {
                if let Some(topic) = self.topics.get_mut(id) {
                    let count = usize::try_from(*partitions).unwrap_or(0);
                    topic.created_at.resize(count.max(topic.created_at.len()), *start_count);
                }
            }
            MetadataRecord::TopicConfigs { id, configs } => {
                if let Some(topic) = self.topics.get_mut(id) {
                    topic.configs.clone_from(configs);
                }
            }
            MetadataRecord::TopicDeleted { id } => {
                if let Some(topic) = self.topics.remove(id) {
                    self.ids.remove(&topic.name);
                }
            }
            MetadataRecord::ProducerIds { next } => self.next_producer_id = *next,
            MetadataRecord::BrokerConfigs { is_default: true, configs } => {
                self.default_configs.clone_from(configs);
            }
            MetadataRecord::BrokerConfigs { is_default: false, configs } => {
                self.broker_configs.clone_from(configs);
            }
        }
    }

    /// The shortest row of records that adds up to the same.
    pub(crate) fn to_records(&self) -> Vec<MetadataRecord> {
        let mut records = vec![
            MetadataRecord::Started { count: self.start_count },
            MetadataRecord::ProducerIds { next: self.next_producer_id },
        ];
        for (is_default, configs) in [(true, &self.default_configs), (false, &self.broker_configs)]
        {
            if !configs.is_empty() {
                records
                    .push(MetadataRecord::BrokerConfigs { is_default, configs: configs.clone() });
            }
        }
        for topic in self.topics() {
            records.extend(topic.to_records());
        }
        records
    }
}

impl TopicImage {
    /// One record for the topic, and one for each later run that added partitions.
    fn to_records(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        let mut partitions = 0;
        for run in self.created_at.chunk_by(|one, next| one == next) {
            partitions += run.len() as i32;
            let start_count = run.first().copied().unwrap_or(0);
            records.push(if records.is_empty() {
                MetadataRecord::TopicCreated {
                    name: self.name.clone(),
                    id: self.id,
                    partitions,
                    start_count,
                    configs: self.configs.clone(),
                }
            } else {
                MetadataRecord::PartitionsAdded { id: self.id, partitions, start_count }
            });
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::record::samples;

    #[test]
    fn an_image_is_what_its_own_records_add_up_to() {
        let mut image = MetadataImage::default();
        for record in samples() {
            image.apply(&record);
            let mut copy = MetadataImage::default();
            image.to_records().iter().for_each(|record| copy.apply(record));
            assert_eq!(copy, image, "after {record:?}");
        }
        assert_eq!(image.topics().count(), 0);
    }

    #[test]
    fn a_partitions_leader_epoch_counts_the_starts_since_its_creation() {
        let mut image = MetadataImage::default();
        samples().iter().take(3).for_each(|record| image.apply(record));
        image.apply(&MetadataRecord::Started { count: 6 });
        let topic = image.topic("orders").unwrap();
        assert_eq!(topic.created_at.len(), 16);
        assert_eq!(image.leader_epoch(topic.created_at[0]), 3);
        assert_eq!(image.leader_epoch(topic.created_at[15]), 2);
    }
}

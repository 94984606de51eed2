//! The topics of this node and their partitions, by name and by id.
//!
//! What is here is what clients see. Topics come and go only through the
//! [controller](crate::controller), which has made each change durable before.

pub(crate) mod name;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use protocol::config_def::ConfigValues;
use protocol::{Str, Uuid};

use crate::log::Partition;
use crate::topic_config::TopicConfig;

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Str,
    pub(crate) id: Uuid,
    partitions: RwLock<Arc<[Arc<Partition>]>>,
    settings: RwLock<TopicSettings>,
}

/// What is set on a topic and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct TopicSettings {
    /// Set on the topic itself.
    pub(crate) overrides: ConfigValues,
    /// The broker's settings with these on top.
    pub(crate) config: Arc<TopicConfig>,
}

impl Topic {
    pub(crate) fn new(
        name: Str,
        id: Uuid,
        partitions: Vec<Arc<Partition>>,
        settings: TopicSettings,
    ) -> Self {
        Self {
            name,
            id,
            partitions: RwLock::new(partitions.into()),
            settings: RwLock::new(settings),
        }
    }

    /// Whether the broker itself writes the topic.
    pub(crate) fn is_internal(&self) -> bool {
        name::is_internal(&self.name)
    }

    /// How many partitions there are.
    pub(crate) fn partition_count(&self) -> i32 {
        self.partitions.read().len() as i32
    }

    /// One partition.
    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        self.partitions.read().get(usize::try_from(index).ok()?).cloned()
    }

    /// All partitions, in the order of their indexes.
    pub(crate) fn partitions(&self) -> Arc<[Arc<Partition>]> {
        Arc::clone(&self.partitions.read())
    }

    /// Puts new partitions behind those that exist.
    pub(crate) fn add_partitions(&self, added: impl Iterator<Item = Arc<Partition>>) {
        let mut partitions = self.partitions.write();
        *partitions = partitions.iter().cloned().chain(added).collect();
    }

    /// What is set on the topic itself.
    pub(crate) fn overrides(&self) -> ConfigValues {
        self.settings.read().overrides.clone()
    }

    /// Replaces what is set, for the topic and each of its partitions.
    pub(crate) fn set(&self, settings: TopicSettings) {
        let mut current = self.settings.write();
        for partition in self.partitions().iter() {
            partition.set_config(Arc::clone(&settings.config));
        }
        *current = settings;
    }
}

/// Every topic of the node.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    registry: RwLock<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    by_name: BTreeMap<Str, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl Topics {
    /// The topic with this name.
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.registry.read().by_name.get(name).cloned()
    }

    /// The topic with this id.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.registry.read().by_id.get(&id).cloned()
    }

    /// Every topic, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.registry.read().by_name.values().cloned().collect()
    }

    /// Makes the topic visible.
    pub(crate) fn insert(&self, topic: Arc<Topic>) {
        let mut registry = self.registry.write();
        registry.by_name.insert(topic.name.clone(), Arc::clone(&topic));
        registry.by_id.insert(topic.id, topic);
    }

    /// Takes the topic out of sight.
    pub(crate) fn remove(&self, id: Uuid) -> Option<Arc<Topic>> {
        let mut registry = self.registry.write();
        let topic = registry.by_id.remove(&id)?;
        registry.by_name.remove(&topic.name);
        Some(topic)
    }
}

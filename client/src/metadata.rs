//! What is known of the cluster and its topics.
//!
//! # Invariants
//! - Of one topic id, a partition's leader epoch never goes backwards: an answer
//!   of a broker that lags behind does not replace newer knowledge (KIP-320).
//! - A topic whose id has changed is a new topic; nothing of the old one is kept.
//! - The cache is bounded; beyond that the topics looked up longest ago go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use protocol::messages::MetadataResponse;
use protocol::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use protocol::{ErrorCode, Str, Uuid};
use tokio::time::Instant;

use crate::BrokerAddress;

/// Topics that are remembered at most.
const MAX_TOPICS: usize = 20_000;

/// Whether a lookup may make the broker create the topic (`auto.create.topics.enable`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AutoCreate {
    /// The broker may create it, if it is set to.
    Yes,
    /// Only look.
    No,
}

/// A topic as the cluster describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Str,
    /// Its id; zero from brokers older than 2.8 (KIP-516).
    pub id: Uuid,
    /// Whether the broker keeps its own data in it.
    pub is_internal: bool,
    /// In ascending order of their ids.
    pub partitions: Vec<Partition>,
    /// What is wrong with the topic as a whole.
    pub error: ErrorCode,
}

impl Topic {
    /// The partition with this id.
    pub fn partition(&self, id: i32) -> Option<&Partition> {
        // Ids are 0, 1, 2 … in practice; nothing relies on it.
        let direct = usize::try_from(id).ok().and_then(|index| self.partitions.get(index));
        direct
            .filter(|partition| partition.id == id)
            .or_else(|| self.partitions.iter().find(|p| p.id == id))
    }

    fn has_all_leaders(&self) -> bool {
        !self.partitions.is_empty()
            && self.partitions.iter().all(|partition| partition.leader.is_some())
    }

    /// Whether somebody who has just created the topic should look again.
    pub(crate) fn is_settling(&self) -> bool {
        self.error == ErrorCode::LeaderNotAvailable || !self.has_all_leaders()
    }
}

/// A partition as the cluster describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number within the topic.
    pub id: i32,
    /// The node that leads it, if there is one.
    pub leader: Option<i32>,
    /// Counts the leaders; -1 from brokers that do not say.
    pub leader_epoch: i32,
    /// The nodes that have a replica, the preferred leader first.
    pub replicas: Vec<i32>,
    /// The nodes whose replicas are in sync.
    pub isr: Vec<i32>,
    /// What is wrong with the partition, for instance that it has no leader.
    pub error: ErrorCode,
}

/// The nodes of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// Its id, if it has one.
    pub id: Option<Str>,
    /// The node that requests for the controller go to.
    pub controller: Option<i32>,
    /// In ascending order of their ids.
    pub brokers: Vec<Broker>,
}

impl Cluster {
    /// The broker with this id.
    pub fn broker(&self, id: i32) -> Option<&Broker> {
        self.brokers.iter().find(|broker| broker.id == id)
    }
}

/// A node as the cluster describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: i32,
    /// Where it listens.
    pub host: Str,
    /// Where it listens.
    pub port: i32,
    /// The rack it stands in, if it says so.
    pub rack: Option<Str>,
}

impl Broker {
    /// Where it listens; `None` when it names no port that exists.
    pub fn address(&self) -> Option<BrokerAddress> {
        Some(BrokerAddress { host: self.host.clone(), port: u16::try_from(self.port).ok()? })
    }
}

/// What the cache has of a topic.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) topic: Arc<Topic>,
    looked_up: Instant,
    /// Somebody looks it up again in the background.
    refreshing: AtomicBool,
}

/// What a look into the cache says.
#[derive(Debug)]
pub(crate) enum Cached {
    /// Known well enough.
    Fresh(Arc<Topic>),
    /// Older than `metadata.max.age.ms`: good to use, and the caller, the only
    /// one to be told, should have it looked up again.
    Aged(Arc<Topic>),
    /// Not known, or not for long.
    Unknown,
}

/// Reading takes no lock; writing copies the table.
#[derive(Debug)]
pub(crate) struct Cache {
    max_age: Duration,
    max_topics: usize,
    topics: ArcSwap<HashMap<Str, Arc<Known>>>,
    cluster: ArcSwapOption<(Arc<Cluster>, Instant)>,
    /// Held while something is written.
    writing: Mutex<()>,
}

impl Cache {
    pub(crate) fn new(max_age: Duration) -> Self {
        Self {
            max_age,
            max_topics: MAX_TOPICS,
            topics: ArcSwap::default(),
            cluster: ArcSwapOption::empty(),
            writing: Mutex::new(()),
        }
    }

    pub(crate) fn topic(&self, name: &str, now: Instant) -> Cached {
        let topics = self.topics.load();
        let Some(known) = topics.get(name) else { return Cached::Unknown };
        let age = now.saturating_duration_since(known.looked_up);
        let topic = || Arc::clone(&known.topic);
        if age < self.max_age {
            Cached::Fresh(topic())
        } else if age >= 2 * self.max_age {
            Cached::Unknown
        } else if known.refreshing.swap(true, Ordering::Relaxed) {
            Cached::Fresh(topic())
        } else {
            Cached::Aged(topic())
        }
    }

    /// What is known, however old.
    pub(crate) fn cluster(&self) -> Option<Arc<Cluster>> {
        self.cluster.load().as_ref().map(|known| Arc::clone(&known.0))
    }

    /// What is known, unless it is too old.
    pub(crate) fn fresh_cluster(&self, now: Instant) -> Option<Arc<Cluster>> {
        let known = self.cluster.load();
        let known =
            known.as_ref().filter(|known| now.saturating_duration_since(known.1) < self.max_age)?;
        Some(Arc::clone(&known.0))
    }

    pub(crate) fn store_cluster(&self, response: &MetadataResponse, now: Instant) {
        let mut brokers: Vec<Broker> = response
            .brokers
            .iter()
            .map(|broker| Broker {
                id: broker.node_id,
                host: broker.host.detached(),
                port: broker.port,
                rack: broker.rack.as_ref().map(Str::detached),
            })
            .collect();
        brokers.sort_unstable_by_key(|broker| broker.id);
        let cluster = Cluster {
            id: response.cluster_id.as_ref().map(Str::detached),
            controller: Some(response.controller_id).filter(|&id| id >= 0),
            brokers,
        };
        self.cluster.store(Some(Arc::new((Arc::new(cluster), now))));
    }

    /// Takes the answer about the topics in `asked`, or about all topics when
    /// that is `None`. A topic that does not exist any more is forgotten.
    /// Answers what holds now, sorted by name.
    pub(crate) fn store_topics(
        &self,
        response: Vec<MetadataResponseTopic>,
        asked: Option<&HashSet<Str>>,
        asked_at: Instant,
        now: Instant,
    ) -> Vec<Arc<Topic>> {
        let _writing = self.writing.lock();
        let mut topics = HashMap::clone(&self.topics.load());
        let mut answered = HashSet::new();
        let mut result = Vec::with_capacity(response.len());
        for described in response {
            let Some(name) = described.name.as_ref().map(Str::detached) else { continue };
            let before = topics.get(&name).map(|known| &*known.topic);
            let topic = Arc::new(merge(before, name.clone(), described));
            if topic.partitions.is_empty() {
                topics.remove(&name);
            } else {
                let known = Known {
                    topic: Arc::clone(&topic),
                    looked_up: now,
                    refreshing: AtomicBool::new(false),
                };
                topics.insert(name.clone(), Arc::new(known));
            }
            answered.insert(name);
            result.push(topic);
        }
        match asked {
            // A broker that leaves out what it was asked for does not know it.
            Some(asked) => asked.difference(&answered).for_each(|name| _ = topics.remove(name)),
            None => {
                topics.retain(|name, known| answered.contains(name) || known.looked_up > asked_at)
            }
        }
        evict(&mut topics, self.max_topics);
        self.topics.store(Arc::new(topics));
        result.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        result
    }

    /// Lets a topic whose background lookup failed be looked up again.
    pub(crate) fn refresh_failed(&self, names: &HashSet<Str>) {
        let topics = self.topics.load();
        for known in names.iter().filter_map(|name| topics.get(name)) {
            known.refreshing.store(false, Ordering::Relaxed);
        }
    }
}

fn merge(before: Option<&Topic>, name: Str, described: MetadataResponseTopic) -> Topic {
    let before = before.filter(|before| before.id == described.topic_id);
    let mut partitions: Vec<Partition> = described.partitions.into_iter().map(partition).collect();
    partitions.sort_unstable_by_key(|partition| partition.id);
    partitions.dedup_by_key(|partition| partition.id);
    if let Some(before) = before {
        for partition in &mut partitions {
            if let Some(newer) = before.partition(partition.id)
                && partition.leader_epoch >= 0
                && newer.leader_epoch > partition.leader_epoch
            {
                partition.clone_from(newer);
            }
        }
    }
    Topic {
        name,
        id: described.topic_id,
        is_internal: described.is_internal,
        partitions,
        error: described.error_code,
    }
}

fn partition(described: MetadataResponsePartition) -> Partition {
    Partition {
        id: described.partition_index,
        leader: Some(described.leader_id).filter(|&id| id >= 0),
        leader_epoch: described.leader_epoch,
        replicas: described.replica_nodes,
        isr: described.isr_nodes,
        error: described.error_code,
    }
}

/// Removes the topics looked up longest ago until at most nine tenths of `max`
/// are left, so that this is not done for every new topic.
fn evict(topics: &mut HashMap<Str, Arc<Known>>, max: usize) {
    if topics.len() <= max {
        return;
    }
    let surplus = topics.len() - max / 10 * 9;
    let mut by_age: Vec<(Instant, Str)> =
        topics.iter().map(|(name, known)| (known.looked_up, name.clone())).collect();
    by_age.sort_unstable();
    for (_, name) in by_age.into_iter().take(surplus) {
        topics.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(name: &str, id: u8, partitions: &[(i32, i32, i32)]) -> MetadataResponseTopic {
        let partition = |&(partition_index, leader_id, leader_epoch)| MetadataResponsePartition {
            partition_index,
            leader_id,
            leader_epoch,
            ..MetadataResponsePartition::default()
        };
        MetadataResponseTopic {
            name: Some(name.into()),
            topic_id: Uuid::from_bytes([id; 16]),
            partitions: partitions.iter().map(partition).collect(),
            ..MetadataResponseTopic::default()
        }
    }

    fn asked(names: &[&str]) -> HashSet<Str> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[track_caller]
    fn leaders(cache: &Cache, name: &str, now: Instant) -> Vec<(i32, Option<i32>, i32)> {
        match cache.topic(name, now) {
            Cached::Fresh(topic) => {
                topic.partitions.iter().map(|p| (p.id, p.leader, p.leader_epoch)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_leader_epoch_never_goes_backwards_for_one_topic_id() {
        let now = Instant::now();
        let cache = Cache::new(Duration::from_secs(300));
        let store = |topic| cache.store_topics(vec![topic], Some(&asked(&["t"])), now, now);
        store(described("t", 1, &[(1, 2, 7), (0, 1, 5)]));
        assert_eq!(leaders(&cache, "t", now), [(0, Some(1), 5), (1, Some(2), 7)]);
        store(described("t", 1, &[(0, 3, 4), (1, -1, 8), (2, 1, 0)]));
        assert_eq!(leaders(&cache, "t", now), [(0, Some(1), 5), (1, None, 8), (2, Some(1), 0)]);
        store(described("t", 1, &[(0, 9, -1)]));
        assert_eq!(leaders(&cache, "t", now), [(0, Some(9), -1)]);
        store(described("t", 1, &[(0, 9, 6)]));
        store(described("t", 2, &[(0, 4, 0)]));
        assert_eq!(leaders(&cache, "t", now), [(0, Some(4), 0)]);
    }

    #[test]
    fn a_deleted_topic_disappears() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let cache = Cache::new(Duration::from_secs(300));
        let one = &[(0, 1, 0)];
        let unknown = |name: &str| cache.topic(name, later).is_unknown();
        let all = ["a", "b", "c", "d"].map(|name| described(name, 1, one));
        cache.store_topics(all.to_vec(), None, start, start);
        let missing = MetadataResponseTopic {
            error_code: ErrorCode::UnknownTopicOrPartition,
            ..described("a", 0, &[])
        };
        cache.store_topics(vec![missing], Some(&asked(&["a", "b"])), start, later);
        assert!(unknown("a") && unknown("b") && !unknown("c"));
        // Looked up after the list was asked for: not in the list, and yet there.
        cache.store_topics(vec![described("new", 1, one)], Some(&asked(&["new"])), later, later);
        cache.store_topics(vec![described("d", 1, one)], None, start, later);
        assert!(unknown("c") && !unknown("d") && !unknown("new"));
    }

    #[test]
    fn an_aged_topic_is_used_while_one_caller_looks_it_up() {
        let start = Instant::now();
        let cache = Cache::new(Duration::from_secs(300));
        cache.store_topics(vec![described("t", 1, &[(0, 1, 0)])], None, start, start);
        let at = |seconds| cache.topic("t", start + Duration::from_secs(seconds));
        assert!(matches!(at(299), Cached::Fresh(_)));
        assert!(matches!(at(300), Cached::Aged(_)));
        assert!(matches!(at(301), Cached::Fresh(_)));
        cache.refresh_failed(&asked(&["t"]));
        assert!(matches!(at(302), Cached::Aged(_)));
        assert!(at(600).is_unknown());
    }

    #[test]
    fn the_cache_is_bounded() {
        let start = Instant::now();
        let mut cache = Cache::new(Duration::from_secs(300));
        cache.max_topics = 10;
        for index in 0..25 {
            let name = format!("t{index}");
            let now = start + Duration::from_secs(index);
            cache.store_topics(
                vec![described(&name, 1, &[(0, 1, 0)])],
                Some(&asked(&[&name])),
                now,
                now,
            );
            assert!(cache.topics.load().len() <= 10);
            assert!(!cache.topic(&name, now).is_unknown());
        }
        let many: Vec<_> =
            (0..100).map(|index| described(&format!("m{index}"), 1, &[(0, 1, 0)])).collect();
        assert_eq!(cache.store_topics(many, None, start, start).len(), 100);
        assert!(cache.topics.load().len() <= 10);
    }

    #[test]
    fn partitions_are_found_whatever_their_order() {
        let topic = merge(
            None,
            "t".into(),
            described("t", 1, &[(5, 1, 0), (0, 1, 0), (5, 2, 0), (-3, 1, 0)]),
        );
        assert_eq!(topic.partitions.len(), 3);
        for (id, found) in
            [(0, true), (5, true), (-3, true), (1, false), (i32::MAX, false), (i32::MIN, false)]
        {
            assert_eq!(
                topic.partition(id).is_some_and(|partition| partition.id == id),
                found,
                "{id}"
            );
        }
    }

    impl Cached {
        fn is_unknown(&self) -> bool {
            matches!(self, Self::Unknown)
        }
    }
}

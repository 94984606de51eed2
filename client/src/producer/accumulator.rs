//! All partitions that are written to, and which of them have something to
//! send to which node. Without I/O; wakes the tasks that do it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use protocol::{Str, Uuid};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::answer::Failure;
use super::call::Call;
use super::identity::Identity;
use super::partition::{Next, Now, Partition, Shipment};
use super::pending::Endings;
use super::{Appended, ProduceError, ProducerConfig};
use crate::Topic;

/// How long a topic that has gone from the metadata is waited for: nodes of a
/// cluster do not learn of a new topic at the same time.
const UNKNOWN_TOPIC_PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a request besides its batches, at most: header and names.
const REQUEST_OVERHEAD: usize = 512;

/// Bytes of a request for one batch, besides its topic's name.
const BATCH_OVERHEAD: usize = 64;

/// Where to call those who have to do something.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Partitions wait for an identity.
    pub(super) identity: Notify,
    /// Partitions wait for a leader.
    pub(super) metadata: Notify,
    /// There is a deadline where there was none.
    pub(super) expiry: Notify,
}

/// Names a partition in the accumulator.
pub(super) type Key = usize;

/// One batch of a request.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) key: Key,
    pub(super) topic: Str,
    pub(super) topic_id: Uuid,
    pub(super) index: i32,
    pub(super) shipment: Shipment,
}

/// What became of one batch of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) key: Key,
    /// Of the batch.
    pub(super) number: u64,
    pub(super) answer: Result<Appended, Failure>,
}

/// What a node has to do.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// The batches of one request; empty if there is nothing to send.
    pub(super) batches: Vec<Planned>,
    /// When there may be something without anybody calling.
    pub(super) wake_at: Option<Instant>,
}

#[derive(Debug)]
struct Slot {
    topic: Str,
    topic_id: Uuid,
    index: i32,
    leader: Option<i32>,
    /// Since when the metadata does not know the partition.
    unknown_since: Option<Instant>,
    /// In a list of those that have something to do.
    listed: bool,
    timer: Option<Instant>,
    partition: Partition,
}

/// What waits for one node.
#[derive(Debug, Default)]
struct Node {
    ready: VecDeque<Key>,
    timers: BinaryHeap<Reverse<(Instant, Key)>>,
    wake: Arc<Notify>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Accumulator {
    config: Arc<ProducerConfig>,
    signals: Arc<Signals>,
    topics: HashMap<Str, BTreeMap<i32, Key>>,
    slots: Vec<Slot>,
    nodes: HashMap<i32, Node>,
    /// Nodes that have nobody yet who sends to them.
    new_nodes: Vec<(i32, Arc<Notify>)>,
    /// Partitions that have something to send and no leader.
    leaderless: Vec<Key>,
    /// Partitions that have something to send and no identity to do so.
    nameless: Vec<Key>,
    identity: Option<Identity>,
    /// Calls that are over, until their callers are told.
    endings: Endings,
    /// Somebody watches the deadlines.
    watched: bool,
    flushing: usize,
    closed: bool,
}

impl Accumulator {
    pub(super) fn new(config: Arc<ProducerConfig>, signals: Arc<Signals>) -> Self {
        Self {
            config,
            signals,
            topics: HashMap::new(),
            slots: Vec::new(),
            nodes: HashMap::new(),
            new_nodes: Vec::new(),
            leaderless: Vec::new(),
            nameless: Vec::new(),
            identity: None,
            endings: Endings::default(),
            watched: false,
            flushing: 0,
            closed: false,
        }
    }

    #[cfg(test)]
    pub(super) fn config(&self) -> &ProducerConfig {
        &self.config
    }

    /// Queues these records of a call for a partition of the topic.
    pub(super) fn push(
        &mut self,
        topic: &Topic,
        index: i32,
        call: &Arc<Call>,
        ranges: &[Range<usize>],
    ) -> Result<(), ProduceError> {
        if self.closed {
            return Err(ProduceError::Closed);
        }
        let key = self.key(topic, index);
        if let Some(slot) = self.slots.get_mut(key) {
            slot.partition.push(call, ranges);
        }
        if !self.watched {
            self.watched = true;
            self.signals.expiry.notify_one();
        }
        self.list(key);
        Ok(())
    }

    fn key(&mut self, topic: &Topic, index: i32) -> Key {
        if let Some(key) = self.topics.get(&*topic.name).and_then(|keys| keys.get(&index)) {
            return *key;
        }
        let name = topic.name.detached();
        let key = self.slots.len();
        self.topics.entry(name.clone()).or_default().insert(index, key);
        self.slots.push(Slot {
            topic: name,
            topic_id: topic.id,
            index,
            leader: topic.partition(index).and_then(|partition| partition.leader),
            unknown_since: None,
            listed: false,
            timer: None,
            partition: Partition::default(),
        });
        key
    }

    /// Puts a partition that has something to do where it will be seen.
    fn list(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.listed || !slot.partition.is_ready(&self.config) {
            return;
        }
        slot.listed = true;
        let Some(leader) = slot.leader else {
            self.leaderless.push(key);
            self.signals.metadata.notify_one();
            return;
        };
        let node = self.nodes.entry(leader).or_insert_with(|| {
            let node = Node::default();
            self.new_nodes.push((leader, Arc::clone(&node.wake)));
            node
        });
        node.ready.push_back(key);
        node.wake.notify_one();
    }

    /// Nodes that were not known before, with the call to those who send to them.
    pub(super) fn take_new_nodes(&mut self) -> Vec<(i32, Arc<Notify>)> {
        std::mem::take(&mut self.new_nodes)
    }

    /// Calls that are over since the last time.
    pub(super) fn take_endings(&mut self) -> Endings {
        std::mem::take(&mut self.endings)
    }

    /// The next request to a node.
    pub(super) fn collect(&mut self, node_id: i32, now: Now) -> Collected {
        self.list_due(node_id, now.instant);
        let linger =
            if self.flushing > 0 || self.closed { Duration::ZERO } else { self.config.linger };
        let mut collected = Collected::default();
        let mut room = self.config.max_request_size.saturating_sub(REQUEST_OVERHEAD);
        let count = self.nodes.get(&node_id).map_or(0, |node| node.ready.len());
        for _ in 0..count {
            let Some(key) = self.nodes.get_mut(&node_id).and_then(|node| node.ready.pop_front())
            else {
                break;
            };
            let Some(slot) = self.slots.get_mut(key) else { continue };
            slot.listed = false;
            if slot.leader != Some(node_id) {
                self.list(key);
                continue;
            }
            let overhead = BATCH_OVERHEAD + slot.topic.len();
            let left = (!collected.batches.is_empty()).then(|| room.saturating_sub(overhead));
            match slot.partition.next(self.identity, left, now, linger, &self.config) {
                Next::Batch(shipment) => {
                    room = room.saturating_sub(overhead + shipment.size);
                    let (topic, topic_id, index) = (slot.topic.clone(), slot.topic_id, slot.index);
                    collected.batches.push(Planned { key, topic, topic_id, index, shipment });
                    self.list(key);
                }
                Next::Nothing => {}
                Next::At(at) => {
                    if slot.timer != Some(at) {
                        slot.timer = Some(at);
                        if let Some(node) = self.nodes.get_mut(&node_id) {
                            node.timers.push(Reverse((at, key)));
                        }
                    }
                }
                Next::NoRoom => {
                    slot.listed = true;
                    if let Some(node) = self.nodes.get_mut(&node_id) {
                        node.ready.push_front(key);
                    }
                    break;
                }
                Next::Identity => {
                    slot.listed = true;
                    self.nameless.push(key);
                    self.signals.identity.notify_one();
                }
            }
        }
        collected.wake_at = self
            .nodes
            .get(&node_id)
            .and_then(|node| node.timers.peek())
            .map(|Reverse((at, _))| *at);
        collected
    }

    fn list_due(&mut self, node_id: i32, now: Instant) {
        loop {
            let Some(node) = self.nodes.get_mut(&node_id) else { return };
            match node.timers.peek() {
                Some(Reverse((at, _))) if *at <= now => {}
                _ => return,
            }
            let Some(Reverse((at, key))) = node.timers.pop() else { return };
            if let Some(slot) = self.slots.get_mut(key)
                && slot.timer == Some(at)
            {
                slot.timer = None;
            }
            self.list(key);
        }
    }

    /// Takes what became of the batches of a request.
    pub(super) fn answered(&mut self, outcomes: Vec<Outcome>, now: Instant) {
        for Outcome { key, number, answer } in outcomes {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            if answer.as_ref().is_err_and(|failure| failure.stale_leader) {
                slot.leader = None;
            }
            slot.partition.answered(number, answer, now, &self.config, &mut self.endings);
            self.list(key);
        }
    }

    /// Topics that have something to send and no leader to send it to.
    pub(super) fn leaderless_topics(&self) -> Vec<Str> {
        let mut topics: Vec<Str> = self
            .leaderless
            .iter()
            .filter_map(|key| Some(self.slots.get(*key)?.topic.clone()))
            .collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// Takes what the metadata says of a topic now; `None` if it does not know it.
    pub(super) fn described(&mut self, name: &str, topic: Option<&Topic>, now: Instant) {
        let keys: Vec<Key> =
            self.topics.get(name).into_iter().flat_map(BTreeMap::values).copied().collect();
        for key in keys {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            let described = topic.and_then(|topic| Some((topic.id, topic.partition(slot.index)?)));
            let Some((topic_id, partition)) = described else {
                let since = *slot.unknown_since.get_or_insert(now);
                if now - since >= UNKNOWN_TOPIC_PATIENCE {
                    slot.unknown_since = None;
                    let (topic, partition) = (slot.topic.clone(), slot.index);
                    let error = ProduceError::UnknownPartition { topic, partition };
                    slot.partition.fail_all(&error, &mut self.endings);
                }
                continue;
            };
            slot.unknown_since = None;
            if std::mem::replace(&mut slot.topic_id, topic_id) != topic_id {
                slot.partition.forgotten();
            }
            slot.leader = partition.leader;
        }
        let waiting = std::mem::take(&mut self.leaderless);
        self.relist(waiting);
    }

    /// Whether an identity is needed, and instead of which one.
    pub(super) fn wants_identity(&self) -> Option<Option<Identity>> {
        (!self.nameless.is_empty()).then_some(self.identity)
    }

    /// From now on batches of new epochs are written under this identity.
    pub(super) fn identified(&mut self, identity: Identity) {
        self.identity = Some(identity);
        let waiting = std::mem::take(&mut self.nameless);
        self.relist(waiting);
    }

    /// There is no identity to be had.
    pub(super) fn not_identified(&mut self, error: &ProduceError) {
        for key in std::mem::take(&mut self.nameless) {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.listed = false;
                slot.partition.fail_all(error, &mut self.endings);
            }
        }
    }

    fn relist(&mut self, keys: Vec<Key>) {
        for key in keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.listed = false;
            }
            self.list(key);
        }
    }

    /// Ends what is past its deadline and returns the next deadline; `None` when
    /// nobody has to watch any more.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for key in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            if !slot.partition.has_work() {
                continue;
            }
            let deadline = slot.partition.expire(now, &self.config, &mut self.endings);
            next = [next, deadline].into_iter().flatten().min();
            self.list(key);
        }
        self.watched = next.is_some();
        next
    }

    /// Hands `watcher` to all calls that are not settled.
    pub(super) fn watch(&self, watcher: &mpsc::Sender<()>) {
        for slot in &self.slots {
            slot.partition.parts().for_each(|part| part.call.watch(watcher));
        }
    }

    /// Nothing lingers while somebody flushes.
    pub(super) fn begin_flush(&mut self) {
        self.flushing += 1;
        self.wake_all();
    }

    pub(super) fn end_flush(&mut self) {
        self.flushing = self.flushing.saturating_sub(1);
    }

    /// Refuses further calls.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.wake_all();
    }

    /// Ends all calls.
    pub(super) fn fail_all(&mut self, error: &ProduceError) {
        for slot in &mut self.slots {
            slot.partition.fail_all(error, &mut self.endings);
        }
    }

    fn wake_all(&mut self) {
        for node in self.nodes.values_mut() {
            // What lingers has a timer: all of them are due now.
            let keys: Vec<Key> = node.timers.drain().map(|Reverse((_, key))| key).collect();
            for key in keys {
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.timer = None;
                    if !slot.listed {
                        slot.listed = true;
                        node.ready.push_back(key);
                    }
                }
            }
            node.wake.notify_one();
        }
    }
}

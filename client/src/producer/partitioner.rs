//! Which partition a record goes to when its sender does not say.
//!
//! Records with a key go where the Java client sends them, so that writers in
//! both meet in the same partition. Records without one stay with a partition
//! for a while and then move on to another (KIP-794), so that batches are full.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use parking_lot::RwLock;
use protocol::Str;

use crate::Topic;
use crate::retry::random;

/// Bytes after which records without key move on to another partition: the
/// default of the Java client's `batch.size`.
const STICKY_BYTES: usize = 16 * 1024;

/// Java's `Utils.murmur2`.
pub fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15) as i32
}

/// The partition of a record with this key, among `partitions`. 0 if there are none.
pub fn partition_for_key(key: &[u8], partitions: usize) -> i32 {
    let count = i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
    (murmur2(key) & i32::MAX) % count
}

/// Chooses partitions of one topic; cheap to ask for each record.
#[derive(Debug, Clone)]
pub struct Partitioner {
    partitions: usize,
    sticky: i32,
}

impl Partitioner {
    /// The partition for a record with this key or none.
    #[inline]
    pub fn partition_for(&self, key: Option<&[u8]>) -> i32 {
        key.map_or(self.sticky, |key| partition_for_key(key, self.partitions))
    }
}

/// Where records without key go for the time being, per topic.
#[derive(Debug, Default)]
pub(super) struct Sticky {
    choices: RwLock<HashMap<Str, Arc<Choice>>>,
}

#[derive(Debug)]
struct Choice {
    partition: AtomicI32,
    bytes: AtomicUsize,
}

impl Sticky {
    pub(super) fn partitioner(&self, topic: &Topic) -> Partitioner {
        let choice = self.choice(&topic.name).unwrap_or_else(|| self.first_choice(topic));
        let mut sticky = choice.partition.load(Ordering::Relaxed);
        if topic.partition(sticky).is_none_or(|partition| partition.leader.is_none()) {
            sticky = pick(topic, Some(sticky));
            choice.partition.store(sticky, Ordering::Relaxed);
        }
        Partitioner { partitions: topic.partitions.len(), sticky }
    }

    /// Counts what was handed over for a partition; the choice moves on when it
    /// has had enough.
    pub(super) fn count(&self, topic: &Topic, partition: i32, bytes: usize) {
        let Some(choice) = self.choice(&topic.name) else { return };
        if choice.partition.load(Ordering::Relaxed) != partition {
            return;
        }
        if choice.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) >= STICKY_BYTES {
            choice.bytes.store(0, Ordering::Relaxed);
            choice.partition.store(pick(topic, Some(partition)), Ordering::Relaxed);
        }
    }

    fn choice(&self, name: &str) -> Option<Arc<Choice>> {
        self.choices.read().get(name).cloned()
    }

    fn first_choice(&self, topic: &Topic) -> Arc<Choice> {
        let choice =
            || Choice { partition: AtomicI32::new(pick(topic, None)), bytes: AtomicUsize::new(0) };
        let mut choices = self.choices.write();
        Arc::clone(choices.entry(topic.name.detached()).or_insert_with(|| Arc::new(choice())))
    }
}

/// A random partition with a leader, or any if none has one; another than
/// `before` if there is a choice.
fn pick(topic: &Topic, before: Option<i32>) -> i32 {
    let led = |&&id: &&i32| topic.partition(id).is_some_and(|partition| partition.leader.is_some());
    let all: Vec<i32> = topic.partitions.iter().map(|partition| partition.id).collect();
    let mut candidates: Vec<i32> = all.iter().filter(led).copied().collect();
    if candidates.is_empty() {
        candidates = all;
    }
    if candidates.len() > 1 {
        candidates.retain(|&id| Some(id) != before);
    }
    let index = (random() * candidates.len() as f64) as usize;
    candidates.get(index).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use protocol::{ErrorCode, Uuid};

    use super::*;
    use crate::Partition;

    #[test]
    fn keys_hash_as_in_java() {
        // The examples of Kafka's UtilsTest.
        for (key, expected) in [
            (&b"21"[..], -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key), expected, "{}", String::from_utf8_lossy(key));
        }
    }

    fn topic(leaders: &[Option<i32>]) -> Topic {
        let partition = |(id, leader): (usize, &Option<i32>)| Partition {
            id: id as i32,
            leader: *leader,
            leader_epoch: 0,
            replicas: Vec::new(),
            isr: Vec::new(),
            error: ErrorCode::None,
        };
        Topic {
            name: Str::from_static("t"),
            id: Uuid::ZERO,
            is_internal: false,
            partitions: leaders.iter().enumerate().map(partition).collect(),
            error: ErrorCode::None,
        }
    }

    #[test]
    fn records_without_key_stay_until_a_partition_has_had_enough() {
        let topic = topic(&[Some(1), None, Some(1), Some(1)]);
        let sticky = Sticky::default();
        let first = sticky.partitioner(&topic).partition_for(None);
        assert_ne!(first, 1, "has no leader");
        for _ in 0..3 {
            sticky.count(&topic, first, STICKY_BYTES / 4);
            assert_eq!(sticky.partitioner(&topic).partition_for(None), first);
        }
        sticky.count(&topic, 1, STICKY_BYTES);
        assert_eq!(sticky.partitioner(&topic).partition_for(None), first, "others do not count");
        sticky.count(&topic, first, STICKY_BYTES / 4);
        let second = sticky.partitioner(&topic).partition_for(None);
        assert!(second != first && second != 1, "{second}");
    }

    #[test]
    fn records_without_key_leave_a_partition_that_lost_its_leader() {
        let sticky = Sticky::default();
        let before = sticky.partitioner(&topic(&[Some(1), Some(1)])).partition_for(None);
        let mut leaders = [Some(1); 2];
        leaders[before as usize] = None;
        assert_ne!(sticky.partitioner(&topic(&leaders)).partition_for(None), before);
        assert_eq!(sticky.partitioner(&topic(&[None])).partition_for(None), 0);
    }

    #[test]
    fn keyed_records_go_by_their_hash() {
        let partitioner = Sticky::default().partitioner(&topic(&[Some(1); 6]));
        for key in [&b"21"[..], b"foobar", b"abc", b""] {
            let expected = (murmur2(key) & i32::MAX) % 6;
            assert_eq!(partitioner.partition_for(Some(key)), expected);
        }
    }
}

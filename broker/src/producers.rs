//! What a partition remembers of its idempotent producers.
//!
//! A producer numbers its records per partition. With the last five batches of
//! each producer at hand, a batch that is sent again is recognised and answered
//! like the first time, and one that overtook another is refused.
//!
//! ```text
//!                 ┌─ one of the last five ────────────── Duplicate (offset of the original)
//!                 ├─ older epoch ─────────────────────── InvalidEpoch           (47)
//! batch ── check ─┼─ newer epoch, sequence not 0 ─────── OutOfOrderSequence     (45)
//!                 ├─ same epoch, sequence not the next ─ OutOfOrderSequence     (45)
//!                 ├─ in a transaction, batch is not ──── InvalidTransactionState (48)
//!                 └─ else, and any of an unknown producer: New
//! ```
//!
//! Nothing here knows what is durable: a duplicate names the last offset of its
//! original, and whoever answers waits until the log is durable up to there.
//!
//! No clock and no file: `now_ms` is an argument, snapshots are bytes
//! ([`snapshot`]). Rules: KIP-98, and KIP-360 for producers that are not known.

pub(crate) mod snapshot;

use std::collections::HashMap;

use protocol::records::{BatchHeader, NO_PRODUCER_EPOCH};

/// Batches that are remembered of each producer. Clients have at most five in
/// flight for this reason.
pub(crate) const REMEMBERED_BATCHES: usize = 5;

/// Producers that one partition remembers. A client that opens a new producer
/// for every request would fill the memory otherwise.
pub(crate) const MAX_PRODUCERS: usize = 10_000;

/// No transaction marker has been seen.
const NO_COORDINATOR_EPOCH: i32 = -1;

/// The producers of one partition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// How many of them have a transaction open, so that the usual case asks nobody.
    open_transactions: usize,
    limit: usize,
}

/// One batch of a producer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ProducerBatch {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    /// Last offset less the first one.
    pub(crate) offset_delta: i32,
    /// The batch's largest timestamp, in ms; that of the append where topics have it so.
    pub(crate) timestamp: i64,
}

impl ProducerBatch {
    pub(crate) fn base_offset(&self) -> i64 {
        self.last_offset.saturating_sub(i64::from(self.offset_delta))
    }

    /// Sequences wrap from `i32::MAX` to 0.
    pub(crate) fn first_sequence(&self) -> i32 {
        let difference = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        i32::try_from(difference.rem_euclid(1 << 31)).unwrap_or(0)
    }
}

/// One producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    coordinator_epoch: i32,
    /// First offset of the transaction that is open, if one is.
    transaction: Option<i64>,
    /// When the partition last saw it, by this node's clock, in ms. Timestamps
    /// of records are the clients' and may be of any age.
    last_seen_ms: i64,
    /// The oldest first; only the first `count` are there.
    batches: [ProducerBatch; REMEMBERED_BATCHES],
    count: usize,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is to be appended.
    New,
    /// It was appended before.
    Duplicate(ProducerBatch),
}

/// Why a batch is refused. The texts go to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProducerError {
    #[error(
        "Out of order sequence number for producer {producer_id}: {sequence} (incoming seq. number), {last} (current end sequence number)"
    )]
    OutOfOrderSequence { producer_id: i64, sequence: i32, last: i32 },
    #[error(
        "Invalid sequence number for new epoch of producer {producer_id}: {epoch} (request epoch), {sequence} (seq. number), {current} (current producer epoch)"
    )]
    FirstSequenceOfEpoch { producer_id: i64, epoch: i16, sequence: i32, current: i16 },
    #[error(
        "Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {current}"
    )]
    InvalidEpoch { producer_id: i64, epoch: i16, current: i16 },
    #[error("Expected transactional write from producer {producer_id}")]
    InvalidTransactionState { producer_id: i64 },
}

/// Takes one [`Producers::append`] back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Undo {
    producer_id: i64,
    before: Option<Producer>,
}

impl Default for Producers {
    fn default() -> Self {
        Self::with_limit(MAX_PRODUCERS)
    }
}

impl Producers {
    /// Remembers at most `limit` producers, at least one.
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { by_id: HashMap::new(), open_transactions: 0, limit: limit.max(1) }
    }

    /// Whether no producer is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// What is to become of a client's batch. One without a producer id is new.
    ///
    /// # Errors
    /// Why it must not be appended.
    pub(crate) fn check(&self, batch: &BatchHeader) -> Result<Verdict, ProducerError> {
        if !batch.has_producer_id() {
            return Ok(Verdict::New);
        }
        // Expired, trimmed, or the partition never saw it: any sequence is as
        // good as another (KIP-360).
        let Some(known) = self.by_id.get(&batch.producer_id) else { return Ok(Verdict::New) };
        if let Some(original) = known.original_of(batch) {
            return Ok(Verdict::Duplicate(original));
        }
        known.check(batch)?;
        Ok(Verdict::New)
    }

    /// Remembers a batch that is in the log at the offsets of its header. What
    /// is read from the log at start comes through here too: nothing is checked.
    pub(crate) fn append(&mut self, batch: &BatchHeader, now_ms: i64) -> Option<Undo> {
        if !batch.has_producer_id() {
            return None;
        }
        let producer_id = batch.producer_id;
        let before = self.by_id.get(&producer_id).copied();
        if before.is_none() && self.by_id.len() >= self.limit {
            self.make_room();
        }
        let mut producer = before.unwrap_or_else(|| Producer::new(batch.producer_epoch));
        producer.append(batch, now_ms);
        self.set(producer_id, Some(producer));
        Some(Undo { producer_id, before })
    }

    /// Forgets a batch that could not be written. In the opposite order of the appends.
    pub(crate) fn undo(&mut self, undo: Undo) {
        self.set(undo.producer_id, undo.before);
    }

    /// Who is known, with the offset of the last record that ends a batch below
    /// `end`; `None` when all batches that are remembered are behind it.
    pub(crate) fn last_offsets(&self, end: i64) -> impl Iterator<Item = (i64, Option<i64>)> + '_ {
        self.by_id.iter().map(move |(id, producer)| {
            let offsets = producer.batches().iter().map(|batch| batch.last_offset);
            (*id, offsets.filter(|offset| *offset < end).max())
        })
    }

    /// Forgets who was silent for `expiration_ms`, unless a transaction is open.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.by_id.retain(|_, producer| {
            producer.transaction.is_some()
                || now_ms.saturating_sub(producer.last_seen_ms) < expiration_ms
        });
    }

    /// The first offset that belongs to a transaction that is not decided.
    #[cfg(test)]
    pub(crate) fn first_open_transaction(&self) -> Option<i64> {
        if self.open_transactions == 0 {
            return None;
        }
        self.by_id.values().filter_map(|producer| producer.transaction).min()
    }

    /// Forgets an eighth of the producers, those whose last record is the
    /// oldest, so that not every new one has to look for a victim.
    fn make_room(&mut self) {
        let mut candidates: Vec<(i64, i64)> = self
            .by_id
            .iter()
            .filter(|(_, producer)| producer.transaction.is_none())
            .map(|(id, producer)| (producer.last_offset(), *id))
            .collect();
        candidates.sort_unstable();
        for (_, id) in candidates.into_iter().take(self.limit.div_ceil(8)) {
            self.by_id.remove(&id);
        }
    }

    fn set(&mut self, producer_id: i64, producer: Option<Producer>) {
        let is_open = producer.is_some_and(|producer| producer.transaction.is_some());
        let before = match producer {
            Some(producer) => self.by_id.insert(producer_id, producer),
            None => self.by_id.remove(&producer_id),
        };
        let was_open = before.is_some_and(|producer| producer.transaction.is_some());
        self.open_transactions =
            (self.open_transactions + usize::from(is_open)).saturating_sub(usize::from(was_open));
    }
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Self {
            epoch,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            transaction: None,
            last_seen_ms: 0,
            batches: Default::default(),
            count: 0,
        }
    }

    fn batches(&self) -> &[ProducerBatch] {
        self.batches.get(..self.count).unwrap_or_default()
    }

    fn last(&self) -> Option<&ProducerBatch> {
        self.batches().last()
    }

    fn last_offset(&self) -> i64 {
        self.last().map_or(-1, |batch| batch.last_offset)
    }

    fn original_of(&self, batch: &BatchHeader) -> Option<ProducerBatch> {
        if batch.producer_epoch != self.epoch || batch.attributes.is_control() {
            return None;
        }
        let (first, last) = (batch.base_sequence, batch.last_sequence());
        self.batches()
            .iter()
            .find(|known| known.first_sequence() == first && known.last_sequence == last)
            .copied()
    }

    fn check(&self, batch: &BatchHeader) -> Result<(), ProducerError> {
        let BatchHeader { producer_id, producer_epoch: epoch, base_sequence: sequence, .. } =
            *batch;
        if epoch < self.epoch {
            return Err(ProducerError::InvalidEpoch { producer_id, epoch, current: self.epoch });
        }
        // Markers carry no sequence.
        if batch.attributes.is_control() {
            return Ok(());
        }
        if epoch > self.epoch {
            if sequence != 0 && self.epoch != NO_PRODUCER_EPOCH {
                let current = self.epoch;
                return Err(ProducerError::FirstSequenceOfEpoch {
                    producer_id,
                    epoch,
                    sequence,
                    current,
                });
            }
        } else {
            let last = self.last().map_or(-1, |batch| batch.last_sequence);
            let next = if last == i32::MAX { 0 } else { last + 1 };
            if sequence != next {
                return Err(ProducerError::OutOfOrderSequence { producer_id, sequence, last });
            }
        }
        if self.transaction.is_some() && !batch.attributes.is_transactional() {
            return Err(ProducerError::InvalidTransactionState { producer_id });
        }
        Ok(())
    }

    fn append(&mut self, batch: &BatchHeader, now_ms: i64) {
        if batch.producer_epoch != self.epoch {
            self.epoch = batch.producer_epoch;
            self.count = 0;
        }
        self.last_seen_ms = now_ms;
        if batch.attributes.is_control() {
            self.transaction = None;
            return;
        }
        if batch.attributes.is_transactional() && self.transaction.is_none() {
            self.transaction = Some(batch.base_offset);
        }
        self.push(ProducerBatch {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta,
            timestamp: batch.max_timestamp,
        });
    }

    fn push(&mut self, batch: ProducerBatch) {
        if self.count == REMEMBERED_BATCHES {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        if let Some(slot) = self.batches.get_mut(self.count) {
            *slot = batch;
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::records::{Attributes, NO_PRODUCER_ID, NO_SEQUENCE};

    use super::*;

    fn batch(producer_id: i64, epoch: i16, sequence: i32, records: i32) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            batch_length: 100,
            partition_leader_epoch: 0,
            magic: 2,
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta: records - 1,
            base_timestamp: 1_000,
            max_timestamp: 1_000,
            producer_id,
            producer_epoch: epoch,
            base_sequence: sequence,
            records_count: records,
        }
    }

    fn transactional(mut batch: BatchHeader) -> BatchHeader {
        batch.attributes = batch.attributes.with_transactional(true);
        batch
    }

    fn marker(producer_id: i64, epoch: i16) -> BatchHeader {
        let mut batch = transactional(batch(producer_id, epoch, NO_SEQUENCE, 1));
        batch.attributes = batch.attributes.with_control(true);
        batch
    }

    /// A log that appends what is new, as the writer does.
    #[derive(Default)]
    struct Partition {
        producers: Producers,
        end_offset: i64,
    }

    impl Partition {
        fn play(&mut self, mut batch: BatchHeader) -> String {
            match self.producers.check(&batch) {
                Ok(Verdict::New) => {
                    batch.base_offset = self.end_offset;
                    self.end_offset = batch.next_offset();
                    let _ = self.producers.append(&batch, batch.max_timestamp);
                    format!("appended at {}", batch.base_offset)
                }
                Ok(Verdict::Duplicate(original)) => {
                    format!("duplicate of {}", original.base_offset())
                }
                Err(ProducerError::OutOfOrderSequence { .. }) => "45".to_owned(),
                Err(ProducerError::FirstSequenceOfEpoch { .. }) => "45 new epoch".to_owned(),
                Err(ProducerError::InvalidEpoch { .. }) => "47".to_owned(),
                Err(ProducerError::InvalidTransactionState { .. }) => "48".to_owned(),
            }
        }
    }

    #[test]
    fn sequences_of_one_producer_are_checked_in_kafkas_order() {
        let mut partition = Partition::default();
        for (case, batch, expected) in [
            ("unknown producer, any sequence", batch(1, 0, 100, 10), "appended at 0"),
            ("next", batch(1, 0, 110, 10), "appended at 10"),
            ("sent again", batch(1, 0, 110, 10), "duplicate of 10"),
            ("the one before, sent again", batch(1, 0, 100, 10), "duplicate of 0"),
            ("part of a known one", batch(1, 0, 110, 5), "45"),
            ("a gap", batch(1, 0, 121, 1), "45"),
            ("next after refusals", batch(1, 0, 120, 1), "appended at 20"),
            ("new epoch, not from 0", batch(1, 1, 121, 1), "45 new epoch"),
            ("new epoch", batch(1, 1, 0, 3), "appended at 21"),
            ("old epoch, even if it was known", batch(1, 0, 120, 1), "47"),
            ("new epoch again", batch(1, 1, 0, 3), "duplicate of 21"),
            ("another producer", batch(2, 0, 0, 1), "appended at 24"),
            ("without producer", batch(NO_PRODUCER_ID, -1, -1, 1), "appended at 25"),
            ("without producer again", batch(NO_PRODUCER_ID, -1, -1, 1), "appended at 26"),
        ] {
            assert_eq!(partition.play(batch), expected, "{case}");
        }
    }

    #[test]
    fn five_batches_are_remembered() {
        let mut partition = Partition::default();
        for sequence in 0..6 {
            partition.play(batch(1, 0, sequence, 1));
        }
        assert_eq!(partition.play(batch(1, 0, 0, 1)), "45");
        for sequence in 1..6 {
            assert_eq!(
                partition.play(batch(1, 0, sequence, 1)),
                format!("duplicate of {sequence}")
            );
        }
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut partition = Partition::default();
        for (batch, expected) in [
            (batch(1, 0, i32::MAX - 1, 4), "appended at 0"),
            (batch(1, 0, i32::MAX - 1, 4), "duplicate of 0"),
            (batch(1, 0, 2, 1), "appended at 4"),
        ] {
            assert_eq!(partition.play(batch), expected);
        }
        let mut partition = Partition::default();
        partition.play(batch(1, 0, i32::MAX, 1));
        assert_eq!(partition.play(batch(1, 0, 0, 1)), "appended at 1");
    }

    #[test]
    fn a_batch_that_was_not_written_is_forgotten() {
        let mut producers = Producers::default();
        let first = batch(1, 0, 0, 1);
        let undo = producers.append(&first, 0).unwrap();
        producers.undo(undo);
        assert!(producers.is_empty());
        let _ = producers.append(&first, 0);
        let before = producers.clone();
        let second = producers.append(&batch(1, 0, 1, 1), 0).unwrap();
        let third = producers.append(&transactional(batch(1, 0, 2, 1)), 0).unwrap();
        producers.undo(third);
        producers.undo(second);
        assert_eq!(producers, before);
    }

    #[test]
    fn transactions_are_open_until_their_marker() {
        let mut partition = Partition::default();
        assert_eq!(partition.play(batch(1, 0, 0, 1)), "appended at 0");
        assert_eq!(partition.play(transactional(batch(1, 0, 1, 2))), "appended at 1");
        assert_eq!(partition.play(transactional(batch(1, 0, 3, 2))), "appended at 3");
        assert_eq!(partition.producers.first_open_transaction(), Some(1));
        assert_eq!(partition.play(batch(1, 0, 5, 1)), "48");
        assert_eq!(partition.play(marker(1, 0)), "appended at 5");
        assert_eq!(partition.producers.first_open_transaction(), None);
        assert_eq!(partition.play(batch(1, 0, 5, 1)), "appended at 6");
    }

    #[test]
    fn silent_producers_expire_by_the_clock_of_the_node() {
        let mut producers = Producers::default();
        let mut old_records = batch(1, 0, 0, 1);
        old_records.max_timestamp = 5;
        let _ = producers.append(&old_records, 10_000);
        let _ = producers.append(&transactional(batch(2, 0, 0, 1)), 10_000);
        producers.expire(10_999, 1_000);
        assert_eq!(producers.len(), 2);
        producers.expire(9_000, 1_000);
        assert_eq!(producers.len(), 2, "a clock that is set back expires nobody");
        producers.expire(11_000, 1_000);
        assert_eq!(producers.len(), 1, "a transaction is open");
        assert_eq!(producers.check(&batch(1, 0, 77, 1)), Ok(Verdict::New));
    }

    #[test]
    fn the_oldest_make_room_for_new_ones() {
        let mut producers = Producers::with_limit(16);
        for id in 0..40 {
            let mut batch = batch(id, 0, 0, 1);
            batch.base_offset = id;
            let batch = if id == 3 { transactional(batch) } else { batch };
            let _ = producers.append(&batch, 0);
            assert!(producers.len() <= 16);
        }
        let knows = |id| producers.check(&batch(id, 0, 5, 1)).is_err();
        assert!((30..40).all(knows));
        assert!(knows(3), "a transaction is open");
        assert!(!(4..24).any(knows));
    }

    proptest! {
        /// Whatever is lost and sent again, each sequence is in the log once and in order.
        #[test]
        fn resending_neither_repeats_nor_reorders(
            sizes in prop::collection::vec(1..20_i32, 1..40),
            resends in prop::collection::vec((any::<prop::sample::Index>(), 0..5_usize), 0..80),
            start in prop_oneof![Just(0), Just(i32::MAX - 50), 0..i32::MAX],
        ) {
            let mut partition = Partition::default();
            let mut sequence = start;
            let batches: Vec<_> = sizes
                .iter()
                .map(|size| {
                    let batch = batch(9, 0, sequence, *size);
                    let last = batch.last_sequence();
                    sequence = if last == i32::MAX { 0 } else { last + 1 };
                    batch
                })
                .collect();
            let mut offsets = Vec::new();
            for (at, next) in batches.iter().enumerate() {
                offsets.push(partition.end_offset);
                let expected = format!("appended at {}", partition.end_offset);
                prop_assert_eq!(partition.play(*next), expected);
                for (index, back) in &resends {
                    if index.index(batches.len()) == at {
                        let resent = at.saturating_sub(*back);
                        let expected = format!("duplicate of {}", offsets[resent]);
                        prop_assert_eq!(partition.play(batches[resent]), expected);
                    }
                }
                if let Some(skipped) = batches.get(at + 2) {
                    prop_assert_eq!(partition.play(*skipped), "45");
                }
            }
            prop_assert_eq!(partition.end_offset, sizes.iter().map(|size| i64::from(*size)).sum::<i64>());
        }
    }
}

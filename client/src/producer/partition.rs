//! What one partition has to write: who waits, what is under way, under which
//! sequence numbers. Without I/O: answers and the time go in, batches come out.
//!
//! ```text
//!                 next                    accepted
//!  queue ───────────────────► unresolved ──────────► settled
//!    ▲                        │   ▲    │
//!    │ not written            │   └────┘ may have been written: again,
//!    └────────────────────────┘          with the same sequence numbers
//! ```
//!
//! # Sequence numbers
//! A batch that was sent keeps its sequence numbers until it is known whether it
//! was written; the broker drops a second one. What is known not to have been
//! written goes back to the queue and gets new numbers. That leaves a gap, which
//! the broker accepts only from a new epoch, so the partition *settles* first:
//! nothing new is sent, all batches that are under way get their answers, what
//! was not written goes back, and then everything starts with number 0 under
//! another identity.
//!
//! A broker that does not know an identity lets it begin with any number, so
//! batches follow each other without waiting only once one was accepted: behind
//! a first batch that is refused, the second would be written in its place.
//!
//! # One caller never hurts another
//! When a batch of several callers is refused, the partition settles, and what
//! was not written is sent again, in order, one batch for each caller. Only who
//! is refused again gets the error.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::records::{BatchBuilder, HEADER_SIZE};
use tokio::time::Instant;

use super::answer::{Failure, Verdict};
use super::call::Call;
use super::identity::{Identity, advance};
use super::pending::Endings;
use super::{Appended, ProduceError, ProducerConfig};

/// Batches of a partition that may be without an answer: as many as brokers
/// remember of each producer.
pub(super) const MAX_IN_FLIGHT: usize = 5;

/// How long a broker surely remembers a producer that writes nothing
/// (`producer.id.expiration.ms` is a day by default).
const REMEMBERED: Duration = Duration::from_secs(60);

/// How long a batch size that the broker refused is kept to.
const SIZE_LIMIT_LASTS: Duration = Duration::from_secs(600);

/// What was left over of a batch that one record of a caller made fail (KIP-467).
const REFUSED_WITH_OTHERS: &str = "Failed to append record because it was part of a batch which had one more more invalid records";

/// The time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Instant,
    /// Milliseconds since 1970.
    pub(super) millis: i64,
}

/// Records of one caller that lie in one batch, or will.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Counts the calls of the partition; their records are written in this order.
    number: u64,
    pub(super) call: Arc<Call>,
    pub(super) range: Range<usize>,
    /// Goes into a batch of its own.
    alone: bool,
}

impl Part {
    fn key(&self) -> (u64, usize) {
        (self.number, self.range.start)
    }

    fn size(&self) -> usize {
        self.call.records.wire_size(self.range.clone())
    }

    fn is_open(&self) -> bool {
        self.call.is_open(&self.range)
    }

    fn settle(&self, outcome: Result<Appended, ProduceError>, endings: &mut Endings) {
        self.call.settle(self.range.clone(), outcome, endings);
    }

    /// How many records fit into `room` bytes.
    fn fitting(&self, room: usize) -> usize {
        let start = self.range.start;
        let fits = |count: usize| self.call.records.wire_size(start..start + count) <= room;
        let (mut fitting, mut too_many) = (0, self.range.len() + 1);
        while too_many - fitting > 1 {
            let middle = fitting.midpoint(too_many);
            if fits(middle) { fitting = middle } else { too_many = middle }
        }
        fitting
    }
}

/// A batch as it goes out. Built from the records of the callers each time it
/// is sent, always the same.
#[derive(Debug, Clone)]
pub(super) struct Shipment {
    /// Names the batch in its partition.
    pub(super) number: u64,
    pub(super) parts: Arc<[Part]>,
    /// Who writes it, and the number of its first record.
    pub(super) sequence: Option<(Identity, i32)>,
    /// For records without a time of their own.
    millis: i64,
    /// Bytes that it takes at most, before compression.
    pub(super) size: usize,
}

impl Shipment {
    pub(super) fn build(&self, builder: &mut BatchBuilder) -> Bytes {
        builder.reserve(self.size);
        if let Some((identity, sequence)) = self.sequence {
            builder.set_producer(identity.id, identity.epoch, sequence);
        }
        for part in self.parts.iter() {
            builder.append_buffer(&part.call.records, part.range.clone(), self.millis);
        }
        builder.build()
    }

    fn records(&self) -> usize {
        self.parts.iter().map(|part| part.range.len()).sum()
    }
}

/// A batch that was sent and whose fate is not known.
#[derive(Debug)]
struct Batch {
    shipment: Shipment,
    /// Under way; otherwise it has to be sent again.
    sent: bool,
    /// An attempt got no answer, or one that says nothing about the records.
    maybe_written: bool,
}

impl Batch {
    /// Nobody waits for it any more.
    fn is_abandoned(&self) -> bool {
        !self.shipment.parts.iter().any(Part::is_open)
    }

    fn written(&self, appended: Appended, endings: &mut Endings) {
        let mut before = 0;
        for part in self.shipment.parts.iter() {
            let base_offset = match appended.base_offset {
                -1 => -1,
                offset => offset + before,
            };
            part.settle(Ok(Appended { base_offset, ..appended }), endings);
            before += i64::try_from(part.range.len()).unwrap_or(i64::MAX);
        }
    }

    /// Tells the callers why nothing was written. Where the broker named
    /// records, each learns whether it was its own.
    fn refused(&self, failure: &Failure, endings: &mut Endings) {
        let mut before = 0;
        for part in self.shipment.parts.iter() {
            let records = before..before + part.range.len();
            before = records.end;
            let mut next = part.range.start;
            let mut invalid: Vec<_> =
                failure.records.iter().filter(|(index, _)| records.contains(index)).collect();
            invalid.sort_by_key(|(index, _)| *index);
            for (index, message) in invalid {
                let index = part.range.start + index - records.start;
                if index < next {
                    continue;
                }
                let others = failure.of_others(REFUSED_WITH_OTHERS);
                part.call.settle(next..index, Err(others), endings);
                let own = failure.of_record(message.as_ref());
                part.call.settle(index..index + 1, Err(own), endings);
                next = index + 1;
            }
            let rest = next..part.range.end;
            if rest.is_empty() {
                continue;
            }
            let error = if failure.records.is_empty() {
                failure.error.clone()
            } else {
                failure.of_others(REFUSED_WITH_OTHERS)
            };
            part.call.settle(rest, Err(error), endings);
        }
    }
}

/// Why nothing new is sent until everything under way has its answer.
#[derive(Debug, Clone, Copy)]
struct Settling {
    /// What was not written is sent again one batch for each caller.
    alone: bool,
}

/// What to do for a partition.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this.
    Batch(Shipment),
    /// Nothing before an answer or a call comes.
    Nothing,
    /// Nothing before that time.
    At(Instant),
    /// The next batch does not fit into the request.
    NoRoom,
    /// There must be another identity first.
    Identity,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// In the order of their keys.
    queue: VecDeque<Part>,
    queued_bytes: usize,
    /// In the order of their sequence numbers.
    unresolved: VecDeque<Batch>,
    identity: Option<Identity>,
    next_sequence: i32,
    /// When the broker last accepted a batch under this identity.
    accepted_at: Option<Instant>,
    settling: Option<Settling>,
    size_limit: Option<(usize, Instant)>,
    /// Failures in a row.
    failures: u32,
    retry_at: Option<Instant>,
    calls: u64,
    batches: u64,
}

impl Partition {
    /// The partition was made anew: no broker knows the identity there.
    pub(super) fn forgotten(&mut self) {
        self.accepted_at = None;
    }

    /// Queues the records of a call.
    pub(super) fn push(&mut self, call: &Arc<Call>, ranges: &[Range<usize>]) {
        let number = self.calls;
        self.calls += 1;
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            let part = Part { number, call: Arc::clone(call), range: range.clone(), alone: false };
            self.queued_bytes += part.size();
            self.queue.push_back(part);
        }
    }

    /// Whether [`next`](Self::next) may have something to do now.
    pub(super) fn is_ready(&self, config: &ProducerConfig) -> bool {
        if self.unresolved.is_empty() {
            return !self.queue.is_empty();
        }
        self.unresolved.iter().any(|batch| !batch.sent)
            || (self.settling.is_none() && self.may_pipeline(config))
    }

    /// A batch goes out behind others only when it is full, or one of several
    /// that may not be joined. Otherwise it waits for the next answer and takes
    /// what comes until then.
    fn may_pipeline(&self, config: &ProducerConfig) -> bool {
        // Also those between that have been written count: the broker remembers
        // only the last ones, and has to know the oldest when it comes again.
        let since_oldest =
            self.unresolved.front().map_or(0, |oldest| self.batches - oldest.shipment.number);
        since_oldest < MAX_IN_FLIGHT as u64
            && (self.accepted_at.is_some() || !config.is_idempotent())
            && self.queue.front().is_some_and(|front| {
                front.alone || self.queued_bytes + HEADER_SIZE >= self.batch_limit(config)
            })
    }

    /// Whether there is anything that has not been settled.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || !self.unresolved.is_empty()
    }

    /// What to do now. `current` is the identity of the producer, `room` what
    /// the request has left if it holds something already.
    pub(super) fn next(
        &mut self,
        current: Option<Identity>,
        room: Option<usize>,
        now: Now,
        linger: Duration,
        config: &ProducerConfig,
    ) -> Next {
        if let Some(at) = self.retry_at {
            if now.instant < at {
                return Next::At(at);
            }
            self.retry_at = None;
        }
        self.take_back_unsent();
        if let Some(next) = self.resend(room) {
            return next;
        }
        if self.queue.is_empty() {
            return Next::Nothing;
        }
        if self.settling.is_some() {
            if !self.unresolved.is_empty() {
                return Next::Nothing;
            }
            if config.is_idempotent() && self.identity.is_some() && self.identity == current {
                return Next::Identity;
            }
            self.settling = None;
        }
        if self.unresolved.is_empty() {
            if config.is_idempotent() && self.identity != current {
                self.identity = current;
                self.next_sequence = 0;
                self.accepted_at = None;
            }
            self.accepted_at = self.accepted_at.filter(|at| now.instant - *at < REMEMBERED);
        } else if !self.may_pipeline(config) {
            return Next::Nothing;
        }
        if config.is_idempotent() && self.identity.is_none() {
            return Next::Identity;
        }
        if self.size_limit.is_some_and(|(_, until)| until <= now.instant) {
            self.size_limit = None;
        }
        let limit = self.batch_limit(config);
        if let Some(at) = self.lingers(limit, linger)
            && now.instant < at
        {
            return Next::At(at);
        }
        if room.is_some_and(|room| self.wanted(limit) > room) {
            return Next::NoRoom;
        }
        Next::Batch(self.draw(limit, now))
    }

    fn batch_limit(&self, config: &ProducerConfig) -> usize {
        let limit = config.batch_size.min(config.max_request_size);
        self.size_limit.map_or(limit, |(lower, _)| lower.min(limit))
    }

    /// Until when the first batch waits for more.
    fn lingers(&self, limit: usize, linger: Duration) -> Option<Instant> {
        let front = self.queue.front()?;
        let may = !linger.is_zero() && !front.alone && self.queued_bytes + HEADER_SIZE < limit;
        may.then(|| front.call.since + linger)
    }

    /// Bytes of the next batch.
    fn wanted(&self, limit: usize) -> usize {
        let first = self.queue.front().map_or(0, |front| {
            let start = front.range.start;
            front.call.records.wire_size(start..start + 1)
        });
        HEADER_SIZE + self.queued_bytes.min(limit.saturating_sub(HEADER_SIZE)).max(first)
    }

    /// The first batch that has to be sent again, once nothing behind it is under way.
    fn resend(&mut self, room: Option<usize>) -> Option<Next> {
        let first = self.unresolved.iter().position(|batch| !batch.sent)?;
        if self.unresolved.iter().skip(first).any(|batch| batch.sent) {
            return Some(Next::Nothing);
        }
        let batch = self.unresolved.get_mut(first)?;
        if room.is_some_and(|room| batch.shipment.size > room) {
            return Some(Next::NoRoom);
        }
        batch.sent = true;
        Some(Next::Batch(batch.shipment.clone()))
    }

    /// Makes a batch of what waits.
    fn draw(&mut self, limit: usize, now: Now) -> Shipment {
        let mut parts: Vec<Part> = Vec::new();
        let mut size = HEADER_SIZE;
        while let Some(front) = self.queue.front_mut() {
            let joins = parts.first().is_none_or(|first| !first.alone && !front.alone);
            let part_size = front.size();
            let fits = size + part_size <= limit;
            if !joins || !(fits || parts.is_empty()) {
                break;
            }
            if !fits {
                let count = front.fitting(limit.saturating_sub(size)).max(1);
                if count < front.range.len() {
                    let middle = front.range.start + count;
                    let part = Part { range: front.range.start..middle, ..front.clone() };
                    front.range.start = middle;
                    let part_size = part.size();
                    self.queued_bytes = self.queued_bytes.saturating_sub(part_size);
                    size += part_size;
                    parts.push(part);
                    break;
                }
            }
            self.queued_bytes = self.queued_bytes.saturating_sub(part_size);
            size += part_size;
            parts.extend(self.queue.pop_front());
        }
        let sequence = self.identity.map(|identity| (identity, self.next_sequence));
        let shipment = Shipment {
            number: self.batches,
            parts: parts.into(),
            sequence,
            millis: now.millis,
            size,
        };
        self.batches += 1;
        self.next_sequence = advance(self.next_sequence, shipment.records());
        self.unresolved.push_back(Batch {
            shipment: shipment.clone(),
            sent: true,
            maybe_written: false,
        });
        shipment
    }

    /// Takes the answer to a batch.
    pub(super) fn answered(
        &mut self,
        number: u64,
        answer: Result<Appended, Failure>,
        now: Instant,
        config: &ProducerConfig,
        endings: &mut Endings,
    ) {
        let Some(index) = self.unresolved.iter().position(|batch| batch.shipment.number == number)
        else {
            return;
        };
        let failure = match answer {
            Ok(appended) => {
                if let Some(batch) = self.unresolved.remove(index) {
                    batch.written(appended, endings);
                }
                self.accepted_at = Some(now);
                self.failures = 0;
                return;
            }
            Err(failure) => failure,
        };
        let Some(batch) = self.unresolved.get_mut(index) else { return };
        batch.sent = false;
        match failure.verdict {
            Verdict::Retry { maybe_written } => {
                batch.maybe_written |= maybe_written;
                if batch.is_abandoned() {
                    self.unresolved.remove(index);
                    self.settle(false);
                } else {
                    self.pause(now, config);
                }
            }
            // The fate of the batches before it decides.
            Verdict::Lost if index > 0 => {}
            Verdict::Lost => {
                if self.settling.is_none() {
                    self.settle(false);
                    self.pause(now, config);
                }
                self.take_back(index);
            }
            Verdict::TooLarge if batch.shipment.records() > 1 => {
                let smaller = (batch.shipment.size / 2).max(1);
                self.size_limit = Some((smaller, now + SIZE_LIMIT_LASTS));
                self.settle(true);
                self.take_back(index);
            }
            Verdict::Refused { for_sure }
                if batch.shipment.parts.len() > 1 && (for_sure || !batch.maybe_written) =>
            {
                self.settle(true);
                self.take_back(index);
            }
            Verdict::TooLarge | Verdict::Refused { .. } | Verdict::Hopeless => {
                self.fail(index, &failure, endings)
            }
        }
    }

    /// Nothing new until everything under way has its answer.
    fn settle(&mut self, alone: bool) {
        let alone = alone || self.settling.is_some_and(|settling| settling.alone);
        self.settling = Some(Settling { alone });
    }

    fn pause(&mut self, now: Instant, config: &ProducerConfig) {
        // Those behind the first one fail for the same reason at the same time.
        if self.retry_at.is_none() {
            self.failures += 1;
            self.retry_at = Some(now + config.backoff().pause(self.failures));
        }
    }

    /// Gives up a batch that the broker will not have.
    fn fail(&mut self, index: usize, failure: &Failure, endings: &mut Endings) {
        let Some(batch) = self.unresolved.remove(index) else { return };
        batch.refused(failure, endings);
        match batch.shipment.sequence {
            // Nothing followed it, so its numbers are the next ones again.
            Some((identity, first))
                if self.unresolved.is_empty()
                    && self.settling.is_none()
                    && !batch.maybe_written
                    && self.identity == Some(identity) =>
            {
                self.next_sequence = first;
            }
            _ => self.settle(false),
        }
    }

    /// Puts a batch that was not written back into the queue.
    fn take_back(&mut self, index: usize) {
        let Some(batch) = self.unresolved.remove(index) else { return };
        let alone = self.settling.is_some_and(|settling| settling.alone);
        for part in batch.shipment.parts.iter().filter(|part| part.is_open()) {
            let part = Part { alone: part.alone || alone, ..part.clone() };
            self.queued_bytes += part.size();
            let at = self.queue.partition_point(|queued| queued.key() < part.key());
            self.queue.insert(at, part);
        }
    }

    /// While settling: what was refused before it could be written goes back,
    /// because its sequence numbers will not be used any more.
    fn take_back_unsent(&mut self) {
        if self.settling.is_none() {
            return;
        }
        let unwritten = |batch: &Batch| !batch.sent && !batch.maybe_written;
        while let Some(index) = self.unresolved.iter().position(unwritten) {
            self.take_back(index);
        }
    }

    /// Ends what is past its deadline and returns the next deadline.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        config: &ProducerConfig,
        endings: &mut Endings,
    ) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut check = |part: &Part, maybe_written: bool| {
            let expired = part.call.deadline <= now;
            if expired {
                let error =
                    ProduceError::TimedOut { after: config.delivery_timeout, maybe_written };
                part.settle(Err(error), endings);
            } else {
                next = Some(next.map_or(part.call.deadline, |next| next.min(part.call.deadline)));
            }
            !expired
        };
        self.queue.retain(|part| check(part, false));
        let idle = self.unresolved.is_empty();
        for batch in &self.unresolved {
            let parts = &batch.shipment.parts;
            // With others who still wait it may be sent again.
            let goes_on = parts.iter().any(|part| part.call.deadline > now);
            for part in parts.iter() {
                check(part, goes_on || batch.sent || batch.maybe_written);
            }
        }
        self.queued_bytes = self.queue.iter().map(Part::size).sum();
        if !idle && self.unresolved.iter().any(Batch::is_abandoned) {
            // Its numbers may be used or not: only a new epoch is safe.
            self.settle(false);
            self.unresolved.retain(|batch| batch.sent || !batch.is_abandoned());
        }
        next
    }

    /// Ends everything that waits, because it cannot be sent.
    pub(super) fn fail_all(&mut self, error: &ProduceError, endings: &mut Endings) {
        for part in self.queue.drain(..) {
            part.settle(Err(error.clone()), endings);
        }
        self.queued_bytes = 0;
        for batch in &self.unresolved {
            let parts = batch.shipment.parts.iter();
            parts.for_each(|part| part.settle(Err(error.clone()), endings));
        }
        if !self.unresolved.is_empty() {
            self.settle(false);
            self.unresolved.retain(|batch| batch.sent);
        }
    }

    /// All records that have not been settled.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.queue
            .iter()
            .chain(self.unresolved.iter().flat_map(|batch| batch.shipment.parts.iter()))
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use protocol::records::{Compression, RecordBuffer};

    use super::*;

    const IDENTITY: Identity = Identity { id: 7, epoch: 0 };

    fn now() -> Now {
        Now { instant: Instant::now(), millis: 1_000 }
    }

    fn push(partition: &mut Partition, count: usize) {
        let mut records = RecordBuffer::new();
        (0..count).for_each(|_| records.push(-1, None, Some(&[7; 100]), &[]));
        let now = Instant::now();
        let (call, _) = Call::new(records, now, now + Duration::from_secs(60), None);
        partition.push(&call, slice::from_ref(&(0..count)));
    }

    fn next(partition: &mut Partition, config: &ProducerConfig) -> Next {
        partition.next(Some(IDENTITY), None, now(), Duration::ZERO, config)
    }

    fn sent(next: Next) -> Shipment {
        let Next::Batch(shipment) = next else { panic!("{next:?}") };
        shipment
    }

    fn written(partition: &mut Partition, shipment: &Shipment, config: &ProducerConfig) {
        let appended = Appended { base_offset: 0, log_append_time: -1 };
        let mut endings = Endings::default();
        partition.answered(shipment.number, Ok(appended), Instant::now(), config, &mut endings);
    }

    #[test]
    fn sequence_numbers_wrap_within_an_epoch() {
        let config = ProducerConfig::default();
        let mut partition = Partition::default();
        push(&mut partition, 1);
        let shipment = sent(next(&mut partition, &config));
        written(&mut partition, &shipment, &config);
        partition.next_sequence = i32::MAX - 1;
        for (count, expected) in [(3, i32::MAX - 1), (1, 1), (1, 2)] {
            push(&mut partition, count);
            let shipment = sent(next(&mut partition, &config));
            assert_eq!(shipment.sequence, Some((IDENTITY, expected)));
            written(&mut partition, &shipment, &config);
        }
    }

    #[test]
    fn what_comes_while_a_batch_is_under_way_goes_into_the_next_one() {
        let config = ProducerConfig::default();
        let mut partition = Partition::default();
        push(&mut partition, 1);
        let first = sent(next(&mut partition, &config));
        (0..10).for_each(|_| push(&mut partition, 2));
        assert!(!partition.is_ready(&config));
        assert!(matches!(next(&mut partition, &config), Next::Nothing));
        written(&mut partition, &first, &config);
        assert_eq!(sent(next(&mut partition, &config)).records(), 20);
    }

    #[test]
    fn an_identity_that_the_broker_may_not_know_is_not_pipelined() {
        let config = ProducerConfig { batch_size: 1_000, ..ProducerConfig::default() };
        let mut partition = Partition::default();
        push(&mut partition, 100);
        let first = sent(next(&mut partition, &config));
        assert!(matches!(next(&mut partition, &config), Next::Nothing));
        written(&mut partition, &first, &config);
        let second = sent(next(&mut partition, &config));
        let third = sent(next(&mut partition, &config));
        written(&mut partition, &second, &config);
        written(&mut partition, &third, &config);
        let late = Now { instant: Instant::now() + REMEMBERED, millis: 1_000 };
        let next = |p: &mut Partition| p.next(Some(IDENTITY), None, late, Duration::ZERO, &config);
        sent(next(&mut partition));
        assert!(matches!(next(&mut partition), Next::Nothing), "it may be forgotten");
    }

    #[test]
    fn full_batches_are_pipelined_five_deep() {
        let config = ProducerConfig { batch_size: 1_000, ..ProducerConfig::default() };
        let mut partition = Partition::default();
        push(&mut partition, 100);
        let first = sent(next(&mut partition, &config));
        written(&mut partition, &first, &config);
        let batches: Vec<Shipment> =
            (0..MAX_IN_FLIGHT).map(|_| sent(next(&mut partition, &config))).collect();
        assert!(batches.iter().all(|batch| batch.size <= 1_000 && batch.records() == 7));
        assert!(matches!(next(&mut partition, &config), Next::Nothing));
        // The broker has to remember the oldest one as long as it may come again.
        written(&mut partition, &batches[1], &config);
        assert!(matches!(next(&mut partition, &config), Next::Nothing));
        written(&mut partition, &batches[0], &config);
        sent(next(&mut partition, &config));
    }

    #[test]
    fn a_batch_has_the_same_bytes_each_time_it_is_sent() {
        let config = ProducerConfig::default();
        let mut partition = Partition::default();
        push(&mut partition, 3);
        let first = sent(next(&mut partition, &config));
        let failure = Failure::unanswered(crate::Error::UnknownNode(1));
        let mut endings = Endings::default();
        partition.answered(first.number, Err(failure), Instant::now(), &config, &mut endings);
        let Next::At(at) = next(&mut partition, &config) else { panic!("there is a pause") };
        let later = Now { instant: at, millis: 9_000 };
        let again = sent(partition.next(Some(IDENTITY), None, later, Duration::ZERO, &config));
        let mut builder = BatchBuilder::new(Compression::Gzip);
        assert_eq!(first.build(&mut builder), again.build(&mut builder));
    }

    #[test]
    fn a_batch_that_does_not_fit_waits_for_the_next_request() {
        let config = ProducerConfig::default();
        let mut partition = Partition::default();
        push(&mut partition, 3);
        let none = partition.next(Some(IDENTITY), Some(100), now(), Duration::ZERO, &config);
        assert!(matches!(none, Next::NoRoom));
        sent(partition.next(Some(IDENTITY), Some(1_000), now(), Duration::ZERO, &config));
    }
}

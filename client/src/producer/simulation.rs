//! The rules of the producer against a cluster that fails at random and checks
//! sequence numbers as Kafka does. Every run is made from a seed, which a
//! failure names.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use protocol::messages::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse};
use protocol::records::{Batch, BatchBuilder, Compression, RecordBuffer, RecordIter};
use protocol::{ErrorCode, Str, Uuid};
use tokio::time::Instant;

use super::accumulator::{Accumulator, Outcome, Planned, Signals};
use super::answer::{Failure, read};
use super::call::Call;
use super::identity::{Identity, advance};
use super::partition::{MAX_IN_FLIGHT, Now};
use super::{Delivery, PendingDelivery, ProduceError, ProducerConfig};
use crate::{Error, Partition, Topic};

const PARTITIONS: i32 = 2;
const NODES: i32 = 2;
/// Every record, and little else.
const RECORD_BYTES: usize = 40;

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What Kafka knows of a producer in a partition.
struct ProducerState {
    epoch: i16,
    /// First and last number of the last batches, and where they were written.
    batches: VecDeque<(i32, i32, i64)>,
}

#[derive(Default)]
struct Log {
    records: Vec<u64>,
    producers: HashMap<i64, ProducerState>,
    /// Apache Kafka lets a producer that it does not know begin anywhere.
    takes_any_first_number: bool,
}

/// Values with this bit are refused.
const POISON: u64 = 1 << 63;

impl Log {
    /// Kafka's checks, in Kafka's order.
    fn append(&mut self, batch: Batch, max_bytes: usize) -> Result<i64, (ErrorCode, Vec<usize>)> {
        let header = *batch.header();
        let section = batch.record_section(1 << 20).unwrap();
        let values: Vec<u64> = RecordIter::new(&header, &section)
            .map(|record| {
                u64::from_be_bytes(record.unwrap().value.unwrap()[..8].try_into().unwrap())
            })
            .collect();
        assert_eq!(values.len(), header.records_count as usize);
        if batch.bytes().len() > max_bytes {
            return Err((ErrorCode::MessageTooLarge, Vec::new()));
        }
        let poison: Vec<usize> = (0..values.len()).filter(|&i| values[i] & POISON != 0).collect();
        if !poison.is_empty() {
            return Err((ErrorCode::InvalidRecord, poison));
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let offset = self.records.len() as i64;
        if let Some(state) = self.producers.get(&header.producer_id) {
            if header.producer_epoch < state.epoch {
                return Err((ErrorCode::InvalidProducerEpoch, Vec::new()));
            }
            if header.producer_epoch > state.epoch {
                if first != 0 {
                    return Err((ErrorCode::OutOfOrderSequenceNumber, Vec::new()));
                }
            } else {
                if let Some(&(.., offset)) =
                    state.batches.iter().find(|b| (b.0, b.1) == (first, last))
                {
                    return Ok(offset);
                }
                if state.batches.back().is_some_and(|&(_, last, _)| advance(last, 1) != first) {
                    return Err((ErrorCode::OutOfOrderSequenceNumber, Vec::new()));
                }
            }
        } else if first != 0 && !self.takes_any_first_number {
            return Err((ErrorCode::OutOfOrderSequenceNumber, Vec::new()));
        }
        let state = self
            .producers
            .entry(header.producer_id)
            .or_insert(ProducerState { epoch: header.producer_epoch, batches: VecDeque::new() });
        if header.producer_epoch > state.epoch {
            *state = ProducerState { epoch: header.producer_epoch, batches: VecDeque::new() };
        }
        state.batches.push_back((first, last, offset));
        if state.batches.len() > MAX_IN_FLIGHT {
            state.batches.pop_front();
        }
        self.records.extend(values);
        Ok(offset)
    }
}

struct Caller {
    partition: usize,
    poisoned: bool,
    values: Vec<u64>,
    delivery: PendingDelivery,
    outcome: Option<Delivery>,
}

/// A request on a connection, with its answer once the broker has carried it out.
struct Sent {
    batches: Vec<Planned>,
    answer: Option<Vec<Outcome>>,
}

struct World {
    seed: u64,
    random: Random,
    faults: bool,
    now: Instant,
    accumulator: Accumulator,
    connections: Vec<VecDeque<Sent>>,
    builder: BatchBuilder,
    leaders: Vec<i32>,
    logs: Vec<Log>,
    max_bytes: usize,
    /// As this project's broker does; Apache Kafka gives a new id.
    bumps_epochs: bool,
    identity: Identity,
    callers: Vec<Caller>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = random.below(2));
        let batch_records = [3, 10, 1_000][random.below(3) as usize];
        let config = ProducerConfig {
            batch_size: 61 + batch_records * RECORD_BYTES,
            linger: Duration::from_millis(random.below(2) * 5),
            // Pauses are random otherwise.
            retry_backoff: Duration::ZERO,
            delivery_timeout: Duration::from_millis([500, 5_000][random.below(2) as usize]),
            ..ProducerConfig::default()
        };
        let takes_any_first_number = random.one_in(2);
        Self {
            seed,
            faults: true,
            now: Instant::now(),
            accumulator: Accumulator::new(Arc::new(config), Arc::new(Signals::default())),
            connections: (0..NODES).map(|_| VecDeque::new()).collect(),
            builder: BatchBuilder::new(Compression::None),
            leaders: vec![0; PARTITIONS as usize],
            logs: (0..PARTITIONS)
                .map(|_| Log { takes_any_first_number, ..Log::default() })
                .collect(),
            max_bytes: if random.one_in(3) { 61 + 4 * RECORD_BYTES } else { 1 << 20 },
            bumps_epochs: random.one_in(2),
            // Numbers wrap soon, epochs end soon.
            identity: Identity { id: 1_000, epoch: -1 },
            callers: Vec::new(),
            random,
        }
    }

    fn topic(&self) -> Topic {
        let partition = |id: i32| Partition {
            id,
            leader: Some(self.leaders[id as usize]),
            leader_epoch: 0,
            replicas: Vec::new(),
            isr: Vec::new(),
            error: ErrorCode::None,
        };
        Topic {
            name: Str::from_static("t"),
            id: Uuid::ZERO,
            is_internal: false,
            partitions: (0..PARTITIONS).map(partition).collect(),
            error: ErrorCode::None,
        }
    }

    fn call(&mut self) {
        let partition = self.random.below(PARTITIONS as u64) as i32;
        let count = 1 + self.random.below(6);
        let poisoned = self.random.one_in(12);
        let number = self.callers.len() as u64;
        let mut values: Vec<u64> = (0..count).map(|index| number << 8 | index).collect();
        if poisoned {
            let victim = self.random.below(count) as usize;
            values[victim] |= POISON;
        }
        let mut records = RecordBuffer::new();
        for value in &values {
            records.push(-1, None, Some(&value.to_be_bytes()), &[]);
        }
        let deadline = self.now + self.accumulator.config().delivery_timeout;
        let (call, delivery) = Call::new(records, self.now, deadline, None);
        let topic = self.topic();
        self.accumulator
            .push(&topic, partition, &call, std::slice::from_ref(&(0..count as usize)))
            .unwrap();
        let partition = partition as usize;
        self.callers.push(Caller { partition, poisoned, values, delivery, outcome: None });
    }

    fn send(&mut self, node: usize) {
        let now = Now { instant: self.now, millis: 1_000 };
        while self.connections[node].len() < MAX_IN_FLIGHT {
            let collected = self.accumulator.collect(node as i32, now);
            if collected.batches.is_empty() {
                return;
            }
            if self.faults && self.random.one_in(20) {
                let error = Error::UnknownNode(node as i32);
                self.answer(&collected.batches, |_| Err(Failure::unsent(error.clone())));
            } else {
                self.connections[node].push_back(Sent { batches: collected.batches, answer: None });
            }
        }
    }

    fn answer(
        &mut self,
        batches: &[Planned],
        answer: impl Fn(&Planned) -> Result<super::Appended, Failure>,
    ) {
        let outcome = |batch: &Planned| Outcome {
            key: batch.key,
            number: batch.shipment.number,
            answer: answer(batch),
        };
        let outcomes = batches.iter().map(outcome).collect();
        self.accumulator.answered(outcomes, self.now);
        self.accumulator.take_endings().tell();
    }

    /// The broker carries out the oldest request that it has not carried out.
    fn carry_out(&mut self, node: usize) {
        let Some(index) = self.connections[node].iter().position(|sent| sent.answer.is_none())
        else {
            return;
        };
        let batches = std::mem::take(&mut self.connections[node][index].batches);
        let outcomes = batches
            .iter()
            .map(|batch| Outcome {
                key: batch.key,
                number: batch.shipment.number,
                answer: read(&self.append(node, batch)),
            })
            .collect();
        self.connections[node][index] = Sent { batches, answer: Some(outcomes) };
    }

    fn append(&mut self, node: usize, batch: &Planned) -> PartitionProduceResponse {
        let refused = |error_code| PartitionProduceResponse { error_code, ..Default::default() };
        if self.leaders[batch.index as usize] != node as i32 {
            return refused(ErrorCode::NotLeaderOrFollower);
        }
        if self.faults && self.random.one_in(15) {
            return refused(ErrorCode::NotEnoughReplicas);
        }
        let bytes = batch.shipment.build(&mut self.builder);
        assert!(
            bytes.len() <= batch.shipment.size,
            "seed {}: the size is an upper bound",
            self.seed
        );
        let written = self.logs[batch.index as usize]
            .append(Batch::from_bytes(bytes).unwrap(), self.max_bytes);
        if self.faults && written.is_ok() && self.random.one_in(15) {
            return refused(ErrorCode::NotEnoughReplicasAfterAppend);
        }
        match written {
            Ok(base_offset) => PartitionProduceResponse { base_offset, ..Default::default() },
            Err((error_code, poison)) => {
                let invalid = |index: usize| BatchIndexAndErrorMessage {
                    batch_index: index as i32,
                    batch_index_error_message: None,
                };
                let record_errors = poison.into_iter().map(invalid).collect();
                PartitionProduceResponse { error_code, record_errors, ..Default::default() }
            }
        }
    }

    /// The oldest answer arrives.
    fn deliver(&mut self, node: usize) {
        if self.connections[node].front().is_some_and(|sent| sent.answer.is_some())
            && let Some(sent) = self.connections[node].pop_front()
        {
            self.accumulator.answered(sent.answer.unwrap(), self.now);
            self.accumulator.take_endings().tell();
        }
    }

    /// The connection ends; some of the requests were carried out.
    fn disconnect(&mut self, node: usize) {
        for _ in 0..self.random.below(MAX_IN_FLIGHT as u64 + 1) {
            self.carry_out(node);
        }
        for sent in std::mem::take(&mut self.connections[node]) {
            self.answer(&sent.batches, |_| {
                Err(Failure::unanswered(Error::Timeout { what: "Produce", after: Duration::ZERO }))
            });
        }
    }

    fn identify(&mut self) {
        let Some(before) = self.accumulator.wants_identity() else { return };
        if self.faults && self.random.one_in(2) {
            return;
        }
        self.identity = match before {
            Some(before) if self.bumps_epochs && before.epoch < 3 => {
                Identity { epoch: before.epoch + 1, ..before }
            }
            _ => Identity { id: self.identity.id + 1, epoch: 0 },
        };
        self.accumulator.identified(self.identity);
    }

    fn describe(&mut self) {
        if !self.accumulator.leaderless_topics().is_empty() {
            let topic = self.topic();
            self.accumulator.described("t", Some(&topic), self.now);
            self.accumulator.take_endings().tell();
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.accumulator.expire(self.now);
        self.accumulator.take_endings().tell();
    }

    fn step(&mut self) {
        let node = self.random.below(NODES as u64) as usize;
        match self.random.below(24) {
            0..8 => self.send(node),
            8..12 => self.carry_out(node),
            12..15 => self.deliver(node),
            15 | 16 => self.identify(),
            17 | 18 => self.describe(),
            19 | 20 => {
                let millis = self.random.below(60);
                self.pass(millis);
            }
            21 if self.random.one_in(3) => self.disconnect(node),
            22 if self.random.one_in(4) => {
                let partition = self.random.below(PARTITIONS as u64) as usize;
                self.leaders[partition] = node as i32;
            }
            _ => self.call(),
        }
    }

    /// Without faults, until everybody has an answer.
    fn finish(&mut self) {
        self.faults = false;
        for _ in 0..3_000 {
            self.identify();
            self.describe();
            for node in 0..NODES as usize {
                self.send(node);
                self.carry_out(node);
                self.deliver(node);
            }
            self.pass(3);
        }
        for (number, caller) in self.callers.iter_mut().enumerate() {
            let outcome = (&mut caller.delivery).now_or_never().and_then(Result::ok);
            caller.outcome =
                Some(outcome.unwrap_or_else(|| panic!("seed {}: call {number} hangs", self.seed)));
        }
    }

    fn check(&self) {
        let seed = self.seed;
        for (partition, log) in self.logs.iter().enumerate() {
            let once: HashSet<u64> = log.records.iter().copied().collect();
            assert_eq!(once.len(), log.records.len(), "seed {seed}: duplicates in {partition}");
        }
        let mut last = vec![-1; PARTITIONS as usize];
        for (number, caller) in self.callers.iter().enumerate() {
            let log = &self.logs[caller.partition].records;
            let outcomes: Vec<_> = caller.outcome.as_ref().unwrap().records().collect();
            assert_eq!(outcomes.len(), caller.values.len(), "seed {seed}: call {number}");
            for (value, outcome) in caller.values.iter().zip(outcomes) {
                match outcome {
                    Ok(offset) => {
                        assert_eq!(log[offset as usize], *value, "seed {seed}: call {number}");
                        assert!(
                            offset > last[caller.partition],
                            "seed {seed}: order of call {number}"
                        );
                        last[caller.partition] = offset;
                    }
                    Err(ProduceError::TimedOut { maybe_written: true, .. }) => {}
                    Err(error) => {
                        assert!(
                            !log.contains(value),
                            "seed {seed}: call {number} is written after all"
                        );
                        assert!(
                            caller.poisoned || matches!(error, ProduceError::TimedOut { .. }),
                            "seed {seed}: call {number} was hurt: {error}"
                        );
                    }
                }
            }
        }
    }
}

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..400 {
        world.step();
    }
    world.finish();
    world.check();
    world
}

#[test]
fn nothing_is_lost_written_twice_or_out_of_order() {
    let (mut written, mut refused, mut late) = (0, 0, 0);
    for seed in 0..300 {
        for caller in run(seed).callers {
            for outcome in caller.outcome.unwrap().records() {
                match outcome {
                    Ok(_) => written += 1,
                    Err(ProduceError::TimedOut { .. }) => late += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    // The runs are worth something only if all of it happens.
    assert!(written > 10_000 && refused > 500 && late > 500, "{written} {refused} {late}");
}

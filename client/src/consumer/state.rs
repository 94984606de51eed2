//! What a consumer reads, and how far it is: everything that its calls share,
//! behind one lock that is never held across an await.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::fetch::AbortedTransaction;
use protocol::{ErrorCode, Str};
use tokio::time::Instant;

use super::buffer::{Buffer, ReadTo, Reading, Visited, Visitor};
use super::config::{ConsumerConfig, OffsetReset};
use super::error::ConsumerError;
use super::membership::Identity;
use super::record::{Mark, OffsetAndMetadata, Take, Taken};
use super::topic_partition::TopicPartition;

/// The timestamp that stands for the oldest offset of a partition in a lookup of offsets.
pub(super) const EARLIEST: i64 = -2;
/// The timestamp that stands for the end of a partition.
pub(super) const LATEST: i64 = -1;

/// Chooses topics by their names.
pub(super) type TopicFilter = dyn Fn(&str) -> bool + Send + Sync;

/// What the application wants to read.
#[derive(Clone, Default)]
pub(super) enum Interest {
    #[default]
    Nothing,
    /// Whatever partitions of these the group assigns.
    Topics(Vec<Str>),
    /// As above, for the topics that the filter lets pass, now and later.
    Pattern(Arc<TopicFilter>),
    /// Exactly these, without the group.
    Partitions,
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Topics(topics) => f.debug_tuple("Topics").field(topics).finish(),
            Self::Pattern(_) => f.write_str("Pattern"),
            Self::Partitions => f.write_str("Partitions"),
        }
    }
}

/// Where reading goes on in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// At the committed offset, which is to be looked up; without one, as the reset policy says.
    Committed,
    /// At the offset of a timestamp, which is to be looked up.
    Timestamp(i64),
    /// Here.
    At(ReadTo),
}

/// A partition that is read.
#[derive(Debug)]
pub(super) struct Partition {
    /// The assignment that brought it.
    pub(super) assigned_in: u64,
    pub(super) position: Position,
    /// The leader epoch for which the position is known to be right (KIP-320).
    pub(super) validated_epoch: i32,
    /// How often the application moved the position.
    sought: u64,
    /// Records were delivered, or the position sought, since the assignment.
    moved: bool,
    /// Changes whenever the buffer is thrown away: answers to older requests are too late.
    pub(super) buffer_id: u64,
    buffer: Buffer,
    /// To be told to the next reader.
    failure: Option<ConsumerError>,
    pub(super) high_watermark: Option<i64>,
    /// Nothing is taken any more: the listener settles what was.
    is_going: bool,
    /// Whether the partition stands in the line of those to be served.
    queued: bool,
    /// The round in which the partition last had data, for fairness.
    last_served: u64,
    /// No fetch and no lookup before then: the last one failed.
    pub(super) retry_at: Option<Instant>,
}

impl Partition {
    fn new(assigned_in: u64, buffer_id: u64) -> Self {
        Self {
            assigned_in,
            position: Position::Committed,
            validated_epoch: -1,
            sought: 0,
            moved: false,
            buffer_id,
            buffer: Buffer::default(),
            failure: None,
            high_watermark: None,
            is_going: false,
            queued: false,
            last_served: 0,
            retry_at: None,
        }
    }

    /// Whether a lookup must come before the next fetch.
    pub(super) fn is_unresolved(&self) -> bool {
        !matches!(self.position, Position::At(_)) && self.failure.is_none()
    }

    fn is_due(&self, now: Instant) -> bool {
        self.failure.is_none()
            && !self.is_going
            && self.retry_at.is_none_or(|retry_at| retry_at <= now)
    }
}

/// Identifies what a request was made for, so that an answer which comes too
/// late changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: TopicPartition,
    pub(super) buffer_id: u64,
    pub(super) position: Position,
}

/// A partition to fetch from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: TopicPartition,
    pub(super) buffer_id: u64,
    pub(super) offset: i64,
    /// For lookups of the leader: the epoch for which the position was validated.
    pub(super) read_to: ReadTo,
    pub(super) validated_epoch: i32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) interest: Interest,
    /// Changes with every subscription, so that the group task sees it.
    pub(super) interest_id: u64,
    /// Topics of the subscription; for a pattern those that it matched so far.
    pub(super) topics: Vec<Str>,
    /// How many partitions each subscribed topic had when it was first looked
    /// at. Those beyond are new: nothing in them is older than the subscription.
    pub(super) first_seen: HashMap<Str, i32>,
    /// Changes with every assignment.
    pub(super) assignment_id: u64,
    /// Whether the group has answered the subscription with an assignment.
    pub(super) has_assignment: bool,
    pub(super) has_group_task: bool,
    /// A subscribed topic did not exist when it was last looked for.
    pub(super) missing_topics: bool,
    /// A commit that was refused, for the group task: its generation and why.
    pub(super) refused_commit: Option<(i32, ErrorCode)>,
    /// Calls that are waiting for records now.
    pub(super) readers: usize,
    pub(super) identity: Option<Identity>,
    pub(super) coordinator: Option<i32>,
    /// Partitions are being given up: commits cannot wait for the next generation.
    pub(super) revoking: bool,
    /// Why the group task gave up.
    failure: Option<ConsumerError>,
    closed: bool,
    pub(super) partitions: BTreeMap<TopicPartition, Partition>,
    /// Partitions with records or a failure, in the order in which they are served.
    ready: VecDeque<TopicPartition>,
    counter: u64,
}

impl State {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// What a reader has to know before anything else.
    pub(super) fn check_readable(&self) -> Result<(), ConsumerError> {
        self.check_open()?;
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if matches!(self.interest, Interest::Nothing) => Err(ConsumerError::NotSubscribed),
            None => Ok(()),
        }
    }

    pub(super) fn check_open(&self) -> Result<(), ConsumerError> {
        if self.closed { Err(ConsumerError::Closed) } else { Ok(()) }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.give_up_all();
    }

    pub(super) fn fail(&mut self, failure: ConsumerError) {
        self.failure = Some(failure);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    pub(super) fn uses_group(&self) -> bool {
        matches!(self.interest, Interest::Topics(_) | Interest::Pattern(_))
    }

    /// Replaces the interest. The partitions of the former one are given up by
    /// the group task where they came from the group.
    pub(super) fn set_interest(&mut self, interest: Interest) {
        self.topics = match &interest {
            Interest::Topics(topics) => topics.clone(),
            _ => Vec::new(),
        };
        let topics = &self.topics;
        self.first_seen.retain(|topic, _| topics.contains(topic));
        self.interest = interest;
        self.interest_id = self.next();
        self.has_assignment = false;
        self.missing_topics = false;
        self.failure = None;
    }

    /// Begins to read these, and goes on in those that are read already.
    pub(super) fn adopt(&mut self, names: impl IntoIterator<Item = TopicPartition>) {
        let assigned_in = self.next();
        self.assignment_id = assigned_in;
        for name in names {
            let buffer_id = self.next();
            self.partitions.entry(name).or_insert_with(|| Partition::new(assigned_in, buffer_id));
        }
    }

    /// Begins to read these and no others, going on in those that are read already.
    pub(super) fn replace(&mut self, names: Vec<TopicPartition>) {
        self.partitions.retain(|name, _| names.contains(name));
        self.adopt(names);
    }

    /// From now on nothing of these is handed out.
    pub(super) fn begin_revoking(&mut self, names: &[TopicPartition]) {
        self.revoking = true;
        for name in names {
            if let Some(partition) = self.partitions.get_mut(name) {
                partition.is_going = true;
            }
        }
    }

    /// Stops reading these, which were the group's, and drops what is buffered
    /// of them. What was assigned without the group meanwhile is not its to take.
    pub(super) fn give_up(&mut self, names: &[TopicPartition]) {
        self.revoking = false;
        if !self.uses_group() {
            return;
        }
        for name in names {
            self.partitions.remove(name);
        }
    }

    pub(super) fn give_up_all(&mut self) {
        self.partitions.clear();
        self.ready.clear();
    }

    pub(super) fn partition(&self, name: &TopicPartition) -> Result<&Partition, ConsumerError> {
        self.partitions.get(name).ok_or_else(|| ConsumerError::NotAssigned(name.clone()))
    }

    /// Whether a reader has something to take: records or an error.
    pub(super) fn is_ready(&self) -> bool {
        self.serves()
            && self.ready.iter().any(|name| {
                self.partitions.get(name).is_some_and(|partition| {
                    !partition.is_going
                        && (!partition.buffer.is_empty() || partition.failure.is_some())
                })
            })
    }

    /// Whether the partitions belong to what the application wants now. After a
    /// new subscription they do not, until the group has answered it.
    fn serves(&self) -> bool {
        self.has_assignment || !self.uses_group()
    }

    fn make_ready(&mut self, name: &TopicPartition) {
        if let Some(partition) = self.partitions.get_mut(name)
            && !std::mem::replace(&mut partition.queued, true)
        {
            self.ready.push_back(name.clone());
        }
    }

    /// Moves the position as the application wants it.
    pub(super) fn seek(
        &mut self,
        name: &TopicPartition,
        position: Position,
    ) -> Result<(), ConsumerError> {
        let buffer_id = self.next();
        let missing = || ConsumerError::NotAssigned(name.clone());
        let partition = self.partitions.get_mut(name).ok_or_else(missing)?;
        partition.sought += 1;
        partition.moved = true;
        partition.move_to(position, buffer_id);
        Ok(())
    }

    /// Puts taken records back at the head, where nothing has happened to the partition since.
    pub(super) fn rewind(&mut self, marks: &[Mark]) {
        for mark in marks {
            let buffer_id = self.next();
            let Some(partition) = self.partitions.get_mut(&mark.partition) else { continue };
            let Position::At(read_to) = partition.position else { continue };
            if partition.assigned_in == mark.assigned_in
                && partition.sought == mark.sought
                && read_to.offset > mark.offset
            {
                partition.moved = mark.had_moved;
                let read_to = ReadTo { offset: mark.offset, leader_epoch: mark.leader_epoch };
                partition.move_to(Position::At(read_to), buffer_id);
            }
        }
    }

    /// Hands out buffered records: answer by answer, partition after partition.
    pub(super) fn take(
        &mut self,
        config: &ConsumerConfig,
        visitor: &mut Visitor<'_>,
    ) -> Result<Taken, ConsumerError> {
        let mut taken = Taken::default();
        if !self.serves() {
            return Ok(taken);
        }
        while let Some(name) = self.ready.front() {
            let Some(partition) =
                self.partitions.get_mut(name).filter(|partition| !partition.is_going)
            else {
                self.ready.pop_front();
                continue;
            };
            if partition.failure.is_some() && taken.records > 0 {
                break; // The next reader begins with it.
            }
            if let Some(failure) = partition.failure.take() {
                partition.queued = false;
                self.ready.pop_front();
                return Err(failure);
            }
            match partition.take(name, config, visitor, &mut taken) {
                Ok(Visited::Stopped) => break,
                Ok(Visited::All) => {
                    partition.queued = !partition.buffer.is_empty();
                    let queued = partition.queued;
                    self.ready.rotate_left(1);
                    if !queued {
                        self.ready.pop_back();
                    }
                }
                Err(_) if taken.records > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Why the partition cannot be read, told once.
    pub(super) fn take_failure(&mut self, name: &TopicPartition) -> Option<ConsumerError> {
        self.partitions.get_mut(name)?.failure.take()
    }

    /// Partitions whose position is to be looked up, with what for.
    pub(super) fn unresolved(&self, now: Instant) -> Vec<Asked> {
        let unresolved = |(name, partition): (&TopicPartition, &Partition)| {
            (partition.is_unresolved() && partition.is_due(now)).then(|| partition.asked(name))
        };
        self.partitions.iter().filter_map(unresolved).collect()
    }

    pub(super) fn is_resolved(&self) -> bool {
        !self.partitions.values().any(Partition::is_unresolved)
    }

    /// Whether it is known what is read, and from where.
    pub(super) fn is_settled(&self) -> bool {
        self.serves() && self.is_resolved()
    }

    /// The earliest moment at which something that failed may be tried again.
    pub(super) fn next_retry(&self, now: Instant) -> Option<Instant> {
        self.partitions
            .values()
            .filter_map(|partition| partition.retry_at)
            .filter(|retry_at| *retry_at > now)
            .min()
    }

    /// Where a partition begins for which no offset was committed.
    pub(super) fn reset_to(&self, name: &TopicPartition, policy: OffsetReset) -> Option<i64> {
        let is_new = self.first_seen.get(&name.topic).is_some_and(|count| name.partition >= *count);
        match policy {
            OffsetReset::None => None,
            OffsetReset::Latest if !is_new => Some(LATEST),
            OffsetReset::Latest | OffsetReset::Earliest => Some(EARLIEST),
        }
    }

    fn current(&mut self, asked: &Asked) -> Option<&mut Partition> {
        let partition = self.partitions.get_mut(&asked.name)?;
        (partition.buffer_id == asked.buffer_id && partition.position == asked.position)
            .then_some(partition)
    }

    /// Answers a lookup with the next one, or with the position.
    pub(super) fn resolved(&mut self, asked: &Asked, position: Position, leader_epoch: i32) {
        if let Some(partition) = self.current(asked) {
            partition.position = position;
            partition.validated_epoch = leader_epoch;
            partition.retry_at = None;
        }
    }

    /// The position is right for the leader of this epoch too.
    pub(super) fn validated(&mut self, asked: &Asked, leader_epoch: i32) {
        if let Some(partition) = self.current(asked) {
            partition.validated_epoch = leader_epoch;
        }
    }

    /// Moves a partition whose position turned out to be wrong.
    pub(super) fn reset(&mut self, asked: &Asked, position: Position) {
        let buffer_id = self.next();
        if let Some(partition) = self.current(asked) {
            partition.move_to(position, buffer_id);
        }
    }

    /// Something failed for now.
    pub(super) fn retry_later(&mut self, asked: &Asked, retry_at: Instant) {
        if let Some(partition) = self.current(asked) {
            partition.retry_at = Some(retry_at);
        }
    }

    /// Something failed for good: the next reader is told.
    pub(super) fn partition_failed(&mut self, asked: &Asked, failure: ConsumerError) {
        if let Some(partition) = self.current(asked) {
            partition.failure = Some(failure);
            self.make_ready(&asked.name);
        }
    }

    /// Partitions to fetch from at `now`, those that had data last at the end.
    pub(super) fn wanted(&self, now: Instant, config: &ConsumerConfig) -> Vec<Wanted> {
        let mut wanted: Vec<_> = self
            .partitions
            .iter()
            .filter(|(_, partition)| {
                partition.is_due(now) && partition.buffer.bytes() < config.max_partition_fetch_bytes
            })
            .filter_map(|(name, partition)| {
                let Position::At(read_to) = partition.position else { return None };
                let offset = partition.buffer.next_offset().ok()?.unwrap_or(read_to.offset);
                Some((
                    partition.last_served,
                    Wanted {
                        name: name.clone(),
                        buffer_id: partition.buffer_id,
                        offset,
                        read_to,
                        validated_epoch: partition.validated_epoch,
                    },
                ))
            })
            .collect();
        wanted.sort_by_key(|(last_served, _)| *last_served);
        wanted.into_iter().map(|(_, wanted)| wanted).collect()
    }

    /// Bytes that are buffered.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.partitions.values().map(|partition| partition.buffer.bytes()).sum()
    }

    /// The partition, if an answer for `wanted` is still of use.
    pub(super) fn awaited(&mut self, wanted: &Wanted) -> Option<&mut Partition> {
        let partition = self.partitions.get_mut(&wanted.name)?;
        let Position::At(read_to) = partition.position else { return None };
        let next = partition.buffer.next_offset().ok()?.unwrap_or(read_to.offset);
        (partition.buffer_id == wanted.buffer_id && next == wanted.offset).then_some(partition)
    }

    /// Adds fetched batches.
    pub(super) fn fetched(
        &mut self,
        wanted: &Wanted,
        high_watermark: i64,
        records: Bytes,
        aborted: Vec<AbortedTransaction>,
    ) {
        let round = self.next();
        let Some(partition) = self.awaited(wanted) else { return };
        partition.high_watermark = Some(high_watermark);
        partition.retry_at = None;
        if partition.buffer.push(records, aborted) {
            partition.last_served = round;
            self.make_ready(&wanted.name);
        }
    }

    /// Positions worth committing: of partitions that delivered records, or were
    /// sought, since they were assigned.
    pub(super) fn moved_positions(&self) -> Vec<(TopicPartition, OffsetAndMetadata)> {
        let moved = |(name, partition): (&TopicPartition, &Partition)| {
            let Position::At(read_to) = partition.position else { return None };
            let leader_epoch = (read_to.leader_epoch >= 0).then_some(read_to.leader_epoch);
            let position = OffsetAndMetadata {
                offset: read_to.offset,
                leader_epoch,
                metadata: Str::default(),
            };
            partition.moved.then(|| (name.clone(), position))
        };
        self.partitions.iter().filter_map(moved).collect()
    }
}

impl Partition {
    fn asked(&self, name: &TopicPartition) -> Asked {
        Asked { name: name.clone(), buffer_id: self.buffer_id, position: self.position }
    }

    fn move_to(&mut self, position: Position, buffer_id: u64) {
        self.position = position;
        self.validated_epoch = -1;
        self.buffer.clear();
        self.buffer_id = buffer_id;
        self.failure = None;
        self.retry_at = None;
    }

    fn take(
        &mut self,
        name: &TopicPartition,
        config: &ConsumerConfig,
        visitor: &mut Visitor<'_>,
        taken: &mut Taken,
    ) -> Result<Visited, ConsumerError> {
        let Position::At(before) = self.position else { return Ok(Visited::All) };
        let reading = Reading {
            topic: &name.topic,
            partition: name.partition,
            isolation: config.isolation,
            max_decompressed_bytes: config.max_decompressed_bytes,
        };
        let mut read_to = before;
        let mut first = None;
        let mut records = 0;
        let visited = self.buffer.visit(&reading, &mut read_to, &mut |record| {
            let take = visitor(record);
            if take == Take::Yes {
                first.get_or_insert(record.offset);
                records += 1;
            }
            take
        });
        self.position = Position::At(read_to);
        if let Some(offset) = first {
            taken.records += records;
            match taken.marks.iter_mut().find(|mark| mark.partition == *name) {
                Some(mark) => mark.next_offset = read_to.offset,
                None => taken.marks.push(Mark {
                    partition: name.clone(),
                    offset,
                    next_offset: read_to.offset,
                    leader_epoch: before.leader_epoch,
                    assigned_in: self.assigned_in,
                    sought: self.sought,
                    had_moved: self.moved,
                }),
            }
            self.moved = true;
        }
        visited.map_err(|error| ConsumerError::BrokenBatch {
            partition: name.clone(),
            offset: read_to.offset,
            reason: error.to_string(),
        })
    }
}

impl Wanted {
    /// The same request as one about the position.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            name: self.name.clone(),
            buffer_id: self.buffer_id,
            position: Position::At(self.read_to),
        }
    }
}

/// Whether an error of a partition goes away once the metadata is fresh.
pub(super) fn is_stale_metadata(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
            | ErrorCode::OffsetNotAvailable
    )
}

#[cfg(test)]
mod tests {
    use protocol::records::{BatchBuilder, Compression};

    use super::*;

    fn name(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    /// Reads partitions 0 to `count` of topic t from offset 0.
    fn reading(count: i32) -> State {
        let mut state = State::default();
        state.set_interest(Interest::Topics(vec!["t".into()]));
        state.adopt((0..count).map(name));
        state.has_assignment = true;
        for partition in 0..count {
            state.seek(&name(partition), at(0)).unwrap();
        }
        for partition in state.partitions.values_mut() {
            partition.moved = false;
        }
        state
    }

    fn at(offset: i64) -> Position {
        Position::At(ReadTo { offset, leader_epoch: -1 })
    }

    fn wanted(state: &State, partition: i32) -> Wanted {
        let wanted = state.wanted(Instant::now(), &ConsumerConfig::default());
        wanted.into_iter().find(|wanted| wanted.name.partition == partition).unwrap()
    }

    fn batch(offset: i64, values: &[&str]) -> Bytes {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.set_base_offset(offset);
        for value in values {
            builder.append(1_000, None, Some(value.as_bytes()), &[]);
        }
        builder.build()
    }

    fn fetched(state: &mut State, partition: i32, values: &[&str]) {
        let wanted = wanted(state, partition);
        let records = batch(wanted.offset, values);
        state.fetched(&wanted, 100, records, Vec::new());
    }

    /// Takes at most `limit` records: `partition:value`, joined.
    fn take(state: &mut State, limit: usize) -> (String, Vec<Mark>) {
        let mut records = Vec::new();
        let taken = state
            .take(&ConsumerConfig::default(), &mut |record| {
                if records.len() == limit {
                    return Take::Stop;
                }
                records.push(format!(
                    "{}:{}",
                    record.partition,
                    String::from_utf8_lossy(record.value.unwrap())
                ));
                Take::Yes
            })
            .unwrap();
        assert_eq!(taken.records, records.len());
        (records.join(" "), taken.marks)
    }

    #[test]
    fn partitions_take_turns_answer_by_answer() {
        let mut state = reading(2);
        fetched(&mut state, 0, &["a", "b"]);
        fetched(&mut state, 0, &["c"]);
        fetched(&mut state, 1, &["x", "y"]);
        assert_eq!(take(&mut state, 3).0, "0:a 0:b 1:x");
        assert_eq!(take(&mut state, 9).0, "1:y 0:c");
        assert!(!state.is_ready());
    }

    #[test]
    fn positions_move_with_what_is_taken() {
        let mut state = reading(1);
        fetched(&mut state, 0, &["a", "b"]);
        assert_eq!(state.partition(&name(0)).unwrap().position, at(0));
        assert_eq!(state.moved_positions(), []);
        take(&mut state, 1);
        assert_eq!(state.moved_positions()[0].1.offset, 1);
        assert_eq!(wanted(&state, 0).offset, 2, "the next fetch goes on behind the buffer");
    }

    #[test]
    fn rewinding_puts_records_back() {
        let mut state = reading(1);
        fetched(&mut state, 0, &["a", "b", "c"]);
        let (_, first) = take(&mut state, 1);
        let (_, second) = take(&mut state, 1);
        state.rewind(&second);
        assert_eq!(state.partition(&name(0)).unwrap().position, at(1));
        state.rewind(&first);
        assert_eq!(state.partition(&name(0)).unwrap().position, at(0));
        assert_eq!(state.moved_positions(), [], "nothing was delivered after all");
        fetched(&mut state, 0, &["a"]);
        assert_eq!(take(&mut state, 9).0, "0:a");
    }

    #[test]
    fn rewinding_changes_nothing_after_a_seek_or_in_another_assignment() {
        let mut state = reading(2);
        fetched(&mut state, 0, &["a"]);
        fetched(&mut state, 1, &["b"]);
        let (_, marks) = take(&mut state, 9);
        state.seek(&name(0), at(7)).unwrap();
        state.give_up(&[name(1)]);
        state.adopt([name(1)]);
        state.seek(&name(1), at(8)).unwrap();
        state.rewind(&marks);
        assert_eq!(state.partition(&name(0)).unwrap().position, at(7));
        assert_eq!(state.partition(&name(1)).unwrap().position, at(8));
    }

    #[test]
    fn an_answer_from_before_a_seek_is_thrown_away() {
        let mut state = reading(1);
        fetched(&mut state, 0, &["a"]);
        let late = wanted(&state, 0);
        state.seek(&name(0), at(0)).unwrap();
        assert!(!state.is_ready());
        state.fetched(&late, 100, batch(1, &["b"]), Vec::new());
        assert!(!state.is_ready());
        fetched(&mut state, 0, &["a"]);
        assert_eq!(take(&mut state, 9).0, "0:a");
    }

    #[test]
    fn a_failure_waits_until_the_records_before_it_are_taken() {
        let mut state = reading(2);
        fetched(&mut state, 0, &["a"]);
        let failure = ConsumerError::Partition {
            partition: name(1),
            code: ErrorCode::TopicAuthorizationFailed,
        };
        let asked = wanted(&state, 1).asked();
        state.partition_failed(&asked, failure);
        assert_eq!(take(&mut state, 9).0, "0:a");
        assert!(state.is_ready());
        let error = state.take(&ConsumerConfig::default(), &mut |_| Take::Yes).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::TopicAuthorizationFailed);
        assert_eq!(wanted(&state, 1).offset, 0, "once told, it is tried again");
    }

    #[test]
    fn a_broken_batch_is_told_until_the_position_is_moved() {
        let mut state = reading(1);
        let wanted = wanted(&state, 0);
        let mut records = batch(0, &["a"]).to_vec();
        *records.last_mut().unwrap() ^= 1;
        state.fetched(&wanted, 100, records.into(), Vec::new());
        for _ in 0..2 {
            let error = state.take(&ConsumerConfig::default(), &mut |_| Take::Yes).unwrap_err();
            assert!(error.to_string().contains("partition t-0 at offset 0"), "{error}");
        }
        state.seek(&name(0), at(1)).unwrap();
        assert_eq!(take(&mut state, 9).0, "");
    }

    #[test]
    fn nothing_is_taken_from_partitions_that_are_about_to_go() {
        let mut state = reading(2);
        fetched(&mut state, 0, &["a"]);
        fetched(&mut state, 1, &["b"]);
        state.begin_revoking(&[name(0)]);
        assert_eq!(take(&mut state, 9).0, "1:b");
        state.give_up(&[name(0)]);
        assert_eq!(state.partitions.len(), 1);
        assert!(!state.is_ready());
    }

    #[test]
    fn the_group_takes_nothing_that_it_did_not_give() {
        let mut state = reading(1);
        state.begin_revoking(&[name(0)]);
        state.set_interest(Interest::Nothing);
        state.give_up_all();
        state.set_interest(Interest::Partitions);
        state.replace(vec![name(0)]);
        state.give_up(&[name(0)]);
        assert!(state.partitions.contains_key(&name(0)) && !state.revoking);
    }

    #[test]
    fn partitions_that_had_data_are_asked_last() {
        let mut state = reading(3);
        fetched(&mut state, 0, &["a"]);
        take(&mut state, 9);
        let order: Vec<_> = state
            .wanted(Instant::now(), &ConsumerConfig::default())
            .into_iter()
            .map(|wanted| wanted.name.partition)
            .collect();
        assert_eq!(order, [1, 2, 0]);
    }

    #[test]
    fn a_partition_with_a_full_buffer_is_not_asked() {
        let mut state = reading(1);
        fetched(&mut state, 0, &["a"]);
        let config = ConsumerConfig { max_partition_fetch_bytes: 10, ..ConsumerConfig::default() };
        assert_eq!(state.wanted(Instant::now(), &config), []);
    }

    #[test]
    fn what_is_newer_than_the_subscription_is_read_from_its_beginning() {
        let mut state = State::default();
        state.first_seen.insert("t".into(), 2);
        for (partition, policy, expected) in [
            (1, OffsetReset::Latest, Some(LATEST)),
            (2, OffsetReset::Latest, Some(EARLIEST)),
            (1, OffsetReset::Earliest, Some(EARLIEST)),
            (2, OffsetReset::None, None),
        ] {
            assert_eq!(
                state.reset_to(&name(partition), policy),
                expected,
                "partition {partition}, {policy:?}"
            );
        }
    }

    #[test]
    fn after_a_new_subscription_nothing_is_taken_until_the_group_has_answered() {
        let mut state = reading(1);
        state.set_interest(Interest::Topics(vec!["t".into()]));
        fetched(&mut state, 0, &["a"]);
        assert!(!state.is_ready());
        assert_eq!(take(&mut state, 9).0, "");
        state.has_assignment = true;
        assert_eq!(take(&mut state, 9).0, "0:a");
    }
}

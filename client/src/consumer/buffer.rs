//! Record batches of one partition that were fetched and not yet handed out.
//!
//! Batches stay as they came until they are reached; then one of them is
//! checked and, if need be, decompressed. A batch that is only half handed out
//! remembers where it was left.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use protocol::Str;
use protocol::messages::fetch::AbortedTransaction;
use protocol::records::{
    Batch, BatchHeader, ControlRecord, RecordError, RecordIter, RecordPosition, TimestampType,
    batches,
};

use super::config::IsolationLevel;
use super::record::{ConsumerRecord, Take};

/// What reading a partition needs to know besides its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) topic: &'a Str,
    pub(super) partition: i32,
    pub(super) isolation: IsolationLevel,
    pub(super) max_decompressed_bytes: usize,
}

/// How far a partition has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadTo {
    /// Offset of the next record to hand out.
    pub(super) offset: i64,
    /// Leader epoch of the batch before it; -1 when unknown.
    pub(super) leader_epoch: i32,
}

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visited {
    /// The first answer is used up; there may be another.
    All,
    /// The visitor had enough.
    Stopped,
}

/// Offered each record in turn.
pub(super) type Visitor<'a> = dyn FnMut(&ConsumerRecord<'_>) -> Take + 'a;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

/// The batches of one fetch answer.
#[derive(Debug)]
struct Chunk {
    /// From the first batch on that is not open yet.
    records: Bytes,
    size: usize,
    /// `None`: the batches cannot be told apart to their end.
    next_offset: Option<i64>,
    /// Aborted transactions that begin further on, in the order of their first offsets.
    aborted: VecDeque<AbortedTransaction>,
    /// Producers whose transaction at this place was aborted.
    aborting: HashSet<i64>,
    open: Option<OpenBatch>,
}

#[derive(Debug)]
struct OpenBatch {
    header: BatchHeader,
    section: Bytes,
    /// The first record that was not handed out; `None` at the start.
    left_at: Option<RecordPosition>,
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes that the batches took on the wire.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where the next fetch goes on, unless that is at the position itself.
    /// `Err` when that cannot be told before what is here was handed out.
    pub(super) fn next_offset(&self) -> Result<Option<i64>, Unreadable> {
        match self.chunks.back() {
            None => Ok(None),
            Some(chunk) => chunk.next_offset.map(Some).ok_or(Unreadable),
        }
    }

    /// Adds the batches of an answer. Returns whether there are any.
    pub(super) fn push(&mut self, records: Bytes, mut aborted: Vec<AbortedTransaction>) -> bool {
        if records.is_empty() {
            return false;
        }
        let mut last = None;
        let mut readable = true;
        for batch in batches(records.clone()) {
            match batch {
                Ok(batch) => last = Some(batch.header().next_offset()),
                Err(_) => readable = false,
            }
        }
        aborted.sort_by_key(|transaction| transaction.first_offset);
        let size = records.len();
        self.bytes += size;
        self.chunks.push_back(Chunk {
            records,
            size,
            next_offset: last.filter(|_| readable),
            aborted: aborted.into(),
            aborting: HashSet::new(),
            open: None,
        });
        true
    }

    /// Throws everything away.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Offers the records of the first answer from `read_to` on, which moves
    /// past those that are taken and past what is not for applications. A broken
    /// batch stays where it is.
    pub(super) fn visit(
        &mut self,
        reading: &Reading<'_>,
        read_to: &mut ReadTo,
        visitor: &mut Visitor<'_>,
    ) -> Result<Visited, RecordError> {
        let Some(chunk) = self.chunks.front_mut() else { return Ok(Visited::All) };
        while chunk.open_next(reading, read_to)? {
            if let Visited::Stopped = chunk.visit_open(reading, read_to, visitor)? {
                return Ok(Visited::Stopped);
            }
        }
        self.bytes -= chunk.size;
        self.chunks.pop_front();
        Ok(Visited::All)
    }
}

/// The end of what is buffered cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Chunk {
    /// Opens the next batch that holds records for the application, unless one
    /// is open. Returns whether there is one.
    fn open_next(
        &mut self,
        reading: &Reading<'_>,
        read_to: &mut ReadTo,
    ) -> Result<bool, RecordError> {
        while self.open.is_none() {
            let mut rest = self.records.clone();
            let batch = match Batch::split_first(&mut rest) {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(false),
                // Cut off by the limits of the answer. A broker sends the first
                // batch whole (KIP-74), so alone it is no progress.
                Err(RecordError::Truncated { .. }) if self.next_offset.is_some() => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            let header = *batch.header();
            if header.last_offset() >= read_to.offset {
                // Before anything in the batch is believed.
                batch.verify_crc()?;
                if self.is_for_application(&batch, reading)? {
                    let section = batch.record_section(reading.max_decompressed_bytes)?;
                    self.open = Some(OpenBatch { header, section, left_at: None });
                } else {
                    read_past(&header, read_to);
                }
            }
            self.records = rest;
        }
        Ok(true)
    }

    /// Whether the batch is neither a marker of a transaction nor part of an aborted one.
    fn is_for_application(
        &mut self,
        batch: &Batch,
        reading: &Reading<'_>,
    ) -> Result<bool, RecordError> {
        let header = batch.header();
        if reading.isolation == IsolationLevel::ReadCommitted {
            while let Some(begun) =
                self.aborted.pop_front_if(|next| next.first_offset <= header.last_offset())
            {
                self.aborting.insert(begun.producer_id);
            }
            if header.attributes.is_control() && is_abort_marker(batch, reading)? {
                self.aborting.remove(&header.producer_id);
            }
            if header.attributes.is_transactional() && self.aborting.contains(&header.producer_id) {
                return Ok(false);
            }
        }
        Ok(!header.attributes.is_control())
    }

    fn visit_open(
        &mut self,
        reading: &Reading<'_>,
        read_to: &mut ReadTo,
        visitor: &mut Visitor<'_>,
    ) -> Result<Visited, RecordError> {
        let Some(open) = &mut self.open else { return Ok(Visited::All) };
        let header = open.header;
        let mut records = match open.left_at {
            Some(position) => RecordIter::resume(&header, &open.section, position),
            None => RecordIter::new(&header, &open.section),
        };
        let is_log_append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        loop {
            let before = records.position();
            let Some(record) = records.next() else { break };
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    open.left_at = Some(before);
                    return Err(error);
                }
            };
            if record.offset < read_to.offset {
                continue;
            }
            let record = ConsumerRecord {
                topic: reading.topic,
                partition: reading.partition,
                offset: record.offset,
                timestamp: record.timestamp,
                is_log_append_time,
                leader_epoch: header.partition_leader_epoch,
                key: record.key,
                value: record.value,
                headers: record.headers,
            };
            if visitor(&record) == Take::Stop {
                open.left_at = Some(before);
                return Ok(Visited::Stopped);
            }
            *read_to = ReadTo {
                offset: record.offset.saturating_add(1),
                leader_epoch: header.partition_leader_epoch,
            };
        }
        // Compaction may have removed the last records of the batch.
        read_past(&header, read_to);
        self.open = None;
        Ok(Visited::All)
    }
}

fn read_past(header: &BatchHeader, read_to: &mut ReadTo) {
    *read_to = ReadTo { offset: header.next_offset(), leader_epoch: header.partition_leader_epoch };
}

/// Whether a control batch marks the end of an aborted transaction.
fn is_abort_marker(batch: &Batch, reading: &Reading<'_>) -> Result<bool, RecordError> {
    let section = batch.record_section(reading.max_decompressed_bytes)?;
    match RecordIter::new(batch.header(), &section).next().transpose()? {
        Some(marker) => Ok(ControlRecord::parse(&marker)? == ControlRecord::Abort),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use protocol::records::{BatchBuilder, Compression, EndTransactionMarker};

    use super::*;

    /// A batch at `offset` with one record for each value.
    fn batch(offset: i64, values: &[&str]) -> Vec<u8> {
        build(offset, values, |_| {})
    }

    fn build(offset: i64, values: &[&str], change: impl FnOnce(&mut BatchBuilder)) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Compression::None);
        change(&mut builder);
        for value in values {
            builder.append(1_000, Some(b"k"), Some(value.as_bytes()), &[]);
        }
        placed(offset, builder)
    }

    fn placed(offset: i64, mut builder: BatchBuilder) -> Vec<u8> {
        builder.set_base_offset(offset);
        builder.build().to_vec()
    }

    fn transactional(offset: i64, producer: i64, values: &[&str]) -> Vec<u8> {
        build(offset, values, |builder| {
            builder.set_producer(producer, 0, 0);
            builder.set_transactional(true);
        })
    }

    fn marker(offset: i64, producer_id: i64, commit: bool) -> Vec<u8> {
        let marker = EndTransactionMarker {
            commit,
            coordinator_epoch: 0,
            producer_id,
            producer_epoch: 0,
            timestamp: 1_000,
        };
        let mut bytes = marker.to_batch().to_vec();
        protocol::records::edit::set_base_offset(&mut bytes, offset).unwrap();
        bytes
    }

    struct Reader {
        buffer: Buffer,
        read_to: ReadTo,
        isolation: IsolationLevel,
    }

    impl Reader {
        fn new(offset: i64, batches: &[Vec<u8>]) -> Self {
            Self::with_aborted(offset, batches, IsolationLevel::ReadUncommitted, &[])
        }

        fn with_aborted(
            offset: i64,
            batches: &[Vec<u8>],
            isolation: IsolationLevel,
            aborted: &[(i64, i64)],
        ) -> Self {
            let mut buffer = Buffer::default();
            let transaction = |(producer_id, first_offset): &(i64, i64)| AbortedTransaction {
                producer_id: *producer_id,
                first_offset: *first_offset,
            };
            buffer.push(batches.concat().into(), aborted.iter().map(transaction).collect());
            Self { buffer, read_to: ReadTo { offset, leader_epoch: -1 }, isolation }
        }

        /// Takes at most `limit` records of the first answer: `offset=value`, joined.
        fn take(&mut self, limit: usize) -> Result<String, RecordError> {
            let topic = Str::from_static("t");
            let reading = Reading {
                topic: &topic,
                partition: 0,
                isolation: self.isolation,
                max_decompressed_bytes: 1 << 20,
            };
            let mut taken = Vec::new();
            self.buffer.visit(&reading, &mut self.read_to, &mut |record| {
                if taken.len() == limit {
                    return Take::Stop;
                }
                taken.push(format!(
                    "{}={}",
                    record.offset,
                    String::from_utf8_lossy(record.value.unwrap())
                ));
                Take::Yes
            })?;
            Ok(taken.join(" "))
        }
    }

    #[test]
    fn records_come_in_order_and_stop_where_they_were_left() {
        let mut reader = Reader::new(0, &[batch(0, &["a", "b", "c"]), batch(3, &["d"])]);
        assert_eq!(reader.buffer.next_offset(), Ok(Some(4)));
        assert_eq!(reader.take(2).unwrap(), "0=a 1=b");
        assert_eq!(reader.read_to.offset, 2);
        assert_eq!(reader.take(0).unwrap(), "");
        assert_eq!(reader.take(9).unwrap(), "2=c 3=d");
        assert_eq!(reader.read_to.offset, 4);
        assert!(reader.buffer.is_empty());
        assert_eq!(reader.buffer.bytes(), 0);
    }

    #[test]
    fn records_below_the_position_are_passed_over() {
        let mut reader = Reader::new(2, &[batch(0, &["a", "b", "c"]), batch(3, &["d"])]);
        assert_eq!(reader.take(9).unwrap(), "2=c 3=d");
    }

    #[test]
    fn a_batch_that_is_cut_off_is_left_for_the_next_fetch() {
        let mut second = batch(1, &["b"]);
        second.truncate(second.len() - 1);
        let mut reader = Reader::new(0, &[batch(0, &["a"]), second]);
        assert_eq!(reader.buffer.next_offset(), Ok(Some(1)));
        assert_eq!(reader.take(9).unwrap(), "0=a");
        assert!(reader.buffer.is_empty());
    }

    #[test]
    fn half_a_batch_alone_is_an_error() {
        let mut reader = Reader::new(0, &[batch(0, &["a"])[..65].to_vec()]);
        assert_eq!(reader.buffer.next_offset(), Err(Unreadable));
        assert!(matches!(reader.take(9), Err(RecordError::Truncated { .. })));
    }

    #[test]
    fn a_broken_batch_stays_and_what_precedes_it_is_handed_out() {
        let mut broken = batch(1, &["b"]);
        *broken.last_mut().unwrap() ^= 1;
        let mut reader = Reader::new(0, &[batch(0, &["a"]), broken]);
        let mut seen = 0;
        let topic = Str::from_static("t");
        let reading = Reading {
            topic: &topic,
            partition: 0,
            isolation: IsolationLevel::ReadUncommitted,
            max_decompressed_bytes: 100,
        };
        for _ in 0..2 {
            let visited = reader.buffer.visit(&reading, &mut reader.read_to, &mut |_| {
                seen += 1;
                Take::Yes
            });
            assert!(visited.is_err());
        }
        assert_eq!((seen, reader.read_to.offset), (1, 1));
    }

    #[test]
    fn a_batch_too_large_when_decompressed_is_an_error() {
        let large = "x".repeat(100_000);
        let mut builder = BatchBuilder::new(Compression::Gzip);
        builder.append(0, None, Some(large.as_bytes()), &[]);
        let mut reader = Reader::new(0, &[placed(0, builder)]);
        let topic = Str::from_static("t");
        let mut reading = Reading {
            topic: &topic,
            partition: 0,
            isolation: IsolationLevel::ReadUncommitted,
            max_decompressed_bytes: 10_000,
        };
        assert!(reader.buffer.visit(&reading, &mut reader.read_to, &mut |_| Take::Yes).is_err());
        reading.max_decompressed_bytes = 200_000;
        assert_eq!(
            reader.buffer.visit(&reading, &mut reader.read_to, &mut |_| Take::Yes),
            Ok(Visited::All)
        );
        assert_eq!(reader.read_to.offset, 1);
    }

    #[test]
    fn markers_are_nobodys_records() {
        let batches = [transactional(0, 7, &["a"]), marker(1, 7, true), marker(2, 8, false)];
        let mut reader = Reader::new(0, &batches);
        assert_eq!(reader.take(9).unwrap(), "0=a");
        assert_eq!(reader.read_to.offset, 3, "the position is behind the markers");
    }

    #[test]
    fn aborted_transactions_are_left_out_of_committed_reads_only() {
        // Producer 7 aborts, then commits; producer 8 commits in between.
        let batches = [
            transactional(0, 7, &["a"]),
            transactional(1, 8, &["b"]),
            transactional(2, 7, &["c"]),
            marker(3, 7, false),
            transactional(4, 7, &["d"]),
            marker(5, 8, true),
            marker(6, 7, true),
            batch(7, &["e"]),
        ];
        let aborted = &[(7, 0)];
        let mut committed =
            Reader::with_aborted(0, &batches, IsolationLevel::ReadCommitted, aborted);
        assert_eq!(committed.take(9).unwrap(), "1=b 4=d 7=e");
        let mut all = Reader::with_aborted(0, &batches, IsolationLevel::ReadUncommitted, aborted);
        assert_eq!(all.take(9).unwrap(), "0=a 1=b 2=c 4=d 7=e");
    }
}

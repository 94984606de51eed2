//! Writing record batches.

use std::ops::Range;

use bytes::Bytes;

use super::field::{
    Header, headers_size, length, nullable_size, put_headers, put_nullable, put_with, replace,
};
use super::varint::{Prefix, varint_size, varlong_size};
use super::{
    Attributes, BatchHeader, Compression, HEADER_SIZE, MAX_RECORD_PREFIX,
    NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP,
    Record, RecordBuffer, edit,
};

/// Writes records straight into the bytes of a batch.
///
/// Offsets count from 0. [`build`](Self::build) writes header and CRC,
/// compresses, and leaves the builder empty for the next batch with the same
/// codec and flags.
///
/// # Panics
/// From 2 GiB on. Callers keep batches far below, by `max.request.size`.
#[derive(Debug)]
pub struct BatchBuilder {
    compression: Compression,
    level: Option<i32>,
    attributes: Attributes,
    base_offset: i64,
    partition_leader_epoch: i32,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    /// Room for the header, then the records, not compressed. Empty before the
    /// first record.
    buffer: Vec<u8>,
    records_count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch that will be compressed with `compression`.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            level: None,
            attributes: Attributes::default(),
            base_offset: 0,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            buffer: Vec::new(),
            records_count: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
        }
    }

    /// The compression level, in the codec's own terms; `None` is the default
    /// of [`Compression::compress`].
    pub fn set_level(&mut self, level: Option<i32>) {
        self.level = level;
    }

    /// Makes the next batch idempotent. [`build`](Self::build) forgets it,
    /// because each batch has its own sequence.
    pub fn set_producer(&mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) {
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self.base_sequence = base_sequence;
    }

    /// Whether the batches belong to a transaction.
    pub fn set_transactional(&mut self, transactional: bool) {
        self.attributes = self.attributes.with_transactional(transactional);
    }

    /// Whether the batches are control batches. Only brokers write those.
    pub fn set_control(&mut self, control: bool) {
        self.attributes = self.attributes.with_control(control);
    }

    /// The offset of the first record; 0 for producers. Only for brokers.
    pub fn set_base_offset(&mut self, base_offset: i64) {
        self.base_offset = base_offset;
    }

    /// The epoch of the leader that writes; -1 for producers. Only for brokers.
    pub fn set_partition_leader_epoch(&mut self, leader_epoch: i32) {
        self.partition_leader_epoch = leader_epoch;
    }

    /// How many records have been appended.
    pub fn records_count(&self) -> usize {
        usize::try_from(self.records_count).expect("it counts from 0")
    }

    /// Whether no record has been appended.
    pub fn is_empty(&self) -> bool {
        self.records_count == 0
    }

    /// Bytes of the batch if it were built now, without compression.
    pub fn size_in_bytes(&self) -> usize {
        self.buffer.len().max(HEADER_SIZE)
    }

    /// The largest timestamp appended, in ms, or -1.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Reserves room for `additional` bytes of records.
    pub fn reserve(&mut self, additional: usize) {
        self.begin();
        self.buffer.reserve(additional);
    }

    /// Appends one record; `timestamp` is in ms since the epoch.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        let body = nullable_size(key) + nullable_size(value) + headers_size(headers);
        self.begin_record(timestamp, body);
        put_nullable(&mut self.buffer, key);
        put_nullable(&mut self.buffer, value);
        put_headers(&mut self.buffer, headers);
    }

    /// Appends one record whose value is what `write` appends to the buffer,
    /// about `size_hint` bytes. So base64 is decoded where it belongs.
    ///
    /// # Errors
    /// The error of `write`; the batch is then as it was.
    pub fn append_with<E>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        headers: &[Header<'_>],
        size_hint: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.begin();
        let start = self.buffer.len();
        self.buffer.resize(start + MAX_RECORD_PREFIX, 0);
        let body = self.buffer.len();
        put_nullable(&mut self.buffer, key);
        if let Err(error) = put_with(&mut self.buffer, size_hint, write) {
            self.buffer.truncate(start);
            return Err(error);
        }
        put_headers(&mut self.buffer, headers);
        let prefix = self.prefix(timestamp, self.buffer.len() - body);
        replace(&mut self.buffer, start, MAX_RECORD_PREFIX, prefix.as_slice());
        Ok(())
    }

    /// Appends a record of another batch, headers and all. Its offset is lost.
    pub fn append_record(&mut self, record: &Record<'_>) {
        self.begin_record(record.timestamp, record.body_size());
        record.put_body(&mut self.buffer);
    }

    /// Appends the records of `range`. Those without a timestamp get `now`, in ms.
    /// A range beyond the end of the records is cut.
    pub fn append_buffer(&mut self, records: &RecordBuffer, range: Range<usize>, now: i64) {
        self.reserve(records.wire_size(range.clone()));
        for (timestamp, body) in records.bodies(range) {
            let timestamp = if timestamp == NO_TIMESTAMP { now } else { timestamp };
            self.begin_record(timestamp, body.len());
            self.buffer.extend_from_slice(body);
        }
    }

    /// Writes header and CRC, compresses, and returns the batch. The builder is
    /// empty afterwards. A batch without records is written as one with none.
    pub fn build(&mut self) -> Bytes {
        self.begin();
        let mut header = self.header();
        let mut batch = match self.compression {
            Compression::None => std::mem::take(&mut self.buffer),
            compression => {
                let records = self.buffer.get(HEADER_SIZE..).unwrap_or_default();
                let mut batch = Vec::with_capacity(HEADER_SIZE + records.len() / 2);
                batch.resize(HEADER_SIZE, 0);
                compression.compress_into(records, self.level, &mut batch);
                batch
            }
        };
        edit::seal(&mut batch, &mut header);
        self.clear();
        Bytes::from(batch)
    }

    /// Forgets the records and the producer. Codec, flags and memory are kept.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.records_count = 0;
        self.base_timestamp = NO_TIMESTAMP;
        self.max_timestamp = NO_TIMESTAMP;
        self.producer_id = NO_PRODUCER_ID;
        self.producer_epoch = NO_PRODUCER_EPOCH;
        self.base_sequence = NO_SEQUENCE;
    }

    fn header(&self) -> BatchHeader {
        BatchHeader {
            base_offset: self.base_offset,
            batch_length: 0,
            partition_leader_epoch: self.partition_leader_epoch,
            magic: super::header::MAGIC,
            crc: 0,
            attributes: self.attributes.with_compression(self.compression),
            last_offset_delta: (self.records_count - 1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            records_count: self.records_count,
        }
    }

    /// Leaves room for the header before the first record.
    #[inline]
    fn begin(&mut self) {
        if self.buffer.is_empty() {
            self.buffer.resize(HEADER_SIZE, 0);
        }
    }

    /// Writes what comes before a key for a record with `body` bytes from there on.
    #[inline]
    fn begin_record(&mut self, timestamp: i64, body: usize) {
        self.begin();
        let prefix = self.prefix(timestamp, body);
        self.buffer.extend_from_slice(prefix.as_slice());
    }

    /// Counts a record and returns what comes before its key.
    #[inline]
    fn prefix(&mut self, timestamp: i64, body: usize) -> Prefix {
        if self.records_count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let offset_delta = self.records_count;
        self.records_count += 1;

        let mut prefix = Prefix::new();
        prefix.varint(length(1 + varlong_size(timestamp_delta) + varint_size(offset_delta) + body));
        // The attributes of a record: none are defined.
        prefix.byte(0);
        prefix.varlong(timestamp_delta);
        prefix.varint(offset_delta);
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Batch, RecordIter};
    use super::*;

    #[test]
    fn a_batch_has_the_bytes_that_kafka_would_write() {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(0x0102, Some(b"k"), Some(b"v"), &[("h", Some(b"x"))]);
        builder.append(0x0100, None, None, &[]);
        let batch = builder.build();
        let header = BatchHeader::parse(&batch).unwrap();
        assert_eq!(
            header,
            BatchHeader {
                base_offset: 0,
                batch_length: i32::try_from(batch.len()).unwrap() - 12,
                partition_leader_epoch: -1,
                magic: 2,
                crc: header.crc,
                attributes: Attributes::default(),
                last_offset_delta: 1,
                base_timestamp: 0x0102,
                max_timestamp: 0x0102,
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
                records_count: 2,
            }
        );
        assert_eq!(
            batch[HEADER_SIZE..],
            [
                24, 0, 0, 0, 2, b'k', 2, b'v', 2, 2, b'h', 2, b'x', // the first record
                12, 0, 3, 2, 1, 1, 0, // the second: 2 ms earlier, null, null
            ]
        );
        Batch::from_bytes(batch).unwrap().verify_crc().unwrap();
    }

    #[test]
    fn a_value_written_in_place_is_the_same_as_one_copied() {
        for size in [0, 63, 64, 100, 8_191, 8_192, 100_000] {
            for size_hint in [0, size, 10 * size] {
                let value = vec![b'v'; size];
                let mut copied = BatchBuilder::new(Compression::None);
                let mut in_place = BatchBuilder::new(Compression::None);
                for timestamp in [1_000, 999] {
                    let (key, headers) = (Some(&b"key"[..]), [("a", None), ("a", Some(&b"b"[..]))]);
                    copied.append(timestamp, key, Some(&value), &headers);
                    let write = |buffer: &mut Vec<u8>| {
                        buffer.extend_from_slice(&value);
                        Ok::<(), ()>(())
                    };
                    in_place.append_with(timestamp, key, &headers, size_hint, write).unwrap();
                }
                assert_eq!(in_place.size_in_bytes(), copied.size_in_bytes());
                assert!(in_place.build() == copied.build(), "{size} bytes, hint {size_hint}");
            }
        }
    }

    #[test]
    fn a_value_that_fails_leaves_the_batch_as_it_was() {
        let mut builder = BatchBuilder::new(Compression::None);
        let mut expected = BatchBuilder::new(Compression::None);
        let fail = |builder: &mut BatchBuilder| {
            let write = |buffer: &mut Vec<u8>| {
                buffer.extend_from_slice(b"half");
                Err("not base64")
            };
            assert_eq!(builder.append_with(9_000, Some(b"key"), &[], 8, write), Err("not base64"));
        };
        fail(&mut builder);
        assert!(builder.is_empty());
        for builder in [&mut builder, &mut expected] {
            builder.append(1_000, None, Some(b"value"), &[]);
        }
        fail(&mut builder);
        assert_eq!(builder.build(), expected.build());
    }

    #[test]
    fn a_buffer_is_copied_in_ranges() {
        let mut buffer = RecordBuffer::new();
        for (timestamp, value) in [(-1, b"a"), (2_000, b"b"), (-1, b"c"), (500, b"d")] {
            buffer.push(timestamp, None, Some(value), &[("h", Some(value))]);
        }
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append_buffer(&buffer, 0..1, 1_000);
        builder.append_buffer(&buffer, 1..3, 1_500);
        builder.append_buffer(&buffer, 3..9, 1_500);
        builder.append_buffer(&buffer, 7..9, 1_500);
        let mut expected = BatchBuilder::new(Compression::None);
        for (timestamp, value) in [(1_000, b"a"), (2_000, b"b"), (1_500, b"c"), (500, b"d")] {
            expected.append(timestamp, None, Some(value), &[("h", Some(value))]);
        }
        assert_eq!(builder.max_timestamp(), 2_000);
        assert_eq!(builder.build(), expected.build());
    }

    #[test]
    fn a_record_is_copied_from_one_batch_to_another() {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(1_000, Some(b"key"), None, &[("a", Some(b"1")), ("a", None)]);
        builder.append(2_000, None, Some(b"value"), &[]);
        let original = Batch::from_bytes(builder.build()).unwrap();
        let section = original.record_section(0).unwrap();
        for record in RecordIter::new(original.header(), &section) {
            builder.append_record(&record.unwrap());
        }
        assert_eq!(builder.build(), original.into_bytes());
    }

    #[test]
    fn a_builder_starts_anew_after_each_batch() {
        for compression in Compression::ALL {
            let mut builder = BatchBuilder::new(compression);
            builder.set_transactional(true);
            builder.set_producer(7, 1, 10);
            builder.append(9_000, None, Some(b"first"), &[]);
            let first = *Batch::from_bytes(builder.build()).unwrap().header();
            assert_eq!((first.producer_id, first.producer_epoch, first.base_sequence), (7, 1, 10));
            assert!(builder.is_empty());
            assert_eq!(builder.size_in_bytes(), HEADER_SIZE);

            builder.append(1_000, None, Some(b"second"), &[]);
            let second = *Batch::from_bytes(builder.build()).unwrap().header();
            assert_eq!(
                (second.producer_id, second.max_timestamp, second.records_count),
                (-1, 1_000, 1)
            );
            assert!(second.attributes.is_transactional());
            assert_eq!(second.attributes.compression(), Ok(compression));
        }
    }

    #[test]
    fn the_size_is_that_of_the_batch() {
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..100 {
            builder.append(1_000, None, Some(b"value"), &[]);
        }
        let size = builder.size_in_bytes();
        assert_eq!(builder.records_count(), 100);
        assert_eq!(builder.build().len(), size);
    }
}

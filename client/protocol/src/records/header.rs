//! The 61 bytes in front of the records of a batch.

use bytes::BufMut;

use super::{Compression, HEADER_SIZE, LOG_OVERHEAD, NO_SEQUENCE, RecordError};

/// The header of a record batch.
///
/// Nothing but the length and the message format is checked by reading one:
/// [`validate`](super::validate()) checks the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record the batch was made with. 0 from a producer.
    pub base_offset: i64,
    /// Bytes after this field; see [`size_in_bytes`](Self::size_in_bytes).
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch, -1 from a producer.
    pub partition_leader_epoch: i32,
    /// The message format: always 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes to the end.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: Attributes,
    /// Offset of the last record less the base offset. Compaction keeps it.
    pub last_offset_delta: i32,
    /// What the timestamps of the records are relative to, in ms since the
    /// epoch. The delete horizon, if the attributes say so.
    pub base_timestamp: i64,
    /// The largest timestamp of the records, or the time of the append, in ms.
    pub max_timestamp: i64,
    /// The idempotent producer, or -1.
    pub producer_id: i64,
    /// The epoch of the idempotent producer, or -1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records there are. Compaction may leave none.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// [`Truncated`](RecordError::Truncated) below 61 bytes,
    /// [`UnsupportedMagic`](RecordError::UnsupportedMagic) for other message
    /// formats, [`InvalidLength`](RecordError::InvalidLength) for a length
    /// that has no room for a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        // All message formats have this byte at the same place, and those
        // before v2 can be shorter than this header.
        if let Some(&magic) = bytes.get(MAGIC_OFFSET)
            && magic != MAGIC as u8
        {
            return Err(RecordError::UnsupportedMagic(magic as i8));
        }
        let truncated = RecordError::Truncated { needed: HEADER_SIZE, available: bytes.len() };
        let header: &[u8; HEADER_SIZE] = bytes.first_chunk().ok_or(truncated)?;
        let header = Self::read(header);
        match usize::try_from(header.batch_length) {
            Ok(length) if length >= HEADER_SIZE - LOG_OVERHEAD => Ok(header),
            _ => Err(RecordError::InvalidLength(header.batch_length)),
        }
    }

    fn read(bytes: &[u8; HEADER_SIZE]) -> Self {
        let mut fields = Fields(bytes);
        Self {
            base_offset: i64::from_be_bytes(fields.next()),
            batch_length: i32::from_be_bytes(fields.next()),
            partition_leader_epoch: i32::from_be_bytes(fields.next()),
            magic: i8::from_be_bytes(fields.next()),
            crc: u32::from_be_bytes(fields.next()),
            attributes: Attributes(i16::from_be_bytes(fields.next())),
            last_offset_delta: i32::from_be_bytes(fields.next()),
            base_timestamp: i64::from_be_bytes(fields.next()),
            max_timestamp: i64::from_be_bytes(fields.next()),
            producer_id: i64::from_be_bytes(fields.next()),
            producer_epoch: i16::from_be_bytes(fields.next()),
            base_sequence: i32::from_be_bytes(fields.next()),
            records_count: i32::from_be_bytes(fields.next()),
        }
    }

    /// The bytes of this header, as they are: neither length nor CRC is computed.
    pub fn to_bytes(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        let mut rest = &mut bytes[..];
        for field in [
            &self.base_offset.to_be_bytes()[..],
            &self.batch_length.to_be_bytes(),
            &self.partition_leader_epoch.to_be_bytes(),
            &self.magic.to_be_bytes(),
            &self.crc.to_be_bytes(),
            &self.attributes.0.to_be_bytes(),
            &self.last_offset_delta.to_be_bytes(),
            &self.base_timestamp.to_be_bytes(),
            &self.max_timestamp.to_be_bytes(),
            &self.producer_id.to_be_bytes(),
            &self.producer_epoch.to_be_bytes(),
            &self.base_sequence.to_be_bytes(),
            &self.records_count.to_be_bytes(),
        ] {
            rest.put_slice(field);
        }
        bytes
    }

    /// Bytes of the whole batch, this header included.
    pub fn size_in_bytes(&self) -> usize {
        // `parse` has refused negative lengths; a header made by hand may hold one.
        LOG_OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record the batch was made with.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence number of the last record, or -1. After `i32::MAX` comes 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        let sum = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(sum.rem_euclid(1 << 31)).expect("a remainder of 2^31 is below it")
    }

    /// Whether an idempotent producer made the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }
}

/// Flags of a record batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes(i16);

impl Attributes {
    /// The attributes with these bits.
    pub fn from_bits(bits: i16) -> Self {
        Self(bits)
    }

    /// The bits, as they are on the wire.
    pub fn bits(self) -> i16 {
        self.0
    }

    /// The codec of the records.
    ///
    /// # Errors
    /// [`UnsupportedCompression`](RecordError::UnsupportedCompression) for 5 to 7.
    pub fn compression(self) -> Result<Compression, RecordError> {
        Compression::from_id((self.0 & COMPRESSION_MASK) as u8)
    }

    /// Whose clock the timestamps are from.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the records belong to a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    /// Whether the batch is a control batch, which applications never see.
    pub fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Whether the base timestamp is the time from which compaction may drop
    /// tombstones and transaction markers (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    /// The same with another codec.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !COMPRESSION_MASK | i16::from(compression.id()))
    }

    /// The same with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// The same, in a transaction or not.
    #[must_use]
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(TRANSACTIONAL, transactional)
    }

    /// The same, of a control batch or not.
    #[must_use]
    pub fn with_control(self, control: bool) -> Self {
        self.with(CONTROL, control)
    }

    /// The same, with a delete horizon or not.
    #[must_use]
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(DELETE_HORIZON, delete_horizon)
    }

    fn with(self, bit: i16, set: bool) -> Self {
        Self(if set { self.0 | bit } else { self.0 & !bit })
    }
}

/// Whose clock the timestamps of a batch are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's: each record has its own.
    CreateTime,
    /// The broker's at the append: all records have the batch's `max_timestamp`.
    LogAppendTime,
}

/// The message format that this module reads and writes.
pub(super) const MAGIC: i8 = 2;
const MAGIC_OFFSET: usize = 16;

const COMPRESSION_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// Takes fixed-size fields off a header; together they are as long as it.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    #[inline]
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) =
            self.0.split_first_chunk().expect("the fields are as long as the header");
        self.0 = rest;
        *field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            base_offset: 0x0102_0304_0506_0708,
            batch_length: 49,
            partition_leader_epoch: 0x1112_1314,
            magic: 2,
            crc: 0xf1f2_f3f4,
            attributes: Attributes(0x0010),
            last_offset_delta: 0x2122_2324,
            base_timestamp: 0x3132_3334_3536_3738,
            max_timestamp: -2,
            producer_id: 0x4142_4344_4546_4748,
            producer_epoch: 0x5152,
            base_sequence: 0x6162_6364,
            records_count: -3,
        }
    }

    #[test]
    fn fields_lie_where_the_format_says() {
        let bytes = header().to_bytes();
        for (field, at, expected) in [
            ("baseOffset", 0, &[1, 2, 3, 4, 5, 6, 7, 8][..]),
            ("batchLength", 8, &[0, 0, 0, 49]),
            ("partitionLeaderEpoch", 12, &[0x11, 0x12, 0x13, 0x14]),
            ("magic", 16, &[2]),
            ("crc", 17, &[0xf1, 0xf2, 0xf3, 0xf4]),
            ("attributes", 21, &[0, 0x10]),
            ("lastOffsetDelta", 23, &[0x21, 0x22, 0x23, 0x24]),
            ("baseTimestamp", 27, &[0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38]),
            ("maxTimestamp", 35, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]),
            ("producerId", 43, &[0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48]),
            ("producerEpoch", 51, &[0x51, 0x52]),
            ("baseSequence", 53, &[0x61, 0x62, 0x63, 0x64]),
            ("recordsCount", 57, &[0xff, 0xff, 0xff, 0xfd]),
        ] {
            assert_eq!(&bytes[at..at + expected.len()], expected, "{field}");
        }
        assert_eq!(BatchHeader::parse(&bytes), Ok(header()));
    }

    #[test]
    fn a_header_that_cannot_be_is_refused() {
        let good = header().to_bytes();
        for length in 0..HEADER_SIZE {
            let expected = RecordError::Truncated { needed: HEADER_SIZE, available: length };
            assert_eq!(BatchHeader::parse(&good[..length]), Err(expected));
        }
        for magic in [0, 1, 3, -1] {
            let bytes = BatchHeader { magic, ..header() }.to_bytes();
            assert_eq!(BatchHeader::parse(&bytes), Err(RecordError::UnsupportedMagic(magic)));
            // A message of format 0 may be shorter than a batch header.
            assert_eq!(BatchHeader::parse(&bytes[..17]), Err(RecordError::UnsupportedMagic(magic)));
        }
        for batch_length in [48, 0, -1, i32::MIN] {
            let bytes = BatchHeader { batch_length, ..header() }.to_bytes();
            assert_eq!(BatchHeader::parse(&bytes), Err(RecordError::InvalidLength(batch_length)));
        }
    }

    #[test]
    fn sequence_numbers_go_on_at_zero() {
        for (base_sequence, last_offset_delta, expected) in [
            (NO_SEQUENCE, 5, NO_SEQUENCE),
            (0, 0, 0),
            (10, 5, 15),
            (i32::MAX, 0, i32::MAX),
            (i32::MAX, 1, 0),
            (i32::MAX - 1, 4, 2),
        ] {
            let header = BatchHeader { base_sequence, last_offset_delta, ..header() };
            assert_eq!(header.last_sequence(), expected, "{base_sequence} + {last_offset_delta}");
        }
    }

    #[test]
    fn offsets_at_the_end_of_their_range_do_not_overflow() {
        let header = BatchHeader { base_offset: i64::MAX, last_offset_delta: 7, ..header() };
        assert_eq!((header.last_offset(), header.next_offset()), (i64::MAX, i64::MAX));
    }

    #[test]
    fn attributes_set_and_read_the_same_bits() {
        let attributes = Attributes::default()
            .with_compression(Compression::Zstd)
            .with_timestamp_type(TimestampType::LogAppendTime)
            .with_transactional(true)
            .with_control(true)
            .with_delete_horizon(true);
        assert_eq!(attributes.bits(), 0x7c);
        assert_eq!(attributes.compression(), Ok(Compression::Zstd));
        assert_eq!(attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert!(
            attributes.is_transactional()
                && attributes.is_control()
                && attributes.has_delete_horizon()
        );
        assert_eq!(attributes.with_control(false).bits(), 0x5c);
        for id in 5..8 {
            let unknown = Attributes::from_bits(i16::from(id)).compression();
            assert_eq!(unknown, Err(RecordError::UnsupportedCompression(id)));
        }
    }
}

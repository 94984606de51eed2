//! The producers of a partition as files.
//!
//! Kafka's own snapshot (`<offset>.snapshot`, version 1) has room for the last
//! batch of each producer, which would shrink the window for duplicates to one
//! at each start. The file beside it (`<offset>.producers`) is ours and has all:
//!
//! ```text
//! magic "ottlap" | version u16 | count u32 | producers | CRC-32C u32 of all before it
//! producer: id i64 | epoch i16 | coordinator epoch i32 | transaction's first offset i64, or -1
//!           | last seen i64, ms | batch count u8 | batches, the oldest first
//! batch:    last sequence i32 | last offset i64 | offset delta i32 | timestamp i64
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};

use super::{Producer, ProducerBatch, Producers, REMEMBERED_BATCHES};

const MAGIC: &[u8; 6] = b"ottlap";
const VERSION: u16 = 1;
const CRC_BYTES: usize = 4;
/// Version and checksum in front of Kafka's entries.
const KAFKA_PREFIX_BYTES: usize = 6;
const KAFKA_VERSION: i16 = 1;
/// Bytes of the shortest producer in our file, which bounds how many there can be.
const MIN_PRODUCER_BYTES: usize = 8 + 2 + 4 + 8 + 8 + 1;
const KAFKA_ENTRY_BYTES: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

/// Why bytes are not a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The file ends too early.
    #[error("it is cut short")]
    Truncated,
    /// Something else begins where the snapshot should.
    #[error("it is not a snapshot of producers")]
    Foreign,
    /// The file has a format of the future.
    #[error("it has version {0}, which this program does not know")]
    UnknownVersion(i32),
    /// The bytes are not those that were written.
    #[error("its checksum is wrong")]
    CrcMismatch,
    /// The bytes are those that were written, but no snapshot.
    #[error("it makes no sense")]
    Invalid,
}

impl From<TryGetError> for SnapshotError {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

impl Producers {
    /// All that is known, in our own format.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_slice(MAGIC);
        bytes.put_u16(VERSION);
        bytes.put_u32(self.by_id.len() as u32);
        for (id, producer) in &self.by_id {
            bytes.put_i64(*id);
            bytes.put_i16(producer.epoch);
            bytes.put_i32(producer.coordinator_epoch);
            bytes.put_i64(producer.transaction.unwrap_or(-1));
            bytes.put_i64(producer.last_seen_ms);
            bytes.put_u8(producer.count as u8);
            for batch in producer.batches() {
                bytes.put_i32(batch.last_sequence);
                bytes.put_i64(batch.last_offset);
                bytes.put_i32(batch.offset_delta);
                bytes.put_i64(batch.timestamp);
            }
        }
        bytes.put_u32(crc32c::crc32c(&bytes));
        bytes.freeze()
    }

    /// Reads what [`Producers::to_bytes`] wrote.
    ///
    /// # Errors
    /// When a single bit is not as it was written.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let body = bytes.len().checked_sub(CRC_BYTES).ok_or(SnapshotError::Truncated)?;
        let (mut body, mut crc) = bytes.split_at(body);
        if !body.starts_with(MAGIC) {
            return Err(SnapshotError::Foreign);
        }
        if crc.try_get_u32()? != crc32c::crc32c(body) {
            return Err(SnapshotError::CrcMismatch);
        }
        body.advance(MAGIC.len());
        let version = body.try_get_u16()?;
        if version != VERSION {
            return Err(SnapshotError::UnknownVersion(version.into()));
        }
        let count = body.try_get_u32()? as usize;
        if count > body.len() / MIN_PRODUCER_BYTES {
            return Err(SnapshotError::Truncated);
        }
        let mut producers = Self::default();
        for _ in 0..count {
            let id = body.try_get_i64()?;
            let mut producer = Producer::new(body.try_get_i16()?);
            producer.coordinator_epoch = body.try_get_i32()?;
            producer.transaction = Some(body.try_get_i64()?).filter(|offset| *offset >= 0);
            producer.last_seen_ms = body.try_get_i64()?;
            let batches = usize::from(body.try_get_u8()?);
            if batches > REMEMBERED_BATCHES {
                return Err(SnapshotError::Invalid);
            }
            for _ in 0..batches {
                producer.push(ProducerBatch {
                    last_sequence: body.try_get_i32()?,
                    last_offset: body.try_get_i64()?,
                    offset_delta: body.try_get_i32()?,
                    timestamp: body.try_get_i64()?,
                });
            }
            producers.set(id, Some(producer));
        }
        if body.is_empty() { Ok(producers) } else { Err(SnapshotError::Invalid) }
    }

    /// The last batch of each producer, as Kafka's tools read it.
    pub(crate) fn to_kafka_bytes(&self) -> Bytes {
        let mut entries = BytesMut::with_capacity(4 + self.by_id.len() * KAFKA_ENTRY_BYTES);
        entries.put_i32(self.by_id.len() as i32);
        for (id, producer) in &self.by_id {
            let none = ProducerBatch { last_sequence: -1, last_offset: -1, ..Default::default() };
            let last = producer.last().copied().unwrap_or(ProducerBatch { timestamp: -1, ..none });
            entries.put_i64(*id);
            entries.put_i16(producer.epoch);
            entries.put_i32(last.last_sequence);
            entries.put_i64(last.last_offset);
            entries.put_i32(last.offset_delta);
            entries.put_i64(last.timestamp);
            entries.put_i32(producer.coordinator_epoch);
            entries.put_i64(producer.transaction.unwrap_or(-1));
        }
        let mut bytes = BytesMut::with_capacity(KAFKA_PREFIX_BYTES + entries.len());
        bytes.put_i16(KAFKA_VERSION);
        bytes.put_u32(crc32c::crc32c(&entries));
        bytes.put(entries);
        bytes.freeze()
    }

    /// Reads a snapshot in Kafka's format. Its timestamps are those of records,
    /// so everybody in it counts as seen at `now_ms`.
    ///
    /// # Errors
    /// When it is damaged, or of a version other than 1.
    #[cfg(test)]
    pub(crate) fn from_kafka_bytes(bytes: &[u8], now_ms: i64) -> Result<Self, SnapshotError> {
        let mut producers = Self::default();
        for (id, mut producer) in kafka_entries(bytes)? {
            producer.last_seen_ms = now_ms;
            producers.set(id, Some(producer));
        }
        Ok(producers)
    }

    /// What a snapshot in our own format says.
    pub(crate) fn views(&self) -> impl Iterator<Item = ProducerView> {
        self.by_id.iter().map(|(id, producer)| ProducerView::of(*id, producer))
    }
}

/// A producer, for those who only show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProducerView {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) transaction: Option<i64>,
    pub(crate) batches: Vec<ProducerBatch>,
}

impl ProducerView {
    fn of(id: i64, producer: &Producer) -> Self {
        Self {
            id,
            epoch: producer.epoch,
            coordinator_epoch: producer.coordinator_epoch,
            transaction: producer.transaction,
            batches: producer.batches().to_vec(),
        }
    }
}

/// What a snapshot in Kafka's format says, in its order.
///
/// # Errors
/// When it is damaged, or of a version other than 1.
pub(crate) fn kafka_views(bytes: &[u8]) -> Result<Vec<ProducerView>, SnapshotError> {
    let entries = kafka_entries(bytes)?;
    Ok(entries.iter().map(|(id, producer)| ProducerView::of(*id, producer)).collect())
}

fn kafka_entries(mut bytes: &[u8]) -> Result<Vec<(i64, Producer)>, SnapshotError> {
    let version = bytes.try_get_i16()?;
    if version != KAFKA_VERSION {
        return Err(SnapshotError::UnknownVersion(version.into()));
    }
    if bytes.try_get_u32()? != crc32c::crc32c(bytes) {
        return Err(SnapshotError::CrcMismatch);
    }
    let count = usize::try_from(bytes.try_get_i32()?).map_err(|_| SnapshotError::Invalid)?;
    if count > bytes.len() / KAFKA_ENTRY_BYTES {
        return Err(SnapshotError::Truncated);
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let id = bytes.try_get_i64()?;
        let mut producer = Producer::new(bytes.try_get_i16()?);
        let last = ProducerBatch {
            last_sequence: bytes.try_get_i32()?,
            last_offset: bytes.try_get_i64()?,
            offset_delta: bytes.try_get_i32()?,
            timestamp: bytes.try_get_i64()?,
        };
        if last.last_offset >= 0 {
            producer.push(last);
        }
        producer.coordinator_epoch = bytes.try_get_i32()?;
        producer.transaction = Some(bytes.try_get_i64()?).filter(|offset| *offset >= 0);
        entries.push((id, producer));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use protocol::records::{Attributes, BatchHeader};

    use super::*;

    fn producers() -> Producers {
        let mut producers = Producers::default();
        for (id, batches) in [(4_i64, 7_i32), (5, 1), (1 << 40, 3)] {
            for batch in 0..batches {
                let header = BatchHeader {
                    base_offset: id % 1000 + i64::from(batch) * 10,
                    batch_length: 100,
                    partition_leader_epoch: 0,
                    magic: 2,
                    crc: 0,
                    attributes: Attributes::default().with_transactional(id == 5),
                    last_offset_delta: 2,
                    base_timestamp: 1_000,
                    max_timestamp: 1_000 + i64::from(batch),
                    producer_id: id,
                    producer_epoch: 3,
                    base_sequence: batch * 3,
                    records_count: 3,
                };
                let _ = producers.append(&header, 50_000);
            }
        }
        producers
    }

    #[test]
    fn everything_survives_in_our_format() {
        assert_eq!(Producers::from_bytes(&producers().to_bytes()), Ok(producers()));
        let none = Producers::default();
        assert_eq!(Producers::from_bytes(&none.to_bytes()), Ok(none));
    }

    #[test]
    fn the_last_batch_survives_in_kafkas_format() {
        let read = Producers::from_kafka_bytes(&producers().to_kafka_bytes(), 50_000).unwrap();
        assert_eq!(read.first_open_transaction(), Some(5));
        assert_eq!(read.to_kafka_bytes().len(), 6 + 4 + 3 * KAFKA_ENTRY_BYTES);
        assert_eq!(read.by_id[&4].batches(), &producers().by_id[&4].batches()[4..]);
        assert_eq!(read.by_id[&5], producers().by_id[&5]);
    }

    #[test]
    fn an_empty_snapshot_has_the_bytes_that_kafka_writes() {
        let bytes = Producers::default().to_kafka_bytes();
        assert_eq!(bytes[..], [0, 1, 0x48, 0x67, 0x4b, 0xc7, 0, 0, 0, 0]);
    }

    #[test]
    fn every_damage_is_found() {
        let (ours, kafkas) = (producers().to_bytes(), producers().to_kafka_bytes());
        for at in 0..ours.len() {
            let mut bytes = ours.to_vec();
            bytes[at] ^= 1;
            assert!(Producers::from_bytes(&bytes).is_err(), "byte {at}");
            assert!(Producers::from_bytes(&ours[..at]).is_err(), "cut at {at}");
        }
        for at in 0..kafkas.len() {
            let mut bytes = kafkas.to_vec();
            bytes[at] ^= 1;
            assert!(Producers::from_kafka_bytes(&bytes, 0).is_err(), "byte {at}");
            assert!(Producers::from_kafka_bytes(&kafkas[..at], 0).is_err(), "cut at {at}");
        }
    }
}

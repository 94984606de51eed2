//! Changes to the header of a finished batch, in place.
//!
//! A broker stores what the producer sent and changes only a few header
//! fields. The CRC does not cover base offset and leader epoch, so these two
//! cost nothing; any other change reads the whole batch once for its new CRC.
//! Each function takes bytes that begin with one whole batch.

use super::header::MAGIC;
use super::{BatchHeader, HEADER_SIZE, LOG_OVERHEAD, RecordError, TimestampType};

/// Moves the batch to the offset its partition gives it. The CRC stays right.
///
/// # Errors
/// If `batch` does not begin with a whole batch.
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) -> Result<(), RecordError> {
    whole(batch)?;
    put(batch, BASE_OFFSET, base_offset.to_be_bytes());
    Ok(())
}

/// Names the leader epoch that appends the batch. The CRC stays right.
///
/// # Errors
/// If `batch` does not begin with a whole batch.
pub fn set_partition_leader_epoch(batch: &mut [u8], leader_epoch: i32) -> Result<(), RecordError> {
    whole(batch)?;
    put(batch, PARTITION_LEADER_EPOCH, leader_epoch.to_be_bytes());
    Ok(())
}

/// Gives all records the time of the append, in ms, in place of their own.
///
/// # Errors
/// If `batch` does not begin with a whole batch.
pub fn set_log_append_time(batch: &mut [u8], timestamp: i64) -> Result<(), RecordError> {
    let header = whole(batch)?;
    let attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
    put(batch, ATTRIBUTES, attributes.bits().to_be_bytes());
    put(batch, MAX_TIMESTAMP, timestamp.to_be_bytes());
    set_crc(batch, &header);
    Ok(())
}

/// Corrects a `max_timestamp` that is not the largest of the records, in ms.
/// The right one costs nothing.
///
/// # Errors
/// If `batch` does not begin with a whole batch.
pub fn set_max_timestamp(batch: &mut [u8], timestamp: i64) -> Result<(), RecordError> {
    let header = whole(batch)?;
    if header.max_timestamp != timestamp {
        put(batch, MAX_TIMESTAMP, timestamp.to_be_bytes());
        set_crc(batch, &header);
    }
    Ok(())
}

/// Gives the batch to another producer id, epoch and base sequence, as a
/// producer must before it sends a batch again after a new epoch.
///
/// # Errors
/// If `batch` does not begin with a whole batch.
pub fn set_producer(
    batch: &mut [u8],
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
) -> Result<(), RecordError> {
    let header = whole(batch)?;
    put(batch, PRODUCER_ID, producer_id.to_be_bytes());
    put(batch, PRODUCER_EPOCH, producer_epoch.to_be_bytes());
    put(batch, BASE_SEQUENCE, base_sequence.to_be_bytes());
    set_crc(batch, &header);
    Ok(())
}

/// Writes `header` over the first bytes of a batch that is otherwise complete,
/// and computes its length, format and CRC, here and there.
///
/// # Panics
/// From 2 GiB on, which no sender's limits allow.
pub(super) fn seal(batch: &mut [u8], header: &mut BatchHeader) {
    header.batch_length = i32::try_from(batch.len().saturating_sub(LOG_OVERHEAD))
        .expect("a batch is smaller than 2 GiB");
    header.magic = MAGIC;
    put(batch, BASE_OFFSET, header.to_bytes());
    header.crc = checksum(batch);
    put(batch, CRC, header.crc.to_be_bytes());
}

/// The CRC-32C of one whole batch.
pub(super) fn checksum(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(ATTRIBUTES..).unwrap_or_default())
}

const BASE_OFFSET: usize = 0;
const PARTITION_LEADER_EPOCH: usize = 12;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;

fn whole(batch: &[u8]) -> Result<BatchHeader, RecordError> {
    let header = BatchHeader::parse(batch)?;
    let needed = header.size_in_bytes();
    if batch.len() < needed {
        return Err(RecordError::Truncated { needed, available: batch.len() });
    }
    Ok(header)
}

fn set_crc(batch: &mut [u8], header: &BatchHeader) {
    let crc =
        batch.get(..header.size_in_bytes()).map(checksum).expect("the caller has checked the size");
    put(batch, CRC, crc.to_be_bytes());
}

fn put<const N: usize>(batch: &mut [u8], at: usize, value: [u8; N]) {
    const { assert!(N <= HEADER_SIZE) };
    if let Some(slot) = batch.get_mut(at..at + N) {
        slot.copy_from_slice(&value);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{Batch, BatchBuilder, Compression, RecordIter};
    use super::*;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(1_000, None, Some(b"value"), &[]);
        builder.append(3_000, None, Some(b"value"), &[]);
        builder.build().to_vec()
    }

    type Edit = fn(&mut [u8]) -> Result<(), RecordError>;

    const EDITS: [(&str, Edit); 5] = [
        ("base offset", |batch| set_base_offset(batch, 100)),
        ("leader epoch", |batch| set_partition_leader_epoch(batch, 7)),
        ("append time", |batch| set_log_append_time(batch, 9_000)),
        ("max timestamp", |batch| set_max_timestamp(batch, 4_000)),
        ("producer", |batch| set_producer(batch, 5, 6, 7)),
    ];

    #[test]
    fn every_edit_leaves_a_valid_batch() {
        let mut bytes = batch();
        for (case, edit) in EDITS {
            edit(&mut bytes).unwrap();
            let batch = Batch::from_bytes(Bytes::copy_from_slice(&bytes)).unwrap();
            assert_eq!(batch.verify_crc(), Ok(()), "{case}");
        }
        let header = BatchHeader::parse(&bytes).unwrap();
        assert_eq!((header.base_offset, header.next_offset()), (100, 102));
        assert_eq!(header.partition_leader_epoch, 7);
        assert_eq!(header.max_timestamp, 4_000);
        assert_eq!((header.producer_id, header.producer_epoch, header.last_sequence()), (5, 6, 8));
    }

    #[test]
    fn offset_and_epoch_are_outside_of_the_crc() {
        let mut bytes = batch();
        let before = BatchHeader::parse(&bytes).unwrap().crc;
        set_base_offset(&mut bytes, i64::MAX).unwrap();
        set_partition_leader_epoch(&mut bytes, 7).unwrap();
        set_max_timestamp(&mut bytes, 3_000).unwrap();
        assert_eq!(BatchHeader::parse(&bytes).unwrap().crc, before);
    }

    #[test]
    fn the_append_time_replaces_that_of_each_record() {
        let mut bytes = batch();
        set_log_append_time(&mut bytes, 9_000).unwrap();
        let batch = Batch::from_bytes(Bytes::from(bytes)).unwrap();
        assert_eq!(batch.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
        let section = batch.record_section(0).unwrap();
        let timestamps: Vec<i64> = RecordIter::new(batch.header(), &section)
            .map(|record| record.unwrap().timestamp)
            .collect();
        assert_eq!(timestamps, [9_000, 9_000]);
    }

    #[test]
    fn what_follows_the_batch_is_not_touched() {
        let first = batch();
        for (case, edit) in EDITS {
            let mut alone = first.clone();
            let mut followed = [first.clone(), first.clone()].concat();
            edit(&mut alone).unwrap();
            edit(&mut followed).unwrap();
            assert!(followed == [alone, first.clone()].concat(), "{case}");
        }
    }

    #[test]
    fn a_batch_that_is_not_whole_is_refused() {
        let whole = batch();
        for (case, edit) in EDITS {
            for length in 0..whole.len() {
                let mut cut = whole[..length].to_vec();
                assert!(edit(&mut cut).is_err(), "{case} at {length}");
                assert!(cut == whole[..length], "{case} at {length}");
            }
        }
    }
}

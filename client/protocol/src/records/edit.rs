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

//! What a broker checks inside a batch before it appends it.

use super::{Batch, NO_TIMESTAMP, Record, RecordError, RecordIter};

/// What is known of a batch once all its records have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatedRecords {
    /// How many records there are, at least one.
    pub records_count: i32,
    /// The smallest timestamp in ms other than -1; -1 if no record has one.
    pub min_timestamp: i64,
    /// The largest timestamp of the records in ms. The header may claim
    /// another: [`edit::set_max_timestamp`](super::edit::set_max_timestamp).
    pub max_timestamp: i64,
    /// Offset delta of the first record with the largest timestamp. Kafka's
    /// time index holds the last offset of its batch instead.
    pub max_timestamp_offset_delta: i32,
    /// Index of the first record with a null key, which compacted topics refuse.
    pub first_null_key: Option<usize>,
    /// Bytes of the records, decompressed.
    pub decompressed_size: usize,
}

/// Why a batch cannot be appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct InvalidBatch {
    /// Index of the record at fault; `None` if it is the batch. Nothing behind
    /// the record could be read.
    pub index: Option<usize>,
    /// What is wrong.
    pub error: RecordError,
}

impl From<RecordError> for InvalidBatch {
    fn from(error: RecordError) -> Self {
        Self { index: None, error }
    }
}

/// Reads all records of a batch as a producer must have sent it: at least one
/// record, offsets 0 to n-1 without a gap, as many as the header says and
/// nothing after them. The records may decompress to `limit` bytes.
///
/// The CRC is not looked at: [`Batch::verify_crc`] comes first. Nothing is
/// allocated but the decompressed records.
///
/// # Errors
/// What is wrong, and with which record.
pub fn validate(batch: &Batch, limit: usize) -> Result<ValidatedRecords, InvalidBatch> {
    validate_with(batch, limit, |_, _| {})
}

/// As [`validate`], and shows each record and its index to `visit`, for checks
/// that depend on the topic.
///
/// # Errors
/// What is wrong, and with which record.
pub fn validate_with(
    batch: &Batch,
    limit: usize,
    mut visit: impl FnMut(usize, &Record<'_>),
) -> Result<ValidatedRecords, InvalidBatch> {
    let header = batch.header();
    if header.records_count <= 0 {
        return Err(RecordError::Invalid("the batch holds no records").into());
    }
    if header.last_offset_delta != header.records_count - 1 {
        return Err(
            RecordError::Invalid("the last offset does not fit the count of records").into()
        );
    }
    let section = batch.record_section(limit)?;
    let mut records = ValidatedRecords {
        records_count: header.records_count,
        min_timestamp: NO_TIMESTAMP,
        max_timestamp: NO_TIMESTAMP,
        max_timestamp_offset_delta: 0,
        first_null_key: None,
        decompressed_size: section.len(),
    };
    let mut next_offset = header.base_offset;
    for (index, record) in RecordIter::new(header, &section).enumerate() {
        let index_of_record = (index < header.records_count as usize).then_some(index);
        let record = record.map_err(|error| InvalidBatch { index: index_of_record, error })?;
        if record.offset != next_offset {
            let error =
                RecordError::Invalid("the offsets of the records are not 0, 1, 2 and so on");
            return Err(InvalidBatch { index: Some(index), error });
        }
        next_offset = next_offset.wrapping_add(1);
        records.add(index, &record);
        visit(index, &record);
    }
    Ok(records)
}

impl ValidatedRecords {
    #[inline]
    fn add(&mut self, index: usize, record: &Record<'_>) {
        if index == 0 || record.timestamp > self.max_timestamp {
            self.max_timestamp = record.timestamp;
            self.max_timestamp_offset_delta =
                i32::try_from(index).expect("the count of records is an i32");
        }
        let is_smallest =
            self.min_timestamp == NO_TIMESTAMP || record.timestamp < self.min_timestamp;
        if record.timestamp != NO_TIMESTAMP && is_smallest {
            self.min_timestamp = record.timestamp;
        }
        if record.key.is_none() && self.first_null_key.is_none() {
            self.first_null_key = Some(index);
        }
    }
}

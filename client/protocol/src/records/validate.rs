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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{BatchBuilder, BatchHeader, Compression, HEADER_SIZE};
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn batch(compression: Compression, records: &[(i64, Option<&[u8]>)]) -> Batch {
        let mut builder = BatchBuilder::new(compression);
        for (timestamp, key) in records {
            builder.append(*timestamp, *key, Some(b"value"), &[]);
        }
        Batch::from_bytes(builder.build()).unwrap()
    }

    /// The batch with other header fields and other records.
    fn changed(header: BatchHeader, section: &[u8]) -> Batch {
        let mut bytes = vec![0; HEADER_SIZE];
        bytes.extend_from_slice(section);
        super::super::edit::seal(&mut bytes, &mut { header });
        Batch::from_bytes(Bytes::from(bytes)).unwrap()
    }

    #[test]
    fn what_is_true_of_the_records_is_told() {
        for compression in Compression::ALL {
            let key = Some(&b"key"[..]);
            let batch =
                batch(compression, &[(300, key), (-1, key), (900, None), (200, None), (900, key)]);
            let mut visited = Vec::new();
            let records = validate_with(&batch, LIMIT, |index, record| {
                visited.push((index, record.timestamp))
            });
            assert_eq!(
                records,
                Ok(ValidatedRecords {
                    records_count: 5,
                    min_timestamp: 200,
                    max_timestamp: 900,
                    max_timestamp_offset_delta: 2,
                    first_null_key: Some(2),
                    decompressed_size: batch.record_section(LIMIT).unwrap().len(),
                })
            );
            assert_eq!(visited, [(0, 300), (1, -1), (2, 900), (3, 200), (4, 900)]);
        }
    }

    #[test]
    fn records_without_any_timestamp_have_none() {
        let records =
            validate(&batch(Compression::None, &[(-1, Some(b"k")), (-1, Some(b"k"))]), LIMIT)
                .unwrap();
        assert_eq!((records.min_timestamp, records.max_timestamp), (NO_TIMESTAMP, NO_TIMESTAMP));
        assert_eq!((records.max_timestamp_offset_delta, records.first_null_key), (0, None));
    }

    #[test]
    fn a_batch_that_no_producer_may_send_is_refused() {
        let good = batch(Compression::None, &[(1, None), (2, None), (3, None)]);
        let (header, section) = (*good.header(), good.record_section(0).unwrap());
        let third_offset = section.len() - (section[0] as usize / 2 + 1) + 3;
        let swapped_offset = {
            let mut section = section.to_vec();
            assert_eq!(section[third_offset], 4);
            section[third_offset] = 2;
            section
        };
        let counts = |records_count, last_offset_delta| BatchHeader {
            records_count,
            last_offset_delta,
            ..header
        };
        for (case, batch, index, expected) in [
            ("no records", changed(counts(0, -1), b""), None, "the batch holds no records"),
            (
                "fewer than none",
                changed(counts(-3, -4), &section),
                None,
                "the batch holds no records",
            ),
            (
                "a gap after the last",
                changed(counts(3, 3), &section),
                None,
                "the last offset does not fit the count of records",
            ),
            ("one too many", changed(counts(2, 1), &section), None, "bytes follow the last record"),
            (
                "one missing",
                changed(counts(4, 3), &section),
                Some(3),
                "records end inside a record",
            ),
            (
                "an offset twice",
                changed(header, &swapped_offset),
                Some(2),
                "the offsets of the records are not 0, 1, 2 and so on",
            ),
            (
                "a broken record",
                changed(header, &section[..section.len() - 1]),
                Some(2),
                "records end inside a record",
            ),
        ] {
            let error = RecordError::Invalid(expected);
            assert_eq!(validate(&batch, LIMIT), Err(InvalidBatch { index, error }), "{case}");
        }
    }

    #[test]
    fn records_may_not_decompress_to_more_than_the_limit() {
        for compression in
            [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
        {
            let mut builder = BatchBuilder::new(compression);
            builder.append(1, None, Some(&vec![0; 3 * LIMIT]), &[]);
            let bomb = Batch::from_bytes(builder.build()).unwrap();
            let error = RecordError::TooLarge { limit: LIMIT };
            assert_eq!(
                validate(&bomb, LIMIT),
                Err(InvalidBatch { index: None, error }),
                "{compression}"
            );
        }
    }
}

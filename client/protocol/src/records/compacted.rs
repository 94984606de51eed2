//! Batches that compaction took records out of.
//!
//! What identifies the batch is kept: its offsets from first to last, its
//! producer and sequence, its codec. So offsets never move, and idempotent
//! producers are recognised after their records are gone.

use bytes::Bytes;

use super::field::length;
use super::varint::{Prefix, varint_size, varlong_size};
use super::{
    Batch, BatchHeader, HEADER_SIZE, Record, RecordError, RecordIter, TimestampType, edit,
};

impl Batch {
    /// The batch anew, with the records of `section` (its own, see
    /// [`record_section`](Self::record_section)) that `keep` says yes to; possibly none.
    ///
    /// With `delete_horizon`, in ms since the epoch, the batch says that its
    /// tombstones may go from then on; a horizon that it has already stays.
    ///
    /// # Errors
    /// When a record cannot be read, or the codec does not exist.
    pub fn compacted(
        &self,
        section: &[u8],
        delete_horizon: Option<i64>,
        mut keep: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<Bytes, RecordError> {
        let header = self.header();
        let compression = header.attributes.compression()?;
        let is_append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let horizon = delete_horizon.filter(|_| !header.attributes.has_delete_horizon());
        let mut compacted = BatchHeader {
            // The field of the first timestamp is that of the horizon too (KAFKA-8522).
            base_timestamp: horizon.unwrap_or(header.base_timestamp),
            attributes: header
                .attributes
                .with_delete_horizon(header.attributes.has_delete_horizon() || horizon.is_some()),
            records_count: 0,
            ..*header
        };
        let mut newest = None;
        let mut records = Vec::new();
        for record in RecordIter::new(header, section) {
            let record = record?;
            if keep(&record) {
                put_record(&mut records, &record, &compacted);
                compacted.records_count += 1;
                newest = newest.max(Some(record.timestamp));
            }
        }
        if let Some(newest) = newest.filter(|_| !is_append_time) {
            compacted.max_timestamp = newest;
        }
        let mut batch = vec![0; HEADER_SIZE];
        if compacted.records_count == 0 {
            // Nothing is not worth compressing.
            compacted.attributes = compacted.attributes.with_compression(super::Compression::None);
        } else {
            compression.compress_into(&records, None, &mut batch);
        }
        edit::seal(&mut batch, &mut compacted);
        Ok(Bytes::from(batch))
    }
}

fn put_record(buffer: &mut Vec<u8>, record: &Record<'_>, header: &BatchHeader) {
    let timestamp_delta = record.timestamp.wrapping_sub(header.base_timestamp);
    // It was read as the sum of both, so the difference is what the batch had.
    let offset_delta = record.offset.wrapping_sub(header.base_offset) as i32;
    let body = record.body_size();
    let mut prefix = Prefix::new();
    prefix.varint(length(1 + varlong_size(timestamp_delta) + varint_size(offset_delta) + body));
    prefix.byte(0);
    prefix.varlong(timestamp_delta);
    prefix.varint(offset_delta);
    buffer.extend_from_slice(prefix.as_slice());
    record.put_body(buffer);
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, Compression};
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn batch(compression: Compression) -> Batch {
        let mut builder = BatchBuilder::new(compression);
        builder.set_base_offset(100);
        builder.set_partition_leader_epoch(7);
        builder.set_producer(5, 1, 40);
        builder.append(5_000, Some(b"a"), Some(b"1"), &[("h", Some(b"x")), ("h", None)]);
        builder.append(9_000, Some(b"b"), Some(b"2"), &[]);
        builder.append(4_000, Some(b"c"), None, &[]);
        Batch::from_bytes(builder.build()).unwrap()
    }

    fn compacted(batch: &Batch, horizon: Option<i64>, keys: &[&[u8]]) -> Batch {
        let section = batch.record_section(LIMIT).unwrap();
        let keep = |record: &Record<'_>| keys.contains(&record.key.unwrap());
        let compacted =
            Batch::from_bytes(batch.compacted(&section, horizon, keep).unwrap()).unwrap();
        compacted.verify_crc().unwrap();
        compacted
    }

    fn records(batch: &Batch) -> Vec<(i64, i64, Vec<u8>, usize)> {
        let section = batch.record_section(LIMIT).unwrap();
        RecordIter::new(batch.header(), &section)
            .map(|record| {
                let record = record.unwrap();
                let key = record.key.unwrap().to_vec();
                (record.offset, record.timestamp, key, record.headers.len())
            })
            .collect()
    }

    #[test]
    fn what_is_kept_stays_where_it_was() {
        for compression in Compression::ALL {
            let batch = batch(compression);
            let kept = compacted(&batch, None, &[b"a", b"c"]);
            assert_eq!(
                records(&kept),
                [(100, 5_000, b"a".to_vec(), 2), (102, 4_000, b"c".to_vec(), 0)]
            );
            let expected = BatchHeader {
                batch_length: kept.header().batch_length,
                crc: kept.header().crc,
                max_timestamp: 5_000,
                records_count: 2,
                ..*batch.header()
            };
            assert_eq!(kept.header(), &expected);
        }
    }

    #[test]
    fn a_batch_may_be_left_without_records() {
        let batch = batch(Compression::Zstd);
        let empty = compacted(&batch, None, &[]);
        assert_eq!(empty.bytes().len(), HEADER_SIZE);
        assert_eq!(records(&empty), []);
        let header = empty.header();
        assert_eq!((header.base_offset, header.last_offset(), header.records_count), (100, 102, 0));
        assert_eq!((header.producer_id, header.last_sequence()), (5, 42));
        assert_eq!(header.max_timestamp, 9_000);
    }

    #[test]
    fn a_horizon_is_set_once_and_moves_no_timestamp() {
        let batch = batch(Compression::Lz4);
        let first = compacted(&batch, Some(1_000_000), &[b"a", b"c"]);
        assert!(first.header().attributes.has_delete_horizon());
        assert_eq!(first.header().base_timestamp, 1_000_000);
        let second = compacted(&first, Some(2_000_000), &[b"a", b"c"]);
        assert_eq!(second.header().base_timestamp, 1_000_000);
        for batch in [first, second] {
            let timestamps: Vec<_> = records(&batch).iter().map(|record| record.1).collect();
            assert_eq!(timestamps, [5_000, 4_000]);
        }
    }
}

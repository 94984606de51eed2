//! The one record of a control batch: how a transaction ended.

use bytes::Bytes;

use super::varint::Cursor;
use super::{BatchBuilder, Compression, Record, RecordError};

/// What the key of a control record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecord {
    /// The transaction of the batch's producer was aborted.
    Abort,
    /// The transaction of the batch's producer was committed.
    Commit,
    /// A kind that consumers pass over, such as those of KRaft.
    Other(i16),
}

impl ControlRecord {
    /// Reads the key of a control record: version and type. Later versions
    /// may be longer.
    ///
    /// # Errors
    /// [`Invalid`](RecordError::Invalid) without a key of at least four bytes,
    /// or if its version is negative.
    pub fn parse(record: &Record<'_>) -> Result<Self, RecordError> {
        let mut key = Cursor::new(record.key.unwrap_or_default());
        let version = i16::from_be_bytes([key.byte()?, key.byte()?]);
        if version < 0 {
            return Err(RecordError::Invalid("the version of a control record is negative"));
        }
        Ok(match i16::from_be_bytes([key.byte()?, key.byte()?]) {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        })
    }
}

/// The batch that ends a transaction in one partition. Only brokers write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Whether the transaction is committed rather than aborted.
    pub commit: bool,
    /// Epoch of the transaction coordinator.
    pub coordinator_epoch: i32,
    /// The producer whose transaction ends.
    pub producer_id: i64,
    /// The epoch of that producer.
    pub producer_epoch: i16,
    /// When it ended, in ms since the epoch.
    pub timestamp: i64,
}

impl EndTransactionMarker {
    /// The control batch, with base offset 0.
    pub fn to_batch(&self) -> Bytes {
        // Version 0 of key and value, as Kafka writes them.
        let key = [0, 0, 0, u8::from(self.commit)];
        let mut value = [0; 6];
        if let Some(coordinator_epoch) = value.last_chunk_mut() {
            *coordinator_epoch = self.coordinator_epoch.to_be_bytes();
        }
        let mut builder = BatchBuilder::new(Compression::None);
        builder.set_control(true);
        builder.set_transactional(true);
        builder.set_producer(self.producer_id, self.producer_epoch, super::NO_SEQUENCE);
        builder.append(self.timestamp, Some(&key), Some(&value), &[]);
        builder.build()
    }

    /// The coordinator epoch in the value of a marker.
    ///
    /// # Errors
    /// [`Invalid`](RecordError::Invalid) if the value is shorter than six bytes.
    pub fn coordinator_epoch(record: &Record<'_>) -> Result<i32, RecordError> {
        let mut value = Cursor::new(record.value.unwrap_or_default());
        value.take(2)?;
        let epoch = value.take(4)?.first_chunk().expect("four bytes were taken");
        Ok(i32::from_be_bytes(*epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Batch, NO_SEQUENCE, RecordIter};
    use super::*;

    #[test]
    fn a_marker_says_how_the_transaction_ended() {
        for (commit, expected) in [(true, ControlRecord::Commit), (false, ControlRecord::Abort)] {
            let marker = EndTransactionMarker {
                commit,
                coordinator_epoch: 0x0102_0304,
                producer_id: 7,
                producer_epoch: 3,
                timestamp: 1_000,
            };
            let batch = Batch::from_bytes(marker.to_batch()).unwrap();
            batch.verify_crc().unwrap();
            let header = batch.header();
            assert!(header.attributes.is_control() && header.attributes.is_transactional());
            assert_eq!(
                (header.producer_id, header.producer_epoch, header.base_sequence),
                (7, 3, NO_SEQUENCE)
            );
            let section = batch.record_section(0).unwrap();
            let record = RecordIter::new(header, &section).next().unwrap().unwrap();
            assert_eq!(ControlRecord::parse(&record), Ok(expected));
            assert_eq!(record.value, Some(&[0, 0, 1, 2, 3, 4][..]));
            assert_eq!(EndTransactionMarker::coordinator_epoch(&record), Ok(0x0102_0304));
        }
    }

    #[test]
    fn keys_of_other_kinds_and_later_versions_are_read_and_short_ones_are_not() {
        for (key, expected) in [
            (Some(&[0, 0, 0, 2][..]), Some(ControlRecord::Other(2))),
            (Some(&[0, 9, 0, 1, 42]), Some(ControlRecord::Commit)),
            (Some(&[0xff, 0xff, 0, 1]), None),
            (Some(&[0, 0, 0]), None),
            (None, None),
        ] {
            let record =
                Record { offset: 0, timestamp: 0, key, value: None, headers: Default::default() };
            assert_eq!(ControlRecord::parse(&record).ok(), expected, "{key:?}");
            assert!(EndTransactionMarker::coordinator_epoch(&record).is_err());
        }
    }
}

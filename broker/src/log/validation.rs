//! What is checked, and changed, in a batch before it may be appended.
//!
//! One bad record refuses its whole batch: a poisoned batch in the log would
//! stop every consumer. Bytes are stored as they came, unless the topic wants
//! another codec or the broker's own timestamps.

use bytes::{Bytes, BytesMut};
use protocol::records::{
    Batch, BatchHeader, Compression, InvalidBatch, NO_TIMESTAMP, Record, RecordError,
    TimestampType, ValidatedRecords, edit, validate_with,
};

use super::append::AppendError;
use super::partition_log::PreparedBatch;
use crate::producers::ProducerError;
use crate::topic_config::{CompressionPolicy, TimestampPolicy, TopicConfig};

/// The most that the records of one batch may take in memory while they are checked.
pub(super) const MAX_DECOMPRESSED_BYTES: usize = 128 * 1024 * 1024;

/// Since this version of Produce batches may be compressed with zstd (KIP-110).
const ZSTD_VERSION: i16 = 7;

/// Records of one batch that are named to the producer when they are refused.
const MAX_RECORD_ERRORS: usize = 1000;

/// Batches up to this size are checked on the thread that received them.
const INLINE_COMPRESSED_BYTES: usize = 8 * 1024;
/// The same for batches that are only read, not decompressed.
const INLINE_PLAIN_BYTES: usize = 128 * 1024;

/// What the batch has to comply with.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    pub(super) config: &'a TopicConfig,
    /// The version of Produce that brought it.
    pub(super) api_version: i16,
    pub(super) now_ms: i64,
}

/// Whether checking the records takes so long that other connections would notice.
pub(super) fn is_heavy(records: &[u8], config: &TopicConfig) -> bool {
    let codec = |header: BatchHeader| header.attributes.compression();
    let is_plain = matches!(BatchHeader::parse(records).and_then(codec), Ok(Compression::None))
        && matches!(
            config.compression,
            CompressionPolicy::Producer | CompressionPolicy::Uncompressed
        );
    records.len() > if is_plain { INLINE_PLAIN_BYTES } else { INLINE_COMPRESSED_BYTES }
}

/// Checks what a producer sent for one partition and brings it into the form
/// that is stored.
///
/// # Errors
/// Why the batch is refused. Nothing of it may be appended then.
pub(super) fn prepare(records: Bytes, rules: &Rules<'_>) -> Result<PreparedBatch, AppendError> {
    let batch = the_one_batch(records)?;
    check_header(&batch, rules)?;
    batch.verify_crc()?;
    let mut refused = RefusedRecords::new(rules);
    let records = validate_with(&batch, MAX_DECOMPRESSED_BYTES, |index, record| {
        refused.look_at(index, record);
    });
    let records = records.map_err(|invalid| invalid_batch(&invalid))?;
    refused.into_result()?;
    let batch = recompressed(batch, rules.config)?;
    let batch = stamped(batch, &records, rules)?;
    // Neither time stamps nor codecs may take it over a limit unnoticed.
    check_size(batch.bytes.len(), rules.config)?;
    Ok(batch)
}

/// The batch of a record set. What is cut off at the end of a set is passed over, as
/// Kafka does, and so a set of nothing else has no batch.
fn the_one_batch(mut records: Bytes) -> Result<Batch, AppendError> {
    let mut next = || match Batch::split_first(&mut records) {
        Err(RecordError::Truncated { .. }) => Ok(None),
        batch => batch,
    };
    let batch = next()?.ok_or(AppendError::NoBatch)?;
    if next()?.is_none() { Ok(batch) } else { Err(AppendError::SeveralBatches) }
}

fn check_header(batch: &Batch, rules: &Rules<'_>) -> Result<(), AppendError> {
    let header = batch.header();
    let compression = header.attributes.compression()?;
    if compression == Compression::Zstd && rules.api_version < ZSTD_VERSION {
        return Err(AppendError::ZstdInOldVersion(rules.api_version));
    }
    let (size, limit) = (batch.bytes().len(), rules.config.max_message_bytes);
    if size > limit as usize {
        return Err(AppendError::TooLarge { size, limit });
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(AppendError::TimestampType);
    }
    if header.attributes.is_transactional() {
        // Nobody coordinates transactions, so none can be open.
        let producer_id = header.producer_id;
        return Err(ProducerError::InvalidTransactionState { producer_id }.into());
    }
    let invalid = if header.base_offset != 0 {
        "the base offset of a batch from a producer should be 0"
    } else if header.attributes.is_control() {
        "clients are not allowed to write control records"
    } else if header.attributes.has_delete_horizon() {
        "clients are not allowed to set a delete horizon"
    } else if header.has_producer_id() && header.base_sequence < 0 {
        "the batch of an idempotent producer has no sequence number"
    } else {
        return Ok(());
    };
    Err(RecordError::Invalid(invalid).into())
}

fn check_size(size: usize, config: &TopicConfig) -> Result<(), AppendError> {
    if size > config.max_message_bytes as usize {
        return Err(AppendError::TooLarge { size, limit: config.max_message_bytes });
    }
    if size > config.segment_bytes as usize {
        return Err(AppendError::LargerThanSegment { size, limit: config.segment_bytes });
    }
    Ok(())
}

fn invalid_batch(invalid: &InvalidBatch) -> AppendError {
    match (&invalid.error, invalid.index.and_then(|index| i32::try_from(index).ok())) {
        (RecordError::Invalid(_) | RecordError::Truncated { .. }, Some(index)) => {
            AppendError::InvalidRecords([(index, invalid.error.to_string())].into())
        }
        // The batch is whole, and what it holds is cut off.
        (RecordError::Truncated { .. }, None) => {
            RecordError::Invalid("the records are longer than their batch").into()
        }
        (error, _) => error.clone().into(),
    }
}

fn recompressed(batch: Batch, config: &TopicConfig) -> Result<Batch, AppendError> {
    let (compression, level) = match config.compression {
        CompressionPolicy::Producer => return Ok(batch),
        CompressionPolicy::Uncompressed => (Compression::None, None),
        CompressionPolicy::Gzip(level) => (Compression::Gzip, level),
        CompressionPolicy::Snappy => (Compression::Snappy, None),
        CompressionPolicy::Lz4(level) => (Compression::Lz4, Some(level)),
        CompressionPolicy::Zstd(level) => (Compression::Zstd, Some(level)),
    };
    Ok(batch.recompress(compression, level, MAX_DECOMPRESSED_BYTES)?)
}

/// Sets the timestamps of the batch as its topic wants them.
fn stamped(
    batch: Batch,
    records: &ValidatedRecords,
    rules: &Rules<'_>,
) -> Result<PreparedBatch, AppendError> {
    let header = *batch.header();
    let edited = match rules.config.timestamp_policy {
        TimestampPolicy::CreateTime if header.max_timestamp == records.max_timestamp => {
            return Ok(PreparedBatch { header, bytes: batch.into_bytes() });
        }
        TimestampPolicy::CreateTime => {
            let mut bytes = BytesMut::from(batch.into_bytes());
            edit::set_max_timestamp(&mut bytes, records.max_timestamp)?;
            bytes
        }
        TimestampPolicy::LogAppendTime => {
            let mut bytes = BytesMut::from(batch.into_bytes());
            edit::set_log_append_time(&mut bytes, rules.now_ms)?;
            bytes
        }
    };
    let bytes = edited.freeze();
    Ok(PreparedBatch { header: BatchHeader::parse(&bytes)?, bytes })
}

/// Records that the topic does not take.
struct RefusedRecords {
    is_compacted: bool,
    /// The first and the last timestamp that are taken.
    timestamps: Option<(i64, i64)>,
    has_timestamp_error: bool,
    errors: Vec<(i32, String)>,
}

impl RefusedRecords {
    fn new(rules: &Rules<'_>) -> Self {
        let Rules { config, now_ms, .. } = rules;
        let timestamps = (config.timestamp_policy == TimestampPolicy::CreateTime).then(|| {
            let first = now_ms.saturating_sub(config.timestamp_before_max_ms);
            (first, now_ms.saturating_add(config.timestamp_after_max_ms))
        });
        Self {
            is_compacted: config.compact,
            timestamps,
            has_timestamp_error: false,
            errors: Vec::new(),
        }
    }

    #[inline]
    fn look_at(&mut self, index: usize, record: &Record<'_>) {
        if self.is_compacted && record.key.is_none() {
            self.refuse(index, "Compacted topic cannot accept message without key.".to_owned());
        } else if let Some((first, last)) = self.timestamps
            && record.timestamp != NO_TIMESTAMP
            && !(first..=last).contains(&record.timestamp)
        {
            self.has_timestamp_error = true;
            let timestamp = record.timestamp;
            self.refuse(
                index,
                format!(
                    "Timestamp {timestamp} of message with offset {index} is out of range. \
                     The timestamp should be within [{first}, {last}]"
                ),
            );
        }
    }

    #[cold]
    fn refuse(&mut self, index: usize, reason: String) {
        if let Ok(index) = i32::try_from(index)
            && self.errors.len() < MAX_RECORD_ERRORS
        {
            self.errors.push((index, reason));
        }
    }

    fn into_result(self) -> Result<(), AppendError> {
        match self {
            Self { errors, .. } if errors.is_empty() => Ok(()),
            Self { has_timestamp_error: true, errors, .. } => {
                Err(AppendError::InvalidTimestamps(errors.into()))
            }
            Self { errors, .. } => Err(AppendError::InvalidRecords(errors.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;
    use protocol::config_def::ConfigValues;
    use protocol::records::{BatchBuilder, RecordIter};

    use super::*;
    use crate::config::Config;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn config(settings: &[(&str, &str)]) -> TopicConfig {
        let settings = settings.iter().map(|(name, text)| ((*name).into(), (*text).into()));
        TopicConfig::resolve(&settings.collect::<ConfigValues>(), &Config::default())
    }

    fn builder(compression: Compression, records: &[(i64, Option<&[u8]>)]) -> BatchBuilder {
        let mut builder = BatchBuilder::new(compression);
        for (timestamp, key) in records {
            builder.append(*timestamp, *key, Some(&[b'v'; 50]), &[]);
        }
        builder
    }

    fn prepared(
        records: impl Into<Bytes>,
        settings: &[(&str, &str)],
        api_version: i16,
    ) -> Result<PreparedBatch, AppendError> {
        let config = config(settings);
        prepare(records.into(), &Rules { config: &config, api_version, now_ms: NOW_MS })
    }

    fn good() -> Bytes {
        builder(Compression::None, &[(NOW_MS, None), (NOW_MS - 5, Some(b"k"))]).build()
    }

    #[test]
    fn each_check_has_kafkas_number() {
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good().to_vec();
            change(&mut bytes);
            // Whatever was changed is what the sender meant.
            let crc = crc32c::crc32c(&bytes[21..]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            Bytes::from(bytes)
        };
        let attributes = |bits: u8| changed(&|bytes| bytes[22] = bits);
        let with = |build: &dyn Fn(&mut BatchBuilder)| {
            let mut builder = builder(Compression::None, &[(NOW_MS, Some(b"k"))]);
            build(&mut builder);
            builder.build()
        };
        let wrong_crc = {
            let mut bytes = good().to_vec();
            bytes[70] ^= 1;
            Bytes::from(bytes)
        };
        let zstd = builder(Compression::Zstd, &[(NOW_MS, Some(b"k"))]).build();
        for (case, records, settings, version, expected) in [
            ("good", good(), &[][..], 9, None),
            ("nothing", Bytes::new(), &[], 9, Some(ErrorCode::InvalidRecord)),
            ("two", [good(), good()].concat().into(), &[], 9, Some(ErrorCode::InvalidRecord)),
            ("cut", good().slice(..80), &[], 9, Some(ErrorCode::InvalidRecord)),
            ("below a header", good().slice(..40), &[], 9, Some(ErrorCode::InvalidRecord)),
            ("crc", wrong_crc, &[], 9, Some(ErrorCode::CorruptMessage)),
            ("magic", changed(&|bytes| bytes[16] = 1), &[], 9, Some(ErrorCode::InvalidRecord)),
            ("base offset", changed(&|bytes| bytes[7] = 1), &[], 9, Some(ErrorCode::InvalidRecord)),
            (
                "too large",
                good(),
                &[("max.message.bytes", "100")],
                9,
                Some(ErrorCode::MessageTooLarge),
            ),
            (
                "larger than a segment",
                good(),
                &[("internal.segment.bytes", "100")],
                9,
                Some(ErrorCode::RecordListTooLarge),
            ),
            ("no records", changed(&|bytes| bytes[60] = 0), &[], 9, Some(ErrorCode::InvalidRecord)),
            (
                "wrong count",
                changed(&|bytes| bytes[60] = 3),
                &[],
                9,
                Some(ErrorCode::InvalidRecord),
            ),
            (
                "last offset",
                changed(&|bytes| bytes[26] = 5),
                &[],
                9,
                Some(ErrorCode::InvalidRecord),
            ),
            (
                "record length",
                changed(&|bytes| bytes[61] = 2),
                &[],
                9,
                Some(ErrorCode::InvalidRecord),
            ),
            (
                "control",
                with(&|builder| builder.set_control(true)),
                &[],
                9,
                Some(ErrorCode::InvalidRecord),
            ),
            (
                "no sequence",
                with(&|builder| builder.set_producer(5, 0, -1)),
                &[],
                9,
                Some(ErrorCode::InvalidRecord),
            ),
            ("timestamp type", attributes(8), &[], 9, Some(ErrorCode::InvalidTimestamp)),
            ("delete horizon", attributes(64), &[], 9, Some(ErrorCode::InvalidRecord)),
            ("codec 5", attributes(5), &[], 9, Some(ErrorCode::UnsupportedCompressionType)),
            ("not gzip", attributes(1), &[], 9, Some(ErrorCode::InvalidRecord)),
            ("cut off behind it", Bytes::from([&good()[..], &good()[..40]].concat()), &[], 9, None),
            ("format 3", changed(&|bytes| bytes[16] = 3), &[], 9, Some(ErrorCode::CorruptMessage)),
            ("zstd", zstd.clone(), &[], 7, None),
            ("old zstd", zstd, &[], 6, Some(ErrorCode::UnsupportedCompressionType)),
            (
                "null key",
                good(),
                &[("cleanup.policy", "delete,compact")],
                9,
                Some(ErrorCode::InvalidRecord),
            ),
        ] {
            let outcome = prepared(records, settings, version).err();
            let error_code = outcome.as_ref().map(AppendError::error_code);
            assert_eq!(error_code, expected, "{case}: {outcome:?}");
        }
    }

    #[test]
    fn refused_records_are_named() {
        let records = builder(
            Compression::Lz4,
            &[(NOW_MS, None), (NOW_MS, Some(b"k")), (-1, None), (NOW_MS, None)],
        )
        .build();
        let error = prepared(records, &[("cleanup.policy", "compact")], 9).unwrap_err();
        let indexes: Vec<i32> = error.record_errors().iter().map(|(index, _)| *index).collect();
        assert_eq!(indexes, [0, 2, 3]);
        assert_eq!(error.error_code(), ErrorCode::InvalidRecord);
    }

    #[test]
    fn timestamps_may_be_an_hour_ahead_and_as_old_as_the_topic_says() {
        let check = |timestamp, settings| {
            let records = builder(Compression::None, &[(NOW_MS, None), (timestamp, None)]).build();
            let error = prepared(records, settings, 9).err()?;
            assert_eq!(error.record_errors()[0].0, 1);
            Some(error.error_code())
        };
        let (hour, refused) = (3_600_000, Some(ErrorCode::InvalidTimestamp));
        let day: &[_] = &[("message.timestamp.before.max.ms", "86400000")];
        for (case, timestamp, settings, expected) in [
            ("an hour ahead", NOW_MS + hour, &[][..], None),
            ("more than an hour ahead", NOW_MS + hour + 1, &[], refused),
            ("1970", 0, &[], None),
            ("none", -1, day, None),
            ("a day ago", NOW_MS - 24 * hour, day, None),
            ("more than a day ago", NOW_MS - 24 * hour - 1, day, refused),
            (
                "the broker's clock is used anyway",
                NOW_MS + 10 * hour,
                &[("message.timestamp.type", "LogAppendTime")],
                None,
            ),
        ] {
            assert_eq!(check(timestamp, settings), expected, "{case}");
        }
    }

    #[test]
    fn bytes_are_stored_as_they_came() {
        for compression in Compression::ALL {
            let sent = builder(compression, &[(NOW_MS, None), (NOW_MS - 1, None)]).build();
            let stored = prepared(sent.clone(), &[], 9).unwrap();
            assert_eq!((stored.bytes.as_ptr(), &stored.bytes), (sent.as_ptr(), &sent));
        }
    }

    #[test]
    fn a_wrong_maximum_is_corrected() {
        let mut bytes = good().to_vec();
        edit::set_max_timestamp(&mut bytes, NOW_MS - 5).unwrap();
        let stored = prepared(bytes, &[], 9).unwrap();
        assert_eq!(stored.header.max_timestamp, NOW_MS);
        Batch::from_bytes(stored.bytes).unwrap().verify_crc().unwrap();
    }

    #[test]
    fn the_time_of_the_append_replaces_all_timestamps() {
        let settings = [("message.timestamp.type", "LogAppendTime")];
        let stored = prepared(good(), &settings, 9).unwrap();
        let batch = Batch::from_bytes(stored.bytes).unwrap();
        batch.verify_crc().unwrap();
        assert_eq!(batch.header(), &stored.header);
        let section = batch.record_section(1000).unwrap();
        let records = RecordIter::new(batch.header(), &section);
        assert!(records.map(|record| record.unwrap().timestamp).all(|time| time == NOW_MS));
    }

    #[test]
    fn a_topic_with_a_codec_stores_every_batch_in_it() {
        for sent in Compression::ALL {
            for (name, compression) in [
                ("uncompressed", Compression::None),
                ("gzip", Compression::Gzip),
                ("snappy", Compression::Snappy),
                ("lz4", Compression::Lz4),
                ("zstd", Compression::Zstd),
            ] {
                let records = builder(sent, &[(NOW_MS, Some(b"key")), (NOW_MS, None)]).build();
                let stored = prepared(records, &[("compression.type", name)], 9).unwrap();
                assert_eq!(stored.header.attributes.compression(), Ok(compression));
                let batch = Batch::from_bytes(stored.bytes).unwrap();
                batch.verify_crc().unwrap();
                assert_eq!(batch.header(), &stored.header);
                assert_eq!(validate_with(&batch, 1000, |_, _| {}).unwrap().records_count, 2);
            }
        }
    }

    #[test]
    fn what_decompresses_without_end_is_too_large() {
        let mut builder = BatchBuilder::new(Compression::Zstd);
        let zeros = vec![0; MAX_DECOMPRESSED_BYTES];
        builder.append(NOW_MS, None, Some(&zeros), &[]);
        let bomb = builder.build();
        assert!(bomb.len() < 1_000_000);
        let error = prepared(bomb, &[], 9).unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::MessageTooLarge);
    }
}

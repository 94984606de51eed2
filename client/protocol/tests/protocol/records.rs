//! Record batches against the crate `kafka-protocol`, and hostile ones.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression as TheirCompression, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;
use protocol::records::{
    Batch, BatchBuilder, Compression, RecordBuffer, RecordError, RecordIter, batches, validate,
};

use crate::allocation::{calls_of, peak_of};
use crate::golden::{from_hex, golden_file};

const LIMIT: usize = 1 << 20;

/// One record, whoever wrote it. Header keys do not repeat, because the other
/// codec keeps only the last of them.
#[derive(Debug, Clone, PartialEq)]
struct Plain {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What stands in a batch header beside its records.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Producer {
    id: i64,
    epoch: i16,
    base_sequence: i32,
    is_transactional: bool,
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..200))
}

fn record() -> impl Strategy<Value = Plain> {
    let headers = prop::collection::btree_map("\\PC{0,8}", bytes(), 0..4);
    (0..1_i64 << 40, bytes(), bytes(), headers).prop_map(|(timestamp, key, value, headers)| Plain {
        timestamp,
        key,
        value,
        headers: headers.into_iter().collect(),
    })
}

fn producer() -> impl Strategy<Value = Producer> {
    (0..i64::MAX, 0..i16::MAX, 0..1_i32 << 30, any::<bool>()).prop_map(
        |(id, epoch, base_sequence, is_transactional)| Producer {
            id,
            epoch,
            base_sequence,
            is_transactional,
        },
    )
}

fn compression() -> impl Strategy<Value = Compression> {
    prop::sample::select(Compression::ALL.to_vec())
}

fn write_ours(compression: Compression, producer: Producer, records: &[Plain]) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    builder.set_producer(producer.id, producer.epoch, producer.base_sequence);
    builder.set_transactional(producer.is_transactional);
    for record in records {
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    builder.build()
}

fn read_ours(batch: &Batch) -> (Producer, Vec<Plain>) {
    batch.verify_crc().unwrap();
    let header = batch.header();
    let section = batch.record_section(LIMIT).unwrap();
    let plain = |record: protocol::records::Record<'_>| Plain {
        timestamp: record.timestamp,
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: record
            .headers
            .iter()
            .map(|(key, value)| (key.into_owned(), value.map(<[u8]>::to_vec)))
            .collect(),
    };
    let producer = Producer {
        id: header.producer_id,
        epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        is_transactional: header.attributes.is_transactional(),
    };
    (producer, RecordIter::new(header, &section).map(|record| plain(record.unwrap())).collect())
}

fn write_theirs(compression: Compression, producer: Producer, records: &[Plain]) -> Bytes {
    let text = |text: &String| StrBytes::from_string(text.clone());
    let value = |value: &Option<Vec<u8>>| value.clone().map(Bytes::from);
    let records: Vec<TheirRecord> = records
        .iter()
        .enumerate()
        .map(|(index, record)| TheirRecord {
            transactional: producer.is_transactional,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            timestamp_type: TimestampType::Creation,
            offset: index as i64,
            sequence: producer.base_sequence + index as i32,
            timestamp: record.timestamp,
            key: value(&record.key),
            value: value(&record.value),
            headers: record
                .headers
                .iter()
                .map(|(key, header)| (text(key), value(header)))
                .collect::<IndexMap<_, _>>(),
        })
        .collect();
    let options = RecordEncodeOptions { version: 2, compression: their(compression) };
    let mut buffer = BytesMut::new();
    RecordBatchEncoder::encode(&mut buffer, &records, &options).unwrap();
    buffer.freeze()
}

fn read_theirs(batch: &Bytes) -> (Producer, Vec<Plain>) {
    let records = RecordBatchDecoder::decode(&mut batch.clone()).unwrap().records;
    let first = &records[0];
    let producer = Producer {
        id: first.producer_id,
        epoch: first.producer_epoch,
        base_sequence: first.sequence,
        is_transactional: first.transactional,
    };
    let plain = |(index, record): (usize, &TheirRecord)| {
        assert_eq!(record.offset, index as i64);
        Plain {
            timestamp: record.timestamp,
            key: record.key.as_ref().map(|key| key.to_vec()),
            value: record.value.as_ref().map(|value| value.to_vec()),
            headers: record
                .headers
                .iter()
                .map(|(key, value)| (key.to_string(), value.as_ref().map(|value| value.to_vec())))
                .collect(),
        }
    };
    (producer, records.iter().enumerate().map(plain).collect())
}

fn their(compression: Compression) -> TheirCompression {
    match compression {
        Compression::None => TheirCompression::None,
        Compression::Gzip => TheirCompression::Gzip,
        Compression::Snappy => TheirCompression::Snappy,
        Compression::Lz4 => TheirCompression::Lz4,
        Compression::Zstd => TheirCompression::Zstd,
    }
}

proptest! {
    #[test]
    fn batches_written_here_are_read_there(
        compression in compression(),
        producer in producer(),
        records in prop::collection::vec(record(), 1..40),
    ) {
        let batch = write_ours(compression, producer, &records);
        prop_assert_eq!(read_theirs(&batch), (producer, records));
    }

    #[test]
    fn batches_written_there_are_read_here(
        compression in compression(),
        producer in producer(),
        records in prop::collection::vec(record(), 1..40),
    ) {
        let batch = Batch::from_bytes(write_theirs(compression, producer, &records)).unwrap();
        let validated = validate(&batch, LIMIT).unwrap();
        prop_assert_eq!(validated.max_timestamp, records.iter().map(|record| record.timestamp).max().unwrap());
        prop_assert_eq!(validated.first_null_key, records.iter().position(|record| record.key.is_none()));
        prop_assert_eq!(read_ours(&batch), (producer, records));
    }

    #[test]
    fn a_broken_batch_never_panics(
        compression in compression(),
        producer in producer(),
        records in prop::collection::vec(record(), 1..10),
        breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = write_ours(compression, producer, &records).to_vec();
        for (at, byte) in breaks {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_record_set(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        check_record_set(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(section: Vec<u8>, compression in 0_i16..8, records_count in -1_i32..20) {
        let mut bytes = write_ours(Compression::None, Producer { id: -1, epoch: -1, base_sequence: -1, is_transactional: false }, &[]).to_vec();
        bytes.extend_from_slice(&section);
        let batch_length = bytes.len() as i32 - 12;
        bytes[8..12].copy_from_slice(&batch_length.to_be_bytes());
        bytes[21..23].copy_from_slice(&compression.to_be_bytes());
        bytes[23..27].copy_from_slice(&(records_count - 1).to_be_bytes());
        bytes[57..61].copy_from_slice(&records_count.to_be_bytes());
        check_record_set(&bytes);
        check_record_set(&section);
    }
}

/// Reads a record set in every way, whatever it holds, and holds no more memory
/// than the limit and the room to grow to it.
fn check_record_set(bytes: &[u8]) {
    let set = Bytes::copy_from_slice(bytes);
    let (_, peak) = peak_of(|| {
        for batch in batches(set) {
            let Ok(batch) = batch else { continue };
            let _ = batch.verify_crc();
            let validated = validate(&batch, LIMIT);
            let Ok(section) = batch.record_section(LIMIT) else {
                assert!(validated.is_err());
                continue;
            };
            for record in RecordIter::new(batch.header(), &section) {
                let Ok(record) = record else { break };
                assert_eq!(record.headers.iter().count(), record.headers.len());
            }
        }
    });
    assert!(peak <= 3 * LIMIT + 1_024, "{} bytes took {peak} bytes of memory", bytes.len());
}

#[test]
fn batches_of_the_java_client_are_read_in_every_codec() {
    let text = golden_file("RecordBatches");
    let mut codecs = Vec::new();
    for line in text.lines() {
        let (codec, batch) = line.split_once(' ').unwrap();
        let batch = Batch::from_bytes(from_hex(batch)).unwrap();
        let compression: Compression = codec.parse().unwrap();
        assert_eq!(batch.header().attributes.compression(), Ok(compression));
        assert_eq!(validate(&batch, LIMIT).unwrap().max_timestamp, 1_001, "{codec}");
        let digits = "0123456789".repeat(if compression == Compression::None { 1 } else { 15_000 });
        let header =
            |key: &str, value: Option<u8>| (key.to_owned(), value.map(|value| vec![value]));
        let expected = [
            Plain {
                timestamp: 1_001,
                key: Some(b"key".to_vec()),
                value: None,
                headers: vec![header("a", Some(1)), header("b", None), header("a", Some(2))],
            },
            Plain {
                timestamp: 1_000,
                key: None,
                value: Some(digits.into_bytes()),
                headers: vec![],
            },
        ];
        let producer = Producer { id: 7, epoch: 3, base_sequence: 40, is_transactional: false };
        assert_eq!(read_ours(&batch), (producer, expected.to_vec()), "{codec}");

        // Where no compressor has a choice, the batch is written byte for byte.
        if compression == Compression::None {
            assert_eq!(write_ours(compression, producer, &expected), batch.into_bytes());
        }
        codecs.push(compression);
    }
    assert_eq!(codecs, Compression::ALL);
}

#[test]
fn every_byte_of_a_batch_may_be_missing() {
    let headers = vec![("a".to_owned(), None), ("b".to_owned(), Some(vec![1]))];
    let record = Plain { timestamp: 1, key: Some(vec![1; 70]), value: None, headers };
    let producer = Producer { id: 1, epoch: 1, base_sequence: 1, is_transactional: false };
    for compression in Compression::ALL {
        let bytes = write_ours(compression, producer, &[record.clone(), record.clone()]);
        for length in 0..bytes.len() {
            let cut = bytes.slice(..length);
            assert!(
                Batch::from_bytes(cut.clone()).is_err_and(|error| error.is_corrupt()),
                "{compression} at {length}"
            );
            assert_eq!(batches(cut).count(), 0, "{compression} at {length}");
        }
    }
}

#[test]
fn a_bomb_holds_no_more_memory_than_the_limit() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let bomb = compression.compress(&vec![0; 256 << 20], None);
        let (result, peak) = peak_of(|| compression.decompress(&bomb, LIMIT));
        assert_eq!(result, Err(RecordError::TooLarge { limit: LIMIT }));
        assert!(
            peak <= 4 * LIMIT,
            "{compression}: {peak} bytes of memory for {} bytes",
            bomb.len()
        );
    }
}

#[test]
fn no_record_has_an_allocation_of_its_own() {
    let mut buffer = RecordBuffer::with_capacity(1_000, 200_000);
    let ((), pushing) = calls_of(|| {
        for _ in 0..1_000 {
            let mut record = buffer.begin(-1);
            record.key(Some(b"key"));
            let written = record.value_with(100, |bytes| {
                bytes.extend_from_slice(&[b'v'; 100]);
                Ok::<(), ()>(())
            });
            written.unwrap();
            record.header("name", Some(b"value")).header("name", None);
            record.commit();
        }
    });
    let mut builder = BatchBuilder::new(Compression::None);
    let (batch, building) = calls_of(|| {
        builder.append_buffer(&buffer, 0..1_000, 1_000);
        builder.build()
    });
    let batch = Batch::from_bytes(batch).unwrap();
    let (validated, reading) = calls_of(|| validate(&batch, LIMIT));
    assert_eq!(validated.unwrap().records_count, 1_000);
    assert!(pushing == 0 && building <= 3 && reading <= 1, "{pushing}, {building}, {reading}");
}

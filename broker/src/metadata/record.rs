//! Changes of the metadata, as the metadata log stores them.
//!
//! A record is a type byte and the fields of the type in Kafka's flexible
//! encoding, ended by tagged fields, so that later versions can add to a type.

use bytes::Bytes;
use protocol::config_def::ConfigValues;
use protocol::{DecodeError, Reader, Str, Uuid, Writer};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MetadataRecord {
    /// The node starts for the `count`-th time.
    Started { count: i32 },
    /// There is a new topic.
    TopicCreated { name: Str, id: Uuid, partitions: i32, start_count: i32, configs: ConfigValues },
    /// A topic has more partitions: `partitions` in all.
    PartitionsAdded { id: Uuid, partitions: i32, start_count: i32 },
    /// A topic's own settings are these.
    TopicConfigs { id: Uuid, configs: ConfigValues },
    /// A topic is gone.
    TopicDeleted { id: Uuid },
    /// Producer ids below `next` may have been given out.
    ProducerIds { next: i64 },
    /// Settings made at run time, of this broker or (`is_default`) of all.
    BrokerConfigs { is_default: bool, configs: ConfigValues },
}

const STARTED: i8 = 1;
const TOPIC_CREATED: i8 = 2;
const PARTITIONS_ADDED: i8 = 3;
const TOPIC_CONFIGS: i8 = 4;
const TOPIC_DELETED: i8 = 5;
const PRODUCER_IDS: i8 = 6;
const BROKER_CONFIGS: i8 = 7;

/// Why a stored change cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("record type {0} is unknown: it was written by a newer version")]
    UnknownType(i8),
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

impl MetadataRecord {
    /// The stored form.
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.set_flexible(true);
        match self {
            Self::Started { count } => {
                writer.put_i8(STARTED);
                writer.put_i32(*count);
            }
            Self::TopicCreated { name, id, partitions, start_count, configs } => {
                writer.put_i8(TOPIC_CREATED);
                writer.put_nullable_string(Some(name));
                writer.put_uuid(id);
                writer.put_i32(*partitions);
                writer.put_i32(*start_count);
                put_configs(&mut writer, configs);
            }
            Self::PartitionsAdded { id, partitions, start_count } => {
                writer.put_i8(PARTITIONS_ADDED);
                writer.put_uuid(id);
                writer.put_i32(*partitions);
                writer.put_i32(*start_count);
            }
            Self::TopicConfigs { id, configs } => {
                writer.put_i8(TOPIC_CONFIGS);
                writer.put_uuid(id);
                put_configs(&mut writer, configs);
            }
            Self::TopicDeleted { id } => {
                writer.put_i8(TOPIC_DELETED);
                writer.put_uuid(id);
            }
            Self::ProducerIds { next } => {
                writer.put_i8(PRODUCER_IDS);
                writer.put_i64(*next);
            }
            Self::BrokerConfigs { is_default, configs } => {
                writer.put_i8(BROKER_CONFIGS);
                writer.put_i8(i8::from(*is_default));
                put_configs(&mut writer, configs);
            }
        }
        writer.put_unsigned_varint(0);
        writer.into_frame().into_bytes()
    }

    /// Reads the stored form.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        reader.set_flexible(true);
        let record = match reader.i8()? {
            STARTED => Self::Started { count: reader.i32()? },
            TOPIC_CREATED => Self::TopicCreated {
                name: string(&mut reader)?,
                id: reader.uuid()?,
                partitions: reader.i32()?,
                start_count: reader.i32()?,
                configs: configs(&mut reader)?,
            },
            PARTITIONS_ADDED => Self::PartitionsAdded {
                id: reader.uuid()?,
                partitions: reader.i32()?,
                start_count: reader.i32()?,
            },
            TOPIC_CONFIGS => {
                Self::TopicConfigs { id: reader.uuid()?, configs: configs(&mut reader)? }
            }
            TOPIC_DELETED => Self::TopicDeleted { id: reader.uuid()? },
            PRODUCER_IDS => Self::ProducerIds { next: reader.i64()? },
            BROKER_CONFIGS => Self::BrokerConfigs {
                is_default: reader.i8()? != 0,
                configs: configs(&mut reader)?,
            },
            unknown => return Err(RecordError::UnknownType(unknown)),
        };
        reader.tagged_fields(|_, _| Ok(false))?;
        reader.finish()?;
        Ok(record)
    }
}

fn put_configs(writer: &mut Writer, configs: &ConfigValues) {
    writer.put_array_length(Some(configs.len()));
    for (name, value) in configs {
        writer.put_nullable_string(Some(name));
        writer.put_nullable_string(Some(value));
    }
}

fn configs(reader: &mut Reader) -> Result<ConfigValues, DecodeError> {
    let mut configs = ConfigValues::new();
    for _ in 0..reader.array_length()?.unwrap_or(0) {
        configs.insert(string(reader)?.to_string(), string(reader)?.to_string());
    }
    Ok(configs)
}

fn string(reader: &mut Reader) -> Result<Str, DecodeError> {
    reader.nullable_string()?.ok_or(DecodeError::UnexpectedNull)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<MetadataRecord> {
    let configs: ConfigValues = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
    let id = Uuid::from_bytes([7; 16]);
    vec![
        MetadataRecord::Started { count: 3 },
        MetadataRecord::TopicCreated {
            name: Str::from_static("orders"),
            id,
            partitions: 12,
            start_count: 3,
            configs: configs.clone(),
        },
        MetadataRecord::PartitionsAdded { id, partitions: 16, start_count: 4 },
        MetadataRecord::TopicConfigs { id, configs: configs.clone() },
        MetadataRecord::ProducerIds { next: 1000 },
        MetadataRecord::BrokerConfigs { is_default: true, configs },
        MetadataRecord::TopicDeleted { id },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_survives_encoding() {
        for record in samples() {
            assert_eq!(MetadataRecord::decode(record.encode()).unwrap(), record);
        }
    }

    #[test]
    fn no_cut_of_a_record_reads_as_one() {
        for record in samples() {
            let bytes = record.encode();
            for length in 0..bytes.len() {
                assert!(MetadataRecord::decode(bytes.slice(..length)).is_err(), "{record:?}");
            }
        }
    }

    #[test]
    fn a_record_of_a_newer_version_is_named() {
        let error = MetadataRecord::decode(Bytes::from_static(&[99, 0])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "record type 99 is unknown: it was written by a newer version"
        );
    }
}

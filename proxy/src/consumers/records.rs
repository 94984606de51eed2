//! Records as JSON: an array, written record by record into one buffer.

use std::sync::Arc;

use client::consumer::ConsumerRecord;
use registry::{SchemaKey, Schemas, SourceError};

use crate::config::ApiVersion::{self, V1, V2};
use crate::error::Error;
use crate::formats::{Codec, DataError, Field, Format};
use crate::json::{write_integer, write_string};
use crate::memory::Share;

/// So much JSON is written at a time, before other requests of the worker
/// thread, and the group of an instance, get their turn, in bytes.
const STEP: usize = 256 * 1024;

/// The array of one answer, without its last bracket until it is finished.
#[derive(Debug)]
pub(super) struct Records {
    version: ApiVersion,
    codec: Codec,
    /// Those that are known; for formats with schemas.
    schemas: Option<Arc<Schemas>>,
    json: Vec<u8>,
    memory: Share,
    /// Bytes of keys and values, as they are stored.
    bytes: usize,
    count: usize,
}

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// It is not in the format.
    Undecodable(Error),
    /// Its schema has to be asked for first.
    NeedsSchema(Box<NeedsSchema>),
}

/// A record whose schema is not known yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NeedsSchema {
    /// What the record says of it.
    pub(super) key: SchemaKey,
    version: ApiVersion,
    topic: String,
    partition: i32,
    offset: i64,
    field: Field,
    format: Format,
}

impl NeedsSchema {
    /// What is told when the registry does not give it.
    pub(super) fn refused(&self, error: &SourceError) -> Error {
        let reason = match error {
            SourceError::Refused { .. } => error.to_string(),
            SourceError::Unavailable(cause) => {
                tracing::warn!(cause, "the Schema Registry cannot be asked");
                "the Schema Registry cannot be reached".to_owned()
            }
        };
        let Self { version, topic, partition, offset, field, format, .. } = self;
        Error::Undecodable {
            version: *version,
            topic: topic.clone(),
            partition: *partition,
            offset: *offset,
            reason: format!("its {field} is not {format}: {reason}"),
        }
    }
}

impl Records {
    pub(super) fn new(
        version: ApiVersion,
        codec: Codec,
        schemas: Option<Arc<Schemas>>,
        memory: Share,
    ) -> Self {
        Self { version, codec, schemas, json: Vec::from(b"["), memory, bytes: 0, count: 0 }
    }

    /// Takes the memory for what is written at a time. Returns how long the JSON
    /// may become then; the record that exceeds it is accounted for when the
    /// next one comes.
    ///
    /// # Errors
    /// When too many answers are in memory.
    pub(super) fn make_room(&mut self) -> Result<usize, Error> {
        let room = self.json.len() + self.memory.at_most(STEP);
        self.memory.grow_to(room)?;
        Ok(room)
    }

    /// Gives memory back that is not needed while there is nothing to write.
    pub(super) fn rest(&mut self) {
        self.memory.shrink_to(self.json.len());
    }

    /// How many records there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of keys and values.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the JSON so far.
    pub(super) fn json_bytes(&self) -> usize {
        self.json.len()
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When it cannot be written. Nothing is appended then.
    pub(super) fn push(&mut self, record: &ConsumerRecord<'_>) -> Result<(), Unwritten> {
        let before = self.json.len();
        if self.count > 0 {
            self.json.push(b',');
        }
        let written = match self.version {
            V1 => self.write_v1(record),
            V2 => self.write_v2(record),
        };
        if let Err((field, error)) = written {
            self.json.truncate(before);
            return Err(self.unwritten(record, field, &error));
        }
        self.count += 1;
        self.bytes += size(record);
        Ok(())
    }

    #[cold]
    fn unwritten(&self, record: &ConsumerRecord<'_>, field: Field, error: &DataError) -> Unwritten {
        let Self { version, codec, .. } = *self;
        let topic = record.topic.as_str().to_owned();
        let ConsumerRecord { partition, offset, .. } = *record;
        let format = codec.format();
        match *error {
            DataError::UnknownSchema(key) => Unwritten::NeedsSchema(Box::new(NeedsSchema {
                key,
                version,
                topic,
                partition,
                offset,
                field,
                format,
            })),
            ref error => Unwritten::Undecodable(Error::Undecodable {
                version,
                topic,
                partition,
                offset,
                reason: format!("its {field} is not {format}: {error}"),
            }),
        }
    }

    fn write_v1(&mut self, record: &ConsumerRecord<'_>) -> Result<(), (Field, DataError)> {
        self.json.extend_from_slice(br#"{"key":"#);
        self.write_key_and_value(record)?;
        let json = &mut self.json;
        json.extend_from_slice(br#","partition":"#);
        write_integer(record.partition, json);
        json.extend_from_slice(br#","offset":"#);
        write_integer(record.offset, json);
        json.extend_from_slice(br#","topic":"#);
        write_string(record.topic, json);
        json.push(b'}');
        Ok(())
    }

    fn write_v2(&mut self, record: &ConsumerRecord<'_>) -> Result<(), (Field, DataError)> {
        self.json.extend_from_slice(br#"{"topic":"#);
        write_string(record.topic, &mut self.json);
        self.json.extend_from_slice(br#","key":"#);
        self.write_key_and_value(record)?;
        let json = &mut self.json;
        json.extend_from_slice(br#","partition":"#);
        write_integer(record.partition, json);
        json.extend_from_slice(br#","offset":"#);
        write_integer(record.offset, json);
        json.push(b'}');
        Ok(())
    }

    fn write_key_and_value(
        &mut self,
        record: &ConsumerRecord<'_>,
    ) -> Result<(), (Field, DataError)> {
        let Self { codec, json, schemas, .. } = self;
        let schemas = schemas.as_deref();
        let write = |field, json: &mut Vec<u8>| {
            codec.write(record, field, schemas, json).map_err(|error| (field, error))
        };
        write(Field::Key, json)?;
        json.extend_from_slice(br#","value":"#);
        write(Field::Value, json)
    }

    /// The whole array, and the memory that it takes.
    pub(super) fn finish(mut self) -> (Vec<u8>, Share) {
        self.json.push(b']');
        self.rest();
        (self.json, self.memory)
    }
}

/// Bytes of key and value, as they are stored.
pub(super) fn size(record: &ConsumerRecord<'_>) -> usize {
    record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use protocol::Str;
    use protocol::records::Headers;

    use super::*;
    use crate::memory::Budget;

    fn written(version: ApiVersion, codec: Codec) -> (String, Vec<String>) {
        let topic = Str::from_static("t");
        let mut records = Records::new(version, codec, None, Budget::new(0).share());
        let mut errors = Vec::new();
        for (offset, key, value) in [
            (5, Some(&b"1"[..]), Some(&b"{\"a\": 1.0}"[..])),
            (6, None, Some(b"poison")),
            (7, Some(b"poison"), None),
            (8, None, None),
        ] {
            let record = ConsumerRecord {
                topic: &topic,
                partition: 3,
                offset,
                timestamp: 0,
                is_log_append_time: false,
                leader_epoch: 0,
                key,
                value,
                headers: Headers::default(),
            };
            match records.push(&record) {
                Ok(()) => {}
                Err(Unwritten::Undecodable(error)) => errors.push(error.to_string()),
                Err(Unwritten::NeedsSchema(needs)) => errors.push(format!("{:?}", needs.key)),
            }
        }
        (String::from_utf8(records.finish().0).unwrap(), errors)
    }

    #[test]
    fn records_have_the_members_of_their_version() {
        let (json, _) = written(V2, Codec::Json);
        assert_eq!(
            json,
            r#"[{"topic":"t","key":1,"value":{"a": 1.0},"partition":3,"offset":5},{"topic":"t","key":null,"value":null,"partition":3,"offset":8}]"#
        );
        let (json, errors) = written(V1, Codec::Binary);
        assert!(errors.is_empty());
        let first =
            r#"[{"key":"MQ==","value":"eyJhIjogMS4wfQ==","partition":3,"offset":5,"topic":"t"},"#;
        assert!(json.starts_with(first), "{json}");
    }

    #[test]
    fn a_schema_that_is_not_known_is_asked_for() {
        let framed = b"\0\0\0\0\x07\x04ab";
        let topic = Str::from_static("t");
        let codec = Codec::Schema(registry::SchemaType::Avro);
        let mut records = Records::new(V2, codec, None, Budget::new(0).share());
        let record = ConsumerRecord {
            topic: &topic,
            partition: 3,
            offset: 5,
            timestamp: 0,
            is_log_append_time: false,
            leader_epoch: 0,
            key: None,
            value: Some(framed),
            headers: Headers::default(),
        };
        let Err(Unwritten::NeedsSchema(needs)) = records.push(&record) else { panic!("it is not") };
        assert_eq!(needs.key, SchemaKey::Id(7));
        let message = "Schema 7 not found".to_owned();
        let error = needs.refused(&SourceError::Refused { code: 40403, message });
        assert_eq!(
            error.to_string(),
            "record of partition t-3 at offset 5 cannot be read: its value is not avro: \
             Schema 7 not found; error code: 40403"
        );
        assert_eq!(records.finish().0, b"[]");
    }

    #[test]
    fn what_is_not_in_the_format_is_named_and_leaves_no_trace() {
        let (_, errors) = written(V2, Codec::Json);
        let beginnings = [
            "record of partition t-3 at offset 6 cannot be read: its value is not json: ",
            "record of partition t-3 at offset 7 cannot be read: its key is not json: ",
        ];
        assert_eq!(errors.len(), beginnings.len());
        for (error, beginning) in errors.iter().zip(beginnings) {
            assert!(error.starts_with(beginning), "{error}");
        }
    }
}

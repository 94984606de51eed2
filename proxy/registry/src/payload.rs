//! Keys and values of records: from JSON to the bytes that name their schema,
//! and back.
//!
//! Other clients may put the schema into a header of the record instead of
//! before the data ([`header_name`]); that is read, too.

use std::collections::HashMap;
use std::sync::OnceLock;

use parking_lot::Mutex;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::avro::{DecodeError, EncodeError};
use crate::content::SchemaType;
use crate::json_schema::InvalidPayload;
use crate::protobuf::{MessageCodec, MessageError};
use crate::schema::{Schema, TextFormat};
use crate::wire::{self, HeaderSchema, MessageIndexes, NotFramed};

/// How many messages of one file are kept ready.
const MAX_MESSAGES: usize = 1_024;

/// What a payload says of its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaKey {
    /// Its id in the default context.
    Id(i32),
    /// Its guid.
    Guid(Uuid),
}

/// A payload, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed<'a> {
    /// Names the schema.
    pub key: SchemaKey,
    /// The position of the message, where a header has it (Protobuf).
    indexes: Option<&'a [u8]>,
    /// What stands behind the frame.
    data: &'a [u8],
}

/// The name of the record header that may hold the schema.
pub fn header_name(is_key: bool) -> &'static str {
    if is_key { "__key_schema_id" } else { "__value_schema_id" }
}

impl<'a> Framed<'a> {
    /// Takes a payload apart whose schema stands before its data.
    ///
    /// # Errors
    /// When nothing of that kind stands there.
    pub fn read(payload: &'a [u8]) -> Result<Self, NotFramed> {
        let (id, data) = wire::read_header(payload)?;
        Ok(Self { key: SchemaKey::Id(id), indexes: None, data })
    }

    /// Takes a payload apart whose schema is in the value of a
    /// [header](header_name).
    ///
    /// # Errors
    /// When the header names none.
    pub fn with_header(header: &'a [u8], payload: &'a [u8]) -> Result<Self, NotFramed> {
        Ok(match wire::read_schema_id_header(header)? {
            HeaderSchema::Id(id) => Self { key: SchemaKey::Id(id), indexes: None, data: payload },
            HeaderSchema::Guid(guid, indexes) => Self {
                key: SchemaKey::Guid(guid),
                indexes: Some(indexes).filter(|indexes| !indexes.is_empty()),
                data: payload,
            },
        })
    }
}

/// Why a payload cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("{0}")]
    Encode(#[from] EncodeError),
    #[error("{0}")]
    Decode(#[from] DecodeError),
    #[error("{0}")]
    Invalid(#[from] InvalidPayload),
    #[error("{0}")]
    Message(#[from] MessageError),
    #[error("{0}")]
    NotFramed(#[from] NotFramed),
    /// Stored data that is not JSON.
    #[error("the data is not JSON: {0}")]
    NotJson(String),
}

/// A schema with its id, ready to convert payloads.
#[derive(Debug)]
pub struct PayloadCodec {
    id: i32,
    schema: Schema,
    /// The size of its text, in bytes.
    text_bytes: usize,
    /// The first message of a file, which is what is written.
    first: OnceLock<Result<MessageCodec, MessageError>>,
    /// Messages that were read, by their position.
    messages: Mutex<HashMap<MessageIndexes, MessageCodec>>,
}

impl PayloadCodec {
    pub fn new(id: i32, schema: Schema) -> Self {
        let text_bytes = schema.text(TextFormat::Resolved).len();
        Self { id, schema, text_bytes, first: OnceLock::new(), messages: Mutex::default() }
    }

    /// The size of its text, in bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// The id in the default context.
    pub fn id(&self) -> i32 {
        self.id
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    pub fn schema_type(&self) -> SchemaType {
        self.schema.schema_type()
    }

    /// Compiles what the first payload would wait for.
    pub fn prepare(&self) {
        match &self.schema {
            Schema::Avro(schema) => _ = schema.plan(),
            // Whatever becomes of this payload.
            Schema::Json(schema) => _ = schema.validate(b"null"),
            Schema::Protobuf(_) => _ = self.first_message(),
        }
    }

    /// Appends the payload that stands for `json`: frame and data. On an error,
    /// `out` may have grown.
    ///
    /// # Errors
    /// When `json` does not fit the schema.
    pub fn encode(&self, json: &[u8], out: &mut Vec<u8>) -> Result<(), PayloadError> {
        wire::write_header(self.id, out);
        match &self.schema {
            Schema::Avro(schema) => schema.encode_payload(json, out)?,
            Schema::Json(schema) => {
                schema.validate(json)?;
                out.extend_from_slice(json.trim_ascii());
            }
            Schema::Protobuf(_) => {
                let message = self.first_message().as_ref().map_err(Clone::clone)?;
                message.indexes().write(out);
                message.encode_json(json, out)?;
            }
        }
        Ok(())
    }

    /// Appends the JSON that a payload stands for.
    ///
    /// # Errors
    /// When the data is not of the schema. `out` is then as before.
    pub fn decode(&self, framed: &Framed<'_>, out: &mut Vec<u8>) -> Result<(), PayloadError> {
        let start = out.len();
        let decoded = self.decode_into(framed, out);
        if decoded.is_err() {
            out.truncate(start);
        }
        decoded
    }

    fn decode_into(&self, framed: &Framed<'_>, out: &mut Vec<u8>) -> Result<(), PayloadError> {
        match &self.schema {
            Schema::Avro(schema) => schema.decode_payload(framed.data, out)?,
            Schema::Json(_) => {
                let json: &RawValue = serde_json::from_slice(framed.data)
                    .map_err(|error| PayloadError::NotJson(error.to_string()))?;
                out.extend_from_slice(json.get().as_bytes());
            }
            Schema::Protobuf(_) => {
                let (indexes, data) = match framed.indexes {
                    Some(header) => (MessageIndexes::read(header)?.0, framed.data),
                    None => MessageIndexes::read(framed.data)?,
                };
                self.message(indexes)?.decode_json(data, out)?;
            }
        }
        Ok(())
    }

    fn first_message(&self) -> &Result<MessageCodec, MessageError> {
        self.first.get_or_init(|| match &self.schema {
            Schema::Protobuf(schema) => schema.codec(None),
            Schema::Avro(_) | Schema::Json(_) => Err(MessageError::UnknownMessage(String::new())),
        })
    }

    fn message(&self, indexes: MessageIndexes) -> Result<MessageCodec, MessageError> {
        let Schema::Protobuf(schema) = &self.schema else {
            return Err(MessageError::UnknownIndexes(indexes));
        };
        if let Some(message) = self.messages.lock().get(&indexes) {
            return Ok(message.clone());
        }
        let message = schema.codec_at(&indexes)?;
        let mut messages = self.messages.lock();
        if messages.len() >= MAX_MESSAGES {
            messages.clear();
        }
        messages.insert(indexes, message.clone());
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Strictness;

    fn codec(schema_type: SchemaType, text: &str) -> PayloadCodec {
        PayloadCodec::new(7, Schema::parse(schema_type, text, &[], Strictness::New).unwrap())
    }

    #[test]
    fn payloads_of_every_format_come_back_as_they_went() {
        for (schema_type, text, json, payload) in [
            (SchemaType::Avro, r#""string""#, r#""ab""#, &b"\0\0\0\0\x07\x04ab"[..]),
            (SchemaType::Json, r#"{"type":"object"}"#, r#"{"a": 1}"#, b"\0\0\0\0\x07{\"a\": 1}"),
            (
                SchemaType::Protobuf,
                "syntax = \"proto3\"; message M { string a = 1; }",
                r#"{"a":"b"}"#,
                b"\0\0\0\0\x07\0\x0a\x01b",
            ),
        ] {
            let codec = codec(schema_type, text);
            codec.prepare();
            let mut bytes = Vec::new();
            codec.encode(json.as_bytes(), &mut bytes).unwrap();
            assert_eq!(bytes, payload, "{schema_type}");
            let framed = Framed::read(&bytes).unwrap();
            assert_eq!(framed.key, SchemaKey::Id(7));
            let mut out = b"[".to_vec();
            codec.decode(&framed, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("[{json}"));
            for end in wire::HEADER_BYTES..bytes.len() {
                let mut out = b"[".to_vec();
                let framed = Framed::read(bytes.get(..end).unwrap()).unwrap();
                // A Protobuf message may end after any field.
                if codec.decode(&framed, &mut out).is_err() {
                    assert_eq!(out, b"[", "{schema_type} cut at {end}");
                }
            }
        }
    }

    #[test]
    fn data_that_does_not_fit_is_refused() {
        for (schema_type, text, json) in [
            (SchemaType::Avro, r#""int""#, r#""x""#),
            (SchemaType::Json, r#"{"type":"object"}"#, "[]"),
            (SchemaType::Protobuf, "syntax = \"proto3\"; message M {}", r#"{"a":1}"#),
        ] {
            assert!(codec(schema_type, text).encode(json.as_bytes(), &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn a_header_may_hold_the_schema() {
        let guid = Uuid::from_u128(5);
        let header: Vec<u8> = [1].into_iter().chain(guid.into_bytes()).collect();
        let framed = Framed::with_header(&header, b"\x04ab").unwrap();
        assert_eq!(framed.key, SchemaKey::Guid(guid));
        let mut out = Vec::new();
        codec(SchemaType::Avro, r#""string""#).decode(&framed, &mut out).unwrap();
        assert_eq!(out, br#""ab""#);
        let text = "syntax = \"proto3\"; message A {} message B { string a = 1; }";
        let header: Vec<u8> = header.into_iter().chain([2, 2]).collect();
        let framed = Framed::with_header(&header, b"\x0a\x01b").unwrap();
        let mut out = Vec::new();
        codec(SchemaType::Protobuf, text).decode(&framed, &mut out).unwrap();
        assert_eq!(out, br#"{"a":"b"}"#);
    }
}

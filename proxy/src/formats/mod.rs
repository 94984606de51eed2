//! Embedded formats: what keys and values look like in JSON bodies, and which
//! bytes of a record they stand for.
//!
//! A record's bytes are never built in memory of their own: producing decodes
//! into a [`RecordWriter`], reading appends to the answer.

mod binary;
mod json;
mod schema;

use std::fmt;

use client::consumer::ConsumerRecord;
use protocol::records::RecordWriter;
use registry::{PayloadCodec, PayloadError, SchemaKey, SchemaType, Schemas};

use crate::config::ApiVersion;
use crate::error::Error;
use crate::json::JsonError;

/// How keys and values are written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// Base64 of the bytes.
    Binary,
    /// The bytes are JSON themselves.
    Json,
    /// Avro with a schema of the registry.
    Avro,
    /// JSON with a schema of the registry (API v2).
    JsonSchema,
    /// Protobuf with a schema of the registry (API v2).
    Protobuf,
}

impl Format {
    /// Its name in media types and in the `format` of a consumer instance.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Json => "json",
            Self::Avro => "avro",
            Self::JsonSchema => "jsonschema",
            Self::Protobuf => "protobuf",
        }
    }

    /// The format of this name, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Binary, Self::Json, Self::Avro, Self::JsonSchema, Self::Protobuf]
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// The codec of the format.
    pub(crate) fn codec(self) -> Codec {
        match self {
            Self::Binary => Codec::Binary,
            Self::Json => Codec::Json,
            Self::Avro => Codec::Schema(SchemaType::Avro),
            Self::JsonSchema => Codec::Schema(SchemaType::Json),
            Self::Protobuf => Codec::Schema(SchemaType::Protobuf),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How a format is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Codec {
    /// [`Format::Binary`].
    Binary,
    /// [`Format::Json`].
    Json,
    /// The formats with schemas.
    Schema(SchemaType),
}

impl Codec {
    /// The format that it reads and writes.
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Binary => Format::Binary,
            Self::Json => Format::Json,
            Self::Schema(SchemaType::Avro) => Format::Avro,
            Self::Schema(SchemaType::Json) => Format::JsonSchema,
            Self::Schema(SchemaType::Protobuf) => Format::Protobuf,
        }
    }

    /// The type of its schemas, if it has them.
    pub(crate) fn schema_type(self) -> Option<SchemaType> {
        match self {
            Self::Schema(schema_type) => Some(schema_type),
            Self::Binary | Self::Json => None,
        }
    }

    /// The bytes of a record's key, given as the text of a JSON value that was
    /// checked and is not `null`. What is not a part of `text` is put into
    /// `scratch`. `schema` is that of all keys of the request.
    pub(crate) fn key<'a>(
        self,
        text: &'a [u8],
        version: ApiVersion,
        schema: Option<&PayloadCodec>,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], DataError> {
        match self {
            Self::Binary => {
                scratch.clear();
                binary::decode(text, version, scratch)?;
                Ok(scratch)
            }
            Self::Json => Ok(json::compact(text, scratch)),
            Self::Schema(_) => {
                let schema = schema.ok_or(DataError::NoSchema)?;
                scratch.clear();
                match self {
                    Self::Schema(SchemaType::Json) => {
                        let mut compacted = Vec::new();
                        schema.encode(json::compact(text, &mut compacted), scratch)?;
                    }
                    _ => schema.encode(text, scratch)?,
                }
                Ok(scratch)
            }
        }
    }

    /// Writes a record's value, given as for [`Codec::key`].
    pub(crate) fn value(
        self,
        text: &[u8],
        version: ApiVersion,
        schema: Option<&PayloadCodec>,
        record: &mut RecordWriter<'_>,
    ) -> Result<(), DataError> {
        match self {
            Self::Binary => {
                let decoded_length = text.len() / 4 * 3;
                record
                    .value_with(decoded_length, |bytes| binary::decode(text, version, bytes))
                    .map(drop)
            }
            Self::Json => {
                record.value(Some(text));
                Ok(())
            }
            Self::Schema(_) => {
                let schema = schema.ok_or(DataError::NoSchema)?;
                record
                    .value_with(text.len(), |bytes| schema.encode(text, bytes))
                    .map(drop)
                    .map_err(DataError::from)
            }
        }
    }

    /// Appends the key or value of a stored record to `answer`, as JSON.
    ///
    /// # Errors
    /// When the bytes are not in this format, or their schema is not among the
    /// `schemas` yet. `answer` is then unchanged.
    pub(crate) fn write(
        self,
        record: &ConsumerRecord<'_>,
        field: Field,
        schemas: Option<&Schemas>,
        answer: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let bytes = match field {
            Field::Key => record.key,
            Field::Value => record.value,
        };
        let Some(bytes) = bytes else {
            answer.extend_from_slice(b"null");
            return Ok(());
        };
        match self {
            Self::Binary => binary::encode(bytes, answer),
            Self::Json => answer.extend_from_slice(json::checked(bytes)?),
            Self::Schema(schema_type) => {
                schema::write(record, field, bytes, schema_type, schemas, answer)?;
            }
        }
        Ok(())
    }
}

/// Why a key or value is not in its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DataError {
    /// A string that is not base64; holds its JSON text.
    #[error("data={0} is not a valid base64 string.")]
    InvalidBase64(String),
    /// JSON that is not a string where base64 belongs; holds its text.
    #[error("data={0} is not a base64 string.")]
    NotBase64(String),
    /// Stored bytes that are not JSON.
    #[error("{0}")]
    NotJson(#[from] JsonError),
    /// Data in a request that says nothing about their schema.
    #[error("there is no schema for it")]
    NoSchema,
    /// Data that do not fit their schema, or do not name it.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// Stored data whose schema has to be asked for first.
    #[error("its schema is not known")]
    UnknownSchema(SchemaKey),
    /// Stored data with a schema of another format.
    #[error("its schema {id} is of type {schema_type}")]
    OtherFormat {
        /// Of the schema.
        id: i32,
        /// Its type.
        schema_type: SchemaType,
    },
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
        })
    }
}

/// Which part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl DataError {
    /// What is answered to a produce request that holds such data. API v1 does
    /// not show it (as releases up to 5.5), API v2 does.
    pub(crate) fn in_request(self, field: Field, version: ApiVersion) -> Error {
        match (version, self) {
            (_, Self::NoSchema) => match field {
                Field::Key => Error::NoKeySchema,
                Field::Value => Error::NoValueSchema,
            },
            (ApiVersion::V1, Self::Payload(error)) => Error::Conversion(error.to_string()),
            (ApiVersion::V1, Self::NotBase64(text)) => {
                Error::Malformed(format!("a base64 string belongs where there is {text}"))
            }
            (ApiVersion::V1, _) => {
                Error::Invalid(format!("Record {field} contains invalid base64 encoding"))
            }
            (ApiVersion::V2, error) => Error::BadData(error.to_string()),
        }
    }
}

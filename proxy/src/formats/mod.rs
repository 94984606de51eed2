//! Embedded formats: what keys and values look like in JSON bodies, and which
//! bytes of a record they stand for.
//!
//! A record's bytes are never built in memory of their own: producing decodes
//! into a [`RecordWriter`], reading appends to the answer.

mod binary;
mod json;

use std::fmt;

use protocol::records::RecordWriter;

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

    /// The codec of the format, if this proxy has it.
    pub(crate) fn codec(self) -> Option<Codec> {
        match self {
            Self::Binary => Some(Codec::Binary),
            Self::Json => Some(Codec::Json),
            Self::Avro | Self::JsonSchema | Self::Protobuf => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A format that needs nothing but the record itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Codec {
    /// [`Format::Binary`].
    Binary,
    /// [`Format::Json`].
    Json,
}

impl Codec {
    /// The format that it reads and writes.
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Binary => Format::Binary,
            Self::Json => Format::Json,
        }
    }

    /// The bytes of a record's key, given as the text of a JSON value that was
    /// checked and is not `null`. What is not a part of `text` is put into `scratch`.
    pub(crate) fn key<'a>(
        self,
        text: &'a [u8],
        version: ApiVersion,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], DataError> {
        match self {
            Self::Binary => {
                scratch.clear();
                binary::decode(text, version, scratch)?;
                Ok(scratch)
            }
            Self::Json => Ok(json::compact(text, scratch)),
        }
    }

    /// Writes a record's value, given as for [`Codec::key`].
    pub(crate) fn value(
        self,
        text: &[u8],
        version: ApiVersion,
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
        }
    }

    /// Appends a key or value of a stored record to `answer`, as JSON.
    ///
    /// # Errors
    /// When the bytes are not in this format. `answer` is then unchanged.
    pub(crate) fn write(self, bytes: Option<&[u8]>, answer: &mut Vec<u8>) -> Result<(), DataError> {
        let Some(bytes) = bytes else {
            answer.extend_from_slice(b"null");
            return Ok(());
        };
        match self {
            Self::Binary => binary::encode(bytes, answer),
            Self::Json => answer.extend_from_slice(json::checked(bytes)?),
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
            (ApiVersion::V1, Self::NotBase64(text)) => {
                Error::Malformed(format!("a base64 string belongs where there is {text}"))
            }
            (ApiVersion::V1, _) => {
                let field = match field {
                    Field::Key => "key",
                    Field::Value => "value",
                };
                Error::Invalid(format!("Record {field} contains invalid base64 encoding"))
            }
            (ApiVersion::V2, error) => Error::BadData(error.to_string()),
        }
    }
}

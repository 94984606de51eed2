//! Messages as JSON and as bytes: what a serializer writes behind the id of
//! the schema, which is the message's position in the file and its encoding.

use prost_reflect::prost::Message as _;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::wire::MessageIndexes;

/// Why a message cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("the schema has no message {0}")]
    UnknownMessage(String),
    #[error("the schema has no message at position {0}")]
    UnknownIndexes(MessageIndexes),
    /// The payload is JSON of another shape than the message.
    #[error("the payload is not a {message}: {problem}")]
    NotTheMessage { message: String, problem: String },
    #[error("the data cannot be read as a {message}: {problem}")]
    Corrupt { message: String, problem: String },
    /// The schema was accepted by a registry, and the compiler refuses it.
    #[error("the schema cannot be compiled: {0}")]
    Schema(String),
}

/// One message type of a schema, ready to convert payloads.
#[derive(Debug, Clone)]
pub struct MessageCodec {
    descriptor: MessageDescriptor,
    indexes: MessageIndexes,
}

impl MessageCodec {
    pub(super) fn new(descriptor: MessageDescriptor, indexes: MessageIndexes) -> Self {
        Self { descriptor, indexes }
    }

    /// The full name of the message.
    pub fn name(&self) -> &str {
        self.descriptor.full_name()
    }

    pub fn indexes(&self) -> &MessageIndexes {
        &self.indexes
    }

    /// Encodes JSON (the mapping of proto3; both spellings of a field's name,
    /// no unknown fields) and appends it, without indexes.
    pub fn encode_json(&self, json: &[u8], out: &mut Vec<u8>) -> Result<(), MessageError> {
        let wrong = |error: serde_json::Error| MessageError::NotTheMessage {
            message: self.name().to_owned(),
            problem: error.to_string(),
        };
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        let message = DynamicMessage::deserialize_with_options(
            self.descriptor.clone(),
            &mut deserializer,
            &options,
        )
        .map_err(wrong)?;
        deserializer.end().map_err(wrong)?;
        message.encode(out).map_err(|error| MessageError::NotTheMessage {
            message: self.name().to_owned(),
            problem: error.to_string(),
        })
    }

    /// Decodes a message and appends it as JSON. Fields that are not set
    /// are written with their default, unless they can tell.
    pub fn decode_json(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), MessageError> {
        let corrupt =
            |problem: String| MessageError::Corrupt { message: self.name().to_owned(), problem };
        let message = DynamicMessage::decode(self.descriptor.clone(), bytes)
            .map_err(|error| corrupt(error.to_string()))?;
        let start = out.len();
        let options = SerializeOptions::new().skip_default_fields(false);
        message
            .serialize_with_options(&mut serde_json::Serializer::new(&mut *out), &options)
            .map_err(|error| {
                out.truncate(start);
                corrupt(error.to_string())
            })
    }
}

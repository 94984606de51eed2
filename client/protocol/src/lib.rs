//! Kafka's wire protocol: messages, record batches, error codes.
//!
//! Bytes in, values out. Nothing here reads a socket, a file or a clock, so
//! broker, client and tools share one description of every byte.
//!
//! # From a frame to a request and back
//! A [`Frame`] is one message without its size prefix. [`RequestHeader::decode`]
//! takes the header off a [`Reader`]; the rest is a [`Message`] in the version
//! that the header names. [`encode_request`] and [`encode_response`] go the
//! other way. Record sets stay whole in one part of the frame and are never
//! copied.
//!
//! # Hostile input
//! Every length is checked against what is left before anything is reserved,
//! and no input panics.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
pub mod config_def;
mod error_code;
mod frame;
mod header;
mod message;
#[allow(missing_docs, reason = "fields carry the names of Kafka's message definitions")]
pub mod messages;
mod reader;
pub mod records;
mod str;
mod uuid;
mod writer;

pub use self::str::Str;
pub use self::uuid::Uuid;
pub use api::ApiKey;
pub use error_code::ErrorCode;
pub use frame::{Frame, FramePart};
pub use header::{
    RequestHeader, decode_response_header, encode_request, encode_response, encode_response_parts,
};
pub use message::{Field, Message, Request};
pub use reader::{DecodeError, Reader};
pub use writer::{Records, Writer};

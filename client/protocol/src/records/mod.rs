//! Record batches (message format v2), on the wire and on disk.
//!
//! Broker and client share these bytes: what a producer sends is what the log
//! stores and what a consumer reads. Formats before v2 are refused.
//!
//! # Reading
//! [`batches`] cuts a fetched record set into [`Batch`]es without copying.
//! [`Batch::record_section`] decompresses one under a cap, and [`RecordIter`]
//! walks its records, borrowing keys and values. [`validate()`] does the same
//! for a broker that has to know everything before it appends.
//!
//! # Writing
//! [`BatchBuilder`] writes records straight into the bytes of a batch.
//! [`RecordBuffer`] holds the records of one caller until a producer copies
//! them into a batch. [`edit`] changes header fields of a finished batch.
//!
//! Byte format: <https://kafka.apache.org/documentation/#recordbatch>

mod batch;
mod buffer;
mod builder;
mod compacted;
mod compression;
mod control;
pub mod edit;
mod field;
mod header;
mod record;
mod validate;
mod varint;

pub use batch::{Batch, Batches, batches};
pub use buffer::{RecordBuffer, RecordBufferItem, RecordWriter};
pub use builder::BatchBuilder;
pub use compression::{Compression, UnknownCompression};
pub use control::{ControlRecord, EndTransactionMarker};
pub use header::{Attributes, BatchHeader, TimestampType};
pub use record::{Headers, HeadersIter, RawHeadersIter, Record, RecordIter, RecordPosition};
pub use validate::{InvalidBatch, ValidatedRecords, validate, validate_with};

/// Bytes of a batch before its records.
pub const HEADER_SIZE: usize = 61;
/// Bytes of a batch that its length field does not count: base offset and length.
pub const LOG_OVERHEAD: usize = 12;
/// The timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;
/// The producer id of a batch that is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;
/// The producer epoch of a batch that is not idempotent.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The base sequence of a batch that is not idempotent.
pub const NO_SEQUENCE: i32 = -1;
/// The leader epoch of a batch that no broker has appended.
pub const NO_PARTITION_LEADER_EPOCH: i32 = -1;

/// Why bytes are not the record batch they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end before the batch does.
    #[error("record batch is cut short: {available} of {needed} bytes")]
    Truncated {
        /// Bytes that the batch takes, as far as can be told.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The length field is smaller than a header.
    #[error("impossible record batch length {0}")]
    InvalidLength(i32),
    /// The checksum is not that of the bytes.
    #[error("record batch has checksum {computed:08x} instead of {stored:08x}")]
    CrcMismatch {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A message format before v2, or one that does not exist yet.
    #[error("message format {0} is not supported")]
    UnsupportedMagic(i8),
    /// A compression codec that does not exist (5 to 7).
    #[error("compression codec {0} is not supported")]
    UnsupportedCompression(u8),
    /// The records decompress to more than the caller allows.
    #[error("records decompress to more than {limit} bytes")]
    TooLarge {
        /// The most that the caller allows, in bytes.
        limit: usize,
    },
    /// The compressed bytes are not what the codec writes.
    #[error("records cannot be decompressed with {compression}: {reason}")]
    Undecompressable {
        /// The codec that the batch names.
        compression: Compression,
        /// What the codec found.
        reason: String,
    },
    /// The batch is whole, but what it holds makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
}

impl RecordError {
    /// Whether the bytes were damaged on their way, so that sending them again
    /// may help. Otherwise the sender meant what it sent.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::InvalidLength(_) | Self::CrcMismatch { .. })
    }
}

/// The most bytes that one record takes in a batch before its key: length,
/// attributes, timestamp delta and offset delta.
pub(crate) const MAX_RECORD_PREFIX: usize = 5 + 1 + 10 + 5;

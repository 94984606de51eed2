//! Codecs of record batches, each in the framing that Kafka's clients use.
//!
//! Decompressors take a limit. What a header claims is never reserved: output
//! grows with the data that arrives, or with what the blocks on hand can hold,
//! and never beyond the limit.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::fmt;
use std::io::Read;
use std::str::FromStr;

use super::RecordError;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy blocks in the framing of the xerial library; bare blocks are read too.
    Snappy,
    /// LZ4 frames of independent blocks.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

impl Compression {
    /// All of them, in the order of their ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in the attributes of a batch.
    pub fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with this number.
    ///
    /// # Errors
    /// [`UnsupportedCompression`](RecordError::UnsupportedCompression).
    pub fn from_id(id: u8) -> Result<Self, RecordError> {
        Self::ALL.get(usize::from(id)).copied().ok_or(RecordError::UnsupportedCompression(id))
    }

    /// The name in Kafka's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses `input`. The level is in the codec's own terms and cut to
    /// its range; `None` is 6 for gzip as in Kafka, and 1 for zstd, which on
    /// JSON is as small as Kafka's 3 and faster. The others have no level.
    pub fn compress(self, input: &[u8], level: Option<i32>) -> Vec<u8> {
        let mut output = Vec::with_capacity(input.len() / 2);
        self.compress_into(input, level, &mut output);
        output
    }

    /// As [`compress`](Self::compress), behind what `output` holds already.
    pub fn compress_into(self, input: &[u8], level: Option<i32>, output: &mut Vec<u8>) {
        match self {
            Self::None => output.extend_from_slice(input),
            Self::Gzip => gzip::compress(input, level, output),
            Self::Snappy => snappy::compress(input, output),
            Self::Lz4 => lz4::compress(input, output),
            Self::Zstd => zstd::compress(input, level, output),
        }
    }

    /// Decompresses `input` to at most `limit` bytes.
    ///
    /// # Errors
    /// [`TooLarge`](RecordError::TooLarge) when there is more output than that,
    /// [`Undecompressable`](RecordError::Undecompressable) when the input is
    /// not what the codec writes.
    pub fn decompress(self, input: &[u8], limit: usize) -> Result<Vec<u8>, RecordError> {
        let result = match self {
            Self::None if input.len() > limit => Err(Failure::TooLarge),
            Self::None => Ok(input.to_vec()),
            Self::Gzip => gzip::decompress(input, limit),
            Self::Snappy => snappy::decompress(input, limit),
            Self::Lz4 => lz4::decompress(input, limit),
            Self::Zstd => zstd::decompress(input, limit),
        };
        result.map_err(|failure| match failure {
            Failure::TooLarge => RecordError::TooLarge { limit },
            Failure::Broken(reason) => RecordError::Undecompressable { compression: self, reason },
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Self, UnknownCompression> {
        let found = Self::ALL.into_iter().find(|compression| compression.name() == name);
        found.ok_or_else(|| UnknownCompression(name.to_owned()))
    }
}

/// A name that is none of a codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression {0:?}: expected none, gzip, snappy, lz4 or zstd")]
pub struct UnknownCompression(pub String);

/// Why one codec gave up.
#[derive(Debug)]
enum Failure {
    TooLarge,
    Broken(String),
}

impl Failure {
    fn broken(reason: impl fmt::Display) -> Self {
        Self::Broken(reason.to_string())
    }
}

/// Reads to the end. Output grows as data comes, at most to one byte over the limit.
fn read_to_limit(
    reader: impl Read,
    compressed_size: usize,
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    let mut output = Vec::with_capacity(compressed_size.saturating_mul(4).min(limit));
    let mut reader = reader.take((limit as u64).saturating_add(1));
    reader.read_to_end(&mut output).map_err(Failure::broken)?;
    if output.len() > limit { Err(Failure::TooLarge) } else { Ok(output) }
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODECS: [Compression; 4] =
        [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    const LIMIT: usize = 1 << 20;

    /// Text that compresses about as well as records do.
    fn text(size: usize) -> Vec<u8> {
        (0..)
            .flat_map(|n: usize| format!("{{\"n\":{},\"name\":\"value\"}}", n * n).into_bytes())
            .take(size)
            .collect()
    }

    #[test]
    fn names_and_numbers_are_those_of_kafka() {
        let names = Compression::ALL.map(|compression| compression.to_string());
        assert_eq!(names, ["none", "gzip", "snappy", "lz4", "zstd"]);
        for (id, compression) in Compression::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(compression.id()), id);
            assert_eq!(compression.name().parse(), Ok(compression));
            assert_eq!(Compression::from_id(compression.id()), Ok(compression));
        }
        assert_eq!(Compression::from_id(5), Err(RecordError::UnsupportedCompression(5)));
        assert_eq!("GZIP".parse::<Compression>(), Err(UnknownCompression("GZIP".to_owned())));
    }

    #[test]
    fn input_of_any_size_survives() {
        for compression in Compression::ALL {
            for size in [0, 1, 100, 32_768, 32_769, 65_536, 65_537, 500_000] {
                let input = text(size);
                let compressed = compression.compress(&input, None);
                let output = compression.decompress(&compressed, LIMIT);
                assert!(output.as_deref() == Ok(&input[..]), "{compression}, {size} bytes");
                let output = compression.decompress(&compressed, size);
                assert!(
                    output.as_deref() == Ok(&input[..]),
                    "{compression}, {size} bytes, which is the limit"
                );
            }
        }
    }

    #[test]
    fn output_is_put_behind_what_is_there() {
        for compression in Compression::ALL {
            let mut output = b"before".to_vec();
            compression.compress_into(&text(1_000), None, &mut output);
            assert_eq!(
                output,
                [b"before".to_vec(), compression.compress(&text(1_000), None)].concat()
            );
        }
    }

    #[test]
    fn levels_out_of_range_are_cut() {
        for compression in Compression::ALL {
            for level in [i32::MIN, -1, 0, 1, 9, i32::MAX] {
                let compressed = compression.compress(&text(10_000), Some(level));
                assert!(
                    compression.decompress(&compressed, LIMIT) == Ok(text(10_000)),
                    "{compression} {level}"
                );
            }
        }
        let sizes =
            [Some(1), Some(9)].map(|level| Compression::Gzip.compress(&text(100_000), level).len());
        assert!(sizes[1] < sizes[0]);
    }

    #[test]
    fn one_byte_over_the_limit_is_too_much() {
        for compression in Compression::ALL {
            for size in [1, 100, 65_536, 65_537, 300_000] {
                let compressed = compression.compress(&text(size), None);
                let expected = Err(RecordError::TooLarge { limit: size - 1 });
                assert!(
                    compression.decompress(&compressed, size - 1) == expected,
                    "{compression}, {size} bytes"
                );
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        for compression in CODECS {
            let bomb = compression.compress(&vec![0; 64 << 20], None);
            assert_eq!(
                compression.decompress(&bomb, LIMIT),
                Err(RecordError::TooLarge { limit: LIMIT })
            );
        }
    }

    #[test]
    fn frames_one_after_the_other_are_read_as_one() {
        for compression in CODECS {
            let frames = [text(1_000), text(70_000), text(0), text(10)];
            let compressed: Vec<u8> =
                frames.iter().flat_map(|frame| compression.compress(frame, None)).collect();
            assert!(
                compression.decompress(&compressed, LIMIT) == Ok(frames.concat()),
                "{compression}"
            );
        }
    }

    #[test]
    fn a_cut_at_any_byte_is_an_error_or_less_output() {
        let input = text(2_000);
        for compression in CODECS {
            let compressed = compression.compress(&input, None);
            for length in 0..compressed.len() {
                match compression.decompress(&compressed[..length], LIMIT) {
                    Ok(output) => assert!(output.len() < input.len(), "{compression} at {length}"),
                    Err(RecordError::Undecompressable { .. }) => {}
                    Err(error) => panic!("{compression} at {length}: {error}"),
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_does_not_panic_or_pass_the_limit() {
        let input = text(2_000);
        for compression in CODECS {
            let compressed = compression.compress(&input, None);
            for at in 0..compressed.len() {
                for bit in 0..8 {
                    let mut broken = compressed.clone();
                    broken[at] ^= 1 << bit;
                    if let Ok(output) = compression.decompress(&broken, 4_000) {
                        assert!(output.len() <= 4_000);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_input_survives(input: Vec<u8>) {
            for compression in Compression::ALL {
                let compressed = compression.compress(&input, None);
                let output = compression.decompress(&compressed, input.len());
                prop_assert_eq!(output.as_ref(), Ok(&input));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(input: Vec<u8>, limit in 0_usize..10_000) {
            for compression in Compression::ALL {
                if let Ok(output) = compression.decompress(&input, limit) {
                    prop_assert!(output.len() <= limit);
                }
            }
        }
    }
}

//! Gzip, RFC 1952. A sender may write several members one after the other.

use std::io::Write;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Failure, read_to_limit};

/// Kafka's default for `compression.gzip.level`.
const DEFAULT_LEVEL: u32 = 6;

pub(super) fn compress(input: &[u8], level: Option<i32>, output: &mut Vec<u8>) {
    let level = level.map_or(DEFAULT_LEVEL, |level| level.clamp(1, 9).unsigned_abs());
    let mut encoder = GzEncoder::new(output, flate2::Compression::new(level));
    let written = encoder.write_all(input).and_then(|()| encoder.try_finish());
    written.expect("writing to memory does not fail");
}

pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    read_to_limit(MultiGzDecoder::new(input), input.len(), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_gzip_is_an_error() {
        for input in [&b"plain"[..], b"\x1f\x8b", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"] {
            assert!(matches!(decompress(input, 100), Err(Failure::Broken(_))), "{input:?}");
        }
    }
}

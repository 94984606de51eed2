//! Snappy blocks, framed as the xerial library of the Java clients does it:
//! a header of 16 bytes, then length and block, again and again. librdkafka
//! sends one bare block instead.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::Failure;

/// Magic, then version 1 and oldest compatible version 1.
const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
const MAGIC_SIZE: usize = 8;
/// What the Java client puts in one block.
const BLOCK_SIZE: usize = 32 * 1024;
/// A copy of 64 bytes takes 3 bytes; nothing in the format expands more.
const MAX_EXPANSION: usize = 22;

pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) {
    output.extend_from_slice(&HEADER);
    let mut encoder = Encoder::new();
    for block in input.chunks(BLOCK_SIZE) {
        let length_at = output.len();
        let start = length_at + 4;
        output.resize(start + max_compress_len(block.len()), 0);
        let room = output.get_mut(start..).unwrap_or_default();
        let length = encoder
            .compress(block, room)
            .expect("a block of 32 KiB has room for the longest output");
        output.truncate(start + length);
        let length = u32::try_from(length).expect("a block is about 32 KiB").to_be_bytes();
        output.get_mut(length_at..start).expect("the room was made above").copy_from_slice(&length);
    }
}

pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let mut output = Vec::new();
    if !input.starts_with(&HEADER[..MAGIC_SIZE]) {
        append_block(input, limit, &mut output)?;
        return Ok(output);
    }
    let mut rest = input;
    while !rest.is_empty() {
        // Streams may follow each other, each with its header.
        if rest.starts_with(&HEADER[..MAGIC_SIZE]) {
            rest = after_header(rest)?;
            continue;
        }
        let (length, after) = rest.split_first_chunk().ok_or_else(cut_short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(Failure::broken)?;
        let (block, after) = after.split_at_checked(length).ok_or_else(cut_short)?;
        append_block(block, limit, &mut output)?;
        rest = after;
    }
    Ok(output)
}

/// Passes over a stream header. As in xerial, a version does not matter as long
/// as the oldest compatible one is at most 1.
fn after_header(input: &[u8]) -> Result<&[u8], Failure> {
    let (header, rest) = input.split_first_chunk::<16>().ok_or_else(cut_short)?;
    let compatible = header.last_chunk().map(|bytes| i32::from_be_bytes(*bytes));
    match compatible {
        Some(1) => Ok(rest),
        _ => Err(Failure::broken("unknown version of the block framing")),
    }
}

fn append_block(block: &[u8], limit: usize, output: &mut Vec<u8>) -> Result<(), Failure> {
    let length = decompress_len(block).map_err(Failure::broken)?;
    if length > block.len().saturating_mul(MAX_EXPANSION) {
        return Err(Failure::broken("a block claims more than it can hold"));
    }
    if length > limit.saturating_sub(output.len()) {
        return Err(Failure::TooLarge);
    }
    let start = output.len();
    output.resize(start + length, 0);
    let room = output.get_mut(start..).unwrap_or_default();
    Decoder::new().decompress(block, room).map_err(Failure::broken)?;
    Ok(())
}

fn cut_short() -> Failure {
    Failure::broken("the last block is cut short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_block_is_read_too() {
        let block = Encoder::new().compress_vec(&[7; 1_000]).unwrap();
        assert_eq!(decompress(&block, 1_000).unwrap(), [7; 1_000]);
        assert!(matches!(decompress(&block, 999), Err(Failure::TooLarge)));
    }

    #[test]
    fn the_framing_is_that_of_the_java_client() {
        let mut output = Vec::new();
        compress(b"abc", &mut output);
        assert_eq!(output, [&HEADER[..], &[0, 0, 0, 5, 3, 8, b'a', b'b', b'c']].concat());
        output.clear();
        compress(&[7; 2 * BLOCK_SIZE + 1], &mut output);
        let first = u32::from_be_bytes(*output[16..].first_chunk().unwrap()) as usize;
        assert_eq!(decompress_len(&output[20..20 + first]).unwrap(), BLOCK_SIZE);
    }

    #[test]
    fn a_claim_that_the_block_cannot_hold_is_not_believed() {
        // 2^32 - 1 bytes from six.
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(matches!(decompress(&claim, usize::MAX), Err(Failure::Broken(_))));
        let framed = [&HEADER[..], &[0, 0, 0, 6], &claim].concat();
        assert!(matches!(decompress(&framed, usize::MAX), Err(Failure::Broken(_))));
    }

    #[test]
    fn an_unknown_framing_is_an_error() {
        let mut input = Vec::new();
        compress(b"abc", &mut input);
        input[15] = 2;
        assert!(matches!(decompress(&input, 100), Err(Failure::Broken(_))));
    }
}

//! LZ4 frames. The Java client reads independent blocks only, so those are
//! written, 64 KiB each as it writes them; linked blocks are read too.
//!
//! Format: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>

use lz4_flex::block::DecompressError;
use lz4_flex::block::{
    compress_into, decompress_into, decompress_into_with_dict, get_maximum_output_size,
};
use twox_hash::XxHash32;

use super::Failure;

/// Magic, version 1 with independent blocks, blocks of 64 KiB, and the second
/// byte of the XXH32 of these two.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const END_MARK: [u8; 4] = [0; 4];
const BLOCK_SIZE: usize = 64 * 1024;

const MAGIC: u32 = 0x184d_2204;
const SKIPPABLE_MAGIC: std::ops::RangeInclusive<u32> = 0x184d_2a50..=0x184d_2a5f;

/// In a block length: the block is not compressed.
const STORED: u32 = 0x8000_0000;
/// A length of 255 more takes one byte; nothing in the format expands more.
const MAX_EXPANSION: usize = 255;
/// How far back a linked block may reach.
const WINDOW: usize = 64 * 1024;

pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) {
    output.extend_from_slice(&HEADER);
    for block in input.chunks(BLOCK_SIZE) {
        let length_at = output.len();
        let start = length_at + 4;
        output.resize(start + get_maximum_output_size(block.len()), 0);
        let room = output.get_mut(start..).unwrap_or_default();
        let compressed = compress_into(block, room).expect("there is room for the longest output");
        let length = if compressed < block.len() {
            output.truncate(start + compressed);
            length_of(compressed)
        } else {
            output.truncate(start);
            output.extend_from_slice(block);
            length_of(block.len()) | STORED
        };
        output
            .get_mut(length_at..start)
            .expect("the room was made above")
            .copy_from_slice(&length.to_le_bytes());
    }
    output.extend_from_slice(&END_MARK);
}

pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let mut input = Input(input);
    let mut output = Vec::new();
    while !input.0.is_empty() {
        match input.u32()? {
            MAGIC => decompress_frame(&mut input, limit, &mut output)?,
            magic if SKIPPABLE_MAGIC.contains(&magic) => {
                let length = input.u32()?;
                input.take(length)?;
            }
            _ => return Err(Failure::broken("not an LZ4 frame")),
        }
    }
    Ok(output)
}

fn decompress_frame(
    input: &mut Input<'_>,
    limit: usize,
    output: &mut Vec<u8>,
) -> Result<(), Failure> {
    let frame = FrameHeader::read(input)?;
    let frame_start = output.len();
    loop {
        let length = input.u32()?;
        if length == 0 {
            break;
        }
        let block = input.take(length & !STORED)?;
        if frame.has_block_checksums {
            check(input, block, "a block")?;
        }
        if length & STORED == 0 {
            append_block(&frame, block, frame_start, limit, output)?;
        } else if block.len() > frame.block_size {
            return Err(Failure::broken("a block is larger than its frame allows"));
        } else if block.len() > limit.saturating_sub(output.len()) {
            return Err(Failure::TooLarge);
        } else {
            output.extend_from_slice(block);
        }
    }
    let content = output.get(frame_start..).unwrap_or_default();
    if frame.has_content_checksum {
        check(input, content, "the content")?;
    }
    match frame.content_size {
        Some(size) if size != content.len() as u64 => {
            Err(Failure::broken("the content size is not the one announced"))
        }
        _ => Ok(()),
    }
}

fn append_block(
    frame: &FrameHeader,
    block: &[u8],
    frame_start: usize,
    limit: usize,
    output: &mut Vec<u8>,
) -> Result<(), Failure> {
    let start = output.len();
    let possible = frame.block_size.min(block.len().saturating_mul(MAX_EXPANSION));
    let allowed = limit.saturating_sub(start);
    output.resize(start + possible.min(allowed), 0);
    let (before, room) = output.split_at_mut(start);
    let decompressed = if frame.is_linked {
        let window =
            before.get(frame_start.max(start.saturating_sub(WINDOW))..).unwrap_or_default();
        decompress_into_with_dict(block, room, window)
    } else {
        decompress_into(block, room)
    };
    match decompressed {
        Ok(length) => output.truncate(start + length),
        Err(DecompressError::OutputTooSmall { .. }) if allowed < possible => {
            return Err(Failure::TooLarge);
        }
        Err(error) => return Err(Failure::broken(error)),
    }
    Ok(())
}

/// What the header of a frame says about its blocks.
struct FrameHeader {
    is_linked: bool,
    has_block_checksums: bool,
    has_content_checksum: bool,
    content_size: Option<u64>,
    /// The most that one block holds, decompressed.
    block_size: usize,
}

impl FrameHeader {
    fn read(input: &mut Input<'_>) -> Result<Self, Failure> {
        let start = *input;
        let [flags, sizes] = input.array()?;
        if flags >> 6 != 1 || flags & 0x02 != 0 || sizes & 0x8f != 0 {
            return Err(Failure::broken("unknown version of the LZ4 frame format"));
        }
        if flags & 0x01 != 0 {
            return Err(Failure::broken("LZ4 dictionaries are not supported"));
        }
        let block_size = match sizes >> 4 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return Err(Failure::broken("unknown LZ4 block size")),
        };
        let content_size =
            if flags & 0x08 != 0 { Some(u64::from_le_bytes(input.array()?)) } else { None };
        let described = start.0.get(..start.0.len() - input.0.len()).unwrap_or_default();
        let [checksum] = input.array()?;
        if checksum != (XxHash32::oneshot(0, described) >> 8) as u8 {
            return Err(Failure::broken("the checksum of the LZ4 frame header is wrong"));
        }
        Ok(Self {
            is_linked: flags & 0x20 == 0,
            has_block_checksums: flags & 0x10 != 0,
            has_content_checksum: flags & 0x04 != 0,
            content_size,
            block_size,
        })
    }
}

/// Takes values off the front of the compressed bytes.
#[derive(Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Failure> {
        self.array().map(u32::from_le_bytes)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], Failure> {
        let length = usize::try_from(length).map_err(Failure::broken)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(taken)
    }
}

fn check(input: &mut Input<'_>, bytes: &[u8], what: &str) -> Result<(), Failure> {
    if input.u32()? == XxHash32::oneshot(0, bytes) {
        return Ok(());
    }
    Err(Failure::Broken(format!("the checksum of {what} is wrong")))
}

fn length_of(length: usize) -> u32 {
    u32::try_from(length).expect("a block is at most 64 KiB")
}

fn cut_short() -> Failure {
    Failure::broken("the frame is cut short")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    fn text(size: usize) -> Vec<u8> {
        (0..).flat_map(|n: usize| format!("record {n},").into_bytes()).take(size).collect()
    }

    fn encode(input: &[u8], frame: FrameInfo) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
        encoder.write_all(input).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_header_has_the_checksum_of_its_flags() {
        assert_eq!(HEADER[6], (XxHash32::oneshot(0, &HEADER[4..6]) >> 8) as u8);
        let mut output = Vec::new();
        compress(&text(1_000), &mut output);
        let frame = FrameHeader::read(&mut Input(&output[4..])).unwrap();
        assert!(!frame.is_linked, "the Java client refuses linked blocks");
        assert_eq!(frame.block_size, BLOCK_SIZE);
    }

    #[test]
    fn every_kind_of_frame_is_read() {
        let input = text(5_000_000);
        for block_size in
            [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB]
        {
            for block_mode in [BlockMode::Independent, BlockMode::Linked] {
                for checksums in [false, true] {
                    let frame = FrameInfo::new()
                        .block_size(block_size)
                        .block_mode(block_mode)
                        .block_checksums(checksums)
                        .content_checksum(checksums)
                        .content_size(checksums.then_some(input.len() as u64));
                    let case = format!("{frame:?}");
                    let compressed = encode(&input, frame);
                    assert!(
                        decompress(&compressed, input.len()).is_ok_and(|output| output == input),
                        "{case}"
                    );
                    assert!(
                        matches!(decompress(&compressed, input.len() - 1), Err(Failure::TooLarge)),
                        "{case}"
                    );
                }
            }
        }
    }

    #[test]
    fn wrong_checksums_and_sizes_are_found() {
        let input = text(1_000);
        let frame =
            FrameInfo::new().block_checksums(true).content_checksum(true).content_size(Some(1_000));
        let good = encode(&input, frame);
        let end = good.len();
        for (case, at) in [
            ("the flags", 4),
            ("the content size", 6),
            ("the header's checksum", 14),
            ("the block", 30),
            ("the block's checksum", end - 12),
            ("the content's checksum", end - 1),
        ] {
            let mut broken = good.clone();
            broken[at] ^= 1;
            assert!(matches!(decompress(&broken, 10_000), Err(Failure::Broken(_))), "{case}");
        }
    }

    #[test]
    fn skippable_frames_are_passed_over() {
        let mut input = [&0x184d_2a53_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        compress(b"content", &mut input);
        assert_eq!(decompress(&input, 100).unwrap(), b"content");
    }
}

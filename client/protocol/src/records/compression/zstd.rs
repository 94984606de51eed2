//! Zstandard frames, with or without a content size.
//!
//! The library can decompress a frame in one pass into memory that is large
//! enough, or as a stream with a window of its own as large as the frame
//! claims. How much a frame can hold at most follows from its blocks, which are
//! counted first: neither claim is believed without them.
//!
//! Format: RFC 8878.

use std::cell::RefCell;

use zstd::bulk::Compressor;
use zstd::stream::read::Decoder;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as OUTPUT_TOO_SMALL;
use zstd::zstd_safe::{DCtx, compress_bound, get_error_name, is_error_kind};

use super::{Failure, read_to_limit};

/// As small as Kafka's default of 3 on JSON, and half as much work.
const DEFAULT_LEVEL: i32 = 1;
/// The most that one block holds, decompressed.
const MAX_BLOCK_SIZE: u64 = 128 * 1024;
/// Up to this expansion, decompressing in one pass wastes little memory.
const ONE_PASS_EXPANSION: u64 = 64;
/// The window of the library's own limit, 128 MiB.
const MAX_WINDOW_LOG: u32 = 27;

thread_local! {
    // Contexts hold tables of up to a megabyte that are costly to make.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

pub(super) fn compress(input: &[u8], level: Option<i32>, output: &mut Vec<u8>) {
    let levels = zstd::compression_level_range();
    let level = level.map_or(DEFAULT_LEVEL, |level| level.clamp(*levels.start(), *levels.end()));
    let start = output.len();
    output.resize(start + compress_bound(input.len()), 0);
    let room = output.get_mut(start..).unwrap_or_default();
    let length = COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            None => compressor.insert(Compressor::new(level)?),
        };
        compressor.set_compression_level(level)?;
        compressor.compress_to_buffer(input, room)
    });
    output.truncate(start + length.expect("there is room for the longest output"));
}

pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let bounds = Bounds::of(input)?;
    let most = bounds.content.min(limit as u64);
    if bounds.window > most || most <= input.len() as u64 * ONE_PASS_EXPANSION {
        decompress_in_one_pass(input, most, &bounds, limit)
    } else {
        decompress_as_stream(input, limit)
    }
}

fn decompress_in_one_pass(
    input: &[u8],
    most: u64,
    bounds: &Bounds,
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    let mut output = Vec::with_capacity(usize::try_from(most).map_err(Failure::broken)?);
    match DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.decompress(&mut output, input)) {
        // The allocator may have given more than was asked for.
        Ok(_) if output.len() > limit => Err(Failure::TooLarge),
        Ok(_) => Ok(output),
        Err(code) if bounds.content > most && is_error_kind(code, OUTPUT_TOO_SMALL) => {
            Err(Failure::TooLarge)
        }
        Err(code) => Err(Failure::broken(get_error_name(code))),
    }
}

fn decompress_as_stream(input: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let mut decoder = Decoder::with_buffer(input).map_err(Failure::broken)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(Failure::broken)?;
    read_to_limit(decoder, input.len(), limit)
}

/// The most that frames can hold and use.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bounds {
    /// Decompressed bytes of all frames.
    content: u64,
    /// The largest window that a frame claims.
    window: u64,
}

impl Bounds {
    /// Walks the blocks of all frames without decompressing them.
    fn of(input: &[u8]) -> Result<Self, Failure> {
        let mut input = Input(input);
        let mut bounds = Self::default();
        while !input.0.is_empty() {
            match u32::from_le_bytes(input.array()?) {
                0xfd2f_b528 => bounds.add_frame(&mut input)?,
                0x184d_2a50..=0x184d_2a5f => {
                    let size = u32::from_le_bytes(input.array()?);
                    input.skip(u64::from(size))?;
                }
                _ => return Err(Failure::broken("not a Zstandard frame")),
            }
        }
        Ok(bounds)
    }

    fn add_frame(&mut self, input: &mut Input<'_>) -> Result<(), Failure> {
        let [descriptor] = input.array()?;
        let is_single_segment = descriptor & 0x20 != 0;
        let window = if is_single_segment { None } else { Some(window_size(input.array()?)) };
        input.skip([0, 1, 2, 4][usize::from(descriptor & 3)])?;
        let content_size = match (descriptor >> 6, is_single_segment) {
            (0, false) => None,
            (0, true) => Some(u64::from(u8::from_le_bytes(input.array()?))),
            (1, _) => Some(u64::from(u16::from_le_bytes(input.array()?)) + 256),
            (2, _) => Some(u64::from(u32::from_le_bytes(input.array()?))),
            _ => Some(u64::from_le_bytes(input.array()?)),
        };
        let window = window.or(content_size).unwrap_or(0);
        let block_size = window.min(MAX_BLOCK_SIZE);

        let mut content: u64 = 0;
        loop {
            let [low, middle, high] = input.array()?;
            let block = u32::from_le_bytes([low, middle, high, 0]);
            let size = u64::from(block >> 3);
            let (in_input, in_output) = match block >> 1 & 3 {
                0 => (size, size),
                1 => (1, size),
                2 => (size, block_size),
                _ => return Err(Failure::broken("unknown kind of block")),
            };
            if in_output > MAX_BLOCK_SIZE {
                return Err(Failure::broken("a block is larger than the format allows"));
            }
            input.skip(in_input)?;
            content = content.saturating_add(in_output);
            if block & 1 != 0 {
                break;
            }
        }
        if descriptor & 0x04 != 0 {
            input.skip(4)?;
        }
        self.content =
            self.content.saturating_add(content_size.map_or(content, |size| size.min(content)));
        self.window = self.window.max(window);
        Ok(())
    }
}

/// The window that a frame header claims: a power of two and eighths of it.
fn window_size([descriptor]: [u8; 1]) -> u64 {
    let base = 1_u64 << (10 + (descriptor >> 3));
    base + base / 8 * u64::from(descriptor & 7)
}

/// Takes values off the front of the compressed bytes.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn skip(&mut self, length: u64) -> Result<(), Failure> {
        let rest = usize::try_from(length).ok().and_then(|length| self.0.get(length..));
        self.0 = rest.ok_or_else(cut_short)?;
        Ok(())
    }
}

fn cut_short() -> Failure {
    Failure::broken("the frame is cut short")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zstd::stream::write::Encoder;

    use super::*;

    fn text(size: usize) -> Vec<u8> {
        (0..).flat_map(|n: usize| format!("record {n},").into_bytes()).take(size).collect()
    }

    /// A frame that is written as it grows, so that its size is not known at the start.
    fn stream(pieces: &[&[u8]], level: i32) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new(), level).unwrap();
        for piece in pieces {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    }

    #[test]
    fn frames_without_a_content_size_are_read() {
        let input = text(1_000_000);
        for level in [1, 3, 19] {
            let compressed = stream(&[&input], level);
            assert!(decompress(&compressed, input.len()).is_ok_and(|output| output == input));
            assert!(matches!(decompress(&compressed, input.len() - 1), Err(Failure::TooLarge)));
        }
    }

    #[test]
    fn a_frame_of_many_small_blocks_is_read_as_a_stream() {
        let pieces: Vec<Vec<u8>> =
            (0..2_000).map(|n| format!("piece {n},").repeat(20).into_bytes()).collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let (compressed, input) = (stream(&pieces, 1), pieces.concat());
        let bounds = Bounds::of(&compressed).unwrap();
        assert!(bounds.content > 100 * input.len() as u64, "the bound is of no use: {bounds:?}");
        for limit in [input.len(), 1 << 20, 1 << 30] {
            assert!(
                decompress(&compressed, limit).is_ok_and(|output| output == input),
                "limit {limit}"
            );
        }
        assert!(matches!(decompress(&compressed, input.len() - 1), Err(Failure::TooLarge)));
    }

    #[test]
    fn no_frame_holds_more_than_its_bound() {
        for size in [0, 1, 255, 256, 1_000, 131_072, 131_073, 3_000_000] {
            let input = text(size);
            let mut known = Vec::new();
            compress(&input, None, &mut known);
            assert_eq!(Bounds::of(&known).unwrap().content, size as u64);
            let unknown = Bounds::of(&stream(&[&input], 1)).unwrap().content;
            assert!(
                (size as u64..=size as u64 + 2 * MAX_BLOCK_SIZE).contains(&unknown),
                "{size}: {unknown}"
            );
        }
    }

    #[test]
    fn a_claim_without_blocks_is_not_believed() {
        // A content size of 2^62 bytes, a window of 2^41, and one empty block.
        let mut claim = 0xfd2f_b528_u32.to_le_bytes().to_vec();
        claim.extend([0b1100_0000, 31 << 3]);
        claim.extend((1_u64 << 62).to_le_bytes());
        claim.extend([1, 0, 0]);
        let bounds = Bounds::of(&claim).unwrap();
        assert_eq!(bounds, Bounds { content: 0, window: 1 << 41 });
        assert!(matches!(decompress(&claim, usize::MAX), Err(Failure::Broken(_))));
    }

    #[test]
    fn skippable_frames_are_passed_over() {
        let mut input = [&0x184d_2a53_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        compress(b"content", None, &mut input);
        assert_eq!(decompress(&input, 100).unwrap(), b"content");
    }
}

//! The decompressors, and each codec with itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::records::Compression;

const LIMIT: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    for compression in Compression::ALL {
        if let Ok(output) = compression.decompress(input, LIMIT) {
            assert!(output.len() <= LIMIT);
        }
        let compressed = compression.compress(input, None);
        assert_eq!(compression.decompress(&compressed, input.len()).as_deref(), Ok(input));
    }
});

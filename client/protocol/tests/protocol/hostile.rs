//! Input that nobody would send: no panic, and no memory beyond what it carries.

use bytes::Bytes;
use proptest::prelude::*;
use protocol::{ApiKey, Reader};

use crate::allocation::peak_of;
use crate::apis::{decode_request, decode_request_body, decode_response};
use crate::golden::Golden;

/// What a message may hold in memory for each byte of its frame. An element of
/// an array can be two bytes there and a structure of four texts here, and an
/// array that grows doubles: the answer to ListGroups comes to 93.
const PER_BYTE: usize = 120;
/// What a message may hold however short it is: the parts of its frame.
const FIXED: usize = 1_024;

fn check<T>(name: &str, length: usize, run: impl FnOnce() -> T) {
    let (_, peak) = peak_of(run);
    let allowed = FIXED + PER_BYTE * length;
    assert!(
        peak <= allowed,
        "{name}: {length} bytes took {peak} bytes of memory, more than {allowed}"
    );
}

fn check_bodies(bytes: &Bytes) {
    for key in ApiKey::ALL {
        for version in key.versions() {
            let name = format!("{} v{version}", key.name());
            check(&name, bytes.len(), || {
                let mut reader = Reader::new(bytes.clone());
                reader.set_flexible(key.is_flexible(version));
                decode_request_body(*key, version, &mut reader)
            });
            check(&name, bytes.len(), || decode_response(*key, version, bytes.clone()));
        }
    }
}

#[test]
fn a_length_that_the_frame_does_not_hold_reserves_nothing() {
    // Each message opens with a length or a few numbers; one of these hits it.
    for zeros in 0..24 {
        for length in [
            &[0x7f, 0xff, 0xff, 0xff][..],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x7f, 0xff],
            &[0xfe, 0x7f],
        ] {
            for tail in [0, 1, 100] {
                let bytes = [&vec![0; zeros][..], length, &vec![0; tail]].concat();
                check_bodies(&Bytes::from(bytes));
            }
        }
    }
}

#[test]
fn a_length_written_over_any_byte_of_a_message_reserves_nothing() {
    for golden in Golden::all() {
        for at in 0..golden.frame.len() {
            for length in
                [&[0x7f, 0xff, 0xff, 0xff][..], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0x00, 0x00]]
            {
                let mut bytes = golden.frame.to_vec();
                let end = bytes.len().min(at + length.len());
                bytes[at..end].copy_from_slice(&length[..end - at]);
                let bytes = Bytes::from(bytes);
                check(&golden.name(), bytes.len(), || {
                    if golden.is_request {
                        decode_request(bytes)
                    } else {
                        decode_response(golden.key, golden.version, bytes)
                    }
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_bodies(&Bytes::from(bytes));
    }

    #[test]
    fn small_numbers_never_panic(bytes in prop::collection::vec(0_u8..4, 0..300)) {
        // Small numbers make lengths that fit, so that reading gets further.
        check_bodies(&Bytes::from(bytes));
    }

    #[test]
    fn long_arrays_of_small_elements_hold_what_they_carry(
        zeros in 0_usize..20,
        length in prop::sample::select(vec![vec![0, 0, 3, 0], vec![0x80, 0x06]]),
        element in prop::collection::vec(0_u8..3, 1..8),
    ) {
        let elements = element.into_iter().cycle().take(3_000);
        check_bodies(&vec![0; zeros].into_iter().chain(length).chain(elements).collect());
    }

    #[test]
    fn arbitrary_frames_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let length = bytes.len();
        check("request", length, || decode_request(Bytes::from(bytes)));
    }
}

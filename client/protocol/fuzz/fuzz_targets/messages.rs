//! Frames of requests and responses, each API in each version.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::{ApiKey, Reader};

#[macro_use]
#[path = "../../tests/protocol/apis.rs"]
mod apis;

fuzz_target!(|input: &[u8]| {
    let frame = Bytes::copy_from_slice(input);
    let _ = apis::decode_request(frame.clone());

    // The first two bytes choose a message, so that none is hard to reach.
    let Some((&[api, version], body)) = input.split_first_chunk() else { return };
    let key = ApiKey::ALL[usize::from(api) % ApiKey::ALL.len()];
    let versions: Vec<i16> = key.versions().collect();
    let version = versions[usize::from(version) % versions.len()];
    let body = frame.slice(frame.len() - body.len()..);
    let mut reader = Reader::new(body.clone());
    reader.set_flexible(key.is_flexible(version));
    let _ = apis::decode_request_body(key, version, &mut reader);
    let _ = apis::decode_response(key, version, body);
});

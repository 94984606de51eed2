//! The golden frames in `tests/golden`, and the codec against them.

use std::path::Path;

use bytes::Bytes;
use protocol::{
    ApiKey, Message, Reader, RequestHeader, Str, decode_response_header, encode_request,
    encode_response,
};

use crate::tree::Tree;

const CORRELATION_ID: i32 = 0x0102_0304;

/// One line of a golden file.
#[derive(Debug, Clone)]
pub(crate) struct Golden {
    pub(crate) key: ApiKey,
    pub(crate) is_request: bool,
    pub(crate) version: i16,
    /// Whether nullable fields have a value and arrays have elements.
    pub(crate) is_full: bool,
    pub(crate) frame: Bytes,
    json: Option<serde_json::Value>,
}

impl Golden {
    /// All golden frames of one API.
    pub(crate) fn of(key: ApiKey) -> Vec<Self> {
        let text = golden_file(key.name());
        text.lines().map(|line| Self::parse(key, line)).collect()
    }

    /// All golden frames of all APIs.
    pub(crate) fn all() -> Vec<Self> {
        ApiKey::ALL.iter().flat_map(|key| Self::of(*key)).collect()
    }

    fn parse(key: ApiKey, line: &str) -> Self {
        let mut parts = line.splitn(5, ' ');
        let mut part = || parts.next().unwrap_or_default();
        let (direction, version, kind, hex, json) = (part(), part(), part(), part(), part());
        Self {
            key,
            is_request: direction == "request",
            version: version.parse().unwrap(),
            is_full: kind == "full",
            frame: from_hex(hex),
            json: (!json.is_empty()).then(|| serde_json::from_str(json).unwrap()),
        }
    }

    pub(crate) fn name(&self) -> String {
        let direction = if self.is_request { "request" } else { "response" };
        let kind = if self.is_full { "full" } else { "sparse" };
        format!("{} {direction} v{} {kind}", self.key.name(), self.version)
    }

    /// The reader behind the header of the message.
    pub(crate) fn body(&self) -> Reader {
        let mut reader = Reader::new(self.frame.clone());
        if self.is_request {
            let header = RequestHeader::decode(&mut reader).unwrap();
            assert_eq!(header, self.header(), "{}", self.name());
        } else {
            let id = decode_response_header(&mut reader, self.key, self.version);
            assert_eq!(id, Ok(CORRELATION_ID), "{}", self.name());
        }
        reader
    }

    fn header(&self) -> RequestHeader {
        RequestHeader {
            api_key: self.key.code(),
            api_version: self.version,
            correlation_id: CORRELATION_ID,
            client_id: Some(Str::from_static("golden")),
        }
    }

    /// Reads the message and answers it as a tree, and the frame written from it again.
    fn read_and_write(&self) -> (Tree, Bytes) {
        let mut reader = self.body();
        macro_rules! read_and_write {
            ($request:ident, $response:ident) => {
                if self.is_request {
                    let message =
                        protocol::messages::$request::decode(&mut reader, self.version).unwrap();
                    (Tree::of(&message), encode_request(&self.header(), &message))
                } else {
                    let message =
                        protocol::messages::$response::decode(&mut reader, self.version).unwrap();
                    (
                        Tree::of(&message),
                        encode_response(self.key, self.version, CORRELATION_ID, &message),
                    )
                }
            };
        }
        let (tree, frame) = with_messages!(self.key, read_and_write);
        assert_eq!(reader.finish(), Ok(()), "{}", self.name());
        (tree, frame.into_bytes())
    }
}

#[test]
fn every_version_of_every_message_is_among_the_frames() {
    for key in ApiKey::ALL {
        let golden = Golden::of(*key);
        for version in key.versions() {
            // Kafka lists Produce from 0 for old librdkafka, but has no such message.
            let expected = if *key == ApiKey::Produce && version < 3 { 0 } else { 4 };
            let found = golden.iter().filter(|golden| golden.version == version).count();
            assert_eq!(found, expected, "{} v{version}", key.name());
        }
        assert!(
            golden.iter().all(|golden| key.versions().contains(&golden.version)),
            "{}",
            key.name()
        );
    }
}

#[test]
fn frames_of_kafka_are_written_again_byte_for_byte() {
    for golden in Golden::all() {
        let (_, frame) = golden.read_and_write();
        assert_eq!(hex(&frame), hex(&golden.frame), "{}", golden.name());
    }
}

#[test]
fn fields_have_the_names_and_values_that_kafka_gives_them() {
    for golden in Golden::all() {
        let Some(json) = &golden.json else { continue };
        let (ours, _) = golden.read_and_write();
        // Kafka's JSON leaves record sets out.
        let expected = Tree::of_json(json).without("records");
        assert_eq!(ours.difference(&expected, ""), None, "{}", golden.name());
    }
}

#[test]
fn a_cut_frame_is_an_error() {
    for golden in Golden::all() {
        for length in 0..golden.frame.len() {
            let cut = golden.frame.slice(..length);
            let result = if golden.is_request {
                crate::apis::decode_request(cut)
            } else {
                crate::apis::decode_response(golden.key, golden.version, cut)
            };
            assert!(result.is_err(), "{} cut at {length}", golden.name());
        }
    }
}

/// The lines of a file in `tests/golden`.
pub(crate) fn golden_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("no golden frames of {name}: see tests/golden/README.md"))
}

pub(crate) fn from_hex(text: &str) -> Bytes {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

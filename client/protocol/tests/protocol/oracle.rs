//! The messages against the crate `kafka-protocol`.

use std::collections::BTreeSet;
use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, Message as TheirMessage};
use protocol::{ApiKey, Message, Writer};

use crate::golden::Golden;
use crate::tree::Tree;

/// What `kafka-protocol` 0.18 has not: the golden frames stand alone there.
const MISSING: [&str; 4] = [
    "ListOffsets request v11",
    "ListOffsets response v11",
    "OffsetCommit request v10",
    "OffsetFetch request v10",
];

/// Fields of versions that are not stable yet, which this codec does not have.
const UNSTABLE: [&str; 4] =
    ["enable_2_pc", "keep_prepared_txn", "ongoing_txn_producer_id", "ongoing_txn_producer_epoch"];

#[test]
fn both_codecs_read_and_write_the_same() {
    let mut missing = BTreeSet::new();
    for golden in Golden::all() {
        macro_rules! compare {
            ($request:ident, $response:ident) => {
                if golden.is_request {
                    compare::<protocol::messages::$request, kafka_protocol::messages::$request>(
                        &golden,
                    )
                } else {
                    compare::<protocol::messages::$response, kafka_protocol::messages::$response>(
                        &golden,
                    )
                }
            };
        }
        if !with_messages!(golden.key, compare) {
            missing.insert(golden.name().rsplit_once(' ').unwrap().0.to_owned());
        }
    }
    assert_eq!(missing.iter().map(String::as_str).collect::<Vec<_>>(), MISSING);
}

/// Whether `kafka-protocol` has the version; then both codecs must agree.
fn compare<Ours, Theirs>(golden: &Golden) -> bool
where
    Ours: Message + PartialEq + Debug,
    Theirs: TheirMessage + Encodable + Decodable + Debug,
{
    let version = golden.version;
    if !(Theirs::VERSIONS.min..=Theirs::VERSIONS.max).contains(&version) {
        return false;
    }
    let name = golden.name();
    let mut reader = golden.body();
    let ours = Ours::decode(&mut reader, version).unwrap();

    let written = write(&ours, golden.key, version);
    let theirs = Theirs::decode(&mut written.clone(), version)
        .unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let expected = UNSTABLE.iter().fold(Tree::of(&theirs), |tree, field| tree.without(field));
    let expected = expected.without("unknown_tagged_fields");
    assert_eq!(Tree::of(&ours).difference(&expected, ""), None, "{name}");

    let mut rewritten = BytesMut::new();
    theirs.encode(&mut rewritten, version).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let mut reader = protocol::Reader::new(rewritten.freeze());
    reader.set_flexible(golden.key.is_flexible(version));
    assert_eq!(Ours::decode(&mut reader, version), Ok(ours), "{name}");
    assert_eq!(reader.finish(), Ok(()), "{name}");
    true
}

fn write(message: &impl Message, key: ApiKey, version: i16) -> Bytes {
    let mut writer = Writer::new();
    writer.set_flexible(key.is_flexible(version));
    message.encode(&mut writer, version);
    writer.into_frame().into_bytes()
}

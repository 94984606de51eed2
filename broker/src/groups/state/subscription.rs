//! The topics in a consumer's subscription.
//!
//! The coordinator needs them to know which offsets are in use. All versions of the
//! format begin alike: version, topics. Anything that does not read so is somebody
//! else's format and means nothing here.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::{DecodeError, Reader, Str};

/// The topics, in order; None when the bytes are no subscription.
pub(super) fn topics(metadata: &Bytes) -> Option<BTreeSet<Str>> {
    read(metadata).ok()
}

fn read(metadata: &Bytes) -> Result<BTreeSet<Str>, DecodeError> {
    let mut reader = Reader::new(metadata.clone());
    let version = reader.i16()?;
    if version < 0 {
        return Err(DecodeError::InvalidLength(i64::from(version)));
    }
    let count = reader.array_length()?.unwrap_or(0);
    let mut topics = BTreeSet::new();
    for _ in 0..count {
        let topic = reader.nullable_string()?.ok_or(DecodeError::UnexpectedNull)?;
        topics.insert(topic.detached());
    }
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_whatever_follows_them() {
        for (case, bytes, expected) in [
            ("version 0", &b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"[..], Some(vec!["t"])),
            ("two topics", b"\0\x03\0\0\0\x02\0\x01b\0\x01aowned", Some(vec!["a", "b"])),
            ("nothing", b"", None),
            ("a negative version", b"\xff\xff\0\0\0\0", None),
            ("cut short", b"\0\0\0\0\0\x02\0\x01t", None),
        ] {
            let read = topics(&Bytes::from_static(bytes));
            let read = read.as_ref().map(|topics| topics.iter().map(Str::as_str).collect());
            assert_eq!(read, expected, "{case}");
        }
    }
}

//! How a payload names its schema: a magic byte and the schema's id before the
//! data, and for Protobuf the position of the message in the file.
//!
//! <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format>

use std::fmt;

/// The first byte of a payload that names its schema by id.
pub const MAGIC: u8 = 0;
/// Magic byte and id.
pub const HEADER_BYTES: usize = 5;
/// How deep a message may lie in others; protoc allows 32.
const MAX_INDEXES: usize = 64;

/// Why a payload does not say which schema it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFramed {
    #[error("a payload of {0} bytes is too short to name a schema")]
    TooShort(usize),
    #[error("the payload begins with {0:#04x} and not with the magic byte 0x00")]
    NoMagic(u8),
    #[error("the position of the message is cut short or out of range")]
    BadIndexes,
    #[error("a header with {0} bytes names no schema")]
    BadHeader(usize),
}

/// Appends the magic byte and an id.
pub fn write_header(id: i32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

/// The id of the schema, and the data behind it.
pub fn read_header(payload: &[u8]) -> Result<(i32, &[u8]), NotFramed> {
    match payload {
        [MAGIC, a, b, c, d, data @ ..] => Ok((i32::from_be_bytes([*a, *b, *c, *d]), data)),
        [first, ..] if *first != MAGIC => Err(NotFramed::NoMagic(*first)),
        _ => Err(NotFramed::TooShort(payload.len())),
    }
}

/// The schema that the record header `__key_schema_id` or `__value_schema_id`
/// names. The payload then has no prefix of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderSchema<'a> {
    Id(i32),
    /// The guid, and the encoded message indexes of Protobuf.
    Guid(uuid::Uuid, &'a [u8]),
}

/// Reads the value of such a record header.
pub fn read_schema_id_header(value: &[u8]) -> Result<HeaderSchema<'_>, NotFramed> {
    const GUID: u8 = 1;
    match value {
        [MAGIC, ..] => match read_header(value)? {
            (id, []) => Ok(HeaderSchema::Id(id)),
            _ => Err(NotFramed::BadHeader(value.len())),
        },
        [GUID, rest @ ..] => {
            let (guid, indexes) =
                rest.split_first_chunk::<16>().ok_or(NotFramed::BadHeader(value.len()))?;
            Ok(HeaderSchema::Guid(uuid::Uuid::from_bytes(*guid), indexes))
        }
        [first, ..] => Err(NotFramed::NoMagic(*first)),
        [] => Err(NotFramed::TooShort(0)),
    }
}

/// The position of a message: its index among the messages of the file, then
/// among those nested in it, and so on. Enums and entries of maps do not count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageIndexes(Vec<i32>);

impl MessageIndexes {
    /// Nothing for no index at all, a negative one or far too many.
    pub fn new(indexes: Vec<i32>) -> Option<Self> {
        let is_good = !indexes.is_empty()
            && indexes.len() <= MAX_INDEXES
            && indexes.iter().all(|index| *index >= 0);
        is_good.then_some(Self(indexes))
    }

    /// The first message of the file.
    pub fn first() -> Self {
        Self(vec![0])
    }

    pub fn as_slice(&self) -> &[i32] {
        &self.0
    }

    /// Appends the number of indexes and each of them as zigzag varints, or
    /// a single 0 for the first message of the file.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.0 == [0] {
            out.push(0);
            return;
        }
        write_varint(i32::try_from(self.0.len()).unwrap_or(i32::MAX), out);
        self.0.iter().for_each(|index| write_varint(*index, out));
    }

    /// The indexes, and the message behind them.
    pub fn read(data: &[u8]) -> Result<(Self, &[u8]), NotFramed> {
        let (count, mut rest) = read_varint(data)?;
        if count == 0 {
            return Ok((Self::first(), rest));
        }
        let count = usize::try_from(count).map_err(|_| NotFramed::BadIndexes)?;
        if count > MAX_INDEXES {
            return Err(NotFramed::BadIndexes);
        }
        let mut indexes = Vec::with_capacity(count);
        for _ in 0..count {
            let (index, behind) = read_varint(rest)?;
            indexes.push(index);
            rest = behind;
        }
        Ok((Self::new(indexes).ok_or(NotFramed::BadIndexes)?, rest))
    }
}

impl fmt::Display for MessageIndexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

fn write_varint(value: i32, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 31)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn read_varint(data: &[u8]) -> Result<(i32, &[u8]), NotFramed> {
    let mut value = 0u32;
    for (position, byte) in data.iter().enumerate().take(5) {
        let bits = u32::from(byte & 0x7f);
        if position == 4 && bits > 0x0f {
            return Err(NotFramed::BadIndexes);
        }
        value |= bits << (7 * position);
        if byte & 0x80 == 0 {
            let rest = data.get(position + 1..).unwrap_or_default();
            let number = (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
            return Ok((number, rest));
        }
    }
    Err(NotFramed::BadIndexes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_a_magic_byte_and_an_id() {
        let mut out = Vec::new();
        write_header(0x0102_0304, &mut out);
        assert_eq!(out, [0, 1, 2, 3, 4]);
        out.push(9);
        assert_eq!(read_header(&out), Ok((0x0102_0304, &[9][..])));
        assert_eq!(read_header(&[0, 0xff, 0xff, 0xff, 0xff]), Ok((-1, &[][..])));
        for cut in 0..HEADER_BYTES {
            assert_eq!(read_header(&out[..cut]), Err(NotFramed::TooShort(cut)));
        }
        assert_eq!(read_header(&[1, 0, 0, 0, 0]), Err(NotFramed::NoMagic(1)));
        assert_eq!(read_header(b"{"), Err(NotFramed::NoMagic(b'{')));
    }

    #[test]
    fn message_indexes_are_zigzag_varints_with_a_short_form() {
        for (indexes, bytes) in [
            (vec![0], &[0x00][..]),
            (vec![1], &[0x02, 0x02]),
            (vec![0, 1], &[0x04, 0x00, 0x02]),
            (vec![1, 0], &[0x04, 0x02, 0x00]),
            (vec![0, 0], &[0x04, 0x00, 0x00]),
            (vec![64], &[0x02, 0x80, 0x01]),
        ] {
            let indexes = MessageIndexes::new(indexes).unwrap();
            let mut out = Vec::new();
            indexes.write(&mut out);
            assert_eq!(out, bytes, "{indexes}");
            out.push(0xaa);
            assert_eq!(MessageIndexes::read(&out), Ok((indexes, &[0xaa][..])));
        }
        // The long form of the first message is read as well.
        assert_eq!(MessageIndexes::read(&[0x02, 0x00]), Ok((MessageIndexes::first(), &[][..])));
    }

    #[test]
    fn indexes_that_cannot_be_are_refused() {
        for bytes in [
            &[][..],
            &[0x02],
            &[0x04, 0x00],
            &[0x80],
            &[0x01],
            &[0x02, 0x01],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0xfe, 0xff, 0xff, 0xff, 0x0f],
        ] {
            assert_eq!(MessageIndexes::read(bytes), Err(NotFramed::BadIndexes), "{bytes:?}");
        }
    }

    #[test]
    fn a_record_header_names_an_id_or_a_guid() {
        assert_eq!(read_schema_id_header(&[0, 0, 0, 0, 7]), Ok(HeaderSchema::Id(7)));
        let guid = [7; 16];
        let value: Vec<u8> = [1].into_iter().chain(guid).chain([2, 2]).collect();
        assert_eq!(
            read_schema_id_header(&value),
            Ok(HeaderSchema::Guid(uuid::Uuid::from_bytes(guid), &[2, 2]))
        );
        for cut in 0..17 {
            assert!(read_schema_id_header(&value[..cut]).is_err(), "{cut}");
        }
        assert_eq!(read_schema_id_header(&[0, 0, 0, 0, 7, 1]), Err(NotFramed::BadHeader(6)));
    }

    proptest! {
        #[test]
        fn indexes_survive(indexes in proptest::collection::vec(0..i32::MAX, 1..MAX_INDEXES)) {
            let indexes = MessageIndexes::new(indexes).unwrap();
            let mut out = Vec::new();
            indexes.write(&mut out);
            prop_assert_eq!(MessageIndexes::read(&out), Ok((indexes, &[][..])));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = MessageIndexes::read(&bytes);
            let _ = read_header(&bytes);
            let _ = read_schema_id_header(&bytes);
        }
    }
}

//! Reading primitives off a frame.

use bytes::{Buf, Bytes, BytesMut};

use crate::{Frame, Str, Uuid};

/// Why bytes are not the message they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends before the value does.
    #[error("needs {needed} more bytes but {left} are left")]
    Truncated {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// A length or count that no message can have.
    #[error("impossible length {0}")]
    InvalidLength(i64),
    /// A variable-length integer that does not end in time.
    #[error("a variable-length integer is too long")]
    VarintTooLong,
    /// Text that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// Null where the message must have a value.
    #[error("null where a value is required")]
    UnexpectedNull,
    /// Tagged fields that do not ascend, or whose size is not that of their content.
    #[error("tagged field {0} is out of order, repeated or of the wrong size")]
    InvalidTag(u32),
    /// More bytes than the message has fields for.
    #[error("{0} bytes are left after the message")]
    TrailingBytes(usize),
    /// An API or version that this codec does not know.
    #[error("API key {api_key} version {api_version} is not supported")]
    UnsupportedVersion {
        /// The number of the API.
        api_key: i16,
        /// The version asked for.
        api_version: i16,
    },
}

type Result<T> = std::result::Result<T, DecodeError>;

/// Takes values off the front of a frame.
///
/// Byte strings share the memory of the frame; only a value that spans two of
/// its parts is copied.
#[derive(Debug, Clone)]
pub struct Reader {
    current: Bytes,
    rest: std::vec::IntoIter<Bytes>,
    left: usize,
    flexible: bool,
}

impl Reader {
    /// A reader at the start of `frame`, in the old, inflexible encoding.
    pub fn new(frame: impl Into<Frame>) -> Self {
        let frame = frame.into();
        let left = frame.len();
        let mut rest = frame.into_parts().into_iter();
        Self { current: rest.next().unwrap_or_default(), rest, left, flexible: false }
    }

    /// Switches to compact lengths and tagged fields (KIP-482), or back.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Whether lengths are compact and structures end in tagged fields.
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Bytes that were not read yet.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Fails unless everything was read.
    pub fn finish(&self) -> Result<()> {
        if self.left == 0 { Ok(()) } else { Err(DecodeError::TrailingBytes(self.left)) }
    }

    /// The next `length` bytes, shared with the frame where they lie in one part.
    pub fn take(&mut self, length: usize) -> Result<Bytes> {
        self.check(length)?;
        self.left -= length;
        self.skip_empty_parts();
        if length <= self.current.len() {
            return Ok(self.current.split_to(length));
        }
        let mut gathered = BytesMut::with_capacity(length);
        while gathered.len() < length {
            self.skip_empty_parts();
            let piece = self.current.split_to(self.current.len().min(length - gathered.len()));
            gathered.extend_from_slice(&piece);
        }
        Ok(gathered.freeze())
    }

    fn check(&self, needed: usize) -> Result<()> {
        if needed <= self.left {
            Ok(())
        } else {
            Err(DecodeError::Truncated { needed, left: self.left })
        }
    }

    fn skip_empty_parts(&mut self) {
        while self.current.is_empty() {
            match self.rest.next() {
                Some(part) => self.current = part,
                None => return,
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.check(N)?;
        if let Some(bytes) = self.current.first_chunk::<N>() {
            let bytes = *bytes;
            self.current.advance(N);
            self.left -= N;
            return Ok(bytes);
        }
        let mut bytes = [0; N];
        self.take(N)?.copy_to_slice(&mut bytes);
        Ok(bytes)
    }

    /// One byte, signed.
    pub fn i8(&mut self) -> Result<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    /// Two bytes, signed.
    pub fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// Two bytes, unsigned.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes, signed.
    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Four bytes, unsigned.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self) -> Result<Uuid> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    /// An unsigned variable-length integer of at most five bytes.
    pub fn unsigned_varint(&mut self) -> Result<u32> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            // The fifth byte has room for four bits only.
            if shift == 28 && byte > 0x0f {
                return Err(DecodeError::VarintTooLong);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintTooLong)
    }

    /// The length of something that may be null, checked against what is left.
    /// Short lengths are two bytes wide in the inflexible encoding.
    fn length(&mut self, short: bool) -> Result<Option<usize>> {
        let length = if self.flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else if short {
            i64::from(self.i16()?)
        } else {
            i64::from(self.i32()?)
        };
        match length {
            -1 => Ok(None),
            ..-1 => Err(DecodeError::InvalidLength(length)),
            // What a length counts takes at least one byte each.
            _ => {
                let length =
                    usize::try_from(length).map_err(|_| DecodeError::InvalidLength(length))?;
                self.check(length)?;
                Ok(Some(length))
            }
        }
    }

    /// Text or null.
    pub fn nullable_string(&mut self) -> Result<Option<Str>> {
        match self.length(true)? {
            None => Ok(None),
            Some(length) => {
                Str::from_utf8(self.take(length)?).map(Some).map_err(|_| DecodeError::NotUtf8)
            }
        }
    }

    /// Text in the old form whatever the encoding: the client id of request headers.
    pub fn inflexible_nullable_string(&mut self) -> Result<Option<Str>> {
        let flexible = std::mem::replace(&mut self.flexible, false);
        let text = self.nullable_string();
        self.flexible = flexible;
        text
    }

    /// Bytes or null.
    pub fn nullable_bytes(&mut self) -> Result<Option<Bytes>> {
        match self.length(false)? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// The number of elements of an array that may be null; never more than bytes are left.
    pub fn array_length(&mut self) -> Result<Option<usize>> {
        self.length(false)
    }

    /// Reads the tagged fields that end a structure of the flexible encoding.
    /// `field` reads the value of a tag it knows and answers `true`, or `false` to have it skipped.
    pub fn tagged_fields(
        &mut self,
        mut field: impl FnMut(u32, &mut Self) -> Result<bool>,
    ) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        let count = self.unsigned_varint()?;
        let mut previous = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(DecodeError::InvalidTag(tag));
            }
            previous = Some(tag);
            let size = self.unsigned_varint()? as usize;
            self.check(size)?;
            let end = self.left - size;
            if !field(tag, self)? {
                self.take(size)?;
            }
            if self.left != end {
                return Err(DecodeError::InvalidTag(tag));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_span_the_parts_of_a_frame() {
        let parts = vec![
            Bytes::from_static(b"\x00"),
            Bytes::new(),
            Bytes::from_static(b"\x00\x00\x05he"),
            Bytes::from_static(b"llo!"),
        ];
        let mut reader = Reader::new(parts);
        assert_eq!(reader.nullable_bytes(), Ok(Some(Bytes::from_static(b"hello"))));
        assert_eq!(reader.left(), 1);
        assert_eq!(reader.finish(), Err(DecodeError::TrailingBytes(1)));
        assert_eq!(reader.i8(), Ok(33));
        assert_eq!(reader.i8(), Err(DecodeError::Truncated { needed: 1, left: 0 }));
    }

    #[test]
    fn lengths_are_checked_before_anything_is_reserved() {
        for (case, bytes, expected) in [
            (
                "2^31-1 bytes",
                &b"\x7f\xff\xff\xff"[..],
                DecodeError::Truncated { needed: 0x7fff_ffff, left: 0 },
            ),
            ("-2 bytes", &b"\xff\xff\xff\xfe"[..], DecodeError::InvalidLength(-2)),
        ] {
            assert_eq!(
                Reader::new(Bytes::from_static(bytes)).nullable_bytes(),
                Err(expected.clone()),
                "{case}"
            );
            assert_eq!(
                Reader::new(Bytes::from_static(bytes)).array_length(),
                Err(expected),
                "{case}"
            );
        }
    }

    #[test]
    fn varints_end_after_five_bytes() {
        for (bytes, expected) in [
            (&b"\x00"[..], Ok(0)),
            (&b"\xff\xff\xff\xff\x0f"[..], Ok(u32::MAX)),
            (&b"\xff\xff\xff\xff\x1f"[..], Err(DecodeError::VarintTooLong)),
            (&b"\x80\x80\x80\x80\x80\x00"[..], Err(DecodeError::VarintTooLong)),
            (&b"\x80"[..], Err(DecodeError::Truncated { needed: 1, left: 0 })),
        ] {
            assert_eq!(Reader::new(Bytes::from_static(bytes)).unsigned_varint(), expected);
        }
    }

    #[test]
    fn tags_must_ascend_and_fill_their_size() {
        let read = |bytes: &'static [u8]| {
            let mut reader = Reader::new(Bytes::from_static(bytes));
            reader.set_flexible(true);
            reader.tagged_fields(|tag, reader| Ok(tag == 0 && reader.i8().is_ok()))
        };
        assert_eq!(read(b"\x02\x00\x01\x07\x05\x02\x00\x00"), Ok(()));
        assert_eq!(read(b"\x02\x05\x00\x05\x00"), Err(DecodeError::InvalidTag(5)));
        assert_eq!(read(b"\x01\x00\x02\x07\x07"), Err(DecodeError::InvalidTag(0)));
        assert_eq!(read(b"\x01\x09\x7f"), Err(DecodeError::Truncated { needed: 127, left: 0 }));
    }
}

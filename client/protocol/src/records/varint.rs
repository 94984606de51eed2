//! Variable-length integers of records: zigzag, seven bits a byte.

use super::RecordError;

/// Takes values off the front of borrowed bytes; nothing here can panic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, RecordError> {
        let (&first, rest) = self.rest.split_first().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A signed integer of at most five bytes.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i32, RecordError> {
        let first = self.byte()?;
        let raw = if first < 0x80 { u32::from(first) } else { self.long_varint(first)? };
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    fn long_varint(&mut self, first: u8) -> Result<u32, RecordError> {
        let mut raw = u32::from(first & 0x7f);
        for shift in [7, 14, 21] {
            let byte = self.byte()?;
            raw |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(raw);
            }
        }
        match self.byte()? {
            byte @ 0..=0x0f => Ok(raw | u32::from(byte) << 28),
            _ => Err(TOO_LONG),
        }
    }

    /// A signed integer of at most ten bytes.
    #[inline]
    pub(super) fn varlong(&mut self) -> Result<i64, RecordError> {
        let first = self.byte()?;
        let raw = if first < 0x80 { u64::from(first) } else { self.long_varlong(first)? };
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    fn long_varlong(&mut self, first: u8) -> Result<u64, RecordError> {
        let mut raw = u64::from(first & 0x7f);
        for shift in [7, 14, 21, 28, 35, 42, 49, 56] {
            let byte = self.byte()?;
            raw |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(raw);
            }
        }
        match self.byte()? {
            byte @ 0..=1 => Ok(raw | u64::from(byte) << 63),
            _ => Err(TOO_LONG),
        }
    }

    /// A length, and as many bytes; -1 is null.
    #[inline]
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordError> {
        match self.varint()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| NEGATIVE_LENGTH)?;
                self.take(length).map(Some)
            }
        }
    }

    /// A length that cannot be null, and as many bytes.
    #[inline]
    pub(super) fn sized(&mut self) -> Result<&'a [u8], RecordError> {
        let length = usize::try_from(self.varint()?).map_err(|_| NEGATIVE_LENGTH)?;
        self.take(length)
    }
}

pub(super) const NEGATIVE_LENGTH: RecordError = RecordError::Invalid("a length is negative");
const ENDS_EARLY: RecordError = RecordError::Invalid("records end inside a record");
const TOO_LONG: RecordError = RecordError::Invalid("a variable-length integer is too long");

/// Variable-length integers gathered for one copy into a buffer.
#[derive(Debug)]
pub(super) struct Prefix {
    bytes: [u8; super::MAX_RECORD_PREFIX],
    length: usize,
}

impl Prefix {
    pub(super) fn new() -> Self {
        Self { bytes: [0; super::MAX_RECORD_PREFIX], length: 0 }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
    }

    #[inline]
    pub(super) fn varint(&mut self, value: i32) {
        self.unsigned(u64::from(zigzag(value)));
    }

    #[inline]
    pub(super) fn varlong(&mut self, value: i64) {
        self.unsigned(zigzag_long(value));
    }

    #[inline]
    fn unsigned(&mut self, mut raw: u64) {
        while raw >= 0x80 {
            self.byte(raw as u8 | 0x80);
            raw >>= 7;
        }
        self.byte(raw as u8);
    }
}

/// Appends a signed integer of at most five bytes.
#[inline]
pub(super) fn put_varint(buffer: &mut Vec<u8>, value: i32) {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        buffer.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    buffer.push(raw as u8);
}

/// Bytes that [`put_varint`] appends.
#[inline]
pub(super) fn varint_size(value: i32) -> usize {
    let bits = 32 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Bytes of a signed integer of at most ten bytes.
#[inline]
pub(super) fn varlong_size(value: i64) -> usize {
    let bits = 64 - (zigzag_long(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline]
fn zigzag(value: i32) -> u32 {
    (value << 1 ^ value >> 31) as u32
}

#[inline]
fn zigzag_long(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_at_the_edges_take_the_bytes_that_kafka_gives_them() {
        for (value, expected) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut buffer = Vec::new();
            put_varint(&mut buffer, value);
            assert_eq!(buffer, expected, "{value}");
        }
    }

    #[test]
    fn a_number_that_does_not_end_in_time_is_an_error() {
        for (case, bytes) in [
            ("a sixth byte", &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00][..]),
            ("bits beyond the 32nd", &[0xff, 0xff, 0xff, 0xff, 0x10]),
        ] {
            assert_eq!(Cursor::new(bytes).varint(), Err(TOO_LONG), "{case}");
        }
        for (case, last) in [("an eleventh byte", 0x80), ("bits beyond the 64th", 0x02)] {
            let mut bytes = [0x80; 11];
            bytes[9] = last;
            assert_eq!(Cursor::new(&bytes).varlong(), Err(TOO_LONG), "{case}");
        }
    }

    proptest! {
        #[test]
        fn every_number_survives(value: i32, long: i64) {
            let mut buffer = Vec::new();
            put_varint(&mut buffer, value);
            prop_assert_eq!(buffer.len(), varint_size(value));
            let mut prefix = Prefix::new();
            prefix.varint(value);
            prop_assert_eq!(prefix.as_slice(), &buffer[..]);
            prop_assert_eq!(Cursor::new(&buffer).varint(), Ok(value));

            let mut prefix = Prefix::new();
            prefix.varlong(long);
            prop_assert_eq!(prefix.as_slice().len(), varlong_size(long));
            prop_assert_eq!(Cursor::new(prefix.as_slice()).varlong(), Ok(long));
        }
    }
}

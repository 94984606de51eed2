//! Writing primitives into a frame.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Frame, FramePart, Str, Uuid};

/// A record set as a field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// The batches themselves. Decoding always gives these.
    Bytes(Bytes),
    /// So many bytes that the encoder's caller puts in place: see [`FramePart::Deferred`].
    Deferred(usize),
}

impl Records {
    /// Length of the record set in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Deferred(length) => *length,
        }
    }

    /// Whether there is no batch in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes; empty for a deferred set, which decoding never gives.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Deferred(_) => Bytes::new(),
        }
    }
}

/// A record set below this length is copied into the part around it: a part of
/// its own costs more than so small a copy.
const INLINE_RECORDS: usize = 256;

/// Puts values at the end of a frame.
#[derive(Debug, Default)]
pub struct Writer {
    parts: Vec<FramePart>,
    tail: BytesMut,
    flexible: bool,
}

impl Writer {
    /// An empty frame in the old, inflexible encoding.
    pub fn new() -> Self {
        Self::default()
    }

    /// Switches to compact lengths and tagged fields (KIP-482), or back.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Whether lengths are compact and structures end in tagged fields.
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// The encoded parts, deferred record sets among them.
    pub fn into_parts(mut self) -> Vec<FramePart> {
        self.close_part();
        self.parts
    }

    /// The frame. A deferred record set has no bytes to put there: use [`Writer::into_parts`].
    pub fn into_frame(self) -> Frame {
        let parts = self.into_parts().into_iter().filter_map(|part| match part {
            FramePart::Bytes(bytes) => Some(bytes),
            FramePart::Deferred(_) => None,
        });
        Frame::from(parts.collect::<Vec<_>>())
    }

    fn close_part(&mut self) {
        if !self.tail.is_empty() {
            self.parts.push(FramePart::Bytes(self.tail.split().freeze()));
        }
    }

    /// Bytes as they are, without a length.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// One byte, signed.
    pub fn put_i8(&mut self, value: i8) {
        self.tail.put_i8(value);
    }

    /// Two bytes, signed.
    pub fn put_i16(&mut self, value: i16) {
        self.tail.put_i16(value);
    }

    /// Two bytes, unsigned.
    pub fn put_u16(&mut self, value: u16) {
        self.tail.put_u16(value);
    }

    /// Four bytes, signed.
    pub fn put_i32(&mut self, value: i32) {
        self.tail.put_i32(value);
    }

    /// Four bytes, unsigned.
    pub fn put_u32(&mut self, value: u32) {
        self.tail.put_u32(value);
    }

    /// Eight bytes, signed.
    pub fn put_i64(&mut self, value: i64) {
        self.tail.put_i64(value);
    }

    /// Sixteen bytes.
    pub fn put_uuid(&mut self, value: &Uuid) {
        self.tail.put_slice(value.as_bytes());
    }

    /// An unsigned variable-length integer.
    pub fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.tail.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.tail.put_u8(value as u8);
    }

    fn put_length(&mut self, length: Option<usize>, short: bool) {
        if self.flexible {
            self.put_unsigned_varint(length.map_or(0, |length| length as u32 + 1));
        } else if short {
            self.put_i16(length.map_or(-1, |length| length as i16));
        } else {
            self.put_i32(length.map_or(-1, |length| length as i32));
        }
    }

    /// Text or null. The old encoding has room for 32,767 bytes: longer text is
    /// cut there, at the end of a character.
    pub fn put_nullable_string(&mut self, text: Option<&str>) {
        let text = match text {
            Some(text) if !self.flexible && text.len() > i16::MAX as usize => {
                Some(&text[..text.floor_char_boundary(i16::MAX as usize)])
            }
            text => text,
        };
        self.put_length(text.map(str::len), true);
        self.put_slice(text.unwrap_or_default().as_bytes());
    }

    /// Text in the old form whatever the encoding: the client id of request headers.
    pub fn put_inflexible_nullable_string(&mut self, text: Option<&Str>) {
        let flexible = std::mem::replace(&mut self.flexible, false);
        self.put_nullable_string(text.map(Str::as_str));
        self.flexible = flexible;
    }

    /// Bytes or null.
    pub fn put_nullable_bytes(&mut self, bytes: Option<&[u8]>) {
        self.put_length(bytes.map(<[u8]>::len), false);
        self.put_slice(bytes.unwrap_or_default());
    }

    /// A record set or null; larger ones become parts of their own.
    pub fn put_records(&mut self, records: Option<&Records>) {
        self.put_length(records.map(Records::len), false);
        match records {
            Some(Records::Bytes(bytes)) if bytes.len() < INLINE_RECORDS => self.put_slice(bytes),
            Some(Records::Bytes(bytes)) => {
                self.close_part();
                self.parts.push(FramePart::Bytes(bytes.clone()));
            }
            Some(Records::Deferred(length)) if *length > 0 => {
                self.close_part();
                self.parts.push(FramePart::Deferred(*length));
            }
            Some(Records::Deferred(_)) | None => {}
        }
    }

    /// The number of elements of an array, or null.
    pub fn put_array_length(&mut self, length: Option<usize>) {
        self.put_length(length, false);
    }

    /// The value of a tagged field: its tag, its size and what `write` puts.
    pub fn put_tagged_field(&mut self, tag: u32, write: impl FnOnce(&mut Self)) {
        let mut value = Self { flexible: self.flexible, ..Self::default() };
        write(&mut value);
        let value = value.into_frame().into_bytes();
        self.put_unsigned_varint(tag);
        self.put_unsigned_varint(value.len() as u32);
        self.put_slice(&value);
    }
}

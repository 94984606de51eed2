//! One message of the wire as a row of byte strings.

use bytes::{Bytes, BytesMut};

/// One request or response without its four-byte size prefix.
///
/// A frame that was read from a socket has one part. A frame that was encoded
/// here has more: record sets are parts of their own, so that they are handed
/// over, or written with one vectored write, without being copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    parts: Vec<Bytes>,
}

/// A piece of an encoded response whose record sets may lie in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FramePart {
    /// Encoded bytes.
    Bytes(Bytes),
    /// So many bytes that the encoder was promised with
    /// [`Records::Deferred`](crate::Records::Deferred), in the order of the promises.
    Deferred(usize),
}

impl Frame {
    /// Length of the message in bytes: the number that the size prefix carries.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether the frame holds no byte at all.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Bytes::is_empty)
    }

    /// The byte strings that together make up the message.
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    /// Gives the parts away.
    pub fn into_parts(self) -> Vec<Bytes> {
        self.parts
    }

    /// The message as one byte string; copies only when there is more than one part.
    pub fn into_bytes(mut self) -> Bytes {
        if self.parts.len() <= 1 {
            return self.parts.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for part in &self.parts {
            whole.extend_from_slice(part);
        }
        whole.freeze()
    }
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        Self { parts: vec![bytes] }
    }
}

impl From<Vec<Bytes>> for Frame {
    fn from(parts: Vec<Bytes>) -> Self {
        Self { parts }
    }
}

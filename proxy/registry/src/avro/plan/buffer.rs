//! Where data is written: a buffer of the caller's, behind what it holds.

use bytes::BytesMut;

/// A growing buffer: `Vec<u8>` or [`BytesMut`].
pub trait Buffer: sealed::Sealed {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, byte: u8);

    fn extend(&mut self, bytes: &[u8]);

    fn truncate(&mut self, len: usize);

    fn bytes_mut(&mut self) -> &mut [u8];
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for Vec<u8> {}
    impl Sealed for bytes::BytesMut {}
}

impl Buffer for Vec<u8> {
    fn len(&self) -> usize {
        self.len()
    }

    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn truncate(&mut self, len: usize) {
        self.truncate(len);
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Buffer for BytesMut {
    fn len(&self) -> usize {
        self.len()
    }

    fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn truncate(&mut self, len: usize) {
        self.truncate(len);
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

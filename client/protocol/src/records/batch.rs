//! One whole record batch, and record sets cut into batches.

use bytes::Bytes;

use super::edit::checksum;
use super::{BatchHeader, Compression, HEADER_SIZE, RecordError};

/// One whole record batch: its length is that of its bytes and its message
/// format is 2. Everything else is as its sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// Takes the first batch off a record set; `None` when the set is empty.
    ///
    /// # Errors
    /// [`Truncated`](RecordError::Truncated) if the set ends inside the batch,
    /// and whatever [`BatchHeader::parse`] finds. The set is left as it was.
    pub fn split_first(set: &mut Bytes) -> Result<Option<Self>, RecordError> {
        if set.is_empty() {
            return Ok(None);
        }
        let header = BatchHeader::parse(set)?;
        let size = header.size_in_bytes();
        if set.len() < size {
            return Err(RecordError::Truncated { needed: size, available: set.len() });
        }
        Ok(Some(Self { header, bytes: set.split_to(size) }))
    }

    /// The one batch that `bytes` are.
    ///
    /// # Errors
    /// As [`split_first`](Self::split_first); also if bytes are missing or left over.
    pub fn from_bytes(mut bytes: Bytes) -> Result<Self, RecordError> {
        let batch = Self::split_first(&mut bytes)?
            .ok_or(RecordError::Truncated { needed: HEADER_SIZE, available: 0 })?;
        if bytes.is_empty() {
            Ok(batch)
        } else {
            Err(RecordError::Invalid("bytes follow the record batch"))
        }
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes, header included.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// All bytes, header included.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Checks that the bytes are those that the sender wrote.
    ///
    /// # Errors
    /// [`CrcMismatch`](RecordError::CrcMismatch).
    pub fn verify_crc(&self) -> Result<(), RecordError> {
        let computed = checksum(&self.bytes);
        if computed == self.header.crc {
            return Ok(());
        }
        Err(RecordError::CrcMismatch { stored: self.header.crc, computed })
    }

    /// The records, decompressed to at most `limit` bytes. Records that are not
    /// compressed are neither copied nor limited.
    ///
    /// # Errors
    /// [`TooLarge`](RecordError::TooLarge) over the limit,
    /// [`UnsupportedCompression`](RecordError::UnsupportedCompression),
    /// [`Undecompressable`](RecordError::Undecompressable).
    pub fn record_section(&self, limit: usize) -> Result<Bytes, RecordError> {
        let section = self.bytes.slice(HEADER_SIZE..);
        match self.header.attributes.compression()? {
            Compression::None => Ok(section),
            compression => compression.decompress(&section, limit).map(Bytes::from),
        }
    }

    /// The same records in another codec, for topics that name one. A batch
    /// that is in that codec already is returned as it is.
    ///
    /// # Errors
    /// As [`record_section`](Self::record_section).
    pub fn recompress(
        &self,
        compression: Compression,
        level: Option<i32>,
        limit: usize,
    ) -> Result<Self, RecordError> {
        if self.header.attributes.compression()? == compression {
            return Ok(self.clone());
        }
        let section = self.record_section(limit)?;
        let mut bytes = Vec::with_capacity(HEADER_SIZE + section.len() / 2);
        bytes.resize(HEADER_SIZE, 0);
        compression.compress_into(&section, level, &mut bytes);
        let mut header = self.header;
        header.attributes = header.attributes.with_compression(compression);
        super::edit::seal(&mut bytes, &mut header);
        Ok(Self { header, bytes: Bytes::from(bytes) })
    }
}

/// Cuts a record set into its batches.
///
/// Stops at a batch that is cut off at the end: a broker may end a Fetch answer
/// anywhere. Stops after the first error.
pub fn batches(set: Bytes) -> Batches {
    Batches { set }
}

/// What [`batches`] returns.
#[derive(Debug, Clone)]
pub struct Batches {
    set: Bytes,
}

impl Iterator for Batches {
    type Item = Result<Batch, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        match Batch::split_first(&mut self.set) {
            Ok(batch) => batch.map(Ok),
            Err(error) => {
                self.set.clear();
                if matches!(error, RecordError::Truncated { .. }) { None } else { Some(Err(error)) }
            }
        }
    }
}

impl std::iter::FusedIterator for Batches {}

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

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, RecordIter};
    use super::*;

    fn batch(values: &[&[u8]]) -> Bytes {
        let mut builder = BatchBuilder::new(Compression::None);
        for value in values {
            builder.append(1_000, None, Some(value), &[]);
        }
        builder.build()
    }

    fn values(batch: &Batch) -> Vec<Vec<u8>> {
        let section = batch.record_section(1 << 20).unwrap();
        let records = RecordIter::new(batch.header(), &section);
        records.map(|record| record.unwrap().value.unwrap().to_vec()).collect()
    }

    #[test]
    fn a_record_set_is_cut_into_its_batches_without_copying() {
        let set = Bytes::from([batch(&[b"a", b"b"]), batch(&[b"c"])].concat());
        let found: Vec<Batch> = batches(set.clone()).collect::<Result<_, _>>().unwrap();
        assert_eq!(
            found.iter().map(values).collect::<Vec<_>>(),
            [vec![b"a".to_vec(), b"b".to_vec()], vec![b"c".to_vec()]]
        );
        assert_eq!(found[0].bytes().as_ptr(), set.as_ptr());
    }

    #[test]
    fn a_batch_cut_off_at_the_end_is_passed_over() {
        let first = batch(&[b"whole"]);
        let set = Bytes::from([first.clone(), batch(&[b"cut off"])].concat());
        for end in first.len()..set.len() {
            let found: Vec<_> = batches(set.slice(..end)).collect();
            assert_eq!(found.len(), 1, "cut at {end}");
        }
        for end in 1..first.len() {
            let mut set = first.slice(..end);
            let error = Batch::split_first(&mut set).unwrap_err();
            assert!(matches!(error, RecordError::Truncated { available, .. } if available == end));
            assert_eq!(set.len(), end, "the set is left as it was");
        }
    }

    #[test]
    fn an_old_message_format_ends_the_walk() {
        let mut old = batch(&[b"x"]).to_vec();
        old[16] = 1;
        let set = Bytes::from([batch(&[b"a"]).to_vec(), old, batch(&[b"b"]).to_vec()].concat());
        let found: Vec<_> = batches(set).map(|batch| batch.map(|_| ())).collect();
        assert_eq!(found, [Ok(()), Err(RecordError::UnsupportedMagic(1))]);
    }

    #[test]
    fn one_batch_means_exactly_one() {
        let bytes = batch(&[b"x"]);
        assert_eq!(Batch::from_bytes(bytes.clone()).unwrap().into_bytes(), bytes);
        assert!(Batch::from_bytes(Bytes::new()).unwrap_err().is_corrupt());
        let two = Bytes::from([bytes.clone(), bytes].concat());
        assert_eq!(
            Batch::from_bytes(two),
            Err(RecordError::Invalid("bytes follow the record batch"))
        );
    }

    #[test]
    fn a_flipped_bit_is_found_unless_the_crc_does_not_cover_it() {
        let good = batch(&[b"some value"]);
        for at in 0..good.len() {
            let mut bytes = good.to_vec();
            bytes[at] ^= 0x20;
            let Ok(batch) = Batch::from_bytes(Bytes::from(bytes)) else { continue };
            let is_covered = !(0..8).contains(&at) && !(12..16).contains(&at);
            assert_eq!(batch.verify_crc().is_err(), is_covered, "byte {at}");
        }
    }

    #[test]
    fn recompressing_changes_nothing_but_the_codec() {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        builder.set_producer(7, 1, 40);
        builder.append(1_000, None, Some(&[b'x'; 1_000]), &[]);
        builder.append(2_000, Some(b"key"), Some(b"value"), &[("name", None)]);
        let original = Batch::from_bytes(builder.build()).unwrap();
        for compression in Compression::ALL {
            let batch = original.recompress(compression, None, 1 << 20).unwrap();
            batch.verify_crc().unwrap();
            assert_eq!(Batch::from_bytes(batch.bytes().clone()).as_ref(), Ok(&batch));
            let mut header = *batch.header();
            assert_eq!(header.attributes.compression(), Ok(compression));
            header.attributes = original.header().attributes;
            header.batch_length = original.header().batch_length;
            header.crc = original.header().crc;
            assert_eq!(&header, original.header());
            assert_eq!(batch.record_section(1 << 20), original.record_section(1 << 20));
        }
    }
}

//! The batches of a `.log` file, whatever state it is in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protocol::records::{Batch, BatchHeader, HEADER_SIZE, RecordError};

use super::super::file::{Disk, LogFile};
use super::super::segment::Window;

/// No batch larger than this is read. Kafka's `max.message.bytes` allows more, but no client sends it.
const MAX_BATCH_BYTES: usize = 256 * 1024 * 1024;

/// Why the batches of a file end before the file does.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The system refuses.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No batch begins where one must.
    #[error("no batch begins at position {position}: {reason}")]
    Damaged {
        /// Where in the file.
        position: u64,
        /// What is there instead.
        reason: RecordError,
    },
    /// The batch is larger than any that is read.
    #[error(
        "the batch at position {position} has {size} bytes, more than the {MAX_BATCH_BYTES} that are read"
    )]
    TooLarge {
        /// Where in the file.
        position: u64,
        /// Its bytes, as it says.
        size: usize,
    },
}

/// A batch and where it begins in its file. Its checksum is not checked.
#[derive(Debug, Clone)]
pub struct FoundBatch {
    /// Bytes of the file before it.
    pub position: u64,
    /// The batch.
    pub batch: Batch,
}

/// Walks the batches of a file; what is left behind the last whole one is told
/// by [`Batches::left`].
#[derive(Debug)]
pub struct Batches {
    path: PathBuf,
    file: Arc<dyn LogFile>,
    size: u64,
    position: u64,
    window: Vec<u8>,
    window_start: u64,
    is_over: bool,
}

impl Batches {
    /// Opens a file for reading, of which at most `max_bytes` count.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, SegmentError> {
        let failed = |source| SegmentError::Io { path: path.to_owned(), source };
        let file = Disk::open_read_only(path).map_err(failed)?;
        let size = file.len().map_err(failed)?.min(max_bytes);
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            position: 0,
            window: Vec::new(),
            window_start: 0,
            is_over: false,
        })
    }

    /// As [`Batches::open`], but begins at a batch that something points to.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open_at(path: &Path, position: u64, max_bytes: u64) -> Result<Self, SegmentError> {
        let end = position.saturating_add(max_bytes);
        let batches = Self::open(path, end)?;
        Ok(Self { position: position.min(batches.size), ..batches })
    }

    /// Bytes behind the batches that were given so far.
    pub fn left(&self) -> u64 {
        self.size - self.position
    }

    fn next_batch(&mut self) -> Result<Option<FoundBatch>, SegmentError> {
        let position = self.position;
        let failed = |source| SegmentError::Io { path: self.path.clone(), source };
        let mut window = Window {
            file: &*self.file,
            size: self.size,
            start: self.window_start,
            bytes: std::mem::take(&mut self.window),
        };
        let header = BatchHeader::parse(window.at(position, HEADER_SIZE).map_err(failed)?);
        let header = match header {
            Ok(header) => header,
            // The file ends inside a header, as after a torn write.
            Err(RecordError::Truncated { .. }) => return Ok(None),
            Err(reason) => return Err(SegmentError::Damaged { position, reason }),
        };
        let size = header.size_in_bytes();
        if size as u64 > self.size - position {
            return Ok(None);
        }
        if size > MAX_BATCH_BYTES {
            return Err(SegmentError::TooLarge { position, size });
        }
        let bytes = window.at(position, size).map_err(failed)?;
        let bytes = Bytes::copy_from_slice(bytes.get(..size).unwrap_or_default());
        let batch = Batch::from_bytes(bytes);
        (self.window, self.window_start) = (window.bytes, window.start);
        let batch = batch.map_err(|reason| SegmentError::Damaged { position, reason })?;
        self.position += size as u64;
        Ok(Some(FoundBatch { position, batch }))
    }
}

impl Iterator for Batches {
    type Item = Result<FoundBatch, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over || self.position >= self.size {
            return None;
        }
        let next = self.next_batch().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The offset that a file of a segment is named after.
pub fn base_offset_of(path: &Path) -> Option<i64> {
    path.file_name()?.to_str()?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use protocol::records::{BatchBuilder, Compression};

    use super::*;

    fn batch(value: &[u8]) -> Bytes {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(1_000, None, Some(value), &[]);
        builder.build()
    }

    fn walk(bytes: &[u8]) -> (usize, u64, Option<SegmentError>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("00000000000000000000.log");
        std::fs::write(&path, bytes).unwrap();
        let mut batches = Batches::open(&path, u64::MAX).unwrap();
        let (mut count, mut failed) = (0, None);
        for batch in batches.by_ref() {
            match batch {
                Ok(_) => count += 1,
                Err(error) => failed = Some(error),
            }
        }
        (count, batches.left(), failed)
    }

    #[test]
    fn the_walk_ends_where_the_batches_do() {
        let large = batch(&vec![b'x'; 3 << 20]);
        let (one, other) = (batch(b"one"), batch(b"other"));
        let whole = [one.clone(), large, other.clone()].concat();
        assert!(matches!(walk(&whole), (3, 0, None)));
        for cut in 1..other.len() {
            let (count, left, failed) = walk(&whole[..whole.len() - cut]);
            assert_eq!((count, left), (2, (other.len() - cut) as u64), "cut {cut}: {failed:?}");
            assert!(failed.is_none());
        }
        let mut nonsense = whole.clone();
        nonsense.extend_from_slice(&[0; 100]);
        let (count, left, failed) = walk(&nonsense);
        assert_eq!((count, left), (3, 100));
        assert!(matches!(failed, Some(SegmentError::Damaged { .. })), "{failed:?}");
    }

    #[test]
    fn a_length_that_cannot_be_decides_no_allocation() {
        let mut bytes = batch(b"one").to_vec();
        bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(matches!(walk(&bytes), (0, _, None)));
        let path = tempfile::tempdir().unwrap().keep().join("0.log");
        std::fs::write(&path, &bytes).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(i64::from(i32::MAX) as u64 + 100).unwrap();
        let first = Batches::open(&path, u64::MAX).unwrap().next();
        assert!(matches!(first, Some(Err(SegmentError::TooLarge { .. }))), "{first:?}");
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}

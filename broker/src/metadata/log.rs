//! The file that keeps the metadata.
//!
//! A header of eight bytes with magic and version, then records: length (4
//! bytes, big-endian), CRC-32C of what follows (4 bytes), the record. Changes
//! that belong together are one write; each write is synced before the next, so
//! only the last one can be torn by a crash. When the file holds much more than
//! the metadata needs, it is replaced by its shortest form at start.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::image::MetadataImage;
use super::record::{MetadataRecord, RecordError};
use crate::durable;
use crate::log::{FileSystem, LogFile};

pub(super) const FILE_NAME: &str = "cluster-metadata";
const MAGIC: &[u8; 6] = b"ottlam";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 8;
/// Length and checksum before each record.
const PREFIX_BYTES: usize = 8;
/// A file below this size is never worth replacing.
const COMPACT_BYTES: usize = 64 * 1024;

/// Why metadata cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The system refuses.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not one of ours.
    #[error("{} is not a metadata log", .0.display())]
    Foreign(PathBuf),
    /// The file has a format of the future.
    #[error("{} has format {version}, and this program knows formats up to {VERSION}: it was written by a newer version", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u16,
    },
    /// A record in the middle of the file is damaged.
    #[error("{} is damaged at byte {position}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged record begins.
        position: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An earlier write failed, and what is in the file is unknown.
    #[error("{} could not be synced before, so nothing more is written to it", .0.display())]
    Offline(PathBuf),
}

/// The metadata log, open for appending.
#[derive(Debug)]
pub(crate) struct MetadataLog {
    path: PathBuf,
    file: Arc<dyn LogFile>,
    /// Bytes of whole records, header included.
    size: u64,
    /// A sync failed: nobody knows what of the file is on disk.
    is_offline: bool,
}

impl MetadataLog {
    /// Opens the log in `directory`, or makes one, and reads it to its end.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// When the file is damaged, foreign or of a newer version. It is left as it is then.
    pub(crate) fn open(
        files: &dyn FileSystem,
        directory: &Path,
    ) -> Result<(Self, MetadataImage), MetadataError> {
        let path = directory.join(FILE_NAME);
        let bytes = match read(files, &path)? {
            Some(bytes) => bytes,
            None => {
                replace(files, &path, &MetadataImage::default())?;
                read(files, &path)?.unwrap_or_default()
            }
        };
        let (image, valid) = replay(&path, bytes.clone())?;
        if valid < bytes.len() {
            let cut = bytes.len() - valid;
            tracing::warn!(path = %path.display(), cut, "a change of the metadata was not finished before the last stop and is cut off");
        }
        if valid < bytes.len() || (valid > COMPACT_BYTES && valid > 2 * encode(&image).len()) {
            replace(files, &path, &image)?;
        }
        let file = files.open(&path, false).map_err(|source| io_error("open", &path, source))?;
        // A process that was killed may have left the last change in memory only, and
        // the next one must not get to disk before it.
        file.sync().map_err(|source| io_error("sync", &path, source))?;
        let size = file.len().map_err(|source| io_error("look at", &path, source))?;
        Ok((Self { path, file, size, is_offline: false }, image))
    }

    /// Reads the log in `directory` and leaves it as it is. Says also how many bytes
    /// at its end are no whole record; `None` when there is no log.
    ///
    /// # Errors
    /// As [`MetadataLog::open`].
    pub(crate) fn look(
        files: &dyn FileSystem,
        directory: &Path,
    ) -> Result<Option<(MetadataImage, usize)>, MetadataError> {
        let path = directory.join(FILE_NAME);
        let Some(bytes) = read(files, &path)? else { return Ok(None) };
        let size = bytes.len();
        let (image, valid) = replay(&path, bytes)?;
        Ok(Some((image, size - valid)))
    }

    /// Writes and syncs the records, all or none as far as a later start can tell.
    pub(crate) fn append(&mut self, records: &[MetadataRecord]) -> Result<(), MetadataError> {
        if self.is_offline {
            return Err(MetadataError::Offline(self.path.clone()));
        }
        let mut bytes = BytesMut::new();
        records.iter().for_each(|record| put(&mut bytes, record));
        if let Err(source) = self.file.write_at(&mut [IoSlice::new(&bytes)], self.size) {
            // A full disk: what was written of it must not come before the next change.
            self.is_offline = self.file.set_len(self.size).is_err();
            return Err(io_error("write", &self.path, source));
        }
        self.size += bytes.len() as u64;
        self.file.sync().map_err(|source| {
            self.is_offline = true;
            io_error("sync", &self.path, source)
        })
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> MetadataError {
    MetadataError::Io { action, path: path.to_owned(), source }
}

fn read(files: &dyn FileSystem, path: &Path) -> Result<Option<Bytes>, MetadataError> {
    files.read(path).map_err(|source| io_error("read", path, source))
}

fn replace(
    files: &dyn FileSystem,
    path: &Path,
    image: &MetadataImage,
) -> Result<(), MetadataError> {
    durable::replace(files, path, &encode(image))
        .map_err(|source| io_error("replace", path, source))
}

fn encode(image: &MetadataImage) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_slice(MAGIC);
    bytes.put_u16(VERSION);
    image.to_records().iter().for_each(|record| put(&mut bytes, record));
    bytes
}

fn put(bytes: &mut BytesMut, record: &MetadataRecord) {
    let record = record.encode();
    bytes.put_u32(record.len() as u32);
    bytes.put_u32(crc32c::crc32c(&record));
    bytes.put_slice(&record);
}

/// What the records add up to, and how many bytes of the file are whole.
fn replay(path: &Path, mut bytes: Bytes) -> Result<(MetadataImage, usize), MetadataError> {
    let size = bytes.len();
    if size < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        return Err(MetadataError::Foreign(path.to_owned()));
    }
    bytes.advance(MAGIC.len());
    let version = bytes.get_u16();
    if version != VERSION {
        return Err(MetadataError::NewerFormat { path: path.to_owned(), version });
    }
    let mut image = MetadataImage::default();
    while !bytes.is_empty() {
        let position = size - bytes.len();
        let Some(record) = split_record(&mut bytes) else {
            return Ok((image, position));
        };
        let record = record.and_then(|record| {
            MetadataRecord::decode(record).map_err(|error: RecordError| error.to_string())
        });
        match record {
            Ok(record) => image.apply(&record),
            Err(reason) => {
                return Err(MetadataError::Damaged { path: path.to_owned(), position, reason });
            }
        }
    }
    Ok((image, size))
}

/// The next record; `None` for the torn end of the file.
fn split_record(bytes: &mut Bytes) -> Option<Result<Bytes, String>> {
    if bytes.len() < PREFIX_BYTES {
        return None;
    }
    let (length, crc) = (bytes.get_u32() as usize, bytes.get_u32());
    if length > bytes.len() {
        return None;
    }
    let record = bytes.split_to(length);
    // No record is empty; zeros would pass for one.
    if length > 0 && crc32c::crc32c(&record) == crc {
        return Some(Ok(record));
    }
    // Zeros or old bytes at the end of a write that never came to its end; in
    // front of other records it was once whole.
    bytes.iter().any(|byte| *byte != 0).then(|| Err("its checksum is wrong".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::record::samples;
    use super::*;
    use crate::log::Disk;

    fn written(directory: &Path) -> (MetadataImage, Vec<u8>) {
        let (mut log, mut image) = MetadataLog::open(&Disk, directory).unwrap();
        for record in samples().iter().take(5) {
            log.append(std::slice::from_ref(record)).unwrap();
            image.apply(record);
        }
        (image, std::fs::read(directory.join(FILE_NAME)).unwrap())
    }

    #[test]
    fn what_was_appended_is_there_after_opening_again() {
        let directory = tempfile::tempdir().unwrap();
        let (image, _) = written(directory.path());
        assert_eq!(MetadataLog::open(&Disk, directory.path()).unwrap().1, image);
    }

    #[test]
    fn any_cut_of_the_file_reads_as_the_changes_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let (image, bytes) = written(directory.path());
        for length in HEADER_BYTES..bytes.len() {
            std::fs::write(directory.path().join(FILE_NAME), &bytes[..length]).unwrap();
            let (mut log, cut) = MetadataLog::open(&Disk, directory.path()).unwrap();
            assert_ne!(cut, image);
            log.append(&[MetadataRecord::ProducerIds { next: 5000 }]).unwrap();
            let (_, again) = MetadataLog::open(&Disk, directory.path()).unwrap();
            assert_eq!(again.next_producer_id, 5000, "after a cut at {length}");
        }
    }

    #[test]
    fn damage_is_named_and_nothing_is_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let (_, bytes) = written(directory.path());
        let path = directory.path().join(FILE_NAME);
        let mut flipped = bytes.clone();
        flipped[HEADER_BYTES + PREFIX_BYTES + 1] ^= 1;
        let mut newer = bytes.clone();
        newer[7] = 9;
        for (case, bytes, expected) in [
            ("a flipped bit", flipped, "is damaged at byte 8: its checksum is wrong"),
            ("a newer format", newer, "has format 9, and this program knows formats up to 1"),
            ("another file", b"something else".to_vec(), "is not a metadata log"),
            ("half a header", bytes[..5].to_vec(), "is not a metadata log"),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            let error = MetadataLog::open(&Disk, directory.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{case}: {error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "{case}");
        }
    }

    #[test]
    fn a_log_of_much_history_is_shortened_at_start() {
        let directory = tempfile::tempdir().unwrap();
        let (mut log, _) = MetadataLog::open(&Disk, directory.path()).unwrap();
        for next in 0..600 {
            let records: Vec<_> = (0..10)
                .map(|step| MetadataRecord::ProducerIds { next: next * 10 + step })
                .collect();
            log.append(&records).unwrap();
        }
        let size = || std::fs::metadata(directory.path().join(FILE_NAME)).unwrap().len();
        let before = size();
        let (_, image) = MetadataLog::open(&Disk, directory.path()).unwrap();
        assert!(size() < before / 10);
        assert_eq!(MetadataLog::open(&Disk, directory.path()).unwrap().1, image);
    }
}

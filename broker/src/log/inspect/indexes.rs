//! The entries of the indexes of a segment, as they are in its files.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::super::file::FileSystem;
use super::read_only::ReadOnlyDisk;

/// An entry of `.index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetIndexEntry {
    /// Of the last record of a batch.
    pub offset: i64,
    /// Where the batch begins.
    pub position: u32,
}

/// An entry of `.timeindex`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeIndexEntry {
    /// The largest up to the offset, in ms.
    pub timestamp: i64,
    /// Of the last record of the batch that has it.
    pub offset: i64,
}

/// An entry of `.txnindex`: a transaction that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The format of the entry.
    pub version: i16,
    /// Whose transaction it was.
    pub producer_id: i64,
    /// Of its first record.
    pub first_offset: i64,
    /// Of its marker.
    pub last_offset: i64,
    /// Up to where nothing was open when it ended.
    pub last_stable_offset: i64,
}

/// The entries of an index of offsets.
///
/// A file that was not closed may end in zeros, which are no entries.
///
/// # Errors
/// When the file cannot be read, or ends inside an entry (`InvalidData`).
pub fn read_offset_index(path: &Path, base_offset: i64) -> io::Result<Vec<OffsetIndexEntry>> {
    let entry = |[o0, o1, o2, o3, p0, p1, p2, p3]: &[u8; 8]| OffsetIndexEntry {
        offset: base_offset.saturating_add(u32::from_be_bytes([*o0, *o1, *o2, *o3]).into()),
        position: u32::from_be_bytes([*p0, *p1, *p2, *p3]),
    };
    let mut entries = entries(path, entry)?;
    cut_zeros(&mut entries, |entry| entry.offset == base_offset);
    Ok(entries)
}

/// The entries of an index of times; as [`read_offset_index`].
///
/// # Errors
/// As [`read_offset_index`].
pub fn read_time_index(path: &Path, base_offset: i64) -> io::Result<Vec<TimeIndexEntry>> {
    let entry = |[t0, t1, t2, t3, t4, t5, t6, t7, o0, o1, o2, o3]: &[u8; 12]| TimeIndexEntry {
        timestamp: i64::from_be_bytes([*t0, *t1, *t2, *t3, *t4, *t5, *t6, *t7]),
        offset: base_offset.saturating_add(u32::from_be_bytes([*o0, *o1, *o2, *o3]).into()),
    };
    let mut entries = entries(path, entry)?;
    cut_zeros(&mut entries, |entry| entry.offset == base_offset);
    Ok(entries)
}

/// The aborted transactions of a segment.
///
/// # Errors
/// When the file cannot be read, or ends inside an entry (`InvalidData`).
pub fn read_transaction_index(path: &Path) -> io::Result<Vec<AbortedTransaction>> {
    const ENTRY: usize = 34;
    let number = |entry: &[u8; ENTRY], at: usize| {
        entry.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| i64::from_be_bytes(*bytes))
    };
    let entry = |entry: &[u8; ENTRY]| AbortedTransaction {
        version: entry.first_chunk().map_or(0, |bytes| i16::from_be_bytes(*bytes)),
        producer_id: number(entry, 2),
        first_offset: number(entry, 10),
        last_offset: number(entry, 18),
        last_stable_offset: number(entry, 26),
    };
    entries(path, entry)
}

fn entries<const SIZE: usize, E>(
    path: &Path,
    entry: impl Fn(&[u8; SIZE]) -> E,
) -> io::Result<Vec<E>> {
    let bytes = read(path)?;
    let (entries, rest) = bytes.as_chunks();
    if rest.is_empty() {
        Ok(entries.iter().map(entry).collect())
    } else {
        let text = format!("it has {} bytes, and ends inside an entry of {SIZE}", bytes.len());
        Err(invalid(text))
    }
}

/// Only the first entry of a segment may be for its first offset.
fn cut_zeros<E>(entries: &mut Vec<E>, is_first: impl Fn(&E) -> bool) {
    if let Some(end) = entries.iter().skip(1).position(is_first) {
        entries.truncate(end + 1);
    }
}

fn read(path: &Path) -> io::Result<Bytes> {
    /// More than an index of the largest segment with an entry for each batch.
    const MAX_BYTES: u64 = 512 * 1024 * 1024;
    if std::fs::metadata(path)?.len() > MAX_BYTES {
        return Err(invalid("it is larger than any index".to_owned()));
    }
    let files: &dyn FileSystem = &ReadOnlyDisk;
    files.read(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_no_entries() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("00000000000000000100.index");
        for (entries, expected) in [
            (&[(0, 0)][..], &[100][..]),
            (&[(0, 0), (0, 0)], &[100]),
            (&[(5, 70), (9, 150), (0, 0), (0, 0)], &[105, 109]),
            (&[], &[]),
        ] {
            let bytes: Vec<u8> = entries
                .iter()
                .flat_map(|(offset, position): &(u32, u32)| {
                    [offset.to_be_bytes(), position.to_be_bytes()].concat()
                })
                .collect();
            std::fs::write(&path, bytes).unwrap();
            let read = read_offset_index(&path, 100).unwrap();
            let offsets: Vec<_> = read.iter().map(|entry| entry.offset).collect();
            assert_eq!(offsets, expected, "{entries:?}");
        }
    }
}

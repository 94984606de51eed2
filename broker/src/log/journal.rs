//! The journal of a log directory: one sync for a round over many partitions.
//!
//! A sync costs the same for one batch as for a thousand, but it is per file. When
//! many partitions wait, what they appended is written once more, all together,
//! into the journal, and the journal is synced in place of their files. Those are
//! synced later, before the journal's room is used again. Names of new files, and
//! indexes, are synced before: a later append to the same file may be synced by itself, and must
//! not be lost with the name.
//!
//! ```text
//! round ── appended bytes of all its partitions ── journal.0 ── one sync ── answers
//!                                                     │ full
//!                                          files of the partitions synced, journal.0 emptied;
//!                                          journal.1 takes the rounds meanwhile
//! ```
//!
//! A half that is emptied keeps its length, because to sync a file that grows costs
//! about twice what it costs to sync one that does not. Its first record is struck
//! out. What comes after that is of an older generation than the next rounds, and ends
//! where theirs end for whoever reads it.
//!
//! A start writes what it finds in the journal to where it belongs before any
//! partition is opened. That changes nothing where the files have it already,
//! because appended bytes never change. So that they never move either while the
//! journal knows them, it is emptied before segments are removed or written anew.
//!
//! Each round is one record: magic (4 bytes), CRC-32C of the rest (4), its length
//! (4), generation (8), then for each piece: topic (length 2, text), partition (4), topic id (16),
//! base offset of the segment (8), position (8), length (4), bytes. All big-endian.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use protocol::Uuid;

use super::file::{FileRange, FileSystem, LogFile, Reads};
use super::partition_log::Unsynced;
use super::partition_metadata;
use super::progress::Progress;
use super::segment::{Segment, file_name};
use super::store::KnownPartition;

/// No topic can have a partition with such a name.
pub(super) const FILE_NAMES: [&str; 2] = ["journal.0", "journal.1"];
const MAGIC: u32 = 0x6f74_6a32;
/// Magic, checksum, length and generation.
const RECORD_HEAD: usize = 20;

/// Rounds go to the other half from this size on.
const HALF_BYTES: u64 = if cfg!(test) { 4 * 1024 } else { 32 * 1024 * 1024 };
/// A larger round is cheaper without the journal, which would write it twice.
const MAX_ROUND_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes that were appended to a segment and are not durable yet.
#[derive(Debug, Clone)]
pub(super) struct AppendedRange {
    pub(super) segment: Arc<Segment>,
    pub(super) position: u64,
    pub(super) length: u64,
}

/// What one partition brings to a round.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) topic: &'a str,
    pub(super) index: i32,
    pub(super) topic_id: Uuid,
    pub(super) unsynced: Unsynced,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Journal {
    files: Arc<dyn FileSystem>,
    directory: PathBuf,
    state: Mutex<State>,
    /// Held while a half is emptied.
    emptying: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The half that takes the rounds.
    active: usize,
    halves: [Half; 2],
    /// A sync failed once: nobody knows what of the rounds before is durable.
    has_failed: bool,
}

impl State {
    fn check(&self) -> io::Result<()> {
        if self.has_failed {
            Err(io::Error::other("a sync of the journal failed before"))
        } else {
            Ok(())
        }
    }
}

#[derive(Debug, Default)]
struct Half {
    /// Made at the first round.
    file: Option<Arc<dyn LogFile>>,
    /// Where the next round goes. The file may be longer.
    size: u64,
    /// How often it was emptied.
    generation: u64,
    /// What has to be synced before the half is empty.
    unsynced: Unsynced,
    is_closed: bool,
}

/// How a round ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// It is durable.
    Durable,
    /// It is durable, and a half of the journal is full.
    DurableAndFull,
    /// The journal does not take it: its files have to be synced one by one.
    Declined,
}

impl Journal {
    pub(super) fn new(files: Arc<dyn FileSystem>, directory: PathBuf) -> Self {
        Self { files, directory, state: Mutex::default(), emptying: Mutex::default() }
    }

    /// Makes what the pieces appended durable. Blocks on the disk. Names of files
    /// and indexes have to be durable already.
    ///
    /// # Errors
    /// When the journal cannot be written or synced: nobody knows what is durable then.
    pub(super) fn commit(&self, pieces: &mut [Piece<'_>]) -> io::Result<Round> {
        let bytes = pieces.iter().flat_map(|piece| &piece.unsynced.ranges);
        if bytes.map(|range| range.length).sum::<u64>() > MAX_ROUND_BYTES {
            return Ok(Round::Declined);
        }
        let mut record = record(pieces)?;
        let mut state = self.state.lock();
        state.check()?;
        let active = state.active;
        let Some(half) = state.halves.get_mut(active).filter(|half| !half.is_closed) else {
            return Ok(Round::Declined);
        };
        let file = match &half.file {
            Some(file) => Arc::clone(file),
            None => {
                let name = FILE_NAMES.get(active).copied().unwrap_or_default();
                let file = self.files.open(&self.directory.join(name), true)?;
                self.files.sync_directory(&self.directory)?;
                half.size = 0;
                half.file.insert(file).clone()
            }
        };
        seal(&mut record, half.generation);
        let mut slices: Vec<_> = record.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(&mut slices, half.size)?;
        half.size += record.iter().map(|part| part.len() as u64).sum::<u64>();
        file.sync()?;
        for piece in pieces {
            half.unsynced.add(std::mem::take(&mut piece.unsynced));
        }
        if half.size < HALF_BYTES {
            return Ok(Round::Durable);
        }
        half.is_closed = true;
        state.active = 1 - active;
        Ok(Round::DurableAndFull)
    }

    /// Syncs the files that full halves stand for, and empties them. Blocks on the disk.
    ///
    /// # Errors
    /// When a sync fails: nobody knows what is durable then.
    pub(super) fn empty_full(&self) -> io::Result<()> {
        let _turn = self.emptying.lock();
        (0..FILE_NAMES.len()).try_for_each(|index| self.empty(index, Emptying::Full))
    }

    /// As [`Journal::empty_full`], full or not: after this the journal knows
    /// nothing of what was appended before.
    pub(super) fn empty_all(&self) -> io::Result<()> {
        let _turn = self.emptying.lock();
        (0..FILE_NAMES.len()).try_for_each(|index| self.empty(index, Emptying::All))
    }

    /// As [`Journal::empty_all`], and gives the room back: nothing is left for the
    /// next start to read.
    pub(super) fn close(&self) -> io::Result<()> {
        let _turn = self.emptying.lock();
        (0..FILE_NAMES.len()).try_for_each(|index| self.empty(index, Emptying::ForGood))
    }

    fn empty(&self, index: usize, emptying: Emptying) -> io::Result<()> {
        let (file, unsynced) = {
            let mut state = self.state.lock();
            state.check()?;
            let Some(half) = state.halves.get_mut(index) else { return Ok(()) };
            let Some(file) = half.file.clone() else { return Ok(()) };
            let is_wanted = match emptying {
                Emptying::Full => half.is_closed,
                Emptying::All => half.size > 0,
                Emptying::ForGood => true,
            };
            if !is_wanted {
                return Ok(());
            }
            half.is_closed = true;
            let unsynced = std::mem::take(&mut half.unsynced);
            if state.active == index {
                state.active = 1 - index;
            }
            (file, unsynced)
        };
        let emptied = unsynced
            .sync(&*self.files)
            .and_then(|()| match emptying {
                Emptying::ForGood => file.set_len(0),
                Emptying::Full | Emptying::All => {
                    file.write_at(&mut [IoSlice::new(&[0; RECORD_HEAD])], 0)
                }
            })
            .and_then(|()| file.sync());
        let mut state = self.state.lock();
        if let Err(error) = emptied {
            state.has_failed = true;
            return Err(error);
        }
        if let Some(half) = state.halves.get_mut(index) {
            half.size = 0;
            half.generation += 1;
            half.is_closed = false;
        }
        Ok(())
    }
}

/// Which halves are emptied.
#[derive(Debug, Clone, Copy)]
enum Emptying {
    Full,
    All,
    /// All, and their files are cut.
    ForGood,
}

/// The parts of a record: room for its head, then heads of pieces, and the bytes as
/// they are in the files.
fn record(pieces: &[Piece<'_>]) -> io::Result<Vec<Bytes>> {
    let mut parts = vec![Bytes::new()];
    for piece in pieces {
        for range in &piece.unsynced.ranges {
            let length = usize::try_from(range.length).unwrap_or(usize::MAX);
            let file = match range.segment.file().get(Reads::Blocking) {
                // Retention was faster.
                Err(_) if range.segment.file().is_gone() => continue,
                file => file?,
            };
            let bytes = FileRange::new(file, range.position, length).read()?;
            let mut head = BytesMut::new();
            // Topic names have at most 249 characters, and rounds at most a few megabytes.
            head.put_u16(piece.topic.len() as u16);
            head.put_slice(piece.topic.as_bytes());
            head.put_i32(piece.index);
            head.put_slice(piece.topic_id.as_bytes());
            head.put_i64(range.segment.base_offset());
            head.put_u64(range.position);
            head.put_u32(bytes.len() as u32);
            parts.push(head.freeze());
            parts.push(bytes);
        }
    }
    Ok(parts)
}

/// Puts the head before the parts.
fn seal(parts: &mut [Bytes], generation: u64) {
    let length = parts.iter().skip(1).map(Bytes::len).sum::<usize>() as u32;
    let crc = parts
        .iter()
        .skip(1)
        .fold(checksum_of_head(length, generation), |crc, part| crc32c::crc32c_append(crc, part));
    let mut head = BytesMut::with_capacity(RECORD_HEAD);
    head.put_u32(MAGIC);
    head.put_u32(crc);
    head.put_u32(length);
    head.put_u64(generation);
    if let Some(first) = parts.first_mut() {
        *first = head.freeze();
    }
}

fn checksum_of_head(length: u32, generation: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_be_bytes()), &generation.to_be_bytes())
}

/// A piece of a record that was found at start.
#[derive(Debug)]
struct Found {
    topic: String,
    index: i32,
    topic_id: Uuid,
    segment: i64,
    position: u64,
    bytes: Bytes,
}

impl Found {
    /// What tells its file from others.
    fn file(&self) -> (&str, i32, &[u8; 16], i64) {
        (&self.topic, self.index, self.topic_id.as_bytes(), self.segment)
    }
}

/// Writes what the journal of a directory holds to where it belongs, and empties
/// it. Says whether there was anything. Blocks on the disk.
///
/// # Errors
/// When the disk fails. The next start tries again.
pub(super) fn replay(
    files: &dyn FileSystem,
    directory: &Path,
    known: &HashMap<String, KnownPartition>,
) -> io::Result<bool> {
    let mut has_found = false;
    for name in FILE_NAMES {
        let path = directory.join(name);
        let Some(journal) = files.read(&path)? else { continue };
        if journal.is_empty() {
            continue;
        }
        has_found = true;
        let found = pieces(journal);
        tracing::info!(path = %path.display(), pieces = found.len(), "what only the journal has is written to its partitions");
        restore(files, directory, known, found)?;
        let file = files.open(&path, false)?;
        file.set_len(0)?;
        file.sync()?;
    }
    Ok(has_found)
}

/// How many pieces a journal holds for partitions.
pub(super) fn count_pieces(journal: Bytes) -> usize {
    pieces(journal).len()
}

/// The pieces of all whole records of the newest generation, which is that of the
/// first. A record that is not whole was not acknowledged.
fn pieces(mut journal: Bytes) -> Vec<Found> {
    let mut found = Vec::new();
    let mut newest = None;
    while let Some((generation, mut record)) = split_record(&mut journal) {
        if *newest.get_or_insert(generation) != generation {
            break;
        }
        while let Ok(Some(piece)) = split_piece(&mut record) {
            found.push(piece);
        }
    }
    found
}

/// Generation and pieces of the record at the beginning.
fn split_record(journal: &mut Bytes) -> Option<(u64, Bytes)> {
    let magic = journal.try_get_u32().ok()?;
    let crc = journal.try_get_u32().ok()?;
    let length = journal.try_get_u32().ok()?;
    let generation = journal.try_get_u64().ok()?;
    let size = usize::try_from(length).ok()?;
    if magic != MAGIC || size > journal.len() {
        return None;
    }
    let record = journal.split_to(size);
    let computed = crc32c::crc32c_append(checksum_of_head(length, generation), &record);
    (computed == crc).then_some((generation, record))
}

fn split_piece(record: &mut Bytes) -> Result<Option<Found>, bytes::TryGetError> {
    if record.is_empty() {
        return Ok(None);
    }
    let length = usize::from(record.try_get_u16()?);
    if length > record.len() {
        return Ok(None);
    }
    let topic = String::from_utf8_lossy(&record.split_to(length)).into_owned();
    let index = record.try_get_i32()?;
    let mut topic_id = [0; 16];
    record.try_copy_to_slice(&mut topic_id)?;
    let (segment, position) = (record.try_get_i64()?, record.try_get_u64()?);
    let length = record.try_get_u32()? as usize;
    if length > record.len() {
        return Ok(None);
    }
    let bytes = record.split_to(length);
    Ok(Some(Found { topic, index, topic_id: Uuid::from_bytes(topic_id), segment, position, bytes }))
}

fn restore(
    files: &dyn FileSystem,
    directory: &Path,
    known: &HashMap<String, KnownPartition>,
    mut found: Vec<Found>,
) -> io::Result<()> {
    // Stable: where two pieces overlap, the later one is what was acknowledged last.
    found.sort_by(|a, b| a.file().cmp(&b.file()));
    let mut unsynced = Unsynced::default();
    let segments = found.chunk_by(|a, b| a.file() == b.file()).count();
    let progress = Progress::new("the journal is being written to segments", directory, segments);
    for pieces in found.chunk_by(|a, b| a.file() == b.file()) {
        progress.one_done();
        let Some(Found { topic, index, topic_id, segment, .. }) = pieces.first() else { continue };
        let name = format!("{topic}-{index}");
        // A topic that was deleted meanwhile, even if there is another of its name.
        if known.get(&name).is_none_or(|known| known.topic_id != *topic_id) {
            continue;
        }
        let partition = directory.join(name);
        match partition_metadata::read(files, &partition) {
            Ok(Some(id)) if id == *topic_id => {}
            Ok(Some(_)) => continue,
            Ok(None) => {
                files.create_directory(&partition)?;
                partition_metadata::replace(files, &partition, *topic_id)?;
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                partition_metadata::replace(files, &partition, *topic_id)?;
            }
            Err(error) => return Err(error),
        }
        let file = files.open(&partition.join(file_name(*segment, "log")), true)?;
        for piece in pieces {
            file.write_at(&mut [IoSlice::new(&piece.bytes)], piece.position)?;
        }
        // Not with the others: nobody says how many files may be open at a time.
        file.sync()?;
        unsynced.directories.push(partition);
    }
    unsynced.directories.push(directory.to_owned());
    unsynced.sync(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_of(generation: u64, bytes: &[u8]) -> Vec<u8> {
        let mut body = BytesMut::new();
        body.put_u16(1);
        body.put_slice(b"t");
        body.put_i32(3);
        body.put_slice(&[7; 16]);
        body.put_i64(100);
        body.put_u64(50);
        body.put_u32(bytes.len() as u32);
        body.put_slice(bytes);
        let mut parts = [Bytes::new(), body.freeze()];
        seal(&mut parts, generation);
        parts.concat()
    }

    #[test]
    fn whole_records_are_found_and_nothing_else() {
        let two = [record_of(1, b"first"), record_of(1, b"second")].concat();
        let first = record_of(1, b"first").len();
        for length in 0..=two.len() {
            let expected = usize::from(length >= first) + usize::from(length == two.len());
            let found = pieces(Bytes::copy_from_slice(&two[..length]));
            assert_eq!(found.len(), expected, "{length}");
        }
        for at in 0..first {
            let mut damaged = two.clone();
            damaged[at] ^= 1;
            assert_eq!(pieces(damaged.into()).len(), 0, "byte {at}");
        }
        let found = pieces(two.clone().into());
        assert_eq!((found[0].topic.as_str(), found[0].index), ("t", 3));
        assert_eq!((found[1].segment, found[1].position), (100, 50));
        assert_eq!(&found[1].bytes[..], b"second");
    }

    #[test]
    fn an_older_generation_ends_the_newest() {
        let older = [record_of(1, b"first"), record_of(1, b"second"), record_of(1, b"third")];
        let mut journal = older.concat();
        let values = |journal: &[u8]| -> Vec<Bytes> {
            let found = pieces(Bytes::copy_from_slice(journal));
            found.into_iter().map(|piece| piece.bytes).collect()
        };
        assert_eq!(values(&journal).len(), 3);
        journal[..RECORD_HEAD].fill(0);
        assert!(values(&journal).is_empty(), "emptied");
        // As long as the first one was, so that the second begins where this ends.
        let newer = record_of(2, b"FIRST");
        journal[..newer.len()].copy_from_slice(&newer);
        assert_eq!(values(&journal), [&b"FIRST"[..]]);
    }
}

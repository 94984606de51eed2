//! A disk in memory under a process that is killed, or that loses its power:
//! whatever was not synced may be gone then, in part or in an order of its own.
//!
//! What a sync of a file makes durable is the file's content, not its name; a
//! sync of a directory makes durable the names in it. Of everything else a cut
//! keeps a random choice: single writes, halves of writes, single names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::path::{Component, Path};
use std::sync::Arc;

use parking_lot::Mutex;

use super::file::{FileSystem, LogFile, Space};
use crate::random::Random;

/// The number of the topmost directory.
const ROOT: u64 = 0;

/// See the module. Clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// A sync that does nothing, to see whether somebody notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LostSync {
    /// Of files whose name ends so.
    File(&'static str),
    /// Of directories whose name ends so.
    Directory(&'static str),
}

/// Something that a disk should not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mischief {
    /// Files are not cut.
    KeepsTails,
    /// Once in a while a write is not done whole, because the disk is full.
    IsFull,
    /// Once in a while a write or a sync fails.
    Fails,
}

#[derive(Debug, Clone)]
struct State {
    files: BTreeMap<u64, Content>,
    directories: BTreeMap<u64, Names>,
    next_number: u64,
    lost_sync: Option<LostSync>,
    mischief: Option<Mischief>,
    /// A write or a sync has failed.
    has_failed: bool,
    random: Random,
    /// How many more changes come before everything stops.
    changes_left: Option<u64>,
    has_stopped: bool,
}

#[derive(Debug, Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync.
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { position: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(u64),
    Directory(u64),
}

#[derive(Debug, Clone, Default)]
struct Names {
    entries: BTreeMap<OsString, Node>,
    durable: BTreeMap<OsString, Node>,
    /// Since the last sync.
    changes: Vec<NameChange>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(OsString, Node),
    Remove(OsString),
    /// Happens as a whole or not at all.
    Rename(OsString, OsString),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { position, bytes: written } => {
                let end = position + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*position..end].copy_from_slice(written);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

impl NameChange {
    fn apply(&self, entries: &mut BTreeMap<OsString, Node>) {
        match self {
            Self::Add(name, node) => {
                entries.insert(name.clone(), *node);
            }
            Self::Remove(name) => {
                entries.remove(name);
            }
            Self::Rename(from, to) => {
                if let Some(node) = entries.remove(from) {
                    entries.insert(to.clone(), node);
                }
            }
        }
    }
}

impl MemoryDisk {
    /// An empty disk, on which `lost_sync` does nothing.
    pub(crate) fn new(seed: u64, lost_sync: Option<LostSync>) -> Self {
        let state = State {
            files: BTreeMap::new(),
            directories: BTreeMap::from([(ROOT, Names::default())]),
            next_number: 1,
            lost_sync,
            mischief: None,
            has_failed: false,
            random: Random::new(seed),
            changes_left: None,
            has_stopped: false,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Has everything stop after so many more changes: every call fails from then on.
    pub(crate) fn stop_after(&self, changes: u64) {
        self.state.lock().changes_left = Some(changes);
    }

    /// Whether everything has stopped.
    pub(crate) fn has_stopped(&self) -> bool {
        self.state.lock().has_stopped
    }

    /// Loses another sync from now on, or none.
    pub(crate) fn lose_sync(&self, lost_sync: Option<LostSync>) {
        self.state.lock().lost_sync = lost_sync;
    }

    /// Begins to misbehave, or ends it.
    pub(crate) fn misbehave(&self, mischief: Option<Mischief>) {
        self.state.lock().mischief = mischief;
    }

    /// Whether a write or a sync has failed since the start of the process.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.lock().has_failed
    }

    /// What the next process finds: everything that was written, or, if the
    /// power was gone, what is left of it.
    pub(crate) fn restart(&self, power_was_gone: bool) -> Self {
        let mut state = self.state.lock();
        // Whoever still has this disk must not change what the next one has.
        state.has_stopped = true;
        let next = if power_was_gone { state.cut() } else { state.clone() };
        let next = State { changes_left: None, has_stopped: false, has_failed: false, ..next };
        Self { state: Arc::new(Mutex::new(next)) }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        state.check()?;
        match &mut state.changes_left {
            Some(0) => {
                state.has_stopped = true;
                return Err(stopped());
            }
            Some(left) => *left -= 1,
            None => {}
        }
        change(&mut state)
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        let state = self.state.lock();
        state.check()?;
        look(&state)
    }
}

fn stopped() -> io::Error {
    io::Error::other("everything has stopped")
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, path.display().to_string())
}

impl State {
    fn check(&self) -> io::Result<()> {
        if self.has_stopped { Err(stopped()) } else { Ok(()) }
    }

    /// Whether the disk fails now, if it may.
    fn fails(&mut self, mischief: Mischief) -> bool {
        let fails = self.mischief == Some(mischief) && self.random.one_in(20);
        self.has_failed |= fails;
        fails
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn find(&self, path: &Path) -> io::Result<Node> {
        let mut node = Node::Directory(ROOT);
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Node::Directory(number) = node else { return Err(not_found(path)) };
            let names = &self.directories[&number];
            node = *names.entries.get(name).ok_or_else(|| not_found(path))?;
        }
        Ok(node)
    }

    fn directory(&self, path: &Path) -> io::Result<u64> {
        match self.find(path)? {
            Node::Directory(number) => Ok(number),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn change_names(&mut self, directory: u64, change: NameChange) {
        let names = self.directories.get_mut(&directory).expect("it was found");
        change.apply(&mut names.entries);
        names.changes.push(change);
    }

    /// What is durable, and some of what is not.
    fn cut(&mut self) -> Self {
        let random = &mut self.random;
        let mut files = BTreeMap::new();
        for (number, content) in &self.files {
            let mut bytes = content.durable.clone();
            for change in &content.changes {
                match (random.below(4), change) {
                    (0, _) => {}
                    (1, Change::Write { position, bytes: written }) => {
                        let torn = random.below(written.len() as u64 + 1) as usize;
                        let half = written[..torn].to_vec();
                        Change::Write { position: *position, bytes: half }.apply(&mut bytes);
                    }
                    (_, change) => change.apply(&mut bytes),
                }
            }
            files.insert(*number, Content { durable: bytes.clone(), bytes, changes: Vec::new() });
        }
        let mut directories = BTreeMap::new();
        for (number, names) in &self.directories {
            let mut entries = names.durable.clone();
            for change in &names.changes {
                if random.one_in(2) {
                    change.apply(&mut entries);
                }
            }
            let durable = entries.clone();
            directories.insert(*number, Names { entries, durable, changes: Vec::new() });
        }
        let random = Random::new(random.below(u64::MAX));
        Self { files, directories, random, ..self.clone() }
    }
}

/// A path of a file or directory, taken apart.
fn split(path: &Path) -> (&Path, &OsStr) {
    (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default())
}

fn ends_with(path: &Path, suffix: &str) -> bool {
    path.to_string_lossy().ends_with(suffix)
}

impl FileSystem for MemoryDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn LogFile>> {
        let found = self.look(|state| state.find(path));
        let number = match found {
            Ok(Node::File(number)) => number,
            Ok(Node::Directory(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            Err(error) if !create || error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => self.change(|state| {
                let (parent, name) = split(path);
                let directory = state.directory(parent)?;
                let number = state.number();
                state.files.insert(number, Content::default());
                state.change_names(directory, NameChange::Add(name.to_owned(), Node::File(number)));
                Ok(number)
            })?,
        };
        let lost = self.state.lock().lost_sync;
        let loses_syncs = matches!(lost, Some(LostSync::File(suffix)) if ends_with(path, suffix));
        Ok(Arc::new(MemoryFile { disk: self.clone(), number, loses_syncs }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        for path in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if self.look(|state| Ok(state.find(path).is_ok()))? {
                continue;
            }
            self.change(|state| {
                let (parent, name) = split(path);
                let directory = state.directory(parent)?;
                let number = state.number();
                state.directories.insert(number, Names::default());
                let node = Node::Directory(number);
                state.change_names(directory, NameChange::Add(name.to_owned(), node));
                Ok(())
            })?;
        }
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.look(|state| {
            let number = state.directory(directory)?;
            Ok(state.directories[&number].entries.keys().cloned().collect())
        })
    }

    fn exists(&self, path: &Path) -> bool {
        self.look(|state| state.find(path)).is_ok()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|state| {
            state.find(from)?;
            let ((from_parent, from), (to_parent, to)) = (split(from), split(to));
            assert_eq!(from_parent, to_parent, "only within a directory");
            let directory = state.directory(from_parent)?;
            state.change_names(directory, NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            state.find(path)?;
            let (parent, name) = split(path);
            let directory = state.directory(parent)?;
            state.change_names(directory, NameChange::Remove(name.to_owned()));
            Ok(())
        })
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        // Its content goes with it: nobody comes there any more.
        self.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            let number = state.directory(path)?;
            if matches!(state.lost_sync, Some(LostSync::Directory(suffix)) if ends_with(path, suffix)) {
                return Ok(());
            }
            let names = state.directories.get_mut(&number).expect("it was found");
            names.durable = names.entries.clone();
            names.changes.clear();
            Ok(())
        })
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { available: u64::MAX, total: u64::MAX })
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    number: u64,
    loses_syncs: bool,
}

impl MemoryFile {
    fn change(&self, change: Change) -> io::Result<()> {
        self.disk.change(|state| {
            let content = state.files.get_mut(&self.number).expect("files are kept");
            change.apply(&mut content.bytes);
            content.changes.push(change);
            Ok(())
        })
    }
}

impl LogFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.disk.look(|state| {
            let bytes =
                state.files[&self.number].bytes.get(position as usize..).unwrap_or_default();
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            Ok(length)
        })
    }

    fn read_cached_at(&self, buffer: &mut [u8], position: u64) -> Option<usize> {
        self.read_at(buffer, position).ok().filter(|read| *read == buffer.len())
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let failure = {
            let mut state = self.disk.state.lock();
            if state.fails(Mischief::IsFull) {
                Some(io::ErrorKind::StorageFull)
            } else {
                state.fails(Mischief::Fails).then_some(io::ErrorKind::Other)
            }
        };
        if failure.is_some() {
            bytes.truncate(self.disk.state.lock().random.below(bytes.len() as u64 + 1) as usize);
        }
        self.change(Change::Write { position: position as usize, bytes })?;
        failure.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if self.disk.state.lock().mischief == Some(Mischief::KeepsTails) {
            return Ok(());
        }
        self.change(Change::Length(length as usize))
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.look(|state| Ok(state.files[&self.number].bytes.len() as u64))
    }

    fn modified_ms(&self) -> io::Result<i64> {
        Ok(0)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.change(|state| {
            if state.fails(Mischief::Fails) {
                return Err(io::Error::other("the disk fails"));
            }
            if !self.loses_syncs {
                let content = state.files.get_mut(&self.number).expect("files are kept");
                content.durable = content.bytes.clone();
                content.changes.clear();
            }
            Ok(())
        })
    }
}

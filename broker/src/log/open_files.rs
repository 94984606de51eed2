//! How many files of batches are open at a time.
//!
//! A file is opened when it is read or written, and stays open until others need its
//! place. Then those go that were not used for the longest time, as far as a clock
//! tells: each use lets a file stay for one more round. Whoever reads from a file or
//! writes to it holds it meanwhile, and it is left alone.
//!
//! Locks, in the order in which they may be taken: the clock, the state of a file
//! that is to be closed. Nobody waits for the latter with the former in hand.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use rustix::process::{Resource, getrlimit};

use super::file::{FileSystem, LogFile, Reads};

/// With a limit below this, files would be opened and closed without end.
const FEWEST: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    limit: usize,
    clock: Mutex<VecDeque<Weak<SegmentFile>>>,
}

impl OpenFiles {
    /// At most `limit` files (`log.open.files.max`), or half of what the process may
    /// open: connections and everything else share the other half.
    pub(super) fn new(limit: Option<usize>) -> Arc<Self> {
        let default = || {
            let allowed = getrlimit(Resource::Nofile).current;
            allowed.map_or(usize::MAX, |allowed| usize::try_from(allowed / 2).unwrap_or(usize::MAX))
        };
        let limit = limit.unwrap_or_else(|| default().max(FEWEST));
        Arc::new(Self { limit, clock: Mutex::default() })
    }

    /// How many files one reader may hold, so that others find room.
    pub(super) fn limit_of_one(&self) -> usize {
        (self.limit / 4).max(1)
    }

    /// Takes in a file that is open now, and closes others where there are too many.
    /// They may be more for a while, when all are in use.
    fn enter(&self, file: &Arc<SegmentFile>) {
        let mut clock = self.clock.lock();
        clock.push_back(Arc::downgrade(file));
        let rounds = 3;
        for round in 0..rounds {
            for _ in 0..clock.len() {
                if clock.len() <= self.limit {
                    return;
                }
                let Some(next) = clock.pop_front() else { return };
                let Some(file) = next.upgrade() else { continue };
                let stays = file.was_used.swap(false, Ordering::Relaxed)
                    || !file.close(round + 1 == rounds);
                if stays {
                    clock.push_back(next);
                }
            }
        }
    }
}

/// The file of a segment's batches, which may be open.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    files: Arc<dyn FileSystem>,
    path: PathBuf,
    open_files: Arc<OpenFiles>,
    state: RwLock<State>,
    was_used: AtomicBool,
    /// Written to since the last sync began.
    is_dirty: AtomicBool,
    /// A sync before it was closed failed.
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct State {
    file: Option<Arc<dyn LogFile>>,
    /// The name is not the file's any more.
    is_gone: bool,
}

impl SegmentFile {
    /// A file that was opened and stays so until [`SegmentFile::settle`]: it may have
    /// another name than `path` until then.
    pub(super) fn new(
        open_files: &Arc<OpenFiles>,
        files: &Arc<dyn FileSystem>,
        path: PathBuf,
        file: Arc<dyn LogFile>,
    ) -> Arc<Self> {
        Arc::new(Self {
            files: Arc::clone(files),
            path,
            open_files: Arc::clone(open_files),
            state: RwLock::new(State { file: Some(file), is_gone: false }),
            was_used: AtomicBool::new(false),
            is_dirty: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        })
    }

    /// From now on the file may be closed and opened again.
    pub(super) fn settle(self: &Arc<Self>) {
        self.open_files.enter(self);
    }

    /// The file, for as long as what is given back lives.
    ///
    /// # Errors
    /// `WouldBlock` when it has to be opened and `reads` does not allow that, `NotFound`
    /// when it is gone, and what the system says.
    pub(super) fn get(self: &Arc<Self>, reads: Reads) -> io::Result<Arc<dyn LogFile>> {
        if let Some(file) = &self.state.read().file {
            if !self.was_used.load(Ordering::Relaxed) {
                self.was_used.store(true, Ordering::Relaxed);
            }
            return Ok(Arc::clone(file));
        }
        if reads == Reads::Cached {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut state = self.state.write();
        if let Some(file) = &state.file {
            return Ok(Arc::clone(file));
        }
        if state.is_gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = self.files.open(&self.path, false)?;
        state.file = Some(Arc::clone(&file));
        drop(state);
        self.open_files.enter(self);
        Ok(file)
    }

    /// The file, to be written to.
    pub(super) fn get_for_writing(self: &Arc<Self>) -> io::Result<Arc<dyn LogFile>> {
        let file = self.get(Reads::Blocking)?;
        // Before anything is written, while nobody can close the file.
        self.is_dirty.store(true, Ordering::Relaxed);
        Ok(file)
    }

    /// Makes content and size durable. What is gone need not be.
    pub(super) fn sync(self: &Arc<Self>) -> io::Result<()> {
        let file = match self.get(Reads::Blocking) {
            Err(_) if self.is_gone() => return Ok(()),
            file => file?,
        };
        self.is_dirty.store(false, Ordering::Relaxed);
        file.sync()?;
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(io::Error::other("a sync of the file failed before"));
        }
        Ok(())
    }

    /// Another file may get the name from now on: whoever has this one open may go on,
    /// and nobody opens it again.
    pub(super) fn forget(&self) {
        self.state.write().is_gone = true;
    }

    /// Whether [`SegmentFile::forget`] was called.
    pub(super) fn is_gone(&self) -> bool {
        self.state.read().is_gone
    }

    /// Says whether the file is closed now.
    fn close(&self, even_if_dirty: bool) -> bool {
        let Some(mut state) = self.state.try_write() else { return false };
        let Some(file) = &state.file else { return true };
        if Arc::strong_count(file) > 1 {
            return false;
        }
        if self.is_dirty.load(Ordering::Relaxed) && !state.is_gone {
            if !even_if_dirty {
                return false;
            }
            // The system forgets that a write failed with the last who has the file open.
            if file.sync().is_err() {
                self.has_failed.store(true, Ordering::Relaxed);
            }
            self.is_dirty.store(false, Ordering::Relaxed);
        }
        state.file = None;
        true
    }
}

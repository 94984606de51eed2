//! How far long work at start is.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two notes in the log.
const PAUSE: Duration = Duration::from_secs(2);

/// Work in a log directory that consists of many equal parts, on any threads. What
/// is over soon is not spoken of.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    what: &'static str,
    path: &'a Path,
    total: usize,
    done: AtomicUsize,
    told: Mutex<Instant>,
}

impl<'a> Progress<'a> {
    /// Work of `total` parts that begins now. `what` is a sentence about it.
    pub(super) fn new(what: &'static str, path: &'a Path, total: usize) -> Self {
        let told = Mutex::new(Instant::now());
        Self { what, path, total, done: AtomicUsize::new(0), told }
    }

    /// One part is done.
    pub(super) fn one_done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        // Whoever finds it locked has somebody else tell.
        let Some(mut told) = self.told.try_lock() else { return };
        if told.elapsed() >= PAUSE {
            *told = Instant::now();
            let (path, total) = (self.path.display(), self.total);
            tracing::info!(%path, done, total, "{}", self.what);
        }
    }
}

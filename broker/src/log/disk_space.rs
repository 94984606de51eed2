//! How much room a log directory has left.
//!
//! Below a reserve, producers are refused, so that there is room for what keeps
//! the broker alive: committed offsets, metadata, the removal of old records.
//! When there is room again, producers are let in again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::{FileSystem, Space};

/// The most that is held back when nobody says how much.
const LARGEST_DEFAULT: u64 = 1024 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct DiskSpace {
    /// `log.disk.reserve.bytes`; `None` when it is not set.
    reserve: Option<u64>,
    is_low: AtomicBool,
}

impl DiskSpace {
    /// Room enough, until somebody looks.
    pub(super) fn new(reserve: Option<u64>) -> Self {
        Self { reserve, is_low: AtomicBool::new(false) }
    }

    /// Whether only the reserve was left when somebody last looked.
    pub(super) fn is_low(&self) -> bool {
        self.is_low.load(Ordering::Relaxed)
    }

    /// Asks the system. Says whether only the reserve is left.
    pub(super) fn look(&self, files: &dyn FileSystem, path: &Path) -> bool {
        // A system that cannot tell will say so when something is written.
        let Ok(Space { available, total }) = files.space(path) else { return false };
        let reserve = self.reserve.unwrap_or_else(|| (total / 20).min(LARGEST_DEFAULT));
        let is_low = available < reserve;
        if self.is_low.swap(is_low, Ordering::Relaxed) != is_low {
            if is_low {
                tracing::error!(path = %path.display(), available, reserve, "the disk is full up to its reserve (log.disk.reserve.bytes): producers are refused");
            } else {
                tracing::info!(path = %path.display(), available, reserve, "there is room on the disk again: producers are let in");
            }
        }
        is_low
    }
}

//! How files of segments come and go, so that a crash in between leaves either
//! the old ones or the new ones.
//!
//! ```text
//! 0.log.cleaned   being written by compaction          next start: removed
//! 0.log.swap      durable; its turn has come           next start: takes the place of all it covers
//! 0.log           in use
//! 0.log.deleted   out of use, still open to readers    next start: removed
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::FileSystem;
use super::open_files::OpenFiles;
use super::partition::Partition;
use super::segment::Segment;

const CLEANED: &str = ".cleaned";
const SWAP: &str = ".swap";
const DELETED: &str = ".deleted";

impl Partition {
    /// An empty segment beside the log, for what compaction leaves.
    pub(super) fn begin_cleaned(&self, base_offset: i64) -> io::Result<Segment> {
        let _paths = self.paths.lock();
        self.check_exists()?;
        let directory = self.log.directory();
        let open_files = &self.log.open_files;
        Segment::create_aside(open_files, &self.directory.files, directory, base_offset, CLEANED)
    }

    /// Puts what compaction left of `old` in its place, for readers at once.
    ///
    /// # Errors
    /// The log goes on with one of both, and the next start finishes it.
    pub(super) fn put_in_place(&self, old: &[Arc<Segment>], cleaned: Segment) -> io::Result<()> {
        cleaned.close()?;
        cleaned.sync()?;
        self.directory.journal().empty_all()?;
        let files = &*self.directory.files;
        let directory = self.log.directory();
        let names = Segment::file_names(cleaned.base_offset());
        let rename = |name: &str, from: &str, to: &str| {
            files.rename(&aside(directory, name, from), &aside(directory, name, to))
        };
        let _paths = self.paths.lock();
        self.check_exists()?;
        // The batches last: with them the change is decided.
        for name in names.iter().rev() {
            rename(name, CLEANED, SWAP)?;
        }
        files.sync_directory(directory)?;
        let cleaned = Arc::new(cleaned);
        self.log.replace(old, Arc::clone(&cleaned));
        let deleted = self.rename_deleted(old);
        for name in names.iter().rev() {
            rename(name, SWAP, "")?;
        }
        cleaned.file().settle();
        files.sync_directory(directory)?;
        self.directory.unlink_later(deleted, self.config().file_delete_delay_ms);
        Ok(())
    }

    /// Compaction had nothing to change.
    pub(super) fn throw_away(&self, cleaned: &Segment) -> io::Result<()> {
        let _paths = self.paths.lock();
        self.check_exists()?;
        for name in Segment::file_names(cleaned.base_offset()) {
            self.directory.files.remove(&aside(self.log.directory(), &name, CLEANED))?;
        }
        Ok(())
    }

    /// Takes files of segments that the log has forgotten out of the way.
    pub(super) fn discard(&self, segments: &[Arc<Segment>]) {
        let _paths = self.paths.lock();
        if !segments.is_empty() && self.check_exists().is_ok() {
            // The segment that tells where the log goes on may be new and empty: it has
            // to last before the others go.
            if let Err(error) = self.directory.files.sync_directory(self.log.directory()) {
                tracing::error!(topic = %self.topic(), partition = self.index(), %error, "old segments cannot be removed");
                self.directory.go_offline();
                return;
            }
            let deleted = self.rename_deleted(segments);
            self.directory.unlink_later(deleted, self.config().file_delete_delay_ms);
        }
    }

    fn rename_deleted(&self, segments: &[Arc<Segment>]) -> Vec<PathBuf> {
        let directory = self.log.directory();
        // Whoever finds one closed asks the log again, which has others in their place.
        segments.iter().for_each(|segment| segment.file().forget());
        let names = segments.iter().flat_map(|segment| Segment::file_names(segment.base_offset()));
        let renamed = names.filter_map(|name| {
            let to = aside(directory, &name, DELETED);
            match self.directory.files.rename(&directory.join(&name), &to) {
                Ok(()) => Some(to),
                Err(error) => {
                    tracing::warn!(path = %directory.join(&name).display(), %error, "a file that is not needed any more cannot be renamed");
                    None
                }
            }
        });
        renamed.collect()
    }

    fn check_exists(&self) -> io::Result<()> {
        if self.is_deleted() { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
    }
}

fn aside(directory: &Path, name: &str, suffix: &str) -> PathBuf {
    directory.join(format!("{name}{suffix}"))
}

/// Finishes or undoes in a directory what a crash interrupted.
///
/// # Errors
/// When a file that takes the place of others cannot be read, or the disk fails.
pub(super) fn finish(
    open_files: &Arc<OpenFiles>,
    files: &Arc<dyn FileSystem>,
    directory: &Path,
) -> io::Result<()> {
    let mut swaps = Vec::new();
    let mut is_changed = false;
    for name in files.list(directory)? {
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(CLEANED) || name.ends_with(DELETED) {
            files.remove(&directory.join(name))?;
            is_changed = true;
        } else if let Some(base) = name.strip_suffix(".log.swap").and_then(|base| base.parse().ok())
        {
            swaps.push(base);
        }
    }
    for base in swaps {
        take_place(open_files, files, directory, base)?;
        is_changed = true;
    }
    if is_changed { files.sync_directory(directory) } else { Ok(()) }
}

/// Removes what the segment covers, and gives it its own name.
fn take_place(
    open_files: &Arc<OpenFiles>,
    files: &Arc<dyn FileSystem>,
    directory: &Path,
    base: i64,
) -> io::Result<()> {
    let names = Segment::file_names(base);
    let swap = aside(directory, &names[0], SWAP);
    let end = Segment::next_offset_in(open_files, files, base, swap)?;
    for name in files.list(directory)? {
        let covered = name.to_str().and_then(|name| {
            let (offset, suffix) = name.split_once('.')?;
            let is_of_segment = ["log", "index", "timeindex"].contains(&suffix);
            let offset: i64 = offset.parse().ok()?;
            (is_of_segment && (base..end.max(base + 1)).contains(&offset)).then_some(name)
        });
        if let Some(name) = covered {
            // Indexes too: they can be made again.
            files.remove(&directory.join(name))?;
        }
    }
    for name in names.iter().rev() {
        let swap = aside(directory, name, SWAP);
        if files.exists(&swap) {
            files.rename(&swap, &directory.join(name))?;
        }
    }
    tracing::info!(path = %directory.join(&names[0]).display(), "a compaction that was interrupted is finished");
    Ok(())
}

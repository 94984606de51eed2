//! Replacing small files so that a crash leaves the old one or the new one, whole.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use crate::log::FileSystem;

/// Puts `content` in place of the file at `path`: writes it aside, syncs it,
/// renames it and syncs the directory. What a crash leaves aside is overwritten
/// by the next call.
///
/// # Errors
/// The file is as it was then.
pub(crate) fn replace(files: &dyn FileSystem, path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = aside(path);
    let file = files.open(&aside, true)?;
    file.set_len(0)?;
    file.write_at(&mut [IoSlice::new(content)], 0)?;
    file.sync()?;
    rename(files, &aside, path)
}

/// Renames a file or directory, and makes the new name durable.
pub(crate) fn rename(files: &dyn FileSystem, from: &Path, to: &Path) -> io::Result<()> {
    files.rename(from, to)?;
    match to.parent() {
        Some(directory) => files.sync_directory(directory),
        None => Ok(()),
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".tmp");
    path.with_file_name(name)
}

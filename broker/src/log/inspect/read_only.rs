//! The file system, for those who must not change it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::super::file::{Disk, FileSystem, LogFile, Space};

/// The real file system, which refuses every change.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadOnlyDisk;

fn refuse<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl FileSystem for ReadOnlyDisk {
    fn open(&self, path: &Path, _create: bool) -> io::Result<Arc<dyn LogFile>> {
        Disk::open_read_only(path)
    }

    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        refuse()
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        refuse()
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        refuse()
    }

    fn remove_directory(&self, _path: &Path) -> io::Result<()> {
        refuse()
    }

    fn sync_directory(&self, _path: &Path) -> io::Result<()> {
        refuse()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        Disk.space(path)
    }
}

//! The file system as the log sees it: one trait for a directory tree, one for
//! a file, the real ones, and in tests one that forgets what was not synced.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::{Bytes, BytesMut};
use rustix::fs::FallocateFlags;
use rustix::io::ReadWriteFlags;

/// A file of a log. Positions are in bytes from its start.
pub(crate) trait LogFile: Debug + Send + Sync {
    /// Fills `buffer` from `position` on, or as far as the file goes, and says how far.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// As [`LogFile::read_at`], but only what is in memory already; `None` when
    /// some of it is not, or the system cannot tell.
    fn read_cached_at(&self, buffer: &mut [u8], position: u64) -> Option<usize>;

    /// Writes all the slices, one after the other, at `position`. After an error
    /// any part of them may have been written.
    fn write_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;

    /// Allocates space for `length` bytes from `position` on. The size of the
    /// file stays.
    fn allocate(&self, position: u64, length: u64) -> io::Result<()>;

    /// Cuts the file to `length` bytes and gives back what is allocated behind.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// The size of the file.
    fn len(&self) -> io::Result<u64>;

    /// When the content last changed, in ms since 1970.
    fn modified_ms(&self) -> io::Result<i64>;

    /// Makes content and size durable.
    fn sync(&self) -> io::Result<()>;

    /// The descriptor, for what the system does with a file by itself; `None`
    /// when the file is not one of the system's.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// How far a read may go for its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// To memory. What is not there is [`io::ErrorKind::WouldBlock`]: whoever gets
    /// it asks again from a thread that may wait.
    Cached,
    /// To the disk, which may take long.
    Blocking,
}

impl dyn LogFile + '_ {
    /// As [`LogFile::read_at`] or [`LogFile::read_cached_at`].
    pub(crate) fn read(&self, buffer: &mut [u8], position: u64, reads: Reads) -> io::Result<usize> {
        match reads {
            Reads::Blocking => self.read_at(buffer, position),
            Reads::Cached => self
                .read_cached_at(buffer, position)
                .ok_or_else(|| io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// A directory tree.
pub(crate) trait FileSystem: Debug + Send + Sync {
    /// Opens a file for reading and writing, and makes it when `create` is set
    /// and there is none. The new name is durable after [`FileSystem::sync_directory`].
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn LogFile>>;

    /// Makes a directory and those above it, where they are missing.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Whether there is such a file or directory.
    fn exists(&self, path: &Path) -> bool;

    /// Gives a file or directory another name in the same tree.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file away.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Takes a directory away, with all that is in it.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// How much room the file system of a directory has.
    fn space(&self, path: &Path) -> io::Result<Space>;
}

/// Room on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) available: u64,
    pub(crate) total: u64,
}

impl dyn FileSystem + '_ {
    /// All bytes of a file; `None` when there is no such file.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Option<Bytes>> {
        let file = match self.open(path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.len()?;
        FileRange::new(file, 0, usize::try_from(length).unwrap_or(usize::MAX)).read().map(Some)
    }
}

/// The real thing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disk;

#[derive(Debug)]
struct DiskFile(File);

impl Disk {
    /// Opens a file that is not to be changed.
    pub(super) fn open_read_only(path: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(DiskFile(File::open(path)?)))
    }
}

impl FileSystem for Disk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn LogFile>> {
        let file =
            OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "callers sync the directory")]
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { available: bytes(found.f_bavail), total: bytes(found.f_blocks) })
    }
}

impl LogFile for DiskFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn read_cached_at(&self, buffer: &mut [u8], position: u64) -> Option<usize> {
        let length = buffer.len();
        let mut slices = [io::IoSliceMut::new(buffer)];
        let read = rustix::io::preadv2(&self.0, &mut slices, position, ReadWriteFlags::NOWAIT);
        read.ok().filter(|read| *read == length)
    }

    fn write_at(&self, mut slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        /// What the system takes at once (`IOV_MAX`).
        const MAX_SLICES: usize = 1024;
        while !slices.is_empty() {
            let some = slices.get(..slices.len().min(MAX_SLICES)).unwrap_or_default();
            match rustix::io::pwritev(&self.0, some, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn allocate(&self, position: u64, length: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.0, FallocateFlags::KEEP_SIZE, position, length)?)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn modified_ms(&self) -> io::Result<i64> {
        let since = self.0.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// A piece of a file that stays readable even when the file is removed.
#[derive(Debug, Clone)]
pub(crate) struct FileRange {
    file: Arc<dyn LogFile>,
    position: u64,
    /// In bytes.
    pub(crate) length: usize,
}

impl FileRange {
    pub(crate) fn new(file: Arc<dyn LogFile>, position: u64, length: usize) -> Self {
        Self { file, position, length }
    }

    /// The descriptor of the file, if the system has one.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.descriptor()
    }

    /// Where in the file the range begins, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Takes the first `length` bytes off the range.
    pub(crate) fn split_to(&mut self, length: usize) -> Self {
        let length = length.min(self.length);
        let first = Self { file: Arc::clone(&self.file), position: self.position, length };
        self.position += length as u64;
        self.length -= length;
        first
    }

    /// The bytes, if no disk has to be waited for.
    pub(crate) fn read_cached(&self) -> Option<Bytes> {
        let mut buffer = BytesMut::zeroed(self.length);
        self.file.read_cached_at(&mut buffer, self.position)?;
        Some(buffer.freeze())
    }

    /// The bytes. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk fails, or the file ends before the range does.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        let mut buffer = BytesMut::zeroed(self.length);
        if self.file.read_at(&mut buffer, self.position)? < self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(buffer.freeze())
    }
}

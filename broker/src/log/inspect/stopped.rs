//! Log directories that nobody works in.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use super::super::meta_properties;
use super::super::store::{LOCK_FILE, StorageError};

/// A log directory that no broker uses, neither Ottla nor Apache Kafka. None
/// can start in it before this is dropped.
#[derive(Debug)]
pub struct StoppedDirectory {
    path: PathBuf,
    /// Absent where no broker ever ran.
    _lock: Option<File>,
}

impl StoppedDirectory {
    /// Takes the lock of a log directory, beside others who only read.
    ///
    /// # Errors
    /// [`StorageError::InUse`] when a broker runs in it, and
    /// [`StorageError::Foreign`] for what is no log directory.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let names = [meta_properties::FILE_NAME, LOCK_FILE];
        if !path.is_dir() {
            let source = io::ErrorKind::NotADirectory.into();
            let source = if path.exists() { source } else { io::ErrorKind::NotFound.into() };
            return Err(StorageError::io("open", path, source));
        }
        if !names.iter().any(|name| path.join(name).exists()) {
            let what = format!("is not a log directory: there is no {}", names[0]);
            return Err(StorageError::Foreign { path: path.to_owned(), what });
        }
        Ok(Self { path: path.to_owned(), _lock: lock(path)? })
    }

    /// The log directory that the file of a partition is in, if it is in one.
    ///
    /// # Errors
    /// As [`StoppedDirectory::open`].
    pub fn of_file(file: &Path) -> Result<Option<Self>, StorageError> {
        let absolute = std::path::absolute(file);
        let absolute = absolute.map_err(|source| StorageError::io("find", file, source))?;
        let directories = absolute.ancestors().skip(1).take(2);
        let mut locked = directories.filter(|directory| directory.join(LOCK_FILE).exists());
        locked.next().map(Self::open).transpose()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Ottla locks the whole file (`flock`), Apache Kafka its bytes (`fcntl`).
fn lock(directory: &Path) -> Result<Option<File>, StorageError> {
    let path = directory.join(LOCK_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StorageError::io("open", &path, source)),
    };
    let shared = FlockOperation::NonBlockingLockShared;
    match flock(&file, shared).and_then(|()| fcntl_lock(&file, shared)) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK | Errno::ACCESS) => Err(StorageError::InUse(directory.to_owned())),
        Err(error) => Err(StorageError::io("lock", &path, error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_refused_and_readers_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let refusal = StoppedDirectory::open(directory.path()).unwrap_err();
        assert!(matches!(refusal, StorageError::Foreign { .. }), "{refusal}");
        let lock = File::create(directory.path().join(LOCK_FILE)).unwrap();
        let one = StoppedDirectory::open(directory.path()).unwrap();
        let other = StoppedDirectory::open(directory.path()).unwrap();
        let exclusive = || flock(&lock, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(exclusive(), Err(Errno::WOULDBLOCK), "no broker starts meanwhile");
        drop((one, other));
        exclusive().unwrap();
        let refusal = StoppedDirectory::open(directory.path()).unwrap_err();
        assert!(matches!(refusal, StorageError::InUse(_)), "{refusal}");
    }

    #[test]
    fn a_file_leads_to_its_log_directory() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("orders-0/00000000000000000000.log");
        assert!(StoppedDirectory::of_file(&file).unwrap().is_none());
        File::create(directory.path().join(LOCK_FILE)).unwrap();
        let found = StoppedDirectory::of_file(&file).unwrap().unwrap();
        assert_eq!(found.path(), directory.path());
    }
}

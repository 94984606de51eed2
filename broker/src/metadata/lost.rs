//! Log directories that hold records, but no metadata.
//!
//! Started on such directories the broker would have no topics, and the first
//! producer of a topic would put an empty one in the place of the old. That
//! happens when the file is lost, when `log.dirs` gets another first entry, and
//! on the directories of an Apache Kafka.

use std::io;
use std::path::{Path, PathBuf};

use super::log::FILE_NAME;
use crate::log::{FileSystem, StorageError};

/// Checks that there is metadata, or nothing that it would have to tell about.
/// `directories` are those of `log.dirs`; the first of them has the metadata.
///
/// # Errors
/// Names what is missing. Nothing was changed then.
pub(crate) fn refuse_lost(
    files: &dyn FileSystem,
    directories: &[PathBuf],
) -> Result<(), StorageError> {
    let Some(first) = directories.first() else { return Ok(()) };
    let path = first.join(FILE_NAME);
    if files.exists(&path) {
        return Ok(());
    }
    let mut what = None;
    for directory in directories {
        let failed =
            |source| StorageError::Io { action: "look into", path: directory.clone(), source };
        if files.exists(&directory.join(FILE_NAME)) {
            // Says more than any partition.
            what = Some(format!(
                "is missing, and there is one in {}, which has to come first in log.dirs",
                directory.display()
            ));
            break;
        }
        if what.is_none()
            && let Some(partition) = first_partition(files, directory).map_err(failed)?
        {
            what = Some(format!(
                "is missing, but there are records, as in {}: put it back, or give log.dirs an empty directory",
                partition.display()
            ));
        }
    }
    match what {
        Some(what) => Err(StorageError::Foreign { path, what }),
        None => Ok(()),
    }
}

/// A directory with a log in it.
fn first_partition(files: &dyn FileSystem, directory: &Path) -> io::Result<Option<PathBuf>> {
    let mut names = files.list(directory)?;
    names.sort();
    for name in names {
        let Some((_, partition)) = name.to_str().and_then(|name| name.rsplit_once('-')) else {
            continue;
        };
        let path = directory.join(&name);
        if partition.parse::<u32>().is_ok() && holds_log(files, &path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn holds_log(files: &dyn FileSystem, directory: &Path) -> io::Result<bool> {
    match files.list(directory) {
        Ok(names) => {
            Ok(names.iter().any(|name| Path::new(name).extension() == Some("log".as_ref())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Disk;

    #[test]
    fn directories_with_records_need_metadata() {
        let root = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| root.path().join(name));
        let dirs = [a.clone(), b.clone()];
        for directory in &dirs {
            std::fs::create_dir(directory).unwrap();
        }
        let refused = |dirs: &[PathBuf]| match refuse_lost(&Disk, dirs) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        std::fs::write(a.join("meta.properties"), "").unwrap();
        std::fs::create_dir(a.join("notes-2024")).unwrap();
        std::fs::write(a.join("photo-1"), "").unwrap();
        assert_eq!(refused(&dirs), "", "nothing is lost");

        std::fs::create_dir(b.join("orders-0")).unwrap();
        std::fs::write(b.join("orders-0/00000000000000000000.log"), "").unwrap();
        let error = refused(&dirs);
        assert!(error.starts_with(&a.join(FILE_NAME).display().to_string()), "{error}");
        assert!(error.contains(&b.join("orders-0").display().to_string()), "{error}");

        std::fs::write(b.join(FILE_NAME), "").unwrap();
        let error = refused(&dirs);
        assert!(error.ends_with("which has to come first in log.dirs"), "{error}");
        assert_eq!(refused(&[b, a]), "");
    }
}

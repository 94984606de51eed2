//! How large the partitions of a log directory are.

use std::io;

use super::super::directory::DELETED_SUFFIX;
use super::super::store::{StorageError, split_partition};
use super::stopped::StoppedDirectory;

/// The size of one partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionSize {
    /// Its topic.
    pub topic: String,
    /// Its index.
    pub partition: i32,
    /// Files of batches.
    pub segments: u64,
    /// Bytes of batches.
    pub log_bytes: u64,
    /// Bytes of all files: indexes, snapshots, and what is about to be removed.
    pub all_bytes: u64,
}

/// The partitions that have files in the directory, by topic and index, and the
/// bytes of deleted ones that are about to be removed.
///
/// # Errors
/// When something cannot be looked at.
pub fn sizes(directory: &StoppedDirectory) -> Result<(Vec<PartitionSize>, u64), StorageError> {
    let root = directory.path();
    let failed = |source| StorageError::io("look into", root, source);
    let (mut sizes, mut deleted_bytes) = (Vec::new(), 0);
    for entry in std::fs::read_dir(root).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_deleted = name.ends_with(DELETED_SUFFIX);
        let (topic, partition) = match split_partition(name) {
            Some(partition) => partition,
            None if is_deleted => (name, 0),
            None => continue,
        };
        if !path.is_dir() {
            continue;
        }
        let mut size = PartitionSize {
            topic: topic.to_owned(),
            partition,
            segments: 0,
            log_bytes: 0,
            all_bytes: 0,
        };
        let failed = |source| StorageError::io("look into", &path, source);
        add_files(&path, &mut size).map_err(failed)?;
        if is_deleted {
            deleted_bytes += size.all_bytes;
        } else {
            sizes.push(size);
        }
    }
    sizes.sort_unstable();
    Ok((sizes, deleted_bytes))
}

fn add_files(directory: &std::path::Path, size: &mut PartitionSize) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let bytes = entry.metadata()?.len();
        size.all_bytes += bytes;
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            size.segments += 1;
            size.log_bytes += bytes;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_counted_by_partition() {
        let root = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("meta.properties", 40),
            ("a-b-0/00000000000000000000.log", 100),
            ("a-b-0/00000000000000000007.log", 50),
            ("a-b-0/00000000000000000007.index", 8),
            ("a-b-0/00000000000000000000.log.deleted", 30),
            ("a-b-1/00000000000000000000.log", 5),
            ("gone-0.0123-delete/00000000000000000000.log", 9),
            ("other/file", 77),
        ] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; bytes]).unwrap();
        }
        let directory = StoppedDirectory::open(root.path()).unwrap();
        let size = |partition, segments, log_bytes, all_bytes| PartitionSize {
            topic: "a-b".to_owned(),
            partition,
            segments,
            log_bytes,
            all_bytes,
        };
        let expected = vec![size(0, 2, 150, 188), size(1, 1, 5, 5)];
        assert_eq!(sizes(&directory).unwrap(), (expected, 9));
    }
}

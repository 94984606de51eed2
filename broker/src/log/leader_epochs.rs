//! Which leader epoch began at which offset (`leader-epoch-checkpoint`).

use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint;
use super::file::FileSystem;

/// The file in a partition's directory.
const FILE_NAME: &str = "leader-epoch-checkpoint";

/// An epoch and the offset of its first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochStart {
    pub(crate) epoch: i32,
    pub(crate) start_offset: i64,
}

/// The epochs of a partition, oldest first; epochs and offsets both grow.
#[derive(Debug, Default, Clone)]
pub(crate) struct LeaderEpochs {
    starts: Vec<EpochStart>,
}

impl LeaderEpochs {
    /// Reads the checkpoint of a partition.
    pub(crate) fn read(files: &dyn FileSystem, directory: &Path) -> io::Result<Self> {
        let path = path(directory);
        let mut epochs = Self::default();
        for line in checkpoint::read_lines(files, &path)?.unwrap_or_default() {
            let parsed = line
                .split_once(' ')
                .and_then(|(epoch, offset)| Some((epoch.parse().ok()?, offset.parse().ok()?)));
            let Some((epoch, start_offset)) = parsed else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} has a line that is not an epoch and an offset: {line}",
                        path.display()
                    ),
                ));
            };
            epochs.begin(epoch, start_offset);
        }
        Ok(epochs)
    }

    /// Replaces the checkpoint of a partition.
    pub(crate) fn write(&self, files: &dyn FileSystem, directory: &Path) -> io::Result<()> {
        let line = |start: &EpochStart| format!("{} {}", start.epoch, start.start_offset);
        checkpoint::write_lines(files, &path(directory), self.starts.iter().map(line))
    }

    /// Notes that records of `epoch` begin at an offset, unless it has begun
    /// before. Says whether that was news.
    pub(crate) fn begin(&mut self, epoch: i32, start_offset: i64) -> bool {
        if self.latest().is_some_and(|latest| epoch <= latest) {
            return false;
        }
        // An epoch without records ends where it began.
        self.starts.retain(|start| start.start_offset < start_offset);
        self.starts.push(EpochStart { epoch, start_offset });
        true
    }

    /// Where the first epoch begins that the other list has not, or has otherwise, or
    /// has and this one has not.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<i64> {
        let same = self.starts.iter().zip(&other.starts).take_while(|(a, b)| a == b).count();
        let rests = [self.starts.get(same), other.starts.get(same)];
        rests.into_iter().flatten().map(|start| start.start_offset).min()
    }

    /// The newest epoch that has records.
    pub(crate) fn latest(&self) -> Option<i32> {
        self.starts.last().map(|start| start.epoch)
    }

    /// The epoch that the record at `offset` belongs to; -1 when it is unknown.
    pub(crate) fn epoch_of(&self, offset: i64) -> i32 {
        let later = self.starts.partition_point(|start| start.start_offset <= offset);
        later
            .checked_sub(1)
            .and_then(|index| self.starts.get(index))
            .map_or(-1, |start| start.epoch)
    }

    /// Forgets epochs that begin at or behind an offset, after the log was cut there.
    pub(crate) fn truncate(&mut self, end_offset: i64) {
        self.starts.retain(|start| start.start_offset < end_offset);
    }

    /// Forgets epochs that end before the log begins now. Says whether there were any.
    pub(crate) fn trim(&mut self, log_start_offset: i64) -> bool {
        let gone = self.starts.partition_point(|start| start.start_offset <= log_start_offset);
        let (_, first_kept) = (gone, gone.saturating_sub(1));
        let changed = first_kept > 0
            || self.starts.first().is_some_and(|first| first.start_offset < log_start_offset);
        self.starts.drain(..first_kept);
        if let Some(first) = self.starts.first_mut() {
            first.start_offset = first.start_offset.max(log_start_offset);
        }
        changed
    }

    /// The largest epoch up to `epoch`, and the offset behind its last record.
    /// (-1, -1) for an epoch that is newer than `current`, or older than all
    /// that is known.
    pub(crate) fn end_offset(&self, epoch: i32, current: i32, log_end_offset: i64) -> (i32, i64) {
        if epoch < 0 || epoch > current {
            return (-1, -1);
        }
        if epoch == current {
            return (current, log_end_offset);
        }
        let later = self.starts.partition_point(|start| start.epoch <= epoch);
        let end = self.starts.get(later).map_or(log_end_offset, |next| next.start_offset);
        match later.checked_sub(1).and_then(|index| self.starts.get(index)) {
            Some(start) => (start.epoch, end),
            // Older than the log goes back: it ended where the log begins.
            None => (epoch, end),
        }
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Disk;

    fn epochs(starts: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start_offset) in starts {
            epochs.begin(*epoch, *start_offset);
        }
        epochs
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        // Epoch 4 is the current one and has no records yet.
        let epochs = epochs(&[(1, 0), (3, 100)]);
        for (case, epoch, expected) in [
            ("known", 1, (1, 100)),
            ("between two", 2, (1, 100)),
            ("the last with records", 3, (3, 250)),
            ("the current one", 4, (4, 250)),
            ("newer than ours", 5, (-1, -1)),
            ("undefined", -1, (-1, -1)),
            ("older than all", 0, (0, 0)),
        ] {
            assert_eq!(epochs.end_offset(epoch, 4, 250), expected, "{case}");
        }
    }

    #[test]
    fn records_know_their_epoch() {
        let epochs = epochs(&[(1, 10), (3, 100)]);
        for (offset, expected) in [(9, -1), (10, 1), (99, 1), (100, 3), (1000, 3)] {
            assert_eq!(epochs.epoch_of(offset), expected, "{offset}");
        }
    }

    #[test]
    fn a_cut_takes_later_epochs_away() {
        let mut epochs = epochs(&[(0, 0), (1, 50), (2, 50), (3, 90)]);
        assert_eq!(epochs.end_offset(1, 3, 100), (0, 50), "epoch 1 never had a record");
        epochs.truncate(50);
        assert_eq!(epochs.latest(), Some(0));
    }

    #[test]
    fn epochs_before_the_log_start_are_forgotten() {
        let mut epochs = epochs(&[(0, 0), (1, 50), (3, 90)]);
        assert!(!epochs.trim(0));
        assert!(epochs.trim(70));
        assert_eq!(epochs.end_offset(0, 3, 100), (0, 70), "it ended where the log begins");
        assert_eq!(epochs.end_offset(1, 3, 100), (1, 90));
        assert!(epochs.trim(200));
        assert_eq!(epochs.latest(), Some(3));
    }

    #[test]
    fn the_checkpoint_is_kafkas() {
        let directory = tempfile::tempdir().unwrap();
        epochs(&[(0, 0), (2, 50)]).write(&Disk, directory.path()).unwrap();
        let text = std::fs::read_to_string(directory.path().join(FILE_NAME)).unwrap();
        assert_eq!(text, "0\n2\n0 0\n2 50\n");
        let read = LeaderEpochs::read(&Disk, directory.path()).unwrap();
        assert_eq!(read.epoch_of(60), 2);
    }
}

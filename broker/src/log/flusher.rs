//! The threads of a log directory that wait for the disk.
//!
//! A partition with something to sync stands in the queue once, however much is
//! appended to it: what arrives while its sync runs is synced by the next one.
//! That is the group commit, and it needs no timer. Only `interval`, `flush.ms`
//! and the checkpoints have times.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::directory::Directory;
use super::partition::Partition;

/// Threads per log directory. Syncs of different files run side by side.
pub(super) const THREADS: usize = 4;

/// Something that waits for the disk.
#[derive(Debug)]
pub(super) enum Task {
    /// Sync a partition.
    Flush(Arc<Partition>),
    /// Sync partitions together.
    FlushTogether(Vec<Arc<Partition>>),
    /// Sync what full halves of the journal stand for.
    EmptyJournal,
    /// Remove the directory of a deleted partition.
    Remove(PathBuf),
    /// Remove files of deleted segments.
    Unlink(Vec<PathBuf>),
    /// Remove what is past its retention, and do it again later.
    Retention,
    /// Write the checkpoints, and do it again later.
    Checkpoint,
}

/// The work of the flushers of one log directory.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    state: Mutex<State>,
    changed: Condvar,
}

/// From so many partitions on, a round goes through the journal: below, their
/// files are synced side by side in about the time of one sync and its copies.
/// `docs/decisions/001-journal.md` has the measurements.
const TOGETHER: usize = if cfg!(test) { 2 } else { 8 };

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Task>,
    /// Partitions to be synced.
    flushes: VecDeque<Arc<Partition>>,
    /// A round through the journal is under way; the next one gathers meanwhile.
    is_together: bool,
    /// By time; the number tells tasks of the same time apart.
    later: BTreeMap<(Instant, u64), Task>,
    next_number: u64,
    is_closed: bool,
}

impl Tasks {
    /// To be done at once.
    pub(super) fn push(&self, task: Task) {
        self.state.lock().ready.push_back(task);
        self.changed.notify_one();
    }

    /// Partitions to be synced at once.
    pub(super) fn flush_all(&self, partitions: impl IntoIterator<Item = Arc<Partition>>) {
        let mut state = self.state.lock();
        let before = state.flushes.len();
        state.flushes.extend(partitions);
        let added = state.flushes.len() - before;
        drop(state);
        for _ in 0..added.min(THREADS) {
            self.changed.notify_one();
        }
    }

    /// The round through the journal is over.
    fn end_together(&self) {
        self.state.lock().is_together = false;
        self.changed.notify_all();
    }

    /// To be done at a time.
    pub(super) fn push_at(&self, time: Instant, task: Task) {
        let mut state = self.state.lock();
        let number = state.next_number;
        state.next_number += 1;
        state.later.insert((time, number), task);
        drop(state);
        self.changed.notify_one();
    }

    /// Files that wait to be removed are removed now.
    pub(super) fn hasten_unlinking(&self) {
        let mut state = self.state.lock();
        let is_unlinking = |_: &(Instant, u64), task: &mut Task| matches!(task, Task::Unlink(_));
        let now: Vec<Task> =
            state.later.extract_if(.., is_unlinking).map(|(_, task)| task).collect();
        if !now.is_empty() {
            state.ready.extend(now);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// No more tasks; those for a later time are forgotten.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.later.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// A task that can be done now, if there is one.
    #[cfg(test)]
    pub(super) fn take_ready(&self) -> Option<Task> {
        self.state.lock().take_ready()
    }

    /// The next task; `None` when all is done and there will be no more.
    fn next(&self) -> Option<Task> {
        let mut state = self.state.lock();
        loop {
            if let Some(first) = state.later.first_entry()
                && first.key().0 <= Instant::now()
            {
                return Some(first.remove());
            }
            if let Some(task) = state.take_ready() {
                return Some(task);
            }
            if state.is_closed && state.flushes.is_empty() {
                return None;
            }
            match state.later.first_key_value().map(|((time, _), _)| *time) {
                Some(time) => {
                    self.changed.wait_until(&mut state, time);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }
}

impl State {
    fn take_ready(&mut self) -> Option<Task> {
        if self.flushes.len() < TOGETHER {
            if let Some(partition) = self.flushes.pop_front() {
                return Some(Task::Flush(partition));
            }
        } else if !std::mem::replace(&mut self.is_together, true) {
            return Some(Task::FlushTogether(self.flushes.drain(..).collect()));
        }
        self.ready.pop_front()
    }
}

/// Works until the tasks are closed and done.
pub(super) fn run(directory: &Directory) {
    while let Some(task) = directory.tasks().next() {
        if catch_unwind(AssertUnwindSafe(|| work(directory, task))).is_err() {
            tracing::error!("a flusher of a log directory failed");
            directory.go_offline();
        }
    }
}

/// Does one task.
pub(super) fn work(directory: &Directory, task: Task) {
    match task {
        Task::Flush(partition) => partition.run_flush(),
        Task::FlushTogether(partitions) => {
            Partition::run_flushes(directory, partitions);
            directory.tasks().end_together();
        }
        Task::EmptyJournal => directory.empty_journal(),
        Task::Remove(path) => directory.remove_files(&path),
        Task::Unlink(paths) => directory.unlink(&paths),
        Task::Retention => directory.check_retention(),
        Task::Checkpoint => directory.checkpoint(),
    }
}

//! The one thread of a log directory that appends.
//!
//! It takes whatever waits in its queue, and writes what there is for one
//! partition in one go. It syncs nothing, except for topics with
//! `durability=strict`.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::directory::Directory;
use super::partition::{Append, Partition};

/// Jobs that may wait for the writer. Whoever brings more waits too.
pub(super) const QUEUE: usize = 1024;

/// Jobs that are taken together, so that answers do not wait for a queue that
/// never ends.
const TOGETHER: usize = 256;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Append a batch.
    Append(Arc<Partition>, Append),
    /// Begin a new segment, and say so unless that fails.
    Roll(Arc<Partition>, oneshot::Sender<()>),
    /// Remove a partition, and say when it is done.
    Delete(Arc<Partition>, oneshot::Sender<()>),
}

/// Works until the queue is closed and empty.
pub(super) fn run(directory: &Directory, mut queue: mpsc::Receiver<Job>) {
    directory.look_at_space();
    while let Some(first) = queue.blocking_recv() {
        let mut jobs = vec![first];
        while jobs.len() < TOGETHER
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        directory.look_at_space();
        // A defect here must not leave files half written behind answers that say otherwise.
        if catch_unwind(AssertUnwindSafe(|| work(directory, jobs))).is_err() {
            tracing::error!("the writer of a log directory failed");
            directory.go_offline();
        }
    }
}

/// Does the jobs, in their order for each partition.
pub(super) fn work(directory: &Directory, jobs: Vec<Job>) {
    let mut by_partition: Vec<(Arc<Partition>, Vec<Append>)> = Vec::new();
    let mut places: HashMap<*const Partition, usize> = HashMap::new();
    for job in jobs {
        match job {
            Job::Append(partition, append) => {
                let place = *places.entry(Arc::as_ptr(&partition)).or_insert_with(|| {
                    by_partition.push((partition, Vec::new()));
                    by_partition.len() - 1
                });
                if let Some((_, appends)) = by_partition.get_mut(place) {
                    appends.push(append);
                }
            }
            Job::Roll(partition, done) => {
                append_all(by_partition.drain(..));
                places.clear();
                if partition.begin_segment() {
                    let _ = done.send(());
                }
            }
            Job::Delete(partition, done) => {
                append_all(by_partition.drain(..));
                places.clear();
                partition.remove();
                let _ = done.send(());
            }
        }
    }
    append_all(by_partition.drain(..));
    directory.end_round();
}

fn append_all(work: impl Iterator<Item = (Arc<Partition>, Vec<Append>)>) {
    for (partition, appends) in work {
        partition.append_all(appends);
    }
}

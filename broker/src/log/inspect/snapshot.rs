//! What the snapshots of a partition's producers say.

use std::io;
use std::path::Path;

use super::super::file::FileSystem;
use super::read_only::ReadOnlyDisk;
use crate::producers::Producers;
pub use crate::producers::snapshot::SnapshotError;
use crate::producers::snapshot::{ProducerView, kafka_views};

/// A producer in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Epoch of the coordinator that ended its last transaction, or -1.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins, if one is open.
    pub transaction: Option<i64>,
    /// Its last batches, the oldest first.
    pub batches: Vec<SnapshotBatch>,
}

/// A batch in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotBatch {
    /// Sequence number of the first record.
    pub first_sequence: i32,
    /// Sequence number of the last record.
    pub last_sequence: i32,
    /// Offset of the last record.
    pub last_offset: i64,
    /// Offset of the last record less that of the first.
    pub offset_delta: i32,
    /// The largest timestamp, in ms.
    pub timestamp: i64,
}

/// The producers in a `.snapshot`, Kafka's own format.
///
/// # Errors
/// When the file cannot be read; within, when it is damaged.
pub fn read_kafka_snapshot(
    path: &Path,
) -> io::Result<Result<Vec<SnapshotProducer>, SnapshotError>> {
    let views = kafka_views(&read(path)?);
    Ok(views.map(|views| views.into_iter().map(SnapshotProducer::from).collect()))
}

/// The producers in a `.producers`, which is ours and has all that is remembered.
///
/// # Errors
/// When the file cannot be read; within, when it is damaged.
pub fn read_snapshot(path: &Path) -> io::Result<Result<Vec<SnapshotProducer>, SnapshotError>> {
    let producers = Producers::from_bytes(&read(path)?);
    Ok(producers.map(|producers| {
        let mut found: Vec<_> = producers.views().map(SnapshotProducer::from).collect();
        found.sort_unstable_by_key(|producer| producer.producer_id);
        found
    }))
}

impl From<ProducerView> for SnapshotProducer {
    fn from(view: ProducerView) -> Self {
        let batches = view.batches.iter().map(|batch| SnapshotBatch {
            first_sequence: batch.first_sequence(),
            last_sequence: batch.last_sequence,
            last_offset: batch.last_offset,
            offset_delta: batch.offset_delta,
            timestamp: batch.timestamp,
        });
        Self {
            producer_id: view.id,
            epoch: view.epoch,
            coordinator_epoch: view.coordinator_epoch,
            transaction: view.transaction,
            batches: batches.collect(),
        }
    }
}

fn read(path: &Path) -> io::Result<bytes::Bytes> {
    let files: &dyn FileSystem = &ReadOnlyDisk;
    files.read(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

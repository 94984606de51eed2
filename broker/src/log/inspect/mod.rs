//! Reading a log directory that no broker uses, without changing anything in it.
//!
//! [`StoppedDirectory`] makes sure of the first, and that files are opened for
//! reading only of the second. What is read here may be damaged in any way: that
//! is told, and nothing is believed before it was checked.

mod indexes;
mod read_only;
mod segment;
mod size;
mod snapshot;
mod stopped;
mod verify;

pub use indexes::{
    AbortedTransaction, OffsetIndexEntry, TimeIndexEntry, read_offset_index, read_time_index,
    read_transaction_index,
};
pub use segment::{Batches, FoundBatch, SegmentError, base_offset_of};
pub use size::{PartitionSize, sizes};
pub use snapshot::{
    SnapshotBatch, SnapshotError, SnapshotProducer, read_kafka_snapshot, read_snapshot,
};
pub use stopped::StoppedDirectory;
pub use verify::{Finding, Report, Severity, Watcher, verify};

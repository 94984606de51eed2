//! The log: records on disk, in Kafka's own files.

mod append;
mod checkpoint;
mod cleaner;
mod compaction;
mod directory;
mod disk_space;
#[cfg(test)]
mod faults;
mod file;
mod flusher;
mod index;
pub mod inspect;
mod journal;
mod leader_epochs;
#[cfg(test)]
mod memory_disk;
mod meta_properties;
mod open_files;
mod partition;
mod partition_log;
mod partition_metadata;
#[cfg(test)]
mod power_loss;
mod progress;
mod recovery;
mod retention;
mod segment;
mod snapshots;
mod store;
mod swap;
mod validation;
mod writer;

pub(crate) use append::{Acks, AppendError, AppendOptions, Completion};
pub(crate) use file::{Disk, FileRange, FileSystem, LogFile, Reads};
pub(crate) use partition::{Bounds, Partition};
pub(crate) use partition_log::{ReadError, TimestampOffset};
pub(crate) use retention::DeleteRecordsError;
pub use store::StorageError;
pub(crate) use store::{KnownPartition, LockedDirectories, LogStore};

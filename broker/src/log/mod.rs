//! The log: records on disk, in Kafka's own files.

mod append;
mod checkpoint;
mod directory;
mod file;
mod flusher;
mod index;
mod leader_epochs;
mod meta_properties;
mod partition;
mod partition_log;
mod partition_metadata;
mod recovery;
mod segment;
mod snapshots;
mod store;
mod validation;
mod writer;

pub(crate) use append::{Acks, AppendError, AppendOptions, Completion};
pub(crate) use file::{Disk, FileRange, FileSystem};
pub(crate) use partition::Partition;
pub(crate) use partition_log::{ReadError, TimestampOffset};
pub use store::StorageError;
pub(crate) use store::{KnownPartition, LockedDirectories, LogStore};

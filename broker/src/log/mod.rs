//! The log: records on disk, in Kafka's own files.

mod checkpoint;
mod file;
mod index;
mod leader_epochs;
mod partition_log;
mod partition_metadata;
mod recovery;
mod segment;

pub(crate) use file::{Disk, FileRange, FileSystem, LogFile};
pub(crate) use partition_log::{
    AppendFailure, Mark, Opened, PartitionLog, PreparedBatch, ReadError, TimestampOffset, Unsynced,
};

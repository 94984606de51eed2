//! API v2, as of release 8.3 of the reference.

pub(crate) mod assignments;
mod bodies;
pub(crate) mod brokers;
pub(crate) mod consumers;
pub(crate) mod offsets;
pub(crate) mod partitions;
pub(crate) mod positions;
pub(crate) mod produce;
pub(crate) mod records;
pub(crate) mod root;
pub(crate) mod subscription;
pub(crate) mod topics;

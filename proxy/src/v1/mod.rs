//! API v1, as of release 5.5 of the reference.

pub(crate) mod brokers;
pub(crate) mod consumers;
pub(crate) mod messages;
pub(crate) mod offsets;
pub(crate) mod partitions;
pub(crate) mod produce;
pub(crate) mod records;
pub(crate) mod root;
pub(crate) mod topics;

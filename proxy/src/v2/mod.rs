//! API v2, as of release 8.3 of the reference.

pub(crate) mod brokers;
pub(crate) mod partitions;
pub(crate) mod produce;
pub(crate) mod root;
pub(crate) mod topics;

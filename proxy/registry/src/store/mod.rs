//! Keeps schemas in a compacted topic, in the format of Confluent's registry,
//! and in memory what its records amount to.
//!
//! ```text
//! append ─► topic ─► reader ─► view ─► answers
//! ```
//!
//! Nothing enters the view but through the topic: whoever writes waits until
//! the reader has come past the record. So the view is the same after a
//! restart, and the same in every registry of the cluster.

pub(crate) mod record;
mod topic;
pub(crate) mod view;

pub use record::{Mode, Policy, SubjectConfig};
pub(crate) use topic::{Records, Store};
pub use view::{Filter, StoredSchema};

//! Groups: their members, and the offsets they stored.
//!
//! ```text
//! handlers ── coordinator ─┬─ state      who is a member of what (pure)
//!                          ├─ offsets    how far each group has read
//!                          ├─ timers     when which group is looked at
//!                          └─ writer ──── storage (__consumer_offsets)
//! ```
//!
//! # Invariants
//! - What clients are told of offsets and assignments is in the log.
//! - Changes of offsets take effect in the order of the log, by the same code that
//!   reads the log at start: live state and replay come to the same.
//! - No task and no timer belongs to a single group.

mod cell;
mod clock;
mod coordinator;
mod load;
mod membership;
mod offsets;
mod records;
mod removal;
mod state;
mod storage;
mod timers;
mod views;
mod writer;

pub(crate) use coordinator::{Commit, Committer, GroupCoordinator};
pub(crate) use offsets::GroupOffsets;
pub(crate) use records::{CommittedOffset, check_record};
pub(crate) use storage::{GroupStorage, StorageError};

//! When which group wants to be looked at: one entry per group, one task for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::cell::GroupCell;

/// The groups that wait for a time. A group has at most one entry; it is moved
/// forward when something is due earlier, and left alone when it is due later.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Taken after the lock of a group, if at all; nothing is locked after it.
    queue: Mutex<BTreeMap<(i64, u64), Arc<GroupCell>>>,
    earlier: Notify,
}

impl Timers {
    /// Enters the group at a time, instead of the one it is entered at.
    pub(super) fn arm(&self, cell: &Arc<GroupCell>, former_ms: Option<i64>, at_ms: i64) {
        let mut queue = self.queue.lock();
        if let Some(former_ms) = former_ms {
            queue.remove(&(former_ms, cell.serial));
        }
        let key = (at_ms, cell.serial);
        queue.insert(key, Arc::clone(cell));
        if queue.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.earlier.notify_one();
        }
    }

    /// Takes the group out.
    pub(super) fn disarm(&self, cell: &GroupCell, at_ms: i64) {
        self.queue.lock().remove(&(at_ms, cell.serial));
    }

    /// Takes out a group whose time has come.
    pub(super) fn pop_due(&self, now_ms: i64) -> Option<Arc<GroupCell>> {
        let mut queue = self.queue.lock();
        let first = queue.first_entry()?;
        if first.key().0 <= now_ms { Some(first.remove()) } else { None }
    }

    /// The earliest time that any group waits for.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.queue.lock().first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// Until a group was entered in front of all others since the last call.
    pub(super) async fn earlier(&self) {
        self.earlier.notified().await;
    }
}

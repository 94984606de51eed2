//! Fetches that wait for a partition to grow.
//!
//! A waiting Fetch is a counter of the bytes it still misses, entered with every
//! partition that it asks for. A partition that becomes readable further counts
//! down those that wait for it and wakes the ones that have enough: no task
//! polls, and nothing is sent to fetches of other partitions.
//!
//! Whoever waits enters first and looks at the partitions after that, so bytes
//! that arrive in between are not missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// One waiting Fetch.
#[derive(Debug)]
pub(crate) struct Waiter {
    missing_bytes: AtomicI64,
    woken: Notify,
}

impl Waiter {
    /// Waits until `missing_bytes` more are readable, in all partitions together.
    pub(crate) fn new(missing_bytes: usize) -> Arc<Self> {
        let missing_bytes = AtomicI64::new(i64::try_from(missing_bytes).unwrap_or(i64::MAX));
        Arc::new(Self { missing_bytes, woken: Notify::new() })
    }

    /// Until a partition has something to look at. Returns at once when that
    /// was so since the last call.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Starts to count again, after a look at the partitions found that many bytes missing.
    pub(crate) fn reset(&self, missing_bytes: usize) {
        self.missing_bytes
            .store(i64::try_from(missing_bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

/// The fetches that wait for one partition.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// How many are in the list, for those who would only find it empty.
    count: AtomicUsize,
    list: Mutex<Vec<Arc<Waiter>>>,
}

impl Waiters {
    /// Counts `waiter` down from now on, until it is removed.
    pub(crate) fn add(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        list.push(Arc::clone(waiter));
        self.count.store(list.len(), Ordering::SeqCst);
    }

    /// The opposite of [`Waiters::add`].
    pub(crate) fn remove(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        list.retain(|other| !Arc::ptr_eq(other, waiter));
        self.count.store(list.len(), Ordering::SeqCst);
    }

    /// That many more bytes can be read now.
    pub(crate) fn advanced(&self, bytes: u64) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        for waiter in self.list.lock().iter() {
            if waiter.missing_bytes.fetch_sub(bytes, Ordering::Relaxed) <= bytes {
                waiter.woken.notify_one();
            }
        }
    }

    /// Something else than growth happened: everybody has to look again.
    pub(crate) fn wake_all(&self) {
        for waiter in self.list.lock().iter() {
            waiter.woken.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_woken(waiter: &Waiter) -> bool {
        waiter.woken().now_or_never().is_some()
    }

    #[test]
    fn a_waiter_wakes_when_its_partitions_together_have_enough() {
        let (one, other) = (Waiters::default(), Waiters::default());
        let waiter = Waiter::new(100);
        one.add(&waiter);
        other.add(&waiter);
        one.advanced(60);
        assert!(!is_woken(&waiter));
        other.advanced(40);
        assert!(is_woken(&waiter));
        assert!(!is_woken(&waiter), "a call is woken once");
        waiter.reset(10);
        one.advanced(9);
        assert!(!is_woken(&waiter));
        one.wake_all();
        assert!(is_woken(&waiter));
    }

    #[test]
    fn who_was_removed_is_not_counted_down() {
        let waiters = Waiters::default();
        let (gone, here) = (Waiter::new(1), Waiter::new(1));
        waiters.add(&gone);
        waiters.add(&here);
        waiters.remove(&gone);
        waiters.advanced(1);
        assert!(!is_woken(&gone));
        assert!(is_woken(&here));
    }
}

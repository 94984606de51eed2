//! Memory that requests share: each takes what it needs of a budget, and is
//! refused when there is not enough, before it has the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;

/// How much a share grows at a time, in bytes: more often would make the
/// budget a place that all threads write to.
const STEP: usize = 64 * 1024;

/// How much may be taken, and how much is.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    taken: AtomicUsize,
}

/// A part of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: AtomicUsize::new(0) })
    }

    /// How much may be taken.
    fn limit(&self) -> usize {
        self.limit
    }

    /// A share of nothing yet.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0 }
    }

    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Takes more, if less than `bytes` are taken.
    ///
    /// # Errors
    /// When the budget does not have as much. The share stays as it is.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|&more| more > 0) else {
            return Ok(());
        };
        // The first time that is often all; then it grows bit by bit.
        let more = if self.bytes == 0 { more } else { more.max(STEP) };
        let Budget { limit, taken } = &*self.budget;
        let fits = |now: usize| now.checked_add(more).filter(|then| then <= limit);
        if taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return Err(Error::Overloaded);
        }
        self.bytes += more;
        Ok(())
    }

    /// `bytes`, or a good part of the budget where that is less.
    pub(crate) fn at_most(&self, bytes: usize) -> usize {
        bytes.min(self.budget.limit() / 4).max(1)
    }

    /// Gives back what is more than `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.taken.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_come_back() {
        let budget = Budget::new(200_000);
        let (mut one, mut other) = (budget.share(), budget.share());
        one.grow_to(100_000).unwrap();
        one.grow_to(50_000).unwrap();
        assert_eq!(budget.taken(), 100_000);
        assert!(matches!(other.grow_to(100_001), Err(Error::Overloaded)));
        assert_eq!(budget.taken(), 100_000, "a refusal takes nothing");
        one.grow_to(100_001).unwrap();
        assert_eq!(budget.taken(), 100_000 + STEP);
        one.shrink_to(150_000);
        other.grow_to(50_000).unwrap();
        assert_eq!(budget.taken(), 200_000);
        drop((one, other));
        assert_eq!(budget.taken(), 0);
    }
}

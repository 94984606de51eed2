//! Mistakes that the log would make if it were written otherwise, so that it can
//! be seen whether the simulation notices them.

use std::cell::Cell;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Without its recovery point, all of a log is believed.
    LosesRecoveryPoint,
    /// Snapshots of producers keep their last batches alone.
    ForgetsOlderBatches,
}

thread_local! {
    static COMMITTED: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Makes the mistake on this thread until what is given back is dropped.
pub(crate) fn commit(fault: Option<Fault>) -> impl Drop {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            COMMITTED.set(None);
        }
    }
    COMMITTED.set(fault);
    End
}

/// Whether the mistake is to be made.
pub(crate) fn is_committed(fault: Fault) -> bool {
    COMMITTED.get() == Some(fault)
}

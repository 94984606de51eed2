//! From the end of a call to the task that waits for it.
//!
//! One answer of a broker ends the calls of many tasks. All of them get their
//! [`Delivery`] first, and are woken then; those of one [`WakeGroup`] cost their
//! thread one wake-up together.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{Delivery, ProduceError};

/// The answer to a call that was taken.
#[derive(Debug)]
#[must_use = "it tells what became of the records"]
pub struct PendingDelivery {
    slot: Arc<Mutex<Slot>>,
}

#[derive(Debug)]
enum Slot {
    /// Nobody knows yet.
    Open { waker: Option<Waker>, group: Option<Arc<WakeGroup>> },
    /// The call is over.
    Delivered(Delivery),
    /// It never will be, or was asked before.
    Gone,
}

/// Where the fate of a call is told, once. Dropping it tells that nobody knows it.
#[derive(Debug)]
pub(super) struct Caller {
    slot: Arc<Mutex<Slot>>,
}

impl PendingDelivery {
    pub(super) fn new() -> (Caller, Self) {
        let slot = Arc::new(Mutex::new(Slot::Open { waker: None, group: None }));
        (Caller { slot: Arc::clone(&slot) }, Self { slot })
    }

    /// The answer to a call without records.
    pub(super) fn of_nothing() -> Self {
        Self { slot: Arc::new(Mutex::new(Slot::Delivered(Delivery::new(Vec::new())))) }
    }

    /// Wakes the task that waits together with others of its thread. Something
    /// has to run the group there.
    pub fn wake_with(self, group: &Arc<WakeGroup>) -> Self {
        if let Slot::Open { group: own, .. } = &mut *self.slot.lock() {
            *own = Some(Arc::clone(group));
        }
        self
    }
}

impl Future for PendingDelivery {
    type Output = Result<Delivery, ProduceError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.slot.lock();
        if let Slot::Open { waker, .. } = &mut *slot {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(match mem::replace(&mut *slot, Slot::Gone) {
            Slot::Delivered(delivery) => Ok(delivery),
            Slot::Gone | Slot::Open { .. } => Err(ProduceError::Closed),
        })
    }
}

impl Caller {
    /// Leaves the result where the caller finds it. Whom to wake then, if anybody
    /// waits yet.
    fn end(&self, result: Slot) -> Option<(Waker, Option<Arc<WakeGroup>>)> {
        match mem::replace(&mut *self.slot.lock(), result) {
            Slot::Open { waker, group } => Some((waker?, group)),
            Slot::Delivered(_) | Slot::Gone => None,
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let is_open = matches!(*self.slot.lock(), Slot::Open { .. });
        if is_open && let Some((waker, _)) = self.end(Slot::Gone) {
            waker.wake();
        }
    }
}

/// A call that is over.
#[derive(Debug)]
struct Ended {
    caller: Caller,
    delivery: Delivery,
    /// Of those who wait for the end of all calls; dropped when the caller knows.
    _watchers: Vec<mpsc::Sender<()>>,
}

/// Calls that are over and have to be told so.
#[derive(Debug, Default)]
#[must_use = "callers wait"]
pub(super) struct Endings {
    ended: Vec<Ended>,
}

impl Endings {
    pub(super) fn push(
        &mut self,
        caller: Caller,
        delivery: Delivery,
        watchers: Vec<mpsc::Sender<()>>,
    ) {
        self.ended.push(Ended { caller, delivery, _watchers: watchers });
    }

    /// Tells all callers. To be called without locks: woken tasks run at once.
    pub(super) fn tell(self) {
        let mut groups: Vec<Arc<WakeGroup>> = Vec::new();
        let mut wakers = Vec::new();
        for Ended { caller, delivery, _watchers } in self.ended {
            match caller.end(Slot::Delivered(delivery)) {
                None => {}
                Some((waker, None)) => wakers.push(waker),
                Some((waker, Some(group))) => {
                    group.state.lock().ready.push(waker);
                    if !groups.iter().any(|known| Arc::ptr_eq(known, &group)) {
                        groups.push(group);
                    }
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        groups.iter().for_each(|group| group.wake());
    }
}

/// Tasks of one thread that are woken together.
///
/// A task that is woken from another thread costs a system call, and often an
/// interruption of whoever runs; woken on its own thread it costs neither.
#[derive(Debug, Default)]
pub struct WakeGroup {
    state: Mutex<GroupState>,
}

#[derive(Debug, Default)]
struct GroupState {
    /// To be woken.
    ready: Vec<Waker>,
    /// Of [`WakeGroup::run`].
    runner: Option<Waker>,
}

impl WakeGroup {
    fn wake(&self) {
        let runner = self.state.lock().runner.take();
        if let Some(runner) = runner {
            runner.wake();
        }
    }

    /// Wakes the tasks of the group, on the thread where this is polled. Never ends.
    pub async fn run(&self) {
        poll_fn(|context| {
            let ready = {
                let mut state = self.state.lock();
                state.runner = Some(context.waker().clone());
                mem::take(&mut state.ready)
            };
            ready.into_iter().for_each(Waker::wake);
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll<F: Future>(future: Pin<&mut F>, wakes: &Arc<Wakes>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(wakes))))
    }

    fn count(wakes: &Wakes) -> usize {
        wakes.0.load(Ordering::Relaxed)
    }

    #[test]
    fn a_group_is_woken_once_for_all_its_tasks() {
        let (group, runner, tasks) = <(Arc<WakeGroup>, Arc<Wakes>, Arc<Wakes>)>::default();
        let mut run = pin!(group.run());
        for _ in 0..2 {
            assert!(poll(run.as_mut(), &runner).is_pending());
            let (before, tasks_before) = (count(&runner), count(&tasks));
            let mut endings = Endings::default();
            let mut pending: Vec<_> = (0..3)
                .map(|_| {
                    let (caller, pending) = PendingDelivery::new();
                    endings.push(caller, Delivery::new(Vec::new()), Vec::new());
                    pending.wake_with(&group)
                })
                .collect();
            assert!(pending.iter_mut().all(|one| poll(Pin::new(one), &tasks).is_pending()));
            endings.tell();
            assert_eq!((count(&runner) - before, count(&tasks) - tasks_before), (1, 0));
            assert!(poll(run.as_mut(), &runner).is_pending());
            assert_eq!(count(&tasks) - tasks_before, 3);
            let mut is_told =
                |one| matches!(poll(Pin::new(one), &tasks), Poll::Ready(Ok::<Delivery, _>(_)));
            assert!(pending.iter_mut().all(&mut is_told));
        }
    }

    #[test]
    fn whoever_waits_for_a_call_that_is_gone_is_told() {
        let tasks = Arc::default();
        let (caller, mut pending) = PendingDelivery::new();
        assert!(poll(Pin::new(&mut pending), &tasks).is_pending());
        drop(caller);
        assert_eq!(count(&tasks), 1);
        let told = poll(Pin::new(&mut pending), &tasks);
        assert!(matches!(told, Poll::Ready(Err(ProduceError::Closed))));
    }
}

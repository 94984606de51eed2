//! The records of one caller, until their fate is known.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::records::RecordBuffer;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::pending::{Caller, Endings};
use super::{Appended, Delivery, PendingDelivery, ProduceError, Run};

/// See the module. Goes on without its caller.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) records: RecordBuffer,
    pub(super) since: Instant,
    pub(super) deadline: Instant,
    state: Mutex<State>,
    /// Given back when the records are.
    _memory: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct State {
    /// Records whose fate is not known.
    open: usize,
    runs: Vec<Run>,
    caller: Option<Caller>,
    /// Those who wait for the end of all calls; dropped with the last record.
    watchers: Vec<mpsc::Sender<()>>,
}

impl Call {
    pub(super) fn new(
        records: RecordBuffer,
        since: Instant,
        deadline: Instant,
        memory: Option<OwnedSemaphorePermit>,
    ) -> (Arc<Self>, PendingDelivery) {
        let (caller, delivery) = PendingDelivery::new();
        let state = State {
            open: records.len(),
            runs: Vec::new(),
            caller: Some(caller),
            watchers: Vec::new(),
        };
        let call = Self { records, since, deadline, state: Mutex::new(state), _memory: memory };
        (Arc::new(call), delivery)
    }

    /// Says what became of some of the records. Only the first word counts; the
    /// last one ends the call.
    pub(super) fn settle(
        &self,
        range: Range<usize>,
        outcome: Result<Appended, ProduceError>,
        endings: &mut Endings,
    ) {
        let mut state = self.state.lock();
        if !state.is_open(&range) {
            return;
        }
        state.open = state.open.saturating_sub(range.len());
        state.runs.push(Run { first_record: range.start, count: range.len(), outcome });
        if state.open > 0 {
            return;
        }
        let watchers = std::mem::take(&mut state.watchers);
        if let Some(caller) = state.caller.take() {
            endings.push(caller, Delivery::new(std::mem::take(&mut state.runs)), watchers);
        }
    }

    /// Whether the fate of these records is still open.
    pub(super) fn is_open(&self, range: &Range<usize>) -> bool {
        self.state.lock().is_open(range)
    }

    /// Keeps the sender until the fate of all records is known.
    pub(super) fn watch(&self, watcher: &mpsc::Sender<()>) {
        let mut state = self.state.lock();
        if state.open > 0 {
            state.watchers.push(watcher.clone());
        }
    }
}

impl State {
    fn is_open(&self, range: &Range<usize>) -> bool {
        let settled =
            |run: &Run| run.first_record < range.end && range.start < run.first_record + run.count;
        self.open > 0 && !range.is_empty() && !self.runs.iter().any(settled)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_first_word_on_a_record_counts() {
        let mut records = RecordBuffer::new();
        (0..3).for_each(|_| records.push(-1, None, None, &[]));
        let now = Instant::now();
        let (call, mut delivery) = Call::new(records, now, now, None);
        let (watcher, mut watch) = mpsc::channel(1);
        call.watch(&watcher);
        drop(watcher);
        let mut endings = Endings::default();
        call.settle(1..3, Err(ProduceError::Closed), &mut endings);
        call.settle(1..3, Ok(Appended { base_offset: 1, log_append_time: -1 }), &mut endings);
        assert!(call.is_open(&(0..1)) && !call.is_open(&(2..3)));
        std::mem::take(&mut endings).tell();
        assert!((&mut delivery).now_or_never().is_none());
        assert!(matches!(watch.try_recv(), Err(mpsc::error::TryRecvError::Empty)));
        call.settle(0..1, Ok(Appended { base_offset: 7, log_append_time: -1 }), &mut endings);
        endings.tell();
        let delivery = delivery.now_or_never().unwrap().unwrap();
        assert_eq!(delivery.records().next().unwrap().unwrap(), 7);
        assert_eq!(delivery.records().filter(Result::is_err).count(), 2);
        assert!(matches!(watch.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    }
}

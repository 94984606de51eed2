//! When each request is meant to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// The longest the pacing thread sleeps, and with that how long stopping it takes.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// A request to send now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Counts the requests of all connections, from 0.
    pub(super) number: u64,
    /// The time that latency counts from.
    pub(super) intended: Instant,
}

/// Hands out turns to any number of senders: without a rate one after the
/// other to whoever asks, with a rate each when its time has come. A turn that
/// finds no sender ready is not lost: it is taken late, and keeps its time.
#[derive(Debug)]
pub(super) struct Schedule {
    plan: Arc<Plan>,
    pacing: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Plan {
    started: Instant,
    requests: u64,
    next: AtomicU64,
    pace: Option<Pace>,
    is_stopped: AtomicBool,
}

#[derive(Debug)]
struct Pace {
    per_second: f64,
    /// One permit for each turn whose time has come.
    due: Semaphore,
}

impl Pace {
    /// When the turn with this number is due, after the start.
    fn time_of(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.per_second)
    }

    /// How many turns are due at that time after the start.
    fn due_at(&self, elapsed: Duration) -> u64 {
        (elapsed.as_secs_f64() * self.per_second) as u64 + 1
    }
}

impl Schedule {
    /// Starts now. `rate` is in requests a second.
    pub(super) fn start(requests: u64, rate: Option<f64>) -> Self {
        let pace = rate.map(|per_second| Pace { per_second, due: Semaphore::new(0) });
        let plan = Arc::new(Plan {
            started: Instant::now(),
            requests,
            next: AtomicU64::new(0),
            pace,
            is_stopped: AtomicBool::new(false),
        });
        // A thread of its own, because the timers of the runtime count whole milliseconds.
        let pacing = plan.pace.is_some().then(|| {
            let plan = Arc::clone(&plan);
            std::thread::spawn(move || plan.keep_pace())
        });
        Self { plan, pacing }
    }

    /// When the first turn was due.
    pub(super) fn started(&self) -> Instant {
        self.plan.started
    }

    /// The next turn, as soon as it is due; `None` when all are taken.
    pub(super) async fn next(&self) -> Option<Turn> {
        let plan = &self.plan;
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.requests {
            return None;
        }
        let Some(pace) = &plan.pace else {
            return Some(Turn { number, intended: Instant::now() });
        };
        pace.due.acquire().await.ok()?.forget();
        Some(Turn { number, intended: plan.started + pace.time_of(number) })
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.plan.is_stopped.store(true, Ordering::Relaxed);
        if let Some(pacing) = self.pacing.take() {
            // It does not panic, and there is nobody to tell if it did.
            let _ = pacing.join();
        }
    }
}

impl Plan {
    fn keep_pace(&self) {
        let Some(pace) = &self.pace else { return };
        let mut released = 0;
        while released < self.requests && !self.is_stopped.load(Ordering::Relaxed) {
            let due = pace.due_at(self.started.elapsed()).min(self.requests);
            if due > released {
                pace.due.add_permits(usize::try_from(due - released).unwrap_or(usize::MAX >> 3));
                released = due;
            }
            let next = pace.time_of(released).saturating_sub(self.started.elapsed());
            std::thread::sleep(next.min(LONGEST_NAP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spread_evenly() {
        let pace = Pace { per_second: 4.0, due: Semaphore::new(0) };
        for (elapsed_ms, due) in [(0, 1), (249, 1), (250, 2), (999, 4), (1_000, 5), (60_000, 241)] {
            assert_eq!(pace.due_at(Duration::from_millis(elapsed_ms)), due, "{elapsed_ms} ms");
        }
        assert_eq!(pace.time_of(0), Duration::ZERO);
        assert_eq!(pace.time_of(6), Duration::from_millis(1_500));
    }

    #[tokio::test]
    async fn every_turn_is_taken_once() {
        for rate in [None, Some(1_000_000.0)] {
            let schedule = Schedule::start(1_000, rate);
            let mut numbers = Vec::new();
            while let Some(turn) = schedule.next().await {
                numbers.push(turn.number);
            }
            assert_eq!(numbers, (0..1_000).collect::<Vec<_>>(), "{rate:?}");
        }
    }

    #[tokio::test]
    async fn a_turn_that_is_taken_late_keeps_its_time() {
        let schedule = Schedule::start(3, Some(1_000.0));
        // All turns are due before the first one is taken.
        let due = &schedule.plan.pace.as_ref().unwrap().due;
        while due.available_permits() < 3 {
            std::thread::yield_now();
        }
        for number in 0..3 {
            let turn = schedule.next().await.unwrap();
            assert_eq!(turn.intended - schedule.started(), Duration::from_millis(number));
        }
        assert!(schedule.next().await.is_none());
    }

    #[tokio::test]
    async fn nothing_is_sent_before_its_time() {
        let schedule = Schedule::start(20, Some(1_000.0));
        while let Some(turn) = schedule.next().await {
            assert!(turn.intended <= Instant::now(), "{turn:?}");
        }
    }

    #[test]
    fn a_schedule_that_is_given_up_ends_its_thread() {
        // The second turn would be due in a year.
        drop(Schedule::start(2, Some(1.0 / 31_536_000.0)));
    }
}

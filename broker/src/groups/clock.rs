//! The two times that groups go by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Sessions are timed by a clock that never goes back, records are dated by the calendar.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Milliseconds since the clock was started.
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// When [`Clock::now_ms`] gives this number.
    pub(super) fn instant(&self, at_ms: i64) -> Instant {
        self.origin + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0))
    }

    /// Milliseconds since 1970.
    pub(super) fn date_ms() -> i64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
    }
}

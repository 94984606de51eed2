//! How far long work is, for whoever watches it on a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time between two changes of what is shown.
const PAUSE: Duration = Duration::from_millis(200);

/// A line on standard error that counts, and goes away at the end. Nothing is
/// shown when standard error is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    started: Instant,
    /// When to show something next; `None` without a terminal.
    next: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// `what` is counted. Nothing is shown unless `wanted`.
    pub(super) fn new(what: &'static str, wanted: bool) -> Self {
        let started = Instant::now();
        let is_wanted = wanted && std::io::stderr().is_terminal();
        Self { what, started, next: is_wanted.then(|| started + PATIENCE), is_shown: false }
    }

    /// Shows the count now and then.
    pub(super) fn update(&mut self, count: u64) {
        let now = Instant::now();
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + PAUSE);
            self.is_shown = true;
            let rate = count as f64 / (now - self.started).as_secs_f64();
            // Nothing can be done about a terminal that is gone.
            let _ = write!(std::io::stderr(), "\r{count} {}, {rate:.0} a second\x1b[K", self.what);
        }
    }

    /// Takes the line away, so that something else can be said.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

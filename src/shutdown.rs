//! Stopping: the first signal asks for it, the second one does not wait.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// Signals this soon after the first one are the same wish: `timeout` and
/// terminals send to the program and to its group.
const ECHO: Duration = Duration::from_millis(200);

/// The signals that stop the program.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Why stopping was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CutShort {
    /// A second signal came, with this number.
    BySignal(i32),
    /// `shutdown.timeout.ms` was over.
    ByDeadline,
}

impl Signals {
    /// Listens for SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// When the system has no room for a handler.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal and gives its number. Safe to drop: a signal
    /// that came meanwhile is given to the next call.
    pub(crate) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }

    /// Waits for `stopping` to end, but not past a further signal or
    /// `timeout`. Called right after the first signal.
    ///
    /// # Errors
    /// When it had not ended by then.
    pub(crate) async fn bound<T>(
        &mut self,
        stopping: impl Future<Output = T>,
        timeout: Duration,
    ) -> Result<T, CutShort> {
        let begun = Instant::now();
        let further = async {
            loop {
                let number = self.next().await;
                if begun.elapsed() >= ECHO {
                    return number;
                }
            }
        };
        tokio::select! {
            done = stopping => Ok(done),
            number = further => Err(CutShort::BySignal(number)),
            () = tokio::time::sleep(timeout) => Err(CutShort::ByDeadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stopping_ends_by_itself_or_at_the_deadline() {
        let mut signals = Signals::listen().unwrap();
        let done = signals.bound(std::future::ready(7), Duration::from_secs(3600)).await;
        assert_eq!(done, Ok(7));
        let cut = signals.bound(std::future::pending::<()>(), Duration::ZERO).await;
        assert_eq!(cut, Err(CutShort::ByDeadline));
    }
}

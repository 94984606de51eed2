//! How a run goes, for whoever watches it on a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::meter::{Meter, bars};
use super::report::percentiles;

/// The time between two changes of what is shown.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// Some lines on standard error that change, and go away at the end. Nothing
/// is shown when standard error is no terminal.
#[derive(Debug)]
pub(super) struct Display {
    is_terminal: bool,
    started: Instant,
    /// When something was last shown, and the records until then.
    last: (Instant, u64),
    lines: usize,
}

impl Display {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            started: now,
            last: (now, 0),
            lines: 0,
        }
    }

    /// Shows what the meter says; `records` are expected in all.
    pub(super) fn show(&mut self, meter: &Meter, records: u64) {
        if !self.is_terminal {
            return;
        }
        let (reading, now) = (meter.read(), Instant::now());
        let (then, before) = std::mem::replace(&mut self.last, (now, reading.records));
        let seconds = (now - then).as_secs_f64().max(1e-9);
        let rate = reading.records.saturating_sub(before) as f64 / seconds;
        let mut lines = vec![
            format!(
                "{:>5.1} s  {:>5.1}%  {} of {records} records  {rate:.0} records/s",
                (now - self.started).as_secs_f64(),
                100.0 * reading.records as f64 / records.max(1) as f64,
                reading.records,
            ),
            percentiles(&reading),
        ];
        lines.extend(bars(&reading.latencies));
        self.clear();
        self.lines = lines.len();
        write(&(lines.join("\n") + "\n"));
    }

    fn clear(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines > 0 {
            write(&format!("\x1b[{lines}A\r\x1b[J"));
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.clear();
    }
}

fn write(text: &str) {
    // Nothing can be done about a terminal that is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

//! What the connections of a run count together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Counts what was done, and how long each request took.
#[derive(Debug)]
pub(super) struct Meter {
    records: AtomicU64,
    bytes: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
    /// In microseconds.
    latencies: Mutex<Histogram<u64>>,
}

/// What a meter showed at some time.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) requests: u64,
    pub(super) retries: u64,
    pub(super) latencies: Histogram<u64>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            latencies: Mutex::new(empty()),
        }
    }

    /// A request that has been answered now; latency counts from `since`.
    pub(super) fn answered(&self, records: u64, bytes: u64, since: Instant) {
        self.measured(records, bytes, since.elapsed());
    }

    /// As [`Meter::answered`], where the time is known.
    pub(super) fn measured(&self, records: u64, bytes: u64, latency: Duration) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        latencies.saturating_record(micros);
    }

    /// A request that is sent again.
    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self) -> Reading {
        Reading {
            records: self.records(),
            bytes: self.bytes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            latencies: self.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Three significant digits, from a microsecond to an hour.
fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are in order")
}

/// The percentiles that are told, as quantiles, under the names that they have in JSON.
pub(super) const PERCENTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)];

/// Percentiles and bounds, in microseconds; all 0 when there is nothing.
pub(super) fn figures(latencies: &Histogram<u64>) -> Value {
    let mut figures = json!({
        "min": latencies.min(),
        "mean": (latencies.mean() * 10.0).round() / 10.0,
        "max": latencies.max(),
    });
    for (name, quantile) in PERCENTILES {
        figures[name] = latencies.value_at_quantile(quantile).into();
    }
    figures
}

/// Rows of a histogram at most.
const ROWS: usize = 10;
/// Letters of its longest bar.
const BAR: u64 = 40;

/// A small histogram, a line for each power of two of the latency; neighbours
/// share a line where there would be too many.
pub(super) fn bars(latencies: &Histogram<u64>) -> Vec<String> {
    let mut counts = [0_u64; 64];
    for value in latencies.iter_recorded() {
        let power = value.value_iterated_to().max(1).ilog2() as usize;
        counts[power] += value.count_since_last_iteration();
    }
    let Some(first) = counts.iter().position(|&count| count > 0) else { return Vec::new() };
    let last = counts.iter().rposition(|&count| count > 0).unwrap_or(first);
    let merged = (last + 1 - first).div_ceil(ROWS);
    let rows: Vec<(usize, u64)> = counts[first..=last]
        .chunks(merged)
        .enumerate()
        .map(|(row, counts)| (first + (row + 1) * merged, counts.iter().sum()))
        .collect();
    let most = rows.iter().map(|&(_, count)| count).max().unwrap_or(1);
    let line = |&(end, count): &(usize, u64)| {
        let below = duration(1_u64.checked_shl(end as u32).unwrap_or(u64::MAX));
        // What is there at all can be seen.
        let length = (count.saturating_mul(BAR) / most).max(u64::from(count > 0));
        let share = 100.0 * count as f64 / latencies.len().max(1) as f64;
        format!("< {below:>8} {share:>6.2}% {}", "#".repeat(length as usize))
    };
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
}

/// Microseconds in the unit that suits them.
pub(super) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{:.2} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let meter = Meter::new();
        values.into_iter().for_each(|micros| meter.measured(2, 10, Duration::from_micros(micros)));
        meter.read().latencies
    }

    #[test]
    fn percentiles_are_those_of_what_was_measured() {
        let figures = figures(&of(1..=1_000));
        for (name, expected) in
            [("min", 1), ("p50", 500), ("p90", 900), ("p99", 990), ("p99_9", 999), ("max", 1_000)]
        {
            assert_eq!(figures[name], expected, "{name}");
        }
        assert_eq!(figures["mean"], 500.5);
    }

    #[test]
    fn nothing_measured_is_nothing_told() {
        let figures = figures(&of([]));
        assert_eq!((&figures["p99"], &figures["max"]), (&json!(0), &json!(0)));
        assert!(bars(&of([])).is_empty());
    }

    #[test]
    fn counts_add_up() {
        let meter = Meter::new();
        meter.measured(3, 30, Duration::from_micros(5));
        meter.answered(4, 40, Instant::now());
        meter.retried();
        let reading = meter.read();
        assert_eq!((reading.records, reading.bytes), (7, 70));
        assert_eq!((reading.requests, reading.retries, reading.latencies.len()), (2, 1, 2));
    }

    #[test]
    fn the_histogram_stays_small_and_shows_everything() {
        assert_eq!(
            bars(&of([1, 4, 5, 5, 6])),
            [
                format!("<     2 us  20.00% {}", "#".repeat(10)),
                "<     4 us   0.00%".to_owned(),
                format!("<     8 us  80.00% {}", "#".repeat(40)),
            ]
        );
        let wide = bars(&of((0..31).map(|power| 1 << power)));
        assert!(wide.len() <= ROWS, "{wide:?}");
        let most = (0..100_000).map(|_| 100).chain([5_000]);
        let rare = bars(&of(most));
        assert!(rare.last().is_some_and(|line| line.ends_with(" #")), "{rare:?}");
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        for (micros, expected) in
            [(0, "0 us"), (999, "999 us"), (1_500, "1.50 ms"), (2_000_000, "2.00 s")]
        {
            assert_eq!(duration(micros), expected);
        }
    }
}

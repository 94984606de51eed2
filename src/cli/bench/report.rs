//! The result of a run, as JSON and as text.

use std::time::Duration;

use serde_json::{Value, json};

use super::meter::{Reading, bars, duration, figures};

const MIB: f64 = (1 << 20) as f64;

/// What was run, and what came of it.
#[derive(Debug)]
pub(super) struct Report {
    /// The name of the load.
    pub(super) bench: &'static str,
    /// An object: what the run was asked to do.
    pub(super) settings: Value,
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    pub(super) reading: Reading,
    /// What latency means here.
    pub(super) latency_of: &'static str,
}

impl Report {
    fn per_second(&self, amount: f64) -> f64 {
        // Even a run of no time at all has finite figures: JSON knows no others.
        amount / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// One object on a line of its own.
    pub(super) fn json(&self) -> String {
        let reading = &self.reading;
        let object = json!({
            "bench": self.bench,
            "ottla_version": env!("CARGO_PKG_VERSION"),
            "settings": self.settings,
            "seconds": self.elapsed.as_secs_f64(),
            "records": reading.records,
            "bytes": reading.bytes,
            "requests": reading.requests,
            "retries": reading.retries,
            "records_per_second": self.per_second(reading.records as f64),
            "requests_per_second": self.per_second(reading.requests as f64),
            "mib_per_second": self.per_second(reading.bytes as f64 / MIB),
            "latency_of": self.latency_of,
            "latency_us": figures(&reading.latencies),
        });
        format!("{object}\n")
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let settings = self.settings.as_object().into_iter().flatten();
        let settings: Vec<String> = settings
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                value => format!("{name}={value}"),
            })
            .collect();
        let reading = &self.reading;
        let mut lines = vec![
            format!("{}: {}", self.bench, settings.join(" ")),
            format!(
                "{} records in {:.2} s: {:.0} records/s, {:.2} MiB/s, {} requests, {} retries",
                reading.records,
                self.elapsed.as_secs_f64(),
                self.per_second(reading.records as f64),
                self.per_second(reading.bytes as f64 / MIB),
                reading.requests,
                reading.retries,
            ),
            format!("{}: {}", self.latency_of, percentiles(reading)),
        ];
        lines.extend(bars(&reading.latencies));
        lines.join("\n") + "\n"
    }
}

/// The percentiles on a line.
pub(super) fn percentiles(reading: &Reading) -> String {
    let latencies = &reading.latencies;
    let told = super::meter::PERCENTILES.map(|(name, quantile)| {
        let value = latencies.value_at_quantile(quantile);
        format!("{} {}", name.replace('_', "."), duration(value))
    });
    format!("{}, max {}", told.join(", "), duration(latencies.max()))
}

#[cfg(test)]
mod tests {
    use super::super::meter::Meter;
    use super::*;

    fn report(elapsed: Duration) -> Report {
        let meter = Meter::new();
        (0..4).for_each(|_| meter.measured(25, 1 << 20, Duration::from_micros(1_500)));
        Report {
            bench: "produce",
            settings: json!({"topic": "t", "rate": null, "connections": 2}),
            elapsed,
            reading: meter.read(),
            latency_of: "send to acknowledgement",
        }
    }

    #[test]
    fn json_is_one_object_with_all_figures() {
        let json: Value = serde_json::from_str(&report(Duration::from_secs(2)).json()).unwrap();
        assert_eq!((&json["records"], &json["requests"]), (&json!(100), &json!(4)));
        assert_eq!(json["records_per_second"], 50.0);
        assert_eq!(json["mib_per_second"], 2.0);
        assert_eq!(json["settings"]["connections"], 2);
        assert_eq!(json["settings"]["rate"], Value::Null);
        let p50 = json["latency_us"]["p50"].as_u64().unwrap();
        assert!((1_499..=1_501).contains(&p50), "{json}");
    }

    #[test]
    fn a_run_of_no_time_has_figures_too() {
        let json: Value = serde_json::from_str(&report(Duration::ZERO).json()).unwrap();
        assert!(json["records_per_second"].is_f64(), "{json}");
    }

    #[test]
    fn text_is_for_people() {
        let text = report(Duration::from_secs(2)).text();
        assert!(text.contains("topic=t") && text.contains("connections=2"), "{text}");
        assert!(!text.contains("rate="), "{text}");
        assert!(text.contains("100 records in 2.00 s: 50 records/s, 2.00 MiB/s"), "{text}");
        assert!(text.contains("p50 1.50 ms") && text.contains("p99.9 1.50 ms"), "{text}");
    }
}

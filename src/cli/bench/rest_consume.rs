//! `ottla bench rest-consume`: reads what a topic holds through consumer
//! instances of a REST proxy (Confluent API v2), from its beginning.
//!
//! Partitions are assigned: a group that is being joined would give some of
//! them to one instance after the other, and records would be read twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::Client;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::consume::{Range, divide, ranges, wanted};
use super::http::{Connection, Url};
use super::load::Load;
use super::meter::Meter;
use super::produce::now_ms;
use super::report::Report;
use super::rest::{FORMAT, Format, REST_URL, rest_url, topic_in_path};
use super::{Bench, JSON, MAX_RECORDS, TOPIC, Work, count, number, topic, value};
use crate::cli::options::{CLUSTER, Options, Tool, UsageError};
use crate::cli::session::Failure;

pub(super) const BENCH: Bench = Bench {
    name: "rest-consume",
    tool: Tool {
        about: "Read a topic from its beginning through consumer instances. Partitions are divided among them.",
        options: &[
            REST_URL,
            TOPIC,
            value("records", "count", "How many records to read. (default: all that are there)"),
            value("consumers", "count", "Consumer instances, each with a connection. (default: 1)"),
            FORMAT,
            JSON,
        ],
        common: CLUSTER,
    },
    read: |options| Ok(Box::new(RestConsume::read(options)?)),
};

/// Of everything but records.
const MEDIA_TYPE: &str = "application/vnd.kafka.v2+json";
/// How long an instance that reads nothing goes on.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct RestConsume {
    url: Url,
    topic: String,
    records: Option<u64>,
    consumers: usize,
    format: Format,
}

impl RestConsume {
    fn read(options: &Options) -> Result<Self, UsageError> {
        Ok(Self {
            url: rest_url(options)?,
            topic: topic_in_path(options)?,
            records: number(options, "records", 1..=MAX_RECORDS)?,
            consumers: count(options, "consumers", 1)?,
            format: Format::read(options)?,
        })
    }

    async fn measure(&self, client: &Client) -> Result<Report, Failure> {
        let topic = topic::find(client, &self.topic).await?;
        let ranges = ranges(client, &topic).await?;
        let wanted = wanted(&self.topic, &ranges, self.records)?;
        // A group that nobody has committed offsets for.
        let group = format!("ottla-bench-{}-{}", std::process::id(), now_ms());
        let mut instances = Vec::with_capacity(self.consumers);
        for (number, ranges) in divide(&ranges, self.consumers).iter().enumerate() {
            if !ranges.is_empty() {
                instances.push(self.instance(&group, number, ranges).await?);
            }
        }
        let meter = Arc::new(Meter::new());
        let started = Instant::now();
        let last_arrival = Arc::new(AtomicU64::new(0));
        let mut load = Load::default();
        for mut instance in instances {
            let (meter, last_arrival) = (Arc::clone(&meter), Arc::clone(&last_arrival));
            load.add(async move {
                let outcome = instance.read(wanted, &meter, started, &last_arrival).await;
                // The proxy would keep it for minutes.
                outcome.and(instance.delete().await)
            });
        }
        load.run(&meter, wanted).await?;
        Ok(Report {
            bench: BENCH.name,
            settings: json!({
                "rest_url": self.url.text(),
                "topic": self.topic,
                "partitions": topic.partitions.len(),
                "records": self.records,
                "consumers": self.consumers,
                "format": self.format.name(),
            }),
            elapsed: Duration::from_micros(last_arrival.load(Ordering::Relaxed)),
            reading: meter.read(),
            latency_of: "request to answer",
        })
    }

    /// Creates an instance that reads these partitions from their beginning.
    async fn instance(
        &self,
        group: &str,
        number: usize,
        ranges: &[Range],
    ) -> Result<Instance, Failure> {
        let url = &self.url;
        let mut connection = Connection::open(url).await?;
        let mut post = async |path: &str, body: Value| {
            let request = url.post(path, MEDIA_TYPE, &body.to_string(), MEDIA_TYPE);
            connection.expect(&request).await
        };
        let name = format!("consumer-{number}");
        let path = format!("/consumers/{group}");
        let create = json!({
            "name": name,
            "format": self.format.name(),
            "auto.offset.reset": "earliest",
            "auto.commit.enable": "false",
        });
        post(&path, create).await?;
        let partition = |range: &Range| json!({"topic": self.topic, "partition": range.partition});
        let partitions = json!({"partitions": ranges.iter().map(partition).collect::<Vec<_>>()});
        let path = format!("{path}/instances/{name}");
        post(&format!("{path}/assignments"), partitions).await?;
        let accept = format!("application/vnd.kafka.{}.v2+json", self.format.name());
        Ok(Instance {
            connection,
            read: url.get(&format!("{path}/records"), &accept),
            delete: url.delete(&path, MEDIA_TYPE),
        })
    }
}

impl Work for RestConsume {
    fn run<'a>(&'a self, client: &'a Client) -> LocalBoxFuture<'a, Result<Report, Failure>> {
        self.measure(client).boxed_local()
    }
}

/// A consumer instance with the requests that it is asked.
struct Instance {
    connection: Connection,
    read: Bytes,
    delete: Bytes,
}

impl Instance {
    /// Reads until all instances together have read as much as is wanted.
    /// `last_arrival` is the time, in microseconds after the start, at which
    /// any of them last got records.
    async fn read(
        &mut self,
        wanted: u64,
        meter: &Meter,
        started: Instant,
        last_arrival: &AtomicU64,
    ) -> Result<(), Failure> {
        let mut last_progress = Instant::now();
        while meter.records() < wanted {
            let asked = Instant::now();
            let body = self.connection.expect(&self.read).await?;
            // Counted, and not unpacked.
            let records = serde_json::from_slice::<Vec<Record>>(&body)
                .map_err(|error| Failure::other(format!("the answer cannot be read: {error}")))?;
            meter.answered(records.len() as u64, body.len() as u64, asked);
            if !records.is_empty() {
                last_progress = Instant::now();
                let elapsed = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                last_arrival.fetch_max(elapsed, Ordering::Relaxed);
            } else if last_progress.elapsed() > PATIENCE {
                let seconds = PATIENCE.as_secs();
                return Err(Failure::other(format!("nothing came within {seconds} s")));
            }
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<(), Failure> {
        self.connection.expect(&self.delete).await.map(|_| ())
    }
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "value")]
    _value: IgnoredAny,
}

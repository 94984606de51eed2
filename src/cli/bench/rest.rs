//! `ottla bench rest`: sends records to a REST proxy (Confluent API v2).
//!
//! Values of Avro are records of one string. The first request, before the clock
//! starts, carries the schema; all others its id.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use client::Client;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde_json::json;

use super::http::{Connection, Url, refusal};
use super::load::Load;
use super::meter::Meter;
use super::report::Report;
use super::schedule::Schedule;
use super::{
    Bench, JSON, Letters, PARTITIONS, RATE, RECORD_SIZE, Shape, TOPIC, Work, count, partitions,
    rate, topic, value,
};
use crate::cli::options::{CLUSTER, Options, Spec, Tool, UsageError};
use crate::cli::session::Failure;

pub(super) const BENCH: Bench = Bench {
    name: "rest",
    tool: Tool {
        about: "Send records to a REST proxy. The cluster is only asked when --partitions is given.",
        options: &[
            REST_URL,
            TOPIC,
            PARTITIONS,
            value("records", "count", "How many records to send. (default: 100000)"),
            RECORD_SIZE,
            value("records-per-request", "count", "Records of each request. (default: 1)"),
            value(
                "connections",
                "count",
                "Connections, each with one request under way. (default: 1)",
            ),
            FORMAT,
            RATE,
            JSON,
        ],
        common: CLUSTER,
    },
    read: |options| Ok(Box::new(Rest::read(options)?)),
};

pub(super) const REST_URL: Spec =
    value("rest-url", "url", "Where the proxy is. (default: http://localhost:8082)");
pub(super) const FORMAT: Spec =
    value("format", "json|binary|avro", "The embedded format. (default: json)");

const ACCEPT: &str = "application/vnd.kafka.v2+json";
/// The schema of Avro values.
const SCHEMA: &str =
    r#"{"type":"record","name":"Benchmark","fields":[{"name":"text","type":"string"}]}"#;

/// An embedded format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Binary,
    Avro,
}

impl Format {
    pub(super) fn read(options: &Options) -> Result<Self, UsageError> {
        match options.value(FORMAT.name)? {
            None | Some("json") => Ok(Self::Json),
            Some("binary") => Ok(Self::Binary),
            Some("avro") => Ok(Self::Avro),
            Some(_) => Err(UsageError("--format must be json, binary or avro".into())),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "binary",
            Self::Avro => "avro",
        }
    }

    /// A value of so many bytes, as it is embedded.
    fn value(self, letters: &mut Letters, size: usize) -> String {
        match self {
            // Two of the bytes are quotation marks.
            Self::Json => {
                let text = letters.take(size.saturating_sub(2));
                format!("\"{}\"", String::from_utf8_lossy(&text))
            }
            Self::Binary => format!("\"{}\"", BASE64_STANDARD.encode(letters.take(size))),
            Self::Avro => {
                let text = letters.take(size);
                format!("{{\"text\":\"{}\"}}", String::from_utf8_lossy(&text))
            }
        }
    }
}

#[derive(Debug)]
struct Rest {
    url: Url,
    topic: String,
    partitions: Option<i32>,
    shape: Shape,
    connections: usize,
    format: Format,
    rate: Option<u64>,
}

impl Rest {
    fn read(options: &Options) -> Result<Self, UsageError> {
        let shape = Shape::read(options, "records-per-request", 1)?;
        let format = Format::read(options)?;
        if format == Format::Json && shape.record_size < 2 {
            return Err(UsageError("--record-size must be at least 2 with --format json".into()));
        }
        Ok(Self {
            url: rest_url(options)?,
            topic: topic_in_path(options)?,
            partitions: partitions(options)?,
            shape,
            connections: count(options, "connections", 1)?,
            format,
            rate: rate(options)?,
        })
    }

    async fn measure(&self, client: &Client) -> Result<Report, Failure> {
        if self.partitions.is_some() {
            topic::prepare(client, &self.topic, self.partitions).await?;
        }
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(&self.url).await?);
        }
        let schema = match (self.format, connections.first_mut()) {
            (Format::Avro, Some(connection)) => self.schema_id(connection).await?,
            _ => String::new(),
        };
        let meter = Arc::new(Meter::new());
        let requests = self.requests(&schema);
        let rate = self.rate.map(|rate| rate as f64 / self.shape.per_request as f64);
        let sending = Arc::new(Sending {
            shape: self.shape,
            requests,
            meter: Arc::clone(&meter),
            schedule: Schedule::start(self.shape.requests(), rate),
        });
        let mut load = Load::default();
        for connection in connections {
            let sending = Arc::clone(&sending);
            load.add(async move { sending.run(connection).await });
        }
        load.run(&meter, self.shape.records).await?;
        Ok(Report {
            bench: BENCH.name,
            settings: json!({
                "rest_url": self.url.text(),
                "topic": self.topic,
                "partitions": self.partitions,
                "records": self.shape.records,
                "record_size": self.shape.record_size,
                "records_per_request": self.shape.per_request,
                "connections": self.connections,
                "format": self.format.name(),
                "rate": self.rate,
            }),
            elapsed: sending.schedule.started().elapsed(),
            reading: meter.read(),
            latency_of: match self.rate {
                Some(_) => "intended send time to answer",
                None => "send time to answer",
            },
        })
    }

    /// A request for each number of records that one has: that of most of
    /// them, and that of the last.
    fn requests(&self, schema: &str) -> HashMap<u64, Bytes> {
        let last = self.shape.records_of(self.shape.requests() - 1);
        let build = |records| (records, self.request(records, schema));
        [self.shape.per_request, last].into_iter().map(build).collect()
    }

    /// `schema` is the member of the body that names the schema, with a comma after it.
    fn request(&self, records: u64, schema: &str) -> Bytes {
        let mut letters = Letters::new();
        let mut record = || {
            let value = self.format.value(&mut letters, self.shape.record_size);
            format!("{{\"value\":{value}}}")
        };
        let records: Vec<String> = (0..records).map(|_| record()).collect();
        let body = format!("{{{schema}\"records\":[{}]}}", records.join(","));
        let content_type = format!("application/vnd.kafka.{}.v2+json", self.format.name());
        self.url.post(&format!("/topics/{}", self.topic), &content_type, &body, ACCEPT)
    }

    /// Sends a record with its schema, and gives what names it from then on.
    async fn schema_id(&self, connection: &mut Connection) -> Result<String, Failure> {
        let schema = format!("\"value_schema\":{},", json!(SCHEMA));
        let (status, body) = connection.call(&self.request(1, &schema)).await?;
        check(status, &body, 1).map_err(Failure::other)?;
        let produced = serde_json::from_slice::<Produced>(&body);
        let id = produced.ok().and_then(|produced| produced.value_schema_id);
        let id = id.ok_or_else(|| Failure::other("the proxy answered without the schema's id"))?;
        Ok(format!("\"value_schema_id\":{id},"))
    }
}

/// The value of `--rest-url`.
pub(super) fn rest_url(options: &Options) -> Result<Url, UsageError> {
    let url = options.value(REST_URL.name)?.unwrap_or("http://localhost:8082");
    Url::parse(url).map_err(UsageError)
}

/// The value of `--topic`, which needs no escapes in a path.
pub(super) fn topic_in_path(options: &Options) -> Result<String, UsageError> {
    let topic = options.required(TOPIC.name)?;
    if !topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(UsageError(format!("{topic} is not the name of a topic")));
    }
    Ok(topic.to_owned())
}

impl Work for Rest {
    fn run<'a>(&'a self, client: &'a Client) -> LocalBoxFuture<'a, Result<Report, Failure>> {
        self.measure(client).boxed_local()
    }
}

/// What all connections share.
struct Sending {
    shape: Shape,
    requests: HashMap<u64, Bytes>,
    meter: Arc<Meter>,
    schedule: Schedule,
}

impl Sending {
    /// Sends one request after the other until none is left.
    async fn run(&self, mut connection: Connection) -> Result<(), Failure> {
        while let Some(turn) = self.schedule.next().await {
            let records = self.shape.records_of(turn.number);
            let request = self.requests.get(&records).cloned().unwrap_or_default();
            let (status, body) = connection.call(&request).await?;
            check(status, &body, records).map_err(Failure::other)?;
            let bytes = records * self.shape.record_size as u64;
            self.meter.answered(records, bytes, turn.intended);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Produced {
    offsets: Vec<Offset>,
    value_schema_id: Option<i64>,
}

#[derive(Deserialize)]
struct Offset {
    error_code: Option<i64>,
    error: Option<String>,
}

/// Refuses every answer but one that says that all records are written.
fn check(status: u16, body: &[u8], records: u64) -> Result<(), String> {
    if status != 200 {
        return Err(refusal("the proxy", status, body));
    }
    let produced: Produced = serde_json::from_slice(body)
        .map_err(|error| format!("the answer of the proxy cannot be read: {error}"))?;
    if let Some(offset) = produced.offsets.iter().find(|offset| offset.error_code.is_some()) {
        let sentence = offset.error.as_deref().unwrap_or("no reason is given");
        return Err(format!("the proxy refused a record: {sentence}"));
    }
    if produced.offsets.len() as u64 != records {
        return Err(format!(
            "the proxy answered for {} records instead of {records}",
            produced.offsets.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_size_that_was_asked_for() {
        for size in [2, 3, 100] {
            let json = Format::Json.value(&mut Letters::new(), size);
            assert_eq!(json.len(), size);
            assert!(serde_json::from_str::<String>(&json).is_ok(), "{json}");
            let binary = Format::Binary.value(&mut Letters::new(), size);
            let decoded = BASE64_STANDARD.decode(binary.trim_matches('"')).unwrap();
            assert_eq!(decoded.len(), size);
        }
    }

    #[test]
    fn only_records_that_are_written_count() {
        let good = br#"{"offsets":[{"partition":0,"offset":7,"error_code":null,"error":null}]}"#;
        assert_eq!(check(200, good, 1), Ok(()));
        assert!(check(200, good, 2).is_err());
        assert!(check(500, good, 1).is_err());
        assert!(check(200, b"{}", 1).is_err());
        let refused = br#"{"offsets":[{"error_code":50003,"error":"no leader"}]}"#;
        assert_eq!(check(200, refused, 1), Err("the proxy refused a record: no leader".into()));
    }
}

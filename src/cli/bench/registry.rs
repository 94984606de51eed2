//! `ottla bench registry`: registers schemas, or looks them up by their ids.

use std::sync::Arc;

use bytes::Bytes;
use client::Client;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::http::{Connection, Url};
use super::load::Load;
use super::meter::Meter;
use super::produce::now_ms;
use super::report::Report;
use super::schedule::Schedule;
use super::{Bench, JSON, MAX_RECORDS, Work, count, number, value};
use crate::cli::options::{CLUSTER, Options, Tool, UsageError};
use crate::cli::session::Failure;

pub(super) const BENCH: Bench = Bench {
    name: "registry",
    tool: Tool {
        about: "Register Avro schemas, each under a subject of its own; with --lookups look them up by id.",
        options: &[
            value("registry-url", "url", "Where it is. (default: http://localhost:8081)"),
            value("schemas", "count", "How many schemas to register. (default: 1000)"),
            value("lookups", "count", "Measure so many look-ups, and not the registrations."),
            value(
                "connections",
                "count",
                "Connections, each with one request under way. (default: 1)",
            ),
            JSON,
        ],
        common: CLUSTER,
    },
    read: |options| Ok(Box::new(Registry::read(options)?)),
};

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

#[derive(Debug)]
struct Registry {
    url: Url,
    schemas: u64,
    lookups: Option<u64>,
    connections: usize,
}

impl Registry {
    fn read(options: &Options) -> Result<Self, UsageError> {
        let url = options.value("registry-url")?.unwrap_or("http://localhost:8081");
        Ok(Self {
            url: Url::parse(url).map_err(UsageError)?,
            schemas: number(options, "schemas", 1..=1_000_000)?.unwrap_or(1_000),
            lookups: number(options, "lookups", 1..=MAX_RECORDS)?,
            connections: count(options, "connections", 1)?,
        })
    }

    async fn measure(&self) -> Result<Report, Failure> {
        let registrations: Arc<[Bytes]> = self.registrations().into();
        let (report, ids) = self.send(registrations, self.schemas).await?;
        let Some(lookups) = self.lookups else { return Ok(report) };
        let lookup = |id| self.url.get(&format!("/schemas/ids/{id}"), MEDIA_TYPE);
        let requests = ids.into_iter().map(lookup).collect();
        Ok(self.send(requests, lookups).await?.0)
    }

    /// One request for each schema; none is like another, nor like those of another run.
    fn registrations(&self) -> Vec<Bytes> {
        let run = format!("bench-{}-{}", std::process::id(), now_ms());
        let registration = |number| {
            let schema = json!({
                "type": "record",
                "name": "Benchmark",
                "doc": run,
                "fields": [{"name": format!("field{number}"), "type": "string"}],
            });
            let body = json!({"schema": schema.to_string()}).to_string();
            let path = format!("/subjects/{run}-{number}/versions");
            self.url.post(&path, MEDIA_TYPE, &body, MEDIA_TYPE)
        };
        (0..self.schemas).map(registration).collect()
    }

    /// Sends that many requests, one after the other and all again, and gives
    /// the ids that the answers hold.
    async fn send(
        &self,
        requests: Arc<[Bytes]>,
        count: u64,
    ) -> Result<(Report, Vec<i64>), Failure> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(&self.url).await?);
        }
        let meter = Arc::new(Meter::new());
        let schedule = Arc::new(Schedule::start(count, None));
        let (found, mut ids) = mpsc::channel(requests.len());
        let mut load = Load::default();
        for mut connection in connections {
            let (requests, schedule) = (Arc::clone(&requests), Arc::clone(&schedule));
            let (meter, found) = (Arc::clone(&meter), found.clone());
            load.add(async move {
                while let Some(turn) = schedule.next().await {
                    let index = turn.number % requests.len() as u64;
                    let request = &requests[index as usize];
                    let body = connection.expect(request).await?;
                    meter.answered(1, request.len() as u64, turn.intended);
                    if let Ok(Registered { id }) = serde_json::from_slice(&body) {
                        // There is room for one of each request.
                        let _ = found.try_send(id);
                    }
                }
                Ok(())
            });
        }
        load.run(&meter, count).await?;
        let report = Report {
            bench: BENCH.name,
            settings: json!({
                "registry_url": self.url.text(),
                "schemas": self.schemas,
                "lookups": self.lookups,
                "connections": self.connections,
            }),
            elapsed: schedule.started().elapsed(),
            reading: meter.read(),
            latency_of: "send time to answer",
        };
        let ids = std::iter::from_fn(|| ids.try_recv().ok()).collect();
        Ok((report, ids))
    }
}

impl Work for Registry {
    fn run<'a>(&'a self, _client: &'a Client) -> LocalBoxFuture<'a, Result<Report, Failure>> {
        self.measure().boxed_local()
    }
}

/// The answer to a registration.
#[derive(Deserialize)]
struct Registered {
    id: i64,
}

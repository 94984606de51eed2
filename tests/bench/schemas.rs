//! What schemas cost: registering them, looking them up, and records of Avro over REST.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::CONNECTIONS;
use crate::load::{Client, Outcome, PRODUCED, send};
use crate::servers::Server;

const REGISTRATIONS: u64 = 50_000;
const LOOK_UPS: u64 = 400_000;
/// Requests with records, and records of each.
const PRODUCED_REQUESTS: u64 = 20_000;
const RECORDS: usize = 100;

/// One kind of request.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) connections: usize,
    /// Schemas or records of all requests together.
    pub(crate) items: u64,
    pub(crate) outcome: Outcome,
}

pub(crate) fn measure(server: &Server) -> Vec<Row> {
    let registry = server.registry.expect("Ottla has one");
    let register = |number: u64| {
        let schema = json!({"type": "record", "name": format!("R{number}"), "fields": [
            {"name": "number", "type": "long"},
            {"name": "text", "type": ["null", "string"], "default": null},
        ]});
        let body = json!({ "schema": schema.to_string() });
        request("POST", registry, &format!("/subjects/s{number}-value/versions"), "", Some(&body))
    };
    eprintln!("registering");
    let registered = send(server, registry, CONNECTIONS, REGISTRATIONS, register, b"{\"id\":");
    eprintln!("looking up");
    let look_up = request("GET", registry, "/schemas/ids/1", "", None);
    let looked_up =
        send(server, registry, CONNECTIONS, LOOK_UPS, |_| look_up.clone(), b"{\"schema\":");
    eprintln!("producing Avro");
    let produce = produce(server.address);
    // So that the topic is there.
    send(server, server.address, 1, 1, |_| produce.clone(), PRODUCED);
    let produced =
        send(server, server.address, CONNECTIONS, PRODUCED_REQUESTS, |_| produce.clone(), PRODUCED);
    eprintln!("consuming Avro");
    let (consumed, records) = consume(server);
    vec![
        Row {
            what: "register a schema",
            connections: CONNECTIONS,
            items: REGISTRATIONS,
            outcome: registered,
        },
        Row {
            what: "look up a schema by its id",
            connections: CONNECTIONS,
            items: LOOK_UPS,
            outcome: looked_up,
        },
        Row {
            what: "produce Avro, 100 records per request",
            connections: CONNECTIONS,
            items: PRODUCED_REQUESTS * RECORDS as u64,
            outcome: produced,
        },
        Row {
            what: "consume Avro, 1 MiB per request",
            connections: 1,
            items: records,
            outcome: consumed,
        },
    ]
}

fn request(
    method: &str,
    address: SocketAddr,
    path: &str,
    media_type: &str,
    body: Option<&Value>,
) -> Bytes {
    let body = body.map(Value::to_string).unwrap_or_default();
    let types = match media_type {
        "" => String::new(),
        kind if body.is_empty() => format!("Accept: {kind}\r\n"),
        kind => format!("Content-Type: {kind}\r\n"),
    };
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{types}Content-Length: {length}\r\n\r\n{body}")
        .into()
}

const AVRO: &str = "application/vnd.kafka.avro.v2+json";
const V2: &str = "application/vnd.kafka.v2+json";

/// Records of a number and a text, with their schema.
fn produce(address: SocketAddr) -> Bytes {
    let schema = json!({"type": "record", "name": "Bench", "fields": [
        {"name": "number", "type": "long"},
        {"name": "text", "type": ["null", "string"]},
    ]});
    let record = json!({ "value": { "number": 123_456, "text": { "string": "x".repeat(64) } } });
    let body = json!({ "value_schema": schema.to_string(), "records": vec![record; RECORDS] });
    request("POST", address, "/topics/avro", AVRO, Some(&body))
}

/// Reads the whole topic with one consumer instance; gives how many records that were.
fn consume(server: &Server) -> (Outcome, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = server.address;
    let instance = "/consumers/bench/instances/i";
    let create = json!({ "name": "i", "format": "avro", "auto.offset.reset": "earliest" });
    let subscribe = json!({ "partitions": [{ "topic": "avro", "partition": 0 }] });
    let begin = json!({ "partitions": [{ "topic": "avro", "partition": 0 }] });
    let expected = (PRODUCED_REQUESTS + 1) * RECORDS as u64;
    runtime.block_on(async {
        let mut client = Client::new(TcpStream::connect(address).await.unwrap());
        client.call(&request("POST", address, "/consumers/bench", V2, Some(&create)), b"{").await;
        let path = format!("{instance}/assignments");
        client.call(&request("POST", address, &path, V2, Some(&subscribe)), b"").await;
        let path = format!("{instance}/positions/beginning");
        client.call(&request("POST", address, &path, V2, Some(&begin)), b"").await;
        let path = format!("{instance}/records?max_bytes=1048576");
        let read = request("GET", address, &path, AVRO, None);
        let (cpu_before, started) = (server.cpu_time(), Instant::now());
        let mut outcome = Outcome::default();
        let mut records = 0;
        while records < expected {
            let begun = Instant::now();
            let answer = client.call(&read, b"[").await;
            outcome.latencies.record(begun.elapsed().as_micros() as u64).unwrap();
            records += records_in(&answer);
            outcome.requests += 1;
        }
        outcome.elapsed = started.elapsed();
        outcome.cpu_time = server.cpu_time() - cpu_before;
        outcome.resident_mib = server.resident_mib();
        (outcome, records)
    })
}

/// How many records an answer has.
fn records_in(answer: &[u8]) -> u64 {
    const OFFSET: &[u8] = b"\"offset\":";
    answer.windows(OFFSET.len()).filter(|window| *window == OFFSET).count() as u64
}

//! The clients: keep-alive connections, each with one request in flight.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::servers::Server;

/// How the answer to records begins that were written; otherwise an error code comes first.
pub(crate) const PRODUCED: &[u8] = b"{\"offsets\":[{\"partition\":0,";

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Records of each request.
    pub(crate) records: usize,
    /// Requests of all connections together.
    pub(crate) requests: u64,
    pub(crate) connections: usize,
}

/// What came of it; several runs of a load may be added up.
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu_time: Duration,
    /// Latencies in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// After the newest run.
    pub(crate) resident_mib: u64,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            requests: 0,
            elapsed: Duration::ZERO,
            cpu_time: Duration::ZERO,
            latencies: Histogram::new(3).unwrap(),
            resident_mib: 0,
        }
    }
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.elapsed += other.elapsed;
        self.cpu_time += other.cpu_time;
        self.latencies.add(other.latencies).unwrap();
        self.resident_mib = other.resident_mib;
    }
}

impl Load {
    /// A request to produce records of 100 bytes of JSON, as bytes.
    fn request(&self, address: SocketAddr) -> Vec<u8> {
        let record = format!("{{\"value\":{{\"number\":123456,\"text\":\"{}\"}}}}", "x".repeat(74));
        let body = format!("{{\"records\":[{}]}}", vec![record; self.records].join(","));
        format!(
            "POST /topics/bench HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/vnd.kafka.json.v2+json\r\n\
             Accept: application/vnd.kafka.v2+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Sends it all.
    pub(crate) fn run(&self, server: &Server) -> Outcome {
        let request: Bytes = self.request(server.address).into();
        send(server, server.address, self.connections, self.requests, |_| request.clone(), PRODUCED)
    }
}

/// Sends so many requests, made of their numbers, over so many connections. Every answer
/// begins with `good`.
pub(crate) fn send(
    server: &Server,
    address: SocketAddr,
    connections: usize,
    requests: u64,
    request: impl Fn(u64) -> Bytes,
    good: &[u8],
) -> Outcome {
    // One thread: what the clients take is missing to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let left = AtomicU64::new(requests);
    let (left, request) = (&left, &request);
    runtime.block_on(async {
        let connect = (0..connections).map(|_| TcpStream::connect(address));
        let streams = futures_util::future::try_join_all(connect).await.unwrap();
        let (cpu_before, started) = (server.cpu_time(), Instant::now());
        let clients = streams.into_iter().map(|stream| async move {
            let mut latencies = Histogram::<u64>::new(3).unwrap();
            let mut client = Client::new(stream);
            while let Ok(number) =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            {
                let request = request(number);
                let started = Instant::now();
                client.call(&request, good).await;
                latencies.record(started.elapsed().as_micros() as u64).unwrap();
            }
            latencies
        });
        let latencies = futures_util::future::join_all(clients).await;
        let (elapsed, cpu_time) = (started.elapsed(), server.cpu_time() - cpu_before);
        let mut outcome = Outcome { requests, elapsed, cpu_time, ..Outcome::default() };
        latencies.iter().for_each(|of_client| outcome.latencies.add(of_client).unwrap());
        outcome.resident_mib = server.resident_mib();
        outcome
    })
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: BytesMut::with_capacity(128 << 10) }
    }

    /// Sends the request and reads its answer, which must be a good one; gives its body.
    pub(crate) async fn call(&mut self, request: &[u8], good: &[u8]) -> Bytes {
        self.stream.write_all(request).await.unwrap();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await;
        };
        let text = std::str::from_utf8(&self.buffer[..head]).unwrap();
        let is_empty = text.starts_with("HTTP/1.1 204");
        assert!(is_empty || text.starts_with("HTTP/1.1 200"), "{text}");
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        });
        let length = if is_empty { Some(0) } else { length };
        let end = head + length.expect("the length of the answer is known");
        while self.buffer.len() < end {
            self.fill().await;
        }
        let mut answer = self.buffer.split_to(end).freeze();
        answer.advance(head);
        assert!(answer.starts_with(good), "{}", String::from_utf8_lossy(&answer));
        answer
    }

    async fn fill(&mut self) {
        self.buffer.reserve(64 << 10);
        assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0, "the server hung up");
    }
}

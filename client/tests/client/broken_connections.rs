//! Producers and consumers over connections that break anywhere: in requests,
//! in answers, and between the two, when the broker has carried out what
//! nobody learns of.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use client::admin::{self, NewTopic};
use client::consumer::{Consumer, ConsumerConfig, OffsetReset, Take, TopicPartition};
use client::producer::{Producer, ProducerConfig};
use client::{BrokerAddress, Client, ClientConfig, Connector, Transport};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use protocol::Str;
use protocol::records::RecordBuffer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::{bootstrap, client, unique};

const PARTITIONS: i32 = 3;
const CALLERS: usize = 12;
const RECORDS: usize = 150;

/// Connections that end after so many bytes in either direction.
#[derive(Debug)]
struct Cutting {
    random: AtomicU64,
    max_bytes: u64,
    connections: AtomicU64,
}

impl Cutting {
    /// Not below 1500, so that a connection gets beyond its first exchange.
    fn bytes(&self) -> usize {
        let mut x = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        1_500 + ((x ^ (x >> 31)) % self.max_bytes) as usize
    }
}

impl Connector for Cutting {
    fn connect(&self, address: &BrokerAddress) -> BoxFuture<'_, io::Result<Transport>> {
        let BrokerAddress { host, port } = address.clone();
        self.connections.fetch_add(1, Ordering::Relaxed);
        let (left_to_read, left_to_write) = (self.bytes(), self.bytes());
        async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let (reader, writer) = stream.into_split();
            let reader = Cut { stream: reader, left: left_to_read };
            Ok(Transport::stream(reader, Cut { stream: writer, left: left_to_write }))
        }
        .boxed()
    }
}

struct Cut<S> {
    stream: S,
    left: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Cut<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut bytes = vec![0; buffer.remaining().min(this.left)];
        let mut part = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
        this.left -= part.filled().len();
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cut<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let part = &bytes[..bytes.len().min(this.left)];
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, part))?;
        this.left -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// As many connections as make a run worth something.
const MANY: u64 = 20;

impl Cutting {
    fn new(seed: u64, max_bytes: u64) -> Arc<Self> {
        let connections = AtomicU64::new(0);
        Arc::new(Self { random: AtomicU64::new(seed), max_bytes, connections })
    }

    fn client(self: &Arc<Self>, bootstrap: &str) -> Client {
        let config = ClientConfig {
            bootstrap_servers: bootstrap.split(',').map(str::to_owned).collect(),
            reconnect_backoff: Duration::from_millis(1),
            reconnect_backoff_max: Duration::from_millis(10),
            retry_backoff: Duration::from_millis(1),
            retry_backoff_max: Duration::from_millis(10),
            ..ClientConfig::default()
        };
        Client::new(config, Arc::clone(self) as Arc<dyn Connector>)
    }
}

async fn produce(client: Client, topic: &Str) {
    let config = ProducerConfig {
        retry_backoff: Duration::from_millis(1),
        retry_backoff_max: Duration::from_millis(10),
        ..ProducerConfig::default()
    };
    let producer = Producer::new(client, config);
    let callers = (0..CALLERS).map(|caller| {
        let producer = &producer;
        async move {
            for number in 0..RECORDS {
                let mut records = RecordBuffer::new();
                let value = format!("{caller} {number} {}", "x".repeat(100));
                records.push(-1, None, Some(value.as_bytes()), &[]);
                let partition = caller as i32 % PARTITIONS;
                let delivery = producer.send(topic, partition, records).await.unwrap();
                delivery.into_result().unwrap();
            }
        }
    });
    join_all(callers).await;
    producer.close().await;
}

/// Reads everything, each record once, and answers the values in order.
async fn consume(client: Client, topic: &Str) -> BTreeMap<i32, Vec<String>> {
    let config = ConsumerConfig {
        group_id: Some(unique("group")),
        auto_offset_reset: OffsetReset::Earliest,
        heartbeat_interval: Duration::from_millis(20),
        retry_backoff: Duration::from_millis(1),
        max_partition_fetch_bytes: 4_000,
        fetch_max_bytes: 12_000,
        ..ConsumerConfig::default()
    };
    let consumer = Consumer::new(client, config);
    consumer.subscribe_topics(vec![topic.clone()]).unwrap();
    let mut read: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    while read.values().map(Vec::len).sum::<usize>() < CALLERS * RECORDS {
        // Short reads are dropped in the middle of whatever they do.
        let _ = tokio::time::timeout(Duration::from_millis(2), consumer.fetch(LONG)).await;
        let take = &mut |record: &client::consumer::ConsumerRecord<'_>| {
            let values = read.entry(record.partition).or_default();
            // After a rebalance reading goes on at what was committed.
            assert!(record.offset <= values.len() as i64, "a gap before {}", record.offset);
            values.truncate(record.offset as usize);
            values.push(String::from_utf8_lossy(record.value.unwrap()).into_owned());
            Take::Yes
        };
        if consumer.take(take).unwrap().records > 0 {
            // Refused when the group has changed in between.
            let _ = consumer.commit(&consumer.moved_positions()).await;
        }
    }
    consumer.commit(&consumer.moved_positions()).await.unwrap();
    let names: Vec<_> = (0..PARTITIONS).map(|id| TopicPartition::new(topic.clone(), id)).collect();
    for (name, committed) in consumer.committed(&names).await.unwrap() {
        assert_eq!(committed.unwrap().offset, read[&name.partition].len() as i64, "{name}");
    }
    consumer.close().await;
    read
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_out_of_order() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    for seed in 1..=3 {
        let topic = unique("broken");
        let new = NewTopic::new(topic.clone(), PARTITIONS, 1);
        admin::create_topics(&client, vec![new], false).await.unwrap().remove(0).1.unwrap();
        let (writing, reading) = (Cutting::new(seed, 8_000), Cutting::new(seed, 30_000));
        produce(writing.client(&bootstrap), &topic).await;
        let read = consume(reading.client(&bootstrap), &topic).await;
        for cutting in [writing, reading] {
            assert!(cutting.connections.load(Ordering::Relaxed) > MANY, "{cutting:?}");
        }
        for (partition, values) in read {
            let once: HashSet<&String> = values.iter().collect();
            assert_eq!(once.len(), values.len(), "seed {seed}: doubles in {partition}");
            let mut next = [0; CALLERS];
            for value in &values {
                let mut words = value.split(' ').map(|word| word.parse::<usize>());
                let (caller, number) = (words.next().unwrap().unwrap(), words.next().unwrap());
                assert_eq!(number, Ok(next[caller]), "seed {seed}: order of caller {caller}");
                next[caller] += 1;
            }
        }
    }
    client.close().await;
}

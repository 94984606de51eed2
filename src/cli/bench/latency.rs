//! `ottla bench latency`: the time from producing a record to consuming it.
//!
//! Each record carries the time that its latency counts from, and a mark of
//! this run, so that what others write to the topic is not counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use client::admin::OffsetSpec;
use client::{Client, Purpose, Topic};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use protocol::records::{Batch, BatchBuilder, Compression, RecordIter};
use serde_json::json;
use tokio::sync::Notify;

use super::consume::{call, each_batch, fetch, offsets};
use super::load::{Load, another, round_trip};
use super::meter::Meter;
use super::produce::{now_ms, request, send};
use super::report::Report;
use super::schedule::Schedule;
use super::{
    ACKS, Bench, JSON, MAX_RECORDS, PARTITIONS, RATE, TOPIC, Work, acks, acks_name, count, number,
    partitions, rate, topic, value,
};
use crate::cli::options::{CLUSTER, Options, Tool, UsageError};
use crate::cli::session::Failure;

pub(super) const BENCH: Bench = Bench {
    name: "latency",
    tool: Tool {
        about: "Measure the time from producing a record to consuming it, one record at a time, or with --rate many at once.",
        options: &[
            TOPIC,
            PARTITIONS,
            value("records", "count", "How many records to send. (default: 10000)"),
            value("record-size", "bytes", "The size of a value, at least 16. (default: 100)"),
            value(
                "in-flight",
                "count",
                "Records under way at most, of those that --rate makes due. (default: 64)",
            ),
            ACKS,
            RATE,
            JSON,
        ],
        common: CLUSTER,
    },
    read: |options| Ok(Box::new(Latency::read(options)?)),
};

/// Bytes of the mark of a run, and of the time that follows it.
const MARK_BYTES: usize = 8;
const STAMP_BYTES: usize = 2 * MARK_BYTES;
/// Bytes that the records of a batch unpack to at most.
const MAX_BATCH_BYTES: usize = 64 << 20;

#[derive(Debug)]
struct Latency {
    topic: String,
    partitions: Option<i32>,
    records: u64,
    record_size: usize,
    in_flight: usize,
    acks: i16,
    rate: Option<u64>,
}

impl Latency {
    fn read(options: &Options) -> Result<Self, UsageError> {
        let smallest = STAMP_BYTES as u64;
        let size = number(options, "record-size", smallest..=16 << 20)?;
        let rate = rate(options)?;
        if rate.is_none() && options.has("in-flight") {
            return Err(UsageError("--in-flight needs --rate".into()));
        }
        Ok(Self {
            topic: options.required("topic")?.to_owned(),
            partitions: partitions(options)?,
            records: number(options, "records", 1..=MAX_RECORDS)?.unwrap_or(10_000),
            record_size: size.and_then(|size| usize::try_from(size).ok()).unwrap_or(100),
            in_flight: if rate.is_some() { count(options, "in-flight", 64)? } else { 1 },
            acks: acks(options)?,
            rate,
        })
    }

    async fn measure(&self, client: &Client) -> Result<Report, Failure> {
        let topic = topic::prepare(client, &self.topic, self.partitions).await?;
        let (producer, consumer) = (another(client, self.in_flight), another(client, 1));
        let mut positions = offsets(client, &topic, OffsetSpec::Latest).await?;
        let mut readers: Vec<(i32, Purpose, BTreeMap<i32, i64>)> = Vec::new();
        for leader in topic::leaders(&topic) {
            round_trip(&producer, leader, Purpose::Produce).await?;
            let purpose = Purpose::Fetch(consumer.unique_id());
            round_trip(&consumer, leader, purpose).await?;
            let is_led = |partition: &&client::Partition| partition.leader == Some(leader);
            let led = topic.partitions.iter().filter(is_led);
            let led = led.filter_map(|partition| positions.remove_entry(&partition.id));
            readers.push((leader, purpose, led.collect()));
        }
        let meter = Arc::new(Meter::new());
        let run = Arc::new(Run {
            mark: mark(),
            topic: Arc::clone(&topic),
            records: self.records,
            record_size: self.record_size,
            acks: self.acks,
            one_at_a_time: self.rate.is_none(),
            patience: client.config().request_timeout,
            schedule: Schedule::start(self.records, self.rate.map(|rate| rate as f64)),
            meter: Arc::clone(&meter),
            sent: AtomicU64::new(0),
            last_activity: AtomicU64::new(0),
            arrived: Notify::new(),
        });
        let mut load = Load::default();
        for (leader, purpose, positions) in readers {
            let (run, consumer) = (Arc::clone(&run), consumer.clone());
            load.add(async move { run.consume(&consumer, leader, purpose, positions).await });
        }
        for _ in 0..self.in_flight {
            let (run, producer) = (Arc::clone(&run), producer.clone());
            load.add(async move { run.produce(&producer).await });
        }
        load.run(&meter, self.records).await?;
        // Readers of other brokers may wait for records a little longer.
        let elapsed = Duration::from_nanos(run.last_activity.load(Ordering::Relaxed));
        producer.close().await;
        consumer.close().await;
        Ok(Report {
            bench: BENCH.name,
            settings: json!({
                "topic": self.topic,
                "partitions": topic.partitions.len(),
                "records": self.records,
                "record_size": self.record_size,
                "in_flight": self.in_flight,
                "acks": acks_name(self.acks),
                "rate": self.rate,
            }),
            elapsed,
            reading: meter.read(),
            latency_of: match self.rate {
                Some(_) => "intended send time to arrival at the consumer",
                None => "send time to arrival at the consumer",
            },
        })
    }
}

impl Work for Latency {
    fn run<'a>(&'a self, client: &'a Client) -> LocalBoxFuture<'a, Result<Report, Failure>> {
        self.measure(client).boxed_local()
    }
}

/// What no other run is likely to have: the time in nanoseconds, and the process.
fn mark() -> [u8; MARK_BYTES] {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since.map(|since| since.as_nanos() as u64).unwrap_or_default();
    (nanos ^ (u64::from(std::process::id()) << 40)).to_be_bytes()
}

/// What producers and consumers share.
struct Run {
    mark: [u8; MARK_BYTES],
    topic: Arc<Topic>,
    records: u64,
    record_size: usize,
    acks: i16,
    /// A record is sent when the one before has arrived.
    one_at_a_time: bool,
    /// How long a record may stay away.
    patience: Duration,
    schedule: Schedule,
    meter: Arc<Meter>,
    sent: AtomicU64,
    /// When a record was last sent or arrived, in nanoseconds after the start.
    last_activity: AtomicU64,
    arrived: Notify,
}

impl Run {
    async fn produce(&self, client: &Client) -> Result<(), Failure> {
        let partitions = &self.topic.partitions;
        while let Some(turn) = self.schedule.next().await {
            let index = turn.number % partitions.len() as u64;
            let partition = partitions[index as usize].id;
            let intended = turn.intended.saturating_duration_since(self.schedule.started());
            let batch = self.batch(intended);
            self.active();
            self.sent.fetch_add(1, Ordering::Relaxed);
            let request = request(&self.topic, partition, self.acks, batch);
            send(client, &self.topic, partition, request, &self.meter).await?;
            if self.one_at_a_time {
                self.arrived.notified().await;
            }
        }
        Ok(())
    }

    /// A batch of one record.
    fn batch(&self, intended: Duration) -> Bytes {
        let mut value = Vec::with_capacity(self.record_size);
        value.extend_from_slice(&self.mark);
        value.extend_from_slice(&nanos(intended).to_be_bytes());
        value.resize(self.record_size, b'x');
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(now_ms(), None, Some(&value), &[]);
        builder.build()
    }

    async fn consume(
        &self,
        client: &Client,
        leader: i32,
        purpose: Purpose,
        mut positions: BTreeMap<i32, i64>,
    ) -> Result<(), Failure> {
        while self.meter.records() < self.records {
            let wanted = positions.iter().map(|(&partition, &offset)| (partition, offset));
            let request = fetch(&self.topic, wanted);
            let answer = call(client, leader, purpose, &request).await?;
            let now = self.schedule.started().elapsed();
            let mut failure = None;
            each_batch(answer, |partition, batch| {
                if let Some(position) = positions.get_mut(&partition)
                    && *position < batch.header().next_offset()
                {
                    let from = std::mem::replace(position, batch.header().next_offset());
                    failure = self.count(batch, from, now).err().or(failure.take());
                }
            })?;
            if let Some(failure) = failure {
                return Err(failure);
            }
            self.check_patience(now)?;
        }
        Ok(())
    }

    /// Counts the records of this run from an offset on.
    fn count(&self, batch: &Batch, from: i64, now: Duration) -> Result<(), Failure> {
        let broken = |error: protocol::records::RecordError| Failure::other(error.to_string());
        let section = batch.record_section(MAX_BATCH_BYTES).map_err(broken)?;
        for record in RecordIter::new(batch.header(), &section) {
            let record = record.map_err(broken)?;
            let stamp = record.value.and_then(|value| stamp(value, self.mark));
            if let Some(intended) = stamp.filter(|_| record.offset >= from) {
                self.active();
                let latency = now.saturating_sub(intended);
                self.meter.measured(1, self.record_size as u64, latency);
                self.arrived.notify_one();
            }
        }
        Ok(())
    }

    fn active(&self) {
        let now = nanos(self.schedule.started().elapsed());
        self.last_activity.store(now, Ordering::Relaxed);
    }

    /// Gives up when records stay away that were sent long ago.
    fn check_patience(&self, now: Duration) -> Result<(), Failure> {
        let missing = self.sent.load(Ordering::Relaxed).saturating_sub(self.meter.records());
        let last = Duration::from_nanos(self.last_activity.load(Ordering::Relaxed));
        if missing == 0 || now.saturating_sub(last) < self.patience {
            return Ok(());
        }
        let patience = self.patience.as_secs_f64();
        Err(Failure::other(format!("{missing} records did not arrive within {patience:.0} s")))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The time that a record of the run with this mark carries.
fn stamp(value: &[u8], mark: [u8; MARK_BYTES]) -> Option<Duration> {
    let rest = value.strip_prefix(&mark)?;
    Some(Duration::from_nanos(u64::from_be_bytes(*rest.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_of_this_run_have_a_time() {
        let (mark, other) = (*b"12345678", *b"87654321");
        let time = Duration::from_micros(77);
        let value = [&mark[..], &nanos(time).to_be_bytes(), b"xxx"].concat();
        assert_eq!(stamp(&value, mark), Some(time));
        assert_eq!(stamp(&value, other), None);
        assert_eq!(stamp(&value[..STAMP_BYTES - 1], mark), None);
        assert_eq!(stamp(b"", mark), None);
    }
}

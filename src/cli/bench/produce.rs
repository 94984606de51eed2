//! `ottla bench produce`: sends batches that were built before the clock started.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::{Backoff, Client, Error, Purpose, Target, Topic};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use protocol::messages::produce::{PartitionProduceData, ProduceResponse, TopicProduceData};
use protocol::messages::{InitProducerIdRequest, ProduceRequest};
use protocol::records::{BatchBuilder, Compression, edit};
use protocol::{ErrorCode, Records};
use serde_json::json;

use super::load::{Load, another, round_trip};
use super::meter::Meter;
use super::report::Report;
use super::schedule::Schedule;
use super::{
    ACKS, Bench, JSON, Letters, PARTITIONS, RATE, RECORD_SIZE, Shape, TOPIC, Work, acks, acks_name,
    compression, count, partitions, rate, topic, value,
};
use crate::cli::options::{Argument, CLUSTER, Options, Spec, Tool, UsageError};
use crate::cli::session::Failure;

pub(super) const BENCH: Bench = Bench {
    name: "produce",
    tool: Tool {
        about: "Send record batches, prepared beforehand, to all partitions of a topic in turn.",
        options: &[
            TOPIC,
            PARTITIONS,
            value("records", "count", "How many records to send. (default: 100000)"),
            RECORD_SIZE,
            value("batch-records", "count", "Records of each batch. (default: 100)"),
            value("connections", "count", "Connections to each broker. (default: 1)"),
            value(
                "in-flight",
                "count",
                "Requests that each connection has under way at most. (default: 5)",
            ),
            ACKS,
            value("compression", "codec", "none, gzip, snappy, lz4 or zstd. (default: none)"),
            IDEMPOTENT,
            RATE,
            JSON,
        ],
        common: CLUSTER,
    },
    read: |options| Ok(Box::new(Produce::read(options)?)),
};

const IDEMPOTENT: Spec = Spec {
    name: "idempotent",
    argument: Argument::None,
    help: "Give every request in flight a producer id of its own, and its batches sequence numbers.",
};

/// Times that a batch is sent which finds its partition without a leader, or that a
/// producer id is asked for while the broker is not yet ready to give one.
const ATTEMPTS: u32 = 20;
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(20), max: Duration::from_secs(1) };

#[derive(Debug)]
struct Produce {
    topic: String,
    partitions: Option<i32>,
    shape: Shape,
    connections: usize,
    in_flight: usize,
    acks: i16,
    compression: Compression,
    is_idempotent: bool,
    rate: Option<u64>,
}

impl Produce {
    fn read(options: &Options) -> Result<Self, UsageError> {
        let acks = acks(options)?;
        let is_idempotent = options.has(IDEMPOTENT.name);
        if is_idempotent && acks != -1 {
            return Err(UsageError("--idempotent needs --acks all".into()));
        }
        Ok(Self {
            topic: options.required("topic")?.to_owned(),
            partitions: partitions(options)?,
            shape: Shape::read(options, "batch-records", 100)?,
            connections: count(options, "connections", 1)?,
            in_flight: count(options, "in-flight", 5)?,
            acks,
            compression: compression(options)?,
            is_idempotent,
            rate: rate(options)?,
        })
    }

    async fn measure(&self, client: &Client) -> Result<Report, Failure> {
        let topic = topic::prepare(client, &self.topic, self.partitions).await?;
        let clients: Vec<Client> =
            (0..self.connections).map(|_| another(client, self.in_flight)).collect();
        for client in &clients {
            for node in topic::leaders(&topic) {
                round_trip(client, node, Purpose::Produce).await?;
            }
        }
        let mut senders = Vec::new();
        for client in &clients {
            for _ in 0..self.in_flight {
                let producer =
                    if self.is_idempotent { Some(Producer::new(client).await?) } else { None };
                senders.push((client.clone(), producer));
            }
        }
        let meter = Arc::new(Meter::new());
        let batches = self.batches();
        let requests = self.rate.map(|rate| rate as f64 / self.shape.per_request as f64);
        let sending = Arc::new(Sending {
            shape: self.shape,
            acks: self.acks,
            topic: Arc::clone(&topic),
            batches,
            meter: Arc::clone(&meter),
            schedule: Schedule::start(self.shape.requests(), requests),
        });
        let mut load = Load::default();
        for (client, producer) in senders {
            let sending = Arc::clone(&sending);
            load.add(async move { sending.run(&client, producer).await });
        }
        load.run(&meter, self.shape.records).await?;
        let elapsed = sending.schedule.started().elapsed();
        for client in clients {
            client.close().await;
        }
        Ok(Report {
            bench: BENCH.name,
            settings: json!({
                "topic": self.topic,
                "partitions": topic.partitions.len(),
                "records": self.shape.records,
                "record_size": self.shape.record_size,
                "batch_records": self.shape.per_request,
                "connections": self.connections,
                "in_flight": self.in_flight,
                "acks": acks_name(self.acks),
                "compression": self.compression.name(),
                "idempotent": self.is_idempotent,
                "rate": self.rate,
            }),
            elapsed,
            reading: meter.read(),
            latency_of: match (self.rate, self.acks) {
                (_, 0) => "time to hand a request over, which nobody acknowledges",
                (Some(_), _) => "intended send time to acknowledgement",
                (None, _) => "send time to acknowledgement",
            },
        })
    }

    /// A batch for each number of records that a request has: that of most of
    /// them, and that of the last.
    fn batches(&self) -> HashMap<u64, Bytes> {
        let last = self.shape.records_of(self.shape.requests() - 1);
        let build = |records| (records, batch(records, self.shape.record_size, self.compression));
        [self.shape.per_request, last].into_iter().map(build).collect()
    }
}

impl Work for Produce {
    fn run<'a>(&'a self, client: &'a Client) -> LocalBoxFuture<'a, Result<Report, Failure>> {
        self.measure(client).boxed_local()
    }
}

/// A batch of records of letters, all of them different.
fn batch(records: u64, record_size: usize, compression: Compression) -> Bytes {
    let (mut letters, now) = (Letters::new(), now_ms());
    let mut builder = BatchBuilder::new(compression);
    for _ in 0..records {
        builder.append(now, None, Some(&letters.take(record_size)), &[]);
    }
    builder.build()
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default()
}

/// What all connections share.
struct Sending {
    shape: Shape,
    acks: i16,
    topic: Arc<Topic>,
    batches: HashMap<u64, Bytes>,
    meter: Arc<Meter>,
    schedule: Schedule,
}

impl Sending {
    /// Sends one request after the other until none is left.
    async fn run(&self, client: &Client, mut producer: Option<Producer>) -> Result<(), Failure> {
        let partitions = &self.topic.partitions;
        while let Some(turn) = self.schedule.next().await {
            let index = turn.number % partitions.len() as u64;
            let partition = &partitions[index as usize];
            let records = self.shape.records_of(turn.number);
            let mut batch = self.batches.get(&records).cloned().unwrap_or_default();
            if let Some(producer) = &mut producer {
                batch = producer.stamp(&batch, partition.id, records)?;
            }
            let request = request(&self.topic, partition.id, self.acks, batch);
            send(client, &self.topic, partition.id, request, &self.meter).await?;
            let bytes = records * self.shape.record_size as u64;
            self.meter.answered(records, bytes, turn.intended);
        }
        if self.acks == 0 {
            // Nothing else tells that the broker has read it all.
            for node in topic::leaders(&self.topic) {
                round_trip(client, node, Purpose::Produce).await?;
            }
        }
        Ok(())
    }
}

/// What makes the batches of one sender idempotent.
#[derive(Debug)]
struct Producer {
    id: i64,
    epoch: i16,
    /// The sequence number that comes next in each partition.
    next: HashMap<i32, i32>,
}

impl Producer {
    async fn new(client: &Client) -> Result<Self, Failure> {
        let nobody = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let mut attempts = 0;
        loop {
            let answer = client.call(Target::Any, Purpose::General, nobody.clone()).await?;
            match Error::check(answer.error_code, None) {
                Ok(()) => {
                    let (id, epoch) = (answer.producer_id, answer.producer_epoch);
                    return Ok(Self { id, epoch, next: HashMap::new() });
                }
                Err(error) if !error.is_retriable() || attempts == ATTEMPTS => {
                    return Err(error.into());
                }
                Err(_) => {}
            }
            attempts += 1;
            tokio::time::sleep(BACKOFF.pause(attempts)).await;
        }
    }

    /// A copy of the batch that belongs to this producer.
    fn stamp(&mut self, batch: &[u8], partition: i32, records: u64) -> Result<Bytes, Failure> {
        let next = self.next.entry(partition).or_default();
        let mut stamped = batch.to_vec();
        edit::set_producer(&mut stamped, self.id, self.epoch, *next)
            .map_err(|error| Failure::other(error.to_string()))?;
        // After the largest number comes 0.
        let after = (i64::from(*next) + i64::try_from(records).unwrap_or_default()) & 0x7fff_ffff;
        *next = i32::try_from(after).unwrap_or_default();
        Ok(stamped.into())
    }
}

/// One batch for one partition.
pub(super) fn request(topic: &Topic, partition: i32, acks: i16, batch: Bytes) -> ProduceRequest {
    let records = Some(Records::Bytes(batch));
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.name.clone(),
            topic_id: topic.id,
            partition_data: vec![PartitionProduceData { index: partition, records }],
        }],
    }
}

/// Sends the request and waits until it is acknowledged. One that is refused
/// because leaders move is sent again, and counted.
pub(super) async fn send(
    client: &Client,
    topic: &Topic,
    partition: i32,
    request: ProduceRequest,
    meter: &Meter,
) -> Result<(), Failure> {
    let mut leader = topic.partition(partition).and_then(|partition| partition.leader);
    let mut attempts = 0;
    loop {
        let outcome = match leader {
            Some(node) => attempt(client, node, &request).await,
            None => Err(Error::UnknownNode(-1)),
        };
        let error = match outcome {
            Ok(()) => return Ok(()),
            Err(error) if is_without_leader(&error) => error,
            // Here nobody may know whether the records were written.
            Err(error) => return Err(error.into()),
        };
        attempts += 1;
        if attempts == ATTEMPTS {
            return Err(error.into());
        }
        meter.retried();
        tokio::time::sleep(BACKOFF.pause(attempts)).await;
        client.refresh_topics(std::slice::from_ref(&topic.name)).await?;
        let known = client.cached_topic(&topic.name);
        leader = known.and_then(|topic| topic.partition(partition)?.leader);
    }
}

/// Whether nothing was written because the broker does not, or not yet, lead the partition.
fn is_without_leader(error: &Error) -> bool {
    match error {
        Error::UnknownNode(_) => true,
        Error::Kafka { code, .. } => matches!(
            code,
            ErrorCode::NotLeaderOrFollower
                | ErrorCode::LeaderNotAvailable
                | ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
        ),
        _ => false,
    }
}

async fn attempt(client: &Client, node: i32, request: &ProduceRequest) -> Result<(), Error> {
    if request.acks == 0 {
        return client.send_unanswered(node, Purpose::Produce, request.clone()).await;
    }
    let timeout = client.config().request_timeout;
    let answer = client.begin(node, Purpose::Produce, request, timeout).await?.answer().await?;
    check(&answer)
}

/// The refusal in an answer about one batch.
fn check(answer: &ProduceResponse) -> Result<(), Error> {
    let partition = answer.responses.iter().flat_map(|topic| &topic.partition_responses).next();
    match partition {
        Some(partition) => Error::check(partition.error_code, partition.error_message.as_ref()),
        None => Err(Error::Kafka { code: ErrorCode::UnknownServerError, message: None }),
    }
}

#[cfg(test)]
mod tests {
    use protocol::records::{Batch, batches};

    use super::*;

    #[test]
    fn batches_hold_what_was_asked_for() {
        for codec in Compression::ALL {
            let bytes = batch(10, 100, codec);
            let all: Vec<Batch> = batches(bytes).map(Result::unwrap).collect();
            assert_eq!(all.len(), 1, "{codec}");
            assert_eq!(all[0].header().records_count, 10, "{codec}");
            all[0].verify_crc().unwrap();
            assert!(all[0].record_section(1 << 20).unwrap().len() > 1_000, "{codec}");
        }
    }

    #[test]
    fn sequence_numbers_go_on_and_begin_again_at_their_end() {
        let plain = batch(10, 10, Compression::None);
        let mut producer = Producer { id: 7, epoch: 1, next: HashMap::from([(2, i32::MAX - 5)]) };
        for (partition, sequence) in [(2, i32::MAX - 5), (2, 4), (1, 0), (1, 10)] {
            let stamped = producer.stamp(&plain, partition, 10).unwrap();
            let stamped = Batch::from_bytes(stamped).unwrap();
            stamped.verify_crc().unwrap();
            let header = stamped.header();
            assert_eq!((header.producer_id, header.producer_epoch), (7, 1));
            assert_eq!(header.base_sequence, sequence, "partition {partition}");
        }
    }

    #[test]
    fn an_answer_about_nothing_is_no_acknowledgement() {
        assert!(check(&ProduceResponse::default()).is_err());
    }
}

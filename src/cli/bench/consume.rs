//! `ottla bench consume`: reads what a topic holds, from its beginning.
//!
//! Batches are counted by their headers and not unpacked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::admin::{self, OffsetSpec};
use client::consumer::{IsolationLevel, TopicPartition};
use client::{Client, Error, Purpose, Topic};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use protocol::messages::FetchRequest;
use protocol::messages::fetch::{FetchPartition, FetchResponse, FetchTopic};
use protocol::records::{Batch, batches};
use serde_json::json;

use super::load::{Load, another, round_trip};
use super::meter::Meter;
use super::report::Report;
use super::{Bench, JSON, MAX_RECORDS, TOPIC, Work, count, number, topic, value};
use crate::cli::options::{CLUSTER, Options, Tool, UsageError};
use crate::cli::session::Failure;

pub(super) const BENCH: Bench = Bench {
    name: "consume",
    tool: Tool {
        about: "Read a topic from its beginning. Partitions are divided among the consumers.",
        options: &[
            TOPIC,
            value("records", "count", "How many records to read. (default: all that are there)"),
            value(
                "consumers",
                "count",
                "Consumers, each with connections of its own. (default: 1)",
            ),
            JSON,
        ],
        common: CLUSTER,
    },
    read: |options| Ok(Box::new(Consume::read(options)?)),
};

/// Bytes of one answer at most, and of a partition in it: the defaults of
/// Kafka's consumer.
const MAX_BYTES: i32 = 50 << 20;
const MAX_PARTITION_BYTES: i32 = 1 << 20;
/// How long the broker may wait for records.
const MAX_WAIT_MS: i32 = 500;

#[derive(Debug)]
struct Consume {
    topic: String,
    records: Option<u64>,
    consumers: usize,
}

/// What there is of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) partition: i32,
    leader: i32,
    begin: i64,
    end: i64,
}

impl Consume {
    fn read(options: &Options) -> Result<Self, UsageError> {
        Ok(Self {
            topic: options.required("topic")?.to_owned(),
            records: number(options, "records", 1..=MAX_RECORDS)?,
            consumers: count(options, "consumers", 1)?,
        })
    }

    async fn measure(&self, client: &Client) -> Result<Report, Failure> {
        let topic = topic::find(client, &self.topic).await?;
        let ranges = ranges(client, &topic).await?;
        let wanted = wanted(&self.topic, &ranges, self.records)?;
        let meter = Arc::new(Meter::new());
        let clients: Vec<Client> = (0..self.consumers).map(|_| another(client, 1)).collect();
        let mut readers = Vec::new();
        for (client, ranges) in clients.iter().zip(divide(&ranges, self.consumers)) {
            for (leader, ranges) in by_leader(ranges) {
                let purpose = Purpose::Fetch(client.unique_id());
                round_trip(client, leader, purpose).await?;
                let (topic, client) = (Arc::clone(&topic), client.clone());
                readers.push(Reader { client, topic, leader, purpose, ranges, wanted });
            }
        }
        let mut load = Load::default();
        let started = Instant::now();
        for reader in readers {
            let meter = Arc::clone(&meter);
            load.add(async move { reader.run(&meter).await });
        }
        load.run(&meter, wanted).await?;
        let elapsed = started.elapsed();
        for client in clients {
            client.close().await;
        }
        Ok(Report {
            bench: BENCH.name,
            settings: json!({
                "topic": self.topic,
                "partitions": topic.partitions.len(),
                "records": self.records,
                "consumers": self.consumers,
            }),
            elapsed,
            reading: meter.read(),
            latency_of: "fetch to answer",
        })
    }
}

impl Work for Consume {
    fn run<'a>(&'a self, client: &'a Client) -> LocalBoxFuture<'a, Result<Report, Failure>> {
        self.measure(client).boxed_local()
    }
}

/// How many records to read: all, unless so many are asked for.
///
/// # Errors
/// When there are not as many, or none.
pub(super) fn wanted(topic: &str, ranges: &[Range], asked: Option<u64>) -> Result<u64, Failure> {
    let available = ranges.iter().map(|range| (range.end - range.begin).unsigned_abs()).sum();
    let wanted = asked.unwrap_or(available);
    if wanted > available || wanted == 0 {
        let least = wanted.max(1);
        return Err(Failure::other(format!(
            "topic {topic} holds {available} records, {least} are to be read"
        )));
    }
    Ok(wanted)
}

/// The bounds of all partitions that hold something.
pub(super) async fn ranges(client: &Client, topic: &Topic) -> Result<Vec<Range>, Failure> {
    let begins = offsets(client, topic, OffsetSpec::Earliest).await?;
    let ends = offsets(client, topic, OffsetSpec::Latest).await?;
    let range = |partition: &client::Partition| {
        let begin = *begins.get(&partition.id)?;
        let end = *ends.get(&partition.id)?;
        let leader = partition.leader?;
        (end > begin).then_some(Range { partition: partition.id, leader, begin, end })
    };
    Ok(topic.partitions.iter().filter_map(range).collect())
}

/// An offset of each partition.
pub(super) async fn offsets(
    client: &Client,
    topic: &Topic,
    spec: OffsetSpec,
) -> Result<BTreeMap<i32, i64>, Failure> {
    let asked = topic.partitions.iter().map(|partition| partition.id);
    let asked = asked.map(|id| (TopicPartition::new(topic.name.clone(), id), spec)).collect();
    let found = admin::list_offsets(client, asked, IsolationLevel::ReadUncommitted).await?;
    let mut offsets = BTreeMap::new();
    for (name, listed) in found {
        offsets.insert(name.partition, listed?.offset.unwrap_or_default());
    }
    Ok(offsets)
}

/// Deals the partitions out.
pub(super) fn divide(ranges: &[Range], consumers: usize) -> Vec<Vec<Range>> {
    let mut hands = vec![Vec::new(); consumers];
    for (index, range) in ranges.iter().enumerate() {
        hands[index % consumers].push(*range);
    }
    hands
}

fn by_leader(ranges: Vec<Range>) -> BTreeMap<i32, Vec<Range>> {
    let mut leaders: BTreeMap<i32, Vec<Range>> = BTreeMap::new();
    ranges.into_iter().for_each(|range| leaders.entry(range.leader).or_default().push(range));
    leaders
}

/// Reads partitions of one leader for one consumer.
struct Reader {
    client: Client,
    topic: Arc<Topic>,
    leader: i32,
    purpose: Purpose,
    ranges: Vec<Range>,
    /// Records that all readers together are to read.
    wanted: u64,
}

impl Reader {
    async fn run(mut self, meter: &Meter) -> Result<(), Failure> {
        let patience = self.client.config().request_timeout;
        let mut last_progress = Instant::now();
        while !self.ranges.is_empty() && meter.records() < self.wanted {
            let positions = self.ranges.iter().map(|range| (range.partition, range.begin));
            let request = fetch(&self.topic, positions);
            let asked = Instant::now();
            let answer = call(&self.client, self.leader, self.purpose, &request).await?;
            let (mut records, mut bytes) = (0, 0);
            let ranges = &mut self.ranges;
            each_batch(answer, |partition, batch| {
                let range = ranges.iter_mut().find(|range| range.partition == partition);
                if let Some(range) = range.filter(|range| range.begin < range.end) {
                    range.begin = range.begin.max(batch.header().next_offset());
                    bytes += batch.bytes().len() as u64;
                    if !batch.header().attributes.is_control() {
                        let count = batch.header().records_count;
                        records += u64::try_from(count).unwrap_or_default();
                    }
                }
            })?;
            self.ranges.retain(|range| range.begin < range.end);
            // What was read last goes last: other partitions get their share of the answers.
            let next = self.ranges.len().min(1);
            self.ranges.rotate_left(next);
            meter.answered(records, bytes, asked);
            if bytes > 0 {
                last_progress = Instant::now();
            } else if last_progress.elapsed() > patience {
                let reason = format!("nothing came within {:.0} s", patience.as_secs_f64());
                return Err(Failure::other(reason));
            }
        }
        Ok(())
    }
}

/// A request for everything from these offsets on.
pub(super) fn fetch(topic: &Topic, positions: impl Iterator<Item = (i32, i64)>) -> FetchRequest {
    let partition = |(partition, fetch_offset)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: MAX_PARTITION_BYTES,
        ..FetchPartition::default()
    };
    FetchRequest {
        max_wait_ms: MAX_WAIT_MS,
        min_bytes: 1,
        max_bytes: MAX_BYTES,
        topics: vec![FetchTopic {
            topic: topic.name.clone(),
            topic_id: topic.id,
            partitions: positions.map(partition).collect(),
        }],
        ..FetchRequest::default()
    }
}

/// Sends a fetch and waits for its answer, some time longer than the broker may wait.
pub(super) async fn call(
    client: &Client,
    leader: i32,
    purpose: Purpose,
    request: &FetchRequest,
) -> Result<FetchResponse, Error> {
    let timeout = client.config().request_timeout + Duration::from_millis(500);
    client.begin(leader, purpose, request, timeout).await?.answer().await
}

/// Takes the batches out of an answer.
///
/// # Errors
/// The refusal of the fetch or of a partition, and what is no batch.
pub(super) fn each_batch(
    answer: FetchResponse,
    mut take: impl FnMut(i32, &Batch),
) -> Result<(), Failure> {
    Error::check(answer.error_code, None)?;
    for partition in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
        Error::check(partition.error_code, None)?;
        let Some(records) = partition.records else { continue };
        for batch in batches(records.into_bytes()) {
            let batch = batch.map_err(|error| Failure::other(error.to_string()))?;
            take(partition.partition_index, &batch);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_one_consumer() {
        let range = |partition| Range { partition, leader: partition % 2, begin: 0, end: 1 };
        let ranges: Vec<Range> = (0..5).map(range).collect();
        let hands = divide(&ranges, 3);
        let dealt: Vec<Vec<i32>> =
            hands.iter().map(|hand| hand.iter().map(|range| range.partition).collect()).collect();
        assert_eq!(dealt, [vec![0, 3], vec![1, 4], vec![2]]);
        assert_eq!(divide(&ranges, 7).iter().filter(|hand| hand.is_empty()).count(), 2);
        let leaders = by_leader(ranges);
        assert_eq!((leaders[&0].len(), leaders[&1].len()), (3, 2));
    }
}

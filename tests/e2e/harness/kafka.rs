//! A Kafka client that knows no more than the protocol: one blocking
//! connection, no retries, no cache.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::create_topics::CreatableTopicConfig;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    CreateTopicsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
};
use protocol::records::{BatchBuilder, Compression, RecordIter, batches};
use protocol::{ErrorCode, Message, Reader, Records, Request, RequestHeader};

use super::{HANG, until};

/// One connection to one broker.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Connection {
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANG))?;
        Ok(Self { stream, next_correlation_id: 0 })
    }

    /// Sends the request in that version and reads its answer.
    pub(crate) fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        self.next_correlation_id += 1;
        let header = RequestHeader {
            api_key: R::KEY as i16,
            api_version: version,
            correlation_id: self.next_correlation_id,
            client_id: Some("e2e".into()),
        };
        let frame = protocol::encode_request(&header, request);
        let mut bytes = frame.size_prefix().to_vec();
        bytes.extend_from_slice(&frame.into_bytes());
        self.stream.write_all(&bytes)?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut answer)?;
        let mut reader = Reader::new(Bytes::from(answer));
        let correlation_id = protocol::decode_response_header(&mut reader, R::KEY, version)
            .map_err(io::Error::other)?;
        assert_eq!(correlation_id, self.next_correlation_id, "answers come in order");
        R::Response::decode(&mut reader, version).map_err(io::Error::other)
    }
}

/// A record to produce: its key and its value.
pub(crate) type KeyValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// A record as it lies in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Stored {
    pub(crate) fn value_text(&self) -> &str {
        str::from_utf8(self.value.as_deref().unwrap()).unwrap()
    }
}

/// A cluster, by the address of any of its brokers.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    bootstrap: String,
}

impl Cluster {
    pub(crate) fn new(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.split(',').next().unwrap().to_owned() }
    }

    /// Asks the broker that the cluster is known by, on a connection of its own.
    #[track_caller]
    pub(crate) fn call<R: Request>(&self, version: i16, request: &R) -> R::Response {
        Connection::open(&self.bootstrap).unwrap().call(version, request).unwrap()
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]);
    }

    /// Creates a topic and waits until its partitions have leaders.
    pub(crate) fn create_topic_with(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
        });
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: -1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
        let mut connection = Connection::open(&self.bootstrap).unwrap();
        let answer = connection.call(5, &request).unwrap();
        assert_eq!(answer.topics[0].error_code, ErrorCode::None, "{answer:?}");
        for partition in 0..partitions {
            self.leader(name, partition);
        }
    }

    /// Waits until each partition of a topic has a leader.
    pub(crate) fn wait_for_leaders(&self, topic: &str) {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(topic.into()),
                ..MetadataRequestTopic::default()
            }]),
            ..MetadataRequest::default()
        };
        until("leaders", || {
            let answer = self.call(9, &request);
            let mut partitions = answer.topics.first()?.partitions.iter();
            partitions.all(|partition| partition.leader_id >= 0).then_some(())
        });
    }

    /// The topics that there are, internal ones included.
    pub(crate) fn topics(&self) -> Vec<String> {
        let mut connection = Connection::open(&self.bootstrap).unwrap();
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let answer = connection.call(9, &request).unwrap();
        answer.topics.iter().filter_map(|topic| Some(topic.name.as_ref()?.to_string())).collect()
    }

    /// The address of the partition's leader, as soon as there is one.
    fn leader(&self, topic: &str, partition: i32) -> String {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(topic.into()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        until("a leader", || {
            let answer = Connection::open(&self.bootstrap).ok()?.call(9, &request).ok()?;
            let partitions = &answer.topics.first()?.partitions;
            let leader =
                partitions.iter().find(|found| found.partition_index == partition)?.leader_id;
            let broker = answer.brokers.iter().find(|broker| broker.node_id == leader)?;
            Some(format!("{}:{}", broker.host, broker.port))
        })
    }

    /// Produces records of (key, value) as one batch, and gives the offset of
    /// the first one.
    pub(crate) fn produce(&self, topic: &str, partition: i32, records: &[KeyValue<'_>]) -> i64 {
        self.produce_with(Compression::None, topic, partition, records)
    }

    /// As [`Cluster::produce`], compressed.
    pub(crate) fn produce_with(
        &self,
        compression: Compression,
        topic: &str,
        partition: i32,
        records: &[KeyValue<'_>],
    ) -> i64 {
        let request = produce_request(compression, topic, partition, records);
        let answer = until("a leader that knows that it is one", || {
            let mut connection = Connection::open(&self.leader(topic, partition)).unwrap();
            let answer = connection.call(9, &request).unwrap();
            let answer = answer.responses[0].partition_responses[0].clone();
            // Of a new topic, the metadata may know before the leader itself does.
            (answer.error_code != ErrorCode::NotLeaderOrFollower).then_some(answer)
        });
        assert_eq!(answer.error_code, ErrorCode::None, "{answer:?}");
        answer.base_offset
    }

    /// The values, without keys.
    pub(crate) fn produce_values(&self, topic: &str, partition: i32, values: &[&str]) -> i64 {
        let records: Vec<_> = values.iter().map(|value| (None, Some(value.as_bytes()))).collect();
        self.produce(topic, partition, &records)
    }

    /// The next offset to be written (high watermark).
    pub(crate) fn end_offset(&self, topic: &str, partition: i32) -> i64 {
        self.offset_at(topic, partition, -1)
    }

    /// The first offset that can be read.
    pub(crate) fn start_offset(&self, topic: &str, partition: i32) -> i64 {
        self.offset_at(topic, partition, -2)
    }

    /// `timestamp`: as ListOffsets takes it.
    fn offset_at(&self, topic: &str, partition: i32, timestamp: i64) -> i64 {
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: topic.into(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: partition,
                    timestamp,
                    ..ListOffsetsPartition::default()
                }],
            }],
            ..ListOffsetsRequest::default()
        };
        let mut connection = Connection::open(&self.leader(topic, partition)).unwrap();
        let answer = connection.call(5, &request).unwrap();
        let partition = &answer.topics[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::None, "{answer:?}");
        partition.offset
    }

    /// All records of the partition.
    pub(crate) fn records(&self, topic: &str, partition: i32) -> Vec<Stored> {
        let end = self.end_offset(topic, partition);
        let mut connection = Connection::open(&self.leader(topic, partition)).unwrap();
        let mut records = vec![];
        let mut next = self.start_offset(topic, partition);
        while next < end {
            let answer = connection.call(11, &fetch_request(topic, partition, next)).unwrap();
            let data = &answer.responses[0].partitions[0];
            if data.error_code == ErrorCode::OffsetOutOfRange {
                // Retention was here meanwhile.
                next = self.start_offset(topic, partition).max(next);
                records.clear();
                continue;
            }
            assert_eq!(data.error_code, ErrorCode::None, "{topic}-{partition} at {next}");
            let before = next;
            let set = data.records.clone().map_or_else(Bytes::new, Records::into_bytes);
            for batch in batches(set) {
                let batch = batch.unwrap();
                batch.verify_crc().unwrap();
                let section = batch.record_section(64 << 20).unwrap();
                for record in RecordIter::new(batch.header(), &section) {
                    let record = record.unwrap();
                    if record.offset >= next {
                        records.push(Stored {
                            partition,
                            offset: record.offset,
                            key: record.key.map(<[u8]>::to_vec),
                            value: record.value.map(<[u8]>::to_vec),
                        });
                    }
                }
                next = batch.header().next_offset();
            }
            assert!(next > before, "{topic}-{partition}: nothing at {next}, and the end is {end}");
        }
        records
    }
}

/// Asks for what lies at an offset.
pub(crate) fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                partition,
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    }
}

/// One batch with acks=all.
pub(crate) fn produce_request(
    compression: Compression,
    topic: &str,
    partition: i32,
    records: &[KeyValue<'_>],
) -> ProduceRequest {
    let mut batch = BatchBuilder::new(compression);
    for (key, value) in records {
        batch.append(now_ms(), *key, *value, &[]);
    }
    produce_batch(topic, partition, batch.build())
}

/// The time of the records that are produced without one, in ms.
pub(crate) fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as i64
}

/// Any bytes, with acks=all.
pub(crate) fn produce_batch(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(Records::Bytes(batch)),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}

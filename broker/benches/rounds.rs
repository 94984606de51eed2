//! How long a round of group commit takes over 1 to 1,000 partitions: one Produce
//! request with a batch of 1 KiB for each, acks=all, and the time to its answer.
//!
//!     cargo bench -p broker --bench rounds -- [DIRECTORY]
//!
//! The directory has to be on the disk that is measured.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::path::Path;
use std::time::{Duration, Instant};

use broker::{Broker, Config, InProcess};
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::records::{BatchBuilder, Compression};
use protocol::{
    ErrorCode, Message, Reader, Records, Request, RequestHeader, Str, decode_response_header,
    encode_request,
};

const PARTITIONS: [i32; 5] = [1, 4, 16, 100, 1_000];
const ROUNDS: usize = 200;
/// The last version of Produce that names topics by their names.
const VERSION: i16 = 12;

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let data = tempfile::tempdir_in(directory.unwrap_or_else(|| ".".to_owned())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(data.path()));
}

async fn measure(data: &Path) {
    let values = [("log.dirs", data.to_str().unwrap()), ("listeners", "PLAINTEXT://127.0.0.1:0")];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_values(values.into_iter().collect()).unwrap();
    let broker = Broker::start(config).await.unwrap();
    let mut connection = Connection(broker.connect_in_process());
    println!("| partitions in a round | first | median | 90 of 100 | longest |");
    println!("|---|---|---|---|---|");
    for partitions in PARTITIONS {
        let topic = Str::from(format!("round-{partitions}"));
        connection.create(&topic, partitions).await;
        // Directories and files are made.
        let first = connection.produce(&topic, partitions).await;
        for _ in 0..20 {
            connection.produce(&topic, partitions).await;
        }
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            times.push(connection.produce(&topic, partitions).await);
        }
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let [median, most, longest] = [at(50), at(90), at(100)];
        println!("| {partitions} | {first:.2?} | {median:.2?} | {most:.2?} | {longest:.2?} |");
    }
    drop(connection);
    broker.shutdown().await;
}

struct Connection(InProcess);

impl Connection {
    async fn call<R: Request>(&mut self, request: &R) -> R::Response {
        let api_version = *R::KEY.versions().end().min(&VERSION);
        let header = RequestHeader {
            api_key: R::KEY.code(),
            api_version,
            correlation_id: 1,
            client_id: None,
        };
        self.0.requests.send(encode_request(&header, request)).await.unwrap();
        let mut reader = Reader::new(self.0.responses.recv().await.unwrap());
        decode_response_header(&mut reader, R::KEY, api_version).unwrap();
        R::Response::decode(&mut reader, api_version).unwrap()
    }

    async fn create(&mut self, name: &Str, num_partitions: i32) {
        let topic = CreatableTopic {
            name: name.clone(),
            num_partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
        let answer = self.call(&request).await;
        assert_eq!(answer.topics[0].error_code, ErrorCode::None);
    }

    async fn produce(&mut self, topic: &Str, partitions: i32) -> Duration {
        let value = [b'v'; 1024];
        let partition_data = (0..partitions).map(|index| {
            let mut builder = BatchBuilder::new(Compression::None);
            builder.append(1_700_000_000_000, None, Some(&value), &[]);
            PartitionProduceData { index, records: Some(Records::Bytes(builder.build())) }
        });
        let topic_data = TopicProduceData {
            name: topic.clone(),
            partition_data: partition_data.collect(),
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 60_000,
            topic_data: vec![topic_data],
            ..ProduceRequest::default()
        };
        let begun = Instant::now();
        let answer = self.call(&request).await;
        let took = begun.elapsed();
        let partitions = &answer.responses[0].partition_responses;
        assert!(partitions.iter().all(|partition| partition.error_code == ErrorCode::None));
        took
    }
}

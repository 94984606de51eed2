//! Fetches against a whole broker, over a connection within the process.

use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::fetch::{FetchPartition, FetchTopic, ForgottenTopic, PartitionData};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, FetchRequest, FetchResponse,
    ProduceRequest,
};
use protocol::records::{BatchBuilder, Compression};
use protocol::{ErrorCode, Message, Reader, Records, Request, RequestHeader, Str, Uuid};

use crate::{Broker, Config, InProcess};

/// The last version with names, and the last with ids.
const NAMES: i16 = 12;
const IDS: i16 = 18;
const TOPIC: Str = Str::from_static("orders");
/// About what a record of [`Client::produce`] takes.
const RECORD_BYTES: i32 = 1000;

struct Server {
    broker: Broker,
    directory: tempfile::TempDir,
}

struct Client {
    connection: InProcess,
    topic_id: Uuid,
}

/// What a response tells of a partition: its number, error, high watermark, bytes.
type News = (i32, ErrorCode, i64, usize);

impl Server {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let fixed = [("log.dirs", path), ("listeners", "PLAINTEXT://127.0.0.1:0")];
        let values = fixed.iter().chain(settings);
        let values = values.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::from_values(values.collect()).unwrap();
        let broker = Broker::start(config).await.unwrap();
        Self { broker, directory }
    }

    /// A client of a new topic with so many partitions.
    async fn client(&self, partitions: i32) -> Client {
        let connection = self.broker.connect_in_process();
        let mut client = Client { connection, topic_id: Uuid::default() };
        client.create_topic(partitions).await;
        client
    }
}

impl Client {
    async fn call<R: Request>(&mut self, api_version: i16, request: &R) -> R::Response {
        let header = RequestHeader { api_key: R::KEY.code(), api_version, ..Default::default() };
        let frame = protocol::encode_request(&header, request);
        self.connection.requests.send(frame).await.unwrap();
        let mut reader = Reader::new(self.connection.responses.recv().await.unwrap());
        protocol::decode_response_header(&mut reader, R::KEY, api_version).unwrap();
        R::Response::decode(&mut reader, api_version).unwrap()
    }

    async fn create_topic(&mut self, num_partitions: i32) {
        let topic = CreatableTopic {
            name: TOPIC,
            num_partitions,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response: CreateTopicsResponse = self.call(7, &request).await;
        assert_eq!(response.topics[0].error_code, ErrorCode::None);
        self.topic_id = response.topics[0].topic_id;
    }

    async fn delete_topic(&mut self) {
        let request = DeleteTopicsRequest { topic_names: vec![TOPIC], ..Default::default() };
        let response = self.call(5, &request).await;
        assert_eq!(response.responses[0].error_code, ErrorCode::None);
    }

    /// Appends batches of one record each.
    async fn produce(&mut self, partition: i32, batches: usize) {
        for _ in 0..batches {
            let mut batch = BatchBuilder::new(Compression::None);
            batch.append(0, None, Some(&[b'x'; RECORD_BYTES as usize]), &[]);
            let records = Some(Records::Bytes(batch.build()));
            let data = PartitionProduceData { index: partition, records };
            let data =
                TopicProduceData { name: TOPIC, partition_data: vec![data], ..Default::default() };
            let request = ProduceRequest {
                acks: -1,
                timeout_ms: 30_000,
                topic_data: vec![data],
                ..Default::default()
            };
            let response = self.call(9, &request).await;
            let error = response.responses[0].partition_responses[0].error_code;
            assert_eq!(error, ErrorCode::None);
        }
    }

    /// A request for these partitions and offsets, which does not wait.
    fn request(&self, session: (i32, i32), partitions: &[(i32, i64)]) -> FetchRequest {
        let partitions = partitions.iter().map(|(partition, fetch_offset)| FetchPartition {
            partition: *partition,
            fetch_offset: *fetch_offset,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        });
        let (topic, topic_id) = (TOPIC, self.topic_id);
        let topic = FetchTopic { topic, topic_id, partitions: partitions.collect() };
        let topics = if topic.partitions.is_empty() { Vec::new() } else { vec![topic] };
        FetchRequest {
            max_bytes: 1 << 20,
            session_id: session.0,
            session_epoch: session.1,
            topics,
            ..Default::default()
        }
    }

    async fn fetch(&mut self, version: i16, session: (i32, i32), asked: &[(i32, i64)]) -> Told {
        let request = self.request(session, asked);
        Told::of(self.call(version, &request).await)
    }
}

/// A response in short.
#[derive(Debug, PartialEq)]
struct Told {
    error_code: ErrorCode,
    session_id: i32,
    news: Vec<News>,
}

impl Told {
    fn of(response: FetchResponse) -> Self {
        let partitions = response.responses.into_iter().flat_map(|topic| topic.partitions);
        let news = partitions.map(|data: PartitionData| {
            let Some(Records::Bytes(records)) = data.records else {
                panic!("records are never null");
            };
            (data.partition_index, data.error_code, data.high_watermark, records.len())
        });
        let (error_code, session_id) = (response.error_code, response.session_id);
        Self { error_code, session_id, news: news.collect() }
    }

    fn partitions(&self) -> Vec<i32> {
        self.news.iter().map(|news| news.0).collect()
    }

    fn with_records(&self) -> Vec<i32> {
        self.news.iter().filter(|news| news.3 > 0).map(|news| news.0).collect()
    }
}

fn failed(error_code: ErrorCode) -> Told {
    Told { error_code, session_id: 0, news: Vec::new() }
}

#[tokio::test]
async fn a_session_only_tells_what_has_changed() {
    for version in [7, NAMES, 13, IDS] {
        let server = Server::start(&[]).await;
        let mut client = server.client(3).await;
        client.produce(0, 1).await;
        let told = client.fetch(version, (0, 0), &[(0, 1), (1, 0), (2, 0)]).await;
        assert_eq!(told.partitions(), [0, 1, 2], "version {version}");
        let id = told.session_id;
        assert!(id > 0);

        let nothing = Told { error_code: ErrorCode::None, session_id: id, news: Vec::new() };
        assert_eq!(client.fetch(version, (id, 1), &[]).await, nothing);
        client.produce(1, 1).await;
        let told = client.fetch(version, (id, 2), &[]).await;
        assert_eq!(told.news, [(1, ErrorCode::None, 1, told.news[0].3)]);
        assert_eq!(told.with_records(), [1]);
        // What was not asked for anew is asked for from where it was.
        assert_eq!(client.fetch(version, (id, 3), &[]).await.news, told.news);
        assert_eq!(client.fetch(version, (id, 4), &[(1, 1)]).await, nothing);

        let mut request = client.request((id, 5), &[]);
        let (topic, topic_id) = (TOPIC, client.topic_id);
        let forgotten = ForgottenTopic { topic, topic_id, partitions: vec![2] };
        request.forgotten_topics_data = vec![forgotten];
        assert_eq!(Told::of(client.call(version, &request).await), nothing);
        client.produce(2, 1).await;
        assert_eq!(client.fetch(version, (id, 6), &[]).await, nothing);
        let told = client.fetch(version, (id, 7), &[(2, 0)]).await;
        assert_eq!(told.with_records(), [2], "asked for again");

        let closed = client.fetch(version, (id, -1), &[]).await;
        assert_eq!(closed, Told { session_id: 0, ..nothing });
        let gone = client.fetch(version, (id, 8), &[]).await;
        assert_eq!(gone, failed(ErrorCode::FetchSessionIdNotFound));
        server.broker.shutdown().await;
    }
}

#[tokio::test]
async fn sessions_that_do_not_fit_are_refused() {
    let server = Server::start(&[("max.incremental.fetch.session.cache.slots", "1")]).await;
    let mut client = server.client(1).await;
    let id = client.fetch(IDS, (0, 0), &[(0, 0)]).await.session_id;
    let full = client.fetch(IDS, (0, 0), &[(0, 0)]).await;
    assert_eq!((full.session_id, full.partitions()), (0, vec![0]), "there is no room");
    for (version, session, expected) in [
        (IDS, (id, 3), ErrorCode::InvalidFetchSessionEpoch),
        (IDS, (id ^ 1, 1), ErrorCode::FetchSessionIdNotFound),
        (NAMES, (id, 1), ErrorCode::FetchSessionTopicIdError),
    ] {
        assert_eq!(client.fetch(version, session, &[]).await, failed(expected));
    }
    let told = client.fetch(IDS, (id, 1), &[]).await;
    assert_eq!((told.error_code, told.session_id), (ErrorCode::None, id));
    server.broker.shutdown().await;
}

#[tokio::test]
async fn a_topic_that_was_made_anew_is_another_one() {
    let server = Server::start(&[]).await;
    let mut client = server.client(1).await;
    let id = client.fetch(IDS, (0, 0), &[(0, 0)]).await.session_id;
    let by_name = client.fetch(NAMES, (0, 0), &[(0, 0)]).await.session_id;
    client.delete_topic().await;
    for epoch in [1, 2] {
        // An error is told until it is over.
        let told = client.fetch(IDS, (id, epoch), &[]).await;
        assert_eq!(told.news, [(0, ErrorCode::UnknownTopicId, -1, 0)]);
        let told = client.fetch(NAMES, (by_name, epoch), &[]).await;
        assert_eq!(told.news, [(0, ErrorCode::UnknownTopicOrPartition, -1, 0)]);
    }
    client.create_topic(1).await;
    let told = client.fetch(IDS, (id, 3), &[]).await;
    assert_eq!(told.news, [(0, ErrorCode::UnknownTopicId, -1, 0)]);
    let told = client.fetch(NAMES, (by_name, 3), &[]).await;
    assert_eq!(told.news, [(0, ErrorCode::None, 0, 0)], "the end of an error is told");
    assert_eq!(client.fetch(NAMES, (by_name, 4), &[]).await.news, []);
    server.broker.shutdown().await;
}

#[tokio::test]
async fn a_waiting_incremental_fetch_wakes_when_a_partition_of_its_session_grows() {
    let server = Server::start(&[]).await;
    let mut client = server.client(2).await;
    let id = client.fetch(IDS, (0, 0), &[(0, 0), (1, 0)]).await.session_id;
    let mut producer =
        Client { connection: server.broker.connect_in_process(), topic_id: client.topic_id };
    let request = FetchRequest {
        min_bytes: 1,
        // Longer than any test: only the record can end it.
        max_wait_ms: i32::MAX,
        ..client.request((id, 1), &[])
    };
    let (told, ()) = tokio::join!(client.call(IDS, &request), producer.produce(1, 1));
    assert_eq!(Told::of(told).with_records(), [1]);
    server.broker.shutdown().await;
}

#[tokio::test]
async fn records_that_are_not_in_memory_are_found_all_the_same() {
    let server = Server::start(&[]).await;
    let mut client = server.client(2).await;
    client.produce(0, 3).await;
    client.produce(1, 20).await;
    // Everything is synced, so the system can let go of it; where the file
    // system is memory itself, it does not.
    for partition in 0..2 {
        let directory = server.directory.path().join(format!("{}-{partition}", &*TOPIC));
        let log = std::fs::File::open(directory.join("00000000000000000000.log")).unwrap();
        rustix::fs::fadvise(&log, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
    let told = client.fetch(IDS, (0, 0), &[(0, 2), (1, 0)]).await;
    let [(0, ErrorCode::None, 3, one), (1, ErrorCode::None, 20, all)] = told.news[..] else {
        panic!("{told:?}");
    };
    assert_eq!(all, 20 * one);
    let limited = client.fetch(IDS, (0, -1), &[(1, 19), (0, 3)]).await;
    assert_eq!(limited.news, [(1, ErrorCode::None, 20, one), (0, ErrorCode::None, 3, 0)]);
    server.broker.shutdown().await;
}

/// How often each partition got records in so many fetches that have room for
/// about one record.
async fn turns(client: &mut Client, is_session: bool, partitions: i32, fetches: i32) -> Vec<i32> {
    let asked: Vec<(i32, i64)> = (0..partitions).map(|partition| (partition, 0)).collect();
    let mut session = if is_session { (0, 0) } else { (0, -1) };
    let mut turns = vec![0; asked.len()];
    for _ in 0..fetches {
        let named = if session.1 > 0 { &[][..] } else { &asked };
        let request =
            FetchRequest { max_bytes: RECORD_BYTES * 3 / 2, ..client.request(session, named) };
        let told = Told::of(client.call(IDS, &request).await);
        let got = told.with_records();
        assert_eq!(got.len(), 1, "{told:?}");
        turns[got[0] as usize] += 1;
        if is_session {
            session = (told.session_id, session.1 + 1);
        }
    }
    turns
}

#[tokio::test]
async fn partitions_take_turns_when_there_is_not_room_for_all() {
    let server = Server::start(&[]).await;
    let mut client = server.client(5).await;
    for partition in [0, 1, 4] {
        client.produce(partition, 2).await;
    }
    for is_session in [false, true] {
        let turns = turns(&mut client, is_session, 5, 12).await;
        assert_eq!(turns, [4, 4, 0, 0, 4], "in a session: {is_session}");
    }
    server.broker.shutdown().await;
}

#[tokio::test]
async fn answers_keep_the_order_of_the_request_whoever_is_first() {
    let server = Server::start(&[]).await;
    let mut client = server.client(4).await;
    for partition in 0..4 {
        client.produce(partition, 1).await;
    }
    for _ in 0..6 {
        let asked = [(3, 0), (1, 0), (2, 0), (0, 0)];
        let request =
            FetchRequest { max_bytes: RECORD_BYTES * 3 / 2, ..client.request((0, -1), &asked) };
        let told = Told::of(client.call(IDS, &request).await);
        assert_eq!(told.partitions(), [3, 1, 2, 0]);
    }
    server.broker.shutdown().await;
}

//! The producer against a broker that keeps what it is sent and answers as the
//! test says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::records::{Batch, RecordBuffer, RecordIter};
use protocol::{ApiKey, ErrorCode, Message, Records, Str};
use tokio::time::sleep;

use super::config;
use super::script::{Asked, Broker, Reply, metadata, missing_topic, topic};
use crate::producer::{Acks, Delivery, ProduceError, Producer, ProducerConfig};
use crate::{AutoCreate, Client};

static TOPIC: Str = Str::from_static("t");

/// Producer id, epoch, first and next sequence number, and offset of a batch.
type Remembered = (i64, i16, i32, i32, i64);

/// What the broker holds.
#[derive(Default)]
struct Log {
    /// Values by partition.
    written: HashMap<i32, Vec<String>>,
    /// What the broker remembers of idempotent producers, by partition.
    batches: HashMap<i32, Vec<Remembered>>,
    /// Every batch that came: partition, producer id, epoch, sequence number, values.
    came: Vec<(i32, i64, i16, i32, Vec<String>)>,
    requests: Vec<usize>,
    identities: i64,
}

impl Log {
    fn values(&self, partition: i32) -> Vec<String> {
        self.written.get(&partition).cloned().unwrap_or_default()
    }

    fn append(&mut self, partition: i32, batch: Batch) -> PartitionProduceResponse {
        batch.verify_crc().unwrap();
        let header = *batch.header();
        let section = batch.record_section(1 << 24).unwrap();
        let text =
            |value: Option<&[u8]>| String::from_utf8(value.unwrap_or(b"null").to_vec()).unwrap();
        let values: Vec<String> =
            RecordIter::new(&header, &section).map(|record| text(record.unwrap().value)).collect();
        let (id, epoch, first) = (header.producer_id, header.producer_epoch, header.base_sequence);
        self.came.push((partition, id, epoch, first, values.clone()));
        let answer = |error_code, base_offset| PartitionProduceResponse {
            index: partition,
            error_code,
            base_offset,
            ..Default::default()
        };
        if let Some(index) = values.iter().position(|value| value == "poison") {
            let named = BatchIndexAndErrorMessage {
                batch_index: index as i32,
                batch_index_error_message: Some("it is poison".into()),
            };
            return PartitionProduceResponse {
                record_errors: vec![named],
                error_message: Some("there is poison".into()),
                ..answer(ErrorCode::InvalidRecord, -1)
            };
        }
        let written = self.written.entry(partition).or_default();
        let batches = self.batches.entry(partition).or_default();
        let offset = written.len() as i64;
        if id >= 0 {
            if let Some(known) = batches.iter().find(|b| (b.0, b.1, b.2) == (id, epoch, first)) {
                return answer(ErrorCode::None, known.4);
            }
            let expected = batches.iter().rfind(|b| (b.0, b.1) == (id, epoch)).map_or(0, |b| b.3);
            if first != expected {
                return answer(ErrorCode::OutOfOrderSequenceNumber, -1);
            }
            batches.push((id, epoch, first, first + header.records_count, offset));
        }
        written.extend(values);
        answer(ErrorCode::None, offset)
    }

    /// Carries a request out.
    fn produce(&mut self, request: ProduceRequest) -> ProduceResponse {
        let mut response = ProduceResponse::default();
        self.requests.push(request.topic_data.iter().map(|topic| topic.partition_data.len()).sum());
        for topic in request.topic_data {
            let mut partition_responses = Vec::new();
            for partition in topic.partition_data {
                let Some(Records::Bytes(bytes)) = partition.records else { panic!("no records") };
                partition_responses
                    .push(self.append(partition.index, Batch::from_bytes(bytes).unwrap()));
            }
            response.responses.push(TopicProduceResponse {
                name: topic.name,
                topic_id: topic.topic_id,
                partition_responses,
            });
        }
        response
    }
}

type SharedLog = Arc<Mutex<Log>>;

fn request(asked: &Asked) -> ProduceRequest {
    ProduceRequest::decode(&mut asked.body.clone(), asked.version).unwrap()
}

/// The same error for everything that was asked.
fn refusal(asked: &Asked, error_code: ErrorCode) -> Reply {
    let refused = |index| PartitionProduceResponse { index, error_code, ..Default::default() };
    let responses = request(asked).topic_data.into_iter().map(|topic| TopicProduceResponse {
        name: topic.name,
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(|data| refused(data.index)).collect(),
    });
    asked.answer(&ProduceResponse { responses: responses.collect(), ..Default::default() })
}

/// A broker that does its work, except where the script says something else.
fn broker(
    script: impl Fn(&Asked, &SharedLog) -> Reply + Send + Sync + 'static,
) -> (Arc<Broker>, SharedLog) {
    let log = SharedLog::default();
    let shared = Arc::clone(&log);
    let broker = Broker::new(move |asked| {
        match script(asked, &shared) {
            Reply::Default => {}
            reply => return reply,
        }
        match asked.api {
            ApiKey::Metadata => {
                asked.answer(&metadata(&[1], &[topic("t", &[(0, 1, 0), (1, 1, 0), (2, 1, 0)])]))
            }
            ApiKey::InitProducerId => {
                let request =
                    InitProducerIdRequest::decode(&mut asked.body.clone(), asked.version).unwrap();
                let mut log = shared.lock();
                log.identities += 1;
                let (producer_id, producer_epoch) = match request.producer_id {
                    -1 => (log.identities, 0),
                    id => (id, request.producer_epoch + 1),
                };
                asked.answer(&InitProducerIdResponse {
                    producer_id,
                    producer_epoch,
                    ..Default::default()
                })
            }
            ApiKey::Produce => {
                let request = request(asked);
                let acks = request.acks;
                let response = shared.lock().produce(request);
                if acks == 0 { Reply::Silence } else { asked.answer(&response) }
            }
            _ => Reply::Default,
        }
    });
    (broker, log)
}

/// A producer that knows its topic.
async fn producer(broker: &Arc<Broker>, config_of_producer: ProducerConfig) -> Producer {
    let client: Client = broker.client(config(&[1]));
    client.topic("t", AutoCreate::No).await.unwrap();
    Producer::new(client, config_of_producer)
}

fn records(values: &[&str]) -> RecordBuffer {
    let mut records = RecordBuffer::new();
    for value in values {
        records.push(-1, None, Some(value.as_bytes()), &[]);
    }
    records
}

fn offsets(delivery: &Delivery) -> Vec<i64> {
    delivery.records().map(|offset| offset.unwrap()).collect()
}

/// One call for each value, all before anything is sent.
async fn send_all(producer: &Producer, values: &[&str]) -> Vec<Result<Delivery, ProduceError>> {
    let mut pending = Vec::new();
    for value in values {
        pending.push(producer.enqueue(&TOPIC, 0, records(&[value])).await.unwrap());
    }
    join_all(pending).await
}

#[tokio::test(start_paused = true)]
async fn callers_share_batches_and_partitions_share_requests() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let producer = producer(&broker, ProducerConfig::default()).await;
    let mut pending = Vec::new();
    for number in 0..10 {
        let value = format!("v{number}");
        pending.push(producer.enqueue(&TOPIC, number % 2, records(&[&value, "x"])).await.unwrap());
    }
    for (number, delivery) in join_all(pending).await.into_iter().enumerate() {
        let first = (number / 2 * 2) as i64;
        assert_eq!(offsets(&delivery.unwrap()), [first, first + 1], "call {number}");
    }
    assert_eq!(log.lock().requests, [2], "one request with two batches");
    assert_eq!(broker.count(ApiKey::InitProducerId), 1);
    let later = producer.send(&TOPIC, 1, records(&["y"])).await.unwrap();
    assert_eq!(offsets(&later), [10]);
    assert_eq!(log.lock().came.last().unwrap().3, 10, "sequence numbers go on");
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_answer_is_lost_is_written_once() {
    let (broker, log) = broker(|asked, log| match (asked.api, asked.before) {
        (ApiKey::Produce, 0) => {
            log.lock().produce(request(asked));
            Reply::End
        }
        (ApiKey::Produce, 1) => refusal(asked, ErrorCode::NotEnoughReplicas),
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    let delivery = producer.send(&TOPIC, 0, records(&["a", "b"])).await.unwrap();
    assert_eq!(offsets(&delivery), [0, 1]);
    assert_eq!(log.lock().values(0), ["a", "b"]);
    assert_eq!(broker.count(ApiKey::InitProducerId), 1, "no new epoch");
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_caller_does_not_hurt_the_nine_beside_it() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let producer = producer(&broker, ProducerConfig::default()).await;
    let values = ["a", "b", "c", "poison", "d", "e", "f", "g", "h", "i"];
    let deliveries = send_all(&producer, &values).await;
    let mut next = 0;
    for (value, delivery) in values.iter().zip(deliveries) {
        let delivery = delivery.unwrap();
        if *value == "poison" {
            let error = delivery.into_result().unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::InvalidRecord);
            assert_eq!(error.to_string(), "it is poison");
        } else {
            assert_eq!(offsets(&delivery), [next], "{value}");
            next += 1;
        }
    }
    let log = log.lock();
    assert_eq!(log.values(0), ["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    assert_eq!(log.came[0].4.len(), 10, "all were in one batch at first");
    assert!(log.came[1..].iter().all(|batch| batch.4.len() == 1 && batch.2 > 0), "{:?}", log.came);
}

#[tokio::test(start_paused = true)]
async fn each_record_learns_whether_it_was_its_own_fault() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let producer = producer(&broker, ProducerConfig::default()).await;
    let delivery = producer.send(&TOPIC, 0, records(&["a", "poison", "b"])).await.unwrap();
    let errors: Vec<String> =
        delivery.records().map(|outcome| outcome.unwrap_err().to_string()).collect();
    assert_eq!(errors[1], "it is poison");
    assert!(errors[0].starts_with("Failed to append record because it was part of a batch"));
    assert_eq!(errors[0], errors[2]);
    assert!(log.lock().values(0).is_empty());
    // Its sequence numbers were not used, so no new epoch is needed.
    producer.send(&TOPIC, 0, records(&["c"])).await.unwrap().into_result().unwrap();
    assert_eq!(broker.count(ApiKey::InitProducerId), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_is_found_and_gets_the_batch() {
    let (broker, log) = broker(|asked, _| match asked.api {
        ApiKey::Metadata => {
            let leader = if asked.before == 0 { 1 } else { 2 };
            asked.answer(&metadata(&[1, 2], &[topic("t", &[(0, leader, asked.before as i32)])]))
        }
        ApiKey::Produce if asked.port == 1 => refusal(asked, ErrorCode::NotLeaderOrFollower),
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    for delivery in send_all(&producer, &["a", "b"]).await {
        delivery.unwrap().into_result().unwrap();
    }
    assert_eq!(log.lock().values(0), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_be_reached_is_tried_again() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let producer = producer(&broker, ProducerConfig::default()).await;
    broker.refuse(&[1]);
    let pending = producer.enqueue(&TOPIC, 0, records(&["a"])).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    assert!(log.lock().came.is_empty());
    broker.refuse(&[]);
    assert_eq!(offsets(&pending.await.unwrap()), [0]);
}

#[tokio::test(start_paused = true)]
async fn batches_that_are_too_large_for_the_broker_are_split() {
    let (broker, log) = broker(|asked, _| {
        if asked.api != ApiKey::Produce {
            return Reply::Default;
        }
        let too_large =
            request(asked).topic_data.iter().flat_map(|topic| &topic.partition_data).any(
                |data| matches!(&data.records, Some(Records::Bytes(bytes)) if bytes.len() > 2_000),
            );
        if too_large { refusal(asked, ErrorCode::MessageTooLarge) } else { Reply::Default }
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    let values: Vec<String> = (0..100).map(|number| format!("{number:0100}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let huge = "x".repeat(3_000);
    let (many, one, few) = tokio::join!(
        producer.send(&TOPIC, 0, records(&values)),
        producer.send(&TOPIC, 0, records(&[&huge])),
        producer.send(&TOPIC, 0, records(&["a"])),
    );
    assert_eq!(offsets(&many.unwrap()), (0..100).collect::<Vec<i64>>());
    let error = one.unwrap().into_result().unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::MessageTooLarge);
    assert_eq!(offsets(&few.unwrap()), [100]);
    assert_eq!(log.lock().values(0).len(), 101);
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_a_request_fails_alone() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let config = ProducerConfig { max_request_size: 1_000, ..ProducerConfig::default() };
    let producer = producer(&broker, config).await;
    let huge = "x".repeat(1_000);
    let delivery = producer.send(&TOPIC, 0, records(&["a", &huge, "b", "c", &huge])).await.unwrap();
    let outcomes: Vec<Option<i64>> = delivery.records().map(Result::ok).collect();
    assert_eq!(outcomes, [Some(0), None, Some(1), Some(2), None]);
    let error = delivery.into_result().unwrap_err();
    assert!(error.to_string().contains("max.request.size"), "{error}");
    let nothing = producer.send(&TOPIC, 0, records(&[&huge])).await.unwrap();
    assert!(matches!(
        nothing.into_result(),
        Err(ProduceError::RecordTooLarge { limit: 1_000, .. })
    ));
    assert_eq!(log.lock().values(0), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn after_an_unknown_outcome_nothing_is_sent_before_a_new_epoch() {
    let (broker, log) = broker(|asked, log| match (asked.api, asked.before) {
        (ApiKey::Produce, 0) => {
            log.lock().produce(request(asked));
            Reply::Silence
        }
        (ApiKey::Produce, 1) => Reply::End,
        _ => Reply::Default,
    });
    let config = ProducerConfig {
        request_timeout: Duration::from_secs(3),
        delivery_timeout: Duration::from_secs(3),
        ..ProducerConfig::default()
    };
    let producer = producer(&broker, config).await;
    let first = producer.enqueue(&TOPIC, 0, records(&["a"])).await.unwrap();
    broker.wait_asked(ApiKey::Produce, 1).await;
    sleep(Duration::from_secs(1)).await;
    let second = producer.enqueue(&TOPIC, 0, records(&["b"])).await.unwrap();
    let error = first.await.unwrap().into_result().unwrap_err();
    assert!(matches!(error, ProduceError::TimedOut { maybe_written: true, .. }), "{error}");
    assert!(error.to_string().contains("delivery.timeout.ms"), "{error}");
    assert_eq!(offsets(&second.await.unwrap()), [1]);
    let log = log.lock();
    assert_eq!(log.values(0), ["a", "b"]);
    let last = log.came.last().unwrap();
    assert_eq!((last.1, last.2, last.3), (1, 1, 0), "the next epoch, from 0");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_the_broker_lost_track_of_goes_on_in_a_new_epoch() {
    let (broker, log) = broker(|asked, _| match (asked.api, asked.before) {
        (ApiKey::Produce, 1) => refusal(asked, ErrorCode::UnknownProducerId),
        (ApiKey::Produce, 3) => refusal(asked, ErrorCode::OutOfOrderSequenceNumber),
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    for value in ["a", "b", "c"] {
        producer.send(&TOPIC, 0, records(&[value])).await.unwrap().into_result().unwrap();
    }
    let log = log.lock();
    assert_eq!(log.values(0), ["a", "b", "c"]);
    let epochs: Vec<i16> = log.came.iter().map(|batch| batch.2).collect();
    assert_eq!(epochs, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_memory_and_then_give_up() {
    let (broker, log) = broker(|asked, _| match (asked.api, asked.before) {
        (ApiKey::Produce, 0) => Reply::Silence,
        _ => Reply::Default,
    });
    let config = ProducerConfig {
        buffer_memory: 2_000,
        max_block: Duration::from_secs(5),
        request_timeout: Duration::from_secs(8),
        ..ProducerConfig::default()
    };
    let producer = producer(&broker, config).await;
    let value = "x".repeat(900);
    let first = producer.enqueue(&TOPIC, 0, records(&[&value])).await.unwrap();
    broker.wait_asked(ApiKey::Produce, 1).await;
    let error = producer.send(&TOPIC, 0, records(&[&value])).await.unwrap_err();
    assert!(error.to_string().contains("buffer.memory"), "{error}");
    assert!(error.is_retriable());
    let second = producer.send(&TOPIC, 0, records(&[&value])).await.unwrap();
    assert_eq!(offsets(&second), [1]);
    assert_eq!(offsets(&first.await.unwrap()), [0]);
    let never = producer.send(&TOPIC, 0, records(&[&value, &value])).await.unwrap_err();
    assert!(matches!(never, ProduceError::LargerThanBuffer { limit: 2_000, .. }), "{never}");
    assert_eq!(log.lock().values(0).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn records_are_written_although_the_caller_has_gone() {
    let (broker, log) = broker(|asked, _| match (asked.api, asked.before) {
        (ApiKey::Produce, 0) => refusal(asked, ErrorCode::NotEnoughReplicas),
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    {
        let sending = producer.send(&TOPIC, 0, records(&["a"]));
        tokio::select! {
            biased;
            _ = sending => panic!("it waits for its answer"),
            () = broker.wait_asked(ApiKey::Produce, 1) => {}
        }
    }
    producer.flush().await;
    assert_eq!(log.lock().values(0), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_an_error_at_once() {
    let (broker, _) = broker(|asked, _| match asked.api {
        ApiKey::Metadata => {
            let unknown = missing_topic("nowhere", ErrorCode::UnknownTopicOrPartition);
            let names = asked.metadata_request().topics.unwrap_or_default();
            let asked_for_it = names.iter().any(|topic| topic.name.as_deref() == Some("nowhere"));
            let topics = if asked_for_it { vec![unknown] } else { vec![topic("t", &[(0, 1, 0)])] };
            asked.answer(&metadata(&[1], &topics))
        }
        _ => Reply::Default,
    });
    let config = ProducerConfig { auto_create: AutoCreate::No, ..ProducerConfig::default() };
    let producer = producer(&broker, config).await;
    let nowhere = Str::from_static("nowhere");
    let error = producer.send(&nowhere, 0, records(&["a"])).await.unwrap_err();
    assert!(matches!(error, ProduceError::UnknownTopic(_)), "{error}");
    for partition in [1, -1] {
        let error = producer.send(&TOPIC, partition, records(&["a"])).await.unwrap_err();
        assert!(matches!(error, ProduceError::UnknownPartition { .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_gone_for_good_fails_its_records() {
    let (broker, _) = broker(|asked, _| match (asked.api, asked.before) {
        (ApiKey::Metadata, 1..) => {
            asked.answer(&metadata(&[1], &[missing_topic("t", ErrorCode::UnknownTopicOrPartition)]))
        }
        (ApiKey::Produce, _) => refusal(asked, ErrorCode::UnknownTopicOrPartition),
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    let error = producer.send(&TOPIC, 0, records(&["a"])).await.unwrap().into_result().unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::UnknownTopicOrPartition);
}

#[tokio::test(start_paused = true)]
async fn without_idempotence_batches_have_no_sequence_numbers() {
    for acks in [Acks::None, Acks::Leader] {
        let (broker, log) = broker(|_, _| Reply::Default);
        let producer =
            producer(&broker, ProducerConfig { acks, ..ProducerConfig::default() }).await;
        let delivery = producer.send(&TOPIC, 0, records(&["a", "b"])).await.unwrap();
        let expected = if acks == Acks::None { [-1, -1] } else { [0, 1] };
        assert_eq!(offsets(&delivery), expected);
        broker.wait_asked(ApiKey::Produce, 1).await;
        let log = log.lock();
        assert_eq!((log.came[0].1, log.came[0].3), (-1, -1));
        assert_eq!(broker.count(ApiKey::InitProducerId), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn callers_learn_that_the_producer_may_not_write() {
    let (broker, _) = broker(|asked, _| match asked.api {
        ApiKey::InitProducerId => {
            let error_code = ErrorCode::ClusterAuthorizationFailed;
            asked.answer(&InitProducerIdResponse { error_code, ..Default::default() })
        }
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    for _ in 0..2 {
        let error =
            producer.send(&TOPIC, 0, records(&["a"])).await.unwrap().into_result().unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::ClusterAuthorizationFailed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_whole_topic_needs_no_second_try() {
    let (broker, _) = broker(|asked, _| match asked.api {
        ApiKey::Produce => refusal(asked, ErrorCode::TopicAuthorizationFailed),
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    for delivery in send_all(&producer, &["a", "b", "c"]).await {
        let error = delivery.unwrap().into_result().unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::TopicAuthorizationFailed);
    }
    assert_eq!(broker.count(ApiKey::Produce), 1);
}

#[tokio::test(start_paused = true)]
async fn large_calls_are_pipelined_in_order() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let config = ProducerConfig { batch_size: 1_000, ..ProducerConfig::default() };
    let producer = producer(&broker, config).await;
    let values: Vec<String> = (0..500).map(|number| format!("{number:050}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let delivery = producer.send(&TOPIC, 2, records(&values)).await.unwrap();
    assert_eq!(offsets(&delivery), (0..500).collect::<Vec<i64>>());
    assert_eq!(log.lock().values(2), values);
    assert!(log.lock().requests.len() > 20);
}

#[tokio::test(start_paused = true)]
async fn a_linger_ends_by_itself_and_with_a_flush() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let config = ProducerConfig { linger: Duration::from_secs(3), ..ProducerConfig::default() };
    let producer = producer(&broker, config).await;
    let first = producer.enqueue(&TOPIC, 0, records(&["a"])).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let second = producer.enqueue(&TOPIC, 0, records(&["b"])).await.unwrap();
    assert!(log.lock().came.is_empty());
    assert_eq!(offsets(&first.await.unwrap()), [0]);
    assert_eq!(offsets(&second.await.unwrap()), [1]);
    assert_eq!(log.lock().came.len(), 1);
    let before = tokio::time::Instant::now();
    let third = producer.enqueue(&TOPIC, 0, records(&["c"])).await.unwrap();
    producer.flush().await;
    assert!(before.elapsed() < Duration::from_secs(3));
    assert_eq!(offsets(&third.await.unwrap()), [2]);
}

#[tokio::test(start_paused = true)]
async fn closing_sends_what_waits_and_refuses_the_rest() {
    let (broker, log) = broker(|_, _| Reply::Default);
    let config = ProducerConfig { linger: Duration::from_secs(30), ..ProducerConfig::default() };
    let producer = producer(&broker, config).await;
    let pending = producer.enqueue(&TOPIC, 0, records(&["a"])).await.unwrap();
    producer.close().await;
    assert_eq!(offsets(&pending.await.unwrap()), [0]);
    let error = producer.send(&TOPIC, 0, records(&["b"])).await.unwrap_err();
    assert!(matches!(error, ProduceError::Closed), "{error}");
    assert_eq!(log.lock().values(0), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_is_dropped_lets_its_callers_go() {
    let (broker, _) = broker(|asked, _| match asked.api {
        ApiKey::Produce => Reply::Silence,
        _ => Reply::Default,
    });
    let producer = producer(&broker, ProducerConfig::default()).await;
    let pending = producer.enqueue(&TOPIC, 0, records(&["a"])).await.unwrap();
    drop(producer);
    assert!(matches!(pending.await, Err(ProduceError::Closed)));
}

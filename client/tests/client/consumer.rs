//! Consumers and their groups against a real broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::consumer::{
    Assignor, Consumer, ConsumerConfig, OffsetAndMetadata, OffsetReset, RebalanceListener, Take,
    TopicPartition,
};
use client::producer::{Producer, ProducerConfig};
use client::{Client, Purpose, Target};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use protocol::records::{Compression, RecordBuffer};
use protocol::{ErrorCode, Str};
use tokio::time::Instant;

use crate::{bootstrap, client, unique};

/// Far beyond what any of these tests takes: a wait that ends early ends by an event.
const LONG: Duration = Duration::from_secs(60);

fn later() -> Instant {
    Instant::now() + LONG
}

async fn create_topic(client: &Client, name: &Str, partitions: i32) {
    let topic = CreatableTopic {
        name: name.clone(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false };
    let answer = client.call(Target::Controller, Purpose::General, request).await.unwrap();
    assert_eq!(answer.topics[0].error_code, ErrorCode::None);
    // Known to the controller is not yet known to everybody.
    while client.topic(name, client::AutoCreate::No).await.unwrap().is_none_or(|topic| {
        (0..partitions)
            .any(|id| topic.partition(id).is_none_or(|partition| partition.leader.is_none()))
    }) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.refresh_topics(std::slice::from_ref(name)).await.unwrap();
    }
}

/// Writes one batch with a record for each value.
async fn produce(
    client: &Client,
    topic: &Str,
    partition: i32,
    compression: Compression,
    values: &[&str],
) {
    let mut records = RecordBuffer::new();
    for value in values {
        records.push(1_700_000_000_000, Some(b"key"), Some(value.as_bytes()), &[]);
    }
    let config = ProducerConfig { compression, ..ProducerConfig::default() };
    let producer = Producer::new(client.clone(), config);
    let delivery = producer.send(topic, partition, records).await.unwrap();
    delivery.into_result().unwrap();
    producer.close().await;
}

fn member(client: &Client, group: &Str, assignor: Assignor) -> Consumer {
    let config = ConsumerConfig {
        group_id: Some(group.clone()),
        auto_offset_reset: OffsetReset::Earliest,
        session_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_millis(100),
        assignors: vec![assignor],
        ..ConsumerConfig::default()
    };
    Consumer::new(client.clone(), config)
}

fn static_member(client: &Client, group: &Str, instance: &str) -> Consumer {
    let config = ConsumerConfig {
        group_id: Some(group.clone()),
        group_instance_id: Some(instance.into()),
        session_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_millis(100),
        ..ConsumerConfig::default()
    };
    Consumer::new(client.clone(), config)
}

/// Reads until `count` records came: `partition:value`, sorted.
async fn read(consumer: &Consumer, count: usize) -> Vec<String> {
    let mut records = Vec::new();
    while records.len() < count {
        consumer.fetch(LONG).await.unwrap();
        let take = |record: &client::consumer::ConsumerRecord<'_>| {
            records.push(format!(
                "{}:{}",
                record.partition,
                String::from_utf8_lossy(record.value.unwrap())
            ));
            Take::Yes
        };
        let mut take = take;
        consumer.take(&mut take).unwrap();
    }
    records.sort();
    records
}

/// Waits until the members hold this many partitions each, whoever holds which, and none twice.
async fn wait_spread(members: &[&Consumer], expected: &[usize]) {
    loop {
        let assignments: Vec<_> = members.iter().map(|member| member.assignment()).collect();
        let mut counts: Vec<_> = assignments.iter().map(Vec::len).collect();
        counts.sort_unstable();
        let mut all = assignments.concat();
        all.sort();
        all.dedup();
        if counts == expected && all.len() == expected.iter().sum::<usize>() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Writes down what is revoked.
#[derive(Default)]
struct Log(Mutex<Vec<Vec<TopicPartition>>>);

impl RebalanceListener for Log {
    fn revoked(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'static, ()> {
        self.0.lock().push(partitions);
        async {}.boxed()
    }
}

fn listen(consumer: &Consumer) -> Arc<Log> {
    let log = Arc::new(Log::default());
    consumer.set_listener(Arc::clone(&log) as Arc<dyn RebalanceListener>);
    log
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_the_partitions_and_take_over_those_of_one_that_leaves() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    for assignor in
        [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky]
    {
        let (topic, group) = (unique("shared"), unique("group"));
        create_topic(&client, &topic, 4).await;
        for partition in 0..4 {
            produce(&client, &topic, partition, Compression::None, &["a"]).await;
        }
        let first = member(&client, &group, assignor);
        first.subscribe_topics(vec![topic.clone()]).unwrap();
        assert!(first.wait_assigned(later()).await.unwrap());
        assert_eq!(read(&first, 4).await, ["0:a", "1:a", "2:a", "3:a"], "{assignor}");
        first.commit(&first.moved_positions()).await.unwrap();

        let second = member(&client, &group, assignor);
        second.subscribe_topics(vec![topic.clone()]).unwrap();
        wait_spread(&[&first, &second], &[2, 2]).await;
        let third = member(&client, &group, assignor);
        third.subscribe_topics(vec![topic.clone()]).unwrap();
        wait_spread(&[&first, &second, &third], &[1, 1, 2]).await;

        for partition in 0..4 {
            produce(&client, &topic, partition, Compression::None, &["b"]).await;
        }
        let mut all = Vec::new();
        for consumer in [&first, &second, &third] {
            all.extend(read(consumer, consumer.assignment().len()).await);
        }
        all.sort();
        assert_eq!(all, ["0:b", "1:b", "2:b", "3:b"], "{assignor}: every record once, none again");

        first.close().await;
        third.close().await;
        wait_spread(&[&second], &[4]).await;
        second.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cooperative_members_keep_what_does_not_move() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let (topic, group) = (unique("cooperative"), unique("group"));
    create_topic(&client, &topic, 4).await;
    let first = member(&client, &group, Assignor::CooperativeSticky);
    let log = listen(&first);
    first.subscribe_topics(vec![topic.clone()]).unwrap();
    assert!(first.wait_assigned(later()).await.unwrap());
    let second = member(&client, &group, Assignor::CooperativeSticky);
    second.subscribe_topics(vec![topic.clone()]).unwrap();
    wait_spread(&[&first, &second], &[2, 2]).await;
    let kept = first.assignment();
    let mut given_up = log.0.lock().concat();
    assert_eq!(given_up.len(), 2, "only what moves is given up");
    given_up.extend(kept);
    given_up.sort();
    assert_eq!(
        given_up,
        (0..4).map(|partition| TopicPartition::new(topic.clone(), partition)).collect::<Vec<_>>()
    );
    first.close().await;
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_comes_back_without_a_rebalance() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let (topic, group) = (unique("static"), unique("group"));
    create_topic(&client, &topic, 2).await;
    let first = static_member(&client, &group, "one");
    let second = static_member(&client, &group, "two");
    for consumer in [&first, &second] {
        consumer.subscribe_topics(vec![topic.clone()]).unwrap();
    }
    wait_spread(&[&first, &second], &[1, 1]).await;
    let log = listen(&second);
    let before = first.assignment();
    first.close().await;
    let again = static_member(&client, &group, "one");
    again.subscribe_topics(vec![topic.clone()]).unwrap();
    assert!(again.wait_assigned(later()).await.unwrap());
    assert_eq!(again.assignment(), before);
    assert_eq!(log.0.lock().len(), 0, "the other member did not notice");

    // A second process under the same name takes the place of the first.
    let thief = static_member(&client, &group, "one");
    thief.subscribe_topics(vec![topic.clone()]).unwrap();
    assert!(thief.wait_assigned(later()).await.unwrap());
    let error = loop {
        if let Err(error) = again.fetch(Duration::from_millis(50)).await {
            break error;
        }
    };
    assert_eq!(error.error_code(), ErrorCode::FencedInstanceId);
    for consumer in [again, thief, second] {
        consumer.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_goes_on_after_a_restart_where_it_was_committed() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let (topic, group) = (unique("restart"), unique("group"));
    create_topic(&client, &topic, 1).await;
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for compression in codecs {
        produce(&client, &topic, 0, compression, &["a", "b"]).await;
    }
    let partition = TopicPartition::new(topic.clone(), 0);
    let first = member(&client, &group, Assignor::Range);
    first.subscribe_topics(vec![topic.clone()]).unwrap();
    assert!(first.wait_assigned(later()).await.unwrap());
    assert_eq!(
        first.committed(std::slice::from_ref(&partition)).await.unwrap(),
        [(partition.clone(), None)]
    );
    first.fetch(LONG).await.unwrap();
    let mut left = 3;
    first
        .take(&mut |_| {
            left -= 1;
            if left < 0 { Take::Stop } else { Take::Yes }
        })
        .unwrap();
    first.commit(&first.moved_positions()).await.unwrap();
    first.close().await;

    let second = member(&client, &group, Assignor::Range);
    second.subscribe_topics(vec![topic.clone()]).unwrap();
    assert!(second.wait_assigned(later()).await.unwrap());
    assert_eq!(second.position(&partition).unwrap(), Some(3));
    assert_eq!(read(&second, 7).await.len(), 7);
    assert_eq!(second.position(&partition).unwrap(), Some(10));

    let offset = OffsetAndMetadata { offset: 4, leader_epoch: None, metadata: "note".into() };
    second.commit(&[(partition.clone(), offset.clone())]).await.unwrap();
    assert_eq!(
        second.committed(std::slice::from_ref(&partition)).await.unwrap(),
        [(partition.clone(), Some(offset))]
    );

    second.seek(&partition, 8).unwrap();
    assert_eq!(read(&second, 2).await, ["0:a", "0:b"]);
    second.seek_to_beginning(std::slice::from_ref(&partition)).await.unwrap();
    assert_eq!(second.position(&partition).unwrap(), Some(0));
    second.seek_to_end(std::slice::from_ref(&partition)).await.unwrap();
    assert_eq!(second.position(&partition).unwrap(), Some(10));
    second.seek_to_timestamp(&partition, 1_700_000_000_000).await.unwrap();
    assert_eq!(second.position(&partition).unwrap(), Some(0));
    second.seek_to_timestamp(&partition, 1_700_000_000_001).await.unwrap();
    assert_eq!(second.position(&partition).unwrap(), Some(10));
    second.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_partitions_and_new_topics_are_read_from_their_beginning() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let (topic, group) = (unique("growing"), unique("group"));
    let config = ConsumerConfig {
        group_id: Some(group),
        auto_offset_reset: OffsetReset::Latest,
        allow_auto_create_topics: false,
        heartbeat_interval: Duration::from_millis(50),
        metadata_max_age: Duration::from_millis(100),
        ..ConsumerConfig::default()
    };
    let consumer = Consumer::new(client.clone(), config);
    consumer.subscribe_topics(vec![topic.clone()]).unwrap();
    assert!(consumer.wait_assigned(later()).await.unwrap());
    assert_eq!(consumer.assignment(), []);
    let write = async {
        create_topic(&client, &topic, 1).await;
        produce(&client, &topic, 0, Compression::None, &["a"]).await;
    };
    assert_eq!(futures_util::future::join(read(&consumer, 1), write).await.0, ["0:a"]);
    // The rebalance that brings the next partition begins where this says.
    consumer.commit(&consumer.moved_positions()).await.unwrap();

    let grow = CreatePartitionsTopic { name: topic.clone(), count: 2, assignments: None };
    let request =
        CreatePartitionsRequest { topics: vec![grow], timeout_ms: 30_000, validate_only: false };
    client.call(Target::Controller, Purpose::General, request).await.unwrap();
    while client
        .topic(&topic, client::AutoCreate::No)
        .await
        .unwrap()
        .unwrap()
        .partition(1)
        .is_none_or(|p| p.leader.is_none())
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.refresh_topics(std::slice::from_ref(&topic)).await.unwrap();
    }
    produce(&client, &topic, 1, Compression::None, &["b"]).await;
    assert_eq!(read(&consumer, 1).await, ["1:b"]);
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscribed_topic_is_made_by_the_broker() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let (topic, group) = (unique("made"), unique("group"));
    let consumer = member(&client, &group, Assignor::Range);
    consumer.subscribe_topics(vec![topic.clone()]).unwrap();
    while consumer.assignment().is_empty() {
        consumer.fetch(Duration::from_millis(100)).await.unwrap();
    }
    assert_eq!(consumer.assignment(), [TopicPartition::new(topic, 0)]);
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_read_without_a_group() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let topic = unique("alone");
    create_topic(&client, &topic, 3).await;
    let mut expected = BTreeMap::new();
    for partition in 0..3 {
        let value = format!("p{partition}");
        produce(&client, &topic, partition, Compression::Lz4, &[&value, &value]).await;
        expected.insert(partition, value);
    }
    let config =
        ConsumerConfig { auto_offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    let consumer = Consumer::new(client.clone(), config);
    consumer
        .assign((0..3).map(|partition| TopicPartition::new(topic.clone(), partition)).collect())
        .unwrap();
    assert_eq!(read(&consumer, 6).await, ["0:p0", "0:p0", "1:p1", "1:p1", "2:p2", "2:p2"]);
    consumer.fetch(Duration::ZERO).await.unwrap();
    assert_eq!(consumer.take(&mut |_| Take::Yes).unwrap().records, 0, "nothing is left");

    // An offset that does not exist, without a reset policy.
    let config =
        ConsumerConfig { auto_offset_reset: OffsetReset::None, ..ConsumerConfig::default() };
    let strict = Consumer::new(client.clone(), config);
    let partition = TopicPartition::new(topic.clone(), 0);
    strict.assign(vec![partition.clone()]).unwrap();
    strict.seek(&partition, 99).unwrap();
    strict.fetch(LONG).await.unwrap();
    let error = strict.take(&mut |_| Take::Yes).unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::OffsetOutOfRange);
    assert!(error.to_string().contains(&format!("{topic}-0")), "{error}");
    strict.close().await;
    consumer.close().await;
}

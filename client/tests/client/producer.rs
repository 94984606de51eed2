//! The producer against a real cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use client::admin::{self, NewTopic};
use client::producer::{Acks, ProduceError, Producer, ProducerConfig, partition_for_key};
use client::{AutoCreate, Client, Purpose, Target};
use futures_util::future::join_all;
use protocol::messages::FetchRequest;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::records::{Compression, RecordBuffer, RecordIter, batches};
use protocol::{ErrorCode, Records, Str};

use crate::{bootstrap, client, unique};

async fn create(client: &Client, prefix: &str, partitions: i32, configs: &[(&str, &str)]) -> Str {
    let name = unique(prefix);
    let configs = configs.iter().map(|&(name, value)| (name.into(), Some(value.into()))).collect();
    let topic = NewTopic { configs, ..NewTopic::new(name.clone(), partitions, 1) };
    let (_, created) = admin::create_topics(client, vec![topic], false).await.unwrap().remove(0);
    created.unwrap();
    name
}

/// All records of a partition, as key and value.
async fn read_all(client: &Client, topic: &Str, partition: i32) -> Vec<(Option<String>, String)> {
    let known = client.topic(topic, AutoCreate::No).await.unwrap().unwrap();
    let leader = known.partition(partition).unwrap().leader.unwrap();
    let mut read = Vec::new();
    loop {
        let wanted = FetchPartition {
            partition,
            fetch_offset: read.len() as i64,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let topic =
            FetchTopic { topic: topic.clone(), topic_id: known.id, partitions: vec![wanted] };
        let request =
            FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() };
        let answer = client.call(Target::Node(leader), Purpose::General, request).await.unwrap();
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::None);
        let Some(Records::Bytes(bytes)) =
            partition.records.clone().filter(|records| !records.is_empty())
        else {
            assert_eq!(partition.high_watermark, read.len() as i64);
            return read;
        };
        for batch in batches(bytes) {
            let batch = batch.unwrap();
            let section = batch.record_section(1 << 24).unwrap();
            for record in RecordIter::new(batch.header(), &section) {
                let record = record.unwrap();
                if record.offset < read.len() as i64 {
                    continue;
                }
                assert_eq!(record.offset, read.len() as i64);
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                read.push((record.key.map(text), record.value.map(text).unwrap_or_default()));
            }
        }
    }
}

fn one(key: Option<&str>, value: &str) -> RecordBuffer {
    let mut records = RecordBuffer::new();
    records.push(-1, key.map(str::as_bytes), Some(value.as_bytes()), &[]);
    records
}

/// What Kafka's console consumer prints: partition, headers, key and value.
fn console_consumer(bootstrap: &str, topic: &Str, records: usize) -> Option<Vec<String>> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/apache-kafka-jars");
    let libs = match std::env::var("KAFKA_LIBS") {
        Ok(libs) => libs,
        Err(_) => {
            let output =
                Command::new(script).output().ok().filter(|output| output.status.success())?;
            String::from_utf8(output.stdout).ok()?.trim().to_owned()
        }
    };
    let properties =
        ["print.key=true", "print.headers=true", "print.partition=true", "print.offset=true"];
    let output = Command::new("java")
        .args(["-cp", &format!("{libs}/*"), "org.apache.kafka.tools.consumer.ConsoleConsumer"])
        .args(["--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning"])
        .args(["--max-messages", &records.to_string(), "--timeout-ms", "60000"])
        .args(properties.iter().flat_map(|property| ["--formatter-property", property]))
        .output()
        .ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_consumer_reads_every_codec() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let topic = create(&client, "codecs", Compression::ALL.len() as i32, &[]).await;
    let mut expected = Vec::new();
    for (partition, compression) in Compression::ALL.into_iter().enumerate() {
        let config = ProducerConfig { compression, ..ProducerConfig::default() };
        let producer = Producer::new(client.clone(), config);
        let mut records = RecordBuffer::new();
        for number in 0..200 {
            let (key, value) = (format!("key-{number}"), format!("{compression} {number:0100}"));
            let header = [("codec", Some(compression.name().as_bytes())), ("empty", None)];
            records.push(-1, Some(key.as_bytes()), Some(value.as_bytes()), &header);
            expected.push(format!(
                "Partition:{partition}\tOffset:{number}\tcodec:{compression},empty:null\t{key}\t{value}"
            ));
        }
        let delivery = producer.send(&topic, partition as i32, records).await.unwrap();
        let offsets: Vec<i64> = delivery.records().map(|offset| offset.unwrap()).collect();
        assert_eq!(offsets, (0..200).collect::<Vec<i64>>(), "{compression}");
        producer.close().await;
    }
    let Some(mut read) = console_consumer(&bootstrap, &topic, expected.len()) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "needs Java and Maven");
        return;
    };
    expected.sort();
    read.sort();
    assert_eq!(read, expected);
    client.close().await;
}

/// DESIGN 5: one caller that sends null keys to a compacted topic beside nine
/// good ones costs those no record, no duplicate, no order.
#[tokio::test(flavor = "multi_thread")]
async fn null_keys_to_a_compacted_topic_hurt_only_their_sender() {
    const CALLS: usize = 100;
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let topic = create(&client, "compacted", 1, &[("cleanup.policy", "compact")]).await;
    let producer = Producer::new(client.clone(), ProducerConfig::default());
    let good = |caller: usize| {
        let (producer, topic) = (producer.clone(), topic.clone());
        async move {
            for number in 0..CALLS {
                let (key, value) = (format!("caller-{caller}"), format!("{number}"));
                let delivery = producer.send(&topic, 0, one(Some(&key), &value)).await.unwrap();
                assert_eq!(delivery.records().filter(Result::is_ok).count(), 1, "{delivery:?}");
            }
        }
    };
    let bad = async {
        for _ in 0..CALLS {
            let delivery = producer.send(&topic, 0, one(None, "no key")).await.unwrap();
            let error = delivery.into_result().unwrap_err();
            assert_eq!(error.error_code(), ErrorCode::InvalidRecord, "{error}");
        }
    };
    tokio::join!(join_all((0..9).map(good)), bad);
    let mut by_caller: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (key, value) in read_all(&client, &topic, 0).await {
        by_caller.entry(key.unwrap()).or_default().push(value.parse().unwrap());
    }
    assert_eq!(by_caller.len(), 9);
    for (caller, numbers) in by_caller {
        assert_eq!(numbers, (0..CALLS).collect::<Vec<usize>>(), "{caller}");
    }
    producer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_the_offset_of_its_own_record() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let topic = create(&client, "offsets", 3, &[]).await;
    for acks in [Acks::All, Acks::Leader] {
        let config = ProducerConfig { acks, ..ProducerConfig::default() };
        let producer = Producer::new(client.clone(), config);
        let send = |number: usize| {
            let (producer, topic) = (producer.clone(), topic.clone());
            let value = format!("{acks:?} {number}");
            async move {
                let partition = number as i32 % 3;
                let delivery = producer.send(&topic, partition, one(None, &value)).await.unwrap();
                (partition, delivery.into_result().unwrap().base_offset, value)
            }
        };
        let written = join_all((0..600).map(send)).await;
        for partition in 0..3 {
            let own: Vec<_> = written.iter().filter(|(of, ..)| *of == partition).collect();
            let last = own.iter().map(|(_, offset, _)| *offset as usize).max().unwrap();
            // What the leader alone has acknowledged may be readable only a little later.
            let read = loop {
                let read = read_all(&client, &topic, partition).await;
                if read.len() > last {
                    break read;
                }
                tokio::task::yield_now().await;
            };
            for (_, offset, value) in own {
                assert_eq!(read[*offset as usize].1, *value);
            }
        }
        producer.close().await;
    }
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_beyond_the_limit_of_the_topic_are_split() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let topic = create(&client, "small", 1, &[("max.message.bytes", "5000")]).await;
    let producer = Producer::new(client.clone(), ProducerConfig::default());
    let values: Vec<String> = (0..300).map(|number| format!("{number:0200}")).collect();
    let mut records = RecordBuffer::new();
    for (index, value) in values.iter().enumerate() {
        let huge = "x".repeat(6_000);
        let value = if index == 150 { &huge } else { value };
        records.push(-1, None, Some(value.as_bytes()), &[]);
    }
    let (delivery, other) = tokio::join!(
        producer.send(&topic, 0, records),
        producer.send(&topic, 0, one(None, "other"))
    );
    other.unwrap().into_result().unwrap();
    let outcomes: Vec<_> =
        delivery.unwrap().records().map(|outcome| outcome.map_err(|e| e.error_code())).collect();
    assert_eq!(outcomes[150], Err(ErrorCode::MessageTooLarge));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 299);
    let read = read_all(&client, &topic, 0).await;
    let expected: Vec<&String> =
        values.iter().enumerate().filter(|(i, _)| *i != 150).map(|(_, v)| v).collect();
    let read: Vec<&String> =
        read.iter().map(|(_, value)| value).filter(|value| *value != "other").collect();
    assert_eq!(read, expected);
    producer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_choose_partitions_and_topics_must_exist() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let topic = create(&client, "keys", 7, &[]).await;
    let config = ProducerConfig { auto_create: AutoCreate::No, ..ProducerConfig::default() };
    let producer = Producer::new(client.clone(), config);
    let known = client.topic(&topic, AutoCreate::No).await.unwrap().unwrap();
    for key in ["a", "b", "c"] {
        let partition = producer.partition_for(&known, Some(key.as_bytes()));
        assert_eq!(partition, partition_for_key(key.as_bytes(), 7));
        producer.send(&topic, partition, one(Some(key), key)).await.unwrap().into_result().unwrap();
        assert!(read_all(&client, &topic, partition).await.iter().any(|(_, value)| value == key));
    }
    let missing = producer.send(&unique("missing"), 0, one(None, "x")).await.unwrap_err();
    assert!(matches!(missing, ProduceError::UnknownTopic(_)), "{missing}");
    let missing = producer.send(&topic, 7, one(None, "x")).await.unwrap_err();
    assert!(matches!(missing, ProduceError::UnknownPartition { partition: 7, .. }), "{missing}");
    producer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_be_made_again_between_two_records() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let topic = create(&client, "again", 1, &[]).await;
    let producer = Producer::new(client.clone(), ProducerConfig::default());
    for value in ["a", "b"] {
        producer.send(&topic, 0, one(None, value)).await.unwrap().into_result().unwrap();
    }
    admin::delete_topics(&client, std::slice::from_ref(&topic)).await.unwrap().remove(0).1.unwrap();
    // The name is free a moment later than the answer says.
    let mut attempts = 0;
    loop {
        let new = vec![NewTopic::new(topic.clone(), 1, 1)];
        match admin::create_topics(&client, new, false).await.unwrap().remove(0).1 {
            Ok(_) => break,
            Err(error) => assert_eq!(error.error_code(), ErrorCode::TopicAlreadyExists),
        }
        attempts += 1;
        assert!(attempts < 1_000);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let delivery = producer.send(&topic, 0, one(None, "c")).await.unwrap();
    assert_eq!(delivery.into_result().unwrap().base_offset, 0);
    producer.close().await;
    client.close().await;
}

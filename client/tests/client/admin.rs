//! Administration of a real cluster.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::admin::{
    self, ConfigChange, ConfigResource, ConfigSource, DescribeConfigs, ListedOffset, NewPartitions,
    NewTopic, OffsetSpec,
};
use client::consumer::{IsolationLevel, OffsetAndMetadata, TopicPartition};
use client::{AutoCreate, Client, Purpose, Target};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::records::{BatchBuilder, Compression};
use protocol::{ErrorCode, Records, Str};

use crate::{bootstrap, client, unique};

async fn create(client: &Client, name: &Str, partitions: i32) {
    let created =
        admin::create_topics(client, vec![NewTopic::new(name.clone(), partitions, 1)], false).await;
    let (_, created) = created.unwrap().remove(0);
    assert_eq!(created.unwrap().partitions, Some(partitions));
}

fn only<K, T>(mut results: admin::PerItem<K, T>) -> T {
    assert_eq!(results.len(), 1);
    results.remove(0).1.unwrap()
}

fn only_error<K, T>(mut results: admin::PerItem<K, T>) -> ErrorCode {
    assert_eq!(results.len(), 1);
    results.remove(0).1.err().unwrap().error_code()
}

/// Writes one record for each timestamp.
async fn produce(client: &Client, topic: &Str, timestamps: &[i64]) {
    let mut builder = BatchBuilder::new(Compression::None);
    for &timestamp in timestamps {
        builder.append(timestamp, None, Some(b"value"), &[]);
    }
    let known = client.topic(topic, AutoCreate::No).await.unwrap().unwrap();
    let data = PartitionProduceData { index: 0, records: Some(Records::Bytes(builder.build())) };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.clone(),
            topic_id: known.id,
            partition_data: vec![data],
        }],
        ..ProduceRequest::default()
    };
    let leader = known.partition(0).unwrap().leader.unwrap();
    loop {
        let sent = client.call(Target::Node(leader), Purpose::Produce, request.clone());
        let answer = sent.await.unwrap();
        let error = answer.responses[0].partition_responses[0].error_code;
        // The leader of a new partition may not know yet that it is.
        if !error.is_retriable() {
            assert_eq!(error, ErrorCode::None);
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn topics_are_created_extended_and_deleted() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let (name, checked) = (unique("created"), unique("checked"));
    let node = client.cluster().await.unwrap().brokers[0].id;
    let topic = NewTopic {
        partitions: None,
        replication_factor: None,
        assignments: vec![(0, vec![node]), (1, vec![node])],
        configs: vec![("retention.ms".into(), Some("1234567".into()))],
        ..NewTopic::new(name.clone(), 0, 0)
    };
    let created = only(admin::create_topics(&client, vec![topic.clone()], false).await.unwrap());
    assert_eq!((created.partitions, created.replication_factor), (Some(2), Some(1)));
    assert!(!created.id.is_zero());
    let retention = created.configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!(retention.value.as_deref(), Some("1234567"));
    assert_eq!(retention.source, ConfigSource::DynamicTopic);
    assert_eq!(client.cached_topic(&name).unwrap().partitions.len(), 2, "usable at once");

    let several = vec![topic, NewTopic::new("no name", 1, 1), NewTopic::new(checked.clone(), 1, 1)];
    let results = admin::create_topics(&client, several, true).await.unwrap();
    let codes: Vec<_> = results
        .iter()
        .map(|(_, result)| result.as_ref().err().map(client::Error::error_code))
        .collect();
    assert_eq!(
        codes,
        [Some(ErrorCode::TopicAlreadyExists), Some(ErrorCode::InvalidTopicException), None]
    );
    assert!(results[0].1.as_ref().unwrap_err().public_message().contains(name.as_str()));
    assert!(client.topic(&checked, AutoCreate::No).await.unwrap().is_none(), "only checked");

    let more = |count| vec![NewPartitions { topic: name.clone(), count, assignments: vec![] }];
    only(admin::create_partitions(&client, more(4), true).await.unwrap());
    only(admin::create_partitions(&client, more(3), false).await.unwrap());
    assert_eq!(client.cached_topic(&name).unwrap().partitions.len(), 3);
    assert_eq!(
        only_error(admin::create_partitions(&client, more(2), false).await.unwrap()),
        ErrorCode::InvalidPartitions
    );

    only(admin::delete_topics(&client, std::slice::from_ref(&name)).await.unwrap());
    assert!(client.topic(&name, AutoCreate::No).await.unwrap().is_none());
    let again = admin::delete_topics(&client, std::slice::from_ref(&name)).await.unwrap();
    assert_eq!(only_error(again), ErrorCode::UnknownTopicOrPartition);
    client.close().await;
}

#[tokio::test]
async fn settings_are_described_and_changed() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let name = unique("settings");
    create(&client, &name, 1).await;
    let topic = ConfigResource::topic(name.clone());
    let change = |changes: Vec<ConfigChange>, validate_only| {
        admin::incremental_alter_configs(&client, vec![(topic.clone(), changes)], validate_only)
    };
    only(change(vec![ConfigChange::set("retention.ms", "99999")], true).await.unwrap());
    only(change(vec![ConfigChange::set("cleanup.policy", "compact")], false).await.unwrap());
    let wrong = change(vec![ConfigChange::set("retention.ms", "soon")], false).await.unwrap();
    assert_eq!(only_error(wrong), ErrorCode::InvalidConfig);
    let describe = |names: Option<Vec<Str>>| {
        let what = DescribeConfigs { synonyms: true, documentation: true };
        admin::describe_configs(&client, vec![(topic.clone(), names)], what)
    };
    let names: Vec<Str> = vec!["cleanup.policy".into(), "retention.ms".into()];
    // What the controller has taken is not yet known to all nodes.
    let entries = loop {
        let mut entries = only(describe(Some(names.clone())).await.unwrap());
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        if entries[0].value.as_deref() == Some("compact") {
            break entries;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].source, ConfigSource::DynamicTopic);
    assert_eq!(entries[0].synonyms[0].value.as_deref(), Some("compact"));
    assert!(entries[0].documentation.is_some());
    assert!(entries[1].is_default(), "{:?}", entries[1]);
    assert!(only(describe(None).await.unwrap()).len() > 20);

    let node = client.cluster().await.unwrap().brokers[0].id;
    let broker = vec![
        (ConfigResource::broker(node), None),
        (ConfigResource::topic(unique("missing")), None),
    ];
    let mut results =
        admin::describe_configs(&client, broker, DescribeConfigs::default()).await.unwrap();
    assert_eq!(results.remove(1).1.unwrap_err().error_code(), ErrorCode::UnknownTopicOrPartition);
    assert!(only(results).iter().any(|entry| entry.name == "log.dirs" || entry.name == "log.dir"));

    only(change(vec![ConfigChange::delete("cleanup.policy")], false).await.unwrap());
    while only(describe(Some(names.clone())).await.unwrap()).iter().any(|entry| !entry.is_default())
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    admin::delete_topics(&client, &[name]).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn offsets_are_found_by_time() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let name = unique("times");
    create(&client, &name, 2).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    produce(&client, &name, &[now - 300, now - 100, now - 200]).await;
    let partition = TopicPartition::new(name.clone(), 0);
    for (spec, offset) in [
        (OffsetSpec::Earliest, Some(0)),
        (OffsetSpec::Latest, Some(3)),
        (OffsetSpec::MaxTimestamp, Some(1)),
        (OffsetSpec::Timestamp(now - 250), Some(1)),
        (OffsetSpec::Timestamp(now), None),
    ] {
        let found: ListedOffset = only(
            admin::list_offsets(
                &client,
                vec![(partition.clone(), spec)],
                IsolationLevel::ReadUncommitted,
            )
            .await
            .unwrap(),
        );
        assert_eq!(found.offset, offset, "{spec:?}");
        if offset == Some(1) {
            assert_eq!(found.timestamp, Some(now - 100), "{spec:?}");
        }
    }
    let several = [(name.clone(), 1), (unique("missing"), 0), (name.clone(), 9), (name.clone(), 0)]
        .map(|(topic, id)| (TopicPartition::new(topic, id), OffsetSpec::Latest));
    let results = admin::list_offsets(&client, several.to_vec(), IsolationLevel::ReadCommitted)
        .await
        .unwrap();
    let offsets: Vec<_> = results
        .into_iter()
        .map(|(_, result)| result.map(|found| found.offset).map_err(|error| error.error_code()))
        .collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(offsets, [Ok(Some(0)), Err(unknown), Err(unknown), Ok(Some(3))]);
    admin::delete_topics(&client, &[name]).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn groups_and_their_offsets_are_administered() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let (name, group) = (unique("grouped"), unique("group"));
    create(&client, &name, 3).await;
    let at = |partition, offset| {
        let metadata = format!("note {partition}").into();
        let committed = OffsetAndMetadata { offset, leader_epoch: None, metadata };
        (TopicPartition::new(name.clone(), partition), committed)
    };
    let altered = admin::alter_consumer_group_offsets(&client, &group, vec![at(2, 7), at(0, 5)])
        .await
        .unwrap();
    assert_eq!(altered.len(), 2);
    altered.into_iter().for_each(|(_, result)| result.unwrap());

    let all = admin::list_consumer_group_offsets(&client, &group, None).await.unwrap();
    let all: Vec<_> =
        all.into_iter().map(|(partition, offset)| (partition, offset.unwrap().unwrap())).collect();
    assert_eq!(all, [at(0, 5), at(2, 7)]);
    let wanted = [at(1, 0).0, at(2, 0).0];
    let some = admin::list_consumer_group_offsets(&client, &group, Some(&wanted)).await.unwrap();
    let some: Vec<_> =
        some.into_iter().map(|(_, offset)| offset.unwrap().map(|offset| offset.offset)).collect();
    assert_eq!(some, [None, Some(7)]);

    let listed = admin::list_groups(&client, &[], &[]).await.unwrap();
    let listed = listed.iter().find(|listed| listed.id == group).unwrap();
    assert_eq!((listed.state.as_str(), listed.protocol_type.as_str()), ("Empty", ""));
    let stable = admin::list_groups(&client, &["stable".into()], &[]).await.unwrap();
    assert!(stable.iter().all(|listed| listed.id != group));
    let described =
        only(admin::describe_groups(&client, std::slice::from_ref(&group)).await.unwrap());
    assert_eq!((described.state.as_str(), described.members.len()), ("Empty", 0));
    assert_eq!(described.coordinator, admin::find_coordinator(&client, &group).await.unwrap());
    let missing = unique("missing");
    let mut described =
        admin::describe_groups(&client, std::slice::from_ref(&missing)).await.unwrap();
    match described.remove(0).1 {
        Ok(described) => assert_eq!(described.state, "Dead"),
        Err(error) => assert_eq!(error.error_code(), ErrorCode::GroupIdNotFound),
    }

    only(admin::delete_consumer_group_offsets(&client, &group, &[at(0, 0).0]).await.unwrap());
    let left = admin::list_consumer_group_offsets(&client, &group, None).await.unwrap();
    assert_eq!(left.len(), 1);
    only(admin::delete_groups(&client, std::slice::from_ref(&group)).await.unwrap());
    let again = admin::delete_groups(&client, std::slice::from_ref(&group)).await.unwrap();
    assert_eq!(only_error(again), ErrorCode::GroupIdNotFound);
    admin::delete_topics(&client, &[name]).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn the_cluster_is_described() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let described = admin::describe_cluster(&client).await.unwrap();
    let known = client.cluster().await.unwrap();
    assert_eq!((&described.id, &described.brokers), (&known.id, &known.brokers));
    assert!(described.controller.is_some());
    client.close().await;
}

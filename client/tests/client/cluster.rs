//! Connections, routing and metadata against a real cluster.

use std::time::Duration;

use client::{AutoCreate, Error, Purpose, Target};
use futures_util::future::join_all;
use protocol::messages::api_versions::ApiVersionsRequest;
use protocol::messages::metadata::MetadataRequest;
use protocol::{ApiKey, ErrorCode, Request};

use crate::{bootstrap, client, unique};

#[tokio::test]
async fn nodes_and_topics_are_described() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let cluster = client.cluster().await.unwrap();
    assert!(cluster.id.is_some());
    let controller = cluster.controller.unwrap();
    assert!(cluster.broker(controller).is_some());

    let name = unique("described");
    assert_eq!(client.topic(&name, AutoCreate::No).await.unwrap(), None);
    let topic = client::admin::NewTopic::new(name.clone(), 3, 1);
    let created = client::admin::create_topics(&client, vec![topic], false).await.unwrap();
    created.into_iter().for_each(|(_, result)| _ = result.unwrap());
    let topic = client.topic(&name, AutoCreate::No).await.unwrap().unwrap();
    assert_eq!(
        (topic.name.clone(), topic.partitions.len(), topic.is_internal),
        (name.clone(), 3, false)
    );
    assert!(!topic.id.is_zero());
    assert_eq!(topic.error, ErrorCode::None);
    for partition in &topic.partitions {
        assert!(cluster.broker(partition.leader.unwrap()).is_some());
        assert_eq!(partition.isr, partition.replicas);
        assert!(partition.leader_epoch >= 0);
    }
    assert_eq!(client.cached_topic(&name).unwrap(), topic);
    assert!(client.topics().await.unwrap().contains(&topic));

    client::admin::delete_topics(&client, std::slice::from_ref(&name)).await.unwrap();
    while client.topics().await.unwrap().iter().any(|topic| topic.name == name) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(client.cached_topic(&name).is_none(), "the list showed that it is gone");
    client.close().await;
}

#[tokio::test]
async fn a_topic_that_is_asked_for_is_made() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let name = unique("made");
    let topic = client.topic(&name, AutoCreate::Yes).await.unwrap().unwrap();
    assert!(topic.partitions.iter().all(|partition| partition.leader.is_some()));
    let error = client.topic("not a name", AutoCreate::Yes).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::InvalidTopicException);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_connections() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    let node = client.cluster().await.unwrap().brokers[0].id;
    let calls = (0..500).map(|index| {
        let client = client.clone();
        tokio::spawn(async move {
            let target = if index % 2 == 0 { Target::Node(node) } else { Target::Any };
            client
                .call(target, Purpose::General, ApiVersionsRequest::default())
                .await
                .map(|answer| answer.error_code)
        })
    });
    for answer in join_all(calls).await {
        assert!(answer.unwrap().is_ok());
    }
    client.close().await;
}

#[tokio::test]
async fn every_version_of_a_request_is_answered() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    for version in ApiKey::Metadata.versions().skip(1) {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let answer =
            client.call_at_most(Target::Any, Purpose::General, request, version).await.unwrap();
        assert!(!answer.brokers.is_empty(), "version {version}");
    }
    client.close().await;
}

#[tokio::test]
async fn a_closed_client_says_so() {
    let Some(bootstrap) = bootstrap() else { return };
    let client = client(&bootstrap);
    client.cluster().await.unwrap();
    let other = client.clone();
    client.close().await;
    assert!(matches!(other.topics().await, Err(Error::Closed)));
    let request = <ApiVersionsRequest as Default>::default();
    assert_eq!(ApiVersionsRequest::KEY, ApiKey::ApiVersions);
    assert!(matches!(other.call(Target::Any, Purpose::General, request).await, Err(Error::Closed)));
}

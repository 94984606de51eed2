//! Looking up topics: shared, cached, created.

use std::time::Duration;

use futures_util::future::{join, join_all};
use protocol::messages::describe_configs::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
};
use protocol::{ApiKey, ErrorCode};
use tokio::time::{Instant, sleep};

use super::config;
use super::script::{Asked, Broker, Reply, metadata, missing_topic, topic};
use crate::{AutoCreate, Error};

/// What `auto.create.topics.enable` is.
fn auto_create(asked: &Asked, value: &str) -> Reply {
    let config = DescribeConfigsResourceResult {
        name: "auto.create.topics.enable".into(),
        value: Some(value.into()),
        ..Default::default()
    };
    let result = DescribeConfigsResult {
        resource_type: 4,
        resource_name: "1".into(),
        configs: vec![config],
        ..Default::default()
    };
    asked.answer(&DescribeConfigsResponse { results: vec![result], ..Default::default() })
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_at_once_share_a_request() {
    let broker = Broker::new(|_| Reply::Default);
    let client = broker.client(config(&[1]));
    let lookups = (0..100).map(|_| client.topic("t", AutoCreate::No));
    for topic in join_all(lookups).await {
        assert_eq!(topic.unwrap().unwrap().partitions.len(), 1);
    }
    assert!(broker.count(ApiKey::Metadata) <= 2);
    let count = broker.count(ApiKey::Metadata);
    assert!(client.topic("t", AutoCreate::Yes).await.unwrap().is_some());
    assert!(client.cached_topic("t").is_some());
    assert_eq!(broker.count(ApiKey::Metadata), count, "known by now");
    let (topics, cluster) =
        join(join_all((0..50).map(|_| client.topics())), client.refresh_cluster()).await;
    assert!(topics.iter().all(|topics| topics.as_ref().unwrap().len() == 1));
    assert_eq!(cluster.unwrap().controller, Some(1));
    assert!(broker.count(ApiKey::Metadata) <= count + 3);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_topic_is_answered_at_once() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Metadata if !asked.metadata_request().topics.unwrap().is_empty() => {
            asked.answer(&metadata(&[1], &[missing_topic("u", ErrorCode::UnknownTopicOrPartition)]))
        }
        ApiKey::DescribeConfigs => auto_create(asked, "false"),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let start = Instant::now();
    assert_eq!(client.topic("u", AutoCreate::No).await.unwrap(), None);
    assert_eq!(
        client.topic("u", AutoCreate::Yes).await.unwrap(),
        None,
        "the cluster makes no topics"
    );
    assert_eq!(client.topic("u", AutoCreate::Yes).await.unwrap(), None);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(broker.count(ApiKey::DescribeConfigs), 1);
}

#[tokio::test(start_paused = true)]
async fn a_topic_being_made_is_waited_for() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Metadata if asked.metadata_request().allow_auto_topic_creation => {
            let described = match asked.before {
                0 => missing_topic("n", ErrorCode::UnknownTopicOrPartition),
                1 | 2 => missing_topic("n", ErrorCode::LeaderNotAvailable),
                3 => topic("n", &[(0, 1, 0), (1, -1, 0)]),
                _ => topic("n", &[(0, 1, 0), (1, 1, 0)]),
            };
            asked.answer(&metadata(&[1], &[described]))
        }
        ApiKey::DescribeConfigs => auto_create(asked, "true"),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let start = Instant::now();
    let made = client.topic("n", AutoCreate::Yes).await.unwrap().unwrap();
    assert!(made.partitions.iter().all(|partition| partition.leader == Some(1)));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_never_gets_leaders_is_waited_for_five_seconds() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Metadata => asked.answer(&metadata(&[1], &[topic("n", &[(0, -1, 0)])])),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let start = Instant::now();
    let topic = client.topic("n", AutoCreate::Yes).await.unwrap().unwrap();
    assert_eq!(topic.partition(0).unwrap().leader, None);
    assert!((4..=5).contains(&start.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_errors() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Metadata => {
            let topics = [missing_topic("secret", ErrorCode::TopicAuthorizationFailed)];
            asked.answer(&metadata(&[1], &topics))
        }
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let error = client.topic("secret", AutoCreate::Yes).await.unwrap_err();
    assert_eq!(error.error_code(), ErrorCode::TopicAuthorizationFailed);
    assert_eq!(client.topic("left out", AutoCreate::No).await.unwrap(), None);

    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Metadata => {
            let error_code = ErrorCode::ClusterAuthorizationFailed;
            asked
                .answer(&protocol::messages::MetadataResponse { error_code, ..metadata(&[1], &[]) })
        }
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let error = client.topics().await.unwrap_err();
    assert!(
        matches!(error, Error::Kafka { code: ErrorCode::ClusterAuthorizationFailed, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_old_is_looked_up_in_the_background() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Metadata => {
            asked.answer(&metadata(&[1], &[topic("t", &[(0, 1, asked.before as i32)])]))
        }
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    client.topic("t", AutoCreate::No).await.unwrap();
    sleep(client.config().metadata_max_age).await;
    let epoch = || client.cached_topic("t").unwrap().partition(0).unwrap().leader_epoch;
    assert_eq!(epoch(), 0, "good enough meanwhile");
    broker.wait_asked(ApiKey::Metadata, 2).await;
    while epoch() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(broker.count(ApiKey::Metadata), 2);
    // A caller of `topic` asks itself when nobody used the topic for long.
    sleep(client.config().metadata_max_age * 2).await;
    assert!(client.cached_topic("t").is_none());
    let topic = client.topic("t", AutoCreate::No).await.unwrap().unwrap();
    assert_eq!(topic.partition(0).unwrap().leader_epoch, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_fails_all_who_share_it_and_the_next_one_works() {
    let broker = Broker::new(|_| Reply::Default);
    broker.refuse(&[1]);
    let client = broker.client(config(&[1]));
    for outcome in join_all((0..5).map(|_| client.topic("t", AutoCreate::No))).await {
        assert!(matches!(outcome.unwrap_err(), Error::Connect { .. }));
    }
    broker.refuse(&[]);
    assert!(client.topic("t", AutoCreate::No).await.unwrap().is_some());
}

//! Negotiation, order, the end of connections, routing and retries.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use protocol::messages::api_versions::ApiVersion;
use protocol::messages::create_topics::CreateTopicsRequest;
use protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use protocol::messages::produce::ProduceRequest;
use protocol::messages::{ApiVersionsResponse, CreateTopicsResponse};
use protocol::{ApiKey, ErrorCode, Frame, encode_response};
use tokio::time::{Instant, sleep, timeout};

use super::config;
use super::script::{Asked, Broker, Reply, metadata, versions};
use crate::{ClientConfig, Error, Purpose, Target};

const ANY: Target = Target::Any;
const GENERAL: Purpose = Purpose::General;

fn find() -> FindCoordinatorRequest {
    FindCoordinatorRequest::default()
}

fn heartbeat() -> HeartbeatRequest {
    HeartbeatRequest::default()
}

/// Answers coordinator lookups; the node says which lookup it was.
fn numbered(asked: &Asked) -> Reply {
    let node_id = asked.before as i32;
    let coordinator =
        protocol::messages::find_coordinator::Coordinator { node_id, ..Default::default() };
    asked.answer(&FindCoordinatorResponse {
        node_id,
        coordinators: vec![coordinator],
        ..Default::default()
    })
}

fn number(answer: &FindCoordinatorResponse) -> i32 {
    answer.coordinators.first().map_or(answer.node_id, |coordinator| coordinator.node_id)
}

#[tokio::test(start_paused = true)]
async fn versions_are_negotiated_before_anything_else() {
    let broker = Broker::new(|asked| match (asked.api, asked.version) {
        (ApiKey::ApiVersions, 4) => {
            let own = ApiVersion { api_key: 18, min_version: 0, max_version: 2 };
            let error_code = ErrorCode::UnsupportedVersion;
            let refusal =
                ApiVersionsResponse { error_code, api_keys: vec![own], ..Default::default() };
            asked.answer_in(0, &refusal)
        }
        (ApiKey::ApiVersions, 2) => {
            let find = ApiVersion { api_key: 10, min_version: 0, max_version: 3 };
            asked.answer(&ApiVersionsResponse { api_keys: vec![find], ..Default::default() })
        }
        (ApiKey::FindCoordinator, _) => numbered(asked),
        _ => Reply::End,
    });
    let client = broker.client(config(&[1]));
    client.call(ANY, GENERAL, find()).await.unwrap();
    client.call_at_most(ANY, GENERAL, find(), 1).await.unwrap();
    assert_eq!(broker.log(), ["1 FindCoordinator 3", "1 FindCoordinator 1"]);
    assert_eq!(broker.count(ApiKey::ApiVersions), 2);
    let error = client.call(ANY, GENERAL, heartbeat()).await.unwrap_err();
    assert!(matches!(error, Error::UnsupportedApi { api: ApiKey::Heartbeat, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn answers_go_to_those_who_asked_in_order() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::FindCoordinator => numbered(asked),
        _ => Reply::Default,
    });
    let client = broker.client(ClientConfig { max_in_flight: 3, ..config(&[1]) });
    client.call(Target::Node(1), Purpose::Produce, find()).await.unwrap();
    let calls = (0..50).map(|_| client.call(Target::Node(1), Purpose::Produce, find()));
    let answers: Vec<i32> =
        join_all(calls).await.into_iter().map(|answer| number(&answer.unwrap())).collect();
    assert_eq!(answers, (1..51).collect::<Vec<_>>());
    assert_eq!(broker.connections(), [1, 1], "for metadata and for producing");
}

#[tokio::test(start_paused = true)]
async fn requests_that_were_begun_arrive_in_that_order() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::FindCoordinator => numbered(asked),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let mut in_flight = Vec::new();
    for _ in 0..5 {
        let limit = Duration::from_secs(1);
        in_flight.push(client.begin(1, Purpose::Produce, &find(), limit).await.unwrap());
    }
    for (expected, request) in in_flight.into_iter().enumerate().rev() {
        assert_eq!(request.version(), 6);
        assert_eq!(number(&request.answer().await.unwrap()), expected as i32);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_dropped_leaves_the_connection_usable() {
    let broker = Broker::new(|asked| match (asked.api, asked.before) {
        // The first answer comes with the second.
        (ApiKey::FindCoordinator, 0) => Reply::Silence,
        (ApiKey::FindCoordinator, 1) => {
            let answer = |before| {
                let Reply::Frame(frame) = numbered(&Asked {
                    correlation_id: asked.correlation_id - 1 + before,
                    before: before as usize,
                    body: asked.body.clone(),
                    ..*asked
                }) else {
                    unreachable!()
                };
                frame
            };
            Reply::Frames(vec![answer(0), answer(1)])
        }
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let dropped = client.call(ANY, GENERAL, find());
    assert!(timeout(Duration::from_secs(1), dropped).await.is_err());
    assert_eq!(number(&client.call(ANY, GENERAL, find()).await.unwrap()), 1);
    assert_eq!(broker.connections(), [1]);
}

#[tokio::test(start_paused = true)]
async fn answers_that_fit_no_request_end_the_connection() {
    fn wrong(asked: &Asked) -> Frame {
        encode_response(
            asked.api,
            asked.version,
            asked.correlation_id + 7,
            &HeartbeatResponse::default(),
        )
    }
    for (case, reply) in [
        ("another correlation id", (|asked| Reply::Frame(wrong(asked))) as fn(&Asked) -> Reply),
        ("no correlation id", |_| Reply::Frame(Frame::from(Bytes::from_static(&[0, 0])))),
        ("nothing at all", |_| Reply::Frame(Frame::default())),
    ] {
        let broker = Broker::new(move |asked| match asked.api {
            ApiKey::Heartbeat => reply(asked),
            _ => Reply::Default,
        });
        let client = broker.client(config(&[1]));
        let calls =
            join(client.call(ANY, GENERAL, heartbeat()), client.call(ANY, GENERAL, heartbeat()));
        let (first, second) = calls.await;
        for error in [first.unwrap_err(), second.unwrap_err()] {
            assert!(matches!(error, Error::Disconnected { .. }), "{case}: {error}");
        }
        broker.wait_open(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_an_error_and_ends_the_connection() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Heartbeat => {
            let mut bytes = asked.correlation_id.to_be_bytes().to_vec();
            bytes.extend([0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
            Reply::Frame(Frame::from(Bytes::from(bytes)))
        }
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let error = client.call(ANY, GENERAL, heartbeat()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { api: ApiKey::Heartbeat, .. }), "{error}");
    broker.wait_open(0).await;
    assert_eq!(broker.count(ApiKey::Heartbeat), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_waits_for_ends_the_connection() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::FindCoordinator => {
            let (Reply::Frame(first), Reply::Frame(second)) = (numbered(asked), numbered(asked))
            else {
                unreachable!()
            };
            Reply::Frames(vec![first, second])
        }
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    assert!(client.call(ANY, GENERAL, find()).await.is_ok());
    broker.wait_open(0).await;
    assert!(client.call(ANY, GENERAL, find()).await.is_ok());
    assert_eq!(broker.connections().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_is_repeated_only_if_it_merely_reads() {
    let broker = Broker::new(|asked| match (asked.api, asked.before) {
        (ApiKey::FindCoordinator | ApiKey::CreateTopics, 0) => Reply::End,
        (ApiKey::FindCoordinator, _) => numbered(asked),
        (ApiKey::CreateTopics, _) => asked.answer(&CreateTopicsResponse::default()),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    assert_eq!(number(&client.call(ANY, GENERAL, find()).await.unwrap()), 1);
    let error =
        client.call(Target::Controller, GENERAL, CreateTopicsRequest::default()).await.unwrap_err();
    assert!(matches!(error, Error::Disconnected { .. }), "{error}");
    assert_eq!(broker.count(ApiKey::CreateTopics), 1);
    assert!(client.call(Target::Controller, GENERAL, CreateTopicsRequest::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_connection_for_all_who_wait() {
    let broker = Broker::new(|asked| match (asked.api, asked.before) {
        (ApiKey::Heartbeat, 0..2) => Reply::Silence,
        (ApiKey::Heartbeat, _) => asked.answer(&HeartbeatResponse::default()),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let start = Instant::now();
    let later = async {
        sleep(Duration::from_secs(10)).await;
        client.call(ANY, GENERAL, heartbeat()).await
    };
    let (first, second) = join(client.call(ANY, GENERAL, heartbeat()), later).await;
    assert!(matches!(first.unwrap_err(), Error::Timeout { what: "Heartbeat", .. }));
    assert!(matches!(second.unwrap_err(), Error::Disconnected { .. }));
    assert_eq!(start.elapsed().as_secs(), 30);
    assert!(client.call(ANY, GENERAL, heartbeat()).await.is_ok());
    assert!(broker.connections().len() >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_time_of_its_own_waits_that_long() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Heartbeat => Reply::Silence,
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let start = Instant::now();
    let limit = Duration::from_secs(300);
    let error = client.call_within(ANY, Purpose::Group(1), heartbeat(), limit).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert_eq!(start.elapsed().as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_limit_wait_until_others_are_answered() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Heartbeat => Reply::Silence,
        _ => Reply::Default,
    });
    let client = broker.client(ClientConfig { max_in_flight: 2, ..config(&[1]) });
    let calls = join_all((0..5).map(|_| client.call(ANY, GENERAL, heartbeat())));
    assert!(timeout(Duration::from_secs(29), calls).await.is_err());
    assert_eq!(broker.count(ApiKey::Heartbeat), 2);
}

#[tokio::test(start_paused = true)]
async fn bootstrap_servers_are_tried_in_turn_and_again() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::FindCoordinator => numbered(asked),
        _ => Reply::Default,
    });
    broker.refuse(&[7, 8]);
    let client = broker.client(config(&[7, 8, 9]));
    client.call(ANY, GENERAL, find()).await.unwrap();
    assert_eq!(broker.log(), ["9 FindCoordinator 6"]);

    let nobody = Broker::new(|_| Reply::Default);
    nobody.refuse(&[1]);
    let client = nobody.client(config(&[1]));
    let start = Instant::now();
    let error = client.call(ANY, GENERAL, find()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!((55..=60).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let attempts = nobody.connections().len();
    assert!((40..100).contains(&attempts), "{attempts} attempts in a minute");
    assert!(matches!(nobody.client(config(&[])).cluster().await, Err(Error::NoBootstrapServers)));
}

#[tokio::test(start_paused = true)]
async fn when_no_node_can_be_reached_the_bootstrap_servers_are_asked_again() {
    let broker = Broker::new(|asked| match (asked.api, asked.port) {
        (ApiKey::FindCoordinator, _) => numbered(asked),
        (ApiKey::Metadata, 9) if asked.before == 0 => asked.answer(&metadata(&[1, 2], &[])),
        (ApiKey::Metadata, _) => asked.answer(&metadata(&[3], &[])),
        _ => Reply::Default,
    });
    let client = broker
        .client(ClientConfig { connections_max_idle: Duration::from_secs(4), ..config(&[9]) });
    assert_eq!(client.cluster().await.unwrap().brokers.len(), 2);
    client.call(Target::Node(1), GENERAL, find()).await.unwrap();
    broker.wait_open(0).await;
    // The cluster has moved.
    broker.refuse(&[1, 2]);
    client.call(ANY, GENERAL, find()).await.unwrap();
    assert_eq!(client.refresh_cluster().await.unwrap().brokers[0].id, 3);
    client.call(Target::Node(3), GENERAL, find()).await.unwrap();
    let error = client.call(Target::Node(1), GENERAL, find()).await.unwrap_err();
    assert!(matches!(error, Error::UnknownNode(1)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_connections_is_named_at_once_and_asked_again_after_a_pause() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::FindCoordinator => numbered(asked),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[9]));
    client.cluster().await.unwrap();
    broker.refuse(&[1]);
    let start = Instant::now();
    let calls = (0..20).map(|_| client.call(Target::Node(1), GENERAL, find()));
    for outcome in join_all(calls).await {
        assert!(matches!(outcome.unwrap_err(), Error::Connect { .. }));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(broker.connections(), [9, 1], "one attempt for all who came meanwhile");
    let short = Duration::from_millis(10);
    let outcome = client.call_within(Target::Node(1), GENERAL, find(), short).await;
    assert!(matches!(outcome.unwrap_err(), Error::Connect { .. }), "the pause hides no failure");
    assert_eq!(broker.connections(), [9, 1]);
    broker.refuse(&[]);
    client.call(Target::Node(1), GENERAL, find()).await.unwrap();
    let pause = start.elapsed().as_millis();
    assert!((40..=60).contains(&pause), "{pause} ms");
}

#[tokio::test(start_paused = true)]
async fn purposes_have_connections_of_their_own_until_they_are_released() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Heartbeat => Reply::Silence,
        ApiKey::FindCoordinator => numbered(asked),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    assert_ne!(client.unique_id(), client.unique_id());
    let node = Target::Node(1);
    client.call(node, GENERAL, find()).await.unwrap();
    let open = broker.open_connections();
    let held = client.call(node, Purpose::Fetch(1), heartbeat());
    let release = async {
        broker.wait_asked(ApiKey::Heartbeat, 1).await;
        client.call(node, GENERAL, find()).await.unwrap();
        client.call(node, Purpose::Fetch(2), find()).await.unwrap();
        assert_eq!(broker.open_connections(), open + 2);
        client.release(Purpose::Fetch(1));
    };
    let (held, ()) = join(held, release).await;
    assert!(matches!(held.unwrap_err(), Error::Disconnected { .. }));
    broker.wait_open(open + 1).await;
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::FindCoordinator => numbered(asked),
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    client.call(ANY, GENERAL, find()).await.unwrap();
    sleep(Duration::from_secs(500)).await;
    assert_eq!(broker.open_connections(), 1);
    let start = Instant::now();
    broker.wait_open(0).await;
    assert!(start.elapsed() < Duration::from_secs(600));
    client.call(ANY, GENERAL, find()).await.unwrap();
    broker.wait_open(0).await;
    assert_eq!(broker.connections(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_sent_and_forgotten() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Produce => Reply::Silence,
        ApiKey::FindCoordinator => numbered(asked),
        _ => Reply::Default,
    });
    let client = broker.client(ClientConfig { max_in_flight: 2, ..config(&[1]) });
    for _ in 0..10 {
        client.send_unanswered(1, Purpose::Produce, ProduceRequest::default()).await.unwrap();
    }
    assert_eq!(number(&client.call(Target::Node(1), Purpose::Produce, find()).await.unwrap()), 0);
    assert_eq!(broker.count(ApiKey::Produce), 10);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_calls_under_way() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::Heartbeat => Reply::Silence,
        _ => Reply::Default,
    });
    let client = broker.client(config(&[1]));
    let close = async {
        broker.wait_asked(ApiKey::Heartbeat, 1).await;
        client.close().await;
    };
    let (held, ()) = join(client.call(ANY, GENERAL, heartbeat()), close).await;
    assert!(matches!(held.unwrap_err(), Error::Closed | Error::Disconnected { .. }));
    broker.wait_open(0).await;
    assert!(matches!(client.topics().await, Err(Error::Closed)));
    assert!(matches!(client.call(ANY, GENERAL, heartbeat()).await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn connections_end_with_the_last_clone() {
    let broker = Broker::new(|asked| match asked.api {
        ApiKey::ApiVersions => asked.answer(&versions(ApiKey::ALL)),
        _ => numbered(asked),
    });
    let client = broker.client(config(&[1]));
    client.clone().call(ANY, GENERAL, find()).await.unwrap();
    assert_eq!(broker.open_connections(), 1);
    drop(client);
    broker.wait_open(0).await;
}

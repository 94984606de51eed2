//! The consumer against a broker that does what the test says.

mod fake;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::{ApiKey, ErrorCode};
use tokio::time::Instant;

use super::*;
use crate::{Client, ClientConfig};
use fake::{FakeBroker, FakeConnector};

/// Far beyond what any of these tests takes: a wait that ends early ends by an event.
const LONG: Duration = Duration::from_secs(60);

fn client(broker: &Arc<FakeBroker>) -> Client {
    let config =
        ClientConfig { retry_backoff: Duration::from_millis(1), ..ClientConfig::default() };
    Client::new(config, Arc::new(FakeConnector(Arc::clone(broker))))
}

fn config(reset: OffsetReset) -> ConsumerConfig {
    ConsumerConfig {
        group_id: Some("g".into()),
        auto_offset_reset: reset,
        heartbeat_interval: Duration::from_millis(20),
        retry_backoff: Duration::from_millis(1),
        ..ConsumerConfig::default()
    }
}

/// A member of the group that reads topic t.
async fn subscribed(broker: &Arc<FakeBroker>, config: ConsumerConfig) -> Consumer {
    let consumer = Consumer::new(client(broker), config);
    consumer.subscribe_topics(vec!["t".into()]).unwrap();
    assert!(consumer.wait_assigned(Instant::now() + LONG).await.unwrap());
    consumer
}

/// Reads partition 0 of topic t from offset 0, without a group.
fn assigned(broker: &Arc<FakeBroker>, reset: OffsetReset) -> Consumer {
    let consumer =
        Consumer::new(client(broker), ConsumerConfig { group_id: None, ..config(reset) });
    consumer.assign(vec![TopicPartition::new("t", 0)]).unwrap();
    consumer
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// Takes what is buffered: values, joined.
fn take(consumer: &Consumer) -> String {
    let mut values = Vec::new();
    let taken = consumer.take(&mut |record| {
        values.push(String::from_utf8_lossy(record.value.unwrap()).into_owned());
        Take::Yes
    });
    assert_eq!(taken.unwrap().records, values.len());
    values.join(" ")
}

async fn read(consumer: &Consumer) -> String {
    consumer.fetch(LONG).await.unwrap();
    take(consumer)
}

#[tokio::test]
async fn a_member_reads_from_what_was_committed() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    broker.append("t", 0, &["a", "b", "c"]);
    broker.state.lock().committed.insert(("t".into(), 0), 1);
    let consumer = subscribed(&broker, config(OffsetReset::Latest)).await;
    assert_eq!(consumer.position(&partition()).unwrap(), Some(1));
    assert_eq!(read(&consumer).await, "b c");
    consumer.commit(&consumer.moved_positions()).await.unwrap();
    assert_eq!(broker.state.lock().committed[&("t".into(), 0)], 3);
    consumer.close().await;
    assert_eq!(broker.count_asked("leave"), 1);
}

#[tokio::test]
async fn nothing_is_committed_for_a_topic_that_does_not_exist() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    broker.state.lock().committed.insert(("t".into(), 0), 1);
    let consumer = assigned(&broker, OffsetReset::Latest);
    // Without a group there is nobody to ask.
    let names = [TopicPartition::new("nope", 0), partition(), TopicPartition::new("nope", 1)];
    assert!(matches!(consumer.committed(&names).await, Err(ConsumerError::NoGroup)));
    consumer.close().await;

    let consumer = Consumer::new(client(&broker), config(OffsetReset::Latest));
    let committed = consumer.committed(&names).await.unwrap();
    let offsets: Vec<_> =
        committed.iter().map(|(_, committed)| committed.as_ref().map(|c| c.offset)).collect();
    assert_eq!(offsets, [None, Some(1), None]);
    // It is deleted while its topic is still known here.
    broker.delete("t");
    assert!(consumer.committed(&names).await.unwrap().iter().all(|(_, c)| c.is_none()));
    consumer.close().await;
}

#[tokio::test]
async fn without_a_commit_the_reset_policy_is_applied_at_once() {
    for (reset, expected) in [(OffsetReset::Earliest, "a b"), (OffsetReset::Latest, "b")] {
        let broker = FakeBroker::new();
        broker.create("t", 1);
        broker.append("t", 0, &["a"]);
        let consumer = subscribed(&broker, config(reset)).await;
        // Was not there when the start was chosen.
        broker.append("t", 0, &["b"]);
        assert_eq!(read(&consumer).await, expected, "{reset:?}");
        consumer.close().await;
    }
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = subscribed(&broker, config(OffsetReset::None)).await;
    consumer.fetch(LONG).await.unwrap();
    let error = consumer.take(&mut |_| Take::Yes).unwrap_err();
    assert!(matches!(error, ConsumerError::NoOffset(name) if name == partition()));
    consumer.close().await;
}

#[tokio::test]
async fn a_read_at_the_end_waits_for_the_first_record() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = assigned(&broker, OffsetReset::Latest);
    let read = read(&consumer);
    let append = async {
        broker.wait_asked("fetch 0@0").await;
        broker.append("t", 0, &["a"]);
    };
    assert_eq!(futures_util::future::join(read, append).await.0, "a");
    consumer.close().await;
}

#[tokio::test]
async fn a_dropped_fetch_loses_nothing_and_is_not_asked_again() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = assigned(&broker, OffsetReset::Latest);
    tokio::select! {
        _ = consumer.fetch(LONG) => panic!("there is nothing to read"),
        () = broker.wait_asked("fetch 0@0") => {}
    }
    broker.append("t", 0, &["a"]);
    assert_eq!(read(&consumer).await, "a");
    assert_eq!(broker.count_asked("fetch 0@0"), 1);
    consumer.close().await;
}

#[tokio::test]
async fn a_read_without_wait_asks_once() {
    let broker = FakeBroker::new();
    broker.create("t", 2);
    broker.append("t", 1, &["a"]);
    let consumer = assigned(&broker, OffsetReset::Earliest);
    consumer.assign(vec![TopicPartition::new("t", 0), TopicPartition::new("t", 1)]).unwrap();
    consumer.fetch(Duration::ZERO).await.unwrap();
    assert_eq!(take(&consumer), "a");
    assert_eq!(broker.count_asked("fetch"), 1);
    consumer.close().await;
}

#[tokio::test]
async fn a_read_of_nothing_ends_when_its_wait_is_over() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = assigned(&broker, OffsetReset::Earliest);
    consumer.fetch(Duration::ZERO).await.unwrap();
    assert_eq!(broker.count_asked("fetch"), 1);
    consumer.fetch(Duration::from_millis(3)).await.unwrap();
    assert_eq!(take(&consumer), "");
    consumer.close().await;
}

#[tokio::test]
async fn consumers_of_one_client_do_not_wait_for_each_other() {
    let broker = FakeBroker::new();
    broker.create("t", 2);
    let client = client(&broker);
    let consumers = [0, 1].map(|partition| {
        let config = ConsumerConfig { group_id: None, ..config(OffsetReset::Earliest) };
        let consumer = Consumer::new(client.clone(), config);
        consumer.assign(vec![TopicPartition::new("t", partition)]).unwrap();
        consumer
    });
    tokio::select! {
        _ = consumers[0].fetch(LONG) => panic!("there is nothing to read"),
        () = broker.wait_asked("fetch 0@0") => {}
    }
    broker.append("t", 1, &["a"]);
    assert_eq!(read(&consumers[1]).await, "a");
    for consumer in consumers {
        consumer.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_broker_holds_no_call_up_for_ever() {
    for api in [ApiKey::Metadata, ApiKey::ListOffsets, ApiKey::Fetch] {
        let broker = FakeBroker::new();
        broker.create("t", 1);
        broker.state.lock().silent.insert(api);
        let consumer = assigned(&broker, OffsetReset::Earliest);
        for wait in [Duration::ZERO, Duration::from_secs(7)] {
            let begun = Instant::now();
            consumer.fetch(wait).await.unwrap();
            let limit = wait.max(Duration::from_secs(6));
            assert!(begun.elapsed() <= limit, "{} {:?}", api.name(), begun.elapsed());
        }
        consumer.close().await;
    }
    for api in [ApiKey::FindCoordinator, ApiKey::OffsetCommit, ApiKey::OffsetFetch] {
        let broker = FakeBroker::new();
        broker.create("t", 1);
        broker.state.lock().silent.insert(api);
        let consumer = Consumer::new(client(&broker), config(OffsetReset::Earliest));
        let begun = Instant::now();
        let committed = consumer.committed(&[partition()]).await.err();
        let commit = consumer.commit(&[(partition(), 5.into())]).await.err();
        let late = [committed, commit].into_iter().flatten();
        assert!(late.clone().count() > 0 && begun.elapsed() <= 2 * LONG, "{}", api.name());
        for error in late {
            assert_eq!(error.error_code(), ErrorCode::RequestTimedOut, "{}", api.name());
        }
        consumer.close().await;
    }
}

#[tokio::test]
async fn closing_ends_the_reads_of_clones() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
    let clone = consumer.clone();
    let close = async {
        broker.wait_asked("fetch 0@0").await;
        consumer.close().await;
    };
    let (outcome, ()) = futures_util::future::join(clone.fetch(LONG), close).await;
    assert!(matches!(outcome, Err(ConsumerError::Closed)), "{outcome:?}");
    assert!(matches!(clone.take(&mut |_| Take::Yes), Err(ConsumerError::Closed)));
    assert_eq!(clone.assignment(), []);
}

#[tokio::test]
async fn the_same_subscription_again_changes_nothing() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
    consumer.subscribe_topics(vec!["t".into(), "t".into()]).unwrap();
    assert_eq!(consumer.assignment(), [partition()]);
    let before = broker.count_asked("heartbeat");
    while broker.count_asked("heartbeat") < before + 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(broker.count_asked("sync"), 1);
    consumer.subscribe_topics(Vec::new()).unwrap();
    assert!(matches!(consumer.fetch(LONG).await, Err(ConsumerError::NotSubscribed)));
    broker.wait_asked("leave").await;
    consumer.close().await;
}

#[tokio::test]
async fn nothing_is_fetched_while_nobody_reads() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    broker.append("t", 0, &["a"]);
    let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
    broker.wait_asked("heartbeat").await;
    assert_eq!(broker.count_asked("fetch"), 0);
    consumer.close().await;
}

#[tokio::test]
async fn stale_metadata_is_refreshed() {
    for code in [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
    ] {
        let broker = FakeBroker::new();
        broker.create("t", 1);
        broker.append("t", 0, &["a"]);
        broker.refuse(ApiKey::Fetch, code);
        let consumer = assigned(&broker, OffsetReset::Earliest);
        assert_eq!(read(&consumer).await, "a", "{}", code.name());
        consumer.close().await;
    }
}

#[tokio::test]
async fn a_new_leader_is_asked_whether_the_position_still_holds() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    broker.append("t", 0, &["a", "b", "c"]);
    let consumer = assigned(&broker, OffsetReset::Earliest);
    assert_eq!(read(&consumer).await, "a b c");
    broker.elect("t");
    broker.state.lock().epoch_end = 3;
    broker.append("t", 0, &["d"]);
    assert_eq!(read(&consumer).await, "d");
    assert_eq!(broker.count_asked("epoch ends"), 1);

    // The next leader has only the first record: what was read after it is gone.
    broker.elect("t");
    broker.state.lock().epoch_end = 1;
    assert_eq!(read(&consumer).await, "b c d");
    consumer.close().await;
}

#[tokio::test]
async fn a_position_outside_of_the_partition_is_reset_or_an_error() {
    for (reset, expected) in [(OffsetReset::Earliest, Some("c")), (OffsetReset::None, None)] {
        let broker = FakeBroker::new();
        broker.create("t", 1);
        for value in ["a", "b", "c"] {
            broker.append("t", 0, &[value]);
        }
        broker.trim("t", 0, 2);
        let consumer = assigned(&broker, reset);
        consumer.seek(&partition(), 0).unwrap();
        consumer.fetch(LONG).await.unwrap();
        match expected {
            Some(expected) => assert_eq!(take(&consumer), expected),
            None => {
                let error = consumer.take(&mut |_| Take::Yes).unwrap_err();
                assert!(
                    matches!(error, ConsumerError::OffsetOutOfRange { offset: 0, .. }),
                    "{error}"
                );
            }
        }
        consumer.close().await;
    }
}

#[tokio::test]
async fn a_topic_that_appears_later_is_read_from_its_beginning() {
    let broker = FakeBroker::new();
    let consumer = subscribed(&broker, config(OffsetReset::Latest)).await;
    assert_eq!(consumer.assignment(), []);
    let create = async {
        broker.create("t", 1);
        broker.append("t", 0, &["a"]);
    };
    let (values, ()) = futures_util::future::join(read(&consumer), create).await;
    assert_eq!(values, "a");
    consumer.close().await;
}

#[tokio::test]
async fn a_pattern_takes_topics_as_they_appear() {
    let broker = FakeBroker::new();
    let consumer = Consumer::new(client(&broker), config(OffsetReset::Latest));
    consumer.subscribe_pattern(|topic| topic.starts_with('t')).unwrap();
    assert!(consumer.wait_assigned(Instant::now() + LONG).await.unwrap());
    broker.create("other", 1);
    broker.create("t", 1);
    broker.append("t", 0, &["a"]);
    assert_eq!(read(&consumer).await, "a");
    assert_eq!(consumer.subscription(), ["t"]);
    consumer.close().await;
}

/// Commits what was delivered when partitions go.
struct Committer {
    consumer: Mutex<Option<Consumer>>,
    log: Mutex<Vec<String>>,
}

impl RebalanceListener for Committer {
    fn revoked(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'static, ()> {
        self.log.lock().push(format!("revoked {}", partitions.len()));
        let consumer = self.consumer.lock().clone().unwrap();
        async move { consumer.commit(&consumer.moved_positions()).await.unwrap() }.boxed()
    }

    fn lost(&self, partitions: &[TopicPartition]) {
        self.log.lock().push(format!("lost {}", partitions.len()));
    }
}

fn listen(consumer: &Consumer) -> Arc<Committer> {
    let committer =
        Committer { consumer: Mutex::new(Some(consumer.clone())), log: Mutex::default() };
    let committer = Arc::new(committer);
    consumer.set_listener(Arc::clone(&committer) as Arc<dyn RebalanceListener>);
    committer
}

#[tokio::test]
async fn delivered_offsets_can_be_committed_before_a_rebalance() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    broker.append("t", 0, &["a", "b"]);
    let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
    let listener = listen(&consumer);
    consumer.fetch(LONG).await.unwrap();
    let mut count = 0;
    consumer
        .take(&mut |_| {
            count += 1;
            if count == 1 { Take::Yes } else { Take::Stop }
        })
        .unwrap();
    broker.refuse(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress);
    broker.wait_asked("sync in 2").await;
    assert_eq!(*listener.log.lock(), ["revoked 1"]);
    assert_eq!(broker.count_asked("commit t-0@1 in 1"), 1, "in the generation that ends");
    assert_eq!(read(&consumer).await, "b", "the buffer is gone, the record is not");
    listener.consumer.lock().take();
    consumer.set_listener(Arc::new(Quiet));
    consumer.close().await;
}

struct Quiet;

impl RebalanceListener for Quiet {
    fn revoked(&self, _: Vec<TopicPartition>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

#[tokio::test]
async fn a_removed_member_joins_as_a_new_one_and_loses_its_partitions() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
    let listener = listen(&consumer);
    broker.refuse(ApiKey::Heartbeat, ErrorCode::UnknownMemberId);
    broker.wait_asked("sync in 2").await;
    assert_eq!(*listener.log.lock(), ["lost 1"]);
    assert_eq!(broker.count_asked("join ''"), 2);
    listener.consumer.lock().take();
    consumer.set_listener(Arc::new(Quiet));
    consumer.close().await;
}

#[tokio::test]
async fn a_fenced_member_is_told() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let static_member =
        ConsumerConfig { group_instance_id: Some("i".into()), ..config(OffsetReset::Earliest) };
    let consumer = subscribed(&broker, static_member).await;
    broker.refuse(ApiKey::Heartbeat, ErrorCode::FencedInstanceId);
    let error = loop {
        match consumer.fetch(LONG).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.error_code(), ErrorCode::FencedInstanceId);
    assert_eq!(consumer.assignment(), []);
    consumer.close().await;
    assert_eq!(broker.count_asked("leave"), 0, "a static member does not leave");
}

#[tokio::test]
async fn the_coordinator_is_looked_up_again_when_it_has_moved() {
    for api in [ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat, ApiKey::OffsetFetch] {
        let broker = FakeBroker::new();
        broker.create("t", 1);
        broker.refuse(ApiKey::FindCoordinator, ErrorCode::CoordinatorNotAvailable);
        broker.refuse(api, ErrorCode::NotCoordinator);
        let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
        broker.wait_asked("heartbeat").await;
        let before = broker.count_asked("find coordinator");
        assert!(api == ApiKey::Heartbeat || before >= 3, "{}: {before}", api.name());
        consumer.commit(&[(partition(), OffsetAndMetadata::from(5))]).await.unwrap();
        consumer.close().await;
    }
}

#[tokio::test]
async fn a_commit_during_a_rebalance_goes_out_in_the_next_generation() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
    broker.refuse(ApiKey::OffsetCommit, ErrorCode::RebalanceInProgress);
    consumer.commit(&[(partition(), OffsetAndMetadata::from(5))]).await.unwrap();
    assert_eq!(broker.count_asked("commit t-0@5 in 2"), 1);
    consumer.close().await;
}

#[tokio::test]
async fn a_commit_after_a_topic_was_made_again_goes_to_the_new_one() {
    for code in [ErrorCode::UnknownTopicId, ErrorCode::UnknownTopicOrPartition] {
        let broker = FakeBroker::new();
        broker.create("t", 1);
        let consumer = Consumer::new(client(&broker), config(OffsetReset::Earliest));
        broker.refuse(ApiKey::OffsetCommit, code);
        consumer.commit(&[(partition(), OffsetAndMetadata::from(5))]).await.unwrap();
        assert_eq!(broker.count_asked("commit t-0@5"), 2, "{}", code.name());
        consumer.close().await;
    }
}

#[tokio::test]
async fn a_commit_for_an_unknown_partition_is_refused_at_once() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = Consumer::new(client(&broker), config(OffsetReset::Earliest));
    for unknown in [TopicPartition::new("t", 1), TopicPartition::new("x", 0)] {
        let error = consumer.commit(&[(unknown, OffsetAndMetadata::from(5))]).await.unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::UnknownTopicOrPartition);
    }
    consumer.close().await;
}

#[tokio::test]
async fn offsets_are_committed_and_read_back_without_membership() {
    let broker = FakeBroker::new();
    broker.create("t", 2);
    let consumer = Consumer::new(client(&broker), config(OffsetReset::Earliest));
    consumer.commit(&[(partition(), OffsetAndMetadata::from(5))]).await.unwrap();
    assert_eq!(broker.count_asked("commit t-0@5 in -1"), 1);
    let other = TopicPartition::new("t", 1);
    let committed = consumer.committed(&[partition(), other.clone()]).await.unwrap();
    assert_eq!(committed[0].1.as_ref().map(|committed| committed.offset), Some(5));
    assert_eq!(committed[1], (other, None));
    consumer.close().await;
}

#[tokio::test]
async fn seeking_moves_the_next_read() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    broker.append("t", 0, &["a", "b"]);
    broker.append("t", 0, &["c"]);
    let consumer = assigned(&broker, OffsetReset::Earliest);
    consumer.fetch(LONG).await.unwrap();
    consumer.seek(&partition(), 2).unwrap();
    assert_eq!(read(&consumer).await, "c");
    consumer.seek_to_beginning(&[partition()]).await.unwrap();
    assert_eq!(consumer.position(&partition()).unwrap(), Some(0));
    consumer.seek_to_end(&[partition()]).await.unwrap();
    assert_eq!(consumer.position(&partition()).unwrap(), Some(3));
    consumer.seek_to_timestamp(&partition(), 1_000).await.unwrap();
    assert_eq!(read(&consumer).await, "a b c");
    consumer.seek_to_timestamp(&partition(), 9_000).await.unwrap();
    assert_eq!(
        consumer.position(&partition()).unwrap(),
        Some(3),
        "later than every record is the end"
    );
    let unassigned = TopicPartition::new("t", 1);
    assert!(
        matches!(consumer.seek(&unassigned, 0), Err(ConsumerError::NotAssigned(name)) if name == unassigned)
    );
    consumer.close().await;
}

#[tokio::test]
async fn a_rewound_read_is_read_again() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    broker.append("t", 0, &["a", "b"]);
    let consumer = assigned(&broker, OffsetReset::Earliest);
    consumer.fetch(LONG).await.unwrap();
    let taken = consumer.take(&mut |_| Take::Yes).unwrap();
    assert_eq!((taken.marks[0].offset, taken.marks[0].next_offset), (0, 2));
    consumer.rewind(&taken.marks);
    assert_eq!(read(&consumer).await, "a b");
    consumer.close().await;
}

#[tokio::test]
async fn calls_that_do_not_fit_together_are_refused() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = Consumer::new(client(&broker), config(OffsetReset::Earliest));
    assert!(matches!(consumer.fetch(LONG).await, Err(ConsumerError::NotSubscribed)));
    consumer.assign(vec![partition()]).unwrap();
    assert!(matches!(
        consumer.subscribe_topics(vec!["t".into()]),
        Err(ConsumerError::MixedSubscription)
    ));
    consumer.unsubscribe();
    consumer.subscribe_topics(vec!["t".into()]).unwrap();
    assert!(matches!(consumer.assign(vec![partition()]), Err(ConsumerError::MixedSubscription)));
    assert!(matches!(consumer.subscribe_pattern(|_| true), Err(ConsumerError::MixedSubscription)));
    consumer.close().await;
    assert!(matches!(consumer.fetch(LONG).await, Err(ConsumerError::Closed)));
    let alone = Consumer::new(client(&broker), ConsumerConfig::default());
    assert!(matches!(alone.subscribe_topics(vec!["t".into()]), Err(ConsumerError::NoGroup)));
}

#[tokio::test]
async fn unsubscribing_leaves_the_group_and_subscribing_joins_again() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    let consumer = subscribed(&broker, config(OffsetReset::Earliest)).await;
    consumer.unsubscribe();
    assert_eq!(consumer.assignment(), []);
    broker.wait_asked("leave").await;
    consumer.subscribe_topics(vec!["t".into()]).unwrap();
    assert!(consumer.wait_assigned(Instant::now() + LONG).await.unwrap());
    assert_eq!(consumer.assignment(), [partition()]);
    consumer.close().await;
}

#[tokio::test]
async fn a_consumer_that_is_dropped_leaves_its_group() {
    let broker = FakeBroker::new();
    broker.create("t", 1);
    drop(subscribed(&broker, config(OffsetReset::Earliest)).await);
    broker.wait_asked("leave").await;
}

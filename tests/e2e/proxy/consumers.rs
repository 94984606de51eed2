//! Consumer instances over their whole life, and what must not get lost on the way.

use std::collections::BTreeSet;
use std::thread;

use protocol::ErrorCode;
use protocol::messages::{DeleteTopicsRequest, DescribeGroupsRequest};
use serde_json::{Value, json};

use crate::harness::http::{BINARY_V1, BINARY_V2, JSON_V1, JSON_V2, V1, V2};
use crate::harness::kafka::{Cluster, Connection};
use crate::harness::{Answer, Http, Server, Setup, Stack, unique, until};

/// A wait that no test wants to see the end of, in milliseconds: longer than a hang.
const LONG: u32 = 600_000;

/// An instance of API v2, from the outside.
#[derive(Clone, Debug)]
struct Instance {
    http: Http,
    path: String,
}

impl Instance {
    /// Reads JSON from the beginning, unless `members` say something else.
    fn create(http: &Http, group: &str, members: &Value) -> Self {
        let mut body = json!({"format": "json", "auto.offset.reset": "earliest"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let answer = http.post(&format!("/consumers/{group}"), V2, body.to_string()).send();
        let name = answer.expect(200).json()["instance_id"].as_str().unwrap().to_owned();
        Self { http: http.clone(), path: format!("/consumers/{group}/instances/{name}") }
    }

    fn subscribed(http: &Http, group: &str, topic: &str, members: &Value) -> Self {
        let instance = Self::create(http, group, members);
        instance.post("subscription", &json!({"topics": [topic]})).expect(204);
        instance
    }

    fn post(&self, call: &str, body: &Value) -> Answer {
        self.http.post(&format!("{}/{call}", self.path), V2, body.to_string()).send()
    }

    fn get(&self, call: &str) -> Answer {
        self.http.get(&format!("{}/{call}", self.path)).accept(JSON_V2).send()
    }

    /// The values of one read.
    #[track_caller]
    fn read(&self, query: &str) -> Vec<Value> {
        values(&self.get(&format!("records{query}")).expect(200))
    }

    /// Reads until there are `count` values.
    #[track_caller]
    fn read_all(&self, count: usize) -> Vec<Value> {
        let mut values = vec![];
        until("all records", || {
            values.extend(self.read(""));
            (values.len() >= count).then_some(())
        });
        values
    }

    /// Commits what was delivered.
    fn commit(&self) {
        let answer = self.http.request("POST", &format!("{}/offsets", self.path)).send();
        assert_eq!(answer.expect(200).text(), "[]");
    }

    fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        let body = json!({"partitions": [{"topic": topic, "partition": partition}]});
        let request = self.http.get(&format!("{}/offsets", self.path)).header("Content-Type", V2);
        request.body(body.to_string()).send().expect(200).json()["offsets"][0]["offset"].as_i64()
    }

    fn assignment(&self) -> Vec<(String, i64)> {
        let answer = self.http.get(&format!("{}/assignments", self.path)).send().expect(200);
        let name = |partition: &Value| {
            (
                partition["topic"].as_str().unwrap().to_owned(),
                partition["partition"].as_i64().unwrap(),
            )
        };
        answer.json()["partitions"].as_array().unwrap().iter().map(name).collect()
    }

    fn delete(&self) {
        self.http.delete(&self.path).send().expect(204);
    }
}

fn values(answer: &Answer) -> Vec<Value> {
    answer.json().as_array().unwrap().iter().map(|record| record["value"].clone()).collect()
}

/// The members that the group has.
fn members(bootstrap: &str, group: &str) -> usize {
    let request =
        DescribeGroupsRequest { groups: vec![group.into()], ..DescribeGroupsRequest::default() };
    let mut connection = Connection::open(bootstrap).unwrap();
    let answer = connection.call(5, &request).unwrap();
    answer.groups[0].members.len()
}

#[test]
fn the_first_read_after_a_subscription_has_the_records() {
    let stack = Stack::start();
    let topic = unique("first-read");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 3);
    for partition in 0..3 {
        cluster.produce_values(&topic, partition, &["1"]);
    }
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &json!({}));
    assert_eq!(instance.read("").len(), 3, "of all partitions");

    // Of a reset to the end, the subscription is the moment that counts.
    let latest = json!({"auto.offset.reset": "latest"});
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &latest);
    cluster.produce_values(&topic, 0, &["2"]);
    assert_eq!(instance.read(""), [2]);

    // API v1 joins in its first read.
    let group = unique("g");
    let create = r#"{"name":"i","format":"json","auto.offset.reset":"smallest"}"#;
    stack.http().post(&format!("/consumers/{group}"), V1, create).send().expect(200);
    let read = format!("/consumers/{group}/instances/i/topics/{topic}");
    let answer = stack.http().get(&read).accept(JSON_V1).send().expect(200);
    assert_eq!(answer.json().as_array().unwrap().len(), 4);
}

#[test]
fn what_max_bytes_cuts_off_is_not_committed_and_comes_first() {
    let stack = Stack::start();
    let topic = unique("max-bytes");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["11111", "22222", "33333", "44444"]);
    let group = unique("g");
    let options = json!({"auto.commit.enable": false});
    let instance = Instance::subscribed(&stack.http(), &group, &topic, &options);
    // Less than the limit, not up to it.
    assert_eq!(instance.read("?max_bytes=10"), [11_111]);
    assert_eq!(instance.committed(&topic, 0), None);
    instance.commit();
    assert_eq!(instance.committed(&topic, 0), Some(1));
    assert_eq!(instance.read("?max_bytes=11"), [22_222, 33_333]);
    // A record that is too large alone still comes, so that the client gets on.
    assert_eq!(instance.read("?max_bytes=1"), [44_444]);
    instance.delete();

    // Who takes over goes on behind what was committed, not behind what was read.
    let next = Instance::subscribed(&stack.http(), &group, &topic, &options);
    assert_eq!(next.read(""), [22_222, 33_333, 44_444]);
}

#[test]
fn reads_at_the_same_time_share_the_records() {
    let stack = Stack::start();
    let topic = unique("shared-reads");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 4);
    let expected: BTreeSet<i64> = (0..2_000).collect();
    for (partition, first) in [(0, 0), (1, 500), (2, 1_000), (3, 1_500)] {
        let values: Vec<String> =
            (first..first + 500).map(|value: i64| value.to_string()).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        cluster.produce_values(&topic, partition, &values);
    }
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &json!({}));
    let reader = || {
        let mut values = vec![];
        loop {
            let read = instance.read("?max_bytes=500&timeout=500");
            if read.is_empty() {
                return values;
            }
            values.extend(read.iter().map(|value| value.as_i64().unwrap()));
        }
    };
    let read: Vec<i64> = thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(reader)).collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    assert_eq!(read.len(), expected.len(), "none twice");
    assert_eq!(read.into_iter().collect::<BTreeSet<i64>>(), expected);
}

#[test]
fn instances_of_a_group_split_the_partitions_and_take_over() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("split");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 2);
    cluster.produce_values(&topic, 0, &["1"]);
    cluster.produce_values(&topic, 1, &["2"]);
    let group = unique("g");
    let first = Instance::subscribed(&http, &group, &topic, &json!({}));
    assert_eq!(first.read_all(2).len(), 2);

    // What the first has read is committed before the second gets its part.
    let second = Instance::subscribed(&http, &group, &topic, &json!({}));
    until("one partition for each", || {
        let (a, b) = (first.assignment(), second.assignment());
        (a.len() == 1 && b.len() == 1 && a != b).then_some(())
    });
    // The third of two partitions has nothing to read, which is no error.
    let third = Instance::subscribed(&http, &group, &topic, &json!({}));
    until("three members", || (members(&stack.bootstrap, &group) == 3).then_some(()));
    until("one partition for two of three", || {
        let all = [first.assignment(), second.assignment(), third.assignment()].concat();
        (all.len() == 2 && all[0] != all[1]).then_some(())
    });
    cluster.produce_values(&topic, 0, &["3"]);
    cluster.produce_values(&topic, 1, &["4"]);
    let mut read = vec![];
    until("the new records", || {
        for instance in [&first, &second, &third] {
            read.extend(instance.read("?timeout=100"));
        }
        (read.len() >= 2).then_some(())
    });
    read.sort_by_key(|value| value.as_i64());
    assert_eq!(read, [3, 4], "nothing again");

    second.delete();
    third.delete();
    until("both partitions", || (first.assignment().len() == 2).then_some(()));
    cluster.produce_values(&topic, 0, &["5"]);
    cluster.produce_values(&topic, 1, &["6"]);
    let mut read = first.read_all(2);
    read.sort_by_key(|value| value.as_i64());
    assert_eq!(read, [5, 6]);
}

/// Kafka tells members with their heartbeats that another one has come or gone;
/// here they would only hear of it when the test is long over.
#[test]
fn instances_of_one_proxy_do_not_wait_for_heartbeats() {
    let stack = Stack::with(&[
        ("consumer.heartbeat.interval.ms", "900000"),
        ("consumer.session.timeout.ms", "1800000"),
    ]);
    let http = stack.http();
    let topic = unique("heartbeats");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 2);
    let group = unique("g");
    let first = Instance::subscribed(&http, &group, &topic, &json!({}));
    assert_eq!(first.assignment().len(), 2);
    let second = Instance::subscribed(&http, &group, &topic, &json!({}));
    until("one partition for each", || {
        (first.assignment().len() == 1 && second.assignment().len() == 1).then_some(())
    });
    second.delete();
    until("both partitions", || (first.assignment().len() == 2).then_some(()));
    first.delete();
}

#[test]
fn subscribing_to_what_cannot_be_a_topic_is_told_by_reads() {
    let stack = Stack::start();
    let http = stack.http();
    let instance = Instance::subscribed(&http, &unique("g"), "bad name!", &json!({}));
    let refused = instance.get("records").expect_error(400, 40002);
    assert_eq!(refused.json()["message"], "Invalid topics: [bad name!]");
    instance.delete();
}

#[test]
fn nothing_is_committed_for_a_topic_that_does_not_exist() {
    let stack = Stack::start();
    let http = stack.http();
    let instance = Instance::create(&http, &unique("g"), &json!({}));
    let asked = json!({"partitions": [{"topic": unique("nowhere"), "partition": 0}]});
    let request = http.get(&format!("{}/offsets", instance.path)).header("Content-Type", V2);
    let answer = request.body(asked.to_string()).send().expect(200);
    assert_eq!(answer.json(), json!({"offsets": []}));
    instance.delete();
}

#[test]
fn an_instance_expires_when_idle_and_never_during_a_read() {
    let stack = Stack::with(&[("consumer.instance.timeout.ms", "300")]);
    let http = stack.http();
    let topic = unique("expiry");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    let group = unique("g");
    let expired = |server: &Server| server.log().matches("a consumer instance expired").count();

    let busy_group = unique("busy");
    let long = json!({"consumer.request.timeout.ms": LONG});
    let busy = Instance::subscribed(&http, &busy_group, &topic, &long);
    let reading = thread::spawn({
        let busy = busy.clone();
        move || busy.read("")
    });
    let idle = Instance::subscribed(&http, &group, &topic, &json!({"name": "i"}));
    until("the end of the idle instance", || (expired(&stack.server) == 1).then_some(()));
    idle.get("records").expect_error(404, 40403);
    until("an empty group", || (members(&stack.bootstrap, &group) == 0).then_some(()));
    // Its name is free again.
    Instance::create(&http, &group, &json!({"name": "i"}));
    until("the end of the second one", || (expired(&stack.server) == 2).then_some(()));

    // The other one has been reading for longer than both of them lived.
    assert_eq!(members(&stack.bootstrap, &busy_group), 1);
    cluster.produce_values(&topic, 0, &["1"]);
    assert_eq!(reading.join().unwrap(), [1]);
    until("its end", || (expired(&stack.server) == 3).then_some(()));
    busy.get("records").expect_error(404, 40403);
}

#[test]
fn a_client_that_hangs_up_while_it_waits_loses_nothing() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("hang-up");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    let options = json!({"consumer.request.timeout.ms": LONG});
    let instance = Instance::subscribed(&http, &unique("g"), &topic, &options);
    for value in 1..4 {
        let path = format!("{}/records", instance.path);
        let read = http.get(&path).accept(JSON_V2).start().unwrap();
        let port = read.local_addr().unwrap().port();
        until("the begin of the read", || (unread(&http, port) == Some(0)).then_some(()));
        drop(read);
        until("the end of the connection", || unread(&http, port).is_none().then_some(()));
        cluster.produce_values(&topic, 0, &[&value.to_string()]);
        assert_eq!(instance.read(""), [value]);
    }
}

/// How many bytes the server has not taken yet of those that came from this
/// port; `None` when its end of the connection is closed. What it has taken is
/// at once with its handler.
fn unread(http: &Http, client_port: u16) -> Option<u64> {
    let server = format!(":{:04X}", http.address().port());
    let client = format!(":{client_port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, queues, ..] = columns[..] else { panic!("{line}") };
        // 06: TIME_WAIT, which is left over when both are done.
        let is_it = local.ends_with(&server) && remote.ends_with(&client) && state != "06";
        let (_, unread) = queues.split_once(':').unwrap();
        is_it.then(|| u64::from_str_radix(unread, 16).unwrap())
    })
}

#[test]
fn head_delivers_nothing() {
    let stack = Stack::start();
    let topic = unique("head");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1"]);
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &json!({}));
    let path = format!("{}/records", instance.path);
    let answer = stack.http().request("HEAD", &path).accept(JSON_V2).send().expect(200);
    assert!(answer.body.is_empty() && answer.header("content-length") != Some("2"));
    instance.commit();
    assert_eq!(instance.committed(&topic, 0), None);
    assert_eq!(instance.read(""), [1]);
}

#[test]
fn a_record_that_is_not_in_the_format_is_named_until_it_is_passed() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("poison");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1", "poison", "2"]);
    let options = json!({"auto.commit.enable": false});
    let instance = Instance::subscribed(&http, &unique("g"), &topic, &options);
    assert_eq!(instance.read(""), [1], "what comes before is delivered");
    for _ in 0..2 {
        let answer = instance.get("records").expect_error(408, 40801);
        let expected = format!("{topic}-0 at offset 1 ");
        assert!(answer.text().contains(&expected), "{}", answer.text());
    }
    instance.commit();
    assert_eq!(instance.committed(&topic, 0), Some(1));
    let past = json!({"offsets": [{"topic": topic, "partition": 0, "offset": 2}]});
    instance.post("positions", &past).expect(204);
    assert_eq!(instance.read(""), [2]);

    let group = unique("g");
    let create = r#"{"name":"i","format":"json","auto.offset.reset":"smallest"}"#;
    http.post(&format!("/consumers/{group}"), V1, create).send().expect(200);
    let read = format!("/consumers/{group}/instances/i/topics/{topic}");
    let read = || http.get(&read).accept(JSON_V1).send();
    assert_eq!(values(&read().expect(200)), [1]);
    let answer = read().expect_error(500, 50002);
    assert!(answer.text().contains(&format!("{topic}-0 at offset 1 ")), "{}", answer.text());

    // The bytes themselves can be had in any case.
    let binary = json!({"format": "binary"});
    let instance = Instance::subscribed(&http, &unique("g"), &topic, &binary);
    let answer = http.get(&format!("{}/records", instance.path)).accept(BINARY_V2).send();
    assert_eq!(values(&answer.expect(200)), ["MQ==", "cG9pc29u", "Mg=="]);
}

#[test]
fn calls_of_the_other_version_say_which_one_it_is() {
    let stack = Stack::start();
    let http = stack.http();
    let group = unique("g");
    // As `requests.post(url, json=…)` sends it: that is API v1.
    let create = r#"{"name":"one"}"#;
    http.post(&format!("/consumers/{group}"), "application/json", create).send().expect(200);
    let one = format!("/consumers/{group}/instances/one");
    let topics = r#"{"topics":["t"]}"#;
    for content_type in ["application/json", V2] {
        let answer = http.post(&format!("{one}/subscription"), content_type, topics).send();
        let answer = answer.expect_error(409, 40903);
        assert!(answer.text().contains(V2), "it says what to do: {}", answer.text());
    }
    let two = Instance::create(&http, &group, &json!({"name": "two"}));
    let answer = http.get(&format!("{}/topics/t", two.path)).accept(BINARY_V1).send();
    let answer = answer.expect_error(409, 40903);
    assert!(answer.text().contains(V1), "{}", answer.text());

    // Calls that both have work from either.
    let answer = http.request("POST", &format!("{}/offsets", two.path)).accept(V1).send();
    assert_eq!(answer.expect(200).text(), "[]");
    http.delete(&one).accept(V2).send().expect(204);
    http.delete(&two.path).accept(V1).send().expect(204);
    http.delete(&one).send().expect_error(404, 40403);
}

#[test]
fn names_are_taken_once_and_instances_have_a_limit() {
    let stack = Stack::with(&[("consumer.instances.max", "3")]);
    let http = stack.http();
    let path = format!("/consumers/{}", unique("g"));
    let create = |name: &str| http.post(&path, V2, json!({"name": name}).to_string()).send();
    let mut answers: Vec<u16> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| create("same").status)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    answers.sort_unstable();
    assert_eq!(answers, [200, 409, 409, 409, 409, 409, 409, 409]);
    create("two").expect(200);
    create("three").expect(200);
    let answer = create("four").expect_error(429, 429);
    assert!(answer.text().contains("consumer.instances.max"), "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    create("same").expect_error(409, 40902);
    http.delete(&format!("{path}/instances/same")).send().expect(204);
    create("four").expect(200);
}

#[test]
fn a_read_gathers_fetch_min_bytes() {
    let stack = Stack::start();
    let topic = unique("min-bytes");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1111"]);
    let options = json!({"fetch.min.bytes": 4, "consumer.request.timeout.ms": LONG});
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &options);
    let reading = thread::spawn({
        let instance = instance.clone();
        move || instance.read("")
    });
    // What it waits for is more than that.
    cluster.produce_values(&topic, 0, &["2222"]);
    assert_eq!(reading.join().unwrap(), [1_111, 2_222]);
    assert_eq!(instance.read("?timeout=1"), [0; 0]);
}

#[test]
fn delivered_records_are_committed_by_themselves_when_an_instance_ends() {
    let stack = Stack::start();
    let topic = unique("auto-commit");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1", "2", "3"]);
    let group = unique("g");
    for expected in [1, 2] {
        let instance = Instance::subscribed(&stack.http(), &group, &topic, &json!({}));
        assert_eq!(instance.read("?max_bytes=1"), [expected]);
        instance.delete();
    }
    let instance = Instance::subscribed(&stack.http(), &group, &topic, &json!({}));
    assert_eq!(instance.committed(&topic, 0), Some(2));
    // It ends with its subscription, too.
    assert_eq!(instance.read("?max_bytes=1"), [3]);
    stack.http().delete(&format!("{}/subscription", instance.path)).send().expect(204);
    assert_eq!(instance.committed(&topic, 0), Some(3));
    instance.get("records").expect_error(409, 40903);
}

#[test]
fn what_an_answer_held_is_committed_with_the_next_read_at_the_earliest() {
    let stack = Stack::with(&[("consumer.auto.commit.interval.ms", "1")]);
    let topic = unique("interval");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1", "2"]);
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &json!({}));
    assert_eq!(instance.read("?max_bytes=1"), [1]);
    // The client may not have done its work with it yet.
    assert_eq!(instance.committed(&topic, 0), None);
    assert_eq!(instance.read("?max_bytes=1"), [2]);
    until("the commit", || (instance.committed(&topic, 0)? == 1).then_some(()));
    instance.read("?timeout=1");
    until("the next commit", || (instance.committed(&topic, 0)? == 2).then_some(()));
}

#[test]
fn answers_fit_into_the_memory_that_there_is_for_them() {
    let limits = [("rest.max.request.bytes", "1024"), ("rest.max.inflight.bytes", "4096")];
    let stack = Stack::with(&limits);
    let topic = unique("memory");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1"; 500]);
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &json!({}));
    let mut count = 0;
    while count < 500 {
        let answer = instance.get("records").expect(200);
        assert!(answer.body.len() <= 4096 + 200, "{} bytes", answer.body.len());
        let read = values(&answer).len();
        assert!(read > 0, "there are more");
        count += read;
    }
    assert_eq!(count, 500);
    let path = format!("/topics/{topic}/partitions/0/messages?count=500");
    let answer = stack.http().get(&path).accept(JSON_V1).send().expect(200);
    assert!(answer.body.len() <= 4096 + 200 && values(&answer).len() > 1);
}

#[test]
fn a_topic_that_is_deleted_ends_no_instance() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("deleted");
    let cluster = Cluster::new(&stack.bootstrap);
    let kept = unique("kept");
    for topic in [&topic, &kept] {
        cluster.create_topic(topic, 1);
        cluster.produce_values(topic, 0, &["1"]);
    }
    // A subscription would create it again, where the cluster lets it.
    let instance = Instance::create(&http, &unique("g"), &json!({}));
    let partition = |topic| json!({"topic": topic, "partition": 0});
    let partitions = json!({"partitions": [partition(&topic), partition(&kept)]});
    instance.post("assignments", &partitions).expect(204);
    assert_eq!(instance.read_all(2), [1, 1]);
    let request = DeleteTopicsRequest {
        topic_names: vec![topic.as_str().into()],
        timeout_ms: 30_000,
        ..DeleteTopicsRequest::default()
    };
    let answer = Connection::open(&stack.bootstrap).unwrap().call(5, &request).unwrap();
    assert_eq!(answer.responses[0].error_code, ErrorCode::None);
    until("the end of the topic", || (!cluster.topics().contains(&topic)).then_some(()));
    let offset = json!({"offsets": [{"topic": topic, "partition": 0, "offset": 0}]});
    instance.post("offsets", &offset).expect_error(404, 40402);
    instance.commit();
    assert_eq!(instance.committed(&kept, 0), Some(1));
    cluster.produce_values(&kept, 0, &["2"]);
    assert_eq!(instance.read_all(1), [2]);
    instance.delete();
}

#[test]
fn positions_move_forwards_backwards_and_to_a_time() {
    let stack = Stack::start();
    let topic = unique("positions");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1", "2", "3"]);
    let instance = Instance::subscribed(&stack.http(), &unique("g"), &topic, &json!({}));
    // Without a read before, and past what a read has buffered.
    let partition = json!({"topic": topic, "partition": 0});
    let to = |offset| json!({"offsets": [{"topic": topic, "partition": 0, "offset": offset}]});
    instance.post("positions", &to(1)).expect(204);
    assert_eq!(instance.read("?max_bytes=1"), [2]);
    instance.post("positions", &to(0)).expect(204);
    assert_eq!(instance.read(""), [1, 2, 3]);
    instance.post("positions/beginning", &json!({"partitions": [partition]})).expect(204);
    assert_eq!(instance.read(""), [1, 2, 3]);
    instance.post("positions/end", &json!({"partitions": []})).expect(204);
    cluster.produce_values(&topic, 0, &["4"]);
    assert_eq!(instance.read(""), [4]);
    let time = |time| json!({"timestamps": [{"topic": topic, "partition": 0, "timestamp": time}]});
    instance.post("positions", &time("2020-01-01T00:00:00Z")).expect(204);
    assert_eq!(instance.read(""), [1, 2, 3, 4]);
    instance.post("positions", &time("2099-01-01T00:00:00+01:00")).expect(204);
    cluster.produce_values(&topic, 0, &["5"]);
    assert_eq!(instance.read(""), [5]);
    // A position that was sought counts as one to commit.
    instance.post("positions", &to(2)).expect(204);
    instance.commit();
    assert_eq!(instance.committed(&topic, 0), Some(2));
}

#[test]
fn a_pattern_reads_topics_that_appear_later() {
    let stack = Stack::with(&[("consumer.metadata.max.age.ms", "100")]);
    let prefix = unique("pattern");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&format!("{prefix}-a"), 1);
    cluster.produce_values(&format!("{prefix}-a"), 0, &["1"]);
    cluster.create_topic(&format!("x{prefix}-a"), 1);
    cluster.produce_values(&format!("x{prefix}-a"), 0, &["0"]);
    let instance = Instance::create(&stack.http(), &unique("g"), &json!({}));
    let pattern = json!({"topic_pattern": format!("{prefix}-.")});
    instance.post("subscription", &pattern).expect(204);
    assert_eq!(instance.read(""), [1]);
    cluster.create_topic(&format!("{prefix}-b"), 1);
    cluster.produce_values(&format!("{prefix}-b"), 0, &["2"]);
    assert_eq!(instance.read_all(1), [2]);
    let topics = instance.http.get(&format!("{}/subscription", instance.path)).send().expect(200);
    assert_eq!(topics.json(), json!({"topics": [format!("{prefix}-a"), format!("{prefix}-b")]}));
}

#[test]
fn an_instance_reads_on_after_its_broker_was_killed() {
    let broker = Setup::new().start();
    let proxy = Setup::proxy_of(broker.broker()).start();
    let topic = unique("killed");
    let cluster = Cluster::new(broker.broker());
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1", "2"]);
    let instance = Instance::subscribed(&proxy.http(), &unique("g"), &topic, &json!({}));
    assert_eq!(instance.read("?max_bytes=1"), [1]);
    instance.commit();
    let broker = broker.kill_and_restart();
    Cluster::new(broker.broker()).produce_values(&topic, 0, &["3"]);
    // It may join anew; then it goes on behind what it has committed.
    assert_eq!(instance.read_all(2), [2, 3]);
    instance.commit();
    assert_eq!(instance.committed(&topic, 0), Some(3));
}

#[test]
fn all_instances_leave_their_groups_when_the_program_stops() {
    let stack = Stack::start();
    let topic = unique("stop");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    cluster.produce_values(&topic, 0, &["1"]);
    let proxy = Setup::proxy_of(&stack.bootstrap).start();
    let group = unique("g");
    let options = json!({"consumer.request.timeout.ms": LONG});
    let instance = Instance::subscribed(&proxy.http(), &group, &topic, &options);
    assert_eq!(instance.read(""), [1]);
    // One that waits does not hold up the stop.
    let waiting = thread::spawn({
        let instance = instance.clone();
        move || instance.http.get(&format!("{}/records", instance.path)).accept(JSON_V2).try_send()
    });
    assert_eq!(members(&stack.bootstrap, &group), 1);
    assert!(proxy.stop().success());
    // It was answered, or had not been taken yet.
    if let Ok(answer) = waiting.join().unwrap() {
        assert!(answer.status == 503 || answer.text() == "[]", "{}", answer.text());
    }
    assert_eq!(members(&stack.bootstrap, &group), 0);
    // And what it had delivered is committed.
    let next = Instance::subscribed(&stack.http(), &group, &topic, &json!({}));
    assert_eq!(next.committed(&topic, 0), Some(1));
}

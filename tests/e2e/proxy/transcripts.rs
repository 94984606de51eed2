//! Whole conversations, each answer checked to the byte.

use crate::harness::http::{BINARY_V1, BINARY_V2, JSON_V1, JSON_V2, V1, V2};
use crate::harness::kafka::Cluster;
use crate::harness::{Answer, Stack, unique};

#[track_caller]
fn check(answer: &Answer, status: u16, content_type: &str, body: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.content_type(), content_type);
    assert_eq!(answer.text(), body);
}

#[test]
fn v1_binary_from_produce_to_delete() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("binarytest");
    let group = unique("g1");
    Cluster::new(&stack.bootstrap).create_topic(&topic, 1);

    let answer = http
        .post(&format!("/topics/{topic}"), BINARY_V1, r#"{"records":[{"value":"S2Fma2E="}]}"#)
        .send();
    check(
        &answer,
        200,
        V1,
        r#"{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null}],"key_schema_id":null,"value_schema_id":null}"#,
    );

    let create = r#"{"name":"c1","format":"binary","auto.offset.reset":"smallest","auto.commit.enable":"false"}"#;
    let path = format!("/consumers/{group}");
    let answer = http.post(&path, V1, create).header("Host", "localhost:8082").send();
    let instance = format!("{path}/instances/c1");
    check(
        &answer,
        200,
        V1,
        &format!(r#"{{"instance_id":"c1","base_uri":"http://localhost:8082{instance}"}}"#),
    );

    let record = format!(
        r#"[{{"key":null,"value":"S2Fma2E=","partition":0,"offset":0,"topic":"{topic}"}}]"#
    );
    let read = format!("{instance}/topics/{topic}");
    check(&http.get(&read).accept(BINARY_V1).send(), 200, BINARY_V1, &record);
    check(
        &http.get(&read).accept(JSON_V1).send(),
        406,
        JSON_V1,
        r#"{"error_code":40601,"message":"The requested embedded data format does not match the deserializer for this consumer instance"}"#,
    );

    let committed = format!(r#"[{{"topic":"{topic}","partition":0,"consumed":0,"committed":0}}]"#);
    check(&http.request("POST", &format!("{instance}/offsets")).send(), 200, V1, &committed);

    let messages = format!("/topics/{topic}/partitions/0/messages?offset=0&count=5");
    check(&http.get(&messages).send(), 200, BINARY_V1, &record);

    check(&http.delete(&instance).send(), 204, "", "");
    check(
        &http.delete(&instance).accept(V1).send(),
        404,
        V1,
        r#"{"error_code":40403,"message":"Consumer instance not found."}"#,
    );
}

#[test]
fn v2_json_from_produce_to_seek() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("jsontest");
    let group = unique("g2");
    Cluster::new(&stack.bootstrap).create_topic(&topic, 1);

    let body = r#"{"records":[{"key":"k","value":{"foo":"bar"}},{"value":53.5}]}"#;
    let answer = http.post(&format!("/topics/{topic}"), JSON_V2, body).accept(V2).send();
    check(
        &answer,
        200,
        V2,
        r#"{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null},{"partition":0,"offset":1,"error_code":null,"error":null}],"key_schema_id":null,"value_schema_id":null}"#,
    );

    let path = format!("/consumers/{group}");
    let create = r#"{"name":"c2","format":"json","auto.offset.reset":"earliest"}"#;
    let answer = http.post(&path, V2, create).header("Host", "localhost:8082").send();
    let instance = format!("{path}/instances/c2");
    check(
        &answer,
        200,
        V2,
        &format!(r#"{{"instance_id":"c2","base_uri":"http://localhost:8082{instance}"}}"#),
    );

    let post = |call: &str, body: String| http.post(&format!("{instance}/{call}"), V2, body).send();
    check(&post("subscription", format!(r#"{{"topics":["{topic}"]}}"#)), 204, "", "");
    let partitions = format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0}}]}}"#);
    check(
        &post("assignments", partitions.clone()),
        409,
        V2,
        r#"{"error_code":40903,"message":"Illegal state: Subscription to topics, partitions and pattern are mutually exclusive"}"#,
    );
    check(
        &http.get(&format!("{instance}/records")).accept(JSON_V2).send(),
        200,
        JSON_V2,
        &format!(
            r#"[{{"topic":"{topic}","key":"k","value":{{"foo":"bar"}},"partition":0,"offset":0}},{{"topic":"{topic}","key":null,"value":53.5,"partition":0,"offset":1}}]"#
        ),
    );

    let offset = |topic: &str, offset| {
        format!(r#"{{"offsets":[{{"topic":"{topic}","partition":0,"offset":{offset}}}]}}"#)
    };
    // The number is the last record that was processed; stored is the next one.
    check(&post("offsets", offset(&topic, 0)), 200, V2, "[]");
    let path = format!("{instance}/offsets");
    let answer = http.get(&path).header("Content-Type", V2).body(&partitions).send();
    check(
        &answer,
        200,
        V2,
        &format!(r#"{{"offsets":[{{"topic":"{topic}","partition":0,"offset":1,"metadata":""}}]}}"#),
    );
    check(&post("positions", offset(&topic, 1)), 204, "", "");
    check(
        &post("positions", offset("other", 1)),
        409,
        V2,
        r#"{"error_code":40903,"message":"Illegal state: No current assignment for partition other-0"}"#,
    );
    check(&http.delete(&instance).send(), 204, "", "");
}

/// The programs of the training courses that still speak API v1 (see `examples/python/`)
/// use a media type with the format in it everywhere, and no Accept.
#[test]
fn v1_of_the_training_courses() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("my_topic");
    let group = unique("my_group");

    // The topic is created by the first record.
    let body = r#"{"records":[{"key":"a2V5","value":"dmFsdWU="},{"key":"a2V5","value":"Mg=="}]}"#;
    let answer = http.post(&format!("/topics/{topic}"), BINARY_V1, body).send().expect(200);
    assert_eq!(answer.json()["offsets"][1]["offset"], 1);

    let create =
        r#"{"format":"binary","auto.offset.reset":"smallest","auto.commit.enable":"false"}"#;
    let answer = http.post(&format!("/consumers/{group}"), BINARY_V1, create).send().expect(200);
    let base_uri = answer.json()["base_uri"].as_str().unwrap().to_owned();
    let instance = base_uri.strip_prefix(stack.server.rest()).expect("it is absolute").to_owned();
    let name = answer.json()["instance_id"].as_str().unwrap().to_owned();
    assert!(name.starts_with("rest-consumer-") && instance.ends_with(&name), "{base_uri}");

    let read = format!("{instance}/topics/{topic}");
    let answer = http.get(&read).accept(BINARY_V1).send().expect(200);
    assert_eq!(answer.json().as_array().unwrap().len(), 2);
    assert_eq!(answer.json()[0]["key"], "a2V5");
    assert_eq!(answer.json()[1]["value"], "Mg==");

    let answer = http.request("POST", &format!("{instance}/offsets")).send().expect(200);
    assert_eq!(answer.json()[0]["consumed"], 1);
    assert_eq!(answer.json()[0]["committed"], 1);
    http.delete(&instance).send().expect(204);

    // Whoever takes the group over goes on behind that.
    let http_body = r#"{"name":"next","auto.offset.reset":"smallest"}"#;
    http.post(&format!("/consumers/{group}"), V1, http_body).send().expect(200);
    let body = r#"{"records":[{"value":"Mw=="}]}"#;
    http.post(&format!("/topics/{topic}"), BINARY_V1, body).send().expect(200);
    let answer =
        http.get(&format!("/consumers/{group}/instances/next/topics/{topic}")).send().expect(200);
    assert_eq!(answer.content_type(), BINARY_V1);
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
    assert_eq!(answer.json()[0]["offset"], 2);
}

#[test]
fn v1_and_v2_share_a_topic_and_keep_their_instances_apart() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("shared");
    let group = unique("apart");
    Cluster::new(&stack.bootstrap).create_topic(&topic, 1);
    let body = r#"{"records":[{"value":{"a":1}}]}"#;
    http.post(&format!("/topics/{topic}"), JSON_V1, body).send().expect(200);

    let path = format!("/consumers/{group}");
    http.post(&path, V1, r#"{"name":"one","format":"json","auto.offset.reset":"smallest"}"#)
        .send()
        .expect(200);
    http.post(&path, V2, r#"{"name":"two","format":"binary","auto.offset.reset":"earliest"}"#)
        .send()
        .expect(200);

    // A call of the other version says what to do, and not that there is no instance.
    let answer = http.get(&format!("{path}/instances/one/records")).accept(JSON_V2).send();
    let answer = answer.expect_error(409, 40903);
    assert!(answer.text().contains("created through API v1"), "{}", answer.text());
    let answer = http
        .get(&format!("{path}/instances/two/topics/{topic}"))
        .accept(BINARY_V1)
        .send()
        .expect_error(409, 40903);
    assert!(answer.text().contains("created through API v2"), "{}", answer.text());

    let answer = http.get(&format!("{path}/instances/one/topics/{topic}")).accept(JSON_V1).send();
    assert_eq!(answer.expect(200).json()[0]["value"]["a"], 1);
    // Another topic needs another instance.
    let other = unique("other");
    Cluster::new(&stack.bootstrap).create_topic(&other, 1);
    http.get(&format!("{path}/instances/one/topics/{other}"))
        .accept(JSON_V1)
        .send()
        .expect_error(409, 40901);
    http.delete(&format!("{path}/instances/one")).send().expect(204);

    let subscription = format!(r#"{{"topics":["{topic}"]}}"#);
    http.post(&format!("{path}/instances/two/subscription"), V2, subscription).send().expect(204);
    let answer = http.get(&format!("{path}/instances/two/records")).accept(BINARY_V2).send();
    assert_eq!(answer.expect(200).json()[0]["value"], "eyJhIjoxfQ==");
    http.delete(&format!("{path}/instances/two")).send().expect(204);
}

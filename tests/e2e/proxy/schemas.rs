//! Records with schemas through the proxy: Avro in API v1 and v2, JSON Schema
//! and Protobuf in v2, with the registry of the program and with another one.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::harness::http::{
    AVRO_V1, AVRO_V2, BINARY_V2, JSONSCHEMA_V2, PROTOBUF_V2, REGISTRY, V1, V2,
};
use crate::harness::kafka::Cluster;
use crate::harness::{Answer, Http, Stack, unique};

const USER: &str = r#"{"type":"record","name":"User","fields":[{"name":"name","type":"string"}]}"#;
const COUNT: &str = r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;
const ORDER: &str =
    "syntax = \"proto3\";\nmessage Order {\n  int64 id = 1;\n  string item_name = 2;\n}\n";

fn produce(http: &Http, topic: &str, media_type: &str, body: &Value) -> Answer {
    http.post(&format!("/topics/{topic}"), media_type, body.to_string()).send()
}

/// Reads a topic from its begin through an instance of API v2 of this format.
fn read_v2(http: &Http, topic: &str, format: &str) -> Answer {
    let path = format!("/consumers/{}", unique("group"));
    let create = json!({ "name": "i", "format": format, "auto.offset.reset": "earliest" });
    http.post(&path, V2, create.to_string()).send().expect(200);
    let instance = format!("{path}/instances/i");
    let subscription = json!({ "topics": [topic] });
    http.post(&format!("{instance}/subscription"), V2, subscription.to_string()).send().expect(204);
    let media_type = format!("application/vnd.kafka.{format}.v2+json");
    let answer = http.get(&format!("{instance}/records")).accept(&media_type).send();
    http.delete(&instance).send().expect(204);
    answer
}

#[test]
fn avro_of_v1_from_the_first_schema_to_the_last_record() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("avrotest");
    Cluster::new(&stack.bootstrap).create_topic(&topic, 1);

    let body = json!({ "value_schema": USER, "records": [{ "value": { "name": "testUser" } }] });
    let answer = produce(&http, &topic, AVRO_V1, &body).expect(200);
    assert_eq!(answer.content_type(), V1);
    let id = answer.json()["value_schema_id"].as_i64().expect("an id");
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"offsets":[{{"partition":0,"offset":0,"error_code":null,"error":null}}],"key_schema_id":null,"value_schema_id":{id}}}"#
        )
    );
    // From then on the id will do, wherever in the body it stands.
    let body = format!(r#"{{"records":[{{"value":{{"name":"second"}}}}],"value_schema_id":{id}}}"#);
    let answer = http.post(&format!("/topics/{topic}"), AVRO_V1, body).send().expect(200);
    assert_eq!(answer.json()["value_schema_id"], id);
    assert_eq!(answer.json()["offsets"][0]["offset"], 1);

    let records = json!([{ "value": { "name": "x" } }]);
    for (body, status, code) in [
        (json!({ "records": records }), 422, 42202),
        (
            json!({ "value_schema_id": id, "records": [{ "key": "k", "value": { "name": "x" } }] }),
            422,
            42201,
        ),
        (json!({ "value_schema_id": id, "records": [{ "value": { "nam": "x" } }] }), 422, 42203),
        (json!({ "value_schema": "{\"type\":\"nope\"}", "records": records }), 422, 42205),
        (json!({ "value_schema_id": 987_654, "records": records }), 408, 40801),
        (json!({ "value_schema": "\"int\"", "records": [{ "value": 1 }] }), 408, 40801),
        (json!({ "value_schema": {}, "records": records }), 400, 400),
        (json!({ "value_schema_id": "x", "records": records }), 400, 400),
        (json!({ "value_schema_id": id, "records": [] }), 422, 422),
    ] {
        let answer = produce(&http, &topic, AVRO_V1, &body).expect_error(status, code);
        assert_eq!(answer.content_type(), V1);
    }
    // An id needs not be that of the topic.
    let other = unique("avrotest");
    let body = json!({ "value_schema_id": id, "records": [{ "value": { "name": "x" } }] });
    produce(&http, &other, AVRO_V1, &body).expect(200);

    // Nothing of what was refused is there.
    let path = format!("/consumers/{}", unique("group"));
    let create = r#"{"name":"c","format":"avro","auto.offset.reset":"smallest"}"#;
    http.post(&path, V1, create).send().expect(200);
    let read = format!("{path}/instances/c/topics/{topic}");
    let expected = format!(
        r#"[{{"key":null,"value":{{"name":"testUser"}},"partition":0,"offset":0,"topic":"{topic}"}},{{"key":null,"value":{{"name":"second"}},"partition":0,"offset":1,"topic":"{topic}"}}]"#
    );
    let answer = http.get(&read).accept(AVRO_V1).send().expect(200);
    assert_eq!((answer.content_type(), answer.text()), (AVRO_V1, expected.clone()));
    http.get(&read).accept(V1).send().expect_error(406, 40601);
    let messages = format!("/topics/{topic}/partitions/0/messages?offset=0&count=5");
    let answer = http.get(&messages).accept(AVRO_V1).send().expect(200);
    assert_eq!((answer.content_type(), answer.text()), (AVRO_V1, expected));
}

/// The program of the training course: schemas once, ids from then on.
#[test]
fn ids_that_came_back_stand_for_schemas() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("course");
    let body = json!({
        "key_schema": r#"{"name":"user_id","type":"int"}"#,
        "value_schema": USER,
        "records": [{ "key": 1, "value": { "name": "testUser" } }, { "key": 2, "value": null }],
    });
    let answer = produce(&http, &topic, AVRO_V1, &body).expect(200).json();
    let (key, value) = (&answer["key_schema_id"], &answer["value_schema_id"]);
    assert!(key.is_i64() && value.is_i64() && key != value, "{answer}");
    let records = json!([{ "key": 3, "value": { "name": "more" } }]);
    let body = json!({ "key_schema_id": key, "value_schema_id": value, "records": records });
    for media_type in [AVRO_V1, AVRO_V2] {
        let answer = produce(&http, &topic, media_type, &body).expect(200).json();
        assert_eq!((&answer["key_schema_id"], &answer["value_schema_id"]), (key, value));
    }
    let records = read_v2(&http, &topic, "avro").expect(200).json();
    let records: Vec<_> = records.as_array().unwrap().iter().collect();
    assert_eq!(records.len(), 4);
    // Null is a deletion, and no datum.
    let deleted = records.iter().find(|record| record["key"] == 2).expect("it is there");
    assert!(deleted["value"].is_null());
    let raw = read_v2(&http, &topic, "binary").expect(200).json();
    assert!(raw.as_array().unwrap().iter().any(|record| record["value"].is_null()));
}

#[test]
fn every_format_of_v2_comes_back_as_it_went() {
    let stack = Stack::start();
    let http = stack.http();
    for (media_type, format, schema, value, expected) in [
        (AVRO_V2, "avro", USER, r#"{"name":"é"}"#, r#"{"name":"é"}"#),
        (JSONSCHEMA_V2, "jsonschema", COUNT, r#"{"n": 7}"#, r#"{"n": 7}"#),
        (
            PROTOBUF_V2,
            "protobuf",
            ORDER,
            r#"{"id":7,"item_name":"x"}"#,
            r#"{"id":"7","itemName":"x"}"#,
        ),
    ] {
        let topic = unique(format);
        Cluster::new(&stack.bootstrap).create_topic(&topic, 1);
        let path = format!("/topics/{topic}");
        let schema = Value::from(schema);
        let body = format!(
            r#"{{"key_schema":{schema},"value_schema":{schema},"records":[{{"key":{value},"value":{value}}}]}}"#
        );
        let answer = http.post(&path, media_type, body).send().expect(200).json();
        assert_eq!(answer["key_schema_id"], answer["value_schema_id"], "one text, one id");
        let id = answer["value_schema_id"].as_i64().unwrap();

        let answer = read_v2(&http, &topic, format).expect(200);
        let key = if format == "jsonschema" { r#"{"n":7}"# } else { expected };
        assert_eq!(
            answer.text(),
            format!(
                r#"[{{"topic":"{topic}","key":{key},"value":{expected},"partition":0,"offset":0}}]"#
            )
        );
        // The bytes name the schema, and are those of Confluent's serializers.
        let stored = Cluster::new(&stack.bootstrap).records(&topic, 0);
        let bytes = stored[0].value.as_deref().unwrap();
        let head = [&[0][..], &i32::try_from(id).unwrap().to_be_bytes()].concat();
        assert_eq!(bytes[..5], head);
        let data: &[u8] = match format {
            "avro" => b"\x04\xc3\xa9",
            "jsonschema" => br#"{"n": 7}"#,
            _ => b"\0\x08\x07\x12\x01x",
        };
        assert_eq!(&bytes[5..], data);

        // The registry has it under the topic's subjects.
        let subject = format!("/subjects/{topic}-key/versions/latest");
        let version = stack.server.registry_http().get(&subject).send().expect(200).json();
        assert_eq!(version["id"], id);
        let misfit = format!(r#"{{"value_schema_id":{id},"records":[{{"value":["no"]}}]}}"#);
        let answer = http.post(&path, media_type, misfit).send().expect_error(400, 400);
        assert!(answer.text().contains("Bad Request: "), "{}", answer.text());
    }
}

#[test]
fn what_v2_refuses_and_why() {
    let stack = Stack::start();
    let http = stack.http();
    let (topic, other) = (unique("refused"), unique("other"));
    Cluster::new(&stack.bootstrap).create_topic(&topic, 1);
    let body = json!({ "value_schema": USER, "records": [{ "value": { "name": "x" } }] });
    let id = produce(&http, &topic, AVRO_V2, &body).expect(200).json()["value_schema_id"].clone();
    let records = json!([{ "value": { "name": "x" } }]);
    for (case, topic, media_type, body, code, sentence) in [
        (
            "no schema of the key",
            &topic,
            AVRO_V2,
            json!({ "value_schema_id": id, "records": [{ "key": 1, "value": { "name": "x" } }] }),
            (422, 42201),
            "Request includes keys but does not include key schema",
        ),
        (
            "a second record that does not fit",
            &topic,
            AVRO_V2,
            json!({ "value_schema_id": id, "records": [{ "value": { "name": "x" } }, { "value": { "name": 5 } }] }),
            (400, 400),
            "Bad Request: ",
        ),
        (
            "a missing field",
            &topic,
            AVRO_V2,
            json!({ "value_schema_id": id, "records": [{ "value": {} }] }),
            (400, 400),
            "name",
        ),
        (
            "the id of another topic's schema",
            &other,
            AVRO_V2,
            json!({ "value_schema_id": id, "records": records }),
            (422, 42207),
            "Error serializing message. Error when fetching schema version. subject = other",
        ),
        (
            "the id of a schema of another format",
            &topic,
            PROTOBUF_V2,
            json!({ "value_schema_id": id, "records": records }),
            (422, 42207),
            "is of type AVRO",
        ),
        (
            "a schema of another format",
            &topic,
            PROTOBUF_V2,
            json!({ "value_schema": USER, "records": records }),
            (422, 42205),
            "Invalid schema: ",
        ),
    ] {
        let answer = produce(&http, topic, media_type, &body);
        let answer = answer.expect_error(code.0, code.1);
        assert_eq!(answer.content_type(), V2, "{case}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(sentence), "{case}: {message}");
    }
    let stored = Cluster::new(&stack.bootstrap).records(&topic, 0);
    assert_eq!(stored.len(), 1, "nothing of a request is produced that is refused");
}

#[test]
fn a_subject_that_was_deleted_gets_its_schema_again() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("deleted");
    let body = json!({ "value_schema": USER, "records": [{ "value": { "name": "x" } }] });
    produce(&http, &topic, AVRO_V2, &body).expect(200);
    let registry = stack.server.registry_http();
    registry.delete(&format!("/subjects/{topic}-value")).send().expect(200);
    produce(&http, &topic, AVRO_V2, &body).expect(200);
    let path = format!("/subjects/{topic}-value/versions");
    assert_eq!(registry.get(&path).send().expect(200).text(), "[2]");
}

#[test]
fn a_record_that_names_no_schema_is_told_of_until_the_reader_seeks() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = unique("poison");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    let body = json!({ "value_schema": USER, "records": [{ "value": { "name": "x" } }] });
    produce(&http, &topic, AVRO_V2, &body).expect(200);
    let foreign = b"\0\x7f\xff\xff\xff\x02";
    for (poison, reason) in [(&b"plain"[..], "magic byte"), (foreign, "2147483647 not found")] {
        cluster.produce(&topic, 0, &[(None, Some(poison))]);
        let path = format!("/consumers/{}", unique("group"));
        let create = r#"{"name":"i","format":"avro","auto.offset.reset":"earliest"}"#;
        http.post(&path, V2, create).send().expect(200);
        let instance = format!("{path}/instances/i");
        let partitions = json!({ "partitions": [{ "topic": topic, "partition": 0 }] });
        http.post(&format!("{instance}/assignments"), V2, partitions.to_string())
            .send()
            .expect(204);
        let last = cluster.end_offset(&topic, 0) - 1;
        if last > 1 {
            let offsets =
                json!({ "offsets": [{ "topic": topic, "partition": 0, "offset": last }] });
            http.post(&format!("{instance}/positions"), V2, offsets.to_string()).send().expect(204);
        } else {
            let answer = http.get(&format!("{instance}/records")).accept(AVRO_V2).send();
            assert_eq!(answer.expect(200).json().as_array().unwrap().len(), 1);
        }
        for _ in 0..2 {
            let answer = http.get(&format!("{instance}/records")).accept(AVRO_V2).send();
            let answer = answer.expect_error(408, 40801);
            let place = format!("{topic}-0 at offset {last}");
            let text = answer.text();
            assert!(text.contains(&place) && text.contains(reason), "{text}");
        }
        let messages = format!("/topics/{topic}/partitions/0/messages?offset={last}");
        http.get(&messages).accept(AVRO_V1).send().expect_error(500, 50002);
    }
}

#[test]
fn null_is_data_where_the_setting_says_so() {
    let setting = [("null.request.body.always.publishes.empty.record", "false")];
    let stack = Stack::with(&setting);
    let http = stack.http();
    let topic = unique("null");
    let cluster = Cluster::new(&stack.bootstrap);
    cluster.create_topic(&topic, 1);
    let body = json!({ "value_schema": r#"["null","string"]"#, "records": [{ "value": null }] });
    produce(&http, &topic, AVRO_V2, &body).expect(200);
    let stored = cluster.records(&topic, 0);
    assert_eq!(stored[0].value.as_deref().map(<[u8]>::len), Some(6));
    assert_eq!(stored[0].key, None, "a side without schema has no data");
    let body = json!({ "value_schema": USER, "records": [{ "value": null }] });
    let other = unique("null");
    produce(&http, &other, AVRO_V2, &body).expect_error(400, 400);
}

#[test]
fn another_registry_serves_as_well_as_our_own() {
    let owner = Stack::start();
    let url = owner.server.registry().replace("http://", "http://me:secret@");
    let stack = Stack::with(&[("schema.registry.url", &url)]);
    let http = stack.http();
    let topic = unique("elsewhere");
    let body = json!({ "value_schema": USER, "records": [{ "value": { "name": "x" } }] });
    let answer = produce(&http, &topic, AVRO_V2, &body).expect(200).json();
    let id = &answer["value_schema_id"];
    let path = format!("/subjects/{topic}-value/versions/latest");
    let registered = owner.server.registry_http().get(&path).send().expect(200).json();
    assert_eq!(registered["id"], *id);
    let by_id = json!({ "value_schema_id": id, "records": [{ "value": { "name": "y" } }] });
    produce(&http, &topic, AVRO_V2, &by_id).expect(200);
    let other = unique("elsewhere");
    produce(&http, &other, AVRO_V2, &by_id).expect_error(422, 42207);
    let records = read_v2(&http, &topic, "avro").expect(200).json();
    assert_eq!(records[1]["value"], json!({ "name": "y" }));

    // References are asked for one by one.
    let subject = unique("Address");
    let address =
        r#"{"type":"record","name":"Address","fields":[{"name":"city","type":"string"}]}"#;
    let registry = owner.server.registry_http();
    let register = |subject: &str, body: Value| {
        let path = format!("/subjects/{subject}/versions");
        registry.post(&path, REGISTRY, body.to_string()).send().expect(200).json()["id"].clone()
    };
    register(&subject, json!({ "schema": address }));
    let topic = unique("elsewhere");
    let person = r#"{"type":"record","name":"Person","fields":[{"name":"at","type":"Address"}]}"#;
    let references = json!([{ "name": "Address", "subject": subject, "version": 1 }]);
    let id =
        register(&format!("{topic}-value"), json!({ "schema": person, "references": references }));
    let record = json!({ "value": { "at": { "city": "x" } } });
    let body = json!({ "value_schema_id": id, "records": [record] });
    produce(&http, &topic, AVRO_V2, &body).expect(200);
    let records = read_v2(&http, &topic, "avro").expect(200).json();
    assert_eq!(records[0]["value"], record["value"]);
}

#[test]
fn a_registry_that_is_gone_is_an_error_and_tells_no_address() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let stack = Stack::with(&[("schema.registry.url", &url)]);
    let body = json!({ "value_schema": USER, "records": [{ "value": { "name": "x" } }] });
    let topic = unique("gone");
    produce(&stack.http(), &topic, AVRO_V1, &body).expect_error(408, 40801);
    let answer = produce(&stack.http(), &topic, AVRO_V2, &body).expect_error(422, 42207);
    assert!(!answer.text().contains(&closed.to_string()), "{}", answer.text());
    assert!(stack.server.log().contains(&closed.to_string()), "{}", stack.server.log());
}

#[test]
fn user_and_password_are_sent_to_the_registry() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        let body = r#"{"error_code":40301,"message":"not for you"}"#;
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        String::from_utf8(request).unwrap()
    });
    let stack = Stack::with(&[
        ("schema.registry.url", &url),
        ("schema.registry.basic.auth.credentials.source", "USER_INFO"),
        ("schema.registry.basic.auth.user.info", "me:secret"),
    ]);
    let body = json!({ "value_schema_id": 5, "records": [{ "value": 1 }] });
    let answer = produce(&stack.http(), &unique("auth"), AVRO_V2, &body).expect_error(422, 42207);
    assert!(answer.text().contains("not for you; error code: 40301"), "{}", answer.text());
    let request = asked.join().unwrap().to_lowercase();
    assert!(request.starts_with("get /schemas/ids/5 "), "{request}");
    assert!(request.contains("authorization: basic bwu6c2vjcmv0"), "{request}");
}

#[test]
fn without_a_registry_formats_with_schemas_are_refused() {
    let stack = Stack::with(&[("schema.registry.url", "")]);
    let http = stack.http();
    let body = json!({ "value_schema": USER, "records": [{ "value": { "name": "x" } }] });
    for media_type in [AVRO_V1, AVRO_V2, JSONSCHEMA_V2, PROTOBUF_V2] {
        produce(&http, &unique("none"), media_type, &body).expect_error(422, 42206);
    }
    let create = r#"{"format":"avro"}"#;
    http.post(&format!("/consumers/{}", unique("g")), V2, create).send().expect_error(422, 422);
    let plain = r#"{"records":[{"value":"YQ=="}]}"#;
    http.post(&format!("/topics/{}", unique("none")), BINARY_V2, plain).send().expect(200);
}

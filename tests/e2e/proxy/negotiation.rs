//! Which media type a request may have and its answer gets: what each resource
//! consumes and produces, how Accept chooses among that, and which version of
//! the API a request speaks.

use crate::harness::http::{
    AVRO_V1, AVRO_V2, BINARY_V1, BINARY_V2, JSON_V1, JSON_V2, JSONSCHEMA_V2, PROTOBUF_V2, V1, V2,
};
use crate::harness::kafka::Cluster;
use crate::harness::{Http, Stack, unique};

const JSON: &str = "application/json";
const KAFKA: &str = "application/vnd.kafka+json";
const OCTETS: &str = "application/octet-stream";

/// Sends one request and gives status, Content-Type and the `error_code`, if any.
fn answer(http: &Http, row: &Row<'_>) -> (u16, String, u64) {
    let mut request = http.request(row.method, row.path);
    if let Some(accept) = row.accept {
        request = request.accept(accept);
    }
    if let Some(content_type) = row.content_type {
        request = request.header("Content-Type", content_type);
    }
    if let Some(body) = row.body {
        request = request.body(body);
    }
    let answer = request.send();
    let error = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
    let error = error.and_then(|body| body["error_code"].as_u64()).unwrap_or_default();
    (answer.status, answer.content_type().to_owned(), error)
}

struct Row<'a> {
    method: &'a str,
    path: &'a str,
    accept: Option<&'a str>,
    content_type: Option<&'a str>,
    body: Option<&'a str>,
    expected: (u16, &'a str, u64),
}

#[track_caller]
fn check<'a>(http: &Http, rows: impl IntoIterator<Item = Row<'a>>) {
    let (mut wrong, mut count) = (vec![], 0);
    for row in rows {
        count += 1;
        let (status, content_type, error_code) = row.expected;
        let got = answer(http, &row);
        if got != (status, content_type.to_owned(), error_code) {
            wrong.push(format!(
                "{} {} Accept: {:?} Content-Type: {:?}\n  expected {:?}\n  got      {got:?}",
                row.method, row.path, row.accept, row.content_type, row.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} rows differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn get<'a>(path: &'a str, accept: Option<&'a str>, content_type: &'a str) -> Row<'a> {
    Row {
        method: "GET",
        path,
        accept,
        content_type: None,
        body: None,
        expected: (200, content_type, 0),
    }
}

/// A request without a body that gets no answer in a type that it accepts.
fn unacceptable<'a>(path: &'a str, accept: &'a str) -> Row<'a> {
    let expected = (406, JSON, 406);
    Row { method: "GET", path, accept: Some(accept), content_type: None, body: None, expected }
}

fn post<'a>(
    path: &'a str,
    content_type: Option<&'a str>,
    body: &'a str,
    expected: (u16, &'a str, u64),
) -> Row<'a> {
    Row { method: "POST", path, accept: None, content_type, body: Some(body), expected }
}

/// A topic with one partition, and its paths.
struct Topic {
    name: String,
    metadata: Vec<String>,
    partitions: Vec<String>,
}

impl Topic {
    fn new(stack: &Stack) -> Self {
        let name = unique("negotiated");
        Cluster::new(&stack.bootstrap).create_topic(&name, 1);
        let metadata = ["/".into(), "/brokers".into(), "/topics".into(), format!("/topics/{name}")];
        let partitions =
            [format!("/topics/{name}/partitions"), format!("/topics/{name}/partitions/0")];
        Self { name, metadata: metadata.into(), partitions: partitions.into() }
    }
}

#[test]
fn accept_chooses_among_what_a_resource_of_v1_produces() {
    let stack = Stack::with(&[("api.default.version", "v1")]);
    let topic = Topic::new(&stack);
    let all = "application/vnd.kafka.v1+json, application/vnd.kafka+json, application/json";
    for path in topic.metadata.iter().chain(&topic.partitions) {
        check(
            &stack.http(),
            [
                get(path, None, V1),
                get(path, Some("*/*"), V1),
                get(path, Some("application/*"), V1),
                get(path, Some(V1), V1),
                get(path, Some("APPLICATION/vnd.kafka.V1+json; charset=utf-8"), V1),
                get(path, Some(KAFKA), KAFKA),
                get(path, Some(JSON), JSON),
                // The server's weights decide among equals.
                get(path, Some(all), V1),
                get(path, Some("application/json, application/vnd.kafka+json"), KAFKA),
                get(
                    path,
                    Some(
                        "application/vnd.kafka.v1+json; q=0.8, application/vnd.kafka+json; q=0.9, application/json; q=0.7",
                    ),
                    KAFKA,
                ),
                get(
                    path,
                    Some(
                        "application/vnd.kafka.v1+json; q=0.8, application/vnd.kafka+json; q=0.7, application/json; q=0.9",
                    ),
                    JSON,
                ),
                get(
                    path,
                    Some(
                        "application/vnd.kafka.v1+json; q=0.9, application/vnd.kafka+json; q=0.8, application/json; q=0.7",
                    ),
                    V1,
                ),
                get(path, Some("text/plain, application/json"), JSON),
                get(path, Some("application/vnd.kafka.v1+json; q=0, */*"), KAFKA),
                unacceptable(path, "text/plain"),
                unacceptable(path, OCTETS),
                unacceptable(path, "application/json; q=0"),
            ],
        );
    }
    for path in &topic.partitions {
        check(
            &stack.http(),
            [
                get(path, Some(BINARY_V1), BINARY_V1),
                get(path, Some(AVRO_V1), AVRO_V1),
                unacceptable(path, JSON_V1),
            ],
        );
    }
}

#[test]
fn accept_chooses_among_what_a_resource_of_v2_produces() {
    let stack = Stack::start();
    let topic = Topic::new(&stack);
    let offsets = format!("/topics/{}/partitions/0/offsets", topic.name);
    for path in topic.metadata.iter().chain(&topic.partitions).chain([&offsets]) {
        check(
            &stack.http(),
            [
                get(path, None, V2),
                get(path, Some("*/*"), V2),
                get(path, Some("application/*"), V2),
                get(path, Some(V2), V2),
                get(path, Some("application/vnd.kafka.v2+json; q=0.1, text/html"), V2),
                // As releases up to 5.5 answered.
                get(path, Some(JSON), JSON),
                get(path, Some(KAFKA), KAFKA),
                unacceptable(path, "text/plain"),
                unacceptable(path, OCTETS),
                unacceptable(path, "image/*"),
            ],
        );
    }
}

#[test]
fn a_request_says_which_version_it_speaks() {
    let stack = Stack::start();
    let topic = Topic::new(&stack);
    let path = &topic.metadata[3];
    let with_content_type = |content_type, expected| Row {
        content_type: Some(content_type),
        ..get(path, None, expected)
    };
    check(
        &stack.http(),
        [
            // Without a body: Accept, in its order of preference, then Content-Type, then the default.
            get(path, Some(V1), V1),
            get(
                path,
                Some("application/vnd.kafka.v1+json; q=0.5, application/vnd.kafka.v2+json"),
                V2,
            ),
            get(
                path,
                Some("application/vnd.kafka.v1+json, application/vnd.kafka.v2+json; q=0.5"),
                V1,
            ),
            get(path, Some("application/vnd.kafka.v1+json; q=0.1, application/json"), JSON),
            with_content_type(V1, V1),
            with_content_type(JSON_V1, V1),
            with_content_type(V2, V2),
            with_content_type(JSON, V2),
            with_content_type("text/plain", V2),
            Row { content_type: Some(V2), ..get(path, Some(V1), V1) },
        ],
    );
    let (binary, json) =
        (r#"{"records":[{"value":"YQ=="}]}"#, r#"{"records":[{"value":{"a":1}}]}"#);
    let accepting = |accept, row| Row { accept: Some(accept), ..row };
    check(
        &stack.http(),
        [
            // With one: Content-Type, then Accept, then v1 for application/json, then the default.
            post(path, Some(BINARY_V1), binary, (200, V1, 0)),
            post(path, Some(BINARY_V2), binary, (200, V2, 0)),
            post(path, Some(JSON_V1), json, (200, V1, 0)),
            post(path, Some(JSON_V2), json, (200, V2, 0)),
            post(path, Some(JSON), binary, (200, V1, 0)),
            post(path, None, binary, (200, V2, 0)),
            accepting(V1, post(path, None, binary, (200, V1, 0))),
            accepting(V1, post(path, Some(KAFKA), binary, (200, V1, 0))),
            accepting("*/*", post(path, Some(JSON), binary, (200, V1, 0))),
            accepting(JSON, post(path, Some(JSON_V2), json, (200, JSON, 0))),
            accepting(V1, post(path, Some(JSON_V2), json, (406, JSON, 406))),
        ],
    );
}

#[test]
fn content_types_of_produce_are_those_of_its_version() {
    let stack = Stack::start();
    let topic = Topic::new(&stack);
    let (binary, json) =
        (r#"{"records":[{"value":"YQ=="}]}"#, r#"{"records":[{"value":{"a":1}}]}"#);
    // Binary and JSON differ in what they make of this.
    let odd = r#"{"records":[{"value":"?"}]}"#;
    for path in [format!("/topics/{}", topic.name), format!("/topics/{}/partitions/0", topic.name)]
    {
        let path = path.as_str();
        for binary_type in [BINARY_V1, V1, KAFKA, JSON, OCTETS] {
            let v1 = |body, expected| Row {
                accept: Some(V1),
                ..post(path, Some(binary_type), body, expected)
            };
            check(&stack.http(), [v1(binary, (200, V1, 0)), v1(odd, (422, V1, 422))]);
        }
        check(
            &stack.http(),
            [
                post(path, Some(JSON_V1), json, (200, V1, 0)),
                post(path, Some(JSON_V1), odd, (200, V1, 0)),
                post(path, Some(JSON_V2), odd, (200, V2, 0)),
                post(path, Some(BINARY_V2), binary, (200, V2, 0)),
                post(
                    path,
                    Some("application/vnd.kafka.json.v2+json; charset=utf-8"),
                    json,
                    (200, V2, 0),
                ),
                post(path, Some("Application/VND.kafka.JSON.v2+json"), json, (200, V2, 0)),
                // 415 comes before 406 and before the body is looked at.
                post(path, Some(V2), "{", (415, JSON, 415)),
                post(path, Some("application/x-www-form-urlencoded"), "{", (415, JSON, 415)),
                post(path, Some("text/plain"), "{", (415, JSON, 415)),
                post(path, Some("application/vnd.kafka.json.v3+json"), "{", (415, JSON, 415)),
                Row {
                    accept: Some("text/plain"),
                    ..post(path, Some("text/plain"), "{", (415, JSON, 415))
                },
                Row { accept: Some(V2), ..post(path, Some("text/plain"), "{", (415, V2, 415)) },
                // What comes with schemas.
                post(path, Some(AVRO_V1), json, (422, V1, 42202)),
                post(path, Some(AVRO_V2), json, (422, V2, 42202)),
                post(path, Some(JSONSCHEMA_V2), json, (422, V2, 42202)),
                post(path, Some(PROTOBUF_V2), json, (422, V2, 42202)),
                // 406 comes before the body, too.
                Row {
                    accept: Some("text/plain"),
                    ..post(path, Some(JSON_V2), "{", (406, JSON, 406))
                },
                // What is wrong inside is told in the negotiated type.
                post(path, Some(JSON_V2), "{", (400, V2, 400)),
                Row { accept: Some(JSON), ..post(path, Some(JSON_V2), "{", (400, JSON, 400)) },
            ],
        );
    }
}

#[test]
fn readers_get_the_format_of_their_instance() {
    let stack = Stack::start();
    let http = stack.http();
    let topic = Topic::new(&stack);
    let group = unique("formats");
    let body = r#"{"records":[{"value":"YQ=="}]}"#;
    http.post(&topic.metadata[3], BINARY_V2, body).send().expect(200);
    for format in ["binary", "json"] {
        let create = format!(r#"{{"name":"{format}","format":"{format}"}}"#);
        http.post(&format!("/consumers/{group}"), V2, &create).send().expect(200);
        let create = create.replacen(format, &format!("{format}1"), 1);
        http.post(&format!("/consumers/{group}1"), V1, create).send().expect(200);
        let path = format!("/consumers/{group}/instances/{format}/assignments");
        let partition = format!(r#"{{"partitions":[{{"topic":"{}","partition":0}}]}}"#, topic.name);
        http.post(&path, V2, partition).send().expect(204);
    }
    let v2 = |format: &str| format!("/consumers/{group}/instances/{format}/records?timeout=1");
    let v1 =
        |format: &str| format!("/consumers/{group}1/instances/{format}1/topics/{}", topic.name);
    let mismatch = |path, accept, content_type| Row {
        expected: (406, content_type, 40601),
        ..get(path, accept, "")
    };
    let (binary, json) = (v2("binary"), v2("json"));
    check(
        &http,
        [
            get(&binary, None, BINARY_V2),
            get(&binary, Some("*/*"), BINARY_V2),
            get(&binary, Some(BINARY_V2), BINARY_V2),
            get(&binary, Some(V2), V2),
            get(&json, Some(JSON_V2), JSON_V2),
            mismatch(&binary, Some(JSON_V2), JSON_V2),
            mismatch(&binary, Some(AVRO_V2), AVRO_V2),
            // What names no format asks for binary.
            mismatch(&json, Some(V2), V2),
            mismatch(&json, Some(BINARY_V2), BINARY_V2),
            mismatch(&json, None, BINARY_V2),
            unacceptable(&json, "text/plain"),
        ],
    );
    let (binary, json) = (v1("binary"), v1("json"));
    check(
        &http,
        [
            get(&binary, None, BINARY_V1),
            get(&binary, Some("*/*"), BINARY_V1),
            get(&binary, Some(V1), V1),
            get(&binary, Some(KAFKA), KAFKA),
            get(&binary, Some(JSON), JSON),
            get(&binary, Some(BINARY_V1), BINARY_V1),
            get(&json, Some(JSON_V1), JSON_V1),
            mismatch(&binary, Some(JSON_V1), JSON_V1),
            mismatch(&json, None, BINARY_V1),
            mismatch(&json, Some(V1), V1),
            mismatch(&json, Some(JSON), JSON),
            unacceptable(&json, "text/plain"),
        ],
    );
    for format in ["binary", "json"] {
        http.delete(&format!("/consumers/{group}/instances/{format}")).send().expect(204);
        http.delete(&format!("/consumers/{group}1/instances/{format}1")).send().expect(204);
    }
}

#[test]
fn calls_of_instances_take_and_give_every_type_of_their_version() {
    let stack = Stack::start();
    let http = stack.http();
    let group = unique("types");
    let path = format!("/consumers/{group}");
    let mut names = vec![];
    for (types, others) in [
        (&[V1, KAFKA, JSON, BINARY_V1, JSON_V1, AVRO_V1][..], [V2, JSON_V2]),
        (&[V2, BINARY_V2, JSON_V2, AVRO_V2, JSONSCHEMA_V2, PROTOBUF_V2][..], [V1, JSON_V1]),
    ] {
        for content_type in types {
            for accept in types {
                let name = format!("i{}", names.len());
                let body = format!(r#"{{"name":"{name}"}}"#);
                // A version is named by one of both.
                let expected = (200, *accept, 0);
                if [KAFKA, JSON].contains(content_type)
                    && [KAFKA, JSON].contains(accept)
                    && *content_type == KAFKA
                {
                    continue;
                }
                check(
                    &http,
                    [Row {
                        accept: Some(accept),
                        ..post(&path, Some(content_type), &body, expected)
                    }],
                );
                names.push(name);
            }
            for accept in others {
                // An Accept of the other version does not change what the body said.
                if [KAFKA, JSON].contains(content_type) {
                    continue;
                }
                check(
                    &http,
                    [Row {
                        accept: Some(accept),
                        ..post(&path, Some(content_type), "{}", (406, JSON, 406))
                    }],
                );
            }
        }
    }
    check(
        &http,
        [
            post(&path, Some("text/plain"), "{}", (415, JSON, 415)),
            post(&path, Some("application/x-www-form-urlencoded"), "{}", (415, JSON, 415)),
        ],
    );
    for name in names {
        http.delete(&format!("{path}/instances/{name}")).send().expect(204);
    }
}

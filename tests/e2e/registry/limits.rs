//! Much at once, and much in one.

use std::collections::BTreeSet;

use serde_json::json;

use super::Registry;
use crate::harness::Setup;

fn register(http: &Registry, subject: &str, kind: &str, schema: &str) -> (u16, i64) {
    let body = json!({ "schemaType": kind, "schema": schema }).to_string();
    let answer = http.send("POST", &format!("/subjects/{subject}/versions"), Some(&body));
    (answer.status, answer.json()["error_code"].as_i64().unwrap_or(0))
}

#[test]
fn equal_and_different_schemas_registered_at_once_get_one_id_each_and_versions_without_gaps() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    http.put("/config", r#"{"compatibility":"NONE"}"#).expect(200);
    let schema =
        |number: u32| json!({"type": "fixed", "name": "F", "size": number + 1}).to_string();
    let ids: Vec<Vec<i64>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let http = &http;
                // Each begins elsewhere, and all come past all.
                scope.spawn(move || {
                    let mut ids: Vec<(u32, i64)> = (0..20)
                        .map(|number| (number + writer * 5) % 20)
                        .map(|number| (number, http.register("a", &schema(number))))
                        .collect();
                    ids.sort_unstable();
                    ids.into_iter().map(|(_, id)| id).collect()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    for of_writer in &ids {
        assert_eq!(of_writer, &ids[0], "equal schemas, equal ids");
    }
    assert_eq!(ids[0].iter().collect::<BTreeSet<_>>().len(), 20);
    let expected: Vec<i32> = (1..=20).collect();
    assert_eq!(http.get("/subjects/a/versions").text(), serde_json::to_string(&expected).unwrap());
}

#[test]
fn schemas_registered_at_once_under_many_subjects_get_an_id_for_each_schema() {
    const WRITERS: u32 = 16;
    const SCHEMAS: u32 = 40;
    let server = Setup::new().start();
    let http = Registry::of(&server);
    // Two writers have the same schemas, under subjects of their own.
    let ids: Vec<(u32, i64)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let http = &http;
                scope.spawn(move || {
                    (0..SCHEMAS)
                        .map(|number| number + writer / 2 * SCHEMAS)
                        .map(|number| {
                            let schema = json!({"type": "fixed", "name": "F", "size": number + 1});
                            let subject = format!("s{number}-{writer}");
                            (number, http.register(&subject, &schema.to_string()))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let pairs: BTreeSet<(u32, i64)> = ids.into_iter().collect();
    let schemas = (WRITERS / 2 * SCHEMAS) as usize;
    assert_eq!(pairs.len(), schemas, "equal schemas, equal ids");
    let given: Vec<i64> =
        pairs.iter().map(|(_, id)| *id).collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(given, (1..=schemas as i64).collect::<Vec<_>>(), "different schemas, different ids");
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_and_hurts_nobody() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    let long = "x".repeat(10 * 1024 * 1024);
    let record =
        |doc: &str| json!({"type": "record", "name": "R", "doc": doc, "fields": []}).to_string();
    assert_eq!(register(&http, "a", "AVRO", &record(&long)), (422, 42209));
    assert_eq!(register(&http, "a", "AVRO", &record(&long[..2 * 1024 * 1024])), (422, 42209));
    let deep = 100_000;
    let nested = [
        ("AVRO", "[".repeat(deep)),
        ("AVRO", r#"{"type":"array","items":"#.repeat(deep) + "\"int\"" + &"}".repeat(deep)),
        ("JSON", r#"{"not":"#.repeat(deep) + "{}" + &"}".repeat(deep)),
        ("PROTOBUF", "message M { ".repeat(deep) + &"}".repeat(deep)),
    ];
    for (kind, text) in nested {
        assert_eq!(register(&http, "b", kind, &text), (422, 42201), "{kind}");
    }
    let answer =
        http.send("POST", "/subjects/c/versions", Some(&"[".repeat(1_000_000))).expect(400);
    assert_eq!(answer.json()["error_code"], 400);
    let too_large = format!("{{\"schema\":\"{}\"}}", "x".repeat(17 * 1024 * 1024));
    // The server may hang up before it has read everything.
    if let Ok(answer) = http.try_send("POST", "/subjects/c/versions", &[], Some(&too_large)) {
        assert_eq!(answer.status, 413);
    }
    let remote = r#"{"$ref":"http://127.0.0.1:1/schema.json"}"#;
    assert_eq!(register(&http, "d", "JSON", remote), (422, 42201));
    assert_eq!(http.get("/subjects").text(), "[]");
    // A schema of nearly 1 MiB is none too large.
    assert_eq!(register(&http, "e", "AVRO", &record(&"x".repeat(900 * 1024))).0, 200);
}

#[test]
fn schemas_of_10_mb_do_not_fill_the_memory() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    let field = |number: usize| format!(r#"{{"name":"f{number}","type":"int"}},"#);
    let fields: String = (0..300_000).map(field).collect();
    let before = server.resident_memory();
    for number in 0..20 {
        let schema = format!(
            r#"{{"type":"record","name":"R{number}","fields":[{fields}{{"name":"f","type":"int"}}]}}"#
        );
        assert_eq!(register(&http, "a", "AVRO", &schema), (422, 42209));
        let grown = server.resident_memory().saturating_sub(before);
        assert!(grown < 200 * 1024 * 1024, "{grown} bytes after {number} schemas");
    }
}

#[test]
fn subjects_may_hold_every_character() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    http.register("keeps", "\"string\"");
    for encoded in [
        "a%2Fb",
        "a%3Ab",
        "a%20b",
        "a%25b",
        "a+b",
        "%C3%BC",
        "%F0%9F%90%98",
        "%22",
        "a%3Fb%23c",
        "subjects",
    ] {
        http.register(encoded, "\"string\"");
        assert_eq!(http.get(&format!("/subjects/{encoded}/versions")).text(), "[1]", "{encoded}");
        let answer = http.get(&format!("/subjects/{encoded}/versions/latest")).expect(200);
        assert_eq!(answer.json()["id"], 1, "{encoded}");
        http.put(&format!("/config/{encoded}"), r#"{"compatibility":"NONE"}"#).expect(200);
        http.delete(&format!("/subjects/{encoded}")).expect(200);
        http.delete(&format!("/subjects/{encoded}?permanent=true")).expect(200);
        assert_eq!(http.get(&format!("/config/{encoded}")).status, 404, "{encoded}");
    }
}

#[test]
fn what_protoc_refuses_is_a_matter_of_a_setting() {
    let twice = r#"syntax = "proto3"; message A { int32 a = 1; int32 b = 1; }"#;
    let server = Setup::new().start();
    assert_eq!(register(&Registry::of(&server), "a", "PROTOBUF", twice), (422, 42201));
    let server = Setup::new().set("registry.protobuf.lenient", "true").start();
    assert_eq!(register(&Registry::of(&server), "a", "PROTOBUF", twice).0, 200);
    assert_eq!(register(&Registry::of(&server), "b", "PROTOBUF", "nope"), (422, 42201));
}

#[test]
fn fields_are_validated_where_that_is_configured() {
    let server = Setup::new().set("schema.validate.fields", "true").start();
    let with = |name: &str| {
        json!({"type": "object", "properties": {name: {"type": "integer"}}}).to_string()
    };
    assert_eq!(register(&Registry::of(&server), "a", "JSON", &with("$$a")), (422, 42201));
    assert_eq!(register(&Registry::of(&server), "a", "JSON", &with("a")).0, 200);
}

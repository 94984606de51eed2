//! Tags of the parts of schemas: written into a schema with its registration,
//! changed in a new version, found.

use serde_json::{Value, json};

use super::Registry;
use crate::harness::Setup;

const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"int"},{"name":"mail","type":"string"}]}"#;

fn tags(path: &str, kind: &str, tag: &str) -> Value {
    json!([{ "schemaEntity": { "entityPath": path, "entityType": kind }, "tags": [tag] }])
}

#[track_caller]
fn register(http: &Registry, body: &Value) -> Value {
    http.post("/subjects/s/versions", &body.to_string()).expect(200).json()
}

#[test]
fn tags_are_registered_found_and_changed() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    http.put("/config", r#"{"compatibility":"NONE"}"#).expect(200);
    let tagged =
        json!({ "schema": ORDER, "schemaTagsToAdd": tags("shop.Order.mail", "sr_field", "PII") });
    let first = register(&http, &tagged);
    assert_eq!(first["version"], 1);
    assert_eq!(first["metadata"]["properties"]["confluent:version"], "1");
    assert!(first["schema"].as_str().unwrap().contains(r#""confluent:tags":["PII"]"#), "{first}");
    assert_eq!(register(&http, &tagged)["id"], first["id"], "the same again is nothing new");
    let looked_up = http.post("/subjects/s", &tagged.to_string()).expect(200).json();
    assert_eq!(looked_up["id"], first["id"]);

    // What is found.
    let mail = json!([{ "schemaEntity": { "entityPath": "shop.Order.mail", "entityType": "sr_field" }, "tags": ["PII"] }]);
    let found = |query: &str| {
        let by_version = http.get(&format!("/subjects/s/versions/latest{query}")).expect(200);
        let id = by_version.json()["id"].clone();
        let by_id = http.get(&format!("/schemas/ids/{id}{query}")).expect(200);
        assert_eq!(by_id.json()["schemaTags"], by_version.json()["schemaTags"], "{query}");
        by_version.json()["schemaTags"].clone()
    };
    assert_eq!(found(""), Value::Null);
    assert_eq!(found("?findTags=*"), mail);
    assert_eq!(found("?findTags=OTHER&findTags=PII"), mail);
    assert_eq!(found("?findTags=OTHER"), Value::Null);

    // New versions: with other tags, with the tags of the one before.
    let change = json!({ "tagsToAdd": tags("Order", "sr_record", "T2"), "tagsToRemove": tags("shop.Order.mail", "sr_field", "PII") });
    let second = http.post("/subjects/s/versions/1/tags", &change.to_string()).expect(200).json();
    assert_eq!(second["version"], 2);
    let text = second["schema"].as_str().unwrap();
    assert!(text.contains("T2") && !text.contains("PII"), "{text}");
    let longer = ORDER.replace("]}", r#",{"name":"n","type":["null","int"],"default":null}]}"#);
    let third = register(&http, &json!({ "schema": longer, "propagateSchemaTags": true }));
    assert_eq!(third["version"], 3);
    assert!(third["schema"].as_str().unwrap().contains("T2"), "{third}");

    // What cannot be.
    for (body, part) in [
        (
            json!({ "schema": ORDER, "schemaTagsToAdd": tags("shop.Order.x", "sr_field", "PII") }),
            "No matching path",
        ),
        (
            json!({ "schema": "\"int\"", "schemaTagsToRemove": tags("Order", "sr_record", "T2") }),
            "No matching path",
        ),
    ] {
        let refused = http.post("/subjects/s/versions", &body.to_string()).expect(422).json();
        assert_eq!(refused["error_code"], 42201, "{body}");
        assert!(refused["message"].as_str().unwrap().contains(part), "{refused}");
    }
    let unknown =
        json!({ "schema": ORDER, "schemaTagsToAdd": tags("shop.Order", "sr_enum", "PII") });
    http.post("/subjects/s/versions", &unknown.to_string()).expect(400);
    let late = json!({ "newVersion": 7, "tagsToAdd": tags("Order", "sr_record", "T3") });
    http.post("/subjects/s/versions/1/tags", &late.to_string()).expect(422);
    http.post("/subjects/s/versions/9/tags", &late.to_string()).expect(404);
    http.get("/subjects/s/versions/1/tags").expect(405);
}

//! The records in `_schemas`, byte for byte.

use super::Registry;
use crate::harness::kafka::Cluster;
use crate::harness::{Server, Setup};

/// The records of `_schemas`, one per line: key => value.
fn dump(server: &Server) -> String {
    let text = |bytes: Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8(bytes).unwrap(),
        None => "null".to_owned(),
    };
    let records = Cluster::new(server.broker()).records("_schemas", 0).into_iter();
    let lines = records.map(|record| format!("{} => {}", text(record.key), text(record.value)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_kind_of_record_has_the_bytes_of_the_reference() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    let post = |target: &str, body: &str| http.send("POST", target, Some(body)).expect(200);
    http.put("/config", r#"{"compatibility":"NONE"}"#).expect(200);
    http.put("/config/a", r#"{"compatibility":"FULL","normalize":true}"#).expect(200);
    http.register("a", "\"string\"");
    post(
        "/subjects/b/versions",
        r#"{"schemaType":"JSON","schema":" {} ","metadata":{"properties":{"o":"1"}}}"#,
    );
    post(
        "/subjects/c/versions",
        r#"{"schema":"\"int\"","references":[{"name":"x","subject":"a","version":-1}]}"#,
    );
    http.register(":.ctx:%C3%BC", "\"long\"");
    http.put("/mode/b", r#"{"mode":"READONLY"}"#).expect(200);
    http.delete("/mode/b").expect(200);
    http.delete("/subjects/c/versions/1").expect(200);
    http.register("c", "\"int\"");
    post(
        "/subjects/c/versions",
        r#"{"schema":"\"int\"","references":[{"name":"x","subject":"a","version":1}]}"#,
    );
    http.delete("/subjects/c").expect(200);
    http.delete("/subjects/c?permanent=true").expect(200);
    http.delete("/config").expect(200);
    let expected = r#"
{"keytype":"CONFIG","subject":null,"magic":0} => {"compatibilityLevel":"NONE"}
{"keytype":"CONFIG","subject":"a","magic":0} => {"subject":"a","normalize":true,"compatibilityLevel":"FULL"}
{"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => {"subject":"a","version":1,"id":1,"schema":"\"string\"","deleted":false}
{"keytype":"SCHEMA","subject":"b","version":1,"magic":1} => {"subject":"b","version":1,"id":2,"schemaType":"JSON","metadata":{"properties":{"o":"1"}},"schema":"{}","deleted":false}
{"keytype":"SCHEMA","subject":"c","version":1,"magic":1} => {"subject":"c","version":1,"id":3,"references":[{"name":"x","subject":"a","version":1}],"schema":"\"int\"","deleted":false}
{"keytype":"CONTEXT","tenant":"default","context":".ctx","magic":0} => {"tenant":"default","context":".ctx"}
{"keytype":"SCHEMA","subject":":.ctx:ü","version":1,"magic":1} => {"subject":":.ctx:ü","version":1,"id":1,"schema":"\"long\"","deleted":false}
{"keytype":"MODE","subject":"b","magic":0} => {"subject":"b","mode":"READONLY"}
{"keytype":"MODE","subject":"b","magic":0} => null
{"keytype":"SCHEMA","subject":"c","version":1,"magic":1} => {"subject":"c","version":1,"id":3,"references":[{"name":"x","subject":"a","version":1}],"schema":"\"int\"","deleted":true}
{"keytype":"SCHEMA","subject":"c","version":2,"magic":1} => {"subject":"c","version":2,"id":4,"schema":"\"int\"","deleted":false}
{"keytype":"SCHEMA","subject":"c","version":1,"magic":1} => null
{"keytype":"SCHEMA","subject":"c","version":3,"magic":1} => {"subject":"c","version":3,"id":3,"references":[{"name":"x","subject":"a","version":1}],"schema":"\"int\"","deleted":false}
{"keytype":"DELETE_SUBJECT","subject":"c","magic":0} => {"subject":"c","version":3}
{"keytype":"SCHEMA","subject":"c","version":3,"magic":1} => null
{"keytype":"SCHEMA","subject":"c","version":2,"magic":1} => null
{"keytype":"CONFIG","subject":null,"magic":0} => null"#;
    assert_eq!(dump(&server), expected.trim_start());
    // A registry without writes leaves no topic behind.
    let other = Setup::new().start();
    assert_eq!(Registry::of(&other).get("/subjects").text(), "[]");
    assert_eq!(Cluster::new(other.broker()).topics(), Vec::<String>::new());
}

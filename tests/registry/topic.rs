//! The records in `_schemas`, byte for byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use protocol::messages::FetchRequest;
use protocol::messages::fetch::{FetchPartition, FetchTopic};
use protocol::records::{RecordIter, batches};
use protocol::{Message, Reader, Records, Request, RequestHeader};

use super::server::{HANG, Server, Setup};

/// The records of `_schemas`, one per line: key => value.
fn dump(server: &Server) -> String {
    let request = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic: "_schemas".into(),
            partitions: vec![FetchPartition {
                partition: 0,
                fetch_offset: 0,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    let header = RequestHeader {
        api_key: FetchRequest::KEY as i16,
        api_version: 11,
        correlation_id: 1,
        client_id: None,
    };
    let frame = protocol::encode_request(&header, &request);
    let mut stream = TcpStream::connect(server.broker()).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.write_all(&frame.size_prefix()).unwrap();
    stream.write_all(&frame.into_bytes()).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).unwrap();
    let mut reader = Reader::new(Bytes::from(answer));
    protocol::decode_response_header(&mut reader, FetchRequest::KEY, 11).unwrap();
    let answer = <FetchRequest as Request>::Response::decode(&mut reader, 11).unwrap();
    let records = answer.responses[0].partitions[0].records.clone().map(Records::into_bytes);
    let mut lines = vec![];
    for batch in batches(records.unwrap_or_default()) {
        let batch = batch.unwrap();
        let section = batch.record_section(64 << 20).unwrap();
        for record in RecordIter::new(batch.header(), &section) {
            let record = record.unwrap();
            let text = |bytes: Option<&[u8]>| match bytes {
                Some(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                None => "null".to_owned(),
            };
            lines.push(format!("{} => {}", text(record.key), text(record.value)));
        }
    }
    lines.join("\n")
}

#[test]
fn every_kind_of_record_has_the_bytes_of_the_reference() {
    let server = Setup::new().start();
    let http = server.http();
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
    assert_eq!(other.http().get("/subjects").body, "[]");
    assert_eq!(dump(&other), "");
}

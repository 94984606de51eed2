//! Input that no honest client sends, on both ports: it is refused, it costs
//! no memory, and it hurts nobody else.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use protocol::ApiKey;
use protocol::messages::MetadataRequest;

use crate::harness::http::{BINARY_V1, BINARY_V2, JSON_V1, JSON_V2, V1, V2};
use crate::harness::kafka::{Cluster, Connection};
use crate::harness::{HANG, Server, Setup, until};

/// What a process may grow by while it does what this page does to it: buffers
/// of connections that it keeps for the next, never what was announced.
const FLAT: u64 = 32 << 20;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.broker()).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

/// Reads until the server closes the connection, and gives what it said.
#[track_caller]
fn until_closed(mut stream: &TcpStream, case: &str) -> Vec<u8> {
    let mut said = vec![];
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{case}: the connection stays open: {error}"),
    }
    said
}

/// Sends as much as the server takes.
fn send(mut stream: &TcpStream, bytes: &[u8]) {
    // The server may have closed the connection before the end.
    let _ = stream.write_all(bytes);
}

/// Tells the server that nothing more comes.
fn end(stream: &TcpStream) {
    // The server may have closed the connection already.
    let _ = stream.shutdown(Shutdown::Write);
}

#[track_caller]
fn still_serves(server: &Server) {
    let mut connection = Connection::open(server.broker()).unwrap();
    let answer =
        connection.call(9, &MetadataRequest { topics: None, ..MetadataRequest::default() });
    assert_eq!(answer.unwrap().brokers.len(), 1);
    server.http().get("/topics").send().expect(200);
}

/// A frame: size, then the request.
fn frame(request: &[u8]) -> Vec<u8> {
    [&(request.len() as u32).to_be_bytes(), request].concat()
}

/// The header of a request, up to its body.
fn header(api: ApiKey, version: i16) -> Vec<u8> {
    let mut bytes = [api.code().to_be_bytes(), version.to_be_bytes()].concat();
    bytes.extend(7i32.to_be_bytes());
    bytes.extend([0, 3]);
    bytes.extend(b"bad");
    if api.is_flexible(version) {
        bytes.push(0);
    }
    bytes
}

/// A ClientHello of TLS 1.2, as far as it matters.
const TLS_HELLO: &[u8] = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03\
    0123456789abcdef0123456789abcdef\x00\x00\x04\x00\x2f\x00\x35\x01\x00";

#[test]
fn what_is_not_kafka_is_closed_with_a_line_in_the_log() {
    let server = Setup::new().start();
    let two_gigabytes = [&0x7fff_ffff_u32.to_be_bytes()[..], &header(ApiKey::Produce, 9)].concat();
    let garbage: Vec<u8> = (0..4096u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x40)
        .collect();
    let unknown_api = frame(b"\x7f\x00\x00\x00\x00\x00\x00\x07\x00\x00");
    let unknown_version = frame(b"\x00\x03\x7f\x00\x00\x00\x00\x07\x00\x00");
    let cases: [(&str, &[u8], &str); 10] = [
        ("garbage", &garbage, ""),
        ("TLS", TLS_HELLO, "TLS"),
        ("HTTP", b"GET /topics HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP"),
        ("HTTP POST", b"POST /topics/a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "HTTP"),
        ("2 GiB", &two_gigabytes, "socket.request.max.bytes"),
        ("negative size", b"\x80\x00\x00\x00abcdefgh", ""),
        ("no size", b"\x00\x00\x00\x00abcdefgh", ""),
        ("half a header", &frame(b"\x00\x03\x00"), "header"),
        ("unknown API", &unknown_api, "32512"),
        ("unknown version", &unknown_version, "32512"),
    ];
    for (case, bytes, told) in cases {
        let logged = server.log().len();
        let stream = connect(&server);
        send(&stream, bytes);
        until_closed(&stream, case);
        let peer = stream.local_addr().unwrap();
        until(&format!("a line about {case} from {peer}"), || {
            let log = server.log();
            log[logged..]
                .lines()
                .any(|line| line.contains(&peer.to_string()) && line.contains(told))
                .then_some(())
        });
    }
    still_serves(&server);
}

#[test]
fn sizes_that_are_announced_cost_no_memory() {
    let server = Setup::new().start();
    still_serves(&server);
    let before = server.resident_memory();
    // The largest size that is allowed, and some of its bytes: open all at once.
    let announced = [&100_000_000_u32.to_be_bytes()[..], &header(ApiKey::Produce, 9)].concat();
    let streams: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect();
    streams.iter().for_each(|stream| send(stream, &announced));
    still_serves(&server);
    let grown = server.resident_memory().saturating_sub(before);
    assert!(grown < FLAT, "{grown} bytes for 100 clients that announced much");
    for stream in &streams {
        end(stream);
        until_closed(stream, "half a frame");
    }
    still_serves(&server);
}

/// In every API and version: lengths of 2^31-1 wherever a length may stand.
#[test]
fn lengths_that_are_announced_cost_no_memory() {
    let server = Setup::new().start();
    still_serves(&server);
    let before = server.resident_memory();
    let huge = |length: &[u8], before: usize| [vec![0; before], length.repeat(16)].concat();
    for api in ApiKey::ALL {
        for version in api.versions() {
            for zeros in [0, 1, 2, 4, 6, 8, 10, 12, 17, 21] {
                for length in [
                    &0x7fff_ffff_u32.to_be_bytes()[..],
                    b"\xff\xff\xff\xff\x07",
                    b"\xff\xff\xff\xff\x0f",
                    b"\x7f\xff",
                ] {
                    let stream = connect(&server);
                    let request = [header(*api, version), huge(length, zeros)].concat();
                    send(&stream, &frame(&request));
                    // Where the bytes happen to be a request, it is answered; then nothing follows.
                    end(&stream);
                    until_closed(&stream, &format!("{} {version}, {zeros} zeros", api.name()));
                }
            }
        }
        let grown = server.resident_memory().saturating_sub(before);
        assert!(grown < FLAT, "{grown} bytes after {}", api.name());
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
    still_serves(&server);
}

#[test]
fn clients_of_one_byte_at_a_time_hurt_nobody_and_are_closed() {
    // Idle is who sends no request, even if it sends bytes.
    let server = Setup::new().set("connections.max.idle.ms", "1000").start();
    let before = server.resident_memory();
    let request = frame(&header(ApiKey::Metadata, 9).repeat(100));
    let mut slow: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect();
    let cluster = Cluster::new(server.broker());
    cluster.create_topic("fast", 1);
    let mut sent = 0;
    let mut written = 0;
    while !slow.is_empty() {
        slow.retain_mut(|stream| stream.write_all(&request[sent..=sent]).is_ok());
        // Others are served meanwhile.
        written += 1;
        assert_eq!(cluster.produce_values("fast", 0, &["x"]), written - 1);
        let grown = server.resident_memory().saturating_sub(before);
        assert!(grown < FLAT, "{grown} bytes after {sent} bytes of each client");
        sent += 1;
        assert!(sent < request.len(), "{} clients are still connected", slow.len());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(cluster.records("fast", 0).len() as i64, written);
}

/// A client that does not read its answers keeps its own connection waiting only.
#[test]
fn clients_that_do_not_read_cost_no_memory() {
    let server = Setup::new().start();
    let cluster = Cluster::new(server.broker());
    for number in 0..50 {
        cluster.create_topic(&format!("topic-with-a-rather-long-name-{number}"), 20);
    }
    let before = server.resident_memory();
    let all_topics = frame(&[header(ApiKey::Metadata, 1), b"\xff\xff\xff\xff".to_vec()].concat());
    let streams: Vec<TcpStream> = (0..20).map(|_| connect(&server)).collect();
    for stream in &streams {
        stream.set_nonblocking(true).unwrap();
        let mut stream = stream;
        // Until the server takes no more.
        while stream.write(&all_topics).is_ok_and(|written| written == all_topics.len()) {}
    }
    still_serves(&server);
    let grown = server.resident_memory().saturating_sub(before);
    assert!(grown < FLAT, "{grown} bytes for clients that do not read");
}

/// What is wrong with a request of the proxy, and what it is told.
struct Wrong {
    method: &'static str,
    path: &'static str,
    content_type: &'static str,
    body: &'static str,
    status: u16,
    error_code: u64,
}

const fn post(
    path: &'static str,
    content_type: &'static str,
    body: &'static str,
    status: u16,
    error_code: u64,
) -> Wrong {
    Wrong { method: "POST", path, content_type, body, status, error_code }
}

const fn get(path: &'static str, status: u16, error_code: u64) -> Wrong {
    Wrong { method: "GET", path, content_type: "", body: "", status, error_code }
}

#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    // Malformed JSON, and JSON of a wrong type
    post("/topics/t", JSON_V2, "{", 400, 400),
    post("/topics/t", JSON_V2, r#"{"records":[{"value":1}"#, 400, 400),
    post("/topics/t", JSON_V2, r#"{"records":[{"value":nope}]}"#, 400, 400),
    post("/topics/t", JSON_V2, r#"{"records":{}}"#, 400, 400),
    post("/topics/t", JSON_V2, r#"{"records":[1]}"#, 400, 400),
    post("/topics/t", JSON_V2, r#"[]"#, 400, 400),
    post("/topics/t", JSON_V2, r#""text""#, 400, 400),
    post("/topics/t", JSON_V2, "\u{feff}{", 400, 400),
    post("/topics/t", JSON_V2, r#"{"records":[{"value":"\ud800"}]} x"#, 400, 400),
    post("/topics/t", BINARY_V2, r#"{"records":[{"value":{"a":1}}]}"#, 400, 400),
    post("/topics/t", JSON_V2, r#"{"records":[{"value":1,"partition":"first"}]}"#, 400, 400),
    post("/topics/t", JSON_V2, r#"{"records":[{"value":1,"partition":9999999999999}]}"#, 400, 400),
    post("/consumers/g", V2, "nope", 400, 400),
    post("/consumers/g", V2, "[1]", 400, 400),
    // Required things that are missing
    post("/topics/t", JSON_V2, "{}", 422, 422),
    post("/topics/t", JSON_V2, r#"{"records":[]}"#, 422, 422),
    post("/topics/t", JSON_V2, r#"{"records":null}"#, 422, 422),
    post("/topics/t", JSON_V2, "", 422, 422),
    // Bad base64: the reference's v2 says 400, its v1 says 422
    post("/topics/t", BINARY_V1, r#"{"records":[{"value":"no base64!"}]}"#, 422, 422),
    post("/topics/t", BINARY_V1, r#"{"records":[{"value":"YQ"},{"value":"Y"}]}"#, 422, 422),
    // Unknown fields
    post("/topics/t", JSON_V2, r#"{"records":[{"value":1}],"extra":1}"#, 422, 422),
    post("/topics/t", JSON_V2, r#"{"records":[{"value":1,"extra":1}]}"#, 422, 422),
    post("/topics/t", JSON_V1, r#"{"records":[{"value":1,"extra":1}]}"#, 422, 422),
    post("/consumers/g", V2, r#"{"name":"x","extra":"1"}"#, 422, 422),
    post("/consumers/g", V1, r#"{"name":"x","extra":"1"}"#, 422, 422),
    post("/consumers/g", V2, r#"{"format":"nope"}"#, 422, 422),
    post("/consumers/g", V2, r#"{"auto.offset.reset":"nope"}"#, 422, 42204),
    // Unknown topics, partitions, instances, paths
    get("/topics/nothing", 404, 40403),
    get("/topics/nothing/partitions", 404, 40403),
    get("/topics/exists/partitions/99", 404, 40402),
    get("/topics/exists/partitions/nope", 404, 404),
    get("/topics/exists/partitions/99999999999", 404, 404),
    get("/nothing", 404, 404),
    get("/consumers/g/instances/nobody/records", 404, 40403),
    post("/consumers/g/instances/nobody/offsets", V2, "", 404, 40403),
    post("/consumers/g/instances/nobody/subscription", V2, r#"{"topics":["t"]}"#, 404, 40403),
    Wrong { method: "DELETE", path: "/consumers/g/instances/nobody", content_type: "", body: "", status: 404, error_code: 40403 },
    Wrong { method: "PUT", path: "/topics/exists", content_type: JSON_V2, body: "{}", status: 405, error_code: 405 },
    Wrong { method: "DELETE", path: "/topics", content_type: "", body: "", status: 405, error_code: 405 },
    // Wrong media types
    post("/topics/t", "application/x-www-form-urlencoded", "a=b", 415, 415),
    post("/topics/t", "text/plain", "a", 415, 415),
    post("/topics/t", V2, r#"{"records":[{"value":1}]}"#, 415, 415),
    post("/topics/t", "application/vnd.kafka.avro.v2+json", r#"{"records":[{"value":1}]}"#, 422, 42202),
    post("/topics/t", "application/vnd.kafka.protobuf.v2+json", r#"{"records":[{"value":1}]}"#, 422, 42202),
    post("/topics/t", "application/vnd.kafka.jsonschema.v2+json", r#"{"records":[{"key":1}]}"#, 422, 42201),
    post("/topics/t", "application/vnd.kafka.json.v9+json", r#"{"records":[{"value":1}]}"#, 415, 415),
    post("/topics/t", "/", "{}", 415, 415),
    post("/consumers/g", "text/xml", "<a/>", 415, 415),
    post("/consumers/g", V2, r#"{"format":"string"}"#, 422, 422),
];

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let server = Setup::new().set("auto.create.topics.enable", "true").start();
    Cluster::new(server.broker()).create_topic("exists", 1);
    let http = server.http();
    let mut wrong = vec![];
    for case in WRONG {
        let mut request = http.request(case.method, case.path);
        if !case.content_type.is_empty() {
            request = request.header("Content-Type", case.content_type).body(case.body);
        }
        let answer = request.send();
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status != case.status
            || body["error_code"] != case.error_code
            || !body["message"].is_string()
        {
            wrong.push(format!(
                "{} {} ({}) {}\n  expected {} {}, got {} {}",
                case.method,
                case.path,
                case.content_type,
                case.body,
                case.status,
                case.error_code,
                answer.status,
                answer.text()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} answers differ:\n{}",
        wrong.len(),
        WRONG.len(),
        wrong.join("\n")
    );
    // None of them left anything behind.
    assert_eq!(Cluster::new(server.broker()).topics(), ["exists"]);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    still_serves(&server);
}

#[test]
fn bodies_beyond_the_limit_are_refused_with_its_name() {
    let server = Setup::new().set("rest.max.request.bytes", "100000").start();
    let http = server.http();
    let body = format!(r#"{{"records":[{{"value":"{}"}}]}}"#, "x".repeat(200_000));
    let answer = http.post("/topics/large", JSON_V2, &body).send().expect_error(413, 413);
    assert!(answer.text().contains("rest.max.request.bytes"), "{}", answer.text());

    // One without a length, and one that lies about it, are cut off at the limit.
    let mut stream = TcpStream::connect(http.address()).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    let head = "POST /topics/large HTTP/1.1\r\nHost: a\r\nContent-Type: application/vnd.kafka.json.v2+json\r\n";
    send(&stream, format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    let chunk = format!("4000\r\n{}\r\n", "[".repeat(0x4000));
    for _ in 0..1000 {
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let mut said = vec![0; 12];
    if stream.read_exact(&mut said).is_ok() {
        assert_eq!(String::from_utf8_lossy(&said), "HTTP/1.1 413");
    }
    still_serves(&server);
}

/// Clients that announce more than all bodies together may have, and send a byte now and then.
#[test]
fn bodies_that_are_announced_take_nothing_from_others() {
    let server = Setup::new().start();
    let http = server.http();
    let one = r#"{"records":[{"value":1}]}"#;
    http.post("/topics/others", JSON_V2, one).send().expect(200);
    let before = server.resident_memory();
    let head = "POST /topics/slow HTTP/1.1\r\nHost: a\r\nContent-Type: application/vnd.kafka.json.v2+json\r\n\
                Content-Length: 60000000\r\n\r\n{";
    let slow: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(http.address()).unwrap()).collect();
    slow.iter().for_each(|stream| send(stream, head.as_bytes()));
    for _ in 0..5 {
        slow.iter().for_each(|stream| send(stream, b" "));
        http.post("/topics/others", JSON_V2, one).send().expect(200);
    }
    let grown = server.resident_memory().saturating_sub(before);
    assert!(grown < FLAT, "{grown} bytes");
    // None of them was turned away for it.
    for mut stream in &slow {
        stream.set_nonblocking(true).unwrap();
        let error = stream.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn what_is_not_http_is_closed() {
    let server = Setup::new().start();
    let before = server.resident_memory();
    let long_line = [b"GET /".to_vec(), vec![b'a'; 1 << 20]].concat();
    let many_headers =
        [b"GET / HTTP/1.1\r\n".to_vec(), b"X-Header: value\r\n".repeat(100_000)].concat();
    let smuggled = b"POST /topics/t HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!";
    let cases: [(&str, &[u8]); 8] = [
        ("garbage", b"\x00\x01\x02\x03\xff\xfe\r\n\r\n"),
        ("TLS", TLS_HELLO),
        ("Kafka", &frame(&header(ApiKey::ApiVersions, 0))),
        ("long line", &long_line),
        ("many headers", &many_headers),
        ("two lengths", smuggled),
        ("negative length", b"POST /topics/t HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        ("wrong chunk", b"POST /topics/t HTTP/1.1\r\nHost: a\r\nContent-Type: application/vnd.kafka.json.v2+json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ];
    for (case, bytes) in cases {
        let stream = TcpStream::connect(server.http().address()).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        send(&stream, bytes);
        // Some wait for the rest of a line that could still become a request.
        end(&stream);
        let said = until_closed(&stream, case);
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{case}: {said}");
    }
    // Nobody has to act upon that.
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
    let grown = server.resident_memory().saturating_sub(before);
    assert!(grown < FLAT, "{grown} bytes");
    still_serves(&server);
}

/// JSON that nests without end, or repeats without end, is data: it costs what
/// it weighs.
#[test]
fn deep_and_wide_json_costs_what_it_weighs() {
    let server = Setup::new().start();
    let http = server.http();
    let before = server.resident_memory();
    let deep =
        format!(r#"{{"records":[{{"value":{}{}}}]}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let unbalanced = format!(r#"{{"records":[{{"value":{}"#, "[{\"a\":".repeat(200_000));
    let wide = format!(r#"{{"records":[{}]}}"#, vec!["{}"; 300_000].join(","));
    for (case, body) in [("deep", deep), ("unbalanced", unbalanced), ("wide", wide)] {
        let answer = http.post("/topics/deep", JSON_V2, &body).send();
        assert!([200, 400, 413, 422].contains(&answer.status), "{case}: {}", answer.status);
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
    still_serves(&server);
    let grown = server.resident_memory().saturating_sub(before);
    assert!(grown < 8 * FLAT, "{grown} bytes");
}

//! Replays what the reference answered (tests/http/recorded-registry.txt and
//! recorded-registry-pairs.txt): status, code, verdict, the set of errorTypes
//! and everything else but the wording must be the same, or a deviation that is
//! written down with its decision.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use regex::Regex;
use serde_json::{Value, json};

use super::Registry;
use crate::harness::{Answer, Setup};

const RECORDED: &str = include_str!("../../http/recorded-registry.txt");
const PAIRS: &str = include_str!("../../http/recorded-registry-pairs.txt");
const DEVIATIONS: &str = include_str!("../../http/deviations-registry.txt");
const V1: &str = "application/vnd.schemaregistry.v1+json";

/// A request, and the answer that was recorded unless the request only
/// prepares others.
#[derive(Debug)]
struct Exchange<'a> {
    name: String,
    request: Request<'a>,
    expected: Option<Expected<'a>>,
}

#[derive(Debug)]
struct Request<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Option<&'a str>,
}

#[derive(Clone, Debug)]
struct Expected<'a> {
    status: u16,
    content_type: Option<&'a str>,
    headers: Vec<(&'a str, &'a str)>,
    body: String,
}

impl<'a> Request<'a> {
    fn parse(lines: &[&'a str]) -> Self {
        let mut lines = lines.iter().filter_map(|line| line.strip_prefix('>'));
        let (method, target) = lines.next().unwrap().trim().split_once(' ').unwrap();
        let mut headers = vec![];
        let mut body = None;
        for line in lines {
            match (line.trim(), body) {
                ("", None) => body = Some(""),
                (text, Some("")) => body = Some(text),
                (header, None) => headers.push(header.split_once(": ").unwrap()),
                (text, Some(_)) => panic!("a body has one line: {text}"),
            }
        }
        Self { method, target, headers, body }
    }
}

impl<'a> Expected<'a> {
    fn parse(lines: &[&'a str]) -> Self {
        let status = lines[0].strip_prefix("< ").unwrap();
        let status = status.split(' ').next().unwrap().parse().unwrap();
        let mut answer =
            Self { status, content_type: Some(V1), headers: vec![], body: String::new() };
        let mut body = vec![];
        for line in &lines[1..] {
            if !body.is_empty() {
                body.push(*line);
            } else if *line == "(no Content-Type)" {
                answer.content_type = None;
            } else if let Some(content_type) = line.strip_prefix("Content-Type: ") {
                answer.content_type = Some(content_type);
            } else if let Some((name, value)) = line
                .split_once(": ")
                .filter(|(name, _)| ["X-Request-ID", "Allow", "Connection"].contains(name))
            {
                answer.headers.push((name, value));
            } else {
                body.push(*line);
            }
        }
        answer.body = body.join("\n").trim_end().to_owned();
        answer
    }
}

fn exchanges(text: &str) -> Vec<Exchange<'_>> {
    let mut section = "";
    let mut exchanges = vec![];
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    for block in text.split("\n\n#").flat_map(|block| block.split("\n\n+\n")) {
        let lines: Vec<&str> = block.trim_start_matches('#').trim_matches('\n').lines().collect();
        let first = lines.first().copied().unwrap_or_default();
        if first.starts_with('>') {
            let name = format!("before, {first}");
            exchanges.push(Exchange { name, request: Request::parse(&lines), expected: None });
        } else if lines.len() == 1 {
            section = first.trim();
        } else if let Some(divide) = lines.iter().position(|line| line.starts_with("---")) {
            let mut name = format!("{section}: {}", first.trim());
            let count = names.entry(name.clone()).or_default();
            *count += 1;
            if *count > 1 {
                write!(name, " ({count})").unwrap();
            }
            exchanges.push(Exchange {
                name,
                request: Request::parse(&lines[1..divide]),
                expected: Some(Expected::parse(&lines[divide + 1..])),
            });
        }
    }
    exchanges
}

/// What is expected instead of what was recorded, by the names of exchanges.
fn deviations() -> BTreeMap<String, Expected<'static>> {
    let mut deviations = BTreeMap::new();
    for block in DEVIATIONS.split("\n\n").filter(|block| block.starts_with("## ")) {
        let lines: Vec<&str> = block.lines().collect();
        let why = lines.iter().position(|line| line.starts_with("why: ")).expect("a decision");
        let answer = lines.iter().position(|line| line.starts_with("< ")).expect("an answer");
        assert!(why < answer, "{block}");
        for line in &lines[..why] {
            let name = line.strip_prefix("## ").unwrap().to_owned();
            let before = deviations.insert(name, Expected::parse(&lines[answer..]));
            assert!(before.is_none(), "two deviations for {line}");
        }
    }
    deviations
}

/// The errorTypes in a text.
fn error_types(text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(r#"errorType:['"\\]+([A-Z_]+)"#).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Compares but for wording and the time of records; "*" stands for anything.
fn same(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::String(text), _) if text == "*" => true,
        (Value::Object(expected), Value::Object(got)) => {
            let is_error = expected.contains_key("error_code");
            expected.keys().eq(got.keys())
                && expected.iter().zip(got).all(|((name, expected), (_, got))| {
                    match name.as_str() {
                        "ts" => got.is_i64(),
                        "message" if is_error => {
                            got.is_string()
                                && error_types(&expected.to_string())
                                    == error_types(&got.to_string())
                        }
                        "messages" => {
                            error_types(&expected.to_string()) == error_types(&got.to_string())
                                && expected.as_array().map(Vec::is_empty)
                                    == got.as_array().map(Vec::is_empty)
                        }
                        _ => same(expected, got),
                    }
                })
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| same(expected, got))
        }
        (expected, got) => expected == got,
    }
}

fn difference(expected: &Expected<'_>, got: &Answer, is_head: bool) -> Option<String> {
    if expected.status != got.status {
        return Some(format!("status {} and not {}", got.status, expected.status));
    }
    let content_type = got.header("content-type");
    if expected.content_type != content_type && !is_head && got.status != 204 {
        return Some(format!("Content-Type {content_type:?} and not {:?}", expected.content_type));
    }
    for (name, value) in &expected.headers {
        let header = got.header(&name.to_lowercase());
        let is_same = if *name == "X-Request-ID" && value.len() == 36 {
            header.is_some_and(|header| header.len() == 36)
        } else {
            header == Some(value)
        };
        if !is_same {
            return Some(format!("{name} {header:?} and not {value}"));
        }
    }
    let text = got.text();
    let parsed: (Result<Value, _>, Result<Value, _>) =
        (serde_json::from_str(&expected.body), serde_json::from_str(&text));
    let is_same = match parsed {
        (Ok(expected), Ok(got)) => same(&expected, &got),
        _ => expected.body == text.trim_end() || expected.body == "\"*\"",
    };
    (!is_same).then(|| format!("{text}\n  and not {}", expected.body))
}

/// The members that old releases have not.
fn as_of_old(request: &Request<'_>, body: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    let is_registration = request.method == "POST" && request.target.contains("/versions");
    let carries = request.body.is_some_and(|body| {
        let contract = ["metadata", "ruleSet", "schemaTagsToAdd", "tagsToAdd"];
        serde_json::from_str::<Value>(body)
            .is_ok_and(|body| contract.iter().any(|name| !body[name].is_null()))
    });
    let is_by_id = request.target.contains("/schemas/");
    let strip = |entity: &mut Value| {
        let Some(members) = entity.as_object_mut().filter(|members| members.contains_key("schema"))
        else {
            return;
        };
        if is_registration && !carries {
            members.retain(|name, _| name == "id");
            return;
        }
        // What is left keeps its order.
        members.retain(|name, value| match name.as_str() {
            "ts" | "deleted" => false,
            "guid" => is_registration,
            "schemaType" => *value != json!("AVRO"),
            "subject" | "version" => !is_by_id,
            _ => true,
        });
    };
    match &mut value {
        Value::Array(entities) => entities.iter_mut().for_each(strip),
        entity => strip(entity),
    }
    value.to_string()
}

fn replay(is_newest: bool) {
    let server = Setup::new().set("registry.incompatible.error.code", "40901").start();
    let http = Registry::of(&server);
    let mut deviations = deviations();
    let mut wrong = String::new();
    let exchanges = exchanges(RECORDED);
    assert_eq!(exchanges.iter().filter(|exchange| exchange.expected.is_some()).count(), 406);
    for Exchange { name, request, expected } in exchanges {
        let mut headers = request.headers.clone();
        if is_newest {
            headers.push(("Confluent-Accept-Unknown-Properties", "true"));
        } else {
            headers.retain(|(name, _)| *name != "Confluent-Accept-Unknown-Properties");
        }
        let got = http.try_send(request.method, request.target, &headers, request.body).unwrap();
        let Some(mut recorded) = expected else {
            assert!(got.status < 300, "{name}: {} {}", got.status, got.text());
            continue;
        };
        let is_head = request.method == "HEAD";
        let deviation = deviations.remove(&name);
        let is_deviation = deviation.is_some();
        let mut expected = deviation.unwrap_or_else(|| recorded.clone());
        if !is_newest {
            expected.body = as_of_old(&request, &expected.body);
            recorded.body = as_of_old(&request, &recorded.body);
        }
        if let Some(difference) = difference(&expected, &got, is_head) {
            writeln!(wrong, "## {name}\n{} {}\n  {difference}\n", request.method, request.target)
                .unwrap();
        } else if is_newest && is_deviation && self::difference(&recorded, &got, is_head).is_none()
        {
            writeln!(wrong, "## {name}\n  is no deviation any more\n").unwrap();
        }
    }
    deviations.retain(|name, _| !name.starts_with("pair, "));
    for name in deviations.keys() {
        writeln!(wrong, "## {name}\n  is a deviation of nothing\n").unwrap();
    }
    assert!(wrong.is_empty(), "{} differences:\n{wrong}", wrong.matches("## ").count());
}

#[test]
fn answers_are_those_of_the_newest_release_for_clients_that_know_them() {
    replay(true);
}

#[test]
fn answers_are_those_of_old_releases_for_all_others() {
    replay(false);
}

/// What is registered and compared: a text, its type, its references.
fn schema(kind: &str, text: &str) -> Value {
    let (text, references) = match text.split_once(" references ") {
        Some((text, references)) => (text, serde_json::from_str(references).unwrap()),
        None => (text, json!([])),
    };
    json!({ "schemaType": kind, "schema": text, "references": references })
}

#[test]
fn pairs_of_schemas_have_the_verdicts_of_the_reference() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    for (subject, field) in [("pb", "int32 z = 1;"), ("pb2", "string z = 1;")] {
        let text = format!("syntax = \"proto3\"; package b; message B {{ {field} }}");
        let body = schema("PROTOBUF", &text).to_string();
        http.send("POST", &format!("/subjects/{subject}/versions"), Some(&body)).expect(200);
    }
    let mut deviations = deviations();
    let mut kind = "";
    let mut count = 0;
    let mut wrong = String::new();
    for block in PAIRS.split("\n\n").filter(|block| block.starts_with('#')) {
        if let Some(section) = block.strip_prefix("# ") {
            kind = match section.trim() {
                "Avro" => "AVRO",
                "JSON Schema" => "JSON",
                "Protobuf" => "PROTOBUF",
                other => panic!("{other}"),
            };
            continue;
        }
        let lines: Vec<&str> = block.lines().collect();
        let name = lines[0].strip_prefix("## ").unwrap();
        let text = |what: &str| lines.iter().find_map(|line| line.strip_prefix(what)).unwrap();
        count += 1;
        let subject = format!("pair-{count}");
        http.put(&format!("/config/{subject}"), r#"{"compatibility":"NONE"}"#).expect(200);
        let old = schema(kind, text("> old ")).to_string();
        let registered = http.send("POST", &format!("/subjects/{subject}/versions"), Some(&old));
        if registered.status != 200 {
            writeln!(wrong, "## {kind}, {name}: old is refused: {}", registered.text()).unwrap();
            continue;
        }
        for (level, verdict, types) in verdicts(&lines) {
            let policy = if name.starts_with("LENIENT") { "LENIENT" } else { "STRICT" };
            let config = json!({ "compatibility": level, "compatibilityPolicy": policy });
            http.put(&format!("/config/{subject}"), &config.to_string()).expect(200);
            let target = format!("/compatibility/subjects/{subject}/versions/latest?verbose=true");
            let new = schema(kind, text("> new ")).to_string();
            let answer = http.send("POST", &target, Some(&new)).expect(200).json();
            let got = (
                answer["is_compatible"].as_bool().unwrap(),
                error_types(&answer["messages"].to_string()),
            );
            let deviation = deviations.remove(&format!("pair, {kind}, {name}, {level}"));
            let expected = match deviation {
                Some(deviation) => {
                    let answer: Value = serde_json::from_str(&deviation.body).unwrap();
                    (
                        answer["is_compatible"].as_bool().unwrap(),
                        error_types(&answer["messages"].to_string()),
                    )
                }
                None => (verdict, types),
            };
            if got != expected {
                writeln!(
                    wrong,
                    "## {kind}, {name}, {level}: {got:?} and not {expected:?}\n  {answer}"
                )
                .unwrap();
            }
        }
    }
    assert_eq!(count, 110);
    for name in deviations.keys().filter(|name| name.starts_with("pair, ")) {
        writeln!(wrong, "## {name} is a deviation of nothing").unwrap();
    }
    assert!(wrong.is_empty(), "{} differences:\n{wrong}", wrong.matches("## ").count());
}

/// Level, verdict and errorTypes.
fn verdicts<'a>(lines: &[&'a str]) -> Vec<(&'a str, bool, BTreeSet<String>)> {
    let mut verdicts: Vec<(&str, bool, BTreeSet<String>)> = vec![];
    for line in lines.iter().filter_map(|line| line.strip_prefix("<")) {
        if let Some(message) = line.strip_prefix("   ") {
            let mut types = error_types(message);
            if types.is_empty() {
                types.insert(message.split(' ').next().unwrap().to_owned());
            }
            verdicts.last_mut().unwrap().2.extend(types);
            continue;
        }
        for verdict in line.trim().split(", ") {
            let (level, verdict) = verdict.split_once(' ').unwrap();
            verdicts.push((level, verdict.starts_with("true"), BTreeSet::new()));
        }
    }
    verdicts
}

//! Replays what was recorded from the reference (`tests/http/recorded-v2.txt`)
//! and compares status, Content-Type and body. Where our answer differs on
//! purpose, `tests/http/deviations.txt` holds it and the reason.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::http::Request;
use crate::harness::kafka::Cluster;
use crate::harness::{Answer, Http, Setup, Stack, unique};

const RECORDED: &str = include_str!("../../http/recorded-v2.txt");
const SCHEMAS_RECORDED: &str = include_str!("../../http/recorded-v2-schemas.txt");
const DEVIATIONS: &str = include_str!("../../http/deviations.txt");

#[test]
fn answers_are_those_of_the_reference() {
    let stack = Stack::start();
    let cluster = Cluster::new(&stack.bootstrap);
    let run = Run::new(&[("48436", unique("")), ("48731", unique(""))]);

    // What other tests of the recording had produced before.
    cluster.create_topic(&run.names("g48436"), 2);
    cluster.create_topic(&run.names("h48731"), 1);
    let key = Some(b"k".as_slice());
    cluster.produce(&run.names("g48436"), 0, &[(key, Some(b"{\"a\":1}"))]);
    let values = ["a", "b", "a", "c", "", "", "x", "x", "a"];
    let rest = values.map(|value| (None, (!value.is_empty()).then_some(value.as_bytes())));
    cluster.produce(&run.names("g48436"), 1, &[(key, Some(b"val"))]);
    cluster.produce(&run.names("g48436"), 1, &rest);

    run.replay(&stack.http(), |exchange| !exchange.title.contains("(autocreate OFF)"));
}

#[test]
fn answers_about_schemas_are_those_of_the_reference() {
    let stack = Stack::start();
    let cluster = Cluster::new(&stack.bootstrap);
    let run = Run::new(&[("48436", unique(""))]);
    for topic in ["g48436", "av48436"] {
        cluster.create_topic(&run.names(topic), 1);
    }
    run.replay_all(&stack.http(), SCHEMAS_RECORDED, |_| true);
}

#[test]
fn answers_without_automatic_creation_are_those_of_the_reference() {
    let server = Setup::new().set("auto.create.topics.enable", "false").start();
    let run = Run::new(&[("48782", unique(""))]);
    run.replay(&server.http(), |exchange| exchange.title.contains("(autocreate OFF)"));
}

#[test]
fn deviations_are_about_recorded_exchanges_and_differ_from_them() {
    let recorded: Vec<Exchange> =
        [RECORDED, SCHEMAS_RECORDED].into_iter().flat_map(recorded).collect();
    for (title, deviation) in deviations() {
        let exchange = recorded.iter().find(|exchange| exchange.title == title);
        let exchange = exchange.unwrap_or_else(|| panic!("nothing recorded is called {title:?}"));
        assert_ne!(exchange.answer, deviation, "{title}: this is what the reference answers");
    }
}

/// A replay, with names of its own.
struct Run {
    names: Vec<(&'static str, String)>,
}

impl Run {
    fn new(names: &[(&'static str, String)]) -> Self {
        Self { names: names.to_vec() }
    }

    /// Puts the names of this run where the recording has its own.
    fn names(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    /// Sends the exchanges in order, and fails with all that are not as expected.
    fn replay(&self, http: &Http, wanted: impl Fn(&Exchange) -> bool) {
        self.replay_all(http, RECORDED, wanted);
    }

    fn replay_all(&self, http: &Http, text: &'static str, wanted: impl Fn(&Exchange) -> bool) {
        let deviations = deviations();
        let mut differences = vec![];
        let mut count = 0;
        for exchange in recorded(text).filter(wanted) {
            count += 1;
            let expected = deviations.get(exchange.title).unwrap_or(&exchange.answer);
            let answer = self.request(http, &exchange).send();
            if let Err(difference) = self.compare(expected, &answer) {
                let from =
                    if deviations.contains_key(exchange.title) { " (deviation)" } else { "" };
                differences.push(format!(
                    "## {}{from}\n{}\n{difference}",
                    exchange.title, exchange.request
                ));
            }
        }
        assert!(count > 0, "no exchange was replayed");
        assert!(
            differences.is_empty(),
            "{} of {count} answers differ:\n\n{}",
            differences.len(),
            differences.join("\n\n")
        );
    }

    fn request<'a>(&self, http: &'a Http, exchange: &Exchange) -> Request<'a> {
        let text = self.names(exchange.request);
        let mut lines = text.lines().map(|line| line.strip_prefix('>').unwrap());
        let (method, path) = lines.next().unwrap().trim_start().split_once(' ').unwrap();
        // So that links are those of the recording.
        let mut request = http.request(method, path).header("Host", "localhost:8082");
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let (name, value) = line.trim_start().split_once(": ").unwrap();
            request = request.header(name, value);
        }
        if let Some(body) = lines.next() {
            request = request.body(written_out(body.trim_start()));
        }
        request
    }

    fn compare(&self, expected: &Expected, answer: &Answer) -> Result<(), String> {
        let mut wrong = vec![];
        if answer.status != expected.status {
            wrong.push(format!("status: expected {}, got {}", expected.status, answer.status));
        }
        for name in ["content-type", "allow"] {
            let got = answer.header(name).unwrap_or_default();
            let wanted = expected.header(name);
            if name == "allow" && wanted.is_empty() {
                continue;
            }
            if !same_words(got, wanted) {
                wrong.push(format!("{name}: expected {wanted:?}, got {got:?}"));
            }
        }
        let (body, wanted) = (answer.text(), self.names(expected.body));
        let same = match serde_json::from_str::<Value>(&wanted) {
            Ok(wanted) => {
                serde_json::from_str(&body).is_ok_and(|body: Value| matches(&wanted, &body))
            }
            Err(_) => same_words(&wanted, &body),
        };
        if !same {
            wrong.push(format!("body:\n  expected {wanted}\n  got      {body}"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

/// Equal, where `"*"` stands for anything and `"text*"` for what begins with it.
fn matches(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::String(pattern), _) if pattern == "*" => true,
        (Value::String(pattern), Value::String(text)) => match pattern.strip_suffix('*') {
            Some(beginning) => text.starts_with(beginning),
            None => pattern == text,
        },
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| matches(expected, got))
        }
        (Value::Object(expected), Value::Object(got)) => {
            expected.len() == got.len()
                && expected
                    .iter()
                    .all(|(name, expected)| got.get(name).is_some_and(|got| matches(expected, got)))
        }
        _ => expected == got,
    }
}

/// Lists of words are equal in any order (`Allow`).
fn same_words(one: &str, other: &str) -> bool {
    let words = |text: &str| {
        let mut words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
        words.sort();
        words
    };
    words(one) == words(other)
}

/// Writes `x…(1000 times)` out.
fn written_out(body: &str) -> String {
    let Some((before, rest)) = body.split_once("…(") else { return body.to_owned() };
    let (count, after) = rest.split_once(" times)").unwrap();
    let letter = &before[before.len() - 1..];
    format!("{before}{}{after}", letter.repeat(count.parse::<usize>().unwrap() - 1))
}

#[derive(Debug)]
struct Exchange {
    title: &'static str,
    /// With `>` at the begin of each line.
    request: &'static str,
    answer: Expected,
}

#[derive(Clone, Debug, PartialEq)]
struct Expected {
    status: u16,
    /// Name, in lower case, and value.
    headers: Vec<(String, String)>,
    body: &'static str,
}

impl Expected {
    fn parse(text: &'static str) -> Self {
        let mut lines = text.trim_end().lines();
        let status = lines.next().and_then(|line| line.strip_prefix("< "));
        let status = status.unwrap_or_else(|| panic!("no status in {text:?}"));
        let (mut headers, mut body) = (vec![], "");
        for line in lines {
            match line.split_once(": ") {
                Some((name, value)) if !line.starts_with(['{', '[', '"']) => {
                    headers.push((name.to_lowercase(), value.to_owned()));
                }
                _ => body = line,
            }
        }
        Self { status: status[..3].parse().unwrap(), headers, body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

fn recorded(text: &'static str) -> impl Iterator<Item = Exchange> {
    text.split("\n## ").skip(1).map(|block| {
        let (title, block) = block.split_once('\n').unwrap();
        let (request, answer) = block.split_once("\n---").unwrap();
        // After the rule stands how long the reference took.
        let answer = answer.split_once('\n').unwrap().1;
        Exchange { title, request, answer: Expected::parse(answer) }
    })
}

fn deviations() -> BTreeMap<&'static str, Expected> {
    let mut all = BTreeMap::new();
    for block in DEVIATIONS.split("\n\n## ").skip(1) {
        let (titles, rest) = block.split_once("\nwhy: ").unwrap();
        let (_, answer) = rest.split_once('\n').unwrap();
        for title in titles.split("\n## ") {
            let twice = all.insert(title, Expected::parse(answer));
            assert!(twice.is_none(), "{title} stands twice in the deviations");
        }
    }
    all
}

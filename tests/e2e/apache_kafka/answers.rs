//! The same requests to Apache Kafka and to Ottla: the answers are equal field by
//! field, but for ids, times, addresses and the words of messages.

mod configs;
mod groups;
mod records;
mod topics;

use std::fmt::Debug;
use std::sync::LazyLock;

use protocol::Request;
use regex::Regex;

use crate::harness::Setup;
use crate::harness::apache_kafka::ApacheKafka;
use crate::harness::kafka::{Cluster, Connection};

/// Settings that both have, so that differences are none of configuration.
const SETTINGS: [(&str, &str); 6] = [
    ("auto.create.topics.enable", "false"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "3"),
    ("log.cleaner.backoff.ms", "50"),
    ("log.retention.check.interval.ms", "100"),
    ("offset.metadata.max.bytes", "1000"),
];

/// Settings of topics that one of both has for reasons of its own: a setting of ours,
/// and one that Kafka sets for its replicas when a cluster is made.
const PRIVATE: [&str; 2] = ["durability", "min.insync.replicas"];

/// Fields whose values no two clusters share.
const MASKED: [&str; 11] = [
    "topic_id",
    "cluster_id",
    "host",
    "port",
    "producer_id",
    "member_id",
    "leader",
    "log_append_time_ms",
    "session_id",
    // Words are compared by whether there are any.
    "error_message",
    "batch_index_error_message",
];

/// Answers, by the beginning of their names, that are others on purpose, and why.
const DELIBERATE: &[(&str, &str)] = &[
    ("produce codec ", "the client is told what is wrong (76), and not that we do not know (-1)"),
    ("produce half a compressed batch", "87, and not that we do not know (-1)"),
    ("produce plain records called ", "87, and not that we do not know (-1)"),
    ("produce a time stamp of the broker", "Kafka stores a batch that lies about its times"),
    ("produce a delete horizon", "Kafka stores a batch whose times nobody can read"),
    ("produce a wrong offset of a record", "Kafka stores a batch that breaks its readers"),
    ("produce a wrong length of a record", "the record at fault is named"),
    ("produce a transaction", "nobody coordinates transactions"),
    ("produce idempotent, a duplicate", "-1 where records have their own times"),
    ("produce idempotent, the oldest duplicate", "-1 where records have their own times"),
    ("find coordinator v1", "no words where nothing is wrong"),
    ("find coordinator v2", "no words where nothing is wrong"),
    ("find coordinator v3", "no words where nothing is wrong"),
    ("alter configs: an unknown operation", "42, and not that we do not know (-1)"),
];

/// Asks one cluster, and keeps what it answers.
struct Script<'a> {
    cluster: &'a Cluster,
    connection: Connection,
    answers: Vec<(String, String)>,
}

impl<'a> Script<'a> {
    fn new(cluster: &'a Cluster, bootstrap: &str) -> Self {
        let connection = Connection::open(bootstrap).unwrap();
        Self { cluster, connection, answers: vec![] }
    }

    /// Asks, and keeps the answer under a name.
    #[track_caller]
    fn ask<R: Request>(&mut self, name: &str, version: i16, request: &R) -> R::Response
    where
        R::Response: Debug,
    {
        let answer = self.connection.call(version, request);
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        self.keep(name, &answer);
        answer
    }

    fn keep(&mut self, name: &str, answer: &impl Debug) {
        self.answers.push((name.to_owned(), masked(&format!("{answer:#?}"))));
    }
}

/// Takes out what cannot be equal, and keeps whether there is something.
fn masked(text: &str) -> String {
    static SOME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(Some|Uuid)\(\s+([^\n]*?),?\s+\)").unwrap());
    let text = SOME.replace_all(text, "$1($2)");
    let mask = |line: &str| {
        let field = line.trim_start().split_once(": ");
        match field.filter(|(name, _)| MASKED.contains(name)) {
            Some((_, value)) => {
                let (start, value) = line.split_at(line.len() - value.len());
                // No text and no words are the same to a client.
                let is_nothing = ["None,", "-1,", "\"\",", "Some(\"\"),", "0,"].contains(&value);
                format!("{start}{}", if is_nothing { "nothing" } else { "something" })
            }
            None => line.to_owned(),
        }
    };
    text.lines().map(mask).collect::<Vec<_>>().join("\n")
}

/// Whether answers are equal. Where Kafka says no word, we may.
fn are_equal(theirs: &str, ours: &str) -> bool {
    let is_equal = |(theirs, ours): (&str, &str)| {
        theirs == ours
            || (theirs.contains("error_message: nothing")
                && ours.contains("error_message: something"))
    };
    theirs.lines().count() == ours.lines().count() && theirs.lines().zip(ours.lines()).all(is_equal)
}

/// What both are asked.
fn play(cluster: &Cluster, bootstrap: &str) -> Vec<(String, String)> {
    let mut script = Script::new(cluster, bootstrap);
    topics::play(&mut script);
    records::play(&mut script);
    configs::play(&mut script);
    groups::play(&mut script);
    script.answers
}

#[test]
#[ignore = "needs Java and Maven"]
fn answers_are_those_of_apache_kafka() {
    let settings: Vec<String> =
        SETTINGS.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let kafka = ApacheKafka::start(&settings);
    let setup = SETTINGS
        .iter()
        .fold(Setup::new().set("node.id", "1"), |setup, (name, value)| setup.set(name, value));
    let server = setup.start();

    let theirs = play(&kafka.cluster(), kafka.bootstrap());
    let ours = play(&Cluster::new(server.broker()), server.broker());
    let mut differences = vec![];
    for ((name, theirs), (our_name, ours)) in theirs.iter().zip(&ours) {
        assert_eq!(name, our_name);
        let reason = DELIBERATE.iter().find(|(deliberate, _)| name.starts_with(deliberate));
        let is_equal = are_equal(theirs, ours);
        if is_equal && let Some((_, reason)) = reason {
            differences
                .push(format!("== {name}\n  is the same by now, and should not be: {reason}"));
        }
        if !is_equal && reason.is_none() {
            differences.push(format!("== {name}\n{}", difference(theirs, ours)));
        }
    }
    assert_eq!(theirs.len(), ours.len());
    assert!(
        differences.is_empty(),
        "{} of {} answers differ (- Apache Kafka, + Ottla):\n{}",
        differences.len(),
        theirs.len(),
        differences.join("\n")
    );
}

/// The lines that differ.
fn difference(theirs: &str, ours: &str) -> String {
    let (theirs, ours): (Vec<_>, Vec<_>) = (theirs.lines().collect(), ours.lines().collect());
    let start = theirs.iter().zip(&ours).take_while(|(theirs, ours)| theirs == ours).count();
    let both = theirs.len().min(ours.len()) - start;
    let ends = theirs.iter().rev().zip(ours.iter().rev());
    let end = ends.take(both).take_while(|(theirs, ours)| theirs == ours).count();
    let of = |sign: char, lines: &[&str]| -> Vec<String> {
        let lines = &lines[start..lines.len() - end];
        lines.iter().take(40).map(|line| format!("{sign} {line}")).collect()
    };
    [of('-', &theirs), of('+', &ours)].concat().join("\n")
}

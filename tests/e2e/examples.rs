//! What `examples/` shows works, word for word.

use std::path::PathBuf;
use std::process::Command;

use protocol::messages::offset_fetch::OffsetFetchRequestGroup;
use protocol::messages::{ListGroupsRequest, OffsetFetchRequest};

use crate::harness::kafka::Connection;
use crate::harness::programs::{python, root, run};
use crate::harness::{Server, Setup};

fn example(path: &str) -> PathBuf {
    root().join("examples").join(path)
}

/// Runs a program that produces two records, reads them and commits, twice: the
/// second one meets a topic that exists.
fn round_trip(name: &str, command: impl Fn() -> Command) {
    let server = Setup::new().start();
    for time in 1..=2 {
        let printed = run(command().arg(server.rest()));
        assert!(printed.contains("foo") && printed.contains("bar"), "{printed}");
        let committed = committed_offsets(&server, name);
        assert_eq!(committed.len(), time, "each run has a group of its own: {committed:?}");
        let newest = committed.iter().max().unwrap();
        assert_eq!(*newest, 2 * time as i64, "all records are committed: {committed:?}");
    }
}

/// What the groups whose names begin so have committed, each in its only partition.
fn committed_offsets(server: &Server, prefix: &str) -> Vec<i64> {
    let mut connection = Connection::open(server.broker()).unwrap();
    let groups = connection.call(4, &ListGroupsRequest::default()).unwrap().groups;
    let groups = groups.iter().map(|group| group.group_id.clone());
    let groups: Vec<_> = groups.filter(|group| group.starts_with(prefix)).collect();
    let request = OffsetFetchRequest {
        groups: groups
            .into_iter()
            .map(|group_id| OffsetFetchRequestGroup {
                group_id,
                topics: None,
                ..OffsetFetchRequestGroup::default()
            })
            .collect(),
        ..OffsetFetchRequest::default()
    };
    let answer = connection.call(8, &request).unwrap();
    let topics = answer.groups.iter().flat_map(|group| &group.topics);
    topics.flat_map(|topic| &topic.partitions).map(|partition| partition.committed_offset).collect()
}

#[test]
#[ignore = "needs curl"]
fn curl() {
    round_trip("curl-round-trip", || Command::new(example("curl/round-trip.sh")));
}

#[test]
#[ignore = "needs python"]
fn python_requests() {
    round_trip("python-round-trip", || {
        let mut command = python();
        command.arg(example("python/round_trip.py"));
        command
    });
}

#[test]
#[ignore = "needs node"]
fn javascript() {
    round_trip("javascript-round-trip", || {
        let mut command = Command::new("node");
        command.arg(example("javascript/round-trip.mjs"));
        command
    });
}

#[test]
#[ignore = "needs go"]
fn go() {
    round_trip("go-round-trip", || {
        let mut command = Command::new("go");
        command.arg("run").arg(example("go/main.go"));
        command
    });
}

#[test]
#[ignore = "needs java"]
fn java() {
    round_trip("java-round-trip", || {
        let mut command = Command::new("java");
        command.arg(example("java/RoundTrip.java"));
        command
    });
}

/// Programs as they are written in training courses, which still speak API v1.
#[test]
#[ignore = "needs python"]
fn python_of_the_training_courses() {
    let server = Setup::new().start();
    let program = |name: &str| run(python().arg(example("python").join(name)).arg(server.rest()));
    let produced = program("course_producer.py");
    assert!(produced.contains(r#""offset":0"#), "{produced}");
    assert_eq!(program("course_consumer.py"), "Message Key: firstkey\nMessage Value: firstvalue\n");
    assert_eq!(program("course_consumer.py"), "", "the group does not get it again");
    program("course_producer.py");
    assert_eq!(program("course_consumer.py"), "Message Key: firstkey\nMessage Value: firstvalue\n");
}

//! Topics and partitions: made, described, extended, deleted, and what is refused.

use protocol::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use protocol::messages::delete_topics::DeleteTopicState;
use protocol::messages::metadata::MetadataRequestTopic;
use protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
};

use super::{PRIVATE, Script};

pub(super) fn topic(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreatableTopic {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    }
}

fn create(topics: Vec<CreatableTopic>, validate_only: bool) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, timeout_ms: 30_000, validate_only }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(partition_index, broker_ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: broker_ids.to_vec(),
    };
    CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments: assignments.iter().map(assignment).collect(),
        ..topic(name, -1, &[])
    }
}

pub(super) fn play(script: &mut Script<'_>) {
    create_topics(script);
    describe(script);
    create_partitions(script);
    delete(script);
}

fn create_topics(script: &mut Script<'_>) {
    let long = "l".repeat(250);
    let replicated = |name: &str, factor: i16| CreatableTopic {
        replication_factor: factor,
        ..topic(name, 1, &[])
    };
    for (case, topics) in [
        ("plain", vec![topic("plain", 2, &[])]),
        ("defaults", vec![CreatableTopic { replication_factor: -1, ..topic("defaults", -1, &[]) }]),
        (
            "with configs",
            vec![topic(
                "configured",
                1,
                &[
                    ("cleanup.policy", "compact,delete"),
                    ("retention.ms", "1000000"),
                    ("max.message.bytes", "50000"),
                ],
            )],
        ),
        ("that exists", vec![topic("plain", 1, &[])]),
        ("that differs in a dot", vec![topic("a.b", 1, &[]), topic("a_b", 1, &[])]),
        ("that is there twice", vec![topic("twice", 1, &[]), topic("twice", 2, &[])]),
        ("without a name", vec![topic("", 1, &[])]),
        ("named .", vec![topic(".", 1, &[])]),
        ("named ..", vec![topic("..", 1, &[])]),
        ("with a space", vec![topic("a b", 1, &[])]),
        ("with a long name", vec![topic(&long, 1, &[])]),
        ("without partitions", vec![topic("none", 0, &[])]),
        ("with -2 partitions", vec![topic("none", -2, &[])]),
        ("without replicas", vec![replicated("none", 0)]),
        ("with -2 replicas", vec![replicated("none", -2)]),
        ("with three replicas", vec![replicated("none", 3)]),
        ("with an unknown config", vec![topic("none", 1, &[("no.such.config", "1")])]),
        ("with a wrong value", vec![topic("none", 1, &[("retention.ms", "soon")])]),
        ("with a value out of range", vec![topic("none", 1, &[("segment.bytes", "1")])]),
        ("with a wrong policy", vec![topic("none", 1, &[("cleanup.policy", "keep")])]),
        ("with a wrong codec", vec![topic("none", 1, &[("compression.type", "rar")])]),
        ("with a wrong time", vec![topic("none", 1, &[("message.timestamp.type", "Never")])]),
        (
            "with lags that exclude each other",
            vec![topic(
                "none",
                1,
                &[("min.compaction.lag.ms", "9"), ("max.compaction.lag.ms", "3")],
            )],
        ),
        (
            "with a config without a value",
            vec![CreatableTopic {
                configs: vec![CreatableTopicConfig { name: "retention.ms".into(), value: None }],
                ..topic("none", 1, &[])
            }],
        ),
        ("assigned", vec![assigned("assigned", &[(0, &[1]), (1, &[1])])]),
        ("assigned to nobody", vec![assigned("none", &[(0, &[])])]),
        ("assigned to a stranger", vec![assigned("none", &[(0, &[7])])]),
        ("assigned twice", vec![assigned("none", &[(0, &[1, 1])])]),
        ("assigned with a gap", vec![assigned("none", &[(0, &[1]), (2, &[1])])]),
        (
            "assigned and counted",
            vec![CreatableTopic { num_partitions: 1, ..assigned("none", &[(0, &[1])]) }],
        ),
        ("good and bad together", vec![topic("good", 1, &[]), topic("b/d", 1, &[])]),
        ("none at all", vec![]),
    ] {
        for version in [7, 2] {
            if version == 2 && !["that exists", "with a wrong value"].contains(&case) {
                continue;
            }
            let name = format!("create topic {case} v{version}");
            let answer = script.connection.call(version, &create(topics.clone(), false)).unwrap();
            let mut answer = answer;
            answer.topics.sort_by(|one, next| one.name.cmp(&next.name));
            for topic in &mut answer.topics {
                let configs = topic.configs.get_or_insert_default();
                configs.retain(|config| !PRIVATE.contains(&&*config.name));
                configs.sort_by(|one, next| one.name.cmp(&next.name));
            }
            script.keep(&name, &answer);
        }
    }
    let valid = create(vec![topic("not-yet", 3, &[])], true);
    let mut answer = script.connection.call(6, &valid).unwrap();
    for configs in answer.topics.iter_mut().filter_map(|topic| topic.configs.as_mut()) {
        configs.retain(|config| !PRIVATE.contains(&&*config.name));
        configs.sort_by(|one, next| one.name.cmp(&next.name));
    }
    script.keep("validate a topic", &answer);
    script.ask("validate a bad one", 6, &create(vec![topic("not/yet", 3, &[])], true));
}

fn metadata(names: Option<&[&str]>) -> MetadataRequest {
    let topics = names.map(|names| {
        let topic = |name: &&str| MetadataRequestTopic {
            name: Some((*name).into()),
            ..MetadataRequestTopic::default()
        };
        names.iter().map(topic).collect()
    });
    MetadataRequest { topics, allow_auto_topic_creation: true, ..MetadataRequest::default() }
}

fn describe(script: &mut Script<'_>) {
    for version in [0, 1, 4, 5, 7, 8, 9, 10, 11, 12, 13] {
        let name = format!("metadata v{version}");
        // Before version 1 there was no null.
        for topic in ["plain", "defaults", "assigned", "good"] {
            script.cluster.wait_for_leaders(topic);
        }
        script.ask(&name, version, &metadata(Some(&["plain", "missing", "b/d", ""])));
    }
    script.ask("metadata of nothing", 9, &metadata(Some(&[])));
    script.ask("metadata of the same twice", 9, &metadata(Some(&["plain", "plain"])));
    let mut all = script.connection.call(9, &metadata(None)).unwrap();
    all.topics.sort_by(|one, next| one.name.cmp(&next.name));
    script.keep("metadata of all", &all);
    let stranger =
        MetadataRequestTopic { topic_id: "AAAAAAAAAAAAAAAAAAAABQ".parse().unwrap(), name: None };
    let request = MetadataRequest { topics: Some(vec![stranger]), ..MetadataRequest::default() };
    script.ask("metadata of an unknown id", 12, &request);
}

fn create_partitions(script: &mut Script<'_>) {
    let extend =
        |name: &str, count: i32, assignments: Option<Vec<Vec<i32>>>| CreatePartitionsTopic {
            name: name.into(),
            count,
            assignments: assignments.map(|all| {
                all.into_iter()
                    .map(|broker_ids| CreatePartitionsAssignment { broker_ids })
                    .collect()
            }),
        };
    for (case, topics, validate_only) in [
        ("the same", vec![extend("plain", 2, None)], false),
        ("fewer", vec![extend("plain", 1, None)], false),
        ("none", vec![extend("plain", 0, None)], false),
        ("-1", vec![extend("plain", -1, None)], false),
        ("of a missing topic", vec![extend("missing", 3, None)], false),
        ("of a topic that cannot be", vec![extend("a b", 3, None)], false),
        ("assigned to a stranger", vec![extend("plain", 3, Some(vec![vec![9]]))], false),
        ("assigned to nobody", vec![extend("plain", 3, Some(vec![vec![]]))], false),
        (
            "with two assignments for one",
            vec![extend("plain", 3, Some(vec![vec![1], vec![1]]))],
            false,
        ),
        ("with two replicas", vec![extend("plain", 3, Some(vec![vec![1, 1]]))], false),
        ("twice", vec![extend("plain", 3, None), extend("plain", 4, None)], false),
        ("to look", vec![extend("plain", 5, None)], true),
        ("more", vec![extend("plain", 3, None)], false),
        ("assigned", vec![extend("plain", 4, Some(vec![vec![1]]))], false),
    ] {
        let request = CreatePartitionsRequest { topics, timeout_ms: 30_000, validate_only };
        script.ask(&format!("partitions {case}"), 3, &request);
    }
}

fn delete(script: &mut Script<'_>) {
    let names = |names: &[&str]| DeleteTopicsRequest {
        topic_names: names.iter().map(|name| (*name).into()).collect(),
        timeout_ms: 30_000,
        ..DeleteTopicsRequest::default()
    };
    script.ask("delete a missing topic", 5, &names(&["missing"]));
    script.ask("delete what cannot be", 5, &names(&["a b"]));
    script.ask("delete", 4, &names(&["defaults"]));
    script.ask("delete again", 1, &names(&["defaults"]));
    let states = |topics: &[(Option<&str>, &str)]| DeleteTopicsRequest {
        topics: topics
            .iter()
            .map(|(name, id)| DeleteTopicState {
                name: name.map(Into::into),
                topic_id: id.parse().unwrap(),
            })
            .collect(),
        timeout_ms: 30_000,
        ..DeleteTopicsRequest::default()
    };
    let zero = "AAAAAAAAAAAAAAAAAAAAAA";
    let stranger = "AAAAAAAAAAAAAAAAAAAABQ";
    script.ask("delete an unknown id", 6, &states(&[(None, stranger)]));
    script.ask("delete by name and id", 6, &states(&[(Some("plain"), stranger)]));
    script.ask("delete by name", 6, &states(&[(Some("a.b"), zero)]));
    script.ask("delete nothing", 6, &states(&[]));
}

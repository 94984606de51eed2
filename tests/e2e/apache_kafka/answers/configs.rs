//! Settings: described and changed.

use protocol::messages::describe_configs::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::{PRIVATE, Script};
use crate::harness::until;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

pub(super) fn play(script: &mut Script<'_>) {
    script.cluster.create_topic_with(
        "settings",
        1,
        &[("cleanup.policy", "compact"), ("retention.ms", "5000")],
    );
    describe(script);
    alter(script);
}

fn describe_one(
    script: &mut Script<'_>,
    case: &str,
    version: i16,
    (kind, name, keys): (i8, &str, Option<&[&str]>),
) {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).into()).collect()),
        }],
        include_synonyms: true,
        include_documentation: false,
    };
    let mut answer = script.connection.call(version, &request).unwrap();
    for result in &mut answer.results {
        result.configs.retain(|config| !PRIVATE.contains(&&*config.name));
        result.configs.sort_by(|one, next| one.name.cmp(&next.name));
    }
    script.keep(&format!("describe configs {case} v{version}"), &answer);
}

fn describe(script: &mut Script<'_>) {
    for version in [1, 2, 3, 4] {
        describe_one(script, "of a topic", version, (TOPIC, "settings", None));
    }
    let some = ["retention.ms", "no.such.config", "cleanup.policy"];
    describe_one(script, "by name", 4, (TOPIC, "settings", Some(&some)));
    describe_one(script, "of no name", 4, (TOPIC, "settings", Some(&[])));
    describe_one(script, "of a missing topic", 4, (TOPIC, "missing", None));
    describe_one(script, "of a topic that cannot be", 4, (TOPIC, "a b", None));
    describe_one(script, "of a topic without a name", 4, (TOPIC, "", None));
    describe_one(script, "of a missing broker", 4, (BROKER, "77", Some(&["log.retention.ms"])));
    describe_one(
        script,
        "of a broker that cannot be",
        4,
        (BROKER, "x", Some(&["log.retention.ms"])),
    );
    describe_one(script, "of an unknown kind", 4, (99, "x", None));
    let of_broker = [
        "log.retention.ms",
        "log.retention.hours",
        "log.segment.bytes",
        "num.partitions",
        "message.max.bytes",
        "auto.create.topics.enable",
        "offsets.topic.num.partitions",
        "log.cleaner.threads",
        "compression.type",
        "log.cleanup.policy",
    ];
    describe_one(script, "of the broker", 4, (BROKER, "1", Some(&of_broker)));
    describe_one(script, "of all brokers", 4, (BROKER, "", Some(&of_broker)));
}

fn alter(script: &mut Script<'_>) {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;
    let change =
        |kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]| AlterConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configs: changes
                .iter()
                .map(|(name, operation, value)| AlterableConfig {
                    name: (*name).into(),
                    config_operation: *operation,
                    value: value.map(Into::into),
                })
                .collect(),
        };
    let topic = |changes: &[(&str, i8, Option<&str>)]| vec![change(TOPIC, "settings", changes)];
    for (case, resources) in [
        ("set", topic(&[("retention.bytes", SET, Some("12345")), ("flush.ms", SET, Some("77"))])),
        ("delete", topic(&[("flush.ms", DELETE, None)])),
        ("delete what is not set", topic(&[("flush.messages", DELETE, None)])),
        ("append", topic(&[("cleanup.policy", APPEND, Some("delete"))])),
        ("append again", topic(&[("cleanup.policy", APPEND, Some("delete"))])),
        ("subtract", topic(&[("cleanup.policy", SUBTRACT, Some("compact"))])),
        ("append to a number", topic(&[("retention.ms", APPEND, Some("1"))])),
        ("set nothing", topic(&[("retention.ms", SET, None)])),
        ("set a wrong value", topic(&[("retention.ms", SET, Some("x"))])),
        ("set a value out of range", topic(&[("min.cleanable.dirty.ratio", SET, Some("7"))])),
        ("set an unknown name", topic(&[("no.such.config", SET, Some("7"))])),
        ("an unknown operation", topic(&[("retention.ms", 9, Some("7"))])),
        ("one name twice", topic(&[("flush.ms", SET, Some("7")), ("flush.ms", SET, Some("8"))])),
        ("no change", topic(&[])),
        ("a missing topic", vec![change(TOPIC, "missing", &[("flush.ms", SET, Some("7"))])]),
        ("a topic without a name", vec![change(TOPIC, "", &[("flush.ms", SET, Some("7"))])]),
        ("an unknown kind", vec![change(77, "x", &[("flush.ms", SET, Some("7"))])]),
        ("a missing broker", vec![change(BROKER, "77", &[("log.retention.ms", SET, Some("7"))])]),
        ("what needs a restart", vec![change(BROKER, "1", &[("num.partitions", SET, Some("7"))])]),
        (
            "the same topic twice",
            vec![
                change(TOPIC, "settings", &[("flush.ms", SET, Some("7"))]),
                change(TOPIC, "settings", &[("flush.ms", SET, Some("8"))]),
            ],
        ),
        ("a broker", vec![change(BROKER, "1", &[("log.retention.ms", SET, Some("700000"))])]),
        ("all brokers", vec![change(BROKER, "", &[("log.segment.bytes", SET, Some("70000000"))])]),
    ] {
        for validate_only in [true, false] {
            let request =
                IncrementalAlterConfigsRequest { resources: resources.clone(), validate_only };
            script.ask(
                &format!("alter configs: {case}, validate_only={validate_only}"),
                1,
                &request,
            );
        }
    }
    // Kafka's brokers learn of changes a little later.
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: BROKER,
            resource_name: "1".into(),
            configuration_keys: Some(vec!["log.segment.bytes".into()]),
        }],
        ..DescribeConfigsRequest::default()
    };
    until("changes to take effect", || {
        let answer = script.connection.call(4, &request).unwrap();
        (answer.results[0].configs[0].value.as_deref() == Some("70000000")).then_some(())
    });
    describe_one(script, "after changes", 4, (TOPIC, "settings", None));
    let of_broker = ["log.retention.ms", "log.segment.bytes"];
    describe_one(script, "of the broker after changes", 4, (BROKER, "1", Some(&of_broker)));
    for (name, key) in [("1", "log.retention.ms"), ("", "log.segment.bytes")] {
        let resources = vec![change(BROKER, name, &[(key, DELETE, None)])];
        let request = IncrementalAlterConfigsRequest { resources, validate_only: false };
        script.ask(&format!("take back {key}"), 1, &request);
    }
}

//! `ottla topics`, Kafka's `kafka-topics`: creates, lists, describes, extends
//! and deletes topics.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use client::admin::{self, ConfigEntry, ConfigResource, DescribeConfigs, NewPartitions, NewTopic};
use client::{Client, Partition, Topic};
use protocol::{ErrorCode, Str, Uuid};
use regex::Regex;

use super::client_settings::ClientSettings;
use super::options::{CLUSTER, Options, Tool, UsageError, flag, value};
use super::session::{Failure, with_client};
use super::{FAILED, Invocation, OK, print};

const TOOL: Tool = Tool {
    about: "This tool helps to create, delete, describe, or change a topic.",
    options: &[
        flag(
            "alter",
            "Alter the number of partitions. (To alter topic configurations, the kafka-configs tool can be used.)",
        ),
        flag(
            "at-min-isr-partitions",
            "If set when describing topics, only show partitions whose isr count is equal to the configured minimum.",
        ),
        value(
            "config",
            "name=value",
            "A topic configuration override for the topic being created.",
        ),
        flag("create", "Create a new topic."),
        flag("delete", "Delete a topic."),
        value("delete-config", "name", "No longer supported; use kafka-configs."),
        flag("describe", "List details for the given topics."),
        flag(
            "exclude-internal",
            "Exclude internal topics when listing or describing topics. By default, the internal topics are included.",
        ),
        flag(
            "if-exists",
            "If set when altering or deleting or describing topics, the action will only execute if the topic exists.",
        ),
        flag(
            "if-not-exists",
            "If set when creating topics, it is no failure that the topic already exists.",
        ),
        flag("list", "List all available topics."),
        value("partition-size-limit-per-response", "count", "Accepted; answers are not divided."),
        value(
            "partitions",
            "# of partitions",
            "The number of partitions for the topic being created or altered. If not supplied with --create, the topic uses the cluster default.",
        ),
        value(
            "replica-assignment",
            "broker_id_for_part1_replica1:broker_id_for_part1_replica2,...",
            "A list of manual partition-to-broker assignments for the topic being created or altered.",
        ),
        value(
            "replication-factor",
            "replication factor",
            "The replication factor for each partition in the topic being created. If not supplied, the topic uses the cluster default.",
        ),
        value(
            "topic",
            "topic",
            "The topic to create, alter, describe or delete. It also accepts a regular expression, except for --create.",
        ),
        value("topic-id", "topic-id", "The topic-id to describe."),
        flag(
            "topics-with-overrides",
            "If set when describing topics, only show topics that have overridden configs.",
        ),
        flag(
            "unavailable-partitions",
            "If set when describing topics, only show partitions whose leader is not available.",
        ),
        flag(
            "under-min-isr-partitions",
            "If set when describing topics, only show partitions whose isr count is less than the configured minimum.",
        ),
        flag(
            "under-replicated-partitions",
            "If set when describing topics, only show under-replicated partitions.",
        ),
    ],
    common: CLUSTER,
};

const ACTIONS: &[&str] = &["create", "list", "alter", "describe", "delete"];

/// Options that choose partitions to describe.
const REPORTS: &[&str] = &[
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
];

pub(super) fn run(invocation: Invocation) -> u8 {
    let options = match Options::read(&TOOL, invocation) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let config = check(&options).map_err(Failure::from).and_then(|()| {
        ClientSettings::read(&options, &["command-config"], &[])?.client(&options, "ottla-topics")
    });
    let outcome = config
        .and_then(|config| with_client(config, async |client| execute(&client, &options).await));
    match outcome {
        Ok(()) => OK,
        Err(Failure::Usage(error)) => options.refuse(&error),
        Err(failure) => {
            print(&format!("Error while executing topic command : {}\n", failure.message()));
            FAILED
        }
    }
}

/// Refuses what does not go together.
fn check(options: &Options) -> Result<(), UsageError> {
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(UsageError(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete".into(),
        ));
    }
    if options.has("describe")
        && options.has("if-exists")
        && !options.has("topic")
        && !options.has("topic-id")
    {
        return Err(UsageError("--topic or --topic-id is required to describe a topic".into()));
    }
    if !options.has("list") && !options.has("describe") {
        options.required("topic")?;
    }
    if options.has("alter") {
        if options.has("config") {
            return Err(UsageError(
                "Option \"[config]\" can't be used with option \"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)".into(),
            ));
        }
        options.required("partitions")?;
    }
    let only_with = |option: &str, actions: &[&str]| {
        let others: Vec<_> =
            ACTIONS.iter().copied().filter(|action| !actions.contains(action)).collect();
        options.forbid(option, &others)
    };
    only_with("config", &["create"])?;
    only_with("partitions", &["alter", "create"])?;
    only_with("replication-factor", &["create"])?;
    only_with("replica-assignment", &["alter", "create"])?;
    if options.has("create") {
        options.forbid("replica-assignment", &["partitions", "replication-factor"])?;
    }
    for report in REPORTS {
        only_with(report, &["describe"])?;
        options.forbid(report, &["topics-with-overrides"])?;
    }
    only_with("topics-with-overrides", &["describe"])?;
    only_with("if-exists", &["alter", "delete", "describe"])?;
    only_with("if-not-exists", &["create"])?;
    only_with("exclude-internal", &["list", "describe"])
}

async fn execute(client: &Client, options: &Options) -> Result<(), Failure> {
    if options.has("create") {
        create(client, options).await
    } else if options.has("alter") {
        alter(client, options).await
    } else if options.has("list") {
        let topics = matching_topics(client, options).await?;
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        print(&format!("{}\n", names.join("\n")));
        Ok(())
    } else if options.has("describe") {
        describe(client, options).await
    } else {
        delete(client, options).await
    }
}

async fn create(client: &Client, options: &Options) -> Result<(), Failure> {
    let name = options.required("topic")?;
    let partitions = options.number::<i32>("partitions").map_err(plain)?;
    let replication_factor = options.number::<i32>("replication-factor").map_err(plain)?;
    let assignments = assignments(options)?;
    let configs = configs(options)?;
    if name.contains(['.', '_']) {
        print(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both.\n",
        );
    }
    let replication_factor = match replication_factor.map(i16::try_from) {
        Some(Ok(factor)) if factor >= 1 => Some(factor),
        None => None,
        Some(_) => {
            return Err(Failure::other(
                "The replication factor must be between 1 and 32767 inclusive",
            ));
        }
    };
    if partitions.is_some_and(|count| count < 1) {
        return Err(Failure::other("The partitions must be greater than 0"));
    }
    let topic = NewTopic {
        name: name.into(),
        partitions,
        replication_factor,
        assignments: (0..).zip(assignments).collect(),
        configs,
    };
    let created = admin::create_topics(client, vec![topic], false).await?;
    for (_, result) in created {
        match result {
            Ok(_) => _ = print(&format!("Created topic {name}.\n")),
            Err(error)
                if options.has("if-not-exists")
                    && error.error_code() == ErrorCode::TopicAlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn alter(client: &Client, options: &Options) -> Result<(), Failure> {
    let count = options.number::<i32>("partitions").map_err(plain)?.unwrap_or_default();
    let assignments = assignments(options)?;
    let topics = matching_topics(client, options).await?;
    ensure_exists(&topics, options)?;
    let changes = topics.iter().map(|topic| NewPartitions {
        topic: topic.name.clone(),
        count,
        assignments: assignments.iter().skip(topic.partitions.len()).cloned().collect(),
    });
    all_done(admin::create_partitions(client, changes.collect(), false).await?)
}

async fn delete(client: &Client, options: &Options) -> Result<(), Failure> {
    let topics = matching_topics(client, options).await?;
    ensure_exists(&topics, options)?;
    let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
    all_done(admin::delete_topics(client, &names).await?)
}

fn all_done(results: admin::PerItem<Str, ()>) -> Result<(), Failure> {
    results.into_iter().try_for_each(|(_, result)| result).map_err(Failure::from)
}

async fn describe(client: &Client, options: &Options) -> Result<(), Failure> {
    let id = options.value("topic-id")?.map(|text| {
        text.parse::<Uuid>()
            .map_err(|_| Failure::other(format!("Input string `{text}` is not a topic id")))
    });
    let topics = match id.transpose()?.filter(|id| !id.is_zero()) {
        Some(id) => {
            let topics = client.topics().await?;
            let topics: Vec<_> = topics.into_iter().filter(|topic| topic.id == id).collect();
            if topics.is_empty() && !options.has("if-exists") {
                return Err(Failure::other(format!("TopicId '{id}' does not exist as expected")));
            }
            topics
        }
        None => {
            let topics = matching_topics(client, options).await?;
            ensure_exists(&topics, options)?;
            topics
        }
    };
    let resources = topics.iter().map(|topic| (ConfigResource::topic(topic.name.clone()), None));
    let configs =
        admin::describe_configs(client, resources.collect(), DescribeConfigs::default()).await?;
    let live: HashSet<i32> =
        client.cluster().await?.brokers.iter().map(|broker| broker.id).collect();
    for (topic, (_, configs)) in topics.iter().zip(configs) {
        print(&description(topic, &configs?, &live, options));
    }
    Ok(())
}

fn description(
    topic: &Topic,
    configs: &[ConfigEntry],
    live: &HashSet<i32>,
    options: &Options,
) -> String {
    let mut text = String::new();
    let reports: Vec<&str> = REPORTS.iter().copied().filter(|report| options.has(report)).collect();
    let overridden: Vec<String> = configs
        .iter()
        .filter(|config| !config.is_default())
        .map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("null")))
        .collect();
    let only_overridden = options.has("topics-with-overrides");
    if reports.is_empty() && (!only_overridden || !overridden.is_empty()) {
        let _ = write!(text, "Topic: {}", topic.name);
        if !topic.id.is_zero() {
            let _ = write!(text, "\tTopicId: {}", topic.id);
        }
        let replicas = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
        let _ = writeln!(
            text,
            "\tPartitionCount: {}\tReplicationFactor: {replicas}\tConfigs: {}",
            topic.partitions.len(),
            overridden.join(",")
        );
    }
    if only_overridden {
        return text;
    }
    let min_isr = configs.iter().find(|config| config.name == "min.insync.replicas");
    let min_isr = min_isr.and_then(|config| config.value.as_deref()?.parse().ok()).unwrap_or(1);
    for partition in &topic.partitions {
        if reports.is_empty()
            || reports.iter().any(|report| is_reported(report, partition, min_isr, live))
        {
            let ids = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
            let leader =
                partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
            // Eligible leader replicas (KIP-966) are in no answer that this client reads.
            let _ = writeln!(
                text,
                "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}\tElr: N/A\tLastKnownElr: N/A",
                topic.name,
                partition.id,
                ids(&partition.replicas),
                ids(&partition.isr)
            );
        }
    }
    text
}

fn is_reported(report: &str, partition: &Partition, min_isr: usize, live: &HashSet<i32>) -> bool {
    let in_sync = partition.isr.len();
    match report {
        "under-replicated-partitions" => in_sync < partition.replicas.len(),
        "under-min-isr-partitions" => partition.leader.is_none() || in_sync < min_isr,
        "at-min-isr-partitions" => in_sync == min_isr,
        _ => partition.leader.is_none_or(|leader| !live.contains(&leader)),
    }
}

/// The topics that `--topic` means, or all.
async fn matching_topics(client: &Client, options: &Options) -> Result<Vec<Arc<Topic>>, Failure> {
    let pattern = options.value("topic")?.map(topic_pattern).transpose()?;
    let mut topics = client.topics().await?;
    topics.retain(|topic| {
        pattern.as_ref().is_none_or(|pattern| pattern.is_match(&topic.name))
            && !(topic.is_internal && options.has("exclude-internal"))
    });
    Ok(topics)
}

/// A regular expression that means whole names. Commas separate alternatives.
pub(super) fn topic_pattern(text: &str) -> Result<Regex, Failure> {
    let alternatives = text.trim().replace(',', "|").replace(' ', "");
    let alternatives = alternatives.trim_matches(['"', '\'']);
    Regex::new(&format!("^(?:{alternatives})$"))
        .map_err(|_| Failure::other(format!("{alternatives} is an invalid regex.")))
}

fn ensure_exists(topics: &[Arc<Topic>], options: &Options) -> Result<(), Failure> {
    match options.value("topic")? {
        Some(name) if topics.is_empty() && !name.is_empty() && !options.has("if-exists") => {
            Err(Failure::other(format!("Topic '{name}' does not exist as expected")))
        }
        _ => Ok(()),
    }
}

/// The nodes of each partition.
fn assignments(options: &Options) -> Result<Vec<Vec<i32>>, Failure> {
    let Some(text) = options.value("replica-assignment")?.filter(|text| !text.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut partitions: Vec<Vec<i32>> = Vec::new();
    for (index, partition) in text.split(',').enumerate() {
        let nodes = partition.split(':').map(|node| {
            let node = node.trim();
            node.parse().map_err(|_| Failure::other(format!("For input string: \"{node}\"")))
        });
        let nodes = nodes.collect::<Result<Vec<i32>, _>>()?;
        if nodes.iter().collect::<HashSet<_>>().len() < nodes.len() {
            return Err(Failure::other(
                "Partition replica lists may not contain duplicate entries",
            ));
        }
        if partitions.first().is_some_and(|first| first.len() != nodes.len()) {
            return Err(Failure::other(format!(
                "Partition {index} has different replication factor: {nodes:?}"
            )));
        }
        partitions.push(nodes);
    }
    Ok(partitions)
}

fn configs(options: &Options) -> Result<Vec<(Str, Option<Str>)>, Failure> {
    let pair = |text: &str| match text.split_once('=') {
        Some((name, value)) if !value.trim().is_empty() && !value.contains('=') => {
            Ok((name.trim().into(), Some(value.trim().into())))
        }
        _ => Err(Failure::other(
            "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".",
        )),
    };
    options.values("config").map(pair).collect()
}

/// A mistake that is answered without the list of options.
fn plain(error: UsageError) -> Failure {
    Failure::Other(error.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let arguments = line.split_whitespace().map(Into::into).collect();
        Options::read(&TOOL, Invocation { program: "kafka-topics".to_owned(), arguments }).unwrap()
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for (line, expected) in [
            ("--list", None),
            ("--list --create", Some("exactly one action")),
            ("--create", Some("Missing required argument \"[topic]\"")),
            (
                "--list --partitions 3",
                Some("Option \"[partitions]\" can't be used with option \"[list]\""),
            ),
            (
                "--create --topic t --replica-assignment 1 --partitions 2",
                Some("\"[replica-assignment]\""),
            ),
            ("--alter --topic t", Some("Missing required argument \"[partitions]\"")),
            (
                "--describe --unavailable-partitions --topics-with-overrides",
                Some("\"[topics-with-overrides]\""),
            ),
            ("--describe --if-exists", Some("--topic or --topic-id")),
        ] {
            let refused = check(&options(line)).err().map(|error| error.0);
            match expected {
                None => assert_eq!(refused, None, "{line}"),
                Some(part) => assert!(
                    refused.as_ref().is_some_and(|text| text.contains(part)),
                    "{line}: {refused:?}"
                ),
            }
        }
    }

    #[test]
    fn replica_assignments_are_read_and_checked() {
        let read = |text: &str| {
            let line = format!("--create --topic t --replica-assignment {text}");
            assignments(&options(&line)).map_err(|failure| failure.message())
        };
        assert_eq!(read("1:2,2:1"), Ok(vec![vec![1, 2], vec![2, 1]]));
        assert!(read("1:1").unwrap_err().contains("duplicate"));
        assert!(read("1:2,1").unwrap_err().contains("Partition 1 has different"));
        assert!(read("a").is_err());
    }

    #[test]
    fn names_are_patterns_for_whole_names() {
        let matches = |pattern: &str, name: &str| topic_pattern(pattern).unwrap().is_match(name);
        assert!(matches("a.*", "abc"));
        assert!(!matches("a", "ab"));
        assert!(matches("a,b", "b"));
        assert!(matches("\"a|b\"", "a"));
        assert!(topic_pattern("[").is_err());
    }
}

//! `ottla groups`, Kafka's `kafka-consumer-groups`: lists, describes and
//! deletes consumer groups, moves and deletes their offsets.
//!
//! Like Kafka's tool it tells of failures on standard output and ends with 0
//! all the same; only a wrong command line ends with 1.

mod describe;
mod reset;
mod time;

use std::collections::{BTreeMap, BTreeSet};

use client::admin::{self, GroupListing};
use client::consumer::TopicPartition;
use client::{AutoCreate, Client, Error};
use protocol::{ErrorCode, Str};

use super::client_settings::ClientSettings;
use super::options::{Argument, CLUSTER, Options, Spec, Tool, UsageError, eprint, flag, value};
use super::session::{Failure, describe as describe_error, java_exception, millis, with_client};
use super::{Invocation, OK, print};

const TOOL: Tool = Tool {
    about: "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer group offsets.",
    options: &[
        flag("all-groups", "Apply to all consumer groups."),
        flag(
            "all-topics",
            "Consider all topics assigned to a group in the `reset-offsets` process.",
        ),
        value(
            "by-duration",
            "duration",
            "Reset offsets to offset by duration from current timestamp. Format: 'PnDTnHnMnS'",
        ),
        flag(
            "delete",
            "Pass in groups to delete topic partition offsets and ownership information over the entire consumer group. For instance --group g1 --group g2",
        ),
        flag(
            "delete-offsets",
            "Delete offsets of consumer group. Supports one consumer group at the time, and multiple topics.",
        ),
        flag(
            "describe",
            "Describe consumer group and list offset lag (number of messages not yet processed) related to given group.",
        ),
        flag(
            "dry-run",
            "Only show results without executing changes on Consumer Groups. Supported operations: reset-offsets.",
        ),
        flag("execute", "Execute operation. Supported operations: reset-offsets."),
        flag(
            "export",
            "Export operation execution to a CSV file. Supported operations: reset-offsets.",
        ),
        value("from-file", "path to CSV file", "Reset offsets to values defined in CSV file."),
        value("group", "consumer group", "The consumer group we wish to act on."),
        flag("list", "List all consumer groups."),
        flag(
            "members",
            "Describe members of the group. This option may be used with '--describe'.",
        ),
        flag(
            "offsets",
            "Describe the group and list all topic partitions in the group along with their offset lag. This is what '--describe' does by default.",
        ),
        flag(
            "reset-offsets",
            "Reset offsets of consumer group. Instances should be inactive. Has 2 execution options: --dry-run (the default) to plan which offsets to reset, and --execute to update the offsets. Additionally, the --export option is used to export the results to a CSV format. You must choose one of the following reset specifications: --to-datetime, --by-duration, --to-earliest, --to-latest, --shift-by, --from-file, --to-current, --to-offset. To define the scope use --all-topics or --topic. One scope must be specified unless you use '--from-file'.",
        ),
        value(
            "shift-by",
            "number-of-offsets",
            "Reset offsets shifting current offset by 'n', where 'n' can be positive or negative.",
        ),
        optional(
            "state",
            "states",
            "With '--describe': the state of the group. With '--list': the states of all groups, or only groups with these states: --state stable,empty",
        ),
        value("timeout", "timeout (ms)", "How long one operation may take. (default: 30000)"),
        flag("to-current", "Reset offsets to current offset."),
        value(
            "to-datetime",
            "datetime",
            "Reset offsets to offset from datetime. Format: 'YYYY-MM-DDThh:mm:ss.sss'",
        ),
        flag("to-earliest", "Reset offsets to earliest offset."),
        flag("to-latest", "Reset offsets to latest offset."),
        value("to-offset", "offset", "Reset offsets to a specific offset."),
        value(
            "topic",
            "topic",
            "The topic whose consumer group information should be deleted or topic whose should be included in the reset offset process. Partitions can be specified using this format: `topic1:0,1,2`.",
        ),
        optional(
            "type",
            "types",
            "With '--list': the types of all groups, or only groups with these types: --type classic,consumer",
        ),
        flag("verbose", "Provide additional information, if any, when describing the group."),
    ],
    common: CLUSTER,
};

const fn optional(name: &'static str, what: &'static str, help: &'static str) -> Spec {
    Spec { name, argument: Argument::Optional(what), help }
}

const ACTIONS: &[&str] = &["list", "describe", "delete", "reset-offsets", "delete-offsets"];

/// Options that say where to reset offsets to.
const SCENARIOS: &[&str] = &[
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "shift-by",
    "from-file",
    "to-current",
];

const DRY_RUN: &str = "WARN: No action will be performed as the --execute option is missing. \
    In version 5.0, this command will require either --dry-run or --execute to be specified. \
    You should add the --dry-run option explicitly if you are scripting this command and want to keep \
    the current default behavior without prompting.\n";

pub(super) fn run(invocation: Invocation) -> u8 {
    let options = match Options::read(&TOOL, invocation) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let prepared = check(&options).map_err(Failure::from).and_then(|()| {
        let settings = ClientSettings::read(&options, &["command-config"], &[])?;
        let mut config = settings.client(&options, "ottla-groups")?;
        if let Some(timeout) = options.value("timeout")? {
            config.api_timeout = millis("timeout", timeout)?;
        }
        Ok(config)
    });
    let outcome = prepared
        .and_then(|config| with_client(config, async |client| execute(&client, &options).await));
    match outcome {
        Ok(()) => OK,
        Err(Failure::Usage(error)) => options.refuse(&error),
        Err(failure) => {
            print_error(&format!(
                "Executing consumer group command failed due to {}",
                failure.message()
            ));
            OK
        }
    }
}

fn check(options: &Options) -> Result<(), UsageError> {
    let usage = |text: String| Err(UsageError(text));
    if options.has("dry-run") && options.has("execute") {
        return usage("Option [reset-offsets] only accepts one of [execute], [dry-run]".into());
    }
    let has_groups = options.has("group") || options.has("all-groups");
    for action in ["describe", "delete", "reset-offsets"] {
        if options.has(action) && !has_groups {
            return usage(format!(
                "Option [{action}] takes one of these options: [group], [all-groups]"
            ));
        }
    }
    if options.has("describe") {
        let which = ["members", "offsets", "state"];
        if which.iter().filter(|option| options.has(option)).count() > 1 {
            return usage("Option [describe] takes at most one of these options: [members], [offsets], [state]".into());
        }
        if options.value("state")?.is_some() {
            return usage("Option [describe] does not take a value for [state]".into());
        }
    }
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return usage("Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets".into());
    }
    if options.has("delete") && options.has("topic") {
        return usage(
            "The consumer does not support topic-specific offset deletion from a consumer group."
                .into(),
        );
    }
    if options.has("delete-offsets") {
        if !options.has("group") || !options.has("topic") {
            return usage(
                "Option [delete-offsets] takes the following options: [topic], [group]".into(),
            );
        }
        options.value("group")?;
    }
    if options.has("reset-offsets") {
        if !options.has("dry-run") && !options.has("execute") {
            eprint(DRY_RUN);
        }
        for scenario in SCENARIOS {
            let others: Vec<_> =
                SCENARIOS.iter().copied().filter(|other| other != scenario).collect();
            options.forbid(scenario, &others)?;
        }
    }
    options.forbid("group", &["all-groups", "list"])?;
    options.forbid("topic", &["all-topics", "list", "describe"])
}

async fn execute(client: &Client, options: &Options) -> Result<(), Failure> {
    if options.has("list") {
        list(client, options).await
    } else if options.has("describe") {
        describe::run(client, options).await
    } else if options.has("delete") {
        delete(client, options).await
    } else if options.has("reset-offsets") {
        reset::run(client, options).await
    } else {
        delete_offsets(client, options).await
    }
}

/// Tells of a failure as Kafka's tool does.
fn print_error(message: &str) {
    print(&format!("\nError: {message}\n"));
}

/// The groups that the command line names, or all.
async fn groups(client: &Client, options: &Options) -> Result<Vec<Str>, Failure> {
    if options.has("all-groups") {
        return Ok(consumer_groups(client, &[], &[])
            .await?
            .into_iter()
            .map(|group| group.id)
            .collect());
    }
    let named: BTreeSet<Str> = options.values("group").map(Str::from).collect();
    Ok(named.into_iter().collect())
}

/// Groups of consumers, and those that only keep offsets.
async fn consumer_groups(
    client: &Client,
    states: &[Str],
    kinds: &[Str],
) -> Result<Vec<GroupListing>, Failure> {
    let mut groups = admin::list_groups(client, states, kinds).await?;
    groups.retain(|group| group.protocol_type.is_empty() || group.protocol_type == "consumer");
    Ok(groups)
}

async fn list(client: &Client, options: &Options) -> Result<(), Failure> {
    let (has_kind, has_state) = (options.has("type"), options.has("state"));
    let states = known("state list", options.value("state")?, &STATES)?;
    let kinds = known("types list", options.value("type")?, &["Classic", "Consumer"])?;
    let groups = consumer_groups(client, &states, &kinds).await?;
    if !has_kind && !has_state {
        groups.iter().for_each(|group| _ = print(&format!("{}\n", group.id)));
        return Ok(());
    }
    let width = groups.iter().map(|group| group.id.len().max(15)).max().unwrap_or(15) + 10;
    let row = |id: &str, kind: &str, state: &str| {
        let mut row = format!("{id:width$}");
        if has_kind {
            row += &format!(" {kind:20}");
        }
        if has_state {
            row += &format!(" {state:20}");
        }
        print(&(row + "\n"));
    };
    row("GROUP", "TYPE", "STATE");
    for group in groups {
        let state = if group.state.is_empty() { "Unknown" } else { &group.state };
        row(&group.id, &capitalized(&group.kind), state);
    }
    Ok(())
}

const STATES: [&str; 7] = [
    "Reconciling",
    "PreparingRebalance",
    "Stable",
    "Assigning",
    "Dead",
    "CompletingRebalance",
    "Empty",
];

/// Names that are known, as Kafka spells them, from a list with commas.
fn known(what: &str, text: Option<&str>, all: &[&str]) -> Result<Vec<Str>, UsageError> {
    let find = |name: &str| {
        let found = all.iter().find(|known| known.eq_ignore_ascii_case(name.trim()));
        found.map(|&known| known.into()).ok_or_else(|| {
            let (plural, all) =
                (what.trim_end_matches(" list").trim_end_matches('s'), all.join(", "));
            UsageError(format!(
                "Invalid {what} '{}'. Valid {plural}s are: {all}",
                text.unwrap_or_default()
            ))
        })
    };
    text.into_iter().flat_map(|text| text.split(',')).map(find).collect()
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Unknown".to_owned(),
    }
}

async fn delete(client: &Client, options: &Options) -> Result<(), Failure> {
    let groups = groups(client, options).await?;
    let results = admin::delete_groups(client, &groups).await?;
    let (deleted, failed): (Vec<_>, Vec<_>) =
        results.into_iter().partition(|(_, result)| result.is_ok());
    let names: Vec<String> = deleted.iter().map(|(group, _)| format!("'{group}'")).collect();
    let names = names.join(", ");
    if failed.is_empty() {
        print(&format!("Deletion of requested consumer groups ({names}) was successful.\n"));
        return Ok(());
    }
    print_error("Deletion of some consumer groups failed:");
    for (group, result) in failed {
        if let Err(error) = result {
            print(&format!(
                "* Group '{group}' could not be deleted due to: {}\n",
                java_exception(&error)
            ));
        }
    }
    if !names.is_empty() {
        print(&format!("\nThese consumer groups were deleted successfully: {names}\n"));
    }
    Ok(())
}

async fn delete_offsets(client: &Client, options: &Options) -> Result<(), Failure> {
    let group: Str = options.required("group")?.into();
    let mut results: BTreeMap<(Str, Option<i32>), Result<(), Error>> = BTreeMap::new();
    let mut partitions = Vec::new();
    for text in options.values("topic") {
        match partitions_of(client, text).await {
            Ok(of_topic) => partitions.extend(of_topic),
            Err(Failure::Cluster(error)) => _ = results.insert((text.into(), None), Err(error)),
            Err(failure) => return Err(failure),
        }
    }
    partitions.sort_unstable();
    partitions.dedup();
    let deleted = if partitions.is_empty() {
        Ok(Vec::new())
    } else {
        admin::delete_consumer_group_offsets(client, &group, &partitions).await
    };
    let mut failure = deleted.as_ref().err().cloned();
    for (partition, result) in deleted.unwrap_or_else(|error| {
        partitions.into_iter().map(|name| (name, Err(error.clone()))).collect()
    }) {
        failure = failure.or_else(|| result.as_ref().err().cloned());
        results.insert((partition.topic, Some(partition.partition)), result);
    }
    match failure {
        None => _ = print(&format!("Request succeeded for deleting offsets from group {group}.\n")),
        Some(error) => match error.error_code() {
            ErrorCode::GroupSubscribedToTopic
            | ErrorCode::TopicAuthorizationFailed
            | ErrorCode::UnknownTopicOrPartition => {
                print_error("Encountered some partition-level error, see the follow-up details.");
            }
            _ => print_error(&describe_error(&error)),
        },
    }
    print(&format!("\n{:15} {:10} {:15}\n", "TOPIC", "PARTITION", "STATUS"));
    for ((topic, partition), result) in results {
        let partition = partition.map_or_else(|| "-".to_owned(), |partition| partition.to_string());
        let status = match result {
            Ok(()) => "Successful".to_owned(),
            Err(error) => format!("Error: {}", java_exception(&error)),
        };
        print(&format!("{topic:15} {partition:10} {status:15}\n"));
    }
    Ok(())
}

/// The partitions that `TOPIC` or `TOPIC:0,1,2` names.
async fn partitions_of(client: &Client, text: &str) -> Result<Vec<TopicPartition>, Failure> {
    if let Some((topic, numbers)) = text.split_once(':') {
        let number = |number: &str| {
            number.trim().parse().map(|number| TopicPartition::new(topic, number)).map_err(|_| {
                Failure::from(UsageError(format!(
                    "Invalid partition '{number}' specified in topic arg '{text}''"
                )))
            })
        };
        return numbers.split(',').map(number).collect();
    }
    let topic = client.topic(text, AutoCreate::No).await?;
    let topic =
        topic.ok_or(Error::Kafka { code: ErrorCode::UnknownTopicOrPartition, message: None })?;
    Ok(topic
        .partitions
        .iter()
        .map(|partition| TopicPartition::new(topic.name.clone(), partition.id))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let arguments = line.split_whitespace().map(Into::into).collect();
        Options::read(&TOOL, Invocation { program: "kafka-consumer-groups".to_owned(), arguments })
            .unwrap()
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for (line, expected) in [
            ("--list", None),
            ("--list --describe --group g", Some("exactly one action")),
            (
                "--describe",
                Some("Option [describe] takes one of these options: [group], [all-groups]"),
            ),
            ("--describe --group g --members --offsets", Some("at most one")),
            ("--delete --group g --topic t", Some("topic-specific")),
            ("--delete-offsets --group g", Some("takes the following options")),
            (
                "--reset-offsets --group g --topic t --to-latest --to-offset 3 --execute",
                Some("can't be used with"),
            ),
            (
                "--reset-offsets --group g --topic t --to-latest --execute --dry-run",
                Some("only accepts one of"),
            ),
        ] {
            let refused = check(&options(&format!("{line} --bootstrap-server h:1")))
                .err()
                .map(|error| error.0);
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
    fn states_and_types_are_known_in_any_case() {
        assert_eq!(
            known("state list", Some("stable, EMPTY"), &STATES).unwrap(),
            ["Stable", "Empty"]
        );
        assert_eq!(known("state list", None, &STATES).unwrap(), [""; 0]);
        let error = known("state list", Some("stable,no"), &STATES).unwrap_err().0;
        assert!(
            error.starts_with("Invalid state list 'stable,no'. Valid states are: Reconciling"),
            "{error}"
        );
    }
}

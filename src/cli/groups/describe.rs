//! Offsets and lag, members, and states of groups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use client::admin::{self, GroupDescription, GroupMember, OffsetSpec};
use client::consumer::{IsolationLevel, OffsetAndMetadata, TopicPartition};
use client::{Client, Error};
use protocol::{ErrorCode, Str};

use super::{Failure, Options, eprint, groups, java_exception, print, print_error};

/// What stands in a column that has no value.
const NONE: &str = "-";

pub(super) async fn run(client: &Client, options: &Options) -> Result<(), Failure> {
    let groups = groups(client, options).await?;
    let verbose = options.has("verbose");
    let mut described = Vec::with_capacity(groups.len());
    for (group, result) in admin::describe_groups(client, &groups).await? {
        described.push(result.map_err(|error| not_found(&group, &error))?);
    }
    for group in described {
        if options.has("members") {
            if is_shown(&group, true) {
                print(&members(&group, verbose));
            }
        } else if options.has("state") {
            if is_shown(&group, true) {
                print(&state(client, &group, verbose).await?);
            }
        } else {
            let rows = rows(client, &group).await?;
            if is_shown(&group, !rows.is_empty()) {
                print(&offsets(&rows, verbose));
            }
        }
    }
    Ok(())
}

/// The failure to describe a group, as Kafka's tool words it.
pub(super) fn not_found(group: &Str, error: &Error) -> Failure {
    let named = match error {
        Error::Kafka { code: ErrorCode::GroupIdNotFound, message: None } => Error::Kafka {
            code: ErrorCode::GroupIdNotFound,
            message: Some(format!("Group {group} not found.").into()),
        },
        error => error.clone(),
    };
    Failure::other(java_exception(&named))
}

/// Says what is special about the group; false when there is nothing to show.
fn is_shown(group: &GroupDescription, has_rows: bool) -> bool {
    match group.state.as_str() {
        "Dead" => print_error(&format!("Consumer group '{}' does not exist.", group.id)),
        "Empty" => eprint(&format!("\nConsumer group '{}' has no active members.\n", group.id)),
        "Stable" => {}
        _ => eprint(&format!("\nWarning: Consumer group '{}' is rebalancing.\n", group.id)),
    }
    group.state != "Dead" && has_rows
}

/// One line of the description by offsets.
struct Row<'a> {
    group: &'a str,
    partition: Option<TopicPartition>,
    committed: Option<OffsetAndMetadata>,
    log_end_offset: Option<i64>,
    member: Option<&'a GroupMember>,
}

async fn rows<'a>(client: &Client, group: &'a GroupDescription) -> Result<Vec<Row<'a>>, Failure> {
    let committed = admin::list_consumer_group_offsets(client, &group.id, None).await?;
    let committed: BTreeMap<TopicPartition, OffsetAndMetadata> = committed
        .into_iter()
        .filter_map(|(partition, offset)| Some((partition, offset.ok()??)))
        .collect();
    let mut members: Vec<&GroupMember> =
        group.members.iter().filter(|member| !member.assignment.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assignment.len()));
    let assigned: BTreeSet<&TopicPartition> =
        members.iter().flat_map(|member| &member.assignment).collect();
    let unassigned = committed.keys().filter(|partition| !assigned.contains(partition));
    let of_members = members
        .iter()
        .flat_map(|&member| member.assignment.iter().map(move |name| (name, Some(member))));
    let all: Vec<_> = of_members.chain(unassigned.map(|name| (name, None))).collect();
    let asked = all.iter().map(|(name, _)| ((*name).clone(), OffsetSpec::Latest)).collect();
    let ends = admin::list_offsets(client, asked, IsolationLevel::ReadUncommitted).await?;
    let rows = all.into_iter().zip(ends).map(|((name, member), (_, end))| Row {
        group: &group.id,
        partition: Some(name.clone()),
        committed: committed.get(name).cloned(),
        log_end_offset: end.ok().and_then(|end| end.offset),
        member,
    });
    Ok(rows.collect())
}

fn offsets(rows: &[Row<'_>], verbose: bool) -> String {
    let text = |value: Option<String>| value.unwrap_or_else(|| NONE.to_owned());
    let mut cells = vec![
        [
            "GROUP",
            "TOPIC",
            "PARTITION",
            "LEADER-EPOCH",
            "CURRENT-OFFSET",
            "LOG-END-OFFSET",
            "LAG",
            "CONSUMER-ID",
            "HOST",
            "CLIENT-ID",
        ]
        .map(str::to_owned),
    ];
    for row in rows {
        let committed = row.committed.as_ref();
        let offset = committed.map(|committed| committed.offset);
        let lag = offset.zip(row.log_end_offset).map(|(offset, end)| end - offset);
        cells.push([
            row.group.to_owned(),
            text(row.partition.as_ref().map(|partition| partition.topic.to_string())),
            text(row.partition.as_ref().map(|partition| partition.partition.to_string())),
            text(
                committed
                    .and_then(|committed| committed.leader_epoch)
                    .map(|epoch| epoch.to_string()),
            ),
            text(offset.map(|offset| offset.to_string())),
            text(row.log_end_offset.map(|offset| offset.to_string())),
            text(lag.map(|lag| lag.to_string())),
            text(row.member.map(|member| member.member_id.to_string())),
            text(row.member.map(|member| member.host.to_string())),
            text(row.member.map(|member| member.client_id.to_string())),
        ]);
    }
    let wide = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0).max(15)
    };
    let widths = [wide(0), wide(1), 10, 15, 15, 15, 15, wide(7), wide(8), 0];
    let mut output = String::new();
    for row in &cells {
        output.push('\n');
        let columns = row.iter().zip(widths).enumerate();
        let shown: Vec<String> = columns
            .filter(|&(column, _)| verbose || column != 3)
            .map(|(_, (cell, width))| format!("{cell:width$}"))
            .collect();
        output.push_str(&shown.join(" "));
    }
    output.push('\n');
    output
}

fn members(group: &GroupDescription, verbose: bool) -> String {
    let has_instances = group.members.iter().any(|member| member.instance_id.is_some());
    let mut header = vec!["GROUP", "CONSUMER-ID"];
    if has_instances {
        header.push("GROUP-INSTANCE-ID");
    }
    header.extend(["HOST", "CLIENT-ID", "#PARTITIONS"]);
    if verbose {
        header.extend(["CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT"]);
    }
    let mut rows: Vec<Vec<String>> = vec![header.iter().map(|&text| text.to_owned()).collect()];
    for member in &group.members {
        let mut row = vec![group.id.to_string(), member.member_id.to_string()];
        if has_instances {
            row.push(member.instance_id.as_deref().unwrap_or_default().to_owned());
        }
        row.extend([
            member.host.to_string(),
            member.client_id.to_string(),
            member.assignment.len().to_string(),
        ]);
        if verbose {
            // Epochs and targets are of the newer group protocol (KIP-848).
            row.extend([
                NONE.to_owned(),
                assignment(&member.assignment),
                NONE.to_owned(),
                NONE.to_owned(),
            ]);
        }
        rows.push(row);
    }
    let least = |column: usize| match header.get(column) {
        Some(&"GROUP-INSTANCE-ID") => 17,
        Some(&("CURRENT-ASSIGNMENT" | "TARGET-ASSIGNMENT")) => 20,
        _ => 15,
    };
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(String::len)
                .max()
                .unwrap_or(0)
                .max(least(column))
        })
        .collect();
    let mut output = String::from("\n");
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(output, "{cell:width$} ");
        }
        output.push('\n');
    }
    output
}

/// `topic:0,1;other:0`
fn assignment(partitions: &[TopicPartition]) -> String {
    if partitions.is_empty() {
        return NONE.to_owned();
    }
    let mut by_topic: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for partition in partitions {
        by_topic.entry(&partition.topic).or_default().push(partition.partition.to_string());
    }
    let topics: Vec<String> = by_topic
        .into_iter()
        .map(|(topic, numbers)| format!("{topic}:{}", numbers.join(",")))
        .collect();
    topics.join(";")
}

async fn state(
    client: &Client,
    group: &GroupDescription,
    verbose: bool,
) -> Result<String, Failure> {
    let cluster = client.cluster().await?;
    let coordinator = match cluster.broker(group.coordinator) {
        Some(broker) => format!("{}:{}  ({})", broker.host, broker.port, broker.id),
        None => format!("({})", group.coordinator),
    };
    let protocol = if group.protocol.is_empty() { NONE } else { group.protocol.as_str() };
    let group_width = group.id.len().max(15);
    let width = coordinator.len().max(25);
    let row = |group: &str,
               coordinator: &str,
               protocol: &str,
               state: &str,
               epochs: [&str; 2],
               members: &str| {
        let epochs =
            if verbose { format!("{:15} {:25} ", epochs[0], epochs[1]) } else { String::new() };
        format!(
            "\n{group:group_width$} {coordinator:width$} {protocol:20} {state:20} {epochs}{members}"
        )
    };
    let header = row(
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        ["GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH"],
        "#MEMBERS",
    );
    let members = group.members.len().to_string();
    let line = row(&group.id, &coordinator, protocol, &group.state, [NONE, NONE], &members);
    Ok(header + &line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_shown_as_kafka_shows_them() {
        let committed =
            OffsetAndMetadata { offset: 7, leader_epoch: Some(2), metadata: Str::default() };
        let rows = [
            Row {
                group: "g",
                partition: Some(TopicPartition::new("orders", 0)),
                committed: Some(committed),
                log_end_offset: Some(9),
                member: None,
            },
            Row {
                group: "g",
                partition: Some(TopicPartition::new("orders", 1)),
                committed: None,
                log_end_offset: None,
                member: None,
            },
        ];
        let text = offsets(&rows, false);
        assert_eq!(
            text,
            "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\
             \ng               orders          0          7               9               2               -               -               -\
             \ng               orders          1          -               -               -               -               -               -\n"
        );
        assert!(offsets(&rows, true).contains("0          2               7"));
    }

    #[test]
    fn assignments_are_put_together_by_topic() {
        let partitions =
            [("a", 0), ("a", 2), ("b", 1)].map(|(topic, id)| TopicPartition::new(topic, id));
        assert_eq!(assignment(&partitions), "a:0,2;b:1");
        assert_eq!(assignment(&[]), "-");
    }
}

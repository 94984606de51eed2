//! Moves the committed offsets of groups that have no members.

use std::collections::BTreeMap;

use client::Client;
use client::admin::{self, OffsetSpec};
use client::consumer::{IsolationLevel, OffsetAndMetadata, TopicPartition};
use protocol::{ErrorCode, Str};

use super::time::{parse_datetime, parse_duration};
use super::{
    Failure, Options, SCENARIOS, UsageError, eprint, groups, partitions_of, print, print_error,
};

/// Offsets by partition.
type Plan = BTreeMap<TopicPartition, i64>;

pub(super) async fn run(client: &Client, options: &Options) -> Result<(), Failure> {
    let groups = groups(client, options).await?;
    let mut plans: BTreeMap<Str, Plan> = BTreeMap::new();
    for (group, described) in admin::describe_groups(client, &groups).await? {
        let state = match described {
            Ok(described) => described.state,
            // A group that does not exist can be given offsets all the same.
            Err(error) if error.error_code() == ErrorCode::GroupIdNotFound => {
                Str::from_static("Dead")
            }
            Err(error) => return Err(error.into()),
        };
        if state != "Empty" && state != "Dead" {
            print_error(&format!(
                "Assignments can only be reset if the group '{group}' is inactive, but the current state is {state}."
            ));
            plans.insert(group, Plan::new());
            continue;
        }
        let plan = plan(client, &group, options).await?;
        if options.has("execute") {
            apply(client, &group, &plan).await?;
        }
        plans.insert(group, plan);
    }
    if options.has("export") {
        print(&csv(&plans, options.values("group").count() == 1));
    } else {
        print(&table(&plans));
    }
    Ok(())
}

async fn apply(client: &Client, group: &Str, plan: &Plan) -> Result<(), Failure> {
    let offset = |(partition, &offset): (&TopicPartition, &i64)| {
        (
            partition.clone(),
            OffsetAndMetadata { offset, leader_epoch: None, metadata: Str::default() },
        )
    };
    if plan.is_empty() {
        return Ok(());
    }
    let results =
        admin::alter_consumer_group_offsets(client, group, plan.iter().map(offset).collect())
            .await?;
    Ok(results.into_iter().try_for_each(|(_, result)| result)?)
}

/// Where each partition is to be moved.
async fn plan(client: &Client, group: &Str, options: &Options) -> Result<Plan, Failure> {
    if let Some(file) = options.value("from-file")? {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::other(format!("{file}: {error}")))?;
        let wanted = read_csv(&text, group, options.values("group").count() == 1)?;
        if wanted.is_empty() {
            print_error(&format!("No reset plan for group {group} found"));
        }
        return within_range(client, wanted).await;
    }
    let partitions = scope(client, group, options).await?;
    let latest =
        async |partitions: &[TopicPartition]| found(client, partitions, OffsetSpec::Latest).await;
    if let Some(offset) = options.number::<i64>("to-offset")? {
        within_range(client, partitions.into_iter().map(|partition| (partition, offset)).collect())
            .await
    } else if options.has("to-earliest") {
        found(client, &partitions, OffsetSpec::Earliest).await
    } else if options.has("to-latest") {
        latest(&partitions).await
    } else if let Some(by) = options.number::<i64>("shift-by")? {
        let current = committed(client, group).await?;
        let shifted = partitions.into_iter().map(|partition| match current.get(&partition) {
            Some(offset) => Ok((partition, offset.saturating_add(by))),
            None => Err(Failure::from(UsageError(format!(
                "Cannot shift offset for partition {partition} since there is no current committed offset"
            )))),
        });
        within_range(client, shifted.collect::<Result<_, _>>()?).await
    } else if let Some(text) = options.value("to-datetime")? {
        at_time(client, &partitions, parse_datetime(text).map_err(Failure::other)?).await
    } else if let Some(text) = options.value("by-duration")? {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let ago = parse_duration(text).map_err(Failure::other)?;
        at_time(
            client,
            &partitions,
            i64::try_from(now.as_millis()).unwrap_or(i64::MAX).saturating_sub(ago),
        )
        .await
    } else if options.has("to-current") {
        let current = committed(client, group).await?;
        let (known, unknown): (Vec<_>, Vec<_>) =
            partitions.into_iter().partition(|partition| current.contains_key(partition));
        let mut plan = latest(&unknown).await?;
        plan.extend(known.into_iter().filter_map(|partition| {
            let offset = *current.get(&partition)?;
            Some((partition, offset))
        }));
        Ok(plan)
    } else {
        let scenarios: Vec<String> =
            SCENARIOS.iter().map(|scenario| format!("[{scenario}]")).collect();
        Err(UsageError(format!(
            "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
            scenarios.join(", ")
        ))
        .into())
    }
}

/// The partitions to move.
async fn scope(
    client: &Client,
    group: &Str,
    options: &Options,
) -> Result<Vec<TopicPartition>, Failure> {
    if options.has("all-topics") {
        return Ok(committed(client, group).await?.into_keys().collect());
    }
    if !options.has("topic") {
        return Err(UsageError(
            "One of the reset scopes should be defined: --all-topics, --topic.".into(),
        )
        .into());
    }
    let mut partitions = Vec::new();
    for topic in options.values("topic") {
        partitions.extend(partitions_of(client, topic).await?);
    }
    partitions.sort_unstable();
    partitions.dedup();
    Ok(partitions)
}

async fn committed(client: &Client, group: &Str) -> Result<Plan, Failure> {
    let offsets = admin::list_consumer_group_offsets(client, group, None).await?;
    let mut committed = Plan::new();
    for (partition, offset) in offsets {
        committed.extend(offset?.map(|offset| (partition, offset.offset)));
    }
    Ok(committed)
}

/// Offsets that the leaders find; partitions where they find none are left out.
async fn found(
    client: &Client,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Plan, Failure> {
    let asked = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
    let mut plan = Plan::new();
    for (partition, result) in
        admin::list_offsets(client, asked, IsolationLevel::ReadUncommitted).await?
    {
        plan.extend(result?.offset.map(|offset| (partition, offset)));
    }
    Ok(plan)
}

async fn at_time(
    client: &Client,
    partitions: &[TopicPartition],
    timestamp: i64,
) -> Result<Plan, Failure> {
    let mut plan = found(client, partitions, OffsetSpec::Timestamp(timestamp)).await?;
    let missing: Vec<TopicPartition> =
        partitions.iter().filter(|partition| !plan.contains_key(partition)).cloned().collect();
    for TopicPartition { topic, partition } in &missing {
        print(&format!(
            "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset.\n"
        ));
    }
    plan.extend(found(client, &missing, OffsetSpec::Latest).await?);
    Ok(plan)
}

/// Moves offsets that do not exist to the nearest end of their partition.
async fn within_range(client: &Client, wanted: Plan) -> Result<Plan, Failure> {
    let partitions: Vec<TopicPartition> = wanted.keys().cloned().collect();
    let starts = found(client, &partitions, OffsetSpec::Earliest).await?;
    let ends = found(client, &partitions, OffsetSpec::Latest).await?;
    let clamp = |(partition, offset): (TopicPartition, i64)| {
        let warn = |than: &str, to: i64| {
            eprint(&format!(
                "New offset ({offset}) is {than} offset for topic partition {partition}. Value will be set to {to}\n"
            ));
            to
        };
        let offset = match (starts.get(&partition), ends.get(&partition)) {
            (_, Some(&end)) if offset > end => warn("higher than latest", end),
            (Some(&start), _) if offset < start => warn("lower than earliest", start),
            _ => offset,
        };
        (partition, offset)
    };
    Ok(wanted.into_iter().map(clamp).collect())
}

fn table(plans: &BTreeMap<Str, Plan>) -> String {
    let topics = plans.values().flat_map(Plan::keys).map(|partition| partition.topic.len());
    let topic_width = topics.max().unwrap_or(0).max(15);
    let group_width = plans.keys().map(|group| group.len()).max().unwrap_or(0).max(15);
    let mut table = String::new();
    if !plans.is_empty() {
        table += &format!(
            "\n{:group_width$} {:topic_width$} {:10} {}",
            "GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"
        );
    }
    for (group, plan) in plans {
        for (TopicPartition { topic, partition }, offset) in plan {
            table +=
                &format!("\n{group:group_width$} {topic:topic_width$} {partition:<10} {offset}");
        }
    }
    table + "\n"
}

/// `topic,partition,offset`, with the group in front where there may be several.
fn csv(plans: &BTreeMap<Str, Plan>, is_single_group: bool) -> String {
    let mut csv = String::new();
    for (group, plan) in plans {
        for (TopicPartition { topic, partition }, offset) in plan {
            if !is_single_group {
                csv += &format!("{group},");
            }
            csv += &format!("{topic},{partition},{offset}\n");
        }
    }
    csv + "\n"
}

/// The plan for `group` in what [`csv`] writes.
fn read_csv(text: &str, group: &Str, is_single_group: bool) -> Result<Plan, Failure> {
    let wrong = |line: &str| {
        Failure::other(format!(
            "{line:?} is not TOPIC,PARTITION,OFFSET or GROUP,TOPIC,PARTITION,OFFSET"
        ))
    };
    let mut plan = Plan::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let fields: Vec<&str> =
            line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        let (of, topic, partition, offset) = match fields[..] {
            [topic, partition, offset] if is_single_group => {
                (group.as_str(), topic, partition, offset)
            }
            [of, topic, partition, offset] => (of, topic, partition, offset),
            _ => return Err(wrong(line)),
        };
        let partition = partition.parse().map_err(|_| wrong(line))?;
        let offset = offset.parse().map_err(|_| wrong(line))?;
        if of == group.as_str() {
            plan.insert(TopicPartition::new(topic, partition), offset);
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exported_plan_can_be_read_again() {
        let plan: Plan =
            [(TopicPartition::new("a", 0), 5), (TopicPartition::new("b", 12), 0)].into();
        let group = Str::from("g");
        for is_single_group in [true, false] {
            let text = csv(&[(group.clone(), plan.clone())].into(), is_single_group);
            assert_eq!(read_csv(&text, &group, is_single_group).unwrap(), plan);
        }
        assert!(read_csv("x,a,0,1\n", &group, false).unwrap().is_empty());
        for wrong in ["a,0", "a,b,c", "g,a,0,x", "a,0,1"] {
            assert!(read_csv(wrong, &group, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_plan_is_shown_as_kafka_shows_it() {
        let plan: Plan = [(TopicPartition::new("orders", 0), 5)].into();
        assert_eq!(
            table(&[(Str::from("g"), plan)].into()),
            "\nGROUP           TOPIC           PARTITION  NEW-OFFSET\
             \ng               orders          0          5\n"
        );
    }
}

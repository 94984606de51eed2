//! `ottla logs size`: how large topics and partitions are.

use std::fmt::Write;

use broker::inspect::{PartitionSize, sizes};

use super::{Directories, FAILED, Invocation, complain, print};

/// Tell how large topics and partitions are.
///
/// One line for each partition, and one for each topic with partition -. The
/// columns are files of batches, bytes of batches, and bytes of all files:
/// batches, indexes, snapshots, and what is about to be removed.
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    directories: Directories,

    /// Only this topic. May be given several times.
    #[arg(long, value_name = "NAME")]
    topic: Vec<String>,
}

pub(super) fn run(invocation: Invocation) -> u8 {
    let opened = invocation
        .parse::<Arguments>()
        .and_then(|arguments| Ok((arguments.directories.open()?, arguments.topic)));
    let (directories, topics) = match opened {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let (mut partitions, mut deleted_bytes) = (Vec::new(), 0);
    for directory in &directories {
        match sizes(directory) {
            Ok((found, deleted)) => {
                partitions.extend(found);
                deleted_bytes += deleted;
            }
            Err(error) => {
                complain(&error.to_string());
                return FAILED;
            }
        }
    }
    partitions.retain(|size| topics.is_empty() || topics.contains(&size.topic));
    partitions.sort_unstable();
    print(&table(&partitions, deleted_bytes))
}

fn table(partitions: &[PartitionSize], deleted_bytes: u64) -> String {
    let width = partitions.iter().map(|size| size.topic.len()).max().unwrap_or(0).max(5);
    let mut table = format!(
        "{:width$}  {:>9}  {:>8}  {:>15}  {:>15}\n",
        "TOPIC", "PARTITION", "SEGMENTS", "LOG-BYTES", "ALL-BYTES"
    );
    let mut row = |topic: &str, partition: &str, sizes: &[PartitionSize]| {
        let sum = |of: fn(&PartitionSize) -> u64| sizes.iter().map(of).sum::<u64>();
        let (segments, log_bytes, all_bytes) =
            (sum(|size| size.segments), sum(|size| size.log_bytes), sum(|size| size.all_bytes));
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "{topic:width$}  {partition:>9}  {segments:>8}  {log_bytes:>15}  {all_bytes:>15}"
        );
    };
    for of_topic in partitions.chunk_by(|one, next| one.topic == next.topic) {
        for size in of_topic {
            row(&size.topic, &size.partition.to_string(), std::slice::from_ref(size));
        }
        if let Some(first) = of_topic.first() {
            row(&first.topic, "-", of_topic);
        }
    }
    row("all", "-", partitions);
    if deleted_bytes > 0 {
        let _ = writeln!(table, "{deleted_bytes} bytes of deleted topics go at the next start");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_add_up() {
        let size = |topic: &str, partition, log_bytes| PartitionSize {
            topic: topic.to_owned(),
            partition,
            segments: 2,
            log_bytes,
            all_bytes: log_bytes + 1,
        };
        let table = table(&[size("a", 0, 10), size("a", 1, 20), size("b", 0, 5)], 7);
        let lines: Vec<String> = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            lines,
            [
                "TOPIC PARTITION SEGMENTS LOG-BYTES ALL-BYTES",
                "a 0 2 10 11",
                "a 1 2 20 21",
                "a - 4 30 32",
                "b 0 2 5 6",
                "b - 2 5 6",
                "all - 6 35 38",
                "7 bytes of deleted topics go at the next start",
            ]
        );
    }
}

//! `ottla logs verify`: what is damaged in log directories.

use broker::inspect::{self, Finding, Report, Severity, Watcher};

use super::{Directories, FAILED, Invocation, OK, complain, print};
use crate::cli::progress::Progress;

/// Read whole log directories, and tell what is damaged in them.
///
/// Every checksum, index, order and checkpoint is checked; nothing is changed.
/// Damage is told line by line, and a sentence about each directory comes last.
/// After an unclean stop the end of a log may be unfinished: that is told as a
/// note, because the next start puts it in order.
///
/// Ends with 1 when something is damaged, and with 2 when a directory cannot be
/// checked because it is in use, or is none.
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    directories: Directories,
}

pub(super) fn run(invocation: Invocation) -> u8 {
    let opened = invocation.parse::<Arguments>().and_then(|arguments| arguments.directories.open());
    let directories = match opened {
        Ok(directories) => directories,
        Err(code) => return code,
    };
    let mut code = OK;
    for directory in &directories {
        let mut printer = Printer { progress: Progress::new("MB checked", true), bytes: 0 };
        let verified = inspect::verify(directory, &mut printer);
        drop(printer);
        match verified {
            Ok(report) => {
                print(&format!("{}: {}\n", directory.path().display(), sentence(&report)));
                if report.damages > 0 {
                    code = FAILED;
                }
            }
            Err(error) => {
                complain(&format!("cannot list {}: {error}", directory.path().display()));
                code = FAILED;
            }
        }
    }
    code
}

/// Tells of findings as they come, and how far the work is on a terminal.
struct Printer {
    progress: Progress,
    bytes: u64,
}

impl Watcher for Printer {
    fn checked(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.progress.update(self.bytes / 1_000_000);
    }

    fn found(&mut self, finding: &Finding) {
        self.progress.clear();
        let severity = match finding.severity {
            Severity::Damage => "damage",
            Severity::Note => "note",
        };
        print(&format!("{severity}: {}: {}\n", finding.path.display(), finding.text));
    }
}

fn sentence(report: &Report) -> String {
    let count = |count: u64, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let result = match report.damages {
        0 => "no damage".to_owned(),
        damages => count(damages, "damage"),
    };
    format!(
        "{}, {}, {} batches, {}, {} checked: {result}, {}",
        count(report.partitions, "partition"),
        count(report.segments, "segment"),
        report.batches,
        count(report.records, "record"),
        count(report.bytes, "byte"),
        count(report.notes, "note"),
    )
}

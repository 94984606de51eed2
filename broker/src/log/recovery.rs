//! Opening the segments of a partition, and what has to be done first when the
//! last stop was not a clean one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol::records::BatchHeader;

use super::file::{FileSystem, Reads};
use super::open_files::OpenFiles;
use super::segment::{Segment, file_name};
use super::swap;

/// How much of a log can be relied on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// The broker wrote its mark of a clean stop: files are as they should be.
    pub(crate) is_clean: bool,
    /// Records below it were synced once.
    pub(crate) recovery_point: i64,
    /// No record has a later leader epoch.
    pub(crate) latest_epoch: i32,
    /// Records below it were deleted.
    pub(crate) log_start: i64,
    /// The first batch that somebody wants to see.
    pub(crate) visit_from: i64,
    /// Bytes of log per index entry.
    pub(crate) index_interval_bytes: u32,
}

/// The segments of a log that can be served.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) next_offset: i64,
    /// What was cut off, if anything was.
    pub(super) cut: Option<String>,
}

/// Opens the segments in a partition's directory; see
/// [`PartitionLog::open`](super::partition_log::PartitionLog::open).
pub(super) fn open_segments(
    open_files: &Arc<OpenFiles>,
    files: &Arc<dyn FileSystem>,
    directory: &Path,
    options: Options,
    visit: &mut dyn FnMut(&BatchHeader),
) -> io::Result<Recovered> {
    swap::finish(open_files, files, directory)?;
    let bases = base_offsets(&**files, directory)?;
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
    let mut next_offset = bases.first().copied().unwrap_or(0);
    let mut cut = None;
    for (index, base) in bases.iter().enumerate() {
        let end = bases.get(index + 1).copied().unwrap_or(i64::MAX);
        // Segments that end below the recovery point were synced as a whole.
        let is_trusted = options.is_clean || end <= options.recovery_point;
        // What is missing below the recovery point was compacted away: Apache Kafka
        // leaves such holes between segments. Of what was deleted a crash may have
        // kept one segment and not the next.
        let may_miss = options.recovery_point.max(options.log_start);
        if !is_trusted && *base > next_offset.max(may_miss) {
            let missing = || format!("the segment with offset {next_offset} is missing");
            cut = cut.or_else(|| Some(missing()));
            remove_later(&**files, directory, bases.get(index..).unwrap_or_default(), &mut cut)?;
            break;
        }
        let segment = Segment::open(open_files, files, directory, *base, false)?;
        let loaded = if is_trusted { segment.load(options.index_interval_bytes)? } else { None };
        match loaded {
            Some(next) => {
                next_offset = next;
                visit_loaded(&segment, options.visit_from, end, visit)?;
            }
            None => {
                let scanned =
                    segment.recover(next_offset..end, options.index_interval_bytes, |header| {
                        visit(header)
                    })?;
                segment.sync()?;
                next_offset = scanned.next_offset;
                if let Some((bytes, reason)) = scanned.cut {
                    cut = Some(format!(
                        "{bytes} bytes of {} behind offset {next_offset} are cut off: {reason}",
                        segment.path().display()
                    ));
                }
            }
        }
        segments.push(Arc::new(segment));
    }
    if !options.is_clean && !bases.is_empty() {
        files.sync_directory(directory)?;
    }
    Ok(Recovered { segments, next_offset, cut })
}

/// The first offset that the segments in a directory may hold.
pub(super) fn first_offset(files: &dyn FileSystem, directory: &Path) -> io::Result<i64> {
    Ok(base_offsets(files, directory)?.first().copied().unwrap_or(0))
}

/// Base offsets of the segments in a directory, ascending.
pub(super) fn base_offsets(files: &dyn FileSystem, directory: &Path) -> io::Result<Vec<i64>> {
    let mut bases = Vec::new();
    for name in files.list(directory)? {
        let Some(base) = name.to_str().and_then(|name| name.strip_suffix(".log")) else { continue };
        match base.parse() {
            Ok(base) if base >= 0 => bases.push(base),
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} is not named after an offset", directory.join(&name).display()),
                ));
            }
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

fn visit_loaded(
    segment: &Segment,
    from: i64,
    end: i64,
    visit: &mut dyn FnMut(&BatchHeader),
) -> io::Result<()> {
    if from >= end {
        return Ok(());
    }
    let Some((start, _)) = segment.locate(from, segment.size(), Reads::Blocking)? else {
        return Ok(());
    };
    segment.walk(start, segment.size(), |_, header| visit(header))
}

/// What comes behind a cut does not follow on anything any more.
fn remove_later(
    files: &dyn FileSystem,
    directory: &Path,
    bases: &[i64],
    cut: &mut Option<String>,
) -> io::Result<()> {
    for base in bases {
        for name in Segment::file_names(*base) {
            let path = directory.join(name);
            if files.exists(&path) {
                files.remove(&path)?;
            }
        }
        if let Some(cut) = cut {
            cut.push_str(&format!("; {} behind it is removed", file_name(*base, "log")));
        }
    }
    files.sync_directory(directory)
}

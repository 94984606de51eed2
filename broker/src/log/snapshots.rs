//! The snapshots of a partition's producers: files named after an offset that
//! say what the batches before it add up to.
//!
//! They only save reading: one that is damaged, or missing after a crash, is
//! made up for by an older one, or by the batches themselves.

use std::io::{self, IoSlice};
use std::path::Path;

use bytes::Bytes;

use super::file::FileSystem;
use super::segment::file_name;
use crate::producers::Producers;

/// Kafka's own format, for its tools.
const KAFKA_SUFFIX: &str = "snapshot";
/// Ours, with all that is remembered.
const SUFFIX: &str = "producers";
/// How many are kept. A crash can damage the newest.
const KEPT: usize = 2;

/// The producers of one moment, in both formats.
#[derive(Debug)]
pub(super) struct Snapshot {
    kafkas: Bytes,
    ours: Bytes,
}

impl Snapshot {
    pub(super) fn of(producers: &Producers) -> Self {
        #[cfg(test)]
        if super::faults::is_committed(super::faults::Fault::ForgetsOlderBatches) {
            let kafkas = producers.to_kafka_bytes();
            let forgetful = Producers::from_kafka_bytes(&kafkas, 0).expect("it was just written");
            return Self { kafkas, ours: forgetful.to_bytes() };
        }
        Self { kafkas: producers.to_kafka_bytes(), ours: producers.to_bytes() }
    }
}

/// Writes the state before `offset`, and removes what is older than the one before.
pub(super) fn write(
    files: &dyn FileSystem,
    directory: &Path,
    offset: i64,
    snapshot: &Snapshot,
) -> io::Result<()> {
    let mut existing = offsets(files, directory)?;
    existing.retain(|existing| *existing != offset);
    for (suffix, bytes) in [(KAFKA_SUFFIX, &snapshot.kafkas), (SUFFIX, &snapshot.ours)] {
        let file = files.open(&directory.join(file_name(offset, suffix)), true)?;
        file.set_len(0)?;
        file.write_at(&mut [IoSlice::new(bytes)], 0)?;
    }
    let surplus = (existing.len() + 1).saturating_sub(KEPT);
    for offset in existing.into_iter().take(surplus) {
        remove(files, directory, offset)?;
    }
    Ok(())
}

/// The offsets of the snapshots in a directory, ascending.
pub(super) fn offsets(files: &dyn FileSystem, directory: &Path) -> io::Result<Vec<i64>> {
    let names = files.list(directory)?;
    let parsed = names.iter().filter_map(|name| {
        let (offset, suffix) = name.to_str()?.split_once('.')?;
        (suffix == SUFFIX).then(|| offset.parse().ok())?
    });
    let mut offsets: Vec<i64> = parsed.collect();
    offsets.sort_unstable();
    Ok(offsets)
}

/// The state before an offset; `None` when the file is damaged.
///
/// Kafka's file is never read: it holds the last batch of a producer alone, and
/// the batches in the log tell more.
pub(super) fn read(
    files: &dyn FileSystem,
    directory: &Path,
    offset: i64,
) -> io::Result<Option<Producers>> {
    let path = directory.join(file_name(offset, SUFFIX));
    let Some(bytes) = files.read(&path)? else { return Ok(None) };
    match Producers::from_bytes(&bytes) {
        Ok(producers) => Ok(Some(producers)),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a snapshot of producers cannot be used");
            Ok(None)
        }
    }
}

/// Removes the snapshot of an offset.
pub(super) fn remove(files: &dyn FileSystem, directory: &Path, offset: i64) -> io::Result<()> {
    for suffix in [KAFKA_SUFFIX, SUFFIX] {
        let path = directory.join(file_name(offset, suffix));
        if files.exists(&path) {
            files.remove(&path)?;
        }
    }
    Ok(())
}

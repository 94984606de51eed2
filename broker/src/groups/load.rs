//! Reading `__consumer_offsets` at start.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use protocol::records::{Batch, ControlRecord, RecordError, RecordIter, batches};
use protocol::{DecodeError, Str};

use super::cell::Group;
use super::coordinator::GroupCoordinator;
use super::offsets::GroupOffsets;
use super::records::{GroupMetadata, GroupRecord};
use super::state::ClassicGroup;
use super::storage::StorageError;
use crate::context::IN_PROCESS_HOST;

/// What a batch may come to when it is unpacked.
const MAX_BATCH_BYTES: usize = 256 * 1024 * 1024;

/// The groups of one partition as the log has them.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) groups: HashMap<Str, Replayed>,
    /// Offsets of transactions whose end was not read yet, by producer id.
    open: HashMap<i64, Vec<GroupRecord>>,
}

/// One group as the log has it.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) offsets: GroupOffsets,
    pub(super) metadata: Option<GroupMetadata>,
}

#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Batch(#[from] RecordError),
    #[error(transparent)]
    Record(#[from] DecodeError),
}

impl GroupCoordinator {
    /// Reads the groups of all partitions. Requests about a group are taken from when its
    /// partition was read. Members of this very process before it started are dropped.
    ///
    /// # Errors
    /// When a partition cannot be read; its groups stay unavailable.
    pub(crate) async fn load(&self) -> Result<(), StorageError> {
        let shared = &self.shared;
        for (index, shard) in shared.shards.iter().enumerate() {
            let replay = self.replay(i32::try_from(index).unwrap_or(i32::MAX)).await?;
            let mut cells = Vec::with_capacity(replay.groups.len());
            for (id, replayed) in replay.groups {
                if replayed.offsets.is_empty() && replayed.metadata.is_none() {
                    continue;
                }
                let mut group = Group::new(shared.new_state());
                group.offsets = replayed.offsets;
                if let Some(metadata) = replayed.metadata {
                    group.has_record = true;
                    group.empty_since = Some(metadata.state_timestamp)
                        .filter(|since| metadata.members.is_empty() && *since >= 0);
                    let now = shared.clock.now_ms();
                    let limits = shared.settings.limits;
                    group.state = ClassicGroup::restore(metadata, IN_PROCESS_HOST, limits, now);
                }
                cells.push(shared.new_cell(id, group));
            }
            let known = cells.iter().map(|cell| (cell.id.clone(), cell.clone()));
            shard.groups.lock().extend(known);
            shard.is_loaded.store(true, Ordering::Release);
            for cell in cells {
                shared.finish(&cell, cell.group.lock());
            }
        }
        Ok(())
    }

    /// Everything that one partition holds, put together.
    pub(super) async fn replay(&self, partition: i32) -> Result<Replay, StorageError> {
        let mut replay = Replay::default();
        let mut next_offset = 0;
        loop {
            let chunk = self.shared.storage.read(partition, next_offset).await?;
            let from = next_offset;
            for batch in batches(chunk) {
                let read = batch.map_err(ReplayError::from).and_then(|batch| {
                    next_offset = batch.header().next_offset();
                    replay.apply_batch(&batch)
                });
                if let Err(error) = read {
                    // What was stored is checked when it is written, so this is a damaged file.
                    tracing::error!(partition, offset = from, %error, "records of groups are lost");
                }
            }
            if next_offset <= from {
                return Ok(replay);
            }
        }
    }
}

impl Replay {
    fn apply_batch(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        let header = batch.header();
        let section = batch.record_section(MAX_BATCH_BYTES)?;
        let attributes = header.attributes;
        for record in RecordIter::new(header, &section) {
            let record = record?;
            if attributes.is_control() {
                // Offsets of a transaction count from where it ends.
                let staged = self.open.remove(&header.producer_id).unwrap_or_default();
                if matches!(ControlRecord::parse(&record), Ok(ControlRecord::Commit)) {
                    staged.into_iter().for_each(|record| self.apply(record));
                }
                continue;
            }
            let Some(key) = record.key else { continue };
            let Some(decoded) = GroupRecord::decode(key, record.value)? else { continue };
            if attributes.is_transactional() {
                self.open.entry(header.producer_id).or_default().push(decoded);
            } else {
                self.apply(decoded);
            }
        }
        Ok(())
    }

    fn apply(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Offset { group, topic, partition, value } => {
                let replayed = self.groups.entry(group).or_default();
                replayed.offsets.apply(&topic, partition, value);
            }
            GroupRecord::Group { group, value } => {
                self.groups.entry(group).or_default().metadata = value;
            }
        }
    }
}

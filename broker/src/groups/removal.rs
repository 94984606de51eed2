//! How groups and offsets end: deleted by somebody, with their topic, or by age.

use std::sync::Arc;

use protocol::messages::offset_delete::{OffsetDeleteRequestTopic, OffsetDeleteResponsePartition};
use protocol::{ErrorCode, Str};
use tokio::sync::oneshot;

use super::cell::{Group, GroupCell};
use super::coordinator::{GroupCoordinator, Shared};
use super::records::{CommittedOffset, GroupRecord};
use super::state::GroupState;
use super::writer::{Outcome, Then};

impl GroupCoordinator {
    /// Deletes a group with its offsets. Goes on when the caller does not wait.
    ///
    /// # Errors
    /// When the group has members, does not exist, or the log cannot be written.
    pub(crate) async fn delete_group(&self, group_id: &Str) -> Result<(), ErrorCode> {
        self.shared.check_loaded(group_id)?;
        let (shared, group_id) = (Arc::clone(&self.shared), group_id.detached());
        let deletion = async move { shared.delete_group(&group_id).await };
        let deletion = self.shared.tasks.spawn_on(deletion, &self.shared.runtime);
        deletion.await.unwrap_or(Err(ErrorCode::UnknownServerError))
    }

    /// Deletes offsets of a group, with one result for each partition.
    ///
    /// # Errors
    /// The error that holds for the request as a whole.
    pub(crate) async fn delete_offsets(
        &self,
        group_id: &Str,
        topics: Vec<OffsetDeleteRequestTopic>,
    ) -> Result<Vec<(Str, Vec<OffsetDeleteResponsePartition>)>, ErrorCode> {
        self.shared.check_group_id(group_id)?;
        let deleted = self.shared.with_group(group_id, false, |cell, group| {
            if group.state.state() != GroupState::Empty && !group.state.is_consumer_group() {
                return Err(ErrorCode::NonEmptyGroup);
            }
            let mut records = Vec::new();
            let results = topics.into_iter().map(|topic| {
                let is_in_use = group.state.is_subscribed_to(&topic.name);
                let partitions = topic.partitions.iter().map(|partition| {
                    let partition_index = partition.partition_index;
                    let exists = group.offsets.get(&topic.name, partition_index).is_some();
                    if exists && !is_in_use {
                        records.push(tombstone(cell, &topic.name, partition_index));
                    }
                    let error_code = match is_in_use {
                        true => ErrorCode::GroupSubscribedToTopic,
                        false => ErrorCode::None,
                    };
                    OffsetDeleteResponsePartition { partition_index, error_code }
                });
                let partitions = partitions.collect();
                (topic.name, partitions)
            });
            let results: Vec<_> = results.collect();
            if records.is_empty() {
                return Ok((results, None));
            }
            let (sender, receiver) = oneshot::channel();
            self.shared.write(cell, group, records, Then::Tell(sender));
            Ok((results, Some(receiver)))
        });
        let (results, stored) = deleted.await.ok_or(ErrorCode::GroupIdNotFound)??;
        if let Some(stored) = stored {
            stored
                .await
                .map_err(|_| ErrorCode::CoordinatorNotAvailable)?
                .map_err(|error| error.error_code())?;
        }
        Ok(results)
    }

    /// Forgets the offsets that groups have of a topic that is gone. Returns when they
    /// are gone too, or could not be removed; goes on when the caller does not wait.
    pub(crate) async fn topic_deleted(&self, topic: &Str) {
        let (shared, topic) = (Arc::clone(&self.shared), topic.detached());
        let deletion = async move { shared.delete_topic_offsets(&topic).await };
        let deletion = self.shared.tasks.spawn_on(deletion, &self.shared.runtime);
        if let Err(error) = deletion.await {
            tracing::error!(%error, "offsets of a deleted topic may be left");
        }
    }
}

impl Shared {
    async fn delete_group(self: Arc<Self>, group_id: &Str) -> Result<(), ErrorCode> {
        // First everybody is kept out, then what is under way is waited for: then what
        // there is to delete is known.
        let begun = self.with_group(group_id, false, |cell, group| {
            if group.state.state() != GroupState::Empty {
                return Err(ErrorCode::NonEmptyGroup);
            }
            group.removal = Some(Vec::new());
            let (sender, settled) = oneshot::channel();
            if group.writes == 0 {
                let _ = sender.send(());
            } else {
                group.settled.push(sender);
            }
            Ok((Arc::clone(cell), settled))
        });
        let (cell, settled) = begun.await.ok_or(ErrorCode::GroupIdNotFound)??;
        let _ = settled.await;
        let removed = {
            let mut group = cell.group.lock();
            let (sender, receiver) = oneshot::channel();
            self.remove(&cell, &mut group, Some(sender));
            receiver
        };
        match removed.await {
            Ok(outcome) => outcome.map_err(|error| error.error_code()),
            Err(_) => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }

    /// Queues the end of a group that nobody can get at meanwhile.
    fn remove(
        self: &Arc<Self>,
        cell: &Arc<GroupCell>,
        group: &mut Group,
        done: Option<oneshot::Sender<Outcome>>,
    ) {
        group.removal.get_or_insert_default();
        let mut records: Vec<GroupRecord> = all_offsets(group)
            .map(|(topic, partition, _)| tombstone(cell, topic, partition))
            .collect();
        records.push(GroupRecord::Group { group: cell.id.clone(), value: None });
        self.write(cell, group, records, Then::Removed(done));
    }

    async fn delete_topic_offsets(self: Arc<Self>, topic: &Str) {
        // Commits that were on their way when the topic went have to be seen too.
        let barriers: Vec<_> = (0..self.shards.len())
            .filter_map(|shard| Some(self.queue(shard)?.lock().barrier()))
            .collect();
        for barrier in barriers {
            let _ = barrier.await;
        }
        let mut deletions = Vec::new();
        for cell in self.cells() {
            let mut group = cell.group.lock();
            let partitions = group.offsets.partitions(topic);
            let records: Vec<_> =
                partitions.map(|partition| tombstone(&cell, topic, partition)).collect();
            if records.is_empty() || group.removal.is_some() {
                continue;
            }
            let (sender, receiver) = oneshot::channel();
            self.write(&cell, &mut group, records, Then::Tell(sender));
            deletions.push(receiver);
        }
        for deletion in deletions {
            let _ = deletion.await;
        }
    }

    /// Forgets offsets that are too old, and groups of which nothing is left. Groups
    /// with writes under way are left for the next time: an offset that is just being
    /// stored anew must not be taken for the old one.
    pub(super) fn expire_offsets(self: &Arc<Self>, now_ms: i64) {
        for cell in self.cells() {
            let mut group = cell.group.lock();
            let has_room = self.queue(cell.shard).is_some_and(|queue| queue.lock().has_room());
            if group.is_gone || group.removal.is_some() || group.writes > 0 || !has_room {
                continue;
            }
            let expired: Vec<GroupRecord> = all_offsets(&group)
                .filter(|(topic, _, offset)| self.is_expired(&group, topic, offset, now_ms))
                .map(|(topic, partition, _)| tombstone(&cell, topic, partition))
                .collect();
            if expired.len() == all_offsets(&group).count() && group.state.is_deserted() {
                tracing::info!(group = %cell.id, "a group without members and offsets is removed");
                self.remove(&cell, &mut group, None);
            } else if !expired.is_empty() {
                tracing::info!(group = %cell.id, offsets = expired.len(), "offsets have expired");
                self.write(&cell, &mut group, expired, Then::Nothing);
            }
        }
    }

    /// Whether an offset is older than `offsets.retention.minutes`.
    ///
    /// Of a group without members all offsets age from the time it has none. Of a
    /// consumer group with members only those age that belong to topics which nobody
    /// subscribes to. Who commits without being a member has each offset age by itself.
    fn is_expired(
        &self,
        group: &Group,
        topic: &str,
        offset: &CommittedOffset,
        now_ms: i64,
    ) -> bool {
        let state = &group.state;
        if state.is_subscribed_to(topic) {
            return false;
        }
        let since = match (state.protocol_type(), state.state()) {
            (None, _) => offset.commit_timestamp,
            (Some(_), GroupState::Empty) => group.empty_since.unwrap_or(offset.commit_timestamp),
            (Some(_), GroupState::Stable) if state.knows_subscriptions() => offset.commit_timestamp,
            (Some(_), _) => return false,
        };
        match offset.expire_timestamp {
            Some(expire_timestamp) => expire_timestamp <= now_ms,
            None => now_ms.saturating_sub(since) >= self.settings.retention_ms,
        }
    }
}

fn all_offsets(group: &Group) -> impl Iterator<Item = (&Str, i32, &CommittedOffset)> {
    let topics = group.offsets.topics();
    topics.flat_map(|(topic, partitions)| {
        partitions.iter().map(move |(partition, offset)| (topic, *partition, offset))
    })
}

fn tombstone(cell: &GroupCell, topic: &Str, partition: i32) -> GroupRecord {
    GroupRecord::Offset { group: cell.id.clone(), topic: topic.detached(), partition, value: None }
}

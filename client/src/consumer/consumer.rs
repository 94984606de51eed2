//! The public calls of a consumer.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use protocol::Str;
use tokio::time::{Instant, sleep_until};

use super::buffer::ReadTo;
use super::config::ConsumerConfig;
use super::error::ConsumerError;
use super::group::GroupTask;
use super::record::{ConsumerRecord, Mark, OffsetAndMetadata, Take, Taken};
use super::shared::Shared;
use super::state::{EARLIEST, Interest, LATEST, Position};
use super::topic_partition::TopicPartition;
use crate::Client;

/// Reads records, alone ([`Consumer::assign`]) or as a member of a group
/// ([`Consumer::subscribe_topics`], [`Consumer::subscribe_pattern`]).
///
/// Clones are the same consumer. Every call may be dropped at any await: what
/// was fetched stays for the next call, positions move only in
/// [`Consumer::take`], and joining and closing go on in the background.
///
/// A member stays in its group whether somebody reads or not. When the last
/// clone is dropped it leaves in the background; [`Consumer::close`] also waits for that.
///
/// ```no_run
/// # use std::time::Duration;
/// # use client::{Client, consumer::{Consumer, ConsumerConfig, ConsumerError, Take}};
/// # async fn example(client: Client) -> Result<(), ConsumerError> {
/// let config = ConsumerConfig { group_id: Some("readers".into()), ..ConsumerConfig::default() };
/// let consumer = Consumer::new(client, config);
/// consumer.subscribe_topics(vec!["orders".into()])?;
/// loop {
///     consumer.fetch(Duration::from_secs(1)).await?;
///     consumer.take(&mut |record| {
///         println!("{}", record.offset);
///         Take::Yes
///     })?;
///     consumer.commit(&consumer.moved_positions()).await?;
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Consumer {
    handle: Arc<Handle>,
}

/// What all clones hold together: the consumer ends with it.
struct Handle {
    shared: Arc<Shared>,
}

/// Told when the group takes partitions from the consumer.
///
/// Called by the task that keeps the consumer in its group, and not after
/// [`Consumer::unsubscribe`] or [`Consumer::close`]. A listener that holds a
/// clone of its consumer keeps it alive until the consumer is closed.
pub trait RebalanceListener: Send + Sync {
    /// The partitions are about to go to other members, or to be assigned anew.
    /// Nothing of them is handed out any more; their positions can still be
    /// committed. The group waits for the future, at most a third of
    /// [`ConsumerConfig::session_timeout`].
    fn revoked(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'static, ()>;

    /// The partitions are gone, and others may have them already: a commit of
    /// their positions would be refused. Must return soon.
    fn lost(&self, partitions: &[TopicPartition]) {
        let _ = partitions;
    }
}

impl Consumer {
    /// A consumer of the cluster that `client` leads to. Nothing is asked of it yet.
    pub fn new(client: Client, config: ConsumerConfig) -> Self {
        let shared = Arc::new(Shared::new(client, config));
        Self { handle: Arc::new(Handle { shared }) }
    }

    /// The settings it was made with.
    pub fn config(&self) -> &ConsumerConfig {
        &self.shared().config
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Ends the group membership and the requests under way, and waits until
    /// the member has left, at most five seconds. Calls of clones, and calls
    /// after that, get [`ConsumerError::Closed`]. Nothing is committed.
    pub async fn close(&self) {
        let shared = self.shared();
        shared.end();
        shared.tasks.close();
        shared.tasks.wait().await;
    }
}

/// What is read.
impl Consumer {
    /// Joins the group and reads the partitions that it assigns of these
    /// topics, in place of those of the topics before. The same topics again
    /// change nothing; no topics are [`Consumer::unsubscribe`].
    ///
    /// # Errors
    /// [`ConsumerError::NoGroup`], [`ConsumerError::Closed`], and
    /// [`ConsumerError::MixedSubscription`] beside a pattern or an assignment.
    pub fn subscribe_topics(&self, topics: Vec<Str>) -> Result<(), ConsumerError> {
        let topics: BTreeSet<Str> = topics.into_iter().collect();
        let topics: Vec<Str> = topics.into_iter().collect();
        self.subscribe(|interest| match interest {
            _ if topics.is_empty() => Ok(Some(Interest::Nothing)),
            Interest::Topics(current) if *current == topics => Ok(None),
            Interest::Nothing | Interest::Topics(_) => Ok(Some(Interest::Topics(topics))),
            Interest::Pattern(_) | Interest::Partitions => Err(ConsumerError::MixedSubscription),
        })
    }

    /// Joins the group and reads the partitions that it assigns of the topics
    /// whose names `matches` lets pass, those that appear later included.
    /// Internal topics are never among them.
    ///
    /// # Errors
    /// As [`Consumer::subscribe_topics`]; it does not go with a subscription to topics.
    pub fn subscribe_pattern(
        &self,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<(), ConsumerError> {
        self.subscribe(|interest| match interest {
            Interest::Nothing | Interest::Pattern(_) => {
                Ok(Some(Interest::Pattern(Arc::new(matches))))
            }
            Interest::Topics(_) | Interest::Partitions => Err(ConsumerError::MixedSubscription),
        })
    }

    /// `change` says what replaces the interest, if anything does.
    fn subscribe(
        &self,
        change: impl FnOnce(&Interest) -> Result<Option<Interest>, ConsumerError>,
    ) -> Result<(), ConsumerError> {
        let shared = self.shared();
        let group_id = shared.group_id()?;
        {
            let mut state = shared.state.lock();
            state.check_open()?;
            let interest = match change(&state.interest)? {
                Some(interest) => interest,
                // After a failure, subscribing again is how to begin anew.
                None if state.has_failed() => state.interest.clone(),
                None => return Ok(()),
            };
            state.set_interest(interest);
            if !state.uses_group() {
                state.give_up_all();
            } else if !std::mem::replace(&mut state.has_group_task, true) {
                shared.spawn(GroupTask::new(Arc::clone(shared), group_id).run());
            }
        }
        shared.interest_changed();
        Ok(())
    }

    /// Reads exactly these, in place of those assigned before, without the
    /// group: nobody takes them away. Positions of partitions that stay are kept;
    /// new ones begin where the group, if there is one, has committed, and
    /// otherwise as [`ConsumerConfig::auto_offset_reset`] says. No partitions
    /// are [`Consumer::unsubscribe`].
    ///
    /// # Errors
    /// [`ConsumerError::Closed`], and [`ConsumerError::MixedSubscription`] beside a subscription.
    pub fn assign(&self, partitions: Vec<TopicPartition>) -> Result<(), ConsumerError> {
        let shared = self.shared();
        {
            let mut state = shared.state.lock();
            state.check_open()?;
            if state.uses_group() {
                return Err(ConsumerError::MixedSubscription);
            }
            let is_empty = partitions.is_empty();
            state.set_interest(if is_empty { Interest::Nothing } else { Interest::Partitions });
            state.replace(partitions);
        }
        shared.interest_changed();
        shared.resolve_in_background();
        Ok(())
    }

    /// Reads nothing any more. A member leaves its group, in the background;
    /// its listener is not called, and its partitions are gone at once: commit
    /// before, if they were read.
    pub fn unsubscribe(&self) {
        let shared = self.shared();
        {
            let mut state = shared.state.lock();
            state.set_interest(Interest::Nothing);
            state.give_up_all();
        }
        shared.interest_changed();
    }

    /// The topics subscribed to, sorted; of a pattern, those that it matched so far.
    pub fn subscription(&self) -> Vec<Str> {
        self.shared().state.lock().topics.clone()
    }

    /// The partitions that are read now, sorted.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared().state.lock().partitions.keys().cloned().collect()
    }

    /// Waits until the group has answered the subscription and it is known
    /// where each partition is read from. False when that is not so by `deadline`.
    ///
    /// # Errors
    /// [`ConsumerError::NotSubscribed`], [`ConsumerError::Closed`], and why the
    /// member cannot be in its group.
    pub async fn wait_assigned(&self, deadline: Instant) -> Result<bool, ConsumerError> {
        let shared = self.shared();
        loop {
            let changed = shared.changed.notified();
            {
                let state = shared.state.lock();
                state.check_readable()?;
                if state.is_settled() {
                    return Ok(true);
                }
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(deadline) => return Ok(false),
            }
        }
    }

    /// Calls `listener`, and no other, when the group takes partitions away.
    pub fn set_listener(&self, listener: Arc<dyn RebalanceListener>) {
        self.shared().set_listener(Some(listener));
    }
}

/// Reading.
impl Consumer {
    /// Waits until there is something for [`Consumer::take`], at most about
    /// `wait`. Without a wait, every leader is still asked once.
    ///
    /// Callers that come at the same time share the requests and the records.
    ///
    /// # Errors
    /// [`ConsumerError::NotSubscribed`], [`ConsumerError::Closed`], and why the
    /// member cannot be in its group. What is wrong with one partition is told by `take`.
    pub async fn fetch(&self, wait: Duration) -> Result<(), ConsumerError> {
        self.shared().fetch(wait).await
    }

    /// Offers `visitor` the records that are there, in the order of each
    /// partition, until it says [`Take::Stop`] or there are no more. Positions
    /// move past those it takes. `visitor` runs under the consumer's lock: it
    /// must be quick and must not call the consumer.
    ///
    /// # Errors
    /// As [`Consumer::fetch`], and what is wrong with a partition: that is told
    /// once the records before it are taken, and no record is lost by it.
    pub fn take(
        &self,
        visitor: &mut dyn FnMut(&ConsumerRecord<'_>) -> Take,
    ) -> Result<Taken, ConsumerError> {
        let shared = self.shared();
        let mut state = shared.state.lock();
        state.check_readable()?;
        state.take(&shared.config, visitor)
    }

    /// Puts records back that could not be delivered after all. Where the
    /// position was moved or the partition assigned anew since, that stands.
    /// Of several takes, the last is to be rewound first.
    pub fn rewind(&self, marks: &[Mark]) {
        self.shared().state.lock().rewind(marks);
        self.shared().changed.notify_waiters();
    }

    /// Reads on at `offset`. Whether it exists shows at the next fetch;
    /// [`ConsumerConfig::auto_offset_reset`] says what happens if it does not.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`], [`ConsumerError::Closed`].
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), ConsumerError> {
        {
            let mut state = self.shared().state.lock();
            state.check_open()?;
            state.seek(partition, Position::At(ReadTo { offset, leader_epoch: -1 }))?;
        }
        self.shared().changed.notify_waiters();
        Ok(())
    }

    /// Reads on at the oldest record of each of these partitions.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`], [`ConsumerError::Closed`],
    /// [`ConsumerError::Timeout`], and why a leader refused. After the last two
    /// the lookup goes on with the next fetch.
    pub async fn seek_to_beginning(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<(), ConsumerError> {
        self.shared().seek_to(partitions, EARLIEST).await
    }

    /// Reads on behind the newest record that each of these partitions has now.
    ///
    /// # Errors
    /// As [`Consumer::seek_to_beginning`].
    pub async fn seek_to_end(&self, partitions: &[TopicPartition]) -> Result<(), ConsumerError> {
        self.shared().seek_to(partitions, LATEST).await
    }

    /// Reads on at the first record that is not older than `timestamp`
    /// (milliseconds since 1970); at the end if there is none.
    ///
    /// # Errors
    /// As [`Consumer::seek_to_beginning`].
    pub async fn seek_to_timestamp(
        &self,
        partition: &TopicPartition,
        timestamp: i64,
    ) -> Result<(), ConsumerError> {
        // Numbers below zero mean something else in a lookup.
        self.shared().seek_to(std::slice::from_ref(partition), timestamp.max(0)).await
    }

    /// The offset of the next record to take; `None` while it is being looked up.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`].
    pub fn position(&self, partition: &TopicPartition) -> Result<Option<i64>, ConsumerError> {
        let state = self.shared().state.lock();
        Ok(match state.partition(partition)?.position {
            Position::At(read_to) => Some(read_to.offset),
            Position::Committed | Position::Timestamp(_) => None,
        })
    }

    /// The end of the partition for readers, as of the last answer that came
    /// from its leader; `None` before the first.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`].
    pub fn high_watermark(&self, partition: &TopicPartition) -> Result<Option<i64>, ConsumerError> {
        Ok(self.shared().state.lock().partition(partition)?.high_watermark)
    }
}

/// Committed offsets.
impl Consumer {
    /// The positions of the partitions that delivered records, or were sought,
    /// since they were assigned: what there is to commit.
    pub fn moved_positions(&self) -> Vec<(TopicPartition, OffsetAndMetadata)> {
        self.shared().state.lock().moved_positions()
    }

    /// Commits these offsets for the group. While the group rebalances, this
    /// waits for the next generation, and goes out in that if the partitions stay.
    ///
    /// # Errors
    /// [`ConsumerError::NoGroup`], [`ConsumerError::Closed`],
    /// [`ConsumerError::Rebalanced`], [`ConsumerError::Timeout`], and the
    /// coordinator's refusal. After an error, some may be committed.
    pub async fn commit(
        &self,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
    ) -> Result<(), ConsumerError> {
        self.shared().commit(offsets).await
    }

    /// What is committed for the group, in the order of `partitions`; `None` where nothing is.
    ///
    /// # Errors
    /// [`ConsumerError::NoGroup`], [`ConsumerError::Closed`],
    /// [`ConsumerError::Timeout`], and the coordinator's refusal.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Option<OffsetAndMetadata>)>, ConsumerError> {
        let committed = self.shared().committed(partitions).await?;
        let of = |name: &TopicPartition| (name.clone(), committed.get(name).cloned());
        Ok(partitions.iter().map(of).collect())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        f.debug_struct("Consumer")
            .field("group_id", &shared.config.group_id)
            .field("interest", &shared.state.lock().interest)
            .finish_non_exhaustive()
    }
}

//! `__consumer_offsets` as the groups use it: a topic of this node.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use protocol::Str;

use crate::controller::Controller;
use crate::groups::{GroupStorage, StorageError};
use crate::log::{AppendOptions, Partition, Reads};
use crate::topics::{Topic, name};

/// How much of a partition is read at a time.
const READ_BYTES: usize = 1024 * 1024;

/// The topic that holds committed offsets and groups. It is made when the first
/// group is looked for.
#[derive(Debug)]
pub(crate) struct OffsetsTopic {
    controller: Controller,
    partition_count: i32,
    topic: OnceLock<Arc<Topic>>,
}

impl OffsetsTopic {
    /// The topic as it is, or will be.
    pub(crate) fn new(controller: Controller) -> Self {
        let config = controller.config();
        let existing = controller.topics().by_name(name::CONSUMER_OFFSETS);
        let partition_count = match &existing {
            Some(topic) => topic.partition_count(),
            None => config.offsets.topic_partitions,
        };
        let topic = existing.map_or_else(OnceLock::new, OnceLock::from);
        Self { controller, partition_count, topic }
    }

    async fn topic(&self) -> Result<&Arc<Topic>, StorageError> {
        if let Some(topic) = self.topic.get() {
            return Ok(topic);
        }
        let topic = self.controller.ensure_topic(&Str::from_static(name::CONSUMER_OFFSETS)).await;
        let topic = topic.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        Ok(self.topic.get_or_init(|| topic))
    }

    fn partition(topic: &Topic, index: i32) -> Result<Arc<Partition>, StorageError> {
        let missing = || StorageError::Unavailable(format!("there is no partition {index}"));
        topic.partition(index).ok_or_else(missing)
    }
}

impl GroupStorage for OffsetsTopic {
    fn prepare(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.topic().map(|topic| topic.map(|_| ())).boxed()
    }

    fn partition_count(&self) -> i32 {
        self.partition_count
    }

    fn append(&self, partition: i32, batch: Bytes) -> BoxFuture<'_, Result<(), StorageError>> {
        async move {
            let partition = Self::partition(self.topic().await?, partition)?;
            let appended = partition.append(batch, AppendOptions::coordinator()).await;
            let appended = match appended {
                Ok(completion) => completion.await,
                Err(error) => Err(error),
            };
            match appended {
                Ok(_) => Ok(()),
                Err(error) if error.error_code() == protocol::ErrorCode::MessageTooLarge => {
                    Err(StorageError::TooLarge)
                }
                Err(error) => Err(StorageError::Unavailable(error.to_string())),
            }
        }
        .boxed()
    }

    fn read(&self, partition: i32, offset: i64) -> BoxFuture<'_, Result<Bytes, StorageError>> {
        async move {
            // A topic that does not exist has nothing to read, and reading must not make it.
            let Some(topic) = self.topic.get() else { return Ok(Bytes::new()) };
            let partition = Self::partition(topic, partition)?;
            let read = tokio::task::spawn_blocking(move || {
                let start = offset.max(partition.log_start_offset());
                let unavailable =
                    |error: &dyn std::fmt::Display| StorageError::Unavailable(error.to_string());
                let range = partition.read(start, READ_BYTES, true, Reads::Blocking);
                match range.map_err(|error| unavailable(&error))? {
                    Some(range) => range.read().map_err(|error| unavailable(&error)),
                    None => Ok(Bytes::new()),
                }
            });
            read.await
                .unwrap_or_else(|panicked| Err(StorageError::Unavailable(panicked.to_string())))
        }
        .boxed()
    }
}

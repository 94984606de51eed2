//! Reading a partition without an instance (API v1): no group, no state that
//! outlives the request.

use std::sync::Arc;
use std::time::Duration;

use client::Client;
use client::consumer::{
    Consumer, ConsumerConfig, ConsumerError, OffsetReset, Take, TopicPartition,
};
use parking_lot::Mutex;
use protocol::{ErrorCode, Str};
use registry::Schemas;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::read::{End, RecordsBody};
use super::records::{Records, Unwritten, size};
use crate::Config;
use crate::config::ApiVersion::V1;
use crate::error::Error;
use crate::formats::Codec;
use crate::memory::Share;

/// How long a read at the end of the log waits (`fetch.wait.max.ms` of Kafka's
/// old consumer).
const WAIT_AT_END: Duration = Duration::from_millis(100);
/// How much is fetched at a time, in bytes. Mostly one record is wanted.
const FETCH_BYTES: usize = 256 * 1024;

/// Consumers for such reads, kept for the next ones.
#[derive(Debug)]
pub(crate) struct SimpleConsumers {
    client: Client,
    runtime: Handle,
    template: ConsumerConfig,
    request_max_bytes: usize,
    /// How many reads may run.
    permits: Semaphore,
    /// How long a read waits for its turn; `None`: as long as it takes.
    timeout: Option<Duration>,
    schemas: Option<Arc<Schemas>>,
    idle: Mutex<Vec<Consumer>>,
}

/// What to read.
#[derive(Debug)]
pub(crate) struct SimpleRead {
    /// Where.
    pub(crate) partition: TopicPartition,
    /// From where on.
    pub(crate) start: Start,
    /// How many records.
    pub(crate) count: usize,
    /// How they are written.
    pub(crate) codec: Codec,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// At this offset, which must exist or be the end.
    Offset(i64),
    /// At the first record that is not older, in milliseconds since 1970.
    Timestamp(i64),
}

impl SimpleConsumers {
    /// `client` belongs to `runtime`.
    pub(crate) fn new(
        config: &Config,
        client: Client,
        runtime: Handle,
        schemas: Option<Arc<Schemas>>,
    ) -> Self {
        let template = config.consumer();
        Self {
            client,
            runtime,
            template: ConsumerConfig {
                group_id: None,
                group_instance_id: None,
                auto_offset_reset: OffsetReset::None,
                fetch_max_bytes: FETCH_BYTES,
                max_partition_fetch_bytes: FETCH_BYTES,
                fetch_min_bytes: 1,
                ..template
            },
            request_max_bytes: config.consumers.request_max_bytes,
            permits: Semaphore::new(config.consumers.simple_pool_size.min(Semaphore::MAX_PERMITS)),
            timeout: config.consumers.simple_pool_timeout,
            schemas,
            idle: Mutex::default(),
        }
    }

    /// Reads records until there are as many as wanted, or no more. Without
    /// `memory` for more, there are fewer.
    ///
    /// # Errors
    /// When too many such reads run, when the offset does not exist, and when
    /// one of the records is not in the format.
    pub(crate) async fn read(&self, read: SimpleRead, memory: Share) -> Result<RecordsBody, Error> {
        let permit = self.permits.acquire();
        let permit = match self.timeout {
            Some(limit) => timeout(limit, permit).await.map_err(|_| Error::NoSimpleConsumer)?,
            None => permit.await,
        };
        let _permit = permit.map_err(|_| Error::ShuttingDown)?;
        let idle = self.idle.lock().pop();
        let consumer = idle.unwrap_or_else(|| {
            // The consumer's tasks belong to the client's runtime.
            let _runtime = self.runtime.enter();
            Consumer::new(self.client.clone(), self.template.clone())
        });
        let mut records = Records::new(V1, read.codec, self.schemas.clone(), memory);
        self.fill(&consumer, &read, &mut records).await?;
        // Only after a read that went well is nothing of it under way any more.
        consumer.unsubscribe();
        self.idle.lock().push(consumer);
        Ok(RecordsBody::undelivered(records))
    }

    async fn fill(
        &self,
        consumer: &Consumer,
        read: &SimpleRead,
        records: &mut Records,
    ) -> Result<(), Error> {
        consumer.assign(vec![read.partition.clone()]).map_err(refusal)?;
        match read.start {
            Start::Offset(offset) if offset < 0 => return Err(out_of_range()),
            Start::Offset(offset) => consumer.seek(&read.partition, offset).map_err(refusal)?,
            Start::Timestamp(timestamp) => {
                consumer.seek_to_timestamp(&read.partition, timestamp).await.map_err(refusal)?;
            }
        }
        let mut wait = WAIT_AT_END;
        while records.count() < read.count {
            consumer.fetch(wait).await.map_err(refusal)?;
            wait = Duration::ZERO;
            let before = records.count();
            let is_full = loop {
                match self.take(consumer, read, records)? {
                    End::Pause => tokio::task::yield_now().await,
                    End::NeedsSchema(needs) => {
                        let schemas = self.schemas.as_ref().ok_or(Error::NoRegistry)?;
                        schemas.load(needs.key).await.map_err(|error| needs.refused(&error))?;
                    }
                    end => break end == End::Full,
                }
            };
            if is_full || records.count() == before {
                break;
            }
        }
        Ok(())
    }

    /// Takes what is there, or a part of it.
    fn take(
        &self,
        consumer: &Consumer,
        read: &SimpleRead,
        records: &mut Records,
    ) -> Result<End, Error> {
        let pause_at = match records.make_room() {
            Ok(room) => room,
            Err(_) if records.count() > 0 => return Ok(End::Full),
            Err(error) => return Err(error),
        };
        let mut end = End::Empty;
        let mut poison = None;
        let taken = consumer.take(&mut |record| {
            let is_full = records.count() >= read.count
                || records.bytes().saturating_add(size(record)) >= self.request_max_bytes
                || records.json_bytes() >= self.request_max_bytes.saturating_mul(2);
            if records.count() > 0 && is_full {
                end = End::Full;
                return Take::Stop;
            }
            if records.json_bytes() >= pause_at {
                end = End::Pause;
                return Take::Stop;
            }
            match records.push(record) {
                Ok(()) => Take::Yes,
                Err(Unwritten::Undecodable(error)) => {
                    poison = Some(error);
                    Take::Stop
                }
                Err(Unwritten::NeedsSchema(needs)) => {
                    end = End::NeedsSchema(needs);
                    Take::Stop
                }
            }
        });
        taken.map_err(refusal)?;
        poison.map_or(Ok(end), Err)
    }

    /// Lets the consumers go.
    pub(crate) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for consumer in idle {
            consumer.close().await;
        }
    }
}

fn refusal(error: ConsumerError) -> Error {
    match error {
        ConsumerError::OffsetOutOfRange { .. } => out_of_range(),
        error => Error::consumer(V1)(error),
    }
}

/// In the words of Kafka's old consumer.
fn out_of_range() -> Error {
    let message = Str::from_static("Fetch response contains an error code: 1");
    let error = client::Error::Kafka { code: ErrorCode::OffsetOutOfRange, message: Some(message) };
    Error::Kafka { version: V1, error }
}

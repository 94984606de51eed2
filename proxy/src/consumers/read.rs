//! Reading through a consumer instance.
//!
//! A read waits in Kafka's fetch, not in steps of its own. It then takes
//! records one by one, straight into its answer, and holds the instance's turn
//! until the answer begins. Whenever it is dropped before that, because the
//! client hung up or the handler panicked, its records go back to the head.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use client::consumer::{ConsumerError, Mark, Take};
use registry::Schemas;
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard};
use tokio::time::{Instant, timeout_at};

use super::Consumers;
use super::instance::InUse;
use super::records::{NeedsSchema, Records, Unwritten, size};
use crate::content_type::MediaType;
use crate::error::Error;
use crate::memory::Share;

/// How long a first read may wait for the group, where the client names no time.
const FIRST_JOIN: Duration = Duration::from_secs(10);
/// So much of the answer is handed to the connection at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// What a read asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRequest {
    /// How long to wait for records.
    pub(crate) wait: Wait,
    /// Keys and values of the answer are less than that, in bytes, unless one
    /// record alone is not. At most `consumer.request.max.bytes`.
    pub(crate) max_bytes: usize,
}

/// How long to wait for records.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    /// As long as the client says, joining the group included.
    Given(Duration),
    /// `consumer.request.timeout.ms`, and at first for the group too.
    Default,
}

impl Wait {
    /// What the client's `timeout` means: it can only make the wait shorter.
    pub(crate) fn from_timeout(millis: Option<i64>) -> Self {
        match millis.and_then(|millis| u64::try_from(millis).ok()) {
            None | Some(0) => Self::Default,
            Some(millis) => Self::Given(Duration::from_millis(millis)),
        }
    }
}

impl ReadRequest {
    /// `max_bytes` as the client gives it; what is not positive is no limit.
    pub(crate) fn new(wait: Wait, max_bytes: Option<i64>) -> Self {
        let limit = max_bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|&n| n > 0);
        Self { wait, max_bytes: limit.unwrap_or(usize::MAX) }
    }
}

/// Reads records, and waits for some. None are no error.
///
/// # Errors
/// When there is nothing to read from, when the instance cannot be in its
/// group, and when the very first record cannot be told in the format.
pub(crate) async fn read(
    consumers: &Consumers,
    instance: InUse,
    request: ReadRequest,
) -> Result<RecordsBody, Error> {
    if let Some(offsets) = instance.due_auto_commit(Instant::now()) {
        let instance = instance.again();
        consumers.start(async move { instance.auto_commit(offsets).await });
    }
    let reading = Arc::clone(&instance.reads).read_owned().await;
    let deadline = begin(&instance, request.wait).await;
    let mut read = Read {
        records: Records::new(
            instance.version,
            instance.codec,
            consumers.schemas().cloned(),
            consumers.answers().share(),
        ),
        delivery: Delivery { instance, marks: Vec::new(), turn: None, _reading: reading },
        max_bytes: request.max_bytes,
        deadline,
    };
    read.run(consumers.schemas().map(Arc::as_ref)).await?;
    Ok(RecordsBody::new(read.records, Some(read.delivery)))
}

/// Waits for the first join, where that is due. Returns when the read has to end.
async fn begin(instance: &InUse, wait: Wait) -> Instant {
    match wait {
        Wait::Given(wait) => Instant::now() + wait.min(instance.request_timeout),
        Wait::Default => {
            if !instance.has_awaited_join.swap(true, Ordering::Relaxed) {
                tokio::select! {
                    // Why it cannot be in its group is told by the fetch, too.
                    _ = instance.consumer.wait_assigned(Instant::now() + FIRST_JOIN) => {}
                    () = instance.stop.cancelled() => {}
                }
            }
            Instant::now() + instance.request_timeout
        }
    }
}

/// A read under way.
struct Read {
    records: Records,
    delivery: Delivery,
    max_bytes: usize,
    deadline: Instant,
}

/// Why no more records are taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There are no more now.
    Empty,
    /// The answer is full, or a record comes that has to begin the next one.
    Full,
    /// Others have to get their turn.
    Pause,
    /// The next one has a schema that has to be asked for.
    NeedsSchema(Box<NeedsSchema>),
}

impl Read {
    async fn run(&mut self, schemas: Option<&Schemas>) -> Result<(), Error> {
        loop {
            match self.fetch().await {
                Ok(()) => {}
                // It is being deleted, or will say so again.
                Err(ConsumerError::Closed) => return Ok(()),
                Err(_) if self.records.count() > 0 => return Ok(()),
                Err(error) => return Err(Error::consumer(self.delivery.instance.version)(error)),
            }
            if !self.delivery.take_turn(self.deadline).await {
                return Ok(());
            }
            let end = loop {
                match self.take()? {
                    End::Pause => tokio::task::yield_now().await,
                    End::NeedsSchema(needs) => {
                        if !self.load_schema(schemas, &needs).await? {
                            break End::Full;
                        }
                    }
                    end => break end,
                }
            };
            let instance = &self.delivery.instance;
            let is_enough = match instance.fetch_min_bytes {
                None => self.records.count() > 0,
                Some(bytes) => self.records.bytes() > bytes,
            };
            let is_over = Instant::now() >= self.deadline || instance.stop.is_cancelled();
            if is_enough || is_over || end == End::Full {
                return Ok(());
            }
            self.records.rest();
            if self.records.count() == 0 {
                self.delivery.turn = None;
            }
        }
    }

    /// Waits until there is something to take, or until the time is over.
    async fn fetch(&self) -> Result<(), ConsumerError> {
        let instance = &self.delivery.instance;
        let wait = self.deadline.saturating_duration_since(Instant::now());
        tokio::select! {
            fetched = instance.consumer.fetch(wait) => fetched,
            () = instance.stop.cancelled() => Ok(()),
        }
    }

    /// Gets the schema of the next record. Returns whether the read can go on
    /// with it; otherwise the next read begins with that record.
    async fn load_schema(
        &self,
        schemas: Option<&Schemas>,
        needs: &NeedsSchema,
    ) -> Result<bool, Error> {
        let Some(schemas) = schemas else { return Err(Error::NoRegistry) };
        let loaded = tokio::select! {
            loaded = schemas.load(needs.key) => loaded,
            () = self.delivery.instance.stop.cancelled() => return Ok(false),
        };
        match loaded {
            Ok(_) => Ok(true),
            Err(_) if self.records.count() > 0 => Ok(false),
            Err(error) => Err(needs.refused(&error)),
        }
    }

    fn take(&mut self) -> Result<End, Error> {
        let Self { records, delivery, max_bytes, .. } = self;
        let instance = &delivery.instance;
        let max_bytes = (*max_bytes).min(instance.request_max_bytes);
        let pause_at = match records.make_room() {
            Ok(room) => room,
            Err(_) if records.count() > 0 => return Ok(End::Full),
            Err(error) => return Err(error),
        };
        // Records without keys and values have a size, too.
        let max_json_bytes = instance.request_max_bytes.saturating_mul(2);
        let mut end = End::Empty;
        let mut poison = None;
        let taken = instance.consumer.take(&mut |record| {
            let has_enough = instance.fetch_min_bytes.is_some_and(|min| records.bytes() > min)
                || records.bytes().saturating_add(size(record)) >= max_bytes
                || records.json_bytes() >= max_json_bytes;
            if records.count() > 0 && has_enough {
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
                    end = End::Full;
                    poison = Some(error);
                    Take::Stop
                }
                Err(Unwritten::NeedsSchema(needs)) => {
                    end = End::NeedsSchema(needs);
                    Take::Stop
                }
            }
        });
        match taken {
            Ok(taken) => delivery.marks.extend(taken.marks),
            // What is wrong with a partition is told before its next record.
            Err(_) if records.count() > 0 => return Ok(End::Full),
            Err(ConsumerError::Closed) => return Ok(End::Full),
            Err(error) => return Err(Error::consumer(instance.version)(error)),
        }
        match poison {
            Some(error) if records.count() == 0 => Err(error),
            _ => Ok(end),
        }
    }
}

/// Records on their way to the client. Dropped before they are
/// [delivered](Delivery::delivered), they are put back.
#[derive(Debug)]
struct Delivery {
    /// Where the partitions stood before, take by take.
    marks: Vec<Mark>,
    turn: Option<OwnedMutexGuard<()>>,
    _reading: OwnedRwLockReadGuard<()>,
    instance: InUse,
}

impl Delivery {
    /// Returns whether this read may take records, which it may not always in time.
    async fn take_turn(&mut self, deadline: Instant) -> bool {
        if self.turn.is_none() {
            let turn = Arc::clone(&self.instance.turn);
            self.turn = match Arc::clone(&turn).try_lock_owned() {
                Ok(turn) => Some(turn),
                Err(_) => tokio::select! {
                    turn = timeout_at(deadline, turn.lock_owned()) => turn.ok(),
                    () = self.instance.stop.cancelled() => None,
                },
            };
        }
        self.turn.is_some()
    }

    /// The answer begins.
    fn delivered(mut self) {
        self.marks.clear();
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.marks.is_empty() {
            self.marks.reverse();
            self.instance.consumer.rewind(&self.marks);
        }
    }
}

/// The body of an answer that delivers records.
#[derive(Debug)]
pub(crate) struct RecordsBody {
    json: Bytes,
    delivery: Option<Delivery>,
    _memory: Share,
}

impl RecordsBody {
    fn new(records: Records, delivery: Option<Delivery>) -> Self {
        let (json, memory) = records.finish();
        Self { json: json.into(), delivery, _memory: memory }
    }

    /// Of records that come from no instance, and are there again for the next one.
    pub(super) fn undelivered(records: Records) -> Self {
        Self::new(records, None)
    }
}

impl MessageBody for RecordsBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.json.len() as u64)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let body = self.get_mut();
        if let Some(delivery) = body.delivery.take() {
            delivery.delivered();
        }
        if body.json.is_empty() {
            return Poll::Ready(None);
        }
        let piece = body.json.len().min(PIECE);
        Poll::Ready(Some(Ok(body.json.split_to(piece))))
    }
}

/// The answer that holds records. One to `HEAD` delivers none.
pub(crate) fn answer(
    request: &HttpRequest,
    media_type: MediaType,
    body: RecordsBody,
) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CONTENT_TYPE, media_type.header_value()));
    if request.method() == Method::HEAD { answer.body(body.json) } else { answer.body(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_positive_is_no_limit() {
        for (given, expected) in
            [(None, usize::MAX), (Some(-1), usize::MAX), (Some(0), usize::MAX), (Some(5), 5)]
        {
            assert_eq!(ReadRequest::new(Wait::Default, given).max_bytes, expected);
        }
        for given in [None, Some(-5), Some(0)] {
            assert!(matches!(Wait::from_timeout(given), Wait::Default));
        }
        let given = Wait::from_timeout(Some(20));
        assert!(matches!(given, Wait::Given(wait) if wait == Duration::from_millis(20)));
    }
}

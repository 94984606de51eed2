//! One connection to a broker: requests go out in order, answers come back in the same order.
//!
//! # Tasks
//! A reader task hands answers to those who wait for them. Over a byte stream a
//! writer task writes whole frames; within the process a frame goes straight
//! into the broker's channel. Callers only ever hand over whole frames, so one
//! that is dropped leaves no half frame behind.
//!
//! # End
//! The connection ends when the broker ends it, when an answer does not fit its
//! request, when one request gets no answer in time, or with [`Connection::close`].
//! Everybody who still waits then gets [`Error::Disconnected`].

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::messages::ApiVersionsRequest;
use protocol::{ApiKey, DecodeError, Frame, Message, Reader, Request, RequestHeader, Str};
use protocol::{decode_response_header, encode_request};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::transport::{FrameWriter, Incoming, Outgoing};
use crate::versions::{Negotiation, Versions, read_answer};
use crate::{BrokerAddress, ClientConfig, Error, Transport};

/// Frames that are written with one call at most.
const FRAMES_AT_ONCE: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Connection {
    address: BrokerAddress,
    client_id: Str,
    next_correlation_id: AtomicI32,
    /// One for each request that may be without an answer.
    permits: Arc<Semaphore>,
    /// Guards the order: a frame is sent and its waiter queued under one lock.
    pipeline: Mutex<Pipeline>,
    versions: Versions,
    cancel: CancellationToken,
}

#[derive(Debug)]
enum Pipeline {
    Open { outgoing: mpsc::Sender<Frame>, waiting: VecDeque<Waiting>, last_used: Instant },
    Closed { reason: Arc<str> },
}

/// Somebody who waits for the answer to a request that was sent.
#[derive(Debug)]
struct Waiting {
    correlation_id: i32,
    answer: oneshot::Sender<Frame>,
    _permit: OwnedSemaphorePermit,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The broker may have carried the request out.
    pub(crate) sent: bool,
}

impl Failure {
    fn unsent(error: Error) -> Self {
        Self { error, sent: false }
    }

    fn sent(error: Error) -> Self {
        Self { error, sent: true }
    }
}

/// What a connection lives in.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
    /// Where the tasks run, whoever asked for the connection.
    pub(crate) runtime: Handle,
}

impl Connection {
    /// Starts to use `transport`, and asks the broker for its versions first.
    pub(crate) async fn open(
        address: BrokerAddress,
        transport: Transport,
        config: &ClientConfig,
        surroundings: &Surroundings,
    ) -> Result<Arc<Self>, Error> {
        let mut connection = Self {
            address,
            client_id: config.client_id.as_str().into(),
            next_correlation_id: AtomicI32::new(0),
            permits: Arc::new(Semaphore::new(config.max_in_flight.max(1))),
            pipeline: Mutex::new(Pipeline::Closed { reason: "not open yet".into() }),
            versions: Versions::default(),
            cancel: surroundings.cancel.child_token(),
        };
        let Transport { outgoing, mut incoming } = transport;
        let (outgoing, writer) = match outgoing {
            Outgoing::Frames(requests) => (requests, None),
            Outgoing::Stream(stream) => {
                let (queue, frames) = mpsc::channel(config.max_in_flight.max(1));
                (queue, Some((stream, frames)))
            }
        };
        let closed = connection.cancel.clone().drop_guard();
        let writing = writer.map(|(stream, frames)| {
            let (ended, failed) = oneshot::channel();
            let task = write(stream, frames, connection.cancel.clone(), ended);
            surroundings.tasks.spawn_on(task, &surroundings.runtime);
            failed
        });
        connection.versions = connection.negotiate(&outgoing, &mut incoming, config).await?;
        *connection.pipeline.get_mut() =
            Pipeline::Open { outgoing, waiting: VecDeque::new(), last_used: Instant::now() };
        closed.disarm();
        let connection = Arc::new(connection);
        let reader = Arc::clone(&connection).read(incoming, writing, config.max_response_bytes);
        surroundings.tasks.spawn_on(reader, &surroundings.runtime);
        Ok(connection)
    }

    /// Finds the versions in common (KIP-35, KIP-511).
    async fn negotiate(
        &self,
        outgoing: &mpsc::Sender<Frame>,
        incoming: &mut Incoming,
        config: &ClientConfig,
    ) -> Result<Versions, Error> {
        let ended = |reason: &str| self.disconnected(reason.into());
        let malformed = |source| Error::Malformed { api: ApiKey::ApiVersions, source };
        let deadline = Instant::now() + config.request_timeout;
        let mut version = *ApiKey::ApiVersions.versions().end();
        loop {
            let request = ApiVersionsRequest {
                client_software_name: Str::from_static("ottla"),
                client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
            };
            let (correlation_id, frame) = self.encode(&request, version);
            let exchange = async {
                outgoing.send(frame).await.map_err(|_| ended("it was closed at once"))?;
                let answer = incoming.next(config.max_response_bytes).await;
                answer
                    .map_err(|error| ended(&error.to_string()))?
                    .ok_or_else(|| ended("it was closed at once"))
            };
            let answer = timeout_at(deadline, exchange).await.map_err(|_| Error::Timeout {
                what: ApiKey::ApiVersions.name(),
                after: config.request_timeout,
            })??;
            if answer.correlation_id().map_err(malformed)? != correlation_id {
                return Err(ended("its first answer is for another request"));
            }
            match read_answer(answer, version).map_err(malformed)? {
                Negotiation::Done(versions) => return Ok(versions),
                Negotiation::AskIn(older) => version = older,
                Negotiation::Refused(code) => return Err(Error::Kafka { code, message: None }),
            }
        }
    }

    /// Sends a request and waits for its answer until `timeout` has passed,
    /// which ends the connection.
    pub(crate) async fn request<R: Request>(
        self: &Arc<Self>,
        request: &R,
        max_version: i16,
        timeout: Duration,
    ) -> Result<R::Response, Failure> {
        let in_flight = self.begin(request, max_version, timeout).await.map_err(Failure::unsent)?;
        in_flight.answer().await.map_err(Failure::sent)
    }

    /// Sends a request. An error means that it was not sent.
    pub(crate) async fn begin<R: Request>(
        self: &Arc<Self>,
        request: &R,
        max_version: i16,
        timeout: Duration,
    ) -> Result<InFlight<R>, Error> {
        let deadline = Instant::now() + timeout;
        let version = self.version(R::KEY, max_version)?;
        let answer = timeout_at(deadline, self.send(request, version))
            .await
            .map_err(|_| Error::Timeout { what: R::KEY.name(), after: timeout })??;
        let connection = Arc::clone(self);
        Ok(InFlight { connection, answer, version, timeout, deadline, request: PhantomData })
    }

    /// Sends a request that the broker does not answer: Produce with acks=0.
    /// Done when the frame is on its way.
    pub(crate) async fn send_unanswered<R: Request>(
        &self,
        request: &R,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let version = self.version(R::KEY, i16::MAX).map_err(Failure::unsent)?;
        let (_, frame) = self.encode(request, version);
        let outgoing = self.outgoing().map_err(Failure::unsent)?;
        let sent = timeout_at(Instant::now() + timeout, outgoing.send(frame))
            .await
            .map_err(|_| Failure::unsent(Error::Timeout { what: R::KEY.name(), after: timeout }))?;
        sent.map_err(|_| Failure::unsent(self.ended()))
    }

    async fn send<R: Request>(
        &self,
        request: &R,
        version: i16,
    ) -> Result<oneshot::Receiver<Frame>, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| self.ended())?;
        let outgoing = self.outgoing()?;
        let space = outgoing.reserve().await.map_err(|_| self.ended())?;
        let (correlation_id, frame) = self.encode(request, version);
        let (answer, receiver) = oneshot::channel();
        match &mut *self.pipeline.lock() {
            Pipeline::Open { waiting, last_used, .. } => {
                *last_used = Instant::now();
                waiting.push_back(Waiting { correlation_id, answer, _permit: permit });
                space.send(frame);
                Ok(receiver)
            }
            Pipeline::Closed { reason } => Err(self.disconnected(Arc::clone(reason))),
        }
    }

    fn outgoing(&self) -> Result<mpsc::Sender<Frame>, Error> {
        match &*self.pipeline.lock() {
            Pipeline::Open { outgoing, .. } => Ok(outgoing.clone()),
            Pipeline::Closed { reason } => Err(self.disconnected(Arc::clone(reason))),
        }
    }

    fn version(&self, api: ApiKey, at_most: i16) -> Result<i16, Error> {
        let version = self.versions.highest(api, at_most);
        version.ok_or_else(|| Error::UnsupportedApi { address: self.address.clone(), api })
    }

    fn encode<R: Request>(&self, request: &R, version: i16) -> (i32, Frame) {
        let correlation_id = self.next_correlation_id.fetch_add(1, Ordering::Relaxed);
        let header = RequestHeader {
            api_key: R::KEY.code(),
            api_version: version,
            correlation_id,
            client_id: Some(self.client_id.clone()),
        };
        (correlation_id, encode_request(&header, request))
    }

    async fn read(
        self: Arc<Self>,
        mut incoming: Incoming,
        writing: Option<oneshot::Receiver<String>>,
        max_bytes: usize,
    ) {
        let write_failed = async {
            match writing {
                Some(failed) => failed.await.unwrap_or_else(|_| "the writer ended".to_owned()),
                None => std::future::pending().await,
            }
        };
        tokio::pin!(write_failed);
        let reason = loop {
            let frame = tokio::select! {
                () = self.cancel.cancelled() => break "the client closed it".to_owned(),
                reason = &mut write_failed => break reason,
                frame = incoming.next(max_bytes) => frame,
            };
            match frame {
                Ok(Some(frame)) => {
                    if let Err(reason) = self.deliver(frame) {
                        break reason.to_owned();
                    }
                }
                Ok(None) => break "the broker closed it".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        self.close(reason);
    }

    /// Hands an answer to whoever has waited longest.
    fn deliver(&self, frame: Frame) -> Result<(), &'static str> {
        let correlation_id =
            frame.correlation_id().map_err(|_| "an answer has no correlation id")?;
        let next = match &mut *self.pipeline.lock() {
            Pipeline::Open { waiting, last_used, .. } => {
                *last_used = Instant::now();
                waiting.pop_front()
            }
            Pipeline::Closed { .. } => return Ok(()),
        };
        let next = next.ok_or("an answer came that nobody waits for")?;
        if next.correlation_id != correlation_id {
            return Err("an answer came out of order");
        }
        // Whoever has stopped waiting does not need it.
        let _ = next.answer.send(frame);
        Ok(())
    }

    /// Ends the connection. All who wait get an error that tells the first `reason`.
    pub(crate) fn close(&self, reason: impl Into<Arc<str>>) {
        let reason = reason.into();
        let before = {
            let mut pipeline = self.pipeline.lock();
            if matches!(*pipeline, Pipeline::Closed { .. }) {
                return;
            }
            std::mem::replace(&mut *pipeline, Pipeline::Closed { reason: Arc::clone(&reason) })
        };
        tracing::debug!(address = %self.address, %reason, "connection closed");
        self.permits.close();
        self.cancel.cancel();
        drop(before);
    }

    pub(crate) fn address(&self) -> &BrokerAddress {
        &self.address
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.pipeline.lock(), Pipeline::Open { .. })
    }

    /// Since when nothing was sent, received or waited for; `None` while in use or closed.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        match &*self.pipeline.lock() {
            Pipeline::Open { waiting, last_used, .. } if waiting.is_empty() => Some(*last_used),
            _ => None,
        }
    }

    /// The error of everybody whom the end of the connection hits.
    fn ended(&self) -> Error {
        match &*self.pipeline.lock() {
            Pipeline::Closed { reason } => self.disconnected(Arc::clone(reason)),
            Pipeline::Open { .. } => self.disconnected("it is being closed".into()),
        }
    }

    fn disconnected(&self, reason: Arc<str>) -> Error {
        Error::Disconnected { address: self.address.clone(), reason }
    }
}

/// A request that is on its way. Dropping it does not take the request back.
#[derive(Debug)]
pub struct InFlight<R> {
    connection: Arc<Connection>,
    answer: oneshot::Receiver<Frame>,
    version: i16,
    timeout: Duration,
    deadline: Instant,
    request: PhantomData<fn() -> R>,
}

impl<R: Request> InFlight<R> {
    /// The answer. After an error nobody knows whether the request was carried out.
    ///
    /// When none comes in time, the connection is closed for all who use it.
    pub async fn answer(self) -> Result<R::Response, Error> {
        let Self { connection, answer, version, timeout, deadline, .. } = self;
        let api = R::KEY.name();
        let frame = match timeout_at(deadline, answer).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(_)) => return Err(connection.ended()),
            Err(_) => {
                connection.close(format!("no answer to {api} within {timeout:?}"));
                return Err(Error::Timeout { what: api, after: timeout });
            }
        };
        decode::<R>(frame, version).map_err(|source| {
            connection.close(format!("the answer to {api} cannot be read: {source}"));
            Error::Malformed { api: R::KEY, source }
        })
    }

    /// The version that the request was sent in, which its answer has too.
    pub fn version(&self) -> i16 {
        self.version
    }
}

/// Writes frames until the queue or the stream ends.
async fn write(
    mut stream: FrameWriter,
    mut queue: mpsc::Receiver<Frame>,
    cancel: CancellationToken,
    ended: oneshot::Sender<String>,
) {
    let mut frames = Vec::new();
    let work = async {
        while queue.recv_many(&mut frames, FRAMES_AT_ONCE).await > 0 {
            stream.write(&mut frames).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        result = work => {
            if let Err(error) = result {
                // The reader closes the connection; without one it never opened.
                let _ = ended.send(error.to_string());
            }
        }
    }
}

fn decode<R: Request>(frame: Frame, version: i16) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::new(frame);
    decode_response_header(&mut reader, R::KEY, version)?;
    R::Response::decode(&mut reader, version)
}

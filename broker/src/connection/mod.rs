//! One client: requests in, answers out, in order.
//!
//! ```text
//!             ┌──────────── ahead of their answers: up to five ───────────┐
//! next frame ─┤ Produce: appended at once; its answer waits for the sync   ├─ answers, in order
//!             └ anything else: waits for those, then runs to its answer ───┘
//! ```
//!
//! While a request is in hand one more frame is read, so that a client that has
//! gone is noticed: then a fetch or a join that waits is given up, and anything
//! else runs to its end.

mod answers;
mod frames;
mod sendfile;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures_util::future::BoxFuture;
use protocol::{ApiKey, DecodeError, Frame, Reader, RequestHeader, Str};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::context::{Advertised, Context};
use crate::dispatch;
use crate::node::Node;

pub(crate) use answers::{AnswerStream, AnswerWriter};
pub(crate) use frames::{FrameReader, ReadError};

/// Produce requests of one connection that may be appended while the answers
/// of earlier ones wait for the disk, besides the one that waits longest.
const APPENDED_AHEAD: usize = 5;

/// What is known of a connection before its first request.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// As Kafka writes it: `/127.0.0.1`.
    pub(crate) host: Str,
    /// What the client is told about where this node listens.
    pub(crate) advertised: Advertised,
}

/// Where frames come from.
pub(crate) trait Requests: Send {
    /// The next frame, `None` at the end. Can be dropped and called again.
    fn next(&mut self) -> impl Future<Output = Result<Option<Frame>, ReadError>> + Send;
}

/// Where answers go.
pub(crate) trait Answers: Send {
    /// Sends the whole answer, or fails for good.
    fn send(&mut self, answer: Answer) -> impl Future<Output = Result<(), ConnectionError>> + Send;
}

impl<R: tokio::io::AsyncRead + Unpin + Send> Requests for FrameReader<R> {
    async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        self.next().await
    }
}

impl<W: AnswerStream> Answers for AnswerWriter<W> {
    async fn send(&mut self, answer: Answer) -> Result<(), ConnectionError> {
        self.write(answer).await
    }
}

impl Requests for mpsc::Receiver<Frame> {
    async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        Ok(self.recv().await)
    }
}

impl Answers for mpsc::Sender<Frame> {
    async fn send(&mut self, answer: Answer) -> Result<(), ConnectionError> {
        let frame = answer.into_frame().await.map_err(ConnectionError::Log)?;
        let gone = |_| ConnectionError::Write(io::ErrorKind::BrokenPipe.into());
        mpsc::Sender::send(self, frame).await.map_err(gone)
    }
}

/// Why a connection was ended from this side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the answer could not be sent: {0}")]
    Write(io::Error),
    #[error("an answer was left unfinished, because a log file cannot be read: {0}")]
    Log(io::Error),
    #[error("a request has no readable header: {0}")]
    Header(DecodeError),
    #[error("API {api_key} version {api_version} is not supported (client id {client_id:?})")]
    Unsupported { api_key: i16, api_version: i16, client_id: Str },
    #[error("a {} request of version {api_version} cannot be read: {source} (client id {client_id:?})", api.name())]
    Malformed { api: ApiKey, api_version: i16, client_id: Str, source: DecodeError },
    #[error("a Produce request without an answer failed, which only a closed connection can tell")]
    Unanswerable,
    #[error("a {} request failed inside the broker (client id {client_id:?})", api.name())]
    Panicked { api: ApiKey, client_id: Str },
}

/// What comes of one request.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Absent when the request wants none.
    pub(crate) answer: Option<Answer>,
    /// Why the connection ends, after the answer.
    pub(crate) ends: Option<ConnectionError>,
}

/// Serves one client until it goes, breaks the protocol, or the broker stops.
pub(crate) async fn serve(
    node: Arc<Node>,
    peer: Peer,
    requests: impl Requests,
    answers: impl Answers,
    stopping: CancellationToken,
) -> Result<(), ConnectionError> {
    let requests = ReadAhead { source: requests, ahead: None };
    let (waiting, fetch_turn) = Default::default();
    Connection { node, peer, requests, answers, waiting, fetch_turn, stopping }.run().await
}

struct Connection<R, A> {
    node: Arc<Node>,
    peer: Peer,
    requests: ReadAhead<R>,
    answers: A,
    /// Produce requests that are appended and wait to be durable, oldest first.
    waiting: VecDeque<BoxFuture<'static, Outcome>>,
    /// See [`Context::fetch_turn`].
    fetch_turn: Arc<AtomicUsize>,
    stopping: CancellationToken,
}

impl<R: Requests, A: Answers> Connection<R, A> {
    async fn run(mut self) -> Result<(), ConnectionError> {
        loop {
            tokio::select! {
                biased;
                outcome = oldest(&mut self.waiting), if !self.waiting.is_empty() => {
                    self.waiting.pop_front();
                    self.send(outcome).await?;
                }
                frame = self.requests.next(), if self.waiting.len() <= APPENDED_AHEAD => {
                    match frame {
                        // A connection that waits for its client has no room for all that
                        // a request may need.
                        Ok(Some(frame)) => Box::pin(self.take(frame)).await?,
                        // Whoever shut only its sending side still reads what it asked for.
                        ended => {
                            self.drain().await?;
                            return ended.map(|_| ()).map_err(ConnectionError::from);
                        }
                    }
                }
                () = self.stopping.cancelled() => return self.drain().await,
            }
        }
    }

    /// Does one request as far as it goes before the next may be read.
    async fn take(&mut self, frame: Frame) -> Result<(), ConnectionError> {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader).map_err(ConnectionError::Header)?;
        let context = self.context(&header);
        let api = header.supported();
        if api == Some(ApiKey::Produce) {
            let appended = dispatch::append(&self.node, reader, &header, &context).await;
            self.waiting.push_back(appended);
            return Ok(());
        }
        self.drain().await?;
        let served = dispatch::serve(&self.node, reader, &header, &context);
        let outcome = if api.is_some_and(may_park) {
            tokio::select! {
                outcome = served => outcome,
                // The loop finds out how it ended.
                () = self.requests.ended() => return Ok(()),
            }
        } else {
            served.await
        };
        self.send(outcome).await
    }

    fn context(&self, header: &RequestHeader) -> Context {
        Context {
            api_version: header.api_version,
            client_id: header.client_id.clone().unwrap_or_default(),
            client_host: self.peer.host.clone(),
            advertised: self.peer.advertised.clone(),
            fetch_turn: Arc::clone(&self.fetch_turn),
            stopping: self.stopping.clone(),
        }
    }

    /// Answers what is waiting.
    async fn drain(&mut self) -> Result<(), ConnectionError> {
        while !self.waiting.is_empty() {
            let outcome = oldest(&mut self.waiting).await;
            self.waiting.pop_front();
            self.send(outcome).await?;
        }
        Ok(())
    }

    async fn send(&mut self, outcome: Outcome) -> Result<(), ConnectionError> {
        if let Some(answer) = outcome.answer {
            self.answers.send(answer).await?;
        }
        outcome.ends.map_or(Ok(()), Err)
    }
}

/// Whether the broker may hold back the answer until something happens.
fn may_park(api: ApiKey) -> bool {
    matches!(api, ApiKey::Fetch | ApiKey::JoinGroup | ApiKey::SyncGroup)
}

/// Until the oldest of the futures is ready.
async fn oldest(waiting: &mut VecDeque<BoxFuture<'static, Outcome>>) -> Outcome {
    match waiting.front_mut() {
        Some(outcome) => outcome.await,
        None => Outcome::default(),
    }
}

/// Requests, of which one may be read before it is wanted.
#[derive(Debug)]
struct ReadAhead<R> {
    source: R,
    ahead: Option<Result<Option<Frame>, ReadError>>,
}

impl<R: Requests> ReadAhead<R> {
    async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        match self.ahead.take() {
            Some(read) => read,
            None => self.source.next().await,
        }
    }

    /// Until there will be no more requests, as far as one frame ahead can tell.
    async fn ended(&mut self) {
        if self.ahead.is_none() {
            self.ahead = Some(self.source.next().await);
        }
        if matches!(self.ahead, Some(Ok(Some(_)))) {
            std::future::pending::<()>().await;
        }
    }
}

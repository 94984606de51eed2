//! How frames get to a broker and back: over TCP, or within the process.
//!
//! The client opens connections through a [`Connector`] that it is given, so it
//! cannot tell a broker in the same process from one across the network. An
//! encrypted stream is another [`Connector`] that ends in [`Transport::stream`].

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::str::FromStr;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use protocol::{Frame, Str};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Where a broker listens, as it or the user says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerAddress {
    /// A name or an IP address; IPv6 without brackets.
    pub host: Str,
    /// The TCP port.
    pub port: u16,
}

/// The text is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address of the form host:port")]
pub struct ParseAddressError(String);

/// As people write it: `host:port`, `[::1]:port`, with or without `SCHEME://`.
impl FromStr for BrokerAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let wrong = || ParseAddressError(text.to_owned());
        let address = text.trim();
        let address = address.split_once("://").map_or(address, |(_, address)| address);
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if host.is_empty() || (bare.is_none() && host.contains(':')) {
            return Err(wrong());
        }
        Ok(Self { host: host.into(), port: port.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// Opens connections to brokers.
pub trait Connector: Send + Sync + fmt::Debug {
    /// A fresh connection to the broker at `address`. May be dropped at any time.
    fn connect(&self, address: &BrokerAddress) -> BoxFuture<'_, io::Result<Transport>>;
}

/// Connects over plain TCP. Addresses of a name are tried in the order in which
/// the resolver gives them, IPv6 and IPv4 alike, until one answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect(&self, address: &BrokerAddress) -> BoxFuture<'_, io::Result<Transport>> {
        let BrokerAddress { host, port } = address.clone();
        async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            // Requests are written whole: waiting for more bytes to send costs only time.
            stream.set_nodelay(true)?;
            Ok(Transport::tcp(stream))
        }
        .boxed()
    }
}

/// One open connection to a broker, before the first request.
pub struct Transport {
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
}

impl Transport {
    /// A connection within the process: whole frames over channels. The other
    /// side ends it by dropping its ends.
    pub fn in_process(requests: mpsc::Sender<Frame>, responses: mpsc::Receiver<Frame>) -> Self {
        Self { outgoing: Outgoing::Frames(requests), incoming: Incoming::Frames(responses) }
    }

    /// A connection over TCP.
    pub fn tcp(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self::stream(reader, writer)
    }

    /// A connection over any two halves of a byte stream.
    pub fn stream(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self {
            outgoing: Outgoing::Stream(FrameWriter { stream: Box::new(writer) }),
            incoming: Incoming::Stream(FrameReader {
                stream: Box::new(reader),
                buffer: BytesMut::new(),
            }),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.outgoing {
            Outgoing::Frames(_) => "in process",
            Outgoing::Stream(_) => "stream",
        };
        write!(formatter, "Transport({kind})")
    }
}

/// The sending half.
pub(crate) enum Outgoing {
    Frames(mpsc::Sender<Frame>),
    Stream(FrameWriter),
}

/// The receiving half.
pub(crate) enum Incoming {
    Frames(mpsc::Receiver<Frame>),
    Stream(FrameReader),
}

impl Incoming {
    /// The next frame; `None` when the other side has ended the connection
    /// between two frames. Must be polled until it is ready, or be dropped.
    pub(crate) async fn next(&mut self, max_bytes: usize) -> io::Result<Option<Frame>> {
        match self {
            Self::Frames(responses) => Ok(responses.recv().await),
            Self::Stream(reader) => reader.next(max_bytes).await,
        }
    }
}

/// A buffer for an idle connection, and the least that is read at once.
const READ_BYTES: usize = 8 * 1024;

/// The most that is reserved on the word of a size prefix alone. A larger frame
/// gets its memory as its bytes arrive.
const TRUSTED_BYTES: usize = 4 * 1024 * 1024;

/// Cuts a byte stream into frames.
pub(crate) struct FrameReader {
    stream: Box<dyn AsyncRead + Send + Unpin>,
    buffer: BytesMut,
}

impl FrameReader {
    async fn next(&mut self, max_bytes: usize) -> io::Result<Option<Frame>> {
        loop {
            let wanted = match self.buffer.first_chunk::<4>() {
                None => READ_BYTES,
                Some(prefix) => {
                    let size = usize::try_from(i32::from_be_bytes(*prefix))
                        .ok()
                        .filter(|&size| size <= max_bytes)
                        .ok_or_else(|| invalid_size(*prefix, max_bytes))?;
                    if self.buffer.len() - 4 >= size {
                        self.buffer.advance(4);
                        return Ok(Some(Frame::from(self.buffer.split_to(size).freeze())));
                    }
                    (size + 4 - self.buffer.len()).min(TRUSTED_BYTES.max(self.buffer.len()))
                }
            };
            if self.buffer.is_empty() {
                // Let go of what the frames handed out so far still hold.
                self.buffer = BytesMut::with_capacity(READ_BYTES);
            } else if self.buffer.capacity() - self.buffer.len() < wanted {
                self.buffer.reserve(wanted);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the stream ended in an answer",
                    ))
                };
            }
        }
    }
}

fn invalid_size(prefix: [u8; 4], max_bytes: usize) -> io::Error {
    let size = i32::from_be_bytes(prefix);
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("an answer claims {size} bytes, but at most {max_bytes} are read"),
    )
}

/// Pieces of frames that one system call writes at most.
const MAX_SLICES: usize = 64;

/// Writes frames to a byte stream, without copying their parts together.
pub(crate) struct FrameWriter {
    stream: Box<dyn AsyncWrite + Send + Unpin>,
}

impl FrameWriter {
    /// Writes all of `frames`, and empties it. Half a frame may be written when
    /// this is dropped: the connection must not be used any more then.
    pub(crate) async fn write(&mut self, frames: &mut Vec<Frame>) -> io::Result<()> {
        let mut pieces: VecDeque<Bytes> = VecDeque::with_capacity(frames.len() * 3);
        for frame in frames.drain(..) {
            pieces.push_back(Bytes::copy_from_slice(&frame.size_prefix()));
            pieces.extend(frame.into_parts().into_iter().filter(|part| !part.is_empty()));
        }
        while !pieces.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                pieces.iter().take(MAX_SLICES).map(|piece| IoSlice::new(piece)).collect();
            let written = self.stream.write_vectored(&slices).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            drop_front(&mut pieces, written);
        }
        self.stream.flush().await
    }
}

fn drop_front(pieces: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(piece) = pieces.front_mut() {
        if piece.len() > written {
            piece.advance(written);
            return;
        }
        written -= piece.len();
        pieces.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, expected) in [
            ("localhost:9092", Some("localhost:9092")),
            (" kafka-1.example:1 ", Some("kafka-1.example:1")),
            ("PLAINTEXT://10.0.0.1:9092", Some("10.0.0.1:9092")),
            ("[::1]:9092", Some("[::1]:9092")),
            ("::1:9092", None),
            ("localhost", None),
            (":9092", None),
            ("localhost:70000", None),
            ("", None),
        ] {
            let address: Option<BrokerAddress> = text.parse().ok();
            assert_eq!(address.map(|a| a.to_string()).as_deref(), expected, "{text:?}");
        }
    }

    fn reader(bytes: impl AsyncRead + Send + Unpin + 'static) -> FrameReader {
        FrameReader { stream: Box::new(bytes), buffer: BytesMut::new() }
    }

    #[tokio::test]
    async fn frames_of_any_size_pass_through_a_stream_that_takes_small_bites() {
        let frames: Vec<Frame> = [0, 1, 5, 8 * 1024, 100_000]
            .into_iter()
            .map(|size| {
                let half = Bytes::from(vec![7; size / 2]);
                Frame::from(vec![half, Bytes::new(), Bytes::from(vec![9; size - size / 2])])
            })
            .collect();
        let (near, far) = tokio::io::duplex(37);
        let mut writer = FrameWriter { stream: Box::new(near) };
        let mut to_write = frames.clone();
        let write = tokio::spawn(async move { writer.write(&mut to_write).await });
        let mut reader = reader(far);
        for frame in frames {
            let read = reader.next(1 << 20).await.unwrap().unwrap();
            assert_eq!(read.into_bytes(), frame.into_bytes());
        }
        write.await.unwrap().unwrap();
        assert!(reader.next(1 << 20).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn sizes_are_checked_before_memory_is_reserved() {
        for (case, bytes) in
            [("too large", &b"\x00\x10\x00\x01"[..]), ("negative", &b"\xff\xff\xff\xff"[..])]
        {
            let error = reader(bytes).next(1 << 20).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{case}");
        }
        let error = reader(&b"\x00\x00\x00\x05abc"[..]).next(1 << 20).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let mut huge = reader(&b"\x0f\x00\x00\x00abc"[..]);
        assert!(huge.next(1 << 30).await.is_err());
        assert!(huge.buffer.capacity() <= TRUSTED_BYTES + READ_BYTES);
    }
}

//! Request frames off a byte stream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use protocol::Frame;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::listener::Activity;

/// How much is reserved for a frame before its bytes prove to come.
const STEP_BYTES: usize = 64 * 1024;
/// How much room an empty buffer starts with.
const BUFFER_BYTES: usize = 8 * 1024;
/// How long a client may take for the next step of a frame that it has begun.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Why no more requests are read from a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the size of a request is {size} bytes, and socket.request.max.bytes is {limit}")]
    TooLarge { size: i64, limit: usize },
    #[error("this is HTTP: the port speaks Kafka's protocol, REST is on the proxy's port")]
    Http,
    #[error("this is TLS: the listener is PLAINTEXT")]
    Tls,
    #[error("a request was not finished in {} s", READ_TIMEOUT.as_secs())]
    TooSlow,
    #[error("the connection ended in the middle of a request")]
    Cut,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Takes frames off a stream.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
    max_bytes: usize,
    activity: Option<Arc<Activity>>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Takes frames of up to `max_bytes` off the stream, and notes when one came.
    pub(crate) fn new(stream: R, max_bytes: usize, activity: Option<Arc<Activity>>) -> Self {
        Self { stream, buffer: BytesMut::new(), max_bytes, activity }
    }

    /// The next frame; `None` when the client ended the connection between two
    /// frames. Can be dropped and called again: what was read stays.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        let Some(size) = self.size().await? else { return Ok(None) };
        while self.buffer.len() < 4 + size {
            let missing = 4 + size - self.buffer.len();
            let step = self.buffer.len() + missing.min(STEP_BYTES);
            self.fill(step).await?;
        }
        if let Some(activity) = &self.activity {
            activity.touch();
        }
        self.buffer.advance(4);
        Ok(Some(Frame::from(self.buffer.split_to(size).freeze())))
    }

    /// The size of the frame that the buffer begins with.
    async fn size(&mut self) -> Result<Option<usize>, ReadError> {
        if self.buffer.is_empty() {
            self.buffer.reserve(BUFFER_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
        self.fill(4).await?;
        let Some(prefix) = self.buffer.first_chunk::<4>() else { return Err(ReadError::Cut) };
        let size = i32::from_be_bytes(*prefix);
        match usize::try_from(size) {
            Ok(size) if size > 0 && size <= self.max_bytes => Ok(Some(size)),
            _ => Err(stranger(*prefix)
                .unwrap_or(ReadError::TooLarge { size: size.into(), limit: self.max_bytes })),
        }
    }

    /// Reads until the buffer holds that many bytes.
    async fn fill(&mut self, length: usize) -> Result<(), ReadError> {
        let read = async {
            while self.buffer.len() < length {
                self.buffer.reserve(length - self.buffer.len());
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    return Err(ReadError::Cut);
                }
            }
            Ok(())
        };
        timeout(READ_TIMEOUT, read).await.unwrap_or(Err(ReadError::TooSlow))
    }
}

/// Who else may have knocked at the wrong port.
fn stranger(prefix: [u8; 4]) -> Option<ReadError> {
    match &prefix {
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"DELE" | b"OPTI" | b"PATC" => {
            Some(ReadError::Http)
        }
        [0x16, 0x03, ..] => Some(ReadError::Tls),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn reader(bytes: &[u8]) -> FrameReader<&[u8]> {
        FrameReader::new(bytes, 1 << 20, None)
    }

    #[tokio::test]
    async fn frames_are_taken_off_one_by_one() {
        let mut reader = reader(b"\x00\x00\x00\x02ab\x00\x00\x00\x01c");
        for expected in [&b"ab"[..], b"c"] {
            assert_eq!(reader.next().await.unwrap().unwrap().into_bytes(), expected);
        }
        assert!(reader.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn wrong_bytes_are_called_by_their_names() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1\r\n"[..], "this is HTTP"),
            (b"\x16\x03\x01\x02\x00\x01", "this is TLS"),
            (b"\x7f\xff\xff\xff", "2147483647 bytes, and socket.request.max.bytes is 1048576"),
            (b"\xff\xff\xff\xff", "-1 bytes"),
            (b"\x00\x00\x00\x00", "0 bytes"),
            (b"\x00\x00", "in the middle"),
            (b"\x00\x00\x00\x05abcd", "in the middle"),
        ] {
            let error = reader(bytes).next().await.unwrap_err().to_string();
            assert!(error.contains(expected), "{bytes:?}: {error}");
        }
    }

    #[tokio::test]
    async fn memory_follows_the_bytes_that_came_and_not_those_announced() {
        let mut announced = FrameReader::new(&b"\x0f\x00\x00\x00abc"[..], 1 << 30, None);
        assert!(announced.next().await.is_err());
        assert!(announced.buffer.capacity() <= 2 * STEP_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_finish_a_request_is_given_up() {
        let (mut client, server) = tokio::io::duplex(64);
        let trickle = tokio::spawn(async move {
            for byte in b"\x00\x00\x00\xffabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz" {
                if client.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let error = FrameReader::new(server, 1 << 20, None).next().await.unwrap_err();
        assert!(matches!(error, ReadError::TooSlow), "{error}");
        trickle.await.unwrap();
    }
}

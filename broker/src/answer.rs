//! A response on its way out: encoded bytes, and record sets still in their files.

use std::collections::VecDeque;
use std::io;

use bytes::{Bytes, BytesMut};
use protocol::{ApiKey, Frame, FramePart, Message, encode_response, encode_response_parts};

use crate::log::FileRange;

/// One response. Record sets of a Fetch stay in their files until the connection takes them.
#[derive(Debug)]
pub(crate) struct Answer {
    parts: VecDeque<Part>,
    len: usize,
}

/// A piece of an answer.
#[derive(Debug)]
pub(crate) enum Part {
    Bytes(Bytes),
    /// A record set, or a piece of one.
    File(FileRange),
}

impl Answer {
    /// A response without record sets in files.
    pub(crate) fn new<M: Message>(
        key: ApiKey,
        version: i16,
        correlation_id: i32,
        body: &M,
    ) -> Self {
        let frame = encode_response(key, version, correlation_id, body);
        let len = frame.len();
        Self { parts: frame.into_parts().into_iter().map(Part::Bytes).collect(), len }
    }

    /// A response whose deferred record sets are in `files`, in the same order.
    pub(crate) fn with_files<M: Message>(
        key: ApiKey,
        version: i16,
        correlation_id: i32,
        body: &M,
        files: Vec<FileRange>,
    ) -> Self {
        let mut files = files.into_iter();
        let (mut parts, mut len) = (VecDeque::new(), 0);
        for part in encode_response_parts(key, version, correlation_id, body) {
            match part {
                FramePart::Bytes(bytes) => {
                    len += bytes.len();
                    parts.push_back(Part::Bytes(bytes));
                }
                FramePart::Deferred(mut missing) => {
                    while missing > 0
                        && let Some(file) = files.next()
                    {
                        missing = missing.saturating_sub(file.length);
                        len += file.length;
                        parts.push_back(Part::File(file));
                    }
                }
            }
        }
        Self { parts, len }
    }

    /// The size prefix that goes before the answer on a stream.
    pub(crate) fn size_prefix(&self) -> [u8; 4] {
        (self.len as i32).to_be_bytes()
    }

    /// Takes the next piece to send; `None` at the end.
    pub(crate) fn next_part(&mut self) -> Option<Part> {
        self.parts.pop_front()
    }

    /// The whole answer as a frame, record sets read into one buffer each.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) async fn into_frame(self) -> io::Result<Frame> {
        let mut frame = Vec::with_capacity(self.parts.len());
        let mut files = Vec::new();
        for part in self.parts {
            match part {
                Part::Bytes(bytes) => {
                    flush(&mut files, &mut frame).await?;
                    frame.push(bytes);
                }
                Part::File(file) => files.push(file),
            }
        }
        flush(&mut files, &mut frame).await?;
        Ok(Frame::from(frame))
    }
}

/// Reads neighbouring ranges, which are one record set, into one buffer.
async fn flush(files: &mut Vec<FileRange>, frame: &mut Vec<Bytes>) -> io::Result<()> {
    match files.len() {
        0 => {}
        1 => {
            for file in files.drain(..) {
                frame.push(read(file).await?);
            }
        }
        _ => {
            let mut whole = BytesMut::with_capacity(files.iter().map(|file| file.length).sum());
            for file in files.drain(..) {
                whole.extend_from_slice(&read(file).await?);
            }
            frame.push(whole.freeze());
        }
    }
    Ok(())
}

/// Reads what is in memory at once, anything else off the async threads.
///
/// # Errors
/// When the disk fails, or the file ends before the range does.
pub(crate) async fn read(range: FileRange) -> io::Result<Bytes> {
    if let Some(bytes) = range.read_cached() {
        return Ok(bytes);
    }
    let read = tokio::task::spawn_blocking(move || range.read()).await;
    read.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

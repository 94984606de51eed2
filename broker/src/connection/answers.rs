//! Answers onto a byte stream.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;

use super::{ConnectionError, sendfile};
use crate::answer::{self, Answer, Part};
use crate::log::FileRange;

/// How much is gathered before it is sent, so that small answers leave in one piece.
const GATHERED_BYTES: usize = 64 * 1024;
/// Up to this length a record set is gathered with what stands around it: a copy
/// costs less than the system calls that spare it.
const COPIED_BYTES: usize = 32 * 1024;
/// How much of a file is in memory at a time, where it cannot go out by itself.
const READ_BYTES: usize = 256 * 1024;
/// How long a client may take to accept the next piece of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// What answers can be put onto.
pub(crate) trait AnswerStream: AsyncWrite + Unpin + Send {
    /// The socket, if what goes out on it is what the client gets: files are sent
    /// from the page cache then. `None` where bytes are changed on their way.
    fn socket(&self) -> Option<&TcpStream>;
}

impl AnswerStream for OwnedWriteHalf {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

/// Puts answers onto a stream.
#[derive(Debug)]
pub(crate) struct AnswerWriter<W> {
    stream: W,
}

impl<W: AnswerStream> AnswerWriter<W> {
    pub(crate) fn new(stream: W) -> Self {
        Self { stream }
    }

    /// Sends the whole answer: small ones in one piece, large ones chunk by
    /// chunk as the client reads.
    ///
    /// # Errors
    /// When the client is gone or does not read, or a log file cannot be read.
    /// The connection cannot be used any more then.
    pub(crate) async fn write(&mut self, mut answer: Answer) -> Result<(), ConnectionError> {
        let mut head = BytesMut::with_capacity(1024);
        head.extend_from_slice(&answer.size_prefix());
        while let Some(part) = answer.next_part() {
            match part {
                Part::Bytes(bytes) => self.gather(&mut head, bytes).await?,
                Part::File(range) => self.write_file(&mut head, range).await?,
            }
        }
        self.send(&mut head).await
    }

    /// Sends a piece of a file, behind what was gathered before it.
    async fn write_file(
        &mut self,
        head: &mut BytesMut,
        mut range: FileRange,
    ) -> Result<(), ConnectionError> {
        if range.length > COPIED_BYTES
            && range.descriptor().is_some()
            && let Some(socket) = self.stream.socket()
        {
            // What leads up to the records goes out in one packet with the first of them.
            sendfile::send_more(socket, head).await?;
            return sendfile::send_file(socket, range).await;
        }
        while range.length > 0 {
            let chunk = range.split_to(READ_BYTES);
            let bytes = answer::read(chunk).await.map_err(ConnectionError::Log)?;
            self.gather(head, bytes).await?;
        }
        Ok(())
    }

    /// Puts bytes behind those that wait, and sends them when they are many.
    async fn gather(&mut self, head: &mut BytesMut, bytes: Bytes) -> Result<(), ConnectionError> {
        if head.len() + bytes.len() > GATHERED_BYTES {
            return self.send(&mut head.split().chain(bytes)).await;
        }
        head.extend_from_slice(&bytes);
        Ok(())
    }

    async fn send(&mut self, bytes: &mut (impl Buf + Send)) -> Result<(), ConnectionError> {
        while bytes.has_remaining() {
            if accepted(self.stream.write_buf(bytes)).await? == 0 {
                return Err(ConnectionError::Write(io::ErrorKind::WriteZero.into()));
            }
        }
        Ok(())
    }
}

/// Waits for the client, but not for ever.
pub(super) async fn accepted<T>(
    write: impl Future<Output = io::Result<T>>,
) -> Result<T, ConnectionError> {
    let too_slow = |_| {
        let text = "the client does not read its answers";
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    };
    timeout(WRITE_TIMEOUT, write).await.unwrap_or_else(too_slow).map_err(ConnectionError::Write)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use protocol::messages::FetchResponse;
    use protocol::messages::fetch::{FetchableTopicResponse, PartitionData};
    use protocol::{ApiKey, Records, Str};
    use tokio::io::{AsyncReadExt, DuplexStream};
    use tokio::net::TcpListener;

    use super::*;
    use crate::log::{Disk, FileSystem, LogFile};

    impl AnswerStream for DuplexStream {
        fn socket(&self) -> Option<&TcpStream> {
            None
        }
    }

    fn content(positions: std::ops::Range<usize>) -> Vec<u8> {
        positions.map(|at| (at * 7 + at / 4096) as u8).collect()
    }

    fn file(path: &Path, length: usize) -> Arc<dyn LogFile> {
        std::fs::write(path, content(0..length)).unwrap();
        Disk.open(path, false).unwrap()
    }

    /// An answer with these pieces of a file as its record sets, and what a
    /// client gets of it.
    fn answer(file: &Arc<dyn LogFile>, pieces: &[(u64, usize)]) -> (Answer, Vec<u8>) {
        let response = |records: &dyn Fn(u64, usize) -> Records| {
            let partitions = pieces.iter().zip(0..).map(|((position, length), index)| {
                let records = Some(records(*position, *length));
                PartitionData { partition_index: index, records, ..Default::default() }
            });
            let topic = Str::from_static("t");
            let partitions = partitions.collect();
            let topic = FetchableTopicResponse { topic, partitions, ..Default::default() };
            FetchResponse { responses: vec![topic], ..Default::default() }
        };
        let files = pieces.iter().filter(|(_, length)| *length > 0);
        let files =
            files.map(|(position, length)| FileRange::new(Arc::clone(file), *position, *length));
        let deferred = response(&|_, length| Records::Deferred(length));
        let answer = Answer::with_files(ApiKey::Fetch, 12, 5, &deferred, files.collect());
        let whole = response(&|position, length| {
            let position = position as usize;
            Records::Bytes(content(position..position + length).into())
        });
        let frame = protocol::encode_response(ApiKey::Fetch, 12, 5, &whole);
        let mut expected = frame.size_prefix().to_vec();
        expected.extend_from_slice(&frame.into_bytes());
        (answer, expected)
    }

    async fn sockets() -> (OwnedWriteHalf, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let (_, writer) = server.into_split();
        (writer, client)
    }

    /// What a client reads off the stream until it ends.
    async fn read_all(mut client: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    /// Takes a file's pages out of memory, where the file system can do that.
    fn cool(file: &Arc<dyn LogFile>) {
        file.sync().unwrap();
        let file = file.descriptor().unwrap();
        rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }

    #[tokio::test]
    async fn clients_get_the_same_bytes_whatever_they_come_from() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory.path().join("log"), 3_000_000);
        for (case, pieces) in [
            ("no records", vec![(0, 0)]),
            ("a small record set", vec![(100, 500)]),
            ("many small ones", (0..200).map(|at| (at * 1000, 1000)).collect()),
            ("one as large as is copied", vec![(1, COPIED_BYTES)]),
            ("one a little larger", vec![(1, COPIED_BYTES + 1)]),
            ("a large one", vec![(12_345, 2_900_000)]),
            ("small, empty and large", vec![(0, 10), (5, 0), (7, 700_000), (9, 3), (0, 300_000)]),
        ] {
            for is_cold in [false, true] {
                let (over_socket, expected) = answer(&file, &pieces);
                let (over_stream, _) = answer(&file, &pieces);
                let (in_process, _) = answer(&file, &pieces);
                if is_cold {
                    cool(&file);
                }
                let (server, client) = sockets().await;
                let mut writer = AnswerWriter::new(server);
                let (written, read) =
                    tokio::join!(async move { writer.write(over_socket).await }, read_all(client));
                written.unwrap();
                assert!(read == expected, "{case}, over a socket, cold: {is_cold}");

                let (server, client) = tokio::io::duplex(10_000);
                let mut writer = AnswerWriter::new(server);
                let (written, read) =
                    tokio::join!(async move { writer.write(over_stream).await }, read_all(client));
                written.unwrap();
                assert!(read == expected, "{case}, over another stream, cold: {is_cold}");

                let frame = in_process.into_frame().await.unwrap();
                assert!(frame.into_bytes() == expected[4..], "{case}, in process");
            }
        }
    }

    #[tokio::test]
    async fn a_slow_client_gets_everything_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let file = file(&path, 5_000_000);
        let (answer, expected) = answer(&file, &[(0, 2_000_000), (0, 3_000_000)]);
        // Whoever is being sent a file gets it even when it is removed meanwhile.
        std::fs::remove_file(&path).unwrap();
        let (server, mut client) = sockets().await;
        let mut writer = AnswerWriter::new(server);
        let read = async {
            let mut bytes = Vec::new();
            let mut chunk = [0; 7000];
            loop {
                tokio::task::yield_now().await;
                #[expect(clippy::disallowed_methods, reason = "the client takes what is there")]
                let read = client.read(&mut chunk).await.unwrap();
                if read == 0 {
                    return bytes;
                }
                bytes.extend_from_slice(&chunk[..read]);
            }
        };
        let (written, read) = tokio::join!(async move { writer.write(answer).await }, read);
        written.unwrap();
        assert!(read == expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory.path().join("log"), 30_000_000);
        let (answer, _) = answer(&file, &[(0, 30_000_000)]);
        let (server, _client) = sockets().await;
        // The clock goes on when nothing else does.
        let error = AnswerWriter::new(server).write(answer).await.unwrap_err();
        assert!(error.to_string().contains("does not read its answers"), "{error}");
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_ends_the_answer() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory.path().join("log"), 30_000_000);
        let (answer, _) = answer(&file, &[(0, 30_000_000)]);
        let (server, mut client) = sockets().await;
        let mut writer = AnswerWriter::new(server);
        let hang_up = async move {
            let mut some = [0; 100_000];
            client.read_exact(&mut some).await.unwrap();
        };
        let (written, ()) = tokio::join!(async move { writer.write(answer).await }, hang_up);
        let error = written.unwrap_err();
        assert!(matches!(error, ConnectionError::Write(_)), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_cut_while_it_is_sent_ends_the_connection() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory.path().join("log"), 30_000_000);
        let (answer, expected) = answer(&file, &[(0, 30_000_000)]);
        let (server, mut client) = sockets().await;
        let mut writer = AnswerWriter::new(server);
        let cut = async move {
            let mut some = vec![0; 100_000];
            client.read_exact(&mut some).await.unwrap();
            // The rest is not yet sent: nobody has that much room for it.
            file.set_len(29_000_000).unwrap();
            some.append(&mut read_all(client).await);
            some
        };
        let (written, read) = tokio::join!(async move { writer.write(answer).await }, cut);
        let error = written.unwrap_err();
        assert!(matches!(error, ConnectionError::Log(_)), "{error}");
        assert!(expected.starts_with(&read), "what came before is right");
        assert!(read.len() < expected.len());
    }
}

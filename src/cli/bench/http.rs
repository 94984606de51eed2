//! As much of HTTP/1.1 as a load generator needs: one connection, kept alive,
//! with one request in flight.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::session::Failure;

/// How long connecting, or an answer, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the head of an answer at most.
const MAX_HEAD: usize = 64 << 10;
/// Bytes of an answer at most, with its head.
const MAX_ANSWER: usize = 256 << 20;

/// Where a server listens, and what its paths begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    /// Host and port.
    pub(super) authority: String,
    /// Without a slash at its end.
    pub(super) prefix: String,
}

impl Url {
    /// Reads `http://host:port/prefix`; the sentence says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("http://")
            .ok_or_else(|| format!("{text} is not a URL that begins with http://"))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_plain = |c: char| c.is_ascii_graphic() && !"@?#\\".contains(c);
        if host.is_empty() || !text.chars().all(is_plain) {
            return Err(format!("{text} is not a URL of a server"));
        }
        // The address of a host may have colons too: [::1].
        let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let authority = if has_port { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { authority, prefix: path.trim_end_matches('/').to_owned() })
    }

    /// A whole request, as the next two. `path` begins with a slash, `accept` is a media type.
    pub(super) fn get(&self, path: &str, accept: &str) -> Bytes {
        self.request("GET", path, accept, "")
    }

    pub(super) fn delete(&self, path: &str, accept: &str) -> Bytes {
        self.request("DELETE", path, accept, "")
    }

    pub(super) fn post(&self, path: &str, content_type: &str, body: &str, accept: &str) -> Bytes {
        let length = body.len();
        let rest =
            format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}");
        self.request("POST", path, accept, &rest)
    }

    /// `rest` is what follows the first headers, or nothing.
    fn request(&self, method: &str, path: &str, accept: &str, rest: &str) -> Bytes {
        let Self { authority, prefix } = self;
        let rest = if rest.is_empty() { "\r\n" } else { rest };
        let request = format!(
            "{method} {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: {accept}\r\n{rest}"
        );
        request.into()
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        format!("http://{}{}", self.authority, self.prefix)
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    authority: String,
    buffer: BytesMut,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

/// The first lines of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    /// Bytes up to the body.
    length: usize,
    status: u16,
    framing: Framing,
}

impl Connection {
    pub(super) async fn open(url: &Url) -> Result<Self, Failure> {
        let authority = url.authority.clone();
        let stream = timeout(PATIENCE, TcpStream::connect(&authority)).await;
        let stream = stream.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let failed = |error| Failure::other(format!("cannot connect to {authority}: {error}"));
        let stream = stream.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self { stream, authority, buffer: BytesMut::new() })
    }

    /// Sends a whole request, and gives status and body of its answer.
    pub(super) async fn call(&mut self, request: &[u8]) -> Result<(u16, BytesMut), Failure> {
        let answer = timeout(PATIENCE, self.exchange(request)).await;
        answer
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
            .map_err(|reason| {
                Failure::other(format!("the request to {} failed: {reason}", self.authority))
            })
    }

    /// As [`Connection::call`]; the body of an answer that says that all went well.
    pub(super) async fn expect(&mut self, request: &[u8]) -> Result<BytesMut, Failure> {
        let (status, body) = self.call(request).await?;
        if !(200..300).contains(&status) {
            return Err(Failure::other(refusal(&self.authority, status, &body)));
        }
        Ok(body)
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<(u16, BytesMut), String> {
        self.stream.write_all(request).await.map_err(|error| error.to_string())?;
        let head = loop {
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err("the head of the answer has no end".into());
            }
            self.fill().await?;
        };
        self.buffer.advance(head.length);
        let body = match head.framing {
            Framing::Length(length) => {
                while self.buffer.len() < length {
                    self.fill().await?;
                }
                self.buffer.split_to(length)
            }
            Framing::Chunked => self.chunks().await?,
        };
        Ok((head.status, body))
    }

    async fn chunks(&mut self) -> Result<BytesMut, String> {
        let mut body = BytesMut::new();
        loop {
            let line = loop {
                if let Some(end) = find(&self.buffer, b"\r\n") {
                    break self.buffer.split_to(end + 2);
                }
                if self.buffer.len() > MAX_HEAD {
                    return Err("a chunk of the answer has no length".into());
                }
                self.fill().await?;
            };
            let size = chunk_size(&line)?;
            if body.len() + size > MAX_ANSWER {
                return Err("the answer is too long".into());
            }
            while self.buffer.len() < size + 2 {
                self.fill().await?;
            }
            body.extend_from_slice(&self.buffer[..size]);
            self.buffer.advance(size + 2);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn fill(&mut self) -> Result<(), String> {
        if self.buffer.len() > MAX_ANSWER {
            return Err("the answer is too long".into());
        }
        self.buffer.reserve(16 << 10);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the server hung up".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What to say about an answer that is no success.
pub(super) fn refusal(server: &str, status: u16, body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(500).collect();
    format!("{server} answered with {status}: {text}")
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The head of an answer, when it is complete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "the answer is not HTTP")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or("the answer is not HTTP/1.1")?;
    // Such an answer has no body, and need not say so (RFC 9110, section 15.3.5).
    let mut framing = (status == 204).then_some(Framing::Length(0));
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            framing = Some(Framing::Chunked);
        } else if name.eq_ignore_ascii_case("content-length") && framing.is_none() {
            let length = value.parse().ok().filter(|&length| length <= MAX_ANSWER);
            framing = Some(Framing::Length(length.ok_or("the answer is too long")?));
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            return Err(format!("it was answered with {status}, and the connection closed"));
        }
    }
    let framing = framing.ok_or("the answer does not tell its length")?;
    Ok(Some(Head { length: end + 4, status, framing }))
}

/// The size of the chunk that follows its line.
fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let size = line.split(|&byte| byte == b';' || byte == b'\r').next();
    let size = size.and_then(|size| std::str::from_utf8(size).ok());
    let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
    size.filter(|&size| size <= MAX_ANSWER).ok_or_else(|| "a chunk has no length".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_people_write_them() {
        for (text, expected) in [
            ("http://localhost:8082", Some(("localhost:8082", ""))),
            ("http://localhost:8082/", Some(("localhost:8082", ""))),
            ("http://proxy/kafka/", Some(("proxy:80", "/kafka"))),
            ("http://[::1]", Some(("[::1]:80", ""))),
            ("http://[::1]:1/a/b", Some(("[::1]:1", "/a/b"))),
            ("https://localhost:8082", None),
            ("localhost:8082", None),
            ("http://", None),
            ("http://me@localhost", None),
            ("http://local host", None),
        ] {
            let url = Url::parse(text).ok();
            let parts = url.as_ref().map(|url| (url.authority.as_str(), url.prefix.as_str()));
            assert_eq!(parts, expected, "{text}");
        }
    }

    #[test]
    fn heads_of_answers_are_read() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nbody";
        let head = Head { length: 39, status: 200, framing: Framing::Length(12) };
        assert_eq!(parse_head(whole), Ok(Some(head)));
        for end in 0..37 {
            assert_eq!(parse_head(&whole[..end]), Ok(None), "{end}");
        }
        let chunked = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n";
        let head = Head { length: chunked.len(), status: 404, framing: Framing::Chunked };
        assert_eq!(parse_head(chunked), Ok(Some(head)));
        let nothing = b"HTTP/1.1 204 No Content\r\n\r\n";
        let head = Head { length: nothing.len(), status: 204, framing: Framing::Length(0) };
        assert_eq!(parse_head(nothing), Ok(Some(head)));
        for broken in [
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 413 Large\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
        ] {
            assert!(parse_head(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn sizes_of_chunks_are_hexadecimal_and_bounded() {
        assert_eq!(chunk_size(b"1a\r\n"), Ok(26));
        assert_eq!(chunk_size(b"0;name=value\r\n"), Ok(0));
        for broken in ["\r\n", "x\r\n", "-1\r\n", "ffffffff\r\n"] {
            assert!(chunk_size(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}

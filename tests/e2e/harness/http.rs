//! An HTTP/1.1 client that sends exactly what it is told: no header of its own
//! but `Host`, `Content-Length` and `Connection`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::HANG;

/// The media types of API v2.
pub(crate) const V2: &str = "application/vnd.kafka.v2+json";
pub(crate) const JSON_V2: &str = "application/vnd.kafka.json.v2+json";
pub(crate) const BINARY_V2: &str = "application/vnd.kafka.binary.v2+json";
pub(crate) const AVRO_V2: &str = "application/vnd.kafka.avro.v2+json";
pub(crate) const JSONSCHEMA_V2: &str = "application/vnd.kafka.jsonschema.v2+json";
pub(crate) const PROTOBUF_V2: &str = "application/vnd.kafka.protobuf.v2+json";
/// The media types of API v1.
pub(crate) const V1: &str = "application/vnd.kafka.v1+json";
pub(crate) const JSON_V1: &str = "application/vnd.kafka.json.v1+json";
pub(crate) const BINARY_V1: &str = "application/vnd.kafka.binary.v1+json";
pub(crate) const AVRO_V1: &str = "application/vnd.kafka.avro.v1+json";
/// The media type of the Schema Registry.
pub(crate) const REGISTRY: &str = "application/vnd.schemaregistry.v1+json";

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    address: SocketAddr,
}

impl Http {
    /// `url`: `http://127.0.0.1:PORT`.
    pub(crate) fn new(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
        Self { address: address.parse().unwrap() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request {
            http: self,
            method: method.into(),
            path: path.into(),
            headers: vec![],
            body: None,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    pub(crate) fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Request<'_> {
        self.request("POST", path).header("Content-Type", content_type).body(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    http: &'a Http,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn accept(self, media_type: &str) -> Self {
        self.header("Accept", media_type)
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// Sends it on a connection of its own, which the caller reads or drops.
    pub(crate) fn start(&self) -> io::Result<TcpStream> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head += &format!("Host: {}\r\n", self.http.address);
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match &self.body {
            Some(body) => head += &format!("Content-Length: {}\r\n", body.len()),
            None if ["POST", "PUT"].contains(&self.method.as_str()) => {
                head += "Content-Length: 0\r\n"
            }
            None => {}
        }
        head += "Connection: close\r\n\r\n";
        let mut stream = TcpStream::connect(self.http.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANG))?;
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        stream.write_all(&bytes)?;
        Ok(stream)
    }

    /// The answer, or why there is none, for servers that may be dying.
    pub(crate) fn try_send(&self) -> io::Result<Answer> {
        let mut bytes = vec![];
        self.start()?.read_to_end(&mut bytes)?;
        Answer::parse(&bytes, &self.method)
    }

    pub(crate) fn send(&self) -> Answer {
        self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }
}

/// What the server said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Takes a whole answer apart.
    pub(crate) fn parse(bytes: &[u8], method: &str) -> io::Result<Self> {
        let wrong = |what: &str| {
            let text = String::from_utf8_lossy(bytes);
            io::Error::other(format!("{what}: {:?}", text.chars().take(500).collect::<String>()))
        };
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or_else(|| wrong("no HTTP head"))?;
        let head = str::from_utf8(&bytes[..end]).map_err(|_| wrong("head is not text"))?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let mut answer = Self {
            status: status.ok_or_else(|| wrong("no status"))?,
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = join_chunks(&answer.body).ok_or_else(|| wrong("cut off in a chunk"))?;
        } else if let Some(length) = answer.header("content-length")
            && method != "HEAD"
            && length.parse() != Ok(answer.body.len())
        {
            return Err(wrong("cut off"));
        }
        Ok(answer)
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn content_type(&self) -> &str {
        self.header("content-type").unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks the status, and shows the answer when it is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Checks status and `error_code`.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, error_code: u64) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.json()["error_code"], error_code, "{}", answer.text());
        assert!(answer.json()["message"].is_string(), "{}", answer.text());
        answer
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?} ({})", self.text(), self.status))
    }
}

fn join_chunks(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = vec![];
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = str::from_utf8(&bytes[..line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        bytes = &bytes[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

//! An HTTP/1.1 client that sends exactly what it is told: no header of its own
//! but `Host`, `Content-Length` and `Connection`.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::server::HANG;

/// A server, by its URL `http://host:port`.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    address: String,
}

impl Http {
    pub(crate) fn new(url: &str) -> Self {
        Self { address: url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned() }
    }

    /// Sends a request, and gives its answer or why there is none.
    pub(crate) fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        match body {
            Some(body) => head += &format!("Content-Length: {}\r\n", body.len()),
            None if matches!(method, "POST" | "PUT") => head += "Content-Length: 0\r\n",
            None => {}
        }
        head += "Connection: close\r\n\r\n";
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANG))?;
        stream.write_all((head + body.unwrap_or_default()).as_bytes())?;
        let mut bytes = vec![];
        stream.read_to_end(&mut bytes)?;
        Answer::parse(&bytes, method)
    }

    pub(crate) fn send(&self, method: &str, target: &str, body: Option<&str>) -> Answer {
        self.try_send(method, target, &[], body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, None)
    }

    pub(crate) fn put(&self, target: &str, body: &str) -> Answer {
        self.send("PUT", target, Some(body))
    }

    pub(crate) fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, None)
    }

    /// Registers a schema; gives its id.
    #[track_caller]
    pub(crate) fn register(&self, subject: &str, schema: &str) -> i64 {
        let body = serde_json::json!({ "schema": schema }).to_string();
        let answer = self.send("POST", &format!("/subjects/{subject}/versions"), Some(&body));
        answer.expect(200).json()["id"].as_i64().unwrap()
    }
}

/// What the server said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8], method: &str) -> io::Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let wrong = |what: &str| io::Error::other(format!("{what}: {text:?}"));
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| wrong("no HTTP head"))?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let answer = Self {
            status: status.ok_or_else(|| wrong("no status"))?,
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        if method != "HEAD" && length.is_some_and(|length: usize| length != body.len()) {
            return Err(wrong("cut off"));
        }
        Ok(answer)
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Checks the status, and shows the answer when it is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?} ({})", self.body, self.status))
    }
}

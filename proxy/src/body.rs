//! Reading request bodies, within the bounds that the configuration sets.
//!
//! A body of any method is read, GET included: `GET …/offsets` has one.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::coerce::Object;
use crate::config::BoundsConfig;
use crate::error::Error;
use crate::memory::{Budget, Share};

/// Parsing that takes longer than a body of this size would hold up the other
/// requests of its worker thread, in bytes.
pub(crate) const LARGE: usize = 1024 * 1024;

/// How bodies are read: the bounds, and how much of them is taken.
#[derive(Debug)]
pub(crate) struct Bodies {
    max_body_bytes: usize,
    idle_timeout: Duration,
    memory: Arc<Budget>,
}

/// A body that was read. It counts as in memory until it is dropped.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Bytes,
    _share: Share,
}

impl Bodies {
    pub(crate) fn new(bounds: &BoundsConfig) -> Self {
        Self {
            max_body_bytes: bounds.max_request_bytes,
            idle_timeout: bounds.idle_timeout,
            memory: Budget::new(bounds.max_inflight_bytes),
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// When it is too large, too slow, cut short, or when there is no memory
    /// for it at the moment.
    pub(crate) async fn read(
        &self,
        request: &HttpRequest,
        mut payload: Payload,
    ) -> Result<Body, Error> {
        if let Some(length) = announced_length(request) {
            self.check(length)?;
        }
        let mut share = self.memory.share();
        let mut read = Bytes::new();
        let mut joined = BytesMut::new();
        loop {
            let next = timeout(self.idle_timeout, payload.next()).await;
            let Some(chunk) = next.map_err(|_| Error::BodyTimeout)? else { break };
            let chunk = chunk.map_err(|_| Error::BodyCutShort)?;
            let length = read.len() + joined.len() + chunk.len();
            self.check(length)?;
            share.grow_to(length)?;
            if read.is_empty() && joined.is_empty() {
                // Mostly all of it.
                read = chunk;
                continue;
            }
            if !read.is_empty() {
                // What is announced need not come, so it takes neither memory nor the others' share.
                joined.reserve(length);
                joined.extend_from_slice(&std::mem::take(&mut read));
            }
            joined.extend_from_slice(&chunk);
        }
        let bytes = if joined.is_empty() { read } else { joined.freeze() };
        Ok(Body { bytes, _share: share })
    }

    fn check(&self, length: usize) -> Result<(), Error> {
        if length > self.max_body_bytes {
            Err(Error::BodyTooLarge(self.max_body_bytes))
        } else {
            Ok(())
        }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body {
    /// Whether there is nothing in it but white space, or `null`: then no body was sent.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.trim_ascii(), b"" | b"null")
    }

    /// The body as a value of this type, which has to be closed with
    /// `deny_unknown_fields`. `None` if there is no body.
    ///
    /// # Errors
    /// 422 for a member that does not exist, 400 for all else.
    pub(crate) async fn json<T: DeserializeOwned + Send + 'static>(
        self,
    ) -> Result<Option<T>, Error> {
        if self.is_missing() {
            return Ok(None);
        }
        let parsed = if self.len() < LARGE {
            parse(&self)
        } else {
            web::block(move || parse(&self)).await.map_err(|_| Error::Internal)?
        };
        parsed.map(Some)
    }
}

/// Reads JSON into a value, with the errors of [`Body::json`].
fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    let parsed = serde_json::from_slice(text).map(|Object(value)| value);
    parsed.or_else(|error| {
        let sentence = error.to_string();
        if sentence.starts_with("duplicate field") && text.len() < LARGE {
            // A tree keeps the last of them, which is the one that counts.
            let tree = serde_json::from_slice::<Value>(text);
            let parsed = tree.ok().and_then(|tree| serde_json::from_value(tree).ok());
            if let Some(Object(value)) = parsed {
                return Ok(value);
            }
        }
        let unknown = sentence.strip_prefix("unknown field `");
        match unknown
            .and_then(|rest| rest.split_once("`, expected").or(rest.split_once("`, there are")))
        {
            Some((name, _)) => Err(Error::Invalid(unknown_member(name))),
            None => Err(Error::Malformed(sentence)),
        }
    })
}

/// The sentence about a member that is not part of a body.
pub(crate) fn unknown_member(name: &str) -> String {
    format!("Unrecognized field: {name}")
}

fn announced_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;

    use super::*;

    fn bodies(max_request_bytes: usize, max_inflight_bytes: usize) -> Bodies {
        Bodies::new(&BoundsConfig {
            max_request_bytes,
            max_inflight_bytes,
            max_connections: 1,
            idle_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::ZERO,
        })
    }

    async fn read(bodies: &Bodies, body: &'static str) -> Result<Body, Error> {
        let (request, mut payload) = TestRequest::default().set_payload(body).to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await.unwrap();
        bodies.read(&request, payload).await
    }

    #[actix_web::test]
    async fn a_body_takes_its_share_of_the_memory_until_it_is_dropped() {
        let bodies = bodies(10, 15);
        let first = read(&bodies, "0123456789").await.unwrap();
        assert_eq!(&*first, b"0123456789");
        assert!(matches!(read(&bodies, "012345").await, Err(Error::Overloaded)));
        let second = read(&bodies, "01234").await.unwrap();
        drop(first);
        assert!(read(&bodies, "0123456789").await.is_ok());
        drop(second);
        assert_eq!(bodies.memory.taken(), 0);
        assert!(matches!(read(&bodies, "0123456789a").await, Err(Error::BodyTooLarge(10))));
    }

    #[test]
    fn bodies_are_read_as_their_type_or_refused() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted {
            number: Option<i32>,
        }
        let last = parse::<Wanted>(br#"{"number":1,"number":2}"#).unwrap();
        assert_eq!(last.number, Some(2), "of equal members the last counts");
        let error = |text: &str| parse::<Wanted>(text.as_bytes()).unwrap_err();
        assert!(parse::<Wanted>(br#"{"number":1}"#).is_ok());
        assert_eq!(error(r#"{"foo":1}"#).to_string(), "Unrecognized field: foo");
        assert_eq!(error(r#"{"foo":1}"#).error_code(), 422);
        for text in ["{x", "[1]", "7", r#"{"number":"x"}"#, r#"{"number":1} 2"#] {
            assert_eq!(error(text).error_code(), 400, "{text}");
        }
        let sentence = error("7").to_string();
        assert_eq!(sentence, "invalid type: integer `7`, expected an object at line 1 column 1");
    }
}

//! Reading request bodies, within the bounds that the configuration sets.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::config::BoundsConfig;
use crate::error::Error;

/// How much room a body of unknown length asks for at a time, in bytes.
const STEP: usize = 64 * 1024;

/// How bodies are read, and how much of them is in memory.
#[derive(Debug)]
pub(super) struct Bodies {
    max_body_bytes: usize,
    idle_timeout: Duration,
    memory: Arc<Memory>,
}

#[derive(Debug)]
struct Memory {
    limit: usize,
    taken: AtomicUsize,
}

/// A body that was read. It counts as in memory until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Body {
    bytes: Bytes,
    _share: Option<Share>,
}

/// A part of the memory for bodies; given back when it is dropped.
#[derive(Debug)]
struct Share {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Bodies {
    pub(super) fn new(bounds: &BoundsConfig) -> Self {
        Self {
            max_body_bytes: bounds.max_request_bytes,
            idle_timeout: bounds.idle_timeout,
            memory: Arc::new(Memory {
                limit: bounds.max_inflight_bytes,
                taken: AtomicUsize::new(0),
            }),
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// When it is too large, too slow, cut short, or when there is no memory
    /// for it at the moment.
    pub(super) async fn read(
        &self,
        request: &HttpRequest,
        mut payload: Payload,
    ) -> Result<Body, Error> {
        let mut share = Share { memory: Arc::clone(&self.memory), bytes: 0 };
        let announced = announced_length(request);
        if let Some(length) = announced {
            self.check(length)?;
            share.grow_to(length)?;
        }
        let mut read = BytesMut::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) =
            timeout(self.idle_timeout, payload.next()).await.map_err(|_| Error::BodyTimeout)?
        {
            let chunk = chunk.map_err(|_| Error::BodyCutShort)?;
            let length = read.len() + chunk.len();
            self.check(length)?;
            share.grow_to(length)?;
            read.extend_from_slice(&chunk);
        }
        Ok(Body { bytes: read.freeze(), _share: Some(share) })
    }

    fn check(&self, length: usize) -> Result<(), Error> {
        if length > self.max_body_bytes {
            Err(Error::BodyTooLarge(self.max_body_bytes))
        } else {
            Ok(())
        }
    }
}

impl Share {
    /// Takes more, if less than `bytes` are taken.
    fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|&more| more > 0) else {
            return Ok(());
        };
        // The length was announced, or grows chunk by chunk.
        let more = if self.bytes == 0 { more } else { more.max(STEP) };
        let Memory { limit, taken } = &*self.memory;
        let fits = |now: usize| now.checked_add(more).filter(|then| then <= limit);
        if taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return Err(Error::Overloaded);
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body {
    /// The body as an object. `operation` is what the error calls the request.
    ///
    /// # Errors
    /// 422 where there is none, 400 where it is something else.
    pub(super) fn object<T: DeserializeOwned>(&self, operation: &'static str) -> Result<T, Error> {
        let text = self.trim_ascii();
        if matches!(text, b"" | b"null") {
            return Err(Error::MissingBody(operation));
        }
        // An array would be taken for an object's members in order.
        if matches!(text.first(), Some(b'[')) {
            return Err(Error::Malformed("The body must be an object and not an array".to_owned()));
        }
        serde_json::from_slice(text).map_err(|error| Error::Malformed(error.to_string()))
    }
}

fn announced_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

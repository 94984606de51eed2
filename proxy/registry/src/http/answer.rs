//! Answers: a status, a JSON text, and its type.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use serde::Serialize;

use super::media_types::MediaType;
use crate::error::Error;

/// What is sent back.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    media_type: Option<&'static str>,
    allowed: &'static [Method],
    is_last: bool,
    retry_after: bool,
}

impl Answer {
    fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body, media_type: None, allowed: &[], is_last: false, retry_after: false }
    }

    /// 200 with a value.
    pub(super) fn json(value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| {
            tracing::error!(%error, "an answer cannot be written");
            Error::Internal
        })?;
        Ok(Self::new(StatusCode::OK, body))
    }

    /// 200 with a text as it is.
    pub(super) fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::new(StatusCode::OK, text.into())
    }

    /// A text with another status.
    pub(super) fn with_status(status: StatusCode, body: Vec<u8>) -> Self {
        Self::new(status, body)
    }

    /// 204.
    pub(super) fn nothing() -> Self {
        Self::new(StatusCode::NO_CONTENT, Vec::new())
    }

    /// Which methods a path has.
    pub(super) fn options(methods: &'static [Method]) -> Self {
        let names: Vec<&str> = named(methods).collect();
        let mut answer = Self::new(StatusCode::OK, names.join(", ").into_bytes());
        answer.media_type = Some("text/plain");
        answer.allowed = methods;
        answer
    }

    /// The answer to a failure. Without `media_type` it happened before one
    /// was negotiated.
    pub(super) fn of_error(
        error: &Error,
        incompatible: u32,
        media_type: Option<MediaType>,
    ) -> Self {
        let (status, error_code) = error.codes(incompatible);
        if status.is_server_error() {
            tracing::warn!(%error, error_code, "a request to the registry failed");
        }
        let body = ErrorBody { error_code, message: error.to_string() };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut answer = Self::new(status, body);
        answer.media_type = match media_type {
            Some(media_type) => Some(media_type.as_str()),
            None if error.is_untyped() => None,
            None => Some(MediaType::Json.as_str()),
        };
        if matches!(error, Error::UnsupportedMediaType) {
            answer.media_type = Some(MediaType::V1.as_str());
        }
        if let Error::MethodNotAllowed(methods) = error {
            answer.allowed = methods;
        }
        // The rest of the body is not read.
        answer.is_last = matches!(
            error,
            Error::BodyTimeout | Error::BodyCutShort | Error::BodyTooLarge(_) | Error::Overloaded
        );
        answer.retry_after = matches!(error, Error::Overloaded);
        answer
    }

    /// The same, in the type that was negotiated, unless it has one already.
    pub(super) fn with_type(mut self, media_type: MediaType) -> Self {
        self.media_type.get_or_insert(media_type.as_str());
        self
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(media_type) = self.media_type.filter(|_| self.status != StatusCode::NO_CONTENT)
        {
            response.insert_header((header::CONTENT_TYPE, media_type));
        }
        if !self.allowed.is_empty() {
            let names: Vec<&str> = named(self.allowed).collect();
            response.insert_header((header::ALLOW, names.join(",")));
        }
        if self.is_last {
            response.force_close();
        }
        if self.retry_after {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        response.body(self.body)
    }
}

/// The methods with those that every path has.
fn named(methods: &'static [Method]) -> impl Iterator<Item = &'static str> {
    let head = methods.contains(&Method::GET).then_some("HEAD");
    head.into_iter().chain(methods.iter().map(Method::as_str)).chain(["OPTIONS"])
}

#[derive(Serialize)]
struct ErrorBody {
    error_code: u32,
    message: String,
}

//! Answers other than errors.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};

use crate::content_type::MediaType;

/// An answer that holds JSON.
pub(crate) fn json(status: StatusCode, media_type: MediaType, body: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, media_type.header_value()))
        .body(body)
}

/// An answer with status 200 that holds JSON.
pub(crate) fn ok(media_type: MediaType, body: Vec<u8>) -> HttpResponse {
    json(StatusCode::OK, media_type, body)
}

/// An answer with status 204.
pub(crate) fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

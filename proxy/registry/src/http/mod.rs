//! The registry's HTTP API.
//!
//! ```text
//! request ─► path (segments, contexts, aliases) ─► route ─► media types ─► body ─► one file for each resource
//! ```
//!
//! Paths are matched here and not by the HTTP library, because a subject may
//! hold every character, slashes included, and is decoded exactly once.

mod answer;
mod body;
mod compatibility;
mod config;
mod contexts;
mod entities;
mod forward;
mod health;
mod media_types;
mod metadata;
mod mode;
mod path;
mod requests;
mod routes;
mod schemas;
mod server;
mod subjects;
mod versions;

pub use server::{Server, serve};

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::{Method, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::FutureExt;
use uuid::Uuid;

use self::answer::Answer;
use self::body::{Bodies, Body};
use self::media_types::MediaType;
use self::path::{Path, Query};
use self::routes::Resource;
use crate::cors::Cors;
use crate::error::Error;
use crate::registry::Registry;

/// The header with which newer clients ask for all members of answers.
const ACCEPT_UNKNOWN: &str = "Confluent-Accept-Unknown-Properties";
/// The header of a request that another registry has passed on.
const FORWARDED: &str = "X-Forward";
/// The header that names a request.
const REQUEST_ID: &str = "X-Request-ID";

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    registry: Registry,
    bodies: Bodies,
    forwarder: forward::Forwarder,
    cors: Option<Cors>,
}

/// One request, as the resources see it.
#[derive(Debug)]
struct Call {
    app: Arc<App>,
    query: Query,
    body: Body,
    /// Whether answers have the members of the newest releases.
    is_newest: bool,
}

impl Call {
    fn registry(&self) -> &Registry {
        &self.app.registry
    }
}

/// Answers every request.
async fn handle(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let begun = tracing::enabled!(target: "access", tracing::Level::DEBUG).then(Instant::now);
    // A handler has nothing that another request could find half changed: what
    // is shared lies behind locks that do not poison.
    let app = app.into_inner();
    let answered =
        AssertUnwindSafe(answer(Arc::clone(&app), &request, payload)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(path = request.path(), "a handler of the registry panicked");
        Answer::of_error(&Error::Internal, 409, None).into_response()
    });
    let given = request.headers().get(REQUEST_ID).cloned();
    let name = given.or_else(|| Uuid::new_v4().to_string().parse().ok());
    if let Some(name) = name {
        response.headers_mut().insert(header::HeaderName::from_static("x-request-id"), name);
    }
    if let Some(cors) = &app.cors
        && let Some(origin) = cors.allowed(request.headers())
    {
        cors.answer(origin, Cors::is_preflight(request.headers()), response.headers_mut());
    }
    if let Some(begun) = begun {
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let line = format!("{} {}", request.method(), request.uri());
        tracing::debug!(target: "access", request = %line, status = response.status().as_u16(), micros, "answered");
    }
    response
}

async fn answer(app: Arc<App>, request: &HttpRequest, payload: Payload) -> HttpResponse {
    let mut media_type = None;
    let incompatible = app.registry.config().incompatible_error_code;
    match serve_one(&app, request, payload, &mut media_type).await {
        Ok(answer) => answer.into_response(),
        Err(error) => Answer::of_error(&error, incompatible, media_type).into_response(),
    }
}

async fn serve_one(
    app: &Arc<App>,
    request: &HttpRequest,
    payload: Payload,
    negotiated: &mut Option<MediaType>,
) -> Result<Answer, Error> {
    let mut query = Query::parse(request.query_string());
    let path = Path::parse(request.uri().path())?.within_contexts(&mut query)?;
    let path = path.with_aliases(&mut query, |subject| app.registry.alias(subject));
    let resource = Resource::of(&path).ok_or(Error::NotFound)?;
    let allowed = resource.methods();
    let method = match *request.method() {
        Method::HEAD => Method::GET,
        Method::OPTIONS => return Ok(Answer::options(allowed)),
        ref method => method.clone(),
    };
    if !allowed.contains(&method) {
        return Err(Error::MethodNotAllowed(allowed));
    }
    let reads_body = matches!(method, Method::POST | Method::PUT);
    if reads_body {
        media_types::check_request(request.headers())?;
    }
    let media_type = media_types::negotiate(request.headers())?;
    *negotiated = Some(media_type);
    let body = if reads_body { app.bodies.read(request, payload).await? } else { Body::default() };
    let is = |name| {
        request
            .headers()
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
    };
    let call = Call { app: Arc::clone(app), query, body, is_newest: is(ACCEPT_UNKNOWN) };
    let answer = match routes::dispatch(resource, &method, &call).await {
        Err(Error::NotLeader(_)) if is(FORWARDED) => Err(Error::UnknownLeader),
        Err(Error::NotLeader(leader)) => {
            let runtime = app.registry.runtime();
            let answer =
                app.forwarder.forward(runtime, &leader, request, &method, &call.body).await?;
            // What was written there is to be found here as well.
            if let Err(error) = app.registry.catch_up().await {
                tracing::warn!(%error, "what was forwarded is not here yet");
            }
            Ok(answer)
        }
        outcome => outcome,
    };
    Ok(answer?.with_type(media_type))
}

//! Passing requests on to the registry that writes.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode, header};
use tokio::runtime::Handle;

use super::answer::Answer;
use super::{ACCEPT_UNKNOWN, FORWARDED};
use crate::config::ElectionConfig;
use crate::election::Identity;
use crate::error::Error;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// Sends requests to another registry. Connections are kept.
#[derive(Debug)]
pub(super) struct Forwarder {
    agent: ureq::Agent,
}

impl Forwarder {
    pub(super) fn new(config: &ElectionConfig) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(config.connect_timeout))
            .timeout_global(Some(config.connect_timeout + config.read_timeout))
            .max_idle_age(Duration::from_secs(10))
            .build();
        Self { agent: agent.into() }
    }

    /// The answer of the leader, as it is.
    ///
    /// # Errors
    /// [`Error::Forwarding`] where there is none.
    pub(super) async fn forward(
        &self,
        runtime: &Handle,
        leader: &Identity,
        request: &HttpRequest,
        method: &Method,
        body: &[u8],
    ) -> Result<Answer, Error> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let url = format!("{}{target}", leader.url());
        let mut forwarded = ureq::http::Request::builder()
            .method(method.as_str())
            .uri(url)
            .header(FORWARDED, "true");
        for name in [header::CONTENT_TYPE.as_str(), ACCEPT_UNKNOWN] {
            if let Some(value) = request.headers().get(name) {
                forwarded = forwarded.header(name, value.as_bytes());
            }
        }
        let agent = self.agent.clone();
        let body = body.to_vec();
        let has_body = matches!(*method, Method::POST | Method::PUT);
        let exchange = move || -> Result<(u16, Vec<u8>), ureq::Error> {
            let mut answer = if has_body {
                agent.run(forwarded.body(body)?)?
            } else {
                agent.run(forwarded.body(())?)?
            };
            let status = answer.status().as_u16();
            Ok((status, answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?))
        };
        let failed = |reason: String| {
            tracing::warn!(leader = leader.url(), reason, "a request could not be forwarded");
            Error::Forwarding(reason)
        };
        let answered = runtime.spawn_blocking(exchange).await.map_err(|_| Error::Internal)?;
        let (status, body) = answered.map_err(|error| failed(error.to_string()))?;
        let status = StatusCode::from_u16(status).map_err(|error| failed(error.to_string()))?;
        Ok(Answer::with_status(status, body))
    }
}

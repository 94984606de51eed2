//! Whether the registry works: `/_health`, `/healthy`, `/ready`, and
//! `/master_available` as Karapace has it.

use actix_web::http::StatusCode;
use serde::Serialize;

use super::Call;
use super::answer::Answer;
use crate::error::Error;

#[derive(Serialize)]
struct Health {
    healthy: bool,
    status: Status,
}

#[derive(Serialize)]
struct Status {
    /// Whether the cluster answers.
    cluster: bool,
    /// Whether all schemas were read.
    schemas: bool,
    /// Whether writes are taken, here or elsewhere.
    leader: bool,
}

async fn status(call: &Call) -> Status {
    let registry = call.registry();
    Status {
        cluster: registry.client().cluster().await.is_ok(),
        schemas: registry.is_loaded(),
        leader: registry.has_leader(),
    }
}

fn answer(healthy: bool, status: Status) -> Result<Answer, Error> {
    let answer = Health { healthy, status };
    if healthy {
        return Answer::json(&answer);
    }
    let body = serde_json::to_vec(&answer).map_err(|_| Error::Internal)?;
    Ok(Answer::with_status(StatusCode::SERVICE_UNAVAILABLE, body))
}

/// `GET /_health` and `GET /healthy`: 503 while the cluster does not answer.
pub(super) async fn health(call: &Call) -> Result<Answer, Error> {
    let status = status(call).await;
    answer(status.cluster, status)
}

/// `GET /ready`: 503 until all schemas were read and while the cluster does not answer.
pub(super) async fn ready(call: &Call) -> Result<Answer, Error> {
    let status = status(call).await;
    answer(status.cluster && status.schemas, status)
}

#[derive(Serialize)]
struct MasterAvailable {
    master_available: bool,
}

/// `GET /master_available`
pub(super) fn master_available(call: &Call) -> Result<Answer, Error> {
    Answer::json(&MasterAvailable { master_available: call.registry().has_leader() })
}

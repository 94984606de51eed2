//! `/v1/metadata`

use serde::Serialize;

use super::Call;
use super::answer::Answer;
use crate::error::Error;

#[derive(Serialize)]
struct ServerClusterId<'a> {
    scope: Scope<'a>,
}

#[derive(Serialize)]
struct Scope<'a> {
    path: [&'a str; 0],
    clusters: Clusters<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Clusters<'a> {
    kafka_cluster: &'a str,
    schema_registry_cluster: &'a str,
}

/// `GET /v1/metadata/id`
pub(super) async fn cluster_id(call: &Call) -> Result<Answer, Error> {
    let cluster = call.registry().client().cluster().await;
    let cluster = cluster.map_err(|error| Error::Store(error.public_message()))?;
    let clusters = Clusters {
        kafka_cluster: cluster.id.as_deref().unwrap_or_default(),
        schema_registry_cluster: &call.registry().config().election.group_id,
    };
    Answer::json(&ServerClusterId { scope: Scope { path: [], clusters } })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerVersion {
    version: &'static str,
    commit_id: &'static str,
}

/// `GET /v1/metadata/version`
pub(super) fn version() -> Result<Answer, Error> {
    Answer::json(&ServerVersion { version: env!("CARGO_PKG_VERSION"), commit_id: "" })
}

//! Producing records: records that could not be written are told in an answer of status 200.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion::V1;
use crate::content_type::{PRODUCE_TO_PARTITION_V1, PRODUCE_V1};
use crate::error::Error;
use crate::produce::{self, Request};
use crate::{answer, metadata};

/// `POST /topics/{topic}`
pub(crate) async fn to_topic(
    request: HttpRequest,
    app: Data<App>,
    topic: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let types = PRODUCE_V1.negotiate(&request)?;
    let body = app.bodies.read(&request, payload).await?;
    let codec = produce::codec(types);
    let wake_group = produce::wake_group(&request);
    let request = Request { version: V1, codec, topic: &topic, partition: None, wake_group };
    let produced = produce::produce(&app, request, body).await?;
    Ok(answer::ok(types.answer, produced.body))
}

/// `POST /topics/{topic}/partitions/{partition}`
pub(crate) async fn to_partition(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let types = PRODUCE_TO_PARTITION_V1.negotiate(&request)?;
    let (topic, partition) = &*path;
    let partition = Some(metadata::partition_id(partition)?);
    let body = app.bodies.read(&request, payload).await?;
    let codec = produce::codec(types);
    let wake_group = produce::wake_group(&request);
    let request = Request { version: V1, codec, topic, partition, wake_group };
    let produced = produce::produce(&app, request, body).await?;
    Ok(answer::ok(types.answer, produced.body))
}

//! Producing records: records that could not be written are told in an answer of status 200, or of 401 or 403 where nobody was let in.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion::V2;
use crate::content_type::PRODUCE_V2;
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
    let types = PRODUCE_V2.negotiate(&request)?;
    let body = app.bodies.read(&request, payload).await?;
    let codec = produce::codec(types);
    let wake_group = produce::wake_group(&request);
    let request = Request { version: V2, codec, topic: &topic, partition: None, wake_group };
    let produced = produce::produce(&app, request, body).await?;
    Ok(answer::json(produced.status, types.answer, produced.body))
}

/// `POST /topics/{topic}/partitions/{partition}`
pub(crate) async fn to_partition(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let types = PRODUCE_V2.negotiate(&request)?;
    let (topic, partition) = &*path;
    let partition = Some(metadata::partition_id(partition)?);
    let body = app.bodies.read(&request, payload).await?;
    let codec = produce::codec(types);
    let wake_group = produce::wake_group(&request);
    let request = Request { version: V2, codec, topic, partition, wake_group };
    let produced = produce::produce(&app, request, body).await?;
    Ok(answer::json(produced.status, types.answer, produced.body))
}

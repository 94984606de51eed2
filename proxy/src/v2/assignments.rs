//! The partitions that a consumer instance reads.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::PartitionsBody;
use crate::answer;
use crate::app::App;
use crate::config::ApiVersion::V2;
use crate::content_type::CONSUMERS_V2;
use crate::error::Error;
use crate::json::{write_integer, write_string};
use crate::metadata::write_list;

/// `POST /consumers/{group}/instances/{instance}/assignments`
pub(crate) async fn post(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (_, instance) = app.consumers.call(&request, (group, name), V2, &CONSUMERS_V2)?;
    let body = app.bodies.read(&request, payload).await?.json().await?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let partitions = PartitionsBody::into_partitions(body)?;
    app.consumers.finish(async move { instance.assign(partitions).await }).await??;
    Ok(answer::no_content())
}

/// `GET /consumers/{group}/instances/{instance}/assignments`: those of the
/// group, or those that were assigned by hand.
pub(crate) async fn get(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (types, instance) = app.consumers.call(&request, (group, name), V2, &CONSUMERS_V2)?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let assignment = instance.assignment().await;
    let mut body = br#"{"partitions":"#.to_vec();
    write_list(b"[]", assignment.iter(), &mut body, |partition, body| {
        body.extend_from_slice(br#"{"topic":"#);
        write_string(&partition.topic, body);
        body.extend_from_slice(br#","partition":"#);
        write_integer(partition.partition, body);
        body.push(b'}');
    });
    body.push(b'}');
    Ok(answer::ok(types.answer, body))
}

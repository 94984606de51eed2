//! Reading through a consumer instance, which reads one topic for all its life.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion::V1;
use crate::consumers::{self, ReadRequest, Wait};
use crate::content_type::READ_V1;
use crate::error::Error;
use crate::metadata;
use crate::query::parameter;

/// `GET /consumers/{group}/instances/{instance}/topics/{topic}`
pub(crate) async fn read(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse, Error> {
    let (group, name, topic) = &*path;
    let (types, instance) = app.consumers.call(&request, (group, name), V1, &READ_V1)?;
    let read = ReadRequest::new(Wait::Default, parameter(&request, "max_bytes")?);
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    instance.check_format(types.answer)?;
    if !instance.reads_topic(topic) || app.client.cached_topic(topic).is_none() {
        // A consumer would wait for the topic for ever.
        metadata::topic(&app.client, V1, topic).await?;
        instance.subscribe_once(topic)?;
    }
    let body = consumers::read(&app.consumers, instance, read).await?;
    Ok(consumers::answer(&request, types.answer, body))
}

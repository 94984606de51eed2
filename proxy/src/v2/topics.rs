//! The topics of the cluster.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion::V2;
use crate::content_type::METADATA_V2;
use crate::error::Error;
use crate::json::write_string;
use crate::metadata::write_list;
use crate::{answer, metadata};

/// `GET /topics`: those that are not the broker's own.
pub(crate) async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    let topics = app.client.topics().await.map_err(Error::kafka(V2))?;
    let listed = topics.iter().filter(|topic| !topic.is_internal);
    let mut body = Vec::new();
    write_list(b"[]", listed, &mut body, |topic, body| write_string(&topic.name, body));
    Ok(answer::ok(types.answer, body))
}

/// `GET /topics/{topic}`: with all settings, defaults included.
pub(crate) async fn get(
    request: HttpRequest,
    app: Data<App>,
    name: Path<String>,
) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    let topic = metadata::topic(&app.client, V2, &name).await?;
    let configs = metadata::configs(&app.client, V2, &topic).await?;
    let mut body = Vec::new();
    metadata::write_topic(&topic, configs.iter(), topic.partitions.iter(), &mut body);
    Ok(answer::ok(types.answer, body))
}

//! The topics of the cluster.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use client::admin::ConfigSource;

use crate::app::App;
use crate::config::ApiVersion::V1;
use crate::content_type::METADATA_V1;
use crate::error::Error;
use crate::json::write_string;
use crate::metadata::write_list;
use crate::{answer, metadata};

/// `GET /topics`: all of them, internal ones as well.
pub(crate) async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, Error> {
    let types = METADATA_V1.negotiate(&request)?;
    let topics = app.client.topics().await.map_err(Error::kafka(V1))?;
    let mut body = Vec::new();
    write_list(b"[]", topics.iter(), &mut body, |topic, body| write_string(&topic.name, body));
    Ok(answer::ok(types.answer, body))
}

/// `GET /topics/{topic}`: with the settings that differ from the broker's.
pub(crate) async fn get(
    request: HttpRequest,
    app: Data<App>,
    name: Path<String>,
) -> Result<HttpResponse, Error> {
    let types = METADATA_V1.negotiate(&request)?;
    let topic = metadata::topic(&app.client, V1, &name).await?;
    let configs = metadata::configs(&app.client, V1, &topic).await?;
    let own = configs.iter().filter(|config| config.source == ConfigSource::DynamicTopic);
    let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
    let mut body = Vec::new();
    metadata::write_topic(&topic, own, led, &mut body);
    Ok(answer::ok(types.answer, body))
}

//! The partitions of a topic.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion::V1;
use crate::content_type::PARTITIONS_V1;
use crate::error::Error;
use crate::metadata::{write_list, write_partition};
use crate::{answer, metadata};

/// `GET /topics/{topic}/partitions`: those that have a leader.
pub(crate) async fn list(
    request: HttpRequest,
    app: Data<App>,
    topic: Path<String>,
) -> Result<HttpResponse, Error> {
    let types = PARTITIONS_V1.negotiate(&request)?;
    let topic = metadata::topic(&app.client, V1, &topic).await?;
    let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
    let mut body = Vec::new();
    write_list(b"[]", led, &mut body, write_partition);
    Ok(answer::ok(types.answer, body))
}

/// `GET /topics/{topic}/partitions/{partition}`
pub(crate) async fn get(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let types = PARTITIONS_V1.negotiate(&request)?;
    let (topic, partition) = &*path;
    metadata::partition_id(partition)?;
    let topic = metadata::topic(&app.client, V1, topic).await?;
    let mut body = Vec::new();
    write_partition(metadata::partition(&topic, partition)?, &mut body);
    Ok(answer::ok(types.answer, body))
}

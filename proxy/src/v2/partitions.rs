//! The partitions of a topic.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use client::admin::{OffsetSpec, list_offsets};
use client::consumer::{IsolationLevel, TopicPartition};

use crate::app::App;
use crate::config::ApiVersion::V2;
use crate::content_type::METADATA_V2;
use crate::error::Error;
use crate::json::write_integer;
use crate::metadata::{write_list, write_partition};
use crate::{answer, metadata};

/// `GET /topics/{topic}/partitions`
pub(crate) async fn list(
    request: HttpRequest,
    app: Data<App>,
    topic: Path<String>,
) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    let topic = metadata::topic(&app.client, V2, &topic).await?;
    let mut body = Vec::new();
    write_list(b"[]", topic.partitions.iter(), &mut body, write_partition);
    Ok(answer::ok(types.answer, body))
}

/// `GET /topics/{topic}/partitions/{partition}`
pub(crate) async fn get(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    let (topic, partition) = &*path;
    metadata::partition_id(partition)?;
    let topic = metadata::topic(&app.client, V2, topic).await?;
    let mut body = Vec::new();
    write_partition(metadata::partition(&topic, partition)?, &mut body);
    Ok(answer::ok(types.answer, body))
}

/// `GET /topics/{topic}/partitions/{partition}/offsets`: the oldest offset that
/// is kept, and the next one that readers will see.
pub(crate) async fn offsets(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    let (topic, partition) = &*path;
    metadata::partition_id(partition)?;
    let topic = metadata::topic(&app.client, V2, topic).await?;
    let id = metadata::partition(&topic, partition)?.id;
    let of = |spec| offset(&app, TopicPartition::new(topic.name.clone(), id), spec);
    let (beginning, end) = tokio::try_join!(of(OffsetSpec::Earliest), of(OffsetSpec::Latest))?;
    let mut body = br#"{"beginning_offset":"#.to_vec();
    write_integer(beginning, &mut body);
    body.extend_from_slice(br#","end_offset":"#);
    write_integer(end, &mut body);
    body.push(b'}');
    Ok(answer::ok(types.answer, body))
}

async fn offset(app: &App, partition: TopicPartition, spec: OffsetSpec) -> Result<i64, Error> {
    let kafka = Error::kafka(V2);
    let asked = vec![(partition, spec)];
    let answer = list_offsets(&app.client, asked, IsolationLevel::ReadUncommitted).await;
    let (_, listed) = answer.map_err(&kafka)?.pop().ok_or(Error::PartitionNotFound)?;
    listed.map_err(&kafka)?.offset.ok_or(Error::Internal)
}

//! Reading a partition without a consumer instance.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use client::consumer::TopicPartition;

use crate::app::App;
use crate::config::ApiVersion::V1;
use crate::consumers::{self, SimpleRead, Start};
use crate::content_type::READ_V1;
use crate::error::Error;
use crate::formats::Format;
use crate::query::parameter;
use crate::timestamp::parse_millis;
use crate::{answer, metadata};

/// `GET /topics/{topic}/partitions/{partition}/messages`
pub(crate) async fn read(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let types = READ_V1.negotiate(&request)?;
    let (topic, partition) = &*path;
    metadata::partition_id(partition)?;
    let start = start(&request)?;
    let count = parameter::<i64>(&request, "count")?.unwrap_or(1);
    let format = types.answer.format().unwrap_or(Format::Binary);
    let codec = format.codec();
    let topic = metadata::topic(&app.client, V1, topic).await?;
    let partition = metadata::partition(&topic, partition)?;
    let id = partition.leader.map(|_| partition.id).ok_or(Error::LeaderNotAvailable)?;
    let partition = TopicPartition::new(topic.name.clone(), id);
    let Some(count) = usize::try_from(count).ok().filter(|&count| count > 0) else {
        return Ok(answer::ok(types.answer, b"[]".to_vec()));
    };
    let read = SimpleRead { partition, start, count, codec };
    let memory = app.consumers.answers().share();
    let body = app.simple_consumers.read(read, memory).await?;
    Ok(consumers::answer(&request, types.answer, body))
}

/// Where to begin: at the beginning of all offsets, unless one is named.
fn start(request: &HttpRequest) -> Result<Start, Error> {
    let offset = parameter::<i64>(request, "offset")?;
    let timestamp = parameter::<String>(request, "timestamp")?;
    match (offset, timestamp) {
        (offset, None) => Ok(Start::Offset(offset.unwrap_or(0))),
        // A timestamp that is none is like any other parameter that cannot be read.
        (None, Some(text)) => parse_millis(&text).map(Start::Timestamp).ok_or(Error::NotFound),
        (Some(_), Some(_)) => Err(Error::Malformed(
            "Either `offset` or `timestamp` query parameters must be set.".to_owned(),
        )),
    }
}

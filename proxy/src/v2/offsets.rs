//! Committed offsets of consumer instances.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use client::consumer::OffsetAndMetadata;
use client::consumer::TopicPartition;
use protocol::Str;
use serde::Deserialize;

use super::bodies::{PartitionsBody, must_not_be_negative, must_not_be_null, name_partition};
use crate::answer;
use crate::app::App;
use crate::body::Body;
use crate::coerce::{Int, Long, Text, objects};
use crate::config::ApiVersion::V2;
use crate::consumers::InUse;
use crate::content_type::{CONSUMERS_V2, Negotiated};
use crate::error::Error;
use crate::json::{write_integer, write_string};
use crate::metadata::write_list;
use crate::query::parameter;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitBody {
    #[serde(default, deserialize_with = "objects")]
    offsets: Option<Vec<OffsetBody>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OffsetBody {
    topic: Option<Text>,
    partition: Option<Int>,
    offset: Option<Long>,
    metadata: Option<Text>,
}

/// What is to be committed. Kafka keeps the offset of the next record, where a
/// body names that of the last one that was processed.
fn to_commit(body: Vec<OffsetBody>) -> Result<Vec<(TopicPartition, OffsetAndMetadata)>, Error> {
    let offsets = body.into_iter().enumerate().map(|(index, named)| {
        let path = format!("offsets[{index}]");
        let partition = name_partition(&path, named.topic, named.partition)?;
        let path = format!("{path}.offset");
        let Long(last) = named.offset.ok_or_else(|| must_not_be_null(&path))?;
        must_not_be_negative(&path, last)?;
        let next = last.checked_add(1);
        let offset = next.ok_or_else(|| Error::Invalid(format!("{path} is too large")))?;
        let metadata = named.metadata.map_or(Str::default(), |Text(metadata)| metadata.into());
        Ok((partition, OffsetAndMetadata { offset, leader_epoch: None, metadata }))
    });
    offsets.collect()
}

/// `POST /consumers/{group}/instances/{instance}/offsets`: those that the body
/// names; without any, what was delivered.
pub(crate) async fn commit(
    app: &App,
    request: &HttpRequest,
    types: Negotiated,
    instance: Option<InUse>,
    body: Body,
) -> Result<HttpResponse, Error> {
    let body = body.json::<CommitBody>().await?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let offsets = body.and_then(|body| body.offsets).map(to_commit).transpose()?;
    let is_async = parameter::<String>(request, "async")?.is_some_and(|text| text == "true");
    let committed = match offsets {
        Some(offsets) => {
            look_up_missing(app, &offsets).await?;
            app.consumers.start(async move { instance.commit(offsets).await })
        }
        None => app.consumers.start(async move { instance.commit_delivered().await.map(drop) }),
    };
    if !is_async {
        committed.await.map_err(|_| Error::Internal)??;
    }
    Ok(answer::ok(types.answer, b"[]".to_vec()))
}

/// Looks those partitions up that are not known, and may be new.
async fn look_up_missing(
    app: &App,
    offsets: &[(TopicPartition, OffsetAndMetadata)],
) -> Result<(), Error> {
    let is_known = |name: &TopicPartition| {
        let topic = app.client.cached_topic(&name.topic);
        topic.is_some_and(|topic| topic.partition(name.partition).is_some())
    };
    let missing = offsets.iter().map(|(name, _)| name).filter(|name| !is_known(name));
    let mut topics: Vec<Str> = missing.map(|name| name.topic.clone()).collect();
    topics.sort();
    topics.dedup();
    if topics.is_empty() {
        return Ok(());
    }
    app.client.refresh_topics(&topics).await.map_err(Error::kafka(V2))
}

/// `GET /consumers/{group}/instances/{instance}/offsets`, with a body that
/// names partitions. Those without a committed offset are left out.
pub(crate) async fn committed(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (types, instance) = app.consumers.call(&request, (group, name), V2, &CONSUMERS_V2)?;
    let body = app.bodies.read(&request, payload).await?.json::<PartitionsBody>().await?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let body = body.ok_or(Error::PartitionNotFound)?;
    let partitions = PartitionsBody::into_partitions(Some(body))?;
    let committed = instance.committed(partitions).await?;
    let committed = committed.iter().filter_map(|(name, offset)| Some((name, offset.as_ref()?)));
    let mut body = br#"{"offsets":"#.to_vec();
    write_list(b"[]", committed, &mut body, |(partition, committed), body| {
        body.extend_from_slice(br#"{"topic":"#);
        write_string(&partition.topic, body);
        body.extend_from_slice(br#","partition":"#);
        write_integer(partition.partition, body);
        body.extend_from_slice(br#","offset":"#);
        write_integer(committed.offset, body);
        body.extend_from_slice(br#","metadata":"#);
        write_string(&committed.metadata, body);
        body.push(b'}');
    });
    body.push(b'}');
    Ok(answer::ok(types.answer, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_offset_is_committed() {
        let body = |offset: &str| {
            let json = format!(
                r#"{{"offsets":[{{"topic":"a","partition":0,"offset":{offset},"metadata":"m"}}]}}"#
            );
            to_commit(serde_json::from_str::<CommitBody>(&json).unwrap().offsets.unwrap())
        };
        let expected =
            OffsetAndMetadata { offset: 21, leader_epoch: None, metadata: Str::from("m") };
        assert_eq!(body("20").unwrap(), [(TopicPartition::new("a", 0), expected)]);
        for offset in ["-1", "-2", "null", &i64::MAX.to_string()] {
            assert_eq!(body(offset).unwrap_err().error_code(), 422, "{offset}");
        }
    }
}

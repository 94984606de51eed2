//! Where a consumer instance reads on: the offset of the next record.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use client::consumer::TopicPartition;
use serde::Deserialize;

use super::bodies::{PartitionsBody, must_not_be_negative, must_not_be_null, name_partition};
use crate::answer;
use crate::app::App;
use crate::coerce::{Int, Long, Text, objects};
use crate::config::ApiVersion::V2;
use crate::consumers::InUse;
use crate::content_type::CONSUMERS_V2;
use crate::error::Error;
use crate::timestamp::parse_millis;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeekBody {
    #[serde(default, deserialize_with = "objects")]
    offsets: Option<Vec<SeekToOffset>>,
    #[serde(default, deserialize_with = "objects")]
    timestamps: Option<Vec<SeekToTimestamp>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeekToOffset {
    topic: Option<Text>,
    partition: Option<Int>,
    offset: Option<Long>,
    /// Taken, and of no meaning for a position.
    #[serde(rename = "metadata")]
    _metadata: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeekToTimestamp {
    topic: Option<Text>,
    partition: Option<Int>,
    timestamp: Option<Text>,
}

/// Partitions, with an offset or with milliseconds since 1970.
type Targets = Vec<(TopicPartition, i64)>;

impl SeekBody {
    /// Offsets and timestamps.
    fn into_targets(self) -> Result<(Targets, Targets), Error> {
        let mut offsets = Vec::new();
        for (index, to) in self.offsets.into_iter().flatten().enumerate() {
            let path = format!("offsets[{index}]");
            let partition = name_partition(&path, to.topic, to.partition)?;
            let path = format!("{path}.offset");
            let Long(offset) = to.offset.ok_or_else(|| must_not_be_null(&path))?;
            must_not_be_negative(&path, offset)?;
            offsets.push((partition, offset));
        }
        let mut timestamps = Vec::new();
        for (index, to) in self.timestamps.into_iter().flatten().enumerate() {
            let path = format!("timestamps[{index}]");
            let partition = name_partition(&path, to.topic, to.partition)?;
            let path = format!("{path}.timestamp");
            let Text(text) = to.timestamp.ok_or_else(|| must_not_be_null(&path))?;
            let timestamp = parse_millis(&text).ok_or_else(|| {
                Error::Malformed(format!("{path} is not a time such as 2021-02-05T19:14:42Z"))
            })?;
            timestamps.push((partition, timestamp));
        }
        Ok((offsets, timestamps))
    }
}

/// `POST /consumers/{group}/instances/{instance}/positions`: offsets first,
/// then timestamps.
pub(crate) async fn post(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (_, instance) = app.consumers.call(&request, (group, name), V2, &CONSUMERS_V2)?;
    let body = app.bodies.read(&request, payload).await?.json::<SeekBody>().await?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let body = body.ok_or_else(|| must_not_be_null("request"))?;
    let (offsets, timestamps) = body.into_targets()?;
    if offsets.is_empty() && timestamps.is_empty() {
        return Ok(answer::no_content());
    }
    instance.wait_for_join().await;
    for (partition, offset) in offsets {
        instance.seek(&partition, offset)?;
    }
    for (partition, timestamp) in timestamps {
        instance.seek_to_timestamp(&partition, timestamp).await?;
    }
    Ok(answer::no_content())
}

/// `POST /consumers/{group}/instances/{instance}/positions/beginning`
pub(crate) async fn beginning(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (instance, partitions) = seek_to(&request, &app, &path, payload).await?;
    instance.seek_to_beginning(partitions).await?;
    Ok(answer::no_content())
}

/// `POST /consumers/{group}/instances/{instance}/positions/end`
pub(crate) async fn end(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (instance, partitions) = seek_to(&request, &app, &path, payload).await?;
    instance.seek_to_end(partitions).await?;
    Ok(answer::no_content())
}

/// The partitions to move, none of which means all, once there is an assignment.
async fn seek_to(
    request: &HttpRequest,
    app: &App,
    (group, name): &(String, String),
    payload: Payload,
) -> Result<(InUse, Vec<TopicPartition>), Error> {
    let (_, instance) = app.consumers.call(request, (group, name), V2, &CONSUMERS_V2)?;
    let body = app.bodies.read(request, payload).await?.json().await?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let partitions = PartitionsBody::into_partitions(body)?;
    instance.wait_for_join().await;
    Ok((instance, partitions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(json: &str) -> Result<(Targets, Targets), Error> {
        serde_json::from_str::<SeekBody>(json).unwrap().into_targets()
    }

    #[test]
    fn positions_are_offsets_or_times() {
        let (offsets, timestamps) = targets(
            r#"{"timestamps":[{"topic":"a","partition":1,"timestamp":"1970-01-01T00:00:01Z"}],
                "offsets":[{"topic":"a","partition":0,"offset":20,"metadata":"m"}]}"#,
        )
        .unwrap();
        assert_eq!(offsets, [(TopicPartition::new("a", 0), 20)]);
        assert_eq!(timestamps, [(TopicPartition::new("a", 1), 1_000)]);
        assert_eq!(targets("{}").unwrap(), (vec![], vec![]));
        for (body, code) in [
            (r#"{"offsets":[{"topic":"a","partition":0,"offset":-1}]}"#, 422),
            (r#"{"offsets":[{"topic":"a","partition":0}]}"#, 422),
            (r#"{"timestamps":[{"topic":"a","partition":0,"timestamp":"noon"}]}"#, 400),
        ] {
            assert_eq!(targets(body).unwrap_err().error_code(), code, "{body}");
        }
    }
}

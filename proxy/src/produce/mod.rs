//! Producing: what API v1 and v2 have in common.
//!
//! `records` takes a body apart and writes its records into one buffer for
//! each partition; here they are handed to the producer, one call for each
//! partition; `offsets` puts the answers back into the order of the request.
//! For formats with schemas, the body is walked once more before: `schemas`
//! gets those that it names, wherever in it they stand.

mod offsets;
mod records;
mod schemas;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use client::producer::{Delivery, PendingDelivery, ProduceError, WakeGroup};
use client::{AutoCreate, Topic};
use protocol::{ErrorCode, Str};
use registry::SchemaType;

use crate::app::App;
use crate::body::{self, Body};
use crate::config::ApiVersion;
use crate::content_type::Negotiated;
use crate::error::Error;
use crate::formats::{Codec, Format};
use crate::metadata;

use self::offsets::Offsets;
use self::records::{Destination, Group, Reader, Records};
use self::schemas::SchemasOfRecords;

/// What a produce request asks for, without its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The API it speaks.
    pub(crate) version: ApiVersion,
    /// How keys and values are written.
    pub(crate) codec: Codec,
    /// The topic.
    pub(crate) topic: &'a str,
    /// The partition, if the path names one.
    pub(crate) partition: Option<i32>,
    /// The requests of this worker thread, which are woken together.
    pub(crate) wake_group: Option<&'a Arc<WakeGroup>>,
}

/// The requests that wait on the worker thread that serves this one.
pub(crate) fn wake_group(request: &HttpRequest) -> Option<&Arc<WakeGroup>> {
    request.app_data::<web::Data<WakeGroup>>().map(std::ops::Deref::deref)
}

/// The answer to a produce request that was carried out, maybe not for all records.
#[derive(Debug)]
pub(crate) struct Produced {
    /// What became of each record, as JSON.
    pub(crate) body: Vec<u8>,
    /// The status that API v2 gives it.
    pub(crate) status: StatusCode,
}

/// The codec of a body. What names no format is binary.
pub(crate) fn codec(types: Negotiated) -> Codec {
    let format = types.request.and_then(|media_type| media_type.format()).unwrap_or(Format::Binary);
    format.codec()
}

/// Produces the records of `body`.
///
/// # Errors
/// When nothing was produced: the body is not as it should be, or there is no
/// such topic or partition. What happens to single records is in the answer.
pub(crate) async fn produce(
    app: &App,
    request: Request<'_>,
    body: Body,
) -> Result<Produced, Error> {
    let mut reader = Reader::new(request, body);
    if let Some(schema_type) = request.codec.schema_type() {
        reader.schemas = find_schemas(app, &mut reader, request, schema_type).await?;
    }
    let ids = reader.schemas.ids();
    let topic = match app.client.cached_topic(request.topic) {
        Some(topic) => topic,
        None => {
            // A body that is wrong must not create the topic.
            let records = read(&mut reader, None).await?;
            match find_or_create(app, request.topic).await {
                Ok(topic) => topic,
                Err(NoTopic::Unknown) => return Err(Error::ProduceToUnknownTopic),
                Err(NoTopic::Refused(error)) => {
                    return Ok(Offsets::all_failed(records.count(), &error, ids));
                }
            }
        }
    };
    let (topic, records) = read_for(app, &mut reader, topic, request.partition).await?;
    drop(reader);
    let Records { order, groups } = records;
    let partitions: Vec<i32> = groups.iter().map(|group| group.partition).collect();
    let deliveries = deliver(app, Arc::clone(&topic), groups, request.wake_group).await?;
    if deliveries.iter().all(|delivery| matches!(delivery, Err(ProduceError::UnknownTopic(_)))) {
        // It was deleted since it was looked up.
        return Err(Error::ProduceToUnknownTopic);
    }
    let deliveries = &deliveries;
    Ok(Offsets { topic: &topic, partitions: &partitions, deliveries, ids }.merge(&order))
}

/// Reads the body for a topic. When it names partitions that the topic does
/// not seem to have, that is asked for again: they may be new.
async fn read_for(
    app: &App,
    reader: &mut Reader,
    mut topic: Arc<Topic>,
    partition: Option<i32>,
) -> Result<(Arc<Topic>, Records), Error> {
    for is_last in [false, true] {
        let destination = Destination {
            partitioner: app.producer.partitioner(&topic),
            topic: Arc::clone(&topic),
        };
        let records = read(reader, Some(destination)).await?;
        let is_missing = partition.is_some_and(|id| topic.partition(id).is_none());
        if !is_missing && records.groups.iter().all(|group| group.exists) {
            return Ok((topic, records));
        }
        if is_last {
            return if is_missing { Err(Error::PartitionNotFound) } else { Ok((topic, records)) };
        }
        // When that fails, what was known before will do.
        _ = app.client.refresh_topics(std::slice::from_ref(&topic.name)).await;
        topic = app.client.cached_topic(&topic.name).ok_or(Error::ProduceToUnknownTopic)?;
    }
    unreachable!("the last attempt returns")
}

/// The schemas that the body names.
async fn find_schemas(
    app: &App,
    reader: &mut Reader,
    request: Request<'_>,
    schema_type: SchemaType,
) -> Result<SchemasOfRecords, Error> {
    let schemas = app.schemas.as_deref().ok_or(Error::NoRegistry)?;
    let survey = elsewhere_if_large(reader, Reader::survey).await?;
    let Request { version, topic, .. } = request;
    let found = schemas::find(schemas, survey, schema_type, topic, version).await?;
    let takes_null = version == ApiVersion::V2 && !app.config.produce.null_is_empty_record;
    Ok(SchemasOfRecords { takes_null, ..found })
}

/// Reads the body.
async fn read(reader: &mut Reader, destination: Option<Destination>) -> Result<Records, Error> {
    elsewhere_if_large(reader, move |reader| reader.read(destination.as_ref())).await
}

/// Works on the body, elsewhere if that takes long.
async fn elsewhere_if_large<T: Send + 'static>(
    reader: &mut Reader,
    work: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if reader.body_length() < body::LARGE {
        return work(reader);
    }
    let own = reader.take();
    let worked = web::block(move || {
        let outcome = work(&own);
        (own, outcome)
    });
    let (own, outcome) = worked.await.map_err(|_| Error::Internal)?;
    *reader = own;
    outcome
}

/// Why there is no topic to produce to.
enum NoTopic {
    /// It does not exist, and is not created.
    Unknown,
    /// Nobody may know, or create it.
    Refused(ProduceError),
}

async fn find_or_create(app: &App, name: &str) -> Result<Arc<Topic>, NoTopic> {
    if !metadata::is_legal_name(name) {
        return Err(invalid_topic(name));
    }
    match app.client.topic(name, AutoCreate::Yes).await {
        Ok(Some(topic)) => Ok(topic),
        Ok(None) => Err(NoTopic::Unknown),
        // Another name differs from it only where there is a dot or an underscore.
        Err(client::Error::Kafka { code: ErrorCode::InvalidTopicException, .. }) => {
            Err(invalid_topic(name))
        }
        Err(error) => {
            tracing::warn!(topic = name, %error, "cannot look up a topic to produce to");
            Err(NoTopic::Refused(error.into()))
        }
    }
}

/// In the words of Kafka's producer.
fn invalid_topic(name: &str) -> NoTopic {
    let message = Some(Str::from(format!("Invalid topics: [{name}]")));
    NoTopic::Refused(ProduceError::Refused { code: ErrorCode::InvalidTopicException, message })
}

/// Hands the records over and waits for what becomes of them. They are
/// produced even if the client hangs up meanwhile.
async fn deliver(
    app: &App,
    topic: Arc<Topic>,
    groups: Vec<Group>,
    wake_group: Option<&Arc<WakeGroup>>,
) -> Result<Vec<Result<Delivery, ProduceError>>, Error> {
    let mut pending = Vec::with_capacity(groups.len());
    let mut groups = groups.into_iter();
    // Mostly that takes no waiting.
    while let Some(group) = groups.next() {
        let Group { partition, exists, records } = group;
        match app.producer.try_enqueue(&topic, partition, records) {
            Ok(enqueued) => pending.push(enqueued),
            Err(records) => {
                let left = [Group { partition, exists, records }].into_iter().chain(groups);
                let enqueue = enqueue(app.producer.clone(), topic, left.collect());
                let task = app.tasks.spawn_on(enqueue, &app.runtime);
                pending.extend(task.await.map_err(|_| Error::Internal)?);
                break;
            }
        }
    }
    let mut deliveries = Vec::with_capacity(pending.len());
    for pending in pending {
        deliveries.push(match (pending, wake_group) {
            (Ok(pending), Some(group)) => pending.wake_with(group).await,
            (Ok(pending), None) => pending.await,
            (Err(error), _) => Err(error),
        });
    }
    Ok(deliveries)
}

async fn enqueue(
    producer: client::producer::Producer,
    topic: Arc<Topic>,
    groups: Vec<Group>,
) -> Vec<Result<PendingDelivery, ProduceError>> {
    let mut pending = Vec::with_capacity(groups.len());
    for Group { partition, exists, records } in groups {
        pending.push(if exists {
            producer.enqueue(&topic.name, partition, records).await
        } else {
            Err(ProduceError::UnknownPartition { topic: topic.name.clone(), partition })
        });
    }
    pending
}

//! Produce, versions 3 to 13: one batch for each partition.
//!
//! 5 log start offset · 7 zstd · 8 errors of single records (KIP-467) ·
//! 9 flexible · 10 the leader with an error · 12 transactions without
//! AddPartitionsToTxn · 13 topics by id.
//!
//! Versions 0 to 2 are listed, because old librdkafka looks for them before it
//! compresses anything, and refused with error 35: their record format is gone.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join_all;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceData, PartitionProduceResponse, TopicProduceResponse,
};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::{ErrorCode, Str};

use crate::context::Context;
use crate::log::{Acks, AppendError, AppendOptions, Completion, Partition};
use crate::node::Node;
use crate::topics::Topic;
use crate::topics::name;

/// What a Produce request comes to.
#[derive(Debug)]
pub(crate) enum Appended {
    /// The response to send.
    Answer(ProduceResponse),
    /// The client wants no answer.
    Silent,
    /// The client wants no answer, and should know that records are lost.
    SilentFailure,
}

/// The oldest version whose record format still exists.
const FIRST_VERSION: i16 = 3;
/// Since this version topics are named by their ids.
const TOPIC_ID_VERSION: i16 = 13;

/// What one partition of the request comes to.
struct Pending {
    index: i32,
    partition: Option<Arc<Partition>>,
    outcome: Result<Completion, AppendError>,
}

/// Appends what the request brings, in its order. The future that is given back
/// is ready when the records are as durable as `acks` asks.
pub(crate) async fn append(
    request: ProduceRequest,
    node: &Node,
    context: &Context,
) -> impl Future<Output = Appended> + Send + use<> {
    let version = context.api_version;
    let acks = Acks::from_wire(request.acks);
    let refused = match acks {
        _ if version < FIRST_VERSION => Some(ErrorCode::UnsupportedVersion),
        None => Some(ErrorCode::InvalidRequiredAcks),
        // Nobody was made its coordinator.
        Some(_) if request.transactional_id.is_some() => Some(ErrorCode::InvalidProducerIdMapping),
        Some(_) => None,
    };
    let wants_answer = acks != Some(Acks::None);
    let mut topics = Vec::with_capacity(request.topic_data.len());
    let mut refusal = None;
    if let Some(error_code) = refused {
        refusal = Some(refuse(request, error_code));
    } else {
        let options = AppendOptions::producer(acks.unwrap_or(Acks::All), version);
        for topic in request.topic_data {
            let found = if version >= TOPIC_ID_VERSION {
                node.topics().by_id(topic.topic_id).ok_or(ErrorCode::UnknownTopicId)
            } else {
                let found = node.topics().by_name(&topic.name);
                found.ok_or(ErrorCode::UnknownTopicOrPartition)
            };
            let mut partitions = Vec::with_capacity(topic.partition_data.len());
            for data in topic.partition_data {
                let index = data.index;
                let partition = find(found.as_deref(), index);
                let outcome = match &partition {
                    Ok(partition) => append_one(partition, data, options).await,
                    Err(error_code) => Err(AppendError::refused(*error_code)),
                };
                partitions.push(Pending { index, partition: partition.ok(), outcome });
            }
            topics.push((topic.name, topic.topic_id, partitions));
        }
    }
    async move {
        let response = match refusal {
            Some(refusal) => refusal,
            None => {
                let mut responses = Vec::with_capacity(topics.len());
                for (name, topic_id, partitions) in topics {
                    let partitions = partitions.into_iter().map(finish);
                    let partition_responses = join_all(partitions).await;
                    responses.push(TopicProduceResponse { name, topic_id, partition_responses });
                }
                ProduceResponse { responses, ..Default::default() }
            }
        };
        let partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        let has_error =
            partitions.into_iter().any(|partition| partition.error_code != ErrorCode::None);
        match (wants_answer, has_error) {
            (true, _) => Appended::Answer(response),
            (false, true) => Appended::SilentFailure,
            (false, false) => Appended::Silent,
        }
    }
}

fn find(topic: Result<&Topic, &ErrorCode>, index: i32) -> Result<Arc<Partition>, ErrorCode> {
    let topic = topic.map_err(|error_code| *error_code)?;
    if name::is_internal(&topic.name) {
        return Err(ErrorCode::InvalidTopicException);
    }
    topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)
}

async fn append_one(
    partition: &Arc<Partition>,
    data: PartitionProduceData,
    options: AppendOptions,
) -> Result<Completion, AppendError> {
    let records = data.records.map(protocol::Records::into_bytes).unwrap_or_default();
    partition.append(records, options).await
}

async fn finish(pending: Pending) -> PartitionProduceResponse {
    let index = pending.index;
    let outcome = match pending.outcome {
        Ok(completion) => completion.await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(appended) => PartitionProduceResponse {
            index,
            error_code: ErrorCode::None,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time_ms,
            log_start_offset: appended.log_start_offset,
            ..Default::default()
        },
        Err(error) => refused(index, &error, pending.partition.as_deref()),
    }
}

fn refused(
    index: i32,
    error: &AppendError,
    partition: Option<&Partition>,
) -> PartitionProduceResponse {
    let partition = partition.filter(|_| error.is_about_content());
    PartitionProduceResponse {
        index,
        error_code: error.error_code(),
        base_offset: -1,
        log_start_offset: partition.map_or(-1, Partition::log_start_offset),
        record_errors: error
            .record_errors()
            .iter()
            .map(|(batch_index, message)| BatchIndexAndErrorMessage {
                batch_index: *batch_index,
                batch_index_error_message: Some(Str::from(message.as_str())),
            })
            .collect(),
        error_message: error.message(),
        ..Default::default()
    }
}

/// The same error for everything that was sent.
pub(crate) fn refuse(request: ProduceRequest, error_code: ErrorCode) -> ProduceResponse {
    let responses = request.topic_data.into_iter().map(|topic| TopicProduceResponse {
        name: topic.name,
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|data| PartitionProduceResponse {
                index: data.index,
                error_code,
                base_offset: -1,
                ..Default::default()
            })
            .collect(),
    });
    ProduceResponse { responses: responses.collect(), ..Default::default() }
}

//! Produce requests: from batches to bytes, and from answers to outcomes.

use protocol::messages::ProduceRequest;
use protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use protocol::records::BatchBuilder;
use protocol::{Records, Str};

use super::accumulator::{Outcome, Planned};
use super::answer::{Failure, read};
use super::{Appended, ProducerConfig};
use crate::Error;

/// Builds a request from its batches, which it sorts by their topics.
pub(super) fn build(
    batches: &mut [Planned],
    builder: &mut BatchBuilder,
    config: &ProducerConfig,
) -> ProduceRequest {
    batches.sort_by(|a, b| a.topic.cmp(&b.topic));
    let mut topic_data: Vec<TopicProduceData> = Vec::new();
    for batch in batches.iter() {
        let records = Some(Records::Bytes(batch.shipment.build(builder)));
        let data = PartitionProduceData { index: batch.index, records };
        match topic_data.last_mut() {
            Some(topic) if topic.name == batch.topic => topic.partition_data.push(data),
            _ => topic_data.push(TopicProduceData {
                name: batch.topic.clone(),
                topic_id: batch.topic_id,
                partition_data: vec![data],
            }),
        }
    }
    let timeout_ms = i32::try_from(config.request_timeout.as_millis()).unwrap_or(i32::MAX);
    ProduceRequest { transactional_id: None, acks: config.acks.code(), timeout_ms, topic_data }
}

/// What the answer says of each batch.
pub(super) fn outcomes(
    batches: &[Planned],
    answer: &Result<ProduceResponse, Error>,
) -> Vec<Outcome> {
    let mut expected = 0;
    let mut found: Vec<Option<Result<Appended, Failure>>> = batches.iter().map(|_| None).collect();
    if let Ok(response) = answer {
        for topic in &response.responses {
            for partition in &topic.partition_responses {
                // Answers come in the order of the request, as a rule.
                let is_it = |batch: &Planned| is_about(batch, topic, partition);
                let index = match batches.get(expected) {
                    Some(batch) if is_it(batch) => Some(expected),
                    _ => batches.iter().position(is_it),
                };
                let Some(index) = index else { continue };
                expected = index + 1;
                if let Some(slot) = found.get_mut(index) {
                    *slot = Some(read(partition));
                }
            }
        }
    }
    let outcome = |(batch, found): (&Planned, Option<_>)| Outcome {
        key: batch.key,
        number: batch.shipment.number,
        answer: found.unwrap_or_else(|| {
            Err(match answer {
                Ok(_) => Failure::missing(),
                Err(error) => Failure::unanswered(error.clone()),
            })
        }),
    };
    batches.iter().zip(found).map(outcome).collect()
}

/// What becomes of batches that nobody answers (acks=0).
pub(super) fn unanswered(batches: &[Planned]) -> Vec<Outcome> {
    all(batches, || Ok(Appended { base_offset: -1, log_append_time: -1 }))
}

/// What becomes of batches that could not be sent.
pub(super) fn unsent(batches: &[Planned], error: &Error) -> Vec<Outcome> {
    all(batches, || Err(Failure::unsent(error.clone())))
}

fn all(batches: &[Planned], answer: impl Fn() -> Result<Appended, Failure>) -> Vec<Outcome> {
    let outcome = |batch: &Planned| Outcome {
        key: batch.key,
        number: batch.shipment.number,
        answer: answer(),
    };
    batches.iter().map(outcome).collect()
}

/// Versions up to 12 name the topic, later ones its id.
fn is_about(
    batch: &Planned,
    topic: &TopicProduceResponse,
    partition: &PartitionProduceResponse,
) -> bool {
    let same_topic = if topic.name == Str::default() {
        topic.topic_id == batch.topic_id
    } else {
        topic.name == batch.topic
    };
    same_topic && partition.index == batch.index
}

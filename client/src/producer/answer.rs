//! What a broker's answer, or the lack of one, means for a batch.

use protocol::messages::produce::PartitionProduceResponse;
use protocol::{ErrorCode, Str};

use super::{Appended, ProduceError};
use crate::Error;

/// What is to be done with a batch that was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it again as it is.
    Retry {
        /// This attempt may have written it.
        maybe_written: bool,
    },
    /// It is not written, because its sequence number is not the one that the
    /// broker expects, or its epoch is over.
    Lost,
    /// It is not written, and smaller ones may be.
    TooLarge,
    /// It is not written, and may be without one of its records.
    Refused {
        /// Whether that is about the records for sure. Brokers look at records
        /// before they look at sequence numbers, so an earlier attempt without
        /// an answer has not written them either.
        for_sure: bool,
    },
    /// It is not written, and no part of it would be.
    Hopeless,
}

/// Why a batch was not accepted.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) verdict: Verdict,
    pub(super) error: ProduceError,
    /// Records that the broker found invalid, by their place in the batch (KIP-467).
    pub(super) records: Vec<(usize, Option<Str>)>,
    /// Another node may lead the partition now.
    pub(super) stale_leader: bool,
}

impl Failure {
    /// The error of a record that the broker named.
    pub(super) fn of_record(&self, message: Option<&Str>) -> ProduceError {
        match message.filter(|message| !message.is_empty()) {
            Some(message) => ProduceError::Refused {
                code: self.error.error_code(),
                message: Some(message.clone()),
            },
            None => self.error.clone(),
        }
    }

    /// The error of records that were beside one that the broker named.
    pub(super) fn of_others(&self, message: &'static str) -> ProduceError {
        ProduceError::Refused {
            code: ErrorCode::InvalidRecord,
            message: Some(Str::from_static(message)),
        }
    }

    /// The request was sent, and has no answer or none that can be used.
    pub(super) fn unanswered(error: Error) -> Self {
        Self::of_call(error, true)
    }

    /// The request was not sent.
    pub(super) fn unsent(error: Error) -> Self {
        Self::of_call(error, false)
    }

    fn of_call(error: Error, maybe_written: bool) -> Self {
        let verdict = match &error {
            Error::Kafka { code, .. } => verdict(*code),
            Error::Connect { .. }
            | Error::UnknownNode(_)
            | Error::NoController
            | Error::Disconnected { .. }
            | Error::Timeout { .. }
            | Error::Malformed { .. } => Verdict::Retry { maybe_written },
            Error::UnsupportedApi { .. } | Error::NoBootstrapServers | Error::Closed => {
                Verdict::Hopeless
            }
        };
        Self { verdict, error: error.into(), records: Vec::new(), stale_leader: true }
    }

    /// The answer does not mention the partition.
    pub(super) fn missing() -> Self {
        let error = ProduceError::Refused { code: ErrorCode::UnknownServerError, message: None };
        let verdict = Verdict::Retry { maybe_written: true };
        Self { verdict, error, records: Vec::new(), stale_leader: true }
    }
}

/// Reads the answer for one partition.
pub(super) fn read(answer: &PartitionProduceResponse) -> Result<Appended, Failure> {
    let code = answer.error_code;
    if code == ErrorCode::None {
        return Ok(Appended {
            base_offset: answer.base_offset,
            log_append_time: answer.log_append_time_ms,
        });
    }
    if code == ErrorCode::DuplicateSequenceNumber {
        // It was written long ago, and the broker has forgotten where.
        return Ok(Appended { base_offset: -1, log_append_time: -1 });
    }
    let message = answer.error_message.as_ref().filter(|message| !message.is_empty());
    let records = answer.record_errors.iter().filter_map(|record| {
        let index = usize::try_from(record.batch_index).ok()?;
        Some((index, record.batch_index_error_message.as_ref().map(Str::detached)))
    });
    Err(Failure {
        verdict: verdict(code),
        error: ProduceError::Refused { code, message: message.map(Str::detached) },
        records: records.collect(),
        stale_leader: is_about_leader(code),
    })
}

fn verdict(code: ErrorCode) -> Verdict {
    match code {
        ErrorCode::OutOfOrderSequenceNumber
        | ErrorCode::UnknownProducerId
        | ErrorCode::InvalidProducerEpoch
        | ErrorCode::InvalidProducerIdMapping
        | ErrorCode::ProducerFenced => Verdict::Lost,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => Verdict::TooLarge,
        // The leader may have written it before it ran into these.
        ErrorCode::RequestTimedOut
        | ErrorCode::NetworkException
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::KafkaStorageError => Verdict::Retry { maybe_written: true },
        ErrorCode::TopicAuthorizationFailed
        | ErrorCode::ClusterAuthorizationFailed
        | ErrorCode::TransactionalIdAuthorizationFailed
        | ErrorCode::InvalidTopicException
        | ErrorCode::InvalidRequiredAcks
        | ErrorCode::UnsupportedVersion
        | ErrorCode::UnsupportedCompressionType
        | ErrorCode::UnsupportedForMessageFormat => Verdict::Hopeless,
        ErrorCode::InvalidRecord | ErrorCode::InvalidTimestamp | ErrorCode::PolicyViolation => {
            Verdict::Refused { for_sure: true }
        }
        code if code.is_retriable() => Verdict::Retry { maybe_written: false },
        _ => Verdict::Refused { for_sure: false },
    }
}

fn is_about_leader(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::ListenerNotFound
            | ErrorCode::KafkaStorageError
            | ErrorCode::NetworkException
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_verdict() {
        for (code, expected) in [
            (ErrorCode::NotLeaderOrFollower, Verdict::Retry { maybe_written: false }),
            (ErrorCode::NotEnoughReplicas, Verdict::Retry { maybe_written: false }),
            (ErrorCode::RequestTimedOut, Verdict::Retry { maybe_written: true }),
            (ErrorCode::OutOfOrderSequenceNumber, Verdict::Lost),
            (ErrorCode::MessageTooLarge, Verdict::TooLarge),
            (ErrorCode::InvalidRecord, Verdict::Refused { for_sure: true }),
            (ErrorCode::InvalidTimestamp, Verdict::Refused { for_sure: true }),
            (ErrorCode::UnknownServerError, Verdict::Refused { for_sure: false }),
            (ErrorCode::TopicAuthorizationFailed, Verdict::Hopeless),
        ] {
            let answer = PartitionProduceResponse { error_code: code, ..Default::default() };
            let failure = read(&answer).unwrap_err();
            assert_eq!(failure.verdict, expected, "{}", code.name());
            assert_eq!(failure.error.error_code(), code);
        }
    }

    #[test]
    fn a_duplicate_is_written() {
        let answer = PartitionProduceResponse {
            error_code: ErrorCode::DuplicateSequenceNumber,
            ..Default::default()
        };
        assert_eq!(read(&answer).unwrap().base_offset, -1);
    }
}

//! The answer to a produce request: what became of each record.

use actix_web::http::StatusCode;
use client::Topic;
use client::producer::{Delivery, ProduceError};

use super::Produced;
use super::schemas::SchemaIds;
use crate::error::record_error_code;
use crate::json::{write_integer, write_string};

const BEGINNING: &[u8] = br#"{"offsets":["#;
/// Behind the records.
const END: [&[u8]; 3] = [br#"],"key_schema_id":"#, br#","value_schema_id":"#, b"}"];
/// About how long that becomes with ids, in bytes.
const END_LENGTH: usize = 64;

/// About how much room one record takes, in bytes.
const ENTRY: usize = 72;

/// What became of the records, by partition.
pub(super) struct Offsets<'a> {
    pub(super) topic: &'a Topic,
    /// The partitions that records went to.
    pub(super) partitions: &'a [i32],
    /// For each partition, what became of its records.
    pub(super) deliveries: &'a [Result<Delivery, ProduceError>],
    /// The schemas of the records.
    pub(super) ids: SchemaIds,
}

impl Offsets<'_> {
    /// The answer; `order` has for each record the index of its partition.
    pub(super) fn merge(&self, order: &[u32]) -> Produced {
        let mut fates: Vec<_> = self
            .partitions
            .iter()
            .zip(self.deliveries)
            .map(|(partition, delivery)| (*partition, delivery.as_ref().map(Delivery::records)))
            .collect();
        let mut writer = Writer::new(order.len());
        for &index in order {
            let Some((partition, fate)) = fates.get_mut(index as usize) else { continue };
            let outcome = match fate {
                Ok(records) => records.next().unwrap_or(Err(&ProduceError::Closed)),
                Err(error) => Err(*error),
            };
            match outcome {
                Ok(offset) => writer.offset(*partition, offset),
                Err(error) => writer.error(error, Some(self.topic)),
            }
        }
        writer.finish(self.ids)
    }

    /// The answer when no record was produced, all for the same reason.
    pub(super) fn all_failed(count: usize, error: &ProduceError, ids: SchemaIds) -> Produced {
        let mut writer = Writer::new(count);
        for _ in 0..count {
            writer.error(error, None);
        }
        writer.finish(ids)
    }
}

struct Writer {
    body: Vec<u8>,
    status: StatusCode,
}

impl Writer {
    fn new(records: usize) -> Self {
        let mut body = Vec::with_capacity(BEGINNING.len() + records * ENTRY + END_LENGTH);
        body.extend_from_slice(BEGINNING);
        Self { body, status: StatusCode::OK }
    }

    fn separate(&mut self) {
        if self.body.len() > BEGINNING.len() {
            self.body.push(b',');
        }
    }

    fn offset(&mut self, partition: i32, offset: i64) {
        self.separate();
        self.body.extend_from_slice(br#"{"partition":"#);
        write_integer(partition, &mut self.body);
        self.body.extend_from_slice(br#","offset":"#);
        write_integer(offset, &mut self.body);
        self.body.extend_from_slice(br#","error_code":null,"error":null}"#);
    }

    fn error(&mut self, error: &ProduceError, topic: Option<&Topic>) {
        let code = match error {
            // The reference waits for the metadata to name it, and that may be tried again.
            ProduceError::UnknownTopic(_) | ProduceError::UnknownPartition { .. } => 50003,
            error => record_error_code(error.error_code(), error.is_retriable()),
        };
        if self.status == StatusCode::OK {
            self.status = match code {
                40101 => StatusCode::UNAUTHORIZED,
                40301 => StatusCode::FORBIDDEN,
                _ => StatusCode::OK,
            };
        }
        self.separate();
        self.body.extend_from_slice(br#"{"partition":null,"offset":null,"error_code":"#);
        write_integer(code, &mut self.body);
        self.body.extend_from_slice(br#","error":"#);
        match (error, topic) {
            (ProduceError::UnknownPartition { topic, partition }, Some(known)) => {
                let count = known.partitions.len();
                let message = format!(
                    "Partition {partition} of topic {topic} with partition count {count} is not present in metadata."
                );
                write_string(&message, &mut self.body);
            }
            _ => write_string(&error.public_message(), &mut self.body),
        }
        self.body.push(b'}');
    }

    fn finish(mut self, ids: SchemaIds) -> Produced {
        let [before_key, before_value, end] = END;
        let body = &mut self.body;
        body.extend_from_slice(before_key);
        write_id(ids.key, body);
        body.extend_from_slice(before_value);
        write_id(ids.value, body);
        body.extend_from_slice(end);
        Produced { body: self.body, status: self.status }
    }
}

fn write_id(id: Option<i32>, body: &mut Vec<u8>) {
    match id {
        Some(id) => write_integer(id, body),
        None => body.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;

    use super::*;

    fn failed(code: ErrorCode) -> Produced {
        let error = ProduceError::Refused { code, message: None };
        Offsets::all_failed(1, &error, SchemaIds::default())
    }

    #[test]
    fn failed_records_have_codes_of_their_own() {
        for (code, expected, status) in [
            (ErrorCode::MessageTooLarge, 50002, 200),
            (ErrorCode::NotEnoughReplicas, 50003, 200),
            (ErrorCode::TopicAuthorizationFailed, 40301, 403),
            (ErrorCode::SaslAuthenticationFailed, 40101, 401),
        ] {
            let produced = failed(code);
            assert_eq!(produced.status.as_u16(), status, "{code:?}");
            let body = String::from_utf8(produced.body).unwrap();
            let entry =
                format!(r#""partition":null,"offset":null,"error_code":{expected},"error":"#);
            assert!(body.contains(&entry), "{body}");
        }
    }

    #[test]
    fn the_answer_is_that_of_the_reference_to_the_byte() {
        let mut writer = Writer::new(2);
        writer.offset(0, 41);
        writer.offset(1, 7);
        assert_eq!(
            String::from_utf8(writer.finish(SchemaIds::default()).body).unwrap(),
            r#"{"offsets":[{"partition":0,"offset":41,"error_code":null,"error":null},{"partition":1,"offset":7,"error_code":null,"error":null}],"key_schema_id":null,"value_schema_id":null}"#
        );
        assert_eq!(
            String::from_utf8(Writer::new(0).finish(SchemaIds { key: None, value: Some(5) }).body)
                .unwrap(),
            r#"{"offsets":[],"key_schema_id":null,"value_schema_id":5}"#
        );
    }
}

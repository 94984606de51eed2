//! What bodies of calls to consumer instances have in common.

use client::consumer::TopicPartition;
use serde::Deserialize;

use crate::coerce::{Int, Text, objects};
use crate::error::Error;

/// `{"partitions":[{"topic":…,"partition":…},…]}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartitionsBody {
    #[serde(default, deserialize_with = "objects")]
    partitions: Option<Vec<PartitionBody>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionBody {
    topic: Option<Text>,
    partition: Option<Int>,
}

impl PartitionsBody {
    /// # Errors
    /// 422 when the list is missing, or one of the partitions cannot be.
    pub(super) fn into_partitions(body: Option<Self>) -> Result<Vec<TopicPartition>, Error> {
        let body = body.ok_or_else(|| must_not_be_null("request"))?;
        let partitions = body.partitions.ok_or_else(|| must_not_be_null("partitions"))?;
        let partitions = partitions.into_iter().enumerate();
        let named = partitions.map(|(index, PartitionBody { topic, partition })| {
            name_partition(&format!("partitions[{index}]"), topic, partition)
        });
        named.collect()
    }
}

/// The partition that an element of a list names; `path` is where it stands.
pub(super) fn name_partition(
    path: &str,
    topic: Option<Text>,
    partition: Option<Int>,
) -> Result<TopicPartition, Error> {
    let topic = match topic {
        Some(Text(topic)) if !topic.is_empty() => topic,
        Some(_) => return Err(Error::Invalid(format!("{path}.topic must not be empty (was )"))),
        None => return Err(must_not_be_null(&format!("{path}.topic"))),
    };
    let path = format!("{path}.partition");
    let Int(partition) = partition.ok_or_else(|| must_not_be_null(&path))?;
    must_not_be_negative(&path, partition.into())?;
    Ok(TopicPartition::new(topic, partition))
}

pub(super) fn must_not_be_null(path: &str) -> Error {
    Error::Invalid(format!("{path} must not be null (was null)"))
}

pub(super) fn must_not_be_negative(path: &str, number: i64) -> Result<(), Error> {
    if number >= 0 {
        return Ok(());
    }
    Err(Error::Invalid(format!("{path} must be greater than or equal to 0 (was {number})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(json: &str) -> Result<Vec<String>, String> {
        let body = serde_json::from_str(json).unwrap();
        let partitions =
            PartitionsBody::into_partitions(body).map_err(|error| error.to_string())?;
        Ok(partitions.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn partitions_are_named_in_full() {
        let body = r#"{"partitions":[{"topic":"a","partition":0},{"topic":"b","partition":"7"}]}"#;
        assert_eq!(partitions(body).unwrap(), ["a-0", "b-7"]);
        assert_eq!(partitions(r#"{"partitions":[]}"#).unwrap(), [""; 0]);
        let array = serde_json::from_str::<PartitionsBody>(r#"{"partitions":[["a",0]]}"#);
        assert!(array.unwrap_err().to_string().contains("expected an object"));
        for (body, message) in [
            ("null", "request must not be null (was null)"),
            ("{}", "partitions must not be null (was null)"),
            (
                r#"{"partitions":[{"topic":"a","partition":0},{"partition":0}]}"#,
                "partitions[1].topic must not be null (was null)",
            ),
            (
                r#"{"partitions":[{"topic":"","partition":0}]}"#,
                "partitions[0].topic must not be empty (was )",
            ),
            (
                r#"{"partitions":[{"topic":"a"}]}"#,
                "partitions[0].partition must not be null (was null)",
            ),
            (
                r#"{"partitions":[{"topic":"a","partition":-1}]}"#,
                "partitions[0].partition must be greater than or equal to 0 (was -1)",
            ),
        ] {
            assert_eq!(partitions(body).unwrap_err(), message, "{body}");
        }
    }
}

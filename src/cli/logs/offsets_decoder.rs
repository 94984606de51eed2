//! Records of `__consumer_offsets` as JSON, in the words of Kafka's schemas.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use protocol::{DecodeError, Reader, Str};

/// Key and value of a record, for whoever looks at it.
pub(super) type Texts = (Option<String>, Option<String>);

/// What a record says.
///
/// # Errors
/// When there is no key, which Kafka's tool takes for the wrong decoder.
pub(super) fn decode(
    offset: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<Texts, String> {
    let Some(key) = key else {
        return Err(format!(
            "Failed to decode message at offset {offset} using the specified decoder (message had a missing key)"
        ));
    };
    let mut reader = Reader::new(Bytes::copy_from_slice(key));
    let Ok(kind) = reader.i16() else {
        return Ok((Some(format!("Error at offset {offset}, skipping. null")), None));
    };
    if !(0..=2).contains(&kind) {
        let text = format!("Unknown record type {kind} at offset {offset}, skipping.");
        return Ok((Some(text), None));
    }
    let decoded =
        key_as_json(kind, &mut reader).and_then(|key| Ok((key, value_text(kind, value)?)));
    Ok(match decoded {
        Ok((key, value)) => (Some(format!("{{\"type\":\"{kind}\",\"data\":{key}}}")), Some(value)),
        Err(error) => (Some(format!("Error at offset {offset}, skipping. {error}")), None),
    })
}

fn key_as_json(kind: i16, reader: &mut Reader) -> Result<String, DecodeError> {
    let mut key = Object::default();
    key.text("group", reader)?;
    if kind < 2 {
        key.text("topic", reader)?;
        key.int("partition", reader)?;
    }
    Ok(key.end())
}

fn value_text(kind: i16, value: Option<&[u8]>) -> Result<String, DecodeError> {
    let Some(value) = value else { return Ok("<DELETE>".to_owned()) };
    let mut reader = Reader::new(Bytes::copy_from_slice(value));
    let version = reader.i16()?;
    if !(0..=4).contains(&version) {
        return Err(DecodeError::InvalidLength(version.into()));
    }
    reader.set_flexible(version >= 4);
    let data = match kind {
        2 => group(&mut reader, version)?,
        _ => offset(&mut reader, version)?,
    };
    Ok(format!("{{\"version\":\"{version}\",\"data\":{data}}}"))
}

/// `OffsetCommitValue`
fn offset(reader: &mut Reader, version: i16) -> Result<String, DecodeError> {
    let mut value = Object::default();
    value.long("offset", reader)?;
    if version >= 3 {
        value.int("leaderEpoch", reader)?;
    }
    value.text("metadata", reader)?;
    value.long("commitTimestamp", reader)?;
    if version == 1 {
        value.long("expireTimestamp", reader)?;
    }
    reader.tagged_fields(|tag, field| {
        if tag == 0 {
            value.add("topicId", &quoted(&field.uuid()?.to_string()));
        }
        Ok(tag == 0)
    })?;
    Ok(value.end())
}

/// `GroupMetadataValue`
fn group(reader: &mut Reader, version: i16) -> Result<String, DecodeError> {
    let mut value = Object::default();
    let protocol_type = value.text("protocolType", reader)?;
    value.int("generation", reader)?;
    value.text("protocol", reader)?;
    value.text("leader", reader)?;
    if version >= 2 {
        value.long("currentStateTimestamp", reader)?;
    }
    let is_of_consumers = protocol_type.is_some_and(|text| text == "consumer");
    let members = array(reader, |reader| member(reader, version, is_of_consumers))?;
    value.add("members", &members);
    reader.tagged_fields(|_, _| Ok(false))?;
    Ok(value.end())
}

fn member(reader: &mut Reader, version: i16, is_consumer: bool) -> Result<String, DecodeError> {
    let mut member = Object::default();
    member.text("memberId", reader)?;
    if version >= 3 {
        member.text("groupInstanceId", reader)?;
    }
    member.text("clientId", reader)?;
    member.text("clientHost", reader)?;
    if version >= 1 {
        member.int("rebalanceTimeout", reader)?;
    }
    member.int("sessionTimeout", reader)?;
    for (name, read) in [
        ("subscription", subscription as fn(&mut Reader) -> Result<String, DecodeError>),
        ("assignment", assignment),
    ] {
        let bytes = reader.nullable_bytes()?.unwrap_or_default();
        let known = is_consumer.then(|| read(&mut Reader::new(bytes.clone())).ok()).flatten();
        member.add(name, &known.unwrap_or_else(|| binary(&bytes)));
    }
    reader.tagged_fields(|_, _| Ok(false))?;
    Ok(member.end())
}

/// `ConsumerProtocolSubscription`
fn subscription(reader: &mut Reader) -> Result<String, DecodeError> {
    let version = known_version(reader)?;
    let mut value = Object::default();
    let topics = array(reader, |reader| Ok(nullable(reader.nullable_string()?)))?;
    value.add("topics", &topics);
    value.bytes("userData", reader)?;
    if version >= 1 {
        value.add("ownedPartitions", &array(reader, partitions)?);
    }
    if version >= 2 {
        value.int("generationId", reader)?;
    }
    if version >= 3 {
        value.text("rackId", reader)?;
    }
    Ok(value.end())
}

/// `ConsumerProtocolAssignment`
fn assignment(reader: &mut Reader) -> Result<String, DecodeError> {
    known_version(reader)?;
    let mut value = Object::default();
    value.add("assignedPartitions", &array(reader, partitions)?);
    value.bytes("userData", reader)?;
    Ok(value.end())
}

fn partitions(reader: &mut Reader) -> Result<String, DecodeError> {
    let mut value = Object::default();
    value.text("topic", reader)?;
    value.add("partitions", &array(reader, |reader| Ok(reader.i32()?.to_string()))?);
    Ok(value.end())
}

fn known_version(reader: &mut Reader) -> Result<i16, DecodeError> {
    match reader.i16()? {
        version @ 0..=3 => Ok(version),
        version => Err(DecodeError::InvalidLength(version.into())),
    }
}

fn array(
    reader: &mut Reader,
    mut item: impl FnMut(&mut Reader) -> Result<String, DecodeError>,
) -> Result<String, DecodeError> {
    let count = reader.array_length()?.unwrap_or(0);
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(reader)?);
    }
    Ok(format!("[{}]", items.join(",")))
}

/// A JSON object whose fields keep their order.
#[derive(Default)]
struct Object(String);

impl Object {
    fn add(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&format!("\"{name}\":{json}"));
    }

    fn text(&mut self, name: &str, reader: &mut Reader) -> Result<Option<Str>, DecodeError> {
        let text = reader.nullable_string()?;
        self.add(name, &nullable(text.clone()));
        Ok(text)
    }

    fn int(&mut self, name: &str, reader: &mut Reader) -> Result<(), DecodeError> {
        self.add(name, &reader.i32()?.to_string());
        Ok(())
    }

    fn long(&mut self, name: &str, reader: &mut Reader) -> Result<(), DecodeError> {
        self.add(name, &reader.i64()?.to_string());
        Ok(())
    }

    fn bytes(&mut self, name: &str, reader: &mut Reader) -> Result<(), DecodeError> {
        let bytes = reader.nullable_bytes()?;
        self.add(name, &bytes.map_or_else(|| "null".to_owned(), |bytes| binary(&bytes)));
        Ok(())
    }

    fn end(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

fn nullable(text: Option<Str>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| quoted(&text))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn binary(bytes: &[u8]) -> String {
    format!("\"{}\"", BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &[u8], value: Option<&[u8]>, expected: (&str, Option<&str>)) {
        let (key, value) = decode(7, Some(key), value).unwrap();
        assert_eq!((key.as_deref(), value.as_deref()), (Some(expected.0), expected.1));
    }

    #[test]
    fn offsets_are_told_in_kafkas_words() {
        let key = b"\0\x01\0\x01g\0\x01t\0\0\0\x02";
        let key_text = r#"{"type":"1","data":{"group":"g","topic":"t","partition":2}}"#;
        check(key, None, (key_text, Some("<DELETE>")));
        check(
            key,
            Some(b"\0\x03\0\0\0\0\0\0\0\x05\0\0\0\x01\0\x01m\0\0\0\0\0\0\0\x09"),
            (
                key_text,
                Some(
                    r#"{"version":"3","data":{"offset":5,"leaderEpoch":1,"metadata":"m","commitTimestamp":9}}"#,
                ),
            ),
        );
    }

    #[test]
    fn what_is_no_record_of_a_group_is_passed_over() {
        check(b"\0\x09", None, ("Unknown record type 9 at offset 7, skipping.", None));
        assert!(decode(7, None, None).unwrap_err().contains("missing key"));
        let (key, value) = decode(7, Some(b"\0\x02\0\x09g"), None).unwrap();
        assert!(key.unwrap().starts_with("Error at offset 7, skipping."));
        assert_eq!(value, None);
    }
}

//! How records are printed: the columns of Kafka's `DefaultMessageFormatter`.

use std::collections::HashMap;
use std::fmt::Write as _;

use client::consumer::ConsumerRecord;
use registry::payload::header_name;
use registry::{Framed, SchemaKey, Schemas};

use super::super::options::UsageError;

/// Writes records, one after the other, into a buffer.
#[derive(Debug)]
pub(super) struct Formatter {
    columns: Columns,
    /// Between the columns.
    key_separator: Vec<u8>,
    /// Behind each record.
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    /// What stands for null.
    null_literal: Vec<u8>,
    keys: Deserializer,
    values: Deserializer,
    headers: Deserializer,
    /// Between a payload and the id of its schema, where that is shown.
    schema_id_separator: Option<Vec<u8>>,
}

/// The schemas that records were written with.
#[derive(Debug, Default)]
pub(super) struct KnownSchemas {
    pub(super) schemas: Option<Schemas>,
    /// Those that the registry does not give, and why.
    pub(super) failures: HashMap<SchemaKey, String>,
}

/// Why a record is not printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unprintable {
    /// Its bytes are not what they should stand for.
    Wrong(String),
    /// Its schema has to be asked for first.
    NeedsSchema(SchemaKey),
}

impl From<String> for Unprintable {
    fn from(reason: String) -> Self {
        Self::Wrong(reason)
    }
}

/// What is shown of a record, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
}

/// What bytes stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deserializer {
    /// Themselves.
    Text,
    /// What the schema that they name says: Avro, JSON or Protobuf, shown as JSON.
    Schema,
    Boolean,
    Short,
    Integer,
    Long,
    Float,
    Double,
    Uuid,
}

/// The properties that there are, and those of deserializers besides.
const NAMES: [&str; 17] = [
    "print.timestamp",
    "print.key",
    "print.offset",
    "print.delivery",
    "print.epoch",
    "print.partition",
    "print.headers",
    "print.value",
    "key.separator",
    "line.separator",
    "headers.separator",
    "null.literal",
    "key.deserializer",
    "value.deserializer",
    "headers.deserializer",
    "print.schema.ids",
    "schema.id.separator",
];

impl Formatter {
    /// Reads the properties of Kafka's formatter.
    ///
    /// # Errors
    /// When there is no such property, or no such deserializer.
    pub(super) fn new(
        properties: &[(String, String)],
        has_schemas: bool,
    ) -> Result<Self, UsageError> {
        let is_known = |name: &str| {
            NAMES.contains(&name)
                || NAMES.iter().any(|known| {
                    known.ends_with("deserializer")
                        && name.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'))
                })
        };
        if let Some((name, _)) = properties.iter().find(|(name, _)| !is_known(name)) {
            let nearest = protocol::config_def::nearest_name(name, NAMES.into_iter());
            let hint =
                nearest.map_or_else(String::new, |nearest| format!(", did you mean {nearest}?"));
            return Err(UsageError(format!("There is no formatter property {name}{hint}")));
        }
        let find = |name: &str| {
            properties.iter().rev().find(|(found, _)| found == name).map(|(_, text)| text.as_str())
        };
        let is_true = |name, default| {
            find(name).map_or(default, |text| text.trim().eq_ignore_ascii_case("true"))
        };
        let mark = |name, default: &str| find(name).unwrap_or(default).as_bytes().to_vec();
        let default = if has_schemas { Deserializer::Schema } else { Deserializer::Text };
        let deserializer = |name| find(name).map_or(Ok(default), Deserializer::find);
        let headers = find("headers.deserializer");
        Ok(Self {
            columns: Columns {
                timestamp: is_true("print.timestamp", false),
                partition: is_true("print.partition", false),
                offset: is_true("print.offset", false),
                delivery: is_true("print.delivery", false),
                epoch: is_true("print.epoch", false),
                headers: is_true("print.headers", false),
                key: is_true("print.key", false),
                value: is_true("print.value", true),
            },
            key_separator: mark("key.separator", "\t"),
            line_separator: mark("line.separator", "\n"),
            headers_separator: mark("headers.separator", ","),
            null_literal: mark("null.literal", "null"),
            keys: deserializer("key.deserializer")?,
            values: deserializer("value.deserializer")?,
            headers: headers.map_or(Ok(Deserializer::Text), Deserializer::find)?,
            schema_id_separator: is_true("print.schema.ids", false)
                .then(|| mark("schema.id.separator", "\t")),
        })
    }

    /// Appends the record to `output`.
    ///
    /// # Errors
    /// When bytes are not what they should stand for, or that is not known yet;
    /// nothing is appended then.
    pub(super) fn write(
        &self,
        record: &ConsumerRecord<'_>,
        known: &KnownSchemas,
        output: &mut Vec<u8>,
    ) -> Result<(), Unprintable> {
        let start = output.len();
        let written = self.write_columns(record, known, output);
        written.map_err(|error| {
            output.truncate(start);
            match error {
                Unprintable::Wrong(reason) => Unprintable::Wrong(format!(
                    "the record at offset {} of {}-{}: {reason}",
                    record.offset, record.topic, record.partition
                )),
                needs => needs,
            }
        })
    }

    fn write_columns(
        &self,
        record: &ConsumerRecord<'_>,
        known: &KnownSchemas,
        output: &mut Vec<u8>,
    ) -> Result<(), Unprintable> {
        let Columns { timestamp, partition, offset, delivery, epoch, headers, key, value } =
            self.columns;
        let mut first = true;
        let mut column = |output: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                output.extend_from_slice(&self.key_separator);
            }
        };
        if timestamp {
            column(output);
            match (record.timestamp, record.is_log_append_time) {
                (-1, false) => output.extend_from_slice(b"NO_TIMESTAMP"),
                (time, false) => push(output, format_args!("CreateTime:{time}")),
                (time, true) => push(output, format_args!("LogAppendTime:{time}")),
            }
        }
        if partition {
            column(output);
            push(output, format_args!("Partition:{}", record.partition));
        }
        if offset {
            column(output);
            push(output, format_args!("Offset:{}", record.offset));
        }
        if delivery {
            // Only share groups count deliveries.
            column(output);
            output.extend_from_slice(b"Delivery:NOT_PRESENT");
        }
        if epoch {
            column(output);
            match record.leader_epoch {
                ..0 => output.extend_from_slice(b"Epoch:NOT_PRESENT"),
                epoch => push(output, format_args!("Epoch:{epoch}")),
            }
        }
        if headers {
            column(output);
            self.write_headers(record, output)?;
        }
        if key {
            column(output);
            match self.keys {
                Deserializer::Schema => self.write_payload(record, true, known, output)?,
                keys => self.write_field(keys, record.key, output)?,
            }
        }
        if value {
            column(output);
            match self.values {
                Deserializer::Schema => self.write_payload(record, false, known, output)?,
                values => self.write_field(values, record.value, output)?,
            }
        }
        if !first {
            output.extend_from_slice(&self.line_separator);
        }
        Ok(())
    }

    /// Writes a key or value by the schema that it names.
    fn write_payload(
        &self,
        record: &ConsumerRecord<'_>,
        is_key: bool,
        known: &KnownSchemas,
        output: &mut Vec<u8>,
    ) -> Result<(), Unprintable> {
        let field = if is_key { record.key } else { record.value };
        let Some(bytes) = field else {
            output.extend_from_slice(&self.null_literal);
            return Ok(());
        };
        let what = if is_key { "key" } else { "value" };
        let wanted = header_name(is_key);
        let header = record.headers.iter().find(|(name, _)| *name == wanted);
        let framed = match header.and_then(|(_, value)| value) {
            Some(header) => Framed::with_header(header, bytes),
            None => Framed::read(bytes),
        };
        let framed = match framed {
            Ok(framed) => framed,
            // Keys are often plain text beside values with schemas.
            Err(_) if is_key => {
                output.extend_from_slice(bytes);
                return Ok(());
            }
            Err(error) => return Err(format!("its {what} names no schema: {error}").into()),
        };
        if let Some(reason) = known.failures.get(&framed.key) {
            return Err(format!("the schema of its {what}: {reason}").into());
        }
        let codec = known.schemas.as_ref().and_then(|schemas| schemas.cached(framed.key));
        let codec = codec.ok_or(Unprintable::NeedsSchema(framed.key))?;
        codec.decode(&framed, output).map_err(|error| format!("its {what}: {error}"))?;
        if let Some(separator) = &self.schema_id_separator {
            output.extend_from_slice(separator);
            push(output, format_args!("{}", codec.id()));
        }
        Ok(())
    }

    fn write_headers(
        &self,
        record: &ConsumerRecord<'_>,
        output: &mut Vec<u8>,
    ) -> Result<(), String> {
        if record.headers.is_empty() {
            output.extend_from_slice(b"NO_HEADERS");
        }
        for (index, (name, value)) in record.headers.iter().enumerate() {
            if index > 0 {
                output.extend_from_slice(&self.headers_separator);
            }
            push(output, format_args!("{name}:"));
            self.write_field(self.headers, value, output)?;
        }
        Ok(())
    }

    fn write_field(
        &self,
        deserializer: Deserializer,
        field: Option<&[u8]>,
        output: &mut Vec<u8>,
    ) -> Result<(), String> {
        match field {
            None => output.extend_from_slice(&self.null_literal),
            Some(bytes) => deserializer.write(bytes, output)?,
        }
        Ok(())
    }
}

impl Deserializer {
    /// The deserializer of a class of Kafka's, with or without its package.
    fn find(class: &str) -> Result<Self, UsageError> {
        let name = class.rsplit('.').next().unwrap_or(class);
        Ok(match name.strip_suffix("Deserializer").unwrap_or(name) {
            "String" | "ByteArray" | "ByteBuffer" | "Bytes" => Self::Text,
            "Boolean" => Self::Boolean,
            "Short" => Self::Short,
            "Integer" => Self::Integer,
            "Long" => Self::Long,
            "Float" => Self::Float,
            "Double" => Self::Double,
            "UUID" => Self::Uuid,
            "KafkaAvro" | "KafkaJsonSchema" | "KafkaProtobuf" => Self::Schema,
            _ => {
                return Err(UsageError(format!(
                    "There is no deserializer {class}, only those of org.apache.kafka.common.serialization \
                     for String, ByteArray, ByteBuffer, Bytes, Boolean, Short, Integer, Long, Float, Double and UUID"
                )));
            }
        })
    }

    fn write(self, bytes: &[u8], output: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Text | Self::Schema => output.extend_from_slice(bytes),
            Self::Uuid => {
                let text =
                    str::from_utf8(bytes).map_err(|_| "its bytes are not a UUID".to_owned())?;
                output.extend_from_slice(text.as_bytes());
            }
            Self::Boolean => match self.array(bytes)? {
                [0] => output.extend_from_slice(b"false"),
                [1] => output.extend_from_slice(b"true"),
                [other] => return Err(format!("its byte {other} is not a Boolean")),
            },
            Self::Short => push(output, format_args!("{}", i16::from_be_bytes(self.array(bytes)?))),
            Self::Integer => {
                push(output, format_args!("{}", i32::from_be_bytes(self.array(bytes)?)))
            }
            Self::Long => push(output, format_args!("{}", i64::from_be_bytes(self.array(bytes)?))),
            Self::Float => {
                push(output, format_args!("{:?}", f32::from_be_bytes(self.array(bytes)?)))
            }
            Self::Double => {
                push(output, format_args!("{:?}", f64::from_be_bytes(self.array(bytes)?)))
            }
        }
        Ok(())
    }

    fn array<const N: usize>(self, bytes: &[u8]) -> Result<[u8; N], String> {
        bytes
            .try_into()
            .map_err(|_| format!("its {} bytes are not {N}, the size of {self:?}", bytes.len()))
    }
}

fn push(output: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let mut formatted = String::new();
    // Writing to a String cannot fail.
    let _ = formatted.write_fmt(text);
    output.extend_from_slice(formatted.as_bytes());
}

#[cfg(test)]
mod tests {
    use protocol::records::{BatchBuilder, Compression, RecordIter, batches};

    use super::*;

    /// A key, a value and headers.
    type Fields<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [(&'a str, Option<&'a [u8]>)]);

    fn check(
        properties: &[(&str, &str)],
        (key, value, headers): Fields<'_>,
        expected: Result<&str, &str>,
    ) {
        let properties: Vec<_> = properties
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let formatter = Formatter::new(&properties, false).unwrap();
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(1_700_000_000_000, key, value, headers);
        let bytes = builder.build();
        let batch = batches(bytes).next().unwrap().unwrap();
        let section = batch.record_section(1 << 20).unwrap();
        let stored = RecordIter::new(batch.header(), &section).next().unwrap().unwrap();
        let record = ConsumerRecord {
            topic: &"t".into(),
            partition: 3,
            offset: 7,
            timestamp: 1_700_000_000_000,
            is_log_append_time: false,
            leader_epoch: 2,
            key: stored.key,
            value: stored.value,
            headers: stored.headers,
        };
        let mut output = b">".to_vec();
        let outcome = formatter.write(&record, &KnownSchemas::default(), &mut output);
        let text = String::from_utf8(output).unwrap();
        match expected {
            Ok(expected) => assert_eq!((outcome, text), (Ok(()), format!(">{expected}"))),
            Err(part) => {
                let Err(Unprintable::Wrong(reason)) = outcome else { panic!("{outcome:?}") };
                assert!(reason.contains(part), "{reason}");
                assert_eq!(text, ">", "nothing of the record is printed");
            }
        }
    }

    const PLAIN: Fields<'static> = (Some(b"k"), Some(b"v"), &[]);

    #[test]
    fn columns_come_in_kafkas_order() {
        let all = [
            ("print.key", "true"),
            ("print.timestamp", "true"),
            ("print.partition", " TRUE "),
            ("print.offset", "true"),
            ("print.epoch", "true"),
            ("print.delivery", "true"),
            ("print.headers", "true"),
        ];
        let headers: &[(&str, Option<&[u8]>)] = &[("h", Some(b"1")), ("h", None)];
        check(
            &all,
            (Some(b"k"), None, headers),
            Ok(
                "CreateTime:1700000000000\tPartition:3\tOffset:7\tDelivery:NOT_PRESENT\tEpoch:2\th:1,h:null\tk\tnull\n",
            ),
        );
    }

    #[test]
    fn only_values_are_printed_unless_more_is_asked_for() {
        check(&[], PLAIN, Ok("v\n"));
        check(&[("print.key", "true"), ("key.separator", "=")], PLAIN, Ok("k=v\n"));
        check(&[("print.headers", "true"), ("line.separator", "|")], PLAIN, Ok("NO_HEADERS\tv|"));
        check(&[("print.key", "true"), ("print.value", "false")], PLAIN, Ok("k\n"));
        check(&[("print.key", "true"), ("null.literal", "-")], (None, None, &[]), Ok("-\t-\n"));
        check(&[("print.value", "false")], PLAIN, Ok(""));
    }

    #[test]
    fn deserializers_show_what_bytes_stand_for() {
        const LONG: &str = "org.apache.kafka.common.serialization.LongDeserializer";
        let long = 5_i64.to_be_bytes();
        check(&[("value.deserializer", LONG)], (None, Some(&long), &[]), Ok("5\n"));
        check(
            &[("value.deserializer", LONG)],
            PLAIN,
            Err("offset 7 of t-3: its 1 bytes are not 8"),
        );
        let double = 1.5_f64.to_be_bytes();
        check(
            &[("value.deserializer", "DoubleDeserializer")],
            (None, Some(&double), &[]),
            Ok("1.5\n"),
        );
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for (name, text, expected) in [
            (
                "print.kye",
                "true",
                "There is no formatter property print.kye, did you mean print.key?",
            ),
            ("key.deserializer", "my.Avro", "There is no deserializer my.Avro"),
        ] {
            let error = Formatter::new(&[(name.to_owned(), text.to_owned())], false).unwrap_err();
            assert!(error.0.starts_with(expected), "{}", error.0);
        }
        let given = ("key.deserializer.schema.registry.url".to_owned(), "x".to_owned());
        assert!(
            Formatter::new(&[given], false).is_ok(),
            "deserializers may have settings of their own"
        );
    }
}

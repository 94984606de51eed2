//! The body of a produce request, and its records by partition.
//!
//! The body is walked once (and before that for its schemas, if the format has
//! them). Values go from it straight into the buffer of
//! their partition; nothing is allocated for single records.

use std::collections::HashMap;
use std::sync::Arc;

use client::Topic;
use client::producer::Partitioner;
use protocol::records::RecordBuffer;
use registry::PayloadCodec;

use super::Request;
use super::schemas::{SchemasOfRecords, Survey};
use crate::body::{Body, unknown_member};
use crate::config::ApiVersion;
use crate::error::Error;
use crate::formats::{Codec, Field};
use crate::json::{JsonError, RawString, Scanner, unescape};

/// About how many bytes of a body belong to one record.
const BYTES_PER_RECORD: usize = 100;

/// A body that can be read, more than once.
#[derive(Debug)]
pub(super) struct Reader {
    body: Option<Body>,
    version: ApiVersion,
    codec: Codec,
    partition: Option<i32>,
    /// For formats that have them.
    pub(super) schemas: SchemasOfRecords,
}

/// Where records go.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) topic: Arc<Topic>,
    pub(super) partitioner: Partitioner,
}

/// The records of a body.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// For each record, in the order of the body, the index of its group.
    pub(super) order: Vec<u32>,
    /// The records by partition.
    pub(super) groups: Vec<Group>,
}

/// The records of one partition, in the order of the body.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) partition: i32,
    /// Whether the topic has the partition.
    pub(super) exists: bool,
    pub(super) records: RecordBuffer,
}

impl Records {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.order.len()
    }
}

impl Reader {
    pub(super) fn new(request: Request<'_>, body: Body) -> Self {
        let Request { version, codec, partition, .. } = request;
        let schemas = SchemasOfRecords::default();
        Self { body: Some(body), version, codec, partition, schemas }
    }

    /// Leaves a reader without body behind.
    pub(super) fn take(&mut self) -> Self {
        let Self { version, codec, partition, .. } = *self;
        let schemas = self.schemas.clone();
        Self { body: self.body.take(), version, codec, partition, schemas }
    }

    pub(super) fn body_length(&self) -> usize {
        self.text().len()
    }

    fn text(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// What the body says of schemas.
    ///
    /// # Errors
    /// When it is not as it should be.
    pub(super) fn survey(&self) -> Result<Survey, Error> {
        let mut survey = Survey::default();
        walk(self.text(), |name, scanner| {
            match name {
                Member::Records => {
                    (survey.has_keys, survey.has_values) = (false, false);
                    return records(scanner, self, |record| {
                        survey.has_keys |= record.key.is_some();
                        survey.has_values |= record.value.is_some();
                    });
                }
                Member::KeySchema => survey.key.text = text_of(scanner.value()?)?,
                Member::KeySchemaId => survey.key.id = id_of(scanner.value()?)?,
                Member::ValueSchema => survey.value.text = text_of(scanner.value()?)?,
                Member::ValueSchemaId => survey.value.id = id_of(scanner.value()?)?,
            }
            Ok("null")
        })?;
        Ok(survey)
    }

    /// Reads the body. Without a destination, all records go into one group.
    ///
    /// # Errors
    /// When anything in it is wrong.
    pub(super) fn read(&self, destination: Option<&Destination>) -> Result<Records, Error> {
        Reading {
            reader: self,
            groups: Groups::new(destination, self.text().len()),
            failure: None,
            key: Vec::new(),
        }
        .body(self.text())
    }
}

/// One walk over a body.
struct Reading<'a> {
    reader: &'a Reader,
    groups: Groups<'a>,
    /// What is wrong with the data. Kept while the walk goes on, because
    /// errors of the JSON itself come first.
    failure: Option<Error>,
    /// The bytes of the last key.
    key: Vec<u8>,
}

/// One record, as it stands in the body.
#[derive(Default)]
struct RawRecord<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    partition: Option<i32>,
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// A member of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Records,
    KeySchema,
    KeySchemaId,
    ValueSchema,
    ValueSchemaId,
}

impl Member {
    fn of(name: RawString<'_>) -> Option<Self> {
        Some(match name.raw {
            b"records" => Self::Records,
            b"key_schema" => Self::KeySchema,
            b"key_schema_id" => Self::KeySchemaId,
            b"value_schema" => Self::ValueSchema,
            b"value_schema_id" => Self::ValueSchemaId,
            _ => return None,
        })
    }
}

/// Walks over the members of a body; `member` passes the value of one, and
/// says of the records what there is instead when there are none.
fn walk<'a>(
    text: &'a [u8],
    mut member: impl FnMut(Member, &mut Scanner<'a>) -> Result<&'static str, Error>,
) -> Result<&'static str, Error> {
    if matches!(text.trim_ascii(), b"" | b"null") {
        return Err(no_records("null"));
    }
    let mut scanner = Scanner::new(text)?;
    let mut given = "null";
    scanner.expect(b'{', "an object with records")?;
    if !scanner.take(b'}') {
        loop {
            let name = scanner.name()?;
            let Some(known) = Member::of(name) else {
                return Err(Error::Invalid(unknown_member(&name.to_text())));
            };
            let instead = member(known, &mut scanner)?;
            if known == Member::Records {
                given = instead;
            }
            if !scanner.take(b',') {
                break;
            }
        }
        scanner.expect(b'}', "',' or '}'")?;
    }
    scanner.end()?;
    Ok(given)
}

/// Walks over the list of records; returns what there is instead when it is empty.
fn records<'a>(
    scanner: &mut Scanner<'a>,
    reader: &Reader,
    mut each: impl FnMut(RawRecord<'a>),
) -> Result<&'static str, Error> {
    if scanner.peek() == Some(b'n') {
        scanner.value()?;
        return Ok("null");
    }
    scanner.expect(b'[', "a list of records")?;
    if scanner.take(b']') {
        return Ok("[]");
    }
    loop {
        each(RawRecord::read(scanner, reader)?);
        if !scanner.take(b',') {
            break;
        }
    }
    scanner.expect(b']', "',' or ']'")?;
    Ok("[]")
}

impl<'a> RawRecord<'a> {
    fn read(scanner: &mut Scanner<'a>, reader: &Reader) -> Result<Self, Error> {
        let mut record = Self::default();
        scanner.expect(b'{', "a record")?;
        if scanner.take(b'}') {
            return Ok(record);
        }
        let has_partition = reader.partition.is_none() || reader.version == ApiVersion::V2;
        loop {
            let name = scanner.name()?;
            if name.is("value") {
                record.value = not_null(scanner.value()?);
            } else if name.is("key") {
                record.key = not_null(scanner.value()?);
            } else if has_partition && name.is("partition") {
                record.partition = not_null(scanner.value()?).map(partition).transpose()?;
            } else {
                return Err(Error::Invalid(unknown_member(&name.to_text())));
            }
            if !scanner.take(b',') {
                break;
            }
        }
        scanner.expect(b'}', "',' or '}'")?;
        Ok(record)
    }
}

impl<'a> Reading<'a> {
    fn body(mut self, text: &'a [u8]) -> Result<Records, Error> {
        let given = walk(text, |member, scanner| match member {
            Member::Records => self.records(scanner),
            // They mean nothing for formats without schemas; the others have them already.
            Member::KeySchema
            | Member::KeySchemaId
            | Member::ValueSchema
            | Member::ValueSchemaId => Ok(scanner.value().map(|_| "null")?),
        })?;
        let records = self.groups.records;
        match self.failure {
            Some(failure) => Err(failure),
            None if records.order.is_empty() => Err(no_records(given)),
            None => Ok(records),
        }
    }

    fn records(&mut self, scanner: &mut Scanner<'a>) -> Result<&'static str, Error> {
        // Of members of the same name the last one counts.
        self.groups.clear();
        self.failure = None;
        let reader = self.reader;
        records(scanner, reader, |record| {
            if self.failure.is_none()
                && let Err(failure) = self.add(record)
            {
                self.failure = Some(failure);
            }
        })
    }

    /// Puts a record into the buffer of its partition.
    fn add(&mut self, record: RawRecord<'a>) -> Result<(), Error> {
        let &Reader { version, codec, ref schemas, .. } = self.reader;
        let index = self.groups.records.order.len();
        let or_null = |text: Option<&'a [u8]>, schema: &Option<Arc<PayloadCodec>>| {
            text.or((schemas.takes_null && schema.is_some()).then_some(b"null".as_slice()))
        };
        let key = match or_null(record.key, &schemas.key) {
            Some(text) => {
                let key = codec.key(text, version, schemas.key.as_deref(), &mut self.key);
                Some(key.map_err(|error| error.in_request(Field::Key, version))?)
            }
            None => None,
        };
        let partition = match (record.partition, self.reader.partition) {
            (Some(given), Some(path)) if given != path => {
                let rule = format!("must be the partition of the path, {path}");
                return Err(Error::Invalid(format!(
                    "records[{index}].partition {rule} (was {given})"
                )));
            }
            (Some(given), None) if given < 0 => {
                let rule = "must be greater than or equal to 0";
                return Err(Error::Invalid(format!(
                    "records[{index}].partition {rule} (was {given})"
                )));
            }
            (_, Some(path)) => Some(path),
            (given, None) => given,
        };
        let group = self.groups.group(partition, key);
        let mut writer = group.records.begin(-1);
        writer.key(key);
        match or_null(record.value, &schemas.value) {
            Some(text) => {
                let schema = schemas.value.as_deref();
                let written = codec.value(text, version, schema, &mut writer);
                written.map_err(|error| error.in_request(Field::Value, version))?;
            }
            None => _ = writer.value(None),
        }
        writer.commit();
        Ok(())
    }
}

/// The groups of records so far.
struct Groups<'a> {
    destination: Option<&'a Destination>,
    body_length: usize,
    records: Records,
    /// The index of the group of each partition that the topic has; `NONE` if there is none yet.
    by_partition: Vec<u32>,
    /// The same of other partitions.
    others: HashMap<i32, u32>,
}

const NONE: u32 = u32::MAX;

impl<'a> Groups<'a> {
    fn new(destination: Option<&'a Destination>, body_length: usize) -> Self {
        let partitions = destination.map_or(1, |destination| destination.topic.partitions.len());
        Self {
            destination,
            body_length,
            records: Records {
                order: Vec::with_capacity(body_length / BYTES_PER_RECORD + 1),
                groups: Vec::new(),
            },
            by_partition: vec![NONE; partitions],
            others: HashMap::new(),
        }
    }

    fn clear(&mut self) {
        self.records.order.clear();
        self.records.groups.clear();
        self.by_partition.fill(NONE);
        self.others.clear();
    }

    /// The group of the next record, which goes to `partition` or, without
    /// one, where its key says.
    fn group(&mut self, partition: Option<i32>, key: Option<&[u8]>) -> &mut Group {
        let partition = match (self.destination, partition) {
            (None, _) => 0,
            (Some(_), Some(partition)) => partition,
            (Some(destination), None) => destination.partitioner.partition_for(key),
        };
        let known = usize::try_from(partition).ok().and_then(|id| self.by_partition.get_mut(id));
        let index = match known {
            Some(index) => index,
            None => self.others.entry(partition).or_insert(NONE),
        };
        let groups = &mut self.records.groups;
        if *index == NONE {
            *index = u32::try_from(groups.len()).expect("a body has fewer than 2^32 records");
            let topic = self.destination.map(|destination| &destination.topic);
            let exists = topic.is_some_and(|topic| topic.partition(partition).is_some());
            // Mostly all records go to one partition.
            let records = if groups.is_empty() {
                RecordBuffer::with_capacity(
                    self.body_length / BYTES_PER_RECORD + 1,
                    self.body_length,
                )
            } else {
                RecordBuffer::new()
            };
            groups.push(Group { partition, exists, records });
        }
        self.records.order.push(*index);
        groups.get_mut(*index as usize).expect("a group was made for the index")
    }
}

fn no_records(given: &str) -> Error {
    Error::Invalid(format!("records may not be empty (was {given})"))
}

fn not_null(text: &[u8]) -> Option<&[u8]> {
    (text != b"null").then_some(text)
}

/// A text; numbers and booleans are taken for theirs, as the reference's parser
/// does.
fn text_of(value: &[u8]) -> Result<Option<String>, Error> {
    match value {
        b"null" => Ok(None),
        [b'"', raw @ .., b'"'] => {
            let mut text = Vec::with_capacity(raw.len());
            unescape(raw, &mut text);
            Ok(Some(String::from_utf8_lossy(&text).into_owned()))
        }
        [b'{' | b'[', ..] => {
            Err(Error::Malformed("a schema must be a string that holds its text".to_owned()))
        }
        value => Ok(Some(String::from_utf8_lossy(value).into_owned())),
    }
}

/// The id of a schema.
fn id_of(value: &[u8]) -> Result<Option<i32>, Error> {
    not_null(value).map(|value| integer(value, "the id of a schema")).transpose()
}

/// A number of a partition.
fn partition(text: &[u8]) -> Result<i32, Error> {
    integer(text, "a partition")
}

/// A number; text and fractions are taken for numbers, as the
/// reference's parser does.
fn integer(text: &[u8], what: &str) -> Result<i32, Error> {
    let wrong = || {
        let text = String::from_utf8_lossy(text.get(..100).unwrap_or(text));
        Error::Malformed(format!("{what} must be a 32-bit integer, not {text}"))
    };
    let digits = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
    if let Ok(number) = digits.parse() {
        return Ok(number);
    }
    match digits.parse::<f64>() {
        Ok(number) if digits == str_of(text) && number.abs() < f64::from(i32::MAX) => {
            Ok(number as i32)
        }
        _ => Err(wrong()),
    }
}

fn str_of(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}

//! The body of a produce request, and its records by partition.
//!
//! The body is walked once. Values go from it straight into the buffer of
//! their partition; nothing is allocated for single records.

use std::collections::HashMap;
use std::sync::Arc;

use client::Topic;
use client::producer::Partitioner;
use protocol::records::RecordBuffer;

use super::Request;
use crate::body::{Body, unknown_member};
use crate::config::ApiVersion;
use crate::error::Error;
use crate::formats::{Codec, Field};
use crate::json::{JsonError, Scanner};

/// About how many bytes of a body belong to one record.
const BYTES_PER_RECORD: usize = 100;

/// A body that can be read, more than once.
#[derive(Debug)]
pub(super) struct Reader {
    body: Option<Body>,
    version: ApiVersion,
    codec: Codec,
    partition: Option<i32>,
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
        Self { body: Some(body), version, codec, partition }
    }

    /// Leaves a reader without body behind.
    pub(super) fn take(&mut self) -> Self {
        Self { body: self.body.take(), ..*self }
    }

    pub(super) fn body_length(&self) -> usize {
        self.text().len()
    }

    fn text(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
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

impl<'a> Reading<'a> {
    fn body(mut self, text: &'a [u8]) -> Result<Records, Error> {
        if matches!(text.trim_ascii(), b"" | b"null") {
            return Err(no_records("null"));
        }
        let mut scanner = Scanner::new(text)?;
        let mut given = "null";
        scanner.expect(b'{', "an object with records")?;
        if !scanner.take(b'}') {
            loop {
                let name = scanner.name()?;
                match name.raw {
                    b"records" => given = self.records(&mut scanner)?,
                    // They mean nothing for formats without schemas.
                    b"key_schema" | b"value_schema" | b"key_schema_id" | b"value_schema_id" => {
                        scanner.value()?;
                    }
                    _ => return Err(Error::Invalid(unknown_member(&name.to_text()))),
                }
                if !scanner.take(b',') {
                    break;
                }
            }
            scanner.expect(b'}', "',' or '}'")?;
        }
        scanner.end()?;
        let records = self.groups.records;
        match self.failure {
            Some(failure) => Err(failure),
            None if records.order.is_empty() => Err(no_records(given)),
            None => Ok(records),
        }
    }

    /// Reads the list of records; returns what there is instead when it is empty.
    fn records(&mut self, scanner: &mut Scanner<'a>) -> Result<&'static str, Error> {
        // Of members of the same name the last one counts.
        self.groups.clear();
        self.failure = None;
        if scanner.peek() == Some(b'n') {
            scanner.value()?;
            return Ok("null");
        }
        scanner.expect(b'[', "a list of records")?;
        if scanner.take(b']') {
            return Ok("[]");
        }
        loop {
            let record = self.record(scanner)?;
            if self.failure.is_none()
                && let Err(failure) = self.add(record)
            {
                self.failure = Some(failure);
            }
            if !scanner.take(b',') {
                break;
            }
        }
        scanner.expect(b']', "',' or ']'")?;
        Ok("[]")
    }

    fn record(&mut self, scanner: &mut Scanner<'a>) -> Result<RawRecord<'a>, Error> {
        let mut record = RawRecord::default();
        scanner.expect(b'{', "a record")?;
        if scanner.take(b'}') {
            return Ok(record);
        }
        let has_partition =
            self.reader.partition.is_none() || self.reader.version == ApiVersion::V2;
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

    /// Puts a record into the buffer of its partition.
    fn add(&mut self, record: RawRecord<'_>) -> Result<(), Error> {
        let &Reader { version, codec, .. } = self.reader;
        let index = self.groups.records.order.len();
        let key = match record.key {
            Some(text) => {
                let key = codec.key(text, version, &mut self.key);
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
        match record.value {
            Some(text) => {
                let written = codec.value(text, version, &mut writer);
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

/// A number of a partition; text and fractions are taken for numbers, as the
/// reference's parser does.
fn partition(text: &[u8]) -> Result<i32, Error> {
    let wrong = || {
        let text = String::from_utf8_lossy(text.get(..100).unwrap_or(text));
        Error::Malformed(format!("a partition must be a 32-bit integer, not {text}"))
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

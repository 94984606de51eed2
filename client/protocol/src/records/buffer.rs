//! The records of one caller on their way to a producer.

use std::ops::Range;

use super::field::{
    Header, length, put_header, put_headers, put_nullable, put_with, replace_varint,
};
use super::varint::{Cursor, put_varint};
use super::{Headers, MAX_RECORD_PREFIX};

/// Records of one caller for one partition, in one flat buffer.
///
/// Each record lies there as in a batch from its key on, so that
/// [`BatchBuilder::append_buffer`](super::BatchBuilder::append_buffer) copies
/// it in one piece. No record has an allocation of its own.
///
/// # Panics
/// When a field reaches 2 GiB. Callers keep records far below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordBuffer {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl RecordBuffer {
    /// No records yet, and no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// No records yet, but room for `records` of them with `bytes` together.
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), entries: Vec::with_capacity(records) }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all records: keys, values, headers and their lengths.
    pub fn size_in_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The most bytes that the records of `range` can take in a batch, without
    /// its header. Takes the same time for any range.
    pub fn wire_size(&self, range: Range<usize>) -> usize {
        let range = self.clamp(range);
        range.len() * MAX_RECORD_PREFIX + (self.start_of(range.end) - self.start_of(range.start))
    }

    /// Appends a record. The timestamp is in ms since the epoch; -1 is the
    /// time at which the producer sends it.
    pub fn push(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        put_nullable(&mut self.bytes, key);
        put_nullable(&mut self.bytes, value);
        put_headers(&mut self.bytes, headers);
        self.entries.push(Entry { timestamp, end: self.bytes.len() });
    }

    /// Starts a record that is written field by field: key, value, headers.
    /// Fields left out are null. It counts only once it is
    /// [committed](RecordWriter::commit); a writer that is dropped before
    /// leaves nothing behind.
    pub fn begin(&mut self, timestamp: i64) -> RecordWriter<'_> {
        RecordWriter { timestamp, start: self.bytes.len(), next: Next::Key, buffer: self }
    }

    /// Forgets all records from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.entries.truncate(length);
        self.bytes.truncate(self.start_of(self.entries.len()));
    }

    /// Forgets all records and keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Moves the records of `other` behind those of this one.
    pub fn append(&mut self, other: &Self) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.entries
            .extend(other.entries.iter().map(|entry| Entry { end: base + entry.end, ..*entry }));
    }

    /// The record at `index`.
    pub fn get(&self, index: usize) -> Option<RecordBufferItem<'_>> {
        self.bodies(index..index.checked_add(1)?)
            .next()
            .map(|(timestamp, body)| item(timestamp, body))
    }

    /// The records in the order they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RecordBufferItem<'_>> {
        self.bodies(0..self.len()).map(|(timestamp, body)| item(timestamp, body))
    }

    /// Timestamp of each record of `range`, and its bytes from the key on.
    #[inline]
    pub(super) fn bodies(
        &self,
        range: Range<usize>,
    ) -> impl ExactSizeIterator<Item = (i64, &[u8])> {
        let range = self.clamp(range);
        let mut start = self.start_of(range.start);
        self.entries.get(range).unwrap_or_default().iter().map(move |entry| {
            let body = self.bytes.get(start..entry.end).expect("entries lie one behind the other");
            start = entry.end;
            (entry.timestamp, body)
        })
    }

    fn clamp(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.len());
        range.start.min(end)..end
    }

    /// Where the record at `index` begins, or the end.
    fn start_of(&self, index: usize) -> usize {
        let before = index.checked_sub(1).and_then(|before| self.entries.get(before));
        before.map_or(0, |entry| entry.end)
    }
}

/// One record of a [`RecordBuffer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordBufferItem<'a> {
    /// In ms since the epoch, or -1 for the time of sending.
    pub timestamp: i64,
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null.
    pub value: Option<&'a [u8]>,
    /// The headers, in the order they were written.
    pub headers: Headers<'a>,
}

/// One record while it is written, field by field.
///
/// # Panics
/// When a field is written twice or after one that follows it.
#[derive(Debug)]
pub struct RecordWriter<'a> {
    buffer: &'a mut RecordBuffer,
    timestamp: i64,
    /// Where the record begins.
    start: usize,
    next: Next,
}

impl RecordWriter<'_> {
    /// Changes the time of the record, in ms since the epoch.
    pub fn timestamp(&mut self, timestamp: i64) -> &mut Self {
        self.timestamp = timestamp;
        self
    }

    /// Writes the key.
    pub fn key(&mut self, key: Option<&[u8]>) -> &mut Self {
        self.advance(Next::Key);
        put_nullable(&mut self.buffer.bytes, key);
        self.next = Next::Value;
        self
    }

    /// Writes as the key what `write` appends to the buffer, about `size_hint` bytes.
    ///
    /// # Errors
    /// The error of `write`; the key is then not written.
    pub fn key_with<E>(
        &mut self,
        size_hint: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<&mut Self, E> {
        self.advance(Next::Key);
        put_with(&mut self.buffer.bytes, size_hint, write)?;
        self.next = Next::Value;
        Ok(self)
    }

    /// Writes the value.
    pub fn value(&mut self, value: Option<&[u8]>) -> &mut Self {
        self.advance(Next::Value);
        put_nullable(&mut self.buffer.bytes, value);
        self.next = Next::HeadersCount;
        self
    }

    /// Writes as the value what `write` appends to the buffer, about `size_hint` bytes.
    ///
    /// # Errors
    /// The error of `write`; the value is then not written.
    pub fn value_with<E>(
        &mut self,
        size_hint: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<&mut Self, E> {
        self.advance(Next::Value);
        put_with(&mut self.buffer.bytes, size_hint, write)?;
        self.next = Next::HeadersCount;
        Ok(self)
    }

    /// Adds a header. Keys may repeat.
    pub fn header(&mut self, key: &str, value: Option<&[u8]>) -> &mut Self {
        self.begin_header();
        put_header(&mut self.buffer.bytes, key, value);
        self.count_header();
        self
    }

    /// Adds a header whose value is what `write` appends to the buffer, about
    /// `size_hint` bytes.
    ///
    /// # Errors
    /// The error of `write`; the header is then not written.
    pub fn header_with<E>(
        &mut self,
        key: &str,
        size_hint: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<&mut Self, E> {
        self.begin_header();
        let start = self.buffer.bytes.len();
        put_varint(&mut self.buffer.bytes, length(key.len()));
        self.buffer.bytes.extend_from_slice(key.as_bytes());
        if let Err(error) = put_with(&mut self.buffer.bytes, size_hint, write) {
            self.buffer.bytes.truncate(start);
            return Err(error);
        }
        self.count_header();
        Ok(self)
    }

    /// Bytes of the record so far.
    pub fn size_in_bytes(&self) -> usize {
        self.buffer.bytes.len() - self.start
    }

    /// Makes the record count.
    pub fn commit(mut self) {
        self.begin_header();
        if let Next::Header { count_at, count } = self.next {
            replace_varint(&mut self.buffer.bytes, count_at, 1, length(count));
        }
        self.buffer.entries.push(Entry { timestamp: self.timestamp, end: self.buffer.bytes.len() });
    }

    /// Writes the fields before `field` as null, if they are not there yet.
    fn advance(&mut self, field: Next) {
        if field == Next::Value && self.next == Next::Key {
            self.key(None);
        }
        assert!(self.next == field, "fields of a record come once and in order");
    }

    /// Leaves one byte for the count of headers, which is known last.
    fn begin_header(&mut self) {
        if matches!(self.next, Next::Key | Next::Value) {
            self.value(None);
        }
        if self.next == Next::HeadersCount {
            self.next = Next::Header { count_at: self.buffer.bytes.len(), count: 0 };
            self.buffer.bytes.push(0);
        }
    }

    fn count_header(&mut self) {
        if let Next::Header { count, .. } = &mut self.next {
            *count += 1;
        }
    }
}

impl Drop for RecordWriter<'_> {
    /// Takes back what was not committed.
    fn drop(&mut self) {
        let end = self.buffer.start_of(self.buffer.entries.len());
        self.buffer.bytes.truncate(end);
    }
}

/// What a [`RecordWriter`] has to write next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Key,
    Value,
    HeadersCount,
    Header { count_at: usize, count: usize },
}

/// Where a record ends; it begins where the one before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    timestamp: i64,
    end: usize,
}

fn item(timestamp: i64, body: &[u8]) -> RecordBufferItem<'_> {
    let own = "these bytes were written here";
    let mut cursor = Cursor::new(body);
    RecordBufferItem {
        timestamp,
        key: cursor.nullable().expect(own),
        value: cursor.nullable().expect(own),
        headers: Headers::parse(&mut cursor).expect(own),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(buffer: &RecordBuffer) -> Vec<String> {
        let text = |bytes: Option<&[u8]>| {
            bytes.map_or("null".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let headers = |headers: Headers<'_>| -> Vec<String> {
            headers.iter().map(|(key, value)| format!("{key}:{}", text(value))).collect()
        };
        let record = |record: RecordBufferItem<'_>| {
            let (key, value) = (text(record.key), text(record.value));
            format!("{} {key}={value} [{}]", record.timestamp, headers(record.headers).join(" "))
        };
        buffer.iter().map(record).collect()
    }

    #[test]
    fn records_come_back_in_order() {
        let mut buffer = RecordBuffer::new();
        assert!(buffer.is_empty());
        buffer.push(-1, Some(b"k"), Some(b"v"), &[("a", Some(b"1")), ("a", None)]);
        buffer.push(5, None, None, &[]);
        assert_eq!(shown(&buffer), ["-1 k=v [a:1 a:null]", "5 null=null []"]);
        assert_eq!(buffer.get(1).unwrap().timestamp, 5);
        assert_eq!(buffer.get(2), None);
        assert_eq!(buffer.get(usize::MAX), None);
    }

    #[test]
    fn a_record_written_field_by_field_is_the_same_as_one_pushed() {
        let mut pushed = RecordBuffer::new();
        let mut written = RecordBuffer::new();
        pushed.push(
            7,
            Some(b"key"),
            Some(b"value"),
            &[("a", Some(b"1")), ("b", None), ("c", Some(b"decoded"))],
        );
        let mut record = written.begin(-1);
        record.timestamp(7).key(Some(b"key"));
        record.value_with(100, |buffer| append(buffer, b"value")).unwrap();
        record.header("a", Some(b"1")).header("b", None);
        record.header_with("c", 0, |buffer| append(buffer, b"decoded")).unwrap();
        assert_eq!(record.size_in_bytes(), pushed.size_in_bytes());
        record.commit();
        assert_eq!(written, pushed);
    }

    #[test]
    fn fields_left_out_are_null() {
        let mut buffer = RecordBuffer::new();
        buffer.begin(1).commit();
        let mut record = buffer.begin(2);
        record.value(Some(b"v"));
        record.commit();
        let mut record = buffer.begin(3);
        record.key_with(3, |buffer| append(buffer, b"k")).unwrap();
        record.commit();
        let mut record = buffer.begin(4);
        record.header("h", None);
        record.commit();
        assert_eq!(
            shown(&buffer),
            ["1 null=null []", "2 null=v []", "3 k=null []", "4 null=null [h:null]"]
        );
    }

    #[test]
    fn a_record_that_is_not_committed_leaves_nothing() {
        let mut buffer = RecordBuffer::new();
        buffer.push(1, None, Some(b"kept"), &[]);
        let before = buffer.clone();
        let mut record = buffer.begin(2);
        record.key(Some(b"key"));
        let failed = record.value_with(10, |buffer| {
            buffer.extend_from_slice(b"half");
            Err("not base64")
        });
        assert_eq!(failed.unwrap_err(), "not base64");
        drop(record);
        assert_eq!(buffer, before);
        buffer.begin(3).value(Some(b"dropped")).header("h", None);
        assert_eq!(buffer, before);
    }

    #[test]
    fn a_header_that_fails_is_not_counted() {
        let mut buffer = RecordBuffer::new();
        let mut record = buffer.begin(1);
        record.header_with("bad", 3, |_| Err("no")).unwrap_err();
        record.header("good", None);
        record.commit();
        assert_eq!(shown(&buffer), ["1 null=null [good:null]"]);
    }

    #[test]
    fn many_headers_need_a_longer_count() {
        for count in [0, 1, 63, 64, 65, 8_192] {
            let headers = vec![("h", Some(&b"x"[..])); count];
            let mut pushed = RecordBuffer::new();
            pushed.push(1, None, None, &headers);
            let mut written = RecordBuffer::new();
            let mut record = written.begin(1);
            for (key, value) in &headers {
                record.header(key, *value);
            }
            record.commit();
            assert!(written == pushed, "{count} headers");
        }
    }

    #[test]
    #[should_panic(expected = "fields of a record come once and in order")]
    fn fields_out_of_order_are_a_mistake_of_the_caller() {
        RecordBuffer::new().begin(1).value(None).key(None);
    }

    #[test]
    fn records_are_forgotten_from_the_end() {
        let mut buffer = RecordBuffer::new();
        let mut sizes = vec![0];
        for value in [&b"a"[..], b"bb", b"ccc"] {
            buffer.push(1, None, Some(value), &[]);
            sizes.push(buffer.size_in_bytes());
        }
        for length in (0..=3).rev() {
            buffer.truncate(length);
            assert_eq!((buffer.len(), buffer.size_in_bytes()), (length, sizes[length]));
        }
    }

    #[test]
    fn buffers_are_joined() {
        let mut all = RecordBuffer::new();
        let mut first = RecordBuffer::with_capacity(1, 100);
        let mut second = RecordBuffer::new();
        for timestamp in 1..=3 {
            let half = if timestamp == 1 { &mut first } else { &mut second };
            half.push(timestamp, None, Some(b"x"), &[]);
            all.push(timestamp, None, Some(b"x"), &[]);
        }
        first.append(&second);
        assert_eq!(first, all);
    }

    #[test]
    fn the_wire_size_is_an_upper_bound() {
        let mut buffer = RecordBuffer::new();
        for size in [0, 1, 100, 10_000] {
            buffer.push(i64::MAX, None, Some(&vec![0; size]), &[]);
        }
        for range in [0..4, 1..2, 2..4, 3..9, 7..9] {
            let mut builder = super::super::BatchBuilder::new(super::super::Compression::None);
            let empty = builder.size_in_bytes();
            builder.append_buffer(&buffer, range.clone(), 0);
            let taken = builder.size_in_bytes() - empty;
            assert!(buffer.wire_size(range.clone()) >= taken, "{range:?}");
        }
    }

    fn append(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ()> {
        buffer.extend_from_slice(bytes);
        Ok(())
    }
}

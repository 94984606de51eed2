//! Records inside a batch, borrowed from its bytes.

use std::borrow::Cow;

use super::field::{length, nullable_size, put_nullable};
use super::varint::{Cursor, NEGATIVE_LENGTH, put_varint, varint_size};
use super::{BatchHeader, RecordError, TimestampType};

/// One record, borrowed from the bytes of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset: the base offset of the batch and the delta of the record.
    pub offset: i64,
    /// In ms since the epoch: the record's own, or that of the append.
    pub timestamp: i64,
    /// The key; `None` is null, which is not the same as empty.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null: a tombstone where the topic is compacted.
    pub value: Option<&'a [u8]>,
    /// The headers, in the order of the sender.
    pub headers: Headers<'a>,
}

impl Record<'_> {
    /// Bytes of key, value and headers in a batch.
    pub(super) fn body_size(&self) -> usize {
        let count = varint_size(length(self.headers.count));
        nullable_size(self.key) + nullable_size(self.value) + count + self.headers.bytes.len()
    }

    /// Writes key, value and headers.
    pub(super) fn put_body(&self, buffer: &mut Vec<u8>) {
        put_nullable(buffer, self.key);
        put_nullable(buffer, self.value);
        put_varint(buffer, length(self.headers.count));
        buffer.extend_from_slice(self.headers.bytes);
    }
}

/// The headers of one record. Keys may repeat, and the order is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    /// The headers without their count; [`parse`](Self::parse) has walked them.
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Headers<'a> {
    /// Takes count and headers off `cursor` and checks each length.
    #[inline]
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Self, RecordError> {
        let count = usize::try_from(cursor.varint()?).map_err(|_| NEGATIVE_LENGTH)?;
        let bytes = cursor.rest();
        for _ in 0..count {
            cursor.sized()?;
            cursor.nullable()?;
        }
        let (bytes, _) = bytes.split_at(bytes.len() - cursor.rest().len());
        Ok(Self { bytes, count })
    }

    /// How many there are, repeated keys included.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Key and value of each header. A key that is not UTF-8 has its bad bytes
    /// replaced by U+FFFD, as Java reads it.
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter(self.iter_raw())
    }

    /// Key and value of each header, the key as the bytes it is.
    pub fn iter_raw(&self) -> RawHeadersIter<'a> {
        RawHeadersIter { cursor: Cursor::new(self.bytes), left: self.count }
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = (Cow<'a, str>, Option<&'a [u8]>);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// What [`Headers::iter`] returns.
#[derive(Debug, Clone)]
pub struct HeadersIter<'a>(RawHeadersIter<'a>);

impl<'a> Iterator for HeadersIter<'a> {
    type Item = (Cow<'a, str>, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (String::from_utf8_lossy(key), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for HeadersIter<'_> {}

/// What [`Headers::iter_raw`] returns.
#[derive(Debug, Clone)]
pub struct RawHeadersIter<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Iterator for RawHeadersIter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let walked = "Headers::parse has walked these bytes";
        Some((self.cursor.sized().expect(walked), self.cursor.nullable().expect(walked)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for RawHeadersIter<'_> {}

/// Walks the decompressed records of one batch.
///
/// Each length is checked against what is left. The walk ends after the first
/// error: nothing after it can be trusted. Fewer or more bytes than the
/// header's count of records are an error too.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    cursor: Cursor<'a>,
    left: i32,
    base_offset: i64,
    base_timestamp: i64,
    /// The timestamp of all records, if the broker gave it.
    append_time: Option<i64>,
    done: bool,
}

/// A place between two records of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPosition {
    bytes_left: usize,
    records_left: i32,
}

impl<'a> RecordIter<'a> {
    /// The records in `section`, which is what
    /// [`Batch::record_section`](super::Batch::record_section) returned for
    /// the batch with this header.
    pub fn new(header: &BatchHeader, section: &'a [u8]) -> Self {
        let append_time = (header.attributes.timestamp_type() == TimestampType::LogAppendTime)
            .then_some(header.max_timestamp);
        Self {
            cursor: Cursor::new(section),
            left: header.records_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time,
            done: false,
        }
    }

    /// Goes on where a walk of the same records was left.
    pub fn resume(header: &BatchHeader, section: &'a [u8], position: RecordPosition) -> Self {
        let mut records = Self::new(header, section);
        let walked = section.len().saturating_sub(position.bytes_left);
        records.cursor = Cursor::new(section.get(walked..).unwrap_or_default());
        records.left = position.records_left;
        records
    }

    /// Where the next record begins, for [`resume`](Self::resume).
    #[inline]
    pub fn position(&self) -> RecordPosition {
        RecordPosition { bytes_left: self.cursor.rest().len(), records_left: self.left }
    }

    #[inline]
    fn read(&mut self) -> Result<Record<'a>, RecordError> {
        let mut body = Cursor::new(self.cursor.sized()?);
        // No bit of the record's attributes has a meaning.
        body.byte()?;
        let timestamp_delta = body.varlong()?;
        let offset_delta = body.varint()?;
        let key = body.nullable()?;
        let value = body.nullable()?;
        let headers = Headers::parse(&mut body)?;
        if !body.is_empty() {
            return Err(RecordError::Invalid("a record is longer than its fields"));
        }
        Ok(Record {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: self
                .append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers,
        })
    }

    /// Nothing is left when the count is used up.
    #[cold]
    fn finish(&mut self) -> Option<Result<Record<'a>, RecordError>> {
        if std::mem::replace(&mut self.done, true) {
            None
        } else if self.left < 0 {
            Some(Err(RecordError::Invalid("the count of records is negative")))
        } else if !self.cursor.is_empty() {
            Some(Err(RecordError::Invalid("bytes follow the last record")))
        } else {
            None
        }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.done || self.left <= 0 {
            return self.finish();
        }
        self.left -= 1;
        let record = self.read();
        self.done = record.is_err();
        Some(record)
    }
}

impl std::iter::FusedIterator for RecordIter<'_> {}

#[cfg(test)]
mod tests {
    use super::super::{Batch, BatchBuilder, Compression};
    use super::*;

    const HEADERS: [(&str, Option<&[u8]>); 4] =
        [("a", Some(b"1")), ("b", None), ("a", Some(b"2")), ("", Some(b""))];

    /// A batch of three records without compression.
    fn batch() -> Batch {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.set_base_offset(100);
        builder.append(5_000, Some(b"key"), Some(b"value"), &HEADERS);
        builder.append(4_000, None, None, &[]);
        builder.append(6_000, Some(b""), Some(b""), &[]);
        Batch::from_bytes(builder.build()).unwrap()
    }

    fn section(batch: &Batch) -> Vec<u8> {
        batch.record_section(0).unwrap().to_vec()
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let batch = batch();
        let section = section(&batch);
        let records: Vec<_> =
            RecordIter::new(batch.header(), &section).collect::<Result<_, _>>().unwrap();
        let shown: Vec<_> =
            records.iter().map(|r| (r.offset, r.timestamp, r.key, r.value)).collect();
        assert_eq!(
            shown,
            [
                (100, 5_000, Some(&b"key"[..]), Some(&b"value"[..])),
                (101, 4_000, None, None),
                (102, 6_000, Some(&b""[..]), Some(&b""[..])),
            ]
        );
        assert!(records[1].headers.is_empty());
    }

    #[test]
    fn repeated_headers_keep_count_and_order() {
        let batch = batch();
        let section = section(&batch);
        let record = RecordIter::new(batch.header(), &section).next().unwrap().unwrap();
        assert_eq!(record.headers.len(), 4);
        let headers: Vec<(String, Option<&[u8]>)> =
            record.headers.iter().map(|(key, value)| (key.into_owned(), value)).collect();
        assert_eq!(headers, HEADERS.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn a_header_key_that_is_not_utf8_is_read_as_java_reads_it() {
        let batch = batch();
        let mut section = section(&batch);
        let key = section.windows(3).position(|bytes| bytes == b"\x02a\x02").unwrap() + 1;
        section[key] = 0xff;
        let record = RecordIter::new(batch.header(), &section).next().unwrap().unwrap();
        assert_eq!(record.headers.iter().next().unwrap().0, "\u{fffd}");
        assert_eq!(record.headers.iter_raw().next().unwrap().0, b"\xff");
    }

    #[test]
    fn a_walk_can_be_left_and_taken_up_again_anywhere() {
        let batch = batch();
        let section = section(&batch);
        let all: Vec<_> = RecordIter::new(batch.header(), &section).collect();
        for taken in 0..=all.len() {
            let mut records = RecordIter::new(batch.header(), &section);
            records.by_ref().take(taken).for_each(drop);
            let rest: Vec<_> =
                RecordIter::resume(batch.header(), &section, records.position()).collect();
            assert_eq!(rest, all[taken..], "after {taken}");
        }
    }

    #[test]
    fn count_and_data_must_agree() {
        let batch = batch();
        let section = section(&batch);
        for (records_count, expected) in [
            (2, "bytes follow the last record"),
            (0, "bytes follow the last record"),
            (4, "records end inside a record"),
            (i32::MAX, "records end inside a record"),
            (-1, "the count of records is negative"),
        ] {
            let header = BatchHeader { records_count, ..*batch.header() };
            let last = RecordIter::new(&header, &section).last();
            assert_eq!(last, Some(Err(RecordError::Invalid(expected))), "{records_count} records");
        }
        let empty = BatchHeader { records_count: 0, ..*batch.header() };
        assert_eq!(RecordIter::new(&empty, &[]).next(), None);
    }

    #[test]
    fn a_cut_at_any_byte_is_an_error_and_the_end() {
        let batch = batch();
        let section = section(&batch);
        for length in 0..section.len() {
            let mut records = RecordIter::new(batch.header(), &section[..length]);
            assert!(records.any(|record| record.is_err()), "cut at {length}");
            assert_eq!(records.next(), None);
        }
    }

    #[test]
    fn fields_that_do_not_fill_their_record_are_an_error() {
        let batch = batch();
        let header = BatchHeader { records_count: 1, ..*batch.header() };
        for (case, record, expected) in [
            ("null key, null value, no headers", &[12, 0, 0, 0, 1, 1, 0][..], None),
            (
                "one byte more",
                &[14, 0, 0, 0, 1, 1, 0, 0],
                Some("a record is longer than its fields"),
            ),
            ("one byte less", &[10, 0, 0, 0, 1, 1], Some("records end inside a record")),
            ("negative length", &[1], Some("a length is negative")),
            ("key of length -2", &[12, 0, 0, 0, 3, 1, 0], Some("a length is negative")),
            (
                "key beyond the record",
                &[12, 0, 0, 0, 80, 1, 0],
                Some("records end inside a record"),
            ),
            ("-1 headers", &[12, 0, 0, 0, 1, 1, 1], Some("a length is negative")),
            ("a header too many", &[12, 0, 0, 0, 1, 1, 2], Some("records end inside a record")),
            ("null header key", &[16, 0, 0, 0, 1, 1, 2, 1, 1], Some("a length is negative")),
            ("null header value", &[16, 0, 0, 0, 1, 1, 2, 0, 1], None),
        ] {
            let found = RecordIter::new(&header, record).find_map(Result::err);
            assert_eq!(found, expected.map(RecordError::Invalid), "{case}");
        }
    }

    #[test]
    fn offsets_and_timestamps_at_the_end_of_their_range_do_not_overflow() {
        let batch = batch();
        let section = section(&batch);
        let header =
            BatchHeader { base_offset: i64::MAX, base_timestamp: i64::MIN, ..*batch.header() };
        assert_eq!(RecordIter::new(&header, &section).filter(Result::is_ok).count(), 3);
    }
}

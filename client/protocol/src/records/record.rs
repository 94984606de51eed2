//! Records inside a batch, borrowed from its bytes.

use std::borrow::Cow;

use super::varint::{Cursor, NEGATIVE_LENGTH};
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

    /// Count and headers as they are in a record.
    pub(super) fn wire(&self) -> (usize, &'a [u8]) {
        (self.count, self.bytes)
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

//! The lines of standard input, and the records that they are.
//!
//! Bytes stay as they come: lines need not be UTF-8. A line ends with `\n` or
//! `\r\n`; the last one may lack its end.

use std::io::{self, Read};

use protocol::records::RecordBuffer;
use regex::bytes::Regex;

use super::super::options::UsageError;

/// Bytes that are asked for at a time.
const READ_SIZE: usize = 64 * 1024;

/// Cuts input into pieces of whole lines.
#[derive(Debug)]
pub(super) struct LineReader<R> {
    input: R,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    /// The most bytes of one line.
    limit: usize,
    ended: bool,
}

/// Why there are no more lines.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Input(#[from] io::Error),
    #[error("it is longer than {0} bytes (max.request.size)")]
    TooLong(usize),
}

impl<R: Read> LineReader<R> {
    pub(super) fn new(input: R, limit: usize) -> Self {
        Self { input, rest: Vec::new(), limit, ended: false }
    }

    /// The lines that have come meanwhile, at least one; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let mut piece = std::mem::take(&mut self.rest);
        while !self.ended {
            let known = piece.len();
            self.read_into(&mut piece)?;
            let new = piece.get(known..).unwrap_or_default();
            if let Some(end) = new.iter().rposition(|byte| *byte == b'\n') {
                self.rest = piece.split_off(known + end + 1);
                return Ok(Some(piece));
            }
            if piece.len() > self.limit {
                return Err(ReadError::TooLong(self.limit));
            }
        }
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    fn read_into(&mut self, piece: &mut Vec<u8>) -> io::Result<()> {
        let known = piece.len();
        piece.resize(known + READ_SIZE, 0);
        let room = piece.get_mut(known..).unwrap_or_default();
        let count = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        self.ended = count == 0;
        piece.truncate(known + count);
        Ok(())
    }
}

/// The lines of a piece, without their ends.
pub(super) fn lines(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    let piece = piece.strip_suffix(b"\n").unwrap_or(piece);
    piece.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// How a line is taken apart: `headers delimiter key separator value`, where
/// headers and key are there only if they are asked for.
#[derive(Debug)]
pub(super) struct LineParser {
    parse_key: bool,
    key_separator: Vec<u8>,
    parse_headers: bool,
    headers_delimiter: Vec<u8>,
    headers_separator: Regex,
    headers_key_separator: Vec<u8>,
    /// Take lines without separator as they are.
    ignore_error: bool,
    /// What stands for null.
    null_marker: Option<Vec<u8>>,
}

/// Name and value of a header; no value is null.
type Header<'a> = (String, Option<&'a [u8]>);

/// A line, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    headers: Vec<Header<'a>>,
}

impl Line<'_> {
    /// Writes the record, to be stamped when it is sent.
    pub(super) fn write(&self, records: &mut RecordBuffer) {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        records.push(protocol::records::NO_TIMESTAMP, self.key, self.value, &headers);
    }
}

impl LineParser {
    /// Reads the properties of Kafka's `LineMessageReader`.
    ///
    /// # Errors
    /// When two marks are equal or one is no regular expression.
    pub(super) fn new(properties: &[(String, String)]) -> Result<Self, UsageError> {
        const NAMES: [&str; 8] = [
            "parse.key",
            "key.separator",
            "parse.headers",
            "headers.delimiter",
            "headers.separator",
            "headers.key.separator",
            "ignore.error",
            "null.marker",
        ];
        if let Some((name, _)) = properties.iter().find(|(name, _)| !NAMES.contains(&name.as_str()))
        {
            let nearest = protocol::config_def::nearest_name(name, NAMES.into_iter());
            let hint =
                nearest.map_or_else(String::new, |nearest| format!(", did you mean {nearest}?"));
            return Err(UsageError(format!("There is no reader property {name}{hint}")));
        }
        let find = |name: &str| {
            properties.iter().rev().find(|(found, _)| found == name).map(|(_, text)| text.as_str())
        };
        let is_true =
            |name| find(name).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        let marks = [
            ("key.separator", find("key.separator").unwrap_or("\t")),
            ("headers.delimiter", find("headers.delimiter").unwrap_or("\t")),
            ("headers.separator", find("headers.separator").unwrap_or(",")),
            ("headers.key.separator", find("headers.key.separator").unwrap_or(":")),
        ];
        let [
            (_, key_separator),
            (_, headers_delimiter),
            (_, headers_separator),
            (_, headers_key_separator),
        ] = marks;
        let null_marker = find("null.marker");
        for (index, (name, mark)) in marks.iter().enumerate() {
            if null_marker == Some(*mark) {
                return Err(UsageError(format!("null.marker and {name} may not be equal")));
            }
            // The key's separator may well be that of the headers before it.
            let mut others = marks.iter().skip(index + 1);
            if index > 0
                && let Some((other, _)) = others.find(|(_, other)| other == mark)
            {
                return Err(UsageError(format!("{name} and {other} may not be equal")));
            }
        }
        let headers_separator = Regex::new(headers_separator)
            .map_err(|error| UsageError(format!("headers.separator: {error}")))?;
        Ok(Self {
            parse_key: is_true("parse.key"),
            key_separator: key_separator.into(),
            parse_headers: is_true("parse.headers"),
            headers_delimiter: headers_delimiter.into(),
            headers_separator,
            headers_key_separator: headers_key_separator.into(),
            ignore_error: is_true("ignore.error"),
            null_marker: null_marker.map(Into::into),
        })
    }

    /// Takes line `number` apart.
    ///
    /// # Errors
    /// When a separator is missing.
    pub(super) fn parse<'a>(&self, line: &'a [u8], number: u64) -> Result<Line<'a>, String> {
        let is_null = |field: &[u8]| self.null_marker.as_deref() == Some(field);
        let not_null = |field: &'a [u8]| Some(field).filter(|field| !is_null(field));
        let missing = |what: &str| {
            let line = String::from_utf8_lossy(line);
            Err(format!("No {what} found on line number {number}: '{line}'"))
        };
        let mut rest = line;
        let mut headers = Vec::new();
        if self.parse_headers {
            match split_once(rest, &self.headers_delimiter) {
                Some((field, after)) => {
                    rest = after;
                    if !is_null(field) {
                        headers = self.headers(field, number)?;
                    }
                }
                None if self.ignore_error => {}
                None => return missing("headers delimiter"),
            }
        }
        let mut key = None;
        if self.parse_key {
            match split_once(rest, &self.key_separator) {
                Some((field, after)) => {
                    rest = after;
                    key = not_null(field);
                }
                None if self.ignore_error => {}
                None => return missing("key separator"),
            }
        }
        Ok(Line { key, value: not_null(rest), headers })
    }

    fn headers<'a>(&self, field: &'a [u8], number: u64) -> Result<Vec<Header<'a>>, String> {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let is_null = |field: &[u8]| self.null_marker.as_deref() == Some(field);
        let mut pairs: Vec<&[u8]> = self.headers_separator.split(field).collect();
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        let header = |pair: &'a [u8]| match split_once(pair, &self.headers_key_separator) {
            Some((key, _)) if is_null(key) => Err(format!(
                "Header keys should not be equal to the null marker '{}' as they can't be null",
                name(key)
            )),
            Some((key, value)) => Ok((name(key), Some(value).filter(|value| !is_null(value)))),
            None if self.ignore_error => Ok((name(pair), None)),
            None => Err(format!(
                "No header key separator found in pair '{}' on line number {number}",
                name(pair)
            )),
        };
        pairs.into_iter().map(header).collect()
    }
}

/// Splits at the first place where `separator` is.
fn split_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    if separator.is_empty() {
        return Some((&[], text));
    }
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    let (before, after) = text.split_at(at);
    Some((before, after.get(separator.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(properties: &[(&str, &str)]) -> Result<LineParser, String> {
        let properties: Vec<_> = properties
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        LineParser::new(&properties).map_err(|error| error.0)
    }

    /// `key=value` with headers before it, as text.
    fn check(properties: &[(&str, &str)], line: &str, expected: &str) {
        let text = |field: Option<&[u8]>| {
            field.map_or_else(
                || "null".to_owned(),
                |field| format!("{:?}", String::from_utf8_lossy(field)),
            )
        };
        let answer = match parser(properties).unwrap().parse(line.as_bytes(), 7) {
            Ok(line) => {
                let headers: String = line
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}:{} ", text(*value)))
                    .collect();
                format!("{headers}{}={}", text(line.key), text(line.value))
            }
            Err(message) => message,
        };
        assert_eq!(answer, expected, "{properties:?} {line:?}");
    }

    #[test]
    fn a_line_is_a_value_unless_more_is_asked_for() {
        check(&[], "a\tb", r#"null="a\tb""#);
        check(&[], "", r#"null="""#);
        check(&[("parse.key", "true")], "a\tb\tc", r#""a"="b\tc""#);
        check(&[("parse.key", "TRUE"), ("key.separator", "::")], "a::b:c", r#""a"="b:c""#);
        check(&[("parse.key", "true"), ("key.separator", ":")], ":", r#"""="""#);
        check(
            &[("parse.headers", "true"), ("parse.key", "true")],
            "h:1,h:2,i:\tk\tv",
            r#"h:"1" h:"2" i:"" "k"="v""#,
        );
        check(&[("parse.headers", "true")], "h:1,,\tv", r#"h:"1" null="v""#);
        check(
            &[("parse.headers", "true")],
            "\tv",
            "No header key separator found in pair '' on line number 7",
        );
    }

    #[test]
    fn a_marker_stands_for_null() {
        let properties =
            [("parse.headers", "true"), ("parse.key", "true"), ("null.marker", "NULL")];
        check(&properties, "NULL\tNULL\tNULL", "null=null");
        check(&properties, "a:NULL\tk\tNULLx", r#"a:null "k"="NULLx""#);
        check(
            &properties,
            "NULL:a\tk\tv",
            "Header keys should not be equal to the null marker 'NULL' as they can't be null",
        );
    }

    #[test]
    fn a_missing_separator_is_an_error_unless_errors_are_ignored() {
        check(&[("parse.key", "true")], "ab", "No key separator found on line number 7: 'ab'");
        check(
            &[("parse.headers", "true")],
            "ab",
            "No headers delimiter found on line number 7: 'ab'",
        );
        let ignoring = [("parse.key", "true"), ("parse.headers", "true"), ("ignore.error", "true")];
        check(&ignoring, "ab", r#"null="ab""#);
        check(&ignoring, "ab\tc", r#"ab:null null="c""#);
    }

    #[test]
    fn properties_that_cannot_work_are_refused() {
        for (properties, expected) in [
            (
                &[("headers.separator", ":")][..],
                "headers.separator and headers.key.separator may not be equal",
            ),
            (
                &[("headers.delimiter", ",")],
                "headers.delimiter and headers.separator may not be equal",
            ),
            (&[("null.marker", "\t")], "null.marker and key.separator may not be equal"),
            (
                &[("parse.kye", "true")],
                "There is no reader property parse.kye, did you mean parse.key?",
            ),
        ] {
            assert_eq!(parser(properties).unwrap_err(), expected);
        }
        assert!(
            parser(&[("headers.separator", "(")]).unwrap_err().starts_with("headers.separator: ")
        );
    }

    /// Gives at most `step` bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(room.len());
            let (now, later) = self.0.split_at(count);
            room[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn read(input: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut reader = LineReader::new(Trickle(input, step), 100);
        let mut all = Vec::new();
        while let Some(piece) = reader.next().unwrap() {
            all.extend(lines(&piece).map(<[u8]>::to_vec));
        }
        all
    }

    #[test]
    fn no_line_is_lost_however_the_bytes_come() {
        for (input, expected) in [
            (&b""[..], &[][..]),
            (b"\n", &[&b""[..]]),
            (b"a", &[b"a"]),
            (b"a\n", &[b"a"]),
            (b"a\r\n\r\nb\rc\xff\n\nd", &[b"a", b"", b"b\rc\xff", b"", b"d"]),
        ] {
            for step in 1..=input.len().max(1) {
                assert_eq!(read(input, step), expected, "{input:?} by {step}");
            }
        }
    }

    #[test]
    fn a_line_without_end_does_not_take_all_memory() {
        let mut reader = LineReader::new(io::repeat(b'a'), 1000);
        assert!(matches!(reader.next(), Err(ReadError::TooLong(1000))));
    }
}

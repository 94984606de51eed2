//! JSON, read and written without building trees.
//!
//! [`Scanner`] walks a text and checks its grammar (RFC 8259) on the way; whole
//! values come out as slices of the text. It never allocates and never recurses.

use std::fmt;

/// How deep arrays and objects may lie in each other, as in the reference's parser.
const MAX_DEPTH: usize = 1_000;

/// What is wrong with a text that should be JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonError {
    problem: Problem,
    line: usize,
    column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    End { wanted: &'static str },
    Unexpected { found: char, wanted: &'static str },
    ControlCharacter,
    Escape,
    Number,
    Utf8,
    TooDeep,
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::End { wanted } => {
                write!(formatter, "Unexpected end of JSON, expected {wanted}")
            }
            Problem::Unexpected { found, wanted } => {
                write!(formatter, "Unexpected character {found:?}, expected {wanted}")
            }
            Problem::ControlCharacter => formatter.write_str("Control character in a JSON string"),
            Problem::Escape => formatter.write_str("Invalid escape in a JSON string"),
            Problem::Number => formatter.write_str("Invalid JSON number"),
            Problem::Utf8 => formatter.write_str("Invalid UTF-8"),
            Problem::TooDeep => write!(formatter, "JSON nested deeper than {MAX_DEPTH}"),
        }?;
        write!(formatter, " at line {} column {}", self.line, self.column)
    }
}

impl std::error::Error for JsonError {}

/// A walk over one JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

/// A string in a JSON text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawString<'a> {
    /// What stands between the quotes.
    pub(crate) raw: &'a [u8],
    /// Whether there are escapes in it.
    pub(crate) has_escapes: bool,
}

impl RawString<'_> {
    /// Whether the string is `text`.
    pub(crate) fn is(&self, text: &str) -> bool {
        if !self.has_escapes {
            return self.raw == text.as_bytes();
        }
        let mut plain = Vec::new();
        unescape(self.raw, &mut plain);
        plain == text.as_bytes()
    }

    /// The string itself.
    pub(crate) fn to_text(self) -> String {
        let mut plain = Vec::with_capacity(self.raw.len());
        unescape(self.raw, &mut plain);
        String::from_utf8_lossy(&plain).into_owned()
    }
}

impl<'a> Scanner<'a> {
    /// At the begin of `text`.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, JsonError> {
        let scanner = Self { text, at: 0 };
        match std::str::from_utf8(text) {
            Ok(_) => Ok(scanner),
            Err(error) => Err(Self { text, at: error.valid_up_to() }.error(Problem::Utf8)),
        }
    }

    /// The next byte that is not white space; it is not passed.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Passes `byte`, which `wanted` describes.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, wanted: &'static str) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    /// Passes `byte`, if it comes next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let comes_next = self.peek() == Some(byte);
        self.at += usize::from(comes_next);
        comes_next
    }

    /// Makes sure that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected("the end")) }
    }

    /// Passes the name of a member and the colon.
    #[inline]
    pub(crate) fn name(&mut self) -> Result<RawString<'a>, JsonError> {
        self.expect(b'"', "a member's name in quotes")?;
        let name = self.string_after_quote()?;
        self.expect(b':', "':'")?;
        Ok(name)
    }

    /// Passes a whole value and returns its text.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<&'a [u8], JsonError> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{' | b'[') => self.nested()?,
            Some(byte) => self.scalar(byte)?,
            None => return Err(self.unexpected("a value")),
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// Passes a value that is not an array or object; `first` comes next.
    #[inline]
    fn scalar(&mut self, first: u8) -> Result<(), JsonError> {
        match first {
            b'"' => {
                self.at += 1;
                self.string_after_quote().map(drop)
            }
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Passes an array or object, which comes next.
    fn nested(&mut self) -> Result<(), JsonError> {
        // One bit for each level: whether it is an object.
        let mut levels = [0_u64; MAX_DEPTH.div_ceil(64)];
        let mut depth = 0_usize;
        loop {
            // Before a value.
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(self.error(Problem::TooDeep));
                    }
                    self.at += 1;
                    let is_object = open == b'{';
                    let bit = 1 << (depth % 64);
                    let word = levels.get_mut(depth / 64).expect("there is a bit for each level");
                    *word = if is_object { *word | bit } else { *word & !bit };
                    depth += 1;
                    if self.take(if is_object { b'}' } else { b']' }) {
                        depth -= 1;
                    } else {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                Some(first) => self.scalar(first)?,
                None => return Err(self.unexpected("a value")),
            }
            // After a value.
            loop {
                let Some(level) = depth.checked_sub(1) else { return Ok(()) };
                let word = levels.get(level / 64).expect("there is a bit for each level");
                let is_object = word >> (level % 64) & 1 == 1;
                match (self.peek(), is_object) {
                    (Some(b','), true) => {
                        self.at += 1;
                        self.name()?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.at += 1;
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        depth = level;
                    }
                    (_, true) => return Err(self.unexpected("',' or '}'")),
                    (_, false) => return Err(self.unexpected("',' or ']'")),
                }
            }
        }
    }

    /// Passes a string whose opening quote was passed.
    #[inline]
    fn string_after_quote(&mut self) -> Result<RawString<'a>, JsonError> {
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.skip_plain();
            match self.text.get(self.at) {
                Some(b'"') => {
                    let raw = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(RawString { raw, has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(0..0x20) => return Err(self.error(Problem::ControlCharacter)),
                Some(_) => self.at += 1,
                None => return Err(self.unexpected("'\"'")),
            }
        }
    }

    /// Passes what needs no look: bytes without quote, backslash or control
    /// character, many at a time.
    #[inline]
    fn skip_plain(&mut self) {
        // Names and short values end in the first eight bytes.
        let Some(mut rest) = self.text.get(self.at..) else { return };
        while let Some((eight, after)) = rest.split_first_chunk::<8>() {
            let special = special_bytes(u64::from_le_bytes(*eight));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
            rest = after;
            while let Some((block, after)) = rest.split_first_chunk::<BLOCK>()
                && is_plain(block)
            {
                self.at += BLOCK;
                rest = after;
            }
        }
    }

    /// Passes a backslash and what belongs to it.
    fn escape(&mut self) -> Result<(), JsonError> {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                6
            }
            _ => return Err(self.error(Problem::Escape)),
        };
        self.at += length;
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(literal) {
            return Err(self.unexpected("a value"));
        }
        self.at += literal.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let byte = |at: usize| self.text.get(at).copied().unwrap_or_default();
        let digits = |from: usize| {
            let rest = self.text.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let start = self.at + usize::from(byte(self.at) == b'-');
        let mut end = digits(start);
        let leading_zero = byte(start) == b'0' && end > start + 1;
        let mut valid = end > start && !leading_zero;
        if byte(end) == b'.' {
            let fraction = end + 1;
            end = digits(fraction);
            valid &= end > fraction;
        }
        if matches!(byte(end), b'e' | b'E') {
            let exponent = end + 1 + usize::from(matches!(byte(end + 1), b'+' | b'-'));
            end = digits(exponent);
            valid &= end > exponent;
        }
        if !valid {
            return Err(self.error(Problem::Number));
        }
        self.at = end;
        Ok(())
    }

    fn unexpected(&mut self, wanted: &'static str) -> JsonError {
        self.peek();
        // Right after a value, `at` may stand within white space only.
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = String::from_utf8_lossy(rest.get(..4).unwrap_or(rest)).chars().next();
        self.error(match found {
            Some(found) => Problem::Unexpected { found, wanted },
            None => Problem::End { wanted },
        })
    }

    #[cold]
    fn error(&self, problem: Problem) -> JsonError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        JsonError {
            problem,
            line: 1 + before.iter().filter(|&&byte| byte == b'\n').count(),
            column: before.len() - line_start + 1,
        }
    }
}

/// Bytes of a long string that are looked at together.
const BLOCK: usize = 32;

/// Whether there is no quote, backslash or control character. Numbers in place of
/// conditions, and no way out early, let the compiler compare many bytes at a time.
#[inline]
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let mut special = 0;
    for &byte in block {
        special |= u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
    }
    special == 0
}

/// The highest bit of each byte that is a quote, a backslash or a control
/// character; bits above the lowest one that is set may be wrong.
#[inline]
fn special_bytes(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let is_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let quote = is_zero(eight ^ (ONES * b'"' as u64));
    let backslash = is_zero(eight ^ (ONES * b'\\' as u64));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight;
    (quote | backslash | control) & HIGH
}

/// The text of the one value that `text` holds.
pub(crate) fn check(text: &[u8]) -> Result<&[u8], JsonError> {
    let mut scanner = Scanner::new(text)?;
    let value = scanner.value()?;
    scanner.end()?;
    Ok(value)
}

/// Appends the characters of a checked string. Half a surrogate pair stays an escape.
pub(crate) fn unescape(raw: &[u8], plain: &mut Vec<u8>) {
    each_piece(raw, |piece| match piece {
        Piece::Plain(bytes) => plain.extend_from_slice(bytes),
        Piece::Character(character) => {
            plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    });
}

/// Appends a checked value without white space between its tokens and with
/// strings in raw UTF-8, where only what must be is escaped.
pub(crate) fn compact(text: &[u8], compacted: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => {
                let end = string_length(rest);
                let (raw, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                compacted.push(b'"');
                each_piece(raw, |piece| match piece {
                    Piece::Plain(bytes) => compacted.extend_from_slice(bytes),
                    Piece::Character(character) => write_character(character, compacted),
                });
                compacted.push(b'"');
                rest = after.get(1..).unwrap_or_default();
            }
            byte => compacted.push(byte),
        }
    }
}

/// Where the closing quote of a checked string stands.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

enum Piece<'a> {
    /// Bytes as they stand there.
    Plain(&'a [u8]),
    /// What an escape means.
    Character(char),
}

/// Takes a checked string apart.
fn each_piece<'a>(raw: &'a [u8], mut take: impl FnMut(Piece<'a>)) {
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        let (plain, escape) = rest.split_at(at);
        if !plain.is_empty() {
            take(Piece::Plain(plain));
        }
        let (character, length) = meaning(escape);
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, &[]));
        take(character.map_or(Piece::Plain(escape), Piece::Character));
        rest = after;
    }
    if !rest.is_empty() {
        take(Piece::Plain(rest));
    }
}

/// The character that the escape at the begin of `text` means, if it is one,
/// and the length of the escape.
fn meaning(text: &[u8]) -> (Option<char>, usize) {
    let simple = match text.get(1) {
        Some(b'u') => {
            let Some(first) = code_unit(text) else { return (None, 6) };
            if let Some(character) = char::from_u32(first.into()) {
                return (Some(character), 6);
            }
            let second = text.get(6..).filter(|rest| rest.starts_with(b"\\u")).and_then(code_unit);
            let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
            return if pair.is_some() { (pair, 12) } else { (None, 6) };
        }
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(&itself) => itself.into(),
        None => return (None, 1),
    };
    (Some(simple), 2)
}

fn code_unit(escape: &[u8]) -> Option<u16> {
    u16::from_str_radix(std::str::from_utf8(escape.get(2..6)?).ok()?, 16).ok()
}

/// Appends `text` as a JSON string.
pub(crate) fn write_string(text: &str, answer: &mut Vec<u8>) {
    answer.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        let (plain, after) = rest.split_at(at);
        answer.extend_from_slice(plain);
        if let Some((&byte, after)) = after.split_first() {
            write_character(byte.into(), answer);
            rest = after;
        }
    }
    answer.extend_from_slice(rest);
    answer.push(b'"');
}

/// Appends a character of a JSON string, escaped if it must be, in the way of
/// the reference's serializer.
fn write_character(character: char, answer: &mut Vec<u8>) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\0'..'\u{20}' => {
            answer.extend_from_slice(format!("\\u{:04X}", u32::from(character)).as_bytes());
            return;
        }
        _ => {
            answer.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
    };
    answer.extend_from_slice(&[b'\\', short]);
}

/// Appends a whole number.
pub(crate) fn write_integer(number: impl itoa::Integer, answer: &mut Vec<u8>) {
    answer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_as_they_stand_there() {
        for text in [
            "1",
            "-0",
            "0.5",
            "1e9",
            "-12.5E+3",
            "true",
            "false",
            "null",
            r#""""#,
            r#""a\"b""#,
            r#""\u00e9""#,
            "[]",
            "{}",
            "[1, [2, []], {}]",
            r#"{"a":{"b":[1,{"c":null}]},"d":"x"}"#,
            "\"a string that is longer than eight bytes é☃\"",
            "[ ]",
            "{ }",
            r#"["a\\",1]"#,
        ] {
            assert_eq!(check(text.as_bytes()).unwrap(), text.as_bytes());
            let spaced = format!(" \n{text}\t ");
            assert_eq!(check(spaced.as_bytes()).unwrap(), text.as_bytes(), "{spaced:?}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for (text, expected) in [
            ("", "Unexpected end of JSON, expected a value at line 1 column 1"),
            ("  ", "Unexpected end of JSON, expected a value at line 1 column 3"),
            ("not", "Unexpected character 'n', expected a value at line 1 column 1"),
            ("é", "Unexpected character 'é', expected a value at line 1 column 1"),
            ("[1,]", "Unexpected character ']', expected a value at line 1 column 4"),
            ("[1 2]", "Unexpected character '2', expected ',' or ']' at line 1 column 4"),
            ("[1}", "Unexpected character '}', expected ',' or ']' at line 1 column 3"),
            ("{\"a\"\n1}", "Unexpected character '1', expected ':' at line 2 column 1"),
            (
                "{x",
                "Unexpected character 'x', expected a member's name in quotes at line 1 column 2",
            ),
            (
                r#"{"a":1,}"#,
                "Unexpected character '}', expected a member's name in quotes at line 1 column 8",
            ),
            (r#"{"a":1]"#, "Unexpected character ']', expected ',' or '}' at line 1 column 7"),
            ("{\"records\":[", "Unexpected end of JSON, expected a value at line 1 column 13"),
            ("\"abc", "Unexpected end of JSON, expected '\"' at line 1 column 5"),
            ("\"a\nb\"", "Control character in a JSON string at line 1 column 3"),
            (r#""\x""#, "Invalid escape in a JSON string at line 1 column 2"),
            (r#""\u12g4""#, "Invalid escape in a JSON string at line 1 column 2"),
            ("01", "Invalid JSON number at line 1 column 1"),
            ("-", "Invalid JSON number at line 1 column 1"),
            ("1.", "Invalid JSON number at line 1 column 1"),
            ("1e", "Invalid JSON number at line 1 column 1"),
            ("1 2", "Unexpected character '2', expected the end at line 1 column 3"),
            ("nul", "Unexpected character 'n', expected a value at line 1 column 1"),
        ] {
            assert_eq!(check(text.as_bytes()).unwrap_err().to_string(), expected, "{text:?}");
        }
        let error = check(b"\"\xff\"").unwrap_err().to_string();
        assert_eq!(error, "Invalid UTF-8 at line 1 column 2");
    }

    #[test]
    fn depth_has_a_bound() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(nested(1_000).as_bytes()).is_ok());
        let error = check(nested(1_001).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("JSON nested deeper than 1000"), "{error}");
        let objects = r#"{"a":"#.repeat(700) + "1" + &"}".repeat(700);
        assert!(check(objects.as_bytes()).is_ok());
    }

    #[test]
    fn special_bytes_are_found_wherever_they_are() {
        for length in 0..40 {
            for special in [b'"', b'\\', b'\n'] {
                let mut text = vec![b'"'];
                text.resize(1 + length, 0xc3);
                text.fill(b'~');
                text.insert(0, b'"');
                text.push(special);
                let mut scanner = Scanner { text: &text, at: 1 };
                scanner.skip_plain();
                assert!(scanner.at < text.len(), "{special} after {length}");
                assert!(text.len() - 1 - scanner.at < 8, "{special} after {length}");
            }
        }
    }

    /// Agrees with serde's parser on every text made of the pieces that matter.
    #[test]
    fn the_grammar_is_that_of_another_parser() {
        let pieces =
            ["{", "}", "[", "]", ":", ",", "\"a\"", "1", "-", ".5", "e3", "null", " ", "\"\\n"];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer = texts
                .iter()
                .flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")));
            texts = longer.collect();
            for text in &texts {
                let theirs = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
                assert_eq!(check(text.as_bytes()).is_ok(), theirs, "{text}");
            }
        }
    }

    #[test]
    fn strings_are_escaped_as_the_reference_does() {
        let mut answer = vec![];
        write_string("a\"b\\c\n\u{1f}é\u{7f}", &mut answer);
        assert_eq!(String::from_utf8(answer).unwrap(), "\"a\\\"b\\\\c\\n\\u001Fé\u{7f}\"");
    }

    #[test]
    fn names_are_compared_without_their_escapes() {
        let mut scanner = Scanner::new(br#""k\u0065y": 1"#).unwrap();
        let name = scanner.name().unwrap();
        assert!(name.is("key") && !name.is("k"));
        assert_eq!(name.to_text(), "key");
    }
}

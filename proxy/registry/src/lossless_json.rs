//! JSON text as a value that keeps what the text said: the order of members
//! and every digit of a number.
//!
//! Written out again it is the canonical text of a schema, byte for byte as
//! Jackson writes it, because the identity of a schema is a hash of that text.

use std::cmp::Ordering;
use std::collections::HashMap;

/// How deep arrays and objects may lie in each other. Everything that walks a
/// schema recurses no deeper than this.
pub(crate) const MAX_DEPTH: usize = 256;

/// How many values a text may hold: a schema of a mebibyte has fewer, and each
/// takes far more memory than the two bytes it can be written in.
const MAX_VALUES: usize = 1 << 20;

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {offset}")]
pub(crate) struct InvalidJson {
    problem: &'static str,
    offset: usize,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As it is written out: see [`canonical_number`].
    Number(String),
    String(String),
    Array(Vec<Json>),
    /// In the order of the text; a name occurs once.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a text that holds one value and nothing after it.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidJson> {
        Self::parse_with(text, canonical_number)
    }

    /// As [`parse`](Self::parse), with numbers as `canonical_number` writes
    /// them; nothing means that a number is beyond all bounds.
    pub(crate) fn parse_with(
        text: &str,
        canonical_number: fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidJson> {
        let mut parser = Parser { text, at: 0, values: 0, canonical_number };
        let value = parser.value(0)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("text after the value"));
        }
        Ok(value)
    }

    /// The member `name` of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members of an object; none for anything else.
    pub(crate) fn members(&self) -> &[(String, Json)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The member `name` of an object, to be changed.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.members_mut()?.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members of an object, to be changed.
    pub(crate) fn members_mut(&mut self) -> Option<&mut Vec<(String, Json)>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Two texts mean the same value, whatever the order of members and the
    /// notation of numbers.
    pub(crate) fn same_value(&self, other: &Json) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => {
                one == two
                    || matches!((one.parse::<f64>(), two.parse::<f64>()), (Ok(one), Ok(two)) if one == two)
            }
            (Self::Array(one), Self::Array(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same_value(two))
            }
            (Self::Object(one), Self::Object(two)) => {
                let two: HashMap<&str, &Json> =
                    two.iter().map(|(key, value)| (key.as_str(), value)).collect();
                one.len() == two.len()
                    && one.iter().all(|(key, value)| {
                        two.get(key.as_str()).is_some_and(|other| value.same_value(other))
                    })
            }
            _ => self == other,
        }
    }

    /// The same value with the members of every object sorted by name.
    pub(crate) fn sorted(&self) -> Json {
        match self {
            Self::Array(items) => Self::Array(items.iter().map(Json::sorted).collect()),
            Self::Object(members) => {
                let mut members: Vec<_> =
                    members.iter().map(|(key, value)| (key.clone(), value.sorted())).collect();
                members.sort_by(|(one, _), (two, _)| compare_utf16(one, two));
                Self::Object(members)
            }
            _ => self.clone(),
        }
    }

    /// The value without spaces.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(digits) => out.push_str(digits),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The order of Java's strings: by UTF-16 code unit.
fn compare_utf16(one: &str, two: &str) -> Ordering {
    one.encode_utf16().cmp(two.encode_utf16())
}

pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            char if char < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
}

/// The digits of a number as they are written out again: an integer as it
/// stands, anything with a fraction or an exponent like Java's `BigDecimal`,
/// which keeps trailing zeros and turns `1e3` into `1E+3`.
/// Nothing when the exponent is beyond what `BigDecimal` can hold.
fn canonical_number(text: &str) -> Option<String> {
    if !text.contains(['.', 'e', 'E']) {
        return Some(if text == "-0" { "0".to_owned() } else { text.to_owned() });
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
    i32::try_from(scale).ok()?;
    let digits = format!("{whole}{fraction}");
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let sign = if digits == "0" { "" } else { sign };
    let length = i64::try_from(digits.len()).ok()?;
    let adjusted = length - 1 - scale;
    Some(if scale == 0 {
        format!("{sign}{digits}")
    } else if scale > 0 && adjusted >= -6 {
        let scale = usize::try_from(scale).ok()?;
        match digits.len().checked_sub(scale) {
            Some(point) if point > 0 => {
                format!("{sign}{}.{}", digits.get(..point)?, digits.get(point..)?)
            }
            _ => format!("{sign}0.{digits:0>scale$}"),
        }
    } else {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{rest}E{adjusted:+}")
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
    canonical_number: fn(&str) -> Option<String>,
}

impl Parser<'_> {
    fn error(&self, problem: &'static str) -> InvalidJson {
        InvalidJson { problem, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, InvalidJson> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.error("more than a million values"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.error("not a value")),
            None => Err(self.error("the text ends")),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, InvalidJson> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.error("not a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Json, InvalidJson> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.error("no ',' or ']' in an array"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, InvalidJson> {
        self.at += 1;
        let mut members = Vec::new();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("no name of a member"));
            }
            let key = self.string()?;
            if !self.eat(b':') {
                return Err(self.error("no ':' after the name of a member"));
            }
            let value = self.value(depth + 1)?;
            members.push((key, value));
            if self.eat(b'}') {
                return Ok(Json::Object(without_repetitions(members)));
            }
            if !self.eat(b',') {
                return Err(self.error("no ',' or '}' in an object"));
            }
        }
    }

    fn string(&mut self) -> Result<String, InvalidJson> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.error("a string without end")),
            }
        }
        self.at += 1;
        let text = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(text)
            .map_err(|_| InvalidJson { problem: "not a string", offset: start })
    }

    fn number(&mut self) -> Result<Json, InvalidJson> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let whole = self.digits()?;
        if whole > 1 && self.text.as_bytes().get(self.at - whole) == Some(&b'0') {
            return Err(self.error("a number that begins with 0"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        self.text
            .get(start..self.at)
            .and_then(self.canonical_number)
            .map(Json::Number)
            .ok_or(InvalidJson { problem: "a number beyond all bounds", offset: start })
    }

    fn digits(&mut self) -> Result<usize, InvalidJson> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.error("a number without digits"))
        } else {
            Ok(self.at - start)
        }
    }
}

/// Of members with the same name the last value counts, at the first place.
fn without_repetitions(members: Vec<(String, Json)>) -> Vec<(String, Json)> {
    if members.len() < 2 {
        return members;
    }
    let mut places: HashMap<String, usize> = HashMap::with_capacity(members.len());
    if members.iter().enumerate().all(|(at, (key, _))| places.insert(key.clone(), at).is_none()) {
        return members;
    }
    places.clear();
    let mut unique: Vec<(String, Json)> = Vec::new();
    for (key, value) in members {
        match places.get(&key).and_then(|place| unique.get_mut(*place)) {
            Some(member) => member.1 = value,
            None => {
                places.insert(key.clone(), unique.len());
                unique.push((key, value));
            }
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_written_again_without_spaces() {
        for (text, expected) in [
            (" { \"b\" : 1 ,\n\"a\":[ true,null ] } ", r#"{"b":1,"a":[true,null]}"#),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#""\u00fc\/\u0001\u001f\n\"\\\ud83d\ude00""#, "\"ü/\\u0001\\u001F\\n\\\"\\\\😀\""),
            ("[]", "[]"),
            ("{}", "{}"),
            ("-0", "0"),
            ("1.0", "1.0"),
            ("1.50", "1.50"),
            ("-0.0", "0.0"),
            ("1e3", "1E+3"),
            ("1.50e3", "1.50E+3"),
            ("1.5E-3", "0.0015"),
            ("0.0000001", "1E-7"),
            ("0.000001", "0.000001"),
            ("12.5e1", "125"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(Json::parse(text).unwrap().to_text(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "nope",
            "'a'",
            "{",
            "[",
            "[1",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "1 2",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\u{1}\"",
            "tru",
            "NaN",
            "1e99999999999",
            "\"\\",
            "{}x",
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&nested(MAX_DEPTH)).is_ok());
        for depth in [MAX_DEPTH + 2, 100_000] {
            assert_eq!(Json::parse(&nested(depth)).unwrap_err().problem, "nested too deep");
        }
    }

    #[test]
    fn the_number_of_values_has_a_bound() {
        let text = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(Json::parse(&text).unwrap_err().problem, "more than a million values");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[\[\]{}",:0-9eE.+\-truefalsn \\u]{0,40}"#) {
            // Whatever is read is what serde reads, and is read again.
            match Json::parse(&text) {
                Ok(json) => {
                    let written = json.to_text();
                    prop_assert_eq!(Json::parse(&written), Ok(json));
                    prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
                }
                Err(_) => {
                    let value: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&text);
                    prop_assert!(value.is_err() || text.contains(['e', 'E', '\\']), "{}", text);
                }
            }
        }
    }

    #[test]
    fn members_are_sorted_at_every_level_as_java_does() {
        let json = Json::parse(r#"{"b":[{"z":1,"y":2}],"a":{"d":1,"c":2},"\uffff":1,"😀":2}"#);
        assert_eq!(
            json.unwrap().sorted().to_text(),
            "{\"a\":{\"c\":2,\"d\":1},\"b\":[{\"y\":2,\"z\":1}],\"😀\":2,\"\u{ffff}\":1}"
        );
    }
}

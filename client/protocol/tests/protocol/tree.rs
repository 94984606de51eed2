//! Messages as trees of named values, whatever type they came from.
//!
//! Two codecs have different types for the same message, but their `Debug`
//! output and Kafka's JSON name the same fields.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::{ErrorCode, Uuid};

/// A value of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    /// A number, a truth value, a text or an id.
    Text(String),
    /// Bytes, in base64.
    Bytes(String),
    List(Vec<Tree>),
    /// Fields by their names in snake case.
    Struct(BTreeMap<String, Tree>),
}

impl Tree {
    /// The tree of a value that derives `Debug`.
    pub(crate) fn of(value: &impl Debug) -> Self {
        let text = format!("{value:?}");
        let mut parser = Parser { rest: &text, error_codes: error_codes() };
        let tree = parser.value();
        assert!(parser.rest.is_empty(), "left of {text}: {}", parser.rest);
        tree
    }

    /// The tree of a message in Kafka's JSON.
    pub(crate) fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Text(value.to_string()),
            serde_json::Value::Number(value) => Self::Text(value.to_string()),
            serde_json::Value::String(value) => Self::Text(value.clone()),
            serde_json::Value::Array(elements) => {
                Self::List(elements.iter().map(Self::of_json).collect())
            }
            serde_json::Value::Object(fields) => Self::Struct(
                fields
                    .iter()
                    .map(|(name, value)| (snake_case(name), Self::of_json(value)))
                    .collect(),
            ),
        }
    }

    /// Where `expected` has a field that is missing here or has another value.
    /// Fields that only this tree has are of other versions.
    pub(crate) fn difference(&self, expected: &Self, path: &str) -> Option<String> {
        match (self, expected) {
            (Self::Struct(ours), Self::Struct(theirs)) => {
                theirs.iter().find_map(|(name, value)| {
                    let path = format!("{path}.{name}");
                    match ours.get(name) {
                        Some(ours) => ours.difference(value, &path),
                        None => Some(format!("{path} is missing")),
                    }
                })
            }
            (Self::List(ours), Self::List(theirs)) if ours.len() == theirs.len() => {
                ours.iter().zip(theirs).enumerate().find_map(|(at, (ours, theirs))| {
                    ours.difference(theirs, &format!("{path}[{at}]"))
                })
            }
            (Self::Bytes(ours), Self::Text(theirs)) if ours == theirs => None,
            _ if self == expected => None,
            _ => Some(format!("{path} is {self:?} instead of {expected:?}")),
        }
    }

    /// Takes fields of this name out of all structures.
    pub(crate) fn without(mut self, name: &str) -> Self {
        match &mut self {
            Self::Struct(fields) => {
                fields.remove(name);
                fields.values_mut().for_each(|value| *value = value.clone().without(name));
            }
            Self::List(elements) => {
                elements.iter_mut().for_each(|value| *value = value.clone().without(name))
            }
            Self::Null | Self::Text(_) | Self::Bytes(_) => {}
        }
        self
    }
}

/// Reads what `{:?}` writes.
struct Parser<'a> {
    rest: &'a str,
    error_codes: HashMap<String, String>,
}

impl Parser<'_> {
    fn value(&mut self) -> Tree {
        if self.skip("[") {
            return Tree::List(self.until("]", Self::value));
        }
        if self.skip("{") {
            return Tree::List(self.until("}", |parser| {
                let key = parser.value();
                assert!(parser.skip(": "));
                Tree::List(vec![key, parser.value()])
            }));
        }
        if self.skip("b\"") {
            return Tree::Bytes(STANDARD.encode(self.quoted()));
        }
        if self.skip("\"") {
            return Tree::Text(String::from_utf8(self.quoted()).unwrap());
        }
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && !"_-.".contains(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        assert!(!word.is_empty(), "no value at {}", self.rest);
        self.rest = rest;
        if self.skip("(") {
            // A type around one value, such as `Some`.
            let mut values = self.until(")", Self::value);
            assert_eq!(values.len(), 1, "{word}");
            return values.remove(0);
        }
        if self.skip(" { ") {
            return Tree::Struct(self.until(" }", Self::field).into_iter().collect());
        }
        match word {
            "None" => Tree::Null,
            word => {
                Tree::Text(self.error_codes.get(word).cloned().unwrap_or_else(|| canonical(word)))
            }
        }
    }

    fn field(&mut self) -> (String, Tree) {
        let (name, rest) = self.rest.split_once(": ").unwrap();
        self.rest = rest;
        let value = match self.value() {
            // The variant for "no error" has the name of an absent value.
            Tree::Null if name.ends_with("error_code") => Tree::Text("0".to_owned()),
            value => value,
        };
        (name.trim_matches('_').to_owned(), value)
    }

    fn until<T>(&mut self, end: &str, mut element: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut elements = Vec::new();
        while !self.skip(end) {
            elements.push(element(self));
            self.skip(", ");
        }
        elements
    }

    fn skip(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The rest of a literal, whose opening quote was read.
    fn quoted(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut left = self.rest.bytes();
        while let Some(byte) = left.next().filter(|byte| *byte != b'"') {
            bytes.push(match byte {
                b'\\' => match left.next().unwrap() {
                    b'x' => {
                        let digits = [left.next().unwrap(), left.next().unwrap()];
                        u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'0' => 0,
                    other => other,
                },
                byte => byte,
            });
        }
        self.rest = &self.rest[self.rest.len() - left.len()..];
        bytes
    }
}

/// Ids are compared as Kafka prints them, whole numbers without a fraction.
fn canonical(word: &str) -> String {
    let digits = word.replace('-', "");
    match u128::from_str_radix(&digits, 16) {
        Ok(id) if word.len() == 36 && digits.len() == 32 => {
            Uuid::from_bytes(id.to_be_bytes()).to_string()
        }
        _ => word.to_owned(),
    }
}

/// The number of each error code by the name of its variant.
fn error_codes() -> HashMap<String, String> {
    let named = |code: i16| {
        (format!("{:?}", ErrorCode::from_i16(code)), ErrorCode::from_i16(code).code().to_string())
    };
    (-1..1_000).map(named).collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

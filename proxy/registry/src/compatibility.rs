//! Whether a new version of a subject fits its earlier ones: the seven levels,
//! groups and reserved fields, over [`Schema::incompatibilities`].

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::schema::{CompatibilityPolicy, Schema};

/// The property of a schema's metadata that lists fields which may not be used.
const RESERVED: &str = "confluent:reserved";
/// How much of the old schema a message shows, in bytes.
const SHOWN_BYTES: usize = 10 * 1024;

/// What has to fit: the data written so far, the readers that are there, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Nothing.
    None,
    /// The new schema reads data of the latest version.
    #[default]
    Backward,
    /// The new schema reads data of every version.
    BackwardTransitive,
    /// The latest version reads data of the new schema.
    Forward,
    /// Every version reads data of the new schema.
    ForwardTransitive,
    /// Both, with the latest version.
    Full,
    /// Both, with every version.
    FullTransitive,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Backward,
        Self::BackwardTransitive,
        Self::Forward,
        Self::ForwardTransitive,
        Self::Full,
        Self::FullTransitive,
    ];

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    fn is_transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }

    fn is_backward(self) -> bool {
        matches!(
            self,
            Self::Backward | Self::BackwardTransitive | Self::Full | Self::FullTransitive
        )
    }

    fn is_forward(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardTransitive | Self::Full | Self::FullTransitive)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The names in any case.
impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let matches = |level: &Self| level.name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(matches).ok_or(UnknownLevel)
    }
}

/// A level that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such compatibility level")]
pub struct UnknownLevel;

/// What is in force for a check.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) level: Level,
    pub(crate) policy: CompatibilityPolicy,
    /// A metadata property: only versions with the same value count.
    pub(crate) group: Option<String>,
    pub(crate) validate_fields: bool,
}

/// A version that a new schema has to fit.
#[derive(Debug, Clone)]
pub(crate) struct Earlier<'a> {
    pub(crate) version: i32,
    pub(crate) content: &'a Content,
}

impl Rules {
    /// What is wrong, in the order and shape in which the API tells it; empty
    /// when nothing is. `earlier` are the live versions, oldest first; `parse`
    /// is asked for those that take part.
    pub(crate) fn check<'a, E>(
        &self,
        new: &Schema,
        content: &Content,
        earlier: &[Earlier<'a>],
        mut parse: impl FnMut(&Earlier<'a>) -> Result<Schema, E>,
    ) -> Result<Vec<String>, E> {
        let mut messages = Vec::new();
        if self.validate_fields {
            messages.extend(check_reserved(new, content, earlier.last()));
        }
        if self.level != Level::None {
            let group = |content: &Content| {
                self.group.as_deref().and_then(|name| property(content, name).map(str::to_owned))
            };
            let wanted = group(content);
            for old in earlier.iter().rev().filter(|old| group(old.content) == wanted) {
                let found = self.check_one(new, old, &parse(old)?);
                let is_wrong = !found.is_empty();
                messages.extend(found);
                if is_wrong || !self.level.is_transitive() {
                    break;
                }
            }
        }
        if !messages.is_empty() {
            messages.push(format!(
                "{{validateFields: '{}', compatibility: '{}'}}",
                self.validate_fields, self.level
            ));
        }
        Ok(messages)
    }

    fn check_one(&self, new: &Schema, old: &Earlier<'_>, old_schema: &Schema) -> Vec<String> {
        if new.schema_type() != old_schema.schema_type() {
            return vec!["Incompatible because of different schema type".to_owned()];
        }
        let found = |reader, writer| {
            let found = Schema::incompatibilities(reader, writer, self.policy);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let mut messages = Vec::new();
        if self.level.is_forward() {
            messages.extend(found(old_schema, new).into_iter().map(swapped));
        }
        if self.level.is_backward() {
            messages.extend(found(new, old_schema));
        }
        if !messages.is_empty() {
            messages.push(format!("{{oldSchemaVersion: {}}}", old.version));
            messages.push(shown(&old.content.text));
        }
        messages
    }
}

/// In the descriptions of a forward check, the reader is the old schema.
fn swapped(message: String) -> String {
    message
        .replace("the new schema", "the \u{0} schema")
        .replace("The new schema", "The \u{0} schema")
        .replace("the old schema", "the new schema")
        .replace("The old schema", "The new schema")
        .replace("\u{0} schema", "old schema")
}

fn shown(text: &str) -> String {
    if text.len() <= SHOWN_BYTES {
        return format!("{{oldSchema: '{text}'}}");
    }
    let end = text.floor_char_boundary(SHOWN_BYTES);
    format!("{{oldSchema: <truncated> '{}...'}}", text.get(..end).unwrap_or_default())
}

fn property<'a>(content: &'a Content, name: &str) -> Option<&'a str> {
    content.metadata.as_ref()?.properties.get(name).map(String::as_str)
}

fn reserved(content: &Content) -> BTreeSet<&str> {
    let names = property(content, RESERVED).unwrap_or_default().split(',');
    names.map(str::trim).filter(|name| !name.is_empty()).collect()
}

fn check_reserved(new: &Schema, content: &Content, last: Option<&Earlier<'_>>) -> Vec<String> {
    let names = reserved(content);
    let before = last.map(|last| reserved(last.content)).unwrap_or_default();
    let mut messages: Vec<String> = before
        .difference(&names)
        .map(|name| {
            format!(
                "The new schema has reserved field {name} removed from its metadata which is present in the old schema's metadata."
            )
        })
        .collect();
    if !names.is_empty() {
        let fields = new.top_level_fields();
        let used = names.iter().filter(|name| fields.iter().any(|field| field == *name));
        messages.extend(used.map(|name| {
            format!("The new schema has field that conflicts with the reserved field {name}.")
        }));
    }
    messages
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::content::{Metadata, SchemaType};
    use crate::schema::Strictness;

    fn record(fields: &str, properties: &[(&str, &str)]) -> Content {
        let text = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Content {
            metadata: Some(Metadata { properties: properties.collect(), ..Metadata::default() }),
            ..Content::new(SchemaType::Avro, text)
        }
    }

    fn parse(content: &Content) -> Schema {
        Schema::parse(content.schema_type, &content.text, &[], Strictness::New).unwrap()
    }

    fn check(rules: &Rules, new: &Content, earlier: &[Content]) -> Vec<String> {
        let earlier: Vec<Earlier<'_>> = earlier
            .iter()
            .zip(1..)
            .map(|(content, version)| Earlier { version, content })
            .collect();
        let parse_old = |old: &Earlier<'_>| Ok::<_, Infallible>(parse(old.content));
        rules.check(&parse(new), new, &earlier, parse_old).unwrap()
    }

    fn rules(level: Level) -> Rules {
        Rules { level, policy: CompatibilityPolicy::Strict, group: None, validate_fields: false }
    }

    const A: &str = r#"{"name":"a","type":"int"}"#;
    const A_B: &str = r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#;
    const A_B_WITH_DEFAULT: &str =
        r#"{"name":"a","type":"int"},{"name":"b","type":"int","default":0}"#;

    #[test]
    fn each_level_asks_for_its_direction_and_its_versions() {
        let [a, a_b, a_b_with_default] = [A, A_B, A_B_WITH_DEFAULT].map(|text| record(text, &[]));
        for (case, earlier, new, allowed) in [
            (
                "field added without default",
                vec![a.clone()],
                &a_b,
                vec![Level::None, Level::Forward, Level::ForwardTransitive],
            ),
            ("field added with default", vec![a.clone()], &a_b_with_default, Level::ALL.to_vec()),
            (
                "field without default removed",
                vec![a_b.clone()],
                &a,
                vec![Level::None, Level::Backward, Level::BackwardTransitive],
            ),
            (
                "default dropped after it was added",
                vec![a.clone(), a_b_with_default.clone()],
                &a_b,
                vec![
                    Level::None,
                    Level::Backward,
                    Level::Forward,
                    Level::ForwardTransitive,
                    Level::Full,
                ],
            ),
            ("first version", vec![], &a, Level::ALL.to_vec()),
        ] {
            for level in Level::ALL {
                let messages = check(&rules(level), new, &earlier);
                assert_eq!(
                    messages.is_empty(),
                    allowed.contains(&level),
                    "{case}, {level}: {messages:?}"
                );
            }
        }
    }

    #[test]
    fn messages_say_what_was_compared_with_what() {
        let [a, a_b] = [A, A_B].map(|text| record(text, &[]));
        let messages = check(&rules(Level::Backward), &a_b, std::slice::from_ref(&a));
        assert_eq!(messages.len(), 4, "{messages:?}");
        assert!(messages[0].contains("READER_FIELD_MISSING_DEFAULT_VALUE"), "{messages:?}");
        assert_eq!(messages[1], "{oldSchemaVersion: 1}");
        assert_eq!(messages[2], format!("{{oldSchema: '{}'}}", a.text));
        assert_eq!(messages[3], "{validateFields: 'false', compatibility: 'BACKWARD'}");
        let other = Content::new(SchemaType::Json, "{}");
        let messages = check(&rules(Level::Full), &other, &[a]);
        assert_eq!(
            messages,
            [
                "Incompatible because of different schema type",
                "{validateFields: 'false', compatibility: 'FULL'}"
            ]
        );
    }

    #[test]
    fn only_versions_of_the_same_group_count() {
        let rules = Rules { group: Some("major".into()), ..rules(Level::Backward) };
        let first = record(A, &[("major", "1")]);
        for (properties, is_compatible) in
            [(vec![("major", "1")], false), (vec![("major", "2")], true), (vec![], true)]
        {
            let messages = check(&rules, &record(A_B, &properties), std::slice::from_ref(&first));
            assert_eq!(messages.is_empty(), is_compatible, "{properties:?}");
        }
    }

    #[test]
    fn reserved_fields_stay_reserved_and_unused() {
        let rules = Rules { validate_fields: true, ..rules(Level::None) };
        let first = record(A, &[("confluent:reserved", "z, y")]);
        for (new, wrong) in [
            (record(A, &[("confluent:reserved", "y,z,x")]), 0),
            (record(A, &[("confluent:reserved", "z")]), 1),
            (record(A, &[]), 2),
            (record(A, &[("confluent:reserved", "y,z,a")]), 1),
        ] {
            let messages = check(&rules, &new, std::slice::from_ref(&first));
            assert_eq!(messages.len(), if wrong == 0 { 0 } else { wrong + 1 }, "{messages:?}");
        }
    }
}

//! The records of the topic with the schemas, as a Confluent registry writes
//! them and Karapace reads them: JSON keys and values.
//!
//! Compaction compares the bytes of keys, so their members have a fixed order
//! and no spaces lie between them. Records of other kinds, and those that
//! cannot be read, are skipped.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::compatibility::Level;
use crate::content::{Content, Metadata, Reference, RuleSet, SchemaType};

/// The one tenant there is.
pub(crate) const TENANT: &str = "default";

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "keytype", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Key {
    /// A version of a subject.
    Schema {
        subject: String,
        version: i32,
        /// 1; old releases wrote 0.
        #[serde(default)]
        magic: i32,
    },
    /// All versions up to one are soft deleted.
    DeleteSubject {
        subject: String,
        #[serde(default)]
        magic: i32,
    },
    /// What is soft deleted is forgotten.
    ClearSubject {
        subject: Option<String>,
        #[serde(default)]
        magic: i32,
    },
    /// The config of a subject or a context; of the default context without a name.
    Config {
        subject: Option<String>,
        #[serde(default)]
        magic: i32,
    },
    /// The mode, likewise.
    Mode {
        subject: Option<String>,
        #[serde(default)]
        magic: i32,
    },
    /// A context that exists.
    Context {
        tenant: String,
        context: String,
        #[serde(default)]
        magic: i32,
    },
    /// Nothing: registries write it to find the end of the topic.
    Noop {
        #[serde(default)]
        magic: i32,
    },
}

impl Key {
    pub(crate) fn schema(subject: impl Into<String>, version: i32) -> Self {
        Self::Schema { subject: subject.into(), version, magic: 1 }
    }

    pub(crate) fn delete_subject(subject: impl Into<String>) -> Self {
        Self::DeleteSubject { subject: subject.into(), magic: 0 }
    }

    pub(crate) fn clear_subject(subject: Option<String>) -> Self {
        Self::ClearSubject { subject, magic: 0 }
    }

    pub(crate) fn config(subject: Option<String>) -> Self {
        Self::Config { subject, magic: 0 }
    }

    pub(crate) fn mode(subject: Option<String>) -> Self {
        Self::Mode { subject, magic: 0 }
    }

    pub(crate) fn context(context: impl Into<String>) -> Self {
        Self::Context { tenant: TENANT.to_owned(), context: context.into(), magic: 0 }
    }

    /// The bytes of the key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a key; `None` for one of another kind.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The bytes of a value.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("records have text keys only")
}

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaValue {
    pub(crate) subject: String,
    pub(crate) version: i32,
    pub(crate) id: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema_type: Option<SchemaType>,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) references: Option<Vec<Reference>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule_set: Option<RuleSet>,
    pub(crate) schema: String,
    #[serde(default, deserialize_with = "null_is_false")]
    pub(crate) deleted: bool,
}

fn is_empty(references: &Option<Vec<Reference>>) -> bool {
    references.as_ref().is_none_or(Vec::is_empty)
}

fn null_is_false<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<bool>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl SchemaValue {
    pub(crate) fn new(subject: String, version: i32, id: i32, content: &Content) -> Self {
        Self {
            subject,
            version,
            id,
            schema_type: Some(content.schema_type).filter(|kind| *kind != SchemaType::Avro),
            references: Some(content.references.clone()),
            metadata: content.metadata.clone(),
            rule_set: content.rule_set.clone(),
            schema: content.text.clone(),
            deleted: false,
        }
    }

    /// What was registered.
    pub(crate) fn into_content(self) -> Content {
        Content {
            schema_type: self.schema_type.unwrap_or_default(),
            text: self.schema,
            references: self.references.unwrap_or_default(),
            metadata: self.metadata,
            rule_set: self.rule_set,
        }
    }
}

/// Versions that are soft deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeleteSubjectValue {
    pub(crate) subject: String,
    /// This one and those before it.
    pub(crate) version: i32,
}

/// A subject or context whose deleted versions are forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClearSubjectValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
}

/// A config in the topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConfigValue {
    /// Old values leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(flatten)]
    pub(crate) config: SubjectConfig,
}

/// The settings of a subject, of a context, or of all. What is absent is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SubjectConfig {
    /// Another subject that requests for this one are about.
    #[serde(skip_serializing_if = "is_absent")]
    pub alias: Option<String>,
    /// The same for data encryption keys; only kept.
    #[serde(skip_serializing_if = "is_absent")]
    pub alias_for_deks: Option<String>,
    /// Whether schemas are normalised when they are registered or looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
    /// Whether reserved fields are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_fields: Option<bool>,
    /// Whether new schemas are checked more strictly than old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_new_schemas: Option<bool>,
    /// Whether clients check rules; only kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_rules: Option<bool>,
    /// What new versions are checked against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility_level: Option<Level>,
    /// How strictly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility_policy: Option<Policy>,
    /// The metadata property whose value tells versions apart.
    #[serde(skip_serializing_if = "is_absent")]
    pub compatibility_group: Option<String>,
    /// Metadata where a schema says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_metadata: Option<Metadata>,
    /// Metadata whatever a schema says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_metadata: Option<Metadata>,
    /// Rules where a schema says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_rule_set: Option<RuleSet>,
    /// Rules whatever a schema says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_rule_set: Option<RuleSet>,
}

fn is_absent(text: &Option<String>) -> bool {
    text.as_ref().is_none_or(String::is_empty)
}

/// `compatibilityPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Policy {
    /// As the tables say.
    Strict,
    /// Properties may come and go in JSON Schema.
    Lenient,
    /// With rules about logical types that are not checked here.
    Logical,
}

/// `{"subject":…,"mode":…}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModeValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    pub(crate) mode: Mode,
}

/// What can be done to subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Everything but choosing ids.
    #[default]
    #[serde(rename = "READWRITE")]
    ReadWrite,
    /// Nothing but reading.
    #[serde(rename = "READONLY")]
    ReadOnly,
    /// The same, of old releases.
    #[serde(rename = "READONLY_OVERRIDE")]
    ReadOnlyOverride,
    /// Registering with ids and versions of another registry, unchecked.
    Import,
    /// The same, for all contexts at once.
    Forward,
}

impl Mode {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
            Self::ReadOnlyOverride => "READONLY_OVERRIDE",
            Self::Import => "IMPORT",
            Self::Forward => "FORWARD",
        }
    }

    pub(crate) fn is_read_only(self) -> bool {
        matches!(self, Self::ReadOnly | Self::ReadOnlyOverride)
    }

    pub(crate) fn takes_ids(self) -> bool {
        matches!(self, Self::Import | Self::Forward)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The names in any case.
impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::ReadWrite, Self::ReadOnly, Self::ReadOnlyOverride, Self::Import, Self::Forward]
            .into_iter()
            .find(|mode| mode.name().eq_ignore_ascii_case(name))
            .ok_or(UnknownMode)
    }
}

/// A mode that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such mode")]
pub struct UnknownMode;

/// `{"tenant":"default","context":…}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContextValue {
    pub(crate) tenant: String,
    pub(crate) context: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_bytes_of_the_reference() {
        for (key, expected) in [
            (
                Key::schema("a-value", 1),
                r#"{"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1}"#,
            ),
            (
                Key::delete_subject("ü\"/"),
                r#"{"keytype":"DELETE_SUBJECT","subject":"ü\"/","magic":0}"#,
            ),
            (
                Key::clear_subject(Some("a".into())),
                r#"{"keytype":"CLEAR_SUBJECT","subject":"a","magic":0}"#,
            ),
            (Key::config(None), r#"{"keytype":"CONFIG","subject":null,"magic":0}"#),
            (Key::config(Some("s".into())), r#"{"keytype":"CONFIG","subject":"s","magic":0}"#),
            (Key::mode(None), r#"{"keytype":"MODE","subject":null,"magic":0}"#),
            (
                Key::context(".ctx"),
                r#"{"keytype":"CONTEXT","tenant":"default","context":".ctx","magic":0}"#,
            ),
            (Key::Noop { magic: 0 }, r#"{"keytype":"NOOP","magic":0}"#),
        ] {
            assert_eq!(String::from_utf8(key.encode()).unwrap(), expected);
            assert_eq!(Key::decode(expected.as_bytes()), Some(key));
        }
    }

    #[test]
    fn keys_are_read_in_any_order_and_only_known_ones() {
        for (text, expected) in [
            (
                r#"{"magic": 0, "version": 2, "subject": "a", "keytype": "SCHEMA"}"#,
                Some(Key::Schema { subject: "a".into(), version: 2, magic: 0 }),
            ),
            (r#"{"keytype":"CONFIG","subject":"a"}"#, Some(Key::config(Some("a".into())))),
            (r#"{"keytype":"ASSOC","tenant":"default","magic":0}"#, None),
            (r#"{"subject":"a"}"#, None),
            ("nope", None),
            ("", None),
        ] {
            assert_eq!(Key::decode(text.as_bytes()), expected, "{text}");
        }
    }

    fn check_round_trip<T>(text: &str)
    where
        T: Serialize + serde::de::DeserializeOwned,
    {
        let value: T = serde_json::from_str(text).unwrap();
        assert_eq!(String::from_utf8(encode(&value)).unwrap(), text);
    }

    #[test]
    fn values_have_the_bytes_of_the_reference() {
        check_round_trip::<SchemaValue>(
            r#"{"subject":"a-value","version":1,"id":1,"schema":"\"string\"","deleted":false}"#,
        );
        check_round_trip::<SchemaValue>(
            r#"{"subject":"a","version":2,"id":7,"schemaType":"JSON","references":[{"name":"n","subject":"s","version":1}],"metadata":{},"schema":"{}","deleted":true}"#,
        );
        check_round_trip::<DeleteSubjectValue>(r#"{"subject":"a-value","version":3}"#);
        check_round_trip::<ClearSubjectValue>(r#"{"subject":"a-value"}"#);
        check_round_trip::<ConfigValue>(
            r#"{"subject":"s","compatibilityLevel":"FULL_TRANSITIVE"}"#,
        );
        check_round_trip::<ConfigValue>(
            r#"{"alias":"r","normalize":true,"validateFields":true,"compatibilityPolicy":"LENIENT","compatibilityGroup":"g","defaultMetadata":{"properties":{"d":"1"}},"overrideRuleSet":{}}"#,
        );
        check_round_trip::<ModeValue>(r#"{"subject":"s","mode":"READONLY"}"#);
        check_round_trip::<ContextValue>(r#"{"tenant":"default","context":".ctx"}"#);
    }

    #[test]
    fn members_may_be_null_absent_or_unknown() {
        let text = r#"{"subject":"a","version":1,"id":1,"md5":"x","schemaType":null,"references":null,"metadata":null,"ruleSet":null,"schema":"\"int\"","deleted":null,"new":{}}"#;
        let value: SchemaValue = serde_json::from_str(text).unwrap();
        assert_eq!(value.into_content(), Content::new(SchemaType::Avro, "\"int\""));
        let value: SchemaValue = serde_json::from_str(
            r#"{"subject":"a","version":1,"id":1,"schemaType":"AVRO","schema":"\"int\""}"#,
        )
        .unwrap();
        assert!(!value.deleted);
    }
}

//! What a client registers: a schema's text with its references, metadata and
//! rules, in the JSON shapes of the Schema Registry API.
//!
//! Two contents are the same exactly when their [`Content::guid`]s are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// The language a schema is written in. A request that names none means Avro.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum SchemaType {
    #[default]
    Avro,
    Json,
    Protobuf,
}

impl SchemaType {
    pub const ALL: [Self; 3] = [Self::Json, Self::Protobuf, Self::Avro];

    /// The name in `schemaType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
        }
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A `schemaType` that no format has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid schema type {0}")]
pub struct UnknownSchemaType(pub String);

impl FromStr for SchemaType {
    type Err = UnknownSchemaType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|schema_type| schema_type.name() == name)
            .ok_or_else(|| UnknownSchemaType(name.to_owned()))
    }
}

/// A name used in a schema, and the version of a subject that defines it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// An Avro full name, a `$ref` of JSON Schema, the path of a Protobuf import.
    pub name: String,
    pub subject: String,
    /// -1 in a request means the latest version; it is replaced before storing.
    pub version: i32,
}

/// Sorts and removes repetitions, as a normalised registration does.
pub fn normalized_references(references: &[Reference]) -> Vec<Reference> {
    let sorted: BTreeSet<&Reference> = references.iter().collect();
    sorted.into_iter().cloned().collect()
}

/// What a data contract says about a schema beside its text. Members that
/// are empty are not written, so that an empty `Metadata` is `{}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Path of an entity in the schema to its tags.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, BTreeSet<String>>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// Names of properties whose values are secrets.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeSet::is_empty")]
    pub sensitive: BTreeSet<String>,
}

impl Metadata {
    fn update_hash(&self, hash: &mut Md5) {
        for (path, tags) in &self.tags {
            hash.update(path);
            tags.iter().for_each(|tag| hash.update(tag));
        }
        for (name, value) in &self.properties {
            hash.update(name);
            hash.update(value);
        }
        self.sensitive.iter().for_each(|name| hash.update(name));
    }
}

/// The rules of a data contract. The registry keeps them; clients run them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RuleSet {
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub migration_rules: Vec<Rule>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub domain_rules: Vec<Rule>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub encoding_rules: Vec<Rule>,
    #[serde(skip_serializing_if = "is_absent")]
    pub enable_at: Option<String>,
}

impl RuleSet {
    fn update_hash(&self, hash: &mut Md5) {
        for rules in [&self.migration_rules, &self.domain_rules, &self.encoding_rules] {
            rules.iter().for_each(|rule| rule.update_hash(hash));
        }
        update_with_text(hash, &self.enable_at);
    }
}

/// One rule of a [`RuleSet`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    #[serde(skip_serializing_if = "is_absent")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "is_absent")]
    pub doc: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub kind: RuleKind,
    #[serde(deserialize_with = "null_is_default")]
    pub mode: RuleMode,
    #[serde(rename = "type", skip_serializing_if = "is_absent")]
    pub rule_type: Option<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_absent")]
    pub expr: Option<String>,
    #[serde(skip_serializing_if = "is_absent")]
    pub on_success: Option<String>,
    #[serde(skip_serializing_if = "is_absent")]
    pub on_failure: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub disabled: bool,
}

impl Rule {
    fn update_hash(&self, hash: &mut Md5) {
        update_with_text(hash, &self.name);
        update_with_text(hash, &self.doc);
        hash.update(self.kind.name());
        hash.update(self.mode.name());
        update_with_text(hash, &self.rule_type);
        self.tags.iter().for_each(|tag| hash.update(tag));
        for (name, value) in &self.params {
            hash.update(name);
            hash.update(value);
        }
        update_with_text(hash, &self.expr);
        update_with_text(hash, &self.on_success);
        update_with_text(hash, &self.on_failure);
        if self.disabled {
            hash.update([1]);
        }
    }
}

/// What a rule does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleKind {
    #[default]
    Transform,
    Condition,
}

impl RuleKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Transform => "TRANSFORM",
            Self::Condition => "CONDITION",
        }
    }
}

/// When a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleMode {
    Upgrade,
    Downgrade,
    UpDown,
    Write,
    Read,
    #[default]
    WriteRead,
}

impl RuleMode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "UPGRADE",
            Self::Downgrade => "DOWNGRADE",
            Self::UpDown => "UPDOWN",
            Self::Write => "WRITE",
            Self::Read => "READ",
            Self::WriteRead => "WRITEREAD",
        }
    }

    /// Whether the mode belongs to `migrationRules`; the others belong to
    /// `domainRules` and `encodingRules`.
    pub fn is_migration(self) -> bool {
        matches!(self, Self::Upgrade | Self::Downgrade | Self::UpDown)
    }
}

/// Everything that makes a schema what it is: two contents with the same
/// [`guid`](Self::guid) share one id in a context.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Content {
    /// Not part of the identity.
    pub schema_type: SchemaType,
    /// The canonical (or normalised) text.
    pub text: String,
    pub references: Vec<Reference>,
    /// Present and empty differs from absent.
    pub metadata: Option<Metadata>,
    pub rule_set: Option<RuleSet>,
}

impl Content {
    pub fn new(schema_type: SchemaType, text: impl Into<String>) -> Self {
        Self {
            schema_type,
            text: text.into(),
            references: Vec::new(),
            metadata: None,
            rule_set: None,
        }
    }

    /// The MD5 of the content, printed as a UUID (without version bits).
    pub fn guid(&self) -> Uuid {
        let mut hash = Md5::new();
        hash.update(&self.text);
        for reference in &self.references {
            hash.update(&reference.name);
            hash.update(&reference.subject);
            hash.update(reference.version.to_be_bytes());
        }
        if let Some(metadata) = &self.metadata {
            hash.update([1]);
            metadata.update_hash(&mut hash);
        }
        if let Some(rule_set) = &self.rule_set {
            hash.update([1]);
            rule_set.update_hash(&mut hash);
        }
        Uuid::from_bytes(hash.finalize().into())
    }
}

fn update_with_text(hash: &mut Md5, text: &Option<String>) {
    if let Some(text) = text {
        hash.update(text);
    }
}

fn is_absent(text: &Option<String>) -> bool {
    text.as_ref().is_none_or(String::is_empty)
}

/// A member that is `null` counts as absent.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_guid(content: &Content, expected: &str) {
        assert_eq!(content.guid().to_string(), expected, "{content:?}");
    }

    fn order(references: Vec<Reference>) -> Content {
        // The text as it is stored: a referenced type by its short name.
        let text = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},{"name":"item","type":"Item"}]}"#;
        Content { references, ..Content::new(SchemaType::Avro, text) }
    }

    fn reference(subject: &str) -> Vec<Reference> {
        vec![Reference { name: "shop.Item".into(), subject: subject.into(), version: 1 }]
    }

    #[test]
    fn guids_are_the_references() {
        check_guid(
            &Content::new(SchemaType::Avro, "\"string\""),
            "095d71cf-1255-6b9d-5e33-0ad575b3df5d",
        );
        check_guid(
            &Content::new(SchemaType::Avro, "\"int\""),
            "ef524ea1-b91e-7317-3d93-8ade36c1db32",
        );
        check_guid(&order(Vec::new()), "d208a243-d4a5-7c08-42ee-2e067115c842");
        check_guid(&order(reference("item")), "9d00b3b0-cedb-4257-a7a2-7166a534a4f9");
        check_guid(&order(reference("item-value")), "bf8fe8fc-bf4d-f3c2-35fe-37579b74dbca");
        let mut owned = order(reference("item-value"));
        let owner = BTreeMap::from([("owner".to_owned(), "team-a".to_owned())]);
        owned.metadata = Some(Metadata { properties: owner, ..Metadata::default() });
        check_guid(&owned, "ba0a1a38-38d6-7bcc-94b8-851491d1b6f5");
    }

    #[test]
    fn metadata_counts_even_when_it_is_empty() {
        let text = Content::new(SchemaType::Avro, "\"string\"");
        check_guid(
            &Content { metadata: Some(Metadata::default()), ..text.clone() },
            "cecc02e2-232b-87f1-1b0c-aa0e70dbb74d",
        );
        let properties = BTreeMap::from([("o".to_owned(), "2".to_owned())]);
        check_guid(
            &Content { metadata: Some(Metadata { properties, ..Metadata::default() }), ..text },
            "cb845d44-afa6-a768-3f96-bd80789febe3",
        );
    }

    #[test]
    fn absent_null_and_empty_members_are_not_written() {
        for text in ["{}", r#"{"tags":null,"properties":{},"sensitive":[]}"#] {
            let metadata: Metadata = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&metadata).unwrap(), "{}");
        }
        let rules =
            r#"{"domainRules":[{"name":"r","mode":"WRITE","type":"CEL","tags":null}],"other":1}"#;
        let rules: RuleSet = serde_json::from_str(rules).unwrap();
        assert_eq!(
            serde_json::to_string(&rules).unwrap(),
            r#"{"domainRules":[{"name":"r","kind":"TRANSFORM","mode":"WRITE","type":"CEL","disabled":false}]}"#,
        );
    }

    #[test]
    fn normalised_references_are_sorted_and_unique() {
        let [a, b] =
            ["a", "b"].map(|name| Reference { name: name.into(), subject: "s".into(), version: 1 });
        assert_eq!(normalized_references(&[b.clone(), a.clone(), b.clone()]), [a, b]);
    }
}

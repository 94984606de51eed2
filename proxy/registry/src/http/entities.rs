//! What answers say about schemas: the members of old releases, or with the
//! header `Confluent-Accept-Unknown-Properties: true` those of new ones.

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use crate::content::{Metadata, Reference, RuleSet, SchemaType};
use crate::store::StoredSchema;
use crate::tags::SchemaTags;

/// A version of a subject.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaEntity<'a> {
    subject: String,
    version: i32,
    id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    guid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_type: Option<SchemaType>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: Cow<'a, [Reference]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a RuleSet>,
    schema: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schema_tags: Vec<SchemaTags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
}

impl<'a> SchemaEntity<'a> {
    /// As a version is read: new releases tell when it was written and whether
    /// it is deleted.
    pub(super) fn read(stored: &'a StoredSchema, is_newest: bool) -> Self {
        Self {
            ts: is_newest.then_some(stored.timestamp),
            deleted: is_newest.then_some(stored.deleted),
            ..Self::found(stored, is_newest)
        }
    }

    /// As it is looked up.
    pub(super) fn found(stored: &'a StoredSchema, is_newest: bool) -> Self {
        let content = &*stored.content;
        Self {
            subject: stored.subject.to_string(),
            version: stored.version,
            id: stored.id,
            guid: is_newest.then_some(stored.guid),
            schema_type: shown_type(content.schema_type, is_newest),
            references: Cow::Borrowed(&content.references),
            metadata: content.metadata.as_ref(),
            rule_set: content.rule_set.as_ref(),
            schema: Cow::Borrowed(&content.text),
            schema_tags: Vec::new(),
            ts: None,
            deleted: None,
            aliases: Vec::new(),
        }
    }

    /// With the text in another form.
    pub(super) fn with_text(self, text: String) -> Self {
        Self { schema: Cow::Owned(text), ..self }
    }

    /// With the names of the subjects of references in full.
    pub(super) fn with_references(self, references: Vec<Reference>) -> Self {
        Self { references: Cow::Owned(references), ..self }
    }

    /// With the parts that have tags.
    pub(super) fn with_tags(self, schema_tags: Vec<SchemaTags>) -> Self {
        Self { schema_tags, ..self }
    }

    /// With the aliases of the subject.
    pub(super) fn with_aliases(self, aliases: Vec<String>) -> Self {
        Self { aliases, ..self }
    }
}

/// Avro was not named before release 8.
fn shown_type(schema_type: SchemaType, is_newest: bool) -> Option<SchemaType> {
    (is_newest || schema_type != SchemaType::Avro).then_some(schema_type)
}

/// A schema by its id or guid.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaString<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_type: Option<SchemaType>,
    schema: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a RuleSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_id: Option<i32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schema_tags: Vec<SchemaTags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
}

impl<'a> SchemaString<'a> {
    /// A schema by its id: new releases name a version that uses it.
    pub(super) fn of_id(
        stored: &'a StoredSchema,
        text: &'a str,
        max_id: Option<i32>,
        is_newest: bool,
    ) -> Self {
        Self {
            subject: is_newest.then(|| stored.subject.to_string()),
            version: is_newest.then_some(stored.version),
            max_id,
            ..Self::of_guid(stored, text, is_newest)
        }
    }

    /// With the parts that have tags.
    pub(super) fn with_tags(self, schema_tags: Vec<SchemaTags>) -> Self {
        Self { schema_tags, ..self }
    }

    /// A schema by its guid.
    pub(super) fn of_guid(stored: &'a StoredSchema, text: &'a str, is_newest: bool) -> Self {
        let content = &*stored.content;
        Self {
            subject: None,
            version: None,
            guid: is_newest.then_some(stored.guid),
            schema_type: shown_type(content.schema_type, is_newest),
            schema: text,
            references: &content.references,
            metadata: content.metadata.as_ref(),
            rule_set: content.rule_set.as_ref(),
            max_id: None,
            schema_tags: Vec::new(),
            ts: is_newest.then_some(stored.timestamp),
            deleted: is_newest.then_some(stored.deleted),
        }
    }
}

/// The answer to a registration.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Registered<'a> {
    /// As it always was.
    Id {
        /// The id of the schema.
        id: i32,
    },
    /// With what was registered, which may be more than what was sent.
    Whole(Box<RegisteredSchema<'a>>),
}

/// See [`Registered`].
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisteredSchema<'a> {
    id: i32,
    version: i32,
    guid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_type: Option<SchemaType>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a RuleSet>,
    schema: &'a str,
}

impl<'a> Registered<'a> {
    /// `has_contract`: whether the request carried metadata or rules.
    pub(super) fn new(
        stored: &'a StoredSchema,
        text: &'a str,
        is_newest: bool,
        has_contract: bool,
    ) -> Self {
        if !is_newest && !has_contract {
            return Self::Id { id: stored.id };
        }
        let content = &*stored.content;
        Self::Whole(Box::new(RegisteredSchema {
            id: stored.id,
            version: stored.version,
            guid: stored.guid,
            schema_type: shown_type(content.schema_type, is_newest),
            references: &content.references,
            metadata: content.metadata.as_ref(),
            rule_set: content.rule_set.as_ref(),
            schema: text,
        }))
    }
}

/// A version, by name and number.
#[derive(Debug, Serialize)]
pub(super) struct SubjectVersion {
    pub(super) subject: String,
    pub(super) version: i32,
}

/// An id, with its context.
#[derive(Debug, Serialize)]
pub(super) struct ContextId {
    pub(super) context: String,
    pub(super) id: i32,
}

/// `{"mode":…}`
#[derive(Debug, Serialize)]
pub(super) struct ModeBody<'a> {
    pub(super) mode: Option<&'a str>,
}

/// The answer to a check.
#[derive(Debug, Serialize)]
pub(super) struct Compatibility {
    pub(super) is_compatible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) messages: Option<Vec<String>>,
}

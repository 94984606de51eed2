//! The schemas of a produce request: what its body says of them, and what the
//! registry has.

use std::sync::Arc;

use registry::source::RegisterError;
use registry::{NewSchema, PayloadCodec, SchemaKey, SchemaType, Schemas, SourceError};

use crate::config::ApiVersion;
use crate::error::Error;
use crate::formats::Field;

/// The most of a schema that an error message repeats, in bytes.
const SHOWN_AT_MOST: usize = 1_000;

/// How a body names a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Its text.
    pub(super) text: Option<String>,
    /// Its id, which wins.
    pub(super) id: Option<i32>,
}

impl Named {
    pub(super) fn is_none(&self) -> bool {
        self.text.is_none() && self.id.is_none()
    }
}

/// What a body says of schemas, and whether it needs them.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// That of all keys.
    pub(super) key: Named,
    /// That of all values.
    pub(super) value: Named,
    /// Whether a record has a key that is not null.
    pub(super) has_keys: bool,
    /// Whether a record has a value that is not null.
    pub(super) has_values: bool,
}

/// The schemas of all keys and of all values, as far as they are named.
#[derive(Debug, Clone, Default)]
pub(super) struct SchemasOfRecords {
    pub(super) key: Option<Arc<PayloadCodec>>,
    pub(super) value: Option<Arc<PayloadCodec>>,
    /// Null is data like any other, where there is a schema for it.
    pub(super) takes_null: bool,
}

/// The ids that an answer names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SchemaIds {
    pub(super) key: Option<i32>,
    pub(super) value: Option<i32>,
}

impl SchemasOfRecords {
    pub(super) fn ids(&self) -> SchemaIds {
        let id = |codec: &Option<Arc<PayloadCodec>>| codec.as_ref().map(|codec| codec.id());
        SchemaIds { key: id(&self.key), value: id(&self.value) }
    }
}

/// Gets the schemas of the records of a topic. Texts are registered under its subjects.
///
/// # Errors
/// When a text is no schema, and when the registry does not take or give one.
pub(super) async fn find(
    schemas: &Schemas,
    survey: Survey,
    schema_type: SchemaType,
    topic: &str,
    version: ApiVersion,
) -> Result<SchemasOfRecords, Error> {
    if version == ApiVersion::V1 {
        // Up to release 5.5 that was looked at before the registry was asked.
        if survey.has_keys && survey.key.is_none() {
            return Err(Error::NoKeySchema);
        }
        if survey.has_values && survey.value.is_none() {
            return Err(Error::NoValueSchema);
        }
    }
    let find = Find { schemas, schema_type, topic, version };
    Ok(SchemasOfRecords {
        key: find.one(Field::Key, survey.key).await?,
        value: find.one(Field::Value, survey.value).await?,
        takes_null: false,
    })
}

struct Find<'a> {
    schemas: &'a Schemas,
    schema_type: SchemaType,
    topic: &'a str,
    version: ApiVersion,
}

impl Find<'_> {
    async fn one(&self, field: Field, named: Named) -> Result<Option<Arc<PayloadCodec>>, Error> {
        let subject = format!("{}-{field}", self.topic);
        match named {
            Named { id: Some(id), .. } => self.by_id(&subject, id).await.map(Some),
            Named { text: Some(text), .. } => self.by_text(&subject, text).await.map(Some),
            Named { .. } => Ok(None),
        }
    }

    async fn by_id(&self, subject: &str, id: i32) -> Result<Arc<PayloadCodec>, Error> {
        let loaded = self.schemas.load(SchemaKey::Id(id)).await;
        let codec = loaded.map_err(|error| {
            self.refused(format!("Error when fetching schema by id. schemaId = {id}"), &error)
        })?;
        if codec.schema_type() != self.schema_type {
            let reason = format!(
                "Schema {id} is of type {}, and the data are {}",
                codec.schema_type(),
                self.schema_type
            );
            return Err(match self.version {
                ApiVersion::V1 => Error::Conversion(reason),
                ApiVersion::V2 => Error::Serialization(reason),
            });
        }
        if self.version == ApiVersion::V2 {
            let checked = self.schemas.check_version(subject, id).await;
            checked.map_err(|error| {
                let text = codec.schema().canonical_text();
                let what = format!(
                    "Error when fetching schema version. subject = {subject}, schema = {}",
                    shown(&text)
                );
                self.refused(what, &error)
            })?;
        }
        Ok(codec)
    }

    async fn by_text(&self, subject: &str, text: String) -> Result<Arc<PayloadCodec>, Error> {
        let format = self.schema_type;
        let schema = NewSchema::plain(format, text.clone());
        let registered = self.schemas.register(subject, schema).await;
        registered.map_err(|error| match (self.version, error) {
            (ApiVersion::V1, RegisterError::Invalid(error)) => {
                Error::InvalidSchema(error.to_string())
            }
            (ApiVersion::V2, RegisterError::Invalid(error)) => Error::InvalidSchema(format!(
                "Error when parsing raw schema. format = {format}, schema = {}\n{error}",
                shown(&text)
            )),
            (_, RegisterError::Source(error)) => {
                let what = format!(
                    "Error when registering schema. format = {format}, subject = {subject}, schema = {}",
                    shown(&text)
                );
                self.refused(what, &error)
            }
        })
    }

    /// The registry did not do what it was asked.
    fn refused(&self, what: String, error: &SourceError) -> Error {
        let reason = match error {
            SourceError::Refused { .. } => error.to_string(),
            SourceError::Unavailable(cause) => {
                tracing::warn!(cause, "the Schema Registry cannot be asked");
                "The Schema Registry cannot be reached".to_owned()
            }
        };
        match self.version {
            ApiVersion::V1 => {
                tracing::debug!(what, reason, "a produce request has no schema");
                Error::RegistryFailed
            }
            ApiVersion::V2 => Error::Serialization(format!("{what}\n{reason}")),
        }
    }
}

fn shown(text: &str) -> String {
    if text.len() <= SHOWN_AT_MOST {
        return text.to_owned();
    }
    let end = (0..=SHOWN_AT_MOST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_does_not_repeat_megabytes() {
        assert_eq!(shown("ab"), "ab");
        let long = "é".repeat(1_000_000);
        assert_eq!(shown(&long).chars().count(), 501);
    }
}

//! From texts to schemas: references are looked up, texts parsed, and what was
//! parsed once is kept.

use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::Inner;
use super::register::{ReferenceRequest, Registration};
use crate::content::{Content, Reference, SchemaType, normalized_references};
use crate::error::Error;
use crate::kept::Kept;
use crate::schema::{ResolvedReference, Schema, Strictness, TextFormat};
use crate::store::view::View;
use crate::store::{Filter, StoredSchema};
use crate::subject::Subject;

/// How many bytes of text are looked at. A record of the topic holds a mebibyte, and what is
/// canonical is not so much shorter than what was written.
const MAX_TEXT: usize = 4 * 1024 * 1024;
/// How deep references may go.
const MAX_DEPTH: usize = 100;
/// How many texts the references of one schema may stand for, repeated ones included.
const MAX_TEXTS: usize = 10_000;
/// How many bytes these may have.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The context of a schema, its type, and the guid of its content.
type CacheKey = (Box<str>, SchemaType, Uuid);

/// Parsed schemas by context and content.
#[derive(Debug)]
pub(super) struct Cache(Mutex<Kept<CacheKey, Schema>>);

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self(Mutex::new(Kept::new(limit)))
    }

    /// `parse` also tells how many bytes of text it parsed.
    fn get_or_insert(
        &self,
        stored: &StoredSchema,
        parse: impl FnOnce() -> Result<(Schema, usize), Error>,
    ) -> Result<Schema, Error> {
        let key = (stored.subject.context().into(), stored.content.schema_type, stored.guid);
        if let Some(schema) = self.0.lock().get(&key) {
            return Ok(schema);
        }
        let (schema, bytes) = parse()?;
        self.0.lock().insert(key, schema.clone(), bytes);
        Ok(schema)
    }

    /// Forgets everything: what a reference stands for may have changed.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }
}

impl Inner {
    /// Parses what a request brings, and gives it the form in which it is
    /// stored. `None` where it brings no text. `filter` says what references
    /// may lead to.
    pub(super) fn canonicalize(
        &self,
        subject: &Subject,
        request: &Registration,
        strictness: Strictness,
        filter: Filter,
        normalize: bool,
    ) -> Result<Option<(Schema, Content)>, Error> {
        if request.text.trim().is_empty() {
            return Ok(None);
        }
        if request.text.len() > MAX_TEXT {
            return Err(Error::SchemaTooLarge);
        }
        let schema_type = match &request.schema_type {
            None => SchemaType::Avro,
            Some(name) => name
                .parse()
                .map_err(|_| Error::InvalidSchema(format!("Invalid schema type {name}")))?,
        };
        let invalid = |reason: String| {
            Error::InvalidSchema(format!("Invalid schema of type {schema_type}, details: {reason}"))
        };
        let (references, resolved) = {
            let view = self.store.view();
            let references =
                complete(&view, subject, &request.references, filter).map_err(invalid)?;
            let mut budget = Budget::default();
            let resolved =
                resolve(&view, subject, &references, filter, &mut budget, 0).map_err(invalid)?;
            (references, resolved)
        };
        let is_lenient = self.config.protobuf_lenient && schema_type == SchemaType::Protobuf;
        let strictness = if is_lenient { Strictness::Stored } else { strictness };
        let parse = |text: &str, strictness| {
            Schema::parse(schema_type, text, &resolved, strictness)
                .map_err(|error| invalid(error.to_string()))
        };
        let mut schema = parse(&request.text, strictness)?;
        if !request.tags.is_empty() {
            let tagged = schema.with_tags(&request.tags);
            schema = parse(&tagged.map_err(|error| invalid(error.to_string()))?, strictness)?;
        }
        let content = Content {
            schema_type,
            text: if normalize { schema.normalized_text() } else { schema.canonical_text() },
            references: if normalize { normalized_references(&references) } else { references },
            metadata: request.metadata.clone(),
            rule_set: request.rule_set.clone(),
        };
        Ok(Some((schema, content)))
    }

    /// The schema of a version.
    pub(super) fn parse_stored(&self, stored: &StoredSchema) -> Result<Schema, Error> {
        self.parsed.get_or_insert(stored, || {
            let content = &stored.content;
            let invalid = |reason: String| {
                Error::InvalidSchema(format!(
                    "Invalid schema of type {}, details: {reason}",
                    content.schema_type
                ))
            };
            let mut budget = Budget::default();
            let resolved = {
                let view = self.store.view();
                let references = &content.references;
                resolve(&view, &stored.subject, references, Filter::All, &mut budget, 0)
                    .map_err(invalid)?
            };
            let bytes = content.text.len() + (MAX_BYTES - budget.bytes);
            Schema::parse(content.schema_type, &content.text, &resolved, Strictness::Stored)
                .map(|schema| (schema, bytes))
                .map_err(|error| invalid(error.to_string()))
        })
    }

    /// The text of a version in another form.
    pub(super) fn formatted(
        &self,
        stored: &StoredSchema,
        format: TextFormat,
    ) -> Result<String, Error> {
        match format {
            TextFormat::Default => Ok(stored.content.text.clone()),
            format => Ok(self.parse_stored(stored)?.text(format)),
        }
    }

    /// Whether a schema from a request is what a version holds: the same text
    /// and contract, whatever version its metadata name, with the same
    /// references or, in Avro, with what they stand for written out.
    pub(super) fn is_same(
        &self,
        schema: &Schema,
        content: &Content,
        stored: &StoredSchema,
    ) -> Result<bool, Error> {
        let old = &stored.content;
        if content.schema_type != old.schema_type
            || content.rule_set != old.rule_set
            || !is_same_metadata(content, old, stored.version)
        {
            return Ok(false);
        }
        if content.references == old.references && self.has_text(stored, &content.text) {
            return Ok(true);
        }
        if content.schema_type == SchemaType::Avro
            && content.references.is_empty()
            && !old.references.is_empty()
        {
            let written_out = self.parse_stored(stored)?.text(TextFormat::Resolved);
            return Ok(schema.text(TextFormat::Resolved) == written_out);
        }
        Ok(false)
    }

    /// Whether this is the canonical text of a version. Other registries may
    /// have stored another form of it.
    fn has_text(&self, stored: &StoredSchema, text: &str) -> bool {
        if stored.content.text == text {
            return true;
        }
        let canonical = stored.canonical.get_or_init(|| {
            let canonical = self.parse_stored(stored).ok()?.canonical_text();
            (canonical != stored.content.text).then(|| canonical.into())
        });
        canonical.as_deref() == Some(text)
    }
}

/// Compares metadata but for the version that one of them may hold.
fn is_same_metadata(content: &Content, old: &Content, old_version: i32) -> bool {
    use super::contract::{stamped_version, without_version};
    let (new_metadata, old_metadata) = (content.metadata.as_ref(), old.metadata.as_ref());
    match (stamped_version(new_metadata), stamped_version(old_metadata)) {
        (None, Some(_)) => {
            new_metadata.cloned().unwrap_or_default()
                == without_version(old_metadata).unwrap_or_default()
        }
        (Some(version), None) => {
            version == old_version.to_string()
                && without_version(new_metadata).unwrap_or_default()
                    == old_metadata.cloned().unwrap_or_default()
        }
        _ => new_metadata == old_metadata,
    }
}

/// The references of a request with everything that they need: -1 becomes the
/// number of the latest version.
fn complete(
    view: &View,
    parent: &Subject,
    references: &[ReferenceRequest],
    filter: Filter,
) -> Result<Vec<Reference>, String> {
    let complete = |reference: &ReferenceRequest| {
        let ReferenceRequest { name: Some(name), subject: Some(subject), version: Some(version) } =
            reference
        else {
            return Err(format!("Invalid reference: {reference}"));
        };
        let found = find(view, parent, subject, *version, filter)?;
        Ok(Reference { name: name.clone(), subject: subject.clone(), version: found.version })
    };
    references.iter().map(complete).collect()
}

fn find<'a>(
    view: &'a View,
    parent: &Subject,
    subject: &str,
    version: i32,
    filter: Filter,
) -> Result<&'a Arc<StoredSchema>, String> {
    let subject = Subject::within(parent, subject);
    let found = match version {
        -1 => view.latest(&subject),
        number => view.version(&subject, number, filter),
    };
    found.ok_or_else(|| {
        format!("No schema reference found for subject \"{subject}\" and version {version}")
    })
}

/// What references may still stand for.
#[derive(Debug)]
struct Budget {
    texts: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { texts: MAX_TEXTS, bytes: MAX_BYTES }
    }
}

fn resolve(
    view: &View,
    parent: &Subject,
    references: &[Reference],
    filter: Filter,
    budget: &mut Budget,
    depth: usize,
) -> Result<Vec<ResolvedReference>, String> {
    if !references.is_empty() && depth >= MAX_DEPTH {
        return Err(format!("references are nested more than {MAX_DEPTH} deep"));
    }
    let mut resolved = Vec::with_capacity(references.len());
    for reference in references {
        let found = find(view, parent, &reference.subject, reference.version, filter)?;
        let bytes = found.content.text.len();
        if budget.texts == 0 || budget.bytes < bytes {
            return Err("references stand for too many schemas".to_owned());
        }
        budget.texts -= 1;
        budget.bytes -= bytes;
        let inner = &found.content.references;
        resolved.push(ResolvedReference {
            name: reference.name.clone(),
            text: found.content.text.clone(),
            references: resolve(view, &found.subject, inner, filter, budget, depth + 1)?,
        });
    }
    Ok(resolved)
}

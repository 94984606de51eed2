//! JSON Schema, draft 4 to 2020-12.

mod compatibility;
mod difference;
mod model;
mod resolution;
mod tags;
mod validation;

use std::sync::OnceLock;

pub use validation::InvalidPayload;

use self::model::Model;
use self::resolution::Documents;
use self::validation::CompiledSchema;
use crate::lossless_json::Json;
use crate::schema::{
    CompatibilityPolicy, Incompatibility, InvalidSchema, ResolvedReference, Strictness,
};
use crate::tags::{SchemaTags, TagChanges};

/// A parsed JSON Schema.
#[derive(Debug)]
pub struct JsonSchema {
    documents: Documents,
    model: Model,
    /// Compiled at the first payload: most schemas are only stored.
    compiled: OnceLock<Result<CompiledSchema, String>>,
}

impl JsonSchema {
    /// Parses a schema whose `$ref`s lead into itself or to `references`.
    ///
    /// A keyword with a value of the wrong type is refused, one out of range
    /// (`"minLength": -1`) is not; a [stored](Strictness::Stored) schema only
    /// has to be JSON.
    pub fn parse(
        text: &str,
        references: &[ResolvedReference],
        strictness: Strictness,
    ) -> Result<Self, InvalidSchema> {
        let invalid = |problem: String| InvalidSchema(format!("Invalid JSON: {problem}"));
        let json = Json::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !matches!(json, Json::Bool(_) | Json::Object(_)) {
            return Err(invalid("a schema is an object or a boolean".to_owned()));
        }
        let documents = match Documents::new(json, references) {
            Ok(documents) => documents,
            Err(problem) => return Err(invalid(problem)),
        };
        let model = match (Model::load(&documents), strictness) {
            (Ok(model), _) => model,
            (Err(_), Strictness::Stored) => Model::opaque(),
            (Err(problem), Strictness::New) => return Err(invalid(problem)),
        };
        Ok(Self { documents, model, compiled: OnceLock::new() })
    }

    /// Without spaces; members in their order.
    pub fn canonical_text(&self) -> String {
        self.documents.root().to_text()
    }

    /// Without spaces; members sorted at every level.
    pub fn normalized_text(&self) -> String {
        self.documents.root().sorted().to_text()
    }

    /// The `title`.
    pub fn record_name(&self) -> Option<&str> {
        self.documents.root().get("title").and_then(Json::as_str)
    }

    /// The names of the properties.
    pub fn top_level_fields(&self) -> Vec<String> {
        let properties = self.documents.root().get("properties").map_or(&[][..], Json::members);
        properties.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The objects and properties that have tags.
    pub fn tagged_entities(&self) -> Result<Vec<SchemaTags>, InvalidSchema> {
        tags::tagged_entities(self.documents.root())
    }

    /// The canonical text with other tags.
    pub fn with_tags(&self, changes: &TagChanges) -> Result<String, InvalidSchema> {
        Ok(tags::changed(self.documents.root(), changes)?.to_text())
    }

    /// Checks a payload, which is JSON text.
    pub fn validate(&self, payload: &[u8]) -> Result<(), InvalidPayload> {
        self.compiled
            .get_or_init(|| CompiledSchema::compile(&self.documents, &self.model))
            .as_ref()
            .map_err(|problem| InvalidPayload::Schema(problem.clone()))?
            .validate(payload)
    }
}

/// Why `new_reader` cannot read what `old_writer` wrote.
pub fn incompatibilities(
    new_reader: &JsonSchema,
    old_writer: &JsonSchema,
    policy: CompatibilityPolicy,
) -> Vec<Incompatibility> {
    compatibility::incompatibilities(&new_reader.model, &old_writer.model, policy)
}

#[cfg(test)]
mod tests;

//! Tags of the parts of a schema: which there are, and which are to be added
//! or removed. They are written into the schema itself, as `confluent:tags`.

use serde::{Deserialize, Serialize};

use crate::lossless_json::Json;
use crate::schema::InvalidSchema;

/// Where Avro and JSON Schema hold them.
pub(crate) const ATTRIBUTE: &str = "confluent:tags";
/// How many parts of a schema one request may change.
const MAX_ENTITIES: usize = 2_000;
/// How many bytes the paths of one schema's tagged parts may have: names are
/// repeated in them, so that they can be far longer than the schema.
const MAX_PATH_BYTES: usize = 16 * 1024 * 1024;

/// A part of a schema with its tags, as requests and answers show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaTags {
    /// The part.
    pub schema_entity: SchemaEntity,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A part of a schema that can have tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaEntity {
    /// Avro: the full name of a record, and a field of it (`shop.Order.id`).
    /// Protobuf: the names of messages from the outermost on, without the
    /// package. JSON Schema: kinds and names by turns (`object.items.array.object.id`).
    pub entity_path: String,
    /// What the path leads to.
    pub entity_type: EntityType,
}

impl SchemaEntity {
    /// The path; a dot before it says nothing.
    pub(crate) fn path(&self) -> &str {
        self.entity_path.strip_prefix('.').unwrap_or(&self.entity_path)
    }

    pub(crate) fn not_found(&self) -> InvalidSchema {
        InvalidSchema(format!("No matching path '{}' found in the schema", self.entity_path))
    }
}

/// A kind of part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntityType {
    /// A record, a message, an object.
    #[serde(rename = "sr_record")]
    Record,
    /// A field or property of one.
    #[serde(rename = "sr_field")]
    Field,
}

/// What is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// What a part gets besides the tags that it has.
    pub add: Vec<SchemaTags>,
    /// What a part loses, after that.
    pub remove: Vec<SchemaTags>,
}

impl TagChanges {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// The parts that change, additions first, each with its change.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn each(&self) -> Result<impl Iterator<Item = TagChange<'_>>, InvalidSchema> {
        if self.add.len() + self.remove.len() > MAX_ENTITIES {
            let reason = format!("tags of more than {MAX_ENTITIES} parts of a schema");
            return Err(InvalidSchema(reason));
        }
        let add = self.add.iter().map(|tags| TagChange { tags, is_removal: false });
        Ok(add.chain(self.remove.iter().map(|tags| TagChange { tags, is_removal: true })))
    }
}

/// A change of one part's tags.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagChange<'a> {
    tags: &'a SchemaTags,
    is_removal: bool,
}

impl<'a> TagChange<'a> {
    pub(crate) fn entity(self) -> &'a SchemaEntity {
        &self.tags.schema_entity
    }

    /// Changes the tags of the part.
    pub(crate) fn apply(self, to: &mut Vec<String>) {
        if self.is_removal {
            to.retain(|tag| !self.tags.tags.contains(tag));
            return;
        }
        for tag in &self.tags.tags {
            if !to.contains(tag) {
                to.push(tag.clone());
            }
        }
    }

    /// Changes the tags among the attributes of a part in Avro or JSON Schema.
    pub(crate) fn apply_to_attributes(self, attributes: &mut Vec<(String, Json)>) {
        let mut tags = of_attributes(attributes);
        self.apply(&mut tags);
        let place = attributes.iter().position(|(name, _)| name == ATTRIBUTE);
        let value = Json::Array(tags.into_iter().map(Json::String).collect());
        match (place.and_then(|place| attributes.get_mut(place)), value) {
            (Some(_), Json::Array(tags)) if tags.is_empty() => {
                attributes.retain(|(name, _)| name != ATTRIBUTE);
            }
            (None, Json::Array(tags)) if tags.is_empty() => {}
            (Some((_, old)), value) => *old = value,
            (None, value) => attributes.push((ATTRIBUTE.to_owned(), value)),
        }
    }
}

/// The tags among the attributes of a part in Avro or JSON Schema.
pub(crate) fn of_attributes(attributes: &[(String, Json)]) -> Vec<String> {
    let value = attributes.iter().find(|(name, _)| name == ATTRIBUTE).map(|(_, value)| value);
    let items = value.and_then(Json::as_array).unwrap_or_default();
    let mut tags: Vec<String> = Vec::new();
    for item in items {
        let tag = item.as_str().map_or_else(|| item.to_text(), str::to_owned);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// The parts that have tags, as they are found.
#[derive(Debug, Default)]
pub(crate) struct TaggedEntities {
    found: Vec<SchemaTags>,
    path_bytes: usize,
}

impl TaggedEntities {
    /// Notes a part whose path is the names after each other, if it has tags.
    ///
    /// # Errors
    /// When the paths are too long together.
    pub(crate) fn note(
        &mut self,
        path: &[&str],
        entity_type: EntityType,
        tags: Vec<String>,
    ) -> Result<(), InvalidSchema> {
        if tags.is_empty() {
            return Ok(());
        }
        self.path_bytes += path.iter().map(|name| name.len()).sum::<usize>();
        if self.path_bytes > MAX_PATH_BYTES {
            return Err(InvalidSchema("the paths of its tagged parts are too long".to_owned()));
        }
        let schema_entity = SchemaEntity { entity_path: path.concat(), entity_type };
        self.found.push(SchemaTags { schema_entity, tags });
        Ok(())
    }

    pub(crate) fn into_found(self) -> Vec<SchemaTags> {
        self.found
    }
}

#[cfg(test)]
fn tags(path: &str, is_field: bool, tag: &str) -> SchemaTags {
    let entity_type = if is_field { EntityType::Field } else { EntityType::Record };
    let schema_entity = SchemaEntity { entity_path: path.to_owned(), entity_type };
    SchemaTags { schema_entity, tags: vec![tag.to_owned()] }
}

#[cfg(test)]
pub(crate) fn add(path: &str, is_field: bool, tag: &str) -> TagChanges {
    TagChanges { add: vec![tags(path, is_field, tag)], remove: Vec::new() }
}

#[cfg(test)]
pub(crate) fn remove(path: &str, is_field: bool, tag: &str) -> TagChanges {
    TagChanges { add: Vec::new(), remove: vec![tags(path, is_field, tag)] }
}

/// Paths and tags in a line.
#[cfg(test)]
pub(crate) fn shown(tagged: &[SchemaTags]) -> String {
    let shown = |tagged: &SchemaTags| {
        format!("{}={}", tagged.schema_entity.entity_path, tagged.tags.join(","))
    };
    tagged.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_too_long_together_are_an_error_and_so_are_too_many_parts() {
        let mut tagged = TaggedEntities::default();
        let name = "x".repeat(MAX_PATH_BYTES / 2);
        let mut note = || tagged.note(&[&name], EntityType::Record, vec!["A".to_owned()]);
        assert!(note().is_ok() && note().is_ok() && note().is_err());
        let many =
            TagChanges { add: vec![tags("a", true, "A"); MAX_ENTITIES + 1], ..Default::default() };
        assert!(many.each().is_err());
    }
}

//! The members of a JSON object that describes a type or a field.

use std::collections::HashSet;

use super::parser::invalid;
use super::schema::Attributes;
use crate::lossless_json::Json;
use crate::schema::InvalidSchema;

/// Members that mean something for some type, and are dropped from the others.
const RESERVED: [&str; 10] =
    ["type", "name", "namespace", "doc", "aliases", "fields", "items", "values", "symbols", "size"];

const RESERVED_OF_FIELDS: [&str; 6] = ["type", "name", "doc", "aliases", "default", "order"];

/// The members of an object; what is taken out is not an attribute.
pub(super) struct Members(pub(super) Vec<(String, Json)>);

impl Members {
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let (_, value) = self.0.iter_mut().find(|(key, _)| key == name)?;
        // The name stays: it is reserved, and falls away with the others.
        Some(std::mem::replace(value, Json::Null))
    }

    /// A member that is not a string counts as absent.
    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Without repetitions.
    pub(super) fn take_texts(&mut self, name: &str) -> Result<Vec<String>, InvalidSchema> {
        let Some(json) = self.take(name) else { return Ok(Vec::new()) };
        let Json::Array(elements) = json else {
            return invalid(format!("{name} not an array: {}", shown(&json)));
        };
        let mut texts = Vec::with_capacity(elements.len());
        let mut known = HashSet::with_capacity(elements.len());
        for element in elements {
            let Json::String(text) = element else {
                return invalid(format!("{name} holds what is not a string: {}", shown(&element)));
            };
            if known.insert(text.clone()) {
                texts.push(text);
            }
        }
        Ok(texts)
    }

    pub(super) fn into_attributes(self, also_reserved: &[&str]) -> Attributes {
        self.without(|name| RESERVED.contains(&name) || also_reserved.contains(&name))
    }

    pub(super) fn into_field_attributes(self) -> Attributes {
        self.without(|name| RESERVED_OF_FIELDS.contains(&name))
    }

    fn without(mut self, is_reserved: impl Fn(&str) -> bool) -> Attributes {
        self.0.retain(|(name, _)| !is_reserved(name));
        self.0
    }

    pub(super) fn shown(&self) -> String {
        shown(&Json::Object(self.0.clone()))
    }
}

/// A part of a schema in a message, which must not be as long as the schema.
pub(super) fn shown(json: &Json) -> String {
    cut(&json.to_text(), 200)
}

pub(super) fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

//! Avro: schemas, their texts and compatibility, and data from JSON to binary
//! and back.

mod compatibility;
mod defaults;
mod members;
mod number;
#[cfg(test)]
mod oracle;
mod parser;
mod plan;
#[cfg(test)]
mod recorded;
mod schema;
mod tags;
mod text;

use std::sync::OnceLock;

pub use compatibility::incompatibilities;
pub use plan::{Buffer, DecodeError, EncodeError, Plan};

use self::schema::{Definition, Primitive, Type, Types};
use self::text::Form;
use crate::schema::{InvalidSchema, ResolvedReference, Strictness, TextFormat};
use crate::tags::{SchemaTags, TagChanges};

/// A parsed Avro schema.
#[derive(Debug)]
pub struct AvroSchema {
    root: Type,
    types: Types,
    /// Compiled at the first datum: most schemas are only stored.
    plan: OnceLock<Plan>,
}

impl AvroSchema {
    /// Parses a schema whose names may be defined by `references`.
    ///
    /// Names and defaults are checked only of a [new](Strictness::New) schema;
    /// registries of old did not check them.
    pub fn parse(
        text: &str,
        references: &[ResolvedReference],
        strictness: Strictness,
    ) -> Result<Self, InvalidSchema> {
        let (root, types) = parser::parse(text, references, strictness)?;
        Ok(Self { root, types, plan: OnceLock::new() })
    }

    pub fn canonical_text(&self) -> String {
        text::write(&self.root, &self.types, Form::Canonical)
    }

    pub fn normalized_text(&self) -> String {
        text::write(&self.root, &self.types, Form::Normalized)
    }

    pub fn text(&self, format: TextFormat) -> String {
        let form = match format {
            TextFormat::Resolved => Form::Resolved,
            TextFormat::Default | TextFormat::Serialized | TextFormat::IgnoreExtensions => {
                Form::Canonical
            }
        };
        text::write(&self.root, &self.types, form)
    }

    /// The full name of a record, an enum or a fixed.
    pub fn record_name(&self) -> Option<&str> {
        match &self.root {
            Type::Named(id) => Some(&self.types.get(*id).full_name),
            _ => None,
        }
    }

    pub fn top_level_fields(&self) -> Vec<String> {
        match &self.root {
            Type::Named(id) => match &self.types.get(*id).definition {
                Definition::Record { fields, .. } => {
                    fields.iter().map(|field| field.name.clone()).collect()
                }
                Definition::Enum { .. } | Definition::Fixed { .. } => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// The records and fields that have tags, in the order of their definitions.
    pub fn tagged_entities(&self) -> Result<Vec<SchemaTags>, InvalidSchema> {
        tags::tagged_entities(&self.types)
    }

    /// The canonical text with other tags.
    pub fn with_tags(&self, changes: &TagChanges) -> Result<String, InvalidSchema> {
        let types = tags::changed(&self.types, changes)?;
        Ok(text::write(&self.root, &types, Form::Canonical))
    }

    /// How data of this schema is encoded and decoded.
    pub fn plan(&self) -> &Plan {
        self.plan.get_or_init(|| Plan::compile(&self.root, &self.types))
    }

    /// Appends what stands behind the schema id in a record: a datum, or,
    /// when the schema is `bytes`, those bytes as they are. That is what the
    /// serializers of Java do.
    pub fn encode_payload(&self, json: &[u8], out: &mut impl Buffer) -> Result<(), EncodeError> {
        if self.is_bytes() {
            self.plan().encode_raw_bytes(json, out)
        } else {
            self.plan().encode(json, out)
        }
    }

    /// Appends the JSON text of what [`encode_payload`](Self::encode_payload)
    /// made. Bytes behind the datum are left alone, as in Java.
    pub fn decode_payload(&self, payload: &[u8], out: &mut impl Buffer) -> Result<(), DecodeError> {
        if self.is_bytes() {
            plan::write_latin1(payload, out);
            Ok(())
        } else {
            self.plan().decode(payload, out).map(|_| ())
        }
    }

    fn is_bytes(&self) -> bool {
        matches!(self.root, Type::Primitive { primitive: Primitive::Bytes, .. })
    }
}

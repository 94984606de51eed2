//! A parsed schema of any format: the one face of Avro, JSON Schema and
//! Protobuf.

use std::fmt;
use std::sync::Arc;

use crate::avro::AvroSchema;
use crate::content::SchemaType;
use crate::json_schema::JsonSchema;
use crate::protobuf::ProtobufSchema;
use crate::tags::{SchemaTags, TagChanges};

/// What a reference's name stands for, with the references of that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedReference {
    pub name: String,
    pub text: String,
    pub references: Vec<ResolvedReference>,
}

/// How much of a text is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// All rules: for a text that is to be registered or compared.
    New,
    /// For a text that a registry already accepted, perhaps another one.
    Stored,
}

/// How far a check of compatibility goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompatibilityPolicy {
    #[default]
    Strict,
    /// Optional properties may come and go in JSON Schema; equal to
    /// [`Strict`](Self::Strict) for the other formats.
    Lenient,
}

/// A text that is no schema of its format, and why, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSchema(pub String);

/// Which form of a schema's text is asked for with `?format=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextFormat {
    /// As it is stored.
    #[default]
    Default,
    /// Avro: with everything that is referenced written inline.
    Resolved,
    /// Protobuf: a FileDescriptorProto in base64.
    Serialized,
    /// Protobuf: without custom options.
    IgnoreExtensions,
}

impl TextFormat {
    /// A format that is unknown, or belongs to another type of schema, means
    /// the stored text; it is never an error.
    pub fn of_parameter(format: &str) -> Self {
        match format {
            "resolved" => Self::Resolved,
            "serialized" => Self::Serialized,
            "ignore_extensions" => Self::IgnoreExtensions,
            _ => Self::Default,
        }
    }
}

/// A parsed schema. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Schema {
    Avro(Arc<AvroSchema>),
    Json(Arc<JsonSchema>),
    Protobuf(Arc<ProtobufSchema>),
}

impl Schema {
    /// Parses a text whose references stand for `references`.
    ///
    /// Time and memory are bounded by the size of the texts; nothing is
    /// fetched from anywhere.
    pub fn parse(
        schema_type: SchemaType,
        text: &str,
        references: &[ResolvedReference],
        strictness: Strictness,
    ) -> Result<Self, InvalidSchema> {
        Ok(match schema_type {
            SchemaType::Avro => {
                Self::Avro(Arc::new(AvroSchema::parse(text, references, strictness)?))
            }
            SchemaType::Json => {
                Self::Json(Arc::new(JsonSchema::parse(text, references, strictness)?))
            }
            SchemaType::Protobuf => {
                Self::Protobuf(Arc::new(ProtobufSchema::parse(text, references, strictness)?))
            }
        })
    }

    pub fn schema_type(&self) -> SchemaType {
        match self {
            Self::Avro(_) => SchemaType::Avro,
            Self::Json(_) => SchemaType::Json,
            Self::Protobuf(_) => SchemaType::Protobuf,
        }
    }

    /// The text as it is stored: spaces gone, content kept.
    pub fn canonical_text(&self) -> String {
        match self {
            Self::Avro(schema) => schema.canonical_text(),
            Self::Json(schema) => schema.canonical_text(),
            Self::Protobuf(schema) => schema.canonical_text(),
        }
    }

    /// The text under `normalize=true`: the same for texts that differ only
    /// in order and notation.
    pub fn normalized_text(&self) -> String {
        match self {
            Self::Avro(schema) => schema.normalized_text(),
            Self::Json(schema) => schema.normalized_text(),
            Self::Protobuf(schema) => schema.normalized_text(),
        }
    }

    /// The text in the form of `?format=`.
    pub fn text(&self, format: TextFormat) -> String {
        match self {
            Self::Avro(schema) => schema.text(format),
            Self::Json(schema) => schema.canonical_text(),
            Self::Protobuf(schema) => schema.text(format),
        }
    }

    /// The name that the record name strategies put into a subject: the full
    /// name of a named Avro type, the `title` of a JSON Schema, the full name
    /// of the first Protobuf message.
    pub fn record_name(&self) -> Option<&str> {
        match self {
            Self::Avro(schema) => schema.record_name(),
            Self::Json(schema) => schema.record_name(),
            Self::Protobuf(schema) => schema.record_name(),
        }
    }

    /// The names of the fields (properties) at the top, for reserved fields.
    pub fn top_level_fields(&self) -> Vec<String> {
        match self {
            Self::Avro(schema) => schema.top_level_fields(),
            Self::Json(schema) => schema.top_level_fields(),
            Self::Protobuf(schema) => schema.top_level_fields(),
        }
    }

    /// The parts of the schema that have tags.
    ///
    /// # Errors
    /// When their paths are too long to be told.
    pub fn tagged_entities(&self) -> Result<Vec<SchemaTags>, InvalidSchema> {
        match self {
            Self::Avro(schema) => schema.tagged_entities(),
            Self::Json(schema) => schema.tagged_entities(),
            Self::Protobuf(schema) => schema.tagged_entities(),
        }
    }

    /// The canonical text with other tags.
    ///
    /// # Errors
    /// When the schema has no such part.
    pub fn with_tags(&self, changes: &TagChanges) -> Result<String, InvalidSchema> {
        match self {
            Self::Avro(schema) => schema.with_tags(changes),
            Self::Json(schema) => schema.with_tags(changes),
            Self::Protobuf(schema) => schema.with_tags(changes),
        }
    }

    /// Why data written with `old_writer` cannot all be read with
    /// `new_reader`; nothing when it can.
    pub fn incompatibilities(
        new_reader: &Self,
        old_writer: &Self,
        policy: CompatibilityPolicy,
    ) -> Vec<Incompatibility> {
        match (new_reader, old_writer) {
            (Self::Avro(reader), Self::Avro(writer)) => {
                crate::avro::incompatibilities(reader, writer)
            }
            (Self::Json(reader), Self::Json(writer)) => {
                crate::json_schema::incompatibilities(reader, writer, policy)
            }
            (Self::Protobuf(reader), Self::Protobuf(writer)) => {
                crate::protobuf::incompatibilities(reader, writer)
            }
            _ => vec![Incompatibility::of_type(new_reader.schema_type(), old_writer.schema_type())],
        }
    }
}

/// One reason why a reader cannot read what a writer wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatibility {
    /// The `errorType`; empty when the formats differ.
    pub kind: &'static str,
    /// Where in the schema: a JSON pointer for Avro, `#/…` for the others.
    pub path: String,
    /// One sentence that names the rule and both sides.
    pub description: String,
    /// Avro only: what is missing or differs, in short.
    pub additional_info: Option<String>,
}

impl Incompatibility {
    fn of_type(reader: SchemaType, writer: SchemaType) -> Self {
        Self {
            kind: "",
            path: String::new(),
            description: format!(
                "Incompatible because of different schema type: {reader} cannot read {writer}"
            ),
            additional_info: None,
        }
    }
}

/// The entry of `messages` in a verbose answer and of a refusal's `details`.
impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, description, .. } = self;
        match &self.additional_info {
            _ if kind.is_empty() => f.write_str(description),
            Some(info) => write!(
                f,
                "{{errorType:'{kind}', description:'{description}', additionalInfo:'{info}'}}"
            ),
            None => write!(f, "{{errorType:\"{kind}\", description:\"{description}\"}}"),
        }
    }
}

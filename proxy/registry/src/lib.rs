//! A Schema Registry: Avro, JSON Schema and Protobuf schemas, kept under
//! subjects, checked for compatibility and served over HTTP.
//!
//! [`content`] is what a client registers, [`schema`] what it means; the three
//! formats live in [`avro`], [`json_schema`] and [`protobuf`] and meet only in
//! [`schema::Schema`].

pub mod avro;
pub mod content;
pub mod json_schema;
pub mod protobuf;
pub mod schema;
pub mod wire;

pub use content::{Content, Metadata, Reference, Rule, RuleSet, SchemaType};
pub use schema::{Incompatibility, InvalidSchema, ResolvedReference, Schema};

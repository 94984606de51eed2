//! A Schema Registry: Avro, JSON Schema and Protobuf schemas, kept under
//! subjects, checked for compatibility and served over HTTP.
//!
//! [`content`] is what a client registers, [`schema`] what it means; the three
//! formats live in [`avro`], [`json_schema`] and [`protobuf`] and meet only in
//! [`schema::Schema`].
//!
//! [`Registry`] keeps schemas in a topic through the Kafka client (`store`),
//! agrees with other registries of the cluster on one that writes
//! (`election`), and is served over HTTP (`http`).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod avro;
mod compatibility;
pub mod config;
pub mod content;
pub mod cors;
mod election;
mod error;
mod http;
pub mod json_schema;
mod kept;
pub mod listener;
mod lossless_json;
pub mod payload;
pub mod protobuf;
mod registry;
pub mod schema;
pub mod source;
mod store;
pub mod subject;
pub mod tags;
pub mod wire;
mod worker;

pub use compatibility::Level;
pub use config::Config;
pub use content::{Content, Metadata, Reference, Rule, RuleSet, SchemaType};
pub use cors::{Cors, CorsConfig};
pub use error::Error;
pub use http::{Server, serve};
pub use listener::HttpListener;
pub use payload::{Framed, PayloadCodec, PayloadError, SchemaKey};
pub use registry::{
    ConfigUpdate, Prefix, ReferenceRequest, Registration, Registry, TagsOfVersion, Version,
};
pub use schema::{Incompatibility, InvalidSchema, ResolvedReference, Schema};
pub use source::{LocalSource, NewSchema, RemoteSource, SchemaSource, Schemas, SourceError};
pub use store::{Filter, Mode, Policy, StoredSchema, SubjectConfig};
pub use subject::{Subject, SubjectNameStrategy};
pub use tags::{EntityType, SchemaTags, TagChanges};

//! Protobuf, proto2 and proto3.

use crate::schema::{Incompatibility, InvalidSchema, ResolvedReference, Strictness, TextFormat};

/// A parsed `.proto` file.
#[derive(Debug)]
pub struct ProtobufSchema {
    text: String,
}

impl ProtobufSchema {
    pub fn parse(
        text: &str,
        _references: &[ResolvedReference],
        _strictness: Strictness,
    ) -> Result<Self, InvalidSchema> {
        Ok(Self { text: text.to_owned() })
    }

    pub fn canonical_text(&self) -> String {
        self.text.clone()
    }

    pub fn normalized_text(&self) -> String {
        self.text.clone()
    }

    pub fn text(&self, _format: TextFormat) -> String {
        self.text.clone()
    }

    pub fn record_name(&self) -> Option<&str> {
        None
    }

    pub fn top_level_fields(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why `new_reader` cannot read what `old_writer` wrote.
pub fn incompatibilities(
    _new_reader: &ProtobufSchema,
    _old_writer: &ProtobufSchema,
) -> Vec<Incompatibility> {
    Vec::new()
}

//! Is a payload valid under a schema?
//!
//! The schema is compiled once, at the first payload. What `$ref` leads to
//! comes from the schema's references; nothing is fetched.

use std::collections::HashMap;
use std::thread;

use jsonschema::{Draft as CompilerDraft, Retrieve, Uri, Validator};
use serde_json::Value;

use super::model::Model;
use super::resolution::{Documents, Draft};
use crate::lossless_json::Json;

/// How many schemas may be applied to one value, one behind the other.
const MAX_IN_PLACE_DEPTH: usize = 128;
/// The compiler recurses along references; most of this is never touched.
const COMPILER_STACK_BYTES: usize = 256 << 20;
/// So many references fit into that stack, even if each leads to the next.
const MAX_REFERENCES: usize = 4_096;

/// Why a payload cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPayload {
    #[error("the payload is not JSON: {0}")]
    NotJson(String),
    /// Where in the payload, and what the schema says there.
    #[error("the payload is not valid at '{path}': {problem}")]
    NotValid { path: String, problem: String },
    /// The schema was accepted by the registry, and cannot be applied.
    #[error("the schema cannot be applied to a payload: {0}")]
    Schema(String),
}

/// A schema that is ready to judge payloads.
#[derive(Debug)]
pub(super) struct CompiledSchema(Validator);

impl CompiledSchema {
    pub(super) fn compile(documents: &Documents, model: &Model) -> Result<Self, String> {
        match model.in_place_depth() {
            None => {
                return Err("$ref leads back to itself without a step into the value".to_owned());
            }
            Some(depth) if depth > MAX_IN_PLACE_DEPTH => {
                return Err(format!("more than {MAX_IN_PLACE_DEPTH} schemas apply to one value"));
            }
            Some(_) => {}
        }
        if model.reference_count() > MAX_REFERENCES {
            return Err(format!("it has more than {MAX_REFERENCES} references"));
        }
        let schema = value_of(documents.root());
        let texts = documents
            .documents()
            .iter()
            .skip(1)
            .map(|document| (documents.uri_of(&document.name), value_of(&document.json)))
            .collect();
        let mut options = jsonschema::options()
            .with_draft(compiler_draft(documents.draft(documents.root_resource())))
            .with_retriever(References(texts))
            .with_base_uri(documents.base());
        options = options.should_validate_formats(false);
        let compile = || {
            options.build(&schema).map(Self).map_err(|error| {
                let keyword = error.instance_path().to_string();
                match keyword.as_str() {
                    "" => error.to_string(),
                    keyword => format!("{keyword}: {error}"),
                }
            })
        };
        thread::scope(|scope| {
            thread::Builder::new()
                .stack_size(COMPILER_STACK_BYTES)
                .spawn_scoped(scope, compile)
                .map_err(|error| format!("no thread to compile it: {error}"))?
                .join()
                .unwrap_or_else(|_| Err("its compiler failed".to_owned()))
        })
    }

    pub(super) fn validate(&self, payload: &[u8]) -> Result<(), InvalidPayload> {
        let value: Value = serde_json::from_slice(payload)
            .map_err(|error| InvalidPayload::NotJson(error.to_string()))?;
        self.0.validate(&value).map_err(|error| InvalidPayload::NotValid {
            path: format!("#{}", error.instance_path()),
            problem: error.masked().to_string(),
        })
    }
}

/// The texts of the references, by address.
struct References(HashMap<String, Value>);

impl Retrieve for References {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        self.0
            .get(uri.as_str())
            .cloned()
            .ok_or_else(|| format!("{uri} is not among the references").into())
    }
}

fn compiler_draft(draft: Draft) -> CompilerDraft {
    match draft {
        Draft::Draft4 => CompilerDraft::Draft4,
        Draft::Draft6 => CompilerDraft::Draft6,
        Draft::Draft7 => CompilerDraft::Draft7,
        Draft::Draft2019 => CompilerDraft::Draft201909,
        Draft::Draft2020 => CompilerDraft::Draft202012,
    }
}

fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(digits) => serde_json::from_str(digits).unwrap_or(Value::Null),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(value_of).collect()),
        Json::Object(members) => Value::Object(
            members.iter().map(|(key, value)| (key.clone(), value_of(value))).collect(),
        ),
    }
}

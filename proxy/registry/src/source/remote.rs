//! A registry elsewhere, over HTTP: Confluent's, Karapace, or another Ottla.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::{
    FoundSchema, HttpClient, NewSchema, SchemaSource, SourceError, no_such_schema, path_segment,
};
use crate::content::{Reference, SchemaType};
use crate::payload::SchemaKey;
use crate::schema::{ResolvedReference, Schema, Strictness};

/// How deep references may go.
const MAX_DEPTH: usize = 100;
/// How many texts the references of one schema may stand for.
const MAX_TEXTS: usize = 1_000;

/// The texts of references, each fetched once.
#[derive(Default)]
struct Texts {
    known: HashMap<(String, i32), (String, Vec<Reference>)>,
    /// How many texts there are, repeated ones included.
    count: usize,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct RemoteSource {
    client: Arc<HttpClient>,
    /// Where calls may block.
    runtime: Handle,
}

/// A schema as the API shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaBody {
    id: Option<i32>,
    schema: String,
    schema_type: Option<SchemaType>,
    references: Option<Vec<Reference>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RegisterBody<'a> {
    schema: &'a str,
    #[serde(skip_serializing_if = "is_avro")]
    schema_type: SchemaType,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    references: &'a [Reference],
}

/// Registries of old know nothing else, and no name for it.
fn is_avro(schema_type: &SchemaType) -> bool {
    *schema_type == SchemaType::Avro
}

#[derive(Debug, Deserialize)]
struct IdBody {
    id: i32,
}

#[derive(Debug, Deserialize)]
struct UserBody {
    subject: String,
}

impl RemoteSource {
    pub fn new(client: HttpClient, runtime: Handle) -> Self {
        Self { client: Arc::new(client), runtime }
    }

    fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&HttpClient) -> Result<T, SourceError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, SourceError>> {
        let client = Arc::clone(&self.client);
        async move {
            let called = self.runtime.spawn_blocking(move || call(&client));
            called.await.unwrap_or_else(|error| Err(SourceError::Unavailable(error.to_string())))
        }
        .boxed()
    }

    fn post_schema(
        &self,
        path: String,
        schema: NewSchema,
    ) -> BoxFuture<'_, Result<i32, SourceError>> {
        self.run(move |client| {
            let body = RegisterBody {
                schema: &schema.text,
                schema_type: schema.schema_type,
                references: &schema.references,
            };
            let body = serde_json::to_vec(&body).map_err(unreadable)?;
            let query = if schema.normalize { "?normalize=true" } else { "" };
            let answer = client.call("POST", &format!("{path}{query}"), Some(&body))?;
            Ok(parse::<IdBody>(&answer)?.id)
        })
    }
}

impl SchemaSource for RemoteSource {
    fn schema(&self, key: SchemaKey) -> BoxFuture<'_, Result<FoundSchema, SourceError>> {
        self.run(move |client| match key {
            SchemaKey::Id(id) => {
                let answer = client.call("GET", &format!("/schemas/ids/{id}"), None)?;
                found(client, id, parse(&answer)?)
            }
            SchemaKey::Guid(guid) => {
                let answer = client.call("GET", &format!("/schemas/guids/{guid}"), None)?;
                let body: SchemaBody = parse(&answer)?;
                found(client, body.id.unwrap_or(-1), body)
            }
        })
    }

    fn latest<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<FoundSchema, SourceError>> {
        let path = format!("/subjects/{}/versions/latest", path_segment(subject));
        self.run(move |client| {
            let body: SchemaBody = parse(&client.call("GET", &path, None)?)?;
            let id = body.id.ok_or_else(|| unreadable("the version has no id"))?;
            found(client, id, body)
        })
    }

    fn register<'a>(
        &'a self,
        subject: &'a str,
        schema: NewSchema,
    ) -> BoxFuture<'a, Result<i32, SourceError>> {
        self.post_schema(format!("/subjects/{}/versions", path_segment(subject)), schema)
    }

    fn look_up<'a>(
        &'a self,
        subject: &'a str,
        schema: NewSchema,
    ) -> BoxFuture<'a, Result<i32, SourceError>> {
        self.post_schema(format!("/subjects/{}", path_segment(subject)), schema)
    }

    fn check_version<'a>(
        &'a self,
        subject: &'a str,
        id: i32,
    ) -> BoxFuture<'a, Result<(), SourceError>> {
        let subject = subject.to_owned();
        self.run(move |client| {
            let answer = client.call("GET", &format!("/schemas/ids/{id}/versions"), None)?;
            let users: Vec<UserBody> = parse(&answer)?;
            if users.iter().any(|user| user.subject == subject) {
                Ok(())
            } else {
                Err(no_such_schema())
            }
        })
    }
}

fn parse<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, SourceError> {
    serde_json::from_slice(answer).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> SourceError {
    SourceError::Unavailable(format!("the answer of the Schema Registry cannot be read: {error}"))
}

fn found(client: &HttpClient, id: i32, body: SchemaBody) -> Result<FoundSchema, SourceError> {
    let mut texts = Texts::default();
    let references = body.references.unwrap_or_default();
    let references = resolve(client, &references, &mut texts, 0)?;
    let schema_type = body.schema_type.unwrap_or(SchemaType::Avro);
    let schema = Schema::parse(schema_type, &body.schema, &references, Strictness::Stored);
    let schema =
        schema.map_err(|error| unreadable(format!("schema {id} is not understood: {error}")))?;
    Ok(FoundSchema { id, schema })
}

/// Fetches what references stand for.
fn resolve(
    client: &HttpClient,
    references: &[Reference],
    texts: &mut Texts,
    depth: usize,
) -> Result<Vec<ResolvedReference>, SourceError> {
    if !references.is_empty() && depth >= MAX_DEPTH {
        return Err(unreadable(format!("references are nested more than {MAX_DEPTH} deep")));
    }
    let mut resolved = Vec::with_capacity(references.len());
    for Reference { name, subject, version } in references {
        texts.count += 1;
        if texts.count > MAX_TEXTS {
            return Err(unreadable(format!("there are more than {MAX_TEXTS} references")));
        }
        let key = (subject.clone(), *version);
        if !texts.known.contains_key(&key) {
            let path = format!("/subjects/{}/versions/{version}", path_segment(subject));
            let body: SchemaBody = parse(&client.call("GET", &path, None)?)?;
            texts.known.insert(key.clone(), (body.schema, body.references.unwrap_or_default()));
        }
        let (text, further) = texts.known.get(&key).cloned().unwrap_or_default();
        let references = resolve(client, &further, texts, depth + 1)?;
        resolved.push(ResolvedReference { name: name.clone(), text, references });
    }
    Ok(resolved)
}

//! Schemas ready for records. What a registry was asked once is kept.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::runtime::Handle;

use super::{NewSchema, SchemaSource, SourceError};
use crate::content::{Reference, SchemaType};
use crate::kept::Kept;
use crate::payload::{PayloadCodec, SchemaKey};
use crate::schema::{InvalidSchema, Schema, Strictness};

/// How many schemas, and how many answers about subjects, are kept.
const MAX_KEPT: usize = 1_000;

/// See the module.
#[derive(Debug)]
pub struct Schemas {
    source: Arc<dyn SchemaSource>,
    /// Where schemas are compiled, which may take long.
    runtime: Handle,
    codecs: RwLock<Kept<SchemaKey, Arc<PayloadCodec>>>,
    registered: RwLock<Kept<Registered, Arc<PayloadCodec>>>,
    /// Ids that are known to be versions of subjects.
    versions: RwLock<HashSet<(String, i32)>>,
}

/// What a schema was registered as.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Registered {
    subject: String,
    schema_type: SchemaType,
    text: String,
}

/// Why a schema is not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The text is none.
    #[error("{0}")]
    Invalid(#[from] InvalidSchema),
    /// The registry does not take it.
    #[error("{0}")]
    Source(#[from] SourceError),
}

impl Schemas {
    /// Must be called within a runtime.
    pub fn new(source: Arc<dyn SchemaSource>) -> Self {
        Self {
            source,
            runtime: Handle::current(),
            codecs: RwLock::new(Kept::new(MAX_KEPT)),
            registered: RwLock::new(Kept::new(MAX_KEPT)),
            versions: RwLock::default(),
        }
    }

    /// A schema that was asked for before.
    pub fn cached(&self, key: SchemaKey) -> Option<Arc<PayloadCodec>> {
        self.codecs.read().get(&key)
    }

    /// A schema by what a payload says of it.
    ///
    /// # Errors
    /// When the registry does not give it.
    pub async fn load(&self, key: SchemaKey) -> Result<Arc<PayloadCodec>, SourceError> {
        if let Some(codec) = self.cached(key) {
            return Ok(codec);
        }
        let found = self.source.schema(key).await?;
        let codec = self.prepared(found.id, found.schema).await?;
        self.codecs.write().insert(key, Arc::clone(&codec), codec.text_bytes());
        Ok(codec)
    }

    /// The latest version of a subject, which may be another one the next time.
    ///
    /// # Errors
    /// When the registry does not give it.
    pub async fn latest(&self, subject: &str) -> Result<Arc<PayloadCodec>, SourceError> {
        let found = self.source.latest(subject).await?;
        match self.cached(SchemaKey::Id(found.id)) {
            Some(codec) => Ok(codec),
            None => self.prepared(found.id, found.schema).await,
        }
    }

    async fn prepared(&self, id: i32, schema: Schema) -> Result<Arc<PayloadCodec>, SourceError> {
        let codec = Arc::new(PayloadCodec::new(id, schema));
        let compiled = Arc::clone(&codec);
        let compiling = self.runtime.spawn_blocking(move || compiled.prepare());
        compiling.await.map_err(|error| SourceError::Unavailable(error.to_string()))?;
        Ok(codec)
    }

    /// A schema that is registered under a subject unless it is there.
    ///
    /// # Errors
    /// When the text is no schema, or the registry does not take it.
    pub async fn register(
        &self,
        subject: &str,
        schema: NewSchema,
    ) -> Result<Arc<PayloadCodec>, RegisterError> {
        let registered = Registered {
            subject: subject.to_owned(),
            schema_type: schema.schema_type,
            text: schema.text.clone(),
        };
        let known = self.registered.read().get(&registered);
        if let Some(codec) = known
            && schema.references.is_empty()
            && self.source.still_has(subject, codec.id())
        {
            return Ok(codec);
        }
        check(&schema)?;
        let is_simple = schema.references.is_empty();
        let id = self.source.register(subject, schema).await?;
        let codec = self.load(SchemaKey::Id(id)).await?;
        if is_simple {
            self.registered.write().insert(registered, Arc::clone(&codec), codec.text_bytes());
        }
        Ok(codec)
    }

    /// A schema that has to be under a subject already.
    ///
    /// # Errors
    /// When the text is no schema, or it is not there.
    pub async fn look_up(
        &self,
        subject: &str,
        schema: NewSchema,
    ) -> Result<Arc<PayloadCodec>, RegisterError> {
        check(&schema)?;
        let id = self.source.look_up(subject, schema).await?;
        Ok(self.load(SchemaKey::Id(id)).await?)
    }

    /// Makes sure that a schema is a version of a subject.
    ///
    /// # Errors
    /// When it is not.
    pub async fn check_version(&self, subject: &str, id: i32) -> Result<(), SourceError> {
        let version = (subject.to_owned(), id);
        if self.versions.read().contains(&version) && self.source.still_has(subject, id) {
            return Ok(());
        }
        self.source.check_version(subject, id).await?;
        let mut versions = self.versions.write();
        if versions.len() >= MAX_KEPT {
            versions.clear();
        }
        versions.insert(version);
        Ok(())
    }
}

/// Whether the text is a schema. What its names refer to only the registry knows.
fn check(schema: &NewSchema) -> Result<(), InvalidSchema> {
    if schema.references.is_empty() {
        Schema::parse(schema.schema_type, &schema.text, &[], Strictness::Stored)?;
    }
    Ok(())
}

impl NewSchema {
    /// A schema without references.
    pub fn plain(schema_type: SchemaType, text: impl Into<String>) -> Self {
        Self {
            schema_type,
            text: text.into(),
            references: Vec::<Reference>::new(),
            normalize: false,
        }
    }
}

//! The registry of this program.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use super::{
    FoundSchema, HttpClient, HttpClientConfig, NewSchema, RemoteSource, SchemaSource, SourceError,
    no_such_schema,
};
use crate::error::Error;
use crate::payload::SchemaKey;
use crate::registry::{ReferenceRequest, Registration, Registry, Version};
use crate::store::{Filter, StoredSchema};
use crate::subject::Subject;

/// See the module.
#[derive(Debug, Clone)]
pub struct LocalSource {
    registry: Registry,
    runtime: Handle,
}

impl LocalSource {
    /// `runtime` is that of the registry.
    pub fn new(registry: Registry, runtime: Handle) -> Self {
        Self { registry, runtime }
    }

    fn error(&self, error: &Error) -> SourceError {
        let (_, code) = error.codes(self.registry.config().incompatible_error_code);
        SourceError::Refused { code, message: error.to_string() }
    }

    async fn found(
        &self,
        stored: &std::sync::Arc<StoredSchema>,
    ) -> Result<FoundSchema, SourceError> {
        let schema = self.registry.parsed(stored).await.map_err(|error| self.error(&error))?;
        Ok(FoundSchema { id: stored.id, schema })
    }
}

impl SchemaSource for LocalSource {
    fn schema(&self, key: SchemaKey) -> BoxFuture<'_, Result<FoundSchema, SourceError>> {
        async move {
            self.registry.check_loaded().await.map_err(|error| self.error(&error))?;
            let stored = match key {
                SchemaKey::Id(id) => self.registry.schema_by_id(id, None),
                SchemaKey::Guid(guid) => self.registry.schema_by_guid(&guid.to_string()),
            };
            self.found(&stored.map_err(|error| self.error(&error))?).await
        }
        .boxed()
    }

    fn latest<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<FoundSchema, SourceError>> {
        async move {
            self.registry.check_loaded().await.map_err(|error| self.error(&error))?;
            let subject = Subject::parse(subject);
            let stored = self.registry.version(&subject, Version::Latest, Filter::Live);
            self.found(&stored.map_err(|error| self.error(&error))?).await
        }
        .boxed()
    }

    fn register<'a>(
        &'a self,
        subject: &'a str,
        schema: NewSchema,
    ) -> BoxFuture<'a, Result<i32, SourceError>> {
        async move {
            let registration = registration(schema.clone());
            match self.registry.register(Subject::parse(subject), registration).await {
                Ok(stored) => Ok(stored.id),
                Err(Error::NotLeader(leader)) => {
                    // Another registry of the cluster writes.
                    let config =
                        HttpClientConfig { urls: vec![leader.url()], ..Default::default() };
                    let client = HttpClient::new(&config).map_err(SourceError::Unavailable)?;
                    let leader = RemoteSource::new(client, self.runtime.clone());
                    leader.register(subject, schema).await
                }
                Err(error) => Err(self.error(&error)),
            }
        }
        .boxed()
    }

    fn look_up<'a>(
        &'a self,
        subject: &'a str,
        schema: NewSchema,
    ) -> BoxFuture<'a, Result<i32, SourceError>> {
        async move {
            let subject = Subject::parse(subject);
            let found = self.registry.look_up(subject, registration(schema), Filter::Live).await;
            found.map(|stored| stored.id).map_err(|error| self.error(&error))
        }
        .boxed()
    }

    fn check_version<'a>(
        &'a self,
        subject: &'a str,
        id: i32,
    ) -> BoxFuture<'a, Result<(), SourceError>> {
        async move {
            self.registry.check_loaded().await.map_err(|error| self.error(&error))?;
            let name = Subject::parse(subject);
            if !self.registry.has_subject(&name, Filter::Live) {
                return Err(self.error(&Error::SubjectNotFound(name)));
            }
            if self.still_has(subject, id) { Ok(()) } else { Err(no_such_schema()) }
        }
        .boxed()
    }

    fn still_has(&self, subject: &str, id: i32) -> bool {
        self.registry.has_id(&Subject::parse(subject), id)
    }
}

fn registration(schema: NewSchema) -> Registration {
    let references = schema.references.into_iter().map(|reference| ReferenceRequest {
        name: Some(reference.name),
        subject: Some(reference.subject),
        version: Some(reference.version),
    });
    Registration {
        schema_type: Some(schema.schema_type.to_string()),
        text: schema.text,
        references: references.collect(),
        normalize: schema.normalize,
        ..Registration::default()
    }
}

//! Where the schemas of records come from: the registry of this program, or
//! one elsewhere.

mod http_client;
mod local;
mod remote;
mod schemas;

use std::fmt;

use futures_util::future::BoxFuture;

pub use self::http_client::{HttpClient, HttpClientConfig, Pem, Secret, path_segment};
pub use self::local::LocalSource;
pub use self::remote::RemoteSource;
pub use self::schemas::{RegisterError, Schemas};
use crate::content::{Reference, SchemaType};
use crate::payload::SchemaKey;
use crate::schema::Schema;

/// Why a registry did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It answered with an error.
    #[error("{message}; error code: {code}")]
    Refused {
        /// The `error_code`; the HTTP status where there is none.
        code: u32,
        /// Its sentence.
        message: String,
    },
    /// It did not answer, or with something else than a registry does.
    #[error("{0}")]
    Unavailable(String),
}

/// A schema that is to be registered or looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchema {
    pub schema_type: SchemaType,
    pub text: String,
    pub references: Vec<Reference>,
    /// Whether its normalised text is meant.
    pub normalize: bool,
}

/// A schema of a registry.
#[derive(Debug, Clone)]
pub struct FoundSchema {
    pub id: i32,
    pub schema: Schema,
}

/// A registry.
pub trait SchemaSource: fmt::Debug + Send + Sync {
    /// A schema by what a payload says of it.
    fn schema(&self, key: SchemaKey) -> BoxFuture<'_, Result<FoundSchema, SourceError>>;

    /// The latest version of a subject.
    fn latest<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<FoundSchema, SourceError>>;

    /// Registers a schema under a subject, unless it is there; answers its id.
    fn register<'a>(
        &'a self,
        subject: &'a str,
        schema: NewSchema,
    ) -> BoxFuture<'a, Result<i32, SourceError>>;

    /// The id of a schema that is there already.
    fn look_up<'a>(
        &'a self,
        subject: &'a str,
        schema: NewSchema,
    ) -> BoxFuture<'a, Result<i32, SourceError>>;

    /// Makes sure that a schema is a version of a subject.
    ///
    /// # Errors
    /// [`SourceError::Refused`] when it is none.
    fn check_version<'a>(
        &'a self,
        subject: &'a str,
        id: i32,
    ) -> BoxFuture<'a, Result<(), SourceError>>;

    /// Whether a schema that was a version of a subject still is one, as far
    /// as that is known without asking anybody.
    fn still_has(&self, subject: &str, id: i32) -> bool {
        let _ = (subject, id);
        true
    }
}

fn no_such_schema() -> SourceError {
    SourceError::Refused { code: 40403, message: "Schema not found".to_owned() }
}

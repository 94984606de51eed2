//! Why the registry could not do what it was asked, and the one place where
//! that becomes an HTTP status and an `error_code`.

use actix_web::http::{Method, StatusCode};

use crate::election::Identity;
use crate::subject::Subject;

/// Why the registry could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    // Requests
    /// No such path.
    #[error("HTTP 404 Not Found")]
    NotFound,
    /// The path has other methods.
    #[error("HTTP 405 Method Not Allowed")]
    MethodNotAllowed(&'static [Method]),
    /// The client accepts none of the types of the answer.
    #[error("HTTP 406 Not Acceptable")]
    NotAcceptable,
    /// The body has a type that is not read.
    #[error("HTTP 415 Unsupported Media Type")]
    UnsupportedMediaType,
    /// A header or a path that cannot be read.
    #[error("Bad Request")]
    BadRequest,
    /// A context in a path that cannot be one.
    #[error("Context name '{0}' cannot contain a colon")]
    ColonInContext(String),
    /// The body did not come in time.
    #[error("Timeout while reading the request body")]
    BodyTimeout,
    /// The body ended early or cannot be read.
    #[error("The request body ended early")]
    BodyCutShort,
    /// The body is larger than this.
    #[error("Request body is larger than {0} bytes (registry.max.request.bytes)")]
    BodyTooLarge(usize),
    /// The memory for request bodies is used up.
    #[error(
        "Too many bytes of request bodies are in memory (registry.max.inflight.bytes); try again"
    )]
    Overloaded,
    /// Not JSON, or JSON of another type.
    #[error("{0}")]
    Malformed(String),
    /// No body; the operation that wants one.
    #[error("{0}.request must not be null (was null)")]
    MissingBody(&'static str),
    /// A parameter or member that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Something that cannot happen.
    #[error("Internal Server Error")]
    Internal,

    // What is not there
    /// No version of the subject is visible.
    #[error("Subject '{0}' not found.")]
    SubjectNotFound(Subject),
    /// The subject has no such version; -1 is the latest.
    #[error("Version {0} not found.")]
    VersionNotFound(i32),
    /// No schema has this id or guid.
    #[error("Schema {0} not found")]
    SchemaNotFound(String),
    /// No schema is like the one that was asked for.
    #[error("Schema not found")]
    NoSuchSchema,
    /// It is soft deleted already.
    #[error("Subject '{0}' was soft deleted.Set permanent=true to delete permanently")]
    SubjectSoftDeleted(Subject),
    /// It has to be soft deleted first.
    #[error("Subject '{0}' was not deleted first before being permanently deleted")]
    SubjectNotSoftDeleted(Subject),
    /// It is soft deleted already.
    #[error("Subject '{0}' Version {1} was soft deleted.Set permanent=true to delete permanently")]
    VersionSoftDeleted(Subject, i32),
    /// It has to be soft deleted first.
    #[error("Subject '{0}' Version {1} was not deleted first before being permanently deleted")]
    VersionNotSoftDeleted(Subject, i32),
    /// The subject has no config of its own.
    #[error("Subject '{0}' does not have subject-level compatibility configured")]
    ConfigNotFound(Subject),
    /// The subject has no mode of its own.
    #[error("Subject '{0}' does not have subject-level mode configured")]
    ModeNotFound(Subject),

    // What is refused
    /// Data of one version could not be read with another; what is wrong, one entry each.
    #[error(
        "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: [{}]",
        messages.join(", ")
    )]
    Incompatible {
        /// The subject.
        subject: Subject,
        /// What is wrong.
        messages: Vec<String>,
    },
    /// The text is no schema, or its references lead nowhere.
    #[error("{0}")]
    InvalidSchema(String),
    /// What was given as a version is none.
    #[error(
        "The specified version '{0}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
    )]
    InvalidVersion(String),
    /// No such compatibility level.
    #[error(
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive"
    )]
    InvalidLevel,
    /// No such mode.
    #[error("Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.")]
    InvalidMode,
    /// A mode that only all contexts together can have.
    #[error("Forward mode only supported on global level")]
    ForwardIsGlobal,
    /// The mode does not allow it.
    #[error("{0}")]
    NotPermitted(String),
    /// Schemas refer to it.
    #[error(
        "One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={0},version={1}}}."
    )]
    ReferenceExists(Subject, i32),
    /// No subject can have this name.
    #[error("The specified subject '{0}' is not a valid.")]
    InvalidSubject(Subject),
    /// The topic does not take records of this size.
    #[error("Register operation failed because schema is too large")]
    SchemaTooLarge,
    /// A rule set that clients could not run.
    #[error("{0}")]
    InvalidRuleSet(String),
    /// The context has subjects.
    #[error("The specified context '{0}' is not empty.")]
    ContextNotEmpty(Subject),

    // The cluster
    /// The topic could not be read or written.
    #[error("{0}")]
    Store(String),
    /// The topic did not answer in time. Whether something was written is unknown.
    #[error("Operation timed out: {0}")]
    StoreTimeout(String),
    /// Another registry of the cluster writes; the request belongs there.
    #[error("Another registry is the leader")]
    NotLeader(Box<Identity>),
    /// The registry that writes could not be asked.
    #[error("Error while forwarding the request to the leader: {0}")]
    Forwarding(String),
    /// Nobody writes at the moment.
    #[error("Leader not known.")]
    UnknownLeader,
}

impl Error {
    /// The status and the `error_code` of the answer. `incompatible` is the
    /// code that 409 has (`registry.incompatible.error.code`).
    pub fn codes(&self, incompatible: u32) -> (StatusCode, u32) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, 404),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, 405),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, 406),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 415),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, 408),
            Self::BadRequest
            | Self::ColonInContext(_)
            | Self::BodyCutShort
            | Self::Malformed(_) => (StatusCode::BAD_REQUEST, 400),
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, 413),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, 503),
            Self::MissingBody(_) | Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, 422),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 500),

            Self::SubjectNotFound(_) => (StatusCode::NOT_FOUND, 40401),
            Self::VersionNotFound(_) => (StatusCode::NOT_FOUND, 40402),
            Self::SchemaNotFound(_) | Self::NoSuchSchema => (StatusCode::NOT_FOUND, 40403),
            Self::SubjectSoftDeleted(_) => (StatusCode::NOT_FOUND, 40404),
            Self::SubjectNotSoftDeleted(_) => (StatusCode::NOT_FOUND, 40405),
            Self::VersionSoftDeleted(..) => (StatusCode::NOT_FOUND, 40406),
            Self::VersionNotSoftDeleted(..) => (StatusCode::NOT_FOUND, 40407),
            Self::ConfigNotFound(_) => (StatusCode::NOT_FOUND, 40408),
            Self::ModeNotFound(_) => (StatusCode::NOT_FOUND, 40409),

            Self::Incompatible { .. } => (StatusCode::CONFLICT, incompatible),
            Self::InvalidSchema(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42201),
            Self::InvalidVersion(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42202),
            Self::InvalidLevel => (StatusCode::UNPROCESSABLE_ENTITY, 42203),
            Self::InvalidMode | Self::ForwardIsGlobal => (StatusCode::UNPROCESSABLE_ENTITY, 42204),
            Self::NotPermitted(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42205),
            Self::ReferenceExists(..) => (StatusCode::UNPROCESSABLE_ENTITY, 42206),
            Self::InvalidSubject(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42208),
            Self::SchemaTooLarge => (StatusCode::UNPROCESSABLE_ENTITY, 42209),
            Self::InvalidRuleSet(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42210),
            Self::ContextNotEmpty(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42211),

            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, 50001),
            Self::StoreTimeout(_) => (StatusCode::INTERNAL_SERVER_ERROR, 50002),
            Self::Forwarding(_) => (StatusCode::INTERNAL_SERVER_ERROR, 50003),
            Self::NotLeader(_) | Self::UnknownLeader => (StatusCode::INTERNAL_SERVER_ERROR, 50004),
        }
    }

    /// Whether the failure lies before or outside of what a path does: such
    /// answers say no Content-Type.
    pub(crate) fn is_untyped(&self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::MethodNotAllowed(_)
                | Self::NotAcceptable
                | Self::ColonInContext(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_code_and_sentence_of_the_contract() {
        let subject = || Subject::parse("a");
        for (error, code, message) in [
            (Error::SubjectNotFound(subject()), 40401, "Subject 'a' not found."),
            (Error::VersionNotFound(-1), 40402, "Version -1 not found."),
            (Error::SchemaNotFound("7".into()), 40403, "Schema 7 not found"),
            (
                Error::SubjectSoftDeleted(subject()),
                40404,
                "Subject 'a' was soft deleted.Set permanent=true to delete permanently",
            ),
            (
                Error::VersionNotSoftDeleted(subject(), 1),
                40407,
                "Subject 'a' Version 1 was not deleted first before being permanently deleted",
            ),
            (
                Error::ReferenceExists(subject(), 1),
                42206,
                "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=a,version=1}.",
            ),
            (
                Error::Incompatible { subject: subject(), messages: vec!["x".into(), "y".into()] },
                409,
                "Schema being registered is incompatible with an earlier schema for subject \"a\", details: [x, y]",
            ),
            (Error::MissingBody("register"), 422, "register.request must not be null (was null)"),
        ] {
            assert_eq!(error.codes(409).1, code, "{error:?}");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn the_code_of_a_refusal_is_a_setting() {
        let refused = Error::Incompatible { subject: Subject::parse("a"), messages: Vec::new() };
        assert_eq!(refused.codes(40901), (StatusCode::CONFLICT, 40901));
    }
}

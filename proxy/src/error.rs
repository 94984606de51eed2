//! Why a request failed, and what its sender is told: the one place where
//! causes become HTTP statuses, error codes and sentences.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use client::consumer::ConsumerError;
use protocol::ErrorCode;

use crate::config::ApiVersion;
use crate::content_type::MediaType;
use crate::json;

use ApiVersion::{V1, V2};

/// Why a request failed. Its [`Display`](std::fmt::Display) is the `message`
/// of the answer, so it names no paths, addresses or causes of ours.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    // The HTTP layer
    /// There is no such path, or a number in it is none.
    #[error("HTTP 404 Not Found")]
    NotFound,
    /// The path has other methods.
    #[error("HTTP 405 Method Not Allowed")]
    MethodNotAllowed(Vec<Method>),
    /// None of our types is accepted.
    #[error("HTTP 406 Not Acceptable")]
    NotAcceptable,
    /// The body has a type that the path does not take.
    #[error("HTTP 415 Unsupported Media Type")]
    UnsupportedMediaType,
    /// The body did not come in time.
    #[error("Timeout while reading from inputStream")]
    BodyTimeout,
    /// The body ended early or cannot be read.
    #[error("The request body ended early")]
    BodyCutShort,
    /// The body is larger than this.
    #[error("Request body is larger than {0} bytes (rest.max.request.bytes)")]
    BodyTooLarge(usize),
    /// The memory for request bodies, or for records in answers, is used up.
    #[error(
        "Too many bytes of requests or answers are in memory (rest.max.inflight.bytes); try again"
    )]
    Overloaded,
    /// The proxy is about to stop.
    #[error("The server is shutting down")]
    ShuttingDown,
    /// Something that cannot happen.
    #[error("Internal Server Error")]
    Internal,

    // What bodies say
    /// Not JSON, or JSON of another type.
    #[error("{0}")]
    Malformed(String),
    /// Data of a record that are not in their format (API v2).
    #[error("Bad Request: {0}")]
    BadData(String),
    /// JSON that says something impossible.
    #[error("{0}")]
    Invalid(String),

    // Schemas
    /// There are keys, and nothing says what schema they have.
    #[error("Request includes keys but does not include key schema")]
    NoKeySchema,
    /// There are values, and nothing says what schema they have.
    #[error("Request includes values but does not include value schema")]
    NoValueSchema,
    /// Data of a record that do not fit their schema (API v1).
    #[error("Conversion of JSON to Object failed: Failed to convert JSON to Avro: {0}")]
    Conversion(String),
    /// A text that is no schema.
    #[error("Invalid schema: {0}")]
    InvalidSchema(String),
    /// The registry does not give or take a schema (API v2).
    #[error("Error serializing message. {0}")]
    Serialization(String),
    /// The registry does not give or take a schema (API v1).
    #[error("Schema registration or lookup failed")]
    RegistryFailed,
    /// There is no registry.
    #[error(
        "Payload error. Schema Registry must be configured when using schemas (schema.registry.url is empty)."
    )]
    NoRegistry,

    // Topics
    /// No such topic to be looked at.
    #[error("{}", unknown_topic(*.0))]
    TopicNotFound(ApiVersion),
    /// No such topic to produce to, and it is not created.
    #[error("Topic not found.")]
    ProduceToUnknownTopic,
    /// The topic has no such partition.
    #[error("Partition not found.")]
    PartitionNotFound,
    /// The partition has no leader (reads by partition in API v1).
    #[error("Leader not available.")]
    LeaderNotAvailable,
    /// All reads by partition are taken (API v1).
    #[error(
        "No SimpleConsumer is available at the time in the pool. The request can be retried. \
         You can increase the pool size or the pool timeout to avoid this error in the future."
    )]
    NoSimpleConsumer,

    // Consumer instances
    /// No such instance, or not any more.
    #[error("Consumer instance not found.")]
    InstanceNotFound,
    /// The group has an instance of this name.
    #[error("Consumer with specified consumer ID already exists in the specified consumer group.")]
    InstanceExists,
    /// The instance was created for another format.
    #[error(
        "The requested embedded data format does not match the deserializer for this consumer instance"
    )]
    FormatMismatch,
    /// An instance of API v1 reads one topic only. (The doubled "the" is the reference's.)
    #[error(
        "Consumer cannot subscribe the the specified target because it has already subscribed to other topics."
    )]
    AlreadySubscribed,
    /// The instance was created through the other version of the API, which is this one.
    #[error(
        "Illegal state: consumer instance was created through API {}; create it with Content-Type {}",
        if *.0 == V1 { "v1" } else { "v2" },
        MediaType::Api(if *.0 == V1 { V2 } else { V1 }, None).as_str()
    )]
    WrongVersion(ApiVersion),
    /// What a Kafka consumer calls an illegal state.
    #[error("Illegal state: {0}")]
    IllegalState(String),
    /// Settings of a consumer instance that cannot be.
    #[error("Invalid consumer configuration: {0}")]
    InvalidConsumerConfig(String),
    /// Settings of a consumer instance out of their range.
    #[error("Invalid consumer configuration. It does not abide by the constraints: {0}")]
    ConsumerConfigOutOfRange(String),
    /// As many instances exist as may.
    #[error("There are already {0} consumer instances (consumer.instances.max)")]
    TooManyInstances(usize),
    /// A record that is not in the format of its reader.
    #[error(
        "{}record of partition {topic}-{partition} at offset {offset} cannot be read: {reason}",
        if *version == V1 { "Kafka error: " } else { "" }
    )]
    Undecodable {
        /// The API that it was read through.
        version: ApiVersion,
        /// Its topic.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },

    // Kafka
    /// The cluster refused, or cannot be reached.
    #[error("{}", kafka_message(*.version, .error))]
    Kafka {
        /// The API that is spoken.
        version: ApiVersion,
        /// What happened.
        error: client::Error,
    },
}

impl Error {
    /// For [`Result::map_err`]: a failed call to the cluster on behalf of a
    /// request of this version.
    pub(crate) fn kafka(version: ApiVersion) -> impl Fn(client::Error) -> Self {
        move |error| Self::Kafka { version, error }
    }

    /// For [`Result::map_err`]: a failed call of the consumer of an instance, or
    /// of one of our own that reads for a request.
    pub(crate) fn consumer(version: ApiVersion) -> impl Fn(ConsumerError) -> Self {
        move |error| match error {
            ConsumerError::MixedSubscription
            | ConsumerError::NotSubscribed
            | ConsumerError::NotAssigned(_) => Self::IllegalState(error.to_string()),
            // It was deleted, or has expired, since it was looked up.
            ConsumerError::Closed => Self::InstanceNotFound,
            ConsumerError::BrokenBatch { partition, offset, reason } => Self::Undecodable {
                version,
                topic: partition.topic.as_str().to_owned(),
                partition: partition.partition,
                offset,
                reason,
            },
            // 40403 would mean that the instance is gone.
            ConsumerError::Partition { code: ErrorCode::UnknownTopicOrPartition, .. } => {
                Self::PartitionNotFound
            }
            ConsumerError::Client(error) => Self::Kafka { version, error },
            ConsumerError::NoGroup
            | ConsumerError::NoOffset(_)
            | ConsumerError::OffsetOutOfRange { .. }
            | ConsumerError::Truncated { .. }
            | ConsumerError::Partition { .. }
            | ConsumerError::Group { .. }
            | ConsumerError::Rebalanced
            | ConsumerError::Timeout(_)
            | ConsumerError::InvalidTopic(_)
            | ConsumerError::Topic { .. } => {
                let message = Some(error.public_message().into());
                let error = client::Error::Kafka { code: error.error_code(), message };
                Self::Kafka { version, error }
            }
        }
    }

    /// The status and the `error_code` of the answer.
    fn codes(&self) -> (StatusCode, u32) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, 404),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, 405),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, 406),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 415),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, 408),
            Self::BodyCutShort => (StatusCode::BAD_REQUEST, 400),
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, 413),
            Self::Overloaded | Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, 503),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 500),

            Self::Malformed(_) | Self::BadData(_) => (StatusCode::BAD_REQUEST, 400),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, 422),

            Self::NoKeySchema => (StatusCode::UNPROCESSABLE_ENTITY, 42201),
            Self::NoValueSchema => (StatusCode::UNPROCESSABLE_ENTITY, 42202),
            Self::Conversion(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42203),
            Self::InvalidSchema(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42205),
            Self::NoRegistry => (StatusCode::UNPROCESSABLE_ENTITY, 42206),
            Self::Serialization(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42207),
            Self::RegistryFailed => (StatusCode::REQUEST_TIMEOUT, 40801),

            Self::TopicNotFound(V1) | Self::ProduceToUnknownTopic => (StatusCode::NOT_FOUND, 40401),
            Self::TopicNotFound(V2) => (StatusCode::NOT_FOUND, 40403),
            Self::PartitionNotFound => (StatusCode::NOT_FOUND, 40402),
            Self::LeaderNotAvailable => (StatusCode::NOT_FOUND, 40404),
            // The documentation says 503; what is sent has always been 500.
            Self::NoSimpleConsumer => (StatusCode::INTERNAL_SERVER_ERROR, 50301),

            Self::InstanceNotFound => (StatusCode::NOT_FOUND, 40403),
            Self::InstanceExists => (StatusCode::CONFLICT, 40902),
            Self::FormatMismatch => (StatusCode::NOT_ACCEPTABLE, 40601),
            Self::AlreadySubscribed => (StatusCode::CONFLICT, 40901),
            Self::IllegalState(_) | Self::WrongVersion(_) => (StatusCode::CONFLICT, 40903),
            Self::InvalidConsumerConfig(_) => (StatusCode::UNPROCESSABLE_ENTITY, 42204),
            Self::ConsumerConfigOutOfRange(_) => (StatusCode::UNPROCESSABLE_ENTITY, 40001),
            Self::TooManyInstances(_) => (StatusCode::TOO_MANY_REQUESTS, 429),
            Self::Undecodable { version: V1, .. } => (StatusCode::INTERNAL_SERVER_ERROR, 50002),
            Self::Undecodable { version: V2, .. } => (StatusCode::REQUEST_TIMEOUT, 40801),

            Self::Kafka { version, error } => kafka_codes(*version, error),
        }
    }

    /// The seconds after which it is worth trying again.
    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Overloaded | Self::ShuttingDown | Self::TooManyInstances(_) => Some(1),
            _ => None,
        }
    }

    /// The `error_code` of the answer.
    #[cfg(test)]
    pub(crate) fn error_code(&self) -> u32 {
        self.codes().1
    }

    /// The answer, in a type that was negotiated before.
    pub(crate) fn answer(&self, media_type: MediaType) -> HttpResponse {
        let (status, error_code) = self.codes();
        if status.is_server_error() {
            self.log();
        }
        let mut body = Vec::with_capacity(128);
        body.extend_from_slice(br#"{"error_code":"#);
        json::write_integer(error_code, &mut body);
        body.extend_from_slice(br#","message":"#);
        json::write_string(&self.to_string(), &mut body);
        body.push(b'}');
        let mut answer = HttpResponse::build(status);
        answer.insert_header((header::CONTENT_TYPE, media_type.header_value()));
        if let Self::MethodNotAllowed(methods) = self {
            let methods: Vec<&str> = methods.iter().map(Method::as_str).collect();
            answer.insert_header((header::ALLOW, methods.join(",")));
        }
        if let Some(seconds) = self.retry_after() {
            answer.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        if matches!(
            self,
            Self::BodyTimeout | Self::BodyCutShort | Self::BodyTooLarge(_) | Self::Overloaded
        ) {
            // The rest of the body is not read.
            answer.force_close();
        }
        answer.body(body)
    }

    /// What the answer does not say is kept in the log.
    fn log(&self) {
        match self {
            Self::Kafka { error, .. } => tracing::warn!(%error, "a call to the cluster failed"),
            error => tracing::warn!(%error, "a request failed"),
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.codes().0
    }

    fn error_response(&self) -> HttpResponse {
        self.answer(MediaType::Json)
    }
}

fn unknown_topic(version: ApiVersion) -> &'static str {
    match version {
        V1 => "Topic not found.",
        V2 => "This server does not host this topic-partition.",
    }
}

/// What becomes of Kafka's errors. API v1 tells only whether it makes sense to
/// try again; API v2 (as of release 5.4) has a table.
fn kafka_codes(version: ApiVersion, error: &client::Error) -> (StatusCode, u32) {
    use ErrorCode::*;
    let retriable = if error.is_retriable() { 50003 } else { 50002 };
    let retriable = (StatusCode::INTERNAL_SERVER_ERROR, retriable);
    if version == V1 {
        return retriable;
    }
    match error.error_code() {
        code if is_authentication_failure(code) => (StatusCode::UNAUTHORIZED, 40101),
        code if is_authorization_failure(code) => (StatusCode::FORBIDDEN, 40301),
        UnknownTopicOrPartition | UnknownTopicId => (StatusCode::NOT_FOUND, 40403),
        BrokerNotAvailable => (StatusCode::SERVICE_UNAVAILABLE, 50302),
        MessageTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 413),
        InvalidReplicationFactor
        | InvalidPartitions
        | InvalidRequest
        | PolicyViolation
        | TopicAlreadyExists
        | InvalidConfig
        | TopicDeletionDisabled
        | SecurityDisabled
        | UnsupportedVersion
        | UnknownServerError
        | InvalidTopicException => (StatusCode::BAD_REQUEST, 40002),
        ThrottlingQuotaExceeded => (StatusCode::TOO_MANY_REQUESTS, 42901),
        _ => retriable,
    }
}

fn kafka_message(version: ApiVersion, error: &client::Error) -> String {
    let message = error.public_message();
    match version {
        V1 if error.is_retriable() => format!("Retriable Kafka error: {message}"),
        V1 => format!("Kafka error: {message}"),
        V2 => message,
    }
}

/// The `error_code` of a single record that was not produced.
pub(crate) fn record_error_code(code: ErrorCode, is_retriable: bool) -> u32 {
    match code {
        code if is_authentication_failure(code) => 40101,
        code if is_authorization_failure(code) => 40301,
        _ if is_retriable => 50003,
        _ => 50002,
    }
}

fn is_authentication_failure(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::SaslAuthenticationFailed)
}

fn is_authorization_failure(code: ErrorCode) -> bool {
    use ErrorCode::*;
    matches!(
        code,
        TopicAuthorizationFailed
            | GroupAuthorizationFailed
            | ClusterAuthorizationFailed
            | TransactionalIdAuthorizationFailed
            | DelegationTokenAuthorizationFailed
    )
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody;

    use super::*;

    fn shown(error: &Error) -> (u16, String) {
        let answer = error.answer(MediaType::Json);
        let status = answer.status().as_u16();
        let body = answer.into_body().try_into_bytes().unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn errors_have_the_status_code_and_sentence_of_the_contract() {
        let refused = |version, code| Error::Kafka {
            version,
            error: client::Error::Kafka { code, message: None },
        };
        let undecodable = |version| {
            let partition = client::consumer::TopicPartition::new("t", 1);
            let reason = "why".to_owned();
            Error::consumer(version)(ConsumerError::BrokenBatch { partition, offset: 5, reason })
        };
        for (error, status, code, message) in [
            (Error::TopicNotFound(V1), 404, 40401, "Topic not found."),
            (
                Error::TopicNotFound(V2),
                404,
                40403,
                "This server does not host this topic-partition.",
            ),
            (Error::ProduceToUnknownTopic, 404, 40401, "Topic not found."),
            (Error::PartitionNotFound, 404, 40402, "Partition not found."),
            (Error::InstanceNotFound, 404, 40403, "Consumer instance not found."),
            (
                Error::BodyTooLarge(5),
                413,
                413,
                "Request body is larger than 5 bytes (rest.max.request.bytes)",
            ),
            (Error::IllegalState("x".to_owned()), 409, 40903, "Illegal state: x"),
            (
                Error::WrongVersion(V1),
                409,
                40903,
                "Illegal state: consumer instance was created through API v1; create it with Content-Type application/vnd.kafka.v2+json",
            ),
            (
                Error::WrongVersion(V2),
                409,
                40903,
                "Illegal state: consumer instance was created through API v2; create it with Content-Type application/vnd.kafka.v1+json",
            ),
            (
                undecodable(V2),
                408,
                40801,
                "record of partition t-1 at offset 5 cannot be read: why",
            ),
            (
                undecodable(V1),
                500,
                50002,
                "Kafka error: record of partition t-1 at offset 5 cannot be read: why",
            ),
            (
                Error::ConsumerConfigOutOfRange("fetch.min.bytes".to_owned()),
                422,
                40001,
                "Invalid consumer configuration. It does not abide by the constraints: fetch.min.bytes",
            ),
            (
                Error::BadData("data=1 is not a base64 string.".to_owned()),
                400,
                400,
                "Bad Request: data=1 is not a base64 string.",
            ),
        ] {
            let expected = format!(r#"{{"error_code":{code},"message":"{message}"}}"#);
            assert_eq!(shown(&error), (status, expected), "{error:?}");
        }
        for (error, status, code) in [
            (refused(V2, ErrorCode::TopicAuthorizationFailed), 403, 40301),
            (refused(V2, ErrorCode::SaslAuthenticationFailed), 401, 40101),
            (refused(V2, ErrorCode::UnknownTopicOrPartition), 404, 40403),
            (refused(V2, ErrorCode::BrokerNotAvailable), 503, 50302),
            (refused(V2, ErrorCode::InvalidTopicException), 400, 40002),
            (refused(V2, ErrorCode::NotLeaderOrFollower), 500, 50003),
            (refused(V2, ErrorCode::OffsetOutOfRange), 500, 50002),
            (refused(V1, ErrorCode::NotLeaderOrFollower), 500, 50003),
            (refused(V1, ErrorCode::TopicAuthorizationFailed), 500, 50002),
        ] {
            let (got, body) = shown(&error);
            assert_eq!(got, status, "{error:?}");
            assert!(body.starts_with(&format!(r#"{{"error_code":{code},"#)), "{body}");
        }
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        let answer = Error::Overloaded.answer(MediaType::Json);
        assert_eq!(answer.headers().get("retry-after").unwrap(), "1");
        let answer =
            Error::MethodNotAllowed(vec![Method::GET, Method::POST]).answer(MediaType::Json);
        assert_eq!(answer.headers().get("allow").unwrap(), "GET,POST");
    }
}

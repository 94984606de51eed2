//! Why a call to the cluster failed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use protocol::{ApiKey, DecodeError, ErrorCode, Str};

use crate::BrokerAddress;

/// Why a call to the cluster failed, in the client's own terms.
///
/// [`Display`](std::fmt::Display) is for the log: it may name addresses. What
/// a user of the REST proxy may read is [`Error::error_code`] and its message.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A broker answered, and refused.
    #[error("{}: {}", code.name(), message.as_deref().unwrap_or(code.message()))]
    Kafka {
        /// The broker's reason.
        code: ErrorCode,
        /// The broker's own sentence, where it sent one.
        message: Option<Str>,
    },
    /// No connection could be made.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The broker.
        address: BrokerAddress,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// The connection ended before the answer came. Whether the request was
    /// carried out is unknown.
    #[error("the connection to {address} ended before the answer came: {reason}")]
    Disconnected {
        /// The broker.
        address: BrokerAddress,
        /// What ended it.
        reason: Arc<str>,
    },
    /// No answer within the time allowed. Whether the request was carried out is unknown.
    #[error("no answer to {what} within {} ms", after.as_millis())]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// An answer that is not what the protocol says.
    #[error("the answer to {} cannot be read: {source}", api.name())]
    Malformed {
        /// The API that was called.
        api: ApiKey,
        /// What is wrong with the bytes.
        source: DecodeError,
    },
    /// Client and broker have no version of the API in common, or the broker does not have it at all.
    #[error("{address} has no version of {} that this client speaks", api.name())]
    UnsupportedApi {
        /// The broker.
        address: BrokerAddress,
        /// The API.
        api: ApiKey,
    },
    /// The metadata does not name this node, or not any more.
    #[error("the cluster has no node {0}")]
    UnknownNode(i32),
    /// The metadata names no controller at the moment.
    #[error("the cluster has no controller")]
    NoController,
    /// There is no address to begin with.
    #[error("bootstrap.servers is empty")]
    NoBootstrapServers,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

impl Error {
    /// `Ok` for [`ErrorCode::None`], otherwise the broker's refusal.
    pub fn check(code: ErrorCode, message: Option<&Str>) -> Result<(), Self> {
        if code.is_error() {
            Err(Self::Kafka { code, message: message.filter(|text| !text.is_empty()).cloned() })
        } else {
            Ok(())
        }
    }

    /// Kafka's number for the cause. No `_` arm: a new variant does not compile
    /// until it has been given a code here.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Kafka { code, .. } => *code,
            Self::Connect { .. } | Self::NoBootstrapServers => ErrorCode::BrokerNotAvailable,
            Self::Disconnected { .. } | Self::Closed => ErrorCode::NetworkException,
            Self::Timeout { .. } => ErrorCode::RequestTimedOut,
            Self::Malformed { .. } => ErrorCode::UnknownServerError,
            Self::UnsupportedApi { .. } => ErrorCode::UnsupportedVersion,
            Self::UnknownNode(_) => ErrorCode::LeaderNotAvailable,
            Self::NoController => ErrorCode::NotController,
        }
    }

    /// Whether the same call may succeed when it is made again.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka { code, .. } => code.is_retriable(),
            Self::Connect { .. }
            | Self::Disconnected { .. }
            | Self::Timeout { .. }
            | Self::UnknownNode(_)
            | Self::NoController => true,
            Self::Malformed { .. }
            | Self::UnsupportedApi { .. }
            | Self::NoBootstrapServers
            | Self::Closed => false,
        }
    }

    /// The sentence that a user may read: the broker's own if it sent one,
    /// otherwise that of the error code. Names no addresses.
    pub fn public_message(&self) -> String {
        match self {
            Self::Kafka { message: Some(message), .. } => message.to_string(),
            _ => self.error_code().message().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_is_no_error() {
        assert!(Error::check(ErrorCode::None, None).is_ok());
        let error =
            Error::check(ErrorCode::InvalidConfig, Some(&Str::from_static(""))).unwrap_err();
        assert_eq!(error.public_message(), ErrorCode::InvalidConfig.message());
        let error =
            Error::check(ErrorCode::InvalidConfig, Some(&Str::from_static("no"))).unwrap_err();
        assert_eq!(error.public_message(), "no");
        assert!(!error.is_retriable());
    }

    #[test]
    fn addresses_stay_in_the_log() {
        let error = Error::Disconnected {
            address: "kafka.internal:9092".parse().unwrap(),
            reason: "reset".into(),
        };
        assert!(error.to_string().contains("kafka.internal"));
        assert!(!error.public_message().contains("kafka.internal"));
        assert!(error.is_retriable());
    }
}

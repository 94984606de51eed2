//! What the tools that talk to a cluster have in common.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::{BrokerAddress, Client, ClientConfig, Connector, TcpConnector, Transport};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use protocol::ErrorCode;

use super::complain;
use super::options::UsageError;
use crate::telemetry;

/// Why a tool did not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong: said together with the right one.
    Usage(UsageError),
    /// What the cluster said, or what kept it from saying anything.
    Cluster(client::Error),
    /// What the tool itself found.
    Other(String),
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        Self::Cluster(error)
    }
}

impl Failure {
    /// A sentence of the tool's own.
    pub(super) fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// The sentence for the user.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Usage(error) => error.0.clone(),
            Self::Cluster(error) => describe(error),
            Self::Other(message) => message.clone(),
        }
    }
}

/// The broker's sentence, or what went wrong on the way to it.
pub(super) fn describe(error: &client::Error) -> String {
    match error {
        client::Error::Kafka { .. } => error.public_message(),
        error => error.to_string(),
    }
}

/// The name of Kafka's class for an error, with its sentence, as the tools
/// print the causes of single failures.
pub(super) fn java_exception(error: &client::Error) -> String {
    let code = error.error_code();
    let class = match code {
        // Where the class is not called after the code.
        ErrorCode::UnknownServerError => "UnknownServerException".to_owned(),
        ErrorCode::NotLeaderOrFollower => "NotLeaderOrFollowerException".to_owned(),
        ErrorCode::RequestTimedOut => "TimeoutException".to_owned(),
        ErrorCode::NonEmptyGroup => "GroupNotEmptyException".to_owned(),
        ErrorCode::InvalidConfig => "InvalidConfigurationException".to_owned(),
        ErrorCode::TopicAlreadyExists => "TopicExistsException".to_owned(),
        code => {
            let words = code.name().split('_').map(|word| {
                let (first, rest) = word.split_at(word.len().min(1));
                format!("{first}{}", rest.to_ascii_lowercase())
            });
            let name: String = words.collect();
            if name.ends_with("Exception") { name } else { format!("{name}Exception") }
        }
    };
    format!("org.apache.kafka.common.errors.{class}: {}", describe(error))
}

/// A time in milliseconds, from the command line.
pub(super) fn millis(option: &str, text: &str) -> Result<Duration, UsageError> {
    let parsed = text.trim().parse().map(Duration::from_millis);
    parsed.map_err(|_| UsageError(format!("Cannot parse argument '{text}' of option {option}")))
}

/// Runs `work` with a client of its own, and closes it afterwards.
pub(super) fn with_client<T>(
    config: ClientConfig,
    work: impl AsyncFnOnce(Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    telemetry::start_tool();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::other(format!("cannot start threads: {error}")))?;
    let outcome = runtime.block_on(async {
        let client = Client::new(config, Arc::new(PatientConnector::default()));
        let outcome = work(client.clone()).await;
        client.close().await;
        outcome
    });
    // Somebody may still wait for standard input or output.
    runtime.shutdown_background();
    outcome
}

/// Says once that a broker cannot be reached: calls try again for a long time,
/// and who waits should know what for.
#[derive(Debug, Default)]
struct PatientConnector {
    has_complained: AtomicBool,
}

impl Connector for PatientConnector {
    fn connect(&self, address: &BrokerAddress) -> BoxFuture<'_, io::Result<Transport>> {
        let address = address.clone();
        async move {
            let outcome = TcpConnector.connect(&address).await;
            if let Err(error) = &outcome
                && !self.has_complained.swap(true, Ordering::Relaxed)
            {
                complain(&format!("cannot connect to {address}, trying again: {error}"));
            }
            outcome
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_named_as_java_names_them() {
        for (code, class) in [
            (ErrorCode::GroupIdNotFound, "GroupIdNotFoundException"),
            (ErrorCode::UnknownTopicOrPartition, "UnknownTopicOrPartitionException"),
            (ErrorCode::NonEmptyGroup, "GroupNotEmptyException"),
            (ErrorCode::InvalidTopicException, "InvalidTopicException"),
        ] {
            let named = java_exception(&client::Error::Kafka { code, message: None });
            let expected = format!("org.apache.kafka.common.errors.{class}: {}", code.message());
            assert_eq!(named, expected);
        }
    }
}

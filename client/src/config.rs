//! How the client reaches a cluster.

use std::time::Duration;

/// The settings of a [`Client`](crate::Client). Names in parentheses are
/// Kafka's; defaults are the Java client's unless something else is said.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where to ask for the cluster first, as `host:port` (`bootstrap.servers`).
    /// Also asked again when none of the nodes known can be reached (KIP-899).
    pub bootstrap_servers: Vec<String>,
    /// What this client calls itself in every request (`client.id`).
    pub client_id: String,
    /// How long one request may stay without an answer before its connection is
    /// given up (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long a connection may take to be made (`socket.connection.setup.timeout.ms`).
    pub connect_timeout: Duration,
    /// How long one call tries, retries included (`default.api.timeout.ms`).
    pub api_timeout: Duration,
    /// How old what is known of a topic or of the cluster may become (`metadata.max.age.ms`).
    pub metadata_max_age: Duration,
    /// The pause after a first failed connection attempt; doubles (`reconnect.backoff.ms`).
    pub reconnect_backoff: Duration,
    /// The longest pause between connection attempts (`reconnect.backoff.max.ms`).
    pub reconnect_backoff_max: Duration,
    /// The pause before a first retry; doubles (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest pause between retries (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
    /// How long a connection may stay unused before it is closed (`connections.max.idle.ms`).
    pub connections_max_idle: Duration,
    /// Requests of one connection that may be without an answer; more wait.
    pub max_in_flight: usize,
    /// The largest answer that is read, in bytes. A larger one ends the connection.
    pub max_response_bytes: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: vec!["127.0.0.1:9092".to_owned()],
            client_id: "ottla".to_owned(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            api_timeout: Duration::from_secs(60),
            metadata_max_age: Duration::from_secs(300),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            connections_max_idle: Duration::from_secs(540),
            max_in_flight: 100,
            max_response_bytes: 256 * 1024 * 1024,
        }
    }
}

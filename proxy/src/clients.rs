//! The settings of the proxy's Kafka clients, in the client's own terms.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::ClientConfig;
use client::consumer::{Assignor, ConsumerConfig, IsolationLevel, OffsetReset};
use client::producer::{Acks, ProducerConfig};
use registry::source::{HttpClient, HttpClientConfig, Pem, Secret};
use registry::{RemoteSource, SchemaSource, Schemas};
use tokio::runtime::Handle;

use crate::Config;
use crate::config::{self, ConnectionSettings, SchemaRegistry};

/// The longest wait for a connection to a registry elsewhere.
const REGISTRY_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for its answer, connecting included.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the cluster is asked about its topics and nodes. Kafka's minute is
/// longer than most HTTP clients wait: they would never learn what is wrong.
const API_TIMEOUT: Duration = Duration::from_secs(10);

impl Config {
    /// The settings of the client that [`serve`](crate::serve) is given
    /// (`client.*`, `admin.*`). Consumers of instances have their own settings,
    /// but share its connections' ones.
    pub fn client(&self) -> ClientConfig {
        let default = ClientConfig::default();
        let ConnectionSettings {
            client_id,
            request_timeout,
            api_timeout,
            metadata_max_age,
            retry_backoff,
            reconnect_backoff,
            connections_max_idle,
            connection_setup_timeout,
        } = &self.clients.admin;
        ClientConfig {
            bootstrap_servers: self.bootstrap_servers.clone(),
            client_id: client_id.clone().unwrap_or_else(|| "rest-proxy".to_owned()),
            request_timeout: request_timeout.unwrap_or(default.request_timeout),
            connect_timeout: connection_setup_timeout.unwrap_or(default.connect_timeout),
            api_timeout: api_timeout.unwrap_or(API_TIMEOUT),
            metadata_max_age: metadata_max_age.unwrap_or(default.metadata_max_age),
            retry_backoff: retry_backoff.0.unwrap_or(default.retry_backoff),
            retry_backoff_max: retry_backoff.1.unwrap_or(default.retry_backoff_max),
            reconnect_backoff: reconnect_backoff.0.unwrap_or(default.reconnect_backoff),
            reconnect_backoff_max: reconnect_backoff.1.unwrap_or(default.reconnect_backoff_max),
            connections_max_idle: connections_max_idle.unwrap_or(default.connections_max_idle),
            ..default
        }
    }

    /// The settings of the producer (`client.*`, `producer.*`). Records that
    /// wait may take as much memory as the request bodies they came in.
    pub(crate) fn producer(&self) -> ProducerConfig {
        let default = ProducerConfig::default();
        let settings = &self.clients.producer;
        let connection = &settings.connection;
        let acks = settings.acks.and_then(Acks::from_code).unwrap_or(default.acks);
        let codec = settings.compression_type.as_deref().map(str::parse);
        ProducerConfig {
            acks,
            enable_idempotence: settings.enable_idempotence.unwrap_or(default.enable_idempotence),
            compression: codec.and_then(Result::ok).unwrap_or(default.compression),
            batch_size: settings.batch_size.unwrap_or(default.batch_size),
            max_request_size: settings.max_request_size.unwrap_or(default.max_request_size),
            linger: settings.linger.unwrap_or(Duration::ZERO),
            buffer_memory: settings.buffer_memory.unwrap_or(self.bounds.max_inflight_bytes),
            max_block: settings.max_block.unwrap_or(default.max_block),
            delivery_timeout: settings.delivery_timeout.unwrap_or(default.delivery_timeout),
            request_timeout: connection.request_timeout.unwrap_or(default.request_timeout),
            retry_backoff: connection.retry_backoff.0.unwrap_or(default.retry_backoff),
            retry_backoff_max: connection.retry_backoff.1.unwrap_or(default.retry_backoff_max),
            ..default
        }
    }

    /// The settings that consumers begin with (`client.*`, `consumer.*`). An
    /// instance adds its own.
    pub(crate) fn consumer(&self) -> ConsumerConfig {
        let default = ConsumerConfig::default();
        let settings = &self.clients.consumer;
        let connection = &settings.connection;
        let assignors = settings.partition_assignment_strategy.iter();
        let assignors: Vec<Assignor> = assignors.filter_map(|name| name.parse().ok()).collect();
        let reset = settings.auto_offset_reset.as_deref();
        ConsumerConfig {
            group_id: None,
            group_instance_id: settings.group_instance_id.as_deref().map(Into::into),
            auto_offset_reset: reset.and_then(offset_reset).unwrap_or(default.auto_offset_reset),
            session_timeout: settings.session_timeout.unwrap_or(default.session_timeout),
            heartbeat_interval: settings.heartbeat_interval.unwrap_or(default.heartbeat_interval),
            rebalance_timeout: settings.max_poll_interval.unwrap_or(default.rebalance_timeout),
            assignors: if assignors.is_empty() { default.assignors } else { assignors },
            isolation: match settings.isolation_level.as_deref() {
                Some("read_committed") => IsolationLevel::ReadCommitted,
                _ => IsolationLevel::ReadUncommitted,
            },
            fetch_max_bytes: settings.fetch_max_bytes.unwrap_or(default.fetch_max_bytes),
            max_partition_fetch_bytes: settings
                .max_partition_fetch_bytes
                .unwrap_or(default.max_partition_fetch_bytes),
            fetch_min_bytes: settings.fetch_min_bytes.unwrap_or(default.fetch_min_bytes),
            fetch_max_wait: settings.fetch_max_wait.unwrap_or(default.fetch_max_wait),
            allow_auto_create_topics: settings
                .allow_auto_create_topics
                .unwrap_or(default.allow_auto_create_topics),
            api_timeout: connection.api_timeout.unwrap_or(default.api_timeout),
            metadata_max_age: connection.metadata_max_age.unwrap_or(default.metadata_max_age),
            retry_backoff: connection.retry_backoff.0.unwrap_or(default.retry_backoff),
            ..default
        }
    }
}

impl Config {
    /// The schemas of records: from the registry `built_in` unless another one
    /// is named, or none at all. Must be called within a runtime.
    ///
    /// # Errors
    /// When the registry's settings make no sense.
    pub(crate) fn schemas(
        &self,
        built_in: Arc<dyn SchemaSource>,
    ) -> Result<Option<Arc<Schemas>>, String> {
        let source = match &self.schema_registry {
            SchemaRegistry::BuiltIn => built_in,
            SchemaRegistry::None => return Ok(None),
            SchemaRegistry::Remote { urls, user_info, bearer_token, truststore, keystore } => {
                let secret = |secret: &Option<config::Secret>| {
                    secret.as_ref().map(|secret| Secret(secret.expose().to_owned()))
                };
                let read = |setting: &str, file: &Option<PathBuf>| {
                    let read = |file: &PathBuf| {
                        std::fs::read(file)
                            .map_err(|error| format!("{setting} {}: {error}", file.display()))
                    };
                    file.as_ref().map(read).transpose()
                };
                let config = HttpClientConfig {
                    urls: urls.clone(),
                    user_info: secret(user_info),
                    bearer_token: secret(bearer_token),
                    trusted_certificates: read(
                        "schema.registry.ssl.truststore.location",
                        truststore,
                    )?,
                    own_certificates: read("schema.registry.ssl.keystore.location", keystore)?
                        .map(Pem),
                    connect_timeout: REGISTRY_CONNECT_TIMEOUT,
                    timeout: REGISTRY_TIMEOUT,
                };
                let client = HttpClient::new(&config);
                let client = client.map_err(|reason| format!("schema.registry.url: {reason}"))?;
                Arc::new(RemoteSource::new(client, Handle::current()))
            }
        };
        Ok(Some(Arc::new(Schemas::new(source))))
    }
}

/// The policy of this name in Kafka, in any case.
pub(crate) fn offset_reset(name: &str) -> Option<OffsetReset> {
    match name.to_ascii_lowercase().as_str() {
        "earliest" => Some(OffsetReset::Earliest),
        "latest" => Some(OffsetReset::Latest),
        "none" => Some(OffsetReset::None),
        _ => None,
    }
}

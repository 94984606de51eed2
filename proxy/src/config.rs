//! The REST proxy's settings: every name that exists and the typed values that
//! the rest of the crate reads.
//!
//! A setting is declared once, in `config/declarations.rs` (what has an
//! effect), `config/accepted.rs` (what the reference has and this proxy does
//! not need) or `config/clients.rs` (what is handed to Kafka clients).

mod accepted;
mod advertised_listeners;
mod clients;
mod declarations;
mod rates;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use protocol::config_def::{ConfigDef, ConfigError, ConfigReader, ConfigValues};
use registry::{CorsConfig, HttpListener};

pub use advertised_listeners::AdvertisedUrl;
pub use clients::{
    CLIENT_PREFIXES, ClientsConfig, ConnectionSettings, ConsumerSettings, ProducerSettings,
    client_definition, client_key,
};
pub use rates::{AddressRateLimit, ProduceRateLimit, RequestRateLimit};

static DEFINITION: LazyLock<ConfigDef> =
    LazyLock::new(|| ConfigDef::new(&[declarations::KEYS, accepted::KEYS]));

/// Every setting of the proxy except those of its Kafka clients.
pub fn definition() -> &'static ConfigDef {
    &DEFINITION
}

/// What the proxy runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Sockets to listen on. Never empty.
    pub listeners: Vec<HttpListener>,
    /// What links start with, by scheme; a scheme that is missing takes
    /// `host_name`, else the `Host` header.
    pub advertised_listeners: Vec<AdvertisedUrl>,
    /// The host in links where no URL is advertised; empty when unset.
    pub host_name: String,
    /// The port in links beside `host_name` when no listener has the scheme.
    pub port: u16,
    /// Part of generated consumer names; may be empty.
    pub id: String,
    /// Whether forwarding headers replace scheme and host in links.
    pub trust_forwarded_headers: bool,
    /// The cluster to work on; empty for the broker of this program.
    pub bootstrap_servers: Vec<String>,
    /// The Schema Registry to use.
    pub schema_registry: SchemaRegistry,
    /// Which interfaces are served.
    pub api: ApiConfig,
    /// Authority in resource names of API v3; may be empty.
    pub resource_name_authority: String,
    /// Content-Type of answers to requests of an unsupported type.
    pub response_mediatype_default: String,
    /// Types listed where none is acceptable, best first.
    pub response_mediatype_preferred: Vec<String>,
    /// Whether framework errors tell their cause.
    pub debug: bool,
    /// Whether answers may be compressed.
    pub compression: bool,
    /// Calls from browsers of another origin.
    pub cors: CorsConfig,
    /// What is held in memory and open at a time.
    pub bounds: BoundsConfig,
    /// Reads and consumer instances.
    pub consumers: ConsumersConfig,
    /// Produce requests.
    pub produce: ProduceConfig,
    /// Limit of records in API v3.
    pub produce_rate_limit: ProduceRateLimit,
    /// Limit of all other requests.
    pub rate_limit: RequestRateLimit,
    /// Limit of single client addresses.
    pub address_rate_limit: AddressRateLimit,
    /// Settings of the Kafka clients.
    pub clients: ClientsConfig,
}

/// Which Schema Registry answers for schemas (`schema.registry.url`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaRegistry {
    /// The one of this program.
    BuiltIn,
    /// None: schema formats are refused.
    None,
    /// One elsewhere.
    Remote {
        /// Its URLs; never empty.
        urls: Vec<String>,
        /// `user:password` for it, if it wants one. A secret.
        user_info: Option<Secret>,
        /// A token for it, for want of a user. A secret.
        bearer_token: Option<Secret>,
        /// The file of the certificates (PEM) that vouch for it; those of the
        /// system without one.
        truststore: Option<PathBuf>,
        /// The file (PEM) of this side's own certificate and private key, for
        /// registries that want to see one.
        keystore: Option<PathBuf>,
    },
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[hidden]")
    }
}

/// Which interfaces are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// Whether API v1 is.
    pub v1: bool,
    /// Whether API v2 is.
    pub v2: bool,
    /// Whether API v3 is.
    pub v3: bool,
    /// The version of a request that names none.
    pub default_version: ApiVersion,
    /// Names of the only endpoints that are served, which may end in `.*`; empty means all.
    pub allowed_endpoints: Vec<String>,
    /// Names of endpoints that are not served.
    pub blocked_endpoints: Vec<String>,
}

/// An interface that a request may leave unnamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// API v1.
    V1,
    /// API v2.
    V2,
}

/// What is held in memory and open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundsConfig {
    /// Largest request body, in bytes (`rest.max.request.bytes`).
    pub max_request_bytes: usize,
    /// Bytes of request bodies in memory, and bytes of records in answers
    /// (`rest.max.inflight.bytes`).
    pub max_inflight_bytes: usize,
    /// Open connections (`rest.max.connections`).
    pub max_connections: usize,
    /// A connection without traffic is closed after this time.
    pub idle_timeout: Duration,
    /// How long requests in hand may take at the stop.
    pub shutdown_grace: Duration,
}

/// Reads and consumer instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumersConfig {
    /// The longest wait of a read.
    pub request_timeout: Duration,
    /// Most bytes of one answer.
    pub request_max_bytes: usize,
    /// An unused instance is closed after this time.
    pub instance_timeout: Duration,
    /// Instances that may exist (`consumer.instances.max`).
    pub max_instances: usize,
    /// A read answers with more than this many bytes; `None`: with any record.
    pub fetch_min_bytes: Option<usize>,
    /// Reads by partition of API v1 that run at a time.
    pub simple_pool_size: usize,
    /// How long such a read waits for its turn; `None`: as long as it takes.
    pub simple_pool_timeout: Option<Duration>,
}

/// Produce requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceConfig {
    /// Whether null is stored as a record without value even under a schema.
    pub null_is_empty_record: bool,
    /// Most records of one `records:batch`.
    pub batch_max_entries: usize,
    /// Largest record of a stream, in bytes of JSON; `None`: no limit of its own.
    pub stream_record_max_bytes: Option<usize>,
    /// Records of a stream that is open for longer are refused.
    pub stream_max_duration: Duration,
    /// Such a stream is closed this much later.
    pub stream_grace_period: Duration,
}

impl Config {
    /// Makes the configuration of the settings that were given. Names that
    /// this crate does not declare are left to the caller.
    ///
    /// # Errors
    /// Every value that was refused and every contradiction between settings.
    pub fn from_values(values: &ConfigValues) -> Result<Self, Vec<ConfigError>> {
        let mut reader = ConfigReader::new(&DEFINITION, values);
        reader.check_all();
        let clients = ClientsConfig::read(values, &DEFINITION).unwrap_or_else(|errors| {
            errors.into_iter().for_each(|error| reader.refuse(error));
            ClientsConfig::default()
        });
        let config = Self::read(&mut reader, clients);
        reader.finish(config)
    }

    fn read(reader: &mut ConfigReader<'_>, clients: ClientsConfig) -> Self {
        if reader.text("authentication.method") != "NONE" {
            reader.invalid("authentication.method", "authentication is not supported yet");
        }
        Self {
            listeners: HttpListener::read(reader, "rest.listeners", "rest.port"),
            advertised_listeners: advertised_listeners::read(reader),
            host_name: reader.text("rest.host.name"),
            port: u16::try_from(reader.int("rest.port")).unwrap_or(0),
            id: reader.text("rest.id"),
            trust_forwarded_headers: reader.boolean("network.forwarded.request.customizer.enable"),
            bootstrap_servers: read_bootstrap_servers(reader),
            schema_registry: read_schema_registry(reader),
            api: read_api(reader),
            resource_name_authority: reader.text("confluent.resource.name.authority"),
            response_mediatype_default: reader.text("response.mediatype.default"),
            response_mediatype_preferred: reader.list("response.mediatype.preferred"),
            debug: reader.boolean("rest.debug"),
            compression: reader.boolean("compression.enable"),
            cors: CorsConfig::read(reader, ""),
            bounds: read_bounds(reader),
            consumers: read_consumers(reader),
            produce: ProduceConfig {
                null_is_empty_record: reader
                    .boolean("null.request.body.always.publishes.empty.record"),
                batch_max_entries: reader.size("api.v3.produce.batch.maximum.entries"),
                stream_record_max_bytes: Some(
                    reader.size("api.v3.produce.request.size.limit.max.bytes"),
                )
                .filter(|bytes| *bytes > 0),
                stream_max_duration: reader.millis("streaming.connection.max.duration.ms"),
                stream_grace_period: reader
                    .millis("streaming.connection.max.duration.grace.period.ms"),
            },
            produce_rate_limit: ProduceRateLimit::read(reader),
            rate_limit: RequestRateLimit::read(reader),
            address_rate_limit: AddressRateLimit::read(reader),
            clients,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::from_values(&ConfigValues::new()).expect("the defaults do not contradict each other")
    }
}

/// Addresses of the cluster, without the `PLAINTEXT://` that old
/// configurations put before them.
fn read_bootstrap_servers(reader: &mut ConfigReader<'_>) -> Vec<String> {
    let mut servers = Vec::new();
    for server in reader.list("bootstrap.servers") {
        let address = match server.split_once("://") {
            None => server.as_str(),
            Some((protocol, address)) if protocol.eq_ignore_ascii_case("PLAINTEXT") => address,
            Some((protocol, _)) => {
                let message =
                    format!("{server} asks for {protocol}, and only PLAINTEXT is supported so far");
                reader.invalid("bootstrap.servers", message);
                continue;
            }
        };
        let is_address = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if is_address {
            servers.push(address.to_owned());
        } else {
            reader.invalid("bootstrap.servers", format!("{server} is not host:port"));
        }
    }
    servers
}

fn read_schema_registry(reader: &mut ConfigReader<'_>) -> SchemaRegistry {
    if !reader.is_set("schema.registry.url") {
        return SchemaRegistry::BuiltIn;
    }
    let urls = reader.list("schema.registry.url");
    if urls.is_empty() {
        return SchemaRegistry::None;
    }
    for url in &urls {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            reader.invalid("schema.registry.url", format!("{url} is not an http or https URL"));
        }
    }
    let user_info = match reader.text("schema.registry.basic.auth.credentials.source").as_str() {
        "USER_INFO" => reader.optional_text("schema.registry.basic.auth.user.info").map(Secret),
        _ => None,
    };
    let bearer_token = reader.optional_text("schema.registry.bearer.auth.token").map(Secret);
    let mut file = |name| reader.optional_text(name).filter(|file| !file.is_empty());
    let truststore = file("schema.registry.ssl.truststore.location").map(PathBuf::from);
    let keystore = file("schema.registry.ssl.keystore.location").map(PathBuf::from);
    SchemaRegistry::Remote { urls, user_info, bearer_token, truststore, keystore }
}

fn read_api(reader: &mut ConfigReader<'_>) -> ApiConfig {
    let default_version = match reader.text("api.default.version").as_str() {
        "v1" => ApiVersion::V1,
        _ => ApiVersion::V2,
    };
    let api = ApiConfig {
        v1: reader.boolean("api.v1.enable"),
        v2: reader.boolean("api.v2.enable"),
        v3: reader.boolean("api.v3.enable"),
        default_version,
        allowed_endpoints: reader.list("api.endpoints.allowlist"),
        blocked_endpoints: reader.list("api.endpoints.blocklist"),
    };
    if reader.is_set("api.default.version") {
        match default_version {
            ApiVersion::V1 if !api.v1 => {
                reader.conflict("api.default.version is v1, but api.v1.enable is false")
            }
            ApiVersion::V2 if !api.v2 => {
                reader.conflict("api.default.version is v2, but api.v2.enable is false")
            }
            ApiVersion::V1 | ApiVersion::V2 => {}
        }
    }
    api
}

fn read_bounds(reader: &mut ConfigReader<'_>) -> BoundsConfig {
    let bounds = BoundsConfig {
        max_request_bytes: reader.size("rest.max.request.bytes"),
        max_inflight_bytes: reader.size("rest.max.inflight.bytes"),
        max_connections: reader.size("rest.max.connections"),
        idle_timeout: reader.millis("idle.timeout.ms"),
        shutdown_grace: reader.millis("shutdown.graceful.ms"),
    };
    if bounds.max_inflight_bytes < bounds.max_request_bytes {
        reader.conflict(format!(
            "rest.max.inflight.bytes ({}) is smaller than rest.max.request.bytes ({}): \
             the largest request could never be read",
            bounds.max_inflight_bytes, bounds.max_request_bytes
        ));
    }
    bounds
}

fn read_consumers(reader: &mut ConfigReader<'_>) -> ConsumersConfig {
    ConsumersConfig {
        request_timeout: reader.millis("consumer.request.timeout.ms"),
        request_max_bytes: reader.size("consumer.request.max.bytes"),
        instance_timeout: reader.millis("consumer.instance.timeout.ms"),
        max_instances: reader.size("consumer.instances.max"),
        fetch_min_bytes: usize::try_from(reader.integer("fetch.min.bytes")).ok(),
        simple_pool_size: reader.size("simpleconsumer.pool.size.max"),
        simple_pool_timeout: Some(reader.millis("simpleconsumer.pool.timeout.ms"))
            .filter(|time| !time.is_zero()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<Config, String> {
        let values =
            settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Config::from_values(&values)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn every_declared_default_is_one_that_the_setting_takes() {
        for key in DEFINITION.iter() {
            if let Some(text) = key.default {
                assert!(key.parse(text).is_ok(), "{} = {text}: {:?}", key.name, key.parse(text));
            }
        }
    }

    #[test]
    fn every_setting_is_declared_once_and_says_what_it_does() {
        let mut seen = std::collections::BTreeSet::new();
        for key in declarations::KEYS.iter().chain(accepted::KEYS) {
            assert!(seen.insert(key.name), "{} is declared twice", key.name);
            assert!(!key.doc.is_empty() || key.no_effect.is_some(), "{} says nothing", key.name);
        }
        for key in client_definition().iter() {
            assert!(!key.doc.is_empty() || key.no_effect.is_some(), "{} says nothing", key.name);
        }
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = Config::default();
        let listeners: Vec<String> = config.listeners.iter().map(ToString::to_string).collect();
        assert_eq!(listeners, ["http://127.0.0.1:8082", "http://[::1]:8082"]);
        assert_eq!(config.api.default_version, ApiVersion::V2);
        assert_eq!(config.bounds.max_request_bytes, 64 * 1024 * 1024);
        assert_eq!(config.consumers.request_timeout, Duration::from_secs(1));
        assert_eq!(config.consumers.fetch_min_bytes, None);
        assert!(config.produce.null_is_empty_record);
        assert!(config.bootstrap_servers.is_empty());
    }

    #[test]
    fn an_empty_registry_url_is_not_an_unset_one() {
        assert_eq!(with(&[]).unwrap().schema_registry, SchemaRegistry::BuiltIn);
        assert_eq!(
            with(&[("schema.registry.url", "")]).unwrap().schema_registry,
            SchemaRegistry::None
        );
        let remote = with(&[("schema.registry.url", "http://a:8081,http://b:8081")])
            .unwrap()
            .schema_registry;
        let urls = vec!["http://a:8081".to_owned(), "http://b:8081".to_owned()];
        let expected = SchemaRegistry::Remote {
            urls,
            user_info: None,
            bearer_token: None,
            truststore: None,
            keystore: None,
        };
        assert_eq!(remote, expected);
    }

    #[test]
    fn a_kind_of_client_wins_over_all_clients() {
        let clients = with(&[
            ("client.request.timeout.ms", "5000"),
            ("producer.request.timeout.ms", "7000"),
            ("producer.acks", "all"),
            ("consumer.request.timeout.ms", "250"),
        ])
        .unwrap()
        .clients;
        assert_eq!(clients.admin.request_timeout, Some(Duration::from_secs(5)));
        assert_eq!(clients.producer.connection.request_timeout, Some(Duration::from_secs(7)));
        assert_eq!(clients.producer.acks, Some(-1));
        let consumer = clients.consumer.connection.request_timeout;
        assert_eq!(
            consumer,
            Some(Duration::from_secs(5)),
            "the wait of reads is the proxy's own setting"
        );
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        for (settings, expected) in [
            (
                &[("rest.listeners", "https://0.0.0.0:8443")][..],
                "configuration rest.listeners: https://0.0.0.0:8443",
            ),
            (&[("rest.listeners", "0.0.0.0:8082")], "is not http://host:port"),
            (&[("rest.advertised.listeners", "proxy:8082")], "is not http://host:port"),
            (&[("bootstrap.servers", "SASL_SSL://a:9092")], "only PLAINTEXT is supported so far"),
            (&[("bootstrap.servers", "a")], "a is not host:port"),
            (
                &[("client.security.protocol", "SSL")],
                "configuration client.security.protocol: only PLAINTEXT",
            ),
            (
                &[("producer.acks", "2")],
                "Invalid value 2 for configuration producer.acks: String must be one of",
            ),
            (
                &[("api.default.version", "v1"), ("api.v1.enable", "false")],
                "but api.v1.enable is false",
            ),
            (&[("rest.max.inflight.bytes", "2048")], "smaller than rest.max.request.bytes"),
            (&[("authentication.method", "BASIC")], "authentication is not supported yet"),
            (&[("fetch.min.bytes", "10000001")], "Value must be no more than 10000000"),
            (&[("rate.limit.costs", "x")], "x is not endpoint=cost"),
        ] {
            let error = with(settings).unwrap_err();
            assert!(error.contains(expected), "{settings:?}: {error}");
        }
    }

    #[test]
    fn an_empty_listener_list_means_the_port_on_every_address() {
        let config = with(&[("rest.listeners", ""), ("rest.port", "9999")]).unwrap();
        assert_eq!(config.listeners, [HttpListener { host: String::new(), port: 9999 }]);
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = with(&[
            ("schema.registry.url", "http://r:8081"),
            ("schema.registry.basic.auth.credentials.source", "USER_INFO"),
            ("schema.registry.basic.auth.user.info", "me:hunter2"),
        ]);
        let config = config.unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let SchemaRegistry::Remote { user_info: Some(secret), .. } = config.schema_registry else {
            panic!("remote")
        };
        assert_eq!(secret.expose(), "me:hunter2");
    }
}

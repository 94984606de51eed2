//! Settings that the reference has and this registry does not need, or not
//! yet: they are accepted, and a note says that they change nothing.

use protocol::config_def::{ConfigKey, ConfigType};

use ConfigType::{Boolean, Int, List, Long, Password, String};

const BOOTSTRAP: &str = "the registry works on the cluster of bootstrap.servers";
const CHECKPOINT: &str = "the topic is read from its beginning at every start";
const HTTP: &str = "the HTTP server of the registry has no such part";
const IDENTITY: &str =
    "other registries find this one by registry.host.name and its first listener";
const METRICS: &str = "the registry has no such metrics";
const NO_GROUP: &str = "the topic is read without a group";
const NO_LIMIT: &str = "a cluster that does not answer at the start is asked until it does";
const NO_NEED: &str = "the registry has no use for it";
const PLAIN: &str = "metadata is stored as it is";
const PLUGINS: &str = "Java classes and their files cannot be loaded";
const POOLS: &str = "the HTTP server uses worker.threads";
const SECURITY: &str = "TLS and authentication of the registry are not supported yet";
const STORE_SECURITY: &str = "the registry uses the Kafka client of the program";
const ZOOKEEPER: &str = "nothing here uses ZooKeeper";

const fn key(name: &'static str, kind: ConfigType, why: &'static str) -> ConfigKey {
    ConfigKey::new(name, kind).without_effect(why)
}

/// Settings without effect.
#[rustfmt::skip]
pub(crate) const KEYS: &[ConfigKey] = &[
    key("registry.advertised.listeners", List, IDENTITY),
    key("registry.debug", Boolean, HTTP),
    key("inter.instance.protocol", String, IDENTITY),
    key("inter.instance.listener.name", String, IDENTITY),
    key("inter.instance.headers.whitelist", List, IDENTITY),
    key("kafkastore.bootstrap.servers", List, BOOTSTRAP),
    key("kafkastore.init.timeout.ms", Int, NO_LIMIT).default("60000"),
    key("kafkastore.checkpoint.dir", String, CHECKPOINT),
    key("kafkastore.checkpoint.version", Int, CHECKPOINT),
    key("kafkastore.group.id", String, NO_GROUP),
    key("kafkastore.update.handlers", List, PLUGINS),
    key("kafkastore.write.max.retries", Int, NO_NEED),
    key("kafkastore.write.retry.backoff.ms", Int, NO_NEED),
    key("kafkastore.write.retry.backoff.jitter.ms", Int, NO_NEED),
    key("kafkastore.security.protocol", String, STORE_SECURITY),
    key("kafkastore.sasl.mechanism", String, STORE_SECURITY),
    key("kafkastore.sasl.jaas.config", Password, STORE_SECURITY),
    key("kafkastore.sasl.kerberos.kinit.cmd", String, STORE_SECURITY),
    key("kafkastore.sasl.kerberos.min.time.before.relogin", Long, STORE_SECURITY),
    key("kafkastore.sasl.kerberos.service.name", String, STORE_SECURITY),
    key("kafkastore.sasl.kerberos.ticket.renew.jitter", String, STORE_SECURITY),
    key("kafkastore.sasl.kerberos.ticket.renew.window.factor", String, STORE_SECURITY),
    key("kafkastore.ssl.cipher.suites", List, STORE_SECURITY),
    key("kafkastore.ssl.enabled.protocols", List, STORE_SECURITY),
    key("kafkastore.ssl.endpoint.identification.algorithm", String, STORE_SECURITY),
    key("kafkastore.ssl.key.password", Password, STORE_SECURITY),
    key("kafkastore.ssl.keymanager.algorithm", String, STORE_SECURITY),
    key("kafkastore.ssl.keystore.location", String, STORE_SECURITY),
    key("kafkastore.ssl.keystore.password", Password, STORE_SECURITY),
    key("kafkastore.ssl.keystore.type", String, STORE_SECURITY),
    key("kafkastore.ssl.protocol", String, STORE_SECURITY),
    key("kafkastore.ssl.provider", String, STORE_SECURITY),
    key("kafkastore.ssl.trustmanager.algorithm", String, STORE_SECURITY),
    key("kafkastore.ssl.truststore.location", String, STORE_SECURITY),
    key("kafkastore.ssl.truststore.password", Password, STORE_SECURITY),
    key("kafkastore.ssl.truststore.type", String, STORE_SECURITY),
    key("kafkastore.connection.url", String, ZOOKEEPER),
    key("kafkastore.zk.session.timeout.ms", String, ZOOKEEPER),
    key("schema.registry.zk.namespace", String, ZOOKEEPER),
    key("schema.registry.resource.extension.class", String, PLUGINS),
    key("schema.registry.inter.instance.protocol", String, IDENTITY),
    key("schema.providers", List, PLUGINS),
    key("schema.cache.expiry.secs", Int, NO_NEED),
    key("schema.canonicalize.on.consume", List, NO_NEED),
    key("schema.validate.names", Boolean, NO_NEED),
    key("enable.fips", Boolean, SECURITY),
    key("leader.election.delay", Boolean, NO_NEED),
    key("host.port", Int, IDENTITY),
    key("metadata.encoder.secret", Password, PLAIN),
    key("metadata.encoder.old.secret", Password, PLAIN),
    key("metadata.encoder.topic", String, PLAIN),
    key("metadata.encoder.topic.replication.factor", Int, PLAIN),
    key("resource.static.locations", List, PLUGINS),
    key("resource.extension.class", String, PLUGINS),
    key("registry.response.mediatype.default", String, HTTP),
    key("registry.response.mediatype.preferred", List, HTTP),
    key("registry.compression.enable", Boolean, HTTP),
    key("registry.request.logger.name", String, HTTP),
    key("registry.thread.pool.min", Int, POOLS),
    key("registry.thread.pool.max", Int, POOLS),
    key("registry.authentication.method", String, SECURITY),
    key("registry.authentication.realm", String, SECURITY),
    key("registry.authentication.roles", List, SECURITY),
    key("registry.authentication.skip.paths", List, SECURITY),
    key("registry.metric.reporters", List, METRICS),
    key("registry.metrics.jmx.prefix", String, METRICS),
    key("registry.metrics.num.samples", Int, METRICS),
    key("registry.metrics.sample.window.ms", Long, METRICS),
    key("registry.metrics.tag.map", List, METRICS),
    key("registry.resource.extension.classes", List, PLUGINS),
    key("registry.ssl.cipher.suites", List, SECURITY),
    key("registry.ssl.client.auth", String, SECURITY),
    key("registry.ssl.client.authentication", String, SECURITY),
    key("registry.ssl.enabled.protocols", List, SECURITY),
    key("registry.ssl.endpoint.identification.algorithm", String, SECURITY),
    key("registry.ssl.key.password", Password, SECURITY),
    key("registry.ssl.keymanager.algorithm", String, SECURITY),
    key("registry.ssl.keystore.location", String, SECURITY),
    key("registry.ssl.keystore.password", Password, SECURITY),
    key("registry.ssl.keystore.type", String, SECURITY),
    key("registry.ssl.protocol", String, SECURITY),
    key("registry.ssl.provider", String, SECURITY),
    key("registry.ssl.trustmanager.algorithm", String, SECURITY),
    key("registry.ssl.truststore.location", String, SECURITY),
    key("registry.ssl.truststore.password", Password, SECURITY),
    key("registry.ssl.truststore.type", String, SECURITY),
];

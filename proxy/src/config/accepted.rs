//! Settings that the reference REST proxy knows and that change nothing here.

use protocol::config_def::{ConfigKey, ConfigType};

use ConfigType::{Boolean, Int, List, Long, Password, String};

const POOLS: &str = "threads and pools size themselves";
const METRICS: &str = "there are no metric reporters";
const PLUGINS: &str = "there are no Java plugins";
const SECURITY: &str = "TLS and authentication are not there yet";
const PEM: &str = "certificates and keys in PEM are read without a password";
const NO_NEED: &str = "reads wait for data and do not poll";
const ZOOKEEPER: &str = "nothing here uses ZooKeeper";
const HTTP: &str = "the HTTP server has no such part";

const fn key(name: &'static str, kind: ConfigType, why: &'static str) -> ConfigKey {
    ConfigKey::new(name, kind).without_effect(why)
}

/// Settings without effect. Those whose name the broker uses too carry `rest.`.
#[rustfmt::skip]
pub(crate) const KEYS: &[ConfigKey] = &[
    key("rest.zookeeper.connect", String, ZOOKEEPER),
    key("thread.pool.min", Int, POOLS).default("8"),
    key("thread.pool.max", Int, POOLS).default("200"),
    key("request.queue.capacity", Int, POOLS),
    key("request.queue.capacity.growby", Int, POOLS),
    key("request.queue.capacity.init", Int, POOLS),
    key("producer.threads", Int, POOLS).default("5"),
    key("consumer.threads", Int, POOLS).default("50"),
    key("api.v3.produce.response.thread.pool.size", Int, POOLS),
    key("consumer.iterator.timeout.ms", Int, NO_NEED).default("1"),
    key("consumer.iterator.backoff.ms", Int, NO_NEED).default("50"),
    key("request.logger.name", String, METRICS),
    key("rest.metric.reporters", List, METRICS).default(""),
    key("rest.metrics.jmx.prefix", String, METRICS),
    key("metrics.jmx.prefix", String, METRICS),
    key("rest.metrics.num.samples", Int, METRICS),
    key("rest.metrics.sample.window.ms", Long, METRICS),
    key("metrics.tag.map", List, METRICS),
    key("kafka.rest.resource.extension.class", List, PLUGINS).default(""),
    key("resource.extension.classes", List, PLUGINS).default(""),
    key("rest.servlet.initializor.classes", List, PLUGINS).default(""),
    key("websocket.servlet.initializor.classes", List, PLUGINS).default(""),
    key("websocket.path.prefix", String, PLUGINS),
    key("rate.limit.backend", String, POOLS).default("guava"),
    key("http2.enabled", Boolean, HTTP),
    key("connector.connection.limit", Int, HTTP),
    key("server.connection.limit", Int, HTTP),
    key("max.request.header.size", Int, HTTP),
    key("max.response.header.size", Int, HTTP),
    key("proxy.protocol.enabled", Boolean, HTTP),
    key("csrf.prevention.enable", Boolean, HTTP),
    key("csrf.prevention.token.endpoint", String, HTTP),
    key("csrf.prevention.token.expiration.minutes", Int, HTTP),
    key("csrf.prevention.token.max.entries", Int, HTTP),
    key("nosniff.prevention.enable", Boolean, HTTP),
    key("reject.options.request", Boolean, HTTP),
    key("response.http.headers.config", String, HTTP),
    key("suppress.stack.trace.response", Boolean, HTTP),
    key("dos.filter.delay.ms", Long, HTTP),
    key("dos.filter.insert.headers", Boolean, HTTP),
    key("dos.filter.ip.whitelist", List, HTTP),
    key("dos.filter.managed.attr", Boolean, HTTP),
    key("dos.filter.max.idle.tracker.ms", Long, HTTP),
    key("dos.filter.max.requests.ms", Long, HTTP),
    key("dos.filter.max.requests.per.connection.per.sec", Int, HTTP),
    key("dos.filter.max.wait.ms", Long, HTTP),
    key("dos.filter.remote.port", Boolean, HTTP),
    key("dos.filter.throttle.ms", Long, HTTP),
    key("dos.filter.throttled.requests", Int, HTTP),
    key("dos.filter.track.global", Boolean, HTTP),
    key("authentication.realm", String, SECURITY),
    key("authentication.roles", List, SECURITY).default("*"),
    key("authentication.skip.paths", List, SECURITY).default(""),
    key("rest.ssl.keystore.location", String, SECURITY),
    key("rest.ssl.keystore.password", Password, SECURITY),
    key("rest.ssl.keystore.reload", Boolean, SECURITY),
    key("rest.ssl.keystore.type", String, SECURITY),
    key("rest.ssl.keystore.watch.location", String, SECURITY),
    key("rest.ssl.key.password", Password, SECURITY),
    key("rest.ssl.keymanager.algorithm", String, SECURITY),
    key("rest.ssl.truststore.location", String, SECURITY),
    key("rest.ssl.truststore.password", Password, SECURITY),
    key("rest.ssl.truststore.type", String, SECURITY),
    key("rest.ssl.trustmanager.algorithm", String, SECURITY),
    key("rest.ssl.client.auth", String, SECURITY),
    key("rest.ssl.client.authentication", String, SECURITY),
    key("rest.ssl.enabled.protocols", List, SECURITY),
    key("rest.ssl.cipher.suites", List, SECURITY),
    key("rest.ssl.protocol", String, SECURITY),
    key("rest.ssl.provider", String, SECURITY),
    key("rest.ssl.endpoint.identification.algorithm", String, SECURITY),
    key("schema.registry.ssl.keystore.password", Password, PEM),
    key("schema.registry.ssl.key.password", Password, PEM),
    key("schema.registry.ssl.truststore.password", Password, PEM),
    key("schema.registry.ssl.endpoint.identification.algorithm", String, "the name in a certificate is always checked"),
    key("client.init.timeout.ms", Int, POOLS),
    key("client.timeout.ms", Int, POOLS),
    key("client.zk.session.timeout.ms", Int, ZOOKEEPER),
];

//! Which settings exist and whose they are.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use protocol::config_def::{ConfigKey, nearest_name};

use super::program;

/// The part of the program that a setting belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Program,
    Broker,
    Proxy,
    Registry,
}

impl Owner {
    /// The prefix that names of this owner carry where another owner has the
    /// same one.
    fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Proxy => Some("rest."),
            Self::Registry => Some("registry."),
            Self::Program | Self::Broker => None,
        }
    }
}

/// A setting that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) owner: Owner,
    pub(crate) key: &'static ConfigKey,
}

static DECLARED: LazyLock<BTreeMap<&'static str, Known>> = LazyLock::new(|| {
    let program = program::KEYS.iter().map(|key| (Owner::Program, key));
    let broker = broker::config::definition().iter().map(|key| (Owner::Broker, key));
    let proxy = proxy::config::definition().iter().map(|key| (Owner::Proxy, key));
    let registry = registry::config::definition().iter().map(|key| (Owner::Registry, key));
    let mut declared = BTreeMap::new();
    for (owner, key) in program.chain(broker).chain(proxy).chain(registry) {
        declared.entry(key.name).or_insert(Known { owner, key });
    }
    declared
});

/// The setting of this name. Besides the declared ones these are the settings
/// of Kafka clients with a prefix (`producer.acks`) and the broker's for one
/// listener (`listener.name.internal.ssl.keystore.location`).
pub(crate) fn find(name: &str) -> Option<Known> {
    if let Some(known) = DECLARED.get(name) {
        return Some(*known);
    }
    if let Some(key) = proxy::config::client_key(name) {
        return Some(Known { owner: Owner::Proxy, key });
    }
    let (_listener, setting) = name.strip_prefix("listener.name.")?.split_once('.')?;
    // SASL settings have the mechanism before them: `scram-sha-256.sasl.jaas.config`.
    let candidates = [Some(setting), setting.split_once('.').map(|(_mechanism, setting)| setting)];
    let key =
        candidates.into_iter().flatten().find_map(|name| broker::config::definition().get(name))?;
    Some(Known { owner: Owner::Broker, key })
}

/// Every declared setting, sorted by name.
pub(crate) fn all() -> impl Iterator<Item = Known> {
    DECLARED.values().copied()
}

/// The known name that is most like an unknown one.
pub(crate) fn nearest(name: &str) -> Option<String> {
    for prefix in [Owner::Proxy, Owner::Registry].into_iter().filter_map(Owner::prefix) {
        let prefixed = format!("{prefix}{name}");
        if DECLARED.contains_key(prefixed.as_str()) {
            return Some(prefixed);
        }
    }
    for prefix in proxy::config::CLIENT_PREFIXES {
        if let Some(setting) = name.strip_prefix(prefix)
            && let Some(nearest) =
                nearest_name(setting, proxy::config::client_definition().iter().map(|key| key.name))
        {
            return Some(format!("{prefix}{nearest}"));
        }
    }
    nearest_name(name, DECLARED.keys().copied()).map(str::to_owned)
}

/// The setting that a variable means: what follows its prefix, in upper case
/// and with `_` for `.`. With an owner, only settings of that owner count, and
/// the prefix that sets its names apart may be left out.
///
/// Container images write `__` for `_` and `___` for `-`, so a name that has
/// such letters is found both ways.
pub(crate) fn from_variable(rest: &str, owner: Option<Owner>) -> Result<String, String> {
    let prefix = owner.and_then(Owner::prefix);
    let mut plain = None;
    for known in DECLARED.values().filter(|known| owner.is_none_or(|owner| known.owner == owner)) {
        let name = known.key.name;
        let stripped = prefix.and_then(|prefix| name.strip_prefix(prefix));
        // `rest.id` is meant before a setting that is called `id`.
        if stripped.is_some_and(|name| is_spelling(rest, name)) {
            return Ok(name.to_owned());
        }
        if is_spelling(rest, name) {
            plain = Some(name.to_owned());
        }
    }
    if let Some(name) = plain {
        return Ok(name);
    }
    let name = spelled_out(rest);
    let counts = |known: Known| owner.is_none_or(|owner| known.owner == owner);
    if find(&name).is_some_and(counts) { Ok(name) } else { Err(name) }
}

fn is_spelling(rest: &str, name: &str) -> bool {
    let letter = |byte: u8| match byte {
        b'.' | b'-' => b'_',
        byte => byte.to_ascii_uppercase(),
    };
    rest.len() == name.len()
        && rest.bytes().zip(name.bytes()).all(|(left, right)| left == letter(right))
}

/// `SASL___PLAIN__X_Y` is `sasl-plain_x.y`.
fn spelled_out(rest: &str) -> String {
    rest.to_ascii_lowercase()
        .replace("___", "-")
        .replace("__", "\u{0}")
        .replace('_', ".")
        .replace('\u{0}', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_mean_the_settings_of_their_owner() {
        for (rest, owner, expected) in [
            ("LOG_RETENTION_MS", Some(Owner::Broker), Ok("log.retention.ms")),
            ("ADVERTISED_LISTENERS", Some(Owner::Broker), Ok("advertised.listeners")),
            ("ADVERTISED_LISTENERS", Some(Owner::Proxy), Ok("rest.advertised.listeners")),
            ("LISTENERS", Some(Owner::Registry), Ok("registry.listeners")),
            ("ID", Some(Owner::Proxy), Ok("rest.id")),
            ("BOOTSTRAP_SERVERS", Some(Owner::Proxy), Ok("bootstrap.servers")),
            ("BOOTSTRAP_SERVERS", Some(Owner::Broker), Err("bootstrap.servers")),
            ("LOG_DIRS", Some(Owner::Proxy), Err("log.dirs")),
            ("REST_LISTENERS", None, Ok("rest.listeners")),
            ("LISTENERS", None, Ok("listeners")),
            ("CLIENT_REQUEST_TIMEOUT_MS", Some(Owner::Proxy), Ok("client.request.timeout.ms")),
            ("ZOOKEEPER_CLIENTCNXNSOCKET", Some(Owner::Broker), Ok("zookeeper.clientCnxnSocket")),
            (
                "LISTENER_NAME_INTERNAL_SCRAM___SHA___256_SASL_JAAS_CONFIG",
                Some(Owner::Broker),
                Ok("listener.name.internal.scram-sha-256.sasl.jaas.config"),
            ),
            ("LOG_RETENTION", Some(Owner::Broker), Err("log.retention")),
            ("A__B___C", None, Err("a_b-c")),
        ] {
            let found = from_variable(rest, owner);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{rest} of {owner:?}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_known_one() {
        for (name, expected) in [
            ("debug", Some("rest.debug")),
            ("id", Some("rest.id")),
            ("log.retention.mss", Some("log.retention.ms")),
            ("producer.ack", Some("producer.acks")),
            ("consumer.fetch.max.byte", Some("consumer.fetch.max.bytes")),
            ("rest.listener", Some("rest.listeners")),
            ("completely.different", None),
        ] {
            assert_eq!(nearest(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn no_two_owners_declare_the_same_name() {
        let mut owners: BTreeMap<&str, Owner> = BTreeMap::new();
        let declared = [
            (Owner::Program, program::KEYS.iter().map(|key| key.name).collect::<Vec<_>>()),
            (Owner::Broker, broker::config::definition().iter().map(|key| key.name).collect()),
            (Owner::Proxy, proxy::config::definition().iter().map(|key| key.name).collect()),
            (Owner::Registry, registry::config::definition().iter().map(|key| key.name).collect()),
        ];
        for (owner, names) in declared {
            for name in names {
                let other = owners.insert(name, owner);
                assert_eq!(other, None, "{name} of {owner:?} is declared twice");
            }
        }
    }

    /// Names printed by `kafka.server.KafkaConfig` of Apache Kafka 4.3.1.
    #[test]
    fn every_setting_of_kafka_is_known() {
        for name in include_str!("kafka_4.3_names.txt").lines() {
            assert!(
                find(name).is_some_and(|known| known.owner == Owner::Broker),
                "{name} is missing"
            );
        }
    }
}

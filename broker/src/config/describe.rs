//! What DescribeConfigs shows of a broker, and where values come from.
//!
//! Follows Kafka's `ConfigHelper`: a value's source is that of the first of
//! its synonyms, and synonyms that come before the asked name itself do not
//! count.

use protocol::config_def::{ConfigKey, ConfigType, Update};

use super::{Config, DEFINITION, Sources, accepted};

/// Where a value was set, with the number that DescribeConfigs uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic = 1,
    /// Set at run time for this broker.
    DynamicBroker = 2,
    /// Set at run time for all brokers.
    DynamicDefaultBroker = 3,
    /// Set in the file, the environment or a flag.
    StaticBroker = 4,
    /// Not set anywhere.
    Default = 5,
}

impl ConfigSource {
    /// The number in the `config_source` field of a DescribeConfigs response.
    pub fn code(self) -> i8 {
        self as i8
    }
}

/// One place that gives a setting a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The name under which it is set there.
    pub name: String,
    /// The value; `None` for a secret.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

/// One setting as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The setting.
    pub name: String,
    /// The value that counts; `None` for a secret or when there is none.
    pub value: Option<String>,
    /// Where that value comes from.
    pub source: ConfigSource,
    /// Every place that gives a value, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
    /// Whether it cannot be changed at run time.
    pub read_only: bool,
    /// Whether it is a secret.
    pub sensitive: bool,
    /// The type of its values.
    pub kind: ConfigType,
    /// What it does.
    pub doc: String,
}

impl ConfigEntry {
    /// Whether the value was not set anywhere (the `is_default` field of old
    /// versions).
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }
}

/// Whether DescribeConfigs lists the setting: Kafka's own ones and ours, but
/// none that Kafka dropped or keeps to itself.
pub(super) fn is_listed(key: &ConfigKey) -> bool {
    !key.internal && !accepted::FORMER.iter().any(|former| former.name == key.name)
}

/// Names that say the same in other units, the one that counts first.
pub(crate) fn broker_synonyms(name: &str) -> &'static [&'static str] {
    match name {
        "log.roll.ms" | "log.roll.hours" => &["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => {
            &["log.roll.jitter.ms", "log.roll.jitter.hours"]
        }
        "log.flush.interval.ms" => &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            &["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        _ => &[],
    }
}

/// Doc of settings that are accepted without effect.
pub(crate) fn documentation(key: &ConfigKey) -> String {
    match key.no_effect {
        Some(why) => format!("Accepted without effect: {why}."),
        None => key.doc.to_owned(),
    }
}

impl Config {
    /// The places that give `name` a value, the one that counts first.
    pub(crate) fn synonyms(&self, name: &str) -> Vec<ConfigSynonym> {
        let alternatives = broker_synonyms(name);
        let names =
            if alternatives.is_empty() { std::slice::from_ref(&name) } else { alternatives };
        let Sources { fixed, dynamic_default, dynamic } = &self.sources;
        let mut synonyms = Vec::new();
        for (values, source) in [
            (dynamic, ConfigSource::DynamicBroker),
            (dynamic_default, ConfigSource::DynamicDefaultBroker),
            (fixed, ConfigSource::StaticBroker),
        ] {
            for name in names {
                if let (Some(text), Some(key)) = (values.get(*name), DEFINITION.get(name)) {
                    synonyms.push(synonym(key, text, source));
                }
            }
        }
        for key in names.iter().filter_map(|name| DEFINITION.get(name)) {
            if let Some(text) = key.default {
                synonyms.push(synonym(key, text, ConfigSource::Default));
            }
        }
        let first =
            synonyms.iter().position(|synonym| synonym.name == name).unwrap_or(synonyms.len());
        synonyms.split_off(first)
    }

    /// The broker's settings as DescribeConfigs shows them, sorted by name:
    /// for one broker everything, for all brokers (`per_broker` false) what is
    /// set at run time for all.
    pub fn describe(&self, per_broker: bool) -> Vec<ConfigEntry> {
        DEFINITION
            .iter()
            .filter(|key| is_listed(key))
            .filter(|key| per_broker || self.sources.dynamic_default.contains_key(key.name))
            .map(|key| self.entry(key, per_broker))
            .collect()
    }

    fn entry(&self, key: &'static ConfigKey, per_broker: bool) -> ConfigEntry {
        let mut synonyms = self.synonyms(key.name);
        synonyms
            .retain(|synonym| per_broker || synonym.source == ConfigSource::DynamicDefaultBroker);
        let text = if per_broker {
            self.text(key.name)
        } else {
            self.sources.dynamic_default.get(key.name).map(String::as_str)
        };
        let value = match key.name {
            // As in Kafka, both names show the id whichever of them was set.
            "node.id" | "broker.id" if per_broker => Some(self.node_id.to_string()),
            _ => text.filter(|_| !key.is_sensitive()).map(|text| key.normalize(text)),
        };
        ConfigEntry {
            name: key.name.to_owned(),
            value,
            source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
            synonyms,
            read_only: key.update == Update::ReadOnly,
            sensitive: key.is_sensitive(),
            kind: key.kind,
            doc: documentation(key),
        }
    }
}

fn synonym(key: &ConfigKey, text: &str, source: ConfigSource) -> ConfigSynonym {
    let value = (!key.is_sensitive()).then(|| text.to_owned());
    ConfigSynonym { name: key.name.to_owned(), value, source }
}

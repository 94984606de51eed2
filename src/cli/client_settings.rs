//! Settings of Kafka clients, as the tools take them: from properties files
//! and from `name=value` pairs of the command line.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use client::consumer::{Assignor, ConsumerConfig, IsolationLevel, OffsetReset};
use client::producer::{Acks, ProducerConfig};
use client::{AutoCreate, BrokerAddress, ClientConfig};
use protocol::config_def::Value;

use super::complain;
use super::options::Options;
use super::session::Failure;
use crate::config::load_properties;

/// Settings by Kafka's names. Every value is one that its setting takes.
#[derive(Debug, Default)]
pub(super) struct ClientSettings {
    values: BTreeMap<String, Value>,
}

impl ClientSettings {
    /// Reads the properties files that the options `files` name, and the pairs
    /// of the options `pairs`. Pairs win over files, later ones over earlier ones.
    ///
    /// # Errors
    /// When a file cannot be read, or a setting does not take its value.
    pub(super) fn read(options: &Options, files: &[&str], pairs: &[&str]) -> Result<Self, Failure> {
        let mut settings = Self::default();
        for option in files {
            let Some(file) = options.value(option)? else { continue };
            let properties = load_properties(Path::new(file))
                .map_err(|error| Failure::other(format!("{file}: {error}")))?;
            for (name, text) in properties {
                settings.set(&name, &text)?;
            }
        }
        for option in pairs {
            for (name, text) in options.pairs(option)? {
                settings.set(&name, &text)?;
            }
        }
        Ok(settings)
    }

    /// Sets one of them. A name that no Kafka client knows is pointed out.
    ///
    /// # Errors
    /// When the setting does not take this value.
    pub(super) fn set(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        match proxy::config::client_definition().get(name) {
            Some(key) => {
                let value = key.parse(text).map_err(|error| Failure::other(error.to_string()))?;
                self.values.insert(name.to_owned(), value);
            }
            None => complain(&format!("the setting {name} is unknown and has no effect")),
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(Value::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// A setting that is a number of something there cannot be less than none of.
    fn number<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        match self.values.get(name) {
            Some(Value::Integer(number)) => T::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A setting that is a time in milliseconds.
    pub(super) fn millis(&self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_millis)
    }

    /// How to reach the cluster.
    ///
    /// # Errors
    /// When an address is none, or the cluster is to be reached in a way that is not supported.
    pub(super) fn client(
        &self,
        options: &Options,
        client_id: &str,
    ) -> Result<ClientConfig, Failure> {
        let default = ClientConfig::default();
        let servers = options.bootstrap_servers()?;
        let bootstrap_servers: Vec<String> =
            servers.split(',').map(|server| server.trim().to_owned()).collect();
        for server in &bootstrap_servers {
            server.parse::<BrokerAddress>().map_err(|error| Failure::other(error.to_string()))?;
        }
        if let Some(protocol) = self.text("security.protocol")
            && !protocol.eq_ignore_ascii_case("PLAINTEXT")
        {
            let message =
                format!("security.protocol={protocol} is not supported, only PLAINTEXT is");
            return Err(Failure::other(message));
        }
        let millis = |name, default| self.millis(name).unwrap_or(default);
        Ok(ClientConfig {
            bootstrap_servers,
            client_id: self.text("client.id").unwrap_or(client_id).to_owned(),
            request_timeout: millis("request.timeout.ms", default.request_timeout),
            connect_timeout: millis("socket.connection.setup.timeout.ms", default.connect_timeout),
            api_timeout: millis("default.api.timeout.ms", default.api_timeout),
            metadata_max_age: millis("metadata.max.age.ms", default.metadata_max_age),
            retry_backoff: millis("retry.backoff.ms", default.retry_backoff),
            retry_backoff_max: millis("retry.backoff.max.ms", default.retry_backoff_max),
            reconnect_backoff: millis("reconnect.backoff.ms", default.reconnect_backoff),
            reconnect_backoff_max: millis(
                "reconnect.backoff.max.ms",
                default.reconnect_backoff_max,
            ),
            connections_max_idle: millis("connections.max.idle.ms", default.connections_max_idle),
            ..default
        })
    }

    /// How to write.
    pub(super) fn producer(&self) -> ProducerConfig {
        let default = ProducerConfig::default();
        let millis = |name, default| self.millis(name).unwrap_or(default);
        let compression = self.text("compression.type").and_then(|name| name.parse().ok());
        let acks = self.text("acks").and_then(|acks| match acks {
            "all" => Some(Acks::All),
            number => Acks::from_code(number.parse().ok()?),
        });
        let compression = compression.unwrap_or(default.compression);
        ProducerConfig {
            acks: acks.unwrap_or(default.acks),
            enable_idempotence: self
                .boolean("enable.idempotence")
                .unwrap_or(default.enable_idempotence),
            compression,
            compression_level: self.number(&format!("compression.{compression}.level")),
            batch_size: self.number("batch.size").unwrap_or(default.batch_size),
            max_request_size: self.number("max.request.size").unwrap_or(default.max_request_size),
            linger: millis("linger.ms", default.linger),
            buffer_memory: self.number("buffer.memory").unwrap_or(default.buffer_memory),
            max_block: millis("max.block.ms", default.max_block),
            delivery_timeout: millis("delivery.timeout.ms", default.delivery_timeout),
            request_timeout: millis("request.timeout.ms", default.request_timeout),
            retry_backoff: millis("retry.backoff.ms", default.retry_backoff),
            retry_backoff_max: millis("retry.backoff.max.ms", default.retry_backoff_max),
            auto_create: AutoCreate::Yes,
        }
    }

    /// How to read.
    ///
    /// # Errors
    /// When an assignor does not exist.
    pub(super) fn consumer(&self) -> Result<ConsumerConfig, Failure> {
        let default = ConsumerConfig::default();
        let millis = |name, default| self.millis(name).unwrap_or(default);
        let size = |name, default| self.number(name).unwrap_or(default);
        let assignors = match self.values.get("partition.assignment.strategy") {
            Some(Value::List(names)) => {
                let assignors: Result<Vec<Assignor>, _> =
                    names.iter().map(|name| name.parse()).collect();
                assignors.map_err(|error| Failure::other(error.to_string()))?
            }
            _ => default.assignors,
        };
        Ok(ConsumerConfig {
            group_id: self.text("group.id").map(Into::into),
            group_instance_id: self.text("group.instance.id").map(Into::into),
            auto_offset_reset: match self.text("auto.offset.reset") {
                Some("earliest") => OffsetReset::Earliest,
                Some("none") => OffsetReset::None,
                _ => OffsetReset::Latest,
            },
            session_timeout: millis("session.timeout.ms", default.session_timeout),
            heartbeat_interval: millis("heartbeat.interval.ms", default.heartbeat_interval),
            rebalance_timeout: millis("max.poll.interval.ms", default.rebalance_timeout),
            assignors,
            isolation: match self.text("isolation.level") {
                Some("read_committed") => IsolationLevel::ReadCommitted,
                _ => IsolationLevel::ReadUncommitted,
            },
            fetch_max_bytes: size("fetch.max.bytes", default.fetch_max_bytes),
            max_partition_fetch_bytes: size(
                "max.partition.fetch.bytes",
                default.max_partition_fetch_bytes,
            ),
            fetch_min_bytes: size("fetch.min.bytes", default.fetch_min_bytes),
            fetch_max_wait: millis("fetch.max.wait.ms", default.fetch_max_wait),
            allow_auto_create_topics: self
                .boolean("allow.auto.create.topics")
                .unwrap_or(default.allow_auto_create_topics),
            metadata_max_age: millis("metadata.max.age.ms", default.metadata_max_age),
            retry_backoff: millis("retry.backoff.ms", default.retry_backoff),
            api_timeout: millis("default.api.timeout.ms", default.api_timeout),
            ..default
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::records::Compression;

    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<ClientSettings, String> {
        let mut settings = ClientSettings::default();
        for (name, text) in pairs {
            settings.set(name, text).map_err(|failure| failure.message())?;
        }
        Ok(settings)
    }

    #[test]
    fn settings_have_kafkas_names() {
        let settings = with(&[
            ("acks", "1"),
            ("compression.type", "gzip"),
            ("compression.gzip.level", "9"),
            ("linger.ms", "5"),
            ("group.id", "g"),
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_committed"),
            ("partition.assignment.strategy", "roundrobin"),
        ]);
        let settings = settings.unwrap();
        let producer = settings.producer();
        assert_eq!((producer.acks, producer.compression), (Acks::Leader, Compression::Gzip));
        assert_eq!(
            (producer.compression_level, producer.linger),
            (Some(9), Duration::from_millis(5))
        );
        let consumer = settings.consumer().unwrap();
        assert_eq!(consumer.group_id.as_deref(), Some("g"));
        assert_eq!(consumer.auto_offset_reset, OffsetReset::Earliest);
        assert_eq!(consumer.isolation, IsolationLevel::ReadCommitted);
        assert_eq!(consumer.assignors, [Assignor::RoundRobin]);
    }

    #[test]
    fn a_value_that_a_setting_does_not_take_is_refused() {
        assert_eq!(
            with(&[("acks", "2")]).unwrap_err(),
            "Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1"
        );
        assert!(with(&[("linger.ms", "soon")]).unwrap_err().contains("Not a number of type LONG"));
        let assignor = with(&[("partition.assignment.strategy", "mine")]).unwrap().consumer();
        assert!(assignor.unwrap_err().message().contains("unknown partition assignor mine"));
    }

    #[test]
    fn an_unknown_setting_changes_nothing() {
        assert!(with(&[("no.such.setting", "x")]).unwrap().values.is_empty());
    }
}

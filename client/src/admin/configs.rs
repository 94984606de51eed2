//! Settings of topics, brokers and groups.

use futures_util::future::join_all;
use protocol::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use protocol::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use protocol::{ErrorCode, Str};

use super::{Attempts, PerItem, unanswered};
use crate::{Client, Error, Purpose, Target};

/// What has settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceKind {
    /// A topic.
    Topic = 2,
    /// A broker, or with an empty name the defaults of all.
    Broker = 4,
    /// The loggers of a broker.
    BrokerLogger = 8,
    /// A client metrics subscription (KIP-714).
    ClientMetrics = 16,
    /// A group (KIP-848).
    Group = 32,
}

/// Something that has settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigResource {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name; of a broker, its number.
    pub name: Str,
}

impl ConfigResource {
    /// A topic's settings.
    pub fn topic(name: impl Into<Str>) -> Self {
        Self { kind: ResourceKind::Topic, name: name.into() }
    }

    /// A broker's settings.
    pub fn broker(id: i32) -> Self {
        Self { kind: ResourceKind::Broker, name: id.to_string().into() }
    }

    /// The node that alone can answer, where that is so.
    fn node(&self) -> Option<i32> {
        match self.kind {
            ResourceKind::Broker | ResourceKind::BrokerLogger => self.name.parse().ok(),
            ResourceKind::Topic | ResourceKind::ClientMetrics | ResourceKind::Group => None,
        }
    }

    fn is(&self, kind: i8, name: &Str) -> bool {
        self.kind as i8 == kind && self.name == *name
    }
}

/// Where the value of a setting comes from (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfigSource {
    /// Set for the topic.
    DynamicTopic,
    /// Set for the broker while it runs.
    DynamicBroker,
    /// Set for all brokers while they run.
    DynamicDefaultBroker,
    /// From the broker's configuration file.
    StaticBroker,
    /// What Kafka sets when nobody else does.
    Default,
    /// Set for a logger.
    DynamicBrokerLogger,
    /// Set for a client metrics subscription.
    ClientMetrics,
    /// Set for a group.
    Group,
    /// Some other source.
    Unknown,
}

impl ConfigSource {
    pub(super) fn from_code(code: i8) -> Self {
        match code {
            1 => Self::DynamicTopic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            6 => Self::DynamicBrokerLogger,
            7 => Self::ClientMetrics,
            8 => Self::Group,
            _ => Self::Unknown,
        }
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
            Self::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::Group => "DYNAMIC_GROUP_CONFIG",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A setting and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: Str,
    /// Its value; `None` when it has none, or is secret.
    pub value: Option<Str>,
    /// Whether it cannot be changed while the broker runs.
    pub is_read_only: bool,
    /// Whether its value is secret.
    pub is_sensitive: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// The type of its value as DescribeConfigs numbers it; `None` from brokers that do not say.
    pub kind: Option<i8>,
    /// What it does, where that was asked for.
    pub documentation: Option<Str>,
    /// Settings that decide where this one says nothing, the first first; where that was asked for.
    pub synonyms: Vec<ConfigSynonym>,
}

impl ConfigEntry {
    /// Whether nobody has set it for this resource or its broker.
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }
}

/// Another setting that gives a setting its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// Its name.
    pub name: Str,
    /// Its value; `None` when it has none, or is secret.
    pub value: Option<Str>,
    /// Where the value comes from.
    pub source: ConfigSource,
}

/// What to say about settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DescribeConfigs {
    /// Fill [`ConfigEntry::synonyms`].
    pub synonyms: bool,
    /// Fill [`ConfigEntry::documentation`].
    pub documentation: bool,
}

/// A change of one setting (KIP-339).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// The setting.
    pub name: Str,
    /// What to do.
    pub operation: ConfigOperation,
    /// With which value; `None` for [`ConfigOperation::Delete`].
    pub value: Option<Str>,
}

impl ConfigChange {
    /// Sets a value.
    pub fn set(name: impl Into<Str>, value: impl Into<Str>) -> Self {
        Self { name: name.into(), operation: ConfigOperation::Set, value: Some(value.into()) }
    }

    /// Goes back to the default.
    pub fn delete(name: impl Into<Str>) -> Self {
        Self { name: name.into(), operation: ConfigOperation::Delete, value: None }
    }
}

/// What to do with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i8)]
pub enum ConfigOperation {
    /// Give it this value.
    Set = 0,
    /// Go back to the default.
    Delete = 1,
    /// Add to a list.
    Append = 2,
    /// Remove from a list.
    Subtract = 3,
}

/// The settings of each resource: those named, or all with `None`.
pub async fn describe_configs(
    client: &Client,
    resources: Vec<(ConfigResource, Option<Vec<Str>>)>,
    what: DescribeConfigs,
) -> Result<PerItem<ConfigResource, Vec<ConfigEntry>>, Error> {
    let wanted = |(resource, names): &(ConfigResource, Option<Vec<Str>>)| DescribeConfigsResource {
        resource_type: resource.kind as i8,
        resource_name: resource.name.clone(),
        configuration_keys: names.clone(),
    };
    let groups = by_node(&resources, |(resource, _)| resource.node());
    let calls = groups.into_iter().map(|(node, group)| async move {
        let request = DescribeConfigsRequest {
            resources: group.iter().map(|resource| wanted(resource)).collect(),
            include_synonyms: what.synonyms,
            include_documentation: what.documentation,
        };
        let target = node.map_or(Target::Any, Target::Node);
        client.call(target, Purpose::General, request).await
    });
    let mut answers = Vec::new();
    for answer in join_all(calls).await {
        answers.extend(answer?.results);
    }
    let results = resources.into_iter().map(|(resource, _)| {
        let index = answers
            .iter()
            .position(|answer| resource.is(answer.resource_type, &answer.resource_name));
        let result = match index {
            Some(index) => described(answers.swap_remove(index)),
            None => Err(unanswered()),
        };
        (resource, result)
    });
    Ok(results.collect())
}

/// Changes settings, or with `validate_only` checks whether that would work.
/// All changes of one resource are made, or none.
pub async fn incremental_alter_configs(
    client: &Client,
    changes: Vec<(ConfigResource, Vec<ConfigChange>)>,
    validate_only: bool,
) -> Result<PerItem<ConfigResource, ()>, Error> {
    let wanted = |(resource, changes): &(ConfigResource, Vec<ConfigChange>)| AlterConfigsResource {
        resource_type: resource.kind as i8,
        resource_name: resource.name.clone(),
        configs: changes.iter().map(alterable).collect(),
    };
    let groups = by_node(&changes, |(resource, _)| resource.node());
    let calls = groups.into_iter().map(|(node, group)| async move {
        let resources = group.iter().map(|change| wanted(change)).collect();
        let request = IncrementalAlterConfigsRequest { resources, validate_only };
        // Topics are the controller's business. Those nodes that are not it pass
        // the request on (KIP-590), older ones refuse it.
        let target = node.map_or(Target::Controller, Target::Node);
        let mut attempts = Attempts::new(client);
        loop {
            let answer = client.call(target, Purpose::General, request.clone()).await?;
            let refused =
                |code| answer.responses.iter().all(|response| response.error_code == code);
            if answer.responses.is_empty()
                || !refused(ErrorCode::NotController)
                || !attempts.pause().await
            {
                return Ok::<_, Error>(answer.responses);
            }
            client.refresh_cluster().await?;
        }
    });
    let mut answers = Vec::new();
    for answer in join_all(calls).await {
        answers.extend(answer?);
    }
    let results = changes.into_iter().map(|(resource, _)| {
        let answer =
            answers.iter().find(|answer| resource.is(answer.resource_type, &answer.resource_name));
        let result = answer.ok_or_else(unanswered);
        let result = result
            .and_then(|answer| Error::check(answer.error_code, answer.error_message.as_ref()));
        (resource, result)
    });
    Ok(results.collect())
}

/// Whether the cluster creates topics that somebody asks for.
pub(crate) async fn auto_creates_topics(client: &Client) -> Result<bool, Error> {
    let cluster = client.cluster().await?;
    let Some(broker) = cluster.brokers.first() else { return Ok(true) };
    let name = Str::from_static("auto.create.topics.enable");
    let asked = vec![(ConfigResource::broker(broker.id), Some(vec![name]))];
    let mut answer = describe_configs(client, asked, DescribeConfigs::default()).await?;
    let (_, entries) = answer.pop().ok_or_else(unanswered)?;
    Ok(!entries?.iter().any(|entry| entry.value.as_deref() == Some("false")))
}

/// Puts together what one node has to answer.
fn by_node<T>(items: &[T], node: impl Fn(&T) -> Option<i32>) -> Vec<(Option<i32>, Vec<&T>)> {
    let mut groups: Vec<(Option<i32>, Vec<&T>)> = Vec::new();
    for item in items {
        let node = node(item);
        match groups.iter_mut().find(|(of, _)| *of == node) {
            Some((_, group)) => group.push(item),
            None => groups.push((node, vec![item])),
        }
    }
    groups
}

fn alterable(change: &ConfigChange) -> AlterableConfig {
    AlterableConfig {
        name: change.name.clone(),
        config_operation: change.operation as i8,
        value: change.value.clone(),
    }
}

fn described(result: DescribeConfigsResult) -> Result<Vec<ConfigEntry>, Error> {
    Error::check(result.error_code, result.error_message.as_ref())?;
    Ok(result.configs.into_iter().map(entry).collect())
}

fn entry(config: DescribeConfigsResourceResult) -> ConfigEntry {
    let synonym = |synonym: DescribeConfigsSynonym| ConfigSynonym {
        name: synonym.name,
        value: synonym.value,
        source: ConfigSource::from_code(synonym.source),
    };
    ConfigEntry {
        name: config.name,
        value: config.value,
        is_read_only: config.read_only,
        is_sensitive: config.is_sensitive,
        source: ConfigSource::from_code(config.config_source),
        kind: Some(config.config_type).filter(|&kind| kind != 0),
        documentation: config.documentation.filter(|text| !text.is_empty()),
        synonyms: config.synonyms.into_iter().map(synonym).collect(),
    }
}

//! `ottla configs`, Kafka's `kafka-configs`: shows and changes the settings of
//! topics, brokers and groups.

use std::collections::BTreeMap;
use std::path::Path;

use client::admin::{
    self, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, DescribeConfigs, ResourceKind,
};
use client::{AutoCreate, Client};
use protocol::ErrorCode;

use super::client_settings::ClientSettings;
use super::options::{CLUSTER, Options, Tool, UsageError, eprint, flag, value};
use super::session::{Failure, describe as describe_error, with_client};
use super::{FAILED, Invocation, OK, print};
use crate::config::load_properties;

const TOOL: Tool = Tool {
    about: "This tool helps to manipulate and describe entity config for a topic, broker or group",
    options: &[
        value(
            "add-config",
            "k1=v1,k2=[v1,v2],...",
            "Key Value pairs of configs to add. Square brackets can be used to group values which contain commas.",
        ),
        value("add-config-file", "file", "Path to a properties file with configs to add."),
        flag(
            "all",
            "List all configs for the given entity, including static configs if available.",
        ),
        flag("alter", "Alter the configuration for the entity."),
        value("broker", "id", "The broker's ID."),
        flag("broker-defaults", "The config defaults for all brokers."),
        value("broker-logger", "id", "The broker's ID for its logger config."),
        value("client-metrics", "name", "The client metrics config resource name."),
        value("delete-config", "k1,k2", "config keys to remove"),
        flag("describe", "List configs for the given entity."),
        flag("entity-default", "Default entity name for brokers."),
        value(
            "entity-name",
            "name",
            "Name of entity (topic name/broker id/client metrics/group id)",
        ),
        value(
            "entity-type",
            "type",
            "Type of entity (topics/brokers/broker-loggers/client-metrics/groups)",
        ),
        value("group", "id", "The group's ID."),
        value("topic", "name", "The topic's name."),
    ],
    common: CLUSTER,
};

/// What the tool calls a kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EntityType {
    plural: &'static str,
    kind: ResourceKind,
    /// The source of values that were set for the entity itself.
    dynamic: Option<ConfigSource>,
    /// The option that names an entity of the type.
    option: &'static str,
}

const TYPES: &[EntityType] = &[
    EntityType {
        plural: "topics",
        kind: ResourceKind::Topic,
        dynamic: Some(ConfigSource::DynamicTopic),
        option: "topic",
    },
    EntityType {
        plural: "brokers",
        kind: ResourceKind::Broker,
        dynamic: Some(ConfigSource::DynamicBroker),
        option: "broker",
    },
    EntityType {
        plural: "broker-loggers",
        kind: ResourceKind::BrokerLogger,
        dynamic: None,
        option: "broker-logger",
    },
    EntityType {
        plural: "client-metrics",
        kind: ResourceKind::ClientMetrics,
        dynamic: Some(ConfigSource::ClientMetrics),
        option: "client-metrics",
    },
    EntityType {
        plural: "groups",
        kind: ResourceKind::Group,
        dynamic: Some(ConfigSource::Group),
        option: "group",
    },
];

impl EntityType {
    fn singular(self) -> &'static str {
        self.plural.strip_suffix('s').unwrap_or(self.plural)
    }
}

/// What the command line is about. A missing name means all entities of the
/// type, an empty one their defaults.
#[derive(Debug, PartialEq, Eq)]
struct Entity {
    of: EntityType,
    name: Option<String>,
}

pub(super) fn run(invocation: Invocation) -> u8 {
    let options = match Options::read(&TOOL, invocation) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let prepared = check(&options).map_err(Failure::from).and_then(|entity| {
        let added = added(&options)?;
        let settings = ClientSettings::read(&options, &["command-config"], &[])?;
        let config = settings.client(&options, "ottla-configs")?;
        Ok((entity, added, config))
    });
    let outcome = prepared.and_then(|(entity, added, config)| {
        let work = async |client| {
            if options.has("alter") {
                alter(&client, &entity, added, &options).await
            } else {
                describe(&client, &entity, options.has("all")).await
            }
        };
        with_client(config, work)
    });
    match outcome {
        Ok(()) => return OK,
        Err(Failure::Usage(error)) => return options.refuse(&error),
        Err(Failure::Cluster(error)) => eprint(&format!(
            "Error while executing config command with args '{}'\n{}\n",
            options.line,
            describe_error(&error)
        )),
        Err(Failure::Other(message)) => eprint(&format!("{message}\n")),
    }
    FAILED
}

/// Refuses what does not go together.
fn check(options: &Options) -> Result<Entity, UsageError> {
    let usage = |text: &str| Err(UsageError(text.to_owned()));
    if options.has("alter") == options.has("describe") {
        return usage("Command must include exactly one action: --describe, --alter");
    }
    options.forbid("describe", &["add-config", "add-config-file", "delete-config"])?;
    options.forbid("alter", &["all"])?;
    let entity = entity(options)?;
    if options.has("alter") {
        if entity.name.is_none() {
            return usage("an entity name must be specified with --alter");
        }
        if options.has("add-config") && options.has("add-config-file") {
            return usage("Only one of --add-config or --add-config-file must be specified");
        }
        if !["add-config", "add-config-file", "delete-config"]
            .iter()
            .any(|option| options.has(option))
        {
            return usage(
                "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
            );
        }
    }
    Ok(entity)
}

fn entity(options: &Options) -> Result<Entity, UsageError> {
    let mut named = TYPES.iter().filter(|of| options.has(of.option));
    let direct = match named.next() {
        Some(of) => Some(Entity { of: *of, name: options.value(of.option)?.map(str::to_owned) }),
        None if options.has("broker-defaults") => {
            let brokers = TYPES.iter().find(|of| of.kind == ResourceKind::Broker);
            brokers.map(|of| Entity { of: *of, name: Some(String::new()) })
        }
        None => None,
    };
    if named.next().is_some() {
        return Err(UsageError("Only one entity may be specified".into()));
    }
    match (direct, options.value("entity-type")?) {
        (Some(_), Some(_)) => Err(UsageError(
            "--entity-type cannot be used together with an option that names the entity".into(),
        )),
        (Some(entity), None) => Ok(entity),
        (None, Some(plural)) => {
            let of = TYPES.iter().find(|of| of.plural == plural).ok_or_else(|| {
                let known: Vec<_> = TYPES.iter().map(|of| of.plural).collect();
                UsageError(format!(
                    "Invalid entity type {plural}, the entity type must be one of {}",
                    known.join(", ")
                ))
            })?;
            let default = options.has("entity-default").then(String::new);
            if default.is_some() && of.kind != ResourceKind::Broker {
                return Err(UsageError(
                    "--entity-default must not be specified with this --entity-type".into(),
                ));
            }
            Ok(Entity {
                of: *of,
                name: options.value("entity-name")?.map(str::to_owned).or(default),
            })
        }
        (None, None) => Err(UsageError("At least one entity must be specified".into())),
    }
}

/// The settings of `--add-config` or `--add-config-file`.
fn added(options: &Options) -> Result<BTreeMap<String, String>, Failure> {
    let mut added = BTreeMap::new();
    if let Some(file) = options.value("add-config-file")? {
        let pairs = load_properties(Path::new(file));
        added.extend(pairs.map_err(|error| Failure::other(format!("{file}: {error}")))?);
    }
    for pair in split_outside_brackets(options.value("add-config")?.unwrap_or_default()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::other(
                "requirement failed: Invalid entity config: all configs to be added must be in the format \
                 \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas.",
            )
        })?;
        added.insert(name.trim().to_owned(), value.replace(['[', ']'], "").trim().to_owned());
    }
    let is_name = |name: &str| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    match added.keys().find(|name| !is_name(name)) {
        Some(name) => {
            Err(Failure::other(format!("Invalid character found for config key: {name}")))
        }
        None => Ok(added),
    }
}

/// Divides at commas, except between square brackets.
fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let parts = text.split(move |letter| {
        match letter {
            '[' => is_inside = true,
            ']' => is_inside = false,
            _ => {}
        }
        letter == ',' && !is_inside
    });
    parts.filter(|part| !part.is_empty()).collect()
}

async fn alter(
    client: &Client,
    entity: &Entity,
    added: BTreeMap<String, String>,
    options: &Options,
) -> Result<(), Failure> {
    let name = entity.name.clone().unwrap_or_default();
    let resource = resource(entity.of, &name)?;
    // May be given several times, and may hold several names.
    let deleted = options.values("delete-config").flat_map(|names| names.split(','));
    let deleted = deleted.map(str::trim).filter(|name| !name.is_empty()).map(ConfigChange::delete);
    let changes = added.iter().map(|(name, value)| ConfigChange::set(name, value)).chain(deleted);
    let results =
        admin::incremental_alter_configs(client, vec![(resource, changes.collect())], false)
            .await?;
    results.into_iter().try_for_each(|(_, result)| result)?;
    print(&if name.is_empty() {
        format!("Completed updating default config for {} in the cluster.\n", entity.of.plural)
    } else {
        format!("Completed updating config for {} {name}.\n", entity.of.singular())
    });
    Ok(())
}

async fn describe(client: &Client, entity: &Entity, all: bool) -> Result<(), Failure> {
    let of = entity.of;
    let names = match &entity.name {
        Some(name) => vec![name.clone()],
        None => all_names(client, of).await?,
    };
    for name in names {
        let resource = resource(of, &name)?;
        if of.kind == ResourceKind::Topic && client.topic(&name, AutoCreate::No).await?.is_none() {
            print(&format!("The topic '{name}' doesn't exist and doesn't have dynamic config.\n"));
            continue;
        }
        let what = DescribeConfigs { synonyms: true, documentation: false };
        let described = admin::describe_configs(client, vec![(resource, None)], what).await?;
        print(&if name.is_empty() {
            format!("Default configs for {} in the cluster are:\n", of.plural)
        } else {
            let which = if all { "All" } else { "Dynamic" };
            format!("{which} configs for {} {name} are:\n", of.singular())
        });
        let dynamic = match of.dynamic {
            Some(ConfigSource::DynamicBroker) if name.is_empty() => {
                Some(ConfigSource::DynamicDefaultBroker)
            }
            dynamic => dynamic,
        };
        for (_, entries) in described {
            let mut entries = entries?;
            entries.retain(|entry| all || dynamic.is_none_or(|source| entry.source == source));
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            entries.iter().for_each(|entry| _ = print(&line(entry)));
        }
    }
    Ok(())
}

fn line(entry: &ConfigEntry) -> String {
    let text = |value: &Option<protocol::Str>| value.as_deref().unwrap_or("null").to_owned();
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .map(|synonym| {
            format!("{}:{}={}", synonym.source.name(), synonym.name, text(&synonym.value))
        })
        .collect();
    format!(
        "  {}={} sensitive={} synonyms={{{}}}\n",
        entry.name,
        text(&entry.value),
        entry.is_sensitive,
        synonyms.join(", ")
    )
}

fn resource(of: EntityType, name: &str) -> Result<ConfigResource, Failure> {
    let is_node = matches!(of.kind, ResourceKind::Broker | ResourceKind::BrokerLogger);
    if is_node && !name.is_empty() && name.parse::<i32>().is_err() {
        return Err(Failure::other(format!(
            "The entity name for {} must be a valid integer broker id, but it is: {name}",
            of.plural
        )));
    }
    Ok(ConfigResource { kind: of.kind, name: name.into() })
}

async fn all_names(client: &Client, of: EntityType) -> Result<Vec<String>, Failure> {
    Ok(match of.kind {
        ResourceKind::Topic => {
            client.topics().await?.iter().map(|topic| topic.name.to_string()).collect()
        }
        ResourceKind::Broker | ResourceKind::BrokerLogger => {
            let cluster = client.cluster().await?;
            let mut names: Vec<_> =
                cluster.brokers.iter().map(|broker| broker.id.to_string()).collect();
            if of.kind == ResourceKind::Broker {
                names.push(String::new());
            }
            names
        }
        ResourceKind::Group => admin::list_groups(client, &[], &[])
            .await?
            .iter()
            .map(|group| group.id.to_string())
            .collect(),
        ResourceKind::ClientMetrics => {
            return Err(client::Error::Kafka {
                code: ErrorCode::UnsupportedVersion,
                message: None,
            }
            .into());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        let arguments = arguments.iter().map(Into::into).collect();
        Options::read(&TOOL, Invocation { program: "kafka-configs".to_owned(), arguments }).unwrap()
    }

    #[test]
    fn settings_to_add_may_hold_commas_in_brackets() {
        let read = |text: &str| {
            let added = added(&options(&["--alter", "--topic", "t", "--add-config", text]));
            added.map(|added| {
                added.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(read("a=1,b=[x,y], c = 2 ").unwrap(), "a=1 b=x,y c=2");
        assert_eq!(read("a=b=c").unwrap(), "a=b=c");
        assert_eq!(read("a=").unwrap(), "a=");
        assert!(read("a").unwrap_err().message().contains("key=val"));
        assert!(read("a b=1").unwrap_err().message().contains("Invalid character"));
    }

    #[test]
    fn entities_are_named_in_either_way() {
        let named = |arguments: &[&str]| {
            let all = [&["--describe"], arguments].concat();
            check(&options(&all))
                .map(|entity| (entity.of.plural, entity.name))
                .map_err(|error| error.0)
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(named(&["--topic", "t"]), Ok(("topics", some("t"))));
        assert_eq!(
            named(&["--entity-type", "topics", "--entity-name", "t"]),
            Ok(("topics", some("t")))
        );
        assert_eq!(named(&["--entity-type", "brokers"]), Ok(("brokers", None)));
        assert_eq!(
            named(&["--entity-type", "brokers", "--entity-default"]),
            Ok(("brokers", some("")))
        );
        assert_eq!(named(&["--broker-defaults"]), Ok(("brokers", some(""))));
        assert!(named(&["--topic", "t", "--broker", "1"]).is_err());
        assert!(
            named(&["--entity-type", "nonsense"]).unwrap_err().contains("must be one of topics")
        );
        assert!(named(&[]).is_err());
    }

    #[test]
    fn changes_need_an_entity_and_something_to_change() {
        for (arguments, expected) in [
            (&["--alter", "--topic", "t"][..], "At least one of --add-config"),
            (
                &["--alter", "--entity-type", "topics", "--add-config", "a=b"],
                "an entity name must be specified",
            ),
            (&["--alter", "--describe", "--topic", "t"], "exactly one action"),
            (&["--describe", "--topic", "t", "--add-config", "a=b"], "can't be used with"),
        ] {
            let error = check(&options(arguments)).unwrap_err().0;
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }
}

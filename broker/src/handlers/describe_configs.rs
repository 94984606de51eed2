//! DescribeConfigs, versions 1 to 4: settings of topics and of this broker.
//!
//! 1 synonyms and sources · 3 types and documentation.

use protocol::config_def::ConfigType;
use protocol::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use protocol::{ErrorCode, Str};

use super::{Handler, Resource};
use crate::config::ConfigEntry;
use crate::context::Context;
use crate::error::Error;
use crate::node::Node;
use crate::topic_config;
use crate::topics::name;

impl Handler for DescribeConfigsRequest {
    async fn handle(self, node: &Node, _: &Context) -> DescribeConfigsResponse {
        let (synonyms, documentation) = (self.include_synonyms, self.include_documentation);
        let results = self.resources.into_iter().map(|resource| {
            let entries = match entries(&resource, node) {
                Ok(entries) => entries,
                Err(error) => return refused(resource, error.error_code(), error.message()),
            };
            let asked = resource.configuration_keys;
            let is_asked = |entry: &ConfigEntry| {
                // None at all asks for all, too.
                asked
                    .as_ref()
                    .filter(|names| !names.is_empty())
                    .is_none_or(|names| names.iter().any(|name| *name == *entry.name))
            };
            DescribeConfigsResult {
                error_message: None,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
                configs: entries
                    .into_iter()
                    .filter(is_asked)
                    .map(|entry| described(entry, synonyms, documentation))
                    .collect(),
                ..Default::default()
            }
        });
        DescribeConfigsResponse { throttle_time_ms: 0, results: results.collect() }
    }

    fn refuse(self, error_code: ErrorCode) -> DescribeConfigsResponse {
        let results =
            self.resources.into_iter().map(|resource| refused(resource, error_code, None));
        DescribeConfigsResponse { throttle_time_ms: 0, results: results.collect() }
    }
}

fn entries(resource: &DescribeConfigsResource, node: &Node) -> Result<Vec<ConfigEntry>, Error> {
    match Resource::parse(resource.resource_type, &resource.resource_name, node.id())? {
        Resource::Topic(name) => {
            name::check(name)?;
            let topic = node.topics().by_name(name).ok_or(Error::UnknownTopic)?;
            Ok(topic_config::describe(&topic.overrides(), &node.config()))
        }
        Resource::Broker => Ok(node.config().describe(true)),
        Resource::AllBrokers => Ok(node.config().describe(false)),
    }
}

fn refused(
    resource: DescribeConfigsResource,
    error_code: ErrorCode,
    error_message: Option<Str>,
) -> DescribeConfigsResult {
    DescribeConfigsResult {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        configs: Vec::new(),
    }
}

fn described(
    entry: ConfigEntry,
    with_synonyms: bool,
    with_documentation: bool,
) -> DescribeConfigsResourceResult {
    let synonyms = entry.synonyms.into_iter().filter(|_| with_synonyms);
    DescribeConfigsResourceResult {
        name: Str::from(entry.name),
        value: entry.value.map(Str::from),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.sensitive,
        synonyms: synonyms
            .map(|synonym| DescribeConfigsSynonym {
                name: Str::from(synonym.name),
                value: synonym.value.map(Str::from),
                source: synonym.source.code(),
            })
            .collect(),
        config_type: type_number(entry.kind),
        documentation: with_documentation.then(|| Str::from(entry.doc)),
    }
}

/// The numbers of `ConfigResponse.ConfigType` (KIP-569).
fn type_number(kind: ConfigType) -> i8 {
    match kind {
        ConfigType::Boolean => 1,
        ConfigType::String => 2,
        ConfigType::Int => 3,
        ConfigType::Short => 4,
        ConfigType::Long => 5,
        ConfigType::Double => 6,
        ConfigType::List => 7,
        ConfigType::Class => 8,
        ConfigType::Password => 9,
    }
}

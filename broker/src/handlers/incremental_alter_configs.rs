//! IncrementalAlterConfigs, versions 0 and 1: changes of single settings, all or
//! none of one resource (KIP-339).

use std::collections::{HashMap, HashSet};

use protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
};
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use protocol::{ErrorCode, Str};

use super::{Handler, Resource};
use crate::context::Context;
use crate::controller::ConfigChange;
use crate::error::Error;
use crate::node::Node;
use crate::topic_config::AlterOperation;

impl Handler for IncrementalAlterConfigsRequest {
    async fn handle(self, node: &Node, _: &Context) -> IncrementalAlterConfigsResponse {
        let mut responses = Vec::with_capacity(self.resources.len());
        let mut counts: HashMap<(i8, Str), usize> = HashMap::new();
        for resource in &self.resources {
            *counts.entry((resource.resource_type, resource.resource_name.clone())).or_default() +=
                1;
        }
        for resource in self.resources {
            let name = (resource.resource_type, resource.resource_name.clone());
            let outcome = if counts.get(&name).is_some_and(|count| *count > 1) {
                Err(Error::InvalidRequest("Each resource must appear at most once.".to_owned()))
            } else {
                alter(&resource, self.validate_only, node).await
            };
            let (error_code, error_message) = match outcome {
                Ok(()) => (ErrorCode::None, None),
                Err(error) => (error.error_code(), error.message()),
            };
            responses.push(response(resource, error_code, error_message));
        }
        IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses }
    }

    fn refuse(self, error_code: ErrorCode) -> IncrementalAlterConfigsResponse {
        let responses =
            self.resources.into_iter().map(|resource| response(resource, error_code, None));
        IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses: responses.collect() }
    }
}

fn response(
    resource: AlterConfigsResource,
    error_code: ErrorCode,
    error_message: Option<Str>,
) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
    }
}

async fn alter(
    resource: &AlterConfigsResource,
    validate_only: bool,
    node: &Node,
) -> Result<(), Error> {
    let changes = changes(&resource.configs)?;
    let controller = node.controller();
    match Resource::parse(resource.resource_type, &resource.resource_name, node.id())? {
        Resource::Topic("") => {
            Err(Error::InvalidRequest("Default topic resources are not allowed.".to_owned()))
        }
        Resource::Topic(name) => {
            controller.alter_topic_configs(Str::from(name), changes, validate_only).await
        }
        Resource::Broker => controller.alter_broker_configs(false, changes, validate_only).await,
        Resource::AllBrokers => controller.alter_broker_configs(true, changes, validate_only).await,
    }
}

fn changes(configs: &[AlterableConfig]) -> Result<Vec<ConfigChange>, Error> {
    let mut names = HashSet::new();
    let mut changes = Vec::with_capacity(configs.len());
    for config in configs {
        if !names.insert(config.name.as_str()) {
            return Err(Error::InvalidRequest(format!(
                "Error due to duplicate config keys: {}",
                config.name
            )));
        }
        let operation = match config.config_operation {
            0 => AlterOperation::Set,
            1 => AlterOperation::Delete,
            2 => AlterOperation::Append,
            3 => AlterOperation::Subtract,
            unknown => {
                return Err(Error::InvalidRequest(format!(
                    "Unknown operation type {unknown} for config {}",
                    config.name
                )));
            }
        };
        let value = config.value.clone();
        if value.is_none() && operation != AlterOperation::Delete {
            return Err(Error::InvalidRequest(format!(
                "Null value not supported for : {}",
                config.name
            )));
        }
        changes.push(ConfigChange { name: config.name.clone(), operation, value });
    }
    Ok(changes)
}

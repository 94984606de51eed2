//! CreatePartitions, versions 0 to 3: one result for each topic.

use std::collections::HashMap;

use protocol::messages::create_partitions::{CreatePartitionsTopic, CreatePartitionsTopicResult};
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use protocol::{ErrorCode, Str};

use super::Handler;
use crate::context::Context;
use crate::error::Error;
use crate::node::Node;

impl Handler for CreatePartitionsRequest {
    async fn handle(self, node: &Node, _: &Context) -> CreatePartitionsResponse {
        let mut counts: HashMap<Str, usize> = HashMap::new();
        for topic in &self.topics {
            *counts.entry(topic.name.clone()).or_default() += 1;
        }
        let mut results = Vec::with_capacity(self.topics.len());
        for topic in self.topics {
            // A topic that is named twice gets one answer.
            let count = counts.remove(&topic.name);
            let name = topic.name.clone();
            let outcome = match count {
                None => continue,
                Some(1) => create(topic, node, self.validate_only).await,
                Some(_) => Err(Error::InvalidRequest("Duplicate topic name.".to_owned())),
            };
            results.push(result(name, outcome));
        }
        CreatePartitionsResponse { throttle_time_ms: 0, results }
    }

    fn refuse(self, error_code: ErrorCode) -> CreatePartitionsResponse {
        let results = self.topics.into_iter().map(|topic| CreatePartitionsTopicResult {
            name: topic.name,
            error_code,
            error_message: None,
        });
        CreatePartitionsResponse { throttle_time_ms: 0, results: results.collect() }
    }
}

async fn create(
    topic: CreatePartitionsTopic,
    node: &Node,
    validate_only: bool,
) -> Result<(), Error> {
    let assignments = topic.assignments.map(|assignments| {
        assignments.into_iter().map(|assignment| assignment.broker_ids).collect()
    });
    node.controller().create_partitions(topic.name, topic.count, assignments, validate_only).await
}

fn result(name: Str, outcome: Result<(), Error>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::None, None),
        Err(error) => (error.error_code(), error.message()),
    };
    CreatePartitionsTopicResult { name, error_code, error_message }
}

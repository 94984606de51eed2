//! CreateTopics, versions 2 to 7.
//!
//! 4 takes -1 for the broker's counts · 5 answers with counts and every setting ·
//! 7 topic ids. The answer leaves when Metadata shows the topic.

use std::collections::HashMap;

use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use protocol::{ErrorCode, Str};

use super::Handler;
use crate::context::Context;
use crate::controller::{Created, NewTopic};
use crate::error::Error;
use crate::node::Node;
use crate::topic_config;

impl Handler for CreateTopicsRequest {
    async fn handle(self, node: &Node, _: &Context) -> CreateTopicsResponse {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for topic in &self.topics {
            *counts.entry(&topic.name).or_default() += 1;
        }
        let is_duplicate = |topic: &CreatableTopic| counts.get(topic.name.as_str()) > Some(&1);
        let topics = self.topics.iter().filter(|topic| !is_duplicate(topic)).map(new_topic);
        let topics: Vec<NewTopic> = topics.collect();
        let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
        let results = node.controller().create_topics(topics, self.validate_only).await;
        let mut answers: Vec<_> = names
            .into_iter()
            .zip(results)
            .map(|(name, result)| match result {
                Ok(created) => accepted(name, created, self.validate_only, node),
                Err(error) => refused(name, &error),
            })
            .collect();
        let mut duplicates: Vec<_> = counts
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(name, _)| Str::from(*name))
            .collect();
        duplicates.sort();
        answers.extend(
            duplicates.into_iter().map(|name| {
                refused(name, &Error::InvalidRequest("Duplicate topic name.".to_owned()))
            }),
        );
        CreateTopicsResponse { throttle_time_ms: 0, topics: answers }
    }

    fn refuse(self, error_code: ErrorCode) -> CreateTopicsResponse {
        let topics = self.topics.into_iter().map(|topic| CreatableTopicResult {
            name: topic.name,
            error_code,
            error_message: None,
            ..Default::default()
        });
        CreateTopicsResponse { throttle_time_ms: 0, topics: topics.collect() }
    }
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let assignments = topic
        .assignments
        .iter()
        .map(|assignment| (assignment.partition_index, assignment.broker_ids.clone()));
    NewTopic {
        name: topic.name.clone(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| (config.name.clone(), config.value.clone()))
            .collect(),
    }
}

fn accepted(name: Str, created: Created, validate_only: bool, node: &Node) -> CreatableTopicResult {
    let configs = topic_config::describe(&created.overrides, &node.config());
    let configs = configs.into_iter().map(|entry| CreatableTopicConfigs {
        name: Str::from(entry.name),
        value: entry.value.map(Str::from),
        read_only: entry.read_only,
        config_source: entry.source.code(),
        is_sensitive: entry.sensitive,
    });
    CreatableTopicResult {
        name,
        topic_id: if validate_only { Default::default() } else { created.id },
        error_message: None,
        num_partitions: created.partitions,
        replication_factor: 1,
        configs: Some(configs.collect()),
        ..Default::default()
    }
}

fn refused(name: Str, error: &Error) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: error.error_code(),
        error_message: error.message(),
        ..Default::default()
    }
}

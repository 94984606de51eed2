//! Metadata, versions 0 to 13: the one broker, and topics with their partitions.
//!
//! 0 takes an empty list for all topics, later versions take null · 4 lets the
//! client decline automatic creation · 8 authorized operations · 10 topic ids ·
//! 12 topics by id · 13 an error for the whole answer, which we never give.
//!
//! Asking for a topic that does not exist may create it. Where Kafka answers
//! with a retriable error until the topic is there, we answer when it is.

use std::collections::HashSet;

use protocol::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{MetadataRequest, MetadataResponse};
use protocol::{ErrorCode, Str, Uuid};

use super::Handler;
use crate::authorized_operations as operations;
use crate::context::Context;
use crate::node::Node;
use crate::topics::Topic;

impl Handler for MetadataRequest {
    async fn handle(self, node: &Node, context: &Context) -> MetadataResponse {
        let with_operations = self.include_topic_authorized_operations;
        let topics = match self.topics {
            None => node.topics().all().iter().map(|topic| describe(topic, node)).collect(),
            Some(topics) if topics.is_empty() && context.api_version == 0 => {
                node.topics().all().iter().map(|topic| describe(topic, node)).collect()
            }
            Some(asked) => {
                let mut topics = Vec::with_capacity(asked.len());
                let mut seen = HashSet::new();
                for topic in asked {
                    // Asked for twice, it is told once.
                    if !seen.insert((topic.name.clone(), topic.topic_id)) {
                        continue;
                    }
                    topics.push(find(topic, node, self.allow_auto_topic_creation).await);
                }
                topics
            }
        };
        let topics = topics.into_iter().map(|topic| MetadataResponseTopic {
            topic_authorized_operations: asked(with_operations, operations::TOPIC),
            ..topic
        });
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: node.id(),
                host: context.advertised.host.clone(),
                port: context.advertised.port,
                rack: node.rack(),
            }],
            cluster_id: Some(node.cluster_id().clone()),
            controller_id: node.id(),
            topics: topics.collect(),
            cluster_authorized_operations: asked(
                self.include_cluster_authorized_operations,
                operations::CLUSTER,
            ),
            ..Default::default()
        }
    }

    fn refuse(self, error_code: ErrorCode) -> MetadataResponse {
        let asked = self.topics.unwrap_or_default();
        let topics = asked
            .into_iter()
            .map(|topic| refused(topic.name, topic.topic_id, error_code))
            .collect();
        MetadataResponse { topics, error_code, ..Default::default() }
    }
}

fn asked(included: bool, operations: i32) -> i32 {
    if included { operations } else { operations::NOT_ASKED }
}

async fn find(asked: MetadataRequestTopic, node: &Node, may_create: bool) -> MetadataResponseTopic {
    let Some(name) = asked.name else {
        return match node.topics().by_id(asked.topic_id) {
            Some(topic) => describe(&topic, node),
            None => refused(None, asked.topic_id, ErrorCode::UnknownTopicId),
        };
    };
    if let Some(topic) = node.topics().by_name(&name) {
        return describe(&topic, node);
    }
    match node.missing_topic(&name, may_create).await {
        Ok(topic) => describe(&topic, node),
        Err(error) => refused(Some(name), Uuid::ZERO, error.error_code()),
    }
}

fn describe(topic: &Topic, node: &Node) -> MetadataResponseTopic {
    let partitions = topic.partitions();
    let partitions =
        (0..).zip(partitions.iter()).map(|(index, partition)| MetadataResponsePartition {
            error_code: ErrorCode::None,
            partition_index: index,
            leader_id: node.id(),
            leader_epoch: partition.leader_epoch(),
            replica_nodes: vec![node.id()],
            isr_nodes: vec![node.id()],
            offline_replicas: Vec::new(),
        });
    MetadataResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: topic.is_internal(),
        partitions: partitions.collect(),
        ..Default::default()
    }
}

fn refused(name: Option<Str>, topic_id: Uuid, error_code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic { error_code, name, topic_id, ..Default::default() }
}

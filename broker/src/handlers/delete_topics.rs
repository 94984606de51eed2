//! DeleteTopics, versions 1 to 6.
//!
//! 5 answers with a sentence · 6 takes names or ids. A topic that is created
//! again under the same name has a new id and begins at offset 0.

use protocol::messages::delete_topics::{DeletableTopicResult, DeleteTopicState};
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use protocol::{ErrorCode, Str, Uuid};

use super::Handler;
use crate::context::Context;
use crate::error::Error;
use crate::node::Node;

impl Handler for DeleteTopicsRequest {
    async fn handle(self, node: &Node, _: &Context) -> DeleteTopicsResponse {
        let mut responses = Vec::new();
        for asked in asked(self) {
            responses.push(match delete(&asked, node).await {
                Ok((name, topic_id)) => DeletableTopicResult {
                    name: Some(name),
                    topic_id,
                    error_code: ErrorCode::None,
                    error_message: None,
                },
                Err(error) => DeletableTopicResult {
                    name: asked.name,
                    topic_id: asked.topic_id,
                    error_code: error.error_code(),
                    error_message: error.message(),
                },
            });
        }
        DeleteTopicsResponse { throttle_time_ms: 0, responses }
    }

    fn refuse(self, error_code: ErrorCode) -> DeleteTopicsResponse {
        let responses = asked(self).into_iter().map(|asked| DeletableTopicResult {
            name: asked.name,
            topic_id: asked.topic_id,
            error_code,
            error_message: None,
        });
        DeleteTopicsResponse { throttle_time_ms: 0, responses: responses.collect() }
    }
}

/// The topics of any version: up to 5 as names, later as names or ids.
fn asked(request: DeleteTopicsRequest) -> Vec<DeleteTopicState> {
    let by_name = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
    request.topics.into_iter().chain(request.topic_names.into_iter().map(by_name)).collect()
}

async fn delete(asked: &DeleteTopicState, node: &Node) -> Result<(Str, Uuid), Error> {
    let topic = match &asked.name {
        Some(_) if !asked.topic_id.is_zero() => {
            return Err(Error::InvalidRequest(
                "You may not specify both topic name and topic id.".to_owned(),
            ));
        }
        Some(name) => node.topics().by_name(name).ok_or(Error::UnknownTopic)?,
        None => node.topics().by_id(asked.topic_id).ok_or(Error::UnknownTopicId)?,
    };
    let topic = node.controller().delete_topic(topic.id).await?;
    node.groups().topic_deleted(&topic.name).await;
    Ok((topic.name.clone(), topic.id))
}

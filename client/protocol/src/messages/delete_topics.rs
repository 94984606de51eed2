//! Deletes topics.
//!
//! Versions: 5 error messages · 6 by topic id.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str, Uuid};

impl Request for DeleteTopicsRequest {
    const KEY: ApiKey = ApiKey::DeleteTopics;
    type Response = DeleteTopicsResponse;
}

messages! {
    /// The topics to delete, by name or id.
    struct DeleteTopicsRequest {
        topics: Vec<DeleteTopicState>, 6..;
        topic_names: Vec<Str>, 0..=5;
        timeout_ms: i32, 0..;
    }

    /// An element of [`DeleteTopicsRequest::topics`].
    struct DeleteTopicState {
        name: Option<Str>, 6..;
        topic_id: Uuid, 6..;
    }

    /// One result for each topic.
    struct DeleteTopicsResponse {
        throttle_time_ms: i32, 1..;
        responses: Vec<DeletableTopicResult>, 0..;
    }

    /// An element of [`DeleteTopicsResponse::responses`].
    struct DeletableTopicResult {
        name: Option<Str> = Some(Default::default()), 0..;
        topic_id: Uuid, 6..;
        error_code: ErrorCode, 0..;
        error_message: Option<Str>, 5..;
    }
}

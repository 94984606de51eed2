//! Adds partitions to topics.
//!
//! Versions: 3 quota errors.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for CreatePartitionsRequest {
    const KEY: ApiKey = ApiKey::CreatePartitions;
    type Response = CreatePartitionsResponse;
}

messages! {
    /// The topics with their new counts.
    struct CreatePartitionsRequest {
        topics: Vec<CreatePartitionsTopic>, 0..;
        timeout_ms: i32, 0..;
        validate_only: bool, 0..;
    }

    /// An element of [`CreatePartitionsRequest::topics`].
    struct CreatePartitionsTopic {
        name: Str, 0..;
        count: i32, 0..;
        assignments: Option<Vec<CreatePartitionsAssignment>> = Some(Default::default()), 0..;
    }

    /// An element of [`CreatePartitionsTopic::assignments`].
    struct CreatePartitionsAssignment {
        broker_ids: Vec<i32>, 0..;
    }

    /// One result for each topic.
    struct CreatePartitionsResponse {
        throttle_time_ms: i32, 0..;
        results: Vec<CreatePartitionsTopicResult>, 0..;
    }

    /// An element of [`CreatePartitionsResponse::results`].
    struct CreatePartitionsTopicResult {
        name: Str, 0..;
        error_code: ErrorCode, 0..;
        error_message: Option<Str>, 0..;
    }
}

//! Changes single settings of topics, brokers and groups.
//!
//! Versions: 1 flexible.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for IncrementalAlterConfigsRequest {
    const KEY: ApiKey = ApiKey::IncrementalAlterConfigs;
    type Response = IncrementalAlterConfigsResponse;
}

messages! {
    /// The changes to make.
    struct IncrementalAlterConfigsRequest {
        resources: Vec<AlterConfigsResource>, 0..;
        validate_only: bool, 0..;
    }

    /// An element of [`IncrementalAlterConfigsRequest::resources`].
    struct AlterConfigsResource {
        resource_type: i8, 0..;
        resource_name: Str, 0..;
        configs: Vec<AlterableConfig>, 0..;
    }

    /// An element of [`AlterConfigsResource::configs`].
    struct AlterableConfig {
        name: Str, 0..;
        config_operation: i8, 0..;
        value: Option<Str> = Some(Default::default()), 0..;
    }

    /// One result for each resource.
    struct IncrementalAlterConfigsResponse {
        throttle_time_ms: i32, 0..;
        responses: Vec<AlterConfigsResourceResponse>, 0..;
    }

    /// An element of [`IncrementalAlterConfigsResponse::responses`].
    struct AlterConfigsResourceResponse {
        error_code: ErrorCode, 0..;
        error_message: Option<Str> = Some(Default::default()), 0..;
        resource_type: i8, 0..;
        resource_name: Str, 0..;
    }
}

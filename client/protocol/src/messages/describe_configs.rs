//! Describes configurations of topics, brokers and groups.
//!
//! Versions: 1 synonyms and sources · 3 types and documentation.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for DescribeConfigsRequest {
    const KEY: ApiKey = ApiKey::DescribeConfigs;
    type Response = DescribeConfigsResponse;
}

messages! {
    /// The resources and names asked for.
    struct DescribeConfigsRequest {
        resources: Vec<DescribeConfigsResource>, 0..;
        include_synonyms: bool, 1..;
        include_documentation: bool, 3..;
    }

    /// An element of [`DescribeConfigsRequest::resources`].
    struct DescribeConfigsResource {
        resource_type: i8, 0..;
        resource_name: Str, 0..;
        configuration_keys: Option<Vec<Str>> = Some(Default::default()), 0..;
    }

    /// The settings of each resource.
    struct DescribeConfigsResponse {
        throttle_time_ms: i32, 0..;
        results: Vec<DescribeConfigsResult>, 0..;
    }

    /// An element of [`DescribeConfigsResponse::results`].
    struct DescribeConfigsResult {
        error_code: ErrorCode, 0..;
        error_message: Option<Str> = Some(Default::default()), 0..;
        resource_type: i8, 0..;
        resource_name: Str, 0..;
        configs: Vec<DescribeConfigsResourceResult>, 0..;
    }

    /// An element of [`DescribeConfigsResult::configs`].
    struct DescribeConfigsResourceResult {
        name: Str, 0..;
        value: Option<Str> = Some(Default::default()), 0..;
        read_only: bool, 0..;
        config_source: i8 = -1, 1..;
        is_sensitive: bool, 0..;
        synonyms: Vec<DescribeConfigsSynonym>, 1..;
        config_type: i8, 3..;
        documentation: Option<Str> = Some(Default::default()), 3..;
    }

    /// An element of [`DescribeConfigsResourceResult::synonyms`].
    struct DescribeConfigsSynonym {
        name: Str, 1..;
        value: Option<Str> = Some(Default::default()), 1..;
        source: i8, 1..;
    }
}

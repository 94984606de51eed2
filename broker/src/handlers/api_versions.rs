//! ApiVersions, versions 0 to 4: which APIs this broker has, in which versions.
//!
//! 3 brings the client's name, which is checked · 4 may list features whose
//! lowest level is 0 (KIP-1022). We list none: no feature of ours has levels yet.
//!
//! An unknown version gets the answer of version 0 with error 35 and the one
//! entry that the client needs to ask again (KIP-511).

use protocol::messages::api_versions::ApiVersion;
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, ErrorCode};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for ApiVersionsRequest {
    async fn handle(self, _: &Node, context: &Context) -> ApiVersionsResponse {
        let named = [&self.client_software_name, &self.client_software_version];
        if context.api_version >= 3 && !named.iter().all(|name| is_name(name)) {
            return self.refuse(ErrorCode::InvalidRequest);
        }
        ApiVersionsResponse {
            api_keys: ApiKey::ALL.iter().map(|key| versions(*key)).collect(),
            ..Default::default()
        }
    }

    fn refuse(self, error_code: ErrorCode) -> ApiVersionsResponse {
        ApiVersionsResponse { error_code, ..Default::default() }
    }
}

/// The answer to a version that we do not know, in version 0.
pub(crate) fn unsupported_version() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion,
        api_keys: vec![versions(ApiKey::ApiVersions)],
        ..Default::default()
    }
}

fn versions(key: ApiKey) -> ApiVersion {
    let versions = key.versions();
    ApiVersion { api_key: key.code(), min_version: *versions.start(), max_version: *versions.end() }
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, as KIP-511 has it.
fn is_name(text: &str) -> bool {
    let ends_well = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    ends_well(text.bytes().next())
        && ends_well(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clients_are_checked() {
        for (name, expected) in [
            ("librdkafka", true),
            ("apache-kafka-java", true),
            ("4.3.1", true),
            ("x", true),
            ("", false),
            ("-x", false),
            ("x.", false),
            ("a b", false),
            ("ä", false),
        ] {
            assert_eq!(is_name(name), expected, "{name:?}");
        }
    }
}

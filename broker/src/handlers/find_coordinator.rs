//! FindCoordinator, versions 1 to 6.
//!
//! 1 asks for groups or transactions · 4 asks for several keys. The coordinator of
//! everything is this node. `__consumer_offsets` is created before a group is told so:
//! Kafka answers "not available" until then and has the client ask again.

use protocol::messages::find_coordinator::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::{ErrorCode, Str};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

const GROUP: i8 = 0;

impl Handler for FindCoordinatorRequest {
    async fn handle(self, node: &Node, context: &Context) -> FindCoordinatorResponse {
        let found = match self.key_type {
            GROUP => node.groups().prepare().await,
            // Transactions and share groups have no coordinator here.
            _ => Err(ErrorCode::InvalidRequest),
        };
        let coordinator = |key: Str| {
            let error = if key.is_empty() { Err(ErrorCode::InvalidGroupId) } else { found };
            match error {
                Err(error_code) => nowhere(key, error_code),
                Ok(()) => Coordinator {
                    key,
                    node_id: node.id(),
                    host: context.advertised.host.clone(),
                    port: context.advertised.port,
                    error_code: ErrorCode::None,
                    error_message: None,
                },
            }
        };
        if context.api_version >= 4 {
            let coordinators = self.coordinator_keys.into_iter().map(coordinator).collect();
            FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() }
        } else {
            alone(coordinator(self.key))
        }
    }

    fn refuse(self, error_code: ErrorCode) -> FindCoordinatorResponse {
        let keys = self.coordinator_keys.into_iter();
        FindCoordinatorResponse {
            coordinators: keys.map(|key| nowhere(key, error_code)).collect(),
            ..alone(nowhere(self.key, error_code))
        }
    }
}

fn nowhere(key: Str, error_code: ErrorCode) -> Coordinator {
    Coordinator {
        key,
        node_id: -1,
        host: Str::default(),
        port: -1,
        error_code,
        error_message: Some(Str::from_static(error_code.message())),
    }
}

/// Up to version 3 the one coordinator is the answer itself.
fn alone(coordinator: Coordinator) -> FindCoordinatorResponse {
    FindCoordinatorResponse {
        error_code: coordinator.error_code,
        error_message: coordinator.error_message,
        node_id: coordinator.node_id,
        host: coordinator.host,
        port: coordinator.port,
        ..FindCoordinatorResponse::default()
    }
}

//! DescribeCluster, versions 0 to 2.
//!
//! 1 distinguishes brokers from controllers, which nobody can reach here ·
//! 2 fenced brokers, of which one node has none.

use protocol::messages::describe_cluster::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::{ErrorCode, Str};

use super::Handler;
use crate::authorized_operations as operations;
use crate::context::Context;
use crate::node::Node;

/// The endpoint type that asks for brokers.
const BROKERS: i8 = 1;
/// The endpoint type that asks for controllers.
const CONTROLLERS: i8 = 2;

impl Handler for DescribeClusterRequest {
    async fn handle(self, node: &Node, context: &Context) -> DescribeClusterResponse {
        match self.endpoint_type {
            BROKERS => {}
            CONTROLLERS => return self.refuse(ErrorCode::MismatchedEndpointType),
            _ => return self.refuse(ErrorCode::UnsupportedEndpointType),
        }
        DescribeClusterResponse {
            cluster_id: node.cluster_id().clone(),
            controller_id: node.id(),
            brokers: vec![DescribeClusterBroker {
                broker_id: node.id(),
                host: context.advertised.host.clone(),
                port: context.advertised.port,
                rack: node.rack(),
                is_fenced: false,
            }],
            cluster_authorized_operations: if self.include_cluster_authorized_operations {
                operations::CLUSTER
            } else {
                operations::NOT_ASKED
            },
            ..Default::default()
        }
    }

    fn refuse(self, error_code: ErrorCode) -> DescribeClusterResponse {
        DescribeClusterResponse {
            error_code,
            error_message: Some(Str::from_static(error_code.message())),
            ..Default::default()
        }
    }
}

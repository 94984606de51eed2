//! What the broker does for each API, one file per API.

use std::future::Future;

use protocol::{ErrorCode, Request};

use crate::context::Context;
use crate::node::Node;

/// A request that the broker answers.
pub(crate) trait Handler: Request + Send {
    /// Does what is asked. Errors are part of the response.
    fn handle(self, node: &Node, context: &Context) -> impl Future<Output = Self::Response> + Send;

    /// The same error for everything that was asked, in the shape of the answer:
    /// clients look for each topic, partition and group that they named.
    fn refuse(self, error_code: ErrorCode) -> Self::Response;
}

//! Who asks: what a handler knows of the connection a request came in on.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use protocol::Str;
use tokio_util::sync::CancellationToken;

/// The host of clients in the same process, as groups record it.
///
/// A member with this host cannot outlive the process: see the loading of groups.
pub(crate) const IN_PROCESS_HOST: &str = "in-process";

/// One request's surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The version of the API that the client chose.
    pub(crate) api_version: i16,
    /// What the client calls itself; empty when it does not say.
    pub(crate) client_id: Str,
    /// Where the client is, as Kafka writes it (`/127.0.0.1`), or [`IN_PROCESS_HOST`].
    pub(crate) client_host: Str,
    /// The address that clients of this listener are told to use.
    pub(crate) advertised: Advertised,
    /// The number of the partition that the connection's next fetch without a
    /// session looks at first, so that each has its turn.
    pub(crate) fetch_turn: Arc<AtomicUsize>,
    /// Fires when the broker stops: whatever is parked has to be answered.
    pub(crate) stopping: CancellationToken,
}

/// Where clients of a listener reach this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advertised {
    pub(crate) host: Str,
    pub(crate) port: i32,
}

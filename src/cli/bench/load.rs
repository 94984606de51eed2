//! Runs the tasks of a load together.

use std::future::Future;
use std::sync::Arc;

use client::{Client, Purpose, Target, TcpConnector};
use protocol::messages::MetadataRequest;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::display::{Display, PAUSE};
use super::meter::Meter;
use crate::cli::session::Failure;

/// Tasks that succeed or fail together.
#[derive(Debug, Default)]
pub(super) struct Load {
    tasks: JoinSet<Result<(), Failure>>,
}

impl Load {
    pub(super) fn add(&mut self, task: impl Future<Output = Result<(), Failure>> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for all tasks and shows how they do; the first failure ends all.
    pub(super) async fn run(mut self, meter: &Meter, records: u64) -> Result<(), Failure> {
        let mut display = Display::new();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first one comes at once.
        ticks.tick().await;
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => match ended {
                    None => return Ok(()),
                    Some(Ok(outcome)) => outcome?,
                    Some(Err(error)) => return Err(Failure::other(error.to_string())),
                },
                _ = ticks.tick() => display.show(meter, records),
            }
        }
    }
}

/// A client with connections of its own to the same cluster, each for at least
/// so many requests in flight.
pub(super) fn another(client: &Client, in_flight: usize) -> Client {
    let mut config = client.config().clone();
    config.max_in_flight = config.max_in_flight.max(in_flight);
    Client::new(config, Arc::new(TcpConnector))
}

/// Asks for nothing and waits for the answer: the connection is there then,
/// and the broker has read what was sent over it before.
pub(super) async fn round_trip(
    client: &Client,
    node: i32,
    purpose: Purpose,
) -> Result<(), Failure> {
    client.cluster().await?;
    let nothing = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
    client.call(Target::Node(node), purpose, nothing).await?;
    Ok(())
}

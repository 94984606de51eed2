//! The bundled broker as the cluster that the proxy works on.
//!
//! Broker and client do not know each other. Here their two ends of a stream
//! of frames meet: whatever node the metadata names, a connection to it leads
//! to the broker in this process, without sockets.

use std::io;
use std::sync::Arc;

use broker::Broker;
use client::{BrokerAddress, Connector, Transport};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Connects to the broker in this process, whatever address is asked for.
#[derive(Debug)]
pub(crate) struct InProcessConnector {
    broker: Arc<Broker>,
}

impl InProcessConnector {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self { broker }
    }
}

impl Connector for InProcessConnector {
    fn connect(&self, _address: &BrokerAddress) -> BoxFuture<'_, io::Result<Transport>> {
        let connection = self.broker.connect_in_process();
        std::future::ready(Ok(Transport::in_process(connection.requests, connection.responses)))
            .boxed()
    }
}

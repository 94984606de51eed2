//! The HTTP server: listeners, workers, stopping.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use actix_web::http::KeepAlive;
use actix_web::web::{self, Data};
use actix_web::{App as ActixApp, HttpServer};
use client::Client;
use tokio::task::JoinHandle;

use super::body::Bodies;
use super::forward::Forwarder;
use super::{App, handle};
use crate::config::Config;
use crate::cors::Cors;
use crate::registry::Registry;

/// A registry that answers. It has to be stopped with [`Server::stop`].
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    registry: Registry,
    running: JoinHandle<io::Result<()>>,
}

/// Serves the registry on `registry.listeners`, on `workers` threads of its
/// own. Returns when its sockets take connections; schemas are read meanwhile.
/// With `is_own_cluster`, the cluster of `client` is this program's broker. Must
/// be called within the tokio runtime that `client` was made in.
///
/// # Errors
/// When a listener cannot be bound, or not all threads can be started.
pub async fn serve(
    config: Config,
    client: Client,
    is_own_cluster: bool,
    workers: usize,
) -> io::Result<Server> {
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        listeners.extend(listener.bind("registry.listeners")?);
    }
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    let Some(&first) = addresses.first() else {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "none of the addresses in registry.listeners exists on this machine",
        ));
    };

    let workers = workers.max(1);
    let bounds = config.bounds.clone();
    let forwarder = Forwarder::new(&config.election);
    let cors = Cors::new(&config.cors);
    let registry = Registry::open(config, client, first, is_own_cluster)?;
    let app = Data::new(App {
        registry: registry.clone(),
        bodies: Bodies::new(&bounds),
        forwarder,
        cors,
    });
    let mut server = HttpServer::new(move || {
        ActixApp::new().app_data(app.clone()).default_service(web::to(handle))
    })
    .workers(workers)
    .max_connections(bounds.max_connections.div_ceil(workers))
    .keep_alive(KeepAlive::Timeout(bounds.idle_timeout))
    .tcp_nodelay(true)
    .shutdown_timeout(
        bounds.shutdown_grace.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX),
    )
    .disable_signals();
    for listener in listeners {
        server = server.listen(listener)?;
    }
    let server = server.run();
    let handle = server.handle();
    let running = tokio::spawn(server);
    Ok(Server { addresses, handle, registry, running })
}

impl Server {
    /// The addresses that it listens on, in the order of `registry.listeners`.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The registry behind it.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Takes no more requests, finishes those in hand (at most for
    /// `registry.shutdown.graceful.ms`) and all writes. The client is left open.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        match self.running.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the HTTP server of the registry ended with an error")
            }
            Err(error) => tracing::error!(%error, "the HTTP server of the registry panicked"),
        }
        self.registry.close().await;
    }
}

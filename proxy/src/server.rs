//! The HTTP server: listeners, workers, stopping.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::KeepAlive;
use actix_web::web;
use actix_web::{App as ActixApp, HttpServer};
use client::Client;
use client::producer::WakeGroup;
use registry::SchemaSource;
use tokio::task::JoinHandle;

use crate::Config;
use crate::app::{self, App};
use crate::middleware::Surroundings;

/// A REST proxy that answers. It has to be stopped with [`Server::stop`].
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    app: Arc<App>,
    running: JoinHandle<io::Result<()>>,
}

/// Serves the REST proxy on `rest.listeners`, on `workers` threads of its own.
/// Returns when its sockets take connections. Must be called within the tokio runtime
/// that `client` was made in; [`Config::client`] has its settings. `built_in` is the
/// registry of this program, for a proxy that is told of no other one.
///
/// # Errors
/// When a listener cannot be bound, not all threads can be started, or the
/// registry's settings make no sense.
pub async fn serve(
    config: Config,
    client: Client,
    built_in: Arc<dyn SchemaSource>,
    workers: usize,
) -> io::Result<Server> {
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        listeners.extend(listener.bind("rest.listeners")?);
    }
    if listeners.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "none of the addresses in rest.listeners exists on this machine",
        ));
    }
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;

    let workers = workers.max(1);
    let bounds = config.bounds.clone();
    let surroundings = Surroundings::new(&config);
    let schemas = config.schemas(built_in).map_err(io::Error::other)?;
    let app = Arc::new(App::new(config, client, schemas));
    let state = Arc::clone(&app);
    let mut server = HttpServer::new(move || {
        // Called on each worker thread, and ends with it.
        let wake_group = Arc::new(WakeGroup::default());
        let group = Arc::clone(&wake_group);
        actix_web::rt::spawn(async move { group.run().await });
        ActixApp::new()
            .app_data(web::Data::from(wake_group))
            .wrap(surroundings.clone())
            .configure(|service| app::routes(&state, service))
            .default_service(web::to(app::not_found))
    })
    .workers(workers)
    .max_connections(bounds.max_connections.div_ceil(workers))
    .keep_alive(KeepAlive::Timeout(bounds.idle_timeout))
    .tcp_nodelay(true)
    // A client that closes its half of the connection has hung up: whatever
    // waits for records on its behalf must not take them.
    .h1_allow_half_closed(false)
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
    Ok(Server { addresses, handle, app, running })
}

impl Server {
    /// The addresses that it listens on, in the order of `rest.listeners`.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more requests, finishes those in hand (at most for
    /// `shutdown.graceful.ms`), and sends the records that were taken. The
    /// client is left open.
    pub async fn stop(self) {
        // Reads must not wait for records while everybody waits for them.
        self.app.consumers.stop();
        self.handle.stop(true).await;
        match self.running.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the HTTP server ended with an error"),
            Err(error) => tracing::error!(%error, "the HTTP server panicked"),
        }
        self.app.close().await;
    }
}

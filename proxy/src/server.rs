//! The HTTP server: listeners, workers, stopping.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::KeepAlive;
use actix_web::web;
use actix_web::{App as ActixApp, HttpServer};
use client::Client;
use registry::SchemaSource;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;

use crate::Config;
use crate::app::{self, App};
use crate::config::HttpListener;
use crate::middleware::Surroundings;

/// Connections that wait to be accepted, per listener.
const BACKLOG: i32 = 1024;

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
        listeners.extend(bind(listener)?);
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
        ActixApp::new()
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

/// Sockets for one listener. None where the machine does not have the address,
/// which is no reason not to listen on others: `::1` is missing without IPv6.
fn bind(listener: &HttpListener) -> io::Result<Vec<TcpListener>> {
    let explain = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {listener} (rest.listeners): {error}"),
        )
    };
    if listener.host.is_empty() {
        let any = |address: IpAddr| open(SocketAddr::new(address, listener.port), false);
        let socket =
            any(Ipv6Addr::UNSPECIFIED.into()).or_else(|_| any(Ipv4Addr::UNSPECIFIED.into()));
        return Ok(vec![socket.map_err(explain)?]);
    }
    let addresses = (listener.host.as_str(), listener.port).to_socket_addrs().map_err(explain)?;
    let mut sockets = Vec::new();
    for address in addresses {
        match open(address, true) {
            Ok(socket) => sockets.push(socket),
            Err(error) if address.is_ipv6() && is_missing(&error) => {
                tracing::debug!(%address, %error, "this machine does not have the address");
            }
            Err(error) => return Err(explain(error)),
        }
    }
    Ok(sockets)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
}

fn open(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP));
    // A kernel without IPv6 makes no such sockets at all.
    let socket = socket.map_err(|error| io::Error::new(io::ErrorKind::Unsupported, error))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

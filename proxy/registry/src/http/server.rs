//! The HTTP server: listeners, workers, stopping.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use actix_web::dev::ServerHandle;
use actix_web::http::KeepAlive;
use actix_web::web::{self, Data};
use actix_web::{App as ActixApp, HttpServer};
use client::Client;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::JoinHandle;

use super::body::Bodies;
use super::forward::Forwarder;
use super::{App, handle};
use crate::config::{Config, HttpListener};
use crate::registry::Registry;

/// Connections that wait to be accepted, per listener.
const BACKLOG: i32 = 1024;

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
        listeners.extend(bind(listener)?);
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
    let registry = Registry::open(config, client, first, is_own_cluster)?;
    let app =
        Data::new(App { registry: registry.clone(), bodies: Bodies::new(&bounds), forwarder });
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

/// Sockets for one listener. None where the machine does not have the address,
/// which is no reason not to listen on others: `::1` is missing without IPv6.
fn bind(listener: &HttpListener) -> io::Result<Vec<TcpListener>> {
    let explain = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {listener} (registry.listeners): {error}"),
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

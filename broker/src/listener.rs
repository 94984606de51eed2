//! The sockets that the broker listens on, and how many clients it lets in.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use protocol::Str;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{AdvertisedListener, Listener, NetworkConfig};
use crate::connection::{self, AnswerWriter, ConnectionError, FrameReader, Peer, ReadError};
use crate::context::Advertised;
use crate::node::Node;

/// How long the listener rests when the system has no more file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds the sockets of a listener: one for each address that its host has, all
/// on the same port.
///
/// # Errors
/// The address with the system's reason when one cannot be bound.
pub(crate) fn bind(listener: &Listener, network: &NetworkConfig) -> io::Result<Vec<TcpListener>> {
    let mut port = listener.port;
    let mut sockets = Vec::new();
    for address in addresses(listener)? {
        let address = SocketAddr::new(address.ip(), port);
        let socket = bind_one(address, network).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        port = socket.local_addr()?.port();
        sockets.push(socket);
    }
    Ok(sockets)
}

fn addresses(listener: &Listener) -> io::Result<Vec<SocketAddr>> {
    if listener.host.is_empty() {
        // Takes IPv4 in as well where the system has IPv6.
        let any = [SocketAddr::from(([0_u16; 8], listener.port))];
        return Ok(any.to_vec());
    }
    let resolved = (listener.host.as_str(), listener.port).to_socket_addrs();
    let mut addresses: Vec<SocketAddr> = resolved
        .map_err(|error| {
            io::Error::new(error.kind(), format!("cannot resolve {}: {error}", listener.host))
        })?
        .collect();
    addresses.dedup();
    Ok(addresses)
}

fn bind_one(address: SocketAddr, network: &NetworkConfig) -> io::Result<TcpListener> {
    let any_ipv6 = address.ip() == IpAddr::from([0_u16; 8]);
    let domain = Domain::for_address(address);
    let socket = match Socket::new(domain, Type::STREAM, Some(Protocol::TCP)) {
        // A machine without IPv6.
        Err(_) if any_ipv6 => {
            return bind_one(SocketAddr::from(([0_u8; 4], address.port())), network);
        }
        socket => socket?,
    };
    if address.is_ipv6() {
        socket.set_only_v6(!any_ipv6)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if let Some(bytes) = network.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = network.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(&address.into())?;
    socket.listen(network.listen_backlog)?;
    TcpListener::from_std(socket.into())
}

/// What clients of the listener are told, once its port is known.
pub(crate) fn advertised(
    listener: &Listener,
    port: u16,
    advertised: &[AdvertisedListener],
) -> Advertised {
    let found = advertised.iter().find(|advertised| advertised.name == listener.name);
    let (host, advertised_port) =
        found.map_or((listener.host.as_str(), 0), |found| (found.host.as_str(), found.port));
    let port = if advertised_port == 0 { port } else { advertised_port };
    Advertised { host: Str::from(host), port: port.into() }
}

/// Lets clients in, within the limits, and knows which are idle.
#[derive(Debug)]
pub(crate) struct Acceptor {
    node: Arc<Node>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    connections: Arc<Semaphore>,
    open: Mutex<OpenConnections>,
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct OpenConnections {
    by_id: HashMap<u64, Arc<Activity>>,
    by_address: HashMap<IpAddr, usize>,
}

/// When a connection last had something to do.
#[derive(Debug)]
pub(crate) struct Activity {
    since: Instant,
    last_ms: AtomicU64,
    /// Ends the connection.
    close: CancellationToken,
}

impl Activity {
    fn new(close: CancellationToken) -> Self {
        Self { since: Instant::now(), last_ms: AtomicU64::new(0), close }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Something came in or went out.
    pub(crate) fn touch(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn idle(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)))
    }
}

/// Leaves the counts when the connection ends.
struct Admitted {
    acceptor: Arc<Acceptor>,
    id: u64,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.acceptor.open.lock();
        open.by_id.remove(&self.id);
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

impl Acceptor {
    pub(crate) fn new(
        node: Arc<Node>,
        tasks: TaskTracker,
        stopping: CancellationToken,
    ) -> Arc<Self> {
        let limit = node.config().network.max_connections.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            node,
            tasks,
            stopping,
            connections: Arc::new(Semaphore::new(limit)),
            open: Mutex::default(),
            next_id: AtomicU64::new(0),
        })
    }

    /// Accepts clients on `socket` until the broker stops.
    pub(crate) async fn accept(self: Arc<Self>, socket: TcpListener, advertised: Advertised) {
        loop {
            let next = async {
                // At max.connections others wait in the system's queue.
                let permit = Arc::clone(&self.connections).acquire_owned().await;
                (permit, socket.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                next = next => next,
                () = self.stopping.cancelled() => return,
            };
            match (permit, accepted) {
                (Ok(permit), Ok((stream, address))) => {
                    self.admit(stream, address, permit, &advertised);
                }
                (Err(_), _) => return,
                (_, Err(error)) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::select! {
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                        () = self.stopping.cancelled() => return,
                    }
                }
            }
        }
    }

    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        permit: OwnedSemaphorePermit,
        advertised: &Advertised,
    ) {
        let config = self.node.config();
        let ip = address.ip().to_canonical();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let close = self.stopping.child_token();
        let activity = Arc::new(Activity::new(close.clone()));
        {
            let mut open = self.open.lock();
            let count = open.by_address.entry(ip).or_default();
            let limit = limit_of(ip, &config.network);
            if *count >= limit {
                tracing::warn!(client = %address, limit, "connection refused: max.connections.per.ip is reached");
                if *count == 0 {
                    open.by_address.remove(&ip);
                }
                return;
            }
            *count += 1;
            open.by_id.insert(id, Arc::clone(&activity));
        }
        let admitted = Admitted { acceptor: Arc::clone(self), id, address: ip, _permit: permit };
        let peer = Peer { host: Str::from(format!("/{ip}")), advertised: advertised.clone() };
        let node = Arc::clone(&self.node);
        let max_bytes = config.network.request_max_bytes;
        self.tasks.spawn(async move {
            // Answers leave whole: waiting for more to send costs only time.
            let _ = stream.set_nodelay(true);
            let (reader, writer) = stream.into_split();
            let requests = FrameReader::new(reader, max_bytes, Some(activity));
            let ended =
                connection::serve(node, peer, requests, AnswerWriter::new(writer), close).await;
            drop(admitted);
            report(address, ended);
        });
    }

    /// Closes connections on which nothing happened for `connections.max.idle.ms`.
    pub(crate) async fn close_idle(self: Arc<Self>) {
        let Some(limit) = self.node.config().network.connections_max_idle else { return };
        let pause = (limit / 10).clamp(Duration::from_millis(100), Duration::from_secs(30));
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stopping.cancelled() => return,
            }
            let open = self.open.lock();
            for activity in open.by_id.values().filter(|activity| activity.idle() > limit) {
                activity.close.cancel();
            }
        }
    }
}

fn limit_of(ip: IpAddr, network: &NetworkConfig) -> usize {
    let text = ip.to_string();
    let overridden =
        network.max_connections_per_ip_overrides.iter().find(|(host, _)| *host == text);
    overridden.map_or(network.max_connections_per_ip, |(_, limit)| *limit)
}

/// Says once how a connection ended, as loudly as it deserves.
pub(crate) fn report(client: impl fmt::Display, ended: Result<(), ConnectionError>) {
    let Err(error) = ended else { return };
    match error {
        // Clients come and go.
        ConnectionError::Read(ReadError::Io(_) | ReadError::Cut) | ConnectionError::Write(_) => {
            tracing::debug!(%client, %error, "connection lost");
        }
        ConnectionError::Unanswerable => {
            tracing::info!(%client, %error, "connection closed");
        }
        ConnectionError::Panicked { .. } => {
            tracing::error!(%client, %error, "connection closed");
        }
        _ => tracing::warn!(%client, %error, "connection closed"),
    }
}

//! Sockets for HTTP, of the registry and of the REST proxy: how a setting names
//! them, and how they are opened.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use protocol::config_def::ConfigReader;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted, per listener.
const BACKLOG: i32 = 1024;

/// One socket that a server listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpListener {
    /// Address or host name to bind, without brackets; empty for every address.
    pub host: String,
    /// Port to bind; 0 for any free one.
    pub port: u16,
}

impl HttpListener {
    /// The listeners that the setting `urls` lists; without any, `port` of every address.
    pub fn read(reader: &mut ConfigReader<'_>, urls: &str, port: &str) -> Vec<Self> {
        let listed = reader.list(urls);
        if listed.is_empty() {
            let port = u16::try_from(reader.int(port)).unwrap_or(0);
            return vec![Self { host: String::new(), port }];
        }
        let mut listeners = Vec::new();
        for url in listed {
            match parse(&url) {
                Ok(listener) => listeners.push(listener),
                Err(message) => reader.invalid(urls, message),
            }
        }
        listeners
    }

    /// Sockets for one self. None where the machine does not have the address,
    /// which is no reason not to listen on others: `::1` is missing without IPv6.
    ///
    /// # Errors
    /// When an address cannot be had; the error names `setting`.
    pub fn bind(&self, setting: &str) -> io::Result<Vec<TcpListener>> {
        let explain = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {self} ({setting}): {error}"))
        };
        if self.host.is_empty() {
            let any = |address: IpAddr| open(SocketAddr::new(address, self.port), false);
            let socket =
                any(Ipv6Addr::UNSPECIFIED.into()).or_else(|_| any(Ipv4Addr::UNSPECIFIED.into()));
            return Ok(vec![socket.map_err(explain)?]);
        }
        let addresses = (self.host.as_str(), self.port).to_socket_addrs().map_err(explain)?;
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
}

impl fmt::Display for HttpListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            host if host.contains(':') => write!(formatter, "http://[{host}]:{}", self.port),
            host => write!(formatter, "http://{host}:{}", self.port),
        }
    }
}

fn parse(url: &str) -> Result<HttpListener, String> {
    let wrong = || format!("{url} is not http://host:port");
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" => {}
        "https" => return Err(format!("{url} needs TLS, which is not supported yet")),
        _ => return Err(wrong()),
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => address,
        Some(_) => return Err(wrong()),
        None if host.contains([':', '/', '[', ']', ' ', '@']) => return Err(wrong()),
        None => host,
    };
    Ok(HttpListener { host: host.to_owned(), port: port.parse().map_err(|_| wrong())? })
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

//! `registry.listeners`.

use std::fmt;
use std::net::Ipv6Addr;

use protocol::config_def::ConfigReader;

/// One socket that the registry listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpListener {
    /// Address or host name to bind, without brackets; empty for every address.
    pub host: String,
    /// Port to bind; 0 for any free one.
    pub port: u16,
}

impl fmt::Display for HttpListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            host if host.contains(':') => write!(formatter, "http://[{host}]:{}", self.port),
            host => write!(formatter, "http://{host}:{}", self.port),
        }
    }
}

pub(super) fn read(reader: &mut ConfigReader<'_>) -> Vec<HttpListener> {
    let urls = reader.list("registry.listeners");
    if urls.is_empty() {
        let port = u16::try_from(reader.int("registry.port")).unwrap_or(0);
        return vec![HttpListener { host: String::new(), port }];
    }
    let mut listeners = Vec::new();
    for url in urls {
        match parse(&url) {
            Ok(listener) => listeners.push(listener),
            Err(message) => reader.invalid("registry.listeners", message),
        }
    }
    listeners
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

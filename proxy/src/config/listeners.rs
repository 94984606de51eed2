//! `rest.listeners` and `rest.advertised.listeners`.

use std::fmt;
use std::net::Ipv6Addr;

use protocol::config_def::ConfigReader;

/// One socket that the REST proxy listens on.
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

/// What links start with, for requests of one scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedUrl {
    /// `http` or `https`.
    pub scheme: String,
    /// `host` or `host:port`, as in a URL.
    pub authority: String,
}

pub(super) fn read(reader: &mut ConfigReader<'_>) -> Vec<HttpListener> {
    let urls = reader.list("rest.listeners");
    if urls.is_empty() {
        let port = u16::try_from(reader.int("rest.port")).unwrap_or(0);
        return vec![HttpListener { host: String::new(), port }];
    }
    let mut listeners = Vec::new();
    for url in urls {
        match parse_listener(&url) {
            Ok(listener) => listeners.push(listener),
            Err(message) => reader.invalid("rest.listeners", message),
        }
    }
    listeners
}

fn parse_listener(url: &str) -> Result<HttpListener, String> {
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

pub(super) fn read_advertised(reader: &mut ConfigReader<'_>) -> Vec<AdvertisedUrl> {
    let mut advertised = Vec::new();
    for url in reader.list("rest.advertised.listeners") {
        let parts = url.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        match parts {
            Some((scheme, rest)) if matches!(scheme.as_str(), "http" | "https") => {
                let authority = rest.trim_end_matches('/');
                if authority.is_empty() || authority.contains(['/', ' ', '@']) {
                    reader.invalid(
                        "rest.advertised.listeners",
                        format!("{url} is not http://host:port"),
                    );
                } else {
                    advertised.push(AdvertisedUrl { scheme, authority: authority.to_owned() });
                }
            }
            _ => reader
                .invalid("rest.advertised.listeners", format!("{url} is not http://host:port")),
        }
    }
    advertised
}

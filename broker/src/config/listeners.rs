//! `listeners`, `advertised.listeners` and the security protocol of each.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;

use protocol::config_def::ConfigReader;

/// How the bytes of a listener are protected and its clients identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Some(Self::Plaintext),
            "SSL" => Some(Self::Ssl),
            "SASL_PLAINTEXT" => Some(Self::SaslPlaintext),
            "SASL_SSL" => Some(Self::SaslSsl),
            _ => None,
        }
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        })
    }
}

/// One socket that the broker listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Name in upper case, as in `listeners`.
    pub name: String,
    /// Address or host name to bind, without brackets; empty for every address.
    pub host: String,
    /// Port to bind; 0 for any free one.
    pub port: u16,
    /// Always [`SecurityProtocol::Plaintext`] until the broker has TLS and SASL.
    pub protocol: SecurityProtocol,
}

impl fmt::Display for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.name, authority(&self.host, self.port))
    }
}

/// Where clients of the listeners of one name are told to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedListener {
    /// Name of the listeners, in upper case.
    pub name: String,
    /// Host that clients connect to, without brackets; never empty.
    pub host: String,
    /// Port that clients connect to; 0 for the one that was bound.
    pub port: u16,
}

/// `host:port`, with brackets around an IPv6 address.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Reads the listeners of brokers and what they advertise. Listeners of
/// controllers are left out.
pub(super) fn read(reader: &mut ConfigReader<'_>) -> (Vec<Listener>, Vec<AdvertisedListener>) {
    let controllers: Vec<String> = reader
        .list("controller.listener.names")
        .into_iter()
        .map(|name| name.to_ascii_uppercase())
        .collect();
    let protocols = read_protocols(reader);
    let mut listeners: Vec<Listener> = Vec::new();
    let (setting, endpoints) = read_bound_endpoints(reader);
    for endpoint in endpoints {
        if controllers.contains(&endpoint.name) {
            continue;
        }
        let protocol = match protocols.get(&endpoint.name) {
            Some(SecurityProtocol::Plaintext) => SecurityProtocol::Plaintext,
            Some(other) => {
                reader.invalid(
                    setting,
                    format!(
                        "listener {} has the security protocol {other} (listener.security.protocol.map), \
                         and only PLAINTEXT is supported so far",
                        endpoint.name
                    ),
                );
                continue;
            }
            None => {
                reader.invalid(
                    setting,
                    format!(
                        "listener.security.protocol.map has no security protocol for listener {}",
                        endpoint.name
                    ),
                );
                continue;
            }
        };
        let Endpoint { name, host, port } = endpoint;
        listeners.push(Listener { name, host, port, protocol });
    }
    check_distinct(reader, setting, &listeners);
    if listeners.is_empty() && !reader.is_refused(setting) {
        reader.invalid(setting, "there is no listener for clients");
    }
    let advertised = read_advertised(reader, &listeners, &controllers);
    (listeners, advertised)
}

fn read_protocols(reader: &mut ConfigReader<'_>) -> BTreeMap<String, SecurityProtocol> {
    let map = reader.text("listener.security.protocol.map");
    let mut protocols = BTreeMap::new();
    for entry in map.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let parsed = entry.split_once(':').and_then(|(name, protocol)| {
            Some((name.trim(), SecurityProtocol::from_name(protocol.trim())?))
        });
        match parsed {
            Some((name, protocol)) => {
                protocols.insert(name.to_ascii_uppercase(), protocol);
            }
            None => reader.invalid(
                "listener.security.protocol.map",
                format!("{entry} is not NAME:PROTOCOL with one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
            ),
        }
    }
    protocols
}

#[derive(Debug, PartialEq, Eq)]
struct Endpoint {
    name: String,
    host: String,
    port: u16,
}

/// What `listeners` says. Where only `advertised.listeners` is set, as most
/// container recipes do, its ports are opened on every address: Confluent's
/// container image derives the listeners in the same way. Also gives the name
/// of the setting that was read.
fn read_bound_endpoints(reader: &mut ConfigReader<'_>) -> (&'static str, Vec<Endpoint>) {
    if reader.is_set("listeners") || !reader.is_set("advertised.listeners") {
        return ("listeners", read_endpoints(reader, "listeners"));
    }
    let mut endpoints = read_endpoints(reader, "advertised.listeners");
    endpoints.iter_mut().for_each(|endpoint| endpoint.host.clear());
    ("advertised.listeners", endpoints)
}

fn read_endpoints(reader: &mut ConfigReader<'_>, setting: &str) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for text in reader.list(setting) {
        match parse_endpoint(&text) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(message) => reader.invalid(setting, message),
        }
    }
    endpoints
}

fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    let wrong = || format!("{text} is not NAME://host:port");
    let (name, rest) = text.split_once("://").ok_or_else(wrong)?;
    if name.eq_ignore_ascii_case("http") || name.eq_ignore_ascii_case("https") {
        return Err(format!("{text} is a listener of the REST proxy, use rest.listeners"));
    }
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !is_name {
        return Err(wrong());
    }
    let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => address,
        Some(_) => return Err(wrong()),
        None if host.contains([':', '/', '[', ']', ' ']) => return Err(wrong()),
        None => host,
    };
    let port = port.parse().map_err(|_| wrong())?;
    Ok(Endpoint { name: name.to_ascii_uppercase(), host: host.to_owned(), port })
}

/// A name may appear twice only as one IPv4 and one IPv6 listener; a port on
/// one host only once.
fn check_distinct(reader: &mut ConfigReader<'_>, setting: &str, listeners: &[Listener]) {
    for (index, listener) in listeners.iter().enumerate() {
        for other in listeners.iter().skip(index + 1) {
            let both_families = listener.host.contains(':') != other.host.contains(':');
            if listener.name == other.name && !both_families {
                reader.invalid(
                    setting,
                    format!("each listener needs a name of its own, {} repeats", listener.name),
                );
            } else if listener.port == other.port
                && listener.port != 0
                && listener.host == other.host
            {
                reader.invalid(
                    setting,
                    format!("each listener needs a port of its own, {} repeats", listener.port),
                );
            }
        }
    }
}

fn read_advertised(
    reader: &mut ConfigReader<'_>,
    listeners: &[Listener],
    controllers: &[String],
) -> Vec<AdvertisedListener> {
    let mut advertised: Vec<AdvertisedListener> = Vec::new();
    if reader.is_set("advertised.listeners") {
        for Endpoint { name, host, port } in read_endpoints(reader, "advertised.listeners") {
            if controllers.contains(&name) {
                continue;
            }
            if !listeners.iter().any(|listener| listener.name == name)
                && !reader.is_refused("listeners")
            {
                reader.invalid(
                    "advertised.listeners",
                    format!("listener {name} is not one of listeners"),
                );
            } else if is_every_address(&host) {
                reader.invalid(
                    "advertised.listeners",
                    format!("clients cannot connect to {host:?}: name a host that they can reach"),
                );
            } else if !advertised.iter().any(|known| known.name == name) {
                advertised.push(AdvertisedListener { name, host, port });
            }
        }
    }
    for listener in listeners {
        if !advertised.iter().any(|known| known.name == listener.name) {
            let host = if is_every_address(&listener.host) {
                machine_name()
            } else {
                listener.host.clone()
            };
            advertised.push(AdvertisedListener {
                name: listener.name.clone(),
                host,
                port: listener.port,
            });
        }
    }
    advertised
}

fn is_every_address(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::")
}

/// The name of this machine, which Kafka too advertises for a listener on
/// every address.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use protocol::config_def::ConfigValues;

    use crate::config::Config;

    fn with(settings: &[(&str, &str)]) -> Result<Config, String> {
        let values: ConfigValues = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::from_values(values)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    fn shown(config: &Config) -> (Vec<String>, Vec<String>) {
        let listeners = config.listeners.iter().map(ToString::to_string).collect();
        let advertised = config
            .advertised_listeners
            .iter()
            .map(|listener| {
                format!("{}://{}", listener.name, super::authority(&listener.host, listener.port))
            })
            .collect();
        (listeners, advertised)
    }

    #[test]
    fn the_default_is_the_loopback_address_of_both_families() {
        let (listeners, advertised) = shown(&with(&[]).unwrap());
        assert_eq!(listeners, ["PLAINTEXT://127.0.0.1:9092", "PLAINTEXT://[::1]:9092"]);
        assert_eq!(advertised, ["PLAINTEXT://127.0.0.1:9092"]);
    }

    #[test]
    fn listeners_of_controllers_are_left_out() {
        let config = with(&[
            ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
            ("advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"),
        ]);
        let (listeners, advertised) = shown(&config.unwrap());
        assert_eq!(listeners, ["PLAINTEXT://localhost:9092"]);
        assert_eq!(advertised, ["PLAINTEXT://localhost:9092"]);
    }

    #[test]
    fn container_listeners_for_inside_and_outside_work() {
        let config = with(&[
            ("listeners", "INTERNAL://0.0.0.0:29092,EXTERNAL://:9092"),
            ("advertised.listeners", "INTERNAL://kafka:29092,external://127.0.0.1:19092"),
            ("listener.security.protocol.map", "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT"),
        ]);
        let (listeners, advertised) = shown(&config.unwrap());
        assert_eq!(listeners, ["INTERNAL://0.0.0.0:29092", "EXTERNAL://:9092"]);
        assert_eq!(advertised, ["INTERNAL://kafka:29092", "EXTERNAL://127.0.0.1:19092"]);
    }

    #[test]
    fn the_ports_of_advertised_listeners_are_opened_when_nothing_else_is_said() {
        let config = with(&[
            ("advertised.listeners", "PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092"),
            (
                "listener.security.protocol.map",
                "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
            ),
        ]);
        let (listeners, advertised) = shown(&config.unwrap());
        assert_eq!(listeners, ["PLAINTEXT://:29092", "PLAINTEXT_HOST://:9092"]);
        assert_eq!(advertised, ["PLAINTEXT://broker:29092", "PLAINTEXT_HOST://localhost:9092"]);
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused_by_name() {
        for (settings, expected) in [
            (&[("listeners", "http://0.0.0.0:8082")][..], "use rest.listeners"),
            (
                &[("listeners", "SASL_SSL://:9092")],
                "listener SASL_SSL has the security protocol SASL_SSL",
            ),
            (
                &[("listeners", "INSIDE://:9092")],
                "listener.security.protocol.map has no security protocol for",
            ),
            (&[("listeners", "localhost:9092")], "localhost:9092 is not NAME://host:port"),
            (&[("listeners", "PLAINTEXT://::1:9092")], "is not NAME://host:port"),
            (&[("listeners", "PLAINTEXT://:99999")], "is not NAME://host:port"),
            (&[("listeners", "PLAINTEXT://:1,PLAINTEXT://:2")], "PLAINTEXT repeats"),
            (
                &[("advertised.listeners", "PLAINTEXT://0.0.0.0:9092")],
                "clients cannot connect to \"0.0.0.0\"",
            ),
            (
                &[("advertised.listeners", "OTHER://host:9092")],
                "listener OTHER is not one of listeners",
            ),
            (&[("listener.security.protocol.map", "PLAINTEXT")], "PLAINTEXT is not NAME:PROTOCOL"),
        ] {
            let error = with(settings).unwrap_err();
            assert!(error.contains(expected), "{settings:?}: {error}");
        }
    }
}

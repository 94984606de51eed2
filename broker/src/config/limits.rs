//! How much the broker takes from the network at a time.

use std::time::Duration;

use protocol::config_def::ConfigReader;

/// Sockets, connections and requests.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfig {
    /// Connections that may wait to be accepted (`socket.listen.backlog.size`).
    pub listen_backlog: i32,
    /// `SO_SNDBUF`; `None` leaves it to the system.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF`; `None` leaves it to the system.
    pub receive_buffer_bytes: Option<usize>,
    /// The largest request frame (`socket.request.max.bytes`).
    pub request_max_bytes: usize,
    /// Open connections (`max.connections`).
    pub max_connections: usize,
    /// Open connections of one address (`max.connections.per.ip`).
    pub max_connections_per_ip: usize,
    /// Hosts and their own limit (`max.connections.per.ip.overrides`).
    pub max_connections_per_ip_overrides: Vec<(String, usize)>,
    /// Connections accepted a second (`max.connection.creation.rate`).
    pub max_connection_creation_rate: usize,
    /// A connection is closed after this long without traffic; `None` means never.
    pub connections_max_idle: Option<Duration>,
    /// Requests in hand (`queued.max.requests`).
    pub queued_max_requests: usize,
    /// Bytes of requests in memory; `None` means no limit.
    pub queued_max_request_bytes: Option<usize>,
}

impl NetworkConfig {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let overrides = reader.text("max.connections.per.ip.overrides");
        let idle = reader.integer("connections.max.idle.ms");
        let config = Self {
            listen_backlog: reader.int("socket.listen.backlog.size"),
            send_buffer_bytes: usize::try_from(reader.integer("socket.send.buffer.bytes")).ok(),
            receive_buffer_bytes: usize::try_from(reader.integer("socket.receive.buffer.bytes"))
                .ok(),
            request_max_bytes: reader.size("socket.request.max.bytes"),
            max_connections: reader.size("max.connections"),
            max_connections_per_ip: reader.size("max.connections.per.ip"),
            max_connections_per_ip_overrides: parse_overrides(&overrides).unwrap_or_default(),
            max_connection_creation_rate: reader.size("max.connection.creation.rate"),
            connections_max_idle: u64::try_from(idle).ok().map(Duration::from_millis),
            queued_max_requests: reader.size("queued.max.requests"),
            queued_max_request_bytes: Some(reader.size("queued.max.request.bytes"))
                .filter(|bytes| *bytes > 0),
        };
        if config.queued_max_request_bytes.is_some_and(|bytes| bytes < config.request_max_bytes) {
            reader.conflict(format!(
                "queued.max.request.bytes is smaller than socket.request.max.bytes ({}): \
                 the largest request could never be read",
                config.request_max_bytes
            ));
        }
        config
    }
}

/// Whether the text is one that `max.connections.per.ip.overrides` takes.
pub(super) fn check_overrides(text: &str) -> Result<(), String> {
    parse_overrides(text).map(|_| ())
}

/// `host:count` pairs. Hosts may be IPv6 addresses, so the last colon counts.
fn parse_overrides(text: &str) -> Result<Vec<(String, usize)>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let (host, count) =
                entry.rsplit_once(':').ok_or_else(|| format!("{entry} is not host:count"))?;
            let count = count.parse().map_err(|_| format!("{entry} is not host:count"))?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Ok((host.to_owned(), count))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_name_a_host_and_a_count() {
        let limits = parse_overrides("localhost:10, 192.168.0.1:5,[::1]:7").unwrap();
        assert_eq!(
            limits,
            [("localhost".to_owned(), 10), ("192.168.0.1".to_owned(), 5), ("::1".to_owned(), 7)]
        );
        assert_eq!(parse_overrides(""), Ok(vec![]));
        assert_eq!(parse_overrides("localhost"), Err("localhost is not host:count".to_owned()));
    }
}

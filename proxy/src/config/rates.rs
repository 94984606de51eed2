//! Rate limits of the REST proxy.

use std::time::Duration;

use protocol::config_def::ConfigReader;

/// How fast API v3 takes records (`api.v3.produce.rate.limit.*`).
#[derive(Clone, Debug, PartialEq)]
pub struct ProduceRateLimit {
    /// Whether there is a limit.
    pub enabled: bool,
    /// Records a second for one cluster.
    pub records_per_second: u32,
    /// Records a second in all.
    pub records_per_second_global: u32,
    /// Bytes of JSON a second for one cluster.
    pub bytes_per_second: u32,
    /// Bytes of JSON a second in all.
    pub bytes_per_second_global: u32,
    /// A cluster's count is forgotten after this long without records.
    pub cache_expiry: Duration,
}

/// How many requests other than produce in API v3 are taken (`rate.limit.*`).
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRateLimit {
    /// Whether there is a limit.
    pub enabled: bool,
    /// Permits a second in all.
    pub permits_per_second: u32,
    /// Permits a second for one cluster.
    pub permits_per_second_per_cluster: u32,
    /// Permits that a request costs.
    pub default_cost: u32,
    /// Endpoint names, which may end in `.*`, and what their requests cost.
    pub costs: Vec<(String, u32)>,
    /// How long a request waits for permits.
    pub wait: Duration,
}

/// How many requests one client address may send (`dos.filter.*`).
#[derive(Clone, Debug, PartialEq)]
pub struct AddressRateLimit {
    /// Whether there is a limit.
    pub enabled: bool,
    /// Requests a second of one address.
    pub requests_per_second: u32,
}

impl ProduceRateLimit {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        Self {
            enabled: reader.boolean("api.v3.produce.rate.limit.enabled"),
            records_per_second: unsigned(reader, "api.v3.produce.rate.limit.max.requests.per.sec"),
            records_per_second_global: unsigned(
                reader,
                "api.v3.produce.rate.limit.max.requests.global.per.sec",
            ),
            bytes_per_second: unsigned(reader, "api.v3.produce.rate.limit.max.bytes.per.sec"),
            bytes_per_second_global: unsigned(
                reader,
                "api.v3.produce.rate.limit.max.bytes.global.per.sec",
            ),
            cache_expiry: reader.millis("api.v3.produce.rate.limit.cache.expiry.ms"),
        }
    }
}

impl RequestRateLimit {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        let costs = reader.text("rate.limit.costs");
        Self {
            enabled: reader.boolean("rate.limit.enable"),
            permits_per_second: unsigned(reader, "rate.limit.permits.per.sec"),
            permits_per_second_per_cluster: unsigned(
                reader,
                "rate.limit.per.cluster.permits.per.sec",
            ),
            default_cost: unsigned(reader, "rate.limit.default.cost"),
            costs: parse_costs(&costs).unwrap_or_default(),
            wait: reader.millis("rate.limit.timeout.ms"),
        }
    }
}

impl AddressRateLimit {
    pub(super) fn read(reader: &mut ConfigReader<'_>) -> Self {
        Self {
            enabled: reader.boolean("dos.filter.enabled"),
            requests_per_second: unsigned(reader, "dos.filter.max.requests.per.sec"),
        }
    }
}

fn unsigned(reader: &mut ConfigReader<'_>, name: &str) -> u32 {
    u32::try_from(reader.int(name)).unwrap_or(0)
}

/// Whether the text is one that `rate.limit.costs` takes.
pub(super) fn check_costs(text: &str) -> Result<(), String> {
    parse_costs(text).map(|_| ())
}

fn parse_costs(text: &str) -> Result<Vec<(String, u32)>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let wrong = || format!("{entry} is not endpoint=cost");
            let (endpoint, cost) = entry.split_once('=').ok_or_else(wrong)?;
            Ok((endpoint.trim().to_owned(), cost.trim().parse().map_err(|_| wrong())?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_name_an_endpoint_and_a_number() {
        let costs = parse_costs("api.v3.clusters.*=1, api.v3.brokers.list=2").unwrap();
        assert_eq!(
            costs,
            [("api.v3.clusters.*".to_owned(), 1), ("api.v3.brokers.list".to_owned(), 2)]
        );
        assert_eq!(
            parse_costs("api.v3.clusters"),
            Err("api.v3.clusters is not endpoint=cost".to_owned())
        );
    }
}

//! `rest.advertised.listeners`.

use protocol::config_def::ConfigReader;

/// What links start with, for requests of one scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedUrl {
    /// `http` or `https`.
    pub scheme: String,
    /// `host` or `host:port`, as in a URL.
    pub authority: String,
}

pub(super) fn read(reader: &mut ConfigReader<'_>) -> Vec<AdvertisedUrl> {
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

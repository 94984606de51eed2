//! Absolute URLs in answers.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

use crate::Config;

/// The URL of this proxy as the sender of the request should know it, without
/// a slash at its end. In the order of precedence: `rest.advertised.listeners`
/// of the request's scheme, `rest.host.name`, the Host header.
///
/// Scheme and host are those of the request, or what forwarding headers say
/// where they are trusted.
pub(crate) fn base_url(config: &Config, request: &HttpRequest) -> String {
    let asked = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let mut origin = Origin {
        scheme: "http".to_owned(),
        authority: match asked {
            // It may be empty, for URLs without a host.
            Some(host) if !host.is_empty() => host.to_owned(),
            _ => request.app_config().host().to_owned(),
        },
    };
    if config.trust_forwarded_headers {
        origin.follow_forwarding(request.headers());
    }
    origin.url(config)
}

/// Where a request was sent to.
#[derive(Debug)]
struct Origin {
    scheme: String,
    /// `host` or `host:port`.
    authority: String,
}

impl Origin {
    fn url(&self, config: &Config) -> String {
        let Self { scheme, authority } = self;
        if let Some(url) = config.advertised_listeners.iter().find(|url| url.scheme == *scheme) {
            return format!("{scheme}://{}", url.authority);
        }
        if config.host_name.is_empty() {
            return format!("{scheme}://{authority}");
        }
        match port(authority) {
            None => format!("{scheme}://{}", config.host_name),
            Some(asked) => {
                // All our listeners are http.
                let listener = config.listeners.first().filter(|_| scheme == "http");
                let port = match listener.map(|listener| listener.port) {
                    // Any free one; the sender knows which.
                    Some(0) => asked.to_owned(),
                    Some(port) => port.to_string(),
                    None => config.port.to_string(),
                };
                format!("{scheme}://{}:{port}", config.host_name)
            }
        }
    }

    /// `Forwarded` (RFC 7239) or, without it, the `X-Forwarded-…` headers.
    fn follow_forwarding(&mut self, headers: &HeaderMap) {
        // The first entry is that of the proxy nearest to the client.
        let first = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
        };
        if let Some(forwarded) = first("forwarded") {
            for (name, value) in forwarded.split(';').filter_map(|pair| pair.split_once('=')) {
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "proto" => self.scheme = value.to_ascii_lowercase(),
                    "host" => self.authority = value.to_owned(),
                    _ => {}
                }
            }
            return;
        }
        if let Some(scheme) = first("x-forwarded-proto") {
            self.scheme = scheme.to_ascii_lowercase();
        }
        if let Some(host) = first("x-forwarded-host") {
            self.authority = host.to_owned();
        }
        if let Some(port_of_proxy) = first("x-forwarded-port") {
            let end = self.authority.len() - port(&self.authority).map_or(0, |port| port.len() + 1);
            self.authority.truncate(end);
            if !matches!((self.scheme.as_str(), port_of_proxy), ("http", "80") | ("https", "443")) {
                self.authority.push(':');
                self.authority.push_str(port_of_proxy);
            }
        }
    }
}

/// The port of `host:port`; the colons of an IPv6 address in brackets are none.
fn port(authority: &str) -> Option<&str> {
    let (_, port) = authority.rsplit_once(':')?;
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(port)
}

/// Appends a name as a segment of a path: what cannot stand there is escaped.
pub(crate) fn push_segment(name: &str, url: &mut String) {
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => url.push(byte.into()),
            // What else may stand in a segment (RFC 3986).
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+'
            | b',' | b';' | b'=' | b':' | b'@' => url.push(byte.into()),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use protocol::config_def::ConfigValues;

    use super::*;

    fn url(settings: &[(&str, &str)], headers: &[(&'static str, &'static str)]) -> String {
        let values: ConfigValues =
            settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let config = Config::from_values(&values).unwrap();
        let mut request = TestRequest::default();
        for &header in headers {
            request = request.append_header(header);
        }
        base_url(&config, &request.to_http_request())
    }

    const HOST: (&str, &str) = ("Host", "proxy:8082");

    #[test]
    fn the_host_is_the_one_that_was_asked_unless_settings_say_another() {
        const LISTENERS: (&str, &str) = ("rest.listeners", "http://0.0.0.0:9000");
        const NAME: (&str, &str) = ("rest.host.name", "named");
        for (case, settings, headers, expected) in [
            ("Host header", vec![], vec![HOST], "http://proxy:8082"),
            ("no port", vec![], vec![("Host", "proxy")], "http://proxy"),
            ("no host", vec![], vec![], "http://localhost:8080"),
            ("empty host", vec![], vec![("Host", "")], "http://localhost:8080"),
            ("host name", vec![NAME, LISTENERS], vec![HOST], "http://named:9000"),
            ("host name, no port", vec![NAME, LISTENERS], vec![("Host", "proxy")], "http://named"),
            (
                "host name, any port",
                vec![NAME, ("rest.listeners", "http://127.0.0.1:0")],
                vec![HOST],
                "http://named:8082",
            ),
            (
                "advertised",
                vec![NAME, ("rest.advertised.listeners", "https://tls:1,http://plain:2")],
                vec![HOST],
                "http://plain:2",
            ),
            (
                "advertised for another scheme",
                vec![("rest.advertised.listeners", "https://tls:1")],
                vec![HOST],
                "http://proxy:8082",
            ),
            ("IPv6", vec![NAME, LISTENERS], vec![("Host", "[::1]")], "http://named"),
        ] {
            assert_eq!(url(&settings, &headers), expected, "{case}");
        }
    }

    #[test]
    fn forwarding_headers_count_where_they_are_trusted() {
        const TRUST: (&str, &str) = ("network.forwarded.request.customizer.enable", "true");
        let forwarded = [HOST, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "outside")];
        assert_eq!(url(&[], &forwarded), "http://proxy:8082");
        assert_eq!(url(&[TRUST], &forwarded), "https://outside");
        let with_port = [HOST, ("X-Forwarded-Host", "outside:1"), ("X-Forwarded-Port", "8443")];
        assert_eq!(url(&[TRUST], &with_port), "http://outside:8443");
        let with_default = [HOST, ("X-Forwarded-Port", "80")];
        assert_eq!(url(&[TRUST], &with_default), "http://proxy");
        let standard =
            [HOST, ("Forwarded", "for=1.2.3.4;proto=HTTPS;host=\"outside:1\", proto=http")];
        assert_eq!(url(&[TRUST], &standard), "https://outside:1");
        let advertised = ("rest.advertised.listeners", "https://tls:1");
        assert_eq!(url(&[TRUST, advertised], &standard), "https://tls:1");
    }

    #[test]
    fn names_are_escaped_where_a_path_would_end() {
        let mut url = "/".to_owned();
        push_segment("a b/c?d%é-_.~@", &mut url);
        assert_eq!(url, "/a%20b%2Fc%3Fd%25%C3%A9-_.~@");
    }
}

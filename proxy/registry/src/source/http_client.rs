//! Calls of a registry's HTTP API. They block; connections are kept.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use ureq::http::Request;
use ureq::tls::{Certificate, ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};

use super::SourceError;

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;
/// How a private key begins that only a password opens.
const ENCRYPTED_KEY: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY";
/// The most of an answer that is no registry's, in an error message.
const SHOWN_AT_MOST: usize = 200;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[hidden]")
    }
}

/// What a file of certificates and keys holds, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(pub Vec<u8>);

impl fmt::Debug for Pem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[hidden]")
    }
}

/// How to reach a registry.
#[derive(Debug, Clone)]
pub struct HttpClientConfig {
    /// Where it is; when one address does not answer, the next one is asked.
    /// `user:password@` in front of the host is taken for `user_info`.
    pub urls: Vec<String>,
    /// `user:password` for basic authentication.
    pub user_info: Option<Secret>,
    /// For bearer authentication.
    pub bearer_token: Option<Secret>,
    /// Certificates (PEM) that sign its own; without, those that the system trusts.
    pub trusted_certificates: Option<Vec<u8>>,
    /// Certificates (PEM) of this side, its own first, and their private key,
    /// which must not be encrypted.
    pub own_certificates: Option<Pem>,
    pub connect_timeout: Duration,
    /// The longest wait for an answer, from the call on.
    pub timeout: Duration,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            user_info: None,
            bearer_token: None,
            trusted_certificates: None,
            own_certificates: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
        }
    }
}

/// See the module.
pub struct HttpClient {
    agent: ureq::Agent,
    servers: Vec<Server>,
    /// The one that answered last.
    current: AtomicUsize,
}

struct Server {
    url: String,
    authorization: Option<Secret>,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<&str> = self.servers.iter().map(|server| server.url.as_str()).collect();
        formatter.debug_struct("HttpClient").field("urls", &urls).finish_non_exhaustive()
    }
}

/// The body of an error.
#[derive(Deserialize)]
struct ErrorBody {
    error_code: u32,
    message: Option<String>,
}

impl HttpClient {
    /// # Errors
    /// When an address or a certificate is none, in one sentence.
    pub fn new(config: &HttpClientConfig) -> Result<Self, String> {
        let mut servers = Vec::new();
        for url in &config.urls {
            servers.push(Server::new(url, config)?);
        }
        if servers.is_empty() {
            return Err("no address of a Schema Registry is given".to_owned());
        }
        let mut tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        tls = tls.root_certs(match &config.trusted_certificates {
            Some(pem) => RootCerts::new_with_certs(&certificates(pem)?),
            None => RootCerts::PlatformVerifier,
        });
        if let Some(Pem(pem)) = &config.own_certificates {
            tls = tls.client_cert(Some(own_certificates(pem)?));
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(3)
            .timeout_connect(Some(config.connect_timeout))
            .timeout_global(Some(config.timeout))
            .max_idle_age(Duration::from_secs(10))
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: agent.into(), servers, current: AtomicUsize::new(0) })
    }

    /// Calls `method` of `path`, which begins with a slash. What it answers with
    /// a status below 400 is the outcome.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Vec<u8>, SourceError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut failure = String::new();
        for step in 0..self.servers.len() {
            let index = (first + step) % self.servers.len();
            let Some(server) = self.servers.get(index) else { continue };
            match self.call_server(server, method, path, body) {
                Ok((status, answer)) => {
                    self.current.store(index, Ordering::Relaxed);
                    return outcome(&server.url, status, answer);
                }
                Err(error) => {
                    failure =
                        format!("cannot reach the Schema Registry at {}: {error}", server.url);
                }
            }
        }
        Err(SourceError::Unavailable(failure))
    }

    fn call_server(
        &self,
        server: &Server,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<(u16, Vec<u8>), ureq::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", server.url))
            .header("Accept", format!("{MEDIA_TYPE}, application/json; q=0.5"));
        if let Some(Secret(authorization)) = &server.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut answer = match body {
            Some(body) => self.agent.run(request.header("Content-Type", MEDIA_TYPE).body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let status = answer.status().as_u16();
        Ok((status, answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?))
    }
}

impl Server {
    fn new(url: &str, config: &HttpClientConfig) -> Result<Self, String> {
        let wrong = || format!("{url} is not an http or https URL");
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(wrong)?;
        if !matches!(scheme, "http" | "https") {
            return Err(wrong());
        }
        let rest = rest.trim_end_matches('/');
        let host = rest.split('/').next().unwrap_or_default();
        let (in_url, rest) = match host.rsplit_once('@') {
            Some((user_info, _)) => (
                Some(percent_decoded(user_info)),
                rest.get(user_info.len() + 1..).unwrap_or_default(),
            ),
            None => (None, rest),
        };
        if rest.is_empty() || rest.starts_with('/') {
            return Err(wrong());
        }
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
        let given = config.user_info.as_ref().map(|Secret(text)| text.as_str());
        let bearer = config.bearer_token.as_ref().map(|Secret(token)| format!("Bearer {token}"));
        let authorization = given.or(in_url.as_deref()).map(basic).or(bearer).map(Secret);
        Ok(Self { url: format!("{scheme}://{rest}"), authorization })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(format!("the trusted certificates are not PEM: {error}")),
        }
    }
    if certificates.is_empty() {
        return Err("there is no certificate (PEM) among the trusted ones".to_owned());
    }
    Ok(certificates)
}

fn own_certificates(pem: &[u8]) -> Result<ClientCert, String> {
    let mut certificates = Vec::new();
    let mut key = None;
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(PemItem::PrivateKey(found)) => key = Some(found),
            Ok(_) => {}
            Err(error) => {
                return Err(format!("the certificates of this side are not PEM: {error}"));
            }
        }
    }
    if certificates.is_empty() {
        return Err("there is no certificate (PEM) of this side".to_owned());
    }
    let Some(key) = key else {
        let is_encrypted = pem.windows(ENCRYPTED_KEY.len()).any(|text| text == ENCRYPTED_KEY);
        return Err(match is_encrypted {
            true => "the private key of this side is encrypted; decrypt it with openssl pkey",
            false => "there is no private key (PEM) beside the certificate of this side",
        }
        .to_owned());
    };
    // A key that does not belong to the certificate would show at the first call only.
    let der: Vec<_> =
        certificates.iter().map(|certificate| certificate.der().to_vec().into()).collect();
    let wrong =
        |problem: &str| format!("the certificate and the private key of this side: {problem}");
    let private = PrivateKeyDer::try_from(key.der().to_vec()).map_err(wrong)?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(der, private, &provider).map_err(|error| wrong(&error.to_string()))?;
    Ok(ClientCert::new_with_certs(&certificates, key))
}

fn outcome(url: &str, status: u16, answer: Vec<u8>) -> Result<Vec<u8>, SourceError> {
    if status < 300 {
        return Ok(answer);
    }
    match serde_json::from_slice::<ErrorBody>(&answer) {
        Ok(ErrorBody { error_code, message }) => {
            Err(SourceError::Refused { code: error_code, message: message.unwrap_or_default() })
        }
        Err(_) => {
            let text = String::from_utf8_lossy(&answer);
            let text: String = text.chars().take(SHOWN_AT_MOST).collect();
            Err(SourceError::Unavailable(format!("{url} answered with status {status}: {text}")))
        }
    }
}

/// A part of a path, escaped.
pub fn path_segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped.filter(|_| byte == b'%') {
            Some(escaped) => {
                bytes.push(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn client(urls: &[&str]) -> Result<HttpClient, String> {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        HttpClient::new(&HttpClientConfig { urls, ..Default::default() })
    }

    #[test]
    fn an_address_may_hold_a_user_and_a_path() {
        let client = client(&["https://me:pass%40word@host:8081/registry/"]).unwrap();
        let server = &client.servers[0];
        assert_eq!(server.url, "https://host:8081/registry");
        let authorization = server.authorization.as_ref().map(|Secret(text)| text.as_str());
        assert_eq!(authorization, Some("Basic bWU6cGFzc0B3b3Jk"));
        assert!(!format!("{client:?}").contains("word"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for urls in [&[][..], &["host:8081"], &["ftp://host"], &["http://"], &["http:///x"]] {
            assert!(client(urls).is_err(), "{urls:?}");
        }
        let config = HttpClientConfig {
            urls: vec!["https://h".to_owned()],
            trusted_certificates: Some(b"no PEM".to_vec()),
            ..Default::default()
        };
        assert!(HttpClient::new(&config).unwrap_err().contains("certificate"));
    }

    #[test]
    fn a_certificate_of_its_own_needs_its_key() {
        const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        const ENCRYPTED: &str =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        for (pem, expected) in [
            ("no PEM".to_owned(), "no certificate"),
            (CERTIFICATE.to_owned(), "no private key"),
            (format!("{CERTIFICATE}{ENCRYPTED}"), "encrypted"),
            (format!("{CERTIFICATE}{KEY}"), "the certificate and the private key"),
        ] {
            let config = HttpClientConfig {
                urls: vec!["https://h".to_owned()],
                own_certificates: Some(Pem(pem.clone().into_bytes())),
                ..Default::default()
            };
            let error = HttpClient::new(&config).unwrap_err();
            assert!(error.contains(expected), "{pem}: {error}");
        }
    }

    #[test]
    fn parts_of_paths_are_escaped() {
        assert_eq!(path_segment("a/b c%é"), "a%2Fb%20c%25%C3%A9");
        assert_eq!(path_segment(":.ctx:t-value"), ":.ctx:t-value");
    }

    #[test]
    fn the_next_address_is_asked_when_one_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).unwrap();
            let answer = br#"{"error_code":40403,"message":"Schema 7 not found"}"#;
            let head = format!(
                "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(answer).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        // Nobody listens on the first one any more.
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = client(&[&format!("http://{closed}"), &url]).unwrap();
        let error = client.call("GET", "/schemas/ids/7", None).unwrap_err();
        let message = "Schema 7 not found".to_owned();
        assert_eq!(error, SourceError::Refused { code: 40403, message });
        assert!(server.join().unwrap().starts_with("GET /schemas/ids/7 HTTP/1.1\r\n"));
        assert_eq!(client.current.load(Ordering::Relaxed), 1);
    }
}

//! Calls from browsers of another origin
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>), to the registry and
//! to the REST proxy.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use protocol::config_def::ConfigReader;

/// Who may call from a browser, and what; all empty means nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsConfig {
    /// Origins that may call, separated by commas; `*` is any.
    pub allow_origin: String,
    /// Methods they may use.
    pub allow_methods: String,
    /// Headers they may send.
    pub allow_headers: String,
    /// Headers they may read.
    pub expose_headers: String,
}

impl CorsConfig {
    /// The settings `access.control.…` with `prefix` before their names.
    pub fn read(reader: &mut ConfigReader<'_>, prefix: &str) -> Self {
        let mut text = |name: &str| reader.text(&format!("{prefix}access.control.{name}"));
        Self {
            allow_origin: text("allow.origin"),
            allow_methods: text("allow.methods"),
            allow_headers: text("allow.headers"),
            expose_headers: text("expose.headers"),
        }
    }
}

/// What is answered to calls of other origins.
#[derive(Debug)]
pub struct Cors {
    /// Origins that may call; `*` is any.
    origins: Vec<String>,
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
}

impl Cors {
    /// `None` when it is switched off.
    pub fn new(config: &CorsConfig) -> Option<Self> {
        let origins = config.allow_origin.split(',').map(|origin| origin.trim().to_owned());
        let origins: Vec<String> = origins.filter(|origin| !origin.is_empty()).collect();
        let value = |text: &str| HeaderValue::from_str(text).ok().filter(|value| !value.is_empty());
        (!origins.is_empty()).then(|| Self {
            origins,
            methods: value(&config.allow_methods),
            headers: value(&config.allow_headers),
            exposed: value(&config.expose_headers),
        })
    }

    /// The origin of a request, if there is one and it may call.
    pub fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        let matches = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        self.origins.iter().any(matches).then(|| origin.clone())
    }

    /// Whether a request asks what another one may do.
    pub fn is_preflight(request: &HeaderMap) -> bool {
        request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Adds to an answer what the origin may do.
    pub fn answer(&self, origin: HeaderValue, is_preflight: bool, answer: &mut HeaderMap) {
        let mut set = |name: HeaderName, value: &Option<HeaderValue>| {
            if let Some(value) = value {
                answer.insert(name, value.clone());
            }
        };
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, &Some(origin));
        set(header::VARY, &Some(HeaderValue::from_static("Origin")));
        if is_preflight {
            set(header::ACCESS_CONTROL_ALLOW_METHODS, &self.methods);
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, &self.headers);
        } else {
            set(header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.exposed);
        }
    }
}

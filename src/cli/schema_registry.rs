//! What the tools for records with schemas have in common: how to reach the
//! registry, and the names under which Confluent has these tools.

use std::sync::Arc;
use std::time::Duration;

use registry::source::{HttpClient, HttpClientConfig, Pem, Secret};
use registry::{RemoteSource, SchemaType, Schemas};
use tokio::runtime::Handle;

use super::options::{Argument, Options, Spec, UsageError};
use super::session::Failure;

/// Where a registry is, unless something else is said.
pub(super) const DEFAULT_URL: &str = "http://localhost:8081";
/// The longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The option that names the registry.
pub(super) const URL_OPTION: Spec = Spec {
    name: "schema-registry",
    argument: Argument::Required("url"),
    help: "The Schema Registry; user:password@ before the host is sent to it. (default: http://localhost:8081)",
};

/// Properties that say how to reach the registry, as Confluent's tools take
/// them, with or without `schema.registry.` before the later ones.
pub(super) const PROPERTIES: [&str; 13] = [
    "schema.registry.url",
    "basic.auth.credentials.source",
    "basic.auth.user.info",
    "bearer.auth.credentials.source",
    "bearer.auth.token",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "ssl.truststore.password",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.keystore.password",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
];

/// The type of the schemas that the tool of this name works with:
/// `kafka-avro-console-producer` and its sisters.
pub(super) fn schema_type_of_tool(program: &str) -> Option<SchemaType> {
    let name = program.strip_prefix("ottla ").unwrap_or(program);
    let format = name.strip_prefix("kafka-")?.split_once("-console-")?.0;
    match format {
        "avro" => Some(SchemaType::Avro),
        "json-schema" => Some(SchemaType::Json),
        "protobuf" => Some(SchemaType::Protobuf),
        _ => None,
    }
}

/// The type of this name, as an option gives it.
pub(super) fn parse_schema_type(name: &str) -> Result<SchemaType, UsageError> {
    match name.to_ascii_lowercase().as_str() {
        "avro" => Ok(SchemaType::Avro),
        "json" | "jsonschema" | "json-schema" => Ok(SchemaType::Json),
        "protobuf" => Ok(SchemaType::Protobuf),
        _ => {
            Err(UsageError(format!("There is no schema type {name}, only avro, json and protobuf")))
        }
    }
}

/// Properties by name; of several with one name the last counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties(Vec<(String, String)>);

impl Properties {
    /// Takes those out of `properties` whose name, without
    /// `schema.registry.` before it, is among `names` or says how to reach the
    /// registry.
    pub(super) fn take_from(properties: &mut Vec<(String, String)>, names: &[&str]) -> Self {
        let is_ours = |name: &str| {
            let short = short_name(name);
            PROPERTIES.contains(&short) || names.contains(&short)
        };
        let (ours, others) =
            std::mem::take(properties).into_iter().partition(|(name, _)| is_ours(name));
        *properties = others;
        Self(ours)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().rev().filter(|(given, _)| short_name(given) == name);
        found.next().map(|(_, text)| text.as_str())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
    }
}

fn short_name(name: &str) -> &str {
    match name {
        "schema.registry.url" => name,
        name => name.strip_prefix("schema.registry.").unwrap_or(name),
    }
}

/// How to reach the registry.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn http_config(
    options: &Options,
    properties: &Properties,
) -> Result<HttpClientConfig, Failure> {
    let url = options.value(URL_OPTION.name)?.or(properties.get("schema.registry.url"));
    let urls = url.unwrap_or(DEFAULT_URL).split(',').map(|url| url.trim().to_owned()).collect();
    let secret = |name| properties.get(name).map(|text| Secret(text.to_owned()));
    let read = |kind: &str| {
        let given = properties.get(&format!("ssl.{kind}.type")).unwrap_or("PEM");
        if !given.eq_ignore_ascii_case("PEM") {
            return Err(Failure::other(format!("ssl.{kind}.type is {given}, and can only be PEM")));
        }
        let Some(file) = properties.get(&format!("ssl.{kind}.location")) else { return Ok(None) };
        let read = std::fs::read(file);
        read.map(Some).map_err(|error| Failure::other(format!("{file}: {error}")))
    };
    Ok(HttpClientConfig {
        urls,
        user_info: secret("basic.auth.user.info"),
        bearer_token: secret("bearer.auth.token"),
        trusted_certificates: read("truststore")?,
        own_certificates: read("keystore")?.map(Pem),
        timeout: TIMEOUT,
        ..HttpClientConfig::default()
    })
}

/// The schemas of a registry. Must be called within a runtime.
///
/// # Errors
/// When an address is none.
pub(super) fn schemas(config: &HttpClientConfig) -> Result<Schemas, Failure> {
    let client = HttpClient::new(config).map_err(Failure::Other)?;
    Ok(Schemas::new(Arc::new(RemoteSource::new(client, Handle::current()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confluents_names_say_which_format_is_meant() {
        for (program, expected) in [
            ("kafka-avro-console-producer", Some(SchemaType::Avro)),
            ("ottla kafka-json-schema-console-consumer", Some(SchemaType::Json)),
            ("kafka-protobuf-console-consumer", Some(SchemaType::Protobuf)),
            ("kafka-console-producer", None),
            ("ottla produce", None),
        ] {
            assert_eq!(schema_type_of_tool(program), expected, "{program}");
        }
    }

    #[test]
    fn properties_of_schemas_are_told_from_others() {
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let mut properties = vec![
            pair("schema.registry.url", "http://a"),
            pair("parse.key", "true"),
            pair("schema.registry.basic.auth.user.info", "me:secret"),
            pair("value.schema", "\"int\""),
            pair("schema.registry.url", "http://b"),
        ];
        let ours = Properties::take_from(&mut properties, &["value.schema"]);
        assert_eq!(properties, [pair("parse.key", "true")]);
        assert_eq!(ours.get("schema.registry.url"), Some("http://b"));
        assert_eq!(ours.get("basic.auth.user.info"), Some("me:secret"));
        assert_eq!(ours.get("value.schema"), Some("\"int\""));
    }
}

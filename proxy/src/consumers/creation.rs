//! What a client may say of a new consumer instance.

use std::time::Duration;

use actix_web::HttpRequest;
use client::consumer::{ConsumerConfig, OffsetReset};
use serde::Deserialize;
use uuid::Uuid;

use crate::Config;
use crate::clients::offset_reset;
use crate::coerce::{Int, Text};
use crate::config::{ApiVersion, SchemaRegistry};
use crate::error::Error;
use crate::formats::{Codec, Format};
use crate::json::write_string;
use crate::links;

use ApiVersion::{V1, V2};

/// How often API v1 commits by itself, where it is told to: the default of
/// Kafka's old consumer.
const AUTO_COMMIT_INTERVAL_V1: Duration = Duration::from_secs(60);
/// The same for API v2 (`auto.commit.interval.ms` of Kafka).
const AUTO_COMMIT_INTERVAL_V2: Duration = Duration::from_secs(5);

/// The range of `fetch.min.bytes`.
const FETCH_MIN_BYTES: std::ops::RangeInclusive<i32> = -1..=10_000_000;

/// The body of `POST /consumers/{group}`. All members may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreationBody {
    /// An old word for `name`; it wins.
    id: Option<Text>,
    name: Option<Text>,
    format: Option<Text>,
    #[serde(rename = "auto.offset.reset")]
    auto_offset_reset: Option<Text>,
    #[serde(rename = "auto.commit.enable")]
    auto_commit_enable: Option<Text>,
    #[serde(rename = "fetch.min.bytes", alias = "responseMinBytes")]
    fetch_min_bytes: Option<Int>,
    #[serde(rename = "consumer.request.timeout.ms", alias = "requestWaitMs")]
    request_timeout_ms: Option<Int>,
}

/// A new instance, all defaults filled in.
#[derive(Debug)]
pub(crate) struct Creation {
    /// Its name.
    pub(crate) name: String,
    /// The API that it belongs to.
    pub(super) version: ApiVersion,
    /// How it writes keys and values.
    pub(super) codec: Codec,
    /// How often it commits what it delivered; `None`: never by itself.
    pub(super) auto_commit_interval: Option<Duration>,
    /// A read answers with more than this many bytes; `None`: with any record.
    pub(super) fetch_min_bytes: Option<usize>,
    /// How long a read waits at most.
    pub(super) request_timeout: Duration,
    auto_offset_reset: OffsetReset,
}

impl Creation {
    /// # Errors
    /// 422, with the error codes that say which member is wrong.
    pub(crate) fn new(
        body: CreationBody,
        version: ApiVersion,
        config: &Config,
    ) -> Result<Self, Error> {
        let consumer = &config.clients.consumer;
        let name = body.id.or(body.name).map(|Text(name)| name).filter(|name| !name.is_empty());
        let auto_commit = match body.auto_commit_enable {
            Some(Text(text)) => parse_auto_commit(&text)?,
            None => version == V2 && consumer.enable_auto_commit.unwrap_or(true),
        };
        let default_interval = match version {
            V1 => AUTO_COMMIT_INTERVAL_V1,
            V2 => AUTO_COMMIT_INTERVAL_V2,
        };
        let interval = consumer.auto_commit_interval.unwrap_or(default_interval);
        let default_reset = consumer.auto_offset_reset.as_deref().and_then(offset_reset);
        Ok(Self {
            codec: parse_format(body.format, version, &config.schema_registry)?,
            auto_offset_reset: match body.auto_offset_reset {
                Some(Text(text)) => parse_offset_reset(&text, version)?,
                None => default_reset.unwrap_or(OffsetReset::Latest),
            },
            auto_commit_interval: auto_commit.then_some(interval),
            fetch_min_bytes: match body.fetch_min_bytes {
                Some(Int(bytes)) if FETCH_MIN_BYTES.contains(&bytes) => usize::try_from(bytes).ok(),
                Some(Int(bytes)) => {
                    return Err(Error::ConsumerConfigOutOfRange(format!(
                        "fetch.min.bytes must be between {} and {} (was {bytes})",
                        FETCH_MIN_BYTES.start(),
                        FETCH_MIN_BYTES.end()
                    )));
                }
                None => config.consumers.fetch_min_bytes,
            },
            request_timeout: match body.request_timeout_ms {
                Some(Int(millis)) => Duration::from_millis(millis.max(0).unsigned_abs().into()),
                None => config.consumers.request_timeout,
            },
            name: name.unwrap_or_else(|| generate_name(&config.id)),
            version,
        })
    }

    /// The settings of its consumer.
    pub(super) fn consumer(&self, group: &str, template: &ConsumerConfig) -> ConsumerConfig {
        ConsumerConfig {
            group_id: Some(group.into()),
            auto_offset_reset: self.auto_offset_reset,
            // API v1 does not read what does not exist.
            allow_auto_create_topics: template.allow_auto_create_topics && self.version == V2,
            ..template.clone()
        }
    }
}

/// What is answered to a client that has created an instance: its name, and the
/// URL of its calls.
pub(crate) fn describe(config: &Config, request: &HttpRequest, name: &str) -> Vec<u8> {
    let mut url = links::base_url(config, request);
    url.push_str(request.path().trim_end_matches('/'));
    url.push_str("/instances/");
    links::push_segment(name, &mut url);
    let mut body = br#"{"instance_id":"#.to_vec();
    write_string(name, &mut body);
    body.extend_from_slice(br#","base_uri":"#);
    write_string(&url, &mut body);
    body.push(b'}');
    body
}

fn generate_name(server_id: &str) -> String {
    let uuid = Uuid::new_v4();
    match server_id {
        "" => format!("rest-consumer-{uuid}"),
        id => format!("rest-consumer-{id}-{uuid}"),
    }
}

fn parse_format(
    format: Option<Text>,
    version: ApiVersion,
    registry: &SchemaRegistry,
) -> Result<Codec, Error> {
    let Some(Text(name)) = format else { return Ok(Codec::Binary) };
    let is_of_v2 = |format| matches!(format, Format::JsonSchema | Format::Protobuf);
    let format = Format::from_name(&name).filter(|format| version == V2 || !is_of_v2(*format));
    let format = format.ok_or_else(|| Error::Invalid("Invalid format type.".to_owned()))?;
    let codec = format.codec();
    if codec.schema_type().is_some() && *registry == SchemaRegistry::None {
        return Err(Error::Invalid(format!(
            "Invalid format type: {format} needs a Schema Registry, and schema.registry.url is empty"
        )));
    }
    Ok(codec)
}

/// API v1 has the words of Kafka's old consumer, and takes the new ones too.
fn parse_offset_reset(text: &str, version: ApiVersion) -> Result<OffsetReset, Error> {
    let refuse = |reason: String| Err(Error::InvalidConsumerConfig(reason));
    match (version, text) {
        (V1, "smallest" | "earliest") => Ok(OffsetReset::Earliest),
        (V1, "largest" | "latest") => Ok(OffsetReset::Latest),
        (V1, other) => refuse(format!(
            "Wrong value {other} of auto.offset.reset in ConsumerConfig; Valid values are smallest and largest"
        )),
        (V2, other) => offset_reset(other).map(Ok).unwrap_or_else(|| {
            refuse(format!(
                "Invalid value {other} for configuration auto.offset.reset: The value must be either 'earliest', 'latest' or 'none'."
            ))
        }),
    }
}

fn parse_auto_commit(text: &str) -> Result<bool, Error> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::InvalidConsumerConfig(format!(
            "Invalid value {text} for configuration enable.auto.commit: Expected value to be either true or false"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use registry::SchemaType;

    use super::*;

    fn create(body: &str, version: ApiVersion) -> Result<Creation, Error> {
        Creation::new(serde_json::from_str(body).unwrap(), version, &Config::default())
    }

    #[test]
    fn defaults_are_those_of_the_version() {
        for version in [V1, V2] {
            let creation = create("{}", version).unwrap();
            assert!(creation.name.starts_with("rest-consumer-") && creation.name.len() == 50);
            assert_eq!(creation.codec, Codec::Binary);
            assert_eq!(creation.auto_offset_reset, OffsetReset::Latest);
            assert_eq!(creation.fetch_min_bytes, None);
            assert_eq!(creation.request_timeout, Duration::from_secs(1));
            let template = ConsumerConfig::default();
            let consumer = creation.consumer("g", &template);
            assert_eq!(consumer.allow_auto_create_topics, version == V2);
        }
        assert_eq!(create("{}", V1).unwrap().auto_commit_interval, None);
        let interval = create("{}", V2).unwrap().auto_commit_interval;
        assert_eq!(interval, Some(AUTO_COMMIT_INTERVAL_V2));
    }

    #[test]
    fn members_are_taken() {
        let body = r#"{"name":"n","id":"i","format":"JSON","auto.offset.reset":"earliest",
            "auto.commit.enable":false,"fetch.min.bytes":"5","requestWaitMs":20}"#;
        let creation = create(body, V2).unwrap();
        assert_eq!(creation.name, "i", "the old word wins");
        assert_eq!(creation.codec, Codec::Json);
        assert_eq!(creation.auto_offset_reset, OffsetReset::Earliest);
        assert_eq!(creation.auto_commit_interval, None);
        assert_eq!(creation.fetch_min_bytes, Some(5));
        assert_eq!(creation.request_timeout, Duration::from_millis(20));
        let old = create(r#"{"auto.offset.reset":"smallest","auto.commit.enable":"true"}"#, V1);
        let old = old.unwrap();
        assert_eq!(old.auto_offset_reset, OffsetReset::Earliest);
        assert_eq!(old.auto_commit_interval, Some(AUTO_COMMIT_INTERVAL_V1));
    }

    #[test]
    fn formats_with_schemas_need_a_registry() {
        let settings = [("schema.registry.url".to_owned(), String::new())];
        let none = Config::from_values(&settings.into_iter().collect()).unwrap();
        for (version, name, schema_type) in [
            (V1, "avro", SchemaType::Avro),
            (V2, "Avro", SchemaType::Avro),
            (V2, "jsonschema", SchemaType::Json),
            (V2, "PROTOBUF", SchemaType::Protobuf),
        ] {
            let body = format!(r#"{{"format":"{name}"}}"#);
            assert_eq!(create(&body, version).unwrap().codec, Codec::Schema(schema_type));
            let body = serde_json::from_str(&body).unwrap();
            let error = Creation::new(body, version, &none).unwrap_err();
            assert_eq!(error.error_code(), 422);
            assert!(error.to_string().contains("schema.registry.url is empty"), "{error}");
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (body, version, code, message) in [
            (r#"{"format":"nope"}"#, V2, 422, "Invalid format type."),
            (r#"{"format":"string"}"#, V2, 422, "Invalid format type."),
            (r#"{"format":"protobuf"}"#, V1, 422, "Invalid format type."),
            (
                r#"{"auto.offset.reset":"smallest"}"#,
                V2,
                42204,
                "Invalid consumer configuration: Invalid value smallest for configuration auto.offset.reset: ",
            ),
            (
                r#"{"auto.offset.reset":"none"}"#,
                V1,
                42204,
                "Invalid consumer configuration: Wrong value none of auto.offset.reset in ConsumerConfig; ",
            ),
            (
                r#"{"auto.commit.enable":"nope"}"#,
                V2,
                42204,
                "Invalid consumer configuration: Invalid value nope for configuration enable.auto.commit: ",
            ),
            (
                r#"{"fetch.min.bytes":-2}"#,
                V2,
                40001,
                "Invalid consumer configuration. It does not abide by the constraints: ",
            ),
            (
                r#"{"fetch.min.bytes":10000001}"#,
                V2,
                40001,
                "Invalid consumer configuration. It does not abide by the constraints: ",
            ),
        ] {
            let error = create(body, version).unwrap_err();
            assert_eq!(error.error_code(), code, "{body}");
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }
}

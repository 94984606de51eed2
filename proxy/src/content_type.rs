//! Which version of the API a request speaks, and in which media types.
//!
//! A path declares with [`MediaTypes`] what its requests and answers may be;
//! [`MediaTypes::negotiate`] chooses, as a JAX-RS server does: 415 before 406,
//! both before the body is read or anything is looked up.

use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};

use crate::config::ApiVersion;
use crate::error::Error;
use crate::formats::Format;

use ApiVersion::{V1, V2};
use Format::{Avro, Binary, Json, JsonSchema, Protobuf};

/// A media type of API v1 or v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/json`
    Json,
    /// `application/vnd.kafka+json`
    Kafka,
    /// `application/octet-stream`
    OctetStream,
    /// `application/vnd.kafka[.<format>].<version>+json`
    Api(ApiVersion, Option<Format>),
}

impl MediaType {
    /// As it is written in headers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Kafka => "application/vnd.kafka+json",
            Self::OctetStream => "application/octet-stream",
            Self::Api(V1, None) => "application/vnd.kafka.v1+json",
            Self::Api(V1, Some(Binary)) => "application/vnd.kafka.binary.v1+json",
            Self::Api(V1, Some(Json)) => "application/vnd.kafka.json.v1+json",
            Self::Api(V1, Some(Avro)) => "application/vnd.kafka.avro.v1+json",
            Self::Api(V1, Some(JsonSchema)) => "application/vnd.kafka.jsonschema.v1+json",
            Self::Api(V1, Some(Protobuf)) => "application/vnd.kafka.protobuf.v1+json",
            Self::Api(V2, None) => "application/vnd.kafka.v2+json",
            Self::Api(V2, Some(Binary)) => "application/vnd.kafka.binary.v2+json",
            Self::Api(V2, Some(Json)) => "application/vnd.kafka.json.v2+json",
            Self::Api(V2, Some(Avro)) => "application/vnd.kafka.avro.v2+json",
            Self::Api(V2, Some(JsonSchema)) => "application/vnd.kafka.jsonschema.v2+json",
            Self::Api(V2, Some(Protobuf)) => "application/vnd.kafka.protobuf.v2+json",
        }
    }

    /// The value of a Content-Type header.
    pub(crate) fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }

    /// The type that a Content-Type header or a range of an Accept header
    /// names; parameters do not count. `None` if it is none of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        KNOWN.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(essence))
    }

    /// The version that it names.
    pub(crate) fn version(self) -> Option<ApiVersion> {
        match self {
            Self::Api(version, _) => Some(version),
            Self::Json | Self::Kafka | Self::OctetStream => None,
        }
    }

    /// The embedded format that it names.
    pub(crate) fn format(self) -> Option<Format> {
        match self {
            Self::Api(_, format) => format,
            Self::Json | Self::Kafka | Self::OctetStream => None,
        }
    }
}

/// All types there are, those of most requests first.
const KNOWN: [MediaType; 13] = [
    MediaType::Api(V2, Some(Json)),
    MediaType::Api(V2, Some(Binary)),
    MediaType::Api(V2, None),
    MediaType::Json,
    MediaType::Api(V1, Some(Json)),
    MediaType::Api(V1, Some(Binary)),
    MediaType::Api(V1, None),
    MediaType::Kafka,
    MediaType::OctetStream,
    MediaType::Api(V2, Some(Avro)),
    MediaType::Api(V2, Some(JsonSchema)),
    MediaType::Api(V2, Some(Protobuf)),
    MediaType::Api(V1, Some(Avro)),
];

/// A type that a path can answer in, and how much it is preferred among
/// types that the client likes equally, in tenths (JAX-RS calls it `qs`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer(pub(crate) MediaType, pub(crate) u8);

/// The types of the requests and answers of a path.
#[derive(Debug)]
pub(crate) struct MediaTypes {
    /// Of requests with a body; a body without a type is taken for any of them.
    pub(crate) consumes: &'static [MediaType],
    /// Of answers, the first of equals wins.
    pub(crate) produces: &'static [Offer],
}

/// The types of answers of API v1 that hold no records.
const PLAIN_V1: &[Offer] =
    &[Offer(MediaType::Api(V1, None), 9), Offer(MediaType::Kafka, 8), Offer(MediaType::Json, 5)];

/// The same of API v2. The reference has had the last two up to release 5.5.
const PLAIN_V2: &[Offer] =
    &[Offer(MediaType::Api(V2, None), 9), Offer(MediaType::Kafka, 1), Offer(MediaType::Json, 1)];

/// `/`, brokers and topics of API v1.
pub(crate) const METADATA_V1: MediaTypes = MediaTypes {
    consumes: &[
        MediaType::Api(V1, None),
        MediaType::Kafka,
        MediaType::Json,
        MediaType::OctetStream,
    ],
    produces: PLAIN_V1,
};

/// Partitions of API v1.
pub(crate) const PARTITIONS_V1: MediaTypes = MediaTypes {
    consumes: METADATA_V1.consumes,
    produces: &[
        Offer(MediaType::Api(V1, None), 9),
        Offer(MediaType::Kafka, 8),
        Offer(MediaType::Json, 5),
        Offer(MediaType::Api(V1, Some(Binary)), 1),
        Offer(MediaType::Api(V1, Some(Avro)), 1),
    ],
};

/// `/`, brokers, topics and partitions of API v2.
pub(crate) const METADATA_V2: MediaTypes =
    MediaTypes { consumes: &[MediaType::Api(V2, None)], produces: PLAIN_V2 };

/// Producing to a topic in API v1. What names no format is binary.
pub(crate) const PRODUCE_V1: MediaTypes = MediaTypes {
    consumes: &[
        MediaType::Api(V1, Some(Binary)),
        MediaType::Api(V1, None),
        MediaType::Kafka,
        MediaType::Json,
        MediaType::OctetStream,
        MediaType::Api(V1, Some(Json)),
        MediaType::Api(V1, Some(Avro)),
    ],
    produces: PLAIN_V1,
};

/// Producing to a partition in API v1.
pub(crate) const PRODUCE_TO_PARTITION_V1: MediaTypes =
    MediaTypes { consumes: PRODUCE_V1.consumes, produces: PARTITIONS_V1.produces };

/// Producing in API v2: the format must be named, except by omitting the type.
pub(crate) const PRODUCE_V2: MediaTypes = MediaTypes {
    consumes: &[
        MediaType::Api(V2, Some(Json)),
        MediaType::Api(V2, Some(Binary)),
        MediaType::Api(V2, Some(Avro)),
        MediaType::Api(V2, Some(JsonSchema)),
        MediaType::Api(V2, Some(Protobuf)),
    ],
    produces: PLAIN_V2,
};

/// Reading records in API v1. What names no format is binary.
pub(crate) const READ_V1: MediaTypes = MediaTypes {
    consumes: METADATA_V1.consumes,
    produces: &[
        Offer(MediaType::Api(V1, Some(Binary)), 10),
        Offer(MediaType::Api(V1, None), 9),
        Offer(MediaType::Kafka, 8),
        Offer(MediaType::Json, 5),
        Offer(MediaType::Api(V1, Some(Json)), 1),
        Offer(MediaType::Api(V1, Some(Avro)), 1),
    ],
};

/// Reading records in API v2. What names no format is binary.
pub(crate) const READ_V2: MediaTypes = MediaTypes {
    consumes: CONSUMERS_V2.consumes,
    produces: &[
        Offer(MediaType::Api(V2, Some(Binary)), 10),
        Offer(MediaType::Api(V2, None), 9),
        Offer(MediaType::Api(V2, Some(Json)), 1),
        Offer(MediaType::Api(V2, Some(Avro)), 1),
        Offer(MediaType::Api(V2, Some(JsonSchema)), 1),
        Offer(MediaType::Api(V2, Some(Protobuf)), 1),
        Offer(MediaType::Kafka, 1),
        Offer(MediaType::Json, 1),
    ],
};

/// Calls of consumer instances in API v1, except reads.
pub(crate) const CONSUMERS_V1: MediaTypes = MediaTypes {
    consumes: &[
        MediaType::Api(V1, None),
        MediaType::Api(V1, Some(Binary)),
        MediaType::Api(V1, Some(Json)),
        MediaType::Api(V1, Some(Avro)),
        MediaType::Kafka,
        MediaType::Json,
        MediaType::OctetStream,
    ],
    produces: &[
        Offer(MediaType::Api(V1, None), 9),
        Offer(MediaType::Kafka, 8),
        Offer(MediaType::Json, 5),
        Offer(MediaType::Api(V1, Some(Binary)), 1),
        Offer(MediaType::Api(V1, Some(Json)), 1),
        Offer(MediaType::Api(V1, Some(Avro)), 1),
    ],
};

/// Calls of consumer instances in API v2, except reads.
pub(crate) const CONSUMERS_V2: MediaTypes = MediaTypes {
    consumes: &[
        MediaType::Api(V2, None),
        MediaType::Api(V2, Some(Binary)),
        MediaType::Api(V2, Some(Json)),
        MediaType::Api(V2, Some(Avro)),
        MediaType::Api(V2, Some(JsonSchema)),
        MediaType::Api(V2, Some(Protobuf)),
    ],
    produces: &[
        Offer(MediaType::Api(V2, None), 9),
        Offer(MediaType::Api(V2, Some(Binary)), 1),
        Offer(MediaType::Api(V2, Some(Json)), 1),
        Offer(MediaType::Api(V2, Some(Avro)), 1),
        Offer(MediaType::Api(V2, Some(JsonSchema)), 1),
        Offer(MediaType::Api(V2, Some(Protobuf)), 1),
        Offer(MediaType::Kafka, 1),
        Offer(MediaType::Json, 1),
    ],
};

/// What was chosen for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negotiated {
    /// The type of the body; `None` if there is none or it has no type.
    pub(crate) request: Option<MediaType>,
    /// The type of the answer, errors included.
    pub(crate) answer: MediaType,
}

impl MediaTypes {
    /// Chooses the types of a request and its answer. From here on errors
    /// are answered in the type that was chosen, too.
    ///
    /// # Errors
    /// 415 and 406.
    pub(crate) fn negotiate(&self, request: &HttpRequest) -> Result<Negotiated, Error> {
        self.negotiate_preferring(request, None)
    }

    /// As [`MediaTypes::negotiate`]; if the client accepts the type `own` by
    /// name and nothing more, that is chosen.
    pub(crate) fn negotiate_preferring(
        &self,
        request: &HttpRequest,
        own: Option<MediaType>,
    ) -> Result<Negotiated, Error> {
        let consumed = self.consumed(request.head())?;
        let accept = Accept::of(request.headers());
        let answer = accept.choose(self.produces, own).ok_or(Error::NotAcceptable)?;
        request.extensions_mut().insert(AnswerType(answer));
        Ok(Negotiated { request: consumed, answer })
    }

    fn consumed(&self, head: &RequestHead) -> Result<Option<MediaType>, Error> {
        if !has_body(head) {
            return Ok(None);
        }
        let Some(text) = content_type(head) else { return Ok(None) };
        let media_type = MediaType::parse(text);
        match media_type {
            Some(known) if self.consumes.contains(&known) => Ok(media_type),
            _ => Err(Error::UnsupportedMediaType),
        }
    }
}

/// The first range of an Accept header that is one of these texts: that is the
/// type of an answer to a body whose own type is not supported.
pub(crate) fn first_accepted<'a>(headers: &HeaderMap, texts: &'a [String]) -> Option<&'a str> {
    let named = |range: Range<'_>| {
        texts.iter().find(|text| text.eq_ignore_ascii_case(range.essence)).map(String::as_str)
    };
    Accept::of(headers).ranges().find_map(named)
}

/// The type of an answer, kept with its request for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerType(pub(crate) MediaType);

/// Whether a body comes with the request. An empty one is none.
pub(crate) fn has_body(head: &RequestHead) -> bool {
    match head.headers().get(header::CONTENT_LENGTH) {
        Some(length) => length.as_bytes() != b"0",
        None => head.headers().contains_key(header::TRANSFER_ENCODING),
    }
}

fn content_type(head: &RequestHead) -> Option<&str> {
    let value = head.headers().get(header::CONTENT_TYPE)?;
    // A type that is no text is certainly none of ours.
    Some(value.to_str().unwrap_or("?")).filter(|text| !text.is_empty())
}

/// The version of the API that a request speaks on a path that has both.
pub(crate) fn version(head: &RequestHead, default: ApiVersion) -> ApiVersion {
    named_version(head).unwrap_or(default)
}

/// The version that a request names. A body of plain `application/json` is v1,
/// as it was when both versions were served last.
pub(crate) fn named_version(head: &RequestHead) -> Option<ApiVersion> {
    let content_type = content_type(head).and_then(MediaType::parse);
    let of_content_type = content_type.and_then(MediaType::version);
    let of_accept = || Accept::of(head.headers()).version();
    if has_body(head) {
        let of_json = (content_type == Some(MediaType::Json)).then_some(V1);
        of_content_type.or_else(of_accept).or(of_json)
    } else {
        of_accept().or(of_content_type)
    }
}

/// What a client accepts. Borrows the headers; parsing them again is cheaper
/// than keeping them, because there is mostly one with one type.
#[derive(Debug, Clone, Copy)]
struct Accept<'a> {
    headers: &'a HeaderMap,
}

/// A range of an Accept header, with its weight in thousandths.
#[derive(Debug, Clone, Copy)]
struct Range<'a> {
    essence: &'a str,
    weight: u16,
}

impl<'a> Accept<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        Self { headers }
    }

    fn ranges(self) -> impl Iterator<Item = Range<'a>> {
        let values = self.headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).filter_map(Range::parse)
    }

    /// All that is accepted, if that is one type without parameters, as it mostly is.
    fn only(self) -> Option<&'a str> {
        let mut values = self.headers.get_all(header::ACCEPT);
        let only = values.next()?;
        values.next().is_none().then(|| only.to_str().ok())?
    }

    /// Whether there is an Accept header that says anything.
    fn is_given(self) -> bool {
        self.headers.get_all(header::ACCEPT).any(|value| !value.is_empty())
    }

    /// The best offer: that of the highest weight, then the one that the
    /// server prefers, then the first.
    fn choose(self, offers: &[Offer], own: Option<MediaType>) -> Option<MediaType> {
        let is_only = |Offer(media_type, _): &&Offer| self.only() == Some(media_type.as_str());
        if let Some(Offer(only, _)) = offers.iter().find(is_only) {
            return Some(*only);
        }
        let own = own.filter(|own| self.ranges().any(|range| range.names(*own)));
        let mut best: Option<(u16, u8, MediaType)> = None;
        for &Offer(media_type, preference) in offers {
            let preference = if own == Some(media_type) { u8::MAX } else { preference };
            let Some(weight) = self.weight(media_type) else { continue };
            if best.is_none_or(|(w, p, _)| (weight, preference) > (w, p)) {
                best = Some((weight, preference, media_type));
            }
        }
        best.map(|(_, _, media_type)| media_type)
    }

    /// How much a type is wanted: the highest weight of all ranges that match
    /// it, unless the type itself is forbidden with `q=0`.
    fn weight(self, media_type: MediaType) -> Option<u16> {
        if !self.is_given() {
            return Some(1_000);
        }
        let matching = || self.ranges().filter(|range| range.matches(media_type));
        if matching().any(|range| range.weight == 0 && range.names(media_type)) {
            return None;
        }
        matching().map(|range| range.weight).max().filter(|&weight| weight > 0)
    }

    /// The version of the range that names one and has the highest weight.
    fn version(self) -> Option<ApiVersion> {
        let mut best: Option<(u16, ApiVersion)> = None;
        for range in self.ranges().filter(|range| range.weight > 0) {
            let Some(version) = MediaType::parse(range.essence).and_then(MediaType::version) else {
                continue;
            };
            if best.is_none_or(|(weight, _)| range.weight > weight) {
                best = Some((range.weight, version));
            }
        }
        best.map(|(_, version)| version)
    }
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim();
        if essence.is_empty() {
            return None;
        }
        let weight = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| parse_weight(value.trim()))
        });
        Some(Self { essence, weight: weight.unwrap_or(1_000) })
    }

    fn names(&self, media_type: MediaType) -> bool {
        self.essence.eq_ignore_ascii_case(media_type.as_str())
    }

    fn matches(&self, media_type: MediaType) -> bool {
        // All our types are `application/…`. Java's HttpURLConnection sends a lone `*`.
        matches!(self.essence, "*/*" | "*")
            || self.essence.eq_ignore_ascii_case("application/*")
            || self.names(media_type)
    }
}

/// A quality value in thousandths; what cannot be read counts in full.
fn parse_weight(text: &str) -> u16 {
    match text.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1_000.0).round() as u16,
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;
    use actix_web::{HttpRequest, ResponseError};

    use super::*;

    const BINARY_V1: &str = "application/vnd.kafka.binary.v1+json";
    const JSON_V2: &str = "application/vnd.kafka.json.v2+json";
    const V1_TEXT: &str = "application/vnd.kafka.v1+json";
    const V2_TEXT: &str = "application/vnd.kafka.v2+json";

    /// A request with these headers; one with a Content-Type of `Body: …` has a body.
    fn request(headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let mut request = TestRequest::default();
        for &header in headers {
            request = request.append_header(header);
        }
        request.to_http_request()
    }

    const BODY: (&str, &str) = ("Content-Length", "2");

    #[test]
    fn the_answer_has_the_type_that_the_client_likes_best() {
        for (accept, expected) in [
            (None, Some(V1_TEXT)),
            (Some(""), Some(V1_TEXT)),
            (Some("*/*"), Some(V1_TEXT)),
            (Some("*"), Some(V1_TEXT)),
            (Some("application/*"), Some(V1_TEXT)),
            (
                Some(
                    "application/vnd.kafka.v1+json; q=0.8, application/vnd.kafka+json; q=0.9, application/json; q=0.7",
                ),
                Some("application/vnd.kafka+json"),
            ),
            (
                Some(
                    "application/vnd.kafka.v1+json;q=0.8, application/vnd.kafka+json;q=0.7, application/json;q=0.9",
                ),
                Some("application/json"),
            ),
            (
                Some("application/json, application/vnd.kafka+json, application/vnd.kafka.v1+json"),
                Some(V1_TEXT),
            ),
            (Some("APPLICATION/JSON; charset=utf-8"), Some("application/json")),
            (Some("text/html, application/json;q=0.9, */*;q=0.1"), Some("application/json")),
            (Some("application/vnd.kafka.v1+json;q=0, */*"), Some("application/vnd.kafka+json")),
            (Some("text/plain"), None),
            (Some("application/octet-stream"), None),
            (Some("application/json;q=0"), None),
        ] {
            let headers: Vec<_> = accept.into_iter().map(|accept| ("Accept", accept)).collect();
            let request = request(&headers);
            let chosen = METADATA_V1.negotiate(&request).map(|chosen| chosen.answer.as_str());
            assert_eq!(chosen.ok(), expected, "Accept: {accept:?}");
            let kept = request.extensions().get::<AnswerType>().map(|kept| kept.0.as_str());
            assert_eq!(kept, expected, "Accept: {accept:?}");
        }
    }

    #[test]
    fn several_accept_headers_are_one() {
        let request = request(&[("Accept", "text/html"), ("Accept", V2_TEXT)]);
        assert_eq!(METADATA_V2.negotiate(&request).unwrap().answer.as_str(), V2_TEXT);
    }

    #[test]
    fn reads_are_binary_unless_another_format_is_named() {
        for (types, accept, expected) in [
            (READ_V1, "*/*", BINARY_V1),
            (READ_V1, "application/json", "application/json"),
            (READ_V1, V1_TEXT, V1_TEXT),
            (READ_V1, "application/vnd.kafka.json.v1+json", "application/vnd.kafka.json.v1+json"),
            (READ_V2, "*/*", "application/vnd.kafka.binary.v2+json"),
            (READ_V2, "application/vnd.kafka.json.v2+json, application/json;q=0.5", JSON_V2),
            (READ_V2, V2_TEXT, V2_TEXT),
        ] {
            let answer = types.negotiate(&request(&[("Accept", accept)])).unwrap().answer;
            assert_eq!(answer.as_str(), expected, "Accept: {accept}");
        }
    }

    #[test]
    fn the_own_type_of_an_instance_wins_where_it_is_named() {
        let own = Some(MediaType::Api(V2, Some(Json)));
        for (accept, expected) in [
            ("application/vnd.kafka.json.v2+json, application/vnd.kafka.v2+json", JSON_V2),
            ("application/vnd.kafka.v2+json, application/vnd.kafka.json.v2+json", JSON_V2),
            ("application/vnd.kafka.json.v2+json;q=0.5, application/vnd.kafka.v2+json", V2_TEXT),
            ("*/*", "application/vnd.kafka.binary.v2+json"),
        ] {
            let request = request(&[("Accept", accept)]);
            let answer = READ_V2.negotiate_preferring(&request, own).unwrap().answer;
            assert_eq!(answer.as_str(), expected, "Accept: {accept}");
        }
    }

    #[test]
    fn bodies_of_other_types_are_refused_before_the_accepted_types_are_looked_at() {
        for (types, content_type, expected) in [
            (&PRODUCE_V1, BINARY_V1, Ok(BINARY_V1)),
            (&PRODUCE_V1, "application/octet-stream", Ok("application/octet-stream")),
            (
                &PRODUCE_V1,
                "application/x-www-form-urlencoded",
                Err("HTTP 415 Unsupported Media Type"),
            ),
            (
                &PRODUCE_V1,
                "application/vnd.kafka.avro.v1+json",
                Ok("application/vnd.kafka.avro.v1+json"),
            ),
            (&PRODUCE_V2, "Application/Vnd.Kafka.JSON.v2+json; charset=utf-8", Ok(JSON_V2)),
            (&PRODUCE_V2, V2_TEXT, Err("HTTP 415 Unsupported Media Type")),
            (&PRODUCE_V2, "application/json", Err("HTTP 415 Unsupported Media Type")),
            (
                &PRODUCE_V2,
                "application/vnd.kafka.protobuf.v2+json",
                Ok("application/vnd.kafka.protobuf.v2+json"),
            ),
            (
                &PRODUCE_V1,
                "application/vnd.kafka.protobuf.v2+json",
                Err("HTTP 415 Unsupported Media Type"),
            ),
            (&CONSUMERS_V2, JSON_V2, Ok(JSON_V2)),
            (&CONSUMERS_V2, "text/plain", Err("HTTP 415 Unsupported Media Type")),
        ] {
            let headers = [BODY, ("Content-Type", content_type), ("Accept", "*/*")];
            let chosen = types.negotiate(&request(&headers));
            let got = chosen.map(|chosen| chosen.request.unwrap().as_str());
            let got = got.map_err(|error| error.to_string());
            assert_eq!(got, expected.map_err(str::to_owned), "Content-Type: {content_type}");
        }
        let headers = [BODY, ("Content-Type", "text/plain"), ("Accept", "text/plain")];
        let error = PRODUCE_V2.negotiate(&request(&headers)).unwrap_err();
        assert_eq!(error.status_code(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }

    #[test]
    fn of_some_types_the_first_that_is_accepted_is_found() {
        let preferred = ["application/json".to_owned(), V2_TEXT.to_owned()];
        for (accept, expected) in [
            ("text/plain, application/vnd.kafka.v2+json;q=0.1, application/json", Some(V2_TEXT)),
            ("APPLICATION/JSON", Some("application/json")),
            ("*/*", None),
            ("", None),
        ] {
            let request = request(&[("Accept", accept)]);
            assert_eq!(first_accepted(request.headers(), &preferred), expected, "{accept}");
        }
    }

    #[test]
    fn the_type_of_a_body_that_is_not_there_does_not_matter() {
        for headers in [
            vec![("Content-Type", "text/plain")],
            vec![("Content-Type", "text/plain"), ("Content-Length", "0")],
            vec![BODY],
        ] {
            let chosen = PRODUCE_V2.negotiate(&request(&headers)).unwrap();
            assert_eq!(chosen.request, None, "{headers:?}");
        }
    }

    #[test]
    fn a_request_speaks_the_version_that_it_names() {
        const JSON: (&str, &str) = ("Content-Type", "application/json");
        for (case, headers, expected) in [
            ("nothing", vec![], None),
            ("plain JSON", vec![BODY, JSON], Some(V1)),
            ("plain JSON without a body", vec![JSON], None),
            ("plain JSON, v2 accepted", vec![BODY, JSON, ("Accept", V2_TEXT)], Some(V2)),
            ("JSON accepted", vec![("Accept", "application/json")], None),
            ("body of v1", vec![BODY, ("Content-Type", V1_TEXT), ("Accept", V2_TEXT)], Some(V1)),
            ("no body", vec![("Content-Type", V1_TEXT), ("Accept", V2_TEXT)], Some(V2)),
            ("type without body", vec![("Content-Type", V1_TEXT)], Some(V1)),
            ("body without type", vec![BODY], None),
            ("binary stream", vec![BODY, ("Content-Type", "application/octet-stream")], None),
            (
                "preferred",
                vec![(
                    "Accept",
                    "application/vnd.kafka.v1+json;q=0.5, application/vnd.kafka.v2+json",
                )],
                Some(V2),
            ),
            (
                "first of equals",
                vec![("Accept", "application/vnd.kafka.v1+json, application/vnd.kafka.v2+json")],
                Some(V1),
            ),
            ("chunked", vec![("Transfer-Encoding", "chunked"), JSON], Some(V1)),
        ] {
            assert_eq!(named_version(request(&headers).head()), expected, "{case}");
        }
    }
}

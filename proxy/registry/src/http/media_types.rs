//! The types of requests and answers.

use actix_web::http::header::{self, HeaderMap};

use crate::error::Error;

/// A type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/vnd.schemaregistry.v1+json`
    V1,
    /// `application/vnd.schemaregistry+json`
    Any,
    /// `application/json`
    Json,
}

impl MediaType {
    /// Those that the client likes equally are chosen in this order.
    const ALL: [Self; 3] = [Self::V1, Self::Any, Self::Json];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "application/vnd.schemaregistry.v1+json",
            Self::Any => "application/vnd.schemaregistry+json",
            Self::Json => "application/json",
        }
    }
}

/// A body of this type is read as JSON too.
const OCTET_STREAM: &str = "application/octet-stream";

/// Checks the type of a request's body; none is as good as any.
///
/// # Errors
/// 415, and 400 for what is no type at all.
pub(super) fn check_request(headers: &HeaderMap) -> Result<(), Error> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().map_err(|_| Error::BadRequest)?;
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.is_empty() && text.trim().is_empty() {
        return Ok(());
    }
    if !is_type(essence) {
        return Err(Error::BadRequest);
    }
    let is = |known: &str| known.eq_ignore_ascii_case(essence);
    if MediaType::ALL.into_iter().any(|known| is(known.as_str())) || is(OCTET_STREAM) {
        Ok(())
    } else {
        Err(Error::UnsupportedMediaType)
    }
}

fn is_type(essence: &str) -> bool {
    essence.split_once('/').is_some_and(|(kind, subtype)| {
        let is_token = |text: &str| !text.is_empty() && !text.contains([' ', '/', ',', '"']);
        is_token(kind) && is_token(subtype)
    })
}

/// Chooses the type of the answer.
///
/// # Errors
/// 406, and 400 for what is no type at all.
pub(super) fn negotiate(headers: &HeaderMap) -> Result<MediaType, Error> {
    let mut ranges = Vec::new();
    for value in headers.get_all(header::ACCEPT) {
        let text = value.to_str().map_err(|_| Error::BadRequest)?;
        for range in text.split(',').filter(|range| !range.trim().is_empty()) {
            ranges.push(Range::parse(range)?);
        }
    }
    if ranges.is_empty() {
        return Ok(MediaType::V1);
    }
    let quality = |media_type: MediaType| {
        let matching = ranges.iter().filter(|range| range.matches(media_type.as_str()));
        // The most specific range counts.
        matching.max_by_key(|range| range.specificity()).map_or(0, |range| range.quality)
    };
    let mut best = (0, None);
    for media_type in MediaType::ALL {
        let quality = quality(media_type);
        if quality > best.0 {
            best = (quality, Some(media_type));
        }
    }
    best.1.ok_or(Error::NotAcceptable)
}

/// A range of an Accept header.
#[derive(Debug)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Result<Self, Error> {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let (kind, subtype) = match essence {
            // Old clients of Java send it.
            "*" => ("*", "*"),
            _ if is_type(essence) => essence.split_once('/').ok_or(Error::BadRequest)?,
            _ => return Err(Error::BadRequest),
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let quality = match quality {
            None => 1000,
            Some(text) => {
                let number: f32 = text.trim().parse().map_err(|_| Error::BadRequest)?;
                (number.clamp(0.0, 1.0) * 1000.0) as u16
            }
        };
        Ok(Self { kind, subtype, quality })
    }

    fn matches(&self, media_type: &str) -> bool {
        let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn specificity(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn answers_have_the_type_that_is_liked_best() {
        assert_eq!(negotiate(&HeaderMap::new()).unwrap(), MediaType::V1);
        for (accept, expected) in [
            ("*/*", Some(MediaType::V1)),
            ("application/*", Some(MediaType::V1)),
            ("application/json", Some(MediaType::Json)),
            ("application/vnd.schemaregistry+json", Some(MediaType::Any)),
            (
                "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json",
                Some(MediaType::V1),
            ),
            ("text/html, */*;q=0.1", Some(MediaType::V1)),
            (
                "application/json;q=0.9, application/vnd.schemaregistry.v1+json;q=0.1",
                Some(MediaType::Json),
            ),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", Some(MediaType::V1)),
            ("application/vnd.schemaregistry.v1+json;q=0, */*", Some(MediaType::Any)),
            ("text/plain", None),
            ("application/vnd.schemaregistry.v2+json", None),
        ] {
            assert_eq!(negotiate(&headers(header::ACCEPT, accept)).ok(), expected, "{accept}");
        }
    }

    #[test]
    fn bodies_are_json_of_four_types() {
        for (content_type, code) in [
            ("application/vnd.schemaregistry.v1+json", None),
            ("application/vnd.schemaregistry+json", None),
            ("application/json; charset=utf-8", None),
            ("Application/Octet-Stream", None),
            ("", None),
            ("text/plain", Some(415)),
            ("garbage", Some(400)),
        ] {
            let checked = check_request(&headers(header::CONTENT_TYPE, content_type));
            assert_eq!(checked.err().map(|error| error.codes(409).1), code, "{content_type}");
        }
    }
}

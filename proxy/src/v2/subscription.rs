//! The topics that a consumer instance is subscribed to.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use protocol::Str;
use regex::Regex;
use serde::Deserialize;

use super::bodies::must_not_be_null;
use crate::answer;
use crate::app::App;
use crate::coerce::Text;
use crate::config::ApiVersion::V2;
use crate::content_type::CONSUMERS_V2;
use crate::error::Error;
use crate::json::write_string;
use crate::metadata::write_list;

/// The longest pattern, in bytes: compiling takes time.
const MAX_PATTERN_LENGTH: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionBody {
    topics: Option<Vec<Text>>,
    topic_pattern: Option<Text>,
}

/// `POST /consumers/{group}/instances/{instance}/subscription`. Answers when
/// the group has assigned partitions, so that the next read has records; at
/// the latest after `consumer.request.timeout.ms`.
pub(crate) async fn post(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (_, instance) = app.consumers.call(&request, (group, name), V2, &CONSUMERS_V2)?;
    let body = app.bodies.read(&request, payload).await?.json::<SubscriptionBody>().await?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let body = body.ok_or_else(|| must_not_be_null("subscription"))?;
    match (body.topics, body.topic_pattern) {
        (None, None) => return Ok(answer::no_content()),
        (Some(_), Some(_)) => {
            let error = client::consumer::ConsumerError::MixedSubscription;
            return Err(Error::consumer(V2)(error));
        }
        (Some(topics), None) => {
            let topics: Vec<Str> = topics.into_iter().map(|Text(topic)| topic.into()).collect();
            if let Some(index) = topics.iter().position(|topic| topic.is_empty()) {
                let message = format!("topics[{index}] must not be empty (was )");
                return Err(Error::Invalid(message));
            }
            let subscribe = async move {
                instance.subscribe_topics(topics).await?;
                Ok::<_, Error>(instance)
            };
            app.consumers.finish(subscribe).await??.wait_for_join().await;
        }
        (None, Some(Text(pattern))) => {
            let pattern = compile(&pattern)?;
            instance.subscribe_pattern(move |topic| pattern.is_match(topic))?;
            instance.wait_for_join().await;
        }
    }
    Ok(answer::no_content())
}

/// `GET /consumers/{group}/instances/{instance}/subscription`
pub(crate) async fn get(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (types, instance) = app.consumers.call(&request, (group, name), V2, &CONSUMERS_V2)?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let mut body = br#"{"topics":"#.to_vec();
    write_list(b"[]", instance.subscription().iter(), &mut body, |topic, body| {
        write_string(topic, body);
    });
    body.push(b'}');
    Ok(answer::ok(types.answer, body))
}

/// `DELETE /consumers/{group}/instances/{instance}/subscription`: an assignment
/// ends with it, too.
pub(crate) async fn delete(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (_, instance) = app.consumers.call(&request, (group, name), V2, &CONSUMERS_V2)?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    app.consumers.finish(async move { instance.unsubscribe().await }).await??;
    Ok(answer::no_content())
}

/// A pattern that matches whole names.
fn compile(pattern: &str) -> Result<Regex, Error> {
    let refused = |reason: &str| Error::Invalid(format!("topic_pattern cannot be used: {reason}"));
    if pattern.len() > MAX_PATTERN_LENGTH {
        return Err(refused(&format!("it is longer than {MAX_PATTERN_LENGTH} bytes")));
    }
    // On its own first: what it is put between must not make it complete.
    let checked = Regex::new(pattern);
    let whole = checked.and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z")));
    whole.map_err(|error| refused(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, expected) in [
            ("^a.*", "abc", true),
            ("a", "abc", false),
            ("a|ab", "ab", true),
            ("a|b", "b", true),
            ("b", "ab", false),
            ("orders-[0-9]+", "orders-12", true),
            ("(?i)ORDERS", "orders", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(name), expected, "{pattern} {name}");
        }
        for pattern in ["(", "a)(b", "(?=a)", &"a".repeat(10_001)] {
            assert_eq!(compile(pattern).unwrap_err().error_code(), 422);
        }
    }
}

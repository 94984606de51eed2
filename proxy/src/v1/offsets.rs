//! Offsets of consumer instances.

use actix_web::HttpResponse;
use serde::Deserialize;

use crate::answer;
use crate::app::App;
use crate::body::Body;
use crate::consumers::InUse;
use crate::content_type::Negotiated;
use crate::error::Error;
use crate::json::{write_integer, write_string};
use crate::metadata::write_list;

/// This version commits what was delivered, and nothing else: there is nothing to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitBody {}

/// `POST /consumers/{group}/instances/{instance}/offsets`. Tells of each
/// partition the last record that was delivered, not the next one.
pub(crate) async fn commit(
    app: &App,
    types: Negotiated,
    instance: Option<InUse>,
    body: Body,
) -> Result<HttpResponse, Error> {
    body.json::<CommitBody>().await?;
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    let commit = async move { instance.commit_delivered().await };
    let committed = app.consumers.finish(commit).await??;
    let mut body = Vec::new();
    write_list(b"[]", committed.iter(), &mut body, |(partition, next), body| {
        let last = next.offset - 1;
        body.extend_from_slice(br#"{"topic":"#);
        write_string(&partition.topic, body);
        body.extend_from_slice(br#","partition":"#);
        write_integer(partition.partition, body);
        body.extend_from_slice(br#","consumed":"#);
        write_integer(last, body);
        body.extend_from_slice(br#","committed":"#);
        write_integer(last, body);
        body.push(b'}');
    });
    Ok(answer::ok(types.answer, body))
}

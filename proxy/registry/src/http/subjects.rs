//! `/subjects` and `/subjects/{subject}`

use super::Call;
use super::answer::Answer;
use super::entities::SchemaEntity;
use super::requests::RegisterRequest;
use super::versions::with_format;
use crate::error::Error;
use crate::registry::Prefix;
use crate::store::Filter;
use crate::subject::{EVERY_CONTEXT, Subject};

/// `GET /subjects`
pub(super) fn list(call: &Call) -> Result<Answer, Error> {
    let query = &call.query;
    let (offset, limit) = query.page()?;
    let prefix = query.text("subjectPrefix").unwrap_or(EVERY_CONTEXT);
    let subjects = call.registry().subjects(&Prefix(prefix.to_owned()), filter(call));
    let limit = call.registry().config().subject_limit.of(limit);
    Answer::json(&subjects.into_iter().skip(offset).take(limit).collect::<Vec<_>>())
}

/// Which versions a list is about; `deletedOnly` wins.
pub(super) fn filter(call: &Call) -> Filter {
    if call.query.flag("deletedOnly") {
        Filter::Deleted
    } else {
        Filter::with_deleted(call.query.flag("deleted"))
    }
}

/// `POST /subjects/{subject}`
pub(super) async fn look_up(call: &Call, subject: Subject) -> Result<Answer, Error> {
    let request: RegisterRequest = call.body.object("lookUpSchemaUnderSubject")?;
    let request = request.into_registration(call.query.flag("normalize"));
    let filter = Filter::with_deleted(call.query.flag("deleted"));
    let found = call.registry().look_up(subject, request, filter).await?;
    let entity = SchemaEntity::found(&found, call.is_newest);
    Answer::json(&with_format(call, &found, entity).await?)
}

/// `DELETE /subjects/{subject}`
pub(super) async fn delete(call: &Call, subject: Subject) -> Result<Answer, Error> {
    let versions = call.registry().delete_subject(subject, call.query.flag("permanent")).await?;
    Answer::json(&versions)
}

/// `GET /subjects/{subject}/metadata`
pub(super) async fn latest_with_metadata(call: &Call, subject: &Subject) -> Result<Answer, Error> {
    let texts = |name| call.query.all(name).map(str::to_owned);
    let properties: Vec<(String, String)> = texts("key").zip(texts("value")).collect();
    let filter = Filter::with_deleted(call.query.flag("deleted"));
    let found = call.registry().latest_with_properties(subject, &properties, filter)?;
    let entity = SchemaEntity::read(&found, call.is_newest);
    Answer::json(&with_format(call, &found, entity).await?)
}

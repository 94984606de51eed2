//! `/subjects/{subject}/versions`

use std::sync::Arc;

use super::Call;
use super::answer::Answer;
use super::entities::{Registered, SchemaEntity};
use super::requests::{RegisterRequest, TagRequest};
use super::subjects::filter;
use crate::content::Reference;
use crate::error::Error;
use crate::schema::TextFormat;
use crate::store::{Filter, StoredSchema};
use crate::subject::Subject;
use crate::tags::SchemaTags;

/// `GET /subjects/{subject}/versions`
pub(super) fn list(call: &Call, subject: &Subject) -> Result<Answer, Error> {
    let (offset, limit) = call.query.page()?;
    let as_negative = call.query.flag("deletedAsNegative");
    let filter = if as_negative { Filter::All } else { filter(call) };
    // A subject with a live version is there, whatever else is asked for.
    let visible = if filter == Filter::Live { Filter::Live } else { Filter::All };
    let versions = call.registry().versions(subject, visible, filter)?;
    let number =
        |(version, deleted): (i32, bool)| if deleted && as_negative { -version } else { version };
    let limit = call.registry().config().version_limit.of(limit);
    Answer::json(&versions.into_iter().map(number).skip(offset).take(limit).collect::<Vec<_>>())
}

/// `POST /subjects/{subject}/versions`
pub(super) async fn register(call: &Call, subject: Subject) -> Result<Answer, Error> {
    let request: RegisterRequest = call.body.object("register")?;
    let has_contract = request.has_contract();
    let request = request.into_registration(call.query.flag("normalize"));
    let stored = call.registry().register(subject, request).await?;
    let text = call.registry().formatted(&stored, format(call)).await?;
    Answer::json(&Registered::new(&stored, &text, call.is_newest, has_contract))
}

/// `GET /subjects/{subject}/versions/{version}`
pub(super) async fn get(call: &Call, subject: &Subject, version: &str) -> Result<Answer, Error> {
    let found = find(call, subject, version, Filter::with_deleted(call.query.flag("deleted")))?;
    let mut entity = SchemaEntity::read(&found, call.is_newest);
    if call.query.text("referenceFormat") == Some("qualified")
        && !found.subject.is_in_default_context()
    {
        let qualified = |reference: &Reference| Reference {
            subject: Subject::within(&found.subject, &reference.subject).to_string(),
            ..reference.clone()
        };
        entity = entity.with_references(found.content.references.iter().map(qualified).collect());
    }
    if let Some(tags) = tags(call, &found).await? {
        entity = entity.with_tags(tags);
    }
    Answer::json(&with_format(call, &found, entity).await?)
}

/// `POST /subjects/{subject}/versions/{version}/tags`
pub(super) async fn change_tags(
    call: &Call,
    subject: &Subject,
    version: &str,
) -> Result<Answer, Error> {
    let request: TagRequest = call.body.object("modifySchemaTags")?;
    let found = find(call, subject, version, Filter::Live)?;
    let stored = call.registry().change_tags(&found, request.into()).await?;
    Answer::json(&Registered::new(&stored, &stored.content.text, call.is_newest, true))
}

/// The tagged parts of a version, if the request asks for them: those with
/// one of the tags, or with `*` all.
pub(super) async fn tags(
    call: &Call,
    stored: &Arc<StoredSchema>,
) -> Result<Option<Vec<SchemaTags>>, Error> {
    let wanted: Vec<&str> = call.query.all("findTags").collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut tagged = call.registry().tagged_entities(stored).await?;
    if !wanted.contains(&"*") {
        tagged.retain(|entity| entity.tags.iter().any(|tag| wanted.contains(&tag.as_str())));
    }
    Ok(Some(tagged))
}

/// `GET /subjects/{subject}/versions/{version}/schema`
pub(super) async fn get_text(
    call: &Call,
    subject: &Subject,
    version: &str,
) -> Result<Answer, Error> {
    let found = find(call, subject, version, Filter::with_deleted(call.query.flag("deleted")))?;
    Ok(Answer::text(call.registry().formatted(&found, format(call)).await?))
}

/// `GET /subjects/{subject}/versions/{version}/referencedby`
pub(super) fn referenced_by(
    call: &Call,
    subject: &Subject,
    version: &str,
) -> Result<Answer, Error> {
    let (offset, limit) = call.query.page()?;
    let found = find(call, subject, version, Filter::All)?;
    let filter = Filter::with_deleted(call.query.flag("deleted"));
    let ids = call.registry().referenced_by(&found, filter);
    let limit = call.registry().config().schema_limit.of(limit);
    Answer::json(&ids.into_iter().skip(offset).take(limit).collect::<Vec<_>>())
}

/// `DELETE /subjects/{subject}/versions/{version}`
pub(super) async fn delete(call: &Call, subject: Subject, version: &str) -> Result<Answer, Error> {
    let permanent = call.query.flag("permanent");
    Answer::json(&call.registry().delete_version(subject, version.parse()?, permanent).await?)
}

fn find(
    call: &Call,
    subject: &Subject,
    version: &str,
    filter: Filter,
) -> Result<Arc<StoredSchema>, Error> {
    call.registry().version(subject, version.parse()?, filter)
}

/// The form of the text that the request asks for.
pub(super) fn format(call: &Call) -> TextFormat {
    TextFormat::of_parameter(call.query.text("format").unwrap_or_default().trim())
}

/// The entity with its text in the form that the request asks for.
pub(super) async fn with_format<'a>(
    call: &Call,
    stored: &Arc<StoredSchema>,
    entity: SchemaEntity<'a>,
) -> Result<SchemaEntity<'a>, Error> {
    match format(call) {
        TextFormat::Default => Ok(entity),
        format => Ok(entity.with_text(call.registry().formatted(stored, format).await?)),
    }
}

//! `/schemas`

use std::collections::BTreeMap;

use super::Call;
use super::answer::Answer;
use super::entities::{ContextId, SchemaEntity, SchemaString, SubjectVersion};
use super::versions::{format, tags};
use crate::content::{RuleSet, SchemaType};
use crate::error::Error;
use crate::registry::Prefix;
use crate::store::{Filter, StoredSchema};
use crate::subject::Subject;

/// `GET /schemas`
pub(super) async fn list(call: &Call) -> Result<Answer, Error> {
    let query = &call.query;
    let (offset, limit) = query.page()?;
    let prefix = Prefix(query.text("subjectPrefix").unwrap_or_default().to_owned());
    let filter = Filter::with_deleted(query.flag("deleted"));
    let registry = call.registry();
    let found = registry.schemas(&prefix, filter, query.flag("latestOnly"));
    let rule_type = query.text("ruleType").filter(|name| !name.is_empty());
    let is_wanted = |stored: &StoredSchema| {
        rule_type.is_none_or(|name| has_rule(stored.content.rule_set.as_ref(), name))
    };
    let mut aliases: BTreeMap<Subject, Vec<String>> = BTreeMap::new();
    if query.flag("aliases") {
        for (target, alias) in registry.aliases() {
            aliases.entry(target).or_default().push(alias.to_string());
        }
    }
    let limit = registry.config().schema_limit.of(limit);
    let page = found.iter().filter(|stored| is_wanted(stored)).skip(offset).take(limit);
    let entity = |stored| SchemaEntity::read(stored, call.is_newest);
    let with_aliases = |stored: &'_ std::sync::Arc<StoredSchema>| {
        aliases.get(&stored.subject).cloned().unwrap_or_default()
    };
    Answer::json(
        &page.map(|stored| entity(stored).with_aliases(with_aliases(stored))).collect::<Vec<_>>(),
    )
}

fn has_rule(rules: Option<&RuleSet>, rule_type: &str) -> bool {
    rules.is_some_and(|rules| {
        [&rules.migration_rules, &rules.domain_rules, &rules.encoding_rules]
            .into_iter()
            .flatten()
            .any(|rule| rule.rule_type.as_deref() == Some(rule_type))
    })
}

/// `GET /schemas/types`
pub(super) fn types() -> Result<Answer, Error> {
    Answer::json(&SchemaType::ALL)
}

fn subject(call: &Call) -> Option<Subject> {
    call.query.text("subject").map(Subject::parse)
}

/// `GET /schemas/ids/{id}`
pub(super) async fn by_id(call: &Call, id: i32) -> Result<Answer, Error> {
    let found = call.registry().schema_by_id(id, subject(call).as_ref())?;
    let text = call.registry().formatted(&found, format(call)).await?;
    let wants_max_id = call.query.flag("fetchMaxId");
    let max_id = wants_max_id.then(|| call.registry().max_id(found.subject.context()));
    let mut entity = SchemaString::of_id(&found, &text, max_id, call.is_newest);
    if let Some(tags) = tags(call, &found).await? {
        entity = entity.with_tags(tags);
    }
    Answer::json(&entity)
}

/// `GET /schemas/ids/{id}/schema`
pub(super) async fn text_by_id(call: &Call, id: i32) -> Result<Answer, Error> {
    let found = call.registry().schema_by_id(id, subject(call).as_ref())?;
    Ok(Answer::text(call.registry().formatted(&found, format(call)).await?))
}

fn users(call: &Call, id: i32) -> Result<Vec<SubjectVersion>, Error> {
    let (offset, limit) = call.query.page()?;
    let filter = Filter::with_deleted(call.query.flag("deleted"));
    let users = call.registry().users_of_id(id, subject(call).as_ref(), filter)?;
    let limit = call.registry().config().subject_limit.of(limit);
    let named = |(subject, version): (Subject, i32)| SubjectVersion {
        subject: subject.to_string(),
        version,
    };
    let mut users: Vec<SubjectVersion> = users.into_iter().map(named).collect();
    users.sort_by(|left, right| left.subject.cmp(&right.subject));
    Ok(users.into_iter().skip(offset).take(limit).collect())
}

/// `GET /schemas/ids/{id}/subjects`
pub(super) fn subjects_of_id(call: &Call, id: i32) -> Result<Answer, Error> {
    Answer::json(&users(call, id)?.into_iter().map(|user| user.subject).collect::<Vec<_>>())
}

/// `GET /schemas/ids/{id}/versions`
pub(super) fn versions_of_id(call: &Call, id: i32) -> Result<Answer, Error> {
    Answer::json(&users(call, id)?)
}

/// `GET /schemas/guids/{guid}`
pub(super) async fn by_guid(call: &Call, guid: &str) -> Result<Answer, Error> {
    let found = call.registry().schema_by_guid(guid)?;
    let text = call.registry().formatted(&found, format(call)).await?;
    Answer::json(&SchemaString::of_guid(&found, &text, call.is_newest))
}

/// `GET /schemas/guids/{guid}/ids`
pub(super) fn ids_of_guid(call: &Call, guid: &str) -> Result<Answer, Error> {
    let ids = call.registry().ids_of_guid(guid).into_iter();
    Answer::json(&ids.map(|(context, id)| ContextId { context, id }).collect::<Vec<_>>())
}

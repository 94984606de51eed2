//! `/config`

use serde::Serialize;

use super::Call;
use super::answer::Answer;
use super::requests::ConfigRequest;
use crate::compatibility::Level;
use crate::content::{Metadata, RuleSet};
use crate::error::Error;
use crate::store::{Policy, SubjectConfig};
use crate::subject::Subject;

/// `GET /config` and `GET /config/{subject}`
pub(super) fn get(call: &Call, subject: &Subject) -> Result<Answer, Error> {
    Answer::json(&call.registry().subject_config(subject, call.query.flag("defaultToGlobal"))?)
}

/// `PUT /config` and `PUT /config/{subject}`
pub(super) async fn update(call: &Call, subject: Subject) -> Result<Answer, Error> {
    let operation = match subject.is_default_context() {
        true => "updateTopLevelConfig",
        false => "updateSubjectLevelConfig",
    };
    let request: ConfigRequest = call.body.object(operation)?;
    let config = call.registry().update_config(subject, request.into_update()?).await?;
    Answer::json(&Updated::from(&config))
}

/// `DELETE /config` and `DELETE /config/{subject}`
pub(super) async fn delete(call: &Call, subject: Subject) -> Result<Answer, Error> {
    Answer::json(&call.registry().delete_config(subject).await?)
}

/// A config as the answer to its change: the level has the name that it has in
/// requests.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Updated<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_for_deks: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalize: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_fields: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_new_schemas: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_rules: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility: Option<Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_policy: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_rule_set: Option<&'a RuleSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_rule_set: Option<&'a RuleSet>,
}

impl<'a> From<&'a SubjectConfig> for Updated<'a> {
    fn from(config: &'a SubjectConfig) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
        Self {
            alias: text(&config.alias),
            alias_for_deks: text(&config.alias_for_deks),
            normalize: config.normalize,
            validate_fields: config.validate_fields,
            validate_new_schemas: config.validate_new_schemas,
            validate_rules: config.validate_rules,
            compatibility: config.compatibility_level,
            compatibility_policy: config.compatibility_policy,
            compatibility_group: text(&config.compatibility_group),
            default_metadata: config.default_metadata.as_ref(),
            override_metadata: config.override_metadata.as_ref(),
            default_rule_set: config.default_rule_set.as_ref(),
            override_rule_set: config.override_rule_set.as_ref(),
        }
    }
}

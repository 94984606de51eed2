//! `/mode`

use super::Call;
use super::answer::Answer;
use super::entities::ModeBody;
use super::requests::ModeRequest;
use crate::error::Error;
use crate::store::Mode;
use crate::subject::Subject;

/// `GET /mode` and `GET /mode/{subject}`
pub(super) fn get(call: &Call, subject: &Subject) -> Result<Answer, Error> {
    let mode = call.registry().mode(subject, call.query.flag("defaultToGlobal"))?;
    Answer::json(&ModeBody { mode: Some(mode.name()) })
}

/// `PUT /mode` and `PUT /mode/{subject}`
pub(super) async fn update(call: &Call, subject: Subject) -> Result<Answer, Error> {
    let operation = if subject.is_default_context() { "updateTopLevelMode" } else { "updateMode" };
    let request: ModeRequest = call.body.object(operation)?;
    let (text, mode) = request.into_mode()?;
    call.registry().set_mode(subject, mode, call.query.flag("force")).await?;
    Answer::json(&ModeBody { mode: text.as_deref() })
}

/// `DELETE /mode` and `DELETE /mode/{subject}`
pub(super) async fn delete(call: &Call, subject: Subject) -> Result<Answer, Error> {
    let mode = call.registry().delete_mode(subject, call.query.flag("recursive")).await?;
    match mode.map(Mode::name) {
        Some(name) => Answer::json(&ModeBody { mode: Some(name) }),
        None => Ok(Answer::text("{}")),
    }
}

//! `/contexts`

use super::Call;
use super::answer::Answer;
use crate::error::Error;
use crate::subject::Subject;

/// `GET /contexts`
pub(super) fn list(call: &Call) -> Result<Answer, Error> {
    let (offset, limit) = call.query.page()?;
    let contexts = call.registry().contexts(call.query.text("contextPrefix").unwrap_or_default());
    let limit = call.registry().config().subject_limit.of(limit);
    Answer::json(&contexts.into_iter().skip(offset).take(limit).collect::<Vec<_>>())
}

/// `DELETE /contexts/{context}`
pub(super) async fn delete(call: &Call, context: Subject) -> Result<Answer, Error> {
    call.registry().delete_context(context).await?;
    Ok(Answer::nothing())
}

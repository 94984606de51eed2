//! `/compatibility`

use super::Call;
use super::answer::Answer;
use super::entities::Compatibility;
use super::requests::RegisterRequest;
use crate::error::Error;
use crate::registry::Version;
use crate::subject::Subject;

/// `POST /compatibility/subjects/{subject}/versions` and `…/versions/{version}`
pub(super) async fn check(
    call: &Call,
    subject: Subject,
    version: Option<&str>,
) -> Result<Answer, Error> {
    let version: Option<Version> = version.map(str::parse).transpose()?;
    let operation = match version {
        Some(_) => "testCompatibilityBySubjectName",
        None => "testCompatibilityForSubject",
    };
    let request: RegisterRequest = call.body.object(operation)?;
    let request = request.into_registration(call.query.flag("normalize"));
    let is_verbose = call.query.flag("verbose");
    let messages = match call.registry().check_compatibility(subject, version, request).await {
        // What is no schema is not compatible, where reasons are wanted.
        Err(Error::InvalidSchema(reason)) if is_verbose => vec![reason],
        outcome => outcome?,
    };
    Answer::json(&Compatibility {
        is_compatible: messages.is_empty(),
        messages: is_verbose.then_some(messages),
    })
}

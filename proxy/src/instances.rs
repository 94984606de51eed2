//! Calls of consumer instances that exist in API v1 and v2 alike. The instance
//! knows to which version it belongs, so whichever version a call speaks, the
//! answer is that of the instance.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion::{self, V1, V2};
use crate::consumers::InUse;
use crate::content_type::{self, CONSUMERS_V1, CONSUMERS_V2, Negotiated};
use crate::error::Error;
use crate::{answer, v1, v2};

/// `DELETE /consumers/{group}/instances/{instance}`
pub(crate) async fn delete(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let instance = app.consumers.find(group, name);
    negotiate(&app, &request, instance.as_ref())?;
    drop(instance);
    app.consumers.delete(group, name).await?;
    Ok(answer::no_content())
}

/// `POST /consumers/{group}/instances/{instance}/offsets`
pub(crate) async fn commit(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let instance = app.consumers.find(group, name);
    let (version, types) = negotiate(&app, &request, instance.as_ref())?;
    let body = app.bodies.read(&request, payload).await?;
    match instance.as_ref().map_or(version, |instance| instance.version) {
        V1 => v1::offsets::commit(&app, types, instance, body).await,
        V2 => v2::offsets::commit(&app, &request, types, instance, body).await,
    }
}

/// Settles the version that the call speaks, and its types. A call that names
/// none speaks that of the instance.
fn negotiate(
    app: &App,
    request: &HttpRequest,
    instance: Option<&InUse>,
) -> Result<(ApiVersion, Negotiated), Error> {
    let default = instance.map_or(app.config.api.default_version, |instance| instance.version);
    let version = match &app.config.api {
        api if !api.v1 => V2,
        api if !api.v2 => V1,
        _ => content_type::version(request.head(), default),
    };
    let types = match version {
        V1 => CONSUMERS_V1.negotiate(request)?,
        V2 => CONSUMERS_V2.negotiate(request)?,
    };
    Ok((version, types))
}

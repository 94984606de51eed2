//! Consumer instances.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::answer;
use crate::app::App;
use crate::config::ApiVersion::V2;
use crate::consumers::{self, Creation};
use crate::content_type::CONSUMERS_V2;
use crate::error::Error;

/// `POST /consumers/{group}`
pub(crate) async fn create(
    request: HttpRequest,
    app: Data<App>,
    group: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let types = CONSUMERS_V2.negotiate(&request)?;
    let body = app.bodies.read(&request, payload).await?.json().await?;
    let creation = Creation::new(body.unwrap_or_default(), V2, &app.config)?;
    let body = consumers::describe(&app.config, &request, &creation.name);
    app.consumers.create(&group, creation)?;
    Ok(answer::ok(types.answer, body))
}

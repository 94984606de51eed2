//! The root of the paths, which clients ask to see whether the proxy answers.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::content_type::METADATA_V2;
use crate::error::Error;
use crate::{answer, json};

/// `GET /`
pub(crate) async fn get(request: HttpRequest) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    Ok(answer::ok(types.answer, b"{}".to_vec()))
}

/// `POST /`: as `GET`, whatever JSON is sent.
pub(crate) async fn post(
    request: HttpRequest,
    app: Data<App>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    let body = app.bodies.read(&request, payload).await?;
    if !body.is_missing() {
        json::check(&body).map_err(|error| Error::Malformed(error.to_string()))?;
    }
    Ok(answer::ok(types.answer, b"{}".to_vec()))
}

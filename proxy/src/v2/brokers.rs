//! The brokers of the cluster.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion;
use crate::content_type::METADATA_V2;
use crate::error::Error;
use crate::{answer, metadata};

/// `GET /brokers`
pub(crate) async fn list(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, Error> {
    let types = METADATA_V2.negotiate(&request)?;
    let brokers = metadata::brokers(&app.client, ApiVersion::V2).await?;
    Ok(answer::ok(types.answer, brokers))
}

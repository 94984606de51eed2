//! Reading through a consumer instance.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::config::ApiVersion::V2;
use crate::consumers::{self, ReadRequest, Wait};
use crate::content_type::READ_V2;
use crate::error::Error;
use crate::query::parameter;

/// `GET /consumers/{group}/instances/{instance}/records`
pub(crate) async fn read(
    request: HttpRequest,
    app: Data<App>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Error> {
    let (group, name) = &*path;
    let (types, instance) = app.consumers.call(&request, (group, name), V2, &READ_V2)?;
    let wait = Wait::from_timeout(parameter(&request, "timeout")?);
    let read = ReadRequest::new(wait, parameter(&request, "max_bytes")?);
    let instance = instance.ok_or(Error::InstanceNotFound)?;
    instance.check_format(types.answer)?;
    let body = consumers::read(&app.consumers, instance, read).await?;
    Ok(consumers::answer(&request, types.answer, body))
}

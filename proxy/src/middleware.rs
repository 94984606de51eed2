//! What surrounds every request: panics, the type of errors, calls from other
//! origins, the access log.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{Error as ActixError, HttpMessage};
use futures_util::FutureExt;
use futures_util::future::{Ready, ready};
use registry::Cors;

use crate::Config;
use crate::content_type::{self, AnswerType, MediaType};
use crate::error::Error;

/// The outermost layer of the service.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    cors: Option<Arc<Cors>>,
    unsupported: Arc<TypeOfUnsupported>,
}

impl Surroundings {
    pub(crate) fn new(config: &Config) -> Self {
        let default = HeaderValue::from_str(&config.response_mediatype_default).ok();
        let unsupported = TypeOfUnsupported {
            default: default.unwrap_or_else(|| MediaType::Json.header_value()),
            preferred: config.response_mediatype_preferred.clone(),
        };
        Self { cors: Cors::new(&config.cors).map(Arc::new), unsupported: Arc::new(unsupported) }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Surroundings
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = ActixError> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = ActixError;
    type Transform = Surrounded<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let Self { cors, unsupported } = self.clone();
        ready(Ok(Surrounded { service, cors, unsupported }))
    }
}

/// A service within [`Surroundings`].
#[derive(Debug)]
pub(crate) struct Surrounded<S> {
    service: S,
    cors: Option<Arc<Cors>>,
    unsupported: Arc<TypeOfUnsupported>,
}

impl<S, B> Service<ServiceRequest> for Surrounded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = ActixError> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<B>;
    type Error = ActixError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let access = Access::begin(&request);
        let origin = self.cors.as_ref().and_then(|cors| cors.allowed(request.headers()));
        let cors = self.cors.clone();
        let unsupported = Arc::clone(&self.unsupported);
        let answer = self.service.call(request);
        Box::pin(async move {
            // A handler has nothing that another request could find half changed:
            // what is shared lies behind locks that do not poison.
            let answer = AssertUnwindSafe(answer).catch_unwind().await;
            let Ok(answer) = answer else {
                access.end(None);
                return Err(Error::Internal.into());
            };
            let mut answer = answer?;
            if answer.response().error().is_some() {
                set_type_of_error(&mut answer, &unsupported);
            }
            if let (Some(cors), Some(origin)) = (cors, origin) {
                let is_preflight = Cors::is_preflight(answer.request().headers());
                cors.answer(origin, is_preflight, answer.headers_mut());
            }
            access.end(Some(answer.status().as_u16()));
            Ok(answer)
        })
    }
}

/// In which type it is answered that the type of a body is not supported,
/// which is found out before there is another one.
#[derive(Debug)]
struct TypeOfUnsupported {
    /// `response.mediatype.default`
    default: HeaderValue,
    /// `response.mediatype.preferred`
    preferred: Vec<String>,
}

impl TypeOfUnsupported {
    fn choose(&self, request: &HeaderMap) -> HeaderValue {
        let accepted = content_type::first_accepted(request, &self.preferred);
        let accepted = accepted.and_then(|text| HeaderValue::from_str(text).ok());
        accepted.unwrap_or_else(|| self.default.clone())
    }
}

/// Gives an error the type that was negotiated before it happened.
fn set_type_of_error<B>(answer: &mut ServiceResponse<B>, unsupported: &TypeOfUnsupported) {
    let negotiated = answer.request().extensions().get::<AnswerType>().copied();
    let media_type = match negotiated {
        Some(AnswerType(media_type)) => media_type.header_value(),
        None if answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            unsupported.choose(answer.request().headers())
        }
        None => return,
    };
    answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
}

/// A line of the access log, if anybody wants it.
struct Access {
    begun: Option<(Instant, String)>,
}

impl Access {
    fn begin(request: &ServiceRequest) -> Self {
        let wanted = tracing::enabled!(target: "access", tracing::Level::DEBUG);
        let line = || (Instant::now(), format!("{} {}", request.method(), request.uri()));
        Self { begun: wanted.then(line) }
    }

    fn end(self, status: Option<u16>) {
        let Some((begun, request)) = self.begun else { return };
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(target: "access", %request, status = status.unwrap_or(500), micros, "answered");
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, init_service, read_body};
    use actix_web::{App, HttpRequest, HttpResponse, web};
    use protocol::config_def::ConfigValues;

    use super::*;

    async fn panics() -> HttpResponse {
        panic!("on purpose")
    }

    async fn unsupported() -> Result<HttpResponse, Error> {
        Err(Error::UnsupportedMediaType)
    }

    async fn fails_later(request: HttpRequest) -> Result<HttpResponse, Error> {
        content_type::METADATA_V2.negotiate(&request)?;
        Err(Error::PartitionNotFound)
    }

    /// Status, type and body of what is answered.
    async fn answer(settings: &[(&str, &str)], request: TestRequest) -> (u16, String, String) {
        let values: ConfigValues =
            settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let surroundings = Surroundings::new(&Config::from_values(&values).unwrap());
        let app = App::new()
            .wrap(surroundings)
            .route("/panics", web::get().to(panics))
            .route("/unsupported", web::get().to(unsupported))
            .route("/fails", web::get().to(fails_later));
        let app = init_service(app).await;
        let answer = match app.call(request.to_request()).await {
            Ok(answer) => answer.map_into_boxed_body(),
            Err(error) => {
                let response = error.error_response();
                ServiceResponse::new(TestRequest::default().to_http_request(), response)
            }
        };
        let status = answer.status().as_u16();
        let content_type = answer.headers().get("content-type").unwrap().to_str().unwrap();
        let content_type = content_type.to_owned();
        let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
        (status, content_type, body)
    }

    #[actix_web::test]
    async fn a_panic_is_an_error_of_its_own_request() {
        let (status, content_type, body) = answer(&[], TestRequest::with_uri("/panics")).await;
        assert_eq!((status, content_type.as_str()), (500, "application/json"));
        assert_eq!(body, r#"{"error_code":500,"message":"Internal Server Error"}"#);
    }

    #[actix_web::test]
    async fn errors_have_the_type_that_was_negotiated() {
        let request = TestRequest::with_uri("/fails");
        let (status, content_type, _) = answer(&[], request).await;
        assert_eq!((status, content_type.as_str()), (404, "application/vnd.kafka.v2+json"));
    }

    #[actix_web::test]
    async fn a_type_that_is_not_supported_is_told_in_one_that_is_accepted() {
        const V1: &str = "application/vnd.kafka.v1+json";
        const V2: &str = "application/vnd.kafka.v2+json";
        let settings = [("response.mediatype.default", V1), ("response.mediatype.preferred", V1)];
        for (settings, accept, expected) in [
            (&[][..], "text/plain", "application/json"),
            (&[], V2, V2),
            (&[], V1, "application/json"),
            (&settings, V2, V1),
        ] {
            let request = TestRequest::with_uri("/unsupported").append_header(("Accept", accept));
            let (status, content_type, _) = answer(settings, request).await;
            assert_eq!((status, content_type.as_str()), (415, expected), "{accept}");
        }
    }
}

//! What all requests share, and the table of all paths.

use std::sync::Arc;

use actix_web::dev::RequestHead;
use actix_web::guard::{self, Guard, GuardContext};
use actix_web::http::Method;
use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route};
use client::Client;
use client::producer::Producer;
use registry::Schemas;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::body::Bodies;
use crate::config::{ApiConfig, ApiVersion, Config};
use crate::consumers::{Consumers, SimpleConsumers};
use crate::content_type;
use crate::error::Error;
use crate::{instances, v1, v2};

/// What all requests share. There is one of it, whatever the number of workers.
#[derive(Debug)]
pub(crate) struct App {
    /// The settings.
    pub(crate) config: Config,
    /// The cluster.
    pub(crate) client: Client,
    /// Writes records.
    pub(crate) producer: Producer,
    /// Consumer instances.
    pub(crate) consumers: Arc<Consumers>,
    /// Reads partitions without instances.
    pub(crate) simple_consumers: SimpleConsumers,
    /// The schemas of records, if there is a registry.
    pub(crate) schemas: Option<Arc<Schemas>>,
    /// Reads request bodies.
    pub(crate) bodies: Bodies,
    /// Where work goes that has to end even if its request does not: workers
    /// drop a request when the client hangs up.
    pub(crate) runtime: Handle,
    /// All such work; the stop waits for it.
    pub(crate) tasks: TaskTracker,
}

impl App {
    /// Must be called within the runtime of `client`.
    pub(crate) fn new(config: Config, client: Client, schemas: Option<Arc<Schemas>>) -> Self {
        let producer = Producer::new(client.clone(), config.producer());
        let (runtime, tasks) = (Handle::current(), TaskTracker::new());
        Self {
            consumers: Consumers::new(
                &config,
                client.clone(),
                runtime.clone(),
                tasks.clone(),
                schemas.clone(),
            ),
            simple_consumers: SimpleConsumers::new(
                &config,
                client.clone(),
                runtime.clone(),
                schemas.clone(),
            ),
            schemas,
            bodies: Bodies::new(&config.bounds),
            producer,
            client,
            runtime,
            tasks,
            config,
        }
    }

    /// Ends all work that outlives its request and sends all records. Consumer
    /// instances leave their groups.
    pub(crate) async fn close(&self) {
        self.consumers.close().await;
        self.simple_consumers.close().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.producer.close().await;
    }
}

/// All paths. Those that are used most come first, because they are tried in order.
pub(crate) fn routes(app: &Arc<App>, service: &mut ServiceConfig) {
    let path = |path| Path::new(path, &app.config.api);
    let paths = [
        path("/topics/{topic}")
            .post(v1::produce::to_topic, v2::produce::to_topic)
            .get(v1::topics::get, v2::topics::get),
        path("/topics/{topic}/partitions/{partition}")
            .post(v1::produce::to_partition, v2::produce::to_partition)
            .get(v1::partitions::get, v2::partitions::get),
        path("/topics/{topic}/partitions").get(v1::partitions::list, v2::partitions::list),
        path("/consumers/{group}/instances/{instance}/records").get_v2(v2::records::read),
        path("/consumers/{group}/instances/{instance}/topics/{topic}").get_v1(v1::records::read),
        path("/consumers/{group}/instances/{instance}/offsets")
            .post_for_all(instances::commit)
            .get_v2(v2::offsets::committed),
        path("/consumers/{group}/instances/{instance}/positions").post_v2(v2::positions::post),
        path("/consumers/{group}/instances/{instance}/positions/beginning")
            .post_v2(v2::positions::beginning),
        path("/consumers/{group}/instances/{instance}/positions/end").post_v2(v2::positions::end),
        path("/consumers/{group}/instances/{instance}/assignments")
            .post_v2(v2::assignments::post)
            .get_v2(v2::assignments::get),
        path("/consumers/{group}/instances/{instance}/subscription")
            .post_v2(v2::subscription::post)
            .get_v2(v2::subscription::get)
            .delete_v2(v2::subscription::delete),
        path("/consumers/{group}").post(v1::consumers::create, v2::consumers::create),
        path("/consumers/{group}/instances/{instance}").delete_for_all(instances::delete),
        path("/topics/{topic}/partitions/{partition}/messages").get_v1(v1::messages::read),
        path("/topics/{topic}/partitions/{partition}/offsets").get_v2(v2::partitions::offsets),
        path("/topics").get(v1::topics::list, v2::topics::list),
        path("/brokers").get(v1::brokers::list, v2::brokers::list),
        path("").get(v1::root::get, v2::root::get).post(v1::root::post, v2::root::post),
    ];
    for path in paths {
        path.register(service);
    }
    service.app_data(web::Data::from(Arc::clone(app)));
}

/// One path and its methods. The path is served with and without a slash at its end.
///
/// A method that is given two handlers has one for each version of the API;
/// the request decides (see [`content_type::version`]).
struct Path<'a> {
    pattern: &'static str,
    api: &'a ApiConfig,
    resource: Resource,
    methods: Vec<Method>,
}

impl<'a> Path<'a> {
    fn new(pattern: &'static str, api: &'a ApiConfig) -> Self {
        let resource = web::resource([pattern.to_owned(), format!("{pattern}/")]);
        Self { pattern, api, resource, methods: Vec::new() }
    }

    fn get<A1: FromRequest + 'static, A2: FromRequest + 'static>(
        self,
        v1: impl Handler<A1, Output: Responder + 'static>,
        v2: impl Handler<A2, Output: Responder + 'static>,
    ) -> Self {
        self.both(Method::GET, v1, v2)
    }

    fn post<A1: FromRequest + 'static, A2: FromRequest + 'static>(
        self,
        v1: impl Handler<A1, Output: Responder + 'static>,
        v2: impl Handler<A2, Output: Responder + 'static>,
    ) -> Self {
        self.both(Method::POST, v1, v2)
    }

    fn get_v1<A: FromRequest + 'static>(
        self,
        handler: impl Handler<A, Output: Responder + 'static>,
    ) -> Self {
        let enabled = self.api.v1;
        self.one(enabled, Method::GET, handler)
    }

    fn get_v2<A: FromRequest + 'static>(
        self,
        handler: impl Handler<A, Output: Responder + 'static>,
    ) -> Self {
        let enabled = self.api.v2;
        self.one(enabled, Method::GET, handler)
    }

    fn post_v2<A: FromRequest + 'static>(
        self,
        handler: impl Handler<A, Output: Responder + 'static>,
    ) -> Self {
        let enabled = self.api.v2;
        self.one(enabled, Method::POST, handler)
    }

    fn delete_v2<A: FromRequest + 'static>(
        self,
        handler: impl Handler<A, Output: Responder + 'static>,
    ) -> Self {
        let enabled = self.api.v2;
        self.one(enabled, Method::DELETE, handler)
    }

    /// The handler finds out the version by itself.
    fn post_for_all<A: FromRequest + 'static>(
        self,
        handler: impl Handler<A, Output: Responder + 'static>,
    ) -> Self {
        let enabled = self.api.v1 || self.api.v2;
        self.one(enabled, Method::POST, handler)
    }

    /// The handler finds out the version by itself.
    fn delete_for_all<A: FromRequest + 'static>(
        self,
        handler: impl Handler<A, Output: Responder + 'static>,
    ) -> Self {
        let enabled = self.api.v1 || self.api.v2;
        self.one(enabled, Method::DELETE, handler)
    }

    /// A method of both versions.
    fn both<A1: FromRequest + 'static, A2: FromRequest + 'static>(
        self,
        method: Method,
        v1: impl Handler<A1, Output: Responder + 'static>,
        v2: impl Handler<A2, Output: Responder + 'static>,
    ) -> Self {
        match self.api {
            ApiConfig { v1: true, v2: true, default_version, .. } => {
                let guard = SpeaksV1 { default: *default_version };
                let v1 = route(&method).guard(guard).to(v1);
                let v2 = route(&method).to(v2);
                self.routes(method, [v1, v2])
            }
            ApiConfig { v1: true, .. } => self.one(true, method, v1),
            ApiConfig { v2: enabled, .. } => self.one(*enabled, method, v2),
        }
    }

    /// A method of one version, or of one that answers for all.
    fn one<A: FromRequest + 'static>(
        self,
        enabled: bool,
        method: Method,
        handler: impl Handler<A, Output: Responder + 'static>,
    ) -> Self {
        if enabled {
            let route = route(&method).to(handler);
            self.routes(method, [route])
        } else {
            self
        }
    }

    fn routes<const N: usize>(mut self, method: Method, routes: [Route; N]) -> Self {
        for route in routes {
            self.resource = self.resource.route(route);
        }
        if method == Method::GET {
            self.methods.push(Method::HEAD);
        }
        self.methods.push(method);
        self
    }

    fn register(self, service: &mut ServiceConfig) {
        let Self { pattern, resource, mut methods, .. } = self;
        if methods.is_empty() {
            tracing::debug!(path = pattern, "not served, because its API is switched off");
            return;
        }
        methods.push(Method::OPTIONS);
        let allowed = methods.clone();
        let options =
            web::method(Method::OPTIONS).to(move || std::future::ready(options(&allowed)));
        let other = web::to(move || {
            std::future::ready(Err::<HttpResponse, _>(Error::MethodNotAllowed(methods.clone())))
        });
        service.service(resource.route(options).default_service(other));
    }
}

fn route(method: &Method) -> Route {
    match *method {
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::method(method.clone()),
    }
}

/// Requests that speak API v1.
struct SpeaksV1 {
    default: ApiVersion,
}

impl Guard for SpeaksV1 {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        let head: &RequestHead = context.head();
        content_type::version(head, self.default) == ApiVersion::V1
    }
}

fn options(methods: &[Method]) -> HttpResponse {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    HttpResponse::Ok()
        .insert_header((header::ALLOW, names.join(",")))
        .insert_header((header::CONTENT_TYPE, "text/plain"))
        .body(names.join(", "))
}

/// What is answered on all other paths.
pub(crate) async fn not_found(_: HttpRequest) -> Result<HttpResponse, Error> {
    Err(Error::NotFound)
}

//! Every address there is, what it demands, and what surrounds all of them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use monban_event::id::hex;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::auth::gate::{Gate, guard};
use crate::auth::role::Scope;
use crate::ingest::{elastic, event_logs, records};
use crate::limits::{ANSWER_TIME_MAX, BODY_BYTES_MAX};
use crate::pages;
use crate::problem::Problem;
use crate::services::Services;
use crate::v1;
use monban_audit::percent;

pub(crate) type Routes = MethodRouter<Arc<App>>;

/// The gated routes: address, demanded scope, handlers.
fn gated() -> Vec<(&'static str, Option<Scope>, Routes)> {
    let mut routes = page_routes();
    routes.extend(api_routes());
    routes
}

/// What takes logs, with bounds of its own: a body may be large and its import long.
fn ingest_routes() -> Vec<(&'static str, Option<Scope>, Routes)> {
    let own = vec![
        ("/api/v1/ingest/evtx", post(event_logs::take)),
        ("/api/v1/ingest/syslog", post(records::lines)),
        ("/api/v1/ingest/json", post(records::objects)),
    ];
    let all = own.into_iter().chain(elastic::routes());
    all.map(|(path, routes)| (path, Some(Scope::Ingest), routes)).collect()
}

fn page_routes() -> Vec<(&'static str, Option<Scope>, Routes)> {
    use Scope::{AuditsRead, EventsRead, FindingsRead, FindingsReview, InventoryRead};
    vec![
        ("/", None, get(pages::dashboard::show)),
        ("/search", Some(EventsRead), get(pages::search::show)),
        ("/events/{id}", Some(EventsRead), get(pages::event::show)),
        ("/findings", Some(FindingsRead), get(pages::findings::list)),
        ("/findings/{id}", Some(FindingsRead), get(pages::findings::show)),
        ("/findings/{id}/review", Some(FindingsReview), post(pages::findings::review)),
        ("/exceptions", Some(FindingsRead), get(pages::exceptions::list)),
        ("/exceptions/new", Some(FindingsReview), get(pages::exceptions::begin).post(pages::exceptions::look_ahead)),
        ("/exceptions/grant", Some(FindingsReview), post(pages::exceptions::grant)),
        ("/exceptions/{id}/end", Some(FindingsReview), post(pages::exceptions::end)),
        ("/disasters", Some(FindingsReview), post(pages::exceptions::declare)),
        ("/disasters/{id}/end", Some(FindingsReview), post(pages::exceptions::end_disaster)),
        ("/sources", Some(InventoryRead), get(pages::sources::show)),
        ("/sources/policies", Some(InventoryRead), get(pages::policies::show)),
        ("/audits", Some(AuditsRead), get(pages::audits::list)),
        ("/audits/{month}", Some(AuditsRead), get(pages::audits::show)),
        ("/trail", Some(AuditsRead), get(pages::trail::show)),
        ("/health", Some(InventoryRead), get(pages::health::show)),
        ("/logout", None, post(pages::login::leave)),
    ]
}

fn api_routes() -> Vec<(&'static str, Option<Scope>, Routes)> {
    use Scope::{AuditsRead, EventsRead, FindingsRead, FindingsReview, InventoryRead};
    vec![
        ("/api/v1/events", Some(EventsRead), get(v1::events::list)),
        ("/api/v1/events/stream", Some(EventsRead), get(v1::stream::every)),
        ("/api/v1/events/{id}", Some(EventsRead), get(v1::events::show)),
        ("/api/v1/events/{id}/context", Some(EventsRead), get(v1::events::context)),
        ("/api/v1/search", Some(EventsRead), post(v1::events::search)),
        ("/api/v1/search/facets", Some(EventsRead), get(v1::search::facets)),
        ("/api/v1/search/histogram", Some(EventsRead), get(v1::search::histogram)),
        ("/api/v1/search/validate", Some(EventsRead), get(v1::search::validate)),
        ("/api/v1/findings", Some(FindingsRead), get(v1::findings::list)),
        ("/api/v1/findings/{id}", Some(FindingsRead), get(v1::findings::show).patch(v1::findings::review)),
        ("/api/v1/exceptions", Some(FindingsRead), get(v1::exceptions::list).post(v1::exceptions::add)),
        ("/api/v1/exceptions:preview", Some(FindingsReview), post(v1::exceptions::look_ahead)),
        ("/api/v1/exceptions/{id}/end", Some(FindingsReview), post(v1::exceptions::finish)),
        ("/api/v1/disasters", Some(FindingsRead), get(v1::exceptions::disasters).post(v1::exceptions::add_disaster)),
        ("/api/v1/disasters/{id}/end", Some(FindingsReview), post(v1::exceptions::finish_disaster)),
        ("/api/v1/sources", Some(InventoryRead), get(v1::inventory::sources)),
        ("/api/v1/sources/policies", Some(InventoryRead), get(v1::inventory::policies)),
        ("/api/v1/health", Some(InventoryRead), get(v1::inventory::health)),
        ("/api/v1/sessions", Some(InventoryRead), get(v1::inventory::sessions)),
        ("/api/v1/audits/summaries", Some(AuditsRead), get(v1::audits::summary)),
        ("/api/v1/integrity/heads", Some(AuditsRead), get(v1::integrity::heads)),
        ("/api/v1/integrity/verify", Some(AuditsRead), get(v1::integrity::verify)),
        ("/api/v1/openapi.json", None, get(v1::openapi::show)),
    ]
}

fn open() -> Router<Arc<App>> {
    Router::new()
        .route("/login", get(pages::login::show).post(pages::login::enter))
        .route("/setup", get(pages::setup::show).post(pages::setup::make))
        .route("/assets/monban.css", get(pages::assets::stylesheet))
        .route("/livez", get(alive))
        .route("/readyz", get(alive))
        .route("/healthz", get(alive))
}

/// The answer says that this program answers, and nothing else.
async fn alive() -> &'static str {
    "ok\n"
}

/// Pages, API and what guards them. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that the
/// trail knows where people came from.
pub fn router(services: Services) -> Router {
    let app = Arc::new(App::new(services));
    let pages = add(open(), gated(), &app)
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_TIME_MAX));
    add(pages, ingest_routes(), &app)
        .layer(CsrfLayer::new())
        .layer(from_fn_with_state(app.clone(), finish))
        .with_state(app)
}

fn add(
    router: Router<Arc<App>>,
    table: Vec<(&'static str, Option<Scope>, Routes)>,
    app: &Arc<App>,
) -> Router<Arc<App>> {
    table.into_iter().fold(router, |router, (path, scope, routes)| {
        let gate = Gate { app: app.clone(), scope };
        let mut routes = routes.layer(from_fn_with_state(gate, guard));
        if path == "/" {
            routes = routes.layer(from_fn_with_state(app.clone(), elastic::at_the_door));
        }
        router.route(path, routes)
    })
}

/// How what goes wrong is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Person,
    Api,
    Elastic,
}

impl Asker {
    fn of(request: &Request) -> Self {
        let path = request.uri().path();
        let at_the_door = path == "/" && request.headers().contains_key(header::AUTHORIZATION);
        match path {
            _ if path.starts_with("/api/") => Self::Api,
            _ if at_the_door || elastic::is_address(path) => Self::Elastic,
            _ => Self::Person,
        }
    }
}

/// The outermost layer: gives each request an id, words what went wrong, and sets the headers every answer carries.
async fn finish(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let request_id = request_id();
    let instance = request.uri().path().to_owned();
    let asker = Asker::of(&request);
    let back = back_to(&request);
    let mut response = next.run(request).await;
    if let Some(problem) = problem_of(&mut response) {
        report(&problem, &request_id);
        response = match asker {
            Asker::Api => problem.json(&instance, &request_id),
            Asker::Elastic => elastic::problem(&problem),
            Asker::Person => word(&app, &problem, &back, &request_id),
        };
    }
    set_headers(&mut response, &app, &request_id);
    response
}

fn request_id() -> String {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes from its first minute on");
    hex(&bytes)
}

/// Where to go after logging in: only what was to be read, since a form cannot be sent again unseen.
fn back_to(request: &Request) -> String {
    let target = request.uri().path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    if request.method() == Method::GET { target.to_owned() } else { "/".to_owned() }
}

fn problem_of(response: &mut Response) -> Option<Problem> {
    let status = response.status();
    let worded = response.extensions_mut().remove::<Problem>();
    let failed = status.is_client_error() || status.is_server_error();
    let finished = response.extensions().get::<Worded>().is_some();
    worded.or_else(|| (failed && !finished).then(|| Problem::of_status(status)))
}

/// Marks an answer that is complete although its status is an error: a form shown again with what was wrong.
#[derive(Clone, Copy)]
pub(crate) struct Worded;

fn report(problem: &Problem, request_id: &str) {
    if let Some(cause) = &problem.cause {
        tracing::warn!(request_id, status = problem.status.as_u16(), cause, "request failed");
    }
}

fn word(app: &App, problem: &Problem, back: &str, request_id: &str) -> Response {
    if problem.status == StatusCode::UNAUTHORIZED {
        let next = if back == "/" { String::new() } else { format!("?next={}", percent(back)) };
        return Redirect::to(&format!("/login{next}")).into_response();
    }
    problem.page(&app.services.settings.hospital, request_id)
}

/// `default-src 'self'` allows our stylesheet and nothing else; there is no script and no inline style.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

fn set_headers(response: &mut Response, app: &App, request_id: &str) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if app.services.settings.secure_cookies {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

#[cfg(test)]
pub(crate) fn gated_addresses() -> Vec<(&'static str, Option<Scope>)> {
    gated().into_iter().chain(ingest_routes()).map(|(path, scope, _)| (path, scope)).collect()
}

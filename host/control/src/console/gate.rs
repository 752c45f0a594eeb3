//! Who may enter: a Super User with a session of the console, whose browser was not sent by another site.
//!
//! The only maker of a [`Visitor`], and a [`Visitor`] is the only source of the permit that services ask for.

use super::answer::Done;
use super::views::Flash;
use crate::Control;
use crate::api::Problem;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderName, Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rowhouse_base::Chain;
use rowhouse_base::Origin;
use rowhouse_identity::{Identity, Operator, Scope, cookie, csrf};
use std::sync::Arc;

/// A Super User at the console, and what the page is to say first.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// The permit.
    pub operator: Operator,
    /// The user's name.
    pub name: String,
    done: Option<Done>,
}

impl Visitor {
    /// What was done by the request that redirected here.
    pub(super) fn flash(&self) -> Option<Flash> {
        self.done.map(|done| Flash::good(done.text()))
    }
}

/// What the gate looks at.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub control: Arc<Control>,
    pub identity: Arc<Identity>,
}

/// Lets a Super User pass, sends everybody else to the sign-in page, and refuses forged changes.
pub(super) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let cookies = cookies(&request);
    if let Err(error) = check_origin(&request, &gate.control, &cookies) {
        return plain(StatusCode::FORBIDDEN, &error.to_string());
    }
    let signed_in = match gate.identity.session(Scope::Console, &cookies).await {
        Ok(signed_in) => signed_in,
        Err(error) => {
            tracing::error!(error = %Chain(&error), "look up a session of the console");
            return plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "the console can't look up sessions: try again in a moment",
            );
        }
    };
    let Some(signed_in) = signed_in else {
        return Redirect::to(&way(&request, "/-/console/sign-in")).into_response();
    };
    let Some(operator) = signed_in.operator() else {
        return Redirect::to(&way(&request, "/-/console/password")).into_response();
    };
    let done = request.uri().query().and_then(Done::from_query);
    request.extensions_mut().insert(Visitor { operator, name: signed_in.name.to_string(), done });
    next.run(request).await
}

/// The `Cookie` field; HTTP/2 may split it.
fn cookies(request: &Request) -> String {
    let fields =
        request.headers().get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    fields.collect::<Vec<_>>().join("; ")
}

fn check_origin(request: &Request, control: &Control, cookies: &str) -> Result<(), csrf::CrossSite> {
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let own_origin = match request.extensions().get::<Origin>() {
        Some(Origin(origin)) => origin.clone(),
        None => {
            let host = request.uri().authority().map(http::uri::Authority::as_str).or_else(|| text(&HOST));
            format!("{}://{}", control.config().scheme, host.unwrap_or_default())
        }
    };
    csrf::check(csrf::Facts {
        method: request.method().as_str(),
        sec_fetch_site: text(&HeaderName::from_static("sec-fetch-site")),
        origin: text(&ORIGIN),
        own_origin: &own_origin,
        has_session_cookie: cookie::is_present(cookies),
    })
}

/// The page to go to first, and from there back. A change can't be repeated that way, so its way back is the overview.
fn way(request: &Request, page: &str) -> String {
    let asked = request.uri().path_and_query().map_or("/-/console/", |path| path.as_str());
    let back = if *request.method() == Method::GET { asked } else { "/-/console/" };
    format!("{page}?return-to={}", utf8_percent_encode(back, NON_ALPHANUMERIC))
}

/// An answer for who has no page of the console to see.
fn plain(status: StatusCode, text: &str) -> Response {
    let problem = Problem::new(status, text);
    (status, format!("{}: {}\n", problem.title, problem.detail)).into_response()
}

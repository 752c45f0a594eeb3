//! `/servers`, and `?wait=SECONDS` of every change: answered once all servers have it.
//!
//! The wait is no part of the change: it is done and stays done, whoever is behind. What was found stands in two
//! fields of the answer, so that each keeps the body it has without the wait.

use super::Problem;
use super::auth::Permit;
use super::{Answer, State};
use crate::types::{ServerList, ServerView};
use crate::{Control, FieldError};
use axum::Json;
use axum::extract::{self, Path, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use rowhouse_base::Chain;
use std::sync::Arc;
use std::time::Duration;

/// The generation that was waited for.
pub const GENERATION: HeaderName = HeaderName::from_static("rowhouse-generation");
/// Names of servers that are behind it; empty where none is.
pub const BEHIND: HeaderName = HeaderName::from_static("rowhouse-behind");
/// The longest wait, in seconds: less than what proxies wait for an answer.
const MOST: u64 = 50;

/// The servers of the farm.
#[utoipa::path(get, path = "/servers", tag = "server", responses((status = 200, body = ServerList)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
) -> Answer<Json<ServerList>> {
    Ok(Json(control.servers(&operator).await?))
}

/// Tells a server to finish what is in flight and to go.
#[utoipa::path(post, path = "/servers/{id}/drain", tag = "server",
    params(("id" = String, Path, description = "the server's id, or a name that only one has")),
    responses((status = 200, body = ServerView)))]
pub(super) async fn drain(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
) -> Answer<Json<ServerView>> {
    Ok(Json(control.drain_server(&operator, &id).await?))
}

/// Waits after a change where it was asked to.
pub(super) async fn wait(
    extract::State(control): extract::State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    let most = match asked(request.uri().query()) {
        Ok(most) => most.filter(|_| !request.method().is_safe()),
        Err(wrong) => return Problem::invalid(vec![wrong]).into_response(),
    };
    let mut response = next.run(request).await;
    let Some(most) = most.filter(|_| response.status().is_success()) else { return response };
    match control.wait_applied(most).await {
        Ok(applied) => {
            let fields = [(GENERATION, applied.generation.to_string()), (BEHIND, applied.behind.join(", "))];
            for (name, value) in fields {
                // A server's name is text of our own configuration; one that is no field's value is left out.
                let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("?"));
                response.headers_mut().insert(name, value);
            }
        }
        Err(error) => tracing::warn!(error = %Chain(&error), "wait until all servers have a change"),
    }
    response
}

fn asked(query: Option<&str>) -> Result<Option<Duration>, FieldError> {
    let text = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("wait="));
    let Some(text) = text else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(seconds) if seconds <= MOST => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(FieldError { field: "wait".to_owned(), detail: format!("seconds, at most {MOST}") }),
    }
}

//! Problem details (RFC 9457): the only place that turns errors into statuses and texts of the API.
//!
//! A [`Problem`] leaves a handler as a status and an extension; [`finish`] writes the body, because only
//! it knows the request's id. What the database or a library said goes to the log under that id, never out.

use crate::error::{ControlError, FieldError};
use crate::store::DatabaseError;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use rowhouse_base::Chain;
use rowhouse_base::id::RequestId;
use rowhouse_identity::{PasswordError, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Seconds until it is worth asking again where the server can't answer now: a reconciler that was told looks within them.
pub(crate) const RETRY: &str = "5";

/// What went wrong, for programs and people.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What happened and what would be right.
    pub detail: String,
    /// The request's id, to be found again in the logs.
    #[serde(default)]
    pub instance: String,
    /// Every wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// For the log.
    #[serde(skip)]
    internal: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl ToString) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
            instance: String::new(),
            errors: Vec::new(),
            internal: None,
        }
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = "some fields are wrong; `errors` lists them all";
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    fn internal(status: StatusCode, detail: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { internal: Some(Chain(error).to_string()), ..Self::new(status, detail) }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotAllowed(why) => Self::new(StatusCode::FORBIDDEN, why),
            ControlError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, error),
            ControlError::Conflict(why) => Self::new(StatusCode::CONFLICT, why),
            ControlError::Invalid(errors) => Self::invalid(errors),
            // Operators read this, and they are who can mend it.
            ControlError::Refused { doing, ref source } => {
                let (status, then) = if source.passing {
                    (StatusCode::SERVICE_UNAVAILABLE, "; try again in a moment")
                } else {
                    (StatusCode::INTERNAL_SERVER_ERROR, "")
                };
                Self::internal(status, &format!("{doing}: {source}{then}"), &error)
            }
            ControlError::Password(PasswordError::Busy) | ControlError::Stopped => {
                Self::internal(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment", &error)
            }
            ControlError::Database(ref database) if database.is_transient() => {
                Self::internal(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment", &error)
            }
            ControlError::Identity(StoreError(ref source))
                if source.downcast_ref::<DatabaseError>().is_some_and(DatabaseError::is_transient) =>
            {
                Self::internal(StatusCode::SERVICE_UNAVAILABLE, "try again in a moment", &error)
            }
            ControlError::Database(DatabaseError::Unknown(_)) => {
                let detail = "whether this was done is not known: look before asking again";
                Self::internal(StatusCode::INTERNAL_SERVER_ERROR, detail, &error)
            }
            ControlError::Database(_) | ControlError::Identity(_) | ControlError::Password(_) => {
                Self::internal(StatusCode::INTERNAL_SERVER_ERROR, "the server could not do this", &error)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        ControlError::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of every problem, and makes one of every error that has none. Answers of the API are
/// for who asked: nothing may keep them.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().copied().unwrap_or_else(RequestId::new);
    let mut response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let mut problem = response
            .extensions_mut()
            .remove::<Problem>()
            .unwrap_or_else(|| Problem::new(status, "the request can't be read"));
        problem.instance = id.to_string();
        match problem.internal.take() {
            Some(internal) => tracing::error!(request = %id, error = %internal, "answer an API request"),
            // A library made it, and says no more.
            None if status == StatusCode::INTERNAL_SERVER_ERROR => {
                tracing::error!(request = %id, error = %problem.detail, "answer an API request");
            }
            None => {}
        }
        let old = std::mem::take(response.headers_mut());
        response = render(&problem, status, &old);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn render(problem: &Problem, status: StatusCode, old: &HeaderMap) -> Response {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(allow) = old.get(http::header::ALLOW) {
        headers.insert(http::header::ALLOW, allow.clone());
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rowhouse\""));
    }
    response
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here; `/-/api/v1/openapi.json` lists what there is")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this resource does not know that method")
}

//! What a request brings: a JSON body, a component, a query. Read with a limit, and refused with a problem.

use super::Problem;
use crate::types::Paging;
use crate::{ControlError, FieldError};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

/// Bytes of a JSON body.
const JSON_BYTES: usize = 1 << 20;
/// Bytes of a component. The largest known ones, with a Python inside, have about 40 MiB.
pub(super) const MODULE_BYTES: usize = 64 << 20;

/// A JSON body of at most 1 MiB.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let bytes = read(request, JSON_BYTES).await?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) if error.is_data() => Err(Problem::invalid(vec![FieldError {
                field: "body".to_owned(),
                detail: error.to_string(),
            }])),
            Err(error) => {
                Err(Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}")))
            }
        }
    }
}

/// A component of at most 64 MiB.
pub(super) struct Component(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Component {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        Ok(Self(read(request, MODULE_BYTES).await?))
    }
}

async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes"));
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit)) {
        return Err(too_large());
    }
    let body: Body = request.into_body();
    to_bytes(body, limit).await.map_err(|error| {
        if std::error::Error::source(&error)
            .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
        {
            too_large()
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "the body broke off")
        }
    })
}

/// A query, each parameter of its type.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri).map_err(|error| {
            Problem::invalid(vec![FieldError { field: "query".to_owned(), detail: error.body_text() }])
        })?;
        Ok(Self(query.0))
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// 1 to 200; 50 where nothing is said.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// A text to look for, where the list can be searched.
    search: Option<String>,
    /// A state, for tenants and for the tenants of a run.
    pub(super) state: Option<String>,
    /// A tenant's name, for the audit trail.
    pub(super) tenant: Option<String>,
}

impl Listing {
    pub(super) fn paging(&self) -> Result<Paging, ControlError> {
        if self.limit.is_some_and(|limit| !(1..=200).contains(&limit)) {
            return Err(ControlError::field("limit", "a page has 1 to 200 items"));
        }
        Ok(Paging { limit: self.limit, cursor: self.cursor.clone(), search: self.search.clone() })
    }
}

//! Who asks: an API token, or the console's session cookie with proof that the console itself sent the request.

use super::Problem;
use crate::Control;
use axum::extract::FromRequestParts;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use rowhouse_base::Origin;
use rowhouse_base::secret::Secret;
use rowhouse_identity::{Operator, Scope, cookie, csrf};
use std::sync::Arc;

/// The permit of a request. Methods that change something get one that may write, or 403.
pub(super) struct Permit(pub(super) Operator);

impl FromRequestParts<Arc<Control>> for Permit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, Problem> {
        let operator = match parts.headers.get(AUTHORIZATION) {
            Some(value) => {
                let token = value
                    .to_str()
                    .ok()
                    .and_then(bearer)
                    .ok_or_else(|| unauthorised("a Bearer token is needed"))?;
                let found = control.identity().operator_by_token(&Secret::from_text(token)).await?;
                found.ok_or_else(|| unauthorised("the token is not valid, or not any more"))?
            }
            None => by_cookie(parts, control).await?,
        };
        if !parts.method.is_safe()
            && let Err(error) = operator.writer()
        {
            return Err(Problem::new(StatusCode::FORBIDDEN, error));
        }
        Ok(Self(operator))
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn by_cookie(parts: &Parts, control: &Control) -> Result<Operator, Problem> {
    // HTTP/2 may split the field.
    let cookies: Vec<_> =
        parts.headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let cookies = cookies.join("; ");
    if !cookie::is_present(&cookies) {
        return Err(unauthorised("a token or a session is needed"));
    }
    let origin = own_origin(parts, control);
    csrf::check(csrf::Facts {
        method: parts.method.as_str(),
        sec_fetch_site: text(&parts.headers, &HeaderName::from_static("sec-fetch-site")),
        origin: text(&parts.headers, &ORIGIN),
        own_origin: &origin,
        has_session_cookie: true,
    })
    .map_err(|error| Problem::new(StatusCode::FORBIDDEN, error))?;
    let signed_in = control.identity().session(Scope::Console, &cookies).await?;
    let signed_in = signed_in.ok_or_else(|| unauthorised("the session is over"))?;
    signed_in.operator().ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "choose a password first"))
}

fn own_origin(parts: &Parts, control: &Control) -> String {
    if let Some(Origin(origin)) = parts.extensions.get() {
        return origin.clone();
    }
    let host = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = host.or_else(|| text(&parts.headers, &HOST)).unwrap_or_default();
    format!("{}://{host}", control.config().scheme)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unauthorised(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

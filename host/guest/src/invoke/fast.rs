//! The fast lane: one plain function from a request record to a response record.

use super::{Ended, Usage, fields};
use crate::store::GuestState;
use crate::warm::Instance;
use crate::{GuestError, LimitHit, ResponseBody, Visitor};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use rowhouse_base::Limits;
use rowhouse_bindings::site::handler;
use wasmtime::Store;

/// The request as the guest gets it.
pub(crate) fn request(parts: &http::request::Parts, visitor: Visitor, body: Bytes) -> handler::Request {
    let headers = parts
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let value = std::str::from_utf8(value.as_bytes()).ok()?;
            Some(handler::Header { name: name.as_str().to_owned(), value: value.to_owned() })
        })
        .collect();
    handler::Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        origin: visitor.origin,
        base_path: visitor.base_path,
        headers,
        body: body.into(),
    }
}

/// Instantiates the module.
pub(crate) async fn instantiate(
    pre: &handler::HandlerPre<GuestState>,
    mut store: Store<GuestState>,
    limits: &Limits,
) -> Ended<Instance<handler::Handler>> {
    match pre.instantiate_async(&mut store).await {
        Ok(handler) => Ok(Instance::new(store, handler)),
        Err(error) => Err(store.data().explain(&error, limits)),
    }
}

/// Runs the guest. An error leaves an instance that must not be used again.
pub(crate) async fn run(
    instance: &mut Instance<handler::Handler>,
    request: handler::Request,
    limits: &Limits,
) -> Ended<(http::Response<ResponseBody>, Usage)> {
    let store = &mut instance.store;
    let called = instance.handler.rowhouse_site_handler().call_handle(&mut *store, &request).await;
    let answer = called.map_err(|error| store.data().explain(&error, limits))?;
    let tags = store.data_mut().take_tags();
    let usage = Usage::of(store);
    Ok((response(answer, &tags, limits)?, usage))
}

fn response(
    answer: handler::Response,
    tags: &[String],
    limits: &Limits,
) -> Ended<http::Response<ResponseBody>> {
    if answer.body.len() as u64 > limits.response_bytes {
        return Err(GuestError::Limit(LimitHit::ResponseBytes(limits.response_bytes)));
    }
    let mut response = http::Response::new(ResponseBody::Full(answer.body.into()));
    *response.status_mut() = fields::status(answer.status)?;
    let headers = response.headers_mut();
    headers.reserve(answer.headers.len());
    for field in answer.headers {
        let invalid =
            |what: &str| GuestError::BadResponse(format!("the {what} of the field {:?}", field.name));
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_not_a_token| invalid("name"))?;
        let value = HeaderValue::from_bytes(field.value.as_bytes()).map_err(|_control| invalid("value"))?;
        headers
            .try_append(name, value)
            .map_err(|_too_many| GuestError::Limit(LimitHit::HeaderBytes(limits.header_bytes)))?;
    }
    fields::strip(headers, true);
    fields::check_size(headers, limits)?;
    fields::add_tags(headers, tags);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> handler::Response {
        let headers = headers
            .iter()
            .map(|(name, value)| handler::Header { name: (*name).into(), value: (*value).into() })
            .collect();
        handler::Response { status, headers, body: b"hi".to_vec() }
    }

    #[test]
    fn what_http_does_not_allow_is_refused() {
        let limits = Limits::default();
        for bad in [
            answer(100, &[]),
            answer(999, &[]),
            answer(200, &[("bad name", "x")]),
            answer(200, &[("x", "a\r\nset-cookie: b")]),
        ] {
            assert!(matches!(response(bad, &[], &limits), Err(GuestError::BadResponse(_))));
        }
        let large = "x".repeat(40_000);
        let hit = response(answer(200, &[("x", &large)]), &[], &limits);
        assert!(matches!(hit, Err(GuestError::Limit(LimitHit::HeaderBytes(_)))));
    }

    #[test]
    fn connection_fields_stay_with_the_host() {
        let fields =
            [("Connection", "close"), ("transfer-encoding", "chunked"), ("content-length", "9"), ("x", "y")];
        let response = response(answer(200, &fields), &["a".into(), "b".into()], &Limits::default()).unwrap();
        assert_eq!(response.headers().len(), 2);
        assert_eq!(response.headers()["cache-tag"], "a,b");
    }
}

//! Attacks on the reply: fields and bodies that are too large or that HTTP does not allow.

use crate::exports::rowhouse::site::handler::{Header, Request, Response};
use crate::{number, text};

/// One field of `mib` MiB.
pub(crate) fn giant_header(request: &Request) -> Response {
    let length = usize::try_from(number(request, "mib", 8)).unwrap_or(8) * 1024 * 1024;
    let mut response = text("giant header\n");
    response.headers.push(Header { name: "x-giant".into(), value: "a".repeat(length) });
    response
}

/// `count` small fields.
pub(crate) fn many_headers(request: &Request) -> Response {
    let mut response = text("many headers\n");
    for index in 0..number(request, "count", 100_000) {
        response.headers.push(Header { name: format!("x-{index}"), value: "a".into() });
    }
    response
}

/// A value with a line break: a second response, if the host passed it on.
pub(crate) fn invalid_header() -> Response {
    let mut response = text("split\n");
    response.headers.push(Header {
        name: "x-split".into(),
        value: "a\r\nset-cookie: stolen=1\r\n\r\nHTTP/1.1 200 OK".into(),
    });
    response
}

/// A status that HTTP doesn't have.
pub(crate) fn invalid_status() -> Response {
    let mut response = text("status\n");
    response.status = 42;
    response
}

/// A body of `mib` MiB.
pub(crate) fn giant_body(request: &Request) -> Response {
    let length = usize::try_from(number(request, "mib", 64)).unwrap_or(64) * 1024 * 1024;
    let mut response = text("");
    response.body = vec![b'a'; length];
    response
}

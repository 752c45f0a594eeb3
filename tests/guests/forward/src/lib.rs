//! Passes every request on to the server that the setting `origin` names (`http://HOST:PORT`), and every
//! answer back, as they are: method, path, fields in their order, body. What can't be sent is answered with
//! 502 and wasi:http's own word for why. Only the wasm build has contents.
#![cfg(target_family = "wasm")]

mod bindings {
    //! What the wasi:http crate does not bring: Rowhouse's own interfaces.
    wit_bindgen::generate!({
        path: "../../../wit/0.1",
        inline: "
            package rowhouse-tests:forward;
            world forward {
                import rowhouse:host/tenant@0.1.0;
            }
        ",
        world: "rowhouse-tests:forward/forward",
        generate_all,
    });
}

use bindings::rowhouse::host::tenant;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, IncomingResponse, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// Bytes that are copied at once.
const PIECE: u64 = 16 << 10;

struct Forward;

impl wasip2::exports::http::incoming_handler::Guest for Forward {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match sent(&request) {
            Ok(answer) => give_back(&answer, out),
            Err(code) => refuse(&code, out),
        }
    }
}

/// Sends the request on and waits for the answer.
fn sent(request: &IncomingRequest) -> Result<IncomingResponse, ErrorCode> {
    let origin = tenant::setting("origin").expect("the setting `origin`");
    let (scheme, authority) = origin.split_once("://").expect("SCHEME://HOST:PORT");
    let fields = passed_on(&request.headers());
    let onward = OutgoingRequest::new(fields);
    onward.set_method(&request.method()).expect("the visitor's method");
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    onward.set_scheme(Some(&scheme)).expect("a scheme");
    onward.set_authority(Some(authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    onward.set_path_with_query(request.path_with_query().as_deref()).expect("the visitor's path");

    let body = request.consume().expect("the first call of consume");
    let from = body.stream().expect("the first call of stream");
    // Nothing is opened before the first byte is there: a request without a body goes on without one.
    let Some(first) = piece(&from) else { return answered(onward) };
    let to = onward.body().expect("the first call of body");
    let waiting = outgoing_handler::handle(onward, None)?;
    let stream = to.write().expect("the first call of write");
    let mut next = Some(first);
    while let Some(bytes) = next {
        if !written(&stream, &bytes) {
            break;
        }
        next = piece(&from);
    }
    drop(stream);
    // Where the other side has answered without reading all of it, the answer says so.
    let _finished = OutgoingBody::finish(to, None);
    awaited(&waiting)
}

fn answered(request: OutgoingRequest) -> Result<IncomingResponse, ErrorCode> {
    awaited(&outgoing_handler::handle(request, None)?)
}

fn awaited(waiting: &wasip2::http::types::FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    waiting.subscribe().block();
    waiting.get().expect("it is ready").expect("it is taken once")
}

/// The fields that go on: all but those that the host refuses, and the prefix that it added.
fn passed_on(fields: &Fields) -> Fields {
    let kept = Fields::new();
    for (name, value) in fields.entries() {
        if name != "x-forwarded-prefix" {
            // `Host` is the host's business.
            let _refused = kept.append(&name, &value);
        }
    }
    kept
}

fn give_back(answer: &IncomingResponse, out: ResponseOutparam) {
    let response = OutgoingResponse::new(passed_on(&answer.headers()));
    response.set_status_code(answer.status()).expect("the origin's status");
    let to = response.body().expect("the first call of body");
    ResponseOutparam::set(out, Ok(response));
    let body: IncomingBody = answer.consume().expect("the first call of consume");
    let from = body.stream().expect("the first call of stream");
    let stream = to.write().expect("the first call of write");
    while let Some(bytes) = piece(&from) {
        if !written(&stream, &bytes) {
            return;
        }
    }
    drop(stream);
    // A length that the origin announced and did not keep breaks the answer off.
    let _finished = OutgoingBody::finish(to, None);
}

/// The next bytes; none at the end. A body that breaks off is a trap: what was sent so far must not look whole.
fn piece(from: &InputStream) -> Option<Vec<u8>> {
    read(from).expect("the body comes whole")
}

fn read(from: &InputStream) -> Result<Option<Vec<u8>>, String> {
    loop {
        match from.blocking_read(PIECE) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => return Ok(Some(bytes)),
            Err(StreamError::Closed) => return Ok(None),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}

fn written(to: &OutputStream, bytes: &[u8]) -> bool {
    bytes.chunks(4096).all(|chunk| to.blocking_write_and_flush(chunk).is_ok())
}

fn refuse(code: &ErrorCode, out: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(502).expect("a valid status");
    let body = response.body().expect("the first call of body");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the first call of write");
    written(&stream, format!("{code:?}").as_bytes());
    drop(stream);
    OutgoingBody::finish(body, None).expect("no length was given");
}

wasip2::http::proxy::export!(Forward);

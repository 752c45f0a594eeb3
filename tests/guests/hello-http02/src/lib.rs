//! The smallest guest for `wasi:http/incoming-handler@0.2`: answers every request with one line.
//!
//! It knows nothing of Rowhouse: any server of wasi:http runs it, which is what the comparison with
//! `wasmtime serve` needs. Only the wasm build has contents.
#![cfg(target_family = "wasm")]

use std::io::Write as _;

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

const BODY: &[u8] = b"Hello from wasi:http 0.2\n";

struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        // A failure below is a trap: the host answers, and a test that expects 200 fails.
        let fields = Fields::from_list(&[
            ("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec()),
            ("content-length".to_owned(), BODY.len().to_string().into_bytes()),
        ])
        .expect("two valid fields");
        let response = OutgoingResponse::new(fields);
        let body = response.body().expect("the first call of body");
        ResponseOutparam::set(out, Ok(response));

        let mut stream = body.write().expect("the first call of write");
        stream.write_all(BODY).expect("the body is taken");
        drop(stream);
        OutgoingBody::finish(body, None).expect("the length is right");
    }
}

wasip2::http::proxy::export!(Hello);

//! The smallest guest for `wasi:http/handler@0.3`: answers every request with one line.
//!
//! It knows nothing of Rowhouse: any server of wasi:http runs it, which is what the comparison with
//! `wasmtime serve` needs. Only the wasm build has contents.
#![cfg(target_family = "wasm")]

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

const BODY: &[u8] = b"Hello from wasi:http 0.3\n";

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        // A failure below is a trap: the host answers, and a test that expects 200 fails.
        let fields = Fields::from_list(&[
            ("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec()),
            ("content-length".to_owned(), BODY.len().to_string().into_bytes()),
        ])
        .expect("two valid fields");
        let (mut body, body_reader) = wit_stream::new();
        let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(fields, Some(body_reader), trailers_reader);
        drop(trailers);

        wit_bindgen::spawn_local(async move {
            let rest = body.write_all(BODY.to_vec()).await;
            assert!(rest.is_empty(), "the host read the whole body");
        });
        Ok(response)
    }
}

wasip3::http::service::export!(Hello);

//! The smallest guest of the fast lane: answers every request with one line.
//!
//! It imports nothing from Rowhouse and keeps no state, so what it costs is what the host costs. The
//! benchmarks and the tests of the fast lane load it. Only the wasm build has contents.
#![cfg(target_family = "wasm")]
#![expect(unsafe_code, reason = "the generated bindings cross the component boundary")]

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    inline: "
        package rowhouse-tests:hello;
        world hello {
            export rowhouse:site/handler@0.1.0;
        }
    ",
    world: "rowhouse-tests:hello/hello",
    generate_all,
});

use exports::rowhouse::site::handler::{Guest, Header, Request, Response};

struct Hello;

impl Guest for Hello {
    fn handle(_request: Request) -> Response {
        Response {
            status: 200,
            headers: vec![Header { name: "content-type".into(), value: "text/plain; charset=utf-8".into() }],
            body: b"Hello from the fast lane\n".to_vec(),
        }
    }
}

export!(Hello);

//! The page of 20 rows over `wasi:http/incoming-handler@0.2`, with Rowhouse's SQL beside it.
//!
//! Beside the guest `page` it shows what wasi:http costs over the fast lane for the same work, and
//! that `rowhouse:host` imports go with any kind of handler. Only the wasm build has contents.
#![cfg(target_family = "wasm")]
#![expect(unsafe_code, reason = "the generated bindings cross the component boundary")]

mod bindings {
    //! What the wasi:http crate does not bring: Rowhouse's own interfaces.
    wit_bindgen::generate!({
        path: "../../../wit/0.1",
        inline: "
            package rowhouse-tests:page-http02;
            world page {
                import rowhouse:host/sql@0.1.0;
                export rowhouse:site/schema@0.1.0;
            }
        ",
        world: "rowhouse-tests:page-http02/page",
        generate_all,
    });

    export!(Page with_types_in self);

    pub(crate) struct Page;
}

use std::io::Write as _;

use bindings::Page;
use bindings::exports::rowhouse::site::schema::{Guest as Schema, Migration};
use bindings::rowhouse::host::sql::{self, Value};
use rowhouse_bench_page::{NOW, QUERY, packed, render, schema};
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

impl wasip2::exports::http::incoming_handler::Guest for Page {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let (status, html) = match sql::query_packed(QUERY, &[Value::Integer(NOW)]) {
            Ok(rows) => {
                let articles = packed::articles(&rows).expect("the layout of host.wit");
                (200, render(articles))
            }
            Err(error) => (500, format!("{error:?}")),
        };

        let fields = Fields::from_list(&[
            ("content-type".to_owned(), b"text/html; charset=utf-8".to_vec()),
            ("content-length".to_owned(), html.len().to_string().into_bytes()),
        ])
        .expect("two valid fields");
        let response = OutgoingResponse::new(fields);
        response.set_status_code(status).expect("a valid status");
        let body = response.body().expect("the first call of body");
        ResponseOutparam::set(out, Ok(response));

        let mut stream = body.write().expect("the first call of write");
        stream.write_all(html.as_bytes()).expect("the body is taken");
        drop(stream);
        OutgoingBody::finish(body, None).expect("the length is right");
    }
}

impl Schema for Page {
    fn migrations() -> Vec<Migration> {
        vec![Migration {
            version: 1,
            name: "create article".into(),
            sqlite: schema(),
            postgresql: schema(),
            mysql: schema(),
        }]
    }
}

wasip2::http::proxy::export!(Page);

//! A page of 20 rows on the fast lane: one packed query, one template, about 5 KB.
//!
//! It shows what a site costs that asks its database once for a page. The benchmarks compare it with
//! native servers that render the same page; the tests of migrations and of `query-packed` load it. Under
//! `/kept` the same page may be kept by the host, for the benchmarks of the output cache.
//! Only the wasm build has contents.
#![cfg(target_family = "wasm")]
#![expect(unsafe_code, reason = "the generated bindings cross the component boundary")]

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    inline: "
        package rowhouse-tests:page;
        world page {
            import rowhouse:host/sql@0.1.0;
            export rowhouse:site/handler@0.1.0;
            export rowhouse:site/schema@0.1.0;
        }
    ",
    world: "rowhouse-tests:page/page",
    generate_all,
});

use exports::rowhouse::site::handler::{Guest as Handler, Header, Request, Response};
use exports::rowhouse::site::schema::{Guest as Schema, Migration};
use rowhouse::host::sql::{self, Value};
use rowhouse_bench_page::{NOW, QUERY, packed, render, schema};

/// The path of the page that may be kept, whatever its query.
const KEPT: &str = "/kept";

struct Page;

impl Handler for Page {
    fn handle(request: Request) -> Response {
        let (status, body) = match sql::query_packed(QUERY, &[Value::Integer(NOW)]) {
            Ok(rows) => {
                let articles = packed::articles(&rows).expect("the layout of host.wit");
                (200, render(articles))
            }
            Err(error) => (500, format!("{error:?}")),
        };
        let mut headers = vec![field("content-type", "text/html; charset=utf-8")];
        if request.path == KEPT {
            // As the SDK's `Cache::Exact` says it: by the host for a day at most, by nobody else without a check.
            headers.push(field("rowhouse-cache-control", "max-age=86400"));
            headers.push(field("cache-control", "no-cache"));
        }
        Response { status, headers, body: body.into_bytes() }
    }
}

fn field(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
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

export!(Page);

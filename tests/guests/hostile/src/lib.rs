//! A guest whose path picks an attack, on the fast lane.
//!
//! `/ok` answers at once, which shows that the site itself is sound. Every other path does one hostile
//! thing; the tests know how it must end, and measure what a neighbour feels meanwhile. Attacks that
//! try several things answer with JSON: `accepted` names what the host let through and must be empty.
//! It holds no secret, knows no test and never cleans up. Only the wasm build has contents.
#![cfg(target_family = "wasm")]
#![expect(unsafe_code, reason = "the generated bindings cross the component boundary")]

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    inline: "
        package rowhouse-tests:hostile;
        world hostile {
            import rowhouse:host/tenant@0.1.0;
            import rowhouse:host/sql@0.1.0;
            export rowhouse:site/handler@0.1.0;
            export rowhouse:site/schema@0.1.0;
        }
    ",
    world: "rowhouse-tests:hostile/hostile",
    generate_all,
});

mod compute;
mod files;
mod flood;
mod hold;
mod memory;
mod neighbour;
mod reply;
mod statements;
mod verdict;

use exports::rowhouse::site::handler::{Guest as Handler, Header, Request, Response};
use exports::rowhouse::site::schema::{Guest as Schema, Migration};

struct Hostile;

impl Handler for Hostile {
    fn handle(request: Request) -> Response {
        match request.path.as_str() {
            "/ok" => text("ok\n"),
            "/loop" => compute::spin_forever(),
            "/spin" => compute::spin(&request),
            "/recurse" => compute::recurse_forever(&request),
            "/trap" => compute::trap(),
            "/panic" => compute::panic(),
            "/sleep" => compute::sleep(&request),
            "/memory-bomb" => memory::bomb(),
            "/memory-grow" => memory::grow(),
            "/canary-write" => memory::canary_write(&request),
            "/canary-scan" => memory::canary_scan(),
            "/remember" => memory::remember(&request),
            "/flood" => flood::host_calls(&request),
            "/random-flood" => flood::random(&request),
            "/stderr-flood" => flood::stderr(&request),
            "/giant-header" => reply::giant_header(&request),
            "/many-headers" => reply::many_headers(&request),
            "/invalid-header" => reply::invalid_header(),
            "/invalid-status" => reply::invalid_status(),
            "/giant-body" => reply::giant_body(&request),
            "/attach" => statements::attach(),
            "/pragma" => statements::pragma(),
            "/vacuum-into" => statements::vacuum_into(),
            "/transaction-text" => statements::transaction_text(),
            "/schema-change" => statements::schema_change(),
            "/slow-sql" => statements::slow(),
            "/slow-write" => statements::slow_write(),
            "/instr" => statements::instr(),
            "/replace" => statements::replace(),
            "/json-patch" => statements::json_patch(),
            "/trim2" => statements::trim2(),
            "/hex2" => statements::hex2(),
            "/like" => statements::like(),
            "/glob" => statements::glob(),
            "/fill-database" => statements::fill_database(),
            "/files-escape" => files::escape(),
            "/files-fill" => files::fill(&request),
            "/read-neighbour" => neighbour::read(&request),
            "/tx-leave-open" => hold::transaction_left_open(&request),
            "/cursor-hold" => hold::cursor_held(&request),
            "/many-transactions" => hold::many_transactions(),
            "/many-cursors" => hold::many_cursors(),
            path => {
                let mut response = text(&format!("no attack at {path}\n"));
                response.status = 404;
                response
            }
        }
    }
}

impl Schema for Hostile {
    fn migrations() -> Vec<Migration> {
        let create = vec!["CREATE TABLE scratch (id INTEGER PRIMARY KEY, body TEXT)".to_owned()];
        vec![Migration {
            version: 1,
            name: "create scratch".into(),
            sqlite: create.clone(),
            postgresql: create.clone(),
            mysql: create,
        }]
    }
}

/// A plain answer with status 200.
fn text(body: &str) -> Response {
    Response {
        status: 200,
        headers: vec![Header { name: "content-type".into(), value: "text/plain".into() }],
        body: body.as_bytes().to_vec(),
    }
}

/// The number that the query string gives for `key`, else `default`.
fn number(request: &Request, key: &str, default: u64) -> u64 {
    word(request, key).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What the query string gives for `key`, undecoded.
fn word<'a>(request: &'a Request, key: &str) -> Option<&'a str> {
    request.query.as_deref()?.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

export!(Hostile);

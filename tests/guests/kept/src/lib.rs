//! A site whose every page may be kept, for tests of the output cache.
//!
//! Each page says what it was made from, and carries a number that differs with every rendering, so that a
//! test sees both how old a page is and whether it was made anew. It marks pages as kept that must not be
//! shared, too: the host has to know better.

use rowhouse_sdk::prelude::*;
use rowhouse_sdk::{files, identity, pages};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// Rows there are from the beginning.
const ITEMS: i64 = 16;

const HOUR: Cache = Cache::Exact(Duration::from_secs(3600));

/// Fields by which a visitor could try to make a page that others get. A host that lets one through shows it.
const FORGEABLE: [&str; 20] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded",
    "x-host",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "front-end-https",
    "cookie",
];

/// Times that a stamp says whose it is: its page is then long enough to be coded, and any part of it tells.
const COPIES: usize = 24;

/// Another number in every instance.
fn rendering() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn kept(text: impl std::fmt::Display) -> Response {
    Response::text(format!("{text}\n")).cache(HOUR).header("x-rendering", rendering())
}

fn item(_request: &Request, id: i64) -> Result {
    let value: Option<i64> = sql::query_scalar("SELECT value FROM item WHERE id = $1", params![id])?;
    value.map(kept).ok_or(Error::NotFound)
}

/// Adds one and answers what it is now.
fn add_one(_request: &Request, id: i64) -> Result<Response> {
    let value = sql::transaction_with_retry(20, |transaction| {
        transaction.execute("UPDATE item SET value = value + 1 WHERE id = $1", params![id])?;
        transaction.query_scalar::<i64>("SELECT value FROM item WHERE id = $1", params![id])
    })?;
    let value = value.ok_or(Error::NotFound)?;
    Ok(Response::text(format!("{value}\n")).cache(Cache::NoStore))
}

fn sum(_request: &Request) -> Result {
    let sum: Option<i64> = sql::query_scalar("SELECT COALESCE(MAX(value), 0) FROM item", params![])?;
    Ok(kept(sum.unwrap_or(0)))
}

fn tagged(_request: &Request, tag: String) -> Response {
    pages::tag(&[&tag]);
    kept(tag)
}

fn purge(_request: &Request, tag: String) -> Response {
    pages::purge(&[&tag]);
    Response::new(204)
}

fn who(_request: &Request) -> Response {
    kept(identity::current().map_or_else(|| "nobody".to_owned(), |user| user.name))
}

fn note(_request: &Request) -> Response {
    kept(std::fs::read_to_string(files::root().join("note")).unwrap_or_default())
}

fn write_note(request: &Request) -> Response {
    match std::fs::write(files::root().join("note"), request.body()) {
        Ok(()) => Response::new(204),
        Err(error) => Response::text(error.to_string()).status(507),
    }
}

/// What the page was asked for, in as many words as a page could be poisoned with.
fn echo(request: &Request) -> Response {
    let field = |name: &str| request.header(name).unwrap_or("-").to_owned();
    let asked = [
        tenant::current().id,
        tenant::current().release,
        request.origin().to_owned(),
        request.base_path().to_owned(),
        request.path().to_owned(),
        request.query_string().unwrap_or("-").to_owned(),
        field("x-forwarded-host"),
        field("x-forwarded-proto"),
        field("x-original-url"),
        field("accept-language"),
    ];
    kept(asked.join("|")).header("vary", "accept-language")
}

/// Whose page it is, what it was made of and what it was asked for: all that two right answers may differ by.
fn stamp(request: &Request, id: i64) -> Result {
    let value: Option<i64> = sql::query_scalar("SELECT value FROM item WHERE id = $1", params![id])?;
    let value = value.ok_or(Error::NotFound)?;
    let field = |name: &str| request.header(name).unwrap_or("-").to_owned();
    let site = tenant::current();
    let marker = format!("{}|{}|{}|{id}|{value}", site.id, site.name, site.release);
    let asked = [
        request.origin().to_owned(),
        request.base_path().to_owned(),
        request.path().to_owned(),
        request.query_string().unwrap_or("-").to_owned(),
        field("host"),
        field("accept-language"),
        field("x-variant"),
        FORGEABLE.map(field).join("|"),
    ];
    let whose = [marker.as_str(); COPIES].join("\n");
    let page = kept(format!("{whose}\n{}", asked.join("\n")));
    Ok(page.header("vary", "accept-language, x-variant").header("x-marker", marker))
}

/// The site.
pub struct Kept;

impl Site for Kept {
    fn routes() -> Router {
        Router::new()
            .get("/", sum)
            .get("/item/{id}", item)
            .post("/item/{id}", add_one)
            .get("/tagged/{tag}", tagged)
            .post("/purge/{tag}", purge)
            .get("/who", who)
            .get("/note", note)
            .post("/note", write_note)
            .get("/echo", echo)
            .get("/stamp/{id}", stamp)
    }

    fn migrations() -> Vec<Migration> {
        let steps = || {
            let rows: Vec<String> = (0..ITEMS).map(|id| format!("({id}, 0)")).collect();
            [
                "CREATE TABLE item (id BIGINT NOT NULL PRIMARY KEY, value BIGINT NOT NULL)".to_owned(),
                format!("INSERT INTO item (id, value) VALUES {}", rows.join(", ")),
            ]
        };
        vec![Migration::new(1, "create items").sqlite(steps()).postgresql(steps()).mysql(steps())]
    }
}

rowhouse_sdk::export!(Kept);

//! A guest book: the smallest site that has a table, a form and a page.
//!
//! It is the example of the SDK's documentation as a crate of its own, and shows what a site needs at
//! least. Build it with `cargo build -p example-twenty-lines --target wasm32-wasip2 --profile guest`.

use rowhouse_sdk::prelude::*;

#[derive(Row)]
struct Note {
    text: String,
}

#[derive(Template)]
#[template(askama = rowhouse_sdk::askama, path = "home.html")]
struct Home {
    urls: Urls,
    title: String,
    notes: Vec<Note>,
}

fn home(request: &Request) -> Result {
    let notes = sql::query_as("SELECT text FROM notes ORDER BY id DESC LIMIT 50", params![])?;
    Response::page(&Home { urls: request.urls(), title: tenant::current().title, notes })
}

fn add(request: &Request) -> Result {
    let text = request.form()?.required("text", 200, "Write something.");
    if !text.is_empty() {
        sql::execute("INSERT INTO notes (text) VALUES ($1)", params![text])?;
    }
    Ok(Response::see_other(request.urls().to("/")))
}

/// The site.
pub struct GuestBook;

impl Site for GuestBook {
    fn routes() -> Router {
        Router::new().get("/", home).post("/", add)
    }

    fn migrations() -> Vec<Migration> {
        let table =
            |id: &str| format!("CREATE TABLE notes (id {id} PRIMARY KEY, text VARCHAR(200) NOT NULL)");
        vec![
            Migration::new(1, "create notes")
                .sqlite([table("INTEGER")])
                .postgresql([table("BIGINT GENERATED ALWAYS AS IDENTITY")])
                .mysql([table("BIGINT AUTO_INCREMENT")]),
        ]
    }
}

rowhouse_sdk::export!(GuestBook);

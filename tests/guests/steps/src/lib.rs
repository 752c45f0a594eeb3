//! A module in two versions: the second has a migration that a database with a word written twice does not
//! allow, and that takes a while.
//!
//! Which version it is stands in its own bytes, where the test of runs writes another number. `/` says which
//! version answers and how often the second migration was applied, `/poison` writes a word twice. Only the
//! wasm build has contents.
#![cfg(target_family = "wasm")]
#![expect(unsafe_code, reason = "the generated bindings cross the component boundary")]

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    inline: "
        package rowhouse-tests:steps;
        world steps {
            import rowhouse:host/sql@0.1.0;
            export rowhouse:site/handler@0.1.0;
            export rowhouse:site/schema@0.1.0;
        }
    ",
    world: "rowhouse-tests:steps/steps",
    generate_all,
});

use exports::rowhouse::site::handler::{Guest as Handler, Request, Response};
use exports::rowhouse::site::schema::{Guest as Schema, Migration};
use rowhouse::host::sql::{self, Value};

/// The last byte is the version; the test changes it.
static VERSION: [u8; 19] = *b"version-of-steps: 1";
/// Tables that the second migration makes, so that a run over some dozen tenants takes long enough to be killed.
const TABLES: u32 = 60;

struct Steps;

fn version() -> u8 {
    // The compiler must not know what stands there.
    std::hint::black_box(&VERSION)[18] - b'0'
}

impl Handler for Steps {
    fn handle(request: Request) -> Response {
        let done = match request.path.as_str() {
            "/poison" => sql::execute("INSERT INTO notes (id, word) VALUES (1, 'same'), (2, 'same')", &[])
                .map(|_| "poisoned".to_owned()),
            _ => page(),
        };
        let (status, body) = match done {
            Ok(text) => (200, text),
            Err(error) => (500, format!("{error:?}")),
        };
        Response { status, headers: Vec::new(), body: body.into_bytes() }
    }
}

fn count(text: &str) -> Result<i64, sql::Error> {
    let found = sql::query(text, &[])?;
    match found.rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => Ok(*count),
        _ => Ok(-1),
    }
}

fn page() -> Result<String, sql::Error> {
    let notes = count("SELECT COUNT(*) FROM notes")?;
    Ok(match version() {
        1 => format!("version 1, {notes} notes"),
        version => {
            let applied = count("SELECT COUNT(*) FROM applied")?;
            format!("version {version}, {notes} notes, migrated {applied} time(s)")
        }
    })
}

fn step(version: u32, name: &str, statements: Vec<String>) -> Migration {
    Migration {
        version,
        name: name.into(),
        sqlite: statements.clone(),
        postgresql: statements.clone(),
        mysql: statements,
    }
}

impl Schema for Steps {
    fn migrations() -> Vec<Migration> {
        let notes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, word VARCHAR(40) NOT NULL)";
        let mut all = vec![step(1, "notes", vec![notes.to_owned()])];
        if version() > 1 {
            let mut statements: Vec<String> =
                (0..TABLES).map(|n| format!("CREATE TABLE extra{n} (id INTEGER PRIMARY KEY)")).collect();
            statements.push("CREATE TABLE applied (id INTEGER PRIMARY KEY)".to_owned());
            statements.push("INSERT INTO applied (id) VALUES (1)".to_owned());
            statements.push("CREATE UNIQUE INDEX notes_word ON notes (word)".to_owned());
            all.push(step(2, "each word once", statements));
        }
        all
    }
}

export!(Steps);

//! Attacks by not letting go: transactions and cursors that stay open when the request ends, or for
//! `ms` milliseconds before it does.

use std::fmt::Debug;
use std::time::Duration;

use crate::exports::rowhouse::site::handler::{Request, Response};
use crate::rowhouse::host::sql::{self, Mode};
use crate::{number, text};

/// A result that never ends.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

/// How many of a thing the attacks try to hold.
const MANY: usize = 1_000;

/// Begins a write transaction, writes a row that must never be seen, and never ends it.
pub(crate) fn transaction_left_open(request: &Request) -> Response {
    let outcome = sql::begin(Mode::Write).and_then(|transaction| {
        let outcome = transaction.execute("INSERT INTO scratch (body) VALUES ('never committed')", &[]);
        std::mem::forget(transaction);
        outcome
    });
    wait(request);
    report("transaction", &outcome)
}

/// Reads one page of an endless result and keeps the cursor.
pub(crate) fn cursor_held(request: &Request) -> Response {
    let outcome = sql::open(ENDLESS, &[]).and_then(|cursor| {
        let page = cursor.next(10);
        std::mem::forget(cursor);
        page
    });
    wait(request);
    report("cursor", &outcome)
}

/// Begins as many read transactions as the host gives.
pub(crate) fn many_transactions() -> Response {
    many("transactions", || sql::begin(Mode::Read))
}

/// Opens as many cursors as the host gives.
pub(crate) fn many_cursors() -> Response {
    many("cursors", || sql::open(ENDLESS, &[]))
}

fn many<T>(name: &str, make: impl Fn() -> Result<T, sql::Error>) -> Response {
    let mut held = Vec::new();
    while held.len() < MANY {
        match make() {
            Ok(one) => held.push(one),
            Err(error) => return text(&format!("held {} {name}, then {error:?}\n", held.len())),
        }
    }
    text(&format!("held {MANY} {name}\n"))
}

fn wait(request: &Request) {
    std::thread::sleep(Duration::from_millis(number(request, "ms", 0)));
}

fn report<T, E: Debug>(name: &str, outcome: &Result<T, E>) -> Response {
    match outcome {
        Ok(_) => text(&format!("held the {name}\n")),
        Err(error) => text(&format!("refused: {error:?}\n")),
    }
}

//! Statements, batches, transactions and cursors, as a site sees them, over the test backend.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use rowhouse_sdk::{
    prelude::*,
    sql::{SqlError, SqlResult, Transaction, statement},
    testing::TestSite,
};

struct Shelf;

impl Site for Shelf {
    fn routes() -> Router {
        Router::new()
            .get("/", |_: &Request| -> Result {
                let count: Option<i64> = sql::query_scalar("SELECT count(*) FROM books", params![])?;
                Ok(Response::text(count.unwrap_or(0).to_string()))
            })
            .get("/broken", |_: &Request| -> Result {
                sql::execute("INSERT INTO nowhere VALUES (1)", params![])?;
                Ok(Response::new(204))
            })
            .guard("/office", |request| request.require_role(&["owner", "editor"]).map(|_| ()))
            .get("/office", |request: &Request| {
                Response::text(request.user().map(|user| user.name.clone()).unwrap_or_default())
            })
    }

    fn migrations() -> Vec<Migration> {
        vec![Migration::new(1, "create books").all([
            "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, lent BOOLEAN, price REAL)",
        ])]
    }
}

#[derive(Row, Debug, PartialEq)]
struct Book {
    #[row(rename = "title")]
    name: String,
    lent: Option<bool>,
    price: f64,
}

fn add(title: &str) -> SqlResult<sql::Outcome> {
    sql::execute("INSERT INTO books (title, lent, price) VALUES ($1, $2, $3)", params![title, true, 2.0])
}

fn count() -> i64 {
    sql::query_scalar("SELECT count(*) FROM books", params![]).unwrap().unwrap()
}

#[test]
fn typed_rows_come_back_as_they_went_in() {
    TestSite::new::<Shelf>().run(|| {
        assert_eq!(add("It's \"quoted\"").unwrap().rows_affected, 1);
        sql::execute("INSERT INTO books (title, lent, price) VALUES ($2, NULL, $1)", params![1.5, "B"])
            .unwrap();
        let books: Vec<Book> = sql::query_as("SELECT * FROM books ORDER BY id", params![]).unwrap();
        assert_eq!(books[0], Book { name: "It's \"quoted\"".to_owned(), lent: Some(true), price: 2.0 });
        assert_eq!(books[1], Book { name: "B".to_owned(), lent: None, price: 1.5 });
        let none: Option<Book> = sql::query_first("SELECT * FROM books WHERE id = $1", params![99]).unwrap();
        assert_eq!(none, None);
    });
}

#[test]
fn errors_are_typed() {
    TestSite::new::<Shelf>().run(|| {
        add("A").unwrap();
        assert!(add("A").unwrap_err().is_unique_violation());
        assert!(matches!(
            sql::execute("DELETE FROM books WHERE id = $1", params![]),
            Err(SqlError::Parameter(_))
        ));
        assert!(matches!(sql::execute("DELETE FRM books", params![]), Err(SqlError::Syntax(_))));
        let wrong: SqlResult<Vec<(i64,)>> = sql::query_as("SELECT title FROM books", params![]);
        assert!(matches!(wrong, Err(SqlError::Decode(_))));
    });
}

#[test]
fn a_batch_is_all_or_nothing() {
    TestSite::new::<Shelf>().run(|| {
        let insert = "INSERT INTO books (title) VALUES ($1)";
        let twice = vec![statement(insert, params!["A"]), statement(insert, params!["A"])];
        assert!(sql::batch(twice).unwrap_err().is_unique_violation());
        assert_eq!(count(), 0);
        let done =
            sql::batch(vec![statement(insert, params!["A"]), statement(insert, params!["B"])]).unwrap();
        assert_eq!((done.len(), count()), (2, 2));
    });
}

#[test]
fn a_transaction_is_rolled_back_unless_it_succeeds() {
    TestSite::new::<Shelf>().run(|| {
        let failed: Result<()> = sql::transaction(|tx| {
            tx.execute("INSERT INTO books (title) VALUES ($1)", params!["A"])?;
            Err(Error::NotFound)
        });
        assert!(failed.is_err());
        assert_eq!(count(), 0);
        drop({
            let tx = Transaction::begin(sql::Mode::Write).unwrap();
            tx.execute("INSERT INTO books (title) VALUES ($1)", params!["A"]).unwrap();
            tx
        });
        assert_eq!(count(), 0);
        let kept: SqlResult<i64> = sql::transaction(|tx| {
            tx.execute("INSERT INTO books (title) VALUES ($1)", params!["A"])?;
            Ok(tx.query_scalar("SELECT count(*) FROM books", params![])?.unwrap_or(0))
        });
        assert_eq!((kept.unwrap(), count()), (1, 1));
    });
}

#[test]
fn a_conflict_is_tried_again_and_other_errors_are_not() {
    TestSite::new::<Shelf>().run(|| {
        let tries = std::cell::Cell::new(0);
        let fail = |error: SqlError| {
            tries.set(0);
            let result: SqlResult<()> = sql::transaction_with_retry(3, |_| {
                tries.set(tries.get() + 1);
                Err(error.clone())
            });
            assert!(result.is_err());
            tries.get()
        };
        assert_eq!(fail(SqlError::Conflict("busy".to_owned())), 3);
        assert_eq!(fail(SqlError::Closed), 1);
    });
}

#[test]
fn a_cursor_reads_page_by_page_to_the_end() {
    TestSite::new::<Shelf>().run(|| {
        for number in 0..5 {
            add(&format!("Book {number}")).unwrap();
        }
        let mut cursor = sql::open::<(String,)>("SELECT title FROM books ORDER BY id", params![]).unwrap();
        let mut sizes = Vec::new();
        loop {
            let rows = cursor.next_rows(2).unwrap();
            sizes.push(rows.len());
            if rows.is_empty() {
                break;
            }
        }
        assert_eq!(sizes, [2, 2, 1, 0]);
    });
}

#[test]
fn the_visitor_sees_no_internals_and_is_sent_to_sign_in() {
    let site = TestSite::builder().base_path("/shelf").start::<Shelf>();
    assert_eq!(site.get("/").send().body_text(), "0");
    assert_eq!(site.statements(), 1);
    assert!(!site.asked_for_visitor());
    let broken = site.get("/broken").send();
    assert_eq!(broken.status_code(), 500);
    assert!(!broken.body_text().contains("nowhere"));
    let out = site.get("/office?tab=2").send();
    assert_eq!(out.status_code(), 303);
    let location = "/shelf/-/sign-in?return-to=%2Fshelf%2Foffice%3Ftab%3D2";
    assert_eq!(out.header_value("location"), Some(location));
    let sent = |from: &str| {
        let out = site.post("/office", &[]).header("referer", from).send();
        out.header_value("location").unwrap_or_default().to_owned()
    };
    let form = "/shelf/-/sign-in?return-to=%2Fshelf%2Foffice%3Ftab%3D2";
    assert_eq!(sent("https://example.test/shelf/office?tab=2"), form);
    for elsewhere in [
        "https://evil.example/shelf/office",
        "https://example.test/shelfish",
        "https://example.test.evil/",
        "",
    ] {
        assert_eq!(sent(elsewhere), "/shelf/-/sign-in?return-to=%2Fshelf%2F", "{elsewhere}");
    }
    assert_eq!(site.get("/office").signed_in(&["member"]).send().status_code(), 403);
    assert_eq!(site.get("/office").signed_in(&["editor"]).send().body_text(), "tester");
    assert!(site.asked_for_visitor());
}

#[test]
fn statements_without_a_host_are_refused_and_not_lost() {
    assert!(matches!(sql::execute("SELECT 1", params![]), Err(SqlError::Other(_))));
    assert_eq!(identity::current(), None);
}

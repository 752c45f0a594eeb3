//! Migrations that meet: a server that lost a run may still be at a tenant when the next one comes to it.

use crate::setup::{Site, migrations, one};
use futures_util::future::join_all;
use rowhouse_data::{Dialect, Migration, Value};

/// A step of its own for each engine, whose row says which was taken. Applied twice it would fail or count two.
fn step() -> Migration {
    let texts = |engine: &str| {
        vec![
            "CREATE TABLE stamp (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL)".to_owned(),
            format!("INSERT INTO stamp (id, name) VALUES (1, '{engine}')"),
        ]
    };
    Migration {
        version: 2,
        name: "stamp".into(),
        sqlite: texts("sqlite"),
        postgresql: texts("postgresql"),
        mysql: texts("mysql"),
    }
}

pub(crate) async fn runs_that_meet_apply_each_step_once(site: &Site) {
    let list: Vec<Migration> = migrations().into_iter().chain([step()]).collect();
    let before = site.opened().await;
    for run in join_all((0..3).map(|_| site.data.migrate(&site.tenant, &list))).await {
        assert_eq!(run.unwrap().version, 2);
    }
    assert_eq!(site.count("stamp").await, 1);
    let expected = match site.dialect {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgresql => "postgresql",
        Dialect::Mysql => "mysql",
    };
    let name = one(site.db().query("SELECT name FROM stamp", vec![]).await);
    assert_eq!(name, Value::Text(expected.into()));
    if site.dialect != Dialect::Sqlite {
        // Each run had a connection of its own; a file's is kept open for the next.
        assert!(site.opened().await >= before + 3, "opened connections are counted");
    }
    assert!(before > 0);
}

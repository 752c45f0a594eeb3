//! The tables of the shipped site, as data for each dialect.
//!
//! Only types and keys differ between the dialects, so each statement is written once with holes for
//! them. Truth values are integers and moments are microseconds, which every engine gives back alike;
//! days and local times are text (`2026-05-03`, `2026-05-03T19:00`), which sorts as it should.
//! Invariant: a released step never changes. Called by `GroupSite`.

use rowhouse_sdk::Migration;

const TABLES: &[&str] = &[
    "CREATE TABLE site_settings (name VARCHAR(64) NOT NULL PRIMARY KEY, value {long} NOT NULL)",
    "CREATE TABLE menu_items (id {id}, label VARCHAR(60) NOT NULL, target VARCHAR(300) NOT NULL, \
     place INTEGER NOT NULL)",
    "CREATE TABLE pages (id {id}, slug VARCHAR(120) NOT NULL UNIQUE, title VARCHAR(160) NOT NULL, \
     summary VARCHAR(400) NOT NULL, body {long} NOT NULL, published INTEGER NOT NULL, updated_at BIGINT NOT NULL)",
    "CREATE TABLE news (id {id}, slug VARCHAR(120) NOT NULL UNIQUE, title VARCHAR(160) NOT NULL, \
     summary VARCHAR(400) NOT NULL, body {long} NOT NULL, published INTEGER NOT NULL, updated_at BIGINT NOT NULL, \
     published_on VARCHAR(10) NOT NULL)",
    "CREATE INDEX news_by_day ON news (published, published_on)",
    "CREATE TABLE events (id {id}, slug VARCHAR(120) NOT NULL UNIQUE, title VARCHAR(160) NOT NULL, \
     summary VARCHAR(400) NOT NULL, body {long} NOT NULL, published INTEGER NOT NULL, updated_at BIGINT NOT NULL, \
     starts VARCHAR(16) NOT NULL, ends VARCHAR(16) NOT NULL, place VARCHAR(160) NOT NULL)",
    "CREATE INDEX events_by_start ON events (published, starts)",
    "CREATE TABLE messages (id {id}, name VARCHAR(120) NOT NULL, email VARCHAR(254) NOT NULL, body {long} NOT NULL, \
     received_at BIGINT NOT NULL, is_read INTEGER NOT NULL)",
];

/// All steps, oldest first.
pub(crate) fn migrations() -> Vec<Migration> {
    let fill = |id: &str, long: &str| -> Vec<String> {
        TABLES.iter().map(|text| text.replace("{id}", id).replace("{long}", long)).collect()
    };
    vec![
        Migration::new(1, "create site tables")
            .sqlite(fill("INTEGER PRIMARY KEY", "TEXT"))
            .postgresql(fill("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "TEXT"))
            .mysql(fill("BIGINT AUTO_INCREMENT PRIMARY KEY", "MEDIUMTEXT")),
    ]
}

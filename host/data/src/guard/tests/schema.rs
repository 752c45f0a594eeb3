//! Migrations: those of the shipped site and of the examples pass, and so does what sites need beyond.

use super::*;

/// What the shipped site's migrations are made of, with holes for what differs.
const SITE: &str = include_str!("../../../../../plugins/site/src/schema.rs");

/// The texts between quotation marks that begin so.
fn texts_of(source: &str, begin: &str) -> Vec<String> {
    let source = source.replace("\\\n", "");
    let texts: Vec<String> = source
        .split('"')
        .filter(|text| text.trim_start().starts_with(begin))
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    texts
}

#[test]
fn the_shipped_site_passes() {
    let texts = texts_of(SITE, "CREATE ");
    assert!(texts.len() >= 8, "{texts:?}");
    for (dialect, id, long) in [
        (Dialect::Sqlite, "INTEGER PRIMARY KEY", "TEXT"),
        (Dialect::Postgresql, "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "TEXT"),
        (Dialect::Mysql, "BIGINT AUTO_INCREMENT PRIMARY KEY", "MEDIUMTEXT"),
    ] {
        assert!(SITE.contains(id) && SITE.contains(long), "the site's own words for {dialect:?}");
        for text in &texts {
            let text = text.replace("{id}", id).replace("{long}", long);
            for naming in [Naming::Plain, Naming::Prefixed] {
                let judged = migration(dialect, naming, &text);
                assert!(judged.is_ok(), "{dialect:?} {text}: {judged:?}");
            }
        }
    }
}

/// The statements that the shipped site runs.
#[test]
fn the_shipped_sites_statements_pass() {
    let sources = [
        include_str!("../../../../../plugins/site/src/store.rs"),
        include_str!("../../../../../plugins/site/src/store/entries.rs"),
        include_str!("../../../../../plugins/site/src/store/inbox.rs"),
    ];
    let mut seen = 0;
    for begin in ["SELECT ", "INSERT ", "UPDATE ", "DELETE "] {
        for text in sources.iter().flat_map(|source| texts_of(source, begin)) {
            // Some are put together at run time.
            if text.contains('{') {
                continue;
            }
            seen += 1;
            for dialect in ALL {
                for naming in [Naming::Plain, Naming::Prefixed] {
                    let judged = guest(dialect, naming, &text);
                    assert!(judged.is_ok(), "{dialect:?} {text}: {judged:?}");
                }
            }
        }
    }
    assert!(seen >= 25, "{seen} statements");
}

#[test]
fn what_sites_need_passes() {
    let of = |dialect, text: &str| {
        let judged = migration(dialect, Naming::Prefixed, text);
        assert!(judged.is_ok(), "{dialect:?} {text}: {judged:?}");
    };
    for text in [
        "CREATE TABLE x (id BIGSERIAL PRIMARY KEY, a JSONB NOT NULL DEFAULT '{}', b TIMESTAMPTZ DEFAULT now(), c TEXT[])",
        "CREATE TABLE x (a INT, b INT GENERATED ALWAYS AS (a + 1) STORED) WITH (fillfactor = 70)",
        "CREATE UNIQUE INDEX i ON x (lower(a)) WHERE b IS NOT NULL",
        "CREATE INDEX i ON x USING gin (a jsonb_path_ops)",
        "ALTER TABLE x ALTER COLUMN a TYPE BIGINT USING a::bigint, ALTER COLUMN b SET NOT NULL",
        "ALTER TABLE x ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES y (b) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
    ] {
        of(Dialect::Postgresql, text);
    }
    for text in [
        "CREATE TABLE x (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a VARCHAR(10) CHARACTER SET utf8mb4 COLLATE \
         utf8mb4_bin, KEY k (a(5)), FULLTEXT KEY f (a)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
         COLLATE=utf8mb4_unicode_ci COMMENT='x'",
        "CREATE TABLE x (t TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
        "ALTER TABLE x MODIFY COLUMN a VARCHAR(20) NOT NULL AFTER b",
        "ALTER TABLE x ADD INDEX i (a), DROP FOREIGN KEY f",
        "DROP INDEX i ON x",
    ] {
        of(Dialect::Mysql, text);
    }
    for text in [
        "CREATE TABLE x (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT COLLATE NOCASE, b BOOLEAN, c DECIMAL(10,2)) STRICT",
        "CREATE TABLE x (a, b TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE INDEX IF NOT EXISTS i ON x (a COLLATE NOCASE DESC) WHERE b",
    ] {
        of(Dialect::Sqlite, text);
    }
}

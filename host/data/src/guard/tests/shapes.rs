//! Which words leave the guard.

use super::*;

/// Each text with what a prefixed guard makes of it, for the engines named by their first letters. A capital
/// `M` is a migration's.
const REWRITTEN: [(&str, &str, &str); 24] = [
    (
        "spm",
        "SELECT a.id, t.name FROM article a LEFT JOIN Tag t ON t.article_id = a.id",
        r#"SELECT "a"."id", "t"."name" FROM "p_article" "a" LEFT JOIN "p_tag" "t" ON "t"."article_id" = "a"."id""#,
    ),
    (
        "spm",
        "WITH n AS (SELECT id FROM article) SELECT n.id FROM n, tag",
        r#"WITH "p_n" AS (SELECT "id" FROM "p_article" AS "article") SELECT "n"."id" FROM "p_n" AS "n", "p_tag" AS "tag""#,
    ),
    ("sm", "SELECT count(*) FROM t", r#"SELECT count(*) AS "count(*)" FROM "p_t" AS "t""#),
    ("p", "SELECT Name, \"Name\" FROM t", r#"SELECT "name", "Name" FROM "p_t" AS "t""#),
    ("p", "SELECT count(*) FROM t", r#"SELECT count(*) FROM "p_t" AS "t""#),
    ("spm", "SELECT 'a''b' AS c -- d", r#"SELECT 'a''b' AS "c""#),
    ("m", r"SELECT 'a\' AS c", r#"SELECT _utf8mb4 X'615C' AS "c""#),
    ("m", "SELECT $2 AS a, $1 AS b, $2 AS c", r#"SELECT ? AS "a", ? AS "b", ? AS "c""#),
    ("sp", "SELECT $2 AS a, $1 AS b", r#"SELECT $2 AS "a", $1 AS "b""#),
    ("m", "DELETE FROM t WHERE t.a = 1", r#"DELETE FROM "p_t" WHERE "p_t"."a" = 1"#),
    ("sp", "DELETE FROM t WHERE t.a = 1", r#"DELETE FROM "p_t" AS "t" WHERE "t"."a" = 1"#),
    (
        "m",
        "DELETE FROM t WHERE EXISTS (SELECT 1 AS a FROM u WHERE u.a = t.a) OR EXISTS (SELECT 1 AS a FROM t WHERE t.b = 2)",
        r#"DELETE FROM "p_t" WHERE EXISTS (SELECT 1 AS "a" FROM "p_u" AS "u" WHERE "u"."a" = "p_t"."a") OR EXISTS (SELECT 1 AS "a" FROM "p_t" AS "t" WHERE "t"."b" = 2)"#,
    ),
    ("sm", "DELETE FROM t WHERE a = 1 RETURNING t.a, t.*", r#""a", *"#),
    ("p", "DELETE FROM t WHERE a = 1 RETURNING t.a, t.*", r#"RETURNING "t"."a", "t".*"#),
    (
        "m",
        "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = t.a + VALUES(a)",
        r#"ON DUPLICATE KEY UPDATE "a" = "p_t"."a" + values("a")"#,
    ),
    (
        "sp",
        "INSERT INTO t (a) VALUES (DEFAULT) ON CONFLICT (a) DO UPDATE SET a = t.a + excluded.a",
        r#"INSERT INTO "p_t" AS "t" ("a") VALUES (DEFAULT) ON CONFLICT("a") DO UPDATE SET "a" = "t"."a" + "excluded"."a""#,
    ),
    ("p", "INSERT INTO t (a) VALUES (1) ON CONFLICT ON CONSTRAINT u DO NOTHING", r#"ON CONSTRAINT "p_u""#),
    ("spmM", "CREATE TABLE t (a INT REFERENCES u (a), CONSTRAINT c UNIQUE (a))", r#"REFERENCES "p_u" ("a")"#),
    (
        "spmM",
        "CREATE TABLE t (a INT, CONSTRAINT c FOREIGN KEY (a) REFERENCES u (b))",
        r#"CONSTRAINT "p_c" FOREIGN"#,
    ),
    ("spmM", "CREATE INDEX i ON t (a)", r#"CREATE INDEX "p_i" ON "p_t"("a")"#),
    ("spM", "DROP INDEX i", r#"DROP INDEX "p_i""#),
    ("spmM", "ALTER TABLE t RENAME TO u", r#"ALTER TABLE "p_t" RENAME TO "p_u""#),
    (
        "mM",
        "ALTER TABLE t MODIFY COLUMN a INT AFTER b, DROP INDEX i",
        r#"MODIFY COLUMN "a" INT AFTER b, DROP INDEX "p_i""#,
    ),
    ("spmM", "CREATE VIEW v AS SELECT a FROM t", r#"CREATE VIEW "p_v" AS SELECT "a" FROM "p_t" AS "t""#),
];

#[test]
fn rewrites_every_name() {
    for (engines, text, expected) in REWRITTEN {
        for (letter, dialect) in ['s', 'p', 'm'].into_iter().zip(ALL) {
            if !engines.contains(letter) {
                continue;
            }
            let judged = if engines.contains('M') { migration } else { guest };
            let template =
                judged(dialect, Naming::Prefixed, text).unwrap_or_else(|why| unreachable!("{text}: {why}"));
            let shown = shown(&template);
            assert!(shown.contains(expected), "{dialect:?}: {shown}\ninstead of {expected}");
        }
    }
}

#[test]
fn tells_what_a_statement_is() {
    let of = |text| guest(Dialect::Postgresql, Naming::Plain, text).unwrap();
    let read = of("SELECT a.x FROM Article AS a JOIN tag USING (x)");
    assert!(read.reads_only() && read.returns_rows());
    assert_eq!(read.tables(), ["article", "tag"]);
    assert!(read.written().is_empty());
    let write = of("INSERT INTO article (x) SELECT x FROM tag RETURNING x");
    assert!(!write.reads_only() && write.returns_rows());
    assert_eq!(write.tables(), ["article", "tag"]);
    assert_eq!(write.written(), ["article"]);
    let both = of("WITH x AS (DELETE FROM tag RETURNING id) SELECT id FROM x");
    assert!(!both.reads_only() && both.returns_rows());
    assert_eq!(both.written(), ["tag"]);
    assert_eq!(both.tables(), ["tag"], "`x` is no table");
    let lock = of("SELECT x FROM article FOR UPDATE");
    assert!(!lock.reads_only() && lock.written().is_empty());
    assert!(!of("UPDATE article SET x = 1").returns_rows());
    let own = of("WITH article AS (SELECT x FROM article) SELECT x FROM article");
    assert_eq!(own.tables(), ["article"], "without RECURSIVE the inner name is the table");
    let recursive = of("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n");
    assert!(recursive.tables().is_empty());
}

#[test]
fn numbers_parameters() {
    let of = |dialect, text| guest(dialect, Naming::Plain, text);
    let mysql = of(Dialect::Mysql, "SELECT $2, $1, $2").unwrap();
    assert_eq!((mysql.parameters(), mysql.given()), ([1, 0, 1].as_slice(), 2));
    let other = of(Dialect::Postgresql, "SELECT $2, $1, $2").unwrap();
    assert_eq!((other.parameters(), other.given()), ([0, 1].as_slice(), 2));
    for dialect in ALL {
        assert!(matches!(of(dialect, "SELECT $1, $3"), Err(SqlError::Parameter(_))));
        assert!(matches!(of(dialect, "SELECT $1001"), Err(SqlError::Limit(_))));
        assert!(matches!(
            migration(dialect, Naming::Plain, "UPDATE t SET a = $1"),
            Err(SqlError::Parameter(_))
        ));
    }
}

#[test]
fn fills_the_prefix_in() {
    let prefix = super::super::Prefix::of(rowhouse_base::id::TenantId::new());
    let template = guest(Dialect::Sqlite, Naming::Prefixed, "SELECT a FROM t, u").unwrap();
    let expected = format!(r#"SELECT "a" FROM "{prefix}t" AS "t", "{prefix}u" AS "u""#);
    assert_eq!(template.text(Some(&prefix)), expected);
    let plain = guest(Dialect::Sqlite, Naming::Plain, "SELECT a FROM t").unwrap();
    assert_eq!(plain.text(None), r#"SELECT "a" FROM "t""#);
}

#[test]
fn keeps_what_it_judged() {
    let guard = Guard::new(Dialect::Sqlite, Naming::Plain);
    let first = guard.statement("SELECT 1").unwrap();
    assert!(Arc::ptr_eq(&first, &guard.statement("SELECT 1").unwrap()));
    assert!(guard.statement("SELECT nothing(1)").is_err());
    assert!(guard.statement(&format!("SELECT '{}'", "a".repeat(20_000))).is_ok());
    assert_eq!(guard.cache.len(), 1, "neither refused nor long texts are kept");
    for number in 0..2_100 {
        guard.statement(&format!("SELECT {number}")).unwrap();
    }
    assert_eq!(guard.cache.len(), 2_000);
}

#[test]
fn an_open_guard_turns_parameters_only() {
    let guard = Guard::open_for_tests(Dialect::Mysql, Naming::Plain);
    let template = guard.statement("SELECT sleep($2), @@version, $1").unwrap();
    assert_eq!(template.text(None), "SELECT sleep(?), @@version, ?");
    assert_eq!(template.parameters(), [1, 0]);
    let attack = "SELECT 1 /*! INTO OUTFILE '/tmp/x' */";
    assert_eq!(guard.statement(attack).unwrap().text(None), attack);
}

#[test]
fn calls_that_sites_make() {
    for (dialect, calls) in [
        (
            Dialect::Mysql,
            "TIMESTAMPADD(MINUTE, 1, x), JSON_EXTRACT(a, '$.b'), CONVERT(a, CHAR), IF(a, 1, 2), REPLACE(a, 'x', 'y'), \
             LEFT(a, 2), DATE_ADD(a, INTERVAL 1 DAY), b DIV 2, c <=> NULL, d REGEXP 'a', CAST(a AS SIGNED), \
             CAST(a AS DECIMAL(10,2)), CAST(a AS CHAR), DATE_FORMAT(a, '%Y'), YEAR(a), NOW(), UUID(), CONCAT(a, b), \
             GROUP_CONCAT(a ORDER BY b SEPARATOR ','), MATCH (a) AGAINST ($1 IN BOOLEAN MODE), DATE(a), MOD(a, 2)",
        ),
        (
            Dialect::Postgresql,
            "string_agg(a, ',' ORDER BY b), array_agg(DISTINCT a), to_tsvector('english', a) @@ to_tsquery($1), \
             a ~* 'x', (ARRAY[1,2])[1], a[1:2], b->>'k', c @> '{}'::jsonb, now() - INTERVAL '1 day', x = ANY($1), \
             date_trunc('day', b), percentile_cont(0.5) WITHIN GROUP (ORDER BY a), rank() OVER (ORDER BY a), \
             EXTRACT(YEAR FROM a), a AT TIME ZONE 'UTC', count(*) FILTER (WHERE a > 1), a IS DISTINCT FROM b, \
             trim(both 'x' from a), DATE '2020-01-01', gen_random_uuid(), a ? 'x', array(SELECT 1)",
        ),
        (
            Dialect::Sqlite,
            "datetime('now', $1), strftime('%Y', a), group_concat(a, ','), json_extract(a, '$.b'), a ->> 'b', \
             iif(a, 1, 2), a GLOB 'x*', a NOTNULL, instr(a, b), total(a), CURRENT_TIMESTAMP, CAST(a AS TEXT), \
             substr(a, 1, 2), a || b, round(a, 2), replace(a, 'x', 'y'), printf('%d', a), a COLLATE NOCASE",
        ),
    ] {
        let judged = guest(dialect, Naming::Prefixed, &format!("SELECT {calls} FROM t"));
        assert!(judged.is_ok(), "{dialect:?}: {judged:?}");
    }
}

#[test]
fn messages_never_hold_a_whole_text() {
    for dialect in ALL {
        let text = format!("SELECT 1 FROM t 'a' '{}'", "x".repeat(50_000));
        let why = guest(dialect, Naming::Plain, &text).unwrap_err().to_string();
        assert!(why.len() < 500, "{why}");
    }
}

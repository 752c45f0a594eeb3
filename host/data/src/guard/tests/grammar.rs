//! Random statements from a small grammar, and what holds for all of them.

use super::*;
use proptest::prelude::*;

/// The tables of the grammar, alike so that every column fits everywhere.
pub(super) const TABLES: [&str; 3] = ["article", "tag", "note"];

/// Steps that make the grammar's tables.
pub(super) fn schema() -> Vec<String> {
    let mut steps: Vec<String> = TABLES
        .iter()
        .map(|table| {
            format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INTEGER, title VARCHAR(40), \
                 CONSTRAINT {table}_title UNIQUE (title))"
            )
        })
        .collect();
    steps.push("CREATE INDEX article_n ON article (n)".to_owned());
    steps.push("CREATE VIEW listing AS SELECT id, n, title FROM article WHERE n > 0".to_owned());
    for table in TABLES {
        steps.push(format!(
            "INSERT INTO {table} (id, n, title) VALUES (1, 3, 'a'), (2, NULL, 'b'), (3, 1, NULL), (4, 2, '{table}')"
        ));
    }
    steps
}

fn source() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["article", "tag", "note", "listing"])
}

/// A number; `{q}` stands for the alias of the table in sight.
fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-3..9).prop_map(|number: i32| number.to_string()),
        prop::sample::select(vec!["{q}.id", "{q}.n", "id", "N", "{q}.\"n\""]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["+", "-", "*"]), inner.clone())
                .prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            inner.clone().prop_map(|one| format!("({one})")),
            inner.clone().prop_map(|one| format!("abs({one})")),
            inner.clone().prop_map(|one| format!("-({one})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("coalesce({left}, {right})")),
            (inner.clone(), inner.clone())
                .prop_map(|(one, two)| format!("CASE WHEN {one} > 1 THEN {two} ELSE 0 END")),
            (source(), inner).prop_map(|(table, one)| {
                format!("(SELECT max(x.n) FROM {table} AS x WHERE x.id < {one})")
            }),
        ]
    })
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (number(), prop::sample::select(vec!["=", "<", ">=", "<>"]), number())
            .prop_map(|(left, op, right)| format!("{left} {op} {right}")),
        prop::sample::select(vec!["{q}.title LIKE 'a%'", "title IS NULL", "{q}.n IN (1, 2)", "1 = 1"])
            .prop_map(str::to_owned),
        source().prop_map(|table| format!("{{q}}.id IN (SELECT {table}.n FROM {table})")),
        source().prop_map(|table| format!("EXISTS (SELECT 1 FROM {table} AS y WHERE y.n = {{q}}.id)")),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} AND {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} OR {right})")),
            inner.prop_map(|one| format!("NOT ({one})")),
        ]
    })
}

fn select() -> impl Strategy<Value = String> {
    (source(), source(), number(), condition(), 0..8).prop_map(|(one, two, number, condition, form)| {
        let (text, alias) = match form {
            0 => {
                (format!("SELECT {{q}}.id, {number} FROM {one} WHERE {condition} ORDER BY {{q}}.id, 2"), one)
            }
            1 => (format!("SELECT a.*, {number} AS x FROM {one} AS a WHERE {condition}"), "a"),
            2 => (format!("SELECT {{q}}.* FROM {one} WHERE {condition}"), one),
            3 => (
                format!(
                    "SELECT a.id, b.title FROM {one} AS a LEFT JOIN {two} b ON a.id = b.n WHERE a.n > {}",
                    1
                ),
                "a",
            ),
            4 => (
                format!(
                    "WITH {two} AS (SELECT * FROM {one}) SELECT {number} AS v FROM {two} WHERE {condition}"
                ),
                two,
            ),
            5 => (
                format!(
                    "SELECT n, count(*) AS c FROM {one} WHERE {condition} GROUP BY n HAVING count(*) > 0"
                ),
                one,
            ),
            6 => (
                format!(
                    "SELECT s.x FROM (SELECT {number} AS x FROM {one} WHERE {condition}) AS s UNION ALL \
                     SELECT id FROM {two}"
                ),
                one,
            ),
            _ => (
                format!(
                    "WITH RECURSIVE tag(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM tag WHERE id < 4) \
                     SELECT tag.id, {one}.title FROM tag JOIN {one} ON {one}.id = tag.id"
                ),
                one,
            ),
        };
        text.replace("{q}", alias)
    })
}

fn write(dialect: Dialect) -> impl Strategy<Value = String> {
    let table = prop::sample::select(TABLES.to_vec());
    (table, source(), number(), condition(), 0..6, -1..9).prop_map(
        move |(table, other, number, condition, form, id)| {
            let text = match (form, dialect) {
                (0, _) => format!("INSERT INTO {table} (id, n, title) VALUES ({id}, {id}, 'new'), (50, 1, NULL)"),
                (1, _) => format!("INSERT INTO {table} (id, n) SELECT {other}.id + 100, {other}.n FROM {other}"),
                (2, _) => format!("UPDATE {table} SET n = {number} WHERE {condition}"),
                (3, Dialect::Mysql) => format!(
                    "INSERT INTO {table} (id, n) VALUES ({id}, 7) ON DUPLICATE KEY UPDATE n = {table}.n + VALUES(n), \
                     title = 'twice'"
                ),
                (3, _) => format!(
                    "INSERT INTO {table} (id, n) VALUES ({id}, 7) ON CONFLICT (id) DO UPDATE SET \
                     n = {table}.n + excluded.n, title = 'twice' WHERE {table}.n < 3 RETURNING {table}.id, n"
                ),
                (4, _) => format!("DELETE FROM {table} WHERE {table}.id = {id} RETURNING {table}.id, {table}.*"),
                _ => format!("DELETE FROM {table} WHERE {condition}"),
            };
            text.replace("{q}", table)
        },
    )
}

/// One statement.
pub(super) fn statement(dialect: Dialect) -> impl Strategy<Value = String> {
    prop_oneof![3 => select(), 2 => write(dialect)]
}

fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "SELECT",
        "FROM",
        "WHERE",
        "article",
        "tag",
        "id",
        ",",
        "(",
        ")",
        "*",
        "=",
        "1",
        "-",
        "'a'",
        "'",
        "\"x\"",
        "--",
        "/*",
        "*/",
        ".",
        "AS",
        "JOIN",
        "ON",
        "UNION",
        "WITH",
        "INSERT INTO",
        "VALUES",
        "UPDATE",
        "SET",
        "DELETE",
        "RETURNING",
        "$1",
        ";",
        "CREATE TABLE",
        "INT",
        "DROP",
        "INTERVAL",
        "CAST(",
        "count(*)",
        "\\",
        "`",
        "[",
        "]",
        "::",
        "@",
        "#",
        "||",
        "NOT",
        "NULL",
        "EXISTS",
        "IN",
        "OVER",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "x'41'",
        "é",
        ":",
    ]);
    prop::collection::vec(words, 1..24).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What leaves the guard passes it again, unchanged.
    #[test]
    fn rewriting_twice_changes_nothing(
        (dialect, text) in prop::sample::select(ALL.to_vec()).prop_flat_map(|one| (Just(one), statement(one)))
    ) {
        let once = guest(dialect, Naming::Plain, &text);
        prop_assert!(once.is_ok(), "{dialect:?} {text}: {once:?}");
        let once = once.unwrap().text(None).into_owned();
        let twice = guest(dialect, Naming::Plain, &once);
        prop_assert!(twice.is_ok(), "{dialect:?} {once}: {twice:?}");
        prop_assert_eq!(twice.unwrap().text(None).into_owned(), once);
        prop_assert!(guest(dialect, Naming::Prefixed, &text).is_ok());
    }

    /// No heap of words makes the guard panic, and what passes by chance keeps to the rules as well.
    #[test]
    fn heaps_of_words(text in soup()) {
        for dialect in ALL {
            let Ok(once) = migration(dialect, Naming::Plain, &text) else { continue };
            let once = once.text(None).into_owned();
            let twice = migration(dialect, Naming::Plain, &once);
            prop_assert!(twice.is_ok(), "{dialect:?} {once}: {twice:?}");
        }
    }
}

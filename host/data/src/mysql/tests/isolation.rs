//! The server's own rights, with a guard that lets everything pass: what a tenant's users can't do.
//!
//! Known to pass the server's rights, and refused by the guard alone: a user's own password, session
//! variables, GET_LOCK, KILL of its own connections, and a look at the server's variables.

use super::*;
use crate::MigrateError;
use sqlx::Executor;

/// Two neighbours, and a session of the first whose guard is open.
async fn neighbours(room: &Room) -> (Site, Site, Session) {
    let (site, neighbour) = (room.with_articles(1, |_| {}).await, room.with_articles(1, |_| {}).await);
    let open = room.unguarded().session(&site.tenant);
    (site, neighbour, open)
}

/// The neighbour's table from the tenant's point of view.
fn table_of(neighbour: &Site) -> String {
    let names = &neighbour.session.names;
    names.qualified(&names.physical("article"))
}

const ATTACKS: &str = "
SELECT * FROM {table}
SELECT count(*) FROM {table}
SELECT title FROM {table} UNION SELECT 'x'
INSERT INTO {table} (title) VALUES ('x')
REPLACE INTO {table} (title) VALUES ('x')
UPDATE {table} SET body = 'x'
DELETE FROM {table}
TRUNCATE TABLE {table}
DROP TABLE {table}
ALTER TABLE {table} ADD COLUMN x INT
RENAME TABLE {table} TO {own}
RENAME TABLE {own} TO {table}
CREATE TABLE {table} (id INT)
CREATE TABLE {own}_copy AS SELECT * FROM {table}
CREATE TABLE {own}_copy LIKE {table}
CREATE TEMPORARY TABLE t (id INT)
CREATE VIEW {own}_view AS SELECT * FROM {table}
CREATE TRIGGER t AFTER INSERT ON {own} FOR EACH ROW DELETE FROM {table}
CREATE PROCEDURE p() SELECT 1
CREATE FUNCTION f() RETURNS INT RETURN 1
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1
CREATE INDEX i ON {table} (body(10))
ANALYZE TABLE {table}
CHECK TABLE {table}
SHOW CREATE TABLE {table}
SHOW COLUMNS FROM {table}
SHOW INDEX FROM {table}
DESCRIBE {table}
EXPLAIN SELECT * FROM {table}
CREATE DATABASE stolen
DROP DATABASE {database}
DROP DATABASE mysql
SELECT * FROM mysql.user
SELECT * FROM mysql.db
SELECT * FROM mysql.tables_priv
SELECT * FROM mysql.global_priv
SELECT * FROM mysql.innodb_table_stats
SELECT * FROM mysql.proc
SELECT * FROM sys.processlist
CREATE USER x IDENTIFIED BY 'x'
DROP USER {user}
ALTER USER {user} IDENTIFIED BY 'x'
SET PASSWORD FOR {user} = PASSWORD('x')
RENAME USER {user} TO x
GRANT SELECT ON {table} TO {me}
GRANT ALL ON *.* TO {me}
SHOW GRANTS FOR {user}
SHOW CREATE USER {user}
SET ROLE {user}
SET GLOBAL max_connections = 1
SET GLOBAL general_log = 1
SHUTDOWN
FLUSH TABLES
FLUSH PRIVILEGES
RESET MASTER
SHOW ENGINE INNODB STATUS
SHOW MASTER STATUS
SHOW BINARY LOGS
INSTALL PLUGIN x SONAME 'x.so'
SELECT 'x' INTO OUTFILE '/tmp/rowhouse_stolen'
SELECT 'x' INTO DUMPFILE '/tmp/rowhouse_stolen'
LOAD DATA INFILE '/etc/passwd' INTO TABLE {own}
LOCK TABLES {table} WRITE
KILL {thread}
KILL QUERY {thread}
HANDLER {table} OPEN
CHANGE MASTER TO MASTER_HOST = 'x'
BINLOG 'x'
SELECT 1; DROP TABLE {own}
INSERT INTO {own} (title) SELECT title FROM {table}
UPDATE {own} SET body = (SELECT max(title) FROM {table})
DELETE {own} FROM {own} JOIN {table} AS n ON n.id <> 0
";

#[tokio::test]
async fn a_neighbours_things_are_out_of_reach() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let (site, neighbour, open) = neighbours(&room).await;
        let held = neighbour.session.begin(crate::Mode::Write).await.unwrap();
        let theirs = &neighbour.session.names;
        let thread = room
            .ask(&format!(
                "SELECT CAST(max(id) AS SIGNED) FROM information_schema.processlist WHERE user = '{}'",
                theirs.guest
            ))
            .await;
        let own = table_of(&site);
        for attack in ATTACKS.lines().filter(|line| !line.is_empty()) {
            let text = attack
                .replace("{own}_", &format!("{}_", own.trim_end_matches('`')))
                .replace("_copy ", "_copy` ")
                .replace("_view ", "_view` ")
                .replace("{own}", &own)
                .replace("{table}", &table_of(&neighbour))
                .replace("{database}", &neighbour_database(&neighbour))
                .replace("{user}", &format!("'{}'@'%'", theirs.guest))
                .replace("{me}", &format!("'{}'@'%'", site.session.names.guest))
                .replace("{thread}", &thread.to_string());
            let refused = open.query_packed(&text, vec![]).await;
            assert!(refused.is_err(), "{isolation}: {text} passed");
        }
        drop(held);
        assert_eq!(neighbour.titles().await, [text("title 1")]);
        assert_eq!(site.titles().await, [text("title 1")]);
        assert!(!std::path::Path::new("/tmp/rowhouse_stolen").exists());
    }
}

fn neighbour_database(neighbour: &Site) -> String {
    neighbour.session.names.database.clone()
}

/// Reads all that every catalogue shows and looks for the neighbour's id, user and table.
#[tokio::test]
async fn no_catalogue_names_a_neighbour() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let (site, neighbour, _open) = neighbours(&room).await;
        let held = neighbour.session.begin(crate::Mode::Write).await.unwrap();
        let digits = neighbour.session.names.guest.get(3..29).unwrap().to_owned();
        let until = tokio::time::Instant::now() + LONG;
        let mut lease = site.session.lease(until, true).await.unwrap();
        let db = &mut lease.conn().unwrap().db;
        let mut queries = vec![
            "SHOW DATABASES".to_owned(),
            "SHOW FULL PROCESSLIST".into(),
            "SHOW TABLE STATUS".into(),
            "SHOW OPEN TABLES".into(),
            "SHOW GRANTS".into(),
            "SHOW GLOBAL STATUS".into(),
            "SHOW GLOBAL VARIABLES".into(),
        ];
        for schema in ["information_schema", "performance_schema"] {
            let list = format!(
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = '{schema}'"
            );
            for row in db.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(list))).await.unwrap() {
                queries.push(format!("SELECT * FROM {schema}.{}", row.get::<String, _>(0)));
            }
        }
        assert!(queries.len() > 50, "{}", queries.len());
        let mut read = 0;
        for query in queries {
            // Refused ones tell nothing.
            let Ok(rows) = db.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(query.clone()))).await else {
                continue;
            };
            read += 1;
            for row in rows {
                for column in 0..row.len() {
                    let value = row
                        .try_get_unchecked::<Option<Vec<u8>>, _>(column)
                        .ok()
                        .flatten()
                        .unwrap_or_default();
                    assert!(!String::from_utf8_lossy(&value).contains(&digits), "{isolation}: {query}");
                }
            }
        }
        assert!(read > 30, "{read}");
        drop(held);
    }
}

/// A table that exists and one that doesn't are refused in the same words.
#[tokio::test]
async fn errors_tell_nothing_of_a_neighbour() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let (_site, neighbour, open) = neighbours(&room).await;
        let names = &neighbour.session.names;
        let there = open.query_packed(&format!("SELECT * FROM {}", table_of(&neighbour)), vec![]).await;
        let absent = names.qualified(&names.physical("nowhere"));
        let not_there = open.query_packed(&format!("SELECT * FROM {absent}"), vec![]).await;
        assert_eq!(there, not_there);
        let nobody = names.database.replace(|c: char| c.is_ascii_digit(), "x");
        let nobody = open.query_packed(&format!("SELECT * FROM `{nobody}`.`nowhere`"), vec![]).await;
        assert_eq!(there, nobody);
    }
}

/// What a migration could do if the guard let it: still nothing to a neighbour.
#[tokio::test]
async fn migrations_stay_within_their_tenant() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let (site, neighbour, open) = neighbours(&room).await;
        let (own, theirs) = (table_of(&site), table_of(&neighbour));
        for attack in [
            format!("DROP TABLE {theirs}"),
            format!("ALTER TABLE {theirs} ADD COLUMN x INT"),
            format!("ALTER TABLE {own} RENAME TO {}", theirs.replace("article", "taken")),
            format!("RENAME TABLE {theirs} TO {}", own.replace("article", "taken")),
            format!("ALTER TABLE {own} ADD COLUMN n BIGINT, ADD FOREIGN KEY (n) REFERENCES {theirs} (id)"),
            format!("CREATE OR REPLACE VIEW {} AS SELECT * FROM {theirs}", own.replace("article", "v")),
            format!("CREATE TABLE {} AS SELECT * FROM {theirs}", own.replace("article", "c")),
            format!("CREATE TABLE {} LIKE {theirs}", own.replace("article", "c")),
            format!("INSERT INTO {theirs} (title) VALUES ('x')"),
            "CREATE DATABASE stolen".into(),
            format!("CREATE TRIGGER t AFTER INSERT ON {own} FOR EACH ROW SET @x = 1"),
            "GRANT ALL ON *.* TO root@localhost".into(),
        ] {
            let first = migration(1, &[ARTICLE, &articles(1)]);
            let refused = open.migrate([first, migration(2, &[&attack])].into(), LONG).await;
            assert!(
                matches!(refused, Err(MigrateError::Failed { version: 2, .. })),
                "{isolation}: {attack}: {refused:?}"
            );
        }
        assert_eq!(neighbour.titles().await, [text("title 1")]);
        assert_eq!(site.titles().await, [text("title 1")]);
    }
}

/// In GRANT an underscore stands for any character: a database whose name differs there stays closed.
#[tokio::test]
async fn rights_are_on_one_name_and_no_pattern() {
    let room = Room::new(Isolation::Database).await;
    let (site, _neighbour, open) = neighbours(&room).await;
    let similar = site.session.names.database.replacen('_', "x", 1);
    let control = &room.engine.server.control;
    control.execute(&format!("CREATE DATABASE {similar}; CREATE TABLE {similar}.t (id INT)")).await.unwrap();
    let refused = open.query_packed(&format!("SELECT * FROM {similar}.t"), vec![]).await;
    control.execute(&format!("DROP DATABASE {similar}")).await.unwrap();
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
}

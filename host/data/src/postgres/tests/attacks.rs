//! Two tenants with the guard off: only the engine's own rights stand between them.

use super::*;

/// Whether the statement is refused, in any way of saying it. Whatever a guest could change is tried both as a
/// read and as a write.
async fn is_refused(session: &Session, text: &str) -> bool {
    let read = session.query_packed(text, vec![]).await;
    let written = session.execute(text, vec![]).await;
    let mut batch = session.batch(vec![Statement { text: text.to_owned(), params: vec![] }]).await;
    if let Ok(outcomes) = &mut batch {
        outcomes.clear();
    }
    if read.is_ok() || written.is_ok() || batch.is_ok() {
        eprintln!("{text}: {read:?} {written:?} {batch:?}");
    }
    read.is_err() && written.is_err() && batch.is_err()
}

struct Two {
    room: Room,
    attacker: Session,
    victim: Session,
    own: String,
    table: String,
    guest: String,
    owner: String,
    ledger: String,
    database: String,
}

async fn two(isolation: Isolation) -> Two {
    let room = Room::with(isolation, 16, true).await;
    let tenants = [room.tenant(|_| {}).await, room.tenant(|_| {}).await];
    let mut sessions = Vec::new();
    for tenant in &tenants {
        let session = room.engine.session(tenant);
        let table = ARTICLE.replace("article", &room.physical(tenant, "article"));
        session.migrate([migration(1, &[&table])].into(), Duration::from_secs(60)).await.unwrap();
        let insert = format!("INSERT INTO {} (title) VALUES ('secret')", room.physical(tenant, "article"));
        session.execute(&insert, vec![]).await.unwrap();
        sessions.push(session);
    }
    let names = room.engine.names().of(tenants[1].id);
    let own = room.physical(&tenants[0], "article");
    let table = room.physical(&tenants[1], "article");
    let victim = sessions.pop().unwrap();
    let attacker = sessions.pop().unwrap();
    let ledger = room.engine.names().of(tenants[0].id).ledger();
    Two {
        room,
        attacker,
        victim,
        own,
        table,
        guest: names.guest.clone(),
        owner: names.owner.clone(),
        ledger,
        database: names.database,
    }
}

/// What no role of a tenant may do, whoever else is there.
const HOSTILE: &[&str] = &[
    "SET ROLE postgres",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEDB CREATEROLE",
    "CREATE ROLE evil LOGIN",
    "CREATE DATABASE evil",
    "CREATE SCHEMA evil",
    "CREATE TABLE evil (x text)",
    "CREATE TABLE public.evil (x text)",
    "CREATE TABLE rowhouse.evil (x text)",
    "CREATE TEMPORARY TABLE evil (x text)",
    "SELECT 1 AS x INTO rowhouse.evil",
    "CREATE VIEW rowhouse.evil AS SELECT 1",
    "CREATE SEQUENCE rowhouse.evil",
    "CREATE FUNCTION rowhouse.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION pg_temp.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DO $$ BEGIN END $$",
    "COPY (SELECT 1) TO '/tmp/evil'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "CREATE EXTENSION dblink",
    "LOAD 'auto_explain'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT * FROM pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "SELECT pg_reload_conf()",
    "VACUUM FULL pg_class",
    "SET temp_file_limit = -1",
    "SET session_replication_role = replica",
    "ALTER DATABASE postgres SET work_mem = '1GB'",
    "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO PUBLIC",
    "COMMIT AND CHAIN; SELECT 1",
];

fn on_its_own(two: &Two) -> Vec<String> {
    let (own, guest, owner) = (&two.own, &two.guest, &two.owner);
    let mut hostile: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    hostile.extend([
        format!("DROP TABLE {own}"),
        format!("ALTER TABLE {own} ADD COLUMN x text"),
        format!("ALTER TABLE {own} RENAME TO other"),
        format!("TRUNCATE {own}"),
        format!("CREATE INDEX i ON {own} (body)"),
        format!(
            "CREATE TRIGGER t BEFORE INSERT ON {own} EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        ),
        format!("CREATE RULE r AS ON INSERT TO {own} DO NOTHING"),
        format!("SELECT * FROM {}", two.ledger),
        format!("INSERT INTO {} VALUES (9, 'x', 'x', 0)", two.ledger),
        format!("SET ROLE {guest}"),
        format!("SET ROLE {owner}"),
        format!("SET SESSION AUTHORIZATION {guest}"),
        format!("GRANT {guest} TO CURRENT_USER"),
        format!("ALTER ROLE {guest} PASSWORD 'x'"),
        format!("ALTER ROLE {guest} NOLOGIN"),
        format!("DROP ROLE {guest}"),
    ]);
    hostile
}

fn on_the_neighbour(two: &Two) -> Vec<String> {
    let (own, table) = (&two.own, &two.table);
    vec![
        format!("SELECT * FROM {table}"),
        format!("SELECT title FROM {table} FOR UPDATE"),
        format!("INSERT INTO {table} (title) VALUES ('x')"),
        format!("UPDATE {table} SET title = 'x'"),
        format!("DELETE FROM {table}"),
        format!("DROP TABLE {table}"),
        format!("TRUNCATE {table}"),
        format!("ALTER TABLE {table} RENAME TO evil"),
        format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
        format!("COPY {table} TO STDOUT"),
        format!("GRANT ALL ON {table} TO PUBLIC"),
        format!("COMMENT ON TABLE {table} IS 'x'"),
        format!("SELECT nextval('{table}_id_seq')"),
        format!("CREATE TABLE rowhouse.evil (x bigint REFERENCES {table} (id))"),
        format!("CREATE VIEW rowhouse.evil AS SELECT * FROM {table}"),
        format!("WITH x AS (DELETE FROM {table} RETURNING *) SELECT * FROM x"),
        format!("MERGE INTO {own} USING {table} v ON true WHEN MATCHED THEN DELETE"),
    ]
}

/// What tells of others on the server, and what holds it up.
fn on_the_server(two: &Two) -> Vec<String> {
    let mut hostile = Vec::new();
    hostile.extend(
        [
            "SELECT datname FROM pg_database",
            "SELECT rolname FROM pg_roles",
            "SELECT usename FROM pg_user",
            "SELECT * FROM pg_stat_activity",
            "SELECT pg_stat_get_activity(NULL)",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_try_advisory_lock(1)",
            "SELECT pg_sleep(0)",
            "SELECT lo_create(0)",
            "SELECT set_config('role', 'postgres', false)",
            "SELECT query_to_xml('SELECT 1', true, true, '')",
            "SELECT pg_terminate_backend(1)",
        ]
        .map(str::to_owned),
    );
    hostile.push(format!("DROP DATABASE {}", two.database));
    hostile.push(format!("ALTER DATABASE {} RENAME TO evil", two.database));
    hostile.push(format!("SELECT * FROM {}.rowhouse.article", two.database));
    hostile
}

async fn rights_hold(isolation: Isolation) {
    let two = two(isolation).await;
    let (own, table) = (&two.own, &two.table);
    let mut hostile = on_its_own(&two);
    hostile.extend(match isolation {
        Isolation::Prefix => on_the_neighbour(&two),
        Isolation::Database => on_the_server(&two),
    });
    let mut through = Vec::new();
    for text in hostile {
        if !is_refused(&two.attacker, &text).await {
            through.push(text);
        }
    }
    assert_eq!(through, Vec::<String>::new());
    // The engine only warns where there is nothing to give.
    let _warned = two.attacker.execute(&format!("GRANT SELECT ON {own} TO PUBLIC"), vec![]).await;
    if isolation == Isolation::Prefix {
        assert!(is_refused(&two.victim, &format!("SELECT title FROM {own}")).await);
    }
    let found = rows(&two.victim, &format!("SELECT title FROM {table}")).await;
    assert_eq!(found, [[text("secret")]], "the neighbour's rows are as they were");
    let usage = two.room.engine.pool_use();
    assert_eq!(usage.open, usage.idle, "{usage:?}");
}

#[tokio::test]
async fn rights_hold_between_databases() {
    rights_hold(Isolation::Database).await;
}

#[tokio::test]
async fn rights_hold_between_prefixes() {
    rights_hold(Isolation::Prefix).await;
}

/// The role may log in to its own database only, whatever database it asks for.
#[tokio::test]
async fn a_role_enters_no_other_database() {
    let two = two(Isolation::Database).await;
    let attacker = two.room.engine.names().of(two.attacker.tenant.id);
    for database in [two.database.as_str(), "postgres", "template1"] {
        for role in [&attacker.guest, &attacker.owner] {
            let options = two.room.engine.control().options().username(role).database(database);
            let refused = PgConnection::connect_with(&options).await.unwrap_err();
            let code = refused.as_database_error().and_then(|error| error.code()).unwrap().into_owned();
            // A password may be asked for first, where the server checks one.
            assert!(["42501", "28P01"].contains(&code.as_str()), "{role} entered {database}: {refused}");
        }
    }
}

/// A migration is a guest's text too: with the guard off, the owner role is all there is.
#[tokio::test]
async fn an_owner_reaches_no_neighbour() {
    let two = two(Isolation::Prefix).await;
    let (own, table) = (&two.own, &two.table);
    for hostile in [
        format!("INSERT INTO {table} (title) VALUES ('x')"),
        format!("DROP TABLE {table}"),
        format!("ALTER TABLE {table} ADD COLUMN x text"),
        format!("CREATE TABLE {own}_x (x bigint REFERENCES {table} (id))"),
        format!("ALTER TABLE {own} RENAME TO {}_x", table.trim_start_matches("rowhouse.")),
        format!("CREATE TABLE {table}_x (x text)"),
        "CREATE TABLE rowhouse.evil (x text)".to_owned(),
        "CREATE SCHEMA evil".to_owned(),
        "CREATE FUNCTION rowhouse.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'".to_owned(),
        format!("DROP TABLE {}", two.ledger),
        format!("DELETE FROM {}", two.ledger),
        format!("SET ROLE {}", two.owner),
        "SET ROLE postgres".to_owned(),
        "ALTER ROLE CURRENT_USER SUPERUSER".to_owned(),
    ] {
        let list = [migration(1, &[&ARTICLE.replace("article", own)]), migration(2, &[&hostile])];
        let refused = two.attacker.migrate(list.into(), Duration::from_secs(60)).await;
        assert!(refused.is_err(), "{hostile}: {refused:?}");
        assert_eq!(two.attacker.applied().await.unwrap().len(), 1, "{hostile}");
    }
    assert_eq!(rows(&two.victim, &format!("SELECT title FROM {table}")).await, [[text("secret")]]);
}

/// Where the server tells the two apart.
#[tokio::test]
async fn a_member_of_a_group_can_not_become_it() {
    let room = Room::new(Isolation::Prefix).await;
    let tenant = room.tenant(|_| {}).await;
    let names = room.engine.names().of(tenant.id);
    let groups = names.groups.as_ref().unwrap();
    let mut db = admin(&testing::postgresql()).await;
    let tells = db.server_version_num().is_some_and(|version| version >= 160_000);
    let becomes = if tells { "SET" } else { "MEMBER" };
    for (role, group) in [(&names.guest, &groups.guests), (&names.owner, &groups.owners)] {
        for (right, expected) in [("USAGE", true), (becomes, !tells)] {
            let text = "SELECT pg_has_role($1::name, $2::name, $3)";
            let asked = sqlx::query_scalar(text).bind(role).bind(group).bind(right);
            let has: bool = asked.fetch_one(&mut db).await.unwrap();
            assert_eq!(has, expected, "{role} {group} {right}");
        }
    }
}

//! The corpus of hostile statements on this engine, with the guard off.

use super::*;
use crate::tenant_db::Backend;
use crate::testing::PATIENT;
use crate::testing::corpus::{Neighbours, SECRET, Words, reaches_nothing};

const CORPUS: &str = include_str!("../../../tests/corpus/mysql.sql");

struct Pair {
    room: Room,
    /// With a guard that lets everything pass.
    open: Arc<Engine>,
    attacker: Site,
    victim: Site,
}

impl Pair {
    async fn new(isolation: Isolation) -> Self {
        let room = Room::new(isolation).await;
        let patient = |limits: &mut Limits| limits.statement_ms = PATIENT;
        let mut attacker = room.with_articles(1, patient).await;
        let victim = room.with_articles(1, patient).await;
        let row = "INSERT INTO article (title, body) VALUES ($1, $1)";
        victim.session.execute(row, vec![text(SECRET)]).await.unwrap();
        // Sleepers and burners end by it; opening a connection on a busy machine doesn't.
        let mut hurried = Tenant::clone(&attacker.tenant);
        Arc::make_mut(&mut hurried.limits).statement_ms = 1_500;
        attacker.tenant = Arc::new(hurried);
        Self { open: room.unguarded(), room, attacker, victim }
    }
}

impl Neighbours for Pair {
    fn words(&self) -> Words {
        let (own, theirs) = (&self.attacker.session.names, &self.victim.session.names);
        // Where each has a database, a neighbour's table is named with it.
        let neighbour = match &theirs.prefix {
            Some(prefix) => prefix.to_string(),
            None => format!("{}.", theirs.database),
        };
        Words {
            own: own.physical("article"),
            theirs: theirs.physical("article"),
            neighbour,
            database: theirs.database.clone(),
        }
    }

    async fn canary(&self) -> Vec<String> {
        let names = &self.victim.session.names;
        let table = names.qualified(&names.physical("article"));
        let like = names.physical("").replace('_', "\\_");
        let mut seen = Vec::new();
        for question in [
            format!("SELECT concat_ws(' ', id, title, body) FROM {table} ORDER BY id"),
            format!("SHOW CREATE TABLE {table}"),
            format!(
                "SELECT CAST(concat_ws(' ', table_name, table_type, create_time) AS CHAR) \
                 FROM information_schema.tables WHERE table_schema = '{}' AND table_name LIKE '{like}%' ORDER BY 1",
                names.database
            ),
            format!("SHOW GRANTS FOR '{}'@'%'", names.guest),
            format!("SHOW GRANTS FOR '{}'@'%'", names.migrator),
            "SELECT CAST(user AS CHAR) FROM mysql.user WHERE user IN ('mallory', 'evil', 'x')".to_owned(),
            "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
             WHERE schema_name IN ('mallory', 'evil', 'x', 'd', 'stolen')"
                .to_owned(),
            "SELECT CAST(concat(@@global.sql_mode, @@global.max_connections, @@global.general_log) AS CHAR)"
                .to_owned(),
        ] {
            let rows = self.room.engine.server.control.rows(&question).await.unwrap();
            let mut found: Vec<String> = rows
                .iter()
                .map(|row| {
                    let columns = (0..row.len()).map(|at| row.try_get::<String, _>(at).unwrap_or_default());
                    columns.collect::<Vec<_>>().join(" ")
                })
                .collect();
            // The server lists grants in no order of its own.
            found.sort_unstable();
            seen.push(found.join("\n"));
        }
        seen
    }

    fn attacker(&self) -> Backend {
        Backend::Mysql(self.open.session(&self.attacker.tenant))
    }

    async fn let_in(&self) {
        self.room.engine.provision(&self.attacker.tenant).await.unwrap();
    }

    fn close_idle(&self) {
        self.open.close_idle(Duration::ZERO);
    }

    async fn quiet(&self) {
        self.room.until_quiet(&self.attacker).await;
    }
}

#[tokio::test]
async fn the_corpus_reaches_nothing_in_another_database() {
    reaches_nothing(&Pair::new(Isolation::Database).await, CORPUS).await;
}

#[tokio::test]
async fn the_corpus_reaches_nothing_behind_another_prefix() {
    reaches_nothing(&Pair::new(Isolation::Prefix).await, CORPUS).await;
}

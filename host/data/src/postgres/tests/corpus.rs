//! The corpus of hostile statements on this engine, with the guard off.

use super::*;
use crate::tenant_db::Backend;
use crate::testing::PATIENT;
use crate::testing::corpus::{Neighbours, SECRET, Words, reaches_nothing};

const CORPUS: &str = include_str!("../../../tests/corpus/postgresql.sql");

struct Pair {
    room: Room,
    attacker: Arc<Tenant>,
    victim: Arc<Tenant>,
}

impl Pair {
    async fn new(isolation: Isolation) -> Self {
        let room = Room::with(isolation, 16, true).await;
        let mut tenants = Vec::new();
        for words in ["mine", SECRET] {
            let tenant = room.tenant(|limits| limits.statement_ms = PATIENT).await;
            let table = ARTICLE.replace("article", &room.physical(&tenant, "article"));
            let session = room.engine.session(&tenant);
            session.migrate([migration(1, &[&table])].into(), Duration::from_secs(60)).await.unwrap();
            let physical = room.physical(&tenant, "article");
            let row = format!("INSERT INTO {physical} (title, body) VALUES ('{words}', '{words}')");
            session.execute(&row, vec![]).await.unwrap();
            tenants.push(tenant);
        }
        let (victim, attacker) = (tenants.pop().unwrap(), tenants.pop().unwrap());
        // Sleepers and burners end by it; opening a connection on a busy machine doesn't.
        let mut hurried = Tenant::clone(&attacker);
        Arc::make_mut(&mut hurried.limits).statement_ms = 1_500;
        Self { room, attacker: Arc::new(hurried), victim }
    }
}

impl Neighbours for Pair {
    fn words(&self) -> Words {
        let theirs = self.room.engine.names().of(self.victim.id);
        let own = self.room.engine.names().of(self.attacker.id);
        // Where each has a database, a neighbour's table is named with it.
        let (neighbour, database) = match &theirs.prefix {
            Some(prefix) => (prefix.to_string(), "rowhouse".to_owned()),
            None => (format!("{}.rowhouse.", theirs.database), format!("{}.rowhouse", theirs.database)),
        };
        Words { own: own.physical("article"), theirs: theirs.physical("article"), neighbour, database }
    }

    async fn canary(&self) -> Vec<String> {
        let names = self.room.engine.names().of(self.victim.id);
        let turn = self.room.engine.turn().await.unwrap();
        let mut db = self.room.engine.control().connect(&turn, Some(&names.database)).await.unwrap();
        let (guest, owner) = (&names.guest, &names.owner);
        let table = self.room.physical(&self.victim, "article");
        let mut seen = Vec::new();
        for question in [
            format!("SELECT t::text FROM {table} t ORDER BY 1"),
            format!("SELECT t::text FROM {} t ORDER BY 1", names.ledger()),
            format!(
                "SELECT concat_ws(' ', oid, relname, relkind, relowner, relacl, relhastriggers, relhasrules) \
                 FROM pg_class WHERE relowner IN ('{guest}'::regrole, '{owner}'::regrole) ORDER BY 1"
            ),
            format!("SELECT t::text FROM pg_authid t WHERE rolname IN ('{guest}', '{owner}') ORDER BY 1"),
            format!(
                "SELECT roleid::regrole::text || ' ' || member::regrole FROM pg_auth_members \
                 WHERE roleid IN ('{guest}'::regrole, '{owner}'::regrole) ORDER BY 1"
            ),
            "SELECT rolname::text FROM pg_roles WHERE rolname IN ('mallory', 'evil')".to_owned(),
            "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)' ORDER BY 1"
                .to_owned(),
            "SELECT extname::text FROM pg_extension ORDER BY 1".to_owned(),
            format!(
                "SELECT coalesce(datacl::text, '') FROM pg_database WHERE datname = '{}'",
                names.database
            ),
        ] {
            let found: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(question)).fetch_all(&mut db).await.unwrap();
            seen.push(found.join("\n"));
        }
        seen
    }

    fn attacker(&self) -> Backend {
        Backend::Postgres(self.room.engine.session(&self.attacker))
    }

    async fn let_in(&self) {
        self.room.engine.provision(&self.attacker).await.unwrap();
    }

    fn close_idle(&self) {
        self.room.engine.close_idle(Duration::ZERO);
    }

    async fn quiet(&self) {
        self.room.quiet(&self.attacker).await;
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

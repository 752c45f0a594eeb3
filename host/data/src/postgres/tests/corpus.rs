//! The corpus of hostile statements with the guard off: what the engine lets through changes and tells nothing
//! of a neighbour. What it does to the tenant itself is the guard's to refuse.

use super::*;
use crate::testing::PATIENT;

/// Lines that don't begin with `--` are statements of a hostile guest.
const CORPUS: &str = include_str!("../../../tests/corpus/postgresql.sql");

const SECRET: &str = "words of the neighbour alone";

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

    /// A line of the corpus about these two.
    fn fill(&self, line: &str) -> String {
        let theirs = self.room.engine.names().of(self.victim.id);
        let own = self.room.engine.names().of(self.attacker.id);
        // Where each has a database, a neighbour's table is named with it.
        let (before, schema) = match &theirs.prefix {
            Some(prefix) => (prefix.to_string(), "rowhouse".to_owned()),
            None => (format!("{}.rowhouse.", theirs.database), format!("{}.rowhouse", theirs.database)),
        };
        let article = format!("{{database}}.{}", theirs.physical("article").replace("article", "\u{1}"));
        line.replace("{neighbour}article", &format!("{before}\u{1}"))
            .replace("{database}.article", &article)
            .replace("article", &own.physical("article"))
            .replace('\u{1}', "article")
            .replace("{neighbour}", &before)
            .replace("{database}", &schema)
            .replace("{nul}", "\0")
            .replace("{newline}", "\n")
    }

    /// All that is the victim's, and what nobody may make, as the superuser sees it.
    async fn canary(&self) -> Vec<String> {
        let names = self.room.engine.names().of(self.victim.id);
        let turn = self.room.engine.control().turn().await.unwrap();
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

    /// Runs a statement as the attacker's guest, both ways there are. Returns what it told, and whether any passed.
    async fn attack(&self, statement: &str) -> (String, bool) {
        let session = self.room.engine.session(&self.attacker);
        let mut told = String::new();
        let mut passed = false;
        for reads in [true, false] {
            let answer = match self.once(&session, statement, reads).await {
                Err(SqlError::Other { sqlstate: Some(state), .. }) if &*state == "08001" => {
                    // It has locked itself out: only its own door is shut, and a look after it opens it again.
                    self.room.engine.provision(&self.attacker).await.unwrap();
                    self.once(&session, statement, reads).await
                }
                other => other,
            };
            match answer {
                Ok(rows) => {
                    passed = true;
                    told.push_str(&rows);
                }
                Err(error) => told.push_str(&error.to_string()),
            }
        }
        if passed {
            // What it set or began holds for its connection: the next statement starts anew.
            self.room.engine.close_idle(Duration::ZERO);
        }
        (told, passed)
    }

    async fn once(&self, session: &Session, statement: &str, reads: bool) -> Result<String, SqlError> {
        if reads {
            session.query_packed(statement, vec![]).await.map(|rows| format!("{:?}", unpack(&rows)))
        } else {
            session.execute(statement, vec![]).await.map(|outcome| format!("{outcome:?}"))
        }
    }
}

async fn nothing_is_reached(isolation: Isolation) {
    let pair = Pair::new(isolation).await;
    let before = pair.canary().await;
    assert!(before[0].contains(SECRET), "{before:?}");
    let (mut seen, mut through) = (0, 0);
    for line in CORPUS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("--")) {
        let statement = pair.fill(line);
        let (told, passed) = pair.attack(&statement).await;
        assert!(!told.contains(SECRET), "{statement} tells {told}");
        seen += 1;
        through += usize::from(passed);
    }
    assert!(seen >= 300 && through >= 50, "{through} of {seen} statements passed: the test tries too little");
    pair.room.engine.close_idle(Duration::ZERO);
    pair.room.quiet(&pair.attacker).await;
    for (after, before) in pair.canary().await.iter().zip(&before) {
        assert_eq!(after, before);
    }
}

#[tokio::test]
async fn the_corpus_reaches_nothing_in_another_database() {
    nothing_is_reached(Isolation::Database).await;
}

#[tokio::test]
async fn the_corpus_reaches_nothing_behind_another_prefix() {
    nothing_is_reached(Isolation::Prefix).await;
}

//! The corpus of hostile statements with the guard off: what the server lets through changes and tells nothing
//! of a neighbour. What it does to the tenant itself is the guard's to refuse.

use super::*;
use crate::testing::PATIENT;

/// Lines that don't begin with `--` are statements of a hostile guest.
const CORPUS: &str = include_str!("../../../tests/corpus/mysql.sql");

const SECRET: &str = "words of the neighbour alone";

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

    /// A line of the corpus about these two.
    fn fill(&self, line: &str) -> String {
        let (own, theirs) = (&self.attacker.session.names, &self.victim.session.names);
        // Where each has a database, a neighbour's table is named with it.
        let before = match &theirs.prefix {
            Some(prefix) => prefix.to_string(),
            None => format!("{}.", theirs.database),
        };
        let article = format!("{{database}}.{}", theirs.physical("article").replace("article", "\u{1}"));
        line.replace("{neighbour}article", &format!("{before}\u{1}"))
            .replace("{database}.article", &article)
            .replace("article", &own.physical("article"))
            .replace('\u{1}', "article")
            .replace("{neighbour}", &before)
            .replace("{database}", &theirs.database)
            .replace("{nul}", "\0")
            .replace("{newline}", "\n")
    }

    /// All that is the victim's, and what nobody may make, as an administrator sees it.
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

    /// Runs a statement as the attacker's guest, both ways there are. Returns what it told, and whether any passed.
    async fn attack(&self, statement: &str) -> (String, bool) {
        let session = self.open.session(&self.attacker.tenant);
        let mut told = String::new();
        let mut passed = false;
        for reads in [true, false] {
            let answer = match once(&session, statement, reads).await {
                Err(SqlError::Other { sqlstate: Some(state), .. }) if &*state == "08001" => {
                    // It has locked itself out: only its own door is shut, and a look after it opens it again.
                    self.room.engine.provision(&self.attacker.tenant).await.unwrap();
                    once(&session, statement, reads).await
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
            self.open.close_idle(Duration::ZERO);
        }
        (told, passed)
    }
}

async fn once(session: &Session, statement: &str, reads: bool) -> Result<String, SqlError> {
    if reads {
        session.query_packed(statement, vec![]).await.map(|rows| format!("{:?}", unpack(&rows)))
    } else {
        session.execute(statement, vec![]).await.map(|outcome| format!("{outcome:?}"))
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
    pair.open.close_idle(Duration::ZERO);
    pair.room.until_quiet(&pair.attacker).await;
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

//! The corpus of hostile statements with the guard off: what a server lets through changes and tells nothing of a
//! neighbour. What it does to the tenant itself is the guard's to refuse.

use crate::meter::Meter;
use crate::tenant_db::Backend;
use crate::{SqlError, TenantDb, packed};
use std::sync::Arc;

/// What the victim keeps, and no answer may tell.
pub(crate) const SECRET: &str = "words of the neighbour alone";

/// The statements of a corpus. Lines that don't begin with `--` are those of a hostile guest.
pub(crate) fn statements(corpus: &str) -> impl Iterator<Item = &str> {
    corpus.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("--"))
}

/// What names in the corpus stand for.
pub(crate) struct Words {
    /// The attacker's table `article`, as the server has it.
    pub(crate) own: String,
    /// The victim's.
    pub(crate) theirs: String,
    /// What is written before a name to mean the victim's table.
    pub(crate) neighbour: String,
    /// Where the victim's tables are.
    pub(crate) database: String,
}

impl Words {
    /// A line of the corpus about these two.
    fn fill(&self, line: &str) -> String {
        // What is filled in may hold the word itself.
        let article = format!("{{database}}.{}", self.theirs.replace("article", "\u{1}"));
        line.replace("{neighbour}article", &format!("{}\u{1}", self.neighbour))
            .replace("{database}.article", &article)
            .replace("article", &self.own)
            .replace('\u{1}', "article")
            .replace("{neighbour}", &self.neighbour)
            .replace("{database}", &self.database)
            .replace("{nul}", "\0")
            .replace("{newline}", "\n")
    }
}

/// Two tenants of a server whose guard lets everything pass: one attacks, the other has [`SECRET`].
pub(crate) trait Neighbours {
    fn words(&self) -> Words;

    /// All that is the victim's, the secret first, and what nobody may make, as an administrator sees it.
    async fn canary(&self) -> Vec<String>;

    /// The attacker's way in.
    fn attacker(&self) -> Backend;

    /// Completes what the attacker has, where it has locked itself out.
    async fn let_in(&self);

    /// Closes the attacker's idle connections.
    fn close_idle(&self);

    /// Waits until nothing of the attacker's runs.
    async fn quiet(&self);
}

/// Lets the attacker try all of a corpus.
pub(crate) async fn reaches_nothing(pair: &impl Neighbours, corpus: &str) {
    let words = pair.words();
    let before = pair.canary().await;
    assert!(before[0].contains(SECRET), "{before:?}");
    let (mut seen, mut through) = (0, 0);
    for line in statements(corpus) {
        let statement = words.fill(line);
        let (told, passed) = attack(pair, &statement).await;
        assert!(!told.contains(SECRET), "{statement} tells {told}");
        seen += 1;
        through += usize::from(passed);
    }
    assert!(seen >= 300 && through >= 50, "{through} of {seen} statements passed: the test tries too little");
    pair.close_idle();
    pair.quiet().await;
    for (after, before) in pair.canary().await.iter().zip(&before) {
        assert_eq!(after, before);
    }
}

/// Runs a statement as the attacker's guest, both ways there are. Returns what it told, and whether any passed.
async fn attack(pair: &impl Neighbours, statement: &str) -> (String, bool) {
    let mut db = TenantDb::new(pair.attacker(), Arc::new(Meter::default()), u32::MAX);
    let (mut told, mut passed) = (String::new(), false);
    for reads in [true, false] {
        let answer = match once(&mut db, statement, reads).await {
            Err(SqlError::Other { sqlstate: Some(state), .. }) if &*state == "08001" => {
                // It has locked itself out: only its own door is shut, and a look after it opens it again.
                pair.let_in().await;
                once(&mut db, statement, reads).await
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
        pair.close_idle();
    }
    (told, passed)
}

async fn once(db: &mut TenantDb, statement: &str, reads: bool) -> Result<String, SqlError> {
    if reads {
        let rows = db.query_packed(statement, vec![]).await?;
        Ok(format!("{:?}", packed::decode(&rows).unwrap().0))
    } else {
        db.execute(statement, vec![]).await.map(|outcome| format!("{outcome:?}"))
    }
}

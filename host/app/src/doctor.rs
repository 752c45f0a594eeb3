//! `rowhouse doctor`: what would keep a server from starting or from running well, with what to do about it.
//!
//! Every line was tried on this machine, now; nothing is guessed, and nothing is made or changed but a file
//! that is removed at once. It may be run while the server runs: what the server holds is then not tried.

mod machine;
mod rooms;

use crate::command::{self, ServeArgs};
use crate::config::Config;
use anyhow::Context;
use rowhouse_base::Chain;
use rowhouse_cli::ConnectionArgs;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Warning,
    /// The server would not start, or sites would not be served.
    Bad,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    /// What was looked at.
    check: String,
    state: State,
    /// What is there.
    found: String,
    /// What to do about it; empty where all is well.
    advice: String,
}

impl Finding {
    fn good(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self { check: check.into(), state: State::Good, found: found.into(), advice: String::new() }
    }

    fn warning(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warning, advice: advice.into(), ..Self::good(check, found) }
    }

    fn bad(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Bad, ..Self::warning(check, found, advice) }
    }

    /// A check that ended in an error.
    fn failed(check: impl Into<String>, error: &(dyn Error + 'static), advice: &str) -> Self {
        Self::bad(check, Chain(error).to_string(), advice)
    }
}

/// Looks at everything. Exit code 1 where something is bad.
pub(crate) fn run(args: &ServeArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let findings = match command::read(args, connection) {
        Ok(config) => command::runtime()?.block_on(look(&config)),
        // Everything else would be looked for in the wrong place.
        Err(error) => vec![Finding::bad("configuration", format!("{error:#}"), "mend the file")],
    };
    let mut out = io::stdout().lock();
    if connection.json {
        writeln!(out, "{:#}", json(&findings))?;
    } else {
        write(&mut out, &findings)?;
    }
    out.flush().context("write the findings")?;
    let is_bad = findings.iter().any(|finding| finding.state == State::Bad);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn look(config: &Config) -> Vec<Finding> {
    let mut all = vec![Finding::good("configuration", "every setting can be read")];
    let (folder, runs) = rooms::data_folder(&config.data_dir);
    all.push(folder);
    all.push(machine::address(config.listen, runs).await);
    all.push(rooms::compiled(&config.data_dir.join("compiled")));
    all.extend(rooms::engine(config));
    all.extend(rooms::control_database(config).await);
    all.extend(rooms::key(config));
    all.extend(rooms::data_servers(config).await);
    all.extend(rooms::bucket(config).await);
    all.push(machine::descriptors(config));
    all.push(machine::clock());
    all.extend(machine::backtrace());
    all
}

fn json(findings: &[Finding]) -> serde_json::Value {
    let all = findings.iter().map(|finding| {
        serde_json::json!({
            "check": finding.check,
            "state": finding.state.as_str(),
            "found": finding.found,
            "advice": (!finding.advice.is_empty()).then_some(&finding.advice),
        })
    });
    all.collect()
}

/// A line for each, and what to do below those that ask for it.
fn write(out: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    let check = findings.iter().map(|finding| finding.check.chars().count()).max().unwrap_or_default();
    // As long as "warning".
    let state = 7;
    for finding in findings {
        let found = finding.found.replace('\n', &format!("\n{:1$}", "", state + check + 4));
        writeln!(out, "{:state$}  {:check$}  {found}", finding.state.as_str(), finding.check)?;
        if !finding.advice.is_empty() {
            writeln!(out, "{:1$}{2}", "", state + check + 4, finding.advice)?;
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    writeln!(
        out,
        "\n{} good, {} to look at, {} bad",
        count(State::Good),
        count(State::Warning),
        count(State::Bad)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_empty_folder_is_fit_for_a_start_and_stays_empty() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: dir.path().join("data"),
            listen: ([127, 0, 0, 1], 0).into(),
            instances: 8,
            ..Config::default()
        };
        let findings = look(&config).await;
        assert!(findings.iter().all(|finding| finding.state != State::Bad), "{findings:#?}");
        let control = findings.iter().find(|finding| finding.check == "control database").unwrap();
        assert!(control.found.contains("SQLite, made at the first start"), "{control:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is made");
    }

    #[tokio::test]
    async fn what_would_keep_it_from_starting_is_bad() {
        let dir = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        std::fs::write(
            dir.path().join("control.db"),
            "this is no database, and long enough to be told from one",
        )
        .unwrap();
        let key = dir.path().join("bucket.key");
        std::fs::write(&key, "aws_access_key_id = ada\naws_secret_access_key = hunter2\n").unwrap();
        let text = format!(
            "[data-servers.away]\nengine = \"postgresql\"\nurl = \"postgres://ada:hunter2@127.0.0.1:1/x\"\n\
             [files]\nbucket = \"sites\"\nendpoint = \"http://127.0.0.1:1\"\nallow-http = true\n\
             credentials-file = \"{}\"\n",
            key.display()
        );
        let file = dir.path().join("rowhouse.toml");
        std::fs::write(&file, text).unwrap();
        let config = Config {
            data_dir: dir.path().to_owned(),
            listen: taken.local_addr().unwrap(),
            key_file: Some(dir.path().join("missing.key")),
            instances: 8,
            ..Config::read(&file).unwrap()
        };
        let findings = look(&config).await;
        let bucket = "bucket of files `sites` at http://127.0.0.1:1";
        for check in ["listen", "control database", "data server away", "key of data servers", bucket] {
            let found = findings.iter().find(|finding| finding.check == check);
            let found = found.unwrap_or_else(|| panic!("{check} is missing in {findings:#?}"));
            assert_eq!(found.state, State::Bad, "{found:?}");
            assert!(!found.advice.is_empty(), "{found:?}");
        }
        assert!(!json(&findings).to_string().contains("hunter2"));
    }

    #[test]
    fn people_and_programs_are_told_the_same() {
        let findings =
            [Finding::good("clock", "2026"), Finding::bad("listen", "taken\nby another", "stop it")];
        let mut table = Vec::new();
        write(&mut table, &findings).unwrap();
        let expected = "good     clock   2026\n\
                        bad      listen  taken\n                 by another\n                 stop it\n\
                        \n1 good, 0 to look at, 1 bad\n";
        assert_eq!(String::from_utf8(table).unwrap(), expected);
        let json = json(&findings);
        assert_eq!(json[0]["state"], "good");
        assert!(json[0]["advice"].is_null());
        assert_eq!(json[1]["advice"], "stop it");
    }
}

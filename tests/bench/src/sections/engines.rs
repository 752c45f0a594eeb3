//! What tenants cost on each engine: making them, starting with them, and 200 of them at work.
//!
//! With isolation "prefix" there are `ROWHOUSE_BENCH_TENANTS` of them, with "database" only
//! `ROWHOUSE_BENCH_DATABASES`, because a database takes half a second and 7 MB on PostgreSQL; on SQLite it is a file,
//! so there are as many as with "prefix". Servers are those of the tests; what is made there is removed in the end: some
//! tenants as an operator removes them, the rest of those that share a database with it. In a shared SQLite file, whose
//! whole schema each connection reads, there are no more than [`IN_ONE_FILE`].

use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, Result};
use rowhouse_tests::{drop_groups, drop_members};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::Effort;
use crate::answer::agent;
use crate::host::{Host, in_hands};
use crate::places::Places;
use crate::rounds::median;
use crate::table::Report;

/// Tenants at work at once.
const ACTIVE: u32 = 200;

/// Visitors of them at once.
const VISITORS: u32 = 16;

/// Tenants of one SQLite file: it is meant for tens of them.
const IN_ONE_FILE: u32 = 200;

/// Tenants that are removed one by one, for the rate: 10,000 would take as long as making them.
const REMOVED: u32 = 300;

/// The database that tenants share on a server.
pub(super) const SHARED: &str = "rowhouse_bench";

pub(super) const ENGINES: [&str; 3] = ["sqlite", "postgresql", "mysql"];

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    compare(places, effort, &ENGINES, report)
}

pub(super) fn sqlite(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    compare(places, effort, &["sqlite"], report)
}

pub(super) fn postgresql(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    compare(places, effort, &["postgresql"], report)
}

pub(super) fn mysql(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    compare(places, effort, &["mysql"], report)
}

fn compare(places: &Places, effort: Effort, engines: &[&str], report: &mut Report) -> Result<()> {
    let (tenants, databases) = if effort.quick { (200, 10) } else { (10_000, 200) };
    let tenants = number("ROWHOUSE_BENCH_TENANTS", tenants)?;
    let counts = [("prefix", tenants), ("database", number("ROWHOUSE_BENCH_DATABASES", databases)?)];
    let mut rows = Vec::new();
    for (isolation, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        for engine in engines.iter().copied() {
            let count = match (engine, isolation) {
                ("sqlite", "prefix") => count.min(IN_ONE_FILE),
                // A file each, which costs no more than the row.
                ("sqlite", _) => tenants,
                _ => count,
            };
            println!("    {engine}, {isolation}: {count} tenants");
            rows.push(measure(places, effort, engine, isolation, count)?);
        }
    }
    report.section(&format!("Engines: the shipped site's tenants, then {ACTIVE} of them at work"));
    report.rows(
        &[
            "engine",
            "isolation",
            "tenants",
            "made a second",
            "removed a second",
            "start s",
            "resident MiB",
            "at work: answers a second",
            "most connections",
            "resident MiB",
        ],
        &rows,
    );
    Ok(())
}

/// A number from the environment.
fn number(variable: &str, default: u32) -> Result<u32> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable} is a number, not `{text}`")),
        Err(_unset) => Ok(default),
    }
}

fn measure(
    places: &Places,
    effort: Effort,
    engine: &str,
    isolation: &str,
    count: u32,
) -> Result<Vec<String>> {
    prepare(engine, SHARED, true)?;
    let host =
        Host::start_with(places, &format!("engines-{engine}-{isolation}"), &config(engine, isolation)?)?;
    host.push(places, "site", "bench-site", "1.0.0")?;
    let begin = Instant::now();
    let made = host.create_many("t", count, Some("bench-site@1.0.0"));
    let made_rate = f64::from(count) / begin.elapsed().as_secs_f64();
    let measured = made.and_then(|()| used(places, effort, host, count));
    // The host is gone then, and with it whoever could remove them.
    let left = || format!("tenants are left on {engine}, isolation {isolation}");
    let (host, mut cells) = measured.with_context(left)?;
    let mut row = vec![engine.to_owned(), isolation.to_owned(), count.to_string()];
    // Removing them may take longer than all the rest: what is known by now is told first.
    println!("    {}, {made_rate:.1} made a second, {}", row.join(", "), cells.join("  "));
    // What is in databases or files of its own goes one by one.
    let one_by_one = if isolation == "prefix" { count.min(REMOVED) } else { count };
    let begin = Instant::now();
    host.remove_many("t", one_by_one)?;
    let removed_rate = f64::from(one_by_one) / begin.elapsed().as_secs_f64();
    drop(host);
    prepare(engine, SHARED, false)?;
    row.extend([made_rate, removed_rate].map(|rate| format!("{rate:.1}")));
    row.append(&mut cells);
    println!("    {}", row.join("  "));
    Ok(row)
}

/// Starts it again some times, then visits tenants.
fn used(places: &Places, effort: Effort, mut host: Host, count: u32) -> Result<(Host, Vec<String>)> {
    let (mut starts, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        host = host.restart(places)?;
        starts.push(host.server.started_in.as_secs_f64());
        resident.push(host.server.usage()?.resident);
    }
    resident.sort_unstable();
    let asleep = resident.get(resident.len() / 2).copied().unwrap_or_default();
    let active = ACTIVE.min(count);
    let visits = active * 10 * effort.seconds;
    let most = Mutex::new(0);
    let begin = Instant::now();
    in_hands(VISITORS, visits, |visit| {
        let tenant = 1 + visit % active;
        let answer = agent().get(format!("{}/t{tenant}/", host.server.url())).call();
        let text = answer.with_context(|| format!("visit t{tenant}"))?.body_mut().read_to_string()?;
        anyhow::ensure!(text.contains(&format!("Tenant t{tenant}")), "t{tenant} answers {text}");
        // Every visitor looks now and then: the most that any saw is near the most there were.
        if visit % 50 == 0 {
            let open = host.connections("bench")?;
            let mut most = most.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *most = open.max(*most);
        }
        Ok(())
    })?;
    let rate = f64::from(visits) / begin.elapsed().as_secs_f64();
    let awake = host.server.usage()?.resident;
    let most = most.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let cells = vec![
        format!("{:.3}", median(starts.into_iter())),
        (asleep / 1024).to_string(),
        format!("{rate:.0}"),
        most.to_string(),
        (awake / 1024).to_string(),
    ];
    Ok((host, cells))
}

/// A configuration whose tenants are on this engine, in this isolation, where nothing else is said.
pub(super) fn config(engine: &str, isolation: &str) -> Result<String> {
    let url = match server(engine) {
        Some(url) => format!("url = \"{}\"\n", in_database(&url, SHARED)?),
        None => String::new(),
    };
    // Only one data server may keep a file for each site, and `local` does where nothing else is said.
    let name = "bench";
    if (engine, isolation) == ("sqlite", "database") {
        return Ok(format!(
            "[data]\ndefault-server = \"{name}\"\n[data-servers.local]\nengine = \"sqlite\"\nisolation = \"prefix\"\n\
             [data-servers.{name}]\nengine = \"sqlite\"\n"
        ));
    }
    Ok(format!(
        "[data]\ndefault-server = \"{name}\"\n[data-servers.{name}]\nengine = \"{engine}\"\n\
         isolation = \"{isolation}\"\n{url}"
    ))
}

/// An administrator's URL; none for the embedded engine.
pub(super) fn server(engine: &str) -> Option<String> {
    let (variable, usual) = match engine {
        "postgresql" => ("ROWHOUSE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres"),
        "mysql" => ("ROWHOUSE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/"),
        _ => return None,
    };
    Some(std::env::var(variable).unwrap_or_else(|_unset| usual.to_owned()))
}

/// The same URL with this database in it.
pub(super) fn in_database(url: &str, database: &str) -> Result<String> {
    let (place, _database) = url.rsplit_once('/').context("a URL ends with /DATABASE")?;
    Ok(format!("{place}/{database}"))
}

/// Makes a database anew on the engine's server, or removes it, with the accounts of tenants that share it. The embedded
/// engine has none.
pub(super) fn prepare(engine: &str, database: &str, make: bool) -> Result<()> {
    let Some(url) = server(engine) else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if engine == "mysql" {
            let mut db = sqlx::MySqlConnection::connect(&url).await.context("reach MariaDB")?;
            let accounts = mysql_accounts(&mut db, database).await?;
            run_mysql(&mut db, format!("DROP DATABASE IF EXISTS {database}")).await?;
            for some in accounts.chunks(100) {
                run_mysql(&mut db, format!("DROP USER IF EXISTS {}", some.join(", "))).await?;
            }
            if make {
                // As the engine would make it.
                let form = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
                run_mysql(&mut db, format!("CREATE DATABASE {database} {form}")).await?;
            }
            return Ok(());
        }
        let mut db = sqlx::PgConnection::connect(&url).await.context("reach PostgreSQL")?;
        let statements = [
            format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
            // What is left after a crash is dropped the next time.
            "SET synchronous_commit = off".to_owned(),
            drop_members(database),
            drop_groups(database),
        ];
        for statement in statements.into_iter().chain(make.then(|| format!("CREATE DATABASE {database}"))) {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut db).await?;
        }
        Ok(())
    })
}

/// Who has rights in this database, as statements name them.
async fn mysql_accounts(db: &mut sqlx::MySqlConnection, database: &str) -> Result<Vec<String>> {
    let text = "SELECT DISTINCT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.tables_priv WHERE db = ? \
                UNION SELECT DISTINCT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.db WHERE db = ?";
    Ok(sqlx::query_scalar(text).bind(database).bind(database).fetch_all(db).await?)
}

async fn run_mysql(db: &mut sqlx::MySqlConnection, statement: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(db).await?;
    Ok(())
}

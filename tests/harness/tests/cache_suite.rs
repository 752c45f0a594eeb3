//! The public tests of HTTP caches, run against a site that passes everything on to their origin server.
//!
//! `tests/cache-suite/expectations.json` lists what is not passed. A test that fails without being listed fails
//! this one, and so does one that is listed and passes: the list only gets shorter. Some tests look at seconds, so
//! what went otherwise than listed is run again, by itself, before it counts.

use anyhow::{Context, Result, bail};
use rowhouse_tests::{TestServer, cache_suite_folder, guest, node};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The tests send 40 requests at once from one machine, and each is one of the guest's.
const ROOMY: &str = "[outbound]\nallow-networks = [\"127.0.0.1/32\"]\n[guest]\nqueue-ms = 30000\n\
                     [limits]\nconcurrent-requests = 64\nwall-ms = 60000\n";

/// Runs of a test that went otherwise than listed, the first included.
const RUNS: usize = 3;

/// A test as it went.
#[derive(Debug, Deserialize)]
struct Ran {
    id: String,
    kind: Kind,
    suite: String,
    /// What went wrong; none where it passed.
    result: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Required,
    Optimal,
    Check,
}

/// A test that isn't passed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: Kind,
    /// Why it isn't passed; empty where nobody has looked yet.
    reason: String,
}

type Expectations = BTreeMap<String, Expected>;

fn expectations_file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../cache-suite/expectations.json"))
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../cache-suite")).join(name)
}

/// The tests' origin server. Ends when dropped.
struct Origin {
    child: Child,
    port: u16,
}

impl Origin {
    fn start() -> Result<Self> {
        let mut child = Command::new(node())
            .arg(script("origin.mjs"))
            .arg(package()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of what the tests cause.
            .stderr(Stdio::null())
            .spawn()
            .context("start node: `cargo xtask cache-suite` installs it where that is possible")?;
        let out = child.stdout.take().context("read what the origin prints")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let port = line.trim().strip_prefix("listening ").context("the origin server did not start")?;
        let port = port.parse()?;
        Ok(Self { child, port })
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn package() -> Result<PathBuf> {
    let folder = cache_suite_folder().join("node_modules").join("http-cache-tests");
    if folder.join("package.json").is_file() {
        return Ok(folder);
    }
    bail!("{} is not there: `cargo xtask cache-suite` installs it", folder.display())
}

/// Runs all tests, or those with these ids.
fn run(base: &str, ids: &BTreeSet<String>, dump: bool) -> Result<Vec<Ran>> {
    let output = Command::new(node())
        .args(["--no-warnings".as_ref(), script("client.mjs").as_os_str()])
        .arg(package()?)
        .arg(base)
        .args(ids)
        .env("DUMP", if dump { "1" } else { "" })
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("start node")?;
    if !output.status.success() {
        bail!("the tests' client failed: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("read what the tests' client printed")
}

fn site(origin: &Origin) -> Result<TestServer> {
    let server = TestServer::start_with(ROOMY)?;
    server.push("forward", "1.0.0", &guest("forward")?.bytes)?;
    let place = format!("127.0.0.1:{}", origin.port);
    let tenant = json!({
        "name": "cache-suite",
        "release": "forward@1.0.0",
        "outbound": [place],
        "settings": { "origin": format!("http://{place}") },
    });
    server.operator()?.post_json("/-/api/v1/tenants", &tenant)?.expect(201)?;
    Ok(server)
}

/// Ids of tests that went otherwise than listed.
fn surprises(ran: &BTreeMap<String, Ran>, expected: &Expectations) -> BTreeSet<String> {
    let listed = |id: &str| expected.contains_key(id);
    ran.values()
        .filter(|test| test.result.is_some() != listed(&test.id))
        .map(|test| test.id.clone())
        .collect()
}

fn by_id(list: Vec<Ran>) -> BTreeMap<String, Ran> {
    list.into_iter().map(|test| (test.id.clone(), test)).collect()
}

/// How many of each kind passed.
fn counts(ran: &BTreeMap<String, Ran>) -> String {
    let count = |kind: Kind| {
        let of_kind = || ran.values().filter(|test| test.kind == kind);
        (of_kind().filter(|test| test.result.is_none()).count(), of_kind().count())
    };
    let [(required, all_required), (optimal, all_optimal), (yes, checks)] =
        [Kind::Required, Kind::Optimal, Kind::Check].map(count);
    format!(
        "required {required} of {all_required} passed, optimal {optimal} of {all_optimal}; \
         checks answered with yes {yes} of {checks}"
    )
}

/// The list that fits what was seen. Reasons that were given stay.
fn rewritten(ran: &BTreeMap<String, Ran>, old: &Expectations) -> Expectations {
    let failed = ran.values().filter(|test| test.result.is_some());
    failed
        .map(|test| {
            let reason = old.get(&test.id).map(|entry| entry.reason.clone()).unwrap_or_default();
            (test.id.clone(), Expected { kind: test.kind, reason })
        })
        .collect()
}

fn read_expectations() -> Result<Expectations> {
    let file = expectations_file();
    let text = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("read {}", file.display()))
}

/// What `cargo xtask cache-suite` asked for.
fn asked(variable: &str) -> String {
    std::env::var(variable).unwrap_or_default()
}

#[test]
fn the_public_tests_go_as_listed() -> Result<()> {
    let origin = Origin::start()?;
    let server = site(&origin)?;
    let base = format!("http://cache-suite.localhost:{}", server.port());

    let chosen: BTreeSet<String> =
        asked("ROWHOUSE_CACHE_SUITE_IDS").split_whitespace().map(str::to_owned).collect();
    if !chosen.is_empty() {
        for test in run(&base, &chosen, true)? {
            println!(
                "{} ({:?}, {}): {}",
                test.id,
                test.kind,
                test.suite,
                test.result.as_deref().unwrap_or("passed")
            );
        }
        return Ok(());
    }
    let write = asked("ROWHOUSE_CACHE_SUITE_WRITE") == "1";
    // Written anew, a list that can't be read may be replaced.
    let expected = if write { read_expectations().unwrap_or_default() } else { read_expectations()? };
    let mut ran = by_id(run(&base, &BTreeSet::new(), false)?);
    assert!(ran.len() > 300, "only {} tests ran", ran.len());
    if write {
        // A test that failed for lack of time doesn't belong on the list.
        let failed = ran.values().filter(|test| test.result.is_some()).map(|test| test.id.clone()).collect();
        ran.extend(by_id(run(&base, &failed, false)?));
        let list = rewritten(&ran, &expected);
        let text = serde_json::to_string_pretty(&list)? + "\n";
        std::fs::write(expectations_file(), text)?;
        println!("{}; {} listed", counts(&ran), list.len());
        return Ok(());
    }
    let mut surprising = surprises(&ran, &expected);
    for _ in 1..RUNS {
        if surprising.is_empty() {
            break;
        }
        ran.extend(by_id(run(&base, &surprising, false)?));
        surprising = surprises(&ran, &expected);
    }
    println!("{}", counts(&ran));
    let gone: Vec<&String> = expected.keys().filter(|id| !ran.contains_key(*id)).collect();
    let told: Vec<String> = surprising
        .iter()
        .filter_map(|id| ran.get(id))
        .map(|test| match &test.result {
            Some(why) => format!("{} ({:?}) fails and is not listed: {why}", test.id, test.kind),
            None => format!("{} passes: take it off the list", test.id),
        })
        .chain(gone.into_iter().map(|id| format!("{id} is listed and there is no such test")))
        .collect();
    assert!(
        told.is_empty(),
        "{} (tests/cache-suite/README.md says what to do)\n{}",
        counts(&ran),
        told.join("\n")
    );
    Ok(())
}

#[test]
fn the_list_is_compared_both_ways() {
    let test = |id: &str, result: Option<&str>| Ran {
        id: id.into(),
        kind: Kind::Required,
        suite: "x".into(),
        result: result.map(str::to_owned),
    };
    let ran = by_id(vec![
        test("passes", None),
        test("fails", Some("no")),
        test("listed-passes", None),
        test("listed-fails", Some("no")),
    ]);
    let entry = || Expected { kind: Kind::Required, reason: "why".into() };
    let expected: Expectations =
        [("listed-passes".to_owned(), entry()), ("listed-fails".to_owned(), entry())].into();
    let found: Vec<String> = surprises(&ran, &expected).into_iter().collect();
    assert_eq!(found, ["fails", "listed-passes"]);
    let list = rewritten(&ran, &expected);
    let told: Vec<(&str, &str)> =
        list.iter().map(|(id, entry)| (id.as_str(), entry.reason.as_str())).collect();
    assert_eq!(told, [("fails", ""), ("listed-fails", "why")]);
    assert!(counts(&ran).starts_with("required 2 of 4 passed"), "{}", counts(&ran));
}

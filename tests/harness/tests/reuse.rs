//! Instances that answer more than one request: for one tenant, one release, one revision, never beyond.

use anyhow::{Context, Result, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rowhouse_tests::{TestServer, guest};
use serde_json::json;
use std::collections::HashMap;
use std::thread;

/// Requests of each visitor.
const REQUESTS: usize = 400;

fn push(server: &TestServer, name: &str, version: &str, options: &str) -> Result<()> {
    let path = format!("/-/api/v1/releases?name={name}&version={version}{options}");
    server.operator()?.post_bytes(&path, "application/wasm", &guest(name)?.bytes)?.expect(201)?;
    Ok(())
}

/// What the answering instance remembers, oldest first; the last is this request's own word.
fn remember(server: &TestServer, tenant: &str, word: &str) -> Result<Vec<String>> {
    let answer = server.get(tenant, &format!("/remember?{word}"))?.expect(200)?;
    let words: Vec<String> = answer.text().lines().map(str::to_owned).collect();
    ensure!(words.last().is_some_and(|last| last == word), "{tenant}: {words:?} does not end with {word}");
    Ok(words)
}

#[test]
fn a_release_without_a_policy_is_always_fresh() -> Result<()> {
    let server = TestServer::start()?;
    server.site_of("club", "hostile")?;
    for word in ["one", "two", "three"] {
        ensure!(remember(&server, "club", word)?.len() == 1, "an instance answered twice");
    }
    Ok(())
}

#[test]
fn an_instance_answers_as_often_as_its_policy_says() -> Result<()> {
    let server = TestServer::start()?;
    for name in ["hostile", "hostile-http02"] {
        push(&server, name, "1.0.0", "&reuse=3&reuse-idle-ms=60000")?;
        server.tenant(&format!("of-{name}"), Some(&format!("{name}@1.0.0")))?;
        let mut lengths = Vec::new();
        for number in 0..7 {
            lengths.push(remember(&server, &format!("of-{name}"), &format!("word-{number}"))?.len());
        }
        ensure!(lengths == [1, 2, 3, 1, 2, 3, 1], "{name}: {lengths:?}");
    }
    Ok(())
}

#[test]
fn an_instance_is_not_kept_after_a_trap_or_a_change_of_its_tenant() -> Result<()> {
    let server = TestServer::start()?;
    push(&server, "hostile", "1.0.0", "&reuse=100&reuse-idle-ms=60000")?;
    server.tenant("club", Some("hostile@1.0.0"))?;
    ensure!(remember(&server, "club", "a")?.len() == 1);
    ensure!(remember(&server, "club", "b")?.len() == 2);
    server.get("club", "/trap")?.expect(500)?;
    ensure!(remember(&server, "club", "c")?.len() == 1, "the trapped instance was kept");
    server
        .operator()?
        .send("PATCH", "/-/api/v1/tenants/club", Some(("application/json", br#"{"title":"New"}"#)))?
        .expect(200)?;
    ensure!(remember(&server, "club", "d")?.len() == 1, "an instance outlived its tenant's revision");
    Ok(())
}

#[test]
fn a_policy_that_makes_no_sense_is_refused() -> Result<()> {
    let server = TestServer::start()?;
    let bytes = guest("hello")?.bytes;
    for options in ["&reuse=0", "&reuse=5&reuse-idle-ms=0", "&reuse-idle-ms=500"] {
        let path = format!("/-/api/v1/releases?name=hello&version=1.0.0{options}");
        let answer = server.operator()?.post_bytes(&path, "application/wasm", &bytes)?;
        ensure!(answer.status == 422, "{options}: {} {}", answer.status, answer.text());
    }
    Ok(())
}

/// Visitors of several tenants at once, on both lanes, while tenants change and releases are swapped:
/// nobody ever sees a word of another tenant, of another release or of another revision.
#[test]
fn nothing_crosses_from_tenant_to_tenant_under_random_reuse() -> Result<()> {
    let server = TestServer::start()?;
    let names = ["ash", "birch", "cedar", "elm", "fir", "hazel"];
    for version in ["1.0.0", "2.0.0"] {
        push(&server, "hostile", version, "&reuse=50&reuse-idle-ms=200")?;
        push(&server, "hostile-http02", version, "&reuse=50&reuse-idle-ms=200")?;
    }
    for (number, name) in names.iter().enumerate() {
        let module = if number % 2 == 0 { "hostile" } else { "hostile-http02" };
        server.tenant(name, Some(&format!("{module}@1.0.0")))?;
    }
    let again = thread::scope(|scope| -> Result<usize> {
        let visitors: Vec<_> = (0..4_u64)
            .map(|visitor| {
                let server = &server;
                scope.spawn(move || visit(server, &names, visitor))
            })
            .collect();
        for version in ["2.0.0", "1.0.0", "2.0.0"] {
            for module in ["hostile", "hostile-http02"] {
                let of_it: Vec<&str> = names
                    .iter()
                    .enumerate()
                    .filter(|(number, _)| (number % 2 == 0) == (module == "hostile"))
                    .map(|(_, name)| *name)
                    .collect();
                let body = json!({ "release": format!("{module}@{version}"), "tenants": of_it });
                server.activate(&body)?;
            }
        }
        let mut again = 0;
        for visitor in visitors {
            again += visitor.join().map_err(|_panic| anyhow::anyhow!("a visitor panicked"))??;
        }
        Ok(again)
    })?;
    ensure!(again > 100, "instances were hardly ever used again ({again}): the test shows nothing");
    Ok(())
}

/// Asks tenants at random; each word begins with its tenant's name. Counts answers of used instances.
fn visit(server: &TestServer, names: &[&str], visitor: u64) -> Result<usize> {
    let mut random = rand::rngs::StdRng::seed_from_u64(visitor);
    let mut again = 0;
    let mut asked: HashMap<&str, usize> = HashMap::new();
    for _ in 0..REQUESTS {
        let name = *names.get(random.random_range(0..names.len())).context("a name")?;
        let count = asked.entry(name).or_default();
        *count += 1;
        let words = remember(server, name, &format!("{name}-{visitor}-{count}"))?;
        let own = format!("{name}-");
        ensure!(words.iter().all(|word| word.starts_with(&own)), "{name} was shown {words:?}");
        again += usize::from(words.len() > 1);
    }
    Ok(again)
}

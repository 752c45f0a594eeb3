//! The control database is cut off while its server goes on: sites are served by every server as before, those too that
//! it has not opened yet, and what needs the control database says that it has to wait, with 503 and never with 500.

use super::relay::{Lag, Relay};
use super::{Databases, names, prepare, until};
use anyhow::{Context, Result, ensure};
use rowhouse_tests::{Answer, TestServer, guest};
use serde_json::json;
use std::path::Path;

/// Nothing is late; what is on its way is lost with the way.
const PROMPT: Lag = Lag { there: 0..1, back: 0..1 };

/// Two servers that reach the control database by this way, and the sites' databases directly.
fn two(root: &Path, databases: &Databases, place: &str, way: &Relay) -> Result<Vec<TestServer>> {
    let mut servers = Vec::new();
    for number in 0..2 {
        let dir = root.join(names(number));
        prepare(&dir, &names(number), databases, &databases.redis)?;
        let file = dir.join("rowhouse.toml");
        let config = std::fs::read_to_string(&file)?;
        // The control database is named first.
        std::fs::write(&file, config.replacen(place, way.address(), 1))?;
        servers.push(TestServer::launch(&dir, &[])?);
    }
    Ok(servers)
}

/// Where the server of a URL listens, as HOST:PORT.
fn place(url: &str) -> Result<&str> {
    let (_scheme, rest) = url.split_once("://").context("read the URL of PostgreSQL")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    Ok(authority.rsplit_once('@').map_or(authority, |(_user, place)| place))
}

/// The answer asks to come back later.
fn asks_to_wait(answer: &Answer) -> Result<()> {
    ensure!(answer.status == 503, "{} {}", answer.status, answer.text());
    ensure!(!answer.header("retry-after").is_empty(), "it does not say when: {}", answer.text());
    Ok(())
}

/// Everything that visitors do is answered as if nothing were amiss.
fn goes_on(servers: &[TestServer], cookie: &str) -> Result<()> {
    for server in servers {
        let visitors = [
            server.visitor(),
            server.visitor().with_field("cache-control", "no-store"),
            server.visitor().with_field("cookie", cookie),
        ];
        for visitor in visitors {
            for path in ["/club/", "/club/kept", "/asleep/"] {
                visitor.get(path)?.expect(200).with_context(|| format!("{path} at {}", server.address))?;
            }
        }
        server.get("nobody", "/")?.expect(404)?;
    }
    Ok(())
}

#[test]
fn sites_go_on_while_the_control_database_is_away() -> Result<()> {
    let databases = Databases::new()?;
    let place = place(&databases.server)?;
    let way = Relay::start(place, PROMPT)?;
    let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
    let mut servers = two(folder.path(), &databases, place, &way)?;
    servers[0].push("page", "1.0.0", &guest("page")?.bytes)?;
    for name in ["club", "asleep"] {
        let body = json!({ "name": name, "title": name, "release": "page@1.0.0" });
        servers[0].operator()?.post_json("/-/api/v1/tenants?wait=50", &body)?.expect(201)?;
    }
    let user = json!({ "name": "boss", "super_user": true, "password": "correct horse" });
    servers[0].operator()?.post_json("/-/api/v1/users", &user)?.expect(201)?;
    let cookie = super::session(&servers[0])?;

    let address = way.address().to_owned();
    drop(way);
    // Nobody has noticed yet.
    let form = [("name", "boss"), ("password", "correct horse")];
    asks_to_wait(&servers[1].visitor().post_form("/-/console/sign-in", &form)?)?;
    goes_on(&servers, &cookie)?;
    for server in &servers {
        let refused = server.operator()?.get("/-/api/v1/servers")?;
        asks_to_wait(&refused)?;
        assert_eq!(refused.header("content-type"), "application/problem+json");
        until("the outage is known", || Ok(server.get("club", "/-/sign-in")?.status == 503))?;
        asks_to_wait(&server.get("club", "/-/sign-in")?)?;
    }
    goes_on(&servers, &cookie)?;
    // Who can't be signed out is told so, and still is signed in afterwards.
    for server in &servers {
        let own = server.visitor().with_field("cookie", &cookie);
        asks_to_wait(&own.post_form("/-/console/sign-out", &[])?)?;
    }

    let _mended = Relay::start_at(&address, place, PROMPT)?;
    for server in &servers {
        let operator = server.operator()?;
        until("the server finds its control database", || {
            Ok(operator.get("/-/api/v1/servers")?.status == 200)
        })?;
    }
    goes_on(&servers, &cookie)?;
    servers[1].visitor().with_field("cookie", &cookie).get("/-/console/")?.expect(200)?;
    for name in ["club", "asleep"] {
        let path = format!("/-/api/v1/tenants/{name}?confirm={name}&now=true");
        servers[0].operator()?.send("DELETE", &path, None)?.expect(200)?;
    }
    for server in &mut servers {
        assert!(server.terminate()?, "{}", server.log());
    }
    Ok(())
}

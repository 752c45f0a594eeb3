//! The control database and sites on a PostgreSQL server that takes nothing but TLS, as a role that may make roles
//! and databases and nothing else.

use anyhow::Result;
use rowhouse_tests::{TestServer, TlsPostgres};
use serde_json::json;

const PASSWORD: &str = "not-for-anybody";

/// A server with the host's role and a database for sites that share one.
fn postgres() -> Result<TlsPostgres> {
    let postgres = TlsPostgres::start()?;
    postgres.ask(&format!("CREATE ROLE house LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'"))?;
    postgres.ask("CREATE DATABASE sites OWNER house")?;
    Ok(postgres)
}

fn url(postgres: &TlsPostgres, host: &str, database: &str, options: &str) -> String {
    postgres.url("house", PASSWORD, host, database, options)
}

fn config(control: &str, own: &str, shared: &str) -> String {
    format!(
        "[control]\nurl = \"{control}\"\n[data]\ndefault-server = \"own\"\n\
         [data-servers.own]\nengine = \"postgresql\"\nurl = \"{own}\"\nconnections = 12\nspares = 1\n\
         [data-servers.shared]\nengine = \"postgresql\"\nisolation = \"prefix\"\nurl = \"{shared}\"\nconnections = 12\n"
    )
}

#[test]
fn everything_lives_behind_tls_and_without_a_superuser() -> Result<()> {
    let postgres = postgres()?;
    let checked = format!("sslmode=verify-full&sslrootcert={}", postgres.authority().display());
    let server = TestServer::start_with(&config(
        &url(&postgres, "localhost", "control", &checked),
        &url(&postgres, "localhost", "postgres", &checked),
        // Encrypted, whoever it is.
        &url(&postgres, "127.0.0.1", "sites", "sslmode=require"),
    ))?;
    for (name, data_server) in [("first", "own"), ("second", "shared")] {
        let body = json!({ "name": name, "title": format!("Site {name}"), "data_server": data_server });
        server.operator()?.post_json("/-/api/v1/tenants", &body)?.expect(201)?;
        let home = server.get(name, "/")?.expect(200)?;
        assert!(home.text().contains(&format!("Site {name}")), "{}", home.text());
    }
    // Each site's pages are read as a role of its own, and every connection is encrypted.
    let others = "FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.usename <> 'postgres'";
    assert_eq!(postgres.ask(&format!("SELECT count(*) {others} AND NOT s.ssl"))?, "0");
    let roles: u32 = postgres.ask(&format!("SELECT count(DISTINCT a.usename) {others}"))?.parse()?;
    assert!(roles >= 3, "{roles} roles are connected: the host and a guest for each site");
    let powers = "SELECT rolsuper, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = 'house'";
    assert_eq!(postgres.ask(powers)?, "f|f|f");
    // A site moves and goes.
    let operator = server.operator()?;
    operator.post_json("/-/api/v1/tenants/first/move", &json!({ "data_server": "shared" }))?.expect(200)?;
    server.get("first", "/")?.expect(200)?;
    for name in ["first", "second"] {
        let path = format!("/-/api/v1/tenants/{name}?now=true&confirm={name}");
        operator.send("DELETE", &path, None)?.expect(200)?;
    }
    // The groups belong to the shared database, which stays.
    let left = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^rh' AND rolname !~ '_(guests|owners)$'";
    assert_eq!(postgres.ask(left)?, "0", "roles of sites that are gone");
    assert!(!server.log().contains(PASSWORD));
    Ok(())
}

#[test]
fn whoever_cannot_prove_who_it_is_gets_no_password() -> Result<()> {
    let (postgres, stranger) = (postgres()?, TlsPostgres::start()?);
    let authority =
        |one: &TlsPostgres| format!("sslmode=verify-full&sslrootcert={}", one.authority().display());
    for (host, options) in [
        // The certificate has another name.
        ("127.0.0.1", authority(&postgres)),
        // Somebody else vouches for it.
        ("localhost", authority(&stranger)),
        // It takes no connection without TLS.
        ("localhost", "sslmode=disable".to_owned()),
    ] {
        let control = url(&postgres, host, "control", &options);
        let started = TestServer::start_with(&config(&control, &control, &control));
        let error = started.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains("ended before it was ready"), "{options}: {error}");
        assert!(!error.contains(PASSWORD), "{error}");
    }
    let made = "SELECT count(*) FROM pg_database WHERE datname = 'control'";
    assert_eq!(postgres.ask(made)?, "0", "nobody came in");
    Ok(())
}

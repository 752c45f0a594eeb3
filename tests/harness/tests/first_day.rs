//! What a newcomer does first: start, make a site, sign in, edit, look again.

use anyhow::{Context, Result};
use rowhouse_tests::{CONSOLE, Client, TestServer, filled};
use serde_json::json;

/// Makes a user with a password of their own who owns the site.
fn owner(server: &TestServer, tenant: &str) -> Result<Client> {
    let operator = server.operator()?;
    let password = "a long enough password";
    operator.post_json("/-/api/v1/users", &json!({ "name": "olga", "password": password }))?.expect(201)?;
    let path = format!("/-/api/v1/tenants/{tenant}/members/olga");
    operator.send("PUT", &path, Some(("application/json", br#"{"roles":["owner"]}"#)))?.expect(200)?;
    server.visitor().signed_in(&format!("/{tenant}"), "olga", password)
}

#[test]
fn an_owner_edits_a_page_and_the_next_visitor_sees_it() -> Result<()> {
    let server = TestServer::start()?;
    server.tenant("first", None)?;
    let home = server.get("first", "/")?.expect(200)?;
    assert!(home.text().contains("Site first"), "{}", home.text());

    let owner = owner(&server, "first")?;
    let list = owner.get("/first/manage/pages")?.expect(200)?.text();
    let edit = list
        .split('"')
        .find(|text| text.starts_with("/first/manage/pages/") && text.ends_with(|c: char| c.is_ascii_digit()))
        .context("find the link to a page's editor")?
        .to_owned();
    let form = owner.get(&edit)?.expect(200)?.text();
    let fields = filled(&form);
    let mut changed: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != "body")
        .collect();
    changed.push(("body", "Seen at the **next** request."));
    owner.post_form(&edit, &changed)?.expect(303)?;

    let slug =
        fields.iter().find(|(name, _)| name == "slug").map(|(_, slug)| slug.clone()).unwrap_or_default();
    let page = server.get("first", &format!("/{slug}"))?.expect(200)?.text();
    assert!(page.contains("Seen at the <strong>next</strong> request."), "{page}");
    Ok(())
}

#[test]
fn every_address_leads_to_its_site() -> Result<()> {
    let server = TestServer::start()?;
    let operator = server.operator()?;
    let body = json!({ "name": "alpha", "title": "Alpha", "addresses": ["alpha.example", "*.wide.example"] });
    operator.post_json("/-/api/v1/tenants", &body)?.expect(201)?;
    let port = server.port();
    for host in ["alpha.example", "ALPHA.example.", "alpha.localhost", "x.wide.example"] {
        let visitor = server.visitor().with_field("host", &format!("{host}:{port}"));
        assert!(visitor.get("/")?.expect(200)?.text().contains("Alpha"), "{host}");
    }
    let stranger = server.visitor().with_field("host", "stranger.example");
    stranger.get("/")?.expect(404)?;
    // One way to write a prefix, so that cookies and links hold.
    let moved = server.visitor().get("/ALPHA/news?page=2")?.expect(308)?;
    assert_eq!(moved.header("location"), "/alpha/news?page=2");
    assert_eq!(server.visitor().get("/alpha")?.expect(308)?.header("location"), "/alpha/");
    Ok(())
}

#[test]
fn a_suspended_site_answers_503_and_comes_back() -> Result<()> {
    let server = TestServer::start()?;
    server.tenant("paused", None)?;
    let operator = server.operator()?;
    operator.send("POST", "/-/api/v1/tenants/paused/suspend", None)?.expect(200)?;
    let page = server.get("paused", "/")?.expect(503)?;
    assert!(!page.header("retry-after").is_empty());
    assert!(!page.text().contains("Site paused"), "nothing of the site is shown");
    operator.send("POST", "/-/api/v1/tenants/paused/resume", None)?.expect(200)?;
    server.get("paused", "/")?.expect(200)?;
    Ok(())
}

#[test]
fn a_deleted_site_leaves_a_receipt_and_a_new_one_of_its_name_nothing_old() -> Result<()> {
    let server = TestServer::start()?;
    server.tenant("again", None)?;
    let operator = server.operator()?;
    let refused = operator.send("DELETE", "/-/api/v1/tenants/again?confirm=other&now=true", None)?;
    assert!((400..500).contains(&refused.status), "the name has to be typed: {}", refused.status);
    let receipt = operator
        .send("DELETE", "/-/api/v1/tenants/again?confirm=again&now=true", None)?
        .expect(200)?
        .json()?;
    assert!(receipt["removed"]["database_bytes"].as_u64().unwrap_or(0) > 0, "{receipt}");
    for (what, found) in receipt["found_after"].as_object().context("read what was found after")? {
        assert_eq!(found.as_u64(), Some(0), "{what} is still there");
    }
    server.get("again", "/")?.expect(404)?;
    let first = receipt["tenant"].as_str().unwrap_or_default().to_owned();
    let second = server.tenant("again", None)?;
    assert_ne!(second["id"].as_str(), Some(first.as_str()));
    server.get("again", "/")?.expect(200)?;
    Ok(())
}

#[test]
fn a_first_start_shows_a_password_that_must_be_changed() -> Result<()> {
    let server = TestServer::start()?;
    let password = server.first_password.clone().context("the first start shows a password")?;
    let admin = server.visitor().signed_in(CONSOLE, "admin", &password)?;
    let console = admin.get("/-/console")?;
    assert_eq!(console.status, 303, "the console waits for a new password");
    let form = [
        ("current_password", password.as_str()),
        ("new_password", "several words in a row"),
        ("new_password_again", "several words in a row"),
    ];
    let changed = admin.post_form("/-/console/password", &form)?.expect(303)?;
    assert_eq!(changed.header("location"), "/-/console/?done=password-changed");
    let console = admin.get(changed.header("location"))?.expect(200)?;
    assert!(console.text().contains("Your password is changed"), "{}", console.text());
    let admin = server.visitor().signed_in(CONSOLE, "admin", "several words in a row")?;
    let console = admin.get("/-/console/tenants")?.expect(200)?;
    assert!(console.text().contains("Tenants"));
    Ok(())
}

#[test]
fn a_server_stops_when_asked_and_a_second_one_keeps_off_its_folder() -> Result<()> {
    let mut server = TestServer::start()?;
    let second = TestServer::launch(server.dir(), &[]);
    let error = second.err().context("a second server on the folder must not start")?;
    assert!(format!("{error:#}").contains("in use by another server"), "{error:#}");
    assert!(server.terminate()?, "SIGTERM ends it well");
    Ok(())
}

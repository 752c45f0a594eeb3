//! A server of a single site: its first start, and its way to a server of many and back with nothing lost.

use anyhow::{Context, Result};
use rowhouse_tests::{CONSOLE, Client, TestServer, filled};
use std::path::Path;

const SINGLE: &str = "[server]\nmode = \"single\"\n[single]\ntitle = \"Harbour Club\"\n";
const OWN: &str = "a few words in a row";

/// Replaces a one-time password and signs in again.
fn settled(server: &TestServer, place: &str, name: &str, once: &str) -> Result<Client> {
    let folder = if place == CONSOLE { CONSOLE.to_owned() } else { format!("{place}/-") };
    let form = [("current_password", once), ("new_password", OWN), ("new_password_again", OWN)];
    let first = server.visitor().signed_in(place, name, once)?;
    first.post_form(&format!("{folder}/password"), &form)?.expect(303)?;
    server.visitor().signed_in(place, name, OWN)
}

/// Writes into the site's first page; gives the page's path.
fn edit(owner: &Client, base: &str, text: &str) -> Result<String> {
    let list = owner.get(&format!("{base}/manage/pages"))?.expect(200)?.text();
    let is_editor = |link: &&str| {
        link.starts_with(&format!("{base}/manage/pages/")) && link.ends_with(|c: char| c.is_ascii_digit())
    };
    let editor = list.split('"').find(is_editor).context("find the link to a page's editor")?;
    let fields = filled(&owner.get(editor)?.expect(200)?.text());
    let mut changed: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    changed.retain(|(name, _)| *name != "body");
    changed.push(("body", text));
    owner.post_form(editor, &changed)?.expect(303)?;
    let slug = fields.iter().find(|(name, _)| name == "slug").map(|(_, slug)| slug.as_str());
    Ok(format!("/{}", slug.unwrap_or_default()))
}

fn again(dir: &Path, config: &str) -> Result<TestServer> {
    std::fs::write(dir.join("rowhouse.toml"), config)?;
    TestServer::launch(dir, &[])
}

#[test]
fn one_site_at_the_base_address_becomes_one_of_many_and_comes_back() -> Result<()> {
    let mut server = TestServer::start_with(SINGLE)?;
    let dir = server.dir().to_owned();
    assert!(server.visitor().get("/")?.expect(200)?.text().contains("Harbour Club"));
    let once = server.owner_password.clone().context("the first start shows the owner's password")?;
    let owner = settled(&server, "", "owner", &once)?;
    let path = edit(&owner, "", "Written while it was **alone**.")?;
    let written = |client: &Client, path: &str| -> Result<()> {
        let page = client.get(path)?.expect(200)?.text();
        assert!(page.contains("Written while it was <strong>alone</strong>."), "{path}: {page}");
        Ok(())
    };
    written(&server.visitor(), &path)?;
    // The site's name is no path of its own, and a strange host is nobody's.
    server.visitor().get("/main")?.expect(404)?;
    server.visitor().with_field("host", "stranger.example").get("/")?.expect(404)?;
    assert!(server.terminate()?);

    let mut many = again(&dir, "")?;
    assert!(many.owner_password.is_none() && many.first_password.is_none(), "nobody is made anew");
    assert_eq!(many.visitor().get("/")?.expect(303)?.header("location"), "/-/console");
    written(&many.visitor(), &format!("/main{path}"))?;
    let host = format!("main.localhost:{}", many.port());
    written(&many.visitor().with_field("host", &host), &path)?;
    // The owner is still signed in, at the site's new address.
    owner_of(&owner, &many).with_field("host", &host).get("/manage/pages")?.expect(200)?;
    many.tenant("second", None)?;
    assert!(many.terminate()?);

    // Which of the two it is, is remembered.
    let mut back = again(&dir, SINGLE)?;
    written(&back.visitor(), &path)?;
    assert!(back.owner_password.is_none());
    owner_of(&owner, &back).get("/manage/pages")?.expect(200)?;
    back.visitor().get("/second")?.expect(404)?;
    let second = back.visitor().with_field("host", &format!("second.localhost:{}", back.port()));
    assert!(second.get("/")?.expect(200)?.text().contains("Site second"));
    assert!(back.terminate()?);
    Ok(())
}

/// The same session at a server that was started anew, on another port.
fn owner_of(owner: &Client, server: &TestServer) -> Client {
    server.visitor().with_fields_of(owner)
}

#[test]
fn the_console_beside_the_site_has_sessions_of_its_own() -> Result<()> {
    let server = TestServer::start_with(SINGLE)?;
    let once = server.first_password.clone().context("the first start shows a password")?;
    let asked = server.visitor().get("/-/console/tenants")?.expect(303)?;
    assert_eq!(asked.header("location"), "/-/console/sign-in?return-to=%2F%2D%2Fconsole%2Ftenants");
    assert!(server.visitor().get("/-/console/sign-in")?.expect(200)?.text().contains("Rowhouse console"));
    assert!(server.visitor().get("/-/sign-in")?.expect(200)?.text().contains("Harbour Club"));
    server.operator()?.get("/-/api/v1/status")?.expect(200)?;

    // Each refuses whom the other knows: a Super User is no member, a member no Super User.
    let owner_once = server.owner_password.clone().context("the owner's password")?;
    let form = |name, password| [("name", name), ("password", password)];
    server.visitor().post_form("/-/sign-in", &form("admin", &once))?.expect(422)?;
    server.visitor().post_form("/-/console/sign-in", &form("owner", &owner_once))?.expect(422)?;
    settled(&server, CONSOLE, "admin", &once)?;
    settled(&server, "", "owner", &owner_once)?;

    let cookie = |path: &str, name| -> Result<String> {
        let answer = server.visitor().post_form(path, &form(name, OWN))?.expect(303)?;
        Ok(answer.header("set-cookie").to_owned())
    };
    let console = cookie("/-/console/sign-in", "admin")?;
    let site = cookie("/-/sign-in", "owner")?;
    assert!(console.contains("; Path=/-;"), "{console}");
    assert!(site.contains("; Path=/;"), "{site}");
    // A browser sends both below /-/, in either order: the scope of the session decides.
    let value = |cookie: &str| cookie.split(';').next().unwrap_or_default().to_owned();
    for both in [[value(&console), value(&site)].join("; "), [value(&site), value(&console)].join("; ")] {
        let visitor = server.visitor().with_field("cookie", &both);
        visitor.get("/-/console/tenants")?.expect(200)?;
        visitor.get("/-/api/v1/status")?.expect(200)?;
        visitor.get("/manage/pages")?.expect(200)?;
    }
    // Signing out of the one leaves the other.
    let both = server.visitor().with_field("cookie", &[value(&console), value(&site)].join("; "));
    let out = both.post_form("/-/console/sign-out", &[])?.expect(303)?;
    assert_eq!(out.header("location"), "/-/console/");
    assert!(out.header("set-cookie").contains("; Path=/-; Max-Age=0"));
    both.get("/-/console/tenants")?.expect(303)?;
    both.get("/manage/pages")?.expect(200)?;
    Ok(())
}

#[test]
fn where_there_are_several_one_has_to_be_named() -> Result<()> {
    let mut many = TestServer::start()?;
    many.tenant("alpha", None)?;
    many.tenant("beta", None)?;
    let moved = many.visitor().get("/-/sign-in?return-to=%2Fx")?.expect(308)?;
    assert_eq!(moved.header("location"), "/-/console/sign-in?return-to=%2Fx");
    let dir = many.dir().to_owned();
    assert!(many.terminate()?);
    let refused =
        again(&dir, "[server]\nmode = \"single\"\n").err().context("it can't know which is meant")?;
    let text = format!("{refused:#}");
    assert!(text.contains("alpha, beta") && text.contains("--single=NAME"), "{text}");
    let server = again(&dir, "[server]\nmode = \"single\"\n[single]\nsite = \"beta\"\n")?;
    assert!(server.visitor().get("/")?.expect(200)?.text().contains("Site beta"));
    Ok(())
}

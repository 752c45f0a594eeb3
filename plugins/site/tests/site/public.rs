//! The shipped site, run natively: what visitors see, and what must never happen.

use crate::markup::{attributes, check_markup};
use rowhouse_sdk::{prelude::*, tenant::Tenant, testing::TestSite};
use rowhouse_site::GroupSite;

const STARTERS: [&str; 4] = ["club", "school", "branch", ""];
const FIXED: [&str; 8] =
    ["/", "/news", "/events", "/events/past", "/contact", "/contact/thanks", "/nothing-here", "/news/none"];

fn site(starter: &str) -> TestSite {
    let tenant = Tenant { title: "Rope & <Knot>".to_owned(), ..Tenant::default() };
    TestSite::builder().tenant(tenant).setting("starter", starter).start::<GroupSite>()
}

fn body(site: &TestSite, path: &str) -> String {
    site.get(path).send().body_text().into_owned()
}

/// Every published page of the site, by its sitemap.
fn published(site: &TestSite) -> Vec<String> {
    let map = body(site, "/sitemap.xml");
    let places =
        map.split("<loc>https://example.test").skip(1).filter_map(|rest| rest.split("</loc>").next());
    places.map(|path| path.strip_prefix("/club").unwrap_or(path).to_owned()).collect()
}

#[test]
fn every_public_page_of_every_starter_is_whole() {
    for starter in STARTERS {
        let site = site(starter);
        let mut paths = published(&site);
        assert!(paths.len() >= if starter.is_empty() { 5 } else { 16 }, "{starter}: {paths:?}");
        paths.extend(FIXED.map(str::to_owned));
        for path in paths {
            let response = site.get(&path).send();
            let expected = if path.contains("none") || path.contains("nothing") { 404 } else { 200 };
            assert_eq!(response.status_code(), expected, "{starter} {path}");
            assert!(!site.asked_for_visitor(), "{path} is the same for everyone");
            assert!(site.statements() <= 4, "{path}: {} statements", site.statements());
            let policy = response.header_value("content-security-policy").unwrap_or_default();
            assert!(policy.contains("default-src 'none'"), "{path}");
            let page = response.body_text();
            check_markup(&page, &path);
            assert!(page.contains("<h1"), "{path} has a heading");
            assert!(!page.contains("<script") && !page.contains("<Knot>"), "{path}");
        }
    }
}

#[test]
fn every_link_respects_the_base_path() {
    for starter in STARTERS {
        let site = TestSite::builder().setting("starter", starter).base_path("/club").start::<GroupSite>();
        let mut paths = published(&site);
        paths.extend(FIXED.map(str::to_owned));
        for path in paths.iter().map(String::as_str).chain([
            "/manage",
            "/manage/pages",
            "/manage/pages/1",
            "/manage/pages/new",
            "/manage/menu",
            "/manage/look",
            "/manage/inbox",
            "/manage/pages/2/delete",
        ]) {
            let response = site.get(path).signed_in(&["owner"]).send();
            let page = response.body_text();
            for link in attributes(&page, &["href", "action", "src"]) {
                let own = link.starts_with("/club/") || link.starts_with("https://example.test/club/");
                let other = ["#", "data:", "mailto:", "https://"].iter().any(|start| link.starts_with(start));
                assert!(own || (other && !link.starts_with("https://example.test")), "{path}: {link}");
            }
        }
        let moved = site.get("/home").send();
        assert_eq!((moved.status_code(), moved.header_value("location")), (308, Some("/club/")));
        assert!(body(&site, "/feed.xml").contains("<link>https://example.test/club/</link>"));
        assert!(
            body(&site, "/robots.txt")
                .contains("Disallow: /club/manage\nSitemap: https://example.test/club/sitemap.xml")
        );
    }
}

#[test]
fn links_within_the_starters_lead_somewhere() {
    for starter in STARTERS {
        let site = site(starter);
        for path in published(&site) {
            let page = body(&site, &path);
            for link in attributes(&page, &["href"]).into_iter().filter(|link| link.starts_with('/')) {
                let status = site.get(&link.replace("&#38;", "&")).send().status_code();
                assert!(matches!(status, 200 | 303), "{starter} {path} leads to {link}: {status}");
            }
        }
    }
}

#[test]
fn an_upgrade_changes_nothing_that_is_there() {
    let site = site("club");
    let before: Vec<(i64, String)> =
        site.run(|| sql::query_as("SELECT id, title FROM pages", params![]).unwrap());
    site.run(|| GroupSite::upgrade(Some("site@0.0.0"), "site@9.0.0").unwrap());
    site.run(|| GroupSite::upgrade(None, "site@9.0.0").unwrap());
    let after: Vec<(i64, String)> =
        site.run(|| sql::query_as("SELECT id, title FROM pages", params![]).unwrap());
    assert_eq!(before, after);
}

#[test]
fn the_starters_differ_and_look_ahead() {
    let homes: Vec<String> = STARTERS.iter().map(|starter| body(&site(starter), "/")).collect();
    for (place, home) in homes.iter().enumerate() {
        assert!(homes.iter().skip(place + 1).all(|other| other != home));
    }
    for starter in ["club", "school", "branch"] {
        let site = site(starter);
        assert_eq!(body(&site, "/").matches("class=\"date-row\"").count(), 4, "{starter}");
        assert!(body(&site, "/events").matches("class=\"date-row\"").count() >= 5, "{starter}");
        assert_eq!(body(&site, "/events/past").matches("class=\"date-row\"").count(), 1, "{starter}");
        assert_eq!(body(&site, "/").matches("<li class=\"card\">").count(), 3, "{starter}");
    }
}

#[test]
fn feeds_are_well_formed_whatever_a_title_says() {
    let site = site("school");
    let title = "A & B <c> \"d\" ]]> '; e,f";
    let fields =
        [("title", title), ("slug", "odd"), ("published", "1"), ("date", "2020-02-29"), ("summary", title)];
    assert_eq!(site.post("/manage/news/new", &fields).signed_in(&["editor"]).send().status_code(), 303);
    let event = [
        ("title", title),
        ("slug", "odd"),
        ("published", "1"),
        ("date", "2999-01-01T10:00"),
        ("place", "x\r\ny"),
    ];
    assert_eq!(site.post("/manage/events/new", &event).signed_in(&["editor"]).send().status_code(), 303);
    for path in ["/feed.xml", "/sitemap.xml"] {
        let feed = body(&site, path);
        assert!(feed.starts_with("<?xml"), "{path}");
        check_markup(feed.split_once("?>").unwrap().1, path);
        assert!(!feed.contains("<c>"), "{path}");
    }
    assert!(body(&site, "/feed.xml").contains("<pubDate>Sat, 29 Feb 2020 12:00:00 GMT</pubDate>"));
    let calendar = body(&site, "/events.ics");
    assert!(calendar.lines().all(|line| line.len() <= 75));
    assert_eq!(calendar.matches("BEGIN:VEVENT").count(), calendar.matches("END:VEVENT").count());
    assert!(calendar.contains("SUMMARY:A & B <c> \"d\" ]]> '\\; e\\,f\r\n"), "{calendar}");
    assert!(calendar.contains("LOCATION:x\\ny\r\n"));
    let one = site.get("/events/odd/calendar.ics").send();
    assert_eq!(one.header_value("content-type"), Some("text/calendar; charset=utf-8"));
    assert!(one.body_text().contains("DTSTART:29990101T100000\r\n"));
}

#[test]
fn an_unchanged_page_is_not_sent_again() {
    let site = site("club");
    let first = site.get("/").send();
    let tag = first.header_value("etag").unwrap().to_owned();
    assert_eq!(first.header_value("cache-control"), Some("no-cache"));
    assert_eq!(site.get("/").header("if-none-match", &tag).send().status_code(), 304);
    site.post("/manage/pages/1", &[("title", "New words"), ("body", "Hello")]).signed_in(&["editor"]).send();
    let changed = site.get("/").header("if-none-match", &tag).send();
    assert_eq!(changed.status_code(), 200);
    assert!(changed.body_text().contains("New words"));
    let sheet = attributes(&changed.body_text(), &["href"])
        .into_iter()
        .find(|link| link.contains("site.css"))
        .unwrap();
    let sheet = site.get(&sheet).send();
    assert_eq!(sheet.header_value("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[test]
fn a_message_arrives_and_spam_does_not() {
    let site = site("branch");
    let count = |site: &TestSite| -> i64 {
        site.run(|| sql::query_scalar("SELECT count(*) FROM messages", params![]).unwrap().unwrap())
    };
    let send = |fields: &[(&str, &str)]| site.post("/contact", fields).send();
    let good = [
        ("name", "A <b>"),
        ("email", "a@example.org"),
        ("message", "Hello <script>\nBye"),
        ("shown", "1000"),
    ];
    let answer = send(&good);
    assert_eq!((answer.status_code(), answer.header_value("location")), (303, Some("/contact/thanks")));
    assert_eq!(count(&site), 1);
    let trap = [good.as_slice(), &[("website", "https://spam.example")]].concat();
    assert_eq!(send(&trap).status_code(), 303, "a robot learns nothing");
    let now = Timestamp::now().seconds().to_string();
    let quick = [&good[..3], &[("shown", now.as_str())]].concat();
    assert_eq!(send(&quick).status_code(), 422);
    assert_eq!(send(&good[..3]).status_code(), 422, "a form without its moment");
    let links = "https://a.example ".repeat(5);
    assert_eq!(send(&[good[0], good[1], ("message", &links), good[3]]).status_code(), 422);
    assert_eq!(count(&site), 1, "only the first was kept");

    let wrong = send(&[("name", "Someone"), ("email", "nowhere"), ("message", "Hi"), ("shown", "1000")]);
    let page = wrong.body_text();
    assert_eq!(wrong.status_code(), 422);
    assert!(page.contains("value=\"Someone\"") && page.contains("value=\"nowhere\""), "what was typed stays");
    assert!(page.contains("id=\"email-error\"") && page.matches("class=\"error\"").count() == 1);
    check_markup(&page, "/contact");

    site.run(|| {
        let fill = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                    INSERT INTO messages (name, email, body, received_at, is_read) SELECT 'x', 'y', 'z', 0, 1 FROM n";
        sql::execute(fill, params![]).unwrap();
    });
    let full = send(&good);
    assert!(full.status_code() == 422 && full.body_text().contains("inbox is full"));
    site.run(|| sql::execute("DELETE FROM messages WHERE id > 1", params![]).unwrap());

    let inbox = site.get("/manage/inbox").signed_in(&["editor"]).send().body_text().into_owned();
    assert!(
        inbox.contains("A &#60;b&#62;") && inbox.contains("&#60;script&#62;") && !inbox.contains("<script")
    );
    site.post("/manage/inbox/1", &[("action", "read")]).signed_in(&["editor"]).send();
    assert!(site.get("/manage/inbox").signed_in(&["editor"]).send().body_text().contains("Mark as unread"));
    site.post("/manage/inbox/1", &[("action", "delete")]).signed_in(&["editor"]).send();
    assert_eq!(count(&site), 0);
}

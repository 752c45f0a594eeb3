//! The dashboard, run natively: who may enter, and that what is typed is what is stored and shown.

use crate::markup::check_markup;
use rowhouse_sdk::{Response, prelude::*, testing::TestSite};
use rowhouse_site::GroupSite;

const PAGES: [&str; 14] = [
    "/manage",
    "/manage/pages",
    "/manage/pages/new",
    "/manage/pages/1",
    "/manage/pages/2",
    "/manage/pages/2/delete",
    "/manage/news",
    "/manage/news/new",
    "/manage/news/1",
    "/manage/events",
    "/manage/events/new",
    "/manage/events/1",
    "/manage/inbox",
    "/manage/menu",
];

type Fields<'a> = &'a [(&'a str, &'a str)];

fn site() -> TestSite {
    TestSite::builder().setting("starter", "club").start::<GroupSite>()
}

fn send(site: &TestSite, path: &str, fields: &[(&str, &str)]) -> Response {
    site.post(path, fields).signed_in(&["owner"]).send()
}

fn body(site: &TestSite, path: &str) -> String {
    site.get(path).signed_in(&["owner"]).send().body_text().into_owned()
}

#[test]
fn nobody_enters_without_a_role() {
    let site = site();
    for path in PAGES.into_iter().chain(["/manage/look", "/manage/nothing", "/%6danage", "/manage/"]) {
        let out = site.get(path).send();
        assert_eq!(out.status_code(), 303, "{path}");
        assert!(out.header_value("location").unwrap().starts_with("/-/sign-in?return-to=%2F"), "{path}");
        assert_eq!(out.body(), b"", "{path}");
        assert_eq!(site.statements(), 0, "{path} reads nothing first");
        let member = site.get(path).signed_in(&["member"]).send();
        assert_eq!(member.status_code(), 403, "{path}");
        for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
            let request = Request::post(path, &[]).with_method(method);
            assert_eq!(site.request(request).send().status_code(), 303, "{method} {path}");
        }
    }
    let editor = site.get("/manage/look").signed_in(&["editor"]).send();
    assert_eq!(editor.status_code(), 403, "the look is the owner's");
    assert_eq!(
        site.post("/manage/look", &[("accent", "#000000")]).signed_in(&["editor"]).send().status_code(),
        403
    );
}

#[test]
fn every_page_of_the_dashboard_is_whole_and_kept_nowhere() {
    let site = site();
    for path in PAGES.into_iter().chain(["/manage/look"]) {
        let response = site.get(path).signed_in(&["owner"]).send();
        assert_eq!(response.status_code(), 200, "{path}");
        assert_eq!(response.header_value("cache-control"), Some("no-store"), "{path}");
        let page = response.body_text();
        check_markup(&page, path);
        assert!(page.contains("action=\"/-/sign-out\""), "{path}");
    }
}

#[test]
fn a_page_is_written_previewed_published_changed_and_deleted() {
    let site = site();
    let typed =
        [("title", "Über <uns>"), ("body", "# Hi\n\n<script>x</script>\n\n**bold**"), ("published", "0")];
    let preview = send(&site, "/manage/pages/new", &[&typed[..], &[("action", "preview")]].concat());
    assert!(preview.body_text().contains("<strong>bold</strong>"));
    assert!(!preview.body_text().contains("<script"));
    assert_eq!(site.get("/ueber-uns").send().status_code(), 404, "a preview stores nothing");

    let saved = send(&site, "/manage/pages/new", &typed);
    assert_eq!(saved.status_code(), 303);
    let location = saved.header_value("location").unwrap().to_owned();
    let path = location.split('?').next().unwrap();
    assert!(body(&site, &location).contains("Added."));
    assert_eq!(site.get("/ueber-uns").send().status_code(), 404, "a draft is not public");
    assert!(!body(&site, "/sitemap.xml").contains("ueber-uns"));

    let published = [
        ("title", "Über <uns>"),
        ("slug", "ueber-uns"),
        ("body", "[x](javascript:alert(1)) & more"),
        ("published", "1"),
    ];
    assert_eq!(send(&site, path, &published).status_code(), 303);
    let page = body(&site, "/ueber-uns");
    assert!(page.contains("<h1>Über &#60;uns&#62;</h1>"), "{page}");
    assert!(!page.contains("javascript:") && page.contains("&amp; more"));

    let other = [("title", "Other"), ("slug", "ueber-uns"), ("body", "kept text"), ("published", "1")];
    let taken = send(&site, "/manage/pages/new", &other);
    assert_eq!(taken.status_code(), 422);
    assert!(taken.body_text().contains("is taken already") && taken.body_text().contains("kept text"));

    assert!(body(&site, &format!("{path}/delete")).contains("can’t be undone"));
    assert_eq!(send(&site, &format!("{path}/delete"), &[]).status_code(), 303);
    assert_eq!(site.get("/ueber-uns").send().status_code(), 404);
    assert_eq!(send(&site, path, &published).status_code(), 404);
}

#[test]
fn what_is_wrong_is_said_at_the_field_and_what_was_typed_stays() {
    let site = site();
    let cases: [(&str, Fields<'_>, &str); 9] = [
        ("pages", &[("title", ""), ("body", "keep me")], "title"),
        ("pages", &[("title", "x"), ("slug", "Has Space"), ("body", "keep me")], "slug"),
        ("pages", &[("title", "x"), ("slug", "manage"), ("body", "keep me")], "slug"),
        ("pages", &[("title", "x"), ("slug", "home"), ("body", "keep me")], "slug"),
        ("pages", &[("title", "日本"), ("body", "keep me")], "slug"),
        ("news", &[("title", "x"), ("date", "2026-02-30"), ("body", "keep me")], "date"),
        ("events", &[("title", "x"), ("date", "tomorrow"), ("body", "keep me")], "date"),
        (
            "events",
            &[
                ("title", "x"),
                ("date", "2026-05-03T19:00"),
                ("ends", "2026-05-03T18:00"),
                ("body", "keep me"),
            ],
            "ends",
        ),
        ("events", &[("title", "past"), ("date", "2026-05-03T19:00"), ("body", "keep me")], "slug"),
    ];
    for (folder, fields, field) in cases {
        let answer = send(&site, &format!("/manage/{folder}/new"), fields);
        let page = answer.body_text();
        assert_eq!(answer.status_code(), 422, "{folder} {fields:?}");
        assert!(page.contains(&format!("id=\"{field}-error\"")), "{folder} {fields:?}: {page}");
        assert!(page.contains("aria-invalid=\"true\"") && page.contains("keep me"), "{folder} {fields:?}");
        check_markup(&page, folder);
    }
    let long = "x".repeat(161);
    assert_eq!(
        send(&site, "/manage/news/new", &[("title", &long), ("date", "2026-05-03")]).status_code(),
        422
    );
}

#[test]
fn news_and_events_reach_the_public_pages() {
    let site = site();
    let news = [
        ("title", "Latest of all"),
        ("date", "2999-01-01"),
        ("body", "One **two** three."),
        ("published", "1"),
    ];
    assert_eq!(send(&site, "/manage/news/new", &news).status_code(), 303);
    let home = body(&site, "/");
    assert!(
        home.contains("Latest of all") && home.contains("One two three."),
        "the summary comes from the text"
    );
    assert!(body(&site, "/news/latest-of-all").contains("<strong>two</strong>"));
    let event = [
        ("title", "Long weekend"),
        ("date", "2998-12-30T10:00"),
        ("ends", "2999-01-02T12:00"),
        ("published", "1"),
    ];
    assert_eq!(send(&site, "/manage/events/new", &event).status_code(), 303);
    let page = body(&site, "/events/long-weekend");
    assert!(page.contains("Sunday, 30 December 2998, 10:00 to Wednesday, 2 January 2999, 12:00"), "{page}");
}

#[test]
fn the_text_of_the_home_page_can_be_changed_and_not_deleted() {
    let site = site();
    let answer = send(
        &site,
        "/manage/pages/1",
        &[("title", "Hello"), ("slug", "elsewhere"), ("body", "There"), ("published", "0")],
    );
    assert_eq!(answer.status_code(), 303);
    assert!(body(&site, "/").contains("<p>There</p>"));
    assert_eq!(site.get("/manage/pages/1/delete").signed_in(&["owner"]).send().status_code(), 404);
    assert_eq!(send(&site, "/manage/pages/1/delete", &[]).status_code(), 404);
}

#[test]
fn the_menu_is_moved_filled_and_checked() {
    let site = site();
    let rows = [
        ("label", "One"),
        ("target", "/"),
        ("label", "Two"),
        ("target", "/news"),
        ("label", ""),
        ("target", ""),
    ];
    let labels = |site: &TestSite| -> Vec<String> {
        let text = "SELECT label FROM menu_items ORDER BY place";
        let rows: Vec<(String,)> = site.run(|| sql::query_as(text, params![]).unwrap());
        rows.into_iter().map(|(label,)| label).collect()
    };
    send(&site, "/manage/menu", &rows);
    assert_eq!(labels(&site), ["One", "Two"]);
    send(&site, "/manage/menu", &[&rows[..], &[("down", "0")]].concat());
    assert_eq!(labels(&site), ["Two", "One"]);
    send(&site, "/manage/menu", &[&rows[..], &[("up", "0")]].concat());
    assert_eq!(labels(&site), ["One", "Two"]);
    send(&site, "/manage/menu", &[&rows[..], &[("remove", "0")]].concat());
    assert_eq!(labels(&site), ["Two"]);
    for target in ["javascript:alert(1)", "//elsewhere.example", "news", "data:text/html,x", ""] {
        let answer = send(&site, "/manage/menu", &[("label", "Bad"), ("target", target)]);
        assert_eq!(answer.status_code(), 422, "{target}");
        check_markup(&answer.body_text(), target);
    }
    assert_eq!(labels(&site), ["Two"]);
}

#[test]
fn the_look_takes_checked_colours_only() {
    let site = site();
    for accent in ["red", "#12345", "#000000}</style><script>", ""] {
        let answer = send(&site, "/manage/look", &[("accent", accent)]);
        assert_eq!(answer.status_code(), 422, "{accent}");
        assert!(!answer.body_text().contains("<script"), "{accent}");
    }
    let fields = [
        ("title", "New & name"),
        ("accent", "#ffee00"),
        ("letters", "}</style>"),
        ("mark", "<x>"),
        ("footer", "A\r\nB"),
    ];
    assert_eq!(send(&site, "/manage/look", &fields).status_code(), 303);
    let home = body(&site, "/");
    assert!(home.contains("--accent:#ffee00;--on-accent:#000000"), "{home}");
    assert!(home.contains("New &#38; name") && home.contains("&#60;x&#62;"));
    assert!(home.contains("A<br>B"), "{home}");
    assert_eq!(home.matches("</style>").count(), 1);
    check_markup(&home, "/");
}

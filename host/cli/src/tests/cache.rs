//! `rowhouse cache`: tables of what is kept, and what a flush sends.

use super::stub::{self, Stub};
use super::{Root, problem, run};
use clap::Parser as _;
use serde_json::{Value, json};

fn counts(tenant: Option<&str>) -> Value {
    let mut counts =
        json!({"hits": 75, "misses": 25, "fills": 20, "evictions": 3, "entries": 17, "bytes": 2048});
    if let Some(tenant) = tenant {
        counts["tenant"] = json!(tenant);
    }
    counts
}

#[test]
fn what_is_kept_is_shown_for_the_server_and_for_one_site() {
    let server = Stub::start(|line| match line.contains("/tenants/") {
        true => stub::json(200, &counts(Some("rowing"))),
        false => stub::json(200, &json!({"totals": counts(None), "items": [counts(Some("rowing"))]})),
    });
    let pairs = "\
hits       75
misses     25
hit ratio  75 %
kept       2.0 KiB in 17 pages
fills      20
evictions  3
";
    let table = "
TENANT  HITS  MISSES  RATIO  PAGES    BYTES  EVICTIONS
rowing    75      25   75 %     17  2.0 KiB          3
";
    assert_eq!(run(&server.url, "cache show rowing").out, pairs);
    assert_eq!(run(&server.url, "cache show").out, format!("{pairs}{table}"));
    assert_eq!(server.lines(), ["GET /-/api/v1/tenants/rowing/cache", "GET /-/api/v1/cache"]);
    let document: Value = serde_json::from_str(&run(&server.url, "cache show --json").out).unwrap();
    assert_eq!(document["items"][0], counts(Some("rowing")));
}

#[test]
fn a_server_that_nobody_asked_yet_has_no_table() {
    let server = Stub::start(|_| stub::json(200, &json!({"totals": {}, "items": []})));
    let ran = run(&server.url, "cache show");
    assert!(
        ran.code == 0 && ran.out.contains("hit ratio  -\n") && !ran.out.contains("TENANT"),
        "{}",
        ran.out
    );
    assert_eq!(ran.notes, "no page of any site was asked for yet\n");
}

#[test]
fn a_flush_is_of_everything_of_a_tag_or_of_a_page() {
    let server = Stub::start(|line| match line {
        _ if line.contains("/nobody/") => stub::json(404, &problem(404, "there is no tenant `nobody`")),
        _ => stub::json(200, &json!({"tenant": "rowing", "flushed": "everything", "addresses": []})),
    });
    assert_eq!(run(&server.url, "cache flush rowing").out, "all pages of rowing are made anew\n");
    assert_eq!(run(&server.url, "cache flush rowing --tag menu").code, 0);
    assert_eq!(run(&server.url, "cache flush rowing --page /news?page=2 --json").code, 0);
    assert_eq!(run(&server.url, "cache flush nobody").code, 4);
    let bodies: Vec<Value> =
        server.asked().iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
    assert_eq!(bodies, [json!({}), json!({"tag": "menu"}), json!({"url": "/news?page=2"}), json!({})]);
    assert_eq!(server.lines()[0], "POST /-/api/v1/tenants/rowing/cache/flush");
    let both = ["rowhouse", "cache", "flush", "rowing", "--tag", "a", "--page", "/"];
    assert!(Root::try_parse_from(both).is_err());
}

#[test]
fn what_was_flushed_is_said() {
    for (flushed, line, said) in [
        ("tag", "--tag menu", "pages of rowing with the tag menu are made anew\n"),
        ("url", "--page /a", "forgotten at http://a.example/a http://b.example/a\n"),
    ] {
        let addresses = ["http://a.example/a", "http://b.example/a"];
        let answer = json!({"tenant": "rowing", "flushed": flushed, "addresses": addresses});
        let server = Stub::start(move |_| stub::json(200, &answer));
        assert_eq!(run(&server.url, &format!("cache flush rowing {line}")).out, said);
    }
}

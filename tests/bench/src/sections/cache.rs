//! A page of 5 KB that is kept: from the server's memory, beside nginx and Varnish, and from Redis, beside a native
//! server that does nothing but ask it.
//!
//! All show the same bytes, and where an answer comes from is read from its `Cache-Status`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use rowhouse_bench_page::MARKER;

use crate::Effort;
use crate::answer::{Expected, agent};
use crate::host::{Host, in_hands};
use crate::load::Manner;
use crate::places::{Places, write};
use crate::rivals::{self, Source};
use crate::rounds::{Contender, run as rounds};
use crate::server::Server;
use crate::table::{Goal, Report};

const OURS: &str = "rowhouse, memory hit";
const NGINX: &str = "nginx, static";
const NGINX_CACHE: &str = "nginx, proxy_cache hit";
const VARNISH: &str = "Varnish, hit";

const OURS_REDIS: &str = "rowhouse, Redis hit";
const NATIVE_REDIS: &str = "axum, one Redis GET";

/// Where the guest's page may be kept; the site is under its name.
const KEPT: &str = "/page/kept";

/// Addresses in Redis. Requests for the same page at the same time share one look-up: with so many, of 32 at a
/// time hardly two are for the same one.
const PAGES: u32 = 1000;

/// As many visitors as the load has.
const VISITORS: u32 = 32;

/// What a server says of an answer from Redis that its memory didn't have.
const FROM_SECOND: &str = "detail=second";

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    in_memory(places, effort, report)?;
    in_redis(places, effort, report)
}

/// From memory, over both protocols.
fn in_memory(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let host = host(places, "cache", "")?;
    // What makes the page for those that keep it in front of it.
    let origin = rivals::native(places, "rusqlite")?;
    let page = agent().get(origin.url()).call()?.body_mut().read_to_string()?;
    let varnish = rivals::varnish(places, origin.port)?;
    let plain = Expected::new(MARKER, page.len()..=page.len());
    let hit = plain.clone().cached("hit");
    for http2 in [false, true] {
        let nginx = rivals::nginx(places, Source::File(&page), http2)?;
        let nginx_cache = rivals::nginx(places, Source::Cache(origin.port), http2)?;
        let contender = |name: &str, server, path: &str, expected: &Expected| Contender {
            name: name.to_owned(),
            server,
            path: path.to_owned(),
            expected: expected.clone(),
            manner: Manner { http2, ..Manner::default() },
        };
        let figures = rounds(
            places,
            effort,
            &[
                contender(OURS, &host.server, KEPT, &hit),
                contender(NGINX, &nginx, "/", &plain),
                contender(NGINX_CACHE, &nginx_cache, "/", &hit),
                contender(VARNISH, &varnish, "/", &hit),
            ],
        )?;
        let protocol = if http2 { "HTTP/2" } else { "HTTP/1.1" };
        report.section(&format!("Cache: a kept page of {} bytes from memory, {protocol}", page.len()));
        let goal = |rival, at_least| Goal { contender: OURS, rival, at_least };
        report.figures(&figures, &[goal(NGINX, 0.8), goal(NGINX_CACHE, 1.0), goal(VARNISH, 1.0)]);
        if http2 {
            report.note(
                "Load by h2load in place of wrk: 8 connections without TLS, 4 requests at a time on each.",
            );
        }
    }
    Ok(())
}

/// From Redis, which every request asks.
fn in_redis(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let redis = rivals::redis(places)?;
    let url = format!("redis://127.0.0.1:{}/", redis.port);
    // No page has room in one byte: each hit comes from Redis.
    let host =
        host(places, "cache-redis", &format!("[cache]\nmemory-bytes = 1\n[redis]\nurl = \"{url}\"\n"))?;
    let native = rivals::native_on_redis(places, &url)?;
    let script = script(places)?;

    let any = Expected::new(MARKER, 4_000..=6_500);
    let length = any.check(&native.url())?;
    let expected = Expected::new(MARKER, length..=length);
    let contender = |name: &str, server, expected| Contender {
        name: name.to_owned(),
        server,
        path: one_of(1),
        expected,
        manner: Manner { script: Some(script.clone()), ..Manner::default() },
    };
    let contenders = [
        contender(OURS_REDIS, &host.server, expected.clone().cached(FROM_SECOND)),
        contender(NATIVE_REDIS, &native, expected.cached("redis; hit")),
    ];
    for contender in &contenders {
        in_hands(VISITORS, PAGES, |number| {
            let url = format!("{}{}", contender.server.url(), one_of(number));
            contender.expected.settle(&url, &contender.manner).map(drop)
        })
        .with_context(|| format!("fill Redis by {}", contender.name))?;
    }
    let figures = rounds(places, effort, &contenders)?;
    report.section(&format!("Cache: {PAGES} kept pages of {length} bytes from Redis"));
    report.figures(&figures, &[Goal { contender: OURS_REDIS, rival: NATIVE_REDIS, at_least: 0.9 }]);
    let found = found_in_redis(&host.server)?;
    report.note(&format!(
        "Redis's own processor time is in neither figure. Of {PAGES} answers that {VISITORS} visitors then got from \
         rowhouse, {found} came from Redis; the others were made by the guest, or came with another visitor's look-up."
    ));
    Ok(())
}

/// A server with the site `page`.
fn host(places: &Places, name: &str, config: &str) -> Result<Host> {
    let host = Host::start_with(places, name, config)?;
    host.push(places, "page", "page", "1.0.0")?;
    host.create("page", Some("page@1.0.0"))?;
    Ok(host)
}

/// The path of a page with this number: the same page under another address.
fn one_of(number: u32) -> String {
    format!("{KEPT}?n={number}")
}

/// How many of [`PAGES`] answers come from Redis while [`VISITORS`] ask. Redis may be too slow for a look-up's
/// deadline while all cores are busy, and then a guest makes the page.
fn found_in_redis(server: &Server) -> Result<u32> {
    let found = AtomicU32::new(0);
    let agent = agent();
    in_hands(VISITORS, PAGES, |number| {
        let answer = agent.get(format!("{}{}", server.url(), one_of(number))).call()?;
        let status = answer.headers().get("cache-status").and_then(|value| value.to_str().ok());
        if status.is_some_and(|status| status.contains(FROM_SECOND)) {
            found.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(found.into_inner())
}

/// A script for wrk that chooses a page for each request. All requests are made beforehand.
fn script(places: &Places) -> Result<PathBuf> {
    let text = format!(
        r#"
local count, requests = {PAGES}, {{}}
init = function(args)
  for i = 1, count do requests[i] = wrk.format("GET", "{KEPT}?n=" .. i) end
end
request = function() return requests[math.random(count)] end
"#
    );
    write(&places.work, "kept-pages.lua", &text)
}

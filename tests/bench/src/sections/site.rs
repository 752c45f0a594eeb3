//! The home page of the shipped site, kept and made for each request, beside a static page of the same bytes.

use anyhow::{Context as _, Result};

use crate::Effort;
use crate::answer::{Expected, agent};
use crate::host::Host;
use crate::load::Manner;
use crate::places::Places;
use crate::rivals::{self, Source};
use crate::rounds::{Contender, run as rounds};
use crate::table::Report;

/// A visitor who wants nothing that is kept: the request goes past the cache to the guest.
const PAST_THE_CACHE: Manner =
    Manner { http2: false, script: None, field: Some(("cache-control", "no-store")) };

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let host = Host::start(places, "site")?;
    host.push(places, "site", "bench-site", "1.0.0")?;
    host.create("home", Some("bench-site@1.0.0"))?;

    let url = format!("{}/home/", host.server.url());
    let page = agent().get(&url).call().context("ask for the home page")?.body_mut().read_to_string()?;
    let expected = Expected::new("Tenant home", page.len()..=page.len());
    let nginx = rivals::nginx(places, Source::File(&page), false)?;
    let contender = |name: &str, server, path: &str, expected, manner| Contender {
        name: name.to_owned(),
        server,
        path: path.to_owned(),
        expected,
        manner,
    };
    let (kept, made) = (expected.clone().cached("; hit"), expected.clone().cached("fwd=request"));
    let figures = rounds(
        places,
        effort,
        &[
            contender("rowhouse, home page, kept", &host.server, "/home/", kept, Manner::default()),
            contender("rowhouse, home page, not kept", &host.server, "/home/", made, PAST_THE_CACHE),
            contender("nginx, the same bytes, static", &nginx, "/", expected, Manner::default()),
        ],
    )?;
    report.section(&format!("Site: the home page of the shipped site, {} bytes", page.len()));
    report.figures(&figures, &[]);
    Ok(())
}

//! The home page of the shipped site, beside a static page of the same bytes.

use anyhow::{Context as _, Result};

use crate::Effort;
use crate::answer::{Expected, agent};
use crate::host::Host;
use crate::places::Places;
use crate::rivals;
use crate::rounds::{Contender, run as rounds};
use crate::table::Report;

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let host = Host::start(places, "site")?;
    host.push(places, "site", "bench-site", "1.0.0")?;
    host.create("home", Some("bench-site@1.0.0"))?;

    let url = format!("{}/home/", host.server.url());
    let page = agent().get(&url).call().context("ask for the home page")?.body_mut().read_to_string()?;
    let expected = Expected::new("Tenant home", page.len()..=page.len());
    let nginx = rivals::nginx(places, &page)?;
    let contender = |name: &str, server, path: &str| Contender {
        name: name.to_owned(),
        server,
        path: path.to_owned(),
        expected: expected.clone(),
        script: None,
    };
    let figures = rounds(
        places,
        effort,
        &[
            contender("rowhouse, home page, uncached", &host.server, "/home/"),
            contender("nginx, the same bytes, static", &nginx, "/"),
        ],
    )?;
    report.section(&format!("Site: the home page of the shipped site, {} bytes", page.len()));
    report.figures(&figures, &[]);
    Ok(())
}

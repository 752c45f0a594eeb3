//! The smallest answers: what a request costs before any work is done.

use anyhow::Result;

use crate::Effort;
use crate::answer::Expected;
use crate::host::Host;
use crate::load::Manner;
use crate::places::Places;
use crate::rivals;
use crate::rounds::{Contender, run as rounds};
use crate::table::{Goal, Report};

/// More requests than a round has: an instance that is never given up.
const FOR_EVER: u32 = 1_000_000_000;

const LANE: &str = "rowhouse, fast lane, fresh";
const HTTP02: &str = "rowhouse, wasi:http 0.2, fresh";
const HTTP03: &str = "rowhouse, wasi:http 0.3, fresh";
const LANE_REUSED: &str = "rowhouse, fast lane, reused";
const HTTP02_REUSED: &str = "rowhouse, wasi:http 0.2, reused";
const SERVE02: &str = "wasmtime serve, 0.2, fresh";
const SERVE02_REUSED: &str = "wasmtime serve, 0.2, reused";
const SERVE03: &str = "wasmtime serve, 0.3, fresh";
const SERVE03_REUSED: &str = "wasmtime serve, 0.3, its default reuse";

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let host = Host::start(places, "dynamic")?;
    for guest in ["hello", "hello-http02", "hello-http03"] {
        host.push(places, guest, guest, "1.0.0")?;
        host.create(guest, Some(&format!("{guest}@1.0.0")))?;
    }
    for guest in ["hello", "hello-http02"] {
        let name = format!("{guest}-reused");
        host.push_reused(places, guest, &name, "1.0.0")?;
        host.create(&name, Some(&format!("{name}@1.0.0")))?;
    }
    let native = rivals::native(places, "hello")?;
    let serve02 = rivals::wasmtime(places, "hello-http02", None)?;
    let serve02_reused = rivals::wasmtime(places, "hello-http02", Some(FOR_EVER))?;
    let serve03 = rivals::wasmtime(places, "hello-http03", Some(1))?;
    let serve03_reused = rivals::wasmtime(places, "hello-http03", None)?;

    let contender = |name: &str, server, path: &str| Contender {
        name: name.to_owned(),
        server,
        path: path.to_owned(),
        expected: Expected::new("Hello from ", 20..=40),
        manner: Manner::default(),
    };
    let ours = &host.server;
    let figures = rounds(
        places,
        effort,
        &[
            contender(LANE, ours, "/hello/"),
            contender(HTTP02, ours, "/hello-http02/"),
            contender(HTTP03, ours, "/hello-http03/"),
            contender(LANE_REUSED, ours, "/hello-reused/"),
            contender(HTTP02_REUSED, ours, "/hello-http02-reused/"),
            contender(SERVE02, &serve02, "/"),
            contender(SERVE02_REUSED, &serve02_reused, "/"),
            contender(SERVE03, &serve03, "/"),
            contender(SERVE03_REUSED, &serve03_reused, "/"),
            contender("axum, native", &native, "/"),
        ],
    )?;
    report.section("Dynamic: the smallest answer");
    let goal = |contender, rival, at_least| Goal { contender, rival, at_least };
    report.figures(
        &figures,
        &[
            goal(LANE, SERVE02, 2.0),
            goal(LANE_REUSED, SERVE02_REUSED, 1.3),
            goal(HTTP02, SERVE02, 1.3),
            goal(HTTP02_REUSED, SERVE02_REUSED, 1.0),
            goal(HTTP03, SERVE03, 1.0),
        ],
    );
    Ok(())
}

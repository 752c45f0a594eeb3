//! A page of 20 rows and 5 KB, with its database asked for every request.

use anyhow::Result;
use rowhouse_bench_page::MARKER;

use crate::Effort;
use crate::answer::Expected;
use crate::host::Host;
use crate::load::Manner;
use crate::places::Places;
use crate::rivals;
use crate::rounds::{Contender, run as rounds};
use crate::table::{Goal, Report};

const LANE: &str = "rowhouse, fast lane, fresh";
const HTTP02: &str = "rowhouse, wasi:http 0.2, fresh";
const LANE_REUSED: &str = "rowhouse, fast lane, reused";
const RUSQLITE: &str = "axum + rusqlite, native";
const SQLX: &str = "axum + sqlx-sqlite, native";

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let host = Host::start(places, "sql")?;
    for guest in ["page", "page-http02"] {
        host.push(places, guest, guest, "1.0.0")?;
        host.create(guest, Some(&format!("{guest}@1.0.0")))?;
    }
    host.push_reused(places, "page", "page-reused", "1.0.0")?;
    host.create("page-reused", Some("page-reused@1.0.0"))?;
    let rusqlite = rivals::native(places, "rusqlite")?;
    let sqlx = rivals::native(places, "sqlx")?;

    // All render the same page: the length of one is the length of all.
    let any = Expected::new(MARKER, 4_000..=6_500);
    let length = any.check(&rusqlite.url())?;
    let expected = Expected::new(MARKER, length..=length);
    let contender = |name: &str, server, path: &str| Contender {
        name: name.to_owned(),
        server,
        path: path.to_owned(),
        expected: expected.clone(),
        manner: Manner::default(),
    };
    let figures = rounds(
        places,
        effort,
        &[
            contender(LANE, &host.server, "/page/"),
            contender(HTTP02, &host.server, "/page-http02/"),
            contender(LANE_REUSED, &host.server, "/page-reused/"),
            contender(RUSQLITE, &rusqlite, "/"),
            contender(SQLX, &sqlx, "/"),
        ],
    )?;
    report.section("SQL: a page of 20 rows, 5 KB");
    let goal = |contender, rival, at_least| Goal { contender, rival, at_least };
    report.figures(
        &figures,
        &[
            goal(LANE, SQLX, 0.9),
            goal(LANE, RUSQLITE, 0.35),
            goal(LANE_REUSED, SQLX, 1.3),
            goal(LANE_REUSED, RUSQLITE, 0.6),
        ],
    );
    Ok(())
}

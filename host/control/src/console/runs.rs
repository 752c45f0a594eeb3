//! Runs: the list, one run as it goes on, resume, roll back.
//!
//! A page of a run that is not over asks to be fetched again after a moment; no script is needed.

use super::State;
use super::answer::{Answer, Done, Refusal, page};
use super::gate::Visitor;
use super::views::runs::{RunPage, RunRow, RunsPage};
use super::views::{ConfirmPage, Frame, Pager, Section};
use crate::types::Paging;
use axum::Extension;
use axum::extract::{self, Path, Query};
use serde::Deserialize;

const LIST: &str = "/-/console/runs";
/// Tenants of a run on one page.
const ITEMS: u32 = 100;

/// Where a run is shown.
pub(super) fn path(id: &str) -> String {
    format!("{LIST}/{id}")
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part {
    state: String,
    cursor: Option<String>,
}

/// All runs, newest first.
pub(super) async fn list(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Query(part): Query<Part>,
) -> Answer {
    let paging = Paging { limit: None, cursor: part.cursor.clone(), search: None };
    let runs = control
        .runs(&visitor.operator, &paging)
        .await
        .map_err(|error| Refusal::from(error).page(Section::Runs, &visitor))?;
    let pager = Pager::new(LIST, &[], part.cursor.as_deref(), runs.next.as_deref());
    Ok(page(&RunsPage {
        frame: Frame::new(Section::Runs, "Runs", &visitor.name).with(visitor.flash()),
        is_open: runs.items.iter().any(crate::types::RunView::is_open),
        rows: runs.items.into_iter().map(RunRow::from).collect(),
        pager,
    }))
}

/// One run with its tenants.
pub(super) async fn show(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(part): Query<Part>,
) -> Answer {
    let paging = Paging { limit: Some(ITEMS), cursor: part.cursor.clone(), search: None };
    let detail = control
        .run_detail(&visitor.operator, &id, &paging, Some(part.state.as_str()))
        .await
        .map_err(|error| Refusal::from(error).page(Section::Runs, &visitor))?;
    let base = path(&detail.run.id);
    let pager =
        Pager::new(&base, &[("state", part.state.as_str())], part.cursor.as_deref(), detail.next.as_deref());
    let title = format!("Run of {}", detail.run.release);
    Ok(page(&RunPage {
        frame: Frame::new(Section::Runs, title, &visitor.name).with(visitor.flash()),
        is_open: detail.run.is_open(),
        can_resume: matches!(detail.run.state.as_str(), "failed" | "interrupted"),
        can_roll_back: !detail.run.is_open() && detail.run.moved > 0 && detail.run.kind == "activation",
        run: RunRow::from(detail.run),
        base,
        state: part.state,
        items: detail.items,
        pager,
    }))
}

/// Tries the failed tenants again, or goes on with what was interrupted.
pub(super) async fn resume(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Answer {
    match control.resume_run(&visitor.operator, &id).await {
        Ok(run) => Ok(Done::RunResumed.at(&path(&run.id))),
        Err(error) => Err(Refusal::from(error).page(Section::Runs, &visitor)),
    }
}

/// Asks before a run is taken back.
pub(super) async fn ask_rollback(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Answer {
    let run = control
        .run(&visitor.operator, &id)
        .await
        .map_err(|error| Refusal::from(error).page(Section::Runs, &visitor))?;
    Ok(page(&ConfirmPage {
        frame: Frame::new(Section::Runs, format!("Roll back {}?", run.release), &visitor.name),
        back: "Runs".into(),
        cancel: path(&run.id),
        action: format!("{}/rollback", path(&run.id)),
        text: vec![
            format!("{} tenants that moved return to the release they had before.", run.moved),
            "Their data stays as it is, with the newer schema. No request is lost.".into(),
        ],
        typed: None,
        tick: None,
        button: "Roll back",
        grave: false,
    }))
}

/// Takes a run back.
pub(super) async fn rollback(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Answer {
    match control.rollback(&visitor.operator, &id).await {
        Ok(run) => Ok(Done::RolledBack.at(&path(&run.id))),
        Err(error) => Err(Refusal::from(error).page(Section::Runs, &visitor)),
    }
}

//! What is done with whole sites: clone, move, reset, making all pages anew. An archive is a link to the API, which takes the session too.

use super::State;
use super::answer::{Answer, Done, Refusal, page};
use super::gate::Visitor;
use super::site::{path, refused};
use super::sites::known;
use super::views::sites::Typed;
use super::views::{ConfirmPage, Frame, Section};
use crate::error::ControlError;
use crate::types::{CloneTenant, FlushCache, MoveTenant};
use axum::extract::{self, Path, Query};
use axum::{Extension, Form};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// What the form for a clone sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cloning {
    name: String,
}

/// Makes a suspended site with the content of this one.
pub(super) async fn clone(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Cloning>,
) -> Answer {
    let request = CloneTenant { name: form.name.trim().to_owned(), ..CloneTenant::default() };
    match control.clone_tenant(&visitor.operator, &name, request).await {
        Ok(site) => Ok(Done::Cloned.at(&path(&site.name))),
        Err(error) => refused(&control, &visitor, &name, Typed::Clone(form.name), error).await,
    }
}

/// Makes all pages of a site anew. Nothing is lost by it, so nobody is asked.
pub(super) async fn flush(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    match control.flush_cache(&visitor.operator, &name, FlushCache::default()).await {
        Ok(flushed) => Ok(Done::Flushed.at(&path(&flushed.tenant))),
        Err(error) => refused(&control, &visitor, &name, Typed::Nothing, error).await,
    }
}

/// Where to move a site.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Moving {
    to: String,
}

/// Asks before a site is moved.
pub(super) async fn ask_move(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(moving): Query<Moving>,
) -> Answer {
    let name = known(&control, &visitor, &name).await?;
    let to = utf8_percent_encode(&moving.to, NON_ALPHANUMERIC);
    Ok(page(&ConfirmPage {
        frame: Frame::new(Section::Sites, format!("Move {name} to {}?", moving.to), &visitor.name),
        cancel: path(&name),
        action: format!("{}/move?to={to}", path(&name)),
        back: name,
        text: vec![
            "Visitors see a plain page with status 503 until all rows are copied and compared.".into(),
            "If anything fails, the tenant is served from where it is now. Files stay where they are.".into(),
        ],
        typed: None,
        tick: None,
        button: "Move the tenant",
        grave: false,
    }))
}

/// Moves a site to another data server.
pub(super) async fn relocate(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(moving): Query<Moving>,
) -> Answer {
    let request = MoveTenant { data_server: moving.to };
    match control.move_tenant(&visitor.operator, &name, request).await {
        Ok(site) => Ok(Done::Relocated.at(&path(&site.name))),
        Err(error) => refused(&control, &visitor, &name, Typed::Nothing, error).await,
    }
}

fn emptying(visitor: &Visitor, name: String) -> ConfirmPage {
    ConfirmPage {
        frame: Frame::new(Section::Sites, format!("Reset {name}?"), &visitor.name),
        cancel: path(&name),
        action: format!("{}/reset", path(&name)),
        back: name.clone(),
        text: vec![
            "Database and files are emptied, and the release begins as on the first day.".into(),
            "This can't be undone. Export the tenant first if anybody may miss something.".into(),
        ],
        typed: Some(name),
        tick: None,
        button: "Reset the tenant",
        grave: true,
    }
}

/// Asks for the name before a site is emptied.
pub(super) async fn ask_reset(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    let name = known(&control, &visitor, &name).await?;
    Ok(page(&emptying(&visitor, name)))
}

/// What the page before a reset sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reset {
    confirm: String,
}

/// Empties a site whose name was typed.
pub(super) async fn reset(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Reset>,
) -> Answer {
    match control.reset_tenant(&visitor.operator, &name, form.confirm.trim()).await {
        Ok(site) => Ok(Done::Emptied.at(&path(&site.name))),
        Err(error @ ControlError::Invalid(_)) => {
            let refusal = Refusal::from(error);
            let name = known(&control, &visitor, &name).await?;
            Ok(refusal.on(emptying(&visitor, name)))
        }
        Err(error) => refused(&control, &visitor, &name, Typed::Nothing, error).await,
    }
}

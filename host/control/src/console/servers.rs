//! The servers of the farm: who is there and how far, and telling one to leave. Beside them where tenants keep their data.

use super::State;
use super::answer::{Answer, Done, Refusal, page};
use super::gate::Visitor;
use super::views::data::{DataServerRow, DataServersPage};
use super::views::servers::{ServerRow, ServersPage};
use super::views::{ConfirmPage, Frame, Section};
use crate::error::ControlError;
use axum::Extension;
use axum::extract::{self, Path};

const LIST: &str = "/-/console/servers";

/// All servers.
pub(super) async fn list(extract::State(control): State, Extension(visitor): Extension<Visitor>) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Servers, &visitor);
    let servers = control.servers(&visitor.operator).await.map_err(refused)?;
    Ok(page(&ServersPage {
        frame: Frame::new(Section::Servers, "Servers", &visitor.name).with(visitor.flash()),
        generation: servers.generation,
        rows: servers.items.into_iter().map(ServerRow::from).collect(),
    }))
}

/// All data servers, each asked whether it is there.
pub(super) async fn data(extract::State(control): State, Extension(visitor): Extension<Visitor>) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Data, &visitor);
    let servers = control.data_servers(&visitor.operator).await.map_err(refused)?;
    Ok(page(&DataServersPage {
        frame: Frame::new(Section::Data, "Data servers", &visitor.name).with(visitor.flash()),
        rows: servers.items.into_iter().map(DataServerRow::from).collect(),
    }))
}

/// Asks before a server is told to leave.
pub(super) async fn ask_drain(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Servers, &visitor);
    let servers = control.servers(&visitor.operator).await.map_err(refused)?;
    let found = servers.items.into_iter().find(|server| server.id == id);
    let server = found.ok_or_else(|| refused(ControlError::not_found("server", &id)))?;
    let text = vec![
        "It tells balancers that it is not ready, finishes what is in flight, and ends.".to_owned(),
        "Whatever started it may start it again.".to_owned(),
    ];
    Ok(page(&ConfirmPage {
        frame: Frame::new(Section::Servers, format!("Drain the server {}", server.name), &visitor.name),
        back: "Servers".to_owned(),
        cancel: LIST.to_owned(),
        action: format!("{LIST}/{id}/drain"),
        text,
        typed: None,
        tick: None,
        button: "Drain",
        grave: false,
    }))
}

/// Tells a server to leave.
pub(super) async fn drain(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Answer {
    control
        .drain_server(&visitor.operator, &id)
        .await
        .map_err(|error| Refusal::from(error).page(Section::Servers, &visitor))?;
    Ok(Done::Draining.at(LIST))
}

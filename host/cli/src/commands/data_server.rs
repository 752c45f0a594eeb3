//! `rowhouse data-server`: where sites keep their databases.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;
use crate::views;

/// Where sites keep their databases.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DataServerCommand {
    /// List data servers and ask each whether it is there
    List,
}

/// Carries out one command.
pub(super) fn run(command: &DataServerCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let DataServerCommand::List = command;
    let answer = api.get(&Target::new(&["data-servers"]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table =
        Table::new(&["NAME", "ENGINE", "ISOLATION", "STATE", "#TENANTS", "#CONNECTIONS", "#LIMIT"]);
    for server in views::items::<views::DataServer>(&answer) {
        let state = match (server.reachable, server.default) {
            (true, true) => "there, default",
            (true, false) => "there",
            (false, true) => "away, default",
            (false, false) => "away",
        };
        let limit = server.connection_limit.map(|limit| limit.to_string());
        table.row([
            server.name,
            server.engine,
            server.isolation,
            state.to_owned(),
            server.tenants.to_string(),
            server.connections.to_string(),
            limit.unwrap_or_default(),
        ]);
    }
    Ok(screen.table(&table, "no data server is configured")?)
}

//! `rowhouse server`: the servers of a farm.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;
use crate::views;
use ureq::http::Method;

/// The servers of a farm.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ServerCommand {
    /// List servers, with the generation that each has in force
    List,
    /// Tell a server to finish what is in flight and to end
    Drain {
        /// Its name, or its id where several have the name
        #[arg(value_name = "NAME|ID")]
        server: String,
    },
}

/// Carries out one command.
pub(super) fn run(command: &ServerCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        ServerCommand::List => list(api, screen),
        ServerCommand::Drain { server } => {
            let answer = api.send(Method::POST, &Target::new(&["servers", server, "drain"]), None)?;
            if screen.json {
                return Ok(screen.document(&answer.body)?);
            }
            Ok(screen.line(&format!("{server} finishes what is in flight and ends"))?)
        }
    }
}

fn list(api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.get(&Target::new(&["servers"]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["NAME", "STATE", "#GENERATION", "#BEHIND", "VERSION", "STARTED", "ID"]);
    for server in views::items::<views::Server>(&answer) {
        let (applied, behind) = (server.applied.to_string(), server.behind.to_string());
        let started = views::time(&server.started_at);
        table.row([server.name, server.state, applied, behind, server.version, started, server.id]);
    }
    Ok(screen.table(&table, "no server has entered yet")?)
}

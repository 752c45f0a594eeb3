//! The client commands, one file per noun: its arguments and what they do.

mod audit;
mod cache;
mod data_server;
mod documents;
mod domain;
mod member;
mod module;
mod run;
mod server;
mod status;
mod tenant;
mod token;
mod user;

use crate::api::Api;
use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::screen::Screen;
use std::path::PathBuf;

/// Commands that work through the API of a running server.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ClientCommand {
    /// Create, change, suspend and delete sites
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Host names that a site answers on
    #[command(subcommand)]
    Domain(domain::DomainCommand),
    /// People who may edit a site
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// Releases of site modules: push, activate, roll back
    #[command(subcommand)]
    Module(module::ModuleCommand),
    /// How activations and rollbacks go on: list, show, watch, resume
    #[command(subcommand)]
    Run(run::RunCommand),
    /// People who can sign in
    #[command(subcommand)]
    User(user::UserCommand),
    /// API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Where sites keep their databases
    #[command(subcommand)]
    DataServer(data_server::DataServerCommand),
    /// Servers of a farm
    #[command(subcommand)]
    Server(server::ServerCommand),
    /// Pages kept in memory: look, and make them anew
    #[command(subcommand)]
    Cache(cache::CacheCommand),
    /// Who changed what, newest first
    Audit(audit::AuditArgs),
    /// Version and state of the server
    Status,
    /// Print completions for a shell
    #[command(after_long_help = documents::COMPLETIONS_HELP)]
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// An existing or new folder
        folder: PathBuf,
    },
}

/// Carries out one command.
pub(crate) fn run(
    command: ClientCommand,
    connection: &ConnectionArgs,
    root: clap::Command,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let command = match command {
        ClientCommand::Completions { shell } => return documents::completions(shell, root, screen),
        ClientCommand::Man { folder } => return documents::manual(&folder, root, screen),
        other => other,
    };
    let api = Api::new(connection)?;
    if api.exposes_token() {
        screen.note(&format!("warning: the token goes to {} unencrypted; use https", api.url()))?;
    }
    let done = match command {
        ClientCommand::Tenant(command) => tenant::run(command, &api, screen),
        ClientCommand::Domain(command) => domain::run(command, &api, screen),
        ClientCommand::Member(command) => member::run(command, &api, screen),
        ClientCommand::Module(command) => module::run(command, &api, screen),
        ClientCommand::Run(command) => run::run(command, &api, screen),
        ClientCommand::User(command) => user::run(command, &api, screen),
        ClientCommand::Token(command) => token::run(command, &api, screen),
        ClientCommand::DataServer(command) => data_server::run(&command, &api, screen),
        ClientCommand::Server(command) => server::run(&command, &api, screen),
        ClientCommand::Cache(command) => cache::run(&command, &api, screen),
        ClientCommand::Audit(args) => audit::run(&args, &api, screen),
        ClientCommand::Status => status::run(&api, screen),
        ClientCommand::Completions { .. } | ClientCommand::Man { .. } => Ok(()),
    };
    if let Some(note) = api.waited() {
        screen.note(&note)?;
    }
    done
}

/// Does one thing for each name. Where there are several, a failure is reported and the others go on;
/// where there is one, the failure is the command's.
fn for_each(
    names: &[String],
    screen: &mut Screen<'_>,
    mut act: impl FnMut(&str, &mut Screen<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let [only] = names {
        return act(only, screen);
    }
    let mut failed = 0;
    for name in names {
        match act(name, screen) {
            Ok(()) => {}
            // Without a server, or without a place to write to, the others can't go better.
            Err(failure @ (Failure::Unreachable { .. } | Failure::Foreign { .. } | Failure::Output(_))) => {
                return Err(failure);
            }
            Err(failure) => {
                failed += 1;
                screen.note(&format!("{name}:"))?;
                failure.report(screen)?;
            }
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Partly { failed, total: names.len() }),
    }
}

/// The key and value of `KEY=VALUE`. The value may be empty and may hold further `=`.
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as tagline='Rowing since 1921'".to_owned()),
    }
}

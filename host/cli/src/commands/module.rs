//! `rowhouse module`: its arguments. What they do is in the files below.

mod activate;
mod releases;

use crate::api::Api;
use crate::failure::Failure;
use crate::screen::Screen;
use rowhouse_tenant::ReleaseName;
use std::path::PathBuf;

/// Releases of site modules.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ModuleCommand {
    /// Store a component as a release; the server checks it first and names every fault
    #[command(after_long_help = "\
Example:
  rowhouse module push target/wasm32-wasip2/guest/site.wasm --name site --version 2.0.0")]
    Push(PushArgs),
    /// List releases
    List,
    /// Show one release
    Show {
        /// NAME@VERSION
        release: ReleaseName,
    },
    /// Delete a release that no site uses
    #[command(
        after_long_help = "The name has to be typed, or given with --confirm where nobody can be asked."
    )]
    Delete {
        /// NAME@VERSION
        release: ReleaseName,
        /// The name once more, in place of typing it
        #[arg(long, value_name = "RELEASE")]
        confirm: Option<String>,
    },
    /// Move sites to a release: all of them, or those named
    #[command(after_long_help = "\
Each site is migrated first and moves only if that went well; a site that fails stays on its old release and
keeps serving. Exit code 6 says that some did. Ending this command does not end the run: `rowhouse run watch`
follows it again, and `rowhouse run resume` tries the failed sites again.

Examples:
  rowhouse module activate site@2.0.0
  rowhouse module activate site@2.0.0 --tenant rowing --tenant chess")]
    Activate(ActivateArgs),
    /// Return every site that moved in a run to the release it had before
    #[command(after_long_help = "\
Examples:
  rowhouse module rollback --last
  rowhouse module rollback 0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a10")]
    Rollback(RollbackArgs),
}

/// Arguments of `module push`.
#[derive(Clone, Debug, clap::Args)]
pub struct PushArgs {
    /// A component, such as site.wasm
    file: PathBuf,
    /// Name of the module, such as site
    #[arg(long)]
    name: String,
    /// Version, such as 2.0.0; other bytes need another version
    #[arg(long)]
    version: String,
    /// Let an instance answer this many requests of one site, instead of a fresh one each time
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..))]
    reuse: Option<u32>,
    /// How long an instance waits for the next request, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", requires = "reuse", value_parser = clap::value_parser!(u32).range(1..))]
    reuse_idle_ms: Option<u32>,
}

/// Arguments of `module activate`.
#[derive(Clone, Debug, clap::Args)]
pub struct ActivateArgs {
    /// NAME@VERSION
    release: ReleaseName,
    /// Move only this site; may be given again
    #[arg(long = "tenant", value_name = "NAME")]
    tenants: Vec<String>,
    /// Leave the default release of new sites as it is
    #[arg(long, conflicts_with = "make_default")]
    keep_default: bool,
    /// Make it the default release of new sites, although only some sites move
    #[arg(long = "default")]
    make_default: bool,
}

/// Arguments of `module rollback`.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct RollbackArgs {
    /// Id of the run
    run: Option<String>,
    /// The newest activation
    #[arg(long)]
    last: bool,
}

/// Carries out one command.
pub(super) fn run(command: ModuleCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        ModuleCommand::Push(args) => releases::push(&args, api, screen),
        ModuleCommand::List => releases::list(api, screen),
        ModuleCommand::Show { release } => releases::show(&release, api, screen),
        ModuleCommand::Delete { release, confirm } => {
            releases::delete(&release, confirm.as_deref(), api, screen)
        }
        ModuleCommand::Activate(args) => activate::activate(args, api, screen),
        ModuleCommand::Rollback(args) => activate::rollback(&args, api, screen),
    }
}

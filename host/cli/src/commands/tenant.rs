//! `rowhouse tenant`: its arguments. What they do is in the files below.

mod change;
mod look;

use super::key_value;
use crate::api::Api;
use crate::failure::Failure;
use crate::screen::Screen;

/// Create, change, suspend and delete sites.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum TenantCommand {
    /// Create a site and wait until it is served
    #[command(after_long_help = "\
Examples:
  rowhouse tenant create rowing --title 'Rowing Club'
  rowhouse tenant create chess --address chess.example --set tagline='Every Tuesday at eight'")]
    Create(CreateArgs),
    /// List sites
    #[command(after_long_help = "\
Examples:
  rowhouse tenant list --search club
  rowhouse tenant list --state suspended --json")]
    List(ListArgs),
    /// Show one site
    Show {
        /// Name of the site
        name: String,
    },
    /// Change title, language, settings and other properties of a site
    #[command(after_long_help = "\
Examples:
  rowhouse tenant set rowing --title 'Rowing Club 1921' --locale en-GB
  rowhouse tenant set rowing tagline='On the river' --unset motto")]
    Set(SetArgs),
    /// Stop serving sites; visitors get 503 until they are resumed
    Suspend {
        /// Names of the sites
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Serve suspended sites again
    Resume {
        /// Names of the sites
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Delete a site: into the trash first, or at once with --now
    #[command(after_long_help = "\
The name has to be typed, or given with --confirm where nobody can be asked.

Examples:
  rowhouse tenant delete rowing
  rowhouse tenant delete rowing --now --confirm rowing")]
    Delete(DeleteArgs),
    /// Show how much space a site uses
    Usage {
        /// Name of the site
        name: String,
    },
    /// Open a site in the browser
    Open {
        /// Name of the site
        name: String,
        /// Only print the address
        #[arg(long)]
        print: bool,
    },
    /// List the receipts of deleted sites
    Receipts,
}

/// Arguments of `tenant create`.
#[derive(Clone, Debug, clap::Args)]
pub struct CreateArgs {
    /// Name: 2 to 63 letters, digits and hyphens; it becomes a part of the address
    name: String,
    /// Title for people [default: the name]
    #[arg(long)]
    title: Option<String>,
    /// Release to run, NAME@VERSION [default: the server's default release]
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Host name of its own, such as club.example or *.club.example; may be given again
    #[arg(long = "address", value_name = "HOST")]
    addresses: Vec<String>,
    /// Don't serve the site at /NAME/ on the server's own address
    #[arg(long)]
    no_url_prefix: bool,
    /// Language, such as en-GB
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
    /// Time zone, such as Europe/London
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// A setting for the site module to read; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
}

/// Arguments of `tenant list`.
#[derive(Clone, Debug, clap::Args)]
pub struct ListArgs {
    /// Only sites whose name, title or address contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only sites in this state
    #[arg(long, value_parser = ["provisioning", "active", "suspended", "trashed", "deleting"])]
    state: Option<String>,
    /// At most this many [default: all]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// Arguments of `tenant set`.
#[derive(Clone, Debug, clap::Args)]
pub struct SetArgs {
    /// Name of the site
    name: String,
    /// Settings for the site module to read
    #[arg(value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
    /// Remove a setting; may be given again
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Title for people
    #[arg(long)]
    title: Option<String>,
    /// Language, such as en-GB
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
    /// Time zone, such as Europe/London
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Whether the site is served at /NAME/ on the server's own address
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    url_prefix: Option<bool>,
}

/// Arguments of `tenant delete`.
#[derive(Clone, Debug, clap::Args)]
pub struct DeleteArgs {
    /// Name of the site
    name: String,
    /// Remove everything at once, without the trash period
    #[arg(long)]
    now: bool,
    /// The name once more, in place of typing it
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("write on or off".to_owned()),
    }
}

/// Carries out one command.
pub(super) fn run(command: TenantCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        TenantCommand::Create(args) => change::create(args, api, screen),
        TenantCommand::Set(args) => change::set(args, api, screen),
        TenantCommand::Suspend { names } => change::switch(&names, "suspend", "suspended", api, screen),
        TenantCommand::Resume { names } => change::switch(&names, "resume", "served again", api, screen),
        TenantCommand::Delete(args) => change::delete(&args, api, screen),
        TenantCommand::List(args) => look::list(&args, api, screen),
        TenantCommand::Show { name } => look::show(&name, api, screen),
        TenantCommand::Usage { name } => look::usage(&name, api, screen),
        TenantCommand::Open { name, print } => look::open(&name, print, api, screen),
        TenantCommand::Receipts => look::receipts(api, screen),
    }
}

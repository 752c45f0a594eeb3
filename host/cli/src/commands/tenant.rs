//! `rowhouse tenant`: its arguments. What they do is in the files below.

mod archive;
mod backup;
mod change;
mod look;
mod whole;

use super::key_value;
use crate::api::Api;
use crate::failure::Failure;
use crate::screen::Screen;
use std::path::PathBuf;

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
    /// Write a site into an archive; it is served meanwhile
    #[command(after_long_help = "\
Examples:
  rowhouse tenant export rowing
  rowhouse tenant export rowing --to - | ssh backup 'cat > rowing.tar.zst'")]
    Export(ExportArgs),
    /// Make a site from an archive
    #[command(after_long_help = "\
The new site is suspended unless --resume is given. The release it ran has to be on the server.

Examples:
  rowhouse tenant import rowing-20260301T093000Z.tar.zst
  rowhouse tenant import rowing.tar.zst --name trial --no-addresses --resume")]
    Import(ImportArgs),
    /// Make a site with the content of another one, without its addresses and people
    Clone(CloneArgs),
    /// Move a site's database to another data server; visitors get 503 meanwhile
    #[command(after_long_help = "\
Example:
  rowhouse tenant move rowing --server pg")]
    Move(MoveArgs),
    /// Write archives of one site or all of them into a folder
    #[command(after_long_help = "\
Each file is written whole or not at all, as NAME-YYYYMMDDTHHMMSSZ.tar.zst.

Examples:
  rowhouse tenant backup rowing --to /backup
  rowhouse tenant backup --all --to /backup")]
    Backup(BackupArgs),
    /// Put an archive in place of a suspended site's content, or make every site that is missing
    #[command(after_long_help = "\
Examples:
  rowhouse tenant restore rowing --from /backup/rowing-20260301T093000Z.tar.zst
  rowhouse tenant restore --all --from /backup --resume")]
    Restore(RestoreArgs),
    /// Empty a suspended site: database and files as on its first day
    Reset {
        /// Name of the site
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
    },
    /// Show how much space a site uses
    Usage {
        /// Name of the site
        name: String,
        /// Also the rows of each table, for which all of them are read
        #[arg(long)]
        tables: bool,
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
    /// Data server to keep its database on [default: the server's default one]
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
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
    #[arg(long, value_parser = ["provisioning", "active", "suspended", "moving", "trashed", "deleting"])]
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
    /// All hosts that the site module may send requests to, such as api.example or *.example.org:8443; "" for none
    #[arg(long, value_name = "HOST[:PORT],…")]
    outbound: Option<String>,
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

/// That it is meant.
#[derive(Clone, Debug, clap::Args)]
pub struct Confirmed {
    /// The name once more, in place of typing it
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Don't ask for the name
    #[arg(long, conflicts_with = "confirm")]
    yes: bool,
}

impl Confirmed {
    /// What stands for the typed name, if anything does.
    fn given<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.yes { Some(name) } else { self.confirm.as_deref() }
    }
}

/// Arguments of `tenant export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// Name of the site
    name: String,
    /// File to write, or - for standard output [default: NAME-TIME.tar.zst in this folder]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Arguments of `tenant import`.
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    /// The archive
    file: PathBuf,
    /// Name of the new site [default: the archive's]
    #[arg(long)]
    name: Option<String>,
    /// Data server to keep its database on [default: the server's default one]
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Leave the archive's addresses out
    #[arg(long)]
    no_addresses: bool,
    /// Serve it at once
    #[arg(long)]
    resume: bool,
}

/// Arguments of `tenant clone`.
#[derive(Clone, Debug, clap::Args)]
pub struct CloneArgs {
    /// Name of the site
    name: String,
    /// Name of the new one
    new: String,
    /// Title of the new one [default: the same]
    #[arg(long)]
    title: Option<String>,
    /// Data server to keep its database on [default: the same]
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Serve it at once
    #[arg(long)]
    resume: bool,
}

/// Arguments of `tenant move`.
#[derive(Clone, Debug, clap::Args)]
pub struct MoveArgs {
    /// Name of the site
    name: String,
    /// Data server to move its database to
    #[arg(long, value_name = "NAME")]
    server: String,
}

/// Arguments of `tenant backup`.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupArgs {
    /// Names of the sites
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    names: Vec<String>,
    /// All sites but those in the trash
    #[arg(long)]
    all: bool,
    /// An existing or new folder
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Arguments of `tenant restore`.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreArgs {
    /// Name of the suspended site
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Make each site that is not there from its newest archive in a folder
    #[arg(long)]
    all: bool,
    /// The archive, or with --all the folder
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Serve the made sites at once
    #[arg(long, requires = "all")]
    resume: bool,
    #[command(flatten)]
    confirmed: Confirmed,
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
        TenantCommand::Export(args) => archive::export(&args, api, screen),
        TenantCommand::Import(args) => archive::import(&args, api, screen),
        TenantCommand::Clone(args) => whole::clone(args, api, screen),
        TenantCommand::Move(args) => whole::relocate(&args, api, screen),
        TenantCommand::Backup(args) => backup::backup(&args, api, screen),
        TenantCommand::Restore(args) => match &args.name {
            Some(name) => archive::restore(name, &args, api, screen),
            None => backup::restore_all(&args, api, screen),
        },
        TenantCommand::Reset { name, confirmed } => whole::reset(&name, &confirmed, api, screen),
        TenantCommand::Usage { name, tables } => look::usage(&name, tables, api, screen),
        TenantCommand::Open { name, print } => look::open(&name, print, api, screen),
        TenantCommand::Receipts => look::receipts(api, screen),
    }
}

//! `rowhouse audit`: who changed what.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;
use crate::views;

/// Arguments of `audit`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  rowhouse audit
  rowhouse audit --tenant rowing --limit 200 --json")]
pub struct AuditArgs {
    /// Only what concerns this site
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// At most this many rows
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// Shows the newest rows.
pub(super) fn run(args: &AuditArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let target = Target::new(&["audit"]).with("tenant", args.tenant.as_deref());
    let answer = api.list(&target, usize::try_from(args.limit).ok())?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["AT", "ACTOR", "ACTION", "SUBJECT", "DETAIL"]);
    for row in views::items::<views::AuditRow>(&answer) {
        table.row([views::time(&row.at), row.actor, row.action, row.subject, views::inline(&row.detail)]);
    }
    Ok(screen.table(&table, "nothing was changed yet")?)
}

//! `rowhouse member`: who may edit a site, in which roles.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;
use crate::views;
use serde_json::json;
use ureq::http::Method;

/// People who may edit a site.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum MemberCommand {
    /// List the members of a site
    List {
        /// Name of the site
        tenant: String,
    },
    /// Give a user roles on a site, in place of those they had there
    #[command(after_long_help = "\
Examples:
  rowhouse member add rowing ada --role owner
  rowhouse member add rowing ben --role editor")]
    Add {
        /// Name of the site
        tenant: String,
        /// Name of the user
        user: String,
        /// Role; may be given again
        #[arg(long = "role", required = true, value_name = "ROLE", value_parser = ["owner", "editor"])]
        roles: Vec<String>,
    },
    /// Take a user off a site
    Remove {
        /// Name of the site
        tenant: String,
        /// Name of the user
        user: String,
    },
}

/// Carries out one command.
pub(super) fn run(command: MemberCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        MemberCommand::List { tenant } => list(&tenant, api, screen),
        MemberCommand::Add { tenant, user, roles } => {
            let target = Target::new(&["tenants", &tenant, "members", &user]);
            let answer = api.send(Method::PUT, &target, Some(&json!({ "roles": roles })))?;
            screen.done(&answer.body, &format!("{user} is {} of {tenant}", roles.join(" and ")))
        }
        MemberCommand::Remove { tenant, user } => {
            let target = Target::new(&["tenants", &tenant, "members", &user]);
            let answer = api.send(Method::DELETE, &target, None)?;
            screen.done(&answer.body, &format!("{user} is no member of {tenant} any more"))
        }
    }
}

fn list(tenant: &str, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.list(&Target::new(&["tenants", tenant, "members"]), None)?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["USER", "ROLES", "EMAIL"]);
    for member in views::items::<views::Member>(&answer) {
        table.row([member.user, member.roles.join(", "), member.email.unwrap_or_default()]);
    }
    let empty = format!("no members yet: `rowhouse member add {tenant} USER --role owner` adds one");
    Ok(screen.table(&table, &empty)?)
}

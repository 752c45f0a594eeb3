//! `rowhouse domain`: the host names of a site.
//!
//! The API replaces a site's addresses as a whole, so adding and removing read them first. Two people
//! who change the same site's addresses in the same second may undo each other; the answer shows what holds.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;
use crate::views;
use rowhouse_base::Chain;
use rowhouse_tenant::AddressPattern;
use serde_json::{Value, json};
use ureq::http::Method;

/// Host names that a site answers on.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DomainCommand {
    /// Let a site answer on further host names
    #[command(after_long_help = "\
Examples:
  rowhouse domain add rowing rowing.example www.rowing.example
  rowhouse domain add rowing '*.rowing.example'")]
    Add(HostsArgs),
    /// Take host names from a site
    Remove(HostsArgs),
    /// List the host names of one site, or of all
    List {
        /// Name of the site [default: all]
        tenant: Option<String>,
    },
}

/// A site and host names.
#[derive(Clone, Debug, clap::Args)]
pub struct HostsArgs {
    /// Name of the site
    tenant: String,
    /// Host names, such as club.example or *.club.example
    #[arg(required = true, value_name = "HOST", value_parser = read_address)]
    hosts: Vec<AddressPattern>,
}

fn read_address(text: &str) -> Result<AddressPattern, String> {
    text.parse().map_err(|error: rowhouse_tenant::InvalidAddress| Chain(&error).to_string())
}

/// Carries out one command.
pub(super) fn run(command: DomainCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        DomainCommand::Add(args) => change(&args, api, screen, |have, hosts| {
            for host in hosts {
                if !have.contains(&host) {
                    have.push(host);
                }
            }
        }),
        DomainCommand::Remove(args) => {
            let target = Target::new(&["tenants", &args.tenant]);
            let tenant: views::Tenant = views::view(&api.get(&target)?);
            if let Some(missing) =
                args.hosts.iter().find(|host| !tenant.addresses.contains(&host.to_string()))
            {
                return Err(Failure::usage_with(
                    format!("`{}` doesn't have the address {missing}", args.tenant),
                    format!("`rowhouse domain list {}` shows those it has", args.tenant),
                ));
            }
            change(&args, api, screen, |have, hosts| have.retain(|host| !hosts.contains(host)))
        }
        DomainCommand::List { tenant: Some(name) } => {
            let answer = api.get(&Target::new(&["tenants", &name]))?;
            list(&json!({ "items": [answer] }), screen)
        }
        DomainCommand::List { tenant: None } => list(&api.list(&Target::new(&["tenants"]), None)?, screen),
    }
}

fn change(
    args: &HostsArgs,
    api: &Api,
    screen: &mut Screen<'_>,
    edit: impl FnOnce(&mut Vec<String>, Vec<String>),
) -> Result<(), Failure> {
    let target = Target::new(&["tenants", &args.tenant]);
    let tenant: views::Tenant = views::view(&api.get(&target)?);
    let mut addresses = tenant.addresses;
    edit(&mut addresses, args.hosts.iter().map(ToString::to_string).collect());
    let answer = api.send(Method::PATCH, &target, Some(&json!({ "addresses": addresses })))?;
    if screen.json {
        return Ok(screen.document(&answer.body)?);
    }
    list(&json!({ "items": [answer.body] }), screen)
}

fn list(answer: &Value, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if screen.json {
        let items: Vec<Value> = views::items::<views::Tenant>(answer)
            .into_iter()
            .map(|tenant| json!({ "tenant": tenant.name, "addresses": tenant.addresses }))
            .collect();
        return Ok(screen.document(&json!({ "items": items, "next": null }))?);
    }
    let mut table = Table::new(&["TENANT", "ADDRESS"]);
    for tenant in views::items::<views::Tenant>(answer) {
        for address in tenant.addresses {
            table.row([tenant.name.clone(), address]);
        }
    }
    Ok(screen.table(&table, "no addresses of its own: `rowhouse domain add TENANT HOST` adds one")?)
}

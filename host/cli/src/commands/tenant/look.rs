//! Looking at sites: list, show, usage, open, receipts.

use super::ListArgs;
use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::{Screen, plain};
use crate::table::{Table, details};
use crate::views::{self, ReleaseLabel};
use std::process::{Command, Stdio};

/// Lists sites.
pub(super) fn list(args: &ListArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let target =
        Target::new(&["tenants"]).with("search", args.search.as_deref()).with("state", args.state.as_deref());
    let most = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let answer = api.list(&target, most)?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["NAME", "TITLE", "STATE", "RELEASE", "SERVER", "ADDRESS"]);
    for tenant in views::items::<views::Tenant>(&answer) {
        let release = tenant.release.as_ref().map(ReleaseLabel::name).unwrap_or_default();
        let address = tenant.urls.into_iter().next().unwrap_or_default();
        table.row([tenant.name, tenant.title, tenant.state, release, tenant.data_server, address]);
    }
    let empty = match (&args.search, &args.state) {
        (None, None) => "no sites yet: `rowhouse tenant create NAME` makes one",
        _ => "no site fits the search",
    };
    Ok(screen.table(&table, empty)?)
}

/// Shows one site.
pub(super) fn show(name: &str, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.get(&Target::new(&["tenants", name]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    Ok(screen.line(&described(&views::view(&answer)))?)
}

/// A site's properties, one a line.
pub(super) fn described(tenant: &views::Tenant) -> String {
    let settings: Vec<_> = tenant.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let release =
        |label: &Option<ReleaseLabel>| label.as_ref().map(ReleaseLabel::with_digest).unwrap_or_default();
    details(&[
        ("name", tenant.name.clone()),
        ("title", tenant.title.clone()),
        ("state", tenant.state.clone()),
        ("removed at", tenant.trash_until.as_deref().map(views::time).unwrap_or_default()),
        ("urls", tenant.urls.join("\n")),
        ("addresses", tenant.addresses.join("\n")),
        ("url-prefix", if tenant.url_prefix { "on" } else { "off" }.to_owned()),
        ("locale", tenant.locale.clone()),
        ("time zone", tenant.time_zone.clone()),
        ("settings", settings.join("\n")),
        ("outbound", tenant.outbound.join("\n")),
        ("release", release(&tenant.release)),
        ("previous", release(&tenant.previous_release)),
        ("data server", tenant.data_server.clone()),
        ("under way", tenant.operation.clone().unwrap_or_default()),
        ("schema", tenant.schema_version.map(|version| version.to_string()).unwrap_or_default()),
        ("revision", tenant.revision.to_string()),
        ("created", views::time(&tenant.created_at)),
        ("id", tenant.id.clone()),
    ])
}

/// Shows how much space a site uses.
pub(super) fn usage(name: &str, tables: bool, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let target = Target::new(&["tenants", name, "usage"]).with("tables", tables.then_some("true"));
    let answer = api.get(&target)?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let usage: views::Usage = views::view(&answer);
    let of = |amount: String, limit: String| format!("{amount} of {limit}");
    screen.line(&details(&[
        ("data server", usage.data_server),
        ("database", of(views::bytes(usage.database_bytes), views::bytes(usage.database_limit))),
        ("files", of(views::bytes(usage.file_bytes), views::bytes(usage.file_bytes_limit))),
        ("number", of(usage.files.to_string(), usage.files_limit.to_string())),
    ]))?;
    let Some(tables) = usage.tables else { return Ok(()) };
    let mut shown = Table::new(&["TABLE", "#ROWS"]);
    for table in tables {
        shown.row([table.name, table.rows.to_string()]);
    }
    screen.line("")?;
    Ok(screen.table(&shown, "the database has no tables")?)
}

/// Opens a site's first address in the browser, and prints it either way.
pub(super) fn open(name: &str, only_print: bool, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.get(&Target::new(&["tenants", name]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let tenant: views::Tenant = views::view(&answer);
    let Some(url) = tenant.urls.first().filter(|url| is_web_address(url)) else {
        return Err(Failure::usage_with(
            format!("`{}` has no address", tenant.name),
            format!("add one with `rowhouse domain add {} HOST`", tenant.name),
        ));
    };
    screen.line(&plain(url))?;
    if only_print {
        return Ok(());
    }
    if let Err(error) = browser(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    {
        screen.note(&format!("no browser could be started ({error}): open the address yourself"))?;
    }
    Ok(())
}

/// The address comes from the server and goes to a program of this machine: nothing but a web address may.
fn is_web_address(url: &str) -> bool {
    let scheme = url.starts_with("http://") || url.starts_with("https://");
    scheme && url.bytes().all(|b| b.is_ascii_alphanumeric() || b":/.-_~[]%@".contains(&b))
}

fn browser(url: &str) -> Command {
    let (program, before): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(target_os = "windows") {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(before).arg(url);
    command
}

/// Lists the receipts of deleted sites.
pub(super) fn receipts(api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.list(&Target::new(&["receipts"]), None)?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["NAME", "REMOVED AT", "REMOVED", "FOUND AFTER", "ID"]);
    for receipt in views::items::<views::Receipt>(&answer) {
        let (removed, left) = (views::counts(&receipt.removed), found(&receipt));
        table.row([receipt.name, views::time(&receipt.at), removed, left, receipt.tenant]);
    }
    Ok(screen.table(&table, "no site was deleted yet")?)
}

/// What the scan after a deletion found: nothing, or what is left.
pub(super) fn found(receipt: &views::Receipt) -> String {
    let nothing = receipt.found_after.values().all(|value| value.as_u64() == Some(0));
    if nothing { "nothing".to_owned() } else { views::counts(&receipt.found_after) }
}

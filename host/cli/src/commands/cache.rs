//! `rowhouse cache`: what is kept of the sites' pages, and making them anew.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::{Table, details};
use crate::views::{self, CacheCounts};
use serde_json::{Map, Value};
use ureq::http::Method;

/// Pages kept in memory.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum CacheCommand {
    /// Show what the server counts and holds, since it started
    Show {
        /// Name of the site [default: the whole server, and the sites that hold the most]
        name: Option<String>,
    },
    /// Make pages of a site anew when they are next asked for
    #[command(after_long_help = "\
Data that changes never needs this: its pages are made anew at the next request.

Examples:
  rowhouse cache flush rowing
  rowhouse cache flush rowing --tag menu
  rowhouse cache flush rowing --page '/news?page=2'")]
    Flush(FlushArgs),
}

/// What to make anew.
#[derive(Clone, Debug, clap::Args)]
pub struct FlushArgs {
    /// Name of the site
    name: String,
    /// Only the pages with this tag, on every server
    #[arg(long, value_name = "TAG", conflicts_with = "page")]
    tag: Option<String>,
    /// Only this page, in the memory of the server that answers and in Redis
    ///
    /// A path of the site with its query, or a whole address. (--url is the server's address.)
    #[arg(long, value_name = "URL")]
    page: Option<String>,
}

/// Carries out one command.
pub(super) fn run(command: &CacheCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        CacheCommand::Show { name: Some(name) } => one(name, api, screen),
        CacheCommand::Show { name: None } => all(api, screen),
        CacheCommand::Flush(args) => flush(args, api, screen),
    }
}

/// Counts in the order they are read: how well it works, then what it costs.
fn pairs(counts: &CacheCounts) -> [(&'static str, String); 6] {
    [
        ("hits", counts.hits.to_string()),
        ("misses", counts.misses.to_string()),
        ("hit ratio", counts.ratio()),
        ("kept", format!("{} in {} pages", views::bytes(counts.bytes), counts.entries)),
        ("fills", counts.fills.to_string()),
        ("evictions", counts.evictions.to_string()),
    ]
}

fn one(name: &str, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.get(&Target::new(&["tenants", name, "cache"]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    Ok(screen.line(&details(&pairs(&views::view(&answer))))?)
}

fn all(api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.get(&Target::new(&["cache"]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let totals: CacheCounts = answer.get("totals").map(views::view).unwrap_or_default();
    screen.line(&details(&pairs(&totals)))?;
    let mut table = Table::new(&["TENANT", "#HITS", "#MISSES", "#RATIO", "#PAGES", "#BYTES", "#EVICTIONS"]);
    for counts in views::items::<CacheCounts>(&answer) {
        table.row([
            counts.tenant.clone(),
            counts.hits.to_string(),
            counts.misses.to_string(),
            counts.ratio(),
            counts.entries.to_string(),
            views::bytes(counts.bytes),
            counts.evictions.to_string(),
        ]);
    }
    if !table.is_empty() {
        screen.line("")?;
    }
    Ok(screen.table(&table, "no page of any site was asked for yet")?)
}

fn flush(args: &FlushArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut wish = Map::new();
    if let Some(tag) = &args.tag {
        wish.insert("tag".to_owned(), Value::from(tag.as_str()));
    }
    if let Some(page) = &args.page {
        wish.insert("url".to_owned(), Value::from(page.as_str()));
    }
    let target = Target::new(&["tenants", &args.name, "cache", "flush"]);
    let answer = api.send(Method::POST, &target, Some(&Value::Object(wish)))?.body;
    let flushed: views::Flushed = views::view(&answer);
    let name = &args.name;
    let done = match (flushed.flushed.as_str(), &args.tag) {
        ("tag", Some(tag)) => format!("pages of {name} with the tag {tag} are made anew"),
        ("url", _) => format!("forgotten at {}", flushed.addresses.join(" ")),
        _ => format!("all pages of {name} are made anew"),
    };
    screen.done(&answer, &done)
}

//! `rowhouse run`: what is and was moved between releases.

mod watch;

pub(super) use watch::{Watched, watch};

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::{Table, details};
use crate::views::{self, ReleaseLabel};
use ureq::http::Method;

/// Runs: activations and rollbacks of releases.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum RunCommand {
    /// List runs, newest first
    List {
        /// At most this many
        #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one run and its sites
    #[command(after_long_help = "\
Examples:
  rowhouse run show
  rowhouse run show 0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a10 --state failed")]
    Show(ShowArgs),
    /// Follow a run to its end
    #[command(after_long_help = "\
Any server can tell how a run goes on; one that goes away meanwhile is asked again. Exit code 6 says that
some sites failed. Ending this command does not end the run.")]
    Watch {
        /// Id of the run; the newest where none is named
        id: Option<String>,
    },
    /// Try the failed sites of a run again, or go on with one that was interrupted
    Resume {
        /// Id of the run
        id: String,
    },
}

/// Arguments of `run show`.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// Id of the run; the newest where none is named
    id: Option<String>,
    /// Only sites in this state
    #[arg(long, value_parser = ["waiting", "running", "moved", "failed", "gone"])]
    state: Option<String>,
    /// At most this many sites
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// Carries out one command.
pub(super) fn run(command: RunCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        RunCommand::List { limit } => list(limit, api, screen),
        RunCommand::Show(args) => show(&args, api, screen),
        RunCommand::Watch { id } => {
            let id = named_or_newest(id, None, api)?;
            let answer = api.get(&of(&id))?;
            watch(Watched { answer, what: format!("run {id}") }, api, screen)
        }
        RunCommand::Resume { id } => {
            let answer = api.send(Method::POST, &Target::new(&["runs", &id, "resume"]), None)?.body;
            watch(Watched { answer, what: format!("resuming run {id}") }, api, screen)
        }
    }
}

fn of(id: &str) -> Target {
    Target::new(&["runs", id])
}

/// The id that was given, or that of the newest run, of one kind where that matters.
pub(super) fn named_or_newest(
    given: Option<String>,
    kind: Option<&str>,
    api: &Api,
) -> Result<String, Failure> {
    if let Some(id) = given {
        return Ok(id);
    }
    // Of the newest twenty: who looks for one before them knows its id.
    let answer = api.list(&Target::new(&["runs"]), Some(20))?;
    let mut newest = views::items::<views::Run>(&answer).into_iter();
    let found = newest.find(|run| kind.is_none_or(|kind| run.kind == kind));
    found.map(|run| run.id).ok_or_else(|| {
        Failure::usage_with("there was no such run yet", "`rowhouse module activate RELEASE` makes one")
    })
}

fn release(run: &views::Run) -> String {
    run.release.as_ref().map(ReleaseLabel::name).unwrap_or_default()
}

fn list(limit: u32, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.list(&Target::new(&["runs"]), usize::try_from(limit).ok())?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table =
        Table::new(&["ID", "KIND", "RELEASE", "STATE", "#MOVED", "#FAILED", "#TOTAL", "STARTED", "BY"]);
    for run in views::items::<views::Run>(&answer) {
        let release = release(&run);
        table.row([
            run.id,
            run.kind,
            release,
            run.state,
            run.moved.to_string(),
            run.failed.to_string(),
            run.total.to_string(),
            views::time(&run.started_at),
            run.actor,
        ]);
    }
    Ok(screen.table(&table, "no runs yet: `rowhouse module activate RELEASE` makes one")?)
}

fn show(args: &ShowArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let id = named_or_newest(args.id.clone(), None, api)?;
    let mut answer = api.get(&of(&id).with("limit", Some("1")))?;
    let wanted = usize::try_from(args.limit).ok();
    let items = api.list(&of(&id).with("state", args.state.as_deref()), wanted)?;
    if screen.json {
        for key in ["items", "next"] {
            if let (Some(place), Some(value)) = (answer.get_mut(key), items.get(key)) {
                *place = value.clone();
            }
        }
        return Ok(screen.document(&answer)?);
    }
    let run: views::Run = views::view(&answer);
    screen.line(&described(&run))?;
    let mut table = Table::new(&["SITE", "STATE", "FROM", "TO", "#ATTEMPTS", "REASON"]);
    for item in views::items::<views::RunItem>(&items) {
        table.row([
            item.tenant,
            item.state,
            item.from.unwrap_or_default(),
            item.to,
            item.attempts.to_string(),
            item.error.unwrap_or_default(),
        ]);
    }
    if !table.is_empty() {
        screen.line("")?;
    }
    screen.table(&table, "no sites to show")?;
    if items.get("next").is_some_and(|next| !next.is_null()) {
        screen.note("there are more; --limit says how many are shown")?;
    }
    Ok(())
}

fn described(run: &views::Run) -> String {
    let counted = |count: u64| if count == 0 { String::new() } else { count.to_string() };
    details(&[
        ("run", run.id.clone()),
        ("kind", run.kind.clone()),
        ("release", release(run)),
        ("state", run.state.clone()),
        ("moved", format!("{} of {}", run.moved, run.total)),
        ("failed", counted(run.failed)),
        ("deleted", counted(run.gone)),
        ("left", counted(run.left)),
        ("taken up", if run.turns > 1 { format!("{} times", run.turns) } else { String::new() }),
        ("takes back", run.rollback_of.clone().unwrap_or_default()),
        ("started", views::time(&run.started_at)),
        ("by", run.actor.clone()),
        ("ended", run.ended_at.as_deref().map(views::time).unwrap_or_default()),
    ])
}

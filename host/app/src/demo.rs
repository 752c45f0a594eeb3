//! `rowhouse demo`: a server with three sample sites, in a folder that goes when it ends.

use crate::command::{self, ServeArgs};
use crate::config::Mode;
use crate::logging;
use crate::server::Server;
use anyhow::Context;
use rowhouse_base::secret::Secret;
use rowhouse_cli::ConnectionArgs;
use rowhouse_control::Control;
use rowhouse_control::types::{CreateTenant, CreateUser};
use rowhouse_identity::Operator;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    serve: ServeArgs,
}

/// Name, title, and which of the shipped module's sample contents.
const SITES: &[(&str, &str, &str)] = &[
    ("harbour-rowing", "Harbour Rowing Club", "club"),
    ("northside-music", "Northside Music School", "school"),
    ("elm-street", "Elm Street Library", "branch"),
];

/// Who may edit the three sites.
const OWNER: &str = "owner";

pub(crate) fn run(args: &DemoArgs, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    let mut config = command::read(&args.serve, connection)?;
    if config.mode == Mode::Single {
        anyhow::bail!("the demo shows several sites: for a single one run `rowhouse serve --single`");
    }
    if args.serve.log.is_none() && args.serve.config.is_none() {
        config.log.filter = "warn".into();
    }
    logging::start(&config.log)?;
    // Removed when this guard goes, which is after the server has stopped.
    let mut folder = None;
    if connection.data.is_none() {
        let fresh = tempfile::Builder::new()
            .prefix("rowhouse-demo-")
            .tempdir()
            .context("make a folder for the demo")?;
        config.data_dir = fresh.path().to_owned();
        folder = Some(fresh);
    }
    command::runtime()?.block_on(async {
        let server = Server::prepare(&config).await?;
        let stopped = command::stopped()?;
        let port = server.address()?.port();
        let operator = operator(&server).await?;
        let owner_password = fill(&server.control, &operator).await?;
        say(
            &server,
            port,
            owner_password.as_ref(),
            &config.data_dir.display().to_string(),
            folder.is_some(),
        )?;
        server.run(stopped).await;
        Ok::<_, anyhow::Error>(())
    })?;
    drop(folder);
    Ok(ExitCode::SUCCESS)
}

async fn operator(server: &Server) -> anyhow::Result<Operator> {
    let found = server.control.identity().operator_by_token(&server.operator_token).await;
    found
        .context("use the operator's token")?
        .context("the operator's token in the data folder is not valid any more")
}

/// Makes the sites and their owner where they are not there. Returns the owner's password where it is new.
async fn fill(control: &Arc<Control>, operator: &Operator) -> anyhow::Result<Option<Secret>> {
    let mut password = None;
    for (name, title, starter) in SITES {
        if control.tenant(operator, name).await.is_ok() {
            continue;
        }
        let request = CreateTenant {
            name: (*name).into(),
            title: Some((*title).into()),
            settings: BTreeMap::from([("starter".to_owned(), (*starter).to_owned())]),
            ..CreateTenant::default()
        };
        control.create_tenant(operator, request).await.with_context(|| format!("make the site {name}"))?;
        if password.is_none() {
            password = make_owner(control, operator).await?;
        }
        control
            .set_member(operator, name, OWNER, &["owner".to_owned()])
            .await
            .with_context(|| format!("give {name} its owner"))?;
    }
    Ok(password)
}

async fn make_owner(control: &Arc<Control>, operator: &Operator) -> anyhow::Result<Option<Secret>> {
    let password = Secret::password();
    let request = CreateUser {
        name: OWNER.into(),
        password: Some(password.reveal().to_owned()),
        ..CreateUser::default()
    };
    match control.create_user(operator, request).await {
        Ok(_) => Ok(Some(password)),
        Err(error)
            if control
                .users(operator, &Default::default())
                .await
                .is_ok_and(|all| all.items.iter().any(|user| user.name == OWNER)) =>
        {
            tracing::debug!(%error, "the owner is there already");
            Ok(None)
        }
        Err(error) => Err(error).context("make the sites' owner"),
    }
}

fn say(
    server: &Server,
    port: u16,
    owner: Option<&Secret>,
    folder: &str,
    is_temporary: bool,
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\nRowhouse is running.\n")?;
    for (name, title, _) in SITES {
        writeln!(out, "  {title:<24} http://{name}.localhost:{port}/   http://localhost:{port}/{name}/")?;
    }
    writeln!(out, "\n  Edit a site   add /manage to its address")?;
    if let Some(password) = owner {
        writeln!(out, "                user {OWNER}, password {}", password.reveal())?;
    }
    writeln!(out, "\n  Console       http://localhost:{port}/-/console")?;
    if let Some((name, password)) = &server.first.admin {
        writeln!(out, "                user {name}, one-time password {}", password.reveal())?;
    }
    let fate = if is_temporary { "removed when the demo ends" } else { "kept" };
    writeln!(out, "\n  Data          {folder} ({fate})")?;
    writeln!(out, "  Command line  rowhouse --url http://localhost:{port} --data {folder} tenant list")?;
    writeln!(out, "\nPress Ctrl-C to stop.")?;
    out.flush()?;
    Ok(())
}

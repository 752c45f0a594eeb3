//! The command line: `serve`, `demo`, `doctor` and `config` are the server's own, the rest is the client's.

use crate::config::{self, Config, Mode};
use crate::server::Server;
use crate::{demo, doctor, logging};
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use rowhouse_base::{Hostname, TenantName};
use rowhouse_cli::{ClientCommand, ConnectionArgs, EXIT_CODES_HELP};
use rowhouse_control::{SingleOwner, SingleSite};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// After how many polls of tasks a worker looks whether connections have something new. tokio's own number is 61: so
/// many polls a new request would wait beside answers that are streamed as fast as the network takes them, and each
/// of those writes a lot.
const EVENT_INTERVAL: u32 = 13;

/// Runs many websites from one WebAssembly site module.
#[derive(Parser)]
#[command(name = "rowhouse", version, after_long_help = EXIT_CODES_HELP)]
struct CommandLine {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    ///
    /// Without a configuration it keeps everything in ./rowhouse-data and listens on 127.0.0.1:8080.
    ///
    /// With --single it runs one site at the base address, with the console at /-/console. Started without, it
    /// is a server of many sites again and that site is one of them.
    Serve(ServeArgs),
    /// Run a server with three sample sites
    Demo(demo::DemoArgs),
    /// Look for what would keep a server from starting or from running well
    ///
    /// Give it what `serve` is given. Exit code 1: something is bad.
    Doctor(ServeArgs),
    /// Read the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(flatten)]
    Client(ClientCommand),
}

#[derive(clap::Args, Clone)]
pub(crate) struct ServeArgs {
    /// Configuration file (TOML)
    #[arg(long, env = "ROWHOUSE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Run one site at the base address; NAME says which where there are several
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    pub(crate) single: Option<Option<TenantName>>,
    /// Title of the one site where the first start makes it
    #[arg(long, value_name = "TITLE", requires = "single", value_parser = config::title)]
    pub(crate) title: Option<String>,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "ROWHOUSE_LISTEN", value_name = "ADDRESS", value_parser = config::listen)]
    pub(crate) listen: Option<SocketAddr>,
    /// NAME.DOMAIN leads to a site, DOMAIN itself to the console
    #[arg(long, env = "ROWHOUSE_BASE_DOMAIN", value_name = "DOMAIN")]
    pub(crate) base_domain: Option<Hostname>,
    /// What to log, such as `info,access=info`
    #[arg(long, env = "ROWHOUSE_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read a configuration file and list every problem
    Check {
        /// The file
        file: PathBuf,
    },
    /// Show the settings as the server would use them
    Show(ServeArgs),
}

/// The program.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    let outcome = match line.command {
        Command::Serve(args) => read(&args, &line.connection).and_then(serve),
        Command::Demo(args) => demo::run(&args, &line.connection),
        Command::Doctor(args) => doctor::run(&args, &line.connection),
        Command::Config(command) => configuration(command, &line.connection),
        Command::Client(command) => {
            rowhouse_cli::run(command, &line.connection, CommandLine::command(), &mut io::stdout())
        }
    };
    outcome.unwrap_or_else(|error| {
        // Nothing is left to do where even standard error is gone.
        drop(writeln!(io::stderr(), "error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// The configuration: defaults, then the file, then the command line.
pub(crate) fn read(args: &ServeArgs, connection: &ConnectionArgs) -> anyhow::Result<Config> {
    let mut config = match &args.config {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    if let Some(dir) = &connection.data {
        config.data_dir.clone_from(dir);
    }
    if let Some(name) = &args.single {
        config.mode = Mode::Single;
        if name.is_some() {
            config.single.name.clone_from(name);
        }
    }
    if args.title.is_some() {
        config.single.title.clone_from(&args.title);
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(domain) = &args.base_domain {
        config.base_domain = domain.clone();
    }
    if let Some(filter) = &args.log {
        config.log.filter.clone_from(filter);
    }
    Ok(config)
}

fn configuration(command: ConfigCommand, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check { file } => {
            Config::read(&file)?;
            writeln!(io::stdout(), "{} is valid", file.display())?;
        }
        ConfigCommand::Show(args) => writeln!(io::stdout(), "{:#?}", read(&args, connection)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(config: Config) -> anyhow::Result<ExitCode> {
    logging::start(&config.log)?;
    runtime()?.block_on(async {
        let server = Server::prepare(&config).await?;
        // Who is told that it is ready may ask it to end at once.
        let stopped = stopped()?;
        let url = format!("{}://{}", config.scheme, server.address()?);
        let mut out = io::stdout().lock();
        if let Some((name, password)) = &server.first.admin {
            writeln!(
                out,
                "first start: sign in at {url}/-/console as {name} with the one-time password {}",
                password.reveal()
            )?;
        }
        if let Some(site) = &server.single {
            say_single(&mut out, site, &url)?;
        }
        writeln!(out, "ready {url}")?;
        out.flush()?;
        drop(out);
        server.run(stopped).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Says what is at the base address, and who may edit it where somebody was just made its owner.
fn say_single(out: &mut impl Write, site: &SingleSite, url: &str) -> io::Result<()> {
    match &site.owner {
        Some(SingleOwner::New(name, password)) => writeln!(
            out,
            "site {}: edit it at {url}/manage as {name} with the one-time password {}",
            site.name,
            password.reveal()
        ),
        Some(SingleOwner::Known(name)) => writeln!(
            out,
            "site {}: edit it at {url}/manage as {name}, who was here before and has a password",
            site.name
        ),
        None => writeln!(out, "site {}: {url}/", site.name),
    }
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .build()
        .context("start the async runtime")
}

/// Done once the process is asked to end (SIGTERM, or Ctrl-C in a terminal).
pub(crate) fn stopped() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> Result<Config, String> {
        let words = line.split('|');
        let line = CommandLine::try_parse_from(words).map_err(|error| error.to_string())?;
        let Command::Serve(args) = line.command else { return Err("not `serve`".to_owned()) };
        read(&args, &line.connection).map_err(|error| error.to_string())
    }

    #[test]
    fn a_single_site_is_asked_for_on_the_command_line() {
        assert_eq!(read_line("rowhouse|serve").unwrap().mode, Mode::Multi);
        let config = read_line("rowhouse|serve|--single").unwrap();
        assert_eq!((config.mode, config.single.name), (Mode::Single, None));
        let config = read_line("rowhouse|serve|--single=Club|--title|Harbour Club").unwrap();
        assert_eq!(config.single.name.unwrap().as_str(), "club");
        assert_eq!(config.single.title.as_deref(), Some("Harbour Club"));
        for (line, expected) in [
            ("rowhouse|serve|--single=admin", "reserved for the server"),
            ("rowhouse|serve|--single|club", "unexpected argument"),
            ("rowhouse|serve|--single|--title| ", "a title of 1 to 200 bytes"),
            ("rowhouse|serve|--title|Club", "--single"),
        ] {
            let error = read_line(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn what_the_file_says_of_the_single_site_stays_where_the_line_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rowhouse.toml");
        std::fs::write(&file, "[single]\nsite = \"club\"\ntitle = \"Harbour Club\"\n").unwrap();
        let line = format!("rowhouse|serve|--config|{}", file.display());
        assert_eq!(read_line(&line).unwrap().mode, Mode::Multi);
        let config = read_line(&format!("{line}|--single")).unwrap();
        assert_eq!(config.mode, Mode::Single);
        assert_eq!(config.single.name.unwrap().as_str(), "club");
        let config = read_line(&format!("{line}|--single=choir")).unwrap();
        assert_eq!(config.single.name.unwrap().as_str(), "choir");
        assert_eq!(config.single.title.as_deref(), Some("Harbour Club"));
    }
}

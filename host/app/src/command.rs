//! The command line: `serve`, `demo` and `config` are the server's own, the rest is the client's.

use crate::config::Config;
use crate::server::Server;
use crate::{demo, logging};
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use rowhouse_base::Hostname;
use rowhouse_cli::{ClientCommand, ConnectionArgs, EXIT_CODES_HELP};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

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
    Serve(ServeArgs),
    /// Run a server with three sample sites
    Demo(demo::DemoArgs),
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
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "ROWHOUSE_LISTEN", value_name = "ADDRESS")]
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
        Command::Config(command) => config(command, &line.connection),
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

fn config(command: ConfigCommand, connection: &ConnectionArgs) -> anyhow::Result<ExitCode> {
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
        let url = format!("{}://{}", config.scheme, server.address()?);
        let mut out = io::stdout().lock();
        if let Some((name, password)) = &server.first.admin {
            writeln!(
                out,
                "first start: sign in at {url}/ as {name} with the one-time password {}",
                password.reveal()
            )?;
        }
        writeln!(out, "ready {url}")?;
        out.flush()?;
        drop(out);
        server.run(stopped()?).await;
        Ok(ExitCode::SUCCESS)
    })
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the async runtime")
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

//! The client half of the `rowhouse` command: it speaks API v1 over HTTP and nothing else.
//!
//! It opens no database and reads no server state; whatever it shows, any other program could fetch
//! with the same token. The app crate flattens [`ClientCommand`] and [`ConnectionArgs`] into its own
//! command line and calls [`run`]. Tokens are sent to the server and never written anywhere else.

mod api;
mod commands;
mod confirm;
mod connection;
mod events;
mod failure;
mod progress;
mod screen;
mod table;
#[cfg(test)]
mod tests;
mod views;

pub use commands::ClientCommand;
pub use connection::{ConnectionArgs, ServerUrl};
pub use failure::EXIT_CODES_HELP;

use failure::Failure;
use screen::Screen;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

/// Runs one client command. Results go to `output`, notes and errors to standard error; the exit code
/// is one of those in [`EXIT_CODES_HELP`]. `root` is the whole command line of the program, from which
/// completions and manual pages are made.
///
/// # Errors
/// Only where `output` can't be written. A reader that closed the pipe early is not an error.
pub fn run(
    command: ClientCommand,
    connection: &ConnectionArgs,
    root: clap::Command,
    output: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let out_is_terminal = io::stdout().is_terminal();
    let mut notes = io::stderr();
    let mut input = io::stdin().lock();
    let mut screen = Screen {
        out: output,
        notes: &mut notes,
        input: &mut input,
        can_ask: io::stdin().is_terminal() && io::stderr().is_terminal(),
        can_animate: io::stderr().is_terminal(),
        width: if out_is_terminal { terminal_width() } else { None },
        json: connection.json,
    };
    let code = run_on(command, connection, root, &mut screen)?;
    Ok(ExitCode::from(code))
}

/// Columns of the terminal, or none where it doesn't tell.
fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _height)| usize::from(width.0))
}

/// As [`run`], on any screen: the form that tests use.
fn run_on(
    command: ClientCommand,
    connection: &ConnectionArgs,
    root: clap::Command,
    screen: &mut Screen<'_>,
) -> anyhow::Result<u8> {
    match commands::run(command, connection, root, screen) {
        Ok(()) => Ok(failure::OK),
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(failure::OK),
        Err(Failure::Output(error)) => Err(anyhow::Error::new(error).context("write the output")),
        Err(failure) => {
            failure.report(screen)?;
            Ok(failure.exit_code())
        }
    }
}

//! `rowhouse user`: people who can sign in.
//!
//! A password never stands on the command line, where other users of the machine could read it.

use crate::api::{Api, Target};
use crate::commands::for_each;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;
use crate::views;
use serde_json::{Map, Value, json};
use ureq::http::Method;

/// People who can sign in.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum UserCommand {
    /// List users
    List {
        /// Only users whose name or email contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Create a user; a one-time password is printed unless one is given
    #[command(after_long_help = "\
Examples:
  rowhouse user create ada --email ada@club.example
  rowhouse user create root2 --super-user
  rowhouse user create ben --password-stdin < password.txt")]
    Create {
        /// Name to sign in with
        name: String,
        /// Email address
        #[arg(long)]
        email: Option<String>,
        /// May use the console and every site's dashboard
        #[arg(long)]
        super_user: bool,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a user a new one-time password
    ResetPassword {
        /// Name of the user
        name: String,
    },
    /// Keep users from signing in
    Disable {
        /// Names of the users
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Let disabled users sign in again
    Enable {
        /// Names of the users
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// End all sessions of users, everywhere
    SignOut {
        /// Names of the users
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Delete a user
    #[command(
        after_long_help = "The name has to be typed, or given with --confirm where nobody can be asked."
    )]
    Delete {
        /// Name of the user
        name: String,
        /// The name once more, in place of typing it
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
}

/// Carries out one command.
pub(super) fn run(command: UserCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        UserCommand::List { search } => list(search.as_deref(), api, screen),
        UserCommand::Create { name, email, super_user, password_stdin } => {
            let mut body = Map::new();
            body.insert("name".into(), name.clone().into());
            body.insert("super_user".into(), super_user.into());
            if let Some(email) = email {
                body.insert("email".into(), email.into());
            }
            if password_stdin {
                body.insert("password".into(), password(screen)?.into());
            }
            let answer = api.send(Method::POST, &Target::new(&["users"]), Some(&Value::Object(body)))?;
            with_password(&answer.body, &format!("{name} can sign in"), screen)
        }
        UserCommand::ResetPassword { name } => {
            let answer = api.send(Method::POST, &Target::new(&["users", &name, "reset-password"]), None)?;
            with_password(&answer.body, &format!("{name} has a new password"), screen)
        }
        UserCommand::Disable { names } => switch(&names, true, "disabled", api, screen),
        UserCommand::Enable { names } => switch(&names, false, "enabled", api, screen),
        UserCommand::SignOut { names } => for_each(&names, screen, |name, screen| {
            let answer = api.send(Method::DELETE, &Target::new(&["users", name, "sessions"]), None)?;
            screen.done(&answer.body, &format!("{name} is signed out everywhere"))
        }),
        UserCommand::Delete { name, confirm: given } => {
            let consequence = format!("This deletes the user `{name}` with their memberships and sessions.");
            confirm(screen, given.as_deref(), &name, &consequence)?;
            let answer = api.send(Method::DELETE, &Target::new(&["users", &name]), None)?;
            screen.done(&answer.body, &format!("{name} is deleted"))
        }
    }
}

fn list(search: Option<&str>, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.list(&Target::new(&["users"]).with("search", search), None)?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["NAME", "EMAIL", "KIND", "STATE", "CREATED"]);
    for user in views::items::<views::User>(&answer) {
        let kind = if user.super_user { "Super User" } else { "user" };
        let state = if user.disabled { "disabled" } else { "enabled" };
        let created = views::time(&user.created_at);
        table.row([user.name, user.email.unwrap_or_default(), kind.into(), state.into(), created]);
    }
    Ok(screen.table(&table, "no user fits")?)
}

fn password(screen: &mut Screen<'_>) -> Result<String, Failure> {
    let line = match screen.can_ask {
        true => screen.ask("Password (shown as you type): ")?,
        false => screen.read_line()?,
    };
    line.filter(|line| !line.is_empty()).ok_or_else(|| Failure::usage("no password came on standard input"))
}

fn switch(
    names: &[String],
    disabled: bool,
    done: &str,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    for_each(names, screen, |name, screen| {
        let body = json!({ "disabled": disabled });
        let answer = api.send(Method::PATCH, &Target::new(&["users", name]), Some(&body))?;
        screen.done(&answer.body, &format!("{name} is {done}"))
    })
}

/// The one-time password is the one secret that is printed: it exists nowhere else.
fn with_password(answer: &Value, done: &str, screen: &mut Screen<'_>) -> Result<(), Failure> {
    screen.done(answer, done)?;
    match answer.get("one_time_password").and_then(Value::as_str) {
        Some(password) if !screen.json => {
            screen.line(&format!("one-time password: {password}"))?;
            Ok(screen.note("It is shown once. It has to be changed at the first sign-in.")?)
        }
        _ => Ok(()),
    }
}

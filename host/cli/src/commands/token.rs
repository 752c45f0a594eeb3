//! `rowhouse token`: API tokens. A new token is shown once, by the command that makes it.

use crate::api::{Api, Target};
use crate::commands::for_each;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::{Table, details};
use crate::views;
use serde_json::{Map, Value};
use ureq::http::Method;

/// API tokens.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum TokenCommand {
    /// List tokens, without the secrets
    List,
    /// Make a token and print it, once
    #[command(after_long_help = "\
Examples:
  rowhouse token create backup-job --scope read --expires 2027-01-01T00:00:00Z
  ROWHOUSE_TOKEN=$(rowhouse token create ci --scope read --scope write --quiet)")]
    Create {
        /// What it is for
        name: String,
        /// What it may do; may be given again
        #[arg(long = "scope", required = true, value_name = "SCOPE", value_parser = ["read", "write"])]
        scopes: Vec<String>,
        /// Time at which it ends, such as 2027-01-01T00:00:00Z [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Print the token alone
        #[arg(long)]
        quiet: bool,
    },
    /// End tokens at once
    Revoke {
        /// Ids as `token list` shows them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// Carries out one command.
pub(super) fn run(command: TokenCommand, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        TokenCommand::List => list(api, screen),
        TokenCommand::Create { name, scopes, expires, quiet } => {
            let mut body = Map::new();
            body.insert("name".into(), name.into());
            body.insert("scopes".into(), scopes.into());
            if let Some(time) = expires {
                body.insert("expires_at".into(), time.into());
            }
            let answer = api.send(Method::POST, &Target::new(&["tokens"]), Some(&Value::Object(body)))?;
            created(&answer.body, quiet, api, screen)
        }
        TokenCommand::Revoke { ids } => for_each(&ids, screen, |id, screen| {
            let answer = api.send(Method::DELETE, &Target::new(&["tokens", id]), None)?;
            screen.done(&answer.body, &format!("{id} is revoked"))
        }),
    }
}

fn list(api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.list(&Target::new(&["tokens"]), None)?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["ID", "NAME", "SCOPES", "EXPIRES", "LAST USED", "CREATED"]);
    for token in views::items::<views::Token>(&answer) {
        let expires = token.expires_at.as_deref().map_or_else(|| "never".to_owned(), views::time);
        let used = token.last_used_at.as_deref().map(views::time).unwrap_or_default();
        let created = views::time(&token.created_at);
        table.row([token.id, token.name, token.scopes.join(", "), expires, used, created]);
    }
    Ok(screen.table(&table, "no tokens yet: `rowhouse token create NAME --scope read` makes one")?)
}

fn created(answer: &Value, quiet: bool, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let Some(secret) = answer.get("token").and_then(Value::as_str) else {
        return Err(api.foreign("a new token without its secret"));
    };
    if quiet {
        return Ok(screen.line(secret)?);
    }
    if screen.json {
        return Ok(screen.document(answer)?);
    }
    let token: views::Token = views::view(answer);
    screen.line(&details(&[
        ("token", secret.to_owned()),
        ("name", token.name),
        ("scopes", token.scopes.join(", ")),
        ("expires", token.expires_at.as_deref().map_or_else(|| "never".to_owned(), views::time)),
        ("id", token.id),
    ]))?;
    Ok(screen.note("The token is shown once: keep it where no one else can read it.")?)
}

//! `rowhouse status`: version and state of the server.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::details;
use crate::views::{self, ReleaseLabel};

/// Shows version, generation, numbers of sites by state, and the default release.
pub(super) fn run(api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.get(&Target::new(&["status"]))?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let status: views::Status = views::view(&answer);
    let tenants: Vec<_> = status
        .tenants
        .iter()
        .filter(|(state, count)| **count > 0 || *state == "active")
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    Ok(screen.line(&details(&[
        ("server", api.url().to_string()),
        ("version", status.version),
        ("generation", status.generation.to_string()),
        ("tenants", tenants.join(", ")),
        (
            "default release",
            status.default_release.as_ref().map(ReleaseLabel::name).unwrap_or_else(|| "none".to_owned()),
        ),
    ]))?)
}

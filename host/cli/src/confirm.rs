//! Proof that a person means a destructive command: the name, typed or given with `--confirm`.

use crate::failure::Failure;
use crate::screen::{Screen, plain};

/// Succeeds where `given` is the name, or a person types it after reading `consequence`.
///
/// # Errors
/// [`Failure::Usage`] where the name differs or nobody can be asked.
pub(crate) fn confirm(
    screen: &mut Screen<'_>,
    given: Option<&str>,
    name: &str,
    consequence: &str,
) -> Result<(), Failure> {
    if let Some(given) = given {
        return match given == name {
            true => Ok(()),
            false => Err(Failure::usage(format!("--confirm says `{given}`, but this is about `{name}`"))),
        };
    }
    if !screen.can_ask {
        return Err(Failure::usage_with(
            format!("{consequence} Nobody can be asked here."),
            format!("add --confirm {name}"),
        ));
    }
    screen.note(&plain(consequence))?;
    let answer = screen.ask(&format!("Type `{name}` to go on: "))?;
    match answer.as_deref().map(str::trim) == Some(name) {
        true => Ok(()),
        false => Err(Failure::usage("the name was not typed: nothing was done")),
    }
}

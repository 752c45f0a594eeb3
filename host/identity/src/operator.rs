//! The permit that every service of the control plane asks for.

/// Proof that somebody authenticated as an operator: a Super User at the console, or an API token.
/// There is no public way to make one but [`crate::Identity::operator_by_token`] and
/// [`crate::SignedIn::operator`].
#[derive(Clone, Debug)]
pub struct Operator {
    actor: String,
    writes: bool,
}

/// The permit allows reading only.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this token may read but not write")]
pub struct NotAllowed;

impl Operator {
    pub(crate) fn made(actor: String, writes: bool) -> Self {
        Self { actor, writes }
    }

    /// Who reads: `user NAME` or `token NAME`.
    #[must_use]
    pub fn reader(&self) -> &str {
        &self.actor
    }

    /// Who changes something, for the audit trail. Every service that changes anything needs this name
    /// first, so none can forget to ask.
    ///
    /// # Errors
    /// [`NotAllowed`] for a read-only token.
    pub fn writer(&self) -> Result<&str, NotAllowed> {
        if self.writes { Ok(&self.actor) } else { Err(NotAllowed) }
    }
}

//! The lifecycle of a tenant: provisioning → active ⇄ suspended → trashed → deleting → gone; while it is on
//! its way to another data server it is moving.
//!
//! Each state is recorded before the work it names is done, so that a crash leaves a state from which
//! the work goes on. `gone` is the absence of the row.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where a tenant stands in its lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantState {
    /// Being made. Never served; completed or cleaned up at the next start.
    Provisioning,
    /// Served.
    Active,
    /// Answers 503 until it is resumed.
    Suspended,
    /// On its way to another data server. Answers 503 until it is there.
    Moving,
    /// Deleted by its operator, kept until the trash period is over. Its name and addresses are free.
    Trashed,
    /// Being removed. Removal goes on after a crash.
    Deleting,
}

/// The text names no state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a tenant state: provisioning, active, suspended, moving, trashed or deleting")]
pub struct InvalidState(String);

impl TenantState {
    /// The state as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Moving => "moving",
            Self::Trashed => "trashed",
            Self::Deleting => "deleting",
        }
    }

    /// True where a request may reach the tenant, if only to be told to come back later.
    #[must_use]
    pub fn has_address(self) -> bool {
        matches!(self, Self::Active | Self::Suspended | Self::Moving)
    }
}

impl fmt::Display for TenantState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TenantState {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        [Self::Provisioning, Self::Active, Self::Suspended, Self::Moving, Self::Trashed, Self::Deleting]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| InvalidState(text.to_owned()))
    }
}

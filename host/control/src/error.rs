//! What a service of the control plane answers when it does not do what was asked.

use crate::ports::{CheckError, PortError};
use crate::store::DatabaseError;
use rowhouse_identity::{NotAllowed, PasswordError, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The field, as in the request.
    pub field: String,
    /// What would be right.
    pub detail: String,
}

/// Why a service did not do what was asked. The first five are the operator's to mend and say how; the
/// text of the others is for logs.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The permit allows reading only.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// `tenant`, `release`, …
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// It can't be done as things stand.
    #[error("{0}")]
    Conflict(String),
    /// The request is wrong.
    #[error("the request has {} wrong field(s)", .0.len())]
    Invalid(Vec<FieldError>),
    /// Another room refused something that the operator asked for, such as a migration.
    #[error("{doing}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// What the room said; shown to operators.
        #[source]
        source: PortError,
    },
    /// The control database failed.
    #[error("keep the control state")]
    Database(#[from] DatabaseError),
    /// The identity room's store failed.
    #[error("keep the control state")]
    Identity(#[from] StoreError),
    /// Passwords could not be hashed.
    #[error("hash a password")]
    Password(#[from] PasswordError),
    /// The work ended without an answer.
    #[error("the work was stopped before it ended")]
    Stopped,
}

impl ControlError {
    /// One wrong field.
    pub(crate) fn field(field: &str, detail: impl ToString) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), detail: detail.to_string() }])
    }

    pub(crate) fn not_found(what: &'static str, name: impl ToString) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    pub(crate) fn port(doing: &'static str) -> impl FnOnce(PortError) -> Self {
        move |source| Self::Refused { doing, source }
    }
}

impl From<CheckError> for ControlError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Faults(faults) => Self::Invalid(
                faults.into_iter().map(|detail| FieldError { field: "module".to_owned(), detail }).collect(),
            ),
            CheckError::Port(source) => Self::Refused { doing: "check the module", source },
        }
    }
}

//! What a handler may return instead of a response.
//!
//! Each case has one status. Internal text (a failed statement, a failed template) goes to the log and
//! never to the visitor. Called by handlers through `?` and by [`crate::Site::error_page`].

use crate::{response::Response, sql::SqlError};

/// What a handler returns.
pub type Result<T = Response> = std::result::Result<T, Error>;

/// Why a request has no ordinary answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: there is no such thing.
    #[error("not found")]
    NotFound,
    /// 405: the path exists, the method does not. Holds the methods that do.
    #[error("method not allowed")]
    MethodNotAllowed(String),
    /// 400, with a text for the visitor.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// 403: signed in, without the role.
    #[error("forbidden")]
    Forbidden,
    /// 303 to the sign-in page; holds the full visitor path to return to.
    #[error("sign-in required")]
    SignIn {
        /// Where the sign-in page is.
        location: String,
    },
    /// 503 with Retry-After where the database was busy, away or too slow, 500 otherwise.
    #[error("a statement failed")]
    Sql(#[from] SqlError),
    /// 500: a template failed.
    #[error("a template failed")]
    Template(#[from] askama::Error),
    /// 500, with a text for the operator.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The status this error is answered with.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::BadRequest(_) => 400,
            Self::Forbidden => 403,
            Self::SignIn { .. } => 303,
            Self::Sql(error) if error.is_passing() => 503,
            Self::Sql(_) | Self::Template(_) | Self::Internal(_) => 500,
        }
    }

    /// A short text for the visitor, without internals.
    pub fn public_text(&self) -> &str {
        match self {
            Self::NotFound => "There is nothing at this address.",
            Self::MethodNotAllowed(_) => "This address can't be used in that way.",
            Self::BadRequest(text) => text,
            Self::Forbidden => "You are signed in, but your account has no access to this page.",
            Self::SignIn { .. } => "Please sign in.",
            Self::Sql(error) if error.is_passing() => "The site is busy. Please try again in a moment.",
            Self::Sql(_) | Self::Template(_) | Self::Internal(_) => "Something went wrong on our side.",
        }
    }

    /// The error with all its sources, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

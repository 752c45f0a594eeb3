//! What handlers answer with: pages, redirects that say what was done, and pages that say why it was not.
//!
//! A redirect carries the name of a prepared sentence, never text: a forged link can't put words into the
//! console's mouth, and nothing has to be kept between two requests.

use super::gate::Visitor;
use super::views::{ConfirmPage, Flash, Frame, ProblemPage, Section, labelled};
use crate::api::{Problem, RETRY};
use crate::error::{ControlError, FieldError};
use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, StatusCode};
use rowhouse_base::Chain;

/// What every page may load and do: its style sheet, and forms to its own origin.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// What every answer of the console says about itself.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let fields: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY));
    }
    response
}

macro_rules! done {
    ($($name:ident $code:literal $text:literal;)*) => {
        /// What a redirect says was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Done { $(#[doc = $text] $name,)* }

        impl Done {
            /// As it stands in a URL.
            fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// As it is shown.
            pub(super) fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

done! {
    SiteMade "site-made" "The tenant is made and served.";
    Saved "saved" "The change is saved and holds from the next request.";
    Suspended "suspended" "The tenant is suspended.";
    Resumed "resumed" "The tenant is served again.";
    Cloned "cloned" "The clone is made. It is suspended until you resume it.";
    Relocated "relocated" "The tenant is on the other data server.";
    Flushed "flushed" "Every page is made anew when it is next asked for.";
    Emptied "emptied" "The tenant is empty. It is suspended until you resume it.";
    Trashed "trashed" "The tenant is in the trash.";
    Stored "stored" "The release is stored. Activate it to move tenants to it.";
    Known "known" "The release was stored already, with the same bytes.";
    ReleaseDeleted "release-deleted" "The release is deleted.";
    NothingToMove "nothing-to-move" "No tenant had to move: all that were meant run this release already.";
    RunBegun "run-begun" "The run has begun. Tenants move one after the other.";
    RunResumed "run-resumed" "The run goes on.";
    RolledBack "rolled-back" "The rollback has begun.";
    Draining "draining" "The server was told to finish what is in flight and to go.";
    SignedOut "signed-out" "All sessions of the user are over.";
    PasswordChanged "password-changed" "Your password is changed. You are signed out everywhere else.";
    UserDeleted "user-deleted" "The user is deleted.";
    TokenRevoked "token-revoked" "The token is revoked.";
}

impl Done {
    /// From the query of the page that a redirect led to. The last one counts: a way back may have one already.
    pub(super) fn from_query(query: &str) -> Option<Self> {
        query.rsplit('&').find_map(|pair| pair.strip_prefix("done=")).and_then(Self::from_code)
    }

    /// Leads to a page, which says so.
    pub(super) fn at(self, path: &str) -> Response {
        Redirect::to(&format!("{path}?done={}", self.code())).into_response()
    }
}

/// A page, or the page that stands in for it.
pub(super) type Answer = Result<Response, Response>;

/// Renders a page.
pub(super) fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

/// Renders a page with another status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(error = %Chain(&error), "render a page of the console");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered\n").into_response()
        }
    }
}

/// Why something was not done: the status, what to say, and which fields are wrong.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub text: String,
    pub errors: Vec<FieldError>,
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        let chain = Chain(&error).to_string();
        let problem = Problem::from(error);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::error!(error = %chain, "answer a request of the console");
        }
        let text = if problem.errors.is_empty() {
            sentence(&problem.detail)
        } else {
            "Some fields are wrong.".to_owned()
        };
        Self { status, text, errors: problem.errors }
    }
}

impl Refusal {
    /// The message for a page whose form has no place for the field errors.
    pub(super) fn flash(self) -> Flash {
        let one = match self.errors.as_slice() {
            [only] => Some(sentence(&only.detail)),
            _ => None,
        };
        let lines = if one.is_some() { Vec::new() } else { self.errors.iter().map(labelled).collect() };
        Flash { good: false, text: one.unwrap_or(self.text), lines }
    }

    /// The name that was to be typed was not.
    pub(super) fn untyped() -> Self {
        let text = "The name was not typed. Nothing was done.".to_owned();
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, text, errors: Vec::new() }
    }

    /// The page that asked, with why nothing was done.
    pub(super) fn on(self, mut asked: ConfirmPage) -> Response {
        let status = self.status;
        asked.frame = asked.frame.with(Some(self.flash()));
        page_with(status, &asked)
    }

    /// A page of its own, where there is no form to go back to.
    pub(super) fn page(self, section: Section, visitor: &Visitor) -> Response {
        let status = self.status;
        let title =
            if status == StatusCode::NOT_FOUND { "There is no such thing" } else { "That did not work" };
        let flash = self.flash();
        let text = if flash.lines.is_empty() { flash.text } else { flash.lines.join("; ") };
        page_with(status, &ProblemPage { frame: Frame::new(section, title, &visitor.name), text })
    }
}

/// Error texts begin in lower case and have no full stop; on a page they are sentences.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_prepared_sentences_come_back_from_a_url() {
        assert_eq!(Done::from_query("search=x&done=trashed"), Some(Done::Trashed));
        assert_eq!(Done::from_query("done=Your+password+has+expired"), None);
        assert_eq!(Done::from_query("undone=trashed"), None);
        assert_eq!(Done::from_query("done=trashed&done=saved"), Some(Done::Saved));
    }

    #[test]
    fn errors_read_as_sentences() {
        assert_eq!(sentence("there is no tenant `club`"), "There is no tenant `club`.");
        assert_eq!(sentence("`www` is reserved."), "`www` is reserved.");
        assert_eq!(sentence(""), "");
    }
}

//! A request, as the host hands it over.
//!
//! The path has its base taken off and begins with `/`; the visitor's own view of it is made by
//! [`Request::urls`]. It refuses bodies that are not forms where a form is asked for. Invariant: who the
//! visitor is gets asked at most once, and only when a handler wants to know. Called by handlers.

use std::cell::OnceCell;

use crate::{
    error::{Error, Result},
    form::Form,
    identity::{self, User},
    url::{self, Urls},
};

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    method: String,
    path: String,
    query: Option<String>,
    origin: String,
    base_path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    user: OnceCell<Option<User>>,
}

impl Request {
    #[cfg(target_family = "wasm")]
    pub(crate) fn new(
        method: String,
        path: String,
        query: Option<String>,
        origin: String,
        base_path: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Self {
        Self { method, path, query, origin, base_path, headers, body, user: OnceCell::new() }
    }

    /// A GET of a path and perhaps a query, for tests.
    pub fn get(target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let method = "GET".to_owned();
        let origin = "https://example.test".to_owned();
        Self { method, path: path.to_owned(), query, origin, ..Self::default() }
    }

    /// A POST of a form, for tests.
    pub fn post(target: &str, fields: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", url::encode(name), url::encode(value));
        let body = fields.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes();
        let request = Self { method: "POST".to_owned(), body, ..Self::get(target) };
        request.with_header("content-type", "application/x-www-form-urlencoded")
    }

    /// Adds a field, for tests. `name` is in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts the site under a base path (`/NAME`), for tests.
    #[must_use]
    pub fn with_base_path(mut self, base_path: &str) -> Self {
        base_path.clone_into(&mut self.base_path);
        self
    }

    /// Sets the method, for tests.
    #[must_use]
    pub fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// `GET`, `POST`, …
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path within the site, percent-encoded, beginning with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows `?`, without it.
    pub fn query_string(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// One query parameter, decoded. The first, where there are several.
    pub fn query(&self, name: &str) -> Option<String> {
        let pairs = url::pairs(self.query.as_deref()?);
        pairs.into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// `https://host[:port]` as the visitor used it.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What precedes the path in the visitor's URL: empty, or `/NAME`.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Makes links for this request.
    pub fn urls(&self) -> Urls {
        Urls::new(self.origin.clone(), self.base_path.clone())
    }

    /// The first field of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as a form.
    ///
    /// # Errors
    /// `BadRequest` where the body is not an urlencoded form.
    pub fn form(&self) -> Result<Form> {
        let media_type = self.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Error::BadRequest("This address takes a form.".to_owned()));
        }
        let text = std::str::from_utf8(&self.body);
        let text =
            text.map_err(|_not_utf8| Error::BadRequest("The form is not readable text.".to_owned()))?;
        Ok(Form::from_pairs(url::pairs(text)))
    }

    /// The signed-in user, or none. A page that asked is never shared between visitors.
    pub fn user(&self) -> Option<&User> {
        self.user.get_or_init(identity::current).as_ref()
    }

    /// The signed-in user, who has at least one of the roles.
    ///
    /// # Errors
    /// `SignIn` where nobody is signed in: a redirect to the host's sign-in page and back.
    /// `Forbidden` where the user has none of the roles.
    pub fn require_role(&self, roles: &[&str]) -> Result<&User> {
        let Some(user) = self.user() else {
            return Err(Error::SignIn { location: self.urls().sign_in(&self.return_path()).into() });
        };
        if roles.iter().any(|role| user.has_role(role)) { Ok(user) } else { Err(Error::Forbidden) }
    }

    /// Where to come back to after signing in. A form that was sent is not sent again: the way leads back to
    /// the page it stood on, where the browser names it, and to the home page otherwise.
    fn return_path(&self) -> String {
        if !matches!(self.method.as_str(), "GET" | "HEAD") {
            let from = self.header("referer").and_then(|from| from.strip_prefix(self.origin.as_str()));
            let from = from.and_then(|from| from.strip_prefix(self.base_path.as_str()));
            return from.filter(|from| from.starts_with('/')).unwrap_or("/").to_owned();
        }
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

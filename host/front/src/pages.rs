//! Pages of the server's own, the same on every site. Self-contained: nothing else is loaded.

use askama::Template;

/// The style sheet that every page carries inline.
const CSS: &str = include_str!("../templates/host.css");

/// Why there is no page.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    css: &'static str,
    pub(crate) status: u16,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    pub(crate) request_id: String,
}

impl<'a> ErrorPage<'a> {
    pub(crate) fn new(status: u16, title: &'a str, text: &'a str, request_id: String) -> Self {
        Self { css: CSS, status, title, text, request_id }
    }
}

/// The sign-in form.
#[derive(Template)]
#[template(path = "sign-in.html")]
pub(crate) struct SignInPage<'a> {
    css: &'static str,
    pub(crate) title: &'a str,
    pub(crate) home: &'a str,
    pub(crate) action: &'a str,
    pub(crate) return_to: &'a str,
    pub(crate) name: &'a str,
    pub(crate) error: Option<&'a str>,
}

impl<'a> SignInPage<'a> {
    pub(crate) fn new(title: &'a str, home: &'a str, action: &'a str, return_to: &'a str) -> Self {
        Self { css: CSS, title, home, action, return_to, name: "", error: None }
    }
}

/// The form for another password.
#[derive(Template)]
#[template(path = "change-password.html")]
pub(crate) struct PasswordPage<'a> {
    css: &'static str,
    pub(crate) title: &'a str,
    pub(crate) action: &'a str,
    pub(crate) return_to: &'a str,
    pub(crate) name: &'a str,
    pub(crate) forced: bool,
    pub(crate) shortest: usize,
    pub(crate) error: Option<&'a str>,
}

impl<'a> PasswordPage<'a> {
    pub(crate) fn new(
        title: &'a str,
        action: &'a str,
        return_to: &'a str,
        name: &'a str,
        forced: bool,
    ) -> Self {
        Self { css: CSS, title, action, return_to, name, forced, shortest: SHORTEST, error: None }
    }
}

/// The identity room's rule, shown in the form.
const SHORTEST: usize = 10;

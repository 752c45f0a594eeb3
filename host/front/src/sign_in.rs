//! `/-/sign-in`, `/-/sign-out` and `/-/password`, the same on every site; the console's are below `/-/console`, so
//! that they stay apart where the console and a site share a host.
//!
//! A guest never takes part: the form goes to the host, the host sets the cookie.

use crate::arriving::Arriving;
use crate::facts::Facts;
use crate::pages::{PasswordPage, SignInPage};
use crate::reply::{self, Answer};
use crate::visitor;
use askama::Template;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use rowhouse_base::Chain;
use rowhouse_base::secret::Secret;
use rowhouse_identity::{ChangeError, Identity, Scope, SignInError, SignedIn, StoreError, cookie};
use rowhouse_tenant::Tenant;
use std::collections::HashMap;
use std::time::Duration;

/// A name, two passwords and an address fit many times over.
const FORM_BYTES: usize = 16 << 10;

/// A form of that size takes a moment, on a slow line some seconds.
const FORM_TIME: Duration = Duration::from_secs(30);

/// How long people are told to wait where nobody can be looked up: databases are started anew within that time.
const RETRY: Duration = Duration::from_secs(30);

/// Where the forms stand.
pub(crate) struct Desk<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) facts: &'a Facts,
    pub(crate) scope: Scope,
    /// The title of the site.
    pub(crate) title: &'a str,
    /// What all paths begin with that lead back here: empty, `/NAME`, or [`CONSOLE`].
    pub(crate) base_path: &'a str,
    /// The folder of the forms, with `/` at its end.
    pub(crate) forms: String,
    /// Where the browser sends the cookie.
    pub(crate) cookie_path: &'a str,
    /// Where to go after signing in, without another wish.
    pub(crate) landing: String,
}

/// What a form says that could not be carried out because the store did not answer.
const UNCHANGED: &str =
    "This is not possible at the moment. Nothing was changed. Please try again in a minute.";

/// Where the console is on its host.
pub(crate) const CONSOLE: &str = "/-/console";

/// True where the last part of a path names one of the forms.
pub(crate) fn is_form(name: &str) -> bool {
    matches!(name, "sign-in" | "sign-out" | "password")
}

type Request = http::Request<Arriving>;

impl<'a> Desk<'a> {
    /// The desk of a site that is reached at this path: empty, or `/NAME`.
    pub(crate) fn of_site(
        identity: &'a Identity,
        facts: &'a Facts,
        tenant: &'a Tenant,
        base_path: &'a str,
    ) -> Self {
        Self {
            identity,
            facts,
            scope: Scope::Tenant(tenant.id),
            title: &tenant.title,
            base_path,
            forms: format!("{base_path}/-/"),
            cookie_path: base_path,
            landing: format!("{base_path}/manage"),
        }
    }

    /// The desk of the console.
    pub(crate) fn of_console(identity: &'a Identity, facts: &'a Facts) -> Self {
        Self {
            identity,
            facts,
            scope: Scope::Console,
            title: "Rowhouse console",
            base_path: CONSOLE,
            forms: format!("{CONSOLE}/"),
            cookie_path: cookie::CONSOLE_PATH,
            landing: format!("{CONSOLE}/"),
        }
    }
}

impl Desk<'_> {
    /// Answers where `form` is one of the forms' names.
    pub(crate) async fn answer(&self, form: &str, request: Request, cookies: Option<&str>) -> Option<Answer> {
        let is_post = request.method() == Method::POST;
        if is_post && visitor::is_cross_site(&request, self.facts, cookies.is_some()) {
            return Some(reply::cross_site(self.facts.id));
        }
        match form {
            "sign-in" if is_post => Some(self.sign_in(request).await),
            "sign-in" => Some(self.ask_name(&request, cookies).await),
            "sign-out" if is_post => Some(self.sign_out(cookies).await),
            "sign-out" => Some(reply::see_other(&self.home())),
            "password" => Some(self.password(request, cookies, is_post).await),
            _ => None,
        }
    }

    fn home(&self) -> String {
        format!("{}/", self.base_path)
    }

    fn at(&self, form: &str) -> String {
        format!("{}{form}", self.forms)
    }

    /// A way back within this site; anything else would let a link send people elsewhere after signing in.
    fn way_back(&self, wish: Option<&str>) -> String {
        let within = |wish: &&str| {
            wish.strip_prefix(self.base_path).is_some_and(|rest| rest.starts_with('/'))
                && !wish.starts_with("//")
                // Browsers leave control characters out, and what is left may lead elsewhere.
                && !wish.contains(|letter: char| letter == '\\' || letter.is_control())
        };
        wish.filter(within).map_or_else(|| self.landing.clone(), str::to_owned)
    }

    /// The way back after a change of the password. The console says there that it worked; a site's pages are its own.
    fn way_on(&self, mut return_to: String) -> String {
        if self.scope == Scope::Console {
            return_to.push(if return_to.contains('?') { '&' } else { '?' });
            return_to.push_str("done=password-changed");
        }
        return_to
    }

    async fn ask_name(&self, request: &Request, cookies: Option<&str>) -> Answer {
        let query = parse(request.uri().query().unwrap_or_default().as_bytes());
        let return_to = self.way_back(query.get("return-to").map(String::as_str));
        if self.identity.is_reachable().await.is_err() {
            return self.unreachable();
        }
        if let Some(person) = visitor::signed_in(self.identity, self.scope, cookies).await
            && person.must_change_password
        {
            return self.to_password(&return_to);
        }
        let action = self.at("sign-in");
        reply::page(StatusCode::OK, SignInPage::new(self.title, &self.home(), &action, &return_to).render())
    }

    fn to_password(&self, return_to: &str) -> Answer {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("return-to", return_to).finish();
        reply::see_other(&format!("{}?{query}", self.at("password")))
    }

    async fn sign_in(&self, request: Request) -> Answer {
        let Some(form) = read_form(request).await else { return self.unreadable() };
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let return_to = self.way_back(form.get("return_to").map(String::as_str));
        let password = Secret::from_text(field("password"));
        let signed_in =
            self.identity.sign_in(self.scope, field("name"), password, Some(self.facts.client)).await;
        match signed_in {
            Ok(token) => {
                let mut answer = if token.must_change_password {
                    self.to_password(&return_to)
                } else {
                    reply::see_other(&return_to)
                };
                self.set_cookie(
                    &mut answer,
                    &cookie::set(&token.secret, self.cookie_path, self.secure(), token.lifetime),
                );
                answer
            }
            Err(error) => match self.refusal(error) {
                Ok((status, text)) => {
                    let action = self.at("sign-in");
                    let home = self.home();
                    let mut page = SignInPage::new(self.title, &home, &action, &return_to);
                    page.name = field("name");
                    page.error = Some(&text);
                    reply::page(status, page.render())
                }
                Err(error) => {
                    self.log(&error, "sign somebody in").await;
                    self.unreachable()
                }
            },
        }
    }

    /// What a form says that was refused. An error where the store did not answer, which is no refusal.
    fn refusal(&self, error: SignInError) -> Result<(StatusCode, String), StoreError> {
        Ok(match error {
            SignInError::Denied => {
                (StatusCode::UNPROCESSABLE_ENTITY, "This name and password don't fit together here.".into())
            }
            SignInError::TooMany(wait) => {
                let minutes = wait.as_secs().div_ceil(60).max(1);
                let text = format!("Too many attempts. Please try again in {minutes} min.");
                (StatusCode::TOO_MANY_REQUESTS, text)
            }
            SignInError::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Many people are signing in. Please try again in a moment.".into(),
            ),
            SignInError::Store(error) => return Err(error),
            SignInError::Password(_) => {
                tracing::error!(request = %self.facts.id, error = %Chain(&error), "sign somebody in");
                (StatusCode::INTERNAL_SERVER_ERROR, "Signing in failed on our side. Please try again.".into())
            }
        })
    }

    /// Who is signed in. Who asks is about to change that, so a store that does not answer is an error here.
    async fn session(&self, cookies: Option<&str>) -> Result<Option<SignedIn>, StoreError> {
        match cookies {
            Some(cookies) => self.identity.session(self.scope, cookies).await,
            None => Ok(None),
        }
    }

    async fn sign_out(&self, cookies: Option<&str>) -> Answer {
        let ended = async {
            match self.session(cookies).await? {
                Some(person) => self.identity.sign_out(&person).await,
                None => Ok(()),
            }
        };
        if let Err(error) = ended.await {
            self.log(&error, "sign somebody out").await;
            let title = "Signing out is not possible now";
            return self.unavailable(title, "You are still signed in. Please try again in a minute.");
        }
        let mut answer = reply::see_other(&self.home());
        self.set_cookie(&mut answer, &cookie::clear(self.cookie_path, self.secure()));
        answer
    }

    async fn password(&self, request: Request, cookies: Option<&str>, is_post: bool) -> Answer {
        let person = match self.session(cookies).await {
            Ok(Some(person)) => person,
            Ok(None) => return reply::see_other(&self.at("sign-in")),
            Err(error) => {
                self.log(&error, "look a session up").await;
                return self.unavailable("Changing a password is not possible now", UNCHANGED);
            }
        };
        if is_post {
            return self.change_password(request, &person).await;
        }
        let query = parse(request.uri().query().unwrap_or_default().as_bytes());
        let return_to = self.way_back(query.get("return-to").map(String::as_str));
        self.password_page(StatusCode::OK, &person, &return_to, None)
    }

    async fn change_password(&self, request: Request, person: &SignedIn) -> Answer {
        let Some(form) = read_form(request).await else { return self.unreadable() };
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let return_to = self.way_back(form.get("return_to").map(String::as_str));
        if field("new_password") != field("new_password_again") {
            let text = "The two new passwords differ.";
            return self.password_page(StatusCode::UNPROCESSABLE_ENTITY, person, &return_to, Some(text));
        }
        let current = Secret::from_text(field("current_password"));
        let new = Secret::from_text(field("new_password"));
        let changed = self.identity.change_password(person, current, new, Some(self.facts.client)).await;
        let refused = match changed {
            Ok(()) => return reply::see_other(&self.way_on(return_to)),
            Err(ChangeError::Current(SignInError::Denied)) => {
                Ok((StatusCode::UNPROCESSABLE_ENTITY, "The present password is not right.".to_owned()))
            }
            Err(ChangeError::Current(other)) => self.refusal(other),
            Err(error @ (ChangeError::Weak(_) | ChangeError::Same)) => {
                Ok((StatusCode::UNPROCESSABLE_ENTITY, sentence(&error)))
            }
            Err(ChangeError::Store(error)) => Err(error),
        };
        match refused {
            Ok((status, text)) => self.password_page(status, person, &return_to, Some(&text)),
            Err(error) => {
                self.log(&error, "change a password").await;
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let mut answer = self.password_page(status, person, &return_to, Some(UNCHANGED));
                reply::retry_after(&mut answer, RETRY);
                answer
            }
        }
    }

    fn password_page(
        &self,
        status: StatusCode,
        person: &SignedIn,
        return_to: &str,
        error: Option<&str>,
    ) -> Answer {
        let action = self.at("password");
        let name = person.name.as_str();
        let mut page = PasswordPage::new(self.title, &action, return_to, name, person.must_change_password);
        page.error = error;
        reply::page(status, page.render())
    }

    /// Nobody can be looked up at the moment. Whoever is sent here from a page for members learns why.
    fn unreachable(&self) -> Answer {
        let text = "Signing in is not possible at the moment, so you are treated as signed out. The pages for everybody \
                    go on. Please try again in a minute: you may still be signed in then.";
        self.unavailable("Signing in is not possible now", text)
    }

    fn unavailable(&self, title: &str, text: &str) -> Answer {
        let mut answer = reply::error(self.facts.id, StatusCode::SERVICE_UNAVAILABLE, title, text);
        reply::retry_after(&mut answer, RETRY);
        answer
    }

    /// Tells the operator that the store did not answer. One line per visitor would say nothing new while that is known.
    async fn log(&self, error: &StoreError, doing: &'static str) {
        let is_known = self.identity.is_reachable().await.is_err();
        let (request, error) = (self.facts.id, Chain(error));
        if is_known {
            tracing::debug!(%request, %error, "{doing}");
        } else {
            tracing::error!(%request, %error, "{doing}");
        }
    }

    fn unreadable(&self) -> Answer {
        reply::error(
            self.facts.id,
            StatusCode::BAD_REQUEST,
            "Bad request",
            "The form did not arrive in full.",
        )
    }

    fn secure(&self) -> bool {
        self.facts.origin.starts_with("https:")
    }

    fn set_cookie(&self, answer: &mut Answer, value: &str) {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                answer.headers_mut().append(header::SET_COOKIE, value);
            }
            Err(error) => tracing::error!(request = %self.facts.id, %error, "set the session cookie"),
        }
    }
}

/// An error as a sentence for people.
fn sentence(error: &ChangeError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn parse(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

async fn read_form(request: Request) -> Option<HashMap<String, String>> {
    let body = Limited::new(request.into_body(), FORM_BYTES).collect();
    let body: Bytes = tokio::time::timeout(FORM_TIME, body).await.ok()?.ok()?.to_bytes();
    Some(parse(&body))
}

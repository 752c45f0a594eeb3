//! Runs a site natively, without WebAssembly: an in-memory database, a made-up tenant and visitor.
//!
//! It is for tests of a site's own behaviour. It does not imitate the host's limits, its SQL guard or its
//! cache; those are tested with the host. A broken migration or upgrade panics at once, with the
//! statement. Invariant: every [`TestSite`] has a database of its own. Called by tests.
//!
//! ```
//! use rowhouse_sdk::{prelude::*, testing::TestSite};
//!
//! struct Hello;
//! impl Site for Hello {
//!     fn routes() -> Router {
//!         Router::new().get("/", |_: &Request| Response::text(tenant::current().title))
//!     }
//! }
//!
//! let site = TestSite::new::<Hello>();
//! assert_eq!(site.get("/").send().body_text(), "Example");
//! ```

mod database;

use std::rc::Rc;

use crate::{
    host::with_backend,
    identity::User,
    request::Request,
    response::Response,
    site::{self, Site},
    sql::Dialect,
    tenant::Tenant,
};
use database::TestBackend;

/// A site with a database of its own.
pub struct TestSite {
    backend: Rc<TestBackend>,
    answer: fn(&Request) -> Response,
    base_path: String,
}

/// Sets up a [`TestSite`].
#[derive(Default)]
pub struct TestSiteBuilder {
    tenant: Tenant,
    settings: Vec<(String, String)>,
    base_path: String,
}

impl TestSiteBuilder {
    /// Uses this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = tenant;
        self
    }

    /// Adds a setting.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self.settings.sort();
        self
    }

    /// Puts the site under a base path, `/NAME`.
    #[must_use]
    pub fn base_path(mut self, base_path: &str) -> Self {
        base_path.clone_into(&mut self.base_path);
        self
    }

    /// Applies the migrations, runs the upgrade of a new tenant and returns the site.
    ///
    /// # Panics
    /// Where a migration or the upgrade fails.
    #[expect(clippy::panic, reason = "a test can't go on with a broken schema")]
    pub fn start<S: Site>(self) -> TestSite {
        let backend = Rc::new(TestBackend::new(self.tenant, self.settings));
        for (place, step) in S::migrations().iter().enumerate() {
            let wanted = u32::try_from(place + 1).unwrap_or(u32::MAX);
            assert_eq!(step.version(), wanted, "migrations are numbered 1, 2, 3, … without gaps");
            for statement in step.statements(Dialect::Sqlite) {
                if let Err(error) = backend.migrate(statement) {
                    panic!("migration {wanted} fails: {error}\n{statement}");
                }
            }
        }
        let site = TestSite { backend, answer: site::answer::<S>, base_path: self.base_path };
        if let Err(error) = site.run(|| S::upgrade(None, "site@0.0.0")) {
            panic!("the upgrade fails: {error}");
        }
        site
    }
}

impl TestSite {
    /// A site on the default tenant, with its migrations and the upgrade of a new tenant done.
    ///
    /// # Panics
    /// Where a migration or the upgrade fails.
    pub fn new<S: Site>() -> Self {
        Self::builder().start::<S>()
    }

    /// Sets up tenant, settings and base path first.
    pub fn builder() -> TestSiteBuilder {
        TestSiteBuilder::default()
    }

    /// A GET of a path within the site.
    pub fn get(&self, target: &str) -> TestRequest<'_> {
        self.request(Request::get(target))
    }

    /// A POST of a form.
    pub fn post(&self, target: &str, fields: &[(&str, &str)]) -> TestRequest<'_> {
        self.request(Request::post(target, fields))
    }

    /// Any request. The site's base path is put in front.
    pub fn request(&self, request: Request) -> TestRequest<'_> {
        TestRequest { site: self, request: request.with_base_path(&self.base_path), user: None }
    }

    /// Runs code as the site would: its statements reach this site's database.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let backend: Rc<TestBackend> = Rc::clone(&self.backend);
        with_backend(backend, work)
    }

    /// How many calls to the database the last request made.
    pub fn statements(&self) -> usize {
        self.backend.calls()
    }

    /// Whether the last request asked who the visitor is. Such a page is never shared.
    pub fn asked_for_visitor(&self) -> bool {
        self.backend.asked()
    }

    /// The tags of the last page.
    pub fn tags(&self) -> Vec<String> {
        self.backend.tags()
    }
}

/// A request being built.
pub struct TestRequest<'a> {
    site: &'a TestSite,
    request: Request,
    user: Option<User>,
}

impl TestRequest<'_> {
    /// Signs a user with these roles in.
    #[must_use]
    pub fn signed_in(mut self, roles: &[&str]) -> Self {
        self.user = Some(User {
            id: "00000000-0000-7000-8000-000000000001".to_owned(),
            name: "tester".to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        });
        self
    }

    /// Adds a field, named in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.with_header(name, value);
        self
    }

    /// Sends it.
    pub fn send(self) -> Response {
        self.site.backend.prepare(self.user);
        let Self { site, request, .. } = self;
        site.run(|| (site.answer)(&request))
    }
}

//! The site being served: its id, title, addresses, language and settings.
//!
//! Facts only: a site can't change them and can't ask about another tenant. They are fixed for the life
//! of an instance. Called by sites.

use crate::host;

/// Facts about the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// UUID in its usual text form, never used again.
    pub id: String,
    /// The name (slug), `[a-z][a-z0-9-]{1,62}`.
    pub name: String,
    /// The title for people.
    pub title: String,
    /// Host names this site answers on, the main one first. May be empty.
    pub addresses: Vec<String>,
    /// NAME@VERSION of the running release.
    pub release: String,
    /// BCP 47 language tag, such as `en` or `de-AT`.
    pub locale: String,
    /// IANA time zone name, such as `Europe/Vienna`.
    pub time_zone: String,
}

impl Default for Tenant {
    /// A neutral tenant for tests.
    fn default() -> Self {
        Self {
            id: "00000000-0000-7000-8000-000000000000".to_owned(),
            name: "example".to_owned(),
            title: "Example".to_owned(),
            addresses: vec!["example.test".to_owned()],
            release: "site@0.0.0".to_owned(),
            locale: "en".to_owned(),
            time_zone: "UTC".to_owned(),
        }
    }
}

/// The tenant being served. Never fails.
pub fn current() -> Tenant {
    host::tenant()
}

/// One setting, or none where it isn't set.
pub fn setting(key: &str) -> Option<String> {
    host::setting(key)
}

/// All settings, ordered by key.
pub fn settings() -> Vec<(String, String)> {
    host::settings()
}

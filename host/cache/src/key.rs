//! Where a page belongs. Holds the tenant's id, not its name, its revision and the module's digest, so that
//! a name used again, a changed setting or an upgrade can never show an old page.
//!
//! Called by `store`, which looks pages up by a keyed hash and then compares the whole key, and by the
//! second level, whose keys are SHA-256.

use http::{HeaderMap, Method, Uri};
use rowhouse_base::Digest;
use rowhouse_base::id::TenantId;
use sha2::{Digest as _, Sha256};
use std::hash::BuildHasher;

/// What a page is of, besides its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// The tenant.
    pub tenant: TenantId,
    /// The generation at which the tenant last changed.
    pub revision: u64,
    /// The digest of everything that runs for it: module and extensions.
    pub digest: Digest,
}

/// A request, as the cache needs it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose page it is.
    pub site: Site,
    /// The method.
    pub method: &'a Method,
    /// `scheme://authority` by which the site was reached.
    pub origin: &'a str,
    /// The path on that origin below which the site lies; empty or `/` where it has the origin to itself.
    pub base_path: &'a str,
    /// Path and query within the site.
    pub uri: &'a Uri,
    /// The request's fields.
    pub headers: &'a HeaderMap,
}

impl<'a> Asked<'a> {
    pub(crate) fn address(&self) -> Address<'a> {
        Address {
            site: self.site,
            origin: self.origin,
            base_path: self.base_path,
            path: self.uri.path_and_query().map_or("/", |whole| whole.as_str()),
        }
    }
}

/// A page's address, borrowed: what a look-up needs and no more.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Address<'a> {
    pub(crate) site: Site,
    pub(crate) origin: &'a str,
    pub(crate) base_path: &'a str,
    pub(crate) path: &'a str,
}

impl Address<'_> {
    pub(crate) fn hash(&self, keyed: &impl BuildHasher) -> u64 {
        keyed.hash_one(self)
    }

    pub(crate) fn to_primary(self) -> Primary {
        // As long as it becomes, so that it is made once: every look-up in the second level needs one.
        let length = self.origin.len() + self.base_path.len() + self.path.len() + 2;
        let mut text = String::with_capacity(length);
        for part in [self.origin, "\n", self.base_path, "\n", self.path] {
            text.push_str(part);
        }
        Primary { site: self.site, text: text.into() }
    }
}

/// A page's address, kept. The text is origin, base path and path with query, a line each: none of the
/// three can hold a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Primary {
    pub(crate) site: Site,
    pub(crate) text: Box<str>,
}

impl Primary {
    /// Without making a text.
    pub(crate) fn is(&self, address: &Address<'_>) -> bool {
        let rest = |text: &str| -> Option<bool> {
            let path = self.text.strip_prefix(address.origin)?.strip_prefix('\n')?;
            let path = path.strip_prefix(address.base_path)?.strip_prefix('\n')?;
            Some(path == text)
        };
        self.site == address.site && rest(address.path) == Some(true)
    }

    /// The key in the second level of what `kind` names: every part with its length before it.
    pub(crate) fn key(&self, kind: &str, epoch: u64, vary_key: &str) -> [u8; 32] {
        let mut sha = Sha256::new();
        let (revision, epoch) = (self.site.revision.to_be_bytes(), epoch.to_be_bytes());
        let parts: [&[u8]; 7] = [
            kind.as_bytes(),
            self.site.tenant.as_bytes(),
            &revision,
            self.site.digest.as_bytes(),
            self.text.as_bytes(),
            &epoch,
            vary_key.as_bytes(),
        ];
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            sha.update(length.to_be_bytes());
            sha.update(part);
        }
        sha.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn site() -> Site {
        Site { tenant: TenantId::new(), revision: 1, digest: Digest::of(b"") }
    }

    #[test]
    fn every_part_makes_another_key() {
        let site = site();
        let base = Address { site, origin: "http://x", base_path: "/a", path: "/b" };
        let primary = base.to_primary();
        assert!(primary.is(&base));
        let others = [
            Address { origin: "http://x/a", ..base },
            Address { base_path: "/a/b", path: "/", ..base },
            Address { base_path: "", path: "/a/b", ..base },
            Address { path: "/b?", ..base },
            Address { site: Site { revision: 2, ..site }, ..base },
            Address { site: Site { tenant: TenantId::new(), ..site }, ..base },
            Address { site: Site { digest: Digest::of(b"x"), ..site }, ..base },
        ];
        for other in others {
            assert!(!primary.is(&other), "{other:?}");
            assert_ne!(primary.key("page", 0, ""), other.to_primary().key("page", 0, ""), "{other:?}");
        }
        assert_ne!(primary.key("page", 0, ""), primary.key("page", 1, ""));
        assert_ne!(primary.key("page", 0, ""), primary.key("page", 0, "foo\n"));
        assert_ne!(primary.key("page", 0, ""), primary.key("lease", 0, ""));
    }

    proptest! {
        #[test]
        fn parts_never_run_into_one_another(
            one in ("[a:/]{0,4}", "[a/]{0,3}", "[a/?]{0,4}"),
            other in ("[a:/]{0,4}", "[a/]{0,3}", "[a/?]{0,4}"),
        ) {
            let site = site();
            let first = Address { site, origin: &one.0, base_path: &one.1, path: &one.2 };
            let second = Address { site, origin: &other.0, base_path: &other.1, path: &other.2 };
            prop_assert_eq!(first.to_primary().is(&second), one == other);
        }
    }
}

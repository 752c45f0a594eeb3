//! The output cache as operators use it: its counts, and making pages anew.
//!
//! A whole tenant and a tag are flushed by moving their count in the tenant's database, which every server sees. One
//! address is forgotten where it is kept, by this server and in the level that servers share; its data did not
//! change, so nothing else would make the others let go of it.

use crate::Control;
use crate::error::ControlError;
use crate::ports::{CacheNumbers, PagePlace};
use crate::types::{CacheView, FlushCache, FlushedView, TenantCacheView};
use http::Uri;
use http::uri::PathAndQuery;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Hostname, Subject};
use rowhouse_identity::Operator;
use rowhouse_tenant::{AddressPattern, Resolution, Snapshot, Tenant, TenantState};
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

/// Tenants that are listed, and that metrics name: more would be a burden on whoever keeps them.
const LARGEST: usize = 100;
/// Bytes of a tag, as guests may give their pages.
const TAG_BYTES: usize = 64;
/// Bytes of an address; browsers and proxies stop at about as many.
const URL_BYTES: usize = 8 << 10;
/// By which visitors come: a page is kept under what the proxy in front said of each of them.
const SCHEMES: [&str; 2] = ["http", "https"];

/// An authority, and the path below which the site lies there; empty where it has the host to itself.
type Place = (String, String);

/// What a request asks to be made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Flush {
    Everything,
    Tag(String),
    Url(String),
}

impl Control {
    /// What the cache of this server counts, with the tenants that hold the most of it.
    #[must_use]
    pub fn cache(&self, _operator: &Operator) -> CacheView {
        let items = self.largest_in_cache().into_iter().map(|(tenant, numbers)| TenantCacheView {
            tenant: tenant.name.to_string(),
            counts: numbers.into(),
        });
        CacheView { totals: self.cache.totals().into(), items: items.collect() }
    }

    /// What the cache of this server counts for one tenant.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn tenant_cache(&self, _operator: &Operator, name: &str) -> Result<TenantCacheView> {
        let row = self.row(name).await?;
        Ok(TenantCacheView { tenant: row.name.to_string(), counts: self.cache.of(row.id).into() })
    }

    /// Makes a tenant's pages anew: all, those with a tag, or one.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] for a tag that no page can have, or an address that does not lead to the tenant,
    /// [`ControlError::Conflict`] where it is neither active nor suspended, [`ControlError::Refused`] where its
    /// database can't be written.
    pub async fn flush_cache(
        self: &Arc<Self>,
        operator: &Operator,
        name: &str,
        what: FlushCache,
    ) -> Result<FlushedView> {
        let actor = operator.writer()?.to_owned();
        let row = self.row(name).await?;
        let flush = read(what)?;
        if !matches!(row.state, TenantState::Active | TenantState::Suspended) {
            return Err(ControlError::Conflict(format!("tenant `{}` is {}", row.name, row.state)));
        }
        let control = Arc::clone(self);
        // A flush that is done is in the trail, even where nobody waits for the answer.
        Self::detached("flush a tenant's pages", async move {
            let mut addresses = Vec::new();
            let (flushed, detail) = match flush {
                Flush::Everything => {
                    control.move_subject(&control.seen(&row), Subject::everything()).await?;
                    ("everything", String::new())
                }
                Flush::Tag(tag) => {
                    control.move_subject(&control.seen(&row), Subject::tag(&tag)).await?;
                    ("tag", format!("tag {tag}"))
                }
                Flush::Url(url) => {
                    let snapshot = control.directory.snapshot();
                    let gone = || ControlError::Conflict(format!("tenant `{}` is not served now", row.name));
                    let tenant = snapshot.by_id(row.id).ok_or_else(gone)?;
                    addresses = control.forget_page(&snapshot, tenant, &url)?;
                    ("url", format!("url {}", url.chars().take(200).collect::<String>()))
                }
            };
            let mut change = control.store.change().await?;
            change.audit(&actor, "cache.flush", &row, &detail).await?;
            change.commit().await?;
            Ok(FlushedView { tenant: row.name.to_string(), flushed: flushed.to_owned(), addresses })
        })
        .await
    }

    async fn move_subject(&self, tenant: &Arc<Tenant>, subject: Subject) -> Result<()> {
        let moved = self.data.move_subjects(tenant, &[subject]).await;
        moved.map_err(ControlError::port("count the flush in the tenant's database"))
    }

    /// Forgets a page at every address by which it may be reached, by either scheme, and says which they are.
    fn forget_page(&self, snapshot: &Snapshot, tenant: &Tenant, url: &str) -> Result<Vec<String>> {
        let (given, path) = self.place(snapshot, tenant, url)?;
        let mut places = self.places(snapshot, tenant);
        places.extend(given.filter(|given| !places.contains(given)));
        let mut addresses = Vec::new();
        for (authority, base_path) in &places {
            for scheme in SCHEMES {
                let origin = format!("{scheme}://{authority}");
                self.cache.forget(tenant, PagePlace { origin: &origin, base_path, path: path.as_str() });
                addresses.push(format!("{origin}{base_path}{path}"));
            }
        }
        Ok(addresses)
    }

    /// Where a page is, if a whole address was given, and its path within the site.
    fn place(
        &self,
        snapshot: &Snapshot,
        tenant: &Tenant,
        url: &str,
    ) -> Result<(Option<Place>, PathAndQuery)> {
        let wrong = || {
            ControlError::field(
                "url",
                format!(
                    "write a path of the site, such as `/news?page=2`, or a whole address of `{}`",
                    tenant.name
                ),
            )
        };
        if url.starts_with('/') {
            return Ok((None, url.parse().map_err(|_no_path| wrong())?));
        }
        let uri: Uri = url.parse().map_err(|_no_address| wrong())?;
        let authority = uri.authority().filter(|_| uri.scheme().is_some()).ok_or_else(wrong)?;
        let authority = authority.as_str().to_ascii_lowercase();
        let host = Hostname::from_authority(&authority).map_err(|_no_host| wrong())?;
        let (found, base_path, path) = match snapshot.resolve(&host, uri.path()) {
            Resolution::Host(found) => (found, String::new(), uri.path()),
            Resolution::Prefix(found) => {
                let below =
                    uri.path().get(1..).and_then(|rest| rest.find('/').and_then(|end| rest.get(end..)));
                let base_path = format!("/{}", found.name);
                (found, base_path, below.unwrap_or("/"))
            }
            Resolution::Console | Resolution::UnknownHost => return Err(wrong()),
        };
        if found.id != tenant.id {
            return Err(wrong());
        }
        let path = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        Ok((Some((authority, base_path)), path.parse().map_err(|_no_path| wrong())?))
    }

    /// Every place of the site that is known beforehand. Hosts below a wildcard are not.
    fn places(&self, snapshot: &Snapshot, tenant: &Tenant) -> Vec<Place> {
        let port = self.config.port.map(|port| format!(":{port}")).unwrap_or_default();
        let at = |host: &str| format!("{host}{port}");
        let base = snapshot.base();
        let bases = || std::iter::once(&base.domain).chain(&base.aliases).map(|host| at(host.as_str()));
        let exact = tenant.addresses.iter().filter_map(|address| match address {
            AddressPattern::Exact(host) => Some(at(host.as_str())),
            AddressPattern::Wildcard(_) => None,
        });
        let own = exact.chain([at(&format!("{}.{}", tenant.name, base.domain))]);
        let mut places: Vec<_> = own.map(|authority| (authority, String::new())).collect();
        match snapshot.single() {
            Some(single) if single.id == tenant.id => {
                places.extend(bases().map(|authority| (authority, String::new())));
            }
            Some(_) => {}
            None if tenant.url_prefix => {
                places.extend(bases().map(|authority| (authority, format!("/{}", tenant.name))));
            }
            None => {}
        }
        places
    }

    /// The tenants with the most bytes in the cache, at most [`LARGEST`], the largest first. Only those that have
    /// their name for themselves: one in the trash may share it with another.
    pub(crate) fn largest_in_cache(&self) -> Vec<(Arc<Tenant>, CacheNumbers)> {
        let counted = self.cache.tenants();
        let mut known: Vec<(Arc<Tenant>, CacheNumbers)> = self.directory.with(|snapshot| {
            let named =
                |(id, numbers): (TenantId, CacheNumbers)| Some((Arc::clone(snapshot.by_id(id)?), numbers));
            let served = |(tenant, _): &(Arc<Tenant>, CacheNumbers)| tenant.state.has_address();
            counted.into_iter().filter_map(named).filter(served).collect()
        });
        known.sort_by(|(one, a), (other, b)| {
            b.bytes.cmp(&a.bytes).then_with(|| one.name.as_str().cmp(other.name.as_str()))
        });
        known.truncate(LARGEST);
        known
    }
}

/// What is asked for, where it can be.
fn read(what: FlushCache) -> Result<Flush> {
    match (what.tag, what.url) {
        (Some(_), Some(_)) => Err(ControlError::field("url", "give a tag or a url, not both")),
        (Some(tag), None) if is_tag(&tag) => Ok(Flush::Tag(tag)),
        (Some(_), None) => {
            let detail = format!("a tag has 1 to {TAG_BYTES} of a-z A-Z 0-9 : _ . -");
            Err(ControlError::field("tag", detail))
        }
        (None, Some(url)) if url.len() > URL_BYTES => {
            Err(ControlError::field("url", format!("an address has at most {URL_BYTES} bytes")))
        }
        (None, Some(url)) => Ok(Flush::Url(url)),
        (None, None) => Ok(Flush::Everything),
    }
}

/// As the guest room takes tags: no page has another one.
fn is_tag(text: &str) -> bool {
    (1..=TAG_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.' | b'-'))
}

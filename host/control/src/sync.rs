//! The reconciler: brings the snapshot that requests use up to the control state.
//!
//! It takes no input. It reads everything that moved since the generation it applied, makes new modules
//! ready, and swaps the snapshot whole. Applying twice is harmless, so it may be called at any time: after
//! each local change (and waited for, so that the answer comes after the change is in force), when another server's
//! change was hinted at, and by a timer.

use crate::error::ControlError;
use crate::kept::Keeper;
use crate::link::Link;
use crate::ports::{OutputCache, SiteModules};
use crate::store::{DatabaseError, Store, TenantRow};
use parking_lot::Mutex;
use rowhouse_base::{Chain, Digest, Limits, TenantName};
use rowhouse_identity::Identity;
use rowhouse_tenant::{Directory, ReleaseName, ReleaseRef, Snapshot, Tenant};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A look at the generation that takes longer finds no control database: one row by its key takes a millisecond.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) struct Reconciler {
    parts: Parts,
    /// One at a time; also who comes second finds the work done.
    turn: tokio::sync::Mutex<()>,
    /// Modules that tenants run but that could not be made ready; tried again at each turn.
    unready: Mutex<HashSet<Digest>>,
}

/// What the tenants of one turn have in common, kept once.
#[derive(Default)]
struct Shared {
    releases: HashMap<ReleaseName, Arc<ReleaseRef>>,
    words: HashSet<Arc<str>>,
}

impl Shared {
    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.words.get(text) {
            return Arc::clone(known);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }
}

/// What a turn reads and brings up to date.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) directory: Arc<Directory>,
    pub(crate) modules: Arc<dyn SiteModules>,
    pub(crate) cache: Arc<dyn OutputCache>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) link: Arc<Link>,
    pub(crate) keeper: Arc<Keeper>,
}

impl Reconciler {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, turn: tokio::sync::Mutex::new(()), unready: Mutex::default() }
    }

    /// One turn. Cancel-safe: the snapshot is swapped at the end or not at all.
    pub(crate) async fn sync(&self) -> Result<(), ControlError> {
        let _turn = self.turn.lock().await;
        let current = self.generation().await?;
        self.retry().await;
        let snapshot = self.parts.directory.snapshot();
        let applied = snapshot.generation();
        if current == applied {
            return Ok(());
        }
        let news = self.parts.store.news(applied).await?;
        let mut shared = self.shared(&news.changed).await?;
        let changed: Vec<Arc<Tenant>> =
            news.changed.iter().map(|row| self.tenant_with(row, &mut shared)).collect();
        // Before anything that takes time: who was signed out must not stay signed in while a module is compiled.
        if news.people_changed {
            self.parts.identity.forget_all();
        }
        for release in shared.releases.values() {
            self.make_ready(release.digest).await;
        }
        let base = if news.whole { snapshot.emptied() } else { Snapshot::clone(&snapshot) };
        let mut gone = news.removed.clone();
        let next = base.with_changes(news.generation, changed, news.removed);
        if news.whole {
            let known = snapshot.tenants().map(|tenant| tenant.id);
            gone.extend(known.filter(|id| next.by_id(*id).is_none()));
        }
        self.parts.directory.replace(next);
        gone.into_iter().for_each(|tenant| self.parts.cache.forget_tenant(tenant));
        self.parts.link.applied();
        self.parts.link.brought_news();
        self.parts.keeper.changed();
        Ok(())
    }

    /// The generation as of now; also what says whether the control database is there.
    async fn generation(&self) -> Result<u64, ControlError> {
        match tokio::time::timeout(LOOK, self.parts.store.generation()).await {
            Ok(Ok(generation)) => {
                self.parts.link.answered();
                Ok(generation)
            }
            Ok(Err(error)) => {
                if error.is_transient() {
                    self.parts.link.lost();
                }
                Err(error.into())
            }
            Err(_elapsed) => {
                self.parts.link.lost();
                Err(DatabaseError::Away.into())
            }
        }
    }

    /// Takes over the snapshot that was kept on disk, as far as modules can be made ready without the control
    /// database. False where there is none.
    pub(crate) async fn load_kept(&self) -> bool {
        let _turn = self.turn.lock().await;
        let snapshot = self.parts.directory.snapshot();
        let Some(kept) = self.parts.keeper.load(&self.parts.limits).await else { return false };
        let digests: HashSet<Digest> = kept
            .tenants
            .iter()
            .filter_map(|tenant| tenant.release.as_ref())
            .map(|release| release.digest)
            .collect();
        for digest in digests {
            if !self.parts.modules.is_ready(&digest) && !self.parts.modules.load_cached(digest).await {
                tracing::warn!(%digest, "a module is not compiled here: its sites wait for the control database");
                self.unready.lock().insert(digest);
            }
        }
        let base = snapshot.emptied();
        self.parts.directory.replace(base.with_changes(kept.generation, kept.tenants, []));
        true
    }

    /// Makes the base host lead to the tenant of this name.
    pub(crate) async fn lead_to(&self, name: TenantName) {
        let _turn = self.turn.lock().await;
        self.parts.directory.replace(self.parts.directory.snapshot().leading_to(name));
    }

    /// The releases of these tenants, with their policies.
    async fn shared(&self, rows: &[TenantRow]) -> Result<Shared, ControlError> {
        let mut shared = Shared::default();
        for release in rows.iter().filter_map(|row| row.release.as_ref()) {
            if !shared.releases.contains_key(&release.name) {
                let reuse = self.parts.store.reuse_of(&release.name).await?;
                let whole = Arc::new(ReleaseRef { reuse, ..release.clone() });
                shared.releases.insert(release.name.clone(), whole);
            }
        }
        Ok(shared)
    }

    /// A tenant for work of the control plane's own, such as its migrations.
    pub(crate) fn tenant(&self, row: &TenantRow) -> Arc<Tenant> {
        self.tenant_with(row, &mut Shared::default())
    }

    fn tenant_with(&self, row: &TenantRow, shared: &mut Shared) -> Arc<Tenant> {
        let release = row.release.as_ref().map(|release| match shared.releases.get(&release.name) {
            Some(known) => Arc::clone(known),
            None => Arc::new(release.clone()),
        });
        Arc::new(Tenant {
            id: row.id,
            name: row.name.clone(),
            title: row.title.clone(),
            state: row.state,
            addresses: row.addresses.clone(),
            url_prefix: row.url_prefix,
            settings: row.settings.clone(),
            outbound: row.outbound.clone(),
            locale: shared.word(&row.locale),
            time_zone: shared.word(&row.time_zone),
            release,
            data_server: row.data_server.clone(),
            revision: row.revision,
            limits: Arc::clone(&self.parts.limits),
        })
    }

    async fn retry(&self) {
        let waiting: Vec<Digest> = self.unready.lock().iter().copied().collect();
        for digest in waiting {
            self.make_ready(digest).await;
        }
    }

    /// Makes a module ready. One that can't be does not hold up the rest: its tenants answer with an
    /// error until it is, all others are served.
    async fn make_ready(&self, digest: Digest) {
        match self.prepare(digest).await {
            Ok(()) => {
                self.unready.lock().remove(&digest);
            }
            Err(error) => {
                tracing::error!(%digest, error = %Chain(&error), "make a module ready");
                self.unready.lock().insert(digest);
            }
        }
    }

    /// True where a module could serve at once.
    pub(crate) fn is_ready(&self, digest: &Digest) -> bool {
        self.parts.modules.is_ready(digest)
    }

    /// Makes a module ready to serve, from compiled code where there is some.
    pub(crate) async fn prepare(&self, digest: Digest) -> Result<(), ControlError> {
        if self.parts.modules.is_ready(&digest) || self.parts.modules.load_cached(digest).await {
            return Ok(());
        }
        let bytes = self
            .parts
            .store
            .bytes(&digest)
            .await?
            .ok_or_else(|| ControlError::not_found("module", digest))?;
        self.parts
            .modules
            .prepare(digest, bytes.into())
            .await
            .map_err(ControlError::port("make the module ready"))
    }
}

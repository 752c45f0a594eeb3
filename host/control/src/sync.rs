//! The reconciler: brings the snapshot that requests use up to the control state.
//!
//! It takes no input. It reads everything that moved since it looked the last time, and swaps the snapshot whole.
//! Applying twice is harmless, so it may be called at any time: after each local change (and waited for, so that the
//! answer comes after the change is in force), when another server's change was hinted at, and by a timer.
//!
//! A turn never waits for a compiler. A tenant whose new module is not compiled here goes on with the one it had,
//! a new one is entered and its visitors wait; the module is made ready aside, and until then the turns keep that tenant's
//! row as it was read, and the server says that it has not applied everything.

use crate::error::ControlError;
use crate::kept::Keeper;
use crate::link::Link;
use crate::ports::{OutputCache, SiteModules};
use crate::store::{DatabaseError, News, Store, TenantRow};
use crate::words::Words;
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Chain, Digest, Limits, TenantName};
use rowhouse_identity::Identity;
use rowhouse_tenant::{Directory, ReleaseName, ReleaseRef, Snapshot, Tenant, TenantState};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A look at the generation that takes longer finds no control database: one row by its key takes a millisecond.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) struct Reconciler {
    parts: Parts,
    /// One turn at a time; also who comes second finds the work done.
    turn: tokio::sync::Mutex<Read>,
    /// A module is made ready once, however many ask for it.
    making: Mutex<HashMap<Digest, Weak<Making>>>,
    unready: Mutex<Unready>,
    /// See [`Reconciler::kept_single`].
    kept_single: Mutex<Option<TenantId>>,
}

/// How far the turns have read.
#[derive(Default)]
struct Read {
    /// Everything up to this generation. What is in force is behind it while a tenant is late.
    generation: u64,
    /// Tenants whose module is not ready yet, as they were read: many may wait for one module, so they are not read
    /// again at each turn. What changes of them comes with the news, as of any tenant.
    late: HashMap<TenantId, Late>,
}

/// A tenant whose module is not ready yet.
struct Late {
    row: TenantRow,
    /// What moved it to that module came with this generation at the earliest. It may have changed again since: the
    /// row tells of the last change only.
    since: u64,
}

impl Read {
    /// The generation that is in force: nothing of before is missing.
    fn applied(&self) -> u64 {
        let before = self.late.values().map(|late| late.since.saturating_sub(1));
        before.min().map_or(self.generation, |before| before.min(self.generation))
    }

    /// Late tenants of which the news say nothing.
    fn unchanged(&self, news: &News) -> Vec<&TenantRow> {
        if news.whole {
            return Vec::new();
        }
        let told: HashSet<TenantId> =
            news.changed.iter().map(|row| row.id).chain(news.removed.iter().copied()).collect();
        self.late.values().map(|late| &late.row).filter(|row| !told.contains(&row.id)).collect()
    }
}

fn is_late(row: &TenantRow, late: &HashSet<Digest>) -> bool {
    row.release.as_ref().is_some_and(|release| late.contains(&release.digest))
}

/// Held while a module is made ready.
type Making = tokio::sync::Mutex<()>;

/// Modules that tenants are to run and that can't serve here.
#[derive(Default)]
struct Unready {
    /// Going to be made ready: what moves a tenant to one of them is not in force yet.
    awaited: HashSet<Digest>,
    /// Could not be made ready. Their tenants answer with an error and hold up nothing; tried again at each turn.
    failed: HashSet<Digest>,
}

impl Unready {
    fn all(&self) -> Vec<Digest> {
        self.awaited.union(&self.failed).copied().collect()
    }

    /// Notes how making a module ready ended. True where that is news for the next turn.
    fn settle(&mut self, digest: Digest, done: &Result<(), ControlError>) -> bool {
        match done {
            Ok(()) => {
                self.failed.remove(&digest);
                self.awaited.remove(&digest)
            }
            // The database is to blame: the next turn asks for it again.
            Err(ControlError::Database(error)) if error.is_transient() => false,
            Err(_) => {
                self.failed.insert(digest);
                self.awaited.remove(&digest)
            }
        }
    }
}

/// What the tenants of one turn have in common, kept once.
#[derive(Default)]
struct Shared {
    releases: HashMap<ReleaseName, Arc<ReleaseRef>>,
    words: Words,
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
        Self {
            parts,
            turn: tokio::sync::Mutex::default(),
            making: Mutex::default(),
            unready: Mutex::default(),
            kept_single: Mutex::default(),
        }
    }

    /// One turn. Cancel-safe: the snapshot is swapped at the end or not at all.
    pub(crate) async fn sync(&self) -> Result<(), ControlError> {
        let mut read = self.turn.lock().await;
        let current = self.generation().await?;
        if !self.unready.lock().all().is_empty() {
            self.parts.link.want_modules();
        }
        if current == read.generation && read.late.is_empty() {
            return Ok(());
        }
        let mut news = self.parts.store.news(read.generation).await?;
        // Before anything that takes time: who was signed out must not stay signed in while modules are loaded.
        if news.people_changed {
            self.parts.identity.forget_all();
        }
        let releases =
            news.changed.iter().chain(read.unchanged(&news)).filter_map(|row| row.release.as_ref());
        let wanted: HashSet<Digest> = releases.map(|release| release.digest).collect();
        let late = self.late(wanted).await;
        let arrived = read.unchanged(&news).into_iter().filter(|row| !is_late(row, &late));
        let arrived: Vec<TenantRow> = arrived.cloned().collect();
        news.changed.extend(arrived);
        if news.generation == read.generation && news.changed.is_empty() {
            return Ok(());
        }
        let shared = self.shared(&news.changed).await?;
        self.apply(&mut read, news, &late, shared);
        Ok(())
    }

    /// Swaps the snapshot. It waits for nothing, so that all of it is done or nothing.
    fn apply(&self, read: &mut Read, news: News, late: &HashSet<Digest>, mut shared: Shared) {
        let snapshot = self.parts.directory.snapshot();
        let before: HashMap<TenantId, u64> = read.late.iter().map(|(id, late)| (*id, late.since)).collect();
        let first_news = read.generation.saturating_add(1);
        if news.whole {
            read.late.clear();
        }
        for id in &news.removed {
            read.late.remove(id);
        }
        let mut changed = Vec::with_capacity(news.changed.len());
        for row in news.changed {
            let tenant = self.tenant_with(&row, &mut shared);
            if is_late(&row, late) {
                changed.push(self.meanwhile(&snapshot, tenant));
                let since = before.get(&row.id).map_or(first_news, |since| first_news.min(*since));
                let since = since.min(row.revision);
                read.late.insert(row.id, Late { since, row });
            } else {
                read.late.remove(&row.id);
                changed.push(tenant);
            }
        }
        read.generation = news.generation;
        let base = if news.whole { snapshot.emptied() } else { Snapshot::clone(&snapshot) };
        let mut gone = news.removed.clone();
        let next = base.with_changes(read.applied(), changed, news.removed);
        if news.whole {
            let known = snapshot.tenants().map(|tenant| tenant.id);
            gone.extend(known.filter(|id| next.by_id(*id).is_none()));
        }
        self.parts.directory.replace(next);
        gone.into_iter().for_each(|tenant| self.parts.cache.forget_tenant(tenant));
        self.parts.link.applied();
        self.parts.link.brought_news();
        self.parts.keeper.changed();
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
        let mut read = self.turn.lock().await;
        let snapshot = self.parts.directory.snapshot();
        let Some(kept) = self.parts.keeper.load(&self.parts.limits).await else { return false };
        let digests: HashSet<Digest> = kept
            .tenants
            .iter()
            .filter_map(|tenant| tenant.release.as_ref())
            .map(|release| release.digest)
            .collect();
        for digest in digests {
            if !self.is_at_hand(digest).await {
                tracing::warn!(%digest, "a module is not compiled here: its sites wait for the control database");
                self.unready.lock().awaited.insert(digest);
            }
        }
        let base = snapshot.emptied();
        *read = Read { generation: kept.generation, ..Read::default() };
        self.parts.directory.replace(base.with_changes(kept.generation, kept.tenants, []));
        *self.kept_single.lock() = kept.single;
        true
    }

    /// The tenant that the base host led to when the snapshot was kept that is in force; none where it was kept by a server
    /// of many sites.
    pub(crate) fn kept_single(&self) -> Option<TenantId> {
        *self.kept_single.lock()
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
            locale: shared.words.word(&row.locale),
            time_zone: shared.words.word(&row.time_zone),
            release,
            data_server: row.data_server.clone(),
            revision: row.revision,
            limits: Arc::clone(&self.parts.limits),
        })
    }

    /// Those of these modules that can't serve yet and are going to. Whoever makes them ready is told.
    async fn late(&self, wanted: HashSet<Digest>) -> HashSet<Digest> {
        let mut late = HashSet::new();
        for digest in wanted {
            if !self.is_at_hand(digest).await {
                late.insert(digest);
            }
        }
        let mut unready = self.unready.lock();
        late.retain(|digest| !unready.failed.contains(digest));
        late.iter().for_each(|digest| self.parts.modules.expect(digest));
        unready.awaited.extend(&late);
        if !late.is_empty() {
            self.parts.link.want_modules();
        }
        late
    }

    /// What is served of a tenant until its module is ready: all that changed but the release, where it was served by one.
    fn meanwhile(&self, snapshot: &Snapshot, next: Arc<Tenant>) -> Arc<Tenant> {
        let shown = snapshot.by_id(next.id).filter(|shown| shown.state == TenantState::Active);
        let release = shown.and_then(|shown| shown.release.as_ref());
        match release.filter(|release| self.is_ready(&release.digest)) {
            Some(release) => Arc::new(Tenant { release: Some(Arc::clone(release)), ..Tenant::clone(&next) }),
            None => next,
        }
    }

    /// Makes ready what tenants wait for, one after the other. Apart from the turns. One that can't be made ready does
    /// not hold up the rest: its tenants answer with an error until it is, all others are served.
    pub(crate) async fn make_modules_ready(&self) {
        let wanted = self.unready.lock().all();
        for digest in wanted {
            let done = self.prepare(digest).await;
            if let Err(error) = &done {
                self.parts.modules.give_up(&digest);
                tracing::error!(%digest, error = %Chain(error), "make a module ready");
            }
            if self.unready.lock().settle(digest, &done) {
                self.parts.link.look();
            }
        }
    }

    /// True where a module could serve at once.
    pub(crate) fn is_ready(&self, digest: &Digest) -> bool {
        self.parts.modules.is_ready(digest)
    }

    /// The same, after loading compiled code where there is some.
    async fn is_at_hand(&self, digest: Digest) -> bool {
        self.is_ready(&digest) || self.parts.modules.load_cached(digest).await
    }

    fn making(&self, digest: Digest) -> Arc<Making> {
        let mut all = self.making.lock();
        all.retain(|_, making| making.strong_count() > 0);
        if let Some(making) = all.get(&digest).and_then(Weak::upgrade) {
            return making;
        }
        let making = Arc::new(Making::new(()));
        all.insert(digest, Arc::downgrade(&making));
        making
    }

    /// Makes a module ready to serve, from compiled code where there is some.
    pub(crate) async fn prepare(&self, digest: Digest) -> Result<(), ControlError> {
        if self.is_at_hand(digest).await {
            return Ok(());
        }
        let making = self.making(digest);
        let _making = making.lock().await;
        // Who comes second finds the work done.
        if self.is_ready(&digest) {
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

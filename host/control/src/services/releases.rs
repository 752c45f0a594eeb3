//! Releases: checked and compiled before they are stored, immutable after, deleted when nothing uses them.

use crate::Control;
use crate::error::ControlError;
use crate::store::{ReleaseRow, ServerRow};
use crate::types::{Page, Paging, ReleaseView, ReuseView, rfc3339};
use bytes::Bytes;
use rowhouse_base::{Chain, Digest, Timestamp};
use rowhouse_identity::Operator;
use rowhouse_tenant::{ReleaseName, Reuse};
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// Stores a component as a release. `true` where it is new; the same bytes under the same name again
    /// change nothing.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with all faults of the component, [`ControlError::Conflict`] where the name
    /// stands for other bytes.
    pub async fn push_release(
        self: &Arc<Self>,
        operator: &Operator,
        name: &str,
        version: &str,
        reuse: Option<Reuse>,
        bytes: Bytes,
    ) -> Result<(ReleaseView, bool)> {
        let actor = operator.writer()?.to_owned();
        let name = ReleaseName::new(name, version).map_err(|error| ControlError::field("name", error))?;
        let control = Arc::clone(self);
        Self::detached("push release", async move {
            let (row, new) = control.push(&actor, name, reuse, bytes).await?;
            let servers = control.store.servers().await?;
            Ok((control.release_view(&row, &servers).await?, new))
        })
        .await
    }

    pub(crate) async fn push(
        &self,
        actor: &str,
        name: ReleaseName,
        reuse: Option<Reuse>,
        bytes: Bytes,
    ) -> Result<(ReleaseRow, bool)> {
        let digest = Digest::of(&bytes);
        if let Some(known) = self.store.release(&name).await? {
            return same(known, digest, reuse);
        }
        let facts = self.modules.check(bytes.clone()).await?;
        let mut change = self.store.change().await?;
        if let Some(known) = change.release(&name).await? {
            return same(known, digest, reuse);
        }
        let row = ReleaseRow {
            name,
            digest,
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            lane: facts.lane,
            exports: facts.exports,
            imports: facts.imports,
            migrations: facts.migrations,
            fingerprint: facts.fingerprint,
            has_upgrade: facts.has_upgrade,
            reuse,
            pushed_at: Timestamp::now(),
        };
        change.add_release(&row, bytes.to_vec()).await?;
        change.audit(actor, "release.push", row.name.as_str(), &digest.to_string()).await?;
        change.commit().await?;
        self.sync().await?;
        Ok((row, true))
    }

    /// A page of releases in the order of their names.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn releases(&self, _operator: &Operator, paging: &Paging) -> Result<Page<ReleaseView>> {
        let limit = paging.limit();
        let rows = self.store.releases_page(paging.cursor(), limit + 1).await?;
        let page = Page::cut(rows, limit, |row| row.name.to_string());
        let servers = self.store.servers().await?;
        let mut items = Vec::with_capacity(page.items.len());
        for row in &page.items {
            items.push(self.release_view(row, &servers).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// One release, by NAME@VERSION.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn release(&self, _operator: &Operator, name: &str) -> Result<ReleaseView> {
        let row = self.known_release(name).await?;
        self.release_view(&row, &self.store.servers().await?).await
    }

    /// Deletes a release that no tenant runs or would return to, that is not the default and not being activated.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] says what uses it.
    pub async fn delete_release(&self, operator: &Operator, name: &str) -> Result<()> {
        let actor = operator.writer()?;
        let row = self.known_release(name).await?;
        let mut change = self.store.change().await?;
        let users = change.release_users(&row.name).await?;
        if users > 0 {
            return Err(ControlError::Conflict(format!(
                "{users} tenant(s) run `{}` or ran it last",
                row.name
            )));
        }
        if change.setting(super::DEFAULT_RELEASE).await?.as_deref() == Some(row.name.as_str()) {
            return Err(ControlError::Conflict(format!("`{}` is the default release", row.name)));
        }
        if let Some(run) = change.open_run().await? {
            return Err(super::runs::under_way(run));
        }
        change.remove_release(&row).await?;
        change.audit(actor, "release.delete", row.name.as_str(), &row.digest.to_string()).await?;
        change.commit().await?;
        match self.store.digests().await {
            Ok(keep) => self.modules.retire(&keep),
            Err(error) => tracing::warn!(error = %Chain(&error), "let go of a deleted module"),
        }
        self.sync().await
    }

    async fn release_view(&self, row: &ReleaseRow, servers: &[ServerRow]) -> Result<ReleaseView> {
        Ok(ReleaseView {
            name: row.name.to_string(),
            digest: row.digest.to_string(),
            size: row.size,
            lane: row.lane.clone(),
            exports: row.exports.clone(),
            imports: row.imports.clone(),
            schema_version: row.migrations.last().map_or(0, |migration| migration.version),
            has_upgrade: row.has_upgrade,
            reuse: row.reuse.map(ReuseView::from),
            pushed_at: rfc3339(row.pushed_at),
            tenants: self.store.tenants_on(&row.name).await?,
            ready_on: self.names_of_ready(servers, &row.digest),
        })
    }
}

fn same(known: ReleaseRow, digest: Digest, reuse: Option<Reuse>) -> Result<(ReleaseRow, bool)> {
    if known.digest == digest && known.reuse == reuse {
        return Ok((known, false));
    }
    let name = &known.name;
    if known.digest == digest {
        let text = format!(
            "`{name}` has another policy of reuse; a release never changes, push it as another version"
        );
        return Err(ControlError::Conflict(text));
    }
    let text =
        format!("`{name}` is another component already; a release never changes, push it as another version");
    Err(ControlError::Conflict(text))
}

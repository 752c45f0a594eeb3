//! The door for versions: what pages depend on, how often it was changed, and how that becomes known.
//!
//! Invariant: whoever was told that a commit has happened finds no older versions here; on other servers for no
//! longer than an announcement takes, or two seconds where it was lost.

use super::Data;
use crate::SqlError;
use crate::known::Notice;
use crate::subjects::{MOST_LINES, MOST_SUBJECTS, storable};
use rowhouse_base::id::TenantId;
use rowhouse_base::{Subject, Versions, tasks};
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use std::time::Instant;

impl Data {
    /// The versions of a tenant where they are known and may be trusted. Waits for nothing.
    #[must_use]
    pub fn known_versions(&self, tenant: &Tenant) -> Option<Arc<Versions>> {
        self.known.get(tenant.id)
    }

    /// The versions of a tenant: known, or read with one query. Of several that ask at once one reads.
    ///
    /// # Errors
    /// [`SqlError`] where the tenant's database can't be read.
    pub async fn versions(&self, tenant: &Arc<Tenant>) -> Result<Arc<Versions>, SqlError> {
        if let Some(known) = self.known.get(tenant.id) {
            return Ok(known);
        }
        let asked = Instant::now();
        let turn = self.known.turn(tenant.id);
        let mut last = turn.lock().await;
        if let Some(known) = self.known.get(tenant.id) {
            return Ok(known);
        }
        // What was read since this was asked is good for it, whether it may be remembered or not.
        if let Some((began, outcome)) = &*last
            && *began >= asked
        {
            return outcome.clone();
        }
        let began = Instant::now();
        let outcome = self.load_versions(tenant).await;
        *last = Some((began, outcome.clone()));
        outcome
    }

    async fn load_versions(&self, tenant: &Arc<Tenant>) -> Result<Arc<Versions>, SqlError> {
        let engine = self.engines.of(tenant)?;
        let loading = self.known.begin(tenant.id);
        let (counts, lines) = engine.versions(tenant).await?;
        let subjects = counts.len();
        if lines > MOST_LINES.saturating_add(subjects as u64) || subjects > MOST_SUBJECTS {
            self.prune(tenant, subjects);
        }
        let counts = counts.into_iter().filter_map(|(text, count)| Some((Subject::parse(&text)?, count)));
        let versions = Arc::new(Versions::new(counts));
        self.known.finish(&loading, &versions, subjects);
        Ok(versions)
    }

    /// Changes subjects that no statement changes: tags that are purged, everything for a flush, files that were
    /// written. Moved in the tenant's database, known here, and told to the others when it returns.
    ///
    /// # Errors
    /// [`SqlError`] where that can't be written; who asked must not say that it has happened.
    pub async fn move_subjects(&self, tenant: &Arc<Tenant>, subjects: &[Subject]) -> Result<(), SqlError> {
        if subjects.is_empty() {
            return Ok(());
        }
        let moved = subjects.iter().cloned().map(storable).collect();
        self.engines.of(tenant)?.move_subjects(tenant, moved).await
    }

    /// Another server has said that data of a tenant was changed.
    pub fn doubt(&self, tenant: TenantId) {
        self.known.forget(tenant);
    }

    /// Other servers may have said something that was not heard.
    pub fn doubt_all(&self) {
        self.known.forget_all();
    }

    /// Has a tenant's lines brought together, by one task at a time. Nobody waits for it.
    fn prune(&self, tenant: &Arc<Tenant>, subjects: usize) {
        let Ok(engine) = self.engines.of(tenant) else { return };
        if !self.known.begin_pruning(tenant.id) {
            return;
        }
        let (known, engine, tenant) = (Arc::clone(&self.known), engine.clone(), Arc::clone(tenant));
        tasks::spawn("prune versions", async move {
            if let Err(error) = engine.prune_versions(&tenant, subjects).await {
                tracing::warn!(tenant = %tenant.id, %error, "bring the counts of changes together");
            }
            known.end_pruning(tenant.id);
            // Sums are what they were, unless tags were forgotten, which moves everything.
            drop(Notice::new(&known, tenant.id).committed(None));
        });
    }

    #[cfg(test)]
    pub(crate) fn known(&self) -> &Arc<crate::known::Known> {
        &self.known
    }
}

#[cfg(test)]
mod tests;

//! What happened: the audit trail, written in the transaction it tells of, and deletion receipts.

use super::dialect::{sql, sql_in};
use super::{Change, Result, Store, parsed, timestamp};
use rowhouse_base::Timestamp;
use rowhouse_base::id::{AuditId, RunId, TenantId};
use std::collections::HashSet;

/// One row of the audit trail.
#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    pub(crate) id: AuditId,
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) detail: String,
}

/// What a row of the trail can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Thing {
    Tenant,
    User,
    Release,
    Run,
    Token,
}

/// A receipt, as JSON.
#[derive(Clone, Debug)]
pub(crate) struct ReceiptRow {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) receipt: String,
}

impl Store {
    /// The trail, newest first, older than one row where given, of one tenant where named.
    pub(crate) async fn audit_page(&self, tenant: &str, before: &str, limit: u32) -> Result<Vec<AuditRow>> {
        let rows = sql("SELECT id, at, actor, action, subject, detail FROM audit \
             WHERE ($1 = '' OR tenant_name = $2) AND ($3 = '' OR id < $4) ORDER BY id DESC LIMIT $5")
        .bind(tenant.to_owned())
        .bind(tenant.to_owned())
        .bind(before.to_owned())
        .bind(before.to_owned())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AuditRow {
                    id: parsed(row, "id")?,
                    at: timestamp(row, "at")?,
                    actor: row.get("actor")?,
                    action: row.get("action")?,
                    subject: row.get("subject")?,
                    detail: row.get("detail")?,
                })
            })
            .collect()
    }

    /// Those of some names that something of this kind has. There are as many of them as a page has rows.
    pub(crate) async fn names_there(&self, thing: Thing, names: &[&str]) -> Result<HashSet<String>> {
        let text = match thing {
            Thing::Tenant => "SELECT name FROM tenants WHERE name IN ({})",
            Thing::User => "SELECT name FROM users WHERE name IN ({})",
            Thing::Release => "SELECT name FROM releases WHERE name IN ({})",
            Thing::Token | Thing::Run => return Ok(HashSet::new()),
        };
        if names.is_empty() {
            return Ok(HashSet::new());
        }
        let rows = sql_in(text, names.len()).bind_all(names).fetch_all(&self.pools.read).await?;
        rows.iter().map(|row| Ok(row.get("name")?)).collect()
    }

    /// The names that something of this kind has under some of these ids.
    pub(crate) async fn names_of(&self, thing: Thing, ids: &[&str]) -> Result<Vec<(String, String)>> {
        let text = match thing {
            Thing::Tenant => "SELECT id, name FROM tenants WHERE id IN ({})",
            Thing::User => "SELECT id, name FROM users WHERE id IN ({})",
            Thing::Token => "SELECT id, name FROM tokens WHERE id IN ({})",
            Thing::Release | Thing::Run => return Ok(Vec::new()),
        };
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sql_in(text, ids.len()).bind_all(ids).fetch_all(&self.pools.read).await?;
        rows.iter().map(|row| Ok((row.get("id")?, row.get("name")?))).collect()
    }

    /// When those of some runs began that are still known.
    pub(crate) async fn runs_begun(&self, ids: &[&str]) -> Result<Vec<(RunId, Timestamp)>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sql_in("SELECT id, started_at FROM runs WHERE id IN ({})", ids.len())
            .bind_all(ids)
            .fetch_all(&self.pools.read)
            .await?;
        rows.iter().map(|row| Ok((parsed(row, "id")?, timestamp(row, "started_at")?))).collect()
    }

    /// Receipts, newest tenant first, older than one where given.
    pub(crate) async fn receipts_page(&self, before: &str, limit: u32) -> Result<Vec<ReceiptRow>> {
        let rows =
            sql("SELECT tenant_id, tenant_name, receipt FROM receipts WHERE ($1 = '' OR tenant_id < $2) \
             ORDER BY tenant_id DESC LIMIT $3")
            .bind(before.to_owned())
            .bind(before.to_owned())
            .bind(i64::from(limit))
            .fetch_all(&self.pools.read)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ReceiptRow {
                    tenant: parsed(row, "tenant_id")?,
                    name: row.get("tenant_name")?,
                    receipt: row.get("receipt")?,
                })
            })
            .collect()
    }
}

impl Change {
    /// Adds a row to the trail. `tenant` is the name of the tenant it is about, if it is about one.
    pub(crate) async fn audit(
        &mut self,
        actor: &str,
        action: &'static str,
        subject: &str,
        tenant: Option<&str>,
        detail: &str,
    ) -> Result<()> {
        sql("INSERT INTO audit (id, at, actor, action, subject, tenant_name, detail, gen) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(AuditId::new().to_string())
        .bind(self.at.0)
        .bind(actor.to_owned())
        .bind(action)
        .bind(subject.to_owned())
        .bind(tenant.map(str::to_owned))
        .bind(detail.to_owned())
        .bind(self.generation)
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }

    /// Keeps a deletion receipt.
    pub(crate) async fn add_receipt(&mut self, receipt: &ReceiptRow) -> Result<()> {
        sql("INSERT INTO receipts (tenant_id, tenant_name, receipt, at) VALUES ($1, $2, $3, $4)")
            .bind(receipt.tenant.to_string())
            .bind(receipt.name.clone())
            .bind(receipt.receipt.clone())
            .bind(self.at.0)
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }
}

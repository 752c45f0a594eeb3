//! What happened: the audit trail, written in the transaction it tells of, and deletion receipts.

use super::dialect::{sql, sql_in};
use super::{Change, Result, Store, TenantRow, parsed, timestamp};
use rowhouse_base::Timestamp;
use rowhouse_base::id::{AuditId, RunId, TenantId, UserId};
use rowhouse_identity::User;
use std::collections::HashMap;

/// One row of the audit trail.
#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    pub(crate) id: AuditId,
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    /// The id of the user who had the actor's name when the row was written.
    pub(crate) actor_id: Option<String>,
    pub(crate) action: String,
    pub(crate) subject: String,
    /// The id of a tenant or a user that it was done to. A server of before noted none.
    pub(crate) subject_id: Option<String>,
    pub(crate) detail: String,
}

/// What a row of the trail is about. Another may have the name later, and nothing else ever has the id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About<'a> {
    Tenant(&'a str, TenantId),
    User(&'a str, UserId),
    /// What is known by its name alone.
    Name(&'a str),
}

impl<'a> About<'a> {
    fn name(&self) -> &'a str {
        match self {
            Self::Tenant(name, _) | Self::User(name, _) | Self::Name(name) => name,
        }
    }

    fn id(&self) -> Option<String> {
        match self {
            Self::Tenant(_, id) => Some(id.to_string()),
            Self::User(_, id) => Some(id.to_string()),
            Self::Name(_) => None,
        }
    }
}

impl<'a> From<&'a TenantRow> for About<'a> {
    fn from(row: &'a TenantRow) -> Self {
        Self::Tenant(row.name.as_str(), row.id)
    }
}

impl<'a> From<&'a User> for About<'a> {
    fn from(user: &'a User) -> Self {
        Self::User(user.name.as_str(), user.id)
    }
}

impl<'a> From<&'a str> for About<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

/// The name of the user that an actor is, where it is one.
pub(crate) fn user_in(actor: &str) -> Option<&str> {
    actor.strip_prefix("user ")
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
        let rows = sql("SELECT id, at, actor, actor_id, action, subject, subject_id, detail FROM audit \
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
                    actor_id: row.get("actor_id")?,
                    action: row.get("action")?,
                    subject: row.get("subject")?,
                    subject_id: row.get("subject_id")?,
                    detail: row.get("detail")?,
                })
            })
            .collect()
    }

    /// What the pages of some names show, by name: the id of who has it. That of a release is its name.
    pub(crate) async fn ids_shown(&self, thing: Thing, names: &[&str]) -> Result<HashMap<String, String>> {
        let text = match thing {
            // As in [`Store::tenant_by_name`]: who holds the name, else the newest that had it. The last row counts.
            Thing::Tenant => {
                "SELECT name, id FROM tenants WHERE name IN ({}) \
                 ORDER BY CASE WHEN live_name IS NULL THEN 0 ELSE 1 END, id"
            }
            Thing::User => "SELECT name, id FROM users WHERE name IN ({})",
            Thing::Release => "SELECT name, name AS id FROM releases WHERE name IN ({})",
            Thing::Token | Thing::Run => return Ok(HashMap::new()),
        };
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = sql_in(text, names.len()).bind_all(names).fetch_all(&self.pools.read).await?;
        rows.iter().map(|row| Ok((row.get("name")?, row.get("id")?))).collect()
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
    /// Adds a row to the trail. Of an actor who is a user it notes who has that name now: to be called before this change
    /// removes them.
    pub(crate) async fn audit<'a>(
        &mut self,
        actor: &str,
        action: &'static str,
        about: impl Into<About<'a>>,
        detail: &str,
    ) -> Result<()> {
        let about: About<'a> = about.into();
        let tenant = match about {
            About::Tenant(name, _) => Some(name.to_owned()),
            About::User(..) | About::Name(_) => None,
        };
        sql("INSERT INTO audit (id, at, actor, actor_id, action, subject, subject_id, tenant_name, detail, gen) \
             VALUES ($1, $2, $3, (SELECT id FROM users WHERE name = $4), $5, $6, $7, $8, $9, $10)")
        .bind(AuditId::new().to_string())
        .bind(self.at.0)
        .bind(actor.to_owned())
        .bind(user_in(actor).unwrap_or_default())
        .bind(action)
        .bind(about.name().to_owned())
        .bind(about.id())
        .bind(tenant)
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

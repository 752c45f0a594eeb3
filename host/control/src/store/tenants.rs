//! Tenants, their addresses and the tombstones of those that are gone.
//!
//! A tenant's addresses stand twice: in its row, in order, and, while it holds them, in `addresses`,
//! where the key keeps two tenants from having the same one. Both are written by one function.

use super::dialect::{Row, Tx, sql, sql_in};
use super::{
    Change, Result, Store, flag, generation, json, json_option, like, number, parsed, parsed_option,
    timestamp, to_json, value,
};
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Digest, TenantName, Timestamp};
use rowhouse_tenant::{AddressPattern, OutboundRule, ReleaseName, ReleaseRef, TenantState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! columns {
    () => {
        "id, name, title, state, addresses, url_prefix, settings, locale, time_zone, release_name, \
         release_digest, previous_release, schema_version, fingerprint, created_at, trash_until, data_server, operation, outbound, \
         gen"
    };
}

/// A tenant as the control database knows it.
#[derive(Clone, Debug)]
pub(crate) struct TenantRow {
    pub(crate) id: TenantId,
    pub(crate) name: TenantName,
    pub(crate) title: String,
    pub(crate) state: TenantState,
    pub(crate) addresses: Vec<AddressPattern>,
    pub(crate) url_prefix: bool,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) outbound: Vec<OutboundRule>,
    pub(crate) locale: String,
    pub(crate) time_zone: String,
    /// Without its policy, which stands with the release.
    pub(crate) release: Option<ReleaseRef>,
    pub(crate) previous_release: Option<ReleaseName>,
    pub(crate) schema_version: u32,
    /// Of the migrations the tenant's database has; none before the first.
    pub(crate) fingerprint: Option<Digest>,
    pub(crate) created_at: Timestamp,
    pub(crate) trash_until: Option<Timestamp>,
    pub(crate) data_server: DataServerName,
    /// What is under way with it, for a crash to be finished or undone by; one at a time.
    pub(crate) operation: Option<Operation>,
    pub(crate) revision: u64,
}

impl TenantRow {
    fn read(row: &Row) -> Result<Self> {
        let name: Option<ReleaseName> = parsed_option(row, "release_name")?;
        let digest: Option<Digest> = parsed_option(row, "release_digest")?;
        Ok(Self {
            id: parsed(row, "id")?,
            name: parsed(row, "name")?,
            title: row.get("title")?,
            state: parsed(row, "state")?,
            addresses: json(row, "addresses")?,
            url_prefix: flag(row, "url_prefix")?,
            settings: json(row, "settings")?,
            outbound: outbound(row)?,
            locale: row.get("locale")?,
            time_zone: row.get("time_zone")?,
            release: name.zip(digest).map(|(name, digest)| ReleaseRef { name, digest, reuse: None }),
            previous_release: parsed_option(row, "previous_release")?,
            schema_version: u32::try_from(row.get::<i64>("schema_version")?)
                .map_err(|error| value("schema_version", error))?,
            fingerprint: parsed_option(row, "fingerprint")?,
            created_at: timestamp(row, "created_at")?,
            trash_until: row.get::<Option<i64>>("trash_until")?.map(Timestamp),
            data_server: parsed(row, "data_server")?,
            operation: operation(row)?,
            revision: generation(row, "gen")?,
        })
    }

    /// True while some server makes, moves, empties or removes it.
    fn is_worked_on(&self) -> bool {
        let between = [TenantState::Provisioning, TenantState::Moving, TenantState::Deleting];
        self.operation.is_some() || between.contains(&self.state)
    }

    /// True while nobody else may have its name and addresses.
    fn holds_name(&self) -> bool {
        self.state == TenantState::Provisioning || self.state.has_address()
    }
}

/// What can be under way with a tenant. Each says how far it is, so that a crash leaves nothing to guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum Operation {
    /// It is being made from an archive; taken back after a crash.
    Import,
    /// It is being made from another tenant; taken back after a crash.
    Clone,
    /// Its rows are being copied to another server; taken back after a crash.
    Move {
        to: DataServerName,
        /// What it was before, and will be again.
        was: TenantState,
    },
    /// It was moved, and what it left behind is being removed; finished after a crash.
    Leave { from: DataServerName },
    /// Its content is being saved before an archive replaces it; nothing has changed yet.
    Save,
    /// An archive is replacing its content; what was saved is put back after a crash.
    Restore,
    /// It is being emptied; finished after a crash.
    Reset,
}

impl Operation {
    /// What operators call it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Clone => "clone",
            Self::Move { .. } | Self::Leave { .. } => "move",
            Self::Save | Self::Restore => "restore",
            Self::Reset => "reset",
        }
    }
}

fn operation(row: &Row) -> Result<Option<Operation>> {
    json_option(row, "operation")
}

fn outbound(row: &Row) -> Result<Vec<OutboundRule>> {
    Ok(json_option(row, "outbound")?.unwrap_or_default())
}

fn all(rows: &[Row]) -> Result<Vec<TenantRow>> {
    rows.iter().map(TenantRow::read).collect()
}

/// Rows that one statement reads of a list that may be long: the engines' rows are larger than ours.
const PAGE: usize = 500;

/// Tenants that changed after a generation, oldest change first. Read in pages, to be called in a transaction.
pub(super) async fn changed_after(tx: &mut Tx, after: i64) -> Result<Vec<TenantRow>> {
    let mut found = Vec::new();
    let (mut from, mut last) = (after.saturating_add(1), (after, String::new()));
    loop {
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM tenants WHERE gen >= $1 AND (gen > $2 OR id > $3) ORDER BY gen, id LIMIT $4"
        ))
        .bind(from)
        .bind(last.0)
        .bind(last.1.as_str())
        .bind(PAGE as i64)
        .fetch_all(&mut *tx)
        .await?;
        found.reserve(rows.len());
        for row in &rows {
            found.push(TenantRow::read(row)?);
        }
        let Some(row) = found.last().filter(|_| rows.len() == PAGE) else { return Ok(found) };
        last = (number(row.revision), row.id.to_string());
        from = last.0;
    }
}

pub(super) async fn removed_after(tx: &mut Tx, after: i64) -> Result<Vec<TenantId>> {
    let rows = sql("SELECT id FROM tombstones WHERE gen > $1").bind(after).fetch_all(&mut *tx).await?;
    rows.iter().map(|row| parsed(row, "id")).collect()
}

impl Store {
    /// The tenant with this name: the one that holds it, else the newest that had it and is not gone.
    pub(crate) async fn tenant_by_name(&self, name: &TenantName) -> Result<Option<TenantRow>> {
        let row = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM tenants WHERE name = $1 ORDER BY CASE WHEN live_name IS NULL THEN 1 ELSE 0 END, id DESC LIMIT 1"
        ))
        .bind(name.as_str().to_owned())
        .fetch_optional(&self.pools.read)
        .await?;
        row.as_ref().map(TenantRow::read).transpose()
    }

    /// The tenant with this id.
    pub(crate) async fn tenant_by_id(&self, id: TenantId) -> Result<Option<TenantRow>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM tenants WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pools.read)
            .await?;
        row.as_ref().map(TenantRow::read).transpose()
    }

    /// The tenants with these ids; those that are gone are left out.
    pub(crate) async fn tenants_by_ids(&self, ids: &[TenantId]) -> Result<Vec<TenantRow>> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(PAGE) {
            let text = concat!("SELECT ", columns!(), " FROM tenants WHERE id IN ({})");
            let rows = sql_in(text, some.len()).bind_all(some).fetch_all(&self.pools.read).await?;
            found.append(&mut all(&rows)?);
        }
        Ok(found)
    }

    /// Tenants in the order of name and id, after a position, with a text in name, title or address.
    pub(crate) async fn tenants_page(
        &self,
        search: &str,
        state: Option<TenantState>,
        after: Option<&(String, String)>,
        limit: u32,
    ) -> Result<Vec<TenantRow>> {
        let (name, id) = after.cloned().unwrap_or_default();
        let state = state.map(TenantState::as_str).unwrap_or_default();
        let pattern = like(search);
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM tenants WHERE (name > $1 OR (name = $2 AND id > $3)) AND ($4 = '' OR state = $5) \
             AND (name LIKE $6 ESCAPE '!' OR LOWER(title) LIKE $7 ESCAPE '!' OR addresses LIKE $8 ESCAPE '!') \
             ORDER BY name, id LIMIT $9"
        ))
        .bind(name.clone())
        .bind(name)
        .bind(id)
        .bind(state)
        .bind(state)
        .bind(pattern.clone())
        .bind(pattern.clone())
        .bind(pattern)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.read)
        .await?;
        all(&rows)
    }

    /// All tenants in one of these states.
    pub(crate) async fn tenants_in(&self, state: TenantState) -> Result<Vec<TenantRow>> {
        let rows = sql(concat!("SELECT ", columns!(), " FROM tenants WHERE state = $1 ORDER BY id"))
            .bind(state.as_str())
            .fetch_all(&self.pools.read)
            .await?;
        all(&rows)
    }

    /// Tenants with which something is under way, or was when a server ended.
    pub(crate) async fn tenants_busy(&self) -> Result<Vec<TenantRow>> {
        let text = concat!("SELECT ", columns!(), " FROM tenants WHERE operation IS NOT NULL ORDER BY id");
        all(&sql(text).fetch_all(&self.pools.read).await?)
    }

    /// How many tenants are on each data server, in any state.
    pub(crate) async fn tenants_by_server(&self) -> Result<BTreeMap<DataServerName, u64>> {
        let rows = sql("SELECT data_server, COUNT(*) AS n FROM tenants GROUP BY data_server")
            .fetch_all(&self.pools.read)
            .await?;
        rows.iter().map(|row| Ok((parsed(row, "data_server")?, generation(row, "n")?))).collect()
    }

    /// Trashed tenants whose time is over.
    pub(crate) async fn trash_due(&self, now: Timestamp) -> Result<Vec<TenantRow>> {
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM tenants WHERE state = 'trashed' AND trash_until <= $1 ORDER BY id"
        ))
        .bind(now.0)
        .fetch_all(&self.pools.read)
        .await?;
        all(&rows)
    }

    /// True where a tenant of this id was here and is gone.
    pub(crate) async fn is_tombstoned(&self, id: TenantId) -> Result<bool> {
        let row = sql("SELECT id FROM tombstones WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pools.read)
            .await?;
        Ok(row.is_some())
    }

    /// True where a tenant of this id is here, in any state.
    pub(crate) async fn is_known(&self, id: TenantId) -> Result<bool> {
        let row = sql("SELECT id FROM tenants WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pools.read)
            .await?;
        Ok(row.is_some())
    }
}

/// How many tenants are in each state.
pub(crate) async fn state_counts(store: &Store) -> Result<Vec<(TenantState, u64)>> {
    let rows =
        sql("SELECT state, COUNT(*) AS n FROM tenants GROUP BY state").fetch_all(&store.pools.read).await?;
    rows.iter().map(|row| Ok((parsed(row, "state")?, generation(row, "n")?))).collect()
}

impl Change {
    /// The tenant as this change sees it.
    pub(crate) async fn tenant(&mut self, id: TenantId) -> Result<Option<TenantRow>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM tenants WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&mut self.tx)
            .await?;
        row.as_ref().map(TenantRow::read).transpose()
    }

    /// Adds a tenant. A name or address that is taken is a duplicate.
    pub(crate) async fn add_tenant(&mut self, tenant: &mut TenantRow) -> Result<()> {
        sql(
            "INSERT INTO tenants (id, name, title, state, addresses, url_prefix, settings, locale, time_zone, \
             schema_version, created_at, gen) VALUES ($1, $2, '', '', '', 0, '', '', '', 0, $3, 0)",
        )
        .bind(tenant.id.to_string())
        .bind(tenant.name.as_str().to_owned())
        .bind(tenant.created_at.0)
        .execute(&mut self.tx)
        .await?;
        self.put_tenant(tenant).await
    }

    /// Writes everything of a tenant but id and time of birth. Its revision becomes this generation.
    pub(crate) async fn put_tenant(&mut self, tenant: &mut TenantRow) -> Result<()> {
        tenant.revision = u64::try_from(self.generation).map_err(|error| value("gen", error))?;
        let release = tenant.release.as_ref();
        sql("UPDATE tenants SET live_name = $1, title = $2, state = $3, addresses = $4, url_prefix = $5, \
             settings = $6, locale = $7, time_zone = $8, release_name = $9, release_digest = $10, \
             previous_release = $11, schema_version = $12, fingerprint = $13, trash_until = $14, data_server = $15, \
             operation = $16, outbound = $17, gen = $18, \
             worker = CASE WHEN $19 = 1 THEN COALESCE(worker, $20) ELSE NULL END WHERE id = $21")
        .bind(tenant.holds_name().then(|| tenant.name.as_str().to_owned()))
        .bind(tenant.title.clone())
        .bind(tenant.state.as_str())
        .bind(to_json("addresses", &tenant.addresses)?)
        .bind(i64::from(tenant.url_prefix))
        .bind(to_json("settings", &tenant.settings)?)
        .bind(tenant.locale.clone())
        .bind(tenant.time_zone.clone())
        .bind(release.map(|release| release.name.as_str().to_owned()))
        .bind(release.map(|release| release.digest.to_string()))
        .bind(tenant.previous_release.as_ref().map(|name| name.as_str().to_owned()))
        .bind(i64::from(tenant.schema_version))
        .bind(tenant.fingerprint.map(|digest| digest.to_string()))
        .bind(tenant.trash_until.map(|at| at.0))
        .bind(tenant.data_server.as_str())
        .bind(tenant.operation.as_ref().map(|operation| to_json("operation", operation)).transpose()?)
        .bind((!tenant.outbound.is_empty()).then(|| to_json("outbound", &tenant.outbound)).transpose()?)
        .bind(number(tenant.revision))
        .bind(i64::from(tenant.is_worked_on()))
        .bind(self.link.server.to_string())
        .bind(tenant.id.to_string())
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }

    /// Writes which addresses a tenant holds. Called after `put_tenant` where they may have changed.
    pub(crate) async fn put_addresses(&mut self, tenant: &TenantRow) -> Result<()> {
        sql("DELETE FROM addresses WHERE tenant_id = $1")
            .bind(tenant.id.to_string())
            .execute(&mut self.tx)
            .await?;
        let held = if tenant.holds_name() { tenant.addresses.as_slice() } else { &[] };
        for address in held {
            sql("INSERT INTO addresses (host, tenant_id, gen) VALUES ($1, $2, $3)")
                .bind(address.to_string())
                .bind(tenant.id.to_string())
                .bind(self.generation)
                .execute(&mut self.tx)
                .await?;
        }
        Ok(())
    }

    /// Who holds an address, as this change sees it.
    pub(crate) async fn address_holder(&mut self, address: &AddressPattern) -> Result<Option<TenantId>> {
        let row = sql("SELECT tenant_id FROM addresses WHERE host = $1")
            .bind(address.to_string())
            .fetch_optional(&mut self.tx)
            .await?;
        row.map(|row| parsed(&row, "tenant_id")).transpose()
    }

    /// True where a tenant holds this name.
    pub(crate) async fn name_is_taken(&mut self, name: &TenantName) -> Result<bool> {
        let row = sql("SELECT id FROM tenants WHERE live_name = $1")
            .bind(name.as_str().to_owned())
            .fetch_optional(&mut self.tx)
            .await?;
        Ok(row.is_some())
    }

    /// Removes a tenant's rows and leaves a tombstone. Gives the numbers of sessions and memberships removed.
    pub(crate) async fn remove_tenant(&mut self, tenant: &TenantRow) -> Result<(u64, u64)> {
        let id = tenant.id.to_string();
        let sessions =
            sql("DELETE FROM sessions WHERE scope = $1").bind(id.clone()).execute(&mut self.tx).await?;
        let members = sql("DELETE FROM memberships WHERE tenant_id = $1")
            .bind(id.clone())
            .execute(&mut self.tx)
            .await?;
        sql("DELETE FROM addresses WHERE tenant_id = $1").bind(id.clone()).execute(&mut self.tx).await?;
        sql("DELETE FROM tenants WHERE id = $1").bind(id.clone()).execute(&mut self.tx).await?;
        sql("INSERT INTO tombstones (id, name, removed_at, gen) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(tenant.name.as_str().to_owned())
            .bind(self.at.0)
            .bind(self.generation)
            .execute(&mut self.tx)
            .await?;
        self.people_changed().await?;
        Ok((sessions, members))
    }
}

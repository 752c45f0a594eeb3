//! Releases, and their bytes by digest: two releases with the same bytes keep them once, in parts.

use super::dialect::{Row, sql};
use super::{Change, Result, Store, flag, generation, json, parsed, timestamp, to_json, value};
use crate::ports::Migration;
use rowhouse_base::{Digest, Timestamp};
use rowhouse_tenant::{ReleaseName, Reuse};
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

macro_rules! columns {
    () => {
        "name, digest, size, lane, exports, imports, migrations, fingerprint, has_upgrade, reuse_requests, \
         reuse_idle_ms, pushed_at"
    };
}

/// Bytes of one part: far below what any server takes in one statement (4 MiB on an old MySQL).
const PART: usize = 1 << 20;

/// A release as the control database knows it.
#[derive(Clone, Debug)]
pub(crate) struct ReleaseRow {
    pub(crate) name: ReleaseName,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) lane: String,
    pub(crate) exports: Vec<String>,
    pub(crate) imports: Vec<String>,
    pub(crate) migrations: Vec<Migration>,
    pub(crate) fingerprint: Digest,
    pub(crate) has_upgrade: bool,
    pub(crate) reuse: Option<Reuse>,
    pub(crate) pushed_at: Timestamp,
}

impl ReleaseRow {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: parsed(row, "name")?,
            digest: parsed(row, "digest")?,
            size: generation(row, "size")?,
            lane: row.get("lane")?,
            exports: json(row, "exports")?,
            imports: json(row, "imports")?,
            migrations: json(row, "migrations")?,
            fingerprint: parsed(row, "fingerprint")?,
            has_upgrade: flag(row, "has_upgrade")?,
            reuse: reuse(row)?,
            pushed_at: timestamp(row, "pushed_at")?,
        })
    }
}

fn reuse(row: &Row) -> Result<Option<Reuse>> {
    let requests: Option<i64> = row.get("reuse_requests")?;
    let idle: Option<i64> = row.get("reuse_idle_ms")?;
    let Some((requests, idle)) = requests.zip(idle) else { return Ok(None) };
    let requests = u32::try_from(requests).and_then(NonZeroU32::try_from);
    Ok(Some(Reuse {
        requests: requests.map_err(|error| value("reuse_requests", error))?,
        idle: Duration::from_millis(u64::try_from(idle).map_err(|error| value("reuse_idle_ms", error))?),
    }))
}

impl Store {
    /// How instances of a release may be used again; none too for one that is not there.
    pub(crate) async fn reuse_of(&self, name: &ReleaseName) -> Result<Option<Reuse>> {
        let row = sql("SELECT reuse_requests, reuse_idle_ms FROM releases WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&self.pools.read)
            .await?;
        row.as_ref().map_or(Ok(None), reuse)
    }

    pub(crate) async fn release(&self, name: &ReleaseName) -> Result<Option<ReleaseRow>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM releases WHERE name = $1"))
            .bind(name.as_str().to_owned())
            .fetch_optional(&self.pools.read)
            .await?;
        row.as_ref().map(ReleaseRow::read).transpose()
    }

    /// A release whose migrations have this fingerprint.
    pub(crate) async fn release_with_schema(&self, fingerprint: &Digest) -> Result<Option<ReleaseRow>> {
        let row = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM releases WHERE fingerprint = $1 ORDER BY name LIMIT 1"
        ))
        .bind(fingerprint.to_string())
        .fetch_optional(&self.pools.read)
        .await?;
        row.as_ref().map(ReleaseRow::read).transpose()
    }

    /// A release that has these bytes.
    pub(crate) async fn release_with_bytes(&self, digest: &Digest) -> Result<Option<ReleaseRow>> {
        let row =
            sql(concat!("SELECT ", columns!(), " FROM releases WHERE digest = $1 ORDER BY name LIMIT 1"))
                .bind(digest.to_string())
                .fetch_optional(&self.pools.read)
                .await?;
        row.as_ref().map(ReleaseRow::read).transpose()
    }

    /// Releases in the order of their names, after one.
    pub(crate) async fn releases_page(&self, after: &str, limit: u32) -> Result<Vec<ReleaseRow>> {
        let rows =
            sql(concat!("SELECT ", columns!(), " FROM releases WHERE name > $1 ORDER BY name LIMIT $2"))
                .bind(after.to_owned())
                .bind(i64::from(limit))
                .fetch_all(&self.pools.read)
                .await?;
        rows.iter().map(ReleaseRow::read).collect()
    }

    /// How many tenants run a release.
    pub(crate) async fn tenants_on(&self, name: &ReleaseName) -> Result<u64> {
        let row = sql("SELECT COUNT(*) AS n FROM tenants WHERE release_name = $1")
            .bind(name.as_str().to_owned())
            .fetch_one(&self.pools.read)
            .await?;
        generation(&row, "n")
    }

    /// The component with this digest.
    pub(crate) async fn bytes(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let parts = sql("SELECT bytes FROM release_parts WHERE digest = $1 ORDER BY part")
            .bind(digest.to_string())
            .fetch_all(&self.pools.read)
            .await?;
        let mut bytes = Vec::new();
        for part in &parts {
            bytes.append(&mut part.get::<Vec<u8>>("bytes")?);
        }
        Ok((!parts.is_empty()).then_some(bytes))
    }

    /// The releases that were pushed last, newest first.
    pub(crate) async fn newest_releases(&self, limit: u32) -> Result<Vec<(ReleaseName, Digest)>> {
        let rows = sql("SELECT name, digest FROM releases ORDER BY pushed_at DESC, name DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pools.read)
            .await?;
        rows.iter().map(|row| Ok((parsed(row, "name")?, parsed(row, "digest")?))).collect()
    }

    /// What tenants get from runs that are under way.
    pub(crate) async fn awaited_releases(&self) -> Result<Vec<Digest>> {
        let rows = sql("SELECT DISTINCT releases.digest AS digest FROM runs \
             JOIN run_items ON run_items.run_id = runs.id \
             JOIN releases ON releases.name = run_items.to_release \
             WHERE runs.state IN ('queued', 'running', 'interrupted') \
             AND run_items.state IN ('waiting', 'running')")
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(|row| parsed(row, "digest")).collect()
    }

    /// Every digest that a release has.
    pub(crate) async fn digests(&self) -> Result<HashSet<Digest>> {
        let rows = sql("SELECT DISTINCT digest FROM releases").fetch_all(&self.pools.read).await?;
        rows.iter().map(|row| parsed(row, "digest")).collect()
    }
}

impl Change {
    /// Adds a release with its bytes. A name that is there already is a duplicate.
    pub(crate) async fn add_release(&mut self, release: &ReleaseRow, bytes: Vec<u8>) -> Result<()> {
        let digest = release.digest.to_string();
        let there = sql("SELECT digest FROM release_parts WHERE digest = $1 AND part = 0")
            .bind(digest.clone())
            .fetch_optional(&mut self.tx)
            .await?;
        if there.is_none() {
            for (part, bytes) in (0_i64..).zip(bytes.chunks(PART)) {
                sql("INSERT INTO release_parts (digest, part, bytes) VALUES ($1, $2, $3)")
                    .bind(digest.clone())
                    .bind(part)
                    .bind(bytes.to_vec())
                    .execute(&mut self.tx)
                    .await?;
            }
        }
        sql(
            "INSERT INTO releases (name, digest, size, lane, exports, imports, migrations, fingerprint, has_upgrade, \
             reuse_requests, reuse_idle_ms, pushed_at, gen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(release.name.as_str().to_owned())
        .bind(digest)
        .bind(super::number(release.size))
        .bind(release.lane.clone())
        .bind(to_json("exports", &release.exports)?)
        .bind(to_json("imports", &release.imports)?)
        .bind(to_json("migrations", &release.migrations)?)
        .bind(release.fingerprint.to_string())
        .bind(i64::from(release.has_upgrade))
        .bind(release.reuse.map(|reuse| i64::from(reuse.requests.get())))
        .bind(release.reuse.map(|reuse| i64::try_from(reuse.idle.as_millis()).unwrap_or(i64::MAX)))
        .bind(release.pushed_at.0)
        .bind(self.generation)
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }

    /// The release as this change sees it.
    pub(crate) async fn release(&mut self, name: &ReleaseName) -> Result<Option<ReleaseRow>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM releases WHERE name = $1"))
            .bind(name.as_str().to_owned())
            .fetch_optional(&mut self.tx)
            .await?;
        row.as_ref().map(ReleaseRow::read).transpose()
    }

    /// How many tenants run a release or would return to it.
    pub(crate) async fn release_users(&mut self, name: &ReleaseName) -> Result<u64> {
        let row = sql("SELECT COUNT(*) AS n FROM tenants WHERE release_name = $1 OR previous_release = $2")
            .bind(name.as_str().to_owned())
            .bind(name.as_str().to_owned())
            .fetch_one(&mut self.tx)
            .await?;
        generation(&row, "n")
    }

    /// Removes a release, and its bytes where no other has them.
    pub(crate) async fn remove_release(&mut self, release: &ReleaseRow) -> Result<()> {
        sql("DELETE FROM releases WHERE name = $1")
            .bind(release.name.as_str().to_owned())
            .execute(&mut self.tx)
            .await?;
        sql("DELETE FROM release_parts WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM releases WHERE digest = $2)")
            .bind(release.digest.to_string())
            .bind(release.digest.to_string())
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }
}

//! Archives of the data room as the control plane uses them.

use super::data::port;
use crate::ports::{ArchiveFacts, Counts, PortFuture, StageError, StagedArchive, TableContent};
use rowhouse_data::{ArchiveError, Data};
use rowhouse_tenant::Tenant;
use std::sync::Arc;

/// An archive that waits in the data folder, with the room that loads it.
pub(super) struct Staged {
    data: Arc<Data>,
    facts: ArchiveFacts,
    archive: rowhouse_data::StagedArchive,
}

impl Staged {
    pub(super) fn new(data: Arc<Data>, archive: rowhouse_data::StagedArchive) -> Self {
        let facts = ours(archive.facts(), archive.schema_version());
        Self { data, facts, archive }
    }
}

impl StagedArchive for Staged {
    fn facts(&self) -> &ArchiveFacts {
        &self.facts
    }

    fn load(self: Box<Self>, tenant: &Arc<Tenant>) -> PortFuture<'_, Counts> {
        Box::pin(async move {
            let loaded = self.data.import(tenant, self.archive).await.map_err(|error| port(&error))?;
            Ok(counts(&loaded.tables, loaded.files, loaded.file_bytes))
        })
    }
}

/// What is said of a tenant: the room asks the tenant itself for all but its schema.
pub(super) fn theirs(tenant: &Tenant, facts: &ArchiveFacts) -> rowhouse_data::ArchiveFacts {
    rowhouse_data::ArchiveFacts::of(tenant, facts.fingerprint)
}

fn ours(theirs: &rowhouse_data::ArchiveFacts, schema_version: u32) -> ArchiveFacts {
    let release = theirs.release.as_ref();
    ArchiveFacts {
        name: theirs.name.clone(),
        title: theirs.title.clone(),
        addresses: theirs.addresses.clone(),
        url_prefix: theirs.url_prefix,
        settings: theirs.settings.clone(),
        locale: theirs.locale.clone(),
        time_zone: theirs.time_zone.clone(),
        release: release.map(|release| release.name.to_string()),
        release_digest: release.map(|release| release.digest),
        schema_version,
        fingerprint: theirs.schema_fingerprint,
    }
}

pub(super) fn table(theirs: rowhouse_data::TableContent) -> TableContent {
    // Engines differ in the case of names.
    let name = theirs.table.to_ascii_lowercase();
    TableContent { name, rows: theirs.rows, hash: theirs.content.to_string() }
}

pub(super) fn counts(tables: &[rowhouse_data::TableContent], files: u64, file_bytes: u64) -> Counts {
    let rows = tables.iter().fold(0_u64, |sum, table| sum.saturating_add(table.rows));
    Counts { tables: u64::try_from(tables.len()).unwrap_or(u64::MAX), rows, files, file_bytes }
}

/// What is wrong with an archive is its bringer's to mend, all else the server's.
pub(super) fn refused(error: ArchiveError) -> StageError {
    let text = port(&error);
    match error {
        ArchiveError::Unreadable { .. }
        | ArchiveError::Refused { .. }
        | ArchiveError::Version(_)
        | ArchiveError::TooLarge { .. } => StageError::Faulty(text.text),
        _ => StageError::Port(text),
    }
}
